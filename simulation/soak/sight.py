"""The real stack, as the contract sees its world: with the names that `simulation.stack` has.

Nothing here judges. What is read is kept until it is read again, so that a promise is held of one
state of the world.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

from agora_recording.aws.dynamodb import Item
from agora_recording.notifications import envelope
from agora_recording.recording.model import Recording
from local.agora import AgoraSimulator
from local.agora.recordings import Phase
from local.agora.recordings import Recording as Task
from local.stack import EmbeddedStack
from simulation.seen import Seen

_BATCH = 1000


class Session(NamedTuple):
    """A session at Agora: what the contract asks of one."""

    sid: str
    resource_id: str
    cname: str
    uid: str
    prefix: str


class _Names(dict[str, str]):
    """Sessions by the names that a story gives them: here, their sids."""

    def __missing__(self, sid: str) -> str:
        return sid


class Agora:
    """The simulator's sessions. `sessions` are all, `running` those that are billed just now."""

    labels = _Names()

    def __init__(self, simulator: AgoraSimulator) -> None:
        self._simulator = simulator
        self._tasks: dict[str, Task] = {}
        self.sessions: dict[str, Session] = {}
        self.running: list[Session] = []
        self.promised = self

    def look(self) -> None:
        """See who runs."""
        with self._simulator.world.lock:
            for task in self._simulator.world.recordings:
                if task.sid not in self._tasks:
                    self._tasks[task.sid] = task
                    self.sessions[task.sid] = Session(
                        task.sid, task.resource_id, task.cname, task.uid, task.prefix
                    )
            is_billed = (Phase.RUNNING, Phase.SWITCHING)
            self.running = [
                self.sessions[task.sid] for task in self._tasks.values() if task.phase in is_billed
            ]

    def get(self, sid: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """Return the keys of the files that a session promised: of one that ended as it should.

        Of one that lost its server, the files on that server are lost, too: what its playlists name
        is all that there is.
        """
        with self._simulator.world.lock:
            task = self._tasks.get(sid)
            if task is None or task.uploading_status == "unknown" or task.failovers:
                return default
            names = [
                name
                for track in task.tracks
                for name in (
                    track.playlist,
                    *(each.name for each in track.slices),
                    *(each.sound for each in track.slices if each.sound),
                )
            ]
            return tuple(task.prefix + name for name in names)

    @property
    def heard(self) -> set[str]:
        """The sids of which a notification has arrived."""
        return {key.removeprefix("SID#") for key, _ in self.accepted()}

    def accepted(self) -> Iterator[tuple[str, str]]:
        """Yield the keys of the notifications that were answered with 200."""
        with self._simulator.world.lock:
            sent = list(self._simulator.world.notifier.sent)
        for notice in sent:
            if any(each.status == 200 and not each.error for each in notice.attempts):
                raw = notice.body(0)
                yield envelope.key(envelope.read(raw), raw)


class Writes:
    """Every write of the table, in order, from its stream."""

    def __init__(self, stack: EmbeddedStack, table: str) -> None:
        self._client = stack.client("dynamodbstreams")
        arn = stack.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
        shard = self._client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]
        self._next = self._client.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]

    def since(self) -> Iterator[tuple[Item, Item | None]]:
        """Yield what was written since the last time: the keys, and the new row, None if gone.

        A batch is as large as an answer may be, which is less than was asked for at times.
        """
        while True:
            answer = self._client.get_records(ShardIterator=self._next, Limit=_BATCH)
            self._next = answer["NextShardIterator"]
            for record in answer["Records"]:
                told = record["dynamodb"]
                yield told["Keys"], told.get("NewImage")
            if not answer["Records"]:
                return


class Bus:
    """The events of the bus, through a rule and a queue, as a consumer gets them."""

    def __init__(self, stack: EmbeddedStack, bus: str) -> None:
        self._queues = stack.client("sqs")
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._queue = self._queues.create_queue(QueueName="soak")["QueueUrl"]
        asked = self._queues.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        client = stack.client("events")
        client.put_rule(
            Name="soak",
            EventBusName=bus,
            EventPattern=json.dumps({"source": ["agora.recording"]}),
        )
        target = {"Id": "soak", "Arn": asked["Attributes"]["QueueArn"]}
        client.put_targets(Rule="soak", EventBusName=bus, Targets=[target])

    def look(self) -> None:
        """Take what has come."""
        while True:
            answer = self._queues.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10)
            found = answer.get("Messages", [])
            if not found:
                return
            for message in found:
                event = json.loads(message["Body"])
                self.events.append((event["detail-type"], event["detail"]))
            self._queues.delete_message_batch(
                QueueUrl=self._queue,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(found)
                ],
            )


class Bucket:
    """The files. `objects`: when each was written (epoch ms), by its key, as far as was looked."""

    def __init__(self, stack: EmbeddedStack, name: str) -> None:
        self.client = stack.client("s3")
        self.name = name
        self.objects: dict[str, int] = {}

    def look(self, prefix: str = "") -> list[str]:
        """See which files are under a prefix; return their keys."""
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        found = {
            item["Key"]: round(item["LastModified"].timestamp() * 1000)
            for page in pages
            for item in page.get("Contents", [])
        }
        kept = {key: at for key, at in self.objects.items() if not key.startswith(prefix)}
        self.objects = {**kept, **found}
        return sorted(found)

    def look_at_versions(self) -> None:
        """See every version of every file."""
        pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.name)
        self.objects = {
            item["Key"]: round(item["LastModified"].timestamp() * 1000)
            for page in pages
            for item in page.get("Versions", [])
        }

    def read(self, key: str) -> str:
        """Return a file's text."""
        body: bytes = self.client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body.decode()


class Machine:
    """The executions. `open` are those that run; their tokens end with them."""

    tokens: tuple[str, ...] = ()

    def __init__(self, stack: EmbeddedStack, arn: str) -> None:
        self._client = stack.client("stepfunctions")
        self._arn = arn
        self.open: list[Any] = []

    def look(self) -> None:
        """See what runs."""
        self.open = [
            SimpleNamespace(name=each["name"], state="a state")
            for each in self._executions("RUNNING")
        ]

    def histories(self) -> Iterator[str]:
        """Yield the history of every execution there was, page by page."""
        pages = self._client.get_paginator("get_execution_history")
        for each in self._executions():
            for page in pages.paginate(executionArn=each["executionArn"]):
                yield json.dumps(page["events"], default=str)

    def _executions(self, status: str = "") -> Iterator[dict[str, Any]]:
        asked = {"statusFilter": status} if status else {}
        pages = self._client.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=self._arn, **asked):
            yield from page["executions"]


class Table:
    """The table. `items` are its rows by partition and sort key, as they were when it was read."""

    def __init__(self, stack: EmbeddedStack, name: str) -> None:
        self._client = stack.client("dynamodb")
        self._name = name
        self.items: dict[tuple[str, str], Item] = {}

    def look(self) -> None:
        """Read every row."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._name)
        self.items = {
            (item["PK"]["S"], item["SK"]["S"]): item for page in pages for item in page["Items"]
        }


class Sight(Seen):
    """All of it. `contract` is what the contract keeps: rows, and what was promised of them.

    `rows` are the recordings as they are, by their ids; `ever` the names of those that were ever
    there; `deleted` those that the API called deleted, with their sids; `accepted` the keys of the
    notifications that were answered with 200.
    """

    def __init__(self, stack: EmbeddedStack, people: Any) -> None:
        assert stack.agora is not None
        names = stack.facts["resources"]
        self.agora = Agora(stack.agora)
        self.writes = Writes(stack, names["Table"])
        self.bus = Bus(stack, names["EventBus"])
        self.bucket = Bucket(stack, names["Bucket"])
        self.machine = Machine(stack, names["RecordingStateMachine"])
        self.table = Table(stack, names["Table"])
        self.people = people
        self.weather = SimpleNamespace(forbidden=set())
        self.contract = self
        self.rows: dict[str, Recording] = {}
        self.ever: dict[str, str] = {}
        self.deleted: dict[str, list[str]] = {}
        self.deleted_at: dict[str, int] = {}
        self.accepted: set[tuple[str, str]] = set()

    def name(self, row: Recording) -> str:
        """Return how the people call a recording, and its id."""
        return f"{row.tags.get('n', '')} ({row.recording_id})"

    def came_after_deletion(self, key: str) -> bool:
        """Tell whether Agora wrote a file after its recording was deleted.

        S3 says it to the second.
        """
        at_ms = self.bucket.objects[key] + 999
        return any(each in key and at_ms >= when for each, when in self.deleted_at.items())

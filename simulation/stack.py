"""A whole stack that lives a story: rooms as processes, streams and queues as AWS runs them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache, cached_property, partial
from typing import Any, cast

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from agora_recording.aws.dynamodb import from_item
from agora_recording.aws.signing import Keys
from agora_recording.clock import from_iso, iso
from agora_recording.errors import RecordingError
from agora_recording.files.record_file_arrival import Taken
from agora_recording.life.look_queue import Between
from agora_recording.life.watch_recordings import Swept
from agora_recording.notifications import envelope
from agora_recording.notifications.intake import IntakeSettings, Receipt, take
from agora_recording.notifications.secrets import NotificationSecrets
from agora_recording.notifications.store import NotificationStore
from agora_recording.observability import metrics
from agora_recording.recording.model import Recording, from_row
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from local.template import template
from simulation.contract import Contract
from simulation.lessons import PLACES, RULE, SECRET, Lessons, rule_of
from simulation.luck import Kinds, Luck
from simulation.people import TOKEN, People
from simulation.processes import Dead, Processes
from simulation.random_agora import RandomAgora
from simulation.receiver import HOST, Receiver
from simulation.seen import Seen
from simulation.story import Story
from simulation.viewers import Viewers
from simulation.weather import Weather
from simulation.wire import Wire
from tests.world import webhook
from tests.world.app import CALLBACK_SECRET
from tests.world.bucket import FakeBucket
from tests.world.bus import FakeBus
from tests.world.clock import Timeline
from tests.world.errors import error
from tests.world.expressions import Item
from tests.world.faults import operation
from tests.world.house import APP_ID, CERTIFICATE, MINUTE_MS, Rooms
from tests.world.machine import Machine
from tests.world.schedules import FakeScheduler
from tests.world.settings import WorldSettings
from tests.world.step_functions import Answer, Failed, StepFunctions
from tests.world.table import TABLE, FakeTable

PARKING: Kinds = (("throttled", 4), ("refused", 1), ("answer lost", 4))
STREAM: Kinds = (("again", 3), ("in parts", 4), ("late", 3))
SCHEDULES: Kinds = (("lost", 2), ("twice", 4), ("late", 4))
MESSAGES: Kinds = (("lost", 3), ("twice", 4), ("late", 5))
_NOT_DONE = {"failed", "agora failed", "no slot", "out of time"}  # of a sweep of channels
INDEX_LAG_MS = 2000  # how long an index may show what was there before
AFTERWARDS = frozenset({"link", "revoke", "watch", "delete"})
CALM_S = 1800  # no new fault this long after the last deed
MOST_EVENTS = 300_000  # more than these, and it goes on for ever
IN_TIME_S = 4 * 3600  # when everything is over, after the last thing that went wrong
LAST_S = 6 * 86_400  # late files are awaited for four days
_BATCH = 10
_KEPT_S = 4 * 86_400  # how long a queue keeps a message that does not say it
_LABELS = {
    "StartRecordingFunction": "start",
    "QueryRecordingFunction": "query",
    "StopRecordingFunction": "stop",
    "AwaitUploadFunction": "await upload",
    "PublishRecordingFunction": "publish",
}


# AWS names the errors.
class ThrottlingException(ClientError):  # noqa: N818
    """DynamoDB has too much to do, as Step Functions names it."""


class InternalServerErrorException(ClientError):  # noqa: N818
    """DynamoDB has failed, as Step Functions names it."""


class AccessDeniedException(ClientError):  # noqa: N818
    """A right is missing for a while."""


@cache
def limit_s(function: str) -> float:
    """Return after how many seconds Lambda kills a function."""
    own = template()["Resources"][function]["Properties"].get("Timeout")
    return float(own or template()["Globals"]["Function"]["Timeout"])


@cache
def told_endings() -> tuple[str, ...]:
    """Return how the keys end of which the rule of the bus tells the queue by default."""
    pattern = template()["Resources"]["FileArrivalsRule"]["Properties"]["EventPattern"]
    keys = (
        each["Fn::If"][2] if "Fn::If" in each else each
        for each in pattern["detail"]["object"]["key"]
    )
    return tuple(each["suffix"] for each in keys if "suffix" in each)


class Table(FakeTable):
    """The table, whose indexes are behind at times.

    `before` is what a row was, and until when; `removed_ms` when it was removed.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.before: dict[tuple[str, str], tuple[Item | None, int]] = {}
        self.removed_ms: dict[tuple[str, str], int] = {}
        super().__init__(stack.weather)

    def query(self, **request: Any) -> dict[str, Any]:
        """Read rows; of an index, perhaps as they were a moment ago."""
        self.stack.weather.of_index = "IndexName" in request
        return super().query(**request)

    def _members(self, index: str | None, keys: tuple[str, ...]) -> Iterable[Item]:
        if index is None or not self.stack.weather.is_stale:
            return super()._members(index, keys)
        now = self.stack.clock.now_ms
        lagging = {key: item for key, (item, until) in self.before.items() if until > now}
        seen = {**self.items, **lagging}.values()
        return [item for item in seen if item and all(name in item for name in keys)]

    def _store(self, item: Item) -> None:
        key = self._key(item)
        self.before[key] = (self.items.get(key), self.stack.clock.now_ms + INDEX_LAG_MS)
        super()._store(item)

    def _remove(self, key: Item) -> None:
        self.before.pop(self._key(key), None)
        self.removed_ms[self._key(key)] = self.stack.clock.now_ms
        super()._remove(key)


class Queue:
    """The queues, which bring each message to its room, once or more often."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.faults = stack.weather
        self.sent = 0
        self.poison: list[dict[str, Any]] = []

    @operation
    def send_message(
        self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0, MessageGroupId: str = ""
    ) -> None:
        """Take a message, to be brought after a delay in whole seconds."""
        assert DelaySeconds in range(901)
        self.stack.contract.shows("a message", f"{MessageGroupId} {MessageBody}")
        if QueueUrl in self._rooms:
            self.put(QueueUrl, MessageBody, DelaySeconds)
        else:
            self.poison.append(msgspec.json.decode(MessageBody))

    def put(self, queue: str, body: str, delay_s: float = 0) -> None:
        """Keep a message until it is brought."""
        self.sent += 1
        place = f"message {self.sent}"
        kind = self.stack.luck.fault(place, MESSAGES)
        after_s = delay_s + self.stack.luck.number(place, 200, 1200) / 1000
        if kind == "late":
            after_s += self.stack.luck.number(place, 5, 600)
        if kind != "lost":
            self.stack.later(after_s, self._bring, queue, body, self.stack.clock.now_ms)
        if kind == "twice":
            self.stack.later(after_s + 0.4, self._bring, queue, body, self.stack.clock.now_ms)

    def _bring(self, queue: str, body: str, sent_ms: int, receives: int = 1) -> None:
        stack = self.stack
        name, function, room, resource = self._rooms[queue]
        if stack.clock.now_ms - sent_ms > resource.get("MessageRetentionPeriod", _KEPT_S) * 1000:
            return
        if stack.clock.now_ms < stack.stuck_until_ms:
            wait_s = (stack.stuck_until_ms - stack.clock.now_ms) / 1000
            stack.later(wait_s, self._bring, queue, body, sent_ms, receives)
            return

        def done(result: Any) -> None:
            is_failed = isinstance(result, Dead | Exception)
            is_failed |= isinstance(result, Taken) and bool(result.failed)
            most = resource.get("RedrivePolicy", {}).get("maxReceiveCount", math.inf)
            if is_failed and receives < most:
                hidden_s = resource["VisibilityTimeout"]
                stack.later(hidden_s, self._bring, queue, body, sent_ms, receives + 1)

        stack.run(name, function, partial(room, {"messageId": "1", "body": body}), done)

    @cached_property
    def _rooms(self) -> dict[str, tuple[str, str, Callable[[dict[str, str]], Any], Any]]:
        """Return who gets the messages of each queue: a name, the function, the room, the queue."""
        resources = template()["Resources"]

        def look(record: dict[str, str]) -> Taken:
            return self.stack.parts.arrivals.take([record])

        def call(record: dict[str, str]) -> str:
            asked = msgspec.json.decode(record["body"], type=dict[str, str])
            return self.stack.parts.caller.send(asked["recordingId"], asked["call"])

        def sweep(record: dict[str, str]) -> Swept:
            between = msgspec.json.decode(record["body"], type=Between)
            return self.stack.parts.sweeper.sweep(seconds=50, between=[between])

        return {
            queue: (name, function, room, resources[resource]["Properties"])
            for queue, name, function, room, resource in (
                ("arrivals", "look at files", "RecordFileArrivalFunction", look, "FileArrivals"),
                ("calls", "call the app", "SendCallbackFunction", call, "Calls"),
                ("sweeps", "sweep between", "WatchRecordingsFunction", sweep, "SweepsBetween"),
            )
        }


class Scheduler(FakeScheduler):
    """EventBridge Scheduler: each schedule comes at its time, or late, or twice."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.weather)
        self.stack = stack

    def put(self, schedule: dict[str, Any]) -> None:
        """Let a schedule come at its time, if nobody has replaced it by then."""
        at_ms = from_iso(f"{schedule['ScheduleExpression'][3:-1]}Z")
        place = f"schedule {schedule['Name'][-5:]} {at_ms}"
        kind = self.stack.luck.fault(place, SCHEDULES, likelier=2)
        late_s = self.stack.luck.number(place, 1, 300) if kind == "late" else 0.1
        times = 2 if kind == "twice" else 1
        for again in range(times if kind != "lost" else 0):
            self.stack.clock.at(at_ms + round((late_s + again) * 1000), self._come, schedule)

    def _come(self, schedule: dict[str, Any]) -> None:
        stack = self.stack
        if self.schedules.get(schedule["Name"]) is not schedule:
            return
        event = msgspec.json.decode(schedule["Target"]["Input"])
        label = stack.label_of(f"{event['recordingId']}/")

        def done(result: Any) -> None:
            if not isinstance(result, str):  # Lambda tries twice more
                tries[0] -= 1
                if tries[0]:
                    stack.later(60, run)

        def run() -> None:
            stack.run(
                f"follow {label}",
                "FollowScheduleFunction",
                lambda: stack.parts.timekeeper.follow(event["recordingId"], event["act"]),
                done,
            )

        tries = [3]
        run()


class Schedules(dict[str, dict[str, Any]]):
    """The schedules by their names: what is put is planned."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler

    def __setitem__(self, name: str, schedule: dict[str, Any]) -> None:
        super().__setitem__(name, schedule)
        self._scheduler.put(schedule)


class Stream:
    """The stream of the table, for one room: batches in order, and again from what failed.

    `applier` returns the room's part; `name` and `function` are the room's.
    """

    def __init__(self, stack: Stack, name: str, function: str, applier: Callable[[], Any]) -> None:
        self._stack = stack
        self._name = name
        self._function = function
        self._applier = applier
        self._waiting: list[dict[str, Any]] = []
        self._is_busy = False
        self._count = 0
        self._batches = 0

    def add(self, item: Item) -> None:
        """Add a row that was put."""
        self._count += 1
        place = f"{self._count:08}"
        record = {"eventName": "INSERT", "dynamodb": {"SequenceNumber": place, "NewImage": item}}
        self._waiting.append(record)
        self._go_on(self._stack.luck.number(f"record {self._name}{self._count}", 20, 500) / 1000)

    def _go_on(self, seconds: float) -> None:
        if self._waiting and not self._is_busy:
            self._is_busy = True
            self._stack.later(seconds, self._bring)

    def _bring(self) -> None:
        stack = self._stack
        self._batches += 1
        place = f"batch {self._name}{self._batches}"
        kind = stack.luck.fault(place, STREAM)
        if kind == "late":
            stack.later(stack.luck.number(place, 5, 60), self._run, self._waiting[:_BATCH])
            return
        batch = self._waiting[:_BATCH]
        if kind == "in parts":
            batch = batch[: max(1, len(batch) // 2)]
        if kind == "again":
            stack.later(stack.luck.number(place, 1, 90), self._again, batch)
        self._run(batch)

    def _again(self, batch: list[dict[str, Any]]) -> None:
        """Bring a batch that was brought before; nobody minds how it goes."""
        stack = self._stack
        room = partial(self._applier().apply, batch)
        stack.run(f"apply {self._name}again", self._function, room, _ignore)

    def _run(self, batch: list[dict[str, Any]]) -> None:
        stack = self._stack

        def done(failed: Any) -> None:
            self._is_busy = False
            if isinstance(failed, list):
                first = min(failed, default="9")  # what comes after it is brought again, too
                places = [each["dynamodb"]["SequenceNumber"] for each in batch]
                count = sum(place < first for place in places)
                del self._waiting[:count]
            self._go_on(0.3 if isinstance(failed, list) and not failed else 2)

        room = partial(self._applier().apply, batch)
        stack.run(f"apply {self._name}".rstrip(), self._function, room, done)


def _ignore(_: Any) -> None:
    """Take no notice."""


class Words:
    """What the rooms log: nobody reads it, but no secret may stand there."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def write(self, said: str) -> int:
        """Take a line."""
        self._contract.shows("the log", said)
        return len(said)

    def flush(self) -> None:
        """Keep nothing back."""


CUSTOMER_SECRET = "the-customer-secret-of-agora"
STORAGE_SECRET = "the-secret-key-of-the-bucket"
SECRETS = (
    *(CUSTOMER_SECRET, STORAGE_SECRET, webhook.SECRET, TOKEN, CERTIFICATE),
    *(CALLBACK_SECRET, SECRET),
)


class Stack(Seen, Rooms):
    """All rooms around one table, and everything that AWS, Agora, an app and chance do to them."""

    agora: RandomAgora
    table: Table

    def __init__(self, story: Story) -> None:
        self.story = story
        self.luck = Luck(story.seed, story.rate, story.faults)
        clock = Timeline(webhook.NOW_MS)
        self.processes = Processes(clock)
        self.weather = Weather(self.luck, self.processes)
        validity: dict[str, Any] = {"token_s": story.token_s} if story.token_s else {}
        super().__init__(faults=self.weather, agora_app_id=APP_ID, **validity)
        self.clock = self.processes.timeline = clock
        self.contract = Contract(self, SECRETS)
        self.table = Table(self)
        self.table.watch = self._written
        self.bucket = FakeBucket(clock, self.weather)
        self.bus = FakeBus(self.weather)
        self.queue = Queue(self)
        self.stream = Stream(self, "", "ApplyNotificationsFunction", lambda: self.parts.applier)
        self.channel_stream = Stream(
            self, "channels ", "ApplyChannelEventsFunction", lambda: self.parts.channel_applier
        )
        self.scheduler = Scheduler(self)
        self.scheduler.schedules = Schedules(self.scheduler)
        self.wire = Wire(self)
        self.machine = StepFunctions(
            Machine.shipped(),
            clock,
            self._invoke,
            self._park,
            faults=self.weather,
            chance=self._chance,
            invoke_ms=20,
            wake_ms=30,
        )
        self.agora = RandomAgora(self)
        self.agora.skew_ms = story.apart_ms * 200
        self.people = People(self)
        self.viewers = Viewers(self)
        self.lessons = Lessons(self)
        self.receiver = Receiver(self)
        self.hosts: list[tuple[int, frozenset[str]]] = [(0, frozenset({HOST}))]  # since when (ms)
        keys = {"customerId": "an-id", "customerSecret": CUSTOMER_SECRET}
        if story.token_s:
            keys["appCertificate"] = self.agora.certificate = CERTIFICATE
        self.secrets.versions["agora"] = [msgspec.json.encode(keys).decode()]
        held = {"accessKey": "AKIA", "secretKey": STORAGE_SECRET}
        self.secrets.versions["storage"] = [msgspec.json.encode(held).decode()]
        self.secrets.versions["console"] = [webhook.SECRET]
        self.secrets.versions["channels"] = [SECRET]
        self.labels: dict[str, str] = {}
        self.stuck_until_ms = 0
        self.off_ms: int | None = None  # when it was written that the app wants no more calls
        self.steps = 0
        self._chances = self._randoms = self._parks = 0
        self._deletions: dict[str, int] = {}
        self.failed_sweeps: list[int] = []  # when one of channels did not do what was due

    # --- the world, with processes in it ---

    @cached_property
    def outside(self) -> Outside:
        """This world, as the parts see it: whoever waits lets others run."""
        return replace(
            super().outside,
            now_ms=self.now,
            monotonic=lambda: self.now() / 1000,
            http=cast(Any, self.wire),
            poster=self.receiver,
            keys=lambda: Keys("AKID", "secret", "token"),
        )

    @cached_property
    def parts(self) -> Parts[WorldSettings]:
        """The parts of all rooms."""
        return Parts(self.settings, self.outside)

    @cached_property
    def webhook_parts(self) -> tuple[NotificationStore, dict[str, NotificationSecrets]]:
        """The parts of the webhook; it has a secret for each route."""
        secrets = {
            text: NotificationSecrets(secret_id, cast(Any, self.secrets))
            for secret_id, text in (("console", webhook.SECRET), ("channels", SECRET))
        }
        return NotificationStore(TABLE, cast(Any, self.table)), secrets

    def deploy(self) -> None:
        """Begin with new environments; what runs goes on in the old ones."""
        for name in ("parts", "webhook_parts"):
            self.__dict__.pop(name, None)

    def forbid_hosts(self) -> None:
        """Deploy with a parameter by which no app may be called."""
        self.settings = replace(self.settings, callback_hosts="")
        self.hosts.append((self.clock.now_ms, frozenset()))
        self.deploy()

    def allows(self, url: str, since_ms: int | None = None) -> bool:
        """Tell whether an address may be called: now, or at any time since an instant (ms).

        No address at all may be there.
        """
        host = url.removeprefix("https://").partition("/")[0]
        begins = [each for each, _ in self.hosts[1:]] + [math.inf]
        from_ms = self.clock.now_ms if since_ms is None else since_ms
        held = zip(begins, self.hosts, strict=True)
        return not url or any(host in hosts for until, (_, hosts) in held if until > from_ms)

    def now(self) -> int:
        """Return the present as the process sees it that runs just now."""
        process = self.processes.current
        return self.clock.now_ms + (process.skew_ms if process else 0)

    def sleep(self, seconds: float) -> None:
        """Let time pass for whoever sleeps."""
        self.processes.pause(round(seconds * 1000))

    def random_bytes(self, count: int) -> bytes:
        """Return bytes of chance."""
        self._randoms += 1
        process = self.processes.current
        place = f"{process.name}, {process.operations}" if process else ""
        place += f" {self._randoms}"
        words = [self.luck.bits(f"{place} {each}") for each in range(count // 8 + 1)]
        return b"".join(each.to_bytes(8, "little") for each in words)[:count]

    def _chance(self) -> float:
        self._chances += 1
        return self.luck.number(f"jitter {self._chances}", 0, 1000) / 1000

    def run(
        self, name: str, function: str, act: Callable[[], Any], then: Callable[[Any], object]
    ) -> None:
        """Run a room as a process; `then` gets what comes of it."""

        def over(result: Any) -> None:
            known = (RecordingError, BotoCoreError, ClientError)
            if isinstance(result, Exception) and not isinstance(result, known):
                self.contract.fails("rooms_fail_by_known_errors", f"{name}: {result!r}")
            then(result)

        apart = self.story.apart_ms
        skew = self.luck.number(f"clock of {function}", -apart, apart) if apart else 0
        self.processes.start(
            name, act, over, function=function, limit_s=limit_s(function), skew_ms=skew
        )

    def must_name(self, resource_id: str, uid: str) -> None:
        """Hold that a row names what Agora is about to bill."""
        if not self.names(resource_id, uid):
            self.contract.fails(
                "every_session_that_agora_bills_has_a_row", f"{resource_id} starts without a row"
            )

    # --- recordings by their names ---

    def label_of(self, prefix: str) -> str:
        """Return how the story calls the recording of a prefix: "r1"."""
        return self.labels.get(self.id_of(prefix), "r?")

    def name(self, row: Recording) -> str:
        """Return how the story calls a recording."""
        return row.tags.get("n", row.recording_id)

    def mode_of(self, prefix: str) -> str:
        """Return the mode of the recording of a prefix."""
        row = self.contract.rows.get(self.id_of(prefix))
        return row.mode if row else "mix"

    # --- deletions ---

    def deleted(self, recording_id: str) -> None:
        """Keep that the API called a recording deleted."""
        row = self.contract.rows.pop(recording_id, None)
        if row:
            self.contract.deleted[recording_id] = row.sids
            self._deletions[recording_id] = self.clock.now_ms

    def came_after_deletion(self, key: str) -> bool:
        """Tell whether Agora wrote a file after its recording was deleted.

        The app may be told later: an answer can be lost.
        """
        _, at_ms = self.bucket.objects[key]
        removed_ms = self.table.removed_ms
        return any(
            each in key and at_ms >= removed_ms[(f"REC#{each}", "META")] for each in self._deletions
        )

    def deleted_ms(self, recording_id: str) -> int | None:
        """Return when the API called a recording deleted."""
        return self._deletions.get(recording_id)

    # --- the table and what follows from its writes ---

    def _written(self, item: Item) -> None:
        self.contract.shows("the table", item)
        sort = item["SK"]["S"]
        if sort.startswith("CALL#"):
            self._await_sweep()
        if item["PK"]["S"].startswith("ENDPOINT#"):
            self.off_ms = self.clock.now_ms
        if sort == "META":
            row = from_row(from_item(item))
            self.labels[row.recording_id] = self.name(row)
            self.contract.written(row)
            self._await_sweep()
        elif sort.startswith("EVT#") or sort == "NOTICE":
            self.stream.add(item)
        elif sort == "RTC":
            self.channel_stream.add(item)
        elif sort == "CHANNEL":
            self._await_sweep()
        elif (item["PK"]["S"], sort) == ("LIMITER", "LIMITER"):
            self._slots_taken(item)

    def _slots_taken(self, item: Item) -> None:
        """Count the slots that a write of the limiter's row takes."""
        before = self.table.before[("LIMITER", item["SK"]["S"])][0] or {}
        old, new = (int(each.get("nextMs", {"N": "0"})["N"]) for each in (before, item))
        limiter = self.parts.limiter
        first = max(old, self.clock.now_ms - 2000) if old else new - 2 * limiter._gap_ms
        self.contract.slots += max(0, round((new - first) / limiter._gap_ms))

    # --- AWS ---

    def _invoke(self, function: str, event: Any, answer: Answer) -> None:
        label = self.labels.get(event["recordingId"], "r?")
        name = f"{_LABELS[function]} {label}"

        def over(result: Any) -> None:
            if isinstance(result, Dead):
                result = Failed("Lambda.Unknown")
            elif isinstance(result, Exception):
                told = {"errorType": type(result).__name__, "errorMessage": str(result)}
                self.contract.shows("an execution", str(result))
                result = Failed(type(result).__name__, msgspec.json.encode(told).decode())
            answer(result)

        self.run(name, function, partial(self.rooms[function], event), over)

    def _park(self, **request: Any) -> None:
        """Write as Step Functions does."""
        self._parks += 1
        kind = self.luck.fault(f"park {self._parks}", PARKING)
        if kind == "throttled":
            raise error(ThrottlingException)
        if kind == "refused":
            raise error(AccessDeniedException)
        self.table.change(**request)
        if kind == "answer lost":
            raise error(InternalServerErrorException)

    def receive(
        self,
        label: str,
        raw: bytes,
        answered: Callable[[bool], object],
        secret: str = webhook.SECRET,
    ) -> None:
        """Bring a notification to the webhook; `answered` is told whether it was taken."""
        store, secrets = self.webhook_parts

        def over(result: Any) -> None:
            is_taken = isinstance(result, Receipt)
            if is_taken:
                self.contract.accepted.add(envelope.key(envelope.read(raw), raw))
            answered(is_taken)

        self.run(
            f"webhook {label}",
            "ReceiveNotificationFunction",
            lambda: take(
                webhook.request(raw, secret),
                self.now(),
                IntakeSettings(),
                store,
                secrets[secret],
                self.now,
            ),
            over,
        )

    def arrived(self, key: str, size: int) -> None:
        """Tell the queue of a file, if the rule of the bus picks it."""
        if key.endswith(told_endings()):
            at = iso(self.clock.now_ms)
            told = {"detail": {"object": {"key": key, "size": size, "etag": "e"}}, "time": at}
            self.queue.put("arrivals", msgspec.json.encode(told).decode())

    # --- the sweeper ---

    def scheduled_sweep(self) -> None:
        """Sweep in a process of its own; the next one waits for what it finds."""
        first_shard = self.clock() // MINUTE_MS % 8
        self.run(
            "sweep",
            "WatchRecordingsFunction",
            partial(self.parts.sweeper.sweep, seconds=50, first_shard=first_shard),
            lambda _: self._await_sweep(),
        )
        if self.lessons.are_there:
            self.run(
                "sweep channels",
                "WatchChannelsFunction",
                partial(self.parts.channel_sweeper.sweep, seconds=50),
                self._channels_swept,
            )

    def _channels_swept(self, done: Any) -> None:
        if not isinstance(done, Counter) or done.keys() & _NOT_DONE:
            self.failed_sweeps.append(self.clock.now_ms)
        self._await_sweep()

    # --- time ---

    @property
    def has_troubles(self) -> bool:
        """Whether the story has more in it than what apps and users do."""
        peaceful = {"create", "stop", "update", "join", "part"} | AFTERWARDS
        return any(act.deed not in peaceful for act in self.story.acts)

    def live(self) -> None:
        """Live the story to its end. Raises BrokenError where a promise is broken."""
        begun = self.clock.now_ms
        self._put_rule()
        # What is done days later, to recordings that are over, can wait for nothing.
        lively = [
            act.at_s + act.lead_s + act.seconds
            for act in self.story.acts
            if act.deed not in AFTERWARDS
        ]
        for act in self.story.acts:
            self.later(act.at_s, self.people.do, act)
            if act.deed == "create":
                for after_s in (3, 20, 100, 700, 5000):
                    self.later(act.at_s + after_s, self.people.look, act.recording)
        calm_s = max(lively, default=0) + CALM_S
        self.later(calm_s, self.luck.calm)
        self.later(calm_s + IN_TIME_S, self.contract.in_time)
        self.later(LAST_S - 3600, self._watch_all)
        self.clock.run(begun + LAST_S * 1000, MOST_EVENTS, self._step)
        self.contract.at_the_end()

    def _put_rule(self) -> None:
        """Put the rule of the lessons, before the story begins."""
        if any(act.deed == "join" for act in self.story.acts):
            self.parts.rules.put(RULE, rule_of(PLACES))

    def _watch_all(self) -> None:
        """Let every link be opened once more."""
        for links in self.people.links.values():
            for link in links:
                self.viewers.watch(link)

    def _step(self) -> None:
        self.steps += 1
        metrics.clear_metrics()  # nobody reads them here, and the hundredth of a kind is printed
        self.contract.at_every_step()

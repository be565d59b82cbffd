"""A house in which whole recordings live, in virtual time: the shipped rooms and the shipped state
machine, on the fakes, beside an Agora that keeps sessions.

`House.run` lets time pass until nothing is left to happen. A `Crash` inside a room is what Lambda
reports as a lost environment; inside the stream's room or the sweeper it is a lost invocation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import msgspec

from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Resource, Task
from agora_recording.aws.dynamodb import from_item
from agora_recording.aws.lease import Lease
from agora_recording.aws.sealing import Sealer
from agora_recording.clock import from_iso
from agora_recording.files.await_upload import UploadWatcher
from agora_recording.files.publish_recording import RecordingPublisher
from agora_recording.files.record_file_arrival import Arrival, Arrivals
from agora_recording.files.verifier import Verifier
from agora_recording.life.apply_notifications import Applier
from agora_recording.life.due_index import DueIndex
from agora_recording.life.executions import Waker, start_execution
from agora_recording.life.look_queue import ArrivalQueue
from agora_recording.life.publication import Publisher
from agora_recording.life.query_recording import Confirmer
from agora_recording.life.sessions import SessionStore
from agora_recording.life.start_recording import Starter
from agora_recording.life.stop_recording import Stopper
from agora_recording.life.store import RecordingStore, row_of
from agora_recording.life.watch_recordings import Sweeper, Swept
from agora_recording.recording.ending import read_failure
from agora_recording.recording.model import RANK, TERMINAL, Recording, from_row
from tests.template.machine import definition
from tests.world.agora import ScriptedAgora
from tests.world.bucket import BUCKET, FakeBucket
from tests.world.builders import MACHINE, RECORDING_ID, TIMINGS, heard, reply, requested
from tests.world.bus import FakeBus
from tests.world.clock import Clock
from tests.world.expressions import Item
from tests.world.faults import Crash, Faults, operation
from tests.world.queue import FakeQueue
from tests.world.step_functions import FakeStepFunctions
from tests.world.storage import FakeStorage
from tests.world.table import TABLE, FakeTable
from tests.world.webhook import NOW_MS

UIDS = (4_200_000_000, 4_294_967_295)
SWEEP_S = 60


# --- Agora --------------------------------------------------------------------------------------


@dataclass
class AgoraSession:
    """One task at Agora: what it would bill from `started_ms` to `ended_ms`."""

    sid: str
    resource_id: str
    cname: str
    uid: str
    prefix: str
    started_ms: int
    ended_ms: int | None = None
    events: int = 0


class AgoraWorld:
    """An AgoraClient that is Agora: resources, sessions, their files and their notifications.

    `lose` counts down starts whose answer never arrives; `silent` is an Agora whose notifications
    are all lost; `hidden` are sids that answer 404 although they run (a failover). `born` is told
    of each session that starts. `upload_s` is how long files take after the end of a session.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.faults = house.faults
        self.resources: dict[str, tuple[str, str]] = {}  # resourceId -> (cname, uid)
        self.sessions: dict[str, AgoraSession] = {}
        self.lose = 0
        self.silent = False
        self.hidden: set[str] = set()
        self.answers: dict[str, Reply] = {}  # by endpoint: what is answered instead
        self.files = True  # whether a session leaves files
        self.upload_s = 0.0
        self.born: Callable[[AgoraSession], None] = lambda _: None
        self.calls: Counter[str] = Counter()

    @property
    def running(self) -> list[AgoraSession]:
        """The sessions that are billed just now."""
        return [each for each in self.sessions.values() if each.ended_ms is None]

    def end(self, sid: str, event: int | None = 11, **details: Any) -> None:
        """Let a session end by itself; its files are there, and it says so with an event."""
        session = self.sessions[sid]
        if session.ended_ms is None:
            session.ended_ms = self.house.clock()
            if event:
                self.notify(session, event, **details)
            if self.files and self.upload_s:
                self.house.later(self.upload_s, partial(self._upload, session, tell=True))
            elif self.files:
                self._upload(session)

    def notify(self, session: AgoraSession, event: int, **details: Any) -> None:
        """Send a notification: a second later it is in the table's stream."""
        session.events += 1
        if self.silent:
            return
        at_ms = self.house.clock()
        record = heard(
            event,
            details,
            place=f"{session.sid}-{session.events}",
            at_ms=at_ms,
            sequence=session.events,
            sid=session.sid,
            uid=session.uid,
        )
        self.house.later(1, partial(self.house.apply, [record]))

    def _upload(self, session: AgoraSession, *, tell: bool = False) -> None:
        stem = f"{session.prefix}{session.sid}_{session.cname}"
        name = f"{stem}_20231114221320000.ts"
        self.house.bucket.add(name, b"media")
        lines = ("#EXTM3U", "#EXTINF:15.0,", name.rpartition("/")[2], "#EXT-X-ENDLIST", "")
        self.house.bucket.add(f"{stem}.m3u8", "\n".join(lines).encode())
        if tell:
            self.notify(session, 31, status=0)

    # --- the client ---

    def reserve_start(self) -> list[int]:
        """Give slots."""
        return [0, 0]

    @operation
    def acquire(self, cname: str, uid: str, fields: Mapping[str, Any], **_: Any) -> Reply:
        """Give a resourceId."""
        self.calls["acquire"] += 1
        resource_id = f"resource-{len(self.resources) + 1}"
        self.resources[resource_id] = cname, uid
        return reply("acquire", resourceId=resource_id)

    @operation
    def start(self, resource: Resource, fields: Mapping[str, Any], **_: Any) -> Reply:
        """Start a session, unless the resource or the uid has one."""
        self.calls["start"] += 1
        resource_id = resource.resource_id
        cname, uid = self.resources[resource_id]
        assert (cname, uid) == (resource.cname, resource.uid)
        # The rule of the whole bundle: what will be billed is written down before.
        self.house.must_name(resource_id, uid)
        if any(each.resource_id == resource_id for each in self.sessions.values()):
            return reply("start", 201, code=7, reason="already running")
        if any((each.cname, each.uid) == (cname, uid) for each in self.running):
            return reply("start", 400, code=53, reason="the uid is taken")
        sid = f"{len(self.sessions) + 1:032x}"
        (prefix,) = fields["storageConfig"]["fileNamePrefix"]
        session = AgoraSession(sid, resource_id, cname, uid, prefix, self.house.clock())
        self.sessions[sid] = session
        self.notify(session, 40, status=0)
        self.born(session)
        if self.lose:
            self.lose -= 1
            return reply("start", None)
        return reply("start", resourceId=resource_id, sid=sid)

    @operation
    def query(self, task: Task) -> Reply:
        """Tell whether a session runs."""
        self.calls["query"] += 1
        if "query" in self.answers:
            return self.answers["query"]
        if not self._is_there(task):
            return reply("query", 404, code=404, reason="failed to find worker")
        return reply("query", sid=task.sid, serverResponse={"status": 5})

    @operation
    def stop(self, task: Task) -> Reply:
        """Stop a session."""
        self.calls["stop"] += 1
        if "stop" in self.answers:
            return self.answers["stop"]
        if not self._is_there(task):
            return reply("stop", 404, code=404, reason="failed to find worker")
        self.end(task.sid, 11, exitStatus=0)
        return reply("stop", sid=task.sid, serverResponse={})

    def _is_there(self, task: Task) -> bool:
        session = self.sessions[task.sid]
        assert session.resource_id == task.resource_id, "a sid with another's resourceId"
        return session.ended_ms is None and task.sid not in self.hidden


# --- Step Functions -----------------------------------------------------------------------------


class RoomError(Exception):
    """A task failed with an error of this name."""


@dataclass
class Execution:
    """One run of the state machine."""

    name: str
    data: dict[str, Any]
    state: str
    at_ms: int  # when it goes on
    token: str | None = None  # parked on it until then
    tries: Counter[int] = field(default_factory=Counter)  # by the number of the retrier
    history: list[str] = field(default_factory=list)


@cache
def machine_definition() -> dict[str, Any]:
    """Return the shipped definition, with the numbers that the template gives it."""
    return definition(
        StopAgainSeconds="15",
        ServiceFullRetrySeconds="30",
        AwaitUploadSeconds="2700",
        ExecutionTimeoutSeconds="3196800",
    )


class Machine(FakeStepFunctions):
    """Step Functions with the shipped definition (Amazon States Language, what it uses of it)."""

    def __init__(self, house: House) -> None:
        super().__init__(house.faults)
        self.house = house
        self.runs: dict[str, Execution] = {}
        self.states: dict[str, dict[str, Any]] = machine_definition()["States"]
        self.crash_name = "Lambda.Unknown"
        self.cannot_park = False
        self._tokens = 0

    def begin(self, name: str, given: dict[str, Any]) -> None:
        """Begin at the first state."""
        first = machine_definition()["StartAt"]
        self.runs[name] = Execution(name, given, first, self.house.clock())

    def kill(self, name: str) -> None:
        """End an execution from outside, as an operator may."""
        execution = self.runs[name]
        self._close(execution, "ABORTED")

    def woken(self, token: str, output: Any) -> None:
        """Let the parked execution go on."""
        (execution,) = (each for each in self.runs.values() if each.token == token)
        execution.token = None
        execution.at_ms = self.house.clock()
        self._leave(execution, self.states[execution.state], output)

    @property
    def open(self) -> list[Execution]:
        """The executions that are not over."""
        return [each for name, each in self.runs.items() if self.executions[name] == "RUNNING"]

    def step(self, execution: Execution) -> None:
        """Take one state, or end a wait."""
        state = self.states[execution.state]
        if execution.token:
            self.tokens.discard(execution.token)
            execution.token = None
            self._fail(execution, state, "States.Timeout")
            return
        if not execution.tries:
            execution.history.append(execution.state)
        match state["Type"]:
            case "Wait":
                seconds = state.get("Seconds") or _at(execution.data, state["SecondsPath"])
                self._go(execution, state["Next"], float(seconds))
            case "Choice":
                self._go(execution, chosen(state, execution.data))
            case "Task":
                self._task(execution, state)

    def _task(self, execution: Execution, state: dict[str, Any]) -> None:
        try:
            if state["Resource"].endswith("lambda:invoke.waitForTaskToken"):
                self._give_token(execution, state)
                return
            if state["Resource"].endswith(".waitForTaskToken"):
                self._park(execution, state)
                return
            room = self.house.rooms[state["Resource"].rsplit(":", 1)[-1]]
            result = self.house.process(room, execution.data)
        except RoomError as failure:
            self._fail(execution, state, str(failure))
        else:
            # As on AWS, a result is JSON.
            self._leave(execution, state, msgspec.json.decode(msgspec.json.encode(result)))

    def _token(self, execution: Execution) -> str:
        self._tokens += 1
        return f"{execution.name}-token-{self._tokens}"

    def _give_token(self, execution: Execution, state: dict[str, Any]) -> None:
        """Give a room the token on which the task is parked; it may use it before it returns."""
        token = execution.token = self._token(execution)
        self.tokens.add(token)
        execution.at_ms = self.house.clock() + int(state["TimeoutSeconds"]) * 1000
        given = filled(state["Parameters"], execution.data, token)
        room = self.house.rooms[given["FunctionName"].rsplit(":", 1)[-1]]
        try:
            self.house.process(room, given["Payload"])
        except RoomError:
            if execution.token == token:  # else the task went on before its room failed
                self.tokens.discard(token)
                execution.token = None
                raise

    def _park(self, execution: Execution, state: dict[str, Any]) -> None:
        if self.cannot_park:
            raise RoomError("DynamoDb.ThrottlingException")
        token = self._token(execution)
        request = filled(state["Parameters"], execution.data, token)
        # Step Functions writes, not one of our processes: this is no operation that can crash.
        write = type(self.house.table).update_item.__wrapped__  # type: ignore[attr-defined]
        try:
            write(self.house.table, **request)
        except Exception as failure:
            raise RoomError(f"DynamoDb.{type(failure).__name__}") from failure
        self.tokens.add(token)
        execution.token = token
        seconds = _at(execution.data, state["TimeoutSecondsPath"])
        execution.at_ms = self.house.clock() + seconds * 1000

    def _leave(self, execution: Execution, state: dict[str, Any], result: Any) -> None:
        execution.tries.clear()
        _put(execution.data, state["ResultPath"], result)
        if state.get("End"):
            self._close(execution, "SUCCEEDED")
        else:
            self._go(execution, state["Next"])

    def _fail(self, execution: Execution, state: dict[str, Any], name: str) -> None:
        for number, retrier in enumerate(state.get("Retry", ())):
            if _matches(retrier, name):
                if execution.tries[number] < retrier["MaxAttempts"]:
                    wait = retrier["IntervalSeconds"] * (
                        retrier.get("BackoffRate", 2) ** execution.tries[number]
                    )
                    execution.tries[number] += 1
                    wait = min(wait, retrier.get("MaxDelaySeconds", wait))
                    execution.at_ms = self.house.clock() + round(wait * 1000)
                    return
                break
        for catcher in state.get("Catch", ()):
            if _matches(catcher, name):
                execution.tries.clear()
                _put(execution.data, catcher["ResultPath"], {"Error": name, "Cause": ""})
                self._go(execution, catcher["Next"])
                return
        self._close(execution, "FAILED")

    def _go(self, execution: Execution, state: str, seconds: float = 0) -> None:
        execution.state = state
        execution.at_ms = self.house.clock() + round(seconds * 1000)

    def _close(self, execution: Execution, status: str) -> None:
        if execution.token:
            self.tokens.discard(execution.token)
        self.executions[execution.name] = status


def _matches(rule: Mapping[str, Any], name: str) -> bool:
    return name in rule["ErrorEquals"] or "States.ALL" in rule["ErrorEquals"]


def _at(data: Any, path: str) -> Any:
    for part in path.split(".")[1:]:
        data = data[part]
    return data


def _put(data: dict[str, Any], path: str, value: Any) -> None:
    data[path.removeprefix("$.")] = value


def chosen(state: dict[str, Any], data: dict[str, Any]) -> str:
    """Return where a Choice leads to."""
    for choice in state["Choices"]:
        if _at(data, choice["Variable"]) == choice["StringEquals"]:
            return str(choice["Next"])
    return str(state["Default"])


def filled(template: Any, data: dict[str, Any], token: str) -> Any:
    """Return Parameters with their `.$` fields worked out."""
    if not isinstance(template, dict):
        return template
    known = {}
    for name, value in template.items():
        if not name.endswith(".$"):
            known[name] = filled(value, data, token)
        elif value == "$$.Task.Token":
            known[name[:-2]] = token
        elif match := re.fullmatch(r"States\.Format\('(.*)', (\$.*)\)", value):
            known[name[:-2]] = match[1].replace("{}", _at(data, match[2]))
        else:
            known[name[:-2]] = _at(data, value)
    return known


class Queue(FakeQueue):
    """The queue of arrivals, which brings each message to its room."""

    def __init__(self, house: House) -> None:
        super().__init__(house.faults)
        self.house = house

    def taken(self, message: dict[str, Any], delay_s: int) -> None:
        """Bring a wish to look after its delay and the batching window."""
        if "recordingId" in message:
            self.house.later(delay_s + 1, partial(self.house.arrive, message["recordingId"]))


# --- the house ----------------------------------------------------------------------------------


class House:
    """All rooms around one table, and the time that passes in them.

    Agora is a world of its own, or a script.
    """

    def __init__(
        self,
        row: Recording | None = None,
        *,
        faults: Faults | None = None,
        agora: ScriptedAgora | None = None,
    ) -> None:
        self.clock = Clock(NOW_MS)
        self.faults = faults or Faults()
        self.table = FakeTable(self.faults, self._written)
        self.bucket = FakeBucket(self.clock, self.faults)
        self.bus = FakeBus(self.faults)
        self.queue = Queue(self)
        self.agora = AgoraWorld(self)
        self.machine = Machine(self)
        self.statuses: list[str] = []
        self.crashes = 0
        self.sids_at_close: list[str] = []
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._asked = 0
        self._swept_ms = 0
        self._build(agora or self.agora)
        self.table.add(row_of(row or requested(), TIMINGS))

    def _build(self, agora: Any) -> None:
        client: Any = self.table
        machine: Any = self.machine
        bucket: Any = self.bucket
        bus: Any = self.bus
        queue: Any = self.queue
        storage: Any = FakeStorage()
        self.store = RecordingStore(TABLE, TIMINGS, client)
        sessions = SessionStore(TABLE, client)
        world: dict[str, Any] = {"store": self.store, "now_ms": self.clock}
        publisher = Publisher(bucket=BUCKET, bus_name="bus", s3=bucket, events=bus)
        self.waker = Waker(self.store, machine)
        self.starter = Starter(
            sessions=sessions,
            agora=agora,
            storage=storage,
            sealer=Sealer("key"),
            uids=UIDS,
            randomness=lambda: 0,
            **world,
        )
        self.confirmer = Confirmer(agora=agora, publisher=publisher, timings=TIMINGS, **world)
        self.stopper = Stopper(agora=agora, timings=TIMINGS, **world)
        verifier = Verifier(
            sessions=sessions, bucket=BUCKET, timings=TIMINGS, s3=bucket, now_ms=self.clock
        )
        self.publisher = RecordingPublisher(
            verifier=verifier, publisher=publisher, timings=TIMINGS, **world
        )
        arrivals = ArrivalQueue("arrivals", queue)
        uploads = UploadWatcher(
            store=self.store,
            verifier=verifier,
            waker=self.waker,
            arrivals=arrivals,
            timings=TIMINGS,
        )
        self.arrivals = Arrivals(
            uploads=uploads, publisher=self.publisher, timings=TIMINGS, **world
        )
        self.applier = Applier(
            sessions=sessions,
            waker=self.waker,
            arrivals=arrivals,
            poison_queue_url="poison",
            sqs=queue,
            **world,
        )
        self.sweeper = Sweeper(
            sessions=sessions,
            index=DueIndex(TABLE, client),
            agora=agora,
            waker=self.waker,
            storage=storage,
            lease=Lease(TABLE, client, self.clock),
            arrivals=arrivals,
            timings=TIMINGS,
            state_machine_arn=MACHINE,
            stepfunctions=machine,
            **world,
        )
        self.rooms: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "StartRecordingFunction": lambda data: self.starter.start(data["recordingId"]),
            "QueryRecordingFunction": lambda data: self.confirmer.confirm(
                data["recordingId"], data["started"]
            ),
            "StopRecordingFunction": lambda data: self.stopper.stop(
                data["recordingId"], read_failure(data.get("failure"))
            ),
            "AwaitUploadFunction": lambda data: {
                "outcome": uploads.park(data["recordingId"], data["taskToken"])
            },
            "PublishRecordingFunction": lambda data: self.publisher.publish(data["recordingId"]),
        }

    # --- what a test looks at ---

    @property
    def row(self) -> Recording:
        """The recording as it is."""
        return RecordingStore(TABLE, TIMINGS, self.table).get(RECORDING_ID)  # type: ignore[arg-type]

    @property
    def notes(self) -> list[dict[str, Any]]:
        """The timeline, oldest first."""
        return self.table.rows(f"REC#{RECORDING_ID}", "LOG#")

    @property
    def ends(self) -> list[str]:
        """The ids of the events that announced an end."""
        over = ("Recording Completed", "Recording Incomplete", "Recording Failed")
        return [detail["id"] for kind, detail in self.bus.events if kind in over]

    def must_name(self, resource_id: str, uid: str) -> None:
        """Fail unless the row names what Agora is about to bill."""
        row = from_item(self.table.items[f"REC#{RECORDING_ID}", "META"])
        known = [*row.get("pastAttempts", ()), row["attempt"]]
        assert (resource_id, uid) in [(each.get("resourceId"), each["uid"]) for each in known]

    def _written(self, item: Item) -> None:
        if item["SK"]["S"] == "META":
            status = item["status"]["S"]
            if not self.statuses or status != self.statuses[-1]:
                assert not self.statuses or RANK[status] > RANK[self.statuses[-1]], (  # type: ignore[index]
                    f"{self.statuses[-1]} went back to {status}"
                )
                self.statuses.append(status)
                if status in TERMINAL:
                    row = from_row(from_item(item))
                    self.sids_at_close = row.sids

    # --- what happens ---

    def begin(self) -> None:
        """Start the recording's execution, as the API does."""
        client: Any = self.machine
        self.background(start_execution, MACHINE, self.row, client)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self._asked += 1
        self._agenda.append((self.clock() + round(seconds * 1000), self._asked, act))
        self._agenda.sort(key=lambda each: each[:2])

    def process(self, room: Callable[..., Any], *arguments: Any) -> Any:
        """Run something of ours as a process of its own. Raises RoomError."""
        self.faults.begin()
        try:
            return room(*arguments)
        except Crash:
            self.crashes += 1
            raise RoomError(self.machine.crash_name) from None
        except Exception as failure:
            raise RoomError(type(failure).__name__) from failure

    def background(self, room: Callable[..., Any], *arguments: Any) -> Any:
        """Run a process that nobody waits for; return None where it crashed."""
        try:
            return self.process(room, *arguments)
        except RoomError as failure:
            if failure.__cause__:
                raise
            return None

    def stop(self) -> None:
        """Ask to stop, once: an app that gets no answer does not ask again here."""
        self.background(self.waker.stop, RECORDING_ID, self.clock())

    def apply(self, records: list[dict[str, Any]]) -> None:
        """Bring a batch of the stream; what fails comes again."""
        failed = self.background(self.applier.apply, records)
        if failed is None:
            again = records
        else:
            again = [each for each in records if each["dynamodb"]["SequenceNumber"] in failed]
        if again:
            self.later(2, partial(self.apply, again))

    def arrive(self, recording_id: str) -> None:
        """Bring a wish to look; what fails comes again when its message is visible again."""
        done = self.background(self.arrivals.act, recording_id, [Arrival(recording_id)])
        if done is None:
            self.later(300, partial(self.arrive, recording_id))

    def sweep(self) -> Counter[str]:
        """Sweep once."""
        self._swept_ms = self.clock()
        swept: Swept | None = self.background(partial(self.sweeper.sweep, seconds=50))
        looks = swept.looks if swept else Counter()
        assert not looks["failed"], "a look raised"
        return looks

    # --- time ---

    def run(self, seconds: float = 48 * 3600) -> None:
        """Let time pass until nothing is left to happen, or so many seconds went by."""
        end_ms = self.clock() + round(seconds * 1000)
        for _ in range(10_000):
            moments: list[tuple[int, int, Callable[[], object]]] = [
                (each.at_ms, 0, partial(self.machine.step, each)) for each in self.machine.open
            ]
            moments += [(at_ms, 1, self._next) for at_ms, _, _ in self._agenda[:1]]
            due_ms = self.due_ms
            if due_ms is not None:
                # Of each minute, at its beginning; idle ones are left out.
                minute = SWEEP_S * 1000
                moments.append(
                    (-(-max(due_ms, self._swept_ms + 1) // minute) * minute, 2, self.sweep)
                )
            if not moments:
                return
            at_ms, _, act = min(moments, key=lambda each: each[:2])
            if at_ms > end_ms:
                self.clock.now_ms = end_ms
                return
            self.clock.now_ms = max(self.clock(), at_ms)
            act()
        raise AssertionError("it goes on for ever")

    def _next(self) -> None:
        _, _, act = self._agenda.pop(0)
        act()

    @property
    def due_ms(self) -> int | None:
        """When the sweeper has to look next."""
        keys = (item.get("dueKey") for item in self.table.items.values())
        return min((from_iso(key["S"][2:]) for key in keys if key), default=None)


def assert_sound(house: House) -> None:
    """What holds at the end of every life, whatever crashed in it."""
    row = house.row
    assert row.status in TERMINAL, row
    assert house.ends, "nobody was told of the end"
    assert len(set(house.ends)) == 1, house.ends
    assert not row.orphans
    assert house.due_ms is None
    assert not house.machine.open
    assert not house.machine.tokens

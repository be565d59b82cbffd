"""A fleet of recordings under supervision, on virtual time.

What decides is the shipped code: the rooms Start, Query and Stop recording with their state
machine (statemachine/recording.asl.yaml), the sweeper with its order, batches and looks, the client
of Agora with its reading of answers, the limiter's arithmetic, and the path of notifications from
the table's stream to the row. What is played is the world around it: Agora, the channels, the
network and the waits.
"""

from __future__ import annotations

import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from agora_recording.agora.client import AgoraKeys
from agora_recording.agora.storage import StorageKeys
from agora_recording.errors import RecordingError
from agora_recording.life.due_index import DUE_SHARDS, Shard
from agora_recording.life.executions import start_execution
from agora_recording.life.look_queue import Between
from agora_recording.notifications import events
from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.budget import Fleet as Measured
from agora_recording.recording.ending import read_failure
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import (
    Recording,
    begin_attempt,
    change_attempt,
    close,
    confirmed,
    seen,
    started,
    wake_reason,
)
from agora_recording.recording.timings import Timings
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from benchmarks.stream import Backlog, Lanes
from benchmarks.virtual import (
    Suspended,
    VirtualCalls,
    VirtualIndex,
    VirtualLimiter,
    VirtualSessions,
    VirtualStore,
)
from local import template
from tests.world.builders import MACHINE
from tests.world.clock import Timeline
from tests.world.errors import ConditionalCheckFailedException, error
from tests.world.machine import Machine
from tests.world.settings import WorldSettings
from tests.world.step_functions import Answer, Failed, StepFunctions

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
SWEEP_S = 50
WORKERS = 4
IDLE_MS = 300_000  # maxIdleTime, as the template has it
DELIVERY_MS = 1000  # from Agora's event to the table; from there, the stream takes it to the row
TOLD_IN_A_LIFE = 27  # the notifications of a start and an end together (docs/costs.md)
INVOKE_MS = 50  # from one state to the next, a warm function between
WAKE_MS = 100  # from SendTaskSuccess to the next state
JITTER_MS = 250  # the most by which the network disturbs the order of calls
ANSWER_MS = 200  # Agora's median
FAILOVER_MS = (20_000, 90_000)
UNSEEN_MS = 1_500_000  # before the end: what dies then may not be replaced in time to be counted


class Assumptions(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet and its bad luck. Rates are for one recording and hour."""

    recordings: int
    mean_lifetime_s: float = 3600
    longest_s: float = 12 * 3600
    spread: float = 1.0  # of the log-normal's logarithm
    loss: float = 0.05  # of notifications
    deaf: float = 0.01  # recordings of which no notification comes
    deaths: float = 0.005
    failovers: float = 0.01
    idle_exits: float = 0.2  # ends that nobody asked for: the channel is left
    calls_per_second: float = msgspec.field(
        default_factory=lambda: float(template.parameters({})["AgoraCallsPerSecond"])
    )
    stream_parallelism: int = msgspec.field(
        default_factory=lambda: int(template.parameters({})["StreamParallelism"])
    )
    warm_up_s: float = 1200
    measured_s: float = 3600
    seed: int = 1


class Findings(msgspec.Struct, kw_only=True):
    """What was measured after the warm-up. Durations are seconds, sorted."""

    recordings: int
    supervised: float  # open recordings, the average over all sweeps
    hours: float
    calls: dict[str, int]
    calls_per_second: float
    max_sent_per_second: int
    max_arrived_per_second: int
    silent_ends: int  # sessions gone without a notification
    not_found: int  # of these, gone for longer than half an hour at the end
    detection_s: list[float]  # of those that nobody asked to stop before they were found
    finish_s: list[float]
    start_s: list[float]
    stream_s: float  # the longest way of a notification from the table to the row
    given_up_alive: int  # sessions that were taken for dead and were not
    looks: dict[str, int]
    lost_s: list[float]  # from a silent death to the first instant that the next session records
    unserved: int  # deaths that had no next session at the end
    extra_s: float  # recorded by two sessions of one recording at the same time
    recorded_s: float  # by all sessions


class Session:
    """What Agora runs: one sid."""

    __slots__ = (
        "away",
        "base_ms",
        "begun_ms",
        "ended",
        "heard",
        "life",
        "records_ms",
        "sid",
        "silent_ms",
        "stream",
        "uid",
    )

    def __init__(self, sid: str, uid: str, life: Life, begun_ms: int, records_ms: int) -> None:
        self.sid = sid
        self.uid = uid  # as notifications have it: another one after a failover
        self.life = life
        self.begun_ms = begun_ms
        self.records_ms = records_ms
        self.ended = False
        self.away = False  # in a failover
        self.silent_ms: int | None = None  # since when it is gone, and nobody was told
        self.stream = 0  # which stream of notifications this is
        self.base_ms = begun_ms  # when it began; one comes each minute from then
        self.heard = 0  # the last that came


class Life:
    """A recording as its app and its channel see it."""

    __slots__ = ("deaf", "died_ms", "left_ms", "recording_id", "sessions")

    def __init__(self, recording_id: str, deaf: bool) -> None:
        self.recording_id = recording_id
        self.deaf = deaf
        self.left_ms: int | None = None  # when the channel is empty
        self.died_ms: int | None = None  # since when nobody records, and nobody was told
        self.sessions: list[Session] = []


class Fleet:
    """Builds the fleet in its steady state, lets it live, and says what was found."""

    def __init__(self, assumptions: Assumptions) -> None:
        self.assumed = assumptions
        self.random = random.Random(assumptions.seed)
        self.timeline = Timeline(START_MS)
        self.timings = Timings()
        self.machine = StepFunctions(
            Machine.shipped(),
            self.timeline,
            self._invoke,
            self._park,
            chance=self.random.random,
            invoke_ms=INVOKE_MS,
            wake_ms=WAKE_MS,
        )
        self.lives: dict[str, Life] = {}
        self.sessions: dict[str, Session] = {}
        self._end_ms = START_MS + round((assumptions.warm_up_s + assumptions.measured_s) * 1000)
        self._from_ms = START_MS + round(assumptions.warm_up_s * 1000)
        self._sent: list[int] = []
        self._arrived: list[int] = []
        self._calls: Counter[str] = Counter()
        self._looks: Counter[str] = Counter()
        self._detected_ms: list[int] = []
        self._finished_ms: list[int] = []
        self._started_ms: list[int] = []
        self._silent_ends = self._alive = 0
        self._counted: list[int] = []
        self._lost_ms: list[int] = []
        self._extra_ms = 0
        self._deaf = 0
        self._open = 0
        self._sweeping = False
        self._queue: deque[str] = deque()
        self._busy = 0
        self._birth_rate = 0.0
        per_second = assumptions.recordings / 60
        self._backlog = Backlog(Lanes.shipped(assumptions.stream_parallelism, per_second))
        self._build()

    def _build(self) -> None:
        """Make the library's objects, with virtual adapters where AWS and Agora would be."""
        self.limiter = VirtualLimiter(self.timeline, self.assumed.calls_per_second)
        self.index = VirtualIndex("table", timings=self.timings)
        self.session_rows = VirtualSessions("table")
        self.store = VirtualStore(
            "table",
            timings=self.timings,
            timeline=self.timeline,
            index=self.index,
            changed=self._note,
        )
        outside = Outside(
            http=cast(Any, SimpleNamespace(request=self._request)),
            stepfunctions=cast(Any, self.machine),
            now_ms=self.timeline,
            sleep=self.timeline.sleep,
            random_bytes=self.random.randbytes,
        )
        self.parts = Parts(
            # Room for a successor beside each recording that is in doubt.
            WorldSettings(agora_concurrent_tasks=max(100, 2 * self.assumed.recordings)),
            outside,
            limiter=self.limiter,
            store=self.store,
            sessions=self.session_rows,
            due_index=self.index,
            calls=VirtualCalls("table"),
            secrets=_Secrets(),
            arrival_queue=SimpleNamespace(ask=lambda *_: None),
            publisher=SimpleNamespace(announce=lambda *_: None),
        )
        self._orphans = self.parts.orphan_stopper
        # A room that waits for a slot is run again: so it must not have more than one call.
        self.parts.orphan_stopper = cast(Any, SimpleNamespace(stop=self._stop_orphans))
        self._rooms: dict[str, Callable[[dict[str, Any]], Any]] = {
            "StartRecordingFunction": lambda data: self.parts.starter.start(data["recordingId"]),
            "QueryRecordingFunction": lambda data: self.parts.confirmer.confirm(
                data["recordingId"], data["started"]
            ),
            "StopRecordingFunction": lambda data: self.parts.stopper.stop(
                data["recordingId"], read_failure(data.get("failure"))
            ),
            "AwaitUploadFunction": self._find_all_files,
            "PublishRecordingFunction": self._publish,
        }

    # --- the run ---

    def run(self) -> Findings:
        """Live through warm-up and measurement."""
        lifetimes = [self._lifetime_ms() for _ in range(20_000)]
        mean_ms = sum(lifetimes) / len(lifetimes)
        # Who is met at some instant lives longer than the average, and is somewhere in his life.
        for lifetime in self.random.choices(lifetimes, lifetimes, k=self.assumed.recordings):
            self._settle(round(lifetime * self.random.random()), lifetime)
        self._birth_rate = self.assumed.recordings / mean_ms
        self._await_birth()
        self.timeline.at(START_MS + self.random.randrange(MINUTE_MS), self._sweep)
        self.timeline.run(self._end_ms)
        return self._findings()

    def _findings(self) -> Findings:
        seconds = self.assumed.measured_s
        waiting = [
            each
            for each in self.sessions.values()
            if each.silent_ms is not None and self._end_ms - each.silent_ms > 1_800_000
        ]
        return Findings(
            recordings=self.assumed.recordings,
            supervised=sum(self._counted) / len(self._counted),
            hours=seconds / 3600,
            calls=dict(self._calls),
            calls_per_second=len(self._sent) / seconds,
            max_sent_per_second=most_in_a_second(self._sent),
            max_arrived_per_second=most_in_a_second(self._arrived),
            silent_ends=self._silent_ends,
            not_found=len(waiting),
            detection_s=_seconds(self._detected_ms),
            finish_s=_seconds(self._finished_ms),
            start_s=_seconds(self._started_ms),
            stream_s=self._backlog.longest_ms / 1000,
            given_up_alive=self._alive,
            looks=dict(self._looks),
            lost_s=_seconds(self._lost_ms),
            unserved=sum(each.died_ms is not None for each in self.lives.values()),
            extra_s=self._extra_ms / 1000,
            recorded_s=sum(self._counted) / len(self._counted) * seconds,
        )

    @property
    def _is_measured(self) -> bool:
        return self.timeline() >= self._from_ms

    # --- apps ---

    def _lifetime_ms(self) -> int:
        spread = self.assumed.spread
        middle = math.log(self.assumed.mean_lifetime_s) - spread * spread / 2
        seconds = self.random.lognormvariate(middle, spread)
        return round(min(max(seconds, 60), self.assumed.longest_s) * 1000)

    def _await_birth(self) -> None:
        gap_ms = math.ceil(self.random.expovariate(self._birth_rate))
        self.timeline.at(self.timeline() + gap_ms, self._be_born)

    def _be_born(self) -> None:
        self._await_birth()
        now = self.timeline()
        life = self._life(now)
        self.store.put(self._row(life, now))
        self._leave_at(life, now + self._lifetime_ms())
        start_execution(MACHINE, self.store.rows[life.recording_id], cast(Any, self.machine))

    def _life(self, now: int) -> Life:
        recording_id = new_recording_id(now, self.random.randbytes(10))
        life = Life(recording_id, self.random.random() < self.assumed.deaf)
        self.lives[recording_id] = life
        self._open += 1
        self._deaf += life.deaf
        return life

    def _row(self, life: Life, now: int) -> Recording:
        return Recording(
            recording_id=life.recording_id,
            status="requested",
            cname=life.recording_id,
            mode="mix",
            client_request={},
            max_duration_seconds=30 * 24 * 3600,
            restart_limit=3,
            created_ms=now,
            expires_hours=720,
        )

    def _settle(self, age_ms: int, lifetime_ms: int) -> None:
        """Put a recording into the world that has run for a while."""
        now = self.timeline()
        begun = now - age_ms
        life = self._life(begun)
        session = self._begin_session(life, "1", begun)
        row = change_attempt(
            begin_attempt(self._row(life, begun), "1", begun),
            resource_id=life.recording_id,
            acquired_ms=begun,
        )
        row = confirmed(started(row, session.sid, begun, number=1), begun + 5000)
        session.base_ms = now - self.random.randrange(MINUTE_MS)
        row = seen(row, session.base_ms)
        self.store.put(replace(row, task_token=session.sid, beats=not life.deaf))
        self.session_rows.adopt(session.sid, life.recording_id, life.recording_id)
        given = {
            "recordingId": life.recording_id,
            "started": {"maxDurationSeconds": row.max_duration_seconds},
        }
        parking = self.machine.machine.parking
        self.machine.settle(life.recording_id, given, parking, session.sid)
        self._leave_at(life, now + lifetime_ms - age_ms)
        self._listen(session, session.base_ms)

    def _leave_at(self, life: Life, at_ms: int) -> None:
        if at_ms > self._end_ms:
            return
        if self.random.random() < self.assumed.idle_exits:
            self.timeline.at(at_ms, self._leave_channel, life)
        else:
            self.timeline.at(at_ms, self._ask_to_stop, life)

    def _ask_to_stop(self, life: Life) -> None:
        life.died_ms = None  # nobody wants more of it
        self.parts.waker.stop(life.recording_id, self.timeline())

    def _leave_channel(self, life: Life) -> None:
        life.died_ms = None
        life.left_ms = self.timeline()
        for session in life.sessions:
            self._idle_out(session)

    def _idle_out(self, session: Session) -> None:
        left_ms = session.life.left_ms
        if left_ms is not None:
            at_ms = max(left_ms, session.begun_ms) + IDLE_MS
            self.timeline.at(at_ms, self._exit, session)

    # --- executions ---

    def _attempt(
        self, act: Callable[[], Any], done: Callable[[Any], None], slots: list[int] | None = None
    ) -> None:
        """Run a room; where it waits for slots, run it again when they come."""
        self.limiter.granted = slots
        try:
            result = act()
        except Suspended as suspended:
            at_ms = max(suspended.slots[0], self.timeline())
            self.timeline.at(at_ms, self._attempt, act, done, suspended.slots)
            return
        except RecordingError as failure:
            result = Failed(type(failure).__name__, str(failure))
        self.limiter.granted = None
        self.timeline.at(self.timeline(), done, result)

    def _stop_orphans(self, recording: Recording) -> Recording:
        """Let the sessions that were given up be stopped as soon as slots come."""
        if recording.orphans:
            self.timeline.at(self.timeline(), self._stop_now, recording.recording_id)
        return recording

    def _stop_now(self, recording_id: str) -> None:
        row = self.store.rows.get(recording_id)
        if row and row.orphans:
            self._attempt(partial(self._orphans.stop, row), lambda _: None)

    def _invoke(self, function: str, event: dict[str, Any], answer: Answer) -> None:
        """Run a room for the state machine."""
        self._attempt(partial(self._rooms[function], event), answer)

    def _park(self, **request: Any) -> None:
        """Do what the state's own DynamoDB call does: store the token, unless there is a reason."""
        recording_id = request["Key"]["PK"]["S"].removeprefix("REC#")
        if wake_reason(self.store.rows[recording_id]):
            raise error(ConditionalCheckFailedException)
        token = request["ExpressionAttributeValues"][":token"]["S"]
        self.store.amend(recording_id, lambda row: replace(row, task_token=token))

    def _find_all_files(self, event: dict[str, Any]) -> None:
        """Use the token at once, as if everything were in the bucket."""
        self.machine.woken(event["taskToken"], {"verdict": "complete"}, after_ms=0)

    def _publish(self, event: dict[str, Any]) -> dict[str, Any]:
        """Close the row."""
        now = self.timeline()
        self.store.amend(
            event["recordingId"], lambda row: close(row, "completed", "STOPPED", "", now)
        )
        self._open -= 1
        life = self.lives[event["recordingId"]]
        self._deaf -= life.deaf
        life.died_ms = None
        return {}

    # --- the sweeper ---

    def _sweep(self) -> None:
        self.timeline.at(self.timeline() + MINUTE_MS, self._sweep)
        if self._is_measured:
            self._counted.append(self._open)
        self._begin_sweep()

    def _begin_sweep(self, between: Between | None = None) -> None:
        """Begin a sweep, unless another one holds the lease."""
        numbers = between.shards if between else range(DUE_SHARDS)
        shards = {number: self.index.shard(number, 0) for number in numbers}
        if self._sweeping:
            if between:
                self.timeline.later(5, self._begin_sweep, between)
            return
        self._sweeping = True
        self._sweep_end_ms = self.timeline() + SWEEP_S * 1000
        self._planned: dict[int, Shard] = {} if between else shards
        fleet = between.fleet if between else Measured(self._open, self._deaf)
        self.parts.sweeper.measure(fleet)
        self._batches: Iterator[list[str]] = self.parts.sweeper.batches(
            shards, self.random.randrange(DUE_SHARDS)
        )
        self._serve_batch()

    def _end_sweep(self) -> None:
        """Ask for the sweeps before the next minute."""
        self._sweeping = False
        for after_s, between in self.parts.sweeper.next_sweeps(self._planned).items():
            self.timeline.later(after_s, self._begin_sweep, between)
        self.parts.sweeper.forget()

    def _serve_batch(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            self._end_sweep()
            return
        self._queue.extend(batch)
        for _ in range(min(WORKERS, len(batch))):
            self._busy += 1
            self._look()

    def _look(self) -> None:
        recording_id = self._queue.popleft()
        self._attempt(
            partial(self.parts.sweeper.try_look, recording_id), partial(self._looked, recording_id)
        )

    def _looked(self, recording_id: str, look: str) -> None:
        if look == "failed":
            raise RuntimeError(f"the look at {recording_id} failed")
        if self._is_measured:
            self._looks[look] += 1
        if self._queue:
            self._look()
            return
        self._busy -= 1
        if self._busy == 0:
            if self.timeline() < self._sweep_end_ms:
                self._serve_batch()
            else:
                self._end_sweep()

    # --- Agora ---

    def _request(self, method: str, url: str, *, json: Any, **_: Any) -> SimpleNamespace:  # noqa: ARG002
        """Answer a call as Agora does; the call is counted when it is sent and when it arrives."""
        sent_ms = self.timeline()
        parts = url.split("/cloud_recording/")[1].split("/")
        endpoint = parts[-1]
        if self._is_measured:
            self._sent.append(sent_ms)
            self._arrived.append(sent_ms + self.random.randrange(JITTER_MS + 1))
            self._calls[endpoint] += 1
        if endpoint == "acquire":
            status, body = 200, {"resourceId": json["cname"]}
        elif endpoint == "start":
            session = self._begin_session(self.lives[json["cname"]], json["uid"], sent_ms)
            self._listen(session, sent_ms)
            status, body = 200, {"resourceId": parts[1], "sid": session.sid}
        else:
            status, body = self._answer(endpoint, parts[3])
        self.timeline.spend(round(self.random.lognormvariate(math.log(ANSWER_MS), 0.4)))
        return SimpleNamespace(status_code=status, content=msgspec.json.encode(body))

    def _answer(self, endpoint: str, sid: str) -> tuple[int, dict[str, Any]]:
        session = self.sessions.get(sid)
        if session is None or session.ended or session.away:
            return 404, {"code": 404, "reason": "failed to find worker"}
        if endpoint == "stop":
            self._fall_silent(session)
            self._end(session)
            return 200, {"sid": sid, "serverResponse": {}}
        status = 5 if self.timeline() >= session.records_ms else 2
        return 200, {"sid": sid, "serverResponse": {"status": status}}

    def _begin_session(self, life: Life, uid: str, now: int) -> Session:
        sid = f"{life.recording_id}{len(life.sessions)}"
        records_ms = now + self.random.randrange(1000, 4000)
        session = self.sessions[sid] = Session(sid, uid, life, now, records_ms)
        life.sessions.append(session)
        if life.died_ms is not None:
            self._lost_ms.append(records_ms - life.died_ms)
            life.died_ms = None
        self._idle_out(session)
        # From now on, since one that was settled has lived until now.
        self._await_fate(self.assumed.deaths, self._die, session)
        self._await_fate(self.assumed.failovers, self._fail_over, session)
        return session

    def _await_fate(self, rate: float, act: Callable[[Session], None], session: Session) -> None:
        if not rate:
            return
        at_ms = self.timeline() + round(self.random.expovariate(rate / HOUR_MS))
        if at_ms <= self._end_ms:
            self.timeline.at(at_ms, act, session)

    def _die(self, session: Session) -> None:
        """End without a word. Late deaths are not counted: their end is not seen."""
        if session.ended:
            return
        self._gone(session, told=False)
        life, now = session.life, self.timeline()
        is_last = not any(not each.ended for each in life.sessions)
        row = self.store.rows.get(life.recording_id)
        is_wanted = life.left_ms is None and row is not None and not row.stop_reason
        if is_last and is_wanted and self._from_ms <= now <= self._end_ms - UNSEEN_MS:
            life.died_ms = now

    def _end(self, session: Session) -> None:
        session.ended = True
        for other in session.life.sessions:
            if not other.ended and self._is_measured:
                self._extra_ms += self.timeline() - max(session.records_ms, other.records_ms)

    def _gone(self, session: Session, *, told: bool) -> None:
        self._fall_silent(session)
        self._end(session)
        row = self.store.rows.get(session.life.recording_id)
        # Of a session that another one has taken over from, nobody needs to find the end.
        if not told and row is not None and row.sid == session.sid:
            session.silent_ms = self.timeline()

    def _exit(self, session: Session) -> None:
        """End since nobody is in the channel: events 41 and 11, each of which may be lost."""
        if session.ended:
            return
        told = [
            details
            for details in (events.RecorderLeave(leaveCode=4), events.SessionExit(exitStatus=0))
            if not session.life.deaf and self.random.random() >= self.assumed.loss
        ]
        self._gone(session, told=bool(told))
        if told:
            at_ms = self.timeline()
            self.timeline.at(self._applied_at(at_ms), self._tell, session, at_ms, None, *told)

    def _fail_over(self, session: Session) -> None:
        if session.ended or session.away:
            return
        self._fall_silent(session)
        session.away = True
        back_ms = self.timeline() + self.random.randrange(*FAILOVER_MS)
        self.timeline.at(back_ms, self._come_back, session)

    def _come_back(self, session: Session) -> None:
        """Go on under another uid: event 12, and a new stream of event 33."""
        session.away = False
        if session.ended:
            return
        self._await_fate(self.assumed.failovers, self._fail_over, session)
        now = self.timeline()
        session.uid = f"{session.uid}{session.stream}"
        self._listen(session, now)
        if not session.life.deaf and self.random.random() >= self.assumed.loss:
            details = events.SessionFailover(newUid=session.uid)
            self.timeline.at(self._applied_at(now), self._tell, session, now, None, details)

    # --- notifications ---

    def _listen(self, session: Session, base_ms: int) -> None:
        """Begin a stream of event 33, of one uid: each minute from `base_ms`."""
        session.base_ms, session.heard = base_ms, 0
        if session.life.deaf:
            return
        row = self.store.rows.get(session.life.recording_id)
        if row and row.gone_ms:
            # The first that comes tells that it is back.
            self._await_heard(session, 1 + self._run(self.assumed.loss))
        else:
            self._await_loss(session)

    def _applied_at(self, at_ms: int) -> int:
        """Return when a notification of this instant has passed the table and its stream."""
        assumed = self.assumed
        each_minute = self._open * (1 - assumed.deaf) * (1 - assumed.loss)
        per_second = each_minute / 60 + self._birth_rate * 1000 * TOLD_IN_A_LIFE
        return at_ms + DELIVERY_MS + self._backlog.delay_ms(self.timeline(), per_second)

    def _run(self, chance: float) -> int:
        """Return how often in a row something of this chance happens."""
        return int(math.log(1 - self.random.random()) / math.log(chance)) if chance else 0

    def _await_loss(self, session: Session) -> None:
        self.index.calm.add(session.life.recording_id)
        lost = session.heard + 1 + self._run(1 - self.assumed.loss)
        at_ms = session.base_ms + lost * MINUTE_MS
        if at_ms <= self._end_ms:
            self.timeline.at(at_ms, self._miss, session, session.stream, lost)

    def _await_heard(self, session: Session, number: int) -> None:
        at_ms = self._applied_at(session.base_ms + number * MINUTE_MS)
        self.timeline.at(at_ms, self._hear, session, session.stream, number)

    def _miss(self, session: Session, stream: int, lost: int) -> None:
        """A notification is lost, and perhaps more after it."""
        if stream != session.stream:
            return
        self._be_calm_no_more(session, lost - 1)
        self._await_heard(session, lost + 1 + self._run(self.assumed.loss))

    def _hear(self, session: Session, stream: int, number: int) -> None:
        """The first notification comes after one that was lost."""
        if stream != session.stream:
            return
        session.heard = number
        at_ms = session.base_ms + number * MINUTE_MS
        self._await_loss(session)
        self._tell(session, at_ms, number - 1, events.UploadingProgress(progress=9_000))

    def _be_calm_no_more(self, session: Session, last: int) -> None:
        """Write down the notifications until the `last`, which came in order: a sign of life."""
        recording_id = session.life.recording_id
        self.index.calm.discard(recording_id)
        row = self.store.rows[recording_id]
        if row.sid != session.sid:
            return
        if last > session.heard:
            session.heard = last
            at_ms = session.base_ms + last * MINUTE_MS
            facts = SessionFacts(
                lastSignMs=at_ms, sequences={session.uid: (last - 1, ())}, progress=9_000
            )
            self.session_rows.amend(session.sid, lambda row: replace(row, facts=facts))
            row = self.store.amend(recording_id, lambda row: replace(seen(row, at_ms), beats=True))
        self.index.put(row)

    def _fall_silent(self, session: Session) -> None:
        """No more notifications come: those until now are all there are."""
        if session.life.recording_id in self.index.calm:
            last = (self.timeline() - session.base_ms) // MINUTE_MS
            self._be_calm_no_more(session, last)
        session.stream += 1

    def _tell(
        self, session: Session, at_ms: int, sequence: int | None, *told: events.Details
    ) -> None:
        """Let events reach the row, by the way they take from the table's stream."""
        news = [
            events.Event(
                at_ms=at_ms,
                received_ms=at_ms + DELIVERY_MS,
                event_type=None,
                sid=session.sid,
                uid=session.uid,
                cname=session.life.recording_id,
                sequence=sequence,
                details=details,
            )
            for details in told
        ]
        self.parts.applier.apply_session(session.sid, news)

    # --- what is measured ---

    def _note(self, before: Recording, after: Recording) -> None:
        if after.started_ms and not before.started_ms and self._is_measured:
            self._started_ms.append(after.started_ms - after.created_ms)
        now = self.timeline()
        if _is_doubted(before, after) and before.sid is not None:
            doubted = self.sessions[before.sid]
            if doubted.silent_ms is not None and self._is_measured and not after.stop_reason:
                self._detected_ms.append(now - doubted.silent_ms)
            doubted.silent_ms = None
        if after.session_end is None or before.session_end is not None or after.sid is None:
            return
        session = self.sessions[after.sid]
        if not session.ended:
            self._alive += 1
        if self._is_measured:
            if session.silent_ms is not None:
                self._silent_ends += 1
                if not after.stop_reason:
                    self._detected_ms.append(now - session.silent_ms)
            if after.stop_ms is not None:
                self._finished_ms.append(now - after.stop_ms)
        session.silent_ms = None


def _is_doubted(before: Recording, after: Recording) -> bool:
    """Tell whether a successor is asked for, because the session may be dead."""
    return after.take_over == "SUSPECTED" and before.take_over is None


class _Secrets:
    def read(self, _: str, kind: type) -> Any:
        return AgoraKeys("id", "secret") if kind is AgoraKeys else StorageKeys("key", "secret")


def most_in_a_second(instants_ms: list[int]) -> int:
    """Return how many instants lie in the fullest second, wherever it begins."""
    instants = sorted(instants_ms)
    most = first = 0
    for number, at_ms in enumerate(instants):
        while at_ms - instants[first] >= 1000:
            first += 1
        most = max(most, number - first + 1)
    return most


def _seconds(durations_ms: list[int]) -> list[float]:
    return sorted(ms / 1000 for ms in durations_ms)

"""docs/states.md shows the states: every arrow is one that the code takes, and there is no other.

The shipped state machine and rooms are driven through everything that can happen to them. A state
here is the machine's state, its data and the row, with instants reduced to whether they are there;
from each, every kind of answer from Agora and the bucket is tried, early and late, and everything
that may come from outside: a stop, a notification, a time-out.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from agora_recording.errors import RecordingStateError
from agora_recording.files.record_file_arrival import Arrival
from agora_recording.life.store import row_of
from agora_recording.recording.model import (
    GIVEN_UP,
    RANK,
    RESTARTABLE,
    TERMINAL,
    Attempt,
    Recording,
    SessionEnd,
    ask_to_stop,
    begin,
    end_session,
    from_row,
    started,
    to_row,
    wake_reason,
)
from tests.world.agora import OffScript, ScriptedAgora
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    RESOURCE_ID,
    TIMINGS,
    after,
    begun,
    given,
    gone,
    reply,
    requested,
    silence,
    state,
    stopped,
)
from tests.world.house import House
from tests.world.machine import Execution, Machine

pytestmark = pytest.mark.slow


MACHINE = Machine.shipped()
DOCUMENT = Path(__file__).parents[3] / "docs" / "states.md"
Arrow = tuple[str, str]
OUTSIDE = "[*]"
SOON, LATE = after(20), after(5000)
TOKEN = "token"


# --- the document --------------------------------------------------------------------------------


def _diagram(number: int) -> set[Arrow]:
    """Return the arrows of one of the document's diagrams, by the states' own names."""
    text = re.findall(r"```mermaid\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[number]
    names = {alias: name for name, alias in re.findall(r'state "(.+?)" as (\w+)', text)}
    arrows = re.findall(r"^ *(\S+) --> (\S+?)(?::.*)?$", text, re.MULTILINE)
    assert len(arrows) == len(set(arrows)), "an arrow is drawn twice"
    return {(names.get(a, a), names.get(b, b)) for a, b in arrows}


# --- the machine's definition --------------------------------------------------------------------


def _defined() -> set[Arrow]:
    arrows = {(OUTSIDE, MACHINE.start)}
    for name, each in MACHINE.states.items():
        ways = [each, *each.get("Choices", ()), *each.get("Catch", ())]
        arrows |= {(name, way["Next"]) for way in ways if "Next" in way}
        if "Default" in each:
            arrows.add((name, each["Default"]))
        if each.get("End"):
            arrows.add((name, OUTSIDE))
    return arrows


# --- everything that can happen ------------------------------------------------------------------


class State(NamedTuple):
    """Where the machine stands, what it carries, and the row."""

    name: str
    data: str
    row: str

    @property
    def recording(self) -> Recording:
        return _recording(self.row)


@cache
def _recording(row: str) -> Recording:
    return from_row(json.loads(row))


# Ends that lead to the same: by Agora's word, by a death, by our own verdict.
_LIKE: dict[SessionEnd, SessionEnd] = {
    "EXITED": "STOPPED",
    "STOP_REFUSED": "STOPPED",
    "EXITED_ABNORMALLY": "DIED",
    "UID_TAKEN": "START_FAILED",
    "NOT_CONFIRMED": "START_FAILED",
}


def _plain(row: Recording) -> str:
    """Return a row as JSON, without what makes no difference to where it may go.

    Of an instant it matters whether it is there, not when it was: all lie in the first seconds,
    and what is tried is tried soon after them and long after them.
    """
    end = row.session_end
    is_stopping = row.stop_reason and RANK[row.status] < RANK["uploading"]
    kept = requested(
        restart_limit=row.restart_limit,
        max_duration_seconds=row.max_duration_seconds,
        status=row.status,
        attempt=row.attempt and _plain_attempt(row.attempt),
        past_attempts=[_plain_past(each) for each in row.past_attempts],
        session_end=end and _LIKE.get(end, end),
        stop_reason="STOP_REQUESTED" if is_stopping else None,
        stop_ms=after(9) if is_stopping else None,
        gone_ms=after(8) if row.gone_ms and not end else None,
        gone_checks=1 if row.gone_ms and not end else 0,
        task_token=row.task_token and TOKEN,
        upload_token=row.upload_token and TOKEN,
    )
    return json.dumps(to_row(kept), sort_keys=True)


def _plain_attempt(attempt: Attempt) -> Attempt:
    end = attempt.end and _LIKE.get(attempt.end, attempt.end)
    return Attempt(
        number=attempt.number,
        uid=attempt.uid,
        begun_ms=after(1),
        resource_id=attempt.resource_id and RESOURCE_ID,
        sid=attempt.sid and f"{attempt.number:032}",
        started_ms=after(2) if attempt.sid else None,
        confirmed_ms=after(3) if attempt.confirmed_ms and not end else None,
        end=end,
        ended_ms=attempt.ended_ms and after(4),
    )


def _plain_past(attempt: Attempt) -> Attempt:
    """Return a past attempt: of its session it matters whether there was one."""
    sid = attempt.sid and f"{attempt.number:032}"
    return Attempt(
        number=attempt.number,
        uid=attempt.uid,
        begun_ms=after(1),
        sid=sid,
        end="DIED",
        ended_ms=after(4),
    )


def _data(name: str, data: Mapping[str, Any]) -> str:
    """Return what the machine carries that the state will look at."""
    kept: dict[str, Any] = {"recordingId": RECORDING_ID}
    verdict = data.get("started", {}).get("verdict") if name == "Is it recording?" else None
    if "started" in data:
        kept["started"] = {"maxDurationSeconds": 60, "waitSeconds": 5, "verdict": verdict}
    if name == "Is it over?":
        kept["stopped"] = {"next": data["stopped"]["next"]}
    if name == "Stop recording" and "failure" in data:
        is_time_out = data["failure"]["Error"] == "States.Timeout"
        kept["failure"] = {"Error": "States.Timeout" if is_time_out else "any"}
    return json.dumps(kept, sort_keys=True)


_STARTS = (
    begun(),
    silence("start"),
    reply("start", 400, code=53),
    reply("start", 400, code=2),
    reply("start", 400, code=433),
)
# What Agora may answer, by what a room asks first: one answer for each call it makes.
ANSWERS: dict[str, tuple[tuple[Any, ...], ...]] = {
    "acquire": (
        *((given(), each) for each in _STARTS),
        (reply("acquire", 400, code=2),),
        (reply("acquire", 400, code=406),),
    ),
    "start": tuple((each,) for each in _STARTS),
    "query": (
        *((state(number),) for number in (3, 5, 8, 20)),
        (gone("query"),),
        (silence("query"),),
    ),
    "stop": (
        (stopped(),),
        (gone("stop"),),
        (silence("stop"),),
        (reply("stop", 206, code=435),),
        (reply("stop", 400, code=2),),
    ),
}
BUCKETS = ("empty", "partial", "whole")
LISTING = ("Await upload", "Publish recording")


class BrokenError(Exception):
    """A room fails for a reason of its own."""


def _fail(*_: Any) -> Any:
    raise BrokenError


class Try(NamedTuple):
    """One way to take a state: when, what Agora answers, what the bucket holds.

    `is_broken`: the room fails for a reason of its own, or the machine cannot park.
    """

    now_ms: int
    answers: tuple[Any, ...] = ()
    bucket: str = "empty"
    is_broken: bool = False


class Exploration:
    """Takes every state in every way, and notes the arrows."""

    def __init__(self) -> None:
        self.agora = ScriptedAgora()
        self.house = House(agora=self.agora)
        # One state at a time: what comes after it is a state of its own here.
        self.house.machine.go = _stand_still  # type: ignore[method-assign]
        self.rooms = self.house.rooms
        self.statuses: set[Arrow] = {(OUTSIDE, "requested")}
        self.taken: set[Arrow] = set()
        first = State(
            MACHINE.start,
            _data("", {}),
            _plain(requested(restart_limit=1, max_duration_seconds=60)),
        )
        self.taken.add((OUTSIDE, first.name))
        self.states = {first}
        self.over: set[str] = set()  # rows that the machine has left
        queue = deque([first])
        while queue:
            before = queue.popleft()
            for after_it in self._successors(before):
                if before.recording.status != after_it.recording.status:
                    self.statuses.add((before.recording.status, after_it.recording.status))
                if before.name != after_it.name:
                    self.taken.add((before.name, after_it.name))
                if after_it.name == OUTSIDE:
                    self.over.add(after_it.row)
                elif after_it not in self.states:
                    self.states.add(after_it)
                    queue.append(after_it)
        self.statuses |= {(status, OUTSIDE) for status in TERMINAL}
        self.statuses |= {arrow for row in self.over for arrow in self._upgrades(row)}

    def _upgrades(self, row: str) -> Iterator[Arrow]:
        """Look again at what is over, by the clock and by an operator's hand."""
        before = replace(_recording(row), late_until_ms=LATE, ended_ms=after(10))
        publisher = self.house.parts.recording_publisher
        for bucket, look in product(BUCKETS, (publisher.look_again, publisher.publish_again)):
            state = State("Publish recording", _data("", {}), json.dumps(to_row(before)))
            self._arrange(state, Try(LATE, bucket=bucket))
            with suppress(RecordingStateError):
                look(RECORDING_ID)
            if self.house.row.status != before.status:
                yield before.status, self.house.row.status

    def _successors(self, before: State) -> Iterator[State]:
        match MACHINE.type_of(before.name):
            case "Choice":
                yield _moved(before, MACHINE.choose)
                return
            case "Wait":
                yield _moved(before, MACHINE.go_on)
            case "Task" if before.name == "Await end" and before.recording.task_token:
                yield from self._wake(before)
            case "Task" if before.name == "Await upload" and before.recording.upload_token:
                yield from self._wait_for_files(before)
            case "Task":
                yield from self._work(before)
        for change in _FROM_OUTSIDE:
            changed = _plain(change(before.recording))
            if changed != before.row:
                yield before._replace(row=changed)

    def _work(self, before: State) -> Iterator[State]:
        """Let the room do its work, in every way."""
        buckets = BUCKETS if before.name in LISTING else ("empty",)
        for now_ms, bucket in product((SOON, LATE), buckets):
            try:
                yield self._step(before, Try(now_ms, (), bucket))
            except OffScript as asked:
                for answers in ANSWERS[asked.endpoint]:
                    yield self._step(before, Try(now_ms, answers, bucket))
        yield self._step(before, Try(SOON, is_broken=True))

    def _step(self, before: State, way: Try) -> State:
        execution = self._arrange(before, way)
        execution.tries.update(dict.fromkeys(range(9), 10**9))  # retried to the end
        self.house.machine.perform(execution)
        return self._state(execution)

    def _wake(self, before: State) -> Iterator[State]:
        """Let a parked machine go on: by a reason, or because the longest duration has come."""
        execution = self._arrange(before, Try(LATE))
        self.house.machine.time_out(execution)
        yield self._state(execution)
        if wake_reason(before.recording):
            execution = self._arrange(before, Try(SOON))
            self.house.machine.woken(TOKEN, {"reason": "any"})
            yield self._state(execution)

    def _wait_for_files(self, before: State) -> Iterator[State]:
        """Let files come, or not, and be looked at; or let the task's own time run out."""
        for now_ms, bucket in product((SOON, LATE), BUCKETS):
            execution = self._arrange(before, Try(now_ms, bucket=bucket))
            self.house.parts.arrivals.act(RECORDING_ID, [Arrival(RECORDING_ID)])
            yield self._state(execution)
        execution = self._arrange(before, Try(LATE))
        self.house.machine.time_out(execution)
        yield self._state(execution)

    def _arrange(self, before: State, way: Try) -> Execution:
        """Put the house into a state."""
        house = self.house
        house.clock.now_ms = way.now_ms
        house.statuses.clear()
        house.table.items.clear()
        house.table.add(row_of(before.recording, TIMINGS))
        house.bucket.objects.clear()
        house.bus.events.clear()
        self._fill(before.recording, way.bucket)
        self.agora.answers = deque(way.answers)
        house.rooms = dict.fromkeys(self.rooms, _fail) if way.is_broken else self.rooms
        house.cannot_park = way.is_broken
        house.machine.forget()
        row = before.recording
        token = row.upload_token if before.name == "Await upload" else row.task_token
        return house.machine.settle(RECORDING_ID, json.loads(before.data), before.name, token)

    def _fill(self, row: Recording, bucket: str) -> None:
        for attempt in row.attempts:
            if attempt.sid and bucket != "empty":
                stem = f"{row.prefix}{attempt.sid}_{CNAME}"
                name = f"{stem}_20231114221320000.ts"
                lines = ("#EXTM3U", "#EXTINF:15.0,", name.rpartition("/")[2], "#EXT-X-ENDLIST", "")
                self.house.bucket.add(f"{stem}.m3u8", "\n".join(lines).encode())
                if bucket == "whole":
                    self.house.bucket.add(name, b"media")

    def _state(self, execution: Execution) -> State:
        name = execution.state if execution.status == "RUNNING" else OUTSIDE
        return State(name, _data(name, execution.data), _plain(self.house.row))


def _stand_still(execution: Execution) -> None:
    """Do nothing in the state that an execution has come to."""


def _moved(before: State, move: Callable[[Execution], None]) -> State:
    execution = Execution(RECORDING_ID, json.loads(before.data))
    execution.state = before.name
    move(execution)
    return before._replace(name=execution.state, data=_data(execution.state, execution.data))


def _adopted(row: Recording) -> Recording:
    attempt = row.attempt
    if attempt is None or attempt.sid or not attempt.resource_id:
        return row
    return started(row, f"{attempt.number:032}", SOON, number=attempt.number)


_FROM_OUTSIDE: tuple[Callable[[Recording], Recording], ...] = (
    lambda row: ask_to_stop(row, "STOP_REQUESTED", SOON),
    lambda row: end_session(row, "EXITED", SOON) if row.sid else row,
    lambda row: end_session(row, "DIED", SOON) if row.sid else row,
    _adopted,
)


@pytest.fixture(scope="module")
def explored() -> Exploration:
    """Everything that can happen, once."""
    exploration = Exploration()
    print(f"\nstates: {len(exploration.states)}")
    return exploration


def test_the_machines_diagram_is_its_definition() -> None:
    assert _diagram(1) == _defined()


def test_every_arrow_of_the_machine_can_be_taken(explored: Exploration) -> None:
    assert explored.taken == _defined()


def test_the_diagram_of_statuses_is_what_the_rooms_do(explored: Exploration) -> None:
    waiting = requested(status="scheduled", start_at_ms=SOON)
    begins = (begin(waiting, SOON), ask_to_stop(waiting, "STOP_REQUESTED", after(1)))
    scheduled = {(OUTSIDE, "scheduled"), *(("scheduled", each.status) for each in begins)}
    assert _diagram(0) == explored.statuses | scheduled


def test_the_table_of_ends_tells_which_are_followed_by_a_new_session() -> None:
    rows = re.findall(r"^\| (`.+?) \|(.+?)\|(.*?)\|$", DOCUMENT.read_text(), re.MULTILINE)
    ends = {name: "yes" in last for names, _, last in rows for name in re.findall(r"\w+", names)}
    assert {name for name, restarts in ends.items() if restarts} == RESTARTABLE
    told = re.findall(r"`(\w+)` \| we:", DOCUMENT.read_text())
    assert set(told) == GIVEN_UP

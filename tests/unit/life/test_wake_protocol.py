"""The wake-up protocol, explored: every interleaving of its single operations.

The processes are the shipped ones: the state machine's own parking write (its request as the
definition has it), `Waker`, `Stopper` and `Sweeper`. A process is replayed up to the operation it
stands at, does that one on the world as it is, and is put aside before the next; so each order in
which the table and Step Functions could see the operations is seen here, once for each state.

A process that stays where it is for ever is a process that crashed there.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from agora_recording.agora.reply import Reply
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.life.executions import Waker
from agora_recording.life.store import row_of
from agora_recording.recording.ending import Failure
from agora_recording.recording.model import (
    Recording,
    begin_attempt,
    change_attempt,
    confirmed,
    end_session,
    from_row,
    started,
    wake_reason,
)
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from tests.world.builders import (
    RECORDING_ID,
    RESOURCE_ID,
    TIMINGS,
    after,
    recording,
    stopped,
)
from tests.world.errors import error
from tests.world.machine import definition, filled
from tests.world.settings import WorldSettings
from tests.world.step_functions import FakeStepFunctions
from tests.world.table import FakeTable
from tests.world.webhook import SID

pytestmark = pytest.mark.slow


META = (f"REC#{RECORDING_ID}", "META")
LATE = after(100_000)  # every look is due, and every deadline has come
PARK = definition()["States"]["Await end"]["Parameters"]


class Suspended(BaseException):
    """A process stands before its next operation."""


class Told(NamedTuple):
    """What one operation said: a row that was read, an error's name, or nothing of interest."""

    row: str | None = None
    refusal: str | None = None
    result: str = "null"


History = tuple[Told, ...]


class World(NamedTuple):
    """What the processes share. `parked` is the token that the execution waits on.

    Versions are only ever compared: the row always has `_CURRENT`, what was read before the last
    write `_STALE`. So two states that differ in nothing else are one.
    """

    row: str  # the item, as JSON
    parked: str | None

    @property
    def recording(self) -> Recording:
        return from_row(from_item(_item(self.row)))

    @property
    def is_stuck(self) -> bool:
        """Parked, although there is a reason to go on."""
        return self.parked is not None and wake_reason(self.recording) is not None


_CURRENT, _STALE = 10, 9
_item = cache(json.loads)


@cache
def _with_version(row: str, version: int) -> str:
    return json.dumps({**_item(row), "version": {"N": str(version)}}, sort_keys=True)


def _version(row: str) -> int:
    return int(_item(row)["version"]["N"])


class Desk:
    """The clients of one process: what it did before is replayed, one operation is new."""

    exceptions = SimpleNamespace(**vars(FakeTable.exceptions), **vars(FakeStepFunctions.exceptions))

    def __init__(self, world: World, history: History) -> None:
        self.table = FakeTable()
        self.table.items[META] = _item(world.row)
        self.machine = FakeStepFunctions()
        self.machine.executions[RECORDING_ID] = "RUNNING"
        self.machine.tokens = {world.parked} if world.parked else set()
        self.history = list(history)
        self.place = 0
        self.is_new = False

    @property
    def row(self) -> str:
        """The row as it is."""
        return json.dumps(self.table.items[META], sort_keys=True)

    def run(self, process: Callable[[Desk], Any]) -> tuple[bool, Any]:
        """Run a process for one more operation; return whether it is over, and its result."""
        try:
            return True, process(self)
        except Suspended:
            return False, None

    def once(self, act: Callable[[], Any]) -> Any:
        """Do one operation, or replay it."""
        if self.place == len(self.history):
            if self.is_new:
                raise Suspended
            self.is_new = True
            self.history.append(self._told(act))
        told = self.history[self.place]
        self.place += 1
        if told.refusal:
            raise error(getattr(self.exceptions, told.refusal))
        return {"Item": _item(told.row)} if told.row else json.loads(told.result)

    @staticmethod
    def _told(act: Callable[[], Any]) -> Told:
        try:
            result = act()
        except ClientError as refusal:
            return Told(refusal=type(refusal).__name__)
        if result and "Item" in result:
            return Told(row=json.dumps(result["Item"], sort_keys=True))
        return Told(result=json.dumps(result))

    # Each of these is one operation, as DynamoDB, Step Functions or Agora sees it.

    def get_item(self, **request: Any) -> Any:
        return self.once(lambda: self.table.get_item(**request))

    def put_item(self, **request: Any) -> Any:
        return self.once(lambda: self.table.put_item(**request))

    def transact_write_items(self, **request: Any) -> Any:
        return self.once(lambda: self.table.transact_write_items(**request))

    def describe_execution(self, **request: Any) -> Any:
        return self.once(lambda: self.machine.describe_execution(**request))

    def send_task_success(self, **request: Any) -> Any:
        return self.once(lambda: self.machine.send_task_success(**request))

    def park(self, token: str, request: dict[str, Any]) -> Any:
        """Write the token; Step Functions knows it before, so the two are one operation."""

        def write() -> None:
            self.table.update_item(**request)
            self.machine.tokens = {token}

        return self.once(write)

    def stop(self, *_: Any, **__: Any) -> Reply:
        self.once(lambda: None)
        return stopped()


def _parts(desk: Desk, now_ms: int = LATE) -> Parts[WorldSettings]:
    """Return the parts of a process at a desk."""
    client: Any = desk
    outside = Outside(dynamodb=client, stepfunctions=client, now_ms=lambda: now_ms)
    queue = SimpleNamespace(ask=lambda _: desk.once(lambda: None))
    return Parts(WorldSettings(), outside, agora=desk, arrival_queue=queue, storage=None)


# --- the processes ------------------------------------------------------------------------------


def the_app_stops(desk: Desk) -> None:
    _parts(desk).waker.stop(RECORDING_ID, after(50))


def a_notification_ends_the_session(desk: Desk) -> None:
    _parts(desk).waker.wake(RECORDING_ID, lambda row: end_session(row, "DIED", after(60), sid=SID))


def the_sweeper_looks(desk: Desk, now_ms: int = LATE) -> None:
    _parts(desk, now_ms).sweeper.look(RECORDING_ID)


@cache
def _stop_room(failure: str | None) -> Callable[[Desk], str]:
    def room(desk: Desk) -> str:
        known = Failure(failure) if failure else None
        return str(_parts(desk).stopper.stop(RECORDING_ID, known)["next"])

    return room


@cache
def _park(number: int) -> Callable[[Desk], bool]:
    def park(desk: Desk) -> bool:
        token = f"token-{number}"
        request = filled(PARK, {"recordingId": RECORDING_ID}, token)
        try:
            desk.park(token, request)
        except desk.exceptions.ConditionalCheckFailedException:
            return False
        return True

    return park


def _start_again(desk: Desk) -> None:
    """Start the next session, in one write: what is in between is no concern of the protocol."""

    def change(row: Recording) -> Recording:
        if row.stop_reason:
            return row
        row = change_attempt(begin_attempt(row, "2", after(70)), resource_id=RESOURCE_ID)
        return confirmed(started(row, "2" * 32, after(70), number=2), after(80))

    _parts(desk).store.amend(RECORDING_ID, change)


# --- the execution: which process it is, and what comes after it ---------------------------------


class Execution(NamedTuple):
    """Where the state machine stands. `ends` counts how often it went on to the files."""

    state: str = "park"
    parks: int = 0
    failure: str | None = None
    ends: int = 0

    def process(self) -> Callable[[Desk], Any] | None:
        """Return the process that runs now; None while it is parked, or over."""
        return {
            "park": _park(self.parks + 1),
            "stop": _stop_room(self.failure),
            "start": _start_again,
        }.get(self.state)

    def after(self, result: Any) -> Execution:
        """Return where it stands when that process is over."""
        if self.state == "park":
            parks = self.parks + 1
            return self._replace(state="parked" if result else "stop", parks=parks, failure=None)
        if self.state == "start":
            return self._replace(state="park", failure=None)
        if result == "start" and self.parks == 1:
            return self._replace(state="start")
        if result == "start":
            return self._replace(state="over")  # a third session: enough
        assert result == "await upload", result
        return self._replace(state="over", ends=self.ends + 1)


# --- the exploration ----------------------------------------------------------------------------

WAKERS: tuple[Callable[[Desk], None], ...] = (
    the_app_stops,
    a_notification_ends_the_session,
    the_sweeper_looks,
)


class State(NamedTuple):
    """Everything, at one instant. A waker's history is None once it is over."""

    world: World
    execution: Execution
    desk: History  # of the process that the execution runs
    wakers: tuple[History | None, ...]

    @property
    def is_between(self) -> bool:
        """Whether no waker stands in the middle of its operations."""
        return not any(self.wakers)

    def aged(self) -> State:
        """Return the state with its versions reduced to what can be told of them."""
        current = _version(self.world.row)
        if current == _CURRENT:
            return self  # nothing was written
        world = self.world._replace(row=_with_version(self.world.row, _CURRENT))
        wakers = tuple(each and _aged(each, current) for each in self.wakers)
        return State(world, self.execution, _aged(self.desk, current), wakers)


@cache
def _aged(history: History, current: int) -> History:
    return tuple(
        told
        if told.row is None
        else Told(_with_version(told.row, _CURRENT if _version(told.row) == current else _STALE))
        for told in history
    )


def _remembered(history: Sequence[Told]) -> History:
    """Leave out a read whose write met another writer: the store then begins anew."""
    if len(history) > 1 and history[-1].refusal in _CONFLICTS:
        return tuple(history[:-2])
    return tuple(history)


_CONFLICTS = ("ConditionalCheckFailedException", "TransactionCanceledException")


class Step(NamedTuple):
    """What one more operation of a process led to."""

    world: World
    history: History
    is_over: bool
    result: Any


def _step(world: World, process: Callable[[Desk], Any], history: History) -> Step:
    desk = Desk(world, history)
    is_over, result = desk.run(process)
    after_it = World(desk.row, next(iter(desk.machine.tokens), None))
    if world.parked and after_it.parked is None:
        # Nobody is woken for nothing, and no park by a reason of the one before.
        assert wake_reason(after_it.recording), "woken without a reason"
    return Step(after_it, _remembered(desk.history), is_over, result)


class Exploration:
    """All states that can be reached, from a recording that is about to be parked."""

    def __init__(self, *wakers: Callable[[Desk], None]) -> None:
        self.step = cache(_step)
        row = json.dumps(to_item(row_of(recording(), TIMINGS)), sort_keys=True)
        taking_part = tuple(() if each in wakers else None for each in WAKERS)
        first = State(World(row, None), Execution(), (), taking_part).aged()
        self.states = {first: None}  # a set that keeps the order
        self.last: list[State] = []  # from where nothing more can happen
        queue = deque([first])
        while queue:
            state = queue.popleft()
            found = [each.aged() for each in self._successors(state)]
            if not found:
                self.last.append(state)
            for each in found:
                if each not in self.states:
                    self.states[each] = None
                    queue.append(each)

    def _successors(self, state: State) -> Iterator[State]:
        world, execution, desk, wakers = state
        for number, history in enumerate(wakers):
            if history is None:
                continue
            step = self.step(world, WAKERS[number], history)
            told = None if step.is_over else step.history
            woken = execution
            if execution.state == "parked" and step.world.parked is None:
                woken = execution._replace(state="stop")
            others = (*wakers[:number], told, *wakers[number + 1 :])
            yield State(step.world, woken, desk, others)
        process = execution.process()
        if process:
            step = self.step(world, process, desk)
            if step.is_over:
                yield State(step.world, execution.after(step.result), (), wakers)
            else:
                yield State(step.world, execution, step.history, wakers)
        if execution.state == "parked":
            # The task's own time-out.
            late = execution._replace(state="stop", failure="States.Timeout")
            yield State(world._replace(parked=None), late, (), wakers)

    @property
    def slept_in(self) -> list[State]:
        """Where nobody is about to send a token, and somebody sleeps who has a reason not to."""
        return [each for each in self.states if each.is_between and each.world.is_stuck]


@pytest.fixture(scope="module")
def explored() -> Exploration:
    """The app, a notification, the sweeper, the time-out and the execution, all at once."""
    exploration = Exploration(*WAKERS)
    print(f"\nwake-up protocol: {len(exploration.states)} states")
    return exploration


def test_every_order_is_explored(explored: Exploration) -> None:
    assert len(explored.states) > 1000
    found = {state.execution.state for state in explored.states}
    assert found == {"park", "parked", "stop", "start", "over"}
    assert {state.execution.parks for state in explored.states} == {0, 1, 2}


def test_no_wake_up_is_lost(explored: Exploration) -> None:
    assert explored.slept_in == []


def test_a_waker_that_crashed_is_made_good_by_a_later_look(explored: Exploration) -> None:
    stuck = {state.world for state in explored.states if state.world.is_stuck}
    assert stuck, "no crash leaves anything to repair: then this test proves nothing"
    look = partial(the_sweeper_looks, now_ms=LATE + 3_600_000)
    for world in stuck:
        step = Step(world, (), False, None)
        while not step.is_over:
            step = _step(step.world, look, step.history)
        assert step.world.parked is None


def test_the_machine_goes_on_once_for_each_park_and_ends_once(explored: Exploration) -> None:
    for state in explored.states:
        parked, parks = state.world.parked, state.execution.parks
        assert parked in (None, f"token-{parks}"), "an old token is still good"
        assert (parked is not None) == (state.execution.state == "parked")
        assert state.execution.ends <= 1


def test_whoever_asked_to_stop_is_heard(explored: Exploration) -> None:
    assert explored.last
    for state in explored.last:
        assert (state.execution.state, state.execution.ends) == ("over", 1)
        assert state.world.recording.stop_reason
        assert state.world.recording.status == "uploading"


@pytest.mark.parametrize("waker", WAKERS)
def test_one_waker_alone_is_enough(waker: Callable[[Desk], None]) -> None:
    assert Exploration(waker).slept_in == []


def test_a_waker_that_reads_the_token_too_early_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hasty(self: Waker, recording_id: str, change: Any, notes: Any = None) -> Recording:
        token = self.store.get(recording_id).task_token
        row = self.store.amend(recording_id, change, notes)
        self.send(replace(row, task_token=token))
        return row

    monkeypatch.setattr(Waker, "wake", hasty)
    assert Exploration(the_app_stops).slept_in


def test_a_park_without_its_condition_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    request = {**PARK, "ConditionExpression": "attribute_exists(PK)"}
    monkeypatch.setattr(f"{__name__}.PARK", request)
    assert Exploration(the_app_stops).slept_in

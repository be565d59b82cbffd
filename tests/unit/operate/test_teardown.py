"""Before a stack is deleted: nothing may run, at Agora or in Step Functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from agora_recording.life.executions import start_execution
from agora_recording.recording.model import TERMINAL, Recording
from agora_recording.wiring.parts import Parts
from operate import commands
from operate.operations import Operator
from operate.teardown import Teardown
from tests.unit.operate.test_commands import STACK, Desk
from tests.world.builders import MACHINE, RECORDING_ID, recording, requested, uploading
from tests.world.house import House
from tests.world.machine import RUNNING
from tests.world.world import World

HOUR_S = 3600


def teardown(world: World, sleep: Callable[[float], None]) -> Teardown:
    parts = world.parts
    client: Any = world.machine
    return Teardown(
        store=parts.store,
        index=parts.due_index,
        waker=parts.waker,
        publisher=parts.recording_publisher,
        state_machine_arn=MACHINE,
        now_ms=world.clock,
        sleep=sleep,
        stepfunctions=client,
    )


def torn_down(world: World, sleep: Callable[[float], None], wait_s: float = 600) -> dict[str, Any]:
    return teardown(world, sleep).run(wait_s, publish_now=False, tell=lambda _: None)


# --- a whole life ---


def test_a_parked_recording_is_stopped_and_its_execution_ends() -> None:
    house = House()
    house.begin()
    house.run(60)
    assert house.row.status == "recording"
    assert house.machine.executions == {RECORDING_ID: RUNNING}
    said: list[str] = []
    found = teardown(house, house.run).run(HOUR_S, publish_now=False, tell=said.append)
    assert found == {"stopped": [RECORDING_ID], "ended": [], "open": [], "refusal": None}
    assert house.row.status in TERMINAL
    assert [each.ended_ms is None for each in house.agora.sessions.values()] == [False]
    assert RUNNING not in house.machine.executions.values()
    assert said[0] == "1 recording is open, 1 execution is running."
    assert said[-1] == "0 recordings are open, 0 executions are running."


def test_a_stack_without_recordings_may_be_deleted_at_once() -> None:
    world = World()
    found = torn_down(world, _never)
    assert found == {"stopped": [], "ended": [], "open": [], "refusal": None}


def _never(_: float) -> None:
    raise AssertionError("nothing is left to wait for")


# --- what takes longer ---


class Waits(World):
    """Some recordings that never come to their end, beside their executions."""

    def __init__(self, *rows: Recording) -> None:
        super().__init__(*rows)
        for row in rows:
            start_execution(MACHINE, row, self.machine)  # type: ignore[arg-type]


def test_after_the_time_it_says_what_is_still_open() -> None:
    world = Waits(recording())
    found = torn_down(world, world.sleep, wait_s=60)
    assert [each["recordingId"] for each in found["open"]] == [RECORDING_ID]
    assert found["refusal"].startswith("1 recording is open. They are about to stop")
    assert world.row.stop_reason == "STOP_REQUESTED"
    assert found["stopped"] == [RECORDING_ID]  # asked once, however often it was looked at


def test_a_recording_that_starts_meanwhile_is_stopped_too() -> None:
    world = World()
    late = [requested()]
    world.add(recording(recording_id="01M8CWSX9F1FXZH8YJKJBDZTZW"))

    def sleep(seconds: float) -> None:
        world.sleep(seconds)
        if late:
            world.add(late.pop())

    found = torn_down(world, sleep, wait_s=30)
    assert found["stopped"] == ["01M8CWSX9F1FXZH8YJKJBDZTZW", RECORDING_ID]


def test_files_that_never_come_are_waited_for_unless_they_are_not_needed() -> None:
    world = Waits(uploading())
    found = torn_down(world, world.sleep, wait_s=30)
    assert "files are awaited" in found["refusal"]
    assert world.row.status == "uploading"
    found = teardown(world, _never).run(30, publish_now=True, tell=lambda _: None)
    assert found == {"stopped": [], "ended": [RECORDING_ID], "open": [], "refusal": None}
    assert world.row.status in TERMINAL
    assert len(world.bus.events) == 1
    assert world.machine.executions == {RECORDING_ID: "ABORTED"}


def test_a_recording_at_agora_is_never_ended_without_its_stop() -> None:
    world = Waits(recording())
    found = teardown(world, world.sleep).run(30, publish_now=True, tell=lambda _: None)
    assert found["refusal"]
    assert world.row.status == "recording"
    assert world.machine.executions == {RECORDING_ID: RUNNING}


@pytest.mark.parametrize("name", [RECORDING_ID, f"{RECORDING_ID}-1"])
def test_an_execution_whose_recording_is_gone_is_named_then_ended(name: str) -> None:
    world = World()
    world.machine.executions[name] = RUNNING
    found = torn_down(world, world.sleep, wait_s=30)
    assert found["refusal"].startswith("1 execution is running, although no recording is open")
    found = teardown(world, _never).run(0, publish_now=True, tell=lambda _: None)
    assert found["refusal"] is None
    assert world.machine.executions == {name: "ABORTED"}


def test_an_execution_that_ends_meanwhile_is_no_failure() -> None:
    world = Waits(uploading())
    list_executions = world.machine._pages

    def end_when_listed(**asked: str) -> Iterator[dict[str, Any]]:
        pages = list(list_executions(**asked))
        world.machine.executions = dict.fromkeys(world.machine.executions, "SUCCEEDED")
        yield from pages

    world.machine._pages = end_when_listed  # type: ignore[method-assign]
    found = teardown(world, _never).run(30, publish_now=True, tell=lambda _: None)
    assert found["refusal"] is None
    assert world.machine.executions == {RECORDING_ID: "SUCCEEDED"}


# --- the command ---


def test_the_operator_tears_down_the_stack_that_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(monkeypatch)
    found = Operator(STACK, Parts(STACK.settings, desk.outside)).teardown(wait_s=0)
    assert found["stack"] == STACK.name
    assert list(commands._tell_torn_down(found)) == [
        "Nothing runs. The stack may be deleted: .tools/sam/bin/sam delete --stack-name stack"
    ]
    assert not commands._is_bad(found)


def test_what_is_left_is_shown_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(monkeypatch)
    desk.add(recording())
    found = desk.operator.teardown(wait_s=0)
    told = list(commands._tell_torn_down(found))
    assert told[0] == f"{RECORDING_ID} is asked to stop."
    assert told[2].split()[:2] == [RECORDING_ID, "recording"]
    assert told[-1] == found["refusal"]
    assert commands._is_bad(found)


@pytest.mark.parametrize("minutes", ["-1", "1441", "soon", "nan"])
def test_a_wait_that_cannot_be_meant_is_refused(
    minutes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        commands._parser().parse_args(["teardown", "--wait", minutes])
    assert "--wait" in capsys.readouterr().err

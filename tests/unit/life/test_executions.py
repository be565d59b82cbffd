"""Waking an execution: the reason is written, then the token is sent that the row holds.

That no order of these operations loses a call is explored in test_wake_protocol.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from agora_recording.errors import RecordingNotFoundError
from agora_recording.recording.model import Recording, end_session, wake_reason
from tests.world.builders import RECORDING_ID, after, ended, recording, requested, uploading
from tests.world.errors import InvalidToken, TaskDoesNotExist, TaskTimedOut, error
from tests.world.world import World

PARKED = recording(task_token="token")


class Room(World):
    """A recording whose execution is parked on one of the tokens."""

    def __init__(self, row: Recording, *tokens: str) -> None:
        super().__init__(row)
        self.machine.tokens = set(tokens)

    def stop(self, seconds: float = 60) -> Recording:
        return self.parts.waker.stop(RECORDING_ID, after(seconds))


def test_a_reason_is_a_wish_to_stop_or_an_end() -> None:
    assert wake_reason(recording()) is None
    assert wake_reason(recording(stop_reason="MAX_DURATION")) == "MAX_DURATION"
    assert wake_reason(ended("DIED")) == "DIED"
    assert wake_reason(ended("DIED", stop_reason="STOP_REQUESTED")) == "STOP_REQUESTED"


def test_a_stop_is_written_and_wakes_the_execution() -> None:
    room = Room(PARKED, "token")
    row = room.stop()
    assert (row.stop_reason, row.stop_ms) == ("STOP_REQUESTED", after(60))
    assert room.row == row
    assert room.machine.sent == [("token", {"reason": "STOP_REQUESTED"})]
    assert room.kinds == ["stop asked"]


def test_a_stop_twice_is_the_same_as_once() -> None:
    room = Room(PARKED, "token")
    first = room.stop(60)
    assert room.stop(70) == first
    assert len(room.machine.sent) == 1
    assert room.kinds == ["stop asked"]


def test_a_stop_before_anybody_parks_is_only_written() -> None:
    room = Room(requested())
    assert room.stop().stop_reason == "STOP_REQUESTED"
    assert room.machine.sent == []


def test_a_stop_of_what_is_over_changes_nothing() -> None:
    over = uploading(status="completed", stop_reason=None)
    room = Room(over)
    assert room.stop() == over
    assert room.machine.sent == []


@pytest.mark.parametrize("unknown", [RECORDING_ID[:-1] + "1", "", "../../etc", "x" * 500])
def test_a_stop_of_nothing_finds_nothing(unknown: str) -> None:
    with pytest.raises(RecordingNotFoundError) as refusal:
        Room(PARKED).parts.waker.stop(unknown, after(60))
    assert len(str(refusal.value)) < 110


def test_a_repeated_stop_sends_what_its_predecessor_did_not() -> None:
    room = Room(recording(task_token="token", stop_reason="STOP_REQUESTED"), "token")
    room.stop()
    assert room.machine.sent == [("token", {"reason": "STOP_REQUESTED"})]


def test_the_token_is_that_of_the_row_as_it_was_written() -> None:
    """Whoever parks between the read and the write makes the write fail, and is seen."""
    room = Room(recording(), "token")
    parked = recording(task_token="token", version=2)
    room.table.before_write.append(lambda: room.add(parked))
    room.stop()
    assert room.machine.sent == [("token", {"reason": "STOP_REQUESTED"})]


def test_any_change_may_carry_the_reason() -> None:
    room = Room(PARKED, "token")
    room.parts.waker.wake(RECORDING_ID, lambda row: end_session(row, "IDLE", after(60)))
    assert room.machine.sent == [("token", {"reason": "IDLE"})]
    assert room.row.session_end == "IDLE"


def test_a_change_without_a_reason_wakes_nobody() -> None:
    room = Room(PARKED, "token")
    room.parts.waker.wake(RECORDING_ID, lambda row: row)
    assert room.machine.tokens == {"token"}
    assert not room.parts.waker.send(room.row)


@pytest.mark.parametrize("kind", [TaskTimedOut, TaskDoesNotExist, InvalidToken])
def test_an_execution_that_is_awake_or_gone_is_no_error(kind: type[ClientError]) -> None:
    room = Room(recording(task_token="token", stop_reason="STOP_REQUESTED"))

    def refuse(**_: Any) -> None:
        raise error(kind)

    room.machine.send_task_success = refuse  # type: ignore[method-assign]
    assert not room.parts.waker.send(room.row)


def test_step_functions_out_of_order_is_an_error_that_is_repeated() -> None:
    room = Room(PARKED)

    def refuse(**_: Any) -> None:
        raise error("ThrottlingException")

    room.machine.send_task_success = refuse  # type: ignore[method-assign]
    with pytest.raises(ClientError):
        room.stop()
    assert room.row.stop_reason == "STOP_REQUESTED"

"""The room that takes the wish to stop: once, twice, too early, too late."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.recording.model import TERMINAL
from functions.request_stop import app
from tests.world.api import Context, Response, read, request
from tests.world.builders import RECORDING_ID, recording, requested
from tests.world.webhook import NOW_MS
from tests.world.world import World


class Room(World):
    """The room that takes the wish to stop."""

    def stop(self, recording_id: str = RECORDING_ID) -> Response:
        event = request(resource="/recordings/{recordingId}/stop", recording_id=recording_id)
        return read(app.lambda_handler(event, Context(), timekeeper=self.parts.timekeeper))


def test_a_stop_writes_the_wish_and_wakes_the_execution() -> None:
    room = Room(recording(task_token="token"))
    room.machine.tokens.add("token")
    answer = room.stop()
    assert answer.status == 202
    assert answer.body["stopReason"] == "STOP_REQUESTED"
    assert room.row.stop_ms == NOW_MS
    assert room.machine.sent == [("token", {"reason": "STOP_REQUESTED"})]
    assert [note["kind"] for note in room.notes] == ["stop asked"]


def test_twice_is_the_same_as_once() -> None:
    room = Room(recording(task_token="token"))
    room.machine.tokens.add("token")
    once = room.stop()
    assert room.stop() == once
    assert len(room.machine.sent) == 1
    assert len(room.notes) == 1


def test_a_stop_before_the_start_is_kept() -> None:
    room = Room(requested())
    assert room.stop().status == 202
    assert room.row.stop_reason == "STOP_REQUESTED"


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_stop_too_late_changes_nothing(status: Any) -> None:
    room = Room(replace(recording(), status=status))
    before = room.row
    answer = room.stop()
    assert (answer.status, answer.body["status"]) == (202, status)
    assert room.row == before


@pytest.mark.parametrize("recording_id", ["x", "0" * 26])
def test_what_is_not_there_cannot_be_stopped(recording_id: str) -> None:
    assert Room(recording()).stop(recording_id).status == 404

"""The room that takes the wish to stop: once, twice, too early, too late."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.life.executions import Waker
from agora_recording.recording.model import TERMINAL
from functions.request_stop import app
from tests.world.api import Api, Context, Response, read, request
from tests.world.builders import RECORDING_ID, recording, requested
from tests.world.webhook import NOW_MS


class House(Api):
    """The room on the fakes."""

    def stop(self, recording_id: str = RECORDING_ID) -> Response:
        machine: Any = self.machine
        event = request(resource="/recordings/{recordingId}/stop", recording_id=recording_id)
        waker = Waker(self.store, machine)
        return read(app.lambda_handler(event, Context(), waker=waker))


@pytest.fixture(autouse=True)
def _the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "now_ms", lambda: NOW_MS)


def test_a_stop_writes_the_wish_and_wakes_the_execution() -> None:
    house = House(recording(task_token="token"))
    house.machine.tokens.add("token")
    answer = house.stop()
    assert answer.status == 202
    assert answer.body["stopReason"] == "STOP_REQUESTED"
    assert house.row.stop_ms == NOW_MS
    assert house.machine.sent == [("token", {"reason": "STOP_REQUESTED"})]
    assert [note["kind"] for note in house.notes] == ["stop asked"]


def test_twice_is_the_same_as_once() -> None:
    house = House(recording(task_token="token"))
    house.machine.tokens.add("token")
    once = house.stop()
    assert house.stop() == once
    assert len(house.machine.sent) == 1
    assert len(house.notes) == 1


def test_a_stop_before_the_start_is_kept() -> None:
    house = House(requested())
    assert house.stop().status == 202
    assert house.row.stop_reason == "STOP_REQUESTED"


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_stop_too_late_changes_nothing(status: Any) -> None:
    house = House(replace(recording(), status=status))
    before = house.row
    answer = house.stop()
    assert (answer.status, answer.body["status"]) == (202, status)
    assert house.row == before


@pytest.mark.parametrize("recording_id", ["x", "0" * 26])
def test_what_is_not_there_cannot_be_stopped(recording_id: str) -> None:
    assert House(recording()).stop(recording_id).status == 404

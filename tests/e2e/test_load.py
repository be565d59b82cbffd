"""Fifty recordings asked for at the same instant, against Agora's ten requests a second."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.conftest import Stage
from tests.world.pulse import Pulse

pytestmark = pytest.mark.timeout(480)  # the emulator has one core for all fifty
COUNT = 50  # as many as an account may record at the same time
CALLERS = 16
AGORAS_LIMIT = 10


def silence(stage: Stage, *, speaking: bool = False) -> None:
    """Let nobody (or somebody) speak in all channels: fifty that speak would only load S3."""
    for number in range(COUNT):
        channel = {"cname": f"crowd-{number}", "users": ["7"], "publishing": speaking}
        stage.control("POST", "/channel", channel)


def say_a_word(stage: Stage) -> None:
    """Give every recording something to keep."""
    silence(stage, speaking=True)
    silence(stage)


@pytest.fixture(scope="module")
def crowd(stage: Stage) -> dict[str, Any]:
    """Fifty recordings that were started, stopped, and are over; and the calls they took."""
    silence(stage)
    began = time.time()
    with ThreadPoolExecutor(CALLERS) as callers, Pulse() as pulse:
        posted = list(
            callers.map(
                lambda number: stage.api.call("POST", "/recordings", {"cname": f"crowd-{number}"}),
                range(COUNT),
            )
        )
        ids = [answer.body["recordingId"] for answer in posted]
        for recording_id in ids:
            stage.until(recording_id, "recording")
        live = [
            each
            for each in stage.control("GET", "/recordings")["recordings"]
            if each["live"] and each["cname"].startswith("crowd-")
        ]
        say_a_word(stage)
        stopped = list(callers.map(stage.stop, ids))
        rows = [stage.over(recording_id) for recording_id in ids]
    for recording_id in ids:  # the stories that follow shall not wait behind this one's news
        stage.await_row(recording_id, lambda row: row["upload"]["state"] == "uploaded")
    calls = [call["at"] for call in stage.control("GET", "/calls")["calls"] if call["at"] >= began]
    return {"answers": posted + stopped, "live": live, "rows": rows, "calls": calls, "pulse": pulse}


def test_every_request_is_accepted(crowd: dict[str, Any]) -> None:
    assert {answer.status for answer in crowd["answers"]} == {202}


def test_all_fifty_record_at_the_same_time(crowd: dict[str, Any]) -> None:
    assert len(crowd["live"]) == COUNT


def test_every_one_ends_completed(crowd: dict[str, Any]) -> None:
    assert [row["status"] for row in crowd["rows"]] == ["completed"] * COUNT


def test_agora_never_gets_more_than_its_limit_in_any_second(crowd: dict[str, Any]) -> None:
    calls, pulse = sorted(crowd["calls"]), crowd["pulse"]
    assert len(calls) >= 4 * COUNT
    for first, later in zip(calls, calls[AGORAS_LIMIT:], strict=False):
        assert later - first + pulse.stood_still(first, later) >= 1

"""What every room of the state machine logs and counts, without a line of its own."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from agora_recording.errors import RateLimitedError
from agora_recording.observability import count, logger, metrics, observed


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is logged from here on."""
    logger.remove_keys(["recordingId", "execution", "sid"])
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture(autouse=True)
def _nothing_counted_yet() -> None:
    metrics.clear_metrics()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@observed
def room(event: dict[str, Any], _: Any) -> None:
    logger.info("looked")
    if "fail" in event:
        raise RateLimitedError("no slot")
    if "count" in event:
        count("Looks", event["count"])


def test_every_line_has_the_ids_of_its_recording(log: io.StringIO) -> None:
    room({"recordingId": "R1", "execution": "R1-2", "started": {"sid": "S1"}}, None)
    (line,) = lines(log.getvalue())
    assert (line["recordingId"], line["execution"], line["sid"]) == ("R1", "R1-2", "S1")


def test_the_ids_of_the_recording_before_are_forgotten(log: io.StringIO) -> None:
    room({"recordingId": "R1", "execution": "R1", "started": {"sid": "S1"}}, None)
    room({"recordingId": "R2"}, None)
    _, line = lines(log.getvalue())
    assert line["recordingId"] == "R2"
    assert "S1" not in json.dumps(line)
    assert "R1" not in json.dumps(line)


def test_what_was_counted_is_emitted_once(capsys: pytest.CaptureFixture[str]) -> None:
    room({"count": 3}, None)
    room({}, None)
    (line,) = lines(capsys.readouterr().out)
    assert line["Looks"] == [3.0]
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_an_error_is_counted_by_its_name_and_raised(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RateLimitedError):
        room({"fail": True}, None)
    assert [
        line["RateLimitedError"] for line in lines(capsys.readouterr().out) if "_aws" in line
    ] == [[1.0]]

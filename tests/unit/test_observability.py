"""What every room of the state machine logs and counts, without a line of its own."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from agora_recording.errors import RateLimitedError
from agora_recording.observability import count, logger, metrics, observed


@pytest.fixture(autouse=True)
def _fresh(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    metrics.clear_metrics()
    logger.remove_keys(["recordingId", "execution", "sid"])
    # The handler was made when other output was being captured.
    assert isinstance(logger.registered_handler, logging.StreamHandler)
    before, logger.registered_handler.stream = logger.registered_handler.stream, sys.stdout
    yield
    logger.registered_handler.stream = before


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@observed
def room(event: dict[str, Any], _: Any) -> None:
    logger.info("looked")
    if "fail" in event:
        raise RateLimitedError("no slot")
    if "count" in event:
        count("Looks", event["count"])


def test_every_line_has_the_ids_of_its_recording(capsys: pytest.CaptureFixture[str]) -> None:
    room({"recordingId": "R1", "execution": "R1-2", "started": {"sid": "S1"}}, None)
    (line,) = lines(capsys)
    assert (line["recordingId"], line["execution"], line["sid"]) == ("R1", "R1-2", "S1")


def test_the_ids_of_the_recording_before_are_forgotten(capsys: pytest.CaptureFixture[str]) -> None:
    room({"recordingId": "R1", "execution": "R1", "started": {"sid": "S1"}}, None)
    room({"recordingId": "R2"}, None)
    _, line = lines(capsys)
    assert line["recordingId"] == "R2"
    assert "S1" not in json.dumps(line)
    assert "R1" not in json.dumps(line)


def test_what_was_counted_is_emitted_once(capsys: pytest.CaptureFixture[str]) -> None:
    room({"count": 3}, None)
    room({}, None)
    emitted = [line for line in lines(capsys) if "_aws" in line]
    assert [line["Looks"] for line in emitted] == [[3.0]]
    assert emitted[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_an_error_is_counted_by_its_name_and_raised(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RateLimitedError):
        room({"fail": True}, None)
    assert [line["RateLimitedError"] for line in lines(capsys) if "_aws" in line] == [[1.0]]

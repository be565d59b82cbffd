"""What `make up` tells of what happens: one line for each thing, from the emulator's own files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from agora_recording.auto_record import presence
from local.__main__ import _parser
from local.news import CHANNEL_EVENTS, EVENTS, Item, News
from local.screen import WIDTH, Screen

ROLE = "arn:aws:sts::000000000000:assumed-role/agora-recording-StartRecordingFunctionRole/f"
REC = {"PK": {"S": "REC#01M8"}}
META = {**REC, "SK": {"S": "META"}, "cname": {"S": "standup"}}
NOTE = {
    **REC,
    "SK": {"S": "LOG#2026-11-20T08:00:00.000Z#started"},
    "kind": {"S": "started"},
    "text": {"S": "Agora started the session."},
}
STARTED = {
    "PK": {"S": "SID#8c7f"},
    "SK": {"S": "EVT#40#7#0000000001"},
    "eventType": {"N": "40"},
    "productId": {"N": "3"},
    "cname": {"S": "standup"},
}
JOINED = {
    "PK": {"S": "NOTICE#1#12"},
    "SK": {"S": "CHANNEL"},
    "eventType": {"N": "103"},
    "productId": {"N": "1"},
    "cname": {"S": "lesson-7"},
}


class Emulator:
    """The files that it writes, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.calls, self.requests = folder / "calls.jsonl", folder / "requests.jsonl"

    def call(self, operation: str, request: Any, status: int = 200) -> None:
        line = {"principal": ROLE, "operation": operation, "request": request, "status": status}
        self._write(self.calls, json.dumps(line) + "\n")

    def put(self, *rows: dict[str, Any], status: int = 200) -> None:
        puts = [{"Put": {"TableName": "t", "Item": row}} for row in rows]
        self.call("dynamodb.TransactWriteItems", {"TransactItems": puts}, status)

    def ask(self, method: str, path: str, status: int) -> None:
        line = {"method": method, "path": path, "status": status}
        self._write(self.requests, json.dumps(line) + "\n")

    @staticmethod
    def _write(path: Path, text: str) -> None:
        with path.open("a") as file:
            file.write(text)


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    return Emulator(tmp_path)


def news(emulator: Emulator) -> News:
    return News(emulator.calls, emulator.requests)


def test_a_request_is_told_before_what_it_caused(emulator: Emulator) -> None:
    told = news(emulator)
    emulator.put(META, NOTE)
    emulator.ask("POST", "/recordings", 202)
    assert list(told.since()) == [
        Item("POST /recordings", "202", "yellow"),
        Item("session started", "[standup] Agora started the session.", "green"),
    ]


def test_a_request_that_was_refused_is_red(emulator: Emulator) -> None:
    told = news(emulator)
    emulator.ask("POST", "/notifications", 401)
    assert list(told.since()) == [Item("POST /notifications", "401", "red")]


def test_a_notification_is_told_once_with_its_number_in_words(emulator: Emulator) -> None:
    told = news(emulator)
    emulator.ask("POST", "/notifications", 200)
    emulator.call("dynamodb.PutItem", {"Item": STARTED})
    emulator.call("dynamodb.PutItem", {"Item": STARTED}, status=400)  # Agora sends it again
    words = "[standup] the recorder has joined the channel"
    assert list(told.since()) == [Item("webhook 40", words, "blue")]


def test_a_channel_event_has_words_of_its_own(emulator: Emulator) -> None:
    told = news(emulator)
    emulator.call("dynamodb.PutItem", {"Item": JOINED})
    assert list(told.since()) == [Item("channel event 103", "[lesson-7] a host joined", "blue")]


def test_every_channel_event_that_means_something_has_words() -> None:
    assert CHANNEL_EVENTS.keys() == presence._TOLD.keys()


def test_a_file_is_told_with_its_size(emulator: Emulator) -> None:
    told = news(emulator)
    key = "recordings/01M8/8c7f_standup_0.mp4"
    emulator.call("s3.PutObject", {"Key": key, "ContentLength": 26_924, "Body": "(26924 bytes)"})
    assert list(told.since()) == [Item("file", "8c7f_standup_0.mp4  26,924 B", "grey")]


def test_a_playlist_that_is_written_anew_with_each_slice_is_told_once(emulator: Emulator) -> None:
    told = news(emulator)
    for size in (401, 480):
        key = "recordings/01M8/97afb6f1f5ad44434f3ce0be8122c083_standup.m3u8"
        emulator.call("s3.PutObject", {"Key": key, "ContentLength": size})
    assert list(told.since()) == [Item("file", "97af…_standup.m3u8  401 B", "grey")]


def test_what_was_told_is_not_told_again_and_what_was_before_is_not_told(
    emulator: Emulator,
) -> None:
    emulator.put(META, NOTE)
    told = news(emulator)
    assert list(told.since()) == []
    emulator.put(NOTE)
    assert [each.what for each in told.since()] == ["session started"]
    assert list(told.since()) == []


def test_a_line_that_is_half_written_is_told_when_it_is_whole(emulator: Emulator) -> None:
    told = news(emulator)
    emulator.calls.write_text('{"operation": "s3.PutObject", "status": 200, ')
    assert list(told.since()) == []
    with emulator.calls.open("a") as file:
        file.write('"request": {"Key": "recordings/01M8/manifest.json"}}\n')
    assert [each.more for each in told.since()] == ["manifest.json  0 B"]


def test_reads_refusals_and_rows_that_are_no_news_are_left_out(emulator: Emulator) -> None:
    told = news(emulator)
    emulator.call("dynamodb.GetItem", {"Key": REC})
    emulator.put(META)
    emulator.put(NOTE, status=400)
    emulator.call("dynamodb.UpdateItem", {"Key": {"PK": {"S": "LIMITER"}}})
    emulator._write(emulator.calls, json.dumps({"principal": ROLE, "unread": "?"}) + "\n")
    assert list(told.since()) == []


@pytest.mark.parametrize("number", EVENTS)
def test_every_notification_fits_one_line(number: int) -> None:
    out = io.StringIO()
    Screen(out).step(f"webhook {number}", f"[standup] {EVENTS[number]}", "blue")
    (line,) = out.getvalue().splitlines()
    assert len(line) <= WIDTH


def test_up_can_be_quiet() -> None:
    assert _parser().parse_args(["up", "--quiet"]).quiet
    assert not _parser().parse_args(["up"]).quiet

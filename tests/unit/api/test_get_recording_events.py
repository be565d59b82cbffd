"""The timeline of a recording: everything once, in order, a page at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.api.get_recording_events import Cursor, EventsQuery, one_page
from agora_recording.api.paging import read_cursor
from agora_recording.api.timeline import Entry
from agora_recording.clock import iso
from agora_recording.life.store import Note
from agora_recording.notifications import envelope
from agora_recording.recording.model import Recording
from functions.get_recording_events import app
from tests.world import webhook
from tests.world.api import Context, Response, pages, read, request
from tests.world.builders import RECORDING_ID, after, ended, recording, running
from tests.world.webhook import NOW_MS, SID
from tests.world.world import World

PAST = "1" * 32


class Room(World):
    """The room that tells the timeline."""

    def __init__(self, row: Recording | None = None) -> None:
        super().__init__(row or recording())

    def hear(self, event_type: int, at_ms: int, *, sid: str = SID, **more: Any) -> None:
        """Let a notification be stored."""
        raw = webhook.body(event_type, sid=sid, sent_ms=at_ms, **more)
        item = envelope.item(envelope.read(raw), raw, at_ms + 100, None)
        self.table.items[item["PK"]["S"], item["SK"]["S"]] = item

    def note(self, at_ms: int, kind: str) -> None:
        self.parts.store.note(RECORDING_ID, Note(at_ms, kind, f"It was {kind}.", {"n": 1}))

    def get(self, recording_id: str = RECORDING_ID, **query: str) -> Response:
        event = request(
            resource="/recordings/{recordingId}/events", recording_id=recording_id, query=query
        )
        return read(app.lambda_handler(event, Context(), timeline=self.parts.timeline))

    def pages(self, **query: str) -> list[list[dict[str, Any]]]:
        """Return every page's entries."""
        return pages(self.get, "events", **query)


def test_notifications_and_decisions_are_told_in_the_order_in_which_they_happened() -> None:
    room = Room()
    room.note(after(1), "acquired")
    room.note(after(5), "query")
    room.hear(40, after(3), sequence=0)
    room.hear(33, after(60), sequence=1)
    answer = room.get()
    assert answer.status == 200
    assert [each["kind"] for each in answer.body["events"]] == [
        "acquired",
        "recorder_started",
        "query",
        "uploading_progress",
    ]
    assert answer.body["events"][0] == {
        "at": "2023-11-14T22:13:21.000Z",
        "source": "stack",
        "kind": "acquired",
        "text": "It was acquired.",
        "data": {"n": 1},
    }
    assert answer.body["events"][1]["source"] == "agora"
    assert answer.body["events"][1]["data"]["eventType"] == 40
    assert "cursor" not in answer.body


def test_the_sessions_of_all_attempts_are_told() -> None:
    past = running(1, sid=PAST, uid="7", ended_ms=after(60), end="DIED")
    room = Room(ended(past_attempts=[past], attempt=running(2)))
    room.hear(40, after(3), sid=PAST, uid="7")
    room.hear(40, after(70))
    room.hear(40, after(70), sid="2" * 32)  # somebody else's
    assert [each["data"]["sid"] for each in room.get().body["events"]] == [PAST, SID]


def test_what_did_not_arrive_is_marked() -> None:
    room = Room()
    room.hear(40, after(3), sequence=0)
    room.hear(33, after(60), sequence=3)
    gap = room.get().body["events"][1]
    assert (gap["kind"], gap["data"]["first"], gap["data"]["last"]) == ("gap", 1, 2)


def test_no_stream_key_is_told() -> None:
    room = Room()
    room.hear(100, after(3), details={"rtmpUrl": "rtmp://a.example.com/app/KEY", "status": "x"})
    assert "KEY" not in json.dumps(room.get().body)


def test_nothing_yet_is_an_empty_page() -> None:
    assert Room().get().body == {"events": []}


@pytest.mark.parametrize("recording_id", ["x", "0" * 26])
def test_what_is_not_there_has_no_events(recording_id: str) -> None:
    assert Room().get(recording_id).status == 404


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "1001"}, {"cursor": "x"}, {"cursor": "e30="}]
)
def test_what_cannot_be_meant_is_refused(query: dict[str, str]) -> None:
    assert Room().get(**query).status == 400


def test_pages_are_as_long_as_asked_for() -> None:
    room = Room()
    for number in range(10):
        room.hear(33, after(number), sequence=number)
    assert [len(page) for page in room.pages(limit="4")] == [4, 4, 2]


def test_what_happens_meanwhile_comes_on_a_later_page() -> None:
    room = Room()
    for number in range(4):
        room.note(after(number), f"n{number}")
    cursor = room.get(limit="2").body["cursor"]
    room.note(after(0.5), "late")
    room.note(after(9), "new")
    rest = room.get(cursor=cursor).body["events"]
    assert [each["kind"] for each in rest] == ["n2", "n3", "new"]


def entry(at_ms: int, number: int) -> Entry:
    return Entry(at=iso(at_ms), source="stack", kind=str(number), text="", data={})


@given(st.lists(st.integers(0, 4)), st.integers(1, 5))
def test_pages_together_are_everything_once(offsets: list[int], limit: int) -> None:
    entries = [entry(NOW_MS + offset, n) for n, offset in enumerate(sorted(offsets))]
    told: list[Entry] = []
    cursor = None
    while True:
        found = one_page(entries, EventsQuery(limit, cursor))
        told += found.events
        if found.cursor is None:
            break
        cursor = read_cursor({"cursor": found.cursor}, Cursor)
        assert len(found.events) == limit
    assert told == entries


def test_a_page_of_long_entries_is_short() -> None:
    entries = [entry(NOW_MS, n) | {"text": "x" * 1_000_000} for n in range(9)]
    assert len(one_page(entries, EventsQuery(100, None)).events) == 3

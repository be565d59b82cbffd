"""The timeline of a recording: everything once, in order, a page at a time."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.api.get_recording_events import Cursor, EventsQuery, one_page
from agora_recording.api.paging import read_cursor, write_cursor
from agora_recording.api.timeline import Entry, Placed
from agora_recording.clock import iso
from agora_recording.life.store import Note
from agora_recording.notifications import envelope
from agora_recording.notifications.facts import SessionFacts
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


LIVES = st.lists(
    st.tuples(
        st.sampled_from(["1", "22"]),  # uid
        st.sampled_from([31, 33, 40]),  # event type
        st.integers(0, 12),  # sequence: with gaps, and twice in two types
        st.integers(-3, 20),  # when, in any order
    ),
    max_size=8,
    unique_by=lambda event: event[:3],
)


@settings(max_examples=60)
@given(LIVES, LIVES, st.lists(st.integers(0, 20), max_size=5), st.integers(1, 5))
def test_pages_together_are_everything_once(
    past: list[Any], present: list[Any], notes: list[int], limit: int
) -> None:
    died = running(1, sid=PAST, uid="7", ended_ms=after(60), end="DIED")
    room = Room(ended(past_attempts=[died], attempt=running(2)))
    for sid, events in ((PAST, past), (SID, present)):
        for uid, event_type, sequence, at in events:
            room.hear(event_type, after(at), sid=sid, uid=uid, sequence=sequence)
    for number, at in enumerate(notes):
        room.note(after(at), f"n{number}")
    (whole,) = room.pages(limit="1000")
    assert [each for page in room.pages(limit=str(limit)) for each in page] == whole
    told = [each for each in whole if each["kind"] != "gap"]
    assert len(told) == len(past) + len(present) + len(notes)
    instants = [each["at"] for each in whole if each["source"] == "stack" and each["kind"] != "gap"]
    assert instants == sorted(instants)
    for sid, events in ((PAST, past), (SID, present)):
        for uid in {event[0] for event in events}:
            shown = [
                each["data"]["sequence"]
                for each in told
                if each["data"].get("sid") == sid and each["data"]["uid"] == uid
            ]
            assert shown == sorted(shown), "a uid counts its own events"


def test_a_session_that_was_told_is_not_read_again_unless_something_came_to_it() -> None:
    past = running(1, sid=PAST, uid="7", ended_ms=after(60), end="DIED")
    room = Room(ended(past_attempts=[past], attempt=running(2, begun_ms=after(3600))))
    for number in range(3):
        room.hear(33, after(number), sid=PAST, uid="7", sequence=number)
        room.hear(33, after(3600 + number), sequence=number)
    heard = SessionFacts(lastSeenMs=after(2))
    room.parts.sessions.amend(PAST, lambda row: replace(row, facts=heard))
    cursor = room.get(limit="4").body["cursor"]
    room.hear(32, after(4000), sid=PAST, uid="7", sequence=3)
    assert [each["data"]["sid"] for each in room.get(cursor=cursor).body["events"]] == [SID, SID]
    heard = SessionFacts(lastSeenMs=after(4000))
    room.parts.sessions.amend(PAST, lambda row: replace(row, facts=heard))
    rest = room.get(cursor=cursor).body["events"]
    assert [each["data"]["sid"] for each in rest] == [SID, SID, PAST]


def test_a_session_is_not_read_before_the_page_comes_to_it() -> None:
    past = running(1, sid=PAST, uid="7", ended_ms=after(60), end="DIED")
    room = Room(ended(past_attempts=[past], attempt=running(2, begun_ms=after(86_400))))
    for number in range(9):
        room.hear(33, after(number), sid=PAST, uid="7", sequence=number)
        room.hear(33, after(86_400 + number), sequence=number)
    read: list[str] = []
    query = room.table.query

    def noted(**request: Any) -> dict[str, Any]:
        read.append(request["ExpressionAttributeValues"][":pk"]["S"])
        return query(**request)

    with patch.object(room.table, "query", noted):
        assert len(room.get(limit="5").body["events"]) == 5
    assert f"SID#{PAST}" in read
    assert f"SID#{SID}" not in read


def test_a_page_reads_little_more_than_it_shows() -> None:
    room = Room()
    for number in range(500):
        room.hear(33, after(60 * number), sequence=number)
    cursor = room.get(limit="100").body["cursor"]
    rows = 0
    query = room.table.query

    def counted(**request: Any) -> dict[str, Any]:
        nonlocal rows
        answer = query(**request)
        rows += len(answer["Items"])
        return answer

    with patch.object(room.table, "query", counted):
        found = room.get(limit="100", cursor=cursor).body["events"]
    assert [each["data"]["sequence"] for each in found] == list(range(100, 200))
    assert rows < 300


@given(
    st.dictionaries(
        st.sampled_from(["notes", "files", "1/7", "x"]) | st.text(max_size=5), st.text(max_size=30)
    )
)
@example({"files": "00"})
@example({"links": "00"})
def test_a_cursor_that_no_page_wrote_is_refused(told: dict[str, str]) -> None:
    text = write_cursor({"at_ms": NOW_MS, "told": told})
    room = Room()
    room.hear(40, after(3))
    assert room.get(cursor=text).status == (400 if told else 200)


def test_a_page_of_long_entries_is_short() -> None:
    entry = Entry(at=iso(NOW_MS), source="stack", kind="x", text="x" * 1_000_000, data={})
    entries = iter([Placed(NOW_MS, 0, n, entry, "notes", f"LOG#{n}#x") for n in range(9)])
    view = one_page(entries, EventsQuery(100, None))
    assert len(view.events) == 3
    assert read_cursor({"cursor": view.cursor or ""}, Cursor) == Cursor(
        NOW_MS, {"notes": "LOG#2#x"}
    )

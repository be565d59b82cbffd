"""The list of recordings, and the room that shows them."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.api.get_recordings import DAY_MS, DAYS_BACK, read_recordings_query
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import Status
from functions.get_recordings import app
from tests.world.api import Context, Response, pages, read, request
from tests.world.builders import RECORDING_ID, recording, requested
from tests.world.webhook import NOW_MS
from tests.world.world import World


class Room(World):
    """The room that lists, at a present of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        monkeypatch.setattr(app, "now_ms", self.clock)

    def made(self, ago_ms: int, cname: str = "standup", status: Status = "requested") -> str:
        """Let a recording be there that was asked for so long ago; return its id."""
        created_ms = NOW_MS - ago_ms
        recording_id = new_recording_id(created_ms, bytes(10))
        self.add(
            requested(recording_id=recording_id, created_ms=created_ms, cname=cname, status=status)
        )
        return recording_id

    def get(self, recording_id: str | None = None, **query: str) -> Response:
        event = request(recording_id=recording_id, query=query)
        return read(app.lambda_handler(event, Context(), lister=self.parts.lister))

    def all(self, **query: str) -> list[list[str]]:
        """Return the ids of every page."""
        found = pages(self.get, "recordings", **query)
        return [[each["recordingId"] for each in page] for page in found]

    def listed(self, **query: str) -> list[str]:
        """Return the ids of all pages together."""
        return [each for page in self.all(**query) for each in page]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    return Room(monkeypatch)


# --- one ---


def test_a_recording_is_shown(room: Room) -> None:
    room.add(recording())
    answer = room.get(RECORDING_ID)
    assert answer.status == 200
    assert answer.body["recordingId"] == RECORDING_ID
    assert answer.body["status"] == "recording"


@pytest.mark.parametrize("recording_id", [RECORDING_ID, "x", "é" * 400, "REC#1"])
def test_what_is_not_there_is_not_found(room: Room, recording_id: str) -> None:
    answer = room.get(recording_id)
    assert answer.status == 404
    assert len(answer.body["detail"]) < 100


# --- pages ---


def test_nothing_is_an_empty_page_that_ends_at_last(room: Room) -> None:
    assert room.listed() == []


def test_recordings_are_listed_newest_first_over_the_days(room: Room) -> None:
    ids = [room.made(ago) for ago in (0, 1000, DAY_MS, 3 * DAY_MS, 40 * DAY_MS, 200 * DAY_MS)]
    assert room.listed() == ids


def test_pages_are_as_long_as_asked_for_and_lose_nothing(room: Room) -> None:
    ids = [room.made(ago * DAY_MS // 3) for ago in range(10)]
    pages = room.all(limit="4")
    assert [each for page in pages for each in page] == ids
    assert [len(page) for page in pages[:2]] == [4, 4]


def test_a_recording_made_meanwhile_does_not_shift_the_pages(room: Room) -> None:
    ids = [room.made(1000 + ago) for ago in range(4)]
    cursor = room.get(limit="2").body["cursor"]
    room.made(0)
    second = room.get(limit="2", cursor=cursor).body
    assert [each["recordingId"] for each in second["recordings"]] == ids[2:]


def test_a_recording_deleted_meanwhile_does_not_shift_the_pages(room: Room) -> None:
    ids = [room.made(1000 + ago) for ago in range(4)]
    cursor = room.get(limit="2").body["cursor"]
    room.parts.store.delete(room.parts.store.get(ids[1]))
    second = room.get(limit="2", cursor=cursor).body
    assert [each["recordingId"] for each in second["recordings"]] == ids[2:]


def test_older_ones_than_a_year_are_found_by_their_id_alone(room: Room) -> None:
    old = room.made((DAYS_BACK + 1) * DAY_MS)
    assert room.listed() == []
    assert room.get(old).status == 200


def test_a_channel_is_listed_by_its_name(room: Room) -> None:
    ids = [room.made(ago * DAY_MS, "mine") for ago in range(500)]
    room.made(5, "other")
    assert room.listed(cname="mine", limit="100") == ids
    assert room.listed(cname="nobody's") == []


def test_a_status_is_found_among_many_others(room: Room) -> None:
    ids = [room.made(1000 + ago) for ago in range(30)]
    failed = [room.made(5000 + ago, status="failed") for ago in range(5)]
    assert room.listed(status="failed", limit="2") == failed
    assert room.listed(status="requested", limit="7") == ids
    assert room.listed(status="failed", cname="standup") == failed


def test_a_rare_status_costs_a_bounded_number_of_reads(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agora_recording.life.store._READ_TO_FILTER", 2)
    for ago in range(50):
        room.made(ago)
    rare = room.made(1000, status="failed")
    first = room.get(status="failed").body
    assert first["recordings"] == []
    assert first["cursor"]
    assert room.listed(status="failed") == [rare]


# --- what is asked for ---


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"status": "done"}, "status"),
        ({"cname": ""}, "cname"),
        ({"cname": "é" * 513}, "cname"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": urlsafe_b64encode(b'{"day":-1}').decode()}, "cursor"),
        ({"cursor": urlsafe_b64encode(b'{"after":"x"}').decode()}, "cursor"),
        ({"cursor": urlsafe_b64encode(b'{"key":{"PK":{"S":"x"}}}').decode()}, "cursor"),
    ],
)
def test_what_cannot_be_meant_is_refused(room: Room, query: dict[str, str], path: str) -> None:
    answer = room.get(**query)
    assert answer.status == 400
    assert [each["path"] for each in answer.body["problems"]] == [path]


def test_a_misspelt_parameter_is_not_answered_with_everything(room: Room) -> None:
    answer = room.get(state="failed")
    assert answer.status == 400
    assert answer.body["detail"] == (
        "state: is not a parameter of this call; it knows status, cname, limit, cursor."
    )
    room.add(recording())
    assert room.get(RECORDING_ID, fields="status").status == 400


def test_all_that_is_wrong_is_told_at_once(room: Room) -> None:
    answer = room.get(status="done", limit="0", cname="", cursor="x")
    assert len(answer.body["problems"]) == 4


@given(
    st.fixed_dictionaries(
        {"day": st.integers(0, 1_000_000) | st.none(), "after": st.just(RECORDING_ID) | st.none()}
    )
)
def test_any_place_in_the_list_is_a_good_cursor(place: dict[str, Any]) -> None:
    text = urlsafe_b64encode(msgspec.json.encode(place)).decode()
    query = read_recordings_query({"cursor": text})
    room = World(recording())
    assert set(room.parts.lister.page(query, NOW_MS)) <= {"recordings", "cursor"}

"""The list of recordings, and the room that shows them."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import Any

import msgspec
import pytest

from agora_recording.api import paging
from agora_recording.api.get_recordings import read_recordings_query
from agora_recording.life.store import RecordingStore
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import Status
from functions.get_recordings import app
from tests.world.api import Context, Response, pages, read, request
from tests.world.builders import RECORDING_ID, recording, requested
from tests.world.webhook import NOW_MS
from tests.world.world import World

DAY_MS = 86_400_000
LAMBDA_ANSWER_BYTES = 6 * 1024 * 1024


class Room(World):
    """The room that lists."""

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
def room() -> Room:
    return Room()


# --- one ---


CONFIG: dict[str, Any] = {
    "channelType": 1,
    "subscribeAudioUids": ["1"],
    "unSubscribeVideoUids": ["2"],
    "transcodingConfig": {
        "width": 640,
        "mixedVideoLayout": 3,
        "layoutConfig": [{"uid": "1", "x_axis": 0, "y_axis": 0, "width": 1, "height": 1}],
        "backgroundImage": "{sealed 0}",
    },
}


def test_one_recording_shows_its_present_subscription_and_layout_without_secrets(
    room: Room,
) -> None:
    room.add(recording(client_request={"recordingConfig": CONFIG}))
    shown = room.get(RECORDING_ID).body
    assert shown["subscription"] == {"subscribeAudioUids": ["1"], "unSubscribeVideoUids": ["2"]}
    layout = CONFIG["transcodingConfig"]
    assert shown["layout"] == {name: layout[name] for name in ("mixedVideoLayout", "layoutConfig")}
    (listed,) = room.get().body["recordings"]
    assert shown == {**listed, "subscription": shown["subscription"], "layout": shown["layout"]}


@pytest.mark.parametrize(
    ("mode", "config"),
    [
        ("mix", {}),
        ("mix", {"channelType": 1, "transcodingConfig": {"width": 640}}),
        ("raw", {"channelType": 1, "transcodingConfig": {"mixedVideoLayout": 1}}),
        ("web", CONFIG),
    ],
)
def test_a_recording_of_everybody_with_no_layout_shows_neither(
    room: Room, mode: Any, config: Any
) -> None:
    room.add(recording(mode=mode, client_request={"recordingConfig": config} if config else {}))
    shown = room.get(RECORDING_ID).body
    assert not {"subscription", "layout"} & set(shown)


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
    assert len(answer.body["detail"]) < 110


# --- pages ---


def test_nothing_is_one_empty_page(room: Room) -> None:
    assert room.all() == [[]]
    assert room.all(status="failed") == [[]]
    assert room.all(cname="nobody's") == [[]]


def test_recordings_are_listed_newest_first_over_the_days(room: Room) -> None:
    ids = [room.made(ago) for ago in (0, 1000, DAY_MS, 3 * DAY_MS, 40 * DAY_MS, 200 * DAY_MS)]
    assert room.listed() == ids


def test_pages_are_as_long_as_asked_for_and_lose_nothing(room: Room) -> None:
    ids = [room.made(ago * DAY_MS // 3) for ago in range(10)]
    pages = room.all(limit="4")
    assert [each for page in pages for each in page] == ids
    assert [len(page) for page in pages] == [4, 4, 2]


@pytest.mark.parametrize("status", [None, "failed"])
def test_a_page_is_full_or_the_last_however_far_apart_the_recordings_are(
    room: Room, status: str | None
) -> None:
    ids = [room.made(ago * 90 * DAY_MS, status="failed") for ago in range(15)]
    wanted = {"status": status} if status else {}
    assert room.all(limit="15", **wanted) == [ids]
    assert [len(page) for page in room.all(limit="4", **wanted)] == [4, 4, 4, 3]


def test_a_page_is_as_long_as_an_answer_of_lambda_may_be(room: Room) -> None:
    # The longest that a request may have: JSON writes six characters for each of these.
    tags = {f"{number:02}" + "\x01" * 126: "\x01" * 256 for number in range(20)}
    rows = [
        requested(recording_id=new_recording_id(NOW_MS + at, bytes(10)), tags=tags)
        for at in range(100)
    ]
    for row in rows:
        room.add(row)
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        event = request(recording_id=None, query={"limit": "100", **cursor})
        answer = app.lambda_handler(event, Context(), lister=room.parts.lister)
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < LAMBDA_ANSWER_BYTES
        assert answer["statusCode"] == 200, answer["body"]
        body = json.loads(answer["body"])
        assert body["recordings"], body
        found += [each["recordingId"] for each in body["recordings"]]
        if "cursor" not in body:
            break
        cursor = {"cursor": body["cursor"]}
    assert found == [row.recording_id for row in reversed(rows)]
    assert len(found) * len(json.dumps(tags)) > paging.MAX_BYTES  # one page would not hold all


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


def test_the_whole_list_may_be_gone_while_it_is_paged(room: Room) -> None:
    ids = [room.made(1000 + ago) for ago in range(4)]
    cursor = room.get(limit="2").body["cursor"]
    for each in ids:
        room.parts.store.delete(room.parts.store.get(each))
    assert room.get(limit="2", cursor=cursor).body == {"recordings": []}


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


def test_a_rare_status_costs_one_query(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    for ago in range(50):
        room.made(ago)
    rare = room.made(1000, status="failed")
    queries: list[Any] = []
    query = room.table.query

    def counted(**request: Any) -> Any:
        queries.append(request)
        return query(**request)

    monkeypatch.setattr(room.table, "query", counted)
    assert room.all(status="failed") == [[rare]]
    assert len(queries) == 1


def test_rows_that_an_index_still_has_do_not_shorten_a_page(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [room.made(ago) for ago in range(6)]
    get_all = RecordingStore.get_all

    def late(store: RecordingStore, wanted: list[str]) -> Any:
        return [row for row in get_all(store, wanted) if row.recording_id not in ids[1:3]]

    monkeypatch.setattr(RecordingStore, "get_all", late)
    assert room.all(limit="2") == [[ids[0], ids[3]], [ids[4], ids[5]]]


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
        ({"cursor": urlsafe_b64encode(b'{"day":1}').decode()}, "cursor"),
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
        "state: is not a parameter of this call; it takes status, cname, limit, cursor."
    )
    room.add(recording())
    assert room.get(RECORDING_ID, fields="status").status == 400


def test_all_that_is_wrong_is_told_at_once(room: Room) -> None:
    answer = room.get(status="done", limit="0", cname="", cursor="x")
    assert len(answer.body["problems"]) == 4


def test_any_recording_is_a_good_place_to_go_on_after(room: Room) -> None:
    text = urlsafe_b64encode(msgspec.json.encode({"after": RECORDING_ID})).decode()
    query = read_recordings_query({"cursor": text})
    assert set(room.parts.lister.page(query)) <= {"recordings", "cursor"}

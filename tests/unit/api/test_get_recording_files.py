"""The files of a recording: what there is, addresses for it, and a playlist that plays it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.aws.signing import Keys
from agora_recording.files import documents
from agora_recording.recording.model import Recording
from functions.get_recording_files import app
from tests.world.api import Context, Response, pages, read, request
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    after,
    recording,
    requested,
    uploading,
)
from tests.world.webhook import NOW_MS, SID
from tests.world.world import World

PREFIX = f"recordings/{RECORDING_ID}/"
STEM = f"{SID}_{CNAME}"
SLICE_S = 15


def utc17(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y%m%d%H%M%S%f")[:17]


def index(names: list[str], *, closed: bool = True) -> bytes:
    """Return an index as Agora writes it: EXTINF without its comma."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:16"]
    lines += [line for name in names for line in (f"#EXTINF:{SLICE_S}", name)]
    return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if closed else []), ""]).encode()


class Room(World):
    """The room that shows files."""

    def __init__(self, row: Recording | None = None) -> None:
        super().__init__(row or uploading())

    def slices(
        self, count: int, stem: str = STEM, *, from_s: int = 10, closed: bool = True
    ) -> list[str]:
        """Let a track be in the bucket; return the names of its slices."""
        names = [f"{stem}_{utc17(after(from_s + n * SLICE_S))}.ts" for n in range(count)]
        for name in names:
            self.bucket.add(PREFIX + name, b"x" * 100)
        self.bucket.add(f"{PREFIX}{stem}.m3u8", index(names, closed=closed))
        return names

    def publish(self) -> None:
        self.clock.advance(3600)
        self.parts.recording_publisher.publish(RECORDING_ID)
        self.bucket.reads.clear()

    def files(self, recording_id: str = RECORDING_ID, **query: str) -> Response:
        event = request(
            resource="/recordings/{recordingId}/files", recording_id=recording_id, query=query
        )
        return read(app.lambda_handler(event, Context(), media=self.parts.media))

    def pages(self, **query: str) -> list[list[dict[str, Any]]]:
        """Return every page's files."""
        return pages(self.files, "files", **query)

    def names(self, **query: str) -> list[str]:
        return [each["key"].removeprefix(PREFIX) for page in self.pages(**query) for each in page]

    def playlist(self, **query: str) -> Response:
        event = request(resource="/recordings/{recordingId}/playlist", query=query)
        return read(app.lambda_handler(event, Context(), media=self.parts.media))

    def played(self, **query: str) -> list[str]:
        """Return the names of the slices that a player would fetch."""
        answer = self.playlist(**query)
        assert answer.status == 200, answer.body
        return [
            unquote(urlsplit(line).path).removeprefix(f"/{PREFIX}")
            for line in answer.body.splitlines()
            if line.startswith("https://")
        ]


# --- what is published ---


def test_the_manifest_tells_what_there_is() -> None:
    room = Room()
    room.slices(4)
    room.bucket.add(f"{PREFIX}{STEM}_0.mp4", b"y" * 50)
    room.publish()
    body = room.files().body
    assert (body["source"], body["status"], body["verdict"]) == (
        "manifest",
        "completed",
        "complete",
    )
    assert body["totals"]["durationMs"] == 4 * SLICE_S * 1000
    assert body["gaps"]["count"] == 0
    assert body["tracks"]["count"] == 1
    assert [(each["kind"], each["bytes"]) for each in body["files"]] == [
        ("playlist", len(room.bucket.objects[f"{PREFIX}{STEM}.m3u8"][0])),
        ("mp4", 50),
        *[("segment", 100)] * 4,
    ]
    assert body["files"][2]["durationMs"] == SLICE_S * 1000
    assert body["files"][2]["startedAt"] == "2023-11-14T22:13:30.000Z"
    assert "cursor" not in body


def test_an_address_opens_one_file_for_the_time_asked_for() -> None:
    room = Room()
    room.slices(1)
    room.publish()
    body = room.files(expires="60").body
    url = urlsplit(body["files"][1]["url"])
    query = parse_qs(url.query)
    assert f"{url.scheme}://{url.netloc}" == "https://films.s3.us-east-1.amazonaws.com"
    assert unquote(url.path) == f"/{body['files'][1]['key']}"
    assert query["X-Amz-Expires"] == ["60"]
    assert query["response-content-type"] == ["video/MP2T"] == [body["files"][1]["contentType"]]
    assert body["urlsExpireAt"] == "2023-11-14T23:14:20.000Z"
    assert f"{PREFIX}manifest.json" in unquote(body["manifestUrl"])


def test_what_is_missing_or_empty_has_no_address() -> None:
    room = Room()
    names = room.slices(3)
    del room.bucket.objects[PREFIX + names[0]]
    room.bucket.add(PREFIX + names[1], b"")
    room.publish()
    body = room.files().body
    states = [(each.get("state"), "url" in each) for each in body["files"][1:]]
    assert states == [("missing", False), ("empty", False), (None, True)]
    assert body["verdict"] == "incomplete"
    assert {each["code"] for each in body["findings"]["items"]} >= {"missing_segment"}


def test_each_track_has_its_own_files() -> None:
    row = uploading(mode="individual")
    room = Room(row)
    for uid, track in (("7", "audio"), ("7", "video"), ("8", "video")):
        room.slices(2, f"{STEM}__uid_s_{uid}__uid_e_{track}")
    room.publish()
    body = room.files().body
    segments = [(each["uid"], each["trackType"]) for each in body["files"] if "state" not in each]
    assert sorted(set(segments)) == [("7", "audio"), ("7", "video"), ("8", "video")]
    assert body["tracks"]["count"] == 3


@given(st.integers(1, 12), st.integers(0, 30))
def test_pages_together_are_everything_once(limit: int, count: int) -> None:
    room = Room()
    room.slices(count)
    room.publish()
    pages = room.pages(limit=str(limit))
    together = [each["key"] for page in pages for each in page]
    assert together == [each["key"] for each in room.files(limit="1000").body["files"]]
    assert len(set(together)) == len(together) == count + 1
    assert all(len(page) == limit for page in pages[:-1])


def test_of_a_long_recording_only_the_part_that_is_shown_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(documents, "_ROOM_FOR_SEGMENTS", 100)
    monkeypatch.setattr(documents, "_SEGMENTS_A_PART", 10)
    room = Room()
    names = room.slices(35)
    room.publish()
    assert room.names(limit="7") == [f"{STEM}.m3u8", *names]
    cursor = room.files(limit="25").body["cursor"]
    room.bucket.reads.clear()
    room.files(limit="5", cursor=cursor)
    assert [key.removeprefix(PREFIX) for key in room.bucket.reads] == [
        "manifest.json",
        "manifest/segments-00003.json",
    ]


def test_a_cursor_of_a_manifest_that_was_replaced_is_refused() -> None:
    room = Room()
    room.slices(5)
    room.publish()
    cursor = room.files(limit="2").body["cursor"]
    row = room.row
    room.clock.advance(1)
    verdict = room.parts.verifier.verify(row)
    for key, body in documents.documents(verdict, {}):
        room.bucket.add(key, body)
    answer = room.files(limit="2", cursor=cursor)
    assert answer.status == 400
    assert "begin again" in answer.body["detail"]


def test_an_answer_stays_below_what_a_function_may_say() -> None:
    room = Room(uploading(cname="é" * 400, mode="web"))
    room.parts.media.keys = lambda: Keys("AKID", "secret", "/+=" * 300)
    room.slices(900, f"{SID}_{'-' * 400}")
    room.publish()
    event = request(resource="/recordings/{recordingId}/files", query={"limit": "1000"})
    answer = app.lambda_handler(event, Context(), media=room.parts.media)
    assert 3_000_000 < len(answer["body"].encode()) < 5_500_000
    assert len(room.names(limit="1000")) == 901


# --- snapshots ---


def snapshots(room: Room, count: int) -> list[str]:
    names = [f"{STEM}__uid_s_7__uid_e_video_{utc17(after(10 + n))}.jpg" for n in range(count)]
    for name in names:
        room.bucket.add(PREFIX + name, b"j" * 10)
    return names


def test_snapshots_come_after_everything_else() -> None:
    room = Room(uploading(mode="individual", client_request={"snapshotConfig": {}}))
    pictures = snapshots(room, 5)
    room.publish()
    assert room.names(limit="2") == pictures
    first = room.files().body["files"][0]
    assert (first["kind"], first["uid"], first["contentType"]) == ("snapshot", "7", "image/jpeg")
    assert first["startedAt"] == "2023-11-14T22:13:30.000Z"


def test_snapshots_are_found_among_many_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agora_recording.api.get_recording_files._SNAPSHOT_LISTINGS", 2)
    request = {"snapshotConfig": {}, "recordingFileConfig": {"avFileType": ["hls"]}}
    room = Room(uploading(mode="individual", client_request=request))
    slices = room.slices(40, f"{STEM}__uid_s_7__uid_e_video", from_s=1000)
    pictures = snapshots(room, 3)
    room.bucket.page_size = 5
    room.publish()
    assert room.names(limit="10")[1:] == [*slices, *pictures]


# --- what goes on ---


def test_while_it_goes_on_the_bucket_is_looked_into() -> None:
    room = Room(recording())
    names = room.slices(3, closed=False)
    room.clock.advance(3 * 3600)  # nothing is overdue, however long it runs
    body = room.files().body
    assert (body["source"], body["status"], body["verdict"]) == ("bucket", "recording", "pending")
    assert [each["key"] for each in body["files"]] == sorted(
        PREFIX + name for name in [f"{STEM}.m3u8", *names]
    )
    assert body["totals"]["durationMs"] == 3 * SLICE_S * 1000
    assert "manifestUrl" not in body


def test_a_growing_recording_shifts_no_page() -> None:
    room = Room(recording(mode="individual"))
    room.slices(2, f"{STEM}__uid_s_7__uid_e_video", closed=False)
    room.slices(2, f"{STEM}__uid_s_8__uid_e_video", closed=False)
    first = room.files(limit="4").body
    room.slices(3, f"{STEM}__uid_s_7__uid_e_video", closed=False)
    second = room.files(limit="4", cursor=first["cursor"]).body
    keys = [each["key"] for page in (first, second) for each in page["files"]]
    assert keys == sorted(set(keys))
    assert keys[-1].endswith(f"{utc17(after(25))}.ts")


def test_a_page_begun_before_it_was_published_goes_on_behind_it() -> None:
    room = Room()
    room.slices(5)
    cursor = room.files(limit="2").body["cursor"]
    room.publish()
    rest = room.files(cursor=cursor).body
    assert rest["source"] == "manifest"
    assert len(rest["files"]) == 4


def test_nothing_yet_is_no_error() -> None:
    room = Room(requested())
    body = room.files().body
    assert (body["files"], body["tracks"]) == ([], {"count": 0, "items": [], "wholes": []})
    assert room.playlist().status == 404


def test_what_retention_has_removed_is_gone() -> None:
    room = Room()
    room.slices(3)
    room.publish()
    room.bucket.objects.clear()
    body = room.files().body
    assert (body["source"], body["files"]) == ("bucket", [])
    assert room.playlist().status == 404


def test_what_is_being_deleted_is_shown_no_more() -> None:
    room = Room(uploading(status="completed", deleting_ms=NOW_MS))
    assert room.files().status == 409
    assert room.playlist().status == 409


@pytest.mark.parametrize("recording_id", ["x", "0" * 26])
def test_what_is_not_there_has_no_files(recording_id: str) -> None:
    assert Room().files(recording_id).status == 404


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"limit": "1001"}, "limit"),
        ({"expires": "43201"}, "expires"),
        ({"expires": "0"}, "expires"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "eyJudW1iZXIiOi0xfQ=="}, "cursor"),  # {"number":-1}
        ({"cursor": "eyJhZnRlciI6Ii9ldGMifQ=="}, "cursor"),  # {"after":"/etc"}
    ],
)
def test_files_that_cannot_be_meant_are_refused(query: dict[str, str], path: str) -> None:
    answer = Room().files(**query)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == path

"""A playlist of signed addresses: what a player gets of a private recording."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.aws.signing import Keys
from agora_recording.errors import MediaNotFoundError
from agora_recording.files import documents
from functions.get_recording_files import app
from tests.unit.api.test_get_recording_files import PREFIX, STEM, Room, index, utc17
from tests.world.api import Context, request
from tests.world.builders import CNAME, after, ended, recording, running, uploading


def test_a_playlist_plays_a_private_recording() -> None:
    room = Room()
    names = room.slices(3)
    room.publish()
    answer = room.playlist()
    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert answer.body.startswith("#EXTM3U\n")
    assert answer.body.endswith("#EXT-X-ENDLIST\n")
    assert room.played() == names
    assert answer.body.count("X-Amz-Signature=") == 3


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/plain", "text/plain"),
        ("TEXT/PLAIN; q=0.5, application/json", "text/plain"),
        ("text/plain, application/vnd.apple.mpegurl", "application/vnd.apple.mpegurl"),
        ("*/*", "application/vnd.apple.mpegurl"),
        ("", "application/vnd.apple.mpegurl"),
    ],
)
def test_a_playlist_is_text_to_whoever_asks_for_text(accept: str, kind: str) -> None:
    room = Room()
    room.slices(1)
    room.publish()
    event = request(resource="/recordings/{recordingId}/playlist", headers={"accept": accept})
    answer = app.lambda_handler(event, Context(), media=room.parts.media)
    assert answer["headers"]["Content-Type"] == kind
    assert answer["body"].startswith("#EXTM3U")


def test_a_playlist_joins_what_restarts_have_broken() -> None:
    past = running(1, sid="1" * 32, started_ms=after(2), ended_ms=after(60), end="DIED")
    row = ended(
        "STOPPED",
        status="uploading",
        past_attempts=[past],
        attempt=running(2, started_ms=after(70), ended_ms=after(600), end="STOPPED"),
    )
    room = Room(row)
    one = room.slices(2, f"{'1' * 32}_{CNAME}")
    two = room.slices(2, from_s=80)
    room.publish()
    assert room.played() == one + two
    assert room.playlist().body.count("#EXT-X-DISCONTINUITY") == 1


def test_a_window_is_played_alone() -> None:
    room = Room()
    names = room.slices(10)
    room.publish()
    assert (
        room.played(**{"from": "2023-11-14T22:14:00Z", "to": "2023-11-14T22:14:30Z"})
        == (names[2:4])
    )
    # The same instants, told by a clock in another zone.
    assert (
        room.played(**{"from": "2023-11-14T23:14:00+01:00", "to": "2023-11-14T22:14:30"})
        == (names[2:4])
    )


def test_what_is_missing_is_not_played() -> None:
    room = Room()
    names = room.slices(4)
    del room.bucket.objects[PREFIX + names[1]]
    room.publish()
    assert room.played() == [names[0], *names[2:]]


def test_what_grows_is_not_closed() -> None:
    room = Room(recording())
    names = room.slices(3, closed=False)
    assert "#EXT-X-ENDLIST" not in room.playlist().body
    assert room.played() == names


def test_a_whole_recording_reads_no_list_of_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_ROOM_FOR_SEGMENTS", 100)
    room = Room()
    room.slices(30)
    room.publish()
    room.playlist()
    assert [key.removeprefix(PREFIX) for key in room.bucket.reads] == [
        "manifest.json",
        f"{STEM}.m3u8",
    ]


def individual() -> Room:
    room = Room(uploading(mode="individual"))
    for uid, track in (("7", "audio"), ("7", "video"), ("8", "video")):
        room.slices(2, f"{STEM}__uid_s_{uid}__uid_e_{track}")
    room.publish()
    return room


def test_one_of_many_tracks_is_chosen() -> None:
    room = individual()
    assert all("__uid_s_8__" in name for name in room.played(uid="8"))
    assert all("__uid_s_7__uid_e_audio" in name for name in room.played(track="audio"))
    assert all("_7__uid_e_video" in name for name in room.played(uid="7", track="video"))


def test_a_choice_between_tracks_is_asked_for() -> None:
    room = individual()
    answer = room.playlist()
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == "uid"
    assert "uid 8 video" in answer.body["detail"]
    assert room.playlist(uid="7").body["problems"][0]["path"] == "track"


def raw_room(*codecs: str) -> Room:
    """A recording in raw mode whose one user sent these codecs one after the other."""
    room = Room(uploading(mode="raw"))
    for number, codec in enumerate(codecs):
        user, start_s = f"{STEM}__uid_s_7__uid_e", 10 + 60 * number
        names = [f"{user}_{utc17(after(start_s + 15 * n))}_{codec}.ts" for n in range(2)]
        for name in names:
            room.bucket.add(PREFIX + name, b"x" * 100)
        room.bucket.add(f"{PREFIX}{user}_{codec}.m3u8", index(names))
    return room


def test_a_track_of_raw_mode_has_sound_and_picture_of_a_user() -> None:
    room = raw_room("h264")
    room.publish()
    assert len(room.played()) == 2
    (track,) = room.files().body["tracks"]["items"]
    assert (track["uid"], track["trackType"], track["codec"]) == ("7", "audio_and_video", "h264")


def test_a_user_who_changed_the_codec_has_two_tracks() -> None:
    room = raw_room("h264", "h265")
    room.publish()
    answer = room.playlist(uid="7")
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == "codec"
    assert "uid 7 audio_and_video h265" in answer.body["detail"]
    assert all(name.endswith("_h265.ts") for name in room.played(codec="h265"))


def test_what_hls_cannot_hold_is_told_so() -> None:
    room = Room(uploading(mode="raw"))
    for tail in ("vp8.mpd", "0_0_vp8.webm", "1_0_vp8.webm"):
        room.bucket.add(f"{PREFIX}{STEM}__uid_s_7__uid_e_{tail}", b"x" * 100)
    room.publish()
    answer = room.playlist()
    assert answer.status == 404
    assert "VP8" in answer.body["detail"]
    listed = room.files().body["files"]
    assert [(each["kind"], each["codec"], each["contentType"]) for each in listed] == [
        ("dash_segment", "vp8", "video/webm"),
        ("dash_segment", "vp8", "video/webm"),
        ("mpd", "vp8", "application/dash+xml"),
    ]
    assert all(each["url"] for each in listed)


def test_a_track_that_is_not_there_is_not_found() -> None:
    answer = individual().playlist(uid="9")
    assert answer.status == 404
    assert "uid 7 audio" in answer.body["detail"]


def test_a_playlist_that_is_too_long_asks_for_a_window() -> None:
    room = Room()
    room.parts.media.keys = lambda: Keys("AKID", "secret", "/+=" * 300)
    room.slices(2500)
    room.publish()
    answer = room.playlist()
    assert answer.status == 400
    assert "ask for a window" in answer.body["detail"]
    assert len(room.played(to="2023-11-14T23:13:30Z")) == 240


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "1"}, "to"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "to"),
        ({"track": "both"}, "track"),
        ({"expires": "x"}, "expires"),
    ],
)
def test_a_playlist_that_cannot_be_meant_is_refused(query: dict[str, str], path: str) -> None:
    room = Room()
    room.slices(1)
    answer = room.playlist(**query)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == path


def test_a_time_whose_plus_a_query_makes_a_space_is_told_how_to_write_it() -> None:
    room = Room()
    room.slices(1)
    answer = room.playlist(**{"from": "2026-01-01T00:00:00 01:00"})
    assert answer.body["detail"] == (
        "from: must be a date and time, such as 2026-01-31T12:00:00Z; in a query, write a + as %2B."
    )


@given(st.text(max_size=30))
def test_no_instant_breaks_the_room(text: str) -> None:
    room = Room()
    room.slices(1)
    assert room.playlist(**{"from": text}).status in (200, 400)


OTHER = "recordings/01ZZZZZZZZZZZZZZZZZZZZZZZZ/"


@pytest.mark.parametrize(
    "uri",
    [
        f"https://films.s3.amazonaws.com/{OTHER}secret.ts",
        f"https://films.s3.amazonaws.com/x%2F..%2F..%2F{OTHER.replace('/', '%2F')}secret.ts",
        f"//films.s3.amazonaws.com/..%2F..%2F{OTHER}secret.ts",
        f"../../{OTHER}secret.ts",
        f"..%2F..%2F{OTHER.replace('/', '%2F')}secret.ts",
        f"/{OTHER}secret.ts",
    ],
)
def test_no_address_of_an_index_leads_out_of_the_recording(uri: str) -> None:
    room = Room()
    room.slices(1)
    room.bucket.add(f"{OTHER}secret.ts", b"secret")
    tags = "".join(f'#EXT-X-{name}:METHOD=AES-128,URI="{uri}"\n' for name in ("KEY", "MAP", "NEW"))
    text = f"#EXTM3U\n{tags}#EXTINF:1,\n{uri}\n#EXT-X-ENDLIST\n"
    room.bucket.add(f"{PREFIX}{STEM}.m3u8", text.encode())
    answer = room.playlist()
    assert answer.status == 200
    assert OTHER not in answer.body
    for name in re.findall(r"https://[^/]+/([^?\"]+)", answer.body):
        assert name.startswith(PREFIX)
        assert ".." not in name.split("/")


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"prefix": OTHER},
        lambda told: told | {"segments": {"count": 1, "parts": [{"key": f"{OTHER}a", "count": 1}]}},
        lambda told: (
            told
            | {
                "files": {
                    "count": 1,
                    "items": [
                        {
                            "key": f"{OTHER}a",
                            "kind": "mp4",
                            "sid": "",
                            "uid": "0",
                            "bytes": 1,
                            "etag": "",
                        }
                    ],
                }
            }
        ),
        lambda told: {},
        lambda told: told | {"tags": "x" * 9_000_000},
    ],
    ids=["another prefix", "parts elsewhere", "files elsewhere", "no manifest", "too large"],
)
def test_a_manifest_that_is_not_the_bundles_is_not_believed(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    room = Room()
    names = room.slices(2)
    room.publish()
    key = f"{PREFIX}manifest.json"
    room.bucket.add(key, json.dumps(change(room.bucket.json(key))).encode())
    assert room.files().body["source"] == "bucket"
    assert room.played() == names


def test_a_playlist_of_another_recording_is_not_read() -> None:
    room = Room()
    with pytest.raises(MediaNotFoundError, match="does not belong"):
        list(room.parts.media.pieces(uploading(), f"{OTHER}a.m3u8"))
    sign = room.parts.media.signer(uploading(), 60)
    for key in (f"{OTHER}a.ts", f"{PREFIX}../a.ts", "a.ts", ""):
        with pytest.raises(MediaNotFoundError, match="does not belong"):
            sign(key, "video/MP2T")

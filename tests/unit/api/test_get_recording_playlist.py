"""A playlist of signed addresses: what a player gets of a private recording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.aws.signing import Keys
from agora_recording.files import documents
from tests.unit.api.test_get_recording_files import PREFIX, STEM, House
from tests.world.builders import CNAME, after, ended, recording, running, uploading


def test_a_playlist_plays_a_private_recording() -> None:
    house = House()
    names = house.slices(3)
    house.publish()
    answer = house.playlist()
    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert answer.body.startswith("#EXTM3U\n")
    assert answer.body.endswith("#EXT-X-ENDLIST\n")
    assert house.played() == names
    assert answer.body.count("X-Amz-Signature=") == 3


def test_a_playlist_joins_what_restarts_have_broken() -> None:
    past = running(1, sid="1" * 32, started_ms=after(2), ended_ms=after(60), end="DIED")
    row = ended(
        "STOPPED",
        status="uploading",
        past_attempts=[past],
        attempt=running(2, started_ms=after(70), ended_ms=after(600), end="STOPPED"),
    )
    house = House(row)
    one = house.slices(2, f"{'1' * 32}_{CNAME}")
    two = house.slices(2, from_s=80)
    house.publish()
    assert house.played() == one + two
    assert house.playlist().body.count("#EXT-X-DISCONTINUITY") == 1


def test_a_window_is_played_alone() -> None:
    house = House()
    names = house.slices(10)
    house.publish()
    assert (
        house.played(**{"from": "2023-11-14T22:14:00Z", "to": "2023-11-14T22:14:30Z"})
        == (names[2:4])
    )
    # The same instants, told by a clock in another zone.
    assert (
        house.played(**{"from": "2023-11-14T23:14:00+01:00", "to": "2023-11-14T22:14:30"})
        == (names[2:4])
    )


def test_what_is_missing_is_not_played() -> None:
    house = House()
    names = house.slices(4)
    del house.bucket.objects[PREFIX + names[1]]
    house.publish()
    assert house.played() == [names[0], *names[2:]]


def test_what_grows_is_not_closed() -> None:
    house = House(recording())
    names = house.slices(3, closed=False)
    assert "#EXT-X-ENDLIST" not in house.playlist().body
    assert house.played() == names


def test_a_whole_recording_reads_no_list_of_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_ROOM_FOR_SEGMENTS", 100)
    house = House()
    house.slices(30)
    house.publish()
    house.playlist()
    assert [key.removeprefix(PREFIX) for key in house.bucket.reads] == [
        "manifest.json",
        f"{STEM}.m3u8",
    ]


def individual() -> House:
    house = House(uploading(mode="individual"))
    for uid, track in (("7", "audio"), ("7", "video"), ("8", "video")):
        house.slices(2, f"{STEM}__uid_s_{uid}__uid_e_{track}")
    house.publish()
    return house


def test_one_of_many_tracks_is_chosen() -> None:
    house = individual()
    assert all("__uid_s_8__" in name for name in house.played(uid="8"))
    assert all("__uid_s_7__uid_e_audio" in name for name in house.played(track="audio"))
    assert all("_7__uid_e_video" in name for name in house.played(uid="7", track="video"))


def test_a_choice_between_tracks_is_asked_for() -> None:
    house = individual()
    answer = house.playlist()
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == "uid"
    assert "uid 8 video" in answer.body["detail"]
    assert house.playlist(uid="7").body["problems"][0]["path"] == "track"


def test_a_track_that_is_not_there_is_not_found() -> None:
    answer = individual().playlist(uid="9")
    assert answer.status == 404
    assert "uid 7 audio" in answer.body["detail"]


def test_a_playlist_that_is_too_long_asks_for_a_window() -> None:
    house = House()
    house.media.keys = lambda: Keys("AKID", "secret", "/+=" * 300)
    house.slices(2500)
    house.publish()
    answer = house.playlist()
    assert answer.status == 400
    assert "ask for a window" in answer.body["detail"]
    assert len(house.played(to="2023-11-14T23:13:30Z")) == 240


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
    house = House()
    house.slices(1)
    answer = house.playlist(**query)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == path


@given(st.text(max_size=30))
def test_no_instant_breaks_the_room(text: str) -> None:
    house = House()
    house.slices(1)
    assert house.playlist(**{"from": text}).status in (200, 400)

"""Playlists for browsers: what is rewritten, what is put right, what is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.errors import PlaylistTooLargeError
from agora_recording.files.allowance import Allowance
from agora_recording.files.playback import content_type, join, signed_playlist
from agora_recording.files.playlists import parse

SID = "0123456789abcdef0123456789abcdef"
BASE = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
START_MS = 1_769_860_800_000  # 2026-01-31T12:00:00Z


def names(stem: str, count: int, second: int = 0) -> list[str]:
    starts = [second + 15 * n for n in range(count)]
    return [f"{stem}_20260131{12 + s // 3600}{s // 60 % 60:02}{s % 60:02}000.ts" for s in starts]


def index(stem: str = f"{SID}_room", count: int = 2, second: int = 0, end: bool = True) -> str:
    event = "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=20260131120000000\n"
    body = "".join(f"#EXTINF:15.019000\n{name}\n" for name in names(stem, count, second))
    return f"#EXTM3U\n#EXT-X-ALLOW-CACHE:YES\n{event}{body}" + "#EXT-X-ENDLIST\n" * end


def sign(key: str) -> str:
    return f"https://bucket.example/{key}?signature=1"


def signed(name: str) -> str:
    return sign(BASE + name)


def test_every_slice_gets_its_signed_address_and_what_players_insist_on() -> None:
    first, second = names(f"{SID}_room", 2)
    assert signed_playlist(index(), sign, BASE) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:3\n"
        "#EXT-X-TARGETDURATION:16\n"
        "#EXT-X-MEDIA-SEQUENCE:0\n"
        "#EXT-X-ALLOW-CACHE:YES\n"
        "#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=20260131120000000\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:00.000Z\n"
        "#EXTINF:15.019,\n"
        f"{signed(first)}\n"
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:15.000Z\n"
        "#EXTINF:15.019,\n"
        f"{signed(second)}\n"
        "#EXT-X-ENDLIST\n"
    )


def test_what_the_list_says_of_itself_is_kept_where_it_holds() -> None:
    header = "#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:34\n#EXT-X-MEDIA-SEQUENCE:7\n"
    text = signed_playlist(index().replace("#EXTM3U\n", f"#EXTM3U\n{header}"), sign, BASE)
    assert text.splitlines()[1:4] == header.splitlines()


def test_a_target_duration_below_a_slice_is_raised() -> None:
    short = index().replace("#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n")
    assert "#EXT-X-TARGETDURATION:16\n" in signed_playlist(short, sign, BASE)


def test_a_growing_list_is_left_open_when_asked() -> None:
    growing = index(end=False)
    assert "#EXT-X-ENDLIST" not in signed_playlist(growing, sign, BASE, growing=True)
    assert signed_playlist(growing, sign, BASE).endswith("#EXT-X-ENDLIST\n")


@pytest.mark.parametrize(
    "uri",
    [
        "../../other/secret.ts",
        "/recordings/OTHER/secret.ts",
        "https://evil.example/x/secret.ts?a=b",
        "https://evil.example/x%2F..%2F..%2Fother%2Fsecret.ts",
        "//evil.example/x%2f..%2fsecret.ts#a",
    ],
)
def test_no_key_outside_the_recording_is_ever_signed(uri: str) -> None:
    keys: list[str] = []

    def keep(key: str) -> str:
        keys.append(key)
        return key

    signed_playlist(f"#EXTM3U\n#EXTINF:1\n{uri}\n#EXTINF:1\n..\n#EXTINF:1\na/\n", keep, BASE)
    assert keys == [f"{BASE}secret.ts"]


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        (
            '#EXT-X-MAP:URI="init.mp4",BYTERANGE="9@0"',
            f'#EXT-X-MAP:URI="{sign(BASE + "init.mp4")}",BYTERANGE="9@0"',
        ),
        ("#EXT-X-MAP:URI=init.mp4", f'#EXT-X-MAP:URI="{sign(BASE + "init.mp4")}"'),
        (
            '#EXT-X-KEY:METHOD=AES-128,URI="https://evil.example/a%2Fkey"',
            f'#EXT-X-KEY:METHOD=AES-128,URI="{sign(BASE + "key")}"',
        ),
        ("#EXT-X-KEY:METHOD=NONE", "#EXT-X-KEY:METHOD=NONE"),
        ('#EXT-X-KEY:METHOD=AES-128,URI=".."', ""),
        ('#EXT-X-KEY:METHOD=AES-128,URI="https://evil.example/', ""),
        ('#EXT-X-DATERANGE:ID="a",X-ASSET-LIST="https://evil.example/a.json"', ""),
        ('#EXT-X-DATERANGE:ID="a",X-ASSET-URI="//evil.example/a"', None),
        ("#EXT-X-NEW:1\rhttps://evil.example/a.ts", ""),
        ("#EXT-X-NEW:1\u2028https://evil.example/a.ts", ""),
        ("#EXT-X-START:TIME-OFFSET=0\x0bhttps://evil.example/a.ts", ""),
    ],
)
def test_tags_lead_nowhere_but_to_files_of_the_recording(tag: str, written: str | None) -> None:
    text = signed_playlist(f"#EXTM3U\n{tag}\n#EXTINF:1\na.ts\n", sign, BASE)
    assert "evil" not in text
    tags = [line for line in text.splitlines()[4:] if line.startswith(("#EXT-X-K", "#EXT-X-MAP"))]
    if written is not None:
        assert tags == ([written] if written.startswith(("#EXT-X-K", "#EXT-X-MAP")) else [])


def test_a_key_and_a_map_hold_for_the_slices_after_one_that_is_left_out() -> None:
    tags = ['#EXT-X-MAP:URI="one.mp4"', "#EXT-X-BITRATE:9"]
    first, second, third = names(f"{SID}_room", 3)
    lines = ["#EXTM3U", *tags]
    for name in (first, second, third):
        lines += ["#EXTINF:15", name]
    text = signed_playlist("\n".join(lines), sign, BASE, missing={first}, to_ms=START_MS + 30_000)
    assert text.splitlines()[4:] == [
        "#EXT-X-DISCONTINUITY",
        f'#EXT-X-MAP:URI="{sign(BASE + "one.mp4")}"',
        "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:15.000Z",
        "#EXTINF:15.000,",
        signed(second),
        "#EXT-X-ENDLIST",
    ]


def test_a_track_larger_than_the_allowance_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agora_recording.files.playback.Allowance", lambda: Allowance(lines=1000))
    assert len(join([index(count=400)]).segments) == 400
    with pytest.raises(PlaylistTooLargeError):
        join([index(count=400), index(count=400)])


def test_a_missing_slice_is_left_out_and_the_break_is_marked() -> None:
    first, second, third = names(f"{SID}_room", 3)
    text = signed_playlist(index(count=3), sign, BASE, missing={second})
    assert second not in text
    clock = "#EXT-X-PROGRAM-DATE-TIME:2026-01-31T12:00:30.000Z\n"
    assert f"#EXT-X-DISCONTINUITY\n{clock}#EXTINF:15.019,\n{signed(third)}\n" in text
    assert signed(first) in text


def test_a_slice_without_a_duration_is_left_out() -> None:
    text = signed_playlist("#EXTM3U\n#EXTINF:x\na.ts\nb.ts\n#EXTINF:1\nc.ts\n", sign, BASE)
    assert [line for line in text.splitlines() if line.startswith("https")] == [signed("c.ts")]


def test_a_window_holds_the_slices_that_overlap_it() -> None:
    all_names = names(f"{SID}_room", 10)
    text = signed_playlist(
        index(count=10), sign, BASE, from_ms=START_MS + 31_000, to_ms=START_MS + 60_000
    )
    assert [line for line in text.splitlines() if line.startswith("https")] == [
        signed(name) for name in all_names[2:4]
    ]
    assert "#EXT-X-MEDIA-SEQUENCE:2\n" in text
    assert text.endswith("#EXT-X-ENDLIST\n")


def test_windows_side_by_side_hold_every_slice() -> None:
    whole = index(count=40)
    seen: list[str] = []
    for minute in range(10):
        at_ms = START_MS + 60_000 * minute
        text = signed_playlist(whole, sign, BASE, from_ms=at_ms, to_ms=at_ms + 60_000)
        seen += [line for line in text.splitlines() if line.startswith("https")]
    assert list(dict.fromkeys(seen)) == [signed(name) for name in names(f"{SID}_room", 40)]


def test_a_window_beside_the_recording_is_an_empty_list() -> None:
    text = signed_playlist(index(), sign, BASE, to_ms=START_MS)
    assert text.splitlines()[-1] == "#EXT-X-ENDLIST"
    assert "https" not in text


def test_what_does_not_fit_an_answer_is_refused_before_all_is_signed() -> None:
    calls: list[str] = []

    def long(key: str) -> str:
        calls.append(key)
        return "https://" + "x" * 500

    with pytest.raises(PlaylistTooLargeError, match="window"):
        signed_playlist(index(count=239), long, BASE, max_bytes=50_000)
    assert len(calls) < 100


def test_joined_lists_play_in_turn_with_a_discontinuity_between() -> None:
    base = index(end=False)
    bak = index(f"bak0_{SID}_room", 1, second=60)
    joined = join([base, bak])
    assert [one.uri for one in joined.segments] == [
        *names(f"{SID}_room", 2),
        *names(f"bak0_{SID}_room", 1, second=60),
    ]
    assert [one.discontinuity for one in joined.segments] == [False, False, True]
    text = signed_playlist(joined, sign, BASE)
    assert text.count("#EXTM3U") == text.count("#EXT-X-ALLOW-CACHE") == 1
    assert text.endswith("#EXT-X-ENDLIST\n")


def test_joined_lists_are_as_open_as_the_last() -> None:
    assert not join([index(), index(f"bak0_{SID}_room", end=False)]).closed
    assert not join([]).closed


def test_joining_marks_a_break_once() -> None:
    marked = index(second=60).replace("#EXTINF", "#EXT-X-DISCONTINUITY\n#EXTINF", 1)
    text = signed_playlist(join([index(), marked]), sign, BASE)
    assert text.count("#EXT-X-DISCONTINUITY") == 1


def test_an_empty_list_between_others_joins_them_without_a_trace() -> None:
    empty = "#EXTM3U\n#EXT-X-ENDLIST\n"
    assert join([empty, index(), empty]).segments == join([index()]).segments


# --- seams ---


def test_what_two_recorders_recorded_at_once_is_played_once_from_the_later() -> None:
    one = index(count=10)  # until second 150
    two = index("f" * 32 + "_room", 10, second=97)
    joined = join([one, two])
    # The slice from 90 to 105 has its middle after 97: the other recorder has it.
    assert [each.uri for each in joined.segments] == [
        *names(f"{SID}_room", 6),
        *names("f" * 32 + "_room", 10, second=97),
    ]
    assert sum(each.discontinuity for each in joined.segments) == 1


def test_nothing_is_lost_when_the_later_recorder_ends_first() -> None:
    one = index(count=10)
    two = index("f" * 32 + "_room", 2, second=60)
    joined = join([one, two])
    starts = [each.start_ms for each in joined.segments]
    assert starts == [START_MS + 15_000 * n for n in range(10)]
    assert [each.discontinuity for each in joined.segments] == [
        number in (4, 6) for number in range(10)
    ]


def test_a_list_that_grows_never_takes_back_what_its_successor_covers() -> None:
    two = index("f" * 32 + "_room", 2, second=60, end=False)
    before = join([index(count=5, end=False), two], growing=True)
    after = join([index(count=9, end=False), two], growing=True)
    assert before.segments == after.segments


def test_a_slice_of_unknown_time_is_kept_in_its_place() -> None:
    plain = "#EXTM3U\n#EXTINF:5\na.ts\n#EXTINF:5\nb.ts\n"
    joined = join([index(), plain, index("f" * 32 + "_room", 1, second=60)])
    assert [each.uri for each in joined.segments][2:4] == ["a.ts", "b.ts"]


def test_every_slice_tells_its_date_and_time_and_of_many_some_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = index(count=250)
    assert signed_playlist(whole, sign, BASE).count("#EXT-X-PROGRAM-DATE-TIME") == 250
    monkeypatch.setattr("agora_recording.files.playback.MANY_SLICES", 200)
    text = signed_playlist(join([whole, index(f"bak0_{SID}_room", 1, second=9000)]), sign, BASE)
    assert text.count("#EXT-X-PROGRAM-DATE-TIME") == 4  # 0, 100, 200, and after the seam


LISTS = st.lists(
    st.builds(
        index,
        st.sampled_from([f"{SID}_room", f"bak0_{SID}_room"]),
        st.integers(0, 9),
        st.integers(0, 300),
        st.booleans(),
    ),
    max_size=4,
)


@given(LISTS, st.booleans())
def test_a_joined_list_plays_in_order_of_time_and_nothing_twice(
    texts: list[str], growing: bool
) -> None:
    joined = join(texts, growing=growing)
    starts = [each.start_ms or 0 for each in joined.segments]
    assert all(b - a > 15_019 // 2 - 1 for a, b in pairwise(starts))


@given(LISTS)
def test_a_joined_list_lasts_as_long_as_there_is_media(texts: list[str]) -> None:
    given_s = {
        at
        for text in texts
        for each in parse(text).segments
        for at in range((each.start_ms or 0) // 1000, (each.start_ms or 0) // 1000 + 15)
    }
    lasting_s = sum(each.duration_ms for each in join(texts).segments) / 1000
    # Where two recorders meet, half a slice may be lost or heard twice: at each end of a list.
    assert abs(lasting_s - len(given_s)) <= 7.6 * 2 * len(texts) + 0.02 * 40


@given(LISTS)
def test_signing_a_joined_list_changes_nothing_but_addresses(texts: list[str]) -> None:
    wanted = [(each.uri, each.discontinuity) for each in join(texts).segments]
    plain = parse(signed_playlist(join(texts), str, "", growing=True))
    assert [(each.uri, each.discontinuity) for each in plain.segments] == wanted


@given(st.binary())
def test_whatever_is_signed_comes_out_as_a_list(data: bytes) -> None:
    text = signed_playlist(data, sign, BASE)
    assert text.startswith("#EXTM3U\n")
    assert "cut" not in {defect.code for defect in parse(text).defects}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.m3u8", "application/x-mpegURL"),
        ("a.ts", "video/MP2T"),
        ("a.TS", "video/MP2T"),
        ("a.webm", "video/webm"),
        ("a.mp4", "video/mp4"),
        ("a.mpd", "application/dash+xml"),
        ("a.jpg", "image/jpeg"),
        ("a.mp3", "audio/mpeg"),
        ("a.m4a", "audio/mp4"),
        ("a.aac", "audio/aac"),
        ("manifest.json", "application/json"),
        ("a", "application/octet-stream"),
        ("a.exe", "application/octet-stream"),
    ],
)
def test_files_are_served_as_what_they_are(name: str, kind: str) -> None:
    assert content_type(name) == kind

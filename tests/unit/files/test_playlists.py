"""Agora's indexes, whole and damaged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.files import playlists
from agora_recording.files.allowance import Allowance
from agora_recording.files.playlists import Playlist, parse

SID = "0123456789abcdef0123456789abcdef"
STEM = f"{SID}_room1__uid_s_123__uid_e_video_"
FIRST_MS = 1_568_983_902_485

INDEX = f"""#EXTM3U
#EXT-X-VERSION:3
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-ALLOW-CACHE:YES
#EXT-X-TARGETDURATION:18
#EXT-X-DISCONTINUITY
#EXT-X-AGORA-ROTATE:WIDTH=640,HEIGHT=480,ROTATE=90,TIME=20190920125142485
#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=20190920125142485
#EXTINF:6.332000
{STEM}20190920125142485.ts
#EXT-X-AGORA-ROTATE:WIDTH=1280,HEIGHT=720,ROTATE=0,TIME=1568983908817
#EXTINF:17.442000
{STEM}20190920125148817.ts
#EXT-X-ENDLIST
"""


def codes(playlist: Playlist) -> set[str]:
    return {defect.code for defect in playlist.defects}


def index(*body: str) -> str:
    return "\n".join(["#EXTM3U", *body]) + "\n"


def test_an_index_of_agora_is_read_whole() -> None:
    playlist = parse(INDEX)
    assert [(one.uri, one.duration_ms, one.start_ms) for one in playlist.segments] == [
        (f"{STEM}20190920125142485.ts", 6332, FIRST_MS),
        (f"{STEM}20190920125148817.ts", 17442, FIRST_MS + 6332),
    ]
    assert [one.discontinuity for one in playlist.segments] == [True, False]
    assert playlist.closed
    assert playlist.media == {"VIDEO"}
    assert playlist.defects == []
    assert playlist.header == [
        "#EXT-X-VERSION:3",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-ALLOW-CACHE:YES",
        "#EXT-X-TARGETDURATION:18",
    ]


@pytest.mark.parametrize(
    "text",
    [
        INDEX.encode(),
        INDEX.replace("\n", "\r\n"),
        "\ufeff" + INDEX,
        b"\xef\xbb\xbf" + INDEX.encode(),
        INDEX.replace("000\n", "000,\n"),
        INDEX.replace("000\n", "000,a title\n"),
        INDEX.rstrip("\n"),
        INDEX.replace("\n", "\n\n"),
        INDEX.replace("\n", "  \n"),
    ],
    ids=["bytes", "crlf", "mark", "marked bytes", "comma", "title", "bare end", "blank", "padded"],
)
def test_the_outer_form_makes_no_difference(text: bytes | str) -> None:
    assert parse(text) == parse(INDEX)


@pytest.mark.parametrize("time", ["20190920125142485", "1568983902485"])
def test_a_track_event_places_a_slice_whose_name_does_not(time: str) -> None:
    event = f"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO,TIME={time}"
    playlist = parse(index(event, "#EXTINF:2.5", "a.ts", "#EXTINF:2.5", "b.ts"))
    assert [one.start_ms for one in playlist.segments] == [FIRST_MS, FIRST_MS + 2500]
    assert playlist.media == {"AUDIO"}


def test_nothing_places_a_slice_behind_a_discontinuity_but_its_own_name() -> None:
    playlist = parse(
        index(
            "#EXTINF:2.5",
            f"{STEM}20190920125142485.ts",
            "#EXT-X-DISCONTINUITY",
            "#EXTINF:2.5",
            "b.ts",
        )
    )
    assert [one.start_ms for one in playlist.segments] == [FIRST_MS, None]


def test_a_growing_index_is_open_and_sound() -> None:
    playlist = parse(INDEX.replace("#EXT-X-ENDLIST\n", ""))
    assert not playlist.closed
    assert playlist.defects == []


def test_every_tag_before_a_slice_is_kept_with_it() -> None:
    playlist = parse(index("#EXT-X-NEW:1", "# words", "#EXTINF:1", "a.ts", "#EXTINF:1", "b.ts"))
    assert [one.tags for one in playlist.segments] == [("#EXT-X-NEW:1", "# words"), ()]


@pytest.mark.parametrize(
    ("text", "code", "segments"),
    [
        ("", "no_header", 0),
        ("#EXTINF:1\na.ts\n", "no_header", 1),
        (index("hello world"), "garbage", 0),
        (index("#EXTINF:1", "x" * 1025), "garbage", 0),
        (index("#EXTINF:fifteen", "a.ts"), "bad_duration", 1),
        (index("#EXTINF:-1", "a.ts"), "bad_duration", 1),
        (index("#EXTINF:nan", "a.ts"), "bad_duration", 1),
        (index("#EXTINF:inf", "a.ts"), "bad_duration", 1),
        (index("#EXTINF:", "a.ts"), "bad_duration", 1),
        (index("a.ts"), "no_duration", 1),
        (index("#EXTINF:1", "a\x00b.ts"), "not_text", 0),
        (index("#EXTINF:1").encode() + b"\xff\xfe.ts\n", "not_text", 0),
        (index("#EXT-X-AGORA-ROTATE:WIDTH=,HEIGHT=2"), "bad_tag", 0),
        (index("#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TIME=soon"), "bad_tag", 0),
        (index("#EXTINF:1"), "cut", 0),
        (index() + "#EXTINF:1.0", "cut", 0),
        (index() + "#EXTINF:1.0\na_2019", "cut", 0),
        (index() + "#EXTINF:1.0\na.ts\n#EXT-X-ENDL", "cut", 1),
    ],
)
def test_damage_is_a_defect_and_the_rest_is_read(
    text: bytes | str, code: str, segments: int
) -> None:
    playlist = parse(text)
    assert code in codes(playlist)
    assert len(playlist.segments) == segments


def test_a_defect_tells_how_often_and_where_first() -> None:
    (defect,) = parse(index("#EXTINF:x", "a.ts", "#EXTINF:y", "b.ts")).defects
    assert (defect.code, defect.count, defect.line) == ("bad_duration", 2, 2)


def test_a_last_slice_without_a_newline_is_whole_when_its_ending_is() -> None:
    playlist = parse(index() + "#EXTINF:1.0\na.ts")
    assert [one.uri for one in playlist.segments] == ["a.ts"]
    assert playlist.defects == []


def test_a_master_playlist_names_other_indexes_and_no_slice() -> None:
    playlist = parse(
        index(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a,b",NAME="a",URI="sound, one.m3u8"',
            '#EXT-X-STREAM-INF:BANDWIDTH=100000,AUDIO="a,b"',
            "picture.m3u8",
        ).rstrip()
    )
    assert playlist.variants == ["sound, one.m3u8", "picture.m3u8"]
    assert (playlist.segments, playlist.defects) == ([], [])


def test_a_master_playlist_cut_before_its_variant_is_damaged() -> None:
    assert codes(parse(index("#EXT-X-STREAM-INF:BANDWIDTH=100000"))) == {"cut"}


@pytest.mark.parametrize("length", range(0, len(INDEX), 7))
def test_an_index_cut_anywhere_is_read_up_to_the_cut(length: int) -> None:
    whole, playlist = parse(INDEX), parse(INDEX[:length])
    assert not playlist.closed
    read = [one.uri for one in playlist.segments]
    assert read == [one.uri for one in whole.segments][: len(read)]


@given(
    st.lists(st.sampled_from(INDEX.splitlines(keepends=True)) | st.binary(max_size=20).map(repr)),
    st.integers(1, 40),
    st.booleans(),
)
def test_an_index_says_the_same_in_pieces_of_any_size(
    lines: list[str], size: int, is_marked: bool
) -> None:
    data = ("\ufeff" * is_marked + "".join(lines)).encode()
    pieces = [data[first : first + size] for first in range(0, len(data), size)]
    assert parse(pieces) == parse(data)


def test_an_index_in_pieces_larger_than_a_block_is_read_whole() -> None:
    entries = "".join(f"#EXTINF:1\n{number}.ts\n" for number in range(20_000))
    playlist = parse(f"#EXTM3U\n{entries}#EXT-X-ENDLIST")
    assert [one.uri for one in playlist.segments] == [f"{number}.ts" for number in range(20_000)]
    assert (playlist.closed, playlist.defects) == (True, [])


@pytest.mark.parametrize("start", ["", "#EXTINF:", "#EXT-X-NEW:", "x"])
def test_a_line_that_never_ends_is_not_kept(start: str) -> None:
    allowance = Allowance()
    text = f"#EXTM3U\n{start}{'9' * 1_000_000}\n#EXTINF:1\na.ts\n".encode()
    playlist = parse([text[at : at + 1000] for at in range(0, len(text), 1000)], allowance)
    assert [one.uri for one in playlist.segments] == ["a.ts"]
    assert codes(playlist) & {"garbage", "bad_duration", "bad_tag"}
    assert sum(map(len, playlist.segments[0].tags)) < 10_000


@pytest.mark.parametrize(
    ("allowance", "most"),
    [(Allowance(lines=1000), 20_000), (Allowance(indexes=1_000_000), 20_000)],
    ids=["lines", "bytes"],
)
def test_an_index_is_read_as_far_as_the_allowance_goes(allowance: Allowance, most: int) -> None:
    text = "#EXTM3U\n" + "".join(f"#EXTINF:1\n{number:0100}.ts\n" for number in range(100_000))
    playlist = parse(text, allowance)
    assert playlist.too_large
    assert 0 < len(playlist.segments) < most
    assert "cut" not in codes(playlist)
    assert allowance.is_spent


def test_the_addresses_of_maps_and_keys_are_told() -> None:
    playlist = parse(index('#EXT-X-MAP:URI="a.mp4"', '#EXT-X-KEY:METHOD=AES-128,URI="b"'))
    assert playlist.resources == ["a.mp4", "b"]


@given(st.binary() | st.text())
def test_no_bytes_whatever_break_the_reader(text: bytes | str) -> None:
    playlist = parse(text)
    assert "no_header" in codes(playlist) or "#EXTM3U" in str(text)


_LINES = [
    b"#EXTM3U",
    b"#EXTINF:",
    b"#EXTINF:1e309",
    b"#EXTINF:999999.9",
    b"#EXT-X-AGORA-ROTATE:WIDTH=1,HEIGHT=1,ROTATE=" + b"9" * 5000,
    b"#EXT-X-AGORA-TRACK-EVENT:TIME=9999999999999",
    b"#EXT-X-ENDLIST",
    b"#EXT-X-DISCONTINUITY",
    b"x_99991231235959999.ts",
    b"x_00010101000000000.ts",
    b"\xff\x00",
    b"../../etc/passwd",
    b"",
]


@given(st.lists(st.sampled_from(_LINES)), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_no_order_of_hostile_lines_breaks_the_reader(lines: list[bytes], end: bytes) -> None:
    playlist = parse(end.join(lines))
    assert all(one.duration_ms >= 0 for one in playlist.segments)


def test_the_file_that_a_uri_means_lies_beside_the_index() -> None:
    assert playlists.file_name("a_b.ts") == "a_b.ts"
    assert playlists.file_name("recordings/X/a.ts") == "a.ts"
    assert playlists.file_name("https://host/path/a%20b.ts?X-Amz-Signature=1") == "a b.ts"
    assert playlists.file_name("sid_what?.ts") == "sid_what?.ts"


@given(st.text() | st.text().map("https://host/{}".format) | st.text().map("//host/%2F{}".format))
def test_the_file_that_a_uri_means_is_never_in_a_folder(uri: str) -> None:
    assert "/" not in playlists.file_name(uri)

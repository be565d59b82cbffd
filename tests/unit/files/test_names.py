"""The grammar of Agora's file names, mode by mode."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.files import names
from agora_recording.files.names import FileName, parse

SID = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
VIDEO_MS = 1_568_983_902_485  # 20190920125142485

# Of raw mode: what stands before the sid and behind the uid, and what that says.
RAW: list[tuple[str, str, dict[str, Any]]] = [
    ("", "h264.m3u8", {"kind": "playlist", "codec": "h264"}),
    ("bak0_", "h265.m3u8", {"kind": "playlist", "codec": "h265", "bak": 0}),
    (
        "",
        "av1_22194679897_3.m3u8",
        {"kind": "playlist", "codec": "av1", "tick": 22194679897, "index": 3},
    ),
    (
        "",
        "20190920125142485_h264.ts",
        {"kind": "segment", "codec": "h264", "start_ms": VIDEO_MS},
    ),
    ("", "vp8.mpd", {"kind": "mpd", "codec": "vp8"}),
    ("", "0_12_vp9.webm", {"kind": "dash_segment", "codec": "vp9", "index": 12}),
    (
        "bak1_",
        "1_0_vp8.webm",
        {"kind": "dash_segment", "codec": "vp8", "index": 0, "bak": 1},
    ),
    ("", "1_h265.mp4", {"kind": "mp4", "codec": "h265", "index": 1}),
    ("", "20190920125142485.jpg", {"kind": "snapshot", "start_ms": VIDEO_MS}),
    ("", "0.mp3", {"kind": "audio", "index": 0}),
    ("", "2_aac.mp3", {"kind": "audio", "codec": "aac", "index": 2}),
    ("", "20190920125142485.mp3", {"kind": "audio", "start_ms": VIDEO_MS}),
]
# The published and observed examples, and what each says beside its sid.
EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    (f"{SID}_room1.m3u8", {"kind": "playlist", "cname": "room1"}),
    (f"{SID}_room_1_0.mp4", {"kind": "mp4", "cname": "room_1", "index": 0}),
    (f"{SID}_room_1.m3u8", {"kind": "playlist", "cname": "room_1"}),
    (
        f"{SID}_room1_20190611073246073.ts",
        {"kind": "segment", "cname": "room1", "start_ms": 1_560_238_366_073},
    ),
    (f"bak0_{SID}_room1.m3u8", {"kind": "playlist", "cname": "room1", "bak": 0}),
    (
        f"{SID}_room1__uid_s_123__uid_e_video_20190920125142485.ts",
        {
            "kind": "segment",
            "cname": "room1",
            "uid": "123",
            "track": "video",
            "start_ms": VIDEO_MS,
        },
    ),
    (
        f"{SID}_room1__uid_s_123__uid_e_video_22194679897_3.m3u8",
        {
            "kind": "playlist",
            "cname": "room1",
            "uid": "123",
            "track": "video",
            "tick": 22194679897,
            "index": 3,
        },
    ),
    (
        f"{SID}_room1__uid_s_123__uid_e_av.m3u8",
        {"kind": "playlist", "cname": "room1", "uid": "123", "track": "av"},
    ),
    (
        f"{SID}_room1__uid_s_9__uid_e_video_20190920125142485.jpg",
        {
            "kind": "snapshot",
            "cname": "room1",
            "uid": "9",
            "track": "video",
            "start_ms": VIDEO_MS,
        },
    ),
    (
        f"bak2_{SID}_room1__uid_s_7__uid_e_video_20190920125142485.webm",
        {
            "kind": "segment",
            "cname": "room1",
            "uid": "7",
            "track": "video",
            "bak": 2,
            "start_ms": VIDEO_MS,
        },
    ),
    (
        f"{SID}_room1__uid_s_123__uid_e_av.mpd",
        {"kind": "mpd", "cname": "room1", "uid": "123", "track": "av"},
    ),
    (
        f"{SID}_room1__uid_s_123__uid_e_av.mp4",
        {"kind": "mp4", "cname": "room1", "uid": "123", "track": "av"},
    ),
    (
        f"{SID}_room1__uid_s_123__uid_e_0.mp4",
        {"kind": "mp4", "cname": "room1", "uid": "123", "index": 0},
    ),
    (f"{SID}_room1_0.mp3", {"kind": "audio", "cname": "room1", "index": 0}),
    (f"{SID}_room1_1.m4a", {"kind": "audio", "cname": "room1", "index": 1}),
    (f"{SID}_room1_0.aac", {"kind": "audio", "cname": "room1", "index": 0}),
    (f"bak1_{SID}_room1_12.mp4", {"kind": "mp4", "cname": "room1", "bak": 1, "index": 12}),
    *(
        (f"{head}{SID}_room1__uid_s_7__uid_e_{tail}", {"cname": "room1", "uid": "7", **fields})
        for head, tail, fields in RAW
    ),
]


def expected(name: str, fields: dict[str, Any]) -> FileName:
    return FileName(**{"sid": SID, **fields})


@pytest.mark.parametrize(("name", "fields"), EXAMPLES)
def test_each_example_is_read_without_knowing_its_channel(
    name: str, fields: dict[str, Any]
) -> None:
    assert parse(name) == expected(name, fields)


@pytest.mark.parametrize(("name", "fields"), EXAMPLES)
def test_each_example_is_read_when_its_channel_is_known(name: str, fields: dict[str, Any]) -> None:
    assert parse(name, fields["cname"], [SID]) == expected(name, fields)


@pytest.mark.parametrize(
    "cname",
    ["room_20190611073246073", "a__uid_s_5__uid_e_audio", "x_12345678_1", "bak0_y", "r.m3u8", "_"],
)
def test_a_known_channel_may_look_like_the_rest_of_the_grammar(cname: str) -> None:
    for tail, kind in [("", "playlist"), ("_12345678901_4", "playlist")]:
        found = parse(f"{SID}_{cname}{tail}.m3u8", cname, [SID])
        assert found is not None
        assert (found.kind, found.cname, found.uid) == (kind, cname, None)
        assert found.index == (4 if tail else None)


def test_a_tick_of_any_length_is_read_behind_a_known_channel() -> None:
    found = parse(f"{SID}_room_5_12.m3u8", "room", [SID])
    assert found is not None
    assert (found.cname, found.tick, found.index) == ("room", 5, 12)


@pytest.mark.parametrize(
    ("cname", "spelled"),
    [
        ("daily_stand.up", "daily-stand-up"),
        ("a!@#$%^&*()+_.=[]{}~|,;:?<>b", "a--------------------------b"),
        ("mixed_one", "mixed_one"),
        ("half_way.done", "half_way-done"),
    ],
)
def test_web_mode_writes_dashes_for_special_characters(cname: str, spelled: str) -> None:
    found = parse(f"{SID}_{spelled}_20190920125142485.ts", cname, [SID])
    assert found is not None
    assert (found.kind, found.cname, found.start_ms) == ("segment", spelled, VIDEO_MS)


def test_a_known_sid_need_not_be_hexadecimal() -> None:
    name = "sid713476478245_cnameagora__uid_s_123__uid_e_video_20190920125142485.ts"
    assert parse(name) is None
    found = parse(name, "cnameagora", ["sid713476478245"])
    assert found is not None
    assert (found.sid, found.uid) == ("sid713476478245", "123")


def test_a_foreign_sid_is_read_too_and_kept_apart() -> None:
    found = parse(f"{OTHER}_room1.m3u8", "room1", [SID])
    assert found is not None
    assert found.sid == OTHER


@pytest.mark.parametrize(
    "name",
    [
        "",
        "bak",
        "bak0_",
        "manifest.json",
        "notes.txt",
        f"{SID}",
        f"{SID}_",
        f"{SID}_.m3u8",
        f"{SID.upper()}_room1.m3u8",
        f"{SID}_room1",
        f"{SID}_room1.ts",
        f"{SID}_room1_2019061107324607.ts",
        f"{SID}_room1_20191311073246073.ts",
        f"{SID}_room1_20190611246046073.ts",
        f"{SID}_room1_20190611073260000.ts",
        f"{SID}_room1_\u0662\u0660190611073246073.ts",  # Arabic digits are digits to Python
        f"{SID}_room1.m3u8.tmp",
        f"x{SID}_room1.m3u8",
        f"bakx_{SID}_room1.m3u8",
    ],
)
def test_what_is_no_name_of_agora_is_not_read(name: str) -> None:
    assert parse(name, "room1", [SID]) is None


@given(st.text(), st.text() | st.none())
def test_no_text_whatever_breaks_the_grammar(name: str, cname: str | None) -> None:
    found = parse(name, cname, [SID])
    assert found is None or found.kind == names._KINDS[name.rpartition(".")[2]]


@given(
    cname=st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=64),
    bak=st.none() | st.integers(0, 99),
    uid=st.none() | st.integers(1, 2**32 - 1),
    ext=st.sampled_from(["ts", "webm", "jpg"]),
    start=st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1)),
)
def test_what_is_written_into_a_name_is_read_out_of_it(
    cname: str, bak: int | None, uid: int | None, ext: str, start: datetime
) -> None:
    start = start.replace(microsecond=start.microsecond // 1000 * 1000, tzinfo=UTC)
    prefix = "" if bak is None else f"bak{bak}_"
    stream = "" if uid is None else f"__uid_s_{uid}__uid_e_video"
    name = f"{prefix}{SID}_{cname}{stream}_{start:%Y%m%d%H%M%S%f}"[:-3] + f".{ext}"
    found = parse(name, cname, [SID])
    assert found is not None
    assert (found.cname, found.bak) == (cname, bak)
    assert found.uid == (None if uid is None else str(uid))
    assert found.start_ms == (start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert names.start_ms(name) == found.start_ms


def test_the_quick_way_to_a_start_reads_only_names_that_end_in_a_time() -> None:
    assert names.start_ms("20190611073246073.ts") is None
    assert names.start_ms("a_20190611073246073.anything") == 1_560_238_366_073
    assert names.start_ms("a-20190611073246073.ts") is None
    assert names.start_ms("") is None


@pytest.mark.parametrize(
    "tail",
    [
        "h264.webm",
        "0_1_vp8.mpd",
        "0_1_h264.m3u8",
        "vp8_1_2.webm",
        "20199920125142485_h264.ts",
        "h266.m3u8",
        "0_vp8.webm",
    ],
)
def test_what_raw_mode_does_not_write_is_no_name_of_its(tail: str) -> None:
    found = parse(f"{SID}_room1__uid_s_7__uid_e_{tail}", "room1", [SID])
    assert found is None or found.codec is None


def test_a_slice_of_raw_mode_belongs_to_a_series() -> None:
    stem = f"{SID}_room1__uid_s_7__uid_e"
    name = f"{stem}_20190920125142485_h264.ts"
    assert names.series_of(name) == f"{stem}__h264.ts"
    assert names.start_ms(name) == VIDEO_MS
    assert names.stem_of(name) == stem


def test_a_dash_slice_is_known_by_its_number() -> None:
    stem = f"{SID}_room1__uid_s_7__uid_e_0"
    assert names.stem_of(f"{stem}_12_vp8.webm") == stem
    assert names.with_number(f"{stem}_12_vp8.webm", 3) == f"{stem}_3_vp8.webm"

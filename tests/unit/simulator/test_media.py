"""Media: what a player needs to be right, read back by an independent reader."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.agora import media
from local.agora.files import Names, PlaylistStyle, Slice, Track, playlist, utc17


class _Stream:
    """A transport stream, taken apart."""

    def __init__(self, data: bytes) -> None:
        assert len(data) % 188 == 0
        self.counters: dict[int, list[int]] = defaultdict(list)
        self.pts: dict[int, list[int]] = defaultdict(list)
        self.pcr: list[int] = []
        self.payload: dict[int, bytearray] = defaultdict(bytearray)
        for at in range(0, len(data), 188):
            self._packet(data[at : at + 188])

    def _packet(self, packet: bytes) -> None:
        sync, flags, control = struct.unpack(">BHB", packet[:4])
        assert sync == 0x47
        pid, start = flags & 0x1FFF, bool(flags & 0x4000)
        self.counters[pid].append(control & 15)
        payload = packet[4:]
        if control & 0x20:
            length = payload[0]
            if length and payload[1] & 0x10:
                base = struct.unpack(">IB", payload[2:7])
                self.pcr.append(base[0] << 1 | base[1] >> 7)
            payload = payload[1 + length :]
        if pid in (0, 0x1000):
            self.payload[pid] = bytearray(payload)
        elif start:
            assert payload[:3] == b"\x00\x00\x01"
            stamp = payload[9:14]
            pts = (stamp[0] >> 1 & 7) << 30 | stamp[1] << 22 | (stamp[2] >> 1) << 15
            self.pts[pid].append(pts | stamp[3] << 7 | stamp[4] >> 1)
            self.payload[pid] += payload[9 + payload[8] :]
        else:
            self.payload[pid] += payload


VIDEO, AUDIO = 0x100, 0x101


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=5))
def test_slices_follow_each_other_without_gap_or_jump(lengths: list[int]) -> None:
    counters = media.Counters()
    streams, at = [], 0
    for length in lengths:
        streams.append(_Stream(media.ts_slice(at, at + length, counters=counters)))
        at += length

    starts = [stream.pts[VIDEO][0] for stream in streams]
    edges = [90 * sum(lengths[:n]) for n in range(len(lengths))]
    assert [start - starts[0] for start in starts] == edges
    sounds = [pts for stream in streams for pts in stream.pts[AUDIO]]
    assert all(b - a == media.AAC_TICKS for a, b in pairwise(sounds))
    for pid in (0, 0x1000, VIDEO, AUDIO):
        seen = [count for stream in streams for count in stream.counters[pid]]
        assert all((b - a) % 16 == 1 for a, b in pairwise(seen))
    assert all(
        pcr < pts
        for stream in streams
        for pcr, pts in zip(stream.pcr, stream.pts[VIDEO], strict=True)
    )


@given(st.integers(0, 10**9), st.integers(1, 60_000))
def test_pictures_fill_their_stretch_exactly(start_ms: int, length_ms: int) -> None:
    start, end = start_ms * 90, (start_ms + length_ms) * 90
    shots = media.pictures(start, end)

    assert shots[0].pts == start
    assert shots[0].key
    assert sum(shot.ticks for shot in shots) == end - start
    assert all(a.pts + a.ticks == b.pts for a, b in pairwise(shots))
    assert abs(len(shots) - length_ms * media.FPS / 1000) <= 1


def test_every_slice_begins_with_a_key_frame_and_its_parameters() -> None:
    stream = _Stream(media.ts_slice(7_000, 8_000))
    units = bytes(stream.payload[VIDEO]).split(b"\x00\x00\x01")[1:6]

    assert [unit[0] & 31 for unit in units][:4] == [9, 7, 8, 5]


def test_tables_carry_a_right_checksum() -> None:
    stream = _Stream(media.ts_slice(0, 100))
    for pid in (0, 0x1000):
        section = bytes(stream.payload[pid])[1:]
        length = struct.unpack(">H", section[1:3])[0] & 0xFFF
        whole = section[: 3 + length]
        assert media._crc32(whole) == 0  # a section with its own checksum leaves nothing


@pytest.mark.parametrize(("video", "audio"), [(True, False), (False, True)])
def test_a_track_of_one_kind_holds_only_that(video: bool, audio: bool) -> None:
    stream = _Stream(media.ts_slice(0, 1000, video=video, audio=audio))

    assert bool(stream.pts[VIDEO]) == video
    assert bool(stream.pts[AUDIO]) == audio
    assert stream.pcr


def test_a_slice_of_one_millisecond_is_still_a_picture() -> None:
    assert len(_Stream(media.ts_slice(0, 1)).pts[VIDEO]) == 1


# --- MP4 ----------------------------------------------------------------------------------------


def _boxes(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    end = len(data) if end is None else end
    while at < end:
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        yield kind, at + 8, at + size
        at += size
    assert at == end


def _inside(data: bytes, *path: bytes) -> list[bytes]:
    found = [(0, len(data))]
    for name in path:
        found = [
            (inner, stop)
            for at, end in found
            for kind, inner, stop in _boxes(data, at, end)
            if kind == name
        ]
    return [data[at:end] for at, end in found]


def _numbers(table: bytes, columns: int) -> list[tuple[int, ...]]:
    return list(struct.iter_unpack(f">{columns}I", table[8:]))


def test_the_index_of_an_mp4_lies_in_front_and_points_at_its_samples() -> None:
    data = media.mp4(0, 4_300)

    assert [kind for kind, _, _ in _boxes(data)] == [b"ftyp", b"moov", b"mdat"]
    ((_, _, _), (_, _, _), (_, first, last)) = _boxes(data)
    table = partial(_inside, data, b"moov", b"trak", b"mdia", b"minf", b"stbl")
    covered = 0
    for stco, stsc, stsz in zip(table(b"stco"), table(b"stsc"), table(b"stsz"), strict=True):
        offsets = [row[0] for row in _numbers(stco, 1)]
        sizes = [row[0] for row in struct.iter_unpack(">I", stsz[12:])]
        assert all(first <= offset < last for offset in offsets)
        layout = _numbers(stsc, 3)
        counts = [
            [count for start, count, _ in layout if start <= chunk][-1]
            for chunk in range(1, len(offsets) + 1)
        ]
        assert sum(counts) == len(sizes)
        covered += sum(sizes)
    assert covered == last - first


def test_an_mp4_is_as_long_as_its_stretch() -> None:
    data = media.mp4(15_000, 19_300)
    (video, audio) = _inside(data, b"moov", b"trak", b"mdia", b"mdhd")

    scale, length = struct.unpack(">II", video[12:20])
    assert length / scale == pytest.approx(4.3)
    scale, length = struct.unpack(">II", audio[12:20])
    assert length / scale == pytest.approx(4.3, abs=0.1)


@pytest.mark.parametrize(
    ("container", "magic"), [("m4a", b"ftyp"), ("mp3", b"\xff\xf3"), ("aac", b"\xff\xf1")]
)
def test_a_mix_is_what_its_container_says(container: str, magic: bytes) -> None:
    assert magic in media.audio_file(container, 0, 3_000)[:8]


def test_a_screenshot_is_a_jpeg() -> None:
    picture = media.jpeg()

    assert picture[:3] == b"\xff\xd8\xff"
    assert picture[-2:] == b"\xff\xd9"


def test_what_is_shipped_is_small() -> None:
    assert sum(file.stat().st_size for file in media._DATA.iterdir()) < 60_000


# --- names and playlists ------------------------------------------------------------------------

SID = "0123456789abcdef0123456789abcdef"


def test_an_instant_is_written_in_17_digits() -> None:
    assert utc17(1_560_238_366_073) == "20190611073246073"


@pytest.mark.parametrize(
    ("names", "stem"),
    [
        (Names(SID, "room_1", "mix"), f"{SID}_room_1"),
        (Names(SID, "room", "mix", backup=0), f"bak0_{SID}_room"),
        (Names(SID, "https://a.b", "web"), f"{SID}_https---a-b"),
    ],
)
def test_files_are_named_after_session_and_channel(names: Names, stem: str) -> None:
    assert names.stem == stem


def test_times_in_a_playlist_may_be_milliseconds() -> None:
    track = Track(
        "0", "audio_and_video", "x", [Slice(1_560_238_366_073, 1_560_238_367_073, "s", 0)]
    )
    text = playlist(track, PlaylistStyle(time_in_ms=True), ended=True).decode()

    assert "TRACK_TYPE=AUDIO,TIME=1560238366073\n" in text
    assert "HEIGHT=90,ROTATE=0,TIME=1560238366073\n" in text

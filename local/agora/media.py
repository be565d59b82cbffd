"""Real media, made from a few shipped frames: MPEG-TS slices, MP4 files, a JPEG.

The frames are a moving test pattern (H.264 baseline, 160x90) in groups of 25, each group starting
with a key frame, and a 440 Hz tone (AAC, 16 kHz, mono). A slice may start at any group, because no
group refers to another, and may end after any frame.

Times are in ticks of the 90 kHz clock of MPEG-2 systems.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

_DATA = Path(__file__).parent / "media"

CLOCK = 90_000
FPS = 5
WIDTH, HEIGHT = 160, 90
_GROUP = 25
_SAMPLE_RATE = 16_000
_SAMPLES_PER_AAC_FRAME = 1024
AAC_TICKS = _SAMPLES_PER_AAC_FRAME * CLOCK // _SAMPLE_RATE  # 5760, exactly
_FIRST_PTS = CLOCK  # a lead over the PCR, so that no decoder starts late
_PCR_LEAD = CLOCK // 5


# --- the shipped frames -------------------------------------------------------------------------


@cache
def _pictures() -> tuple[bytes, ...]:
    """Return the access units of the shipped stream, in Annex B form, each with its delimiter."""
    stream = (_DATA / "frames.h264").read_bytes()
    delimiter = b"\x00\x00\x00\x01\x09"
    return tuple(delimiter + unit for unit in stream.split(delimiter)[1:])


@cache
def _tone() -> tuple[bytes, ...]:
    """Return the AAC frames of the shipped tone, each with its ADTS header.

    The first frames of an encoder are a fade-in, which would click at every repetition.
    """
    stream = (_DATA / "tone.aac").read_bytes()
    frames = []
    at = 0
    while at < len(stream):
        length = (stream[at + 3] & 3) << 11 | stream[at + 4] << 3 | stream[at + 5] >> 5
        frames.append(stream[at : at + length])
        at += length
    return tuple(frames[4:-2])


def jpeg() -> bytes:
    """Return one screenshot."""
    return (_DATA / "snapshot.jpg").read_bytes()


class Picture(NamedTuple):
    """One frame of video: when it is shown, for how long, and what."""

    pts: int
    ticks: int
    data: bytes
    key: bool


class Sound(NamedTuple):
    """One frame of audio."""

    pts: int
    data: bytes


def pictures(start: int, end: int) -> list[Picture]:
    """Return frames that fill [start, end) ticks exactly, the first of them a key frame.

    There is at least one frame; otherwise their number is the nearest to the frame rate.
    """
    count = max(1, round((end - start) * FPS / CLOCK))
    edges = [start + (end - start) * n // count for n in range(count + 1)]
    # Two key frames in a row must differ: so the first group depends on the start.
    offset = _GROUP * (start * FPS // CLOCK // _GROUP % 2)
    stock = _pictures()
    return [
        Picture(
            edges[n],
            edges[n + 1] - edges[n],
            stock[(offset + n) % len(stock)],
            n % _GROUP == 0,
        )
        for n in range(count)
    ]


def sounds(start: int, end: int) -> list[Sound]:
    """Return the audio frames that begin in [start, end): each frame is in exactly one slice."""
    stock = _tone()
    first = -(-start // AAC_TICKS)
    last = -(-end // AAC_TICKS)
    return [Sound(n * AAC_TICKS, stock[n % len(stock)]) for n in range(first, last)]


# --- MPEG transport stream ----------------------------------------------------------------------

_PMT_PID, _VIDEO_PID, _AUDIO_PID = 0x1000, 0x100, 0x101
_H264, _AAC = 0x1B, 0x0F


@dataclass
class Counters:
    """Continuity counters of one stream: kept from slice to slice."""

    of: dict[int, int] = field(default_factory=dict)

    def next(self, pid: int) -> int:
        """Return the counter of the next packet of `pid`."""
        value = self.of.get(pid, -1) + 1 & 15
        self.of[pid] = value
        return value


def ts_slice(
    start_ms: int,
    end_ms: int,
    *,
    video: bool = True,
    audio: bool = True,
    counters: Counters | None = None,
) -> bytes:
    """Return a transport stream that plays from `start_ms` to `end_ms` of its track.

    Presentation times go on from slice to slice, so that a playlist plays without gaps.
    """
    counters = counters or Counters()
    start, end = start_ms * 90, end_ms * 90
    clock_pid = _VIDEO_PID if video else _AUDIO_PID
    packets = [
        _section(0, _program_association(), counters),
        _section(_PMT_PID, _program_map(video=video, audio=audio), counters),
    ]
    units: list[tuple[int, int, bytes, bool]] = []
    if video:
        units += [(p.pts, _VIDEO_PID, p.data, p.key) for p in pictures(start, end)]
    if audio:
        units += [(s.pts, _AUDIO_PID, s.data, True) for s in sounds(start, end)]
    for pts, pid, data, key in sorted(units, key=lambda unit: unit[:2]):
        pes = _elementary_packet(0xE0 if pid == _VIDEO_PID else 0xC0, pts + _FIRST_PTS, data)
        pcr = pts + _FIRST_PTS - _PCR_LEAD if pid == clock_pid else None
        packets += _transport_packets(pid, pes, counters, pcr=pcr, key=key)
    return b"".join(packets)


def _program_association() -> bytes:
    return struct.pack(">BHHBBBHH", 0, 0xB00D, 1, 0xC1, 0, 0, 1, 0xE000 | _PMT_PID)


def _program_map(*, video: bool, audio: bool) -> bytes:
    streams = b""
    if video:
        streams += struct.pack(">BHH", _H264, 0xE000 | _VIDEO_PID, 0xF000)
    if audio:
        streams += struct.pack(">BHH", _AAC, 0xE000 | _AUDIO_PID, 0xF000)
    clock_pid = _VIDEO_PID if video else _AUDIO_PID
    length = 13 + len(streams)
    head = struct.pack(">BHHBBBHH", 2, 0xB000 | length, 1, 0xC1, 0, 0, 0xE000 | clock_pid, 0xF000)
    return head + streams


def _section(pid: int, table: bytes, counters: Counters) -> bytes:
    body = b"\x00" + table + struct.pack(">I", _crc32(table))
    head = struct.pack(">BHB", 0x47, 0x4000 | pid, 0x10 | counters.next(pid))
    return (head + body).ljust(188, b"\xff")


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return tuple(table)


def _crc32(data: bytes) -> int:
    """Return the CRC of MPEG-2 sections (not the reflected one of zlib)."""
    table = _crc_table()
    value = 0xFFFFFFFF
    for byte in data:
        value = (value << 8 ^ table[value >> 24 ^ byte]) & 0xFFFFFFFF
    return value


def _elementary_packet(stream_id: int, pts: int, data: bytes) -> bytes:
    pts &= (1 << 33) - 1
    stamp = bytes(
        (
            0x21 | pts >> 29 & 0x0E,
            pts >> 22 & 0xFF,
            0x01 | pts >> 14 & 0xFE,
            pts >> 7 & 0xFF,
            0x01 | pts << 1 & 0xFE,
        )
    )
    length = 0 if stream_id == 0xE0 else len(data) + 8  # video may leave its length open
    return b"\x00\x00\x01" + struct.pack(">BHBBB", stream_id, length, 0x80, 0x80, 5) + stamp + data


def _transport_packets(
    pid: int, pes: bytes, counters: Counters, *, pcr: int | None, key: bool
) -> Iterator[bytes]:
    first = True
    at = 0
    while at < len(pes):
        adaptation = b""
        if first and (pcr is not None or key):
            flags = (0x40 if key else 0) | (0x10 if pcr is not None else 0)
            adaptation = bytes((flags,)) + (b"" if pcr is None else _program_clock(pcr))
        chunk = pes[at : at + 184 - (len(adaptation) + 1 if adaptation else 0)]
        space = 184 - len(chunk)  # the adaptation field fills what the payload leaves free
        if space > 1:
            adaptation = (adaptation or b"\x00").ljust(space - 1, b"\xff")
        filling = bytes((space - 1,)) + adaptation if space else b""
        control = (0x30 if space else 0x10) | counters.next(pid)
        yield struct.pack(">BHB", 0x47, (0x4000 if first else 0) | pid, control) + filling + chunk
        at += len(chunk)
        first = False


def _program_clock(ticks: int) -> bytes:
    base = ticks & (1 << 33) - 1
    return struct.pack(">IBB", base >> 1, (base & 1) << 7 | 0x7E, 0)


# --- MP4 ----------------------------------------------------------------------------------------


def mp4(start_ms: int, end_ms: int, *, video: bool = True, audio: bool = True) -> bytes:
    """Return an MP4 file of this part of a track, with its index before its data."""
    start, end = start_ms * 90, end_ms * 90
    tracks = []
    if video:
        shots = pictures(start, end)
        tracks.append(
            _Mp4Track(
                timescale=CLOCK,
                samples=[_length_prefixed(shot.data) for shot in shots],
                durations=[shot.ticks for shot in shots],
                keys=[n for n, shot in enumerate(shots, 1) if shot.key],
                description=_avc1(),
                video=True,
            )
        )
    if audio:
        tones = sounds(start, end)
        tracks.append(
            _Mp4Track(
                timescale=_SAMPLE_RATE,
                samples=[tone.data[7:] for tone in tones],
                durations=[_SAMPLES_PER_AAC_FRAME] * len(tones),
                keys=None,
                description=_mp4a(),
                video=False,
            )
        )
    tracks = [track for track in tracks if track.samples]
    head = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    index = _movie(tracks, 0)
    return head + _movie(tracks, len(head) + len(index) + 8) + _media_data(tracks)


class _Mp4Track(NamedTuple):
    timescale: int
    samples: list[bytes]
    durations: list[int]
    keys: list[int] | None
    description: bytes
    video: bool

    @property
    def per_chunk(self) -> int:
        """How many samples make about a second: tracks alternate in the file second by second."""
        return FPS if self.video else _SAMPLE_RATE // _SAMPLES_PER_AAC_FRAME

    def chunks(self) -> list[list[bytes]]:
        size = self.per_chunk
        return [self.samples[n : n + size] for n in range(0, len(self.samples), size)]


def _interleaved(tracks: list[_Mp4Track]) -> Iterator[tuple[int, bytes]]:
    """Yield (track number, chunk) in file order."""
    columns = [[b"".join(chunk) for chunk in track.chunks()] for track in tracks]
    for row in range(max(map(len, columns), default=0)):
        for number, column in enumerate(columns):
            if row < len(column):
                yield number, column[row]


def _media_data(tracks: list[_Mp4Track]) -> bytes:
    return _box(b"mdat", *(chunk for _, chunk in _interleaved(tracks)))


def _movie(tracks: list[_Mp4Track], data_at: int) -> bytes:
    offsets: list[list[int]] = [[] for _ in tracks]
    for number, chunk in _interleaved(tracks):
        offsets[number].append(data_at)
        data_at += len(chunk)
    spans = [sum(track.durations) * 1000 // track.timescale for track in tracks]
    header = struct.pack(">IIIIIIHHQ", 0, 0, 0, 1000, max(spans, default=0), 1 << 16, 1 << 8, 0, 0)
    header += _MATRIX + b"\x00" * 24 + struct.pack(">I", len(tracks) + 1)
    return _box(
        b"moov",
        _box(b"mvhd", header),
        *(
            _mp4_track(number, track, span, chunk_offsets)
            for number, (track, span, chunk_offsets) in enumerate(
                zip(tracks, spans, offsets, strict=True), 1
            )
        ),
    )


_MATRIX = struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def _mp4_track(number: int, track: _Mp4Track, span_ms: int, offsets: list[int]) -> bytes:
    width, height = (WIDTH, HEIGHT) if track.video else (0, 0)
    header = struct.pack(">IIIIII", 7, 0, 0, number, 0, span_ms) + b"\x00" * 8
    header += struct.pack(">HHHH", 0, 0, 0 if track.video else 1 << 8, 0) + _MATRIX
    header += struct.pack(">II", width << 16, height << 16)
    total = sum(track.durations)
    kind, name = (b"vide", b"Pictures\x00") if track.video else (b"soun", b"Sound\x00")
    media_header = (
        _box(b"vmhd", struct.pack(">IQ", 1, 0))
        if track.video
        else _box(b"smhd", struct.pack(">II", 0, 0))
    )
    reference = _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1), _box(b"url ", b"\0\0\0\1")))
    return _box(
        b"trak",
        _box(b"tkhd", header),
        _box(
            b"mdia",
            _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, track.timescale, total, 0x55C4, 0)),
            _box(b"hdlr", struct.pack(">II", 0, 0), kind, b"\x00" * 12, name),
            _box(b"minf", media_header, reference, _sample_table(track, offsets)),
        ),
    )


def _sample_table(track: _Mp4Track, offsets: list[int]) -> bytes:
    runs = [(len(list(run)), ticks) for ticks, run in groupby(track.durations)]
    times = b"".join(struct.pack(">II", *run) for run in runs)
    chunks = [len(chunk) for chunk in track.chunks()]
    layout = [(1, chunks[0])]
    if chunks[-1] != chunks[0]:
        layout.append((len(chunks), chunks[-1]))
    boxes = [
        _box(b"stsd", struct.pack(">II", 0, 1), track.description),
        _box(b"stts", struct.pack(">II", 0, len(runs)), times),
        _box(
            b"stsc",
            struct.pack(">II", 0, len(layout)),
            *(struct.pack(">III", first, count, 1) for first, count in layout),
        ),
        _box(
            b"stsz",
            struct.pack(">III", 0, 0, len(track.samples)),
            *(struct.pack(">I", len(sample)) for sample in track.samples),
        ),
        _box(
            b"stco",
            struct.pack(">II", 0, len(offsets)),
            *(struct.pack(">I", offset) for offset in offsets),
        ),
    ]
    if track.keys is not None:
        keys = b"".join(struct.pack(">I", key) for key in track.keys)
        boxes.append(_box(b"stss", struct.pack(">II", 0, len(track.keys)), keys))
    return _box(b"stbl", *boxes)


def _units(picture: bytes) -> list[bytes]:
    """Return the NAL units of an access unit, without their start codes."""
    joined = picture.replace(b"\x00\x00\x00\x01", b"\x00\x00\x01")
    return [unit for unit in joined.split(b"\x00\x00\x01") if unit]


def _length_prefixed(picture: bytes) -> bytes:
    """Return the slices of a picture as MP4 needs them; parameter sets are in the index."""
    slices = [unit for unit in _units(picture) if unit[0] & 31 in (1, 5)]
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in slices)


def _avc1() -> bytes:
    units = _units(_pictures()[0])
    sps = next(unit for unit in units if unit[0] & 31 == 7)
    pps = next(unit for unit in units if unit[0] & 31 == 8)
    configuration = (
        bytes((1, sps[1], sps[2], sps[3], 0xFF, 0xE1))
        + struct.pack(">H", len(sps))
        + sps
        + b"\x01"
        + struct.pack(">H", len(pps))
        + pps
    )
    entry = b"\x00" * 6 + struct.pack(">H", 1) + b"\x00" * 16
    entry += struct.pack(">HHIIIH", WIDTH, HEIGHT, 72 << 16, 72 << 16, 0, 1)
    entry += b"\x00" * 32 + struct.pack(">Hh", 24, -1)
    return _box(b"avc1", entry, _box(b"avcC", configuration))


def _mp4a() -> bytes:
    header = _tone()[0]
    profile = header[2] >> 6 & 3
    rate = header[2] >> 2 & 15
    specific = struct.pack(">H", (profile + 1) << 11 | rate << 7 | 1 << 3)
    decoder = _descriptor(
        4, struct.pack(">BBHBII", 0x40, 0x15, 0, 0, 0, 16_000) + _descriptor(5, specific)
    )
    stream = _descriptor(3, struct.pack(">HB", 1, 0) + decoder + _descriptor(6, b"\x02"))
    entry = b"\x00" * 6 + struct.pack(">H", 1) + b"\x00" * 8
    entry += struct.pack(">HHHHI", 1, 16, 0, 0, _SAMPLE_RATE << 16)
    return _box(b"mp4a", entry, _box(b"esds", struct.pack(">I", 0), stream))


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, len(body))) + body


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


# --- audio files --------------------------------------------------------------------------------


def audio_file(container: str, start_ms: int, end_ms: int) -> bytes:
    """Return this part of a track as an `mp3`, `m4a` or `aac` file."""
    if container == "m4a":
        return mp4(start_ms, end_ms, video=False)
    if container == "mp3":
        second = (_DATA / "tone.mp3").read_bytes()
        return second * max(1, round((end_ms - start_ms) / 1000))
    return b"".join(tone.data for tone in sounds(start_ms * 90, end_ms * 90))

"""WebM segments of a VP8 sender, made from a few shipped frames: VP8 pictures, or an Opus tone.

The frames are a moving test pattern (160x90) in groups of 25, each group starting with a key frame,
and a 440 Hz tone in packets of 20 ms (48 kHz, mono). Both are kept as IVF files. Each segment is a
whole WebM file, so it needs no other one to be played.

Source: the WebM container guidelines (which elements of Matroska there are), RFC 7845 (OpusHead).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .media import FPS, HEIGHT, WIDTH

_DATA = Path(__file__).parent / "media"

_GROUP = 25
_PACKET_MS = 20
_RATE = 48_000
_SKIPPED = 312  # samples that a decoder drops at the beginning
_IVF_HEAD, _IVF_FRAME = 32, 12


class Block(NamedTuple):
    """One frame: when it begins in its track, and whether it can be decoded alone."""

    at_ms: int
    data: bytes
    key: bool


@cache
def _stock(name: str) -> tuple[bytes, ...]:
    """Return the frames of a shipped IVF file."""
    data = (_DATA / name).read_bytes()
    frames = []
    at = _IVF_HEAD
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        at += _IVF_FRAME
        frames.append(data[at : at + length])
        at += length
    return tuple(frames)


def pictures(start_ms: int, end_ms: int) -> list[Block]:
    """Return frames that fill this part of a track, the first of them a key frame."""
    count = max(1, round((end_ms - start_ms) * FPS / 1000))
    stock = _stock("frames.vp8.ivf")
    # Two key frames in a row must differ: so the first group depends on the start.
    offset = _GROUP * (start_ms * FPS // 1000 // _GROUP % 2)
    return [
        Block(
            start_ms + (end_ms - start_ms) * n // count,
            stock[(offset + n) % len(stock)],
            n % _GROUP == 0,
        )
        for n in range(count)
    ]


def sounds(start_ms: int, end_ms: int) -> list[Block]:
    """Return the packets that begin in this part of a track: each is in exactly one segment."""
    stock = _stock("tone.opus.ivf")
    first, last = -(-start_ms // _PACKET_MS), -(-end_ms // _PACKET_MS)
    return [Block(n * _PACKET_MS, stock[n % len(stock)], True) for n in range(first, last)]


def segment(start_ms: int, end_ms: int, *, video: bool) -> bytes:
    """Return the segment of a VP8 stream (`video`) or an Opus stream from start to end."""
    blocks = pictures(start_ms, end_ms) if video else sounds(start_ms, end_ms)
    info = _element(
        0x1549A966,
        _element(0x2AD7B1, _number(1_000_000)),  # one tick is a millisecond
        _element(0x4489, struct.pack(">d", end_ms - start_ms)),
        _element(0x4D80, b"simulator"),
        _element(0x5741, b"simulator"),
    )
    return _head() + _element(
        0x18538067,
        info,
        _element(0x1654AE6B, _track(video=video)),
        *_clusters(blocks),
    )


def _head() -> bytes:
    return _element(
        0x1A45DFA3,
        _element(0x4286, _number(1)),
        _element(0x42F7, _number(1)),
        _element(0x42F2, _number(4)),
        _element(0x42F3, _number(8)),
        _element(0x4282, b"webm"),
        _element(0x4287, _number(2)),
        _element(0x4285, _number(2)),
    )


def _track(*, video: bool) -> bytes:
    shape = (
        (_element(0xE0, _element(0xB0, _number(WIDTH)), _element(0xBA, _number(HEIGHT))),)
        if video
        else (
            _element(0x63A2, b"OpusHead" + struct.pack("<BBHIhB", 1, 1, _SKIPPED, _RATE, 0, 0)),
            _element(0xE1, _element(0xB5, struct.pack(">d", _RATE)), _element(0x9F, _number(1))),
        )
    )
    return _element(
        0xAE,
        _element(0xD7, _number(1)),
        _element(0x73C5, _number(1)),
        _element(0x83, _number(1 if video else 2)),
        _element(0x86, b"V_VP8" if video else b"A_OPUS"),
        *shape,
    )


def _clusters(blocks: list[Block]) -> Iterator[bytes]:
    """Yield the blocks in clusters: in each, times are 16 bits from its first block."""
    waiting = iter(blocks)
    while cluster := list(islice(waiting, _GROUP)):
        begin_ms = cluster[0].at_ms
        yield _element(
            0x1F43B675,
            _element(0xE7, _number(begin_ms)),
            *(
                _element(
                    0xA3,
                    struct.pack(">BhB", 0x81, block.at_ms - begin_ms, 0x80 if block.key else 0),
                    block.data,
                )
                for block in cluster
            ),
        )


def _element(kind: int, *parts: bytes) -> bytes:
    """Return an element of EBML: its id, its size in eight bytes, its content."""
    body = b"".join(parts)
    identity = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    return identity + struct.pack(">Q", 1 << 56 | len(body)) + body


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")

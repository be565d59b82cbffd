"""Agora's M3U8 indexes, read with tolerance (Agora: manage recorded files, synchronous playback).

Agora writes `#EXTINF:<seconds>` without its comma, its own tags (`#EXT-X-AGORA-TRACK-EVENT`,
`#EXT-X-AGORA-ROTATE`, with TIME as 17 digits of UTC or as epoch milliseconds), and `#EXT-X-ENDLIST`
only when the recorder is done. Anything else is a defect in the result; nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal
from urllib.parse import unquote

import msgspec

from agora_recording.files import names
from agora_recording.files.allowance import MAX_INDEX_BYTES, Allowance

DefectCode = Literal[
    "no_header",  # no #EXTM3U anywhere
    "not_text",  # bytes that are not UTF-8, or control characters
    "garbage",  # a line that is neither a tag nor the name of a media file
    "bad_duration",  # an EXTINF whose seconds cannot be read
    "no_duration",  # a media file without an EXTINF
    "bad_tag",  # one of Agora's that cannot be read, control characters: nothing playable is lost
    "cut",  # the text ends inside a line, or between an EXTINF and its file
]

_MEDIA_ENDINGS = (".ts", ".webm", ".aac", ".mp4", ".m4s", ".m4a", ".mp3")
_WHOLE_ENDINGS = (*_MEDIA_ENDINGS, ".m3u8")
_END = "#EXT-X-ENDLIST"
_URI = re.compile(r'[:,]URI="([^"]*)"')  # of EXT-X-MEDIA, EXT-X-MAP, EXT-X-KEY
# Tags of the whole list (RFC 8216, 4.3.3): all others belong to the slice that follows them.
_OF_THE_LIST = (
    "#EXT-X-VERSION:",
    "#EXT-X-TARGETDURATION:",
    "#EXT-X-MEDIA-SEQUENCE:",
    "#EXT-X-DISCONTINUITY-SEQUENCE:",
    "#EXT-X-PLAYLIST-TYPE:",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-I-FRAMES-ONLY",
    "#EXT-X-START:",
    "#EXT-X-ALLOW-CACHE:",
)
_MAX_SECONDS = 1e6
_MAX_NAME = 1024  # no key of S3 is longer
_MAX_TAG = 8192
_MAX_LINE = 4 * _MAX_TAG  # bytes: a character has four at most
_BLOCK = 64 * 1024
_BOM = "\ufeff"
# What a slice takes in memory until the verdict is written, beside the characters of its name:
# measured by verify_worst_memory.
_ENTRY_BYTES = 400


class Segment(msgspec.Struct, gc=False):
    """One slice as the index describes it. `start_ms` is None if it is not known.

    `duration_ms` is 0 if it cannot be read. `tags` are the lines before it, except EXTINF and
    DISCONTINUITY.
    """

    uri: str
    duration_ms: int
    start_ms: int | None
    discontinuity: bool = False
    tags: tuple[str, ...] = ()


class Defect(msgspec.Struct, frozen=True):
    """A kind of damage, how often it occurs, and the first line (from 1) that has it."""

    code: DefectCode
    count: int
    line: int


class Playlist(msgspec.Struct):
    """An index. `closed`: it has an end mark. `media`: AUDIO, VIDEO, from its track events.

    `header` holds the tags of the whole list, except EXTM3U and ENDLIST. `variants` are the other
    indexes that a master playlist names (RFC 8216, 4.3.4); a master playlist has no ENDLIST.
    `resources` are the addresses of keys and initialization sections (4.3.2.4, 4.3.2.5).
    `too_large`: it was not read to its end, since the allowance was spent.
    """

    header: list[str]
    segments: list[Segment]
    closed: bool
    media: frozenset[str]
    defects: list[Defect]
    variants: list[str] = []
    resources: list[str] = []
    too_large: bool = False


def extinf_ms(line: str) -> int | None:
    """Return the milliseconds of an `#EXTINF:` line, with or without comma and title."""
    try:
        seconds = float(line[8:].partition(",")[0])
    except ValueError:
        return None
    return round(seconds * 1000) if 0 <= seconds < _MAX_SECONDS else None


def file_name(uri: str) -> str:
    """Return the basename that a URI of an index means. Agora writes plain names.

    It never holds a slash. What is encoded is decoded only in an absolute address.
    """
    if "://" in uri or uri.startswith("//"):
        uri = unquote(uri.partition("?")[0].partition("#")[0])
    return uri.rpartition("/")[2]


def parse(text: bytes | str | Iterable[bytes], allowance: Allowance | None = None) -> Playlist:
    """Decode an index, whole or in pieces. Never raises: damage is listed in `defects`.

    A segment's start is the time in its name; else the track event before it; else the end of the
    segment before it, unless a discontinuity lies between.
    """
    if isinstance(text, str):
        text = text.encode("utf-8", "replace")
    reader = Reader(allowance or Allowance(), keep_tags=True)
    segments = list(reader.segments((text,) if isinstance(text, bytes) else text))
    return reader.playlist(segments)


class Reader:
    """Reads one index, line by line: `segments` yields its slices, `playlist` tells the rest.

    Without `keep_tags`, neither the header nor the tags of the slices are kept.
    """

    def __init__(self, allowance: Allowance, *, keep_tags: bool) -> None:
        self.allowance = allowance
        self.keep_tags = keep_tags
        self.size = 0  # bytes read so far
        self.too_large = False
        self._cut = False
        self._kept = 0  # slices, tags and addresses of the current block
        self._number = 0
        self._header = False
        self._closed = False
        self._tags_of_list: list[str] = []
        self._variants: list[str] = []
        self._resources: list[str] = []
        self._media: set[str] = set()
        self._defects: dict[DefectCode, tuple[int, int]] = {}
        # What the lines since the last file say about the next file, and where the last file ended.
        self._waiting = self._waiting_for_variant = False
        self._duration_ms: int | None = None
        self._discontinuity = False
        self._tags: list[str] = []
        self._event_ms: int | None = None
        self._end_ms: int | None = None

    def segments(self, pieces: Iterable[bytes]) -> Iterator[Segment]:
        """Yield the slices, in order. It ends early when the allowance is spent."""
        rest = b""
        for block in _blocks(pieces):
            self.size += len(block)
            if self.size > MAX_INDEX_BYTES:
                self.too_large = True
                return
            end = block.rfind(b"\n") + 1
            if end:
                yield from self._lines(rest + block[:end])
                rest = block[end:]
            else:
                rest += block
            if len(rest) > _MAX_LINE:  # more of this line would not make it readable
                rest = rest[: _MAX_LINE + 1]
            if self.allowance.is_spent:
                self.too_large = True
                return
        line = _text(rest).removeprefix("" if self._number else _BOM).strip()
        if _is_whole(line):
            yield from self._lines(rest + b"\n")
        else:
            self._cut = True

    def _lines(self, block: bytes) -> Iterator[Segment]:
        text = _text(block)
        if not self._number:
            text = text.removeprefix(_BOM)
        self._kept = 0
        lines = text.split("\n")
        for line in lines[:-1]:
            segment = self._read(line.strip())
            if segment is not None:
                yield segment
        width = 1 if text.isascii() else 4  # bytes that Python takes for a character, at most
        self.allowance.lines -= len(lines)
        if self._kept:
            self.allowance.indexes -= len(text) * width + self._kept * _ENTRY_BYTES

    def _read(self, line: str) -> Segment | None:
        self._number += 1
        if line.startswith("#EXTINF:"):
            self._waiting = True
            self._duration_ms = extinf_ms(line)
            if self._duration_ms is None:
                self._defect("bad_duration")
        elif line.startswith("#"):
            self._tag(line)
        elif line:
            return self._file(line)
        return None

    def _file(self, line: str) -> Segment | None:
        if not line.isprintable() or "\ufffd" in line:
            self._defect("not_text")
            return None
        if len(line) > _MAX_NAME:
            self._defect("garbage")
            return None
        if self._waiting_for_variant:
            self._waiting_for_variant = False
            self._variants.append(line)
            self._kept += 1
            return None
        if not self._waiting:
            if not line.endswith(_MEDIA_ENDINGS):
                self._defect("garbage")
                return None
            self._defect("no_duration")
        start_ms = names.start_ms(line)
        if start_ms is None:
            start_ms = self._event_ms
            if start_ms is None and not self._discontinuity:
                start_ms = self._end_ms
        duration_ms = self._duration_ms or 0
        tags = tuple(self._tags)
        segment = Segment(line, duration_ms, start_ms, self._discontinuity, tags)
        self._end_ms = None if start_ms is None else start_ms + duration_ms
        self._waiting = self._discontinuity = False
        self._duration_ms = self._event_ms = None
        self._kept += 1
        if tags:
            self._tags.clear()
        return segment

    def _tag(self, line: str) -> None:
        if line == "#EXT-X-DISCONTINUITY":
            self._discontinuity = True
        elif line == _END:
            self._closed = True
        elif line.startswith("#EXTM3U"):
            self._header = True
        elif len(line) > _MAX_TAG or not line.isprintable():
            # To players, some control characters end a line: what follows them in a tag would be
            # an address.
            self._defect("bad_tag")
        elif line.startswith("#EXT-X-STREAM-INF:"):
            self._waiting_for_variant = True
        elif line.startswith("#EXT-X-MEDIA:"):
            found = _URI.findall(line)
            self._variants += found
            self._kept += len(found)
        elif line.startswith(_OF_THE_LIST):
            self._keep(self._tags_of_list, line)
        else:
            self._keep(self._tags, line)
            if line.startswith("#EXT-X-AGORA-"):
                self._agora_tag(line)
            elif line.startswith(("#EXT-X-MAP:", "#EXT-X-KEY:")):
                found = _URI.findall(line)
                self._resources += found
                self._kept += len(found)

    def _keep(self, tags: list[str], line: str) -> None:
        if self.keep_tags:
            tags.append(line)
            self._kept += 1

    def _agora_tag(self, line: str) -> None:
        values = _attributes(line)
        if line.startswith("#EXT-X-AGORA-TRACK-EVENT:"):
            if (kind := values.get("TRACK_TYPE")) in ("AUDIO", "VIDEO"):
                self._media.add(kind)
            self._event_ms = names.time_ms(values.get("TIME", ""))
            if self._event_ms is None:
                self._defect("bad_tag")
        elif line.startswith("#EXT-X-AGORA-ROTATE:"):
            try:  # read for its defects alone: players find the shape in the video itself
                for name in ("WIDTH", "HEIGHT", "ROTATE"):
                    int(values[name])
            except (KeyError, ValueError):
                self._defect("bad_tag")

    def _defect(self, code: DefectCode, line: int | None = None) -> None:
        count, first = self._defects.get(code, (0, line or self._number))
        self._defects[code] = (count + 1, first)

    def playlist(self, segments: list[Segment]) -> Playlist:
        """Return the index, with these slices, as far as it was read. To be called once."""
        if not self._header:
            self._defect("no_header", line=1)
        is_open = self._cut or self._waiting or self._waiting_for_variant
        if is_open and not (self._closed or self.too_large):
            self._defect("cut")
        return Playlist(
            header=self._tags_of_list,
            segments=segments,
            closed=self._closed,
            media=frozenset(self._media),
            defects=[Defect(code, *found) for code, found in self._defects.items()],
            variants=self._variants,
            resources=self._resources,
            too_large=self.too_large,
        )


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces in blocks of limited size: what is read is counted after each."""
    for piece in pieces:
        for first in range(0, len(piece), _BLOCK):
            yield piece[first : first + _BLOCK]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _is_whole(line: str) -> bool:
    """Tell whether a last line without a newline is complete."""
    return line in ("", _END) or (line.endswith(_WHOLE_ENDINGS) and not line.startswith("#"))


def _attributes(line: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in line.partition(":")[2].split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}

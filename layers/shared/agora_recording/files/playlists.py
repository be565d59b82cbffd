"""Agora's M3U8 indexes, read with tolerance (Agora: manage recorded files, synchronous playback).

Agora writes `#EXTINF:<seconds>` without its comma, its own tags (`#EXT-X-AGORA-TRACK-EVENT`,
`#EXT-X-AGORA-ROTATE`, with TIME as 17 digits of UTC or as epoch milliseconds), and `#EXT-X-ENDLIST`
only when the recorder is done. Anything else is a defect in the result; nothing raises.
"""

from __future__ import annotations

import io
import re
from typing import Literal
from urllib.parse import unquote

import msgspec

from agora_recording.files import names

DefectCode = Literal[
    "no_header",  # no #EXTM3U anywhere
    "not_text",  # bytes that are not UTF-8, or control characters
    "garbage",  # a line that is neither a tag nor the name of a media file
    "bad_duration",  # an EXTINF whose seconds cannot be read
    "no_duration",  # a media file without an EXTINF
    "bad_agora_tag",  # a tag of Agora's own that cannot be read: nothing playable is lost
    "cut",  # the text ends inside a line, or between an EXTINF and its file
]

_MEDIA_ENDINGS = (".ts", ".webm", ".aac", ".mp4", ".m4s", ".m4a", ".mp3")
_WHOLE_ENDINGS = (*_MEDIA_ENDINGS, ".m3u8")
_END = "#EXT-X-ENDLIST"
_URI = re.compile(r'[:,]URI="([^"]*)"')
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
    """

    header: list[str]
    segments: list[Segment]
    closed: bool
    media: frozenset[str]
    defects: list[Defect]
    variants: list[str] = []


def extinf_ms(line: str) -> int | None:
    """Return the milliseconds of an `#EXTINF:` line, with or without comma and title."""
    try:
        seconds = float(line[8:].partition(",")[0])
    except ValueError:
        return None
    return round(seconds * 1000) if 0 <= seconds < _MAX_SECONDS else None


def time_ms(text: str) -> int | None:
    """Return the epoch milliseconds of an Agora TIME: 17 digits of UTC, or 13 of epoch ms."""
    if len(text) == 13 and text.isascii() and text.isdigit():
        return int(text)
    return names.utc17_ms(text)


def file_name(uri: str) -> str:
    """Return the basename that a URI of an index means. Agora writes plain names."""
    if "://" in uri:
        return unquote(uri.partition("?")[0].rpartition("/")[2])
    return uri.rpartition("/")[2]


def parse(text: bytes | str) -> Playlist:
    """Decode an index. Never raises: damage is listed in `defects`.

    A segment's start is the UTC in its name; else the track event before it; else the end of the
    segment before it, unless a discontinuity lies between. Any size, line by line.
    """
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    last_at = data.rfind(b"\n") + 1
    cut = not _is_whole(_line(data[last_at:]))
    reader = _Reader()
    for line in io.BytesIO((data[:last_at] if cut else data).removeprefix(b"\xef\xbb\xbf")):
        reader.read(_line(line))
    return reader.finish(cut)


def _line(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()


def _is_whole(line: str) -> bool:
    """Tell whether a last line without a newline is complete."""
    return line in ("", _END) or (line.endswith(_WHOLE_ENDINGS) and not line.startswith("#"))


class _Reader:
    def __init__(self) -> None:
        self.number = 0
        self.header = False
        self.closed = False
        self.tags_of_list: list[str] = []
        self.segments: list[Segment] = []
        self.variants: list[str] = []
        self.media: set[str] = set()
        self.defects: dict[DefectCode, tuple[int, int]] = {}
        # What the lines since the last file say about the next file, and where the last file ended.
        self.waiting = self.waiting_for_variant = False
        self.duration_ms: int | None = None
        self.discontinuity = False
        self.tags: list[str] = []
        self.event_ms: int | None = None
        self.end_ms: int | None = None

    def read(self, line: str) -> None:
        self.number += 1
        if line.startswith("#EXTINF:"):
            self.waiting = True
            self.duration_ms = extinf_ms(line)
            if self.duration_ms is None:
                self.defect("bad_duration")
        elif line.startswith("#"):
            self.tag(line)
        elif line:
            self.file(line)

    def file(self, line: str) -> None:
        if not line.isprintable() or "\ufffd" in line:
            self.defect("not_text")
            return
        if len(line) > _MAX_NAME:
            self.defect("garbage")
            return
        if self.waiting_for_variant:
            self.waiting_for_variant = False
            self.variants.append(line)
            return
        if not self.waiting:
            if not line.endswith(_MEDIA_ENDINGS):
                self.defect("garbage")
                return
            self.defect("no_duration")
        start_ms = names.start_ms(line)
        if start_ms is None:
            start_ms = self.event_ms
            if start_ms is None and not self.discontinuity:
                start_ms = self.end_ms
        duration_ms = self.duration_ms or 0
        tags = tuple(self.tags)
        self.segments.append(Segment(line, duration_ms, start_ms, self.discontinuity, tags))
        self.end_ms = None if start_ms is None else start_ms + duration_ms
        self.waiting = self.discontinuity = False
        self.duration_ms = self.event_ms = None
        if tags:
            self.tags.clear()

    def tag(self, line: str) -> None:
        if line == "#EXT-X-DISCONTINUITY":
            self.discontinuity = True
        elif line == _END:
            self.closed = True
        elif line.startswith("#EXTM3U"):
            self.header = True
        elif line.startswith(_OF_THE_LIST):
            self.tags_of_list.append(line)
        elif line.startswith("#EXT-X-STREAM-INF:"):
            self.waiting_for_variant = True
        elif line.startswith("#EXT-X-MEDIA:"):
            self.variants += _URI.findall(line)
        else:
            self.tags.append(line)
            if line.startswith("#EXT-X-AGORA-"):
                self.agora_tag(line)

    def agora_tag(self, line: str) -> None:
        values = _attributes(line)
        if line.startswith("#EXT-X-AGORA-TRACK-EVENT:"):
            self.media.add(values.get("TRACK_TYPE", ""))
            self.event_ms = time_ms(values.get("TIME", ""))
            if self.event_ms is None:
                self.defect("bad_agora_tag")
        elif line.startswith("#EXT-X-AGORA-ROTATE:"):
            try:  # read for its defects alone: players find the shape in the video itself
                for name in ("WIDTH", "HEIGHT", "ROTATE"):
                    int(values[name])
            except (KeyError, ValueError):
                self.defect("bad_agora_tag")

    def defect(self, code: DefectCode, line: int | None = None) -> None:
        count, first = self.defects.get(code, (0, line or self.number))
        self.defects[code] = (count + 1, first)

    def finish(self, cut: bool) -> Playlist:
        if not self.header:
            self.defect("no_header", line=1)
        if not self.closed and (cut or self.waiting or self.waiting_for_variant):
            self.defect("cut")
        return Playlist(
            header=self.tags_of_list,
            segments=self.segments,
            closed=self.closed,
            media=frozenset(self.media & {"AUDIO", "VIDEO"}),
            defects=[Defect(code, *found) for code, found in self.defects.items()],
            variants=self.variants,
        )


def _attributes(line: str) -> dict[str, str]:
    pairs = (item.partition("=") for item in line.partition(":")[2].split(","))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}

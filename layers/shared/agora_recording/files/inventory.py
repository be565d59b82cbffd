"""The files of a recording: the bucket's listing, grouped by the parts of their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, cast

import msgspec

from agora_recording.files import names
from agora_recording.files.names import FileName

# What this bundle itself writes under a recording's prefix.
_OUR_FOLDERS = ("events/", "manifest/")
_OUR_FILE = "manifest.json"


FileKind = Literal["mp4", "audio", "mpd", "master_playlist"]


class S3Object(NamedTuple):
    """One line of a listing. `etag` comes without its quotes."""

    key: str
    size: int
    etag: str
    last_modified_ms: int


class Index(NamedTuple):
    """One M3U8 file of the listing."""

    name: str
    parsed: FileName
    size: int
    etag: str


class MediaFile(msgspec.Struct, frozen=True, kw_only=True):
    """An MP4 or audio file, an MPD, or a master playlist: an index that names other indexes.

    `uid` is "0" when it holds everybody's media.
    """

    name: str
    kind: FileKind
    sid: str
    bak: int | None
    uid: str
    index: int | None
    size: int
    etag: str


class Stream(msgspec.Struct, eq=False):
    """The files of one stream by one recorder: same sid, `bak<n>_`, uid and track.

    `parsed` is the name of its first file in the listing.
    """

    parsed: FileName
    indexes: list[Index] = []


class Series(msgspec.Struct, eq=False):
    """Slices, or snapshots, whose names differ only in their UTC; `parsed` is the first name.

    `first`, `last` (by name) and `empty` (names of 0 bytes) are kept only for snapshots: of slices,
    `Inventory.stored` has the names and the sizes.
    """

    parsed: FileName
    stream: Stream
    count: int = 0
    bytes: int = 0
    first: str = ""
    last: str = ""
    empty: list[str] = []


class Inventory:
    """A listing in memory. Of each slice, only name, size and etag are kept.

    `stored` holds these by name, and every foreign file, too. `unseen` holds the announced names
    that the listing does not have. `strangers` counts the files of sids that do not belong to the
    recording (if no sids are given, all do). `arrived_ms` is when the newest file of each sid came.
    """

    def __init__(
        self,
        *,
        prefix: str,
        cname: str | None,
        sids: Collection[str],
        announced: Iterable[str] = (),
    ) -> None:
        self.prefix = prefix
        self.cname = cname
        self.sids = frozenset(sids)
        self.stored: dict[str, tuple[int, str]] = {}
        self.streams: dict[tuple[str, int | None, str | None, str | None], Stream] = {}
        self.series: dict[str, Series] = {}
        self.files: list[MediaFile] = []
        self.strangers: dict[str, int] = {}
        self.unseen = {name.rpartition("/")[2] for name in announced}
        self.arrived_ms: dict[str, int] = {}
        self._others = self._other_bytes = 0

    @property
    def objects(self) -> int:
        """How many files of the recording there are."""
        return self._others + sum(each.count for each in self.series.values())

    @property
    def bytes(self) -> int:
        """The sum of their sizes."""
        return self._other_bytes + sum(each.bytes for each in self.series.values())

    def fill(self, objects: Iterable[S3Object]) -> None:
        """Read a listing, in one pass and in any order. The bundle's own files are left out."""
        skip = len(self.prefix)
        known, stored, unseen, arrived = self.series, self.stored, self.unseen, self.arrived_ms
        for key, size, etag, modified_ms in objects:
            name = key[skip:]
            dot = name.rfind(".")
            # Nearly all files are slices that differ only in the UTC: only the first name is
            # parsed.
            series = known.get(name[: dot - 17] + name[dot:])
            if series is None or not name[dot - 17 : dot].isdigit():
                series = self._place(name, size, etag, modified_ms)
                if series is None:
                    continue
            series.count += 1
            series.bytes += size
            sid = series.parsed.sid
            arrived[sid] = max(arrived[sid], modified_ms)
            if unseen:
                unseen.discard(name)
            if series.parsed.kind == "segment":
                stored[name] = (size, etag)
            else:
                series.first = min(series.first, name) if series.first else name
                series.last = max(series.last, name)
                if size == 0:
                    series.empty.append(name)

    def series_of(self, name: str) -> Series | None:
        """Return the series that a listed slice or snapshot belongs to."""
        dot = name.rfind(".")
        return self.series.get(name[: dot - 17] + name[dot:])

    def _place(self, name: str, size: int, etag: str, modified_ms: int) -> Series | None:
        """Store any other file; for the first slice or snapshot of a series, return the series."""
        if name == _OUR_FILE or name.startswith(_OUR_FOLDERS) or (name[-1:] in ("", "/")):
            return None
        parsed = names.parse(name, self.cname, self.sids)
        if parsed is not None and self.sids and parsed.sid not in self.sids:
            self.strangers[parsed.sid] = self.strangers.get(parsed.sid, 0) + 1
            return None
        if parsed is not None and parsed.kind in ("segment", "snapshot"):
            return self._open(name, parsed)
        if parsed is None:
            self.stored[name] = (size, etag)
            return None
        self._others += 1
        self._other_bytes += size
        self.unseen.discard(name)
        self.arrived_ms[parsed.sid] = max(modified_ms, self.arrived_ms.get(parsed.sid, 0))
        if parsed.kind == "playlist":
            self._stream(parsed).indexes.append(Index(name, parsed, size, etag))
        else:
            self.files.append(
                MediaFile(
                    name=name,
                    kind=cast("FileKind", parsed.kind),
                    sid=parsed.sid,
                    bak=parsed.bak,
                    uid=parsed.uid or "0",
                    index=parsed.index,
                    size=size,
                    etag=etag,
                )
            )
        return None

    def _open(self, name: str, parsed: FileName) -> Series:
        dot = name.rfind(".")
        series = Series(parsed, self._stream(parsed))
        self.series[name[: dot - 17] + name[dot:]] = series
        self.arrived_ms.setdefault(parsed.sid, 0)
        return series

    def _stream(self, parsed: FileName) -> Stream:
        key = (parsed.sid, parsed.bak, parsed.uid, parsed.track)
        stream = self.streams.get(key)
        if stream is None:
            stream = self.streams[key] = Stream(parsed)
        return stream

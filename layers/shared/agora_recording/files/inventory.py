"""The files of a recording: the bucket's listing, grouped by the parts of their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from sys import getsizeof
from typing import Literal, NamedTuple, cast
from urllib.parse import unquote

import msgspec
from msgspec.structs import replace

from agora_recording.files import names
from agora_recording.files.allowance import Allowance
from agora_recording.files.names import FileName

# What this bundle itself writes under a recording's prefix.
_OUR_FOLDERS = ("events/", "manifest/")
_OUR_FILE = "manifest.json"

# What a file takes in memory beside the characters of its name (measured): a slice; any other file,
# or the first slice of a series.
_SLICE_BYTES, _FILE_BYTES = 300, 1500
_WHOLE_KINDS = ("mp4", "audio", "mpd")

FileKind = Literal["mp4", "audio", "mpd", "dash_segment", "master_playlist"]


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
    """An MP4 or audio file, an MPD or a slice of its, or a master playlist: an index of indexes.

    `uid` is "0" when it holds everybody's media. `codec` is in the names of raw mode.
    """

    name: str
    kind: FileKind
    sid: str
    bak: int | None
    uid: str
    index: int | None
    size: int
    etag: str
    codec: str | None = None


class Stream(msgspec.Struct, eq=False):
    """The files of one stream by one recorder: same sid, `bak<n>_`, uid, and track or codec.

    `parsed` is the name of its first file in the listing. `is_guess`: nothing in the name of its
    index tells the session, so it is taken for the recording's only or latest one.
    """

    parsed: FileName
    indexes: list[Index] = []
    is_guess: bool = False
    has_slices: bool = False


class Series(msgspec.Struct, eq=False):
    """Slices, or snapshots, whose names differ only in their time; `parsed` is the first name.

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

    `stored` holds these by name, and every file without a known form, too; `others` all other
    files, except snapshots. `unseen` holds the announced names that the listing does not have.
    `strangers` counts the files of sids that do not belong to the recording (if no sids are given,
    all do), and `strange_media` those that hold media. `unformed` counts the media files of each
    sid whose names have no known form; a name without a sid counts for the latest. `loose` holds
    the names of indexes and whole files without a known form. `arrived_ms` is when the newest file
    of each sid came. `end` is the last name that was read, if the allowance was spent before the
    listing was over.
    """

    def __init__(
        self,
        *,
        prefix: str,
        cname: str | None,
        sids: Sequence[str],
        announced: Iterable[str] = (),
        allowance: Allowance | None = None,
    ) -> None:
        self.prefix = prefix
        self.cname = cname
        self.sids = frozenset(sids)
        self.stored: dict[str, tuple[int, str]] = {}
        self.others: dict[str, tuple[int, str]] = {}
        self.streams: dict[tuple[str, int | None, str | None, str | None], Stream] = {}
        self.series: dict[str, Series] = {}
        self.files: list[MediaFile] = []
        self.strangers: Counter[str] = Counter()
        self.strange_media = 0
        self.unformed: Counter[str] = Counter()
        self.loose: list[str] = []
        self.unseen = {name.rpartition("/")[2] for name in announced}
        self.arrived_ms: dict[str, int] = {}
        self.end: str | None = None
        self.allowance = allowance or Allowance()
        self._latest = sids[-1] if sids else ""
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
        """Read a listing, in one pass. The bundle's own files are left out.

        In any order; but what is left out when the allowance is spent are the last names only if
        the names come in order, as S3 lists them.
        """
        skip, left = len(self.prefix), self.allowance.listing
        known, stored, unseen, arrived = self.series, self.stored, self.unseen, self.arrived_ms
        for key, size, etag, modified_ms in objects:
            name = key[skip:]
            dot = name.rfind(".")
            # Nearly all files are slices that differ only in the UTC: only the first name is
            # parsed.
            series = known.get(name[: dot - 17] + name[dot:])
            if series is None or not name[dot - 17 : dot].isdigit():
                series = self._listed_series(name)
                if series is None:
                    left -= getsizeof(name) + _FILE_BYTES
                    series = self._place(name, size, etag, modified_ms)
            if series is not None:
                series.count += 1
                series.bytes += size
                sid = series.parsed.sid
                arrived[sid] = max(arrived[sid], modified_ms)
                if unseen:
                    unseen.discard(name)
                if series.parsed.kind == "segment":
                    stored[name] = (size, etag)
                    left -= getsizeof(name) + _SLICE_BYTES
                else:
                    series.first = min(series.first, name) if series.first else name
                    series.last = max(series.last, name)
                    if size == 0:
                        series.empty.append(name)
                        left -= getsizeof(name)
            if left < 0:
                self.end = name
                break
        self.allowance.listing = left

    def find(self, uri_name: str) -> tuple[str, int, str] | None:
        """Return name, size and etag of the listed file that an index means by this basename.

        Whatever its name looks like; in an address, characters may be encoded.
        """
        for name in (uri_name, unquote(uri_name)):
            found = self.stored.get(name) or self.others.get(name)
            if found is not None and "/" not in name:
                return name, *found
        return None

    def series_of(self, name: str) -> Series | None:
        """Return the series that a listed slice or snapshot belongs to."""
        dot = name.rfind(".")
        if name[dot - 17 : dot].isdigit():
            return self.series.get(name[: dot - 17] + name[dot:])
        return self._listed_series(name)

    def _listed_series(self, name: str) -> Series | None:
        key = names.series_of(name)
        return self.series.get(key) if key else None

    def _place(self, name: str, size: int, etag: str, modified_ms: int) -> Series | None:
        """Store any other file; for the first slice or snapshot of a series, return the series."""
        if name == _OUR_FILE or name.startswith(_OUR_FOLDERS) or (name[-1:] in ("", "/")):
            return None
        parsed = names.parse(name, self.cname, self.sids)
        if parsed is not None and self.sids and parsed.sid not in self.sids:
            self.strangers[parsed.sid] += 1
            self.strange_media += bool(size) and parsed.kind not in ("playlist", "mpd")
            self.others[name] = (size, etag)
            return None
        if parsed is not None and parsed.kind in ("segment", "snapshot"):
            return self._open(name, parsed)
        if parsed is None:
            parsed = self._unformed(name, size, modified_ms)
        if parsed is None:
            self.stored[name] = (size, etag)
            return None
        self._others += 1
        self._other_bytes += size
        self.others[name] = (size, etag)
        self.unseen.discard(name)
        self.arrived_ms[parsed.sid] = max(modified_ms, self.arrived_ms.get(parsed.sid, 0))
        if parsed.kind == "playlist":
            self._stream(parsed, name).indexes.append(Index(name, parsed, size, etag))
        else:
            self.files.append(
                MediaFile(
                    name=name,
                    kind=cast("FileKind", parsed.kind),
                    sid=parsed.sid,
                    bak=parsed.bak,
                    uid=parsed.uid or "0",
                    index=parsed.index,
                    codec=parsed.codec,
                    size=size,
                    etag=etag,
                )
            )
        return None

    def _unformed(self, name: str, size: int, modified_ms: int) -> FileName | None:
        """Return what the name of an index or a whole file tells, though it has no known form.

        None for any other file. It is counted, if it is a medium by its ending, or Agora's by its
        sid.
        """
        told = names.hint(name, self.sids)
        own_sid = names.sid_in(name, self.sids)
        sid = own_sid or (self._latest if told else "")
        if not sid or "/" in name:
            return None
        if told and (told.kind == "playlist" or (own_sid and told.kind in _WHOLE_KINDS)):
            self.loose.append(name)
            return replace(told, sid=sid)
        self.arrived_ms[sid] = max(modified_ms, self.arrived_ms.get(sid, 0))
        if size and (told is None or told.kind != "mpd"):
            self.unformed[sid] += 1
        return None

    def _open(self, name: str, parsed: FileName) -> Series:
        series = Series(parsed, self._stream(parsed))
        series.stream.has_slices = True
        self.series[names.series_of(name) or name] = series
        self.arrived_ms.setdefault(parsed.sid, 0)
        return series

    def _stream(self, parsed: FileName, name: str = "") -> Stream:
        """Return the stream of a file; an index without a known form (no cname) has its own."""
        track = (parsed.track or parsed.codec) if parsed.cname else name
        key = (parsed.sid, parsed.bak, parsed.uid, track)
        stream = self.streams.get(key)
        if stream is None:
            is_guess = not parsed.cname and parsed.sid not in name
            stream = self.streams[key] = Stream(parsed, is_guess=is_guess)
        return stream

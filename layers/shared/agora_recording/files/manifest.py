"""The manifest: the files of a recording, for its consumers (docs/manifest.md).

These types are the document: written by `documents`, read by `catalogue` and by the API.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from agora_recording.files.inventory import FileKind
from agora_recording.files.verdict import Cause, Code, Level, State, TrackType
from agora_recording.recording.model import Outcome

FILE, FOLDER = "manifest.json", "manifest/"

_ENCODER = msgspec.json.Encoder(order="deterministic")

Count = Annotated[int, Meta(ge=0)]
Milliseconds = Annotated[int, Meta(ge=0)]
Instant = Annotated[str, Meta(description="RFC 3339, UTC, with milliseconds")]
Key = Annotated[str, Meta(description="The object's whole key in the bucket")]


class Entry(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of the document: names in camelCase; a field without a value is left out."""


class GapEntry(Entry):
    """Wall-clock time without media."""

    started_at: Instant
    ended_at: Instant
    cause: Cause


class GapList(Entry):
    """`items` holds the first of `count` gaps, which last `durationMs` together."""

    count: Count
    duration_ms: Milliseconds
    items: tuple[GapEntry, ...]


class SegmentEntry(Entry):
    """A slice. Its key is `prefix` and this name; `state` says why it cannot be played."""

    name: str
    bytes: Count
    etag: str
    duration_ms: Milliseconds
    started_at: Instant | None = None
    state: State | None = None


class PlaylistEntry(Entry):
    """A final M3U8. `bytes` is its own size, `segmentBytes` that of the slices that are there."""

    key: Key
    sid: str
    bytes: Count
    etag: str
    closed: bool
    segment_count: Count
    segment_bytes: Count
    duration_ms: Milliseconds
    bak: Count | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None


class TrackEntry(Entry):
    """One stream over all failovers and restarts; uid "0" holds everybody's media.

    `codec` is given in raw mode: a user who changes the codec has two tracks.

    Its slices are those numbered `firstSegment` (from 0) to `firstSegment + segmentCount - 1` of
    the manifest's segments, playlist after playlist.
    """

    uid: str
    track_type: TrackType
    playlists: tuple[PlaylistEntry, ...]
    first_segment: Count
    segment_count: Count
    bytes: Count
    duration_ms: Milliseconds
    gaps: GapList
    codec: str | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None


class FileEntry(Entry):
    """An MP4 or audio file, an MPD or a slice of its, or a master playlist.

    `index` is the number Agora gave it.
    """

    key: Key
    kind: FileKind
    sid: str
    uid: str
    bytes: Count
    etag: str
    bak: Count | None = None
    index: Count | None = None
    codec: str | None = None


class PartEntry(Entry):
    """A JSON array in the bucket with the next `count` items."""

    key: Key
    count: Count


class _List(Entry):
    count: Count
    parts: tuple[PartEntry, ...] | None = None


class SegmentList(_List):
    """The slices, one track after the other: in `items`, or in `parts` when they are many."""

    items: tuple[SegmentEntry, ...] | None = None


class TrackList(_List):
    """The tracks: in `items`, or in `parts` when they are many."""

    items: tuple[TrackEntry, ...] | None = None


class FileList(_List):
    """The other files: in `items`, or in `parts` when they are many."""

    items: tuple[FileEntry, ...] | None = None


class FindingEntry(Entry):
    """One kind of finding at one place; `names` holds the first of `count`."""

    code: Code
    level: Level
    count: Count
    where: str = ""
    names: tuple[str, ...] = ()
    detail: str = ""


class FindingList(Entry):
    """`items` holds the first of `count` findings: errors, then what is awaited, then notes."""

    count: Count
    items: tuple[FindingEntry, ...]


class SnapshotSummary(Entry):
    """The JPG files; `firstAt` and `lastAt` are the instants in their names."""

    count: Count
    bytes: Count
    first_at: Instant | None = None
    last_at: Instant | None = None


class Totals(Entry):
    """`objects` and `bytes` count Agora's files; `durationMs` is the time that has media."""

    objects: Count
    bytes: Count
    duration_ms: Milliseconds
    started_at: Instant | None = None
    ended_at: Instant | None = None


class Manifest(Entry):
    """The files of a recording, and whether they are complete."""

    schema_version: Literal[1]
    generated_at: Instant
    recording: dict[str, Any]
    prefix: str
    verdict: Outcome
    findings: FindingList
    totals: Totals
    gaps: GapList
    tracks: TrackList
    segments: SegmentList
    files: FileList
    snapshots: SnapshotSummary


def encode(value: Entry | Sequence[Entry] | str) -> bytes:
    """Return JSON; the same value gives the same bytes, in whatever order it was made."""
    return _ENCODER.encode(value)


def decode(data: bytes, prefix: str) -> Manifest:
    """Return the manifest that `encode` wrote for the recording of this prefix.

    Raises msgspec.DecodeError for anything else. Agora may write under the prefix, too: so a
    manifest that speaks of another prefix, or refers to parts elsewhere, is not believed.
    """
    found = msgspec.json.decode(data, type=Manifest)
    lists: tuple[_List, ...] = (found.tracks, found.segments, found.files)
    parts = [part.key for each in lists for part in each.parts or ()]
    keys = [playlist.key for track in found.tracks.items or () for playlist in track.playlists]
    keys += [file.key for file in found.files.items or ()]
    is_own = all(key.startswith(prefix) for key in keys)
    is_own &= all(key.startswith(prefix + FOLDER) for key in parts)
    if found.prefix != prefix or not is_own:
        raise msgspec.ValidationError(f"it is not the manifest of {prefix}")
    return found

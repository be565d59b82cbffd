"""The documents of a verdict: `manifest.json`, and the parts that it refers to.

`manifest.json` stays below 200 KB for a recording of any size, as long as the recording's own
fields stay below 20 KB: a list that is too long for it is written beside it, in numbered parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from agora_recording import clock
from agora_recording.files.manifest import (
    FILE,
    FOLDER,
    Entry,
    FileEntry,
    FileList,
    FindingEntry,
    FindingList,
    GapEntry,
    GapList,
    Instant,
    Manifest,
    PartEntry,
    PlaylistEntry,
    SegmentEntry,
    SegmentList,
    SnapshotSummary,
    Totals,
    TrackEntry,
    TrackList,
    encode,
)
from agora_recording.files.verdict import Finding, Gap, PlaylistFile, Track, Verdict

# How many bytes of JSON each list may have in manifest.json, and how many entries in a part.
_ROOM_FOR_SEGMENTS, _SEGMENTS_A_PART = 64_000, 2000
_ROOM_FOR_TRACKS, _TRACKS_A_PART = 40_000, 100
_ROOM_FOR_FILES, _FILES_A_PART = 24_000, 1000
_ROOM_FOR_FINDINGS, _ROOM_FOR_NAMES = 24_000, 2000
_GAPS, _GAPS_A_TRACK = 100, 20

_SMALLEST_ROW = 60  # bytes: saves writing rows that cannot fit
_LAST_MS = 253_402_300_799_999  # the last instant that RFC 3339 can write


def documents(verdict: Verdict, recording: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the content of each document.

    The manifest comes last: it never names a part that is not there.
    """
    yield from parts(verdict)
    yield verdict.prefix + FILE, encode(build(verdict, recording))


def build(verdict: Verdict, recording: dict[str, Any]) -> Manifest:
    """Return the manifest. `recording` holds the public fields of the row, as JSON can write them.

    The same verdict and recording give the same manifest, byte for byte.
    """
    segments, tracks, files = _segments(verdict), _tracks(verdict), _files(verdict)
    snapshots = verdict.snapshots
    return Manifest(
        schema_version=1,
        generated_at=clock.iso(verdict.verified_ms),
        recording=recording,
        prefix=verdict.prefix,
        verdict=verdict.outcome,
        findings=_finding_list(verdict.findings),
        totals=Totals(
            objects=verdict.objects,
            bytes=verdict.bytes,
            duration_ms=verdict.recorded_ms,
            started_at=_instant(verdict.started_ms),
            ended_at=_instant(verdict.ended_ms),
        ),
        gaps=_gap_list(verdict.gaps, _GAPS),
        tracks=TrackList(count=tracks.count, items=tracks.inline(), parts=tracks.parts()),
        segments=SegmentList(count=segments.count, items=segments.inline(), parts=segments.parts()),
        files=FileList(count=files.count, items=files.inline(), parts=files.parts()),
        snapshots=SnapshotSummary(
            count=snapshots.count,
            bytes=snapshots.bytes,
            first_at=_instant(snapshots.first_ms),
            last_at=_instant(snapshots.last_ms),
        ),
    )


def parts(verdict: Verdict) -> Iterator[tuple[str, bytes]]:
    """Yield key and content of the parts that the manifest refers to, one in memory at a time."""
    for rows in (_segments(verdict), _tracks(verdict), _files(verdict)):
        entries = rows.entries()
        for part in rows.parts() or ():
            yield part.key, encode(list(islice(entries, part.count)))


# --- lists that may be too long for one document ------------------------------------------------

E = TypeVar("E", bound=Entry)


class _Rows(Generic[E]):
    """A list: in manifest.json if `room` bytes hold it, else in parts of `a_part` entries."""

    def __init__(
        self,
        name: str,
        count: int,
        entries: Callable[[], Iterator[E]],
        *,
        room: int,
        a_part: int,
    ) -> None:
        self.name = name
        self.count = count
        self.entries = entries
        self.a_part = a_part
        self._inline: tuple[E, ...] | None = None
        if count * _SMALLEST_ROW <= room:
            rows = tuple(entries())
            if len(encode(rows)) <= room:
                self._inline = rows

    def inline(self) -> tuple[E, ...] | None:
        return self._inline

    def parts(self) -> tuple[PartEntry, ...] | None:
        if self._inline is not None:
            return None
        firsts = range(0, self.count, self.a_part)
        return tuple(
            PartEntry(
                key=f"{self.name}-{number:05}.json",
                count=min(self.a_part, self.count - first),
            )
            for number, first in enumerate(firsts, 1)
        )


def _segments(verdict: Verdict) -> _Rows[SegmentEntry]:
    def entries() -> Iterator[SegmentEntry]:
        for track in verdict.tracks:
            for playlist in track.playlists:
                for segment in playlist.segments:
                    yield SegmentEntry(
                        name=segment.name,
                        bytes=segment.size,
                        etag=segment.etag,
                        duration_ms=segment.duration_ms,
                        started_at=_instant(segment.start_ms),
                        state=segment.state,
                    )

    return _Rows(
        f"{verdict.prefix}{FOLDER}segments",
        sum(_segment_count(track) for track in verdict.tracks),
        entries,
        room=_ROOM_FOR_SEGMENTS,
        a_part=_SEGMENTS_A_PART,
    )


def _tracks(verdict: Verdict) -> _Rows[TrackEntry]:
    def entries() -> Iterator[TrackEntry]:
        first_segment = 0
        for track in verdict.tracks:
            yield _track_entry(verdict.prefix, track, first_segment)
            first_segment += _segment_count(track)

    return _Rows(
        f"{verdict.prefix}{FOLDER}tracks",
        len(verdict.tracks),
        entries,
        room=_ROOM_FOR_TRACKS,
        a_part=_TRACKS_A_PART,
    )


def _files(verdict: Verdict) -> _Rows[FileEntry]:
    def entries() -> Iterator[FileEntry]:
        for file in verdict.files:
            yield FileEntry(
                key=verdict.prefix + file.name,
                kind=file.kind,
                sid=file.sid,
                bak=file.bak,
                uid=file.uid,
                codec=file.codec,
                index=file.index,
                bytes=file.size,
                etag=file.etag,
            )

    return _Rows(
        f"{verdict.prefix}{FOLDER}files",
        len(verdict.files),
        entries,
        room=_ROOM_FOR_FILES,
        a_part=_FILES_A_PART,
    )


# --- entries ------------------------------------------------------------------------------------


def _segment_count(track: Track) -> int:
    return sum(len(playlist.segments) for playlist in track.playlists)


def _track_entry(prefix: str, track: Track, first_segment: int) -> TrackEntry:
    starts = [each.start_ms for each in track.playlists if each.start_ms is not None]
    ends = [each.end_ms for each in track.playlists if each.end_ms is not None]
    return TrackEntry(
        uid=track.uid,
        track_type=track.type,
        codec=track.codec,
        playlists=tuple(_playlist_entry(prefix, playlist) for playlist in track.playlists),
        first_segment=first_segment,
        segment_count=_segment_count(track),
        bytes=sum(playlist.bytes for playlist in track.playlists),
        duration_ms=sum(playlist.duration_ms for playlist in track.playlists),
        started_at=_instant(min(starts, default=None)),
        ended_at=_instant(max(ends, default=None)),
        gaps=_gap_list(track.gaps, _GAPS_A_TRACK),
    )


def _playlist_entry(prefix: str, playlist: PlaylistFile) -> PlaylistEntry:
    return PlaylistEntry(
        key=prefix + playlist.name,
        sid=playlist.sid,
        bak=playlist.bak,
        bytes=playlist.size,
        etag=playlist.etag,
        closed=playlist.closed,
        segment_count=len(playlist.segments),
        segment_bytes=playlist.bytes,
        duration_ms=playlist.duration_ms,
        started_at=_instant(playlist.start_ms),
        ended_at=_instant(playlist.end_ms),
    )


def _gap_list(gaps: Sequence[Gap], most: int) -> GapList:
    items = []
    for gap in gaps[:most]:
        started_at, ended_at = _instant(gap.from_ms), _instant(gap.to_ms)
        if started_at is not None and ended_at is not None:
            items.append(GapEntry(started_at=started_at, ended_at=ended_at, cause=gap.cause))
    return GapList(
        count=len(gaps),
        duration_ms=sum(gap.to_ms - gap.from_ms for gap in gaps),
        items=tuple(items),
    )


def _finding_list(findings: Sequence[Finding]) -> FindingList:
    room = _ROOM_FOR_FINDINGS
    items = []
    for finding in findings:
        entry = FindingEntry(
            code=finding.code,
            level=finding.level,
            where=finding.where,
            count=finding.count,
            names=tuple(_first(finding.names, _ROOM_FOR_NAMES)),
            detail=finding.detail,
        )
        room -= len(encode(entry)) + 1
        if room < 0:
            break
        items.append(entry)
    return FindingList(count=len(findings), items=tuple(items))


def _first(names: Sequence[str], room: int) -> list[str]:
    """Return the first names that fit into `room` bytes of JSON."""
    kept = []
    for name in names:
        room -= len(encode(name)) + 1
        if room < 0:
            break
        kept.append(name)
    return kept


def _instant(ms: int | None) -> Instant | None:
    """Return the instant as text; None for no instant, or one after 9999 in a damaged index."""
    return clock.iso(ms) if ms is not None and 0 <= ms <= _LAST_MS else None

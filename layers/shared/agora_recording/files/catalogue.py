"""The tracks of a recording, as its manifest or a verdict lists them, and the choice of a track."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import msgspec

from agora_recording.errors import MediaNotFoundError, Problem, RequestInvalidError
from agora_recording.files.manifest import FileEntry, Manifest, SegmentEntry, TrackEntry

E = TypeVar("E")

_NAMED = 20  # tracks that an error names


class Catalogue:
    """A manifest, and the parts that it refers to: `read` returns the document of a key."""

    def __init__(
        self, manifest: Manifest, read: Callable[[str], bytes], *, is_published: bool
    ) -> None:
        self.manifest = manifest
        self.is_published = is_published
        self._read = read
        self.tracks: list[TrackEntry] = list(self._items(manifest.tracks, TrackEntry))
        self._firsts = [track.first_segment for track in self.tracks]

    def track_of(self, number: int) -> TrackEntry:
        """Return the track that the segment of this number belongs to."""
        return self.tracks[bisect_right(self._firsts, number) - 1]

    def files(self) -> Iterator[FileEntry]:
        """Yield the files that are neither playlists, segments nor snapshots."""
        return self._items(self.manifest.files, FileEntry)

    def segments(self, first: int = 0) -> Iterator[SegmentEntry]:
        """Yield the segments from number `first` on; the parts before it are not read."""
        return self._items(self.manifest.segments, SegmentEntry, first)

    def unplayable(self, track: TrackEntry) -> frozenset[str]:
        """Return the names of a track's segments that are missing or empty."""
        findings = self.manifest.findings
        codes = {each.code for each in findings.items}
        if findings.count == len(findings.items) and not codes & {
            "missing_segment",
            "empty_segment",
        }:
            return frozenset()
        segments = islice(self.segments(track.first_segment), track.segment_count)
        return frozenset(segment.name for segment in segments if segment.state)

    def _items(self, listed: Any, kind: type[E], first: int = 0) -> Iterator[E]:
        if listed.items is not None:
            yield from listed.items[first:]
            return
        for part in listed.parts or ():
            if first < part.count:
                found = msgspec.json.decode(self._read(part.key), type=list[kind])  # type: ignore[valid-type]
                yield from found[first:]
            first = max(0, first - part.count)


def choose_track(
    tracks: Sequence[TrackEntry], uid: str | None, track_type: str | None, codec: str | None = None
) -> TrackEntry:
    """Return the track with this uid, this type and this codec; None fits every track.

    Raises MediaNotFoundError if no track fits, RequestInvalidError if several fit.
    """
    if not tracks:
        raise MediaNotFoundError("There is nothing to play: no playlist is in the bucket.")
    found = _fitting(tracks, uid, track_type, codec)
    if not found:
        raise MediaNotFoundError(f"There is no such track; the tracks are: {_named(tracks)}.")
    if len(found) > 1:
        name = "uid" if len({each.uid for each in found}) > 1 else "track"
        if name == "track" and len({each.track_type for each in found}) == 1:
            name = "codec"
        raise RequestInvalidError([Problem(name, f"must name one of the tracks: {_named(found)}")])
    return found[0]


class Together(NamedTuple):
    """The two tracks of a user of individual mode, to be played at the same time."""

    pictures: TrackEntry
    sound: TrackEntry


def choose_whole(
    tracks: Sequence[TrackEntry], uid: str | None, track_type: str | None, codec: str | None = None
) -> TrackEntry | Together:
    """Return all that a user sent: one track, or sound and picture where they are apart.

    Otherwise as `choose_track`, with the same errors.
    """
    found = _fitting(tracks, uid, track_type, codec)
    if len({(each.uid, each.codec) for each in found}) == 1:
        of_type = {each.track_type: each for each in found}
        if "audio_and_video" in of_type:
            return of_type["audio_and_video"]
        if len(of_type) == len(found) == 2:
            return Together(of_type["video"], of_type["audio"])
    return choose_track(tracks, uid, track_type, codec)


def _fitting(
    tracks: Sequence[TrackEntry], uid: str | None, track_type: str | None, codec: str | None
) -> list[TrackEntry]:
    return [
        each
        for each in tracks
        if uid in (None, each.uid)
        and track_type in (None, each.track_type)
        and codec in (None, each.codec)
    ]


def _named(tracks: Sequence[TrackEntry]) -> str:
    names = [
        f"uid {each.uid} {each.track_type}" + (f" {each.codec}" if each.codec else "")
        for each in tracks[:_NAMED]
    ]
    return ", ".join(names) + (" and more" if len(tracks) > _NAMED else "")

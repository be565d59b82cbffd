"""The types of a verdict: what the bucket should hold, what it holds, and what is wrong."""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import Literal

import msgspec

from agora_recording.files.inventory import MediaFile
from agora_recording.recording.model import Mode, Outcome

# How far the upload of a session is; unknown: no event reported it, or the session died. stranded:
# Agora said that files wait on its backup, and come later.
Uploading = Literal["uploading", "uploaded", "backuped", "stranded", "unknown"]
TranscodedFormat = Literal["mp4", "mp3", "m4a", "aac"]
Level = Literal["error", "awaited", "note"]
State = Literal["missing", "empty"]
Cause = Literal["interruption", "missing", "failover", "restart"]
TrackType = Literal["audio", "video", "audio_and_video"]
Code = Literal[
    "missing_segment",  # a final index names it, but it is not in the bucket
    "empty_segment",  # it has 0 bytes
    "unclosed_playlist",  # the index has no end mark
    "truncated_playlist",  # the index ends inside a line or an entry
    "malformed_playlist",  # the index holds lines that no player can read
    "changed_playlist",  # the index was written again between the listing and the reading
    "empty_playlist",  # the index is closed and names no slice
    "shortened_playlist",  # the index names fewer slices than it did at an earlier look
    "nothing_playable",  # media, but no index names any of it with a duration, nor is there a file
    "too_large",  # more files, or a larger index, than can be checked: the rest was not
    "no_playlist",  # media without any index
    "unread_mpd",  # slices that only an MPD can name; an MPD is listed, but not read
    "missing_mp4",  # a requested MP4 is missing, or a number in the series
    "missing_transcoding",  # a file of postponed transcoding or mixing is missing
    "missing_file",  # what a notification announced, or a master playlist, MAP or KEY names
    "empty_file",  # an MP4, audio file, MPD or snapshot of 0 bytes
    "no_snapshots",  # requested beside a recording, which goes on without them (Agora REST: start)
    "nothing_recorded",  # no media at all: of the session `where`, or of the whole recording
    "upload_unconfirmed",  # nothing is wrong, but more may still come
    "orphan_segment",  # a slice that no final index names
    "foreign_file",  # a file whose name has no known form of Agora's
    "unknown_session",  # files of a sid (`where`) that does not belong to the recording
]
MAX_LENGTHS = 500  # they are kept in the row, with 20 bytes each
_COPY = re.compile(r"_[0-9]+_[0-9]+(?=\.m3u8\Z)")


def length_key(name: str) -> str:
    """Return a short key for an index and all its copies from Agora's backup."""
    return hashlib.blake2b(_COPY.sub("", name).encode(), digest_size=6).hexdigest()


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sid of the recording. `ended_ms`: when it was known to have ended.

    `upload` is its state as events 31 and 32 reported it, or an answer that said `stranded`.
    """

    sid: str
    started_ms: int | None = None
    ended_ms: int | None = None
    upload: Uploading = "unknown"
    has_recorded: bool = False  # there should be files


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What the bucket should hold. `prefix` ends in a slash; sessions are in order of time.

    Without sessions (no sid is known), every sid under the prefix counts as the recording's.
    `is_unaccounted`: it may have a further session whose sid nobody knows. Then files of an unknown
    sid are awaited until the deadline, by which it is mostly known whose they are.
    `announced` holds file names of events 31, 32, 45, 71, 81 and 1001, with or without folders;
    names without a sid of the recording are ignored. `lengths` is what an earlier verdict told as
    its `lengths`. `transcoding` is the format that postponed transcoding
    (mp4) or mixing makes. Snapshots alone: `hls=False, snapshots=True`.

    No more files are expected after `uploaded`; never before the deadline after `stranded`, until
    an event says more; of an ended session whose upload is unknown, when no file has come for
    `quiet_ms` (Agora's backup usually delivers within 5 minutes), unless it has recorded and none
    has come at all; and after `deadline_ms`. MP4s are made after the end: so a missing MP4 is
    awaited until the deadline, or until no file has come for `quiet_ms`, even after `uploaded`.
    Transcoding takes days: it is awaited until `transcoding_deadline_ms` (None: `deadline_ms`),
    which is set to the past when event 1001 reports a failure.
    """

    prefix: str
    mode: Mode
    cname: str | None = None
    sessions: tuple[Session, ...] = ()
    hls: bool = True
    mp4: bool = False
    mp3: bool = False
    snapshots: bool = False
    transcoding: TranscodedFormat | None = None
    is_unaccounted: bool = False
    announced: frozenset[str] = frozenset()
    lengths: dict[str, int] = {}
    gap_ms: int = 1000  # names have wall-clock time, EXTINF media time: they differ by less
    quiet_ms: int = 300_000
    deadline_ms: int | None = None
    transcoding_deadline_ms: int | None = None


class Finding(msgspec.Struct, frozen=True):
    """One kind of finding at one place (an index, a sid). `names` holds the first of `count`.

    `error` makes the recording incomplete, `awaited` makes it pending, `note` changes nothing.
    """

    code: Code
    level: Level
    where: str
    count: int
    names: tuple[str, ...]
    detail: str


class Gap(msgspec.Struct, frozen=True):
    """Wall-clock time without media. `missing`: slices are lost; `interruption`: none was sent."""

    from_ms: int
    to_ms: int
    cause: Cause


class SegmentFile(msgspec.Struct, gc=False):
    """A slice that an index names, with its size and etag in the bucket."""

    name: str
    size: int
    etag: str
    duration_ms: int
    start_ms: int | None
    state: State | None = None


class PlaylistFile(msgspec.Struct, kw_only=True):
    """A final index and its slices; `bytes` and `duration_ms` are sums of those that are there.

    `untimed_ms` is how long those of them last whose start is not known.
    """

    name: str
    sid: str
    bak: int | None
    size: int
    etag: str
    closed: bool
    media: frozenset[str]
    segments: list[SegmentFile]
    bytes: int = 0
    duration_ms: int = 0
    untimed_ms: int = 0
    start_ms: int | None = None
    end_ms: int | None = None


class Track(msgspec.Struct, kw_only=True):
    """One stream over all failovers and restarts, in order of time. uid "0" is all users.

    `codec` is in the names of raw mode: a user who changes the codec has two tracks.
    """

    uid: str
    type: TrackType
    playlists: list[PlaylistFile]
    gaps: list[Gap]
    codec: str | None = None


class Snapshots(msgspec.Struct, kw_only=True):
    """The JPG files, summed up; the times are those in the names."""

    count: int = 0
    bytes: int = 0
    first_ms: int | None = None
    last_ms: int | None = None


class Verdict(msgspec.Struct, kw_only=True):
    """What the bucket holds, and whether that is complete.

    `gaps` and `recorded_ms` are of the whole recording: the times in which no track has media, and
    the total time in which at least one track has media. Slices whose times are not known count
    with their durations, in the track that has most of them. `objects` and `bytes` count Agora's
    files.
    """

    outcome: Outcome
    findings: list[Finding]
    tracks: list[Track]
    files: list[MediaFile]
    snapshots: Snapshots
    gaps: list[Gap]
    recorded_ms: int
    started_ms: int | None
    ended_ms: int | None
    objects: int
    bytes: int
    prefix: str
    verified_ms: int

    @property
    def lengths(self) -> dict[str, int]:
        """How many slices each index names, by its `length_key`; of at most 500 indexes."""
        finals = (each for track in self.tracks for each in track.playlists)
        return {length_key(each.name): len(each.segments) for each in islice(finals, MAX_LENGTHS)}

    @property
    def awaiting(self) -> list[Finding]:
        """What may still come: empty unless the outcome is pending."""
        return [finding for finding in self.findings if finding.level == "awaited"]

    @property
    def missing(self) -> list[str]:
        """The names that are absent or empty, at most 100 of each finding."""
        return [name for finding in self._absences() for name in finding.names]

    @property
    def missing_count(self) -> int:
        """How many names are absent or empty in total."""
        return sum(finding.count for finding in self._absences())

    def _absences(self) -> list[Finding]:
        absent = ("missing_", "empty_")
        return [
            finding
            for finding in self.findings
            if finding.level != "note" and finding.code.startswith(absent)
        ]

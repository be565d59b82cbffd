"""One recording: what its page shows, from the table and from the bucket."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import quote

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.api.get_recording_events import read_events_query
from agora_recording.api.get_recording_files import list_files, read_files_query
from agora_recording.api.timeline import Entry, entry, of_note
from agora_recording.clock import from_iso
from agora_recording.errors import RecordingError
from agora_recording.files.catalogue import Catalogue
from agora_recording.files.manifest import SegmentEntry, TrackEntry
from agora_recording.notifications import events
from agora_recording.notifications.report import report
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import Recording
from agora_recording.recording.view import public
from operate.console.desk import Desk
from operate.console.lanes import Known, span
from operate.console.picture import Window

# Event 33 comes each minute for as long as a recording runs, and says only that it runs.
_PROGRESS = 33
_ENTRIES = 3000  # of the picture: the rest is in the timeline's pages
_WORDS = 150  # entries of the timeline in one page
_FILES = 40
_OVER_S, _OPEN_S, _BUCKET_S = 30, 2, 20
# How long a recording may have run so that its files are looked at without being asked: each look
# lists the bucket and reads every index.
_LOOKED_AT_MS = 6 * 3_600_000
_SLICES_FROM = 3  # px that a slice must have to be drawn
_SLICES = 4000  # of one picture
_A_SLICE_MS = 10_000
_PARTS = 64  # of a manifest


def read(desk: Desk, recording_id: str) -> Recording:
    """Return the row. Raises RecordingNotFoundError."""
    check_recording_id(recording_id)
    return desk.parts.store.get(recording_id)


def _kept_s(recording: Recording) -> float:
    return _OVER_S if recording.is_terminal else _OPEN_S


# --- what happened ------------------------------------------------------------------------------


def entries(desk: Desk, recording: Recording) -> tuple[list[Entry], bool]:
    """Return the entries of the timeline in order of time, without the uploader's reports of
    progress; and whether these are all.
    """
    key = ("entries", recording.recording_id, recording.version)
    return desk.memory.get(key, _kept_s(recording), lambda: _entries(desk, recording))


def _entries(desk: Desk, recording: Recording) -> tuple[list[Entry], bool]:
    store, sessions = desk.parts.store, desk.parts.sessions
    told = (
        entry(events.from_stored(row))
        for sid in recording.sids
        for series in sessions.series(sid)
        if series.event_type != _PROGRESS
        for row in sessions.numbered(sid, series)
    )
    noted = (
        of_note(row)
        for rows in (store.notes(recording.recording_id), store.arrivals(recording.recording_id))
        for row in rows
    )
    found, own = list(islice(told, _ENTRIES + 1)), list(islice(noted, _ENTRIES + 1))
    is_whole = max(len(found), len(own)) <= _ENTRIES
    return sorted([*found[:_ENTRIES], *own[:_ENTRIES]], key=lambda each: each["at"]), is_whole


def words(desk: Desk, recording: Recording, first: int = 0) -> dict[str, Any]:
    """Return {entries, first, next, count, isWhole}: a page of the timeline in words."""
    found, is_whole = entries(desk, recording)
    following = first + _WORDS
    return {
        "entries": found[first:following],
        "next": following if following < len(found) else None,
        "count": len(found),
        "isWhole": is_whole,
    }


def sessions(desk: Desk, recording: Recording) -> list[dict[str, Any]]:
    """Return the report of each session (SessionReport)."""
    reports = [report(sid, desk.parts.sessions.get(sid).facts) for sid in recording.sids]
    found: list[dict[str, Any]] = msgspec.to_builtins(reports)
    return found


# --- the files ----------------------------------------------------------------------------------


def catalogue(desk: Desk, recording: Recording, *, asked: bool = False) -> Catalogue | None:
    """Return what the bucket holds; None if nothing is there to look at, or a look would be dear
    and was not `asked` for.
    """
    is_long = desk.now_ms() - recording.created_ms > _LOOKED_AT_MS
    if recording.deleting_ms or not recording.sids:
        return None
    key = ("bucket", recording.recording_id, recording.is_terminal)
    if asked:
        desk.memory.forget(key)
    elif is_long and not recording.upload.manifest:
        return None
    try:
        return desk.memory.get(key, _BUCKET_S, lambda: _catalogue(desk, recording))
    except (RecordingError, ClientError, BotoCoreError):
        return None  # the page shows the rest; the list of files says why


def _catalogue(desk: Desk, recording: Recording) -> Catalogue:
    """Return the catalogue; the parts of a manifest are kept, since zooming reads them often."""
    media = desk.parts.media
    found = media.catalogue(recording)
    if not found.is_published:
        return found
    return Catalogue(found.manifest, lru_cache(_PARTS)(media.read), is_published=True)


def files(desk: Desk, recording_id: str, cursor: str = "") -> dict[str, Any]:
    """Return a page of the API's list of files, without addresses: the console opens them itself.

    Raises RecordingNotFoundError; RecordingStateError; RequestInvalidError (the cursor).
    """
    asked = read_files_query({"limit": str(_FILES), **({"cursor": cursor} if cursor else {})})
    found = list_files(desk.parts.media, recording_id, asked)
    prefix = read(desk, recording_id).prefix
    for each in found["files"]:
        each["name"] = each["key"].rpartition("/")[2]
        each["path"] = quote(each["key"].removeprefix(prefix))
        each["isThere"] = each.pop("url", None) is not None
    found.pop("manifestUrl", None)
    return found


# --- the picture --------------------------------------------------------------------------------


def known(
    desk: Desk, recording: Recording, of: Window | None = None, *, asked: bool = False
) -> Known:
    """Return what the lanes are made of; the slices only where the window is narrow enough."""
    found = catalogue(desk, recording, asked=asked)
    told, _ = entries(desk, recording)
    return Known(
        recording=recording,
        now_ms=desk.now_ms(),
        entries=told,
        tracks=found.tracks if found else (),
        findings=found.manifest.findings.items if found else (),
        slices=slices(found, of) if found and of else None,
    )


def whole(desk: Desk, recording: Recording) -> tuple[int, int]:
    """Return the time of the whole picture (epoch ms)."""
    return span(recording, desk.now_ms())


def slices(found: Catalogue, of: Window) -> dict[int, list[SegmentEntry]] | None:
    """Return the slices of each track that a window shows, by the number of the track.

    None if each would be too narrow to be seen: then nothing is read.
    """
    if of.span_ms > _A_SLICE_MS * (of.width - of.left) / _SLICES_FROM:
        return None
    return {
        number: list(islice(_slices_within(found, track, of), _SLICES))
        for number, track in enumerate(found.tracks)
    }


def _slices_within(found: Catalogue, track: TrackEntry, of: Window) -> Iterator[SegmentEntry]:
    """Yield the slices of a track that the window shows; its parts are searched by halves."""
    first = _first_within(found, track, of.from_ms)
    rest = track.first_segment + track.segment_count - first
    for each in islice(found.segments(first), rest):
        at = from_iso(each.started_at) if each.started_at else None
        if at is None or at + each.duration_ms < of.from_ms:
            continue
        if at > of.to_ms:
            return
        yield each


def _first_within(found: Catalogue, track: TrackEntry, from_ms: int) -> int:
    """Return the number of the last slice that begins before an instant; else the track's first."""

    class Starts:
        def __len__(self) -> int:
            return track.segment_count

        def __getitem__(self, at: int) -> int:
            segment = next(found.segments(track.first_segment + at), None)
            return from_iso(segment.started_at) if segment and segment.started_at else 0

    return track.first_segment + max(bisect_right(Starts(), from_ms) - 1, 0)


# --- raw JSON -----------------------------------------------------------------------------------


def raw(desk: Desk, recording: Recording, what: str, cursor: str = "") -> Any:
    """Return what the page is made of, as JSON: `recording`, `request`, `sessions`, `events` (the
    API's pages), `manifest`.

    Raises LookupError for anything else; MediaNotFoundError without a manifest.
    """
    match what:
        case "recording":
            return public(recording)
        case "request":
            return recording.client_request
        case "sessions":
            return sessions(desk, recording)
        case "events":
            page = read_events_query({"limit": "1000", **({"cursor": cursor} if cursor else {})})
            return desk.parts.timeline.page(recording.recording_id, page)
        case "manifest":
            key = recording.upload.manifest or f"{recording.prefix}manifest.json"
            return msgspec.json.decode(desk.parts.media.read(key))
    raise LookupError(what)

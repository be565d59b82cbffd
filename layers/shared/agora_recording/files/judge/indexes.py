"""The final indexes: whether each is complete and closed, and whether its slices are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import unquote

import msgspec

from agora_recording.files import playlists
from agora_recording.files.inventory import Index, Inventory, MediaFile, Stream
from agora_recording.files.judge.case import Case, SessionCase, recorder_of
from agora_recording.files.playlists import Playlist
from agora_recording.files.verdict import Level, PlaylistFile, SegmentFile, State

_MAX_PLAYLIST_BYTES = 64 * 1024 * 1024


class Indexes(msgspec.Struct, eq=False):
    """What the final indexes say.

    `finals` are those that name slices, in order of sessions, recorders, uids and tracks;
    `masters` those that name other indexes; `named` the names of all slices.
    """

    finals: list[tuple[Stream, PlaylistFile]] = []
    masters: list[MediaFile] = []
    named: set[str] = set()


def judge_indexes(case: Case, read: Callable[[str], bytes]) -> Indexes:
    """Read the final index of each stream, and judge it and its slices."""
    found = Indexes()
    for stream in sorted(case.inventory.streams.values(), key=lambda each: _order(case, each)):
        if stream.indexes:
            _judge_index(case, stream, final_index(stream.indexes), read, found)
    return found


def final_index(indexes: Sequence[Index]) -> Index:
    """Return the final index of a stream (Agora: manage recorded files).

    That is the larger of two: the plain index, and the highest version from Agora's backup.
    """
    plain = [index for index in indexes if index.parsed.index is None]
    copies = [index for index in indexes if index.parsed.index is not None]
    copies.sort(key=lambda copy: (copy.parsed.index or 0, copy.parsed.tick or 0))
    return max(plain + copies[-1:], key=lambda index: index.size)


def _order(case: Case, stream: Stream) -> tuple[int, int, str, str]:
    parsed = stream.parsed
    rank = case.sessions[parsed.sid].rank
    return rank, recorder_of(parsed.bak), parsed.uid or "", parsed.track or ""


def _judge_index(
    case: Case, stream: Stream, index: Index, read: Callable[[str], bytes], found: Indexes
) -> None:
    session = case.sessions[stream.parsed.sid]
    if index.size > _MAX_PLAYLIST_BYTES:
        case.problem("malformed_playlist", session, index.name, detail="larger than 64 MiB")
        return
    data = read(case.inventory.prefix + index.name)
    if len(data) != index.size:
        session.troubled = True
        level: Level = "note" if case.overdue else "awaited"
        case.findings.add("changed_playlist", level, index.name)
    playlist = playlists.parse(data)
    _judge_form(case, session, index, playlist)
    if playlist.variants:
        _judge_variants(case, session, index, playlist)
        found.masters.append(_master(index))
    if playlist.segments or not playlist.variants:
        final = _judge_slices(case, session, index, playlist, found.named)
        found.finals.append((stream, final))


# --- the index itself ---------------------------------------------------------------------------


def _judge_form(case: Case, session: SessionCase, index: Index, playlist: Playlist) -> None:
    codes = {defect.code for defect in playlist.defects}
    detail = ", ".join(
        f"{defect.code}: {defect.count}, from line {defect.line}" for defect in playlist.defects
    )
    if codes - {"cut", "bad_agora_tag"}:
        case.problem("malformed_playlist", session, index.name, detail=detail)
    elif "cut" in codes:
        case.problem("truncated_playlist", session, index.name, detail=detail)
    elif playlist.variants:
        pass  # a master playlist has no end mark
    elif not playlist.closed:
        _judge_unclosed(case, session, index)
    elif not playlist.segments:
        case.findings.add("empty_playlist", "note", index.name)
    if codes == {"bad_agora_tag"}:
        case.findings.add("malformed_playlist", "note", index.name, detail=detail)


def _judge_unclosed(case: Case, session: SessionCase, index: Index) -> None:
    """Note an index without an end mark: only a note if a later recorder or session follows."""
    if recorder_of(index.parsed.bak) < max(session.recorders):
        case.findings.add("unclosed_playlist", "note", index.name, detail="failover")
    elif session.settled and any(
        other.rank > session.rank and not other.silent
        for other in case.sessions.values()
        if case.expectation.sessions
    ):
        case.findings.add("unclosed_playlist", "note", index.name, detail="restart")
    else:
        case.problem("unclosed_playlist", session, index.name)


def _judge_variants(case: Case, session: SessionCase, index: Index, playlist: Playlist) -> None:
    """Check that the indexes of a master playlist are there; each is judged by itself."""
    there = {each.name for stream in case.inventory.streams.values() for each in stream.indexes}
    names = {playlists.file_name(uri) for uri in playlist.variants}
    absent = sorted(name for name in names if not {name, unquote(name)} & there)
    if absent:
        case.problem("missing_file", session, index.name, absent)


def _master(index: Index) -> MediaFile:
    return MediaFile(
        name=index.name,
        kind="master_playlist",
        sid=index.parsed.sid,
        bak=index.parsed.bak,
        uid=index.parsed.uid or "0",
        index=None,
        size=index.size,
        etag=index.etag,
    )


# --- its slices ---------------------------------------------------------------------------------


def _judge_slices(
    case: Case, session: SessionCase, index: Index, playlist: Playlist, named: set[str]
) -> PlaylistFile:
    """Return the index with what the bucket says of its slices; add their names to `named`."""
    stored = case.inventory.stored
    final = PlaylistFile(
        name=index.name,
        sid=index.parsed.sid,
        bak=index.parsed.bak,
        size=index.size,
        etag=index.etag,
        closed=playlist.closed,
        media=playlist.media,
        segments=[],
    )
    lost: dict[State, list[str]] = {"missing": [], "empty": []}
    for segment in playlist.segments:
        name, start_ms = segment.uri, segment.start_ms
        found = stored.get(name)
        if found is None:
            name, found = _find(case.inventory, name)
        named.add(name)
        state: State | None = None
        if not found[0]:
            state = "empty" if name in stored else "missing"
            lost[state].append(name)
        else:
            final.bytes += found[0]
            final.duration_ms += segment.duration_ms
            if start_ms is not None:
                if final.start_ms is None:
                    final.start_ms = start_ms
                final.end_ms = start_ms + segment.duration_ms
        final.segments.append(
            SegmentFile(name, found[0], found[1], segment.duration_ms, start_ms, state)
        )
    if lost["missing"]:
        case.problem("missing_segment", session, index.name, lost["missing"])
    if lost["empty"]:
        case.problem("empty_segment", session, index.name, lost["empty"])
    return final


def _find(inventory: Inventory, uri: str) -> tuple[str, tuple[int, str]]:
    """Return the file of a URI that is not just a name: (name, (size, etag))."""
    name = playlists.file_name(uri)
    for spelling in (name, unquote(name)):
        if spelling in inventory.stored:
            return spelling, inventory.stored[spelling]
    return name, (0, "")

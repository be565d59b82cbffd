"""The final indexes: whether each is complete and closed, and whether its slices are there.

First all of them are read, since what one says may depend on others: an index that a lost recorder
left open is only a note if a later session has media. Then each is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote

import msgspec

from agora_recording.files import names, playlists
from agora_recording.files.allowance import MAX_INDEX_BYTES
from agora_recording.files.inventory import Index, MediaFile, Stream
from agora_recording.files.judge.case import MAX_NAMES, Case, SessionCase, recorder_of
from agora_recording.files.playlists import Playlist
from agora_recording.files.verdict import Level, PlaylistFile, SegmentFile, State, length_key


class Absent(msgspec.Struct, eq=False):
    """How many slices of an index are missing or empty, and the names of the first."""

    count: int = 0
    names: list[str] = []

    def add(self, name: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.names) < MAX_NAMES:
            self.names.append(name)


class Reading(msgspec.Struct, eq=False):
    """A final index as it was read: `said` without its slices, which are in `final`.

    `size` is how many bytes were read.
    """

    stream: Stream
    index: Index
    said: Playlist
    final: PlaylistFile
    missing: Absent
    empty: Absent
    size: int

    @property
    def is_lacking(self) -> bool:
        """Tell whether slices are missing or empty."""
        return bool(self.missing.count or self.empty.count)


class Indexes(msgspec.Struct, eq=False):
    """What the final indexes say.

    `finals` are those that name slices, in order of sessions, recorders, uids and tracks;
    `masters` those that name other indexes; `named` the names of all files that they name.
    `idle` are the streams whose index is whole and closed, but names nothing, with its name.
    """

    finals: list[tuple[Stream, PlaylistFile]] = []
    masters: list[MediaFile] = []
    named: set[str] = set()
    idle: dict[Stream, str] = {}


def judge_indexes(case: Case, read: Callable[[str], Iterable[bytes]]) -> Indexes:
    """Read the final index of each stream, and judge it and its slices."""
    found = Indexes()
    readings: list[Reading] = []
    for stream in sorted(case.inventory.streams.values(), key=lambda each: _order(case, each)):
        # An index without a sid in its name is left, if its session has others.
        if stream.indexes and not (stream.is_guess and case.sessions[stream.parsed.sid].formed):
            index = final_index(stream.indexes)
            if _is_readable(case, index):
                readings.append(_read(case, stream, index, read, found.named))
    for reading in readings:
        _judge_index(case, reading, found)
    return found


def final_index(indexes: Sequence[Index]) -> Index:
    """Return the final index of a stream (Agora: manage recorded files).

    That is the larger of two: the plain index, and the highest version from Agora's backup.
    """
    plain = [index for index in indexes if index.parsed.index is None]
    copies = [index for index in indexes if index.parsed.index is not None]
    copies.sort(key=lambda copy: (copy.parsed.index or 0, copy.parsed.tick or 0))
    return max(plain + copies[-1:], key=lambda index: index.size)


def _order(case: Case, stream: Stream) -> tuple[int, int, str, str, str]:
    parsed = stream.parsed
    rank = case.sessions[parsed.sid].rank
    name = stream.indexes[0].name if stream.indexes else ""
    return rank, recorder_of(parsed.bak), parsed.uid or "", parsed.track or "", name


def _is_readable(case: Case, index: Index) -> bool:
    """Tell whether the allowance holds for an index; if not, note it."""
    if index.size <= MAX_INDEX_BYTES and not case.inventory.allowance.is_spent:
        return True
    detail = (
        f"{index.size} bytes, of which none was read"
        if index.size > MAX_INDEX_BYTES
        else "not read: the indexes before it name more than can be checked"
    )
    case.problem("too_large", case.sessions[index.parsed.sid], index.name, detail=detail)
    return False


# --- reading ------------------------------------------------------------------------------------


def _read(
    case: Case,
    stream: Stream,
    index: Index,
    read: Callable[[str], Iterable[bytes]],
    named: set[str],
) -> Reading:
    """Return what an index says and what the bucket has of its slices; add these to `named`."""
    stored, find, end = case.inventory.stored, case.inventory.find, case.inventory.end
    reader = playlists.Reader(case.inventory.allowance, keep_tags=False)
    missing, empty = Absent(), Absent()
    final = PlaylistFile(
        name=index.name,
        sid=index.parsed.sid,
        bak=index.parsed.bak,
        size=index.size,
        etag=index.etag,
        closed=False,
        media=frozenset(),
        segments=[],
    )
    there = 0
    for segment in reader.segments(read(case.inventory.prefix + index.name)):
        name, start_ms = segment.uri, segment.start_ms
        size, etag = stored.get(name) or (0, "")
        if not etag:
            name = playlists.file_name(name)
            name, size, etag = find(name) or (name, 0, "")
        if etag:
            named.add(name)
        state: State | None = None
        if size or (end is not None and name > end):  # behind `end` nothing is known
            there += 1
            final.bytes += size
            final.duration_ms += segment.duration_ms
            if start_ms is not None:
                if final.start_ms is None:
                    final.start_ms = start_ms
                final.end_ms = start_ms + segment.duration_ms
            else:
                final.untimed_ms += segment.duration_ms
        elif etag:
            state = "empty"
            empty.add(name)
        else:
            state = "missing"
            missing.add(name)
        final.segments.append(SegmentFile(name, size, etag, segment.duration_ms, start_ms, state))
    said = reader.playlist([])
    final.closed, final.media = said.closed, said.media
    session = case.sessions[index.parsed.sid]
    session.named += there
    session.plays |= final.duration_ms > 0
    return Reading(
        stream=stream,
        index=index,
        said=said,
        final=final,
        missing=missing,
        empty=empty,
        size=reader.size,
    )


# --- judging ------------------------------------------------------------------------------------


def _judge_index(case: Case, reading: Reading, found: Indexes) -> None:
    index, said, final = reading.index, reading.said, reading.final
    session = case.sessions[reading.stream.parsed.sid]
    if reading.size != index.size and not said.too_large:
        session.troubled = True
        level: Level = "note" if case.overdue else "awaited"
        case.findings.add("changed_playlist", level, index.name)
    is_whole = _judge_form(case, session, reading)
    if said.variants:
        _judge_variants(case, session, reading)
        found.masters.append(_master(index))
    if final.segments or not said.variants:
        _judge_slices(case, session, reading)
        found.finals.append((reading.stream, final))
    _judge_resources(case, session, reading, found.named)
    if is_whole and said.closed and not said.variants and not final.segments:
        found.idle[reading.stream] = index.name
    elif is_whole and final.segments and not (final.duration_ms or reading.is_lacking):
        detail = "no slice has a duration"
        case.problem("nothing_playable", session, index.name, detail=detail)


def _judge_form(case: Case, session: SessionCase, reading: Reading) -> bool:
    """Judge the index itself; tell whether it is whole, and can be read."""
    index, said = reading.index, reading.said
    codes = {defect.code for defect in said.defects}
    detail = ", ".join(
        f"{defect.code}: {defect.count}, from line {defect.line}" for defect in said.defects
    )
    if codes == {"bad_tag"}:
        case.findings.add("malformed_playlist", "note", index.name, detail=detail)
    if said.too_large:
        read = f"read up to byte {reading.size}, with {len(reading.final.segments)} slices"
        case.problem("too_large", session, index.name, detail=read)
        return False
    if codes - {"cut", "bad_tag"}:
        case.problem("malformed_playlist", session, index.name, detail=detail)
        return False
    if "cut" in codes:
        case.problem("truncated_playlist", session, index.name, detail=detail)
        return False
    if said.variants:
        pass  # a master playlist has no end mark
    elif not said.closed:
        _judge_unclosed(case, session, index)
    elif not reading.final.segments:
        case.findings.add("empty_playlist", "note", index.name)
    return True


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


def _judge_slices(case: Case, session: SessionCase, reading: Reading) -> None:
    name, final = reading.index.name, reading.final
    missing, empty = reading.missing, reading.empty
    if missing.count:
        case.problem("missing_segment", session, name, missing.names, count=missing.count)
    if empty.count:
        case.problem("empty_segment", session, name, empty.names, count=empty.count)
    before, now = case.expectation.lengths.get(length_key(name), 0), len(final.segments)
    if now < before and not reading.said.too_large:
        detail = f"it named {before} slices, and names {now}"
        case.problem("shortened_playlist", session, name, detail=detail)


def _judge_variants(case: Case, session: SessionCase, reading: Reading) -> None:
    """Check that the indexes of a master playlist are there; each is judged by itself.

    It names the index of a user's video even if that user sent none. So what was never announced,
    and has left no media, is no loss (seen in the field).
    """
    inventory, index = case.inventory, reading.index
    lost: list[str] = []
    unmade: list[str] = []
    for uri in sorted({playlists.file_name(uri) for uri in reading.said.variants}):
        found = inventory.find(uri)
        if found is not None and found[0] == index.name:
            case.problem("malformed_playlist", session, index.name, detail="it names itself")
        elif found is None:
            name = unquote(uri)
            is_loss = name in inventory.unseen or _has_media(case, name)
            (lost if is_loss else unmade).append(uri)
    if lost:
        inventory.unseen.difference_update(map(unquote, lost))
        case.problem("missing_file", session, index.name, lost)
    if unmade:
        detail = "never announced, and without media: it was never made"
        case.findings.add("missing_file", "note", index.name, unmade, detail)


def _has_media(case: Case, index_name: str) -> bool:
    """Tell whether there are slices of the stream that an index would name."""
    parsed = names.parse(index_name, case.expectation.cname, case.inventory.sids)
    if parsed is None:
        return False
    stream = case.inventory.streams.get((parsed.sid, parsed.bak, parsed.uid, parsed.track))
    return stream is not None and stream.has_slices


def _judge_resources(case: Case, session: SessionCase, reading: Reading, named: set[str]) -> None:
    """Check the initialization sections and keys: without them no slice plays."""
    absent = set[str]()
    for name in map(playlists.file_name, reading.said.resources):
        found = case.inventory.find(name)
        named.add(found[0] if found else name)
        if not (found and found[1]):
            absent.add(name)
    if absent and case.inventory.end is None:
        case.problem("missing_file", session, reading.index.name, sorted(absent))


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

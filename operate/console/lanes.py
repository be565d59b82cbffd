"""The picture of a recording, before it is drawn: lanes of bars and marks on one axis of time.

Pure: from what is known of a recording to lanes. Instants are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from agora_recording.api.timeline import Entry
from agora_recording.clock import from_iso
from agora_recording.files.manifest import FindingEntry, SegmentEntry, TrackEntry
from agora_recording.files.names import start_ms
from agora_recording.recording.model import Attempt, Recording
from operate.console.words import clock_of, lasting, size

# The kinds are the classes by which the picture is coloured.
BarKind = Literal[
    "asked", "starting", "running", "doubted", "stopping", "there", "gap", "audio", "video"
]
MarkKind = Literal["good", "bad", "event", "query", "decision", "missing", "end"]

_USERS = 12  # lanes of users; more are told in words
_TRACKS = 24
_LOST = ("missing_segment", "empty_segment")
_STREAMS = {
    "recorder_audio_stream_state_changed": "audio",
    "recorder_video_stream_state_changed": "video",
}
_ALL_MIXED = "0"
# Of the stack's own notes: what is told to have gone wrong.
_BAD_NOTES = frozenset({"refused", "failed", "orphan", "overdue", "gap", "deadline"})


class Bar(NamedTuple):
    """A stretch of time."""

    from_ms: int
    to_ms: int
    kind: BarKind
    words: str


class Mark(NamedTuple):
    """An instant."""

    at_ms: int
    kind: MarkKind
    words: str


class Lane(msgspec.Struct):
    """One line of the picture: its name, a second name, and what lies on it.

    `short` is what a narrow picture has room for; without it, the second name, or the first.
    """

    name: str
    more: str = ""
    bars: list[Bar] = []
    marks: list[Mark] = []
    short: str = ""


class Known(msgspec.Struct, kw_only=True):
    """What is known of a recording; `slices` are those of a window, None if they are not drawn."""

    recording: Recording
    now_ms: int
    entries: Sequence[Entry] = ()
    tracks: Sequence[TrackEntry] = ()
    findings: Sequence[FindingEntry] = ()
    slices: Mapping[int, Sequence[SegmentEntry]] | None = None  # by the number of the track


def span(recording: Recording, now_ms: int) -> tuple[int, int]:
    """Return the whole time of a recording, with a margin of a fiftieth at both ends."""
    first = recording.created_ms
    last = recording.ended_ms or now_ms
    margin = max((last - first) // 50, 500)
    return first - margin, last + margin


def lanes(known: Known) -> list[Lane]:
    """Return all lanes, from top to bottom."""
    return [
        *_sessions(known),
        *_tracks(known),
        *_users(known),
        *_entries(known.entries),
    ]


# --- sessions -----------------------------------------------------------------------------------


def _sessions(known: Known) -> Iterator[Lane]:
    recording = known.recording
    attempts = recording.attempts
    for at, attempt in enumerate(attempts):
        following = attempts[at + 1] if at + 1 < len(attempts) else None
        until = attempt.ended_ms or _given_up_ms(recording, attempt, following, known.now_ms)
        yield Lane(
            name=f"Session {attempt.number}",
            more=f"uid {attempt.uid}",
            short=f"Session {attempt.number}",
            bars=list(_session_bars(recording, attempt, until)),
            marks=[*_session_marks(attempt, until), *_failovers(known.entries, attempt.sid)],
        )


def _given_up_ms(
    recording: Recording, attempt: Attempt, following: Attempt | None, now_ms: int
) -> int:
    """Return until when a session without an end of its own is drawn."""
    if following:
        return max(following.begun_ms, attempt.begun_ms)
    return recording.ended_ms or now_ms


def _session_bars(recording: Recording, attempt: Attempt, until: int) -> Iterator[Bar]:
    whose = f"Session {attempt.number}, uid {attempt.uid}"
    sid = f", sid {attempt.sid}" if attempt.sid else ""
    started, confirmed = attempt.started_ms, attempt.confirmed_ms
    yield Bar(
        attempt.begun_ms,
        min(started or until, until),
        "asked",
        f"{whose}: asked for at {clock_of(attempt.begun_ms)}.",
    )
    if started is None or started > until:
        return
    if confirmed is None or confirmed > until:
        words = f"{whose}{sid}: started at {clock_of(started)}, not seen to record."
        yield Bar(started, until, "starting", words)
        return
    words = f"{whose}{sid}: started at {clock_of(started)}."
    yield Bar(started, confirmed, "starting", words)
    is_current = attempt is recording.attempt
    stop = recording.stop_ms if is_current else None
    doubt = attempt.gone_ms or (recording.gone_ms if is_current else None)
    ends = {"doubted": doubt, "stopping": stop}
    turns = sorted((at, kind) for kind, at in ends.items() if at and confirmed < at < until)
    words = f"{whose}{sid}: recording, seen for the first time at {clock_of(confirmed)}"
    yield Bar(
        confirmed,
        turns[0][0] if turns else until,
        "running",
        f"{words}; {lasting(until - confirmed)}.",
    )
    for number, (at, kind) in enumerate(turns):
        end = turns[number + 1][0] if number + 1 < len(turns) else until
        if kind == "doubted":
            told = f"{whose}: in doubt from {clock_of(at)} on: Agora answered 404."
            yield Bar(at, end, "doubted", told)
        else:
            yield Bar(at, end, "stopping", f"{whose}: asked to stop at {clock_of(at)}.")


def _session_marks(attempt: Attempt, until: int) -> Iterator[Mark]:
    if attempt.confirmed_ms:
        words = f"Confirmed at {clock_of(attempt.confirmed_ms)}: Agora is recording."
        yield Mark(attempt.confirmed_ms, "good", words)
    if attempt.end:
        is_good = attempt.end in ("STOPPED", "EXITED", "IDLE", "WEB_MAX_DURATION")
        why = f" {attempt.reason}" if attempt.reason else ""
        words = f"Session {attempt.number} ended at {clock_of(until)}: {attempt.end}.{why}"
        yield Mark(until, "end" if is_good else "bad", words)


def _failovers(entries: Iterable[Entry], sid: str | None) -> Iterator[Mark]:
    for entry in entries:
        if entry["kind"] == "session_failover" and sid and entry["data"].get("sid") == sid:
            yield Mark(from_iso(entry["at"]), "bad", entry["text"])


# --- tracks -------------------------------------------------------------------------------------


def _tracks(known: Known) -> Iterator[Lane]:
    lost = list(_lost(known.findings))
    for number, track in enumerate(known.tracks[:_TRACKS]):
        whose = "everybody" if track.uid == _ALL_MIXED else f"uid {track.uid}"
        kind = track.track_type.replace("_", " ")
        lane = Lane(
            name=f"{kind.capitalize()}", more=f"{whose}{f', {track.codec}' if track.codec else ''}"
        )
        slices = known.slices.get(number) if known.slices is not None else None
        lane.bars = list(_slice_bars(slices) if slices is not None else _playlist_bars(track))
        lane.bars += [
            Bar(
                from_iso(gap.started_at),
                from_iso(gap.ended_at),
                "gap",
                f"Gap of {lasting(from_iso(gap.ended_at) - from_iso(gap.started_at))} from "
                f"{clock_of(from_iso(gap.started_at))}: {_GAPS[gap.cause]}.",
            )
            for gap in track.gaps.items
        ]
        stems = [playlist.key.rpartition("/")[2].rpartition(".")[0] for playlist in track.playlists]
        lane.marks = [
            Mark(at, "missing", f"{words}: {name}")
            for at, words, name in lost
            if any(name.startswith(stem) for stem in stems) or len(known.tracks) == 1
        ]
        yield lane


_GAPS = {
    "interruption": "nothing was sent",
    "missing": "slices are missing",
    "failover": "another server of Agora's took over",
    "restart": "a session was replaced by the next",
}


def _lost(findings: Iterable[FindingEntry]) -> Iterator[tuple[int, str, str]]:
    """Yield the instant, the kind and the name of every slice that is told to be lost."""
    for finding in findings:
        if finding.code in _LOST:
            words = "Missing file" if finding.code == "missing_segment" else "Empty file"
            for name in finding.names:
                at = start_ms(name)
                if at is not None:
                    yield at, words, name


def _playlist_bars(track: TrackEntry) -> Iterator[Bar]:
    """Yield the times that have media: those of the playlists, without the gaps."""
    gaps = sorted((from_iso(each.started_at), from_iso(each.ended_at)) for each in track.gaps.items)
    for playlist in track.playlists:
        if playlist.started_at is None or playlist.ended_at is None:
            continue
        begun, end = from_iso(playlist.started_at), from_iso(playlist.ended_at)
        words = (
            f"{playlist.segment_count} slices, {size(playlist.segment_bytes)}, "
            f"{lasting(playlist.duration_ms)}: {playlist.key.rpartition('/')[2]}"
        )
        at = begun
        for gap_from, gap_to in gaps:
            if at < gap_from < end:
                yield Bar(at, gap_from, "there", words)
            if begun <= gap_from < end:
                at = max(at, gap_to)
        if at < end:
            yield Bar(at, end, "there", words)


def _slice_bars(slices: Iterable[SegmentEntry]) -> Iterator[Bar]:
    for each in slices:
        if each.started_at is None or each.state:
            continue
        at = from_iso(each.started_at)
        words = f"{each.name}, {size(each.bytes)}, {lasting(each.duration_ms)}"
        yield Bar(at, at + each.duration_ms, "there", words)


# --- users --------------------------------------------------------------------------------------


def _users(known: Known) -> Iterator[Lane]:
    """Yield a lane for each user: when audio or video of theirs arrived, in which session."""
    ends = {each.sid: each.ended_ms for each in known.recording.attempts if each.sid}
    last = known.recording.ended_ms or known.now_ms
    since: dict[tuple[str, str, str], int] = {}
    bars: dict[str, list[Bar]] = {}

    def close(sid: str, uid: str, track: str, until: int) -> None:
        begun = since.pop((sid, uid, track), None)
        if begun is not None and until > begun:
            words = f"{track.capitalize()} of uid {uid} from {clock_of(begun)}, "
            kind: BarKind = "video" if track == "video" else "audio"
            bars[uid].append(Bar(begun, until, kind, f"{words}{lasting(until - begun)}."))

    for entry in known.entries:
        if entry["source"] != "agora" or entry["kind"] not in _STREAMS:
            continue
        details, sid = entry["data"].get("details", {}), str(entry["data"].get("sid"))
        uid = str(details.get("streamUid") or "")
        if not uid or uid == _ALL_MIXED:
            continue
        track, at = _STREAMS[entry["kind"]], from_iso(entry["at"])
        bars.setdefault(uid, [])
        if details.get("state"):
            close(sid, uid, track, at)
        else:
            since.setdefault((sid, uid, track), at)
    for sid, uid, track in list(since):
        close(sid, uid, track, ends.get(sid) or last)
    order = sorted(bars, key=lambda uid: (len(uid), uid))
    for uid in order[:_USERS]:
        yield Lane(name="User", more=f"uid {uid}", bars=sorted(bars[uid]))
    rest = order[_USERS:]
    if rest:
        together = sorted(bar for uid in rest for bar in bars[uid])
        yield Lane(name="Users", more=f"{len(rest)} more", bars=together)


# --- what happened ------------------------------------------------------------------------------


def _entries(entries: Sequence[Entry]) -> Iterator[Lane]:
    told = Lane(name="Agora's events", short="Events")
    queries = Lane(name="Queries")
    decisions = Lane(name="Decisions")
    told.marks, queries.marks, decisions.marks = [], [], []
    for entry in entries:
        at, words = from_iso(entry["at"]), entry["text"]
        if entry["source"] == "agora":
            is_bad = "error" in entry["kind"] or "failover" in entry["kind"]
            told.marks.append(Mark(at, "bad" if is_bad else "event", words))
        elif entry["kind"] == "query":
            queries.marks.append(Mark(at, "query", words))
        else:
            is_bad = entry["kind"] in _BAD_NOTES
            decisions.marks.append(Mark(at, "bad" if is_bad else "decision", words))
    yield from (lane for lane in (told, queries, decisions) if lane.marks)


def facts_in_words(known: Known) -> dict[str, Any]:
    """Return {gaps, missing}: how many there are, for whoever cannot see the picture."""
    return {
        "gaps": sum(each.gaps.count for each in known.tracks),
        "missing": sum(each.count for each in known.findings if each.code in _LOST),
    }

"""The fleet: what runs now, by risk; what ended today, by outcome; and the search.

No page reads all rows. What runs is read from the index of what is due, a page at a time; what
ended, from the index of each status, newest first, up to a limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from agora_recording.errors import RecordingNotFoundError
from agora_recording.life.due_index import DUE_SHARDS, Scheduled
from agora_recording.life.store import RecordingStore
from agora_recording.recording.due import LATE
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import Recording
from agora_recording.recording.view import public
from operate.console.desk import Desk
from operate.console.words import ago, lasting
from operate.operations import RISK_NAMES

PAGE = 50
_COUNT_S = 60  # how long the number of open recordings is believed
_LEAST_PAUSE_S, _ROWS_READ_A_SECOND = 5, 8  # nobody reads a table faster
_OUTCOMES = ("failed", "incomplete", "completed")
_ENDED_LOOKED_AT = 60  # of each outcome, newest first
_ENDED_SHOWN = 8
_ENDED_S = 20
_DAY_MS = 86_400_000
_LOOKED_THROUGH = 600  # recordings that one search reads
_FOUND = 50


class Place(NamedTuple):
    """Where the next page of what runs begins: after this risk, instant (ms) and recordingId."""

    risk: int
    at_ms: int
    recording_id: str

    def __str__(self) -> str:
        return f"{self.risk}.{self.at_ms}.{self.recording_id}"


def read_place(text: str) -> Place | None:
    """Return the place that a text names; None for a text that names none: the first page."""
    risk, _, rest = text.partition(".")
    at, _, recording_id = rest.partition(".")
    try:
        check_recording_id(recording_id)
        return Place(int(risk), int(at), recording_id)
    except (ValueError, RecordingNotFoundError):
        return None


# --- what runs ----------------------------------------------------------------------------------


def running(desk: Desk, after: Place | None = None) -> dict[str, Any]:
    """Return {rows, next, count, pause_s}: a page of what is not over, the greatest risk first.

    `count` is the number of all, at most a minute old; `pause_s` how long the page may stand
    before it is read again.
    """
    index = desk.parts.due_index
    wanted = PAGE + 1
    shards = [
        index.shard(number, wanted, after=(after.risk, after.at_ms) if after else None).rows
        for number in range(DUE_SHARDS)
    ]
    ordered = heapq.merge(*map(_sorted, shards))
    found = [each for each in ordered if each.risk < LATE and _is_behind(each, after)][:wanted]
    shown = found[:PAGE]
    now = desk.now_ms()
    recordings = desk.parts.store.get_all([each.recording_id for each in shown])
    looks = {each.recording_id: each for each in shown}
    rows = [_row(desk, each, now, looks[each.recording_id]) for each in recordings]
    return {
        "rows": rows,
        "next": str(Place(*shown[-1])) if len(found) > PAGE else "",
        "count": desk.memory.get("count", _COUNT_S, lambda: count_open(desk)),
        "pause_s": pause_s(len(rows)),
    }


def _sorted(rows: Iterable[Scheduled]) -> list[Scheduled]:
    return sorted(rows)


def _is_behind(each: Scheduled, after: Place | None) -> bool:
    return after is None or tuple(each) > tuple(after)


def pause_s(rows: int) -> int:
    """Return how long a table with so many rows stands before it moves (seconds)."""
    return max(_LEAST_PAUSE_S, rows // _ROWS_READ_A_SECOND)


def count_open(desk: Desk) -> int:
    """Return how many recordings are not over. Reads only the index."""
    return sum(map(desk.parts.due_index.count_open, range(DUE_SHARDS)))


def _row(desk: Desk, recording: Recording, now: int, look: Scheduled | None) -> dict[str, Any]:
    """Return a recording as the tables show it; `silence` is the age of the last sign of life as
    a share of the time after which it counts as silent.
    """
    seen = recording.last_seen_ms
    waited = now - (seen or recording.created_ms)
    silent_ms = desk.parts.settings.timings.silence_s * 1000
    shown = public(recording)
    return {
        **shown,
        "attempt": len(recording.attempts),
        "risk": RISK_NAMES[look.risk] if look else "",
        "nextLook": _told_look(look, now) if look else "",
        "age": ago(shown["createdAt"], now),
        "seen": (lasting(waited) if waited >= 1000 else "now") if seen else "not yet",
        "silence": min(waited / silent_ms, 1.0),
    }


def _told_look(look: Scheduled, now: int) -> str:
    wait = look.at_ms - now
    return f"in {lasting(wait)}" if wait > 0 else f"late by {lasting(wait)}"


# --- what ended ---------------------------------------------------------------------------------


def ended(desk: Desk) -> list[dict[str, Any]]:
    """Return {status, count, more, rows} of each outcome: what ended in the last 24 hours.

    The index of a status is in order of creation, so only the newest of each are looked at;
    `more`: there may be others.
    """
    return desk.memory.get("ended", _ENDED_S, lambda: list(_ended(desk)))


def _ended(desk: Desk) -> Iterator[dict[str, Any]]:
    now = desk.now_ms()
    for status in _OUTCOMES:
        page = desk.parts.store.page(status=status, limit=_ENDED_LOOKED_AT)
        rows = [
            public(each)
            for each in page.recordings
            if each.ended_ms and now - each.ended_ms < _DAY_MS
        ]
        rows.sort(key=lambda each: str(each["endedAt"]), reverse=True)
        for each in rows:
            each["ago"] = ago(each["endedAt"], now)
        yield {
            "status": status,
            "count": len(rows),
            "more": page.cursor is not None and len(rows) == len(page.recordings),
            "rows": rows[:_ENDED_SHOWN],
        }


# --- the search ---------------------------------------------------------------------------------


class Found(msgspec.Struct):
    """What a search found: rows, how many recordings it read, and where it goes on ("": all of
    them were read).
    """

    rows: list[dict[str, Any]]
    read: int
    following: str = ""


def search(desk: Desk, text: str, after: str = "") -> Found:
    """Find recordings by recordingId, by channel, or by tag (`name=value`, or a part of a text).

    An id and a whole channel are found by an index. Everything else is looked for in a number of
    recordings, newest first; the search goes on from where it ended.
    """
    store, wanted, now = desk.parts.store, text.strip(), desk.now_ms()
    if not wanted:
        return Found([], 0)
    start = _known_id(after)
    if not start:
        with_id = _by_id(store, wanted)
        if with_id:
            return Found([_row(desk, with_id, now, None)], 1)
        of_channel = store.page(cname=wanted, limit=_FOUND)
        if of_channel.recordings:
            rows = [_row(desk, each, now, None) for each in of_channel.recordings]
            return Found(rows, len(rows))
    found: list[dict[str, Any]] = []
    read = 0
    while read < _LOOKED_THROUGH and len(found) < _FOUND:
        page = store.page(limit=100, after=start or None)
        for each in page.recordings:
            read += 1
            start = each.recording_id
            if _fits(each, wanted):
                found.append(_row(desk, each, now, None))
                if len(found) == _FOUND:
                    break
        else:
            if page.cursor is None:
                return Found(found, read)
    return Found(found, read, start)


def _by_id(store: RecordingStore, text: str) -> Recording | None:
    try:
        check_recording_id(text.upper())
        return store.get(text.upper())
    except RecordingNotFoundError:
        return None


def _known_id(text: str) -> str:
    try:
        check_recording_id(text)
    except RecordingNotFoundError:
        return ""
    return text


def _fits(recording: Recording, wanted: str) -> bool:
    """Tell whether a channel or a tag has the wanted text in it, in whatever case."""
    sought = wanted.casefold()
    texts = [recording.cname, *(f"{name}={value}" for name, value in recording.tags.items())]
    return any(sought in each.casefold() for each in texts)

"""The timeline of one recording, a page at a time."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, NamedTuple, cast

import msgspec
from msgspec import Meta

from agora_recording.api.paging import page, read_cursor, read_number, write_cursor
from agora_recording.api.timeline import (
    Entry,
    Placed,
    in_order,
    of_notes,
    of_uid,
    place_in,
    timeline,
)
from agora_recording.clock import iso
from agora_recording.life.links import LinkStore
from agora_recording.life.sessions import Series, SessionStore
from agora_recording.life.store import RecordingStore
from agora_recording.notifications.events import from_stored
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.link import Link
from agora_recording.recording.model import Attempt, Recording

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
# Events have Agora's clock, attempts have ours: a session may seem to begin a little too early.
_EARLY_MS = 600_000
# What a cursor may keep of a stream; of events, a sequence and a type.
_TOLD = {
    "notes": r"LOG#\d[^\0]{1,200}",
    "files": r"\d[^\0 ]{1,40} FILE#[^\0]{1,2000}",
    "links": r"\d[^\0 ]{1,40} \d [^\0]{1,60}",
}


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the next page begins: what was told of each stream, and the place of the last entry.

    The streams are the notes (`notes`), the files that came late (`files`), the links (`links`),
    and the events of each recorder: `<number of the attempt>/<uid>`.
    """

    at_ms: Annotated[int, Meta(ge=0, le=10**14)]
    told: dict[str, str]

    def __post_init__(self) -> None:
        """Refuse with ValueError what no page wrote: the table cannot read from such a place."""
        for stream, told in self.told.items():
            if not re.fullmatch(_TOLD.get(stream, r"\d{1,20}:\d{1,20}"), told, re.ASCII):
                raise ValueError(f"no place in {stream}")


class EventsQuery(NamedTuple):
    """The page of the timeline that is asked for."""

    limit: int
    cursor: Cursor | None


class EventsView(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Entries in order of time; `cursor` leads to the entries that follow."""

    events: list[Entry]
    cursor: str | None = None


def read_events_query(parameters: Mapping[str, str]) -> EventsQuery:
    """Decode the parameters of the query string. Raises RequestInvalidError."""
    return EventsQuery(
        limit=read_number("limit", parameters, DEFAULT_LIMIT, 1, MAX_LIMIT),
        cursor=read_cursor(parameters, Cursor),
    )


def one_page(entries: Iterator[Placed], query: EventsQuery) -> EventsView:
    """Return the first entries of a timeline that begins where the cursor says. Pure.

    The cursor keeps a place in each stream, so each entry is told once. An event that arrives after
    a later one of its uid was told is on none of the following pages.
    """
    pulled: list[Placed] = []

    def pull() -> Iterator[Entry]:
        for placed in entries:
            pulled.append(placed)
            if placed.entry:
                yield placed.entry

    found = page(pull(), query.limit)
    if len(found) == len(pulled) and next(entries, None) is None:
        return EventsView(events=found)
    shown = pulled[: len(found)]
    told = {**(query.cursor.told if query.cursor else {}), **{p.stream: p.told for p in shown}}
    return EventsView(events=found, cursor=write_cursor(Cursor(shown[-1].at_ms, told)))


def links_notes(links: Iterable[Link]) -> list[dict[str, Any]]:
    """Return the notes of links, oldest first: made, opened first and last, revoked. Pure."""
    notes = [
        {"at": iso(at_ms), "kind": kind, "text": text, "data": {"linkId": link.link_id}}
        for link in links
        for at_ms, kind, text in _told_of(link)
        if at_ms is not None
    ]
    return sorted(notes, key=_link_place)


def _told_of(link: Link) -> Iterator[tuple[int | None, str, str]]:
    yield link.created_ms, "link_made", f"A link was made; it expires at {iso(link.until_ms)}."
    yield link.first_viewed_ms, "link_viewed", "A link was opened for the first time."
    if link.views > 1:
        last = f"A link was opened, for the last of {link.views} times so far."
        yield link.last_viewed_ms, "link_viewed_last", last
    yield link.revoked_ms, "link_revoked", "A link was revoked."


_KINDS = ("link_made", "link_viewed", "link_viewed_last", "link_revoked")


def _link_place(note: Mapping[str, Any]) -> str:
    return f"{note['at']} {_KINDS.index(note['kind'])} {note['data']['linkId']}"


class Timeline(msgspec.Struct):
    """Reads the timelines of recordings: of each, only what a page shows."""

    store: RecordingStore
    sessions: SessionStore
    links: LinkStore

    def page(self, recording_id: str, query: EventsQuery) -> dict[str, Any]:
        """Return an EventsView. Raises RecordingNotFoundError, RequestInvalidError."""
        check_recording_id(recording_id)
        recording = self.store.get(recording_id)
        entries = timeline(self._streams(recording, query.cursor))
        return cast(dict[str, Any], msgspec.to_builtins(one_page(entries, query)))

    def _streams(self, recording: Recording, cursor: Cursor | None) -> Iterator[Iterator[Placed]]:
        told = cursor.told if cursor else {}
        note = told.get("notes", "")
        notes = self.store.notes(recording.recording_id, note)
        yield of_notes("notes", notes, note, key=lambda row: str(row["SK"]))
        files = self.store.arrivals(recording.recording_id) if recording.is_terminal else []
        yield of_notes(
            "files", files, told.get("files", ""), key=lambda row: f"{row['at']} {row['SK']}"
        )
        links = self.links.of_recording(recording.recording_id)
        yield of_notes("links", links_notes(links), told.get("links", ""), key=_link_place)
        for attempt in recording.attempts:
            if attempt.sid:
                is_open = attempt is recording.attempt and not recording.is_terminal
                yield self._session(attempt, attempt.sid, cursor, is_open=is_open)

    def _session(
        self, attempt: Attempt, sid: str, cursor: Cursor | None, *, is_open: bool
    ) -> Iterator[Placed]:
        """Yield the entries of a session; nothing is read before the timeline has come to it."""
        yield Placed(attempt.begun_ms - _EARLY_MS, 0, 0)
        if cursor and not is_open:
            last_ms = self.sessions.get(sid).facts.lastSeenMs
            if last_ms is not None and last_ms < cursor.at_ms:
                return  # every event of it was told
        by_uid: dict[str, list[Series]] = {}
        for series in self.sessions.series(sid):
            by_uid.setdefault(series.uid, []).append(series)
        yield from timeline(
            self._recorder(sid, found, f"{attempt.number}/{uid}", cursor)
            for uid, found in by_uid.items()
        )

    def _recorder(
        self, sid: str, found: list[Series], stream: str, cursor: Cursor | None
    ) -> Iterator[Placed]:
        """Yield the entries of one uid's events, from what was told of them on."""
        told = cursor.told.get(stream) if cursor else None
        # The last number that was told is read again: a gap stands at its instant.
        first = place_in(told)[0] if told else 0
        read = [map(from_stored, self.sessions.numbered(sid, each, first)) for each in found]
        events = heapq.merge(*read, key=in_order)
        return (
            of_uid(stream, events, told, cursor.at_ms)
            if told and cursor
            else of_uid(stream, events)
        )

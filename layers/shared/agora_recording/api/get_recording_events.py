"""The timeline of one recording, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NamedTuple, cast

import msgspec
from msgspec import Meta

from agora_recording.api.paging import page, read_cursor, read_number, write_cursor
from agora_recording.api.timeline import Entry, timeline
from agora_recording.clock import iso
from agora_recording.life.links import LinkStore
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore
from agora_recording.notifications import events
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.link import Link

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the next page begins: after the first `told` entries of this instant."""

    at: Annotated[str, Meta(max_length=24)]
    told: Annotated[int, Meta(ge=1)]


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


def one_page(entries: list[Entry], query: EventsQuery) -> EventsView:
    """Return a page of a timeline. Pure.

    The cursor names an instant, so an event that arrives late does not shift the following pages.
    If it happened before that instant, it is on none of them.
    """
    rest = list(_after(entries, query.cursor))
    found = page(rest, query.limit)
    if len(found) == len(rest):
        return EventsView(events=found)
    at = found[-1]["at"]
    told = sum(each["at"] == at for each in found)
    if query.cursor and query.cursor.at == at:
        told += query.cursor.told
    return EventsView(events=found, cursor=write_cursor(Cursor(at, told)))


def _after(entries: list[Entry], cursor: Cursor | None) -> Iterator[Entry]:
    told = 0
    for entry in entries:
        if cursor and entry["at"] <= cursor.at:
            told += entry["at"] == cursor.at
            if entry["at"] < cursor.at or told <= cursor.told:
                continue
        yield entry


def link_notes(link: Link) -> list[dict[str, Any]]:
    """Return the notes of a link: made, viewed first and last, revoked. Pure."""
    told: list[tuple[int | None, str, str]] = [
        (link.created_ms, "link_made", f"A link was made; it expires at {iso(link.until_ms)}."),
        (link.first_viewed_ms, "link_viewed", "A link was opened for the first time."),
        (link.revoked_ms, "link_revoked", "A link was revoked."),
    ]
    if link.views > 1:
        told.append(
            (
                link.last_viewed_ms,
                "link_viewed",
                f"A link was opened last; {link.views} views so far.",
            )
        )
    return [
        {"at": iso(at_ms), "kind": kind, "text": words, "data": {"linkId": link.link_id}}
        for at_ms, kind, words in told
        if at_ms is not None
    ]


class Timeline(msgspec.Struct):
    """Reads the timelines of recordings."""

    store: RecordingStore
    sessions: SessionStore
    links: LinkStore

    def page(self, recording_id: str, query: EventsQuery) -> dict[str, Any]:
        """Return an EventsView. Raises RecordingNotFoundError."""
        check_recording_id(recording_id)
        recording = self.store.get(recording_id)
        told = [
            events.from_stored(row)
            for sid in recording.sids
            for row in self.sessions.notifications(sid)
        ]
        notes = self.store.notes(recording_id)
        for link in self.links.of_recording(recording_id):
            notes += link_notes(link)
        entries = timeline(told, notes)
        return cast(dict[str, Any], msgspec.to_builtins(one_page(entries, query)))

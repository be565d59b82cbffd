"""The list of recordings, newest first, a page at a time.

A page is full, or it is the last: no caller walks through empty ones. A full page has `limit`
recordings, or as many as an answer may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from agora_recording.api import paging
from agora_recording.api.paging import read_cursor, read_number, write_cursor
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.life.store import RecordingStore
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import RANK, Recording
from agora_recording.recording.view import public
from agora_recording.request.limits import MAX_CNAME_BYTES

MAX_LIMIT = 100
DEFAULT_LIMIT = 25

RecordingId = Annotated[str, msgspec.Meta(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the next page begins: after a recording."""

    after: RecordingId


class RecordingsQuery(NamedTuple):
    """A page of the list; `status` and `cname` select recordings if they are given."""

    status: str | None
    cname: str | None
    limit: int
    cursor: Cursor | None


def read_recordings_query(parameters: Mapping[str, str]) -> RecordingsQuery:
    """Decode the parameters of the query string.

    Raises RequestInvalidError with every problem.
    """
    status, cname = parameters.get("status"), parameters.get("cname")
    problems = []
    if status is not None and status not in RANK:
        problems.append(Problem("status", f"must be one of {', '.join(RANK)}"))
    if cname is not None and not 0 < len(cname.encode()) <= MAX_CNAME_BYTES:
        problems.append(Problem("cname", f"must have 1 to {MAX_CNAME_BYTES} bytes"))
    limit, cursor = DEFAULT_LIMIT, None
    try:
        limit = read_number("limit", parameters, DEFAULT_LIMIT, 1, MAX_LIMIT)
    except RequestInvalidError as error:
        problems += error.problems
    try:
        cursor = read_cursor(parameters, Cursor)
    except RequestInvalidError as error:
        problems += error.problems
    if problems:
        raise RequestInvalidError(problems)
    return RecordingsQuery(status, cname, limit, cursor)


class Lister(msgspec.Struct):
    """Finds recordings."""

    store: RecordingStore

    def get(self, recording_id: str) -> Recording:
        """Return one recording. Raises RecordingNotFoundError, also for text that is not an id."""
        check_recording_id(recording_id)
        return self.store.get(recording_id)

    def page(self, query: RecordingsQuery) -> dict[str, Any]:
        """Return {recordings, cursor?}; with a cursor, at least one recording follows."""
        found = self.store.page(
            cname=query.cname,
            status=query.status,
            limit=query.limit,
            after=query.cursor.after if query.cursor else None,
        )
        shown = paging.page(map(public, found.recordings), query.limit)
        body: dict[str, Any] = {"recordings": shown}
        if found.cursor or len(shown) < len(found.recordings):
            body["cursor"] = write_cursor(Cursor(shown[-1]["recordingId"]))
        return body

"""The list of recordings, newest first, a page at a time.

The index has a key for each day, so that no key grows without limit. A page goes back day by day
until it is full, or until it is `DAYS_BACK` days back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from agora_recording.api.paging import read_cursor, read_number, write_cursor
from agora_recording.clock import iso
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.life.store import RecordingStore
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import RANK, Recording
from agora_recording.recording.view import public
from agora_recording.request.limits import MAX_CNAME_BYTES

DAY_MS = 86_400_000
DAYS_BACK = 400
# Empty days need a query, too. So a page reads at most this many days; the next page goes on there.
DAYS_PER_PAGE = 31
MAX_LIMIT = 100
DEFAULT_LIMIT = 25

DayNumber = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]  # days since 1970
RecordingId = Annotated[str, msgspec.Meta(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the next page begins: on a day, after a recording."""

    day: DayNumber | None = None
    after: RecordingId | None = None


class RecordingsQuery(NamedTuple):
    """A page of the list; `status` and `cname` select recordings if they are given."""

    status: str | None
    cname: str | None
    limit: int
    cursor: Cursor


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
    limit, cursor = DEFAULT_LIMIT, Cursor()
    try:
        limit = read_number("limit", parameters, DEFAULT_LIMIT, 1, MAX_LIMIT)
    except RequestInvalidError as error:
        problems += error.problems
    try:
        cursor = read_cursor(parameters, Cursor) or cursor
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

    def page(self, query: RecordingsQuery, now_ms: int) -> dict[str, Any]:
        """Return {recordings, cursor?}."""
        found, cursor = self._of_channel(query) if query.cname else self._by_day(query, now_ms)
        body: dict[str, Any] = {"recordings": [public(each) for each in found]}
        if cursor:
            body["cursor"] = write_cursor(cursor)
        return body

    def _of_channel(self, query: RecordingsQuery) -> tuple[list[Recording], Cursor | None]:
        page = self.store.page(
            cname=query.cname,
            status=query.status,
            limit=query.limit,
            after=query.cursor.after,
        )
        return page.recordings, Cursor(after=page.cursor) if page.cursor else None

    def _by_day(self, query: RecordingsQuery, now_ms: int) -> tuple[list[Recording], Cursor | None]:
        found: list[Recording] = []
        today = now_ms // DAY_MS
        day = today if query.cursor.day is None else query.cursor.day
        after = query.cursor.after
        for _ in range(DAYS_PER_PAGE):
            if today - day > DAYS_BACK:
                return found, None
            page = self.store.page(
                day=iso(day * DAY_MS)[:10],
                status=query.status,
                limit=query.limit - len(found),
                after=after,
            )
            found += page.recordings
            if page.cursor:
                return found, Cursor(day=day, after=page.cursor)
            day, after = day - 1, None
            if len(found) >= query.limit:
                break
        return found, Cursor(day=day)

"""The list of recordings, newest first, a page at a time.

Recordings are kept by the day they were asked for, so that no key grows for ever; a page goes back
day by day until it is full, or as far back as recordings are looked for.
"""

from __future__ import annotations

from collections.abc import Callable
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
# Days that hold nothing are asked for too: so many in one answer, then the cursor goes on.
DAYS_PER_PAGE = 31
MAX_LIMIT = 100
DEFAULT_LIMIT = 25

DayNumber = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]  # days since 1970
RecordingId = Annotated[str, msgspec.Meta(pattern="^[0-7][0-9A-HJKMNP-TV-Z]{25}$")]


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the next page begins: on a day, after a recording."""

    day: DayNumber | None = None
    after: RecordingId | None = None


class Listing(NamedTuple):
    """What was asked for."""

    status: str | None
    cname: str | None
    limit: int
    cursor: Cursor


def read_listing(query: Callable[[str], str | None]) -> Listing:
    """Return the query string's meaning; `query` gives one parameter of it.

    Raises RequestInvalidError with every problem.
    """
    status, cname, cursor = query("status"), query("cname"), query("cursor")
    problems = []
    if status is not None and status not in RANK:
        problems.append(Problem("status", f"must be one of {', '.join(RANK)}"))
    if cname is not None and not 0 < len(cname.encode()) <= MAX_CNAME_BYTES:
        problems.append(Problem("cname", f"must have 1 to {MAX_CNAME_BYTES} bytes"))
    count, where = DEFAULT_LIMIT, Cursor()
    try:
        count = read_number("limit", query("limit"), DEFAULT_LIMIT, 1, MAX_LIMIT)
    except RequestInvalidError as error:
        problems += error.problems
    try:
        where = read_cursor(cursor, Cursor) if cursor is not None else where
    except RequestInvalidError as error:
        problems += error.problems
    if problems:
        raise RequestInvalidError(problems)
    return Listing(status, cname, count, where)


class Lister:
    """Finds recordings."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store

    def get(self, recording_id: str) -> Recording:
        """Return one recording. Raises RecordingNotFoundError, also for what is not an id."""
        check_recording_id(recording_id)
        return self._store.get(recording_id)

    def page(self, listing: Listing, now_ms: int) -> dict[str, Any]:
        """Return {recordings, cursor?}."""
        found, cursor = (
            self._of_channel(listing) if listing.cname else self._by_day(listing, now_ms)
        )
        body: dict[str, Any] = {"recordings": [public(each) for each in found]}
        if cursor:
            body["cursor"] = write_cursor(cursor)
        return body

    def _of_channel(self, listing: Listing) -> tuple[list[Recording], Cursor | None]:
        page = self._store.page(
            cname=listing.cname,
            status=listing.status,
            limit=listing.limit,
            after=listing.cursor.after,
        )
        return page.recordings, Cursor(after=page.cursor) if page.cursor else None

    def _by_day(self, listing: Listing, now_ms: int) -> tuple[list[Recording], Cursor | None]:
        found: list[Recording] = []
        today = now_ms // DAY_MS
        day = today if listing.cursor.day is None else listing.cursor.day
        after = listing.cursor.after
        for _ in range(DAYS_PER_PAGE):
            if today - day > DAYS_BACK:
                return found, None
            page = self._store.page(
                day=iso(day * DAY_MS)[:10],
                status=listing.status,
                limit=listing.limit - len(found),
                after=after,
            )
            found += page.recordings
            if page.cursor:
                return found, Cursor(day=day, after=page.cursor)
            day, after = day - 1, None
            if len(found) >= listing.limit:
                break
        return found, Cursor(day=day)

"""The list of recordings, newest first, a page at a time.

Recordings are kept by the day they were asked for, so that no key grows for ever; a page goes back
day by day until it is full, or as far back as recordings are looked for.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, NamedTuple

import msgspec

from agora_recording.clock import from_iso, iso
from agora_recording.errors import Problem, RecordingNotFoundError, RequestInvalidError
from agora_recording.recording import RANK, Recording, public
from agora_recording.recording_id import is_recording_id
from agora_recording.store import RecordingStore

DAY_MS = 86_400_000
DAYS_BACK = 400
# Days that hold nothing are asked for too: so many in one answer, then the cursor goes on.
DAYS_PER_PAGE = 31
MAX_LIMIT = 100
DEFAULT_LIMIT = 25


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the next page begins: a day, and a key within the index."""

    day: str | None = None
    key: dict[str, dict[str, str]] | None = None


class Listing(NamedTuple):
    """What was asked for."""

    status: str | None
    cname: str | None
    limit: int
    cursor: Cursor


def read_listing(
    *, status: str | None, cname: str | None, limit: str | None, cursor: str | None
) -> Listing:
    """Return the query string's meaning. Raises RequestInvalidError with every problem."""
    problems = []
    if status is not None and status not in RANK:
        problems.append(Problem("status", f"must be one of {', '.join(RANK)}"))
    if cname is not None and not 0 < len(cname.encode()) <= 1024:
        problems.append(Problem("cname", "must have 1 to 1024 bytes"))
    count = DEFAULT_LIMIT
    if limit is not None:
        if limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LIMIT:
            count = int(limit)
        else:
            problems.append(Problem("limit", f"must be a whole number from 1 to {MAX_LIMIT}"))
    where = Cursor()
    if cursor is not None:
        try:
            where = read_cursor(cursor)
        except ValueError:
            problems.append(Problem("cursor", "must be the cursor of an earlier answer, unchanged"))
    if problems:
        raise RequestInvalidError(problems)
    return Listing(status, cname, count, where)


def read_cursor(text: str) -> Cursor:
    """Return the cursor that `write_cursor` wrote. Raises ValueError."""
    try:
        found = msgspec.json.decode(urlsafe_b64decode(text.encode()), type=Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeError) as error:
        raise ValueError("not a cursor") from error
    if found.day is not None:
        from_iso(found.day)
    if found.key is not None and any(set(each) != {"S"} for each in found.key.values()):
        raise ValueError("not a cursor")
    return found


def write_cursor(cursor: Cursor) -> str:
    """Return a cursor as text for a query string."""
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


class Lister:
    """Finds recordings."""

    def __init__(self, store: RecordingStore) -> None:
        self._store = store

    def get(self, recording_id: str) -> Recording:
        """Return one recording. Raises RecordingNotFoundError, also for what is not an id."""
        if not is_recording_id(recording_id):
            raise RecordingNotFoundError(f"There is no recording {recording_id[:40]!r}.")
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
            start=listing.cursor.key,
        )
        return page.recordings, Cursor(key=page.cursor) if page.cursor else None

    def _by_day(self, listing: Listing, now_ms: int) -> tuple[list[Recording], Cursor | None]:
        found: list[Recording] = []
        day_ms = from_iso(listing.cursor.day) if listing.cursor.day else now_ms
        key = listing.cursor.key
        for _ in range(DAYS_PER_PAGE):
            if now_ms - day_ms > DAYS_BACK * DAY_MS:
                return found, None
            day = iso(day_ms)[:10]
            page = self._store.page(
                day=day, status=listing.status, limit=listing.limit - len(found), start=key
            )
            found += page.recordings
            if page.cursor:
                return found, Cursor(day=day, key=page.cursor)
            day_ms, key = day_ms - DAY_MS, None
            if len(found) >= listing.limit:
                break
        return found, Cursor(day=iso(day_ms)[:10])

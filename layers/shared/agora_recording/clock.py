"""Instants: epoch milliseconds inside, RFC 3339 text (UTC, milliseconds) where people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

Instant = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]

_EPOCH = datetime.fromtimestamp(0, UTC)


def now_ms() -> int:
    """Return the present in epoch milliseconds. Decisions do not call it: it is their argument."""
    return time.time_ns() // 1_000_000


def to_ms(seconds: float) -> int:
    """Return a duration in whole milliseconds."""
    return round(seconds * 1000)


def iso(ms: int) -> str:
    """Return `ms` (epoch milliseconds) as `2026-01-31T12:00:00.000Z`, which sorts by time."""
    seconds, rest = divmod(ms, 1000)
    whole = datetime.fromtimestamp(seconds, UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def from_iso(text: str) -> int:
    """Return the epoch milliseconds of an RFC 3339 instant; without an offset, it is UTC.

    Raises ValueError for any other text.
    """
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(milliseconds=1)

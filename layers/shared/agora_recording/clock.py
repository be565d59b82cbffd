"""Instants: epoch milliseconds inside, RFC 3339 text (UTC, milliseconds) where people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_ms() -> int:
    """Return the present, in epoch milliseconds. Called by rooms only; decisions are given it."""
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    """Return `ms` (epoch milliseconds) as `2026-01-31T12:00:00.000Z`: sorts as it counts."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def from_iso(text: str) -> int:
    """Return the epoch milliseconds of an RFC 3339 instant, or of a day's beginning (UTC).

    Raises ValueError for any other text.
    """
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)

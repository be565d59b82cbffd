"""The log of the calls that the simulator was asked."""

from __future__ import annotations

from dataclasses import dataclass

MOST_KEPT = 200_000
"""Calls remembered for the control API."""


@dataclass
class ApiCall:
    """One call as the log keeps it: nothing in it is secret."""

    at: float
    """Epoch seconds of the machine's clock, at arrival."""
    endpoint: str
    method: str
    cname: str | None = None
    uid: str | None = None
    mode: str | None = None
    sid: str | None = None
    status: int | None = None
    code: int | None = None
    fault: str | None = None
    took_ms: int = 0

"""The present of a world in memory."""

from __future__ import annotations


class Clock:
    """The present, which only moves when it is told to."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> int:
        """Let time pass; return the new present."""
        self.now_ms += round(seconds * 1000)
        return self.now_ms

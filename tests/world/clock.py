"""Virtual time: a present that only moves when it is told to, and events on it.

No wall clock, and no order but that of time and of asking: what runs on it runs the same each time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import repeat
from typing import Any


class Clock:
    """The present, in ms."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> int:
        """Let time pass; return the new present."""
        self.now_ms += round(seconds * 1000)
        return self.now_ms

    def sleep(self, seconds: float) -> None:
        """Let time pass, for whoever would sleep."""
        self.now_ms += round(seconds * 1000)


class Timeline(Clock):
    """A clock with events, each of which happens at its instant.

    An event that takes a while moves the present for itself (`sleep`, `spend`); the next one finds
    the present at its own instant again. So events are as processes that run side by side.
    """

    def __init__(self, now_ms: int) -> None:
        super().__init__(now_ms)
        self._count = 0
        self._events: list[tuple[int, int, Callable[..., object], tuple[Any, ...]]] = []
        self._cancelled: set[int] = set()

    def spend(self, ms: int) -> None:
        """Let the event that happens just now take so long."""
        self.now_ms += ms

    def at(self, at_ms: int, act: Callable[..., object], *arguments: Any) -> int:
        """Do something at an instant; return a number by which it can be cancelled.

        What is of the same instant is done in the order asked; what is of the past, next.
        """
        self._count += 1
        heapq.heappush(self._events, (at_ms, self._count, act, arguments))
        return self._count

    def later(self, seconds: float, act: Callable[..., object], *arguments: Any) -> int:
        """Do something after a while; return the same as `at`."""
        return self.at(self.now_ms + round(seconds * 1000), act, *arguments)

    def cancel(self, number: int) -> None:
        """Take back what was asked for and has not happened yet."""
        self._cancelled.add(number)

    def run(
        self,
        until_ms: int,
        most: int | None = None,
        after_each: Callable[[], object] | None = None,
    ) -> None:
        """Let time pass until an instant, or until nothing is left to happen before it.

        `after_each` is called after each event. Raises AssertionError after so many events, where
        `most` is given: it goes on for ever.
        """
        events, cancelled, pop = self._events, self._cancelled, heapq.heappop
        for _ in repeat(None) if most is None else repeat(None, most):
            while events and events[0][1] in cancelled:
                cancelled.remove(pop(events)[1])
            if not events:
                return
            if events[0][0] > until_ms:
                self.now_ms = until_ms
                return
            self.now_ms, _, act, arguments = pop(events)
            act(*arguments)
            if after_each:
                after_each()
        raise AssertionError(f"after {most} events there are still more")

"""Threads, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class OneThread:
    """A ThreadPoolExecutor without threads: operations come in one order, each time the same."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> OneThread:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, function: Callable[..., Any], *values: Iterable[Any]) -> list[Any]:
        """Return the results of a function, in order."""
        return list(map(function, *values))

"""Processes that die: every operation of a fake is counted, and `Faults` can end the process before
or after any of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class Crash(BaseException):
    """The process is gone. No Exception: nothing inside it can notice."""


class Faults:
    """Counts operations, and kills the process before or after the one called `at` (from 1).

    `names` are the operations in order; `firsts` the numbers of those that a process began with.
    """

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.count = 0
        self.dead = False
        self.names: list[str] = []
        self.firsts: list[int] = [1]

    def begin(self) -> None:
        """Begin a new process."""
        self.dead = False
        self.firsts.append(self.count + 1)

    def check(self) -> None:
        """Let a dead process do nothing more."""
        if self.dead:
            raise Crash

    def kill(self) -> None:
        """End the process."""
        self.dead = True
        raise Crash


def operation(method: F) -> F:
    """Make a method of a fake one of the operations that `self.faults` counts."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        faults: Faults = self.faults
        faults.check()
        faults.count += 1
        number = faults.count
        faults.names.append(method.__name__)
        if number == faults.at and not faults.after:
            faults.kill()
        result = method(self, *args, **kwargs)
        if number == faults.at:
            faults.kill()
        return result

    return cast(F, run)


def reading(method: F) -> F:
    """Make a method one that a dead process cannot call either; it is not counted."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.faults.check()
        return method(self, *args, **kwargs)

    return cast(F, run)

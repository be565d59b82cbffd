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

    def begins(self, name: str) -> None:
        """Let an operation begin: nothing of it has happened yet."""
        self.check()
        self.count += 1
        self.names.append(name)
        if self.count == self.at and not self.after:
            self.kill()

    def ends(self, name: str) -> bool:
        """Let an operation end: it has happened. Return whether it is sent again."""
        if self.count == self.at:
            self.kill()
        return False

    def reads(self, name: str) -> None:
        """Let something be read, which is not counted."""
        self.check()


def operation(method: F) -> F:
    """Make a method of a fake one of the operations that `self.faults` counts."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        faults: Faults = self.faults
        faults.begins(method.__name__)
        result = method(self, *args, **kwargs)
        if faults.ends(method.__name__):
            result = method(self, *args, **kwargs)
        return result

    return cast(F, run)


def reading(method: F) -> F:
    """Make a method one that a dead process cannot call either; it is not counted."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.faults.reads(method.__name__)
        return method(self, *args, **kwargs)

    return cast(F, run)

"""Processes of ours, side by side: each gives way at every operation, and goes on when it is time.

A process is a greenlet: only one runs at a time, and which one is decided by virtual time alone. So
two rooms meet between any two operations, and the same seed lets them meet in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

from greenlet import getcurrent, greenlet

from tests.world.clock import Timeline
from tests.world.faults import Crash


@dataclass(eq=False)
class Process:
    """A run of a room: its name, and how far it has come."""

    name: str  # "start r1 #2"
    begun_ms: int
    end_ms: int  # when Lambda kills it
    function: str  # the logical id of the function that it is a run of
    skew_ms: int = 0  # how far its clock is from the true time
    operations: int = 0
    is_dead: bool = False
    after: str | None = None  # what goes wrong at the end of the operation that it is in
    thread: greenlet = field(default_factory=greenlet)

    def die(self) -> NoReturn:
        """Be killed: nothing more is done in it. Raises Crash."""
        self.is_dead = True
        raise Crash


class Dead:
    """What comes of a process that was killed."""


class Processes:
    """Runs processes on a timeline. `open` are those that are not over; `meetings` counts how often
    one went on while another was between two operations.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._hub = getcurrent()
        self._runs: Counter[str] = Counter()
        self.current: Process | None = None
        self.open: list[Process] = []
        self.meetings = 0

    def start(
        self,
        name: str,
        act: Callable[[], Any],
        then: Callable[[Any], object],
        *,
        function: str,
        limit_s: float,
        skew_ms: int = 0,
    ) -> None:
        """Run `act` as a process; `then` gets its result, or its exception, or `Dead`."""
        self._runs[name] += 1
        now = self.timeline.now_ms
        numbered = f"{name} #{self._runs[name]}"
        process = Process(numbered, now, now + round(limit_s * 1000), function, skew_ms)
        process.thread = greenlet(partial(self._run, process, act, then), self._hub)
        self.open.append(process)
        self.timeline.at(now, self._go_on, process)

    def pause(self, ms: int) -> None:
        """Let others run for so long. Raises Crash where the process is killed meanwhile."""
        process = self.current
        if process is None:
            return
        until = self.timeline.now_ms + max(0, ms)
        if until > process.end_ms:
            until, process.is_dead = process.end_ms, True
        self.timeline.at(until, self._go_on, process)
        self._hub.switch()
        if process.is_dead:
            raise Crash

    def _go_on(self, process: Process) -> None:
        self.current = process
        self.meetings += len(self.open) > 1
        try:
            process.thread.switch()
        finally:
            self.current = None

    def _run(self, process: Process, act: Callable[[], Any], then: Callable[[Any], object]) -> None:
        try:
            result = act()
        except Crash:
            result = Dead()
        except Exception as failure:
            result = failure
        self.open.remove(process)
        self.current = None
        then(result)

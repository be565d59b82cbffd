"""The simulator's clock, and the calls that are due on it.

Instants are epoch milliseconds of the simulator's clock, which is the machine's unless a test
holds or advances it. Durations are given in Agora's own seconds and pass `speed` times faster.
"""

from __future__ import annotations

import heapq
import threading
import time
import traceback
from collections.abc import Callable
from itertools import count

Call = Callable[[int], None]
"""A function to call when an instant has come; it gets that instant, not the time of the call."""


class Scheduler:
    """One thread that makes the calls that are due, in order of time, and holds `lock` meanwhile.

    Each call gets the instant at which it was due, even when the thread is late. So timestamps and
    file names do not depend on the machine's load, and moving the clock by an hour has all the
    effects of an hour.
    """

    def __init__(self, speed: float, lock: threading.RLock) -> None:
        if speed <= 0:
            raise ValueError("speed must be greater than 0")
        self.speed = speed
        self.lock = lock
        self.busy: Callable[[], bool] = lambda: False
        """Whether uploads or webhooks are under way; an advance waits for them at each step."""
        self.failures: list[Exception] = []
        """Errors of the simulator itself: must be empty."""
        self._wakeup = threading.Condition(lock)
        self._heap: list[tuple[int, int, Call]] = []
        self._order = count()
        self._offset_ms = 0
        self._held_at_ms: int | None = None
        self._advancing = False
        self._present_ms = 0
        self._alarms: set[threading.Event] = set()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="agora-clock", daemon=True)

    # --- the clock ------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """Return the present instant."""
        if self._held_at_ms is not None:
            return self._held_at_ms
        return time.time_ns() // 1_000_000 + self._offset_ms

    def moment_ms(self) -> int:
        """Return the instant of the call that is made now: in an advance, before the present."""
        return self._present_ms if self._advancing else self.now_ms()

    def span_ms(self, seconds: float) -> int:
        """Return how long `seconds` of Agora's last here: at least 1 ms, if there are any."""
        return max(1, round(seconds * 1000 / self.speed)) if seconds > 0 else 0

    def hold(self) -> None:
        """Stop the clock: nothing more falls due until `advance` or `release`."""
        with self._wakeup:
            self._held_at_ms = self.now_ms()
            self._wakeup.notify_all()

    def release(self) -> None:
        """Let the clock run on from where it stands."""
        with self._wakeup:
            if self._held_at_ms is not None:
                self._offset_ms = self._held_at_ms - time.time_ns() // 1_000_000
                self._held_at_ms = None
            self._wakeup.notify_all()

    def advance(self, seconds: float, *, limit_s: float = 30.0) -> bool:
        """Move the clock by `seconds` of Agora's; return whether all that was due is done.

        Each step waits for its uploads and webhooks, for at most `limit_s` of real time in all.
        """
        with self._wakeup:
            self._present_ms = max(self._present_ms, self.now_ms())
            if self._held_at_ms is not None:
                self._held_at_ms += self.span_ms(seconds)
            else:
                self._offset_ms += self.span_ms(seconds)
            deadline = time.monotonic() + limit_s
            self._advancing = True
            self._wakeup.notify_all()
            while self._advancing and not self._stopped and time.monotonic() < deadline:
                self._wakeup.wait(0.05)
            settled, self._advancing = not self._advancing, False
            return settled

    @property
    def held(self) -> bool:
        """Whether the clock stands still."""
        return self._held_at_ms is not None

    # --- what is due ----------------------------------------------------------------------------

    def at(self, due_ms: int, call: Call) -> None:
        """Make `call` at this instant."""
        with self._wakeup:
            heapq.heappush(self._heap, (due_ms, next(self._order), call))
            self._wakeup.notify_all()

    def soon(self, call: Call) -> None:
        """Make `call` next, on the scheduler's thread; for callers that must not hold the lock."""
        with self._wakeup:
            self.at(self.moment_ms(), call)

    def alarm(self, seconds: float) -> threading.Event:
        """Return an event that is set when that time has passed, or when the simulator ends."""
        alarm = threading.Event()
        with self._wakeup:
            if self._stopped:
                alarm.set()
                return alarm
            self._alarms.add(alarm)
            self.at(self.now_ms() + self.span_ms(seconds), lambda _: self._ring(alarm))
        return alarm

    def sleep(self, seconds: float) -> None:
        """Block the caller for that long. Must not be called with the lock held."""
        self.alarm(seconds).wait()

    def _ring(self, alarm: threading.Event) -> None:
        self._alarms.discard(alarm)
        alarm.set()

    def forget(self) -> None:
        """Remove all planned calls, and set every alarm."""
        with self._wakeup:
            self._heap.clear()
            for alarm in list(self._alarms):
                self._ring(alarm)

    # --- the thread -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; planned calls are not made any more."""
        with self._wakeup:
            self._stopped = True
            self.forget()
            self._wakeup.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._wakeup:
            while not self._stopped:
                # While an advance waits for uploads and webhooks, only their results are handled.
                waiting = self._advancing and self.busy()
                now = self._present_ms if waiting else self.now_ms()
                if waiting and (not self._heap or self._heap[0][0] > now):
                    self._wakeup.wait(0.05)
                    continue
                if not self._heap or self._heap[0][0] > now:
                    self._advancing = False
                    self._wakeup.notify_all()
                    idle = None if self.held or not self._heap else (self._heap[0][0] - now) / 1000
                    self._wakeup.wait(idle)
                    continue
                due_ms, _, call = heapq.heappop(self._heap)
                self._present_ms = max(self._present_ms, due_ms)
                try:
                    call(due_ms)
                except Exception as error:  # a bug in one call must not stop the clock
                    self.failures.append(error)
                    traceback.print_exc()

"""Ctrl-C and SIGTERM, noted so that a program can end in its own order."""

from __future__ import annotations

import queue
import signal


class Interrupt:
    """From when it is made on, Ctrl-C and SIGTERM are only noted here. Make it in the main thread.

    A signal comes between any two steps of the main thread, also while it waits here. So nothing
    may need a lock that the waiting thread may hold, as `threading.Event` does: the program would
    stand still for ever. SimpleQueue is made for this.
    """

    def __init__(self) -> None:
        self._came: queue.SimpleQueue[None] = queue.SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._came.put(None))

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until one has come, at most `seconds`; tell whether it has."""
        try:
            self._came.get(timeout=seconds)
        except queue.Empty:
            return False
        self._came.put(None)  # it stays true
        return True

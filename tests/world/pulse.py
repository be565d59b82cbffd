"""A beat beside a clock that is judged: where the machine stood still, so did the clock."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Self


class Pulse:
    """Beats beside the simulator: while it stands still, so does the clock that calls arrive by."""

    BEAT_S = 0.02

    def __init__(self) -> None:
        self._beats: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self.BEAT_S):
            self._beats.append(time.time())

    def stood_still(self, since: float, until: float) -> float:
        """Return the seconds that it missed, in pauses that ended between the two instants."""
        return sum(
            after - before - self.BEAT_S
            for before, after in pairwise(self._beats)
            if since - self.BEAT_S <= after <= until and after - before > 2 * self.BEAT_S
        )

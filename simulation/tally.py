"""What many lives come to, in numbers."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from simulation.living import Life, live
from simulation.story import random_story

_FAMILIES = {
    "event": "notification",
    "message": "message",
    "batch": "stream",
    "schedule": "schedule",
    "session": "session",
    "park": "Step Functions",
}


def family(place: str) -> str:
    """Return what a fault at a place befell."""
    first, last = place.split(" ", 1)[0], place.rsplit(" ", 1)[-1]
    if last.startswith("Agora/"):
        return "call to Agora"
    if last == "app":
        return "call to the app"
    if first in _FAMILIES and "," not in place:
        return _FAMILIES[first]
    return "index" if last == "index" else "call to AWS"


@dataclass
class Tally:
    """Sums of lives. `broken` are those that broke a promise."""

    stories: int = 0
    lives: int = 0
    hours: float = 0
    steps: int = 0
    meetings: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[Life] = field(default_factory=list)

    def add(self, life: Life) -> None:
        """Count one story."""
        self.stories += 1
        self.lives += life.story.recordings
        self.hours += life.hours
        self.steps += life.steps
        self.meetings += life.meetings
        self.faults.update(f"{family(place)}: {kind}" for place, kind in life.faults.items())
        if life.broken:
            self.broken.append(life)

    def join(self, other: Tally) -> None:
        """Count what another process has counted."""
        self.stories += other.stories
        self.lives += other.lives
        self.hours += other.hours
        self.steps += other.steps
        self.meetings += other.meetings
        self.faults.update(other.faults)
        self.broken += other.broken


def lives(first: int, seconds: float, processes: int) -> Tally:
    """Live the stories of the seeds from `first` on; return what came of them.

    Each process takes `seconds` of a core: so the same work is done on a busy machine.
    """
    whole = Tally()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        runs = [
            pool.submit(_some, first + number, processes, seconds) for number in range(processes)
        ]
        for run in runs:
            whole.join(run.result())
    return whole


def _some(first: int, step: int, seconds: float) -> Tally:
    """Live every `step`-th story from a seed on, for so many seconds of a core."""
    tally, seed = Tally(), first
    while time.process_time() < seconds:
        tally.add(live(random_story(seed)))
        seed += step
    return tally

"""Chance that can be told again: what happens at a place follows from the seed and the place alone.

A place names one moment of one story, such as "start r1 #2, 3 put_item": the third operation of the
second run of the room that starts recording 1. So a fault that is taken out of a story changes
nothing else in it, and a story shrinks.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

Kinds = Sequence[tuple[str, int]]
"""What may happen at a place, with weights."""

_ALL = 2**64 - 1


def mixed(number: int) -> int:
    """Return 64 bits in which no bit of `number` can be seen again."""
    number = (number + 0x9E3779B97F4A7C15) & _ALL
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _ALL
    return number ^ (number >> 31)


class Luck:
    """The chance of one story.

    `rate` is how likely a fault is at a place, in [0, 1]. `chosen` are the faults of a story that
    is told again: these, by their places, and no others. `happened` are those of this one, in
    order.
    """

    def __init__(self, seed: int, rate: float, chosen: Mapping[str, str] | None = None) -> None:
        self._seed = mixed(seed)
        self._chosen = chosen
        self.rate = rate
        self.happened: dict[str, str] = {}
        self.is_calm = False

    def calm(self) -> None:
        """Let nothing more go wrong."""
        self.is_calm = True

    def bits(self, place: str) -> int:
        """Return 64 bits that belong to a place."""
        return mixed(self._seed ^ zlib.crc32(place.encode()) ^ (len(place) << 32))

    def number(self, place: str, low: int, high: int) -> int:
        """Return a whole number of a place, from `low` to `high`."""
        return low + self.bits(place) % (high - low + 1)

    def fault(self, place: str, kinds: Kinds, likelier: float = 1) -> str | None:
        """Return what goes wrong at a place, None if nothing does.

        `likelier` is how much likelier than elsewhere it is.
        """
        if self._chosen is not None:
            kind = self._chosen.get(place)
        elif self.is_calm:
            return None
        else:
            bits = self.bits(place)
            if (bits >> 32) >= self.rate * likelier * 2**32:
                return None
            kind = _weighted(kinds, bits & 0xFFFFFFFF)
        if kind:
            self.happened[place] = kind
        return kind


def _weighted(kinds: Kinds, bits: int) -> str:
    left = bits % sum(weight for _, weight in kinds)
    for kind, weight in kinds:
        if left < weight:
            return kind
        left -= weight
    raise AssertionError("the weights are those that were added up")

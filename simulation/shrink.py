"""Makes a story that breaks a promise shorter, as long as it breaks the same promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from simulation.living import Life, live
from simulation.story import Story

T = TypeVar("T")
_MOST_LIVES = 400


def promise(life: Life) -> str:
    """Return the name of the promise that a life has broken; "" if none."""
    return (life.broken or "").partition(":")[0]


def shrunk(life: Life, most: int = _MOST_LIVES) -> Life:
    """Return a life that breaks the same promise with as few acts and faults as can be found.

    At most `most` lives are lived for it.
    """
    wanted = promise(life)
    best = live(life.story._replace(faults=life.faults))
    if promise(best) != wanted:
        return life  # only chance as a whole breaks it
    left = most

    def breaks(story: Story) -> bool:
        nonlocal best, left
        left -= 1
        found = live(story)
        if promise(found) != wanted:
            return False
        best = found
        return True

    def shorten(story: Story) -> Story:
        faults = fewest(
            list((story.faults or {}).items()),
            lambda kept: breaks(story._replace(faults=dict(kept))),
            lambda: left,
        )
        fewer = story._replace(faults=dict(faults))
        acts = fewest(
            fewer.acts, lambda kept: breaks(fewer._replace(acts=tuple(kept))), lambda: left
        )
        return fewer._replace(acts=tuple(acts))

    before = None
    while before != best.story and left > 0:
        before = best.story
        story = shorten(before)
        for simpler in (story._replace(token_s=0), story._replace(apart_ms=0)):
            if simpler != story and left > 0:
                breaks(simpler)
    return best


def fewest(
    items: Sequence[T], is_enough: Callable[[list[T]], bool], left: Callable[[], int]
) -> list[T]:
    """Return as few of the items as are enough: pieces are left out, and smaller and smaller ones.

    `left` tells how often `is_enough` may still be asked.
    """
    kept = list(items)
    size = len(kept)
    while size and kept and left() > 0:
        at = 0
        while at < len(kept) and left() > 0:
            without = kept[:at] + kept[at + size :]
            if is_enough(without):
                kept = without
            else:
                at += size
        size //= 2
    return kept

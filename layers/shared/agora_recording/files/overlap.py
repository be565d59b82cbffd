"""Where a track goes over from one recorder to the next, if both recorded for a while."""

from __future__ import annotations

from collections.abc import Sequence

from agora_recording.files.playlists import Segment


def seam(before: Sequence[Segment], after: Sequence[Segment]) -> tuple[int, int]:
    """Return how many slices of `before` to play, and the first of `after` to play then.

    Nothing that was recorded is left out: where the two overlap, the cut is at the slices whose
    times fit best, so less than one slice is played twice. `before` may hold all of `after`, of a
    recorder that was given up: then `after` is left out. Slices without a known time are all kept.
    """
    timed = [at for at, each in enumerate(before) if each.start_ms is not None]
    starts = [at for at, each in enumerate(after) if each.start_ms is not None]
    if not timed or not starts:
        return len(before), 0
    end_ms = _end_ms(before[timed[-1]])
    if _start_ms(after[starts[0]]) >= end_ms:
        return len(before), 0
    if max(_end_ms(after[at]) for at in starts) <= end_ms:
        return len(before), len(after)
    best: tuple[int, int, int] | None = None
    place = len(timed) - 1
    for first in reversed(starts):
        start_ms = _start_ms(after[first])
        if start_ms > end_ms:
            continue
        while place > 0 and _end_ms(before[timed[place - 1]]) >= start_ms:
            place -= 1
        twice_ms = _end_ms(before[timed[place]]) - start_ms
        if best is None or twice_ms < best[0]:
            best = twice_ms, timed[place] + 1, first
    return (len(before), 0) if best is None else best[1:]


def _start_ms(segment: Segment) -> int:
    return segment.start_ms or 0


def _end_ms(segment: Segment) -> int:
    return _start_ms(segment) + segment.duration_ms

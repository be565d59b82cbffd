"""How closely silence is watched: as closely as the free calls of Agora's API allow.

A row says when it may be looked at first (recording/due.py): as if calls were free. The budget says
how much longer the sweeper waits, for all rows of one risk. So nothing has to be written again when
the fleet grows, and a row needs no look to be told that it is not its turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import msgspec

from agora_recording.clock import to_ms
from agora_recording.recording.timings import Timings

# The risks of due.py whose looks may wait: a notification is missing; none ever comes.
MISSED: Literal[3] = 3
QUIET: Literal[4] = 4

# Our own: how many notifications may be lost on their way. More are lost in bad hours only.
_LOSS = 0.05
# Of all calls, what may be spent on sessions that are missed, and on those that are always quiet.
# The rest is for starts, stops, and what follows a doubt.
_FOR_MISSED, _FOR_QUIET = 0.2, 0.4
_MOST_MISSED = 3  # in a row: more hardly ever are


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What the free calls allow: after how many missed notifications a session is doubted, and how
    much longer than at best (ms) a look waits.
    """

    missed: int = 1
    missed_ms: int = 0
    quiet_ms: int = 0

    def wait_ms(self, risk: int) -> int:
        """Return how long a row of this risk waits after the instant that its row says."""
        return {MISSED: self.missed_ms, QUIET: self.quiet_ms}.get(risk, 0)


CLOSEST = Budget()


def budget(count_open: int, quiet: int, calls_per_second: float, timings: Timings) -> Budget:
    """Return how closely a fleet can be watched.

    `count_open` recordings are not over, `quiet` of them send no event 33; the account's calls are
    `calls_per_second`. Of the others, the share `_LOSS` misses a notification by chance each
    minute: a session is doubted after so many missed ones that chance alone does not use up the
    calls.
    """
    each_second = count_open / timings.beat_s
    missed = 1
    while missed < _MOST_MISSED and each_second * _LOSS**missed > calls_per_second * _FOR_MISSED:
        missed += 1
    # Calls are real, also where the clock runs faster.
    quiet_s = quiet / (calls_per_second * _FOR_QUIET) - timings.ask_s
    return Budget(
        missed=missed,
        missed_ms=to_ms((missed - 1) * timings.beat_s),
        quiet_ms=to_ms(min(max(quiet_s, 0), timings.wait_s)),
    )


def sweeps_between(
    due_ms: Iterable[int], in_doubt_ms: Iterable[int], now_ms: int, timings: Timings
) -> list[int]:
    """Return after how many seconds to sweep again, so that what is due is not kept waiting.

    `due_ms` are the instants at which rows will be due: what is due at nearly the same time waits
    for one sweep. `in_doubt_ms` are those of sessions that may be gone, which do not wait. The
    sweep of the next minute comes anyway.
    """
    step_ms, minute_ms = to_ms(timings.between_s), to_ms(timings.beat_s)
    steps = {math.ceil((each - now_ms) / step_ms) * step_ms for each in due_ms if each > now_ms}
    after_ms = {*steps, *(each - now_ms for each in in_doubt_ms)}
    return sorted({math.ceil(each / 1000) for each in after_ms if 0 < each < minute_ms})

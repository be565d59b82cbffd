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
_FOR_MISSED, _FOR_QUIET = 0.2, 0.25
_MOST_MISSED = 3  # in a row: more hardly ever are


class Fleet(msgspec.Struct, frozen=True):
    """How many recordings are not over, and how many of them send no event 33."""

    open: int = 0
    quiet: int = 0


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


def budget(fleet: Fleet, calls_per_second: float, timings: Timings) -> Budget:
    """Return how closely a fleet can be watched; the account's calls are `calls_per_second`.

    Of the sessions with event 33, the share `_LOSS` misses one by chance each minute: a session is
    doubted after so many missed ones that chance alone does not use up the calls.
    """
    each_second = fleet.open / timings.beat_s
    missed = 1
    while missed < _MOST_MISSED and each_second * _LOSS**missed > calls_per_second * _FOR_MISSED:
        missed += 1
    # Calls are real, also where the clock runs faster.
    quiet_s = fleet.quiet / (calls_per_second * _FOR_QUIET) - timings.ask_s
    return Budget(
        missed=missed,
        missed_ms=to_ms((missed - 1) * timings.beat_s),
        quiet_ms=to_ms(min(max(quiet_s, 0), timings.wait_s)),
    )


def sweeps_between(
    due: Iterable[tuple[int, int]],
    in_doubt: Iterable[tuple[int, int]],
    now_ms: int,
    timings: Timings,
) -> dict[int, list[int]]:
    """Return the sweeps before that of the next minute: after how many seconds, and which shards.

    `due` are the instants (ms) at which rows will be due, each with its shard: sweeps for these are
    some time apart, and serve all that is due by then; the last seconds are left to the sweep of
    the minute. `in_doubt` do not wait for others: sessions that may be gone.
    """
    step_ms, end_ms = to_ms(timings.between_s), now_ms + to_ms(timings.beat_s)
    sweeps: dict[int, set[int]] = {}
    at_ms = now_ms
    for due_ms, shard in sorted(each for each in due if each[0] > now_ms):
        if due_ms > at_ms:
            at_ms = max(due_ms, at_ms + step_ms)
        if at_ms < end_ms - step_ms / 3:
            sweeps.setdefault(math.ceil((at_ms - now_ms) / 1000), set()).add(shard)
    for due_ms, shard in in_doubt:
        if due_ms < end_ms:
            after_s = math.ceil(max(due_ms - now_ms, 1) / 1000)
            sweeps.setdefault(after_s, set()).add(shard)
    return {after_s: sorted(shards) for after_s, shards in sorted(sweeps.items())}

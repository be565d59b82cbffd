"""The peer: each recording polls for itself, on its own clock (Wait, query, Choice).

No notification, no pacing. Agora takes the first ten calls of each second and answers 429 to the
others; a poll that was refused is tried again at its next turn, which is kinder than a Retry. The
same rule as ours says when a session is gone: 404 for the 90 s that a failover may last.
"""

from __future__ import annotations

import random
from collections import defaultdict

import msgspec

ALLOWED = 10
BELIEVED_AFTER_S = 90


class Polled(msgspec.Struct, kw_only=True):
    """What was measured. Durations are seconds; of those not found, how long they waited."""

    recordings: int
    interval_s: int
    calls_per_second: float  # wanted
    refused: float  # share of them
    silent_ends: int
    not_found: int
    detection_s: list[float]  # of those found


def poll(
    recordings: int,
    interval_s: int,
    *,
    other_calls_per_second: float,
    horizon_s: int = 86_400,
    deaths: int = 400,
    seed: int = 1,
) -> Polled:
    """Let recordings poll for `horizon_s`; they die in its first sixth.

    `other_calls_per_second` are starts and stops, which want their share.
    """
    chance = random.Random(seed)
    turns: dict[int, list[int]] = defaultdict(list)  # who polls in which second of the interval
    for number in range(recordings):
        turns[chance.randrange(interval_s)].append(number)
    to_die = sorted((chance.randrange(horizon_s // 6) for _ in range(deaths)), reverse=True)
    dead: dict[int, int] = {}
    missed: dict[int, int] = {}  # since when Agora answered 404
    found: list[float] = []
    wanted = refused = 0
    for second in range(horizon_s):
        while to_die and to_die[-1] == second:
            victim = chance.randrange(recordings)
            if victim not in dead:
                dead[victim] = second
            to_die.pop()
        asking = turns[second % interval_s]
        calls = len(asking) + _count(chance, other_calls_per_second)
        wanted += calls
        served: list[int] = asking
        if calls > ALLOWED:
            refused += calls - ALLOWED
            picked = chance.sample(range(calls), ALLOWED)
            served = [asking[number] for number in picked if number < len(asking)]
        for number in served:
            if number not in dead:
                continue
            since = missed.setdefault(number, second)
            if second - since >= BELIEVED_AFTER_S:
                found.append(float(second - dead.pop(number)))
                del missed[number]
    return Polled(
        recordings=recordings,
        interval_s=interval_s,
        calls_per_second=wanted / horizon_s,
        refused=refused / wanted,
        silent_ends=len(found) + len(dead),
        not_found=len(dead),
        detection_s=sorted(found),
    )


def _count(chance: random.Random, rate: float) -> int:
    """Return how many calls of a Poisson stream fall into one second."""
    count, at = 0, chance.expovariate(rate) if rate else 2.0
    while at < 1:
        count += 1
        at += chance.expovariate(rate)
    return count

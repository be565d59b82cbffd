"""How far one account's 10 requests a second carry: fleets under supervision, on virtual time.

Each fleet is run three times over: supervised by the shipped code (fleet.py), and by loops that
poll each recording every 30 s and every 120 s (polling.py). The seeds are fixed, so the numbers are
the same on each machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from agora_recording.recording.timings import Timings
from benchmarks.fleet import Assumptions, Findings, Fleet
from benchmarks.pages import Page, table
from benchmarks.plot import Mark, Series, chart
from benchmarks.polling import ALLOWED, Polled, poll

INTERVALS_S = (30, 120)
CALLS_PER_RECORDING = 4  # acquire, start, one query, stop
_DAY_S = 86_400
# Later than this, a notification comes so late that its recording may have been taken for silent.
LATEST_S = Timings().miss_s - Timings().beat_s
# In the small ones, more sessions die than in a real fleet: so many deaths are seen in little time.
FLEETS = (
    Assumptions(recordings=50, deaths=0.1, measured_s=40 * 3600),
    Assumptions(recordings=1_000, deaths=0.03, measured_s=5 * 3600),
    Assumptions(recordings=10_000, mean_lifetime_s=3 * 3600, deaths=0.01, measured_s=2 * 3600),
    Assumptions(
        recordings=100_000,
        mean_lifetime_s=7 * _DAY_S,
        longest_s=30 * _DAY_S,
        warm_up_s=600,
        measured_s=3000,
        stream_parallelism=10,
    ),
)
# What a loop needs to replace a session that it found dead: two calls, and the recorder's start.
RESTART_S = 3
# The same app at its busiest: starts and stops alone want most of the calls.
BUSY = tuple(
    Assumptions(recordings=number, measured_s=2 * 3600) for number in (3_000, 4_000, 5_000)
)


class Trial(NamedTuple):
    """One fleet, and its peers."""

    assumed: Assumptions
    found: Findings
    polled: tuple[Polled, ...]


@cache
def trials() -> tuple[Trial, ...]:
    """Run every fleet, with its peers."""
    return tuple(trial(each.recordings) for each in FLEETS)


@cache
def busy() -> tuple[Findings, ...]:
    """Run the fleets that start and stop as often as the limit allows."""
    return tuple(Fleet(each).run() for each in BUSY)


@cache
def trial(recordings: int) -> Trial:
    """Run one fleet, with its peers."""
    (assumed,) = (each for each in FLEETS if each.recordings == recordings)
    other = CALLS_PER_RECORDING * assumed.recordings / assumed.mean_lifetime_s
    polled = tuple(
        poll(assumed.recordings, interval_s, other_calls_per_second=other)
        for interval_s in INTERVALS_S
    )
    return Trial(assumed, Fleet(assumed).run(), polled)


def run() -> dict[str, dict[str, Any]]:
    """Return the figures of the largest fleet; calls are counted over all of them."""
    everything = [each.found for each in trials()]
    most = max(each.max_arrived_per_second for each in (*everything, *busy()))
    calls = sum(sum(each.calls.values()) for each in (*everything, *busy()))
    last = trials()[-1]
    found, peer = last.found, last.polled[-1]
    kept = found.not_found == 0 and found.given_up_alive == 0 and found.stream_s < LATEST_S
    p99 = quantile(found.detection_s, 0.99)
    # The most that polling at 120 s can serve: Q*D / (calls of a recording + D/T), for D = 1 h.
    capacity = math.floor(ALLOWED * 3600 / (CALLS_PER_RECORDING + 3600 / INTERVALS_S[-1]))
    supervised = found.recordings if kept else 0
    losses = [lost(each.recordings) for each in FLEETS]
    return {
        **{key: row for each in losses for key, row in each.items()},
        "supervised_at_10_rps": {
            "value": supervised,
            "unit": "recordings",
            "floor": capacity,
            "ratio": round(supervised / capacity, 1),
            "n": found.silent_ends,
        },
        "max_calls_per_second": {
            "value": most,
            "unit": "calls in the fullest second",
            "floor": round(peer.calls_per_second),
            "ratio": round(most / peer.calls_per_second, 3),
            "n": calls,
        },
        "silent_death_detection_s": {
            "value": round(p99, 1),
            "unit": "s, p99",
            "floor": round(_bounded(peer, 0.99)),
            "ratio": round(p99 / _bounded(peer, 0.99), 4),
            "n": len(found.detection_s),
            "p50": round(quantile(found.detection_s, 0.5), 1),
            "p99": round(p99, 1),
            "max": round(found.detection_s[-1], 1),
        },
        "time_to_finish_s": {
            "value": round(quantile(found.finish_s, 0.99), 1),
            "unit": "s, p99",
            "floor": None,
            "ratio": None,
            "n": len(found.finish_s),
            "p50": round(quantile(found.finish_s, 0.5), 1),
            "max": round(found.finish_s[-1], 1),
        },
    }


def lost(recordings: int) -> dict[str, dict[str, Any]]:
    """Return `content_lost_s.<N>`, and what it costs: `extra_minutes_ratio.<N>`.

    The value is the 99th percentile, from a silent death to the next session's first recorded
    instant. The floor is the same of the better of two loops, at 30 and at 120 s.
    """
    found, peers = trial(recordings).found, trial(recordings).polled
    p50, p99 = (quantile(found.lost_s, share) for share in (0.5, 0.99))
    polled = {
        each.interval_s: [round(_bounded(each, share) + RESTART_S, 1) for share in (0.5, 0.99)]
        for each in peers
    }
    best = min(p99s for _, p99s in polled.values())
    return {
        f"content_lost_s.{recordings}": {
            "value": round(p99, 1),
            "unit": "s, p99",
            "floor": round(best, 1),
            "ratio": round(p99 / best, 3),
            "n": len(found.lost_s),
            "p50": round(p50, 1),
            "p99": round(p99, 1),
            "max": round(found.lost_s[-1], 1),
            "unserved": found.unserved,
            "polled_30": polled[30],
            "polled_120": polled[120],
            "calls_per_second": round(found.calls_per_second, 2),
            "max_calls_per_second": found.max_arrived_per_second,
        },
        f"extra_minutes_ratio.{recordings}": {
            "value": round(found.extra_s / found.recorded_s, 6),
            "unit": "of all minutes",
            "floor": None,
            "ratio": None,
            "n": len(found.lost_s),
        },
    }


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the least value that so great a share does not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _rank(polled: Polled, share: float) -> float | None:
    """Return a quantile of all that died, None when that many were not found."""
    number = math.ceil(share * polled.silent_ends)
    return polled.detection_s[number - 1] if number <= len(polled.detection_s) else None


def _bounded(polled: Polled, share: float) -> float:
    """Return a quantile, or the day that the peer was given."""
    found = _rank(polled, share)
    return _DAY_S if found is None else found


# --- docs/scale.md ------------------------------------------------------------------------------


def write_page(page: Page) -> None:
    """Write tables into docs/scale.md, and the plots."""
    page.fill("supervised", _supervised())
    page.fill("lost", _lost())
    page.fill("polled", _polled())
    page.fill("busy", _busy())
    page.image("lost.svg", _lost_chart())
    page.image("detection.svg", _detection_chart())
    page.image("calls.svg", _calls_chart())


def _supervised() -> str:
    rows = []
    for assumed, found, _ in trials():
        calls = sum(found.calls.values())
        rows.append(
            [
                f"{found.recordings:,}",
                _duration(assumed.mean_lifetime_s),
                f"{found.hours:g} h",
                f"{found.calls_per_second:.2f}",
                f"{found.max_sent_per_second} / {found.max_arrived_per_second}",
                f"{found.calls.get('query', 0) / calls:.0%}",
                _three(found.detection_s),
                str(len(found.detection_s)),
                _three(found.finish_s),
                f"{found.given_up_alive} / {found.not_found}",
                f"{assumed.stream_parallelism}: {found.stream_s:.1f} s",
            ]
        )
    return table(
        "recordings|mean lifetime|measured|calls/s|fullest second, sent / arrived|queries|"
        "silent end found after s (p50 / p99 / max)|of|stop asked to stopped, s (p50 / p99 / max)|"
        "wrongly given up / not found|`StreamParallelism`: slowest notification",
        rows,
    )


def _lost() -> str:
    rows = []
    for assumed, found, _ in trials():
        row = lost(found.recordings)[f"content_lost_s.{found.recordings}"]
        extra = lost(found.recordings)[f"extra_minutes_ratio.{found.recordings}"]["value"]
        loops = [
            " / ".join("> 24 h" if each > _DAY_S else f"{each:,.0f}" for each in row[name])
            for name in ("polled_30", "polled_120")
        ]
        rows.append(
            [
                f"{found.recordings:,}",
                f"{assumed.deaths:.1%}",
                _three(found.lost_s),
                str(len(found.lost_s)),
                *loops,
                f"{extra:.2%}",
            ]
        )
    return table(
        "recordings|die silently in an hour|content lost, s (p50 / p99 / max)|of|"
        "loop of 30 s (p50 / p99)|loop of 120 s (p50 / p99)|extra minutes at Agora",
        rows,
    )


def _polled() -> str:
    rows = []
    for _, found, peers in trials():
        for peer in peers:
            shown = " / ".join(
                "> 24 h" if (value := _rank(peer, share)) is None else f"{value:,.0f}"
                for share in (0.5, 0.99, 1)
            )
            rows.append(
                [
                    f"{found.recordings:,}",
                    f"{peer.interval_s} s",
                    f"{peer.calls_per_second:,.1f}",
                    f"{peer.refused:.1%}",
                    shown,
                    f"{quantile(found.detection_s, 0.5):,.0f} / "
                    f"{quantile(found.detection_s, 0.99):,.0f} / {found.detection_s[-1]:,.0f}",
                ]
            )
    return table(
        "recordings|polls every|calls/s wanted|answered 429|"
        "silent end found after s (p50 / p99 / max)|ours",
        rows,
    )


def _busy() -> str:
    rows = []
    for assumed, found in zip(BUSY, busy(), strict=True):
        births = found.calls["acquire"] / found.hours
        rows.append(
            [
                f"{found.recordings:,}",
                f"{births:,.0f}",
                f"{found.calls_per_second / assumed.calls_per_second:.0%}",
                str(found.max_arrived_per_second),
                _three(found.start_s),
                _three(found.detection_s),
                _three(found.finish_s),
            ]
        )
    return table(
        "recordings of 1 h|starts an hour|slots used|fullest second|"
        "asked to recording, s (p50 / p99 / max)|silent end found after s (p50 / p99 / max)|"
        "stop asked to stopped, s (p50 / p99 / max)",
        rows,
    )


def _three(ordered: Sequence[float]) -> str:
    if not ordered:
        return "none"
    shown = (quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1])
    return " / ".join(f"{each:,.0f}" if each >= 10 else f"{each:.1f}" for each in shown)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds < _DAY_S else f"{seconds / _DAY_S:g} d"


_OURS, _POLLS = "#1a7f5a", ("#c8553d", "#7b5ea7")


def _lost_chart() -> str:
    return _chart("What a silent death costs", lambda found: found.lost_s, RESTART_S)


def _detection_chart() -> str:
    return _chart("How long a silent end stays unseen", lambda found: found.detection_s)


def _chart(title: str, ours: Callable[[Findings], Sequence[float]], restart_s: float = 0) -> str:
    """Draw durations of ours beside those until a loop finds a death, and `restart_s` more."""
    quantiles = (("p50", 0.5), ("p99", 0.99))
    sizes = [each.found.recordings for each in trials()]
    lines = [
        (f"supervised, {name}", _OURS, share, [quantile(ours(t.found), share) for t in trials()])
        for name, share in quantiles
    ]
    for number, interval_s in enumerate(INTERVALS_S):
        for name, share in quantiles:
            points = [_bounded(each.polled[number], share) + restart_s for each in trials()]
            lines.append((f"polled, {interval_s} s, {name}", _POLLS[number], share, points))
    return chart(
        title=title,
        x_label="recordings",
        y_label="seconds",
        series=[
            Series(name, colour, list(zip(sizes, points, strict=True)), dashed=share > 0.5)
            for name, colour, share, points in lines
        ],
    )


def _calls_chart() -> str:
    series = [
        Series(
            "supervised",
            _OURS,
            [(each.found.recordings, each.found.calls_per_second) for each in trials()],
        )
    ]
    for number, interval_s in enumerate(INTERVALS_S):
        points = [(t.found.recordings, t.polled[number].calls_per_second) for t in trials()]
        series.append(Series(f"polled, {interval_s} s", _POLLS[number], points))
    return chart(
        title="Calls of Agora's API a second",
        x_label="recordings",
        y_label="calls a second, wanted",
        series=series,
        marks=[Mark("Agora's limit: 10", ALLOWED)],
    )

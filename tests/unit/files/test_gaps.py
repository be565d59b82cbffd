"""The times that no slice covers, and how long the slices last in total."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.files.gaps import Run, runs_of, union
from agora_recording.files.verdict import Gap, PlaylistFile, SegmentFile
from tests.world import verdicts

GAP_MS = 1000


def index(*slices: tuple[int | None, int, Any]) -> PlaylistFile:
    """Return an index of slices: when each begins, how long it is (ms), and what is wrong."""
    segments = [
        SegmentFile(f"{number}.ts", 1, "e", duration_ms, start_ms, state)
        for number, (start_ms, duration_ms, state) in enumerate(slices)
    ]
    return verdicts.playlist(0, segments=segments)


def told(runs: list[Run]) -> list[tuple[int, int, bool]]:
    return [(run.start_ms, run.end_ms, run.lost) for run in runs]


def run(start_ms: int, end_ms: int, *, lost: bool = False, **changes: Any) -> Run:
    return Run(start_ms, end_ms, verdicts.playlist(0, **changes), lost)


@pytest.mark.parametrize(
    ("slices", "runs"),
    [
        ([], []),
        ([(0, 500, None)], [(0, 500, False)]),
        # As far apart as a name may be from the media time, and a millisecond more.
        ([(0, 500, None), (1500, 500, None)], [(0, 2000, False)]),
        ([(0, 500, None), (1501, 500, None)], [(0, 500, False), (1501, 2001, False)]),
        # A slice that ends before the one before it makes nothing shorter.
        ([(0, 900, None), (100, 200, None), (800, 300, None)], [(0, 1100, False)]),
        # A slice whose time nobody knows is in no run.
        ([(0, 500, None), (None, 500, None)], [(0, 500, False)]),
        ([(None, 500, None)], []),
        ([(9, 1, "missing"), (5000, 500, None)], [(5000, 5500, True)]),
        (
            [(0, 500, None), (500, 500, "missing"), (5000, 500, None), (9000, 1, None)],
            [(0, 500, False), (5000, 5500, True), (9000, 9001, False)],
        ),
    ],
)
def test_a_slice_that_comes_later_than_the_gap_begins_another_run(
    slices: list[tuple[int | None, int, Any]], runs: list[tuple[int, int, bool]]
) -> None:
    playlist = index(*slices)
    found = runs_of(playlist, GAP_MS)
    assert told(found) == runs
    assert all(each.lost in (True, False) for each in found)
    assert all(each.playlist is playlist for each in found)


def test_what_runs_cover_together_is_counted_once() -> None:
    runs = [run(0, 100), run(50, 150), run(60, 140), run(1150, 1200)]
    assert union(runs, GAP_MS) == ([], 1200)  # a gap that is none counts as recorded
    gaps, recorded_ms = union([run(0, 100), run(1101, 1200)], GAP_MS)
    assert gaps == [Gap(100, 1101, "interruption")]
    assert recorded_ms == 199


def test_two_recorders_of_the_same_times_cover_them_once() -> None:
    assert union([run(0, 100), run(0, 100, bak=1)], GAP_MS) == ([], 100)


@pytest.mark.parametrize(
    ("after", "cause"),
    [
        (run(5000, 6000), "interruption"),
        (run(5000, 6000, lost=True), "missing"),
        (run(5000, 6000, bak=1, lost=True), "failover"),
        (run(5000, 6000, sid="1" * 32, bak=1), "restart"),
    ],
)
def test_a_gap_has_the_cause_that_explains_most(after: Run, cause: Any) -> None:
    assert union([after, run(0, 100)], GAP_MS)[0] == [Gap(100, 5000, cause)]


def test_the_run_that_ends_last_tells_the_cause() -> None:
    long, short = run(0, 900, sid="1" * 32), run(100, 200)
    assert union([long, short, run(5000, 6000)], GAP_MS)[0] == [Gap(900, 5000, "restart")]
    same = run(100, 900, bak=1)
    assert union([run(0, 900), same, run(5000, 6000)], GAP_MS)[0][0].cause == "interruption"

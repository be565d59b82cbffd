"""Gaps: the times that no slice covers; and how long the slices last in total."""

from __future__ import annotations

from typing import NamedTuple

from agora_recording.files.verdict import Cause, Gap, PlaylistFile


class Run(NamedTuple):
    """A part of an index without a gap. `lost`: slices right before it are missing or empty."""

    start_ms: int
    end_ms: int
    playlist: PlaylistFile
    lost: bool


def runs_of(index: PlaylistFile, gap_ms: int) -> list[Run]:
    """Return the runs of an index's slices: a slice more than `gap_ms` later begins another run."""
    runs: list[Run] = []
    from_ms = to_ms = None
    lost = lost_before = False
    for segment in index.segments:
        start_ms = segment.start_ms
        if segment.state is not None:
            lost = True
        elif start_ms is not None:
            end_ms = start_ms + segment.duration_ms
            if from_ms is None or to_ms is None or start_ms - to_ms > gap_ms:
                if from_ms is not None and to_ms is not None:
                    runs.append(Run(from_ms, to_ms, index, lost_before))
                from_ms, to_ms, lost_before = start_ms, end_ms, lost
            elif end_ms > to_ms:
                to_ms = end_ms
            lost = False
    if from_ms is not None and to_ms is not None:
        runs.append(Run(from_ms, to_ms, index, lost_before))
    return runs


def union(runs: list[Run], gap_ms: int) -> tuple[list[Gap], int]:
    """Return the gaps between the runs, and the time (ms) that at least one run covers."""
    gaps: list[Gap] = []
    recorded_ms = 0
    before: Run | None = None  # the run with the latest end so far
    for run in sorted(runs, key=lambda run: (run.start_ms, run.end_ms)):
        if before is None or run.start_ms - before.end_ms > gap_ms:
            if before is not None:
                gaps.append(Gap(before.end_ms, run.start_ms, _cause(before, run)))
            recorded_ms += run.end_ms - run.start_ms
            before = run
        elif run.end_ms > before.end_ms:
            recorded_ms += run.end_ms - before.end_ms
            before = run
    return gaps, recorded_ms


def _cause(before: Run, after: Run) -> Cause:
    if before.playlist.sid != after.playlist.sid:
        return "restart"
    if before.playlist.bak != after.playlist.bak:
        return "failover"
    return "missing" if after.lost else "interruption"

"""Decides whether a recording is complete, only by the files in S3.

Every slice that a final index names must be there, with more than 0 bytes, and every MP4 that was
requested. A notification's file list may add files that must be there, but it never proves
completeness (it is absent in snapshot and web mode, and sometimes empty: Agora best practices).

`case` keeps the findings. `indexes` judges the final indexes and their slices, `unnamed` the files
that no index names, `promised` MP4s and announced files, `sessions` each session as a whole.
`contents` then lists the tracks and the snapshots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from agora_recording.files.allowance import Allowance
from agora_recording.files.gaps import union
from agora_recording.files.inventory import Inventory, S3Object
from agora_recording.files.judge.case import open_case
from agora_recording.files.judge.contents import snapshots_of, tracks_of
from agora_recording.files.judge.indexes import judge_indexes
from agora_recording.files.judge.promised import judge_announced, judge_promised
from agora_recording.files.judge.sessions import judge_sessions
from agora_recording.files.judge.unnamed import (
    judge_dash_slices,
    judge_empty_files,
    judge_unnamed_slices,
)
from agora_recording.files.verdict import Expectation, Finding, Track, Verdict
from agora_recording.recording.model import Outcome


def verify(
    objects: Iterable[S3Object],
    read: Callable[[str], Iterable[bytes]],
    expectation: Expectation,
    now_ms: int,
    allowance: Allowance | None = None,
) -> Verdict:
    """Return the verdict on everything under the prefix.

    `objects` is read once, in order of the keys; `read` is called with the key of each final index,
    one after the other, and yields its content in pieces; its errors are passed on. The listing
    decides what exists: an index that was written again after the listing is awaited. What exceeds
    the allowance is not read, and is a finding.
    """
    inventory = Inventory(
        prefix=expectation.prefix,
        cname=expectation.cname,
        sids=[session.sid for session in expectation.sessions],
        announced=expectation.announced,
        allowance=allowance,
    )
    inventory.fill(objects)
    case = open_case(inventory, expectation, now_ms)
    indexes = judge_indexes(case, read)
    judge_unnamed_slices(case, indexes.named, indexes.idle)
    judge_dash_slices(case)
    judge_empty_files(case)
    absent_mp4s = judge_promised(case, indexes.finals)
    judge_announced(case, absent_mp4s)
    judge_sessions(case)
    tracks, runs = tracks_of(case, indexes.finals)
    gaps, recorded_ms = union(runs, expectation.gap_ms)
    recorded_ms += max((_untimed_ms(track) for track in tracks), default=0)
    findings = case.findings.listed()
    return Verdict(
        outcome=_outcome(findings),
        findings=findings,
        tracks=tracks,
        files=sorted(inventory.files + indexes.masters, key=lambda file: file.name),
        snapshots=snapshots_of(inventory),
        gaps=gaps,
        recorded_ms=recorded_ms,
        started_ms=min((run.start_ms for run in runs), default=None),
        ended_ms=max((run.end_ms for run in runs), default=None),
        objects=inventory.objects,
        bytes=inventory.bytes,
        prefix=inventory.prefix,
        verified_ms=now_ms,
    )


def _untimed_ms(track: Track) -> int:
    return sum(playlist.untimed_ms for playlist in track.playlists)


def _outcome(findings: Sequence[Finding]) -> Outcome:
    levels = {finding.level for finding in findings}
    if "awaited" in levels:
        return "pending"
    return "incomplete" if "error" in levels else "complete"

"""What a verdict means for the row: when it is final or open, and what a later look changes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.files.conclusion import (
    final_status,
    kinds_of,
    looked_at,
    looked_at_again,
    outcome_of,
    published,
    published_again,
)
from agora_recording.files.inventory import MediaFile
from agora_recording.files.verdict import Code, Finding, Level, Verdict
from agora_recording.recording.model import Recording
from tests.world import verdicts
from tests.world.builders import RECORDING_ID, TIMINGS, after, requested, running, uploading

PREFIX = f"recordings/{RECORDING_ID}/"
NOW_MS = after(700)
LATE_UNTIL = after(600) + round(TIMINGS.late_s * 1000)


def finding(code: Code = "missing_segment", level: Level = "error", count: int = 1) -> Finding:
    return Finding(code, level, "", count, ("a.ts",) * min(count, 100), "")


def verdict(*findings: Finding) -> Verdict:
    levels = {each.level for each in findings}
    outcome = "incomplete" if "error" in levels else "complete"
    return verdicts.verdict(
        outcome="pending" if "awaited" in levels else outcome, findings=list(findings)
    )


def incomplete(**changes: Any) -> Recording:
    row = published(uploading(), verdict(finding()), TIMINGS, NOW_MS)
    return replace(row, **changes)


@pytest.mark.parametrize(
    ("findings", "status", "reason"),
    [
        ([], "completed", "Every file that the playlists name is in the bucket."),
        (
            [finding("missing_transcoding", "awaited")],
            "incomplete",
            "The files of postponed transcoding are still to come.",
        ),
        ([finding(count=3)], "incomplete", "3 files are missing, the first is a.ts."),
        ([finding("nothing_recorded")], "failed", "Nothing was recorded."),
        (
            [finding("nothing_recorded"), finding("too_large")],
            "incomplete",
            "There is more in the bucket than can be checked.",
        ),
        (
            [finding("nothing_playable")],
            "incomplete",
            "There is media in the bucket, but no playlist plays it.",
        ),
        (
            [finding("shortened_playlist")],
            "incomplete",
            "A playlist names fewer segments than it did before.",
        ),
        (
            [finding("unclosed_playlist")],
            "incomplete",
            "The playlists do not say that they are complete.",
        ),
    ],
)
def test_a_verdict_means_a_status_and_a_reason(
    findings: list[Finding], status: str, reason: str
) -> None:
    assert final_status(verdict(*findings)) == (status, reason)


def test_a_verdict_says_so_where_nothing_has_come_yet() -> None:
    awaited = verdict(finding("nothing_recorded", "awaited"))
    status, reason = final_status(replace(awaited, objects=0))
    assert (status, reason) == ("incomplete", "Nothing has come yet.")
    assert final_status(awaited)[1] != reason
    unconfirmed = verdict(finding("upload_unconfirmed", "awaited"))
    assert final_status(replace(unconfirmed, objects=0))[1] != reason


def test_an_execution_waits_for_files_but_not_for_transcoding() -> None:
    late = finding("missing_transcoding", "awaited")
    assert outcome_of(verdict(finding(level="awaited"))) == "pending"
    assert outcome_of(verdict(late)) == "incomplete"
    assert outcome_of(verdict(late, finding(level="awaited"))) == "pending"
    assert outcome_of(verdict()) == "complete"


def test_a_look_notes_what_is_there_until_the_recording_is_over() -> None:
    upload = looked_at(uploading(), verdict(finding(count=2))).upload
    assert (upload.verdict, upload.files, upload.bytes) == ("incomplete", 4, 3500)
    assert (upload.duration_ms, upload.missing, upload.manifest) == (45_000, 2, None)
    assert looked_at(incomplete(), verdict()) == incomplete()


def test_a_recording_is_closed_at_the_end_of_its_last_session() -> None:
    row = published(uploading(), verdict(), TIMINGS, NOW_MS)
    assert (row.status, row.ended_ms, row.late_until_ms) == ("completed", after(600), None)
    assert row.upload.manifest == f"{PREFIX}manifest.json"
    assert published(row, verdict(finding()), TIMINGS, NOW_MS + 1) == row


def test_a_recording_without_a_session_is_closed_now_for_the_reason_it_had() -> None:
    row = published(requested(reason="Agora start: no."), None, TIMINGS, NOW_MS)
    assert (row.status, row.reason, row.ended_ms) == ("failed", "Agora start: no.", NOW_MS)
    assert published(requested(), None, TIMINGS, NOW_MS).reason == "No session could be started."


def test_only_an_incomplete_recording_is_open_for_late_files() -> None:
    assert incomplete().late_until_ms == LATE_UNTIL
    final = published(uploading(), verdict(finding()), replace(TIMINGS, late_s=0), NOW_MS)
    assert (final.status, final.late_until_ms) == ("incomplete", None)


def test_late_files_complete_a_recording_once() -> None:
    row = looked_at_again(incomplete(), verdict(), TIMINGS, NOW_MS + 1)
    assert (row.status, row.late_until_ms, row.upload.missing) == ("completed", None, 0)
    assert looked_at_again(row, verdict(finding()), TIMINGS, NOW_MS + 2) == row


def test_a_recording_whose_files_are_gone_stays_as_it_was_published() -> None:
    nothing = verdict(finding("nothing_recorded"))
    assert looked_at_again(incomplete(), nothing, TIMINGS, NOW_MS + 1) == incomplete()


def test_a_part_of_what_is_missing_changes_the_reason_and_keeps_it_open() -> None:
    row = looked_at_again(incomplete(), verdict(finding(count=2)), TIMINGS, NOW_MS + 1)
    assert row.reason == "2 files are missing, the first is a.ts."
    assert (row.status, row.late_until_ms) == ("incomplete", LATE_UNTIL)


def test_the_last_look_awaits_no_more() -> None:
    row = looked_at_again(incomplete(), verdict(finding()), TIMINGS, LATE_UNTIL)
    assert (row.status, row.late_until_ms) == ("incomplete", None)


def test_published_anew_a_status_only_improves() -> None:
    final = incomplete(late_until_ms=None)
    assert published_again(final, verdict(), NOW_MS + 1).status == "completed"
    complete = published(uploading(), verdict(), TIMINGS, NOW_MS)
    worse = published_again(complete, verdict(finding()), NOW_MS + 1)
    assert (worse.status, worse.reason) == (complete.status, complete.reason)
    assert worse.upload.missing == 1


def test_the_greatest_length_of_each_index_is_kept_and_never_more_than_500_of_them() -> None:
    two, three = (
        looked_at(
            uploading(), verdicts.verdict(verdicts.track(verdicts.playlist(count)))
        ).index_lengths
        for count in (2, 3)
    )
    assert list(two.values()) == [2]
    row = replace(uploading(), index_lengths=three)
    assert (
        looked_at(row, verdicts.verdict(verdicts.track(verdicts.playlist(2)))).index_lengths
        == three
    )
    assert (
        published(
            row, verdicts.verdict(verdicts.track(verdicts.playlist(2))), TIMINGS, NOW_MS
        ).index_lengths
        == three
    )
    for number in range(3):
        many = [verdicts.playlist(1, f"{number}-{index}") for index in range(300)]
        row = looked_at(row, verdicts.verdict(verdicts.track(*many)))
    assert len(row.index_lengths) == 500
    assert row.index_lengths.items() >= three.items()


def test_an_index_that_names_nothing_has_no_length() -> None:
    row = looked_at(uploading(), verdicts.verdict(verdicts.track(verdicts.playlist(0))))
    assert list(row.index_lengths.values()) == [0]
    assert looked_at(row, verdicts.verdict()).index_lengths == row.index_lengths


# --- what is told of the cause, and of the kinds of files ---

REFUSED = "Agora start: no."


@pytest.mark.parametrize(
    ("end", "findings", "status", "reason"),
    [
        # Every file is there: after an end without a fault, a cause is not worth a word.
        ("EXITED", [], "completed", "Every file that the playlists name is in the bucket."),
        (
            "DIED",
            [],
            "completed",
            f"{REFUSED} Every file that the playlists name is in the bucket.",
        ),
        ("EXITED", [finding()], "incomplete", f"{REFUSED} 1 files are missing, the first is a.ts."),
        ("DIED", [finding("nothing_recorded")], "failed", REFUSED),
    ],
)
def test_a_cause_that_was_told_comes_before_the_files(
    end: Any, findings: list[Finding], status: str, reason: str
) -> None:
    attempt = running(end=end, ended_ms=after(600), reason=REFUSED)
    row = uploading(attempt=attempt, session_end=end)
    row = published(row, verdict(*findings), TIMINGS, NOW_MS)
    assert (row.status, row.reason) == (status, reason)


def test_the_kinds_of_files_that_are_there_are_told() -> None:
    def file(kind: Any, size: int = 1) -> MediaFile:
        return verdicts.mp4(f"a.{kind}", kind=kind, size=size)

    some = verdicts.verdict(
        verdicts.track(verdicts.playlist(1)),
        files=[file("mp4"), file("audio", 0), file("mpd"), file("master")],
        snapshots=replace(verdicts.verdict().snapshots, count=1),
    )
    assert kinds_of(some) == ["dash", "hls", "mp4", "snapshots"]
    none = verdicts.verdict(files=[], snapshots=replace(some.snapshots, count=0))
    assert kinds_of(none) == []


def test_a_recording_that_awaits_late_files_was_looked_at_when_it_was_published() -> None:
    assert incomplete().looked_ms == NOW_MS


def test_what_comes_late_is_overdue_once_unless_it_is_transcoding() -> None:
    overdue = after(600) + round(TIMINGS.overdue_s * 1000)
    early = looked_at_again(incomplete(), verdict(finding()), TIMINGS, overdue - 1)
    assert early.overdue_ms is None
    late = looked_at_again(early, verdict(finding()), TIMINGS, overdue)
    assert late.overdue_ms == overdue
    again = looked_at_again(late, verdict(finding()), TIMINGS, overdue + 1)
    assert again.overdue_ms == overdue
    slow = verdict(finding("missing_transcoding", "awaited"))
    assert looked_at_again(early, slow, TIMINGS, overdue).overdue_ms is None


def test_late_files_that_complete_a_recording_leave_its_end_as_it_was() -> None:
    before = incomplete()
    row = looked_at_again(before, verdict(), TIMINGS, NOW_MS + 1)
    assert (row.end_reason, row.ended_ms) == (before.end_reason, before.ended_ms)
    assert row.reason == "Every file that the playlists name is in the bucket."
    row = published_again(before, verdict(), NOW_MS + 1)
    assert (row.end_reason, row.ended_ms) == (before.end_reason, before.ended_ms)
    assert row.reason == "Every file that the playlists name is in the bucket."


def test_another_look_keeps_the_greatest_lengths_too() -> None:
    two = verdicts.verdict(verdicts.track(verdicts.playlist(2)), findings=[finding()])
    row = looked_at_again(incomplete(), replace(two, outcome="incomplete"), TIMINGS, NOW_MS)
    assert list(row.index_lengths.values()) == [2]


def test_what_failed_stays_so_while_nothing_is_there() -> None:
    failed = published(uploading(), verdict(finding("nothing_recorded")), TIMINGS, NOW_MS)
    assert failed.awaits_late_files
    awaited = finding("nothing_recorded", "awaited")
    nothing = verdicts.verdict(outcome="pending", findings=[awaited], objects=0)
    assert looked_at_again(failed, nothing, TIMINGS, NOW_MS + 1) == failed
    some = verdicts.verdict(outcome="pending", findings=[awaited], objects=1)
    assert looked_at_again(failed, some, TIMINGS, NOW_MS + 1).status == "incomplete"

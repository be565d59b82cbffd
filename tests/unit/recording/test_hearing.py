"""What notifications change: in the row of their session, and in the recording that owns it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.notifications.effects import merge
from agora_recording.notifications.facts import NOTHING, SessionFacts, SessionRow
from agora_recording.recording.hearing import applied, is_worth_a_look, merged
from agora_recording.recording.model import RENEW_NOW_MS, Recording, Upload
from tests.world.builders import (
    CNAME,
    acquired,
    after,
    ended,
    recording,
    requested,
    running,
    uploading,
)
from tests.world.webhook import SID, UID, event

OTHER_SID = "1" * 32
EXIT = (11, {"exitStatus": 0})
REFUSED = (1, {"module": 1, "errorCode": 32, "errorLevel": 3})  # the bucket's settings are wrong


def facts(*told: tuple[int, dict[str, Any]], at_s: float = 290) -> SessionFacts:
    found = NOTHING
    for number, each in enumerate(told):
        found = merge(found, event(*each, sequence=number, at_ms=after(at_s)))
    return found


def hear(
    row: Recording, *told: tuple[int, dict[str, Any]], gap: bool = False, at_s: float = 290
) -> Recording:
    """Return the row after the events of its session, all at `at_s`, were heard at 300 s."""
    return applied(row, SID, facts(*told, at_s=at_s), after(300), gap=gap)


# --- the session's row ---------------------------------------------------------------------------


def test_a_session_keeps_the_first_channel_and_uid_that_are_told() -> None:
    nameless = replace(event(33), cname=None, uid=None)
    row, _ = merged(SessionRow(), [nameless, event(33), event(33, uid="77")])
    assert (row.cname, row.uid) == (CNAME, UID)
    again, _ = merged(row, [replace(event(33, uid="77"), cname="another")])
    assert (again.cname, again.uid) == (CNAME, UID)
    nothing, _ = merged(SessionRow(), [nameless])
    assert (nothing.cname, nothing.uid) == (None, None)


def test_a_gap_opens_once() -> None:
    row, has_opened = merged(SessionRow(), [event(33, sequence=0)])
    assert not has_opened
    row, has_opened = merged(row, [event(33, sequence=2)])
    assert has_opened
    row, has_opened = merged(row, [event(33, sequence=3)])
    assert not has_opened
    assert row.facts == facts_of(0, 2, 3)


def facts_of(*sequences: int) -> SessionFacts:
    found = NOTHING
    for number in sequences:
        found = merge(found, event(33, sequence=number))
    return found


# --- the recording -------------------------------------------------------------------------------


def test_a_recording_that_is_being_deleted_hears_nothing_any_more() -> None:
    row = uploading(status="completed", deleting_ms=after(200))
    assert hear(row, (31, {"status": 0})) == row


def test_a_session_of_a_start_that_was_not_answered_begins_when_it_is_heard() -> None:
    row = hear(requested(status="starting", attempt=acquired()), (40, {"status": 0}), at_s=3)
    assert row.attempt is not None
    assert (row.attempt.sid, row.attempt.started_ms) == (SID, after(300))


def test_a_session_that_fits_no_start_gives_none_a_sid() -> None:
    other = requested(status="starting", attempt=acquired(uid="another"))
    assert hear(other, (40, {"status": 0}), at_s=3).sids == []


def test_the_progress_of_an_upload_never_goes_back() -> None:
    row = recording(upload=Upload(state="uploading", progress=5000))
    assert hear(row, (33, {"progress": 4000})).upload.progress == 5000
    assert hear(row, (33, {"progress": 6000})).upload.progress == 6000
    assert hear(recording(), (40, {"status": 0})).upload.progress == 0
    stranded = recording(upload=Upload(state="stranded"))  # no event says so, only an answer does
    assert hear(stranded, (33, {"progress": 6000})).upload.state == "stranded"


@pytest.mark.parametrize(
    ("renewed_s", "is_due"), [(None, False), (289, True), (290, True), (291, False)]
)
def test_credentials_that_expired_since_they_were_renewed_are_due(
    renewed_s: float | None, is_due: bool
) -> None:
    row = recording(storage_token_ms=None if renewed_s is None else after(renewed_s))
    assert (hear(row, (34, {})).storage_token_ms == RENEW_NOW_MS) is is_due
    assert hear(row, (33, {})).storage_token_ms == row.storage_token_ms


def test_what_agora_told_of_the_cause_is_kept_with_the_session() -> None:
    row = hear(recording(), (1, {"module": 0, "errorCode": 9, "errorLevel": 5}), EXIT)
    assert row.attempt is not None
    assert (row.attempt.end, row.session_end) == ("EXITED", "EXITED")
    assert row.attempt.reason == row.reason
    assert "9" in (row.reason or "")


def test_an_end_is_the_sessions_at_the_instant_at_which_it_is_heard() -> None:
    row = hear(recording(), EXIT)
    assert row.attempt is not None
    assert (row.attempt.end, row.attempt.ended_ms) == ("EXITED", after(300))
    assert hear(recording(stop_reason="STOP_REQUESTED"), EXIT).session_end == "STOPPED"
    idle = hear(recording(stop_reason="STOP_REQUESTED"), (41, {"leaveCode": 4}))
    assert idle.session_end == "IDLE"  # it was not our stop that ended it


def test_a_session_whose_bucket_cannot_be_written_is_given_up_and_has_to_be_stopped() -> None:
    row = hear(recording(), REFUSED)
    assert row.session_end == "STORAGE_REFUSED"
    assert [each.sid for each in row.orphans] == [SID]


def test_after_a_session_whose_bucket_cannot_be_written_no_other_would_do_better() -> None:
    row = hear(ended("DIED"), REFUSED)
    assert row.attempt is not None
    assert (row.session_end, row.attempt.end) == ("STORAGE_REFUSED", "STORAGE_REFUSED")


def test_a_session_whose_bucket_cannot_be_written_has_not_to_be_stopped_once_it_is_over() -> None:
    row = hear(recording(), REFUSED, EXIT)
    assert row.session_end == "STORAGE_REFUSED"
    assert row.orphans == []
    assert row.attempt is not None
    assert row.attempt.ended_ms == after(300)


def test_the_end_of_a_predecessor_is_its_own_and_wakes_nobody() -> None:
    before = running(1)
    after_it = running(2, sid=OTHER_SID, confirmed_ms=None, succeeds=1)
    row = hear(recording(past_attempts=[before], attempt=after_it), EXIT)
    assert row.session_end is None
    assert [(each.end, each.ended_ms) for each in row.past_attempts] == [("EXITED", after(300))]


def test_a_predecessor_that_exits_when_its_token_ends_was_ended_by_it() -> None:
    before = running(1, token_until_ms=after(300))
    after_it = running(2, sid=OTHER_SID, confirmed_ms=None, succeeds=1)
    row = hear(recording(past_attempts=[before], attempt=after_it), EXIT)
    assert [each.end for each in row.past_attempts] == ["TOKEN_ENDED"]


def test_the_end_of_a_session_that_was_given_up_is_of_the_instant_at_which_it_is_heard() -> None:
    orphan = running(1, end="NOT_CONFIRMED")
    row = hear(recording(past_attempts=[orphan], attempt=running(2, sid=OTHER_SID)), EXIT)
    assert [each.ended_ms for each in row.past_attempts] == [after(300)]


def test_a_sign_of_life_that_came_with_the_end_is_no_sign_that_it_runs() -> None:
    assert hear(recording(), (33, {}), EXIT).last_seen_ms == recording().last_seen_ms


def test_a_gap_asks_for_a_query_where_event_33_does_not_come() -> None:
    snapshot = (45, {"fileName": "a.jpg"})
    assert hear(recording(), snapshot, gap=True).gap_seen
    assert not hear(recording(), snapshot).gap_seen
    assert not hear(recording(beats=True), snapshot, gap=True).gap_seen
    assert hear(recording(beats=True), (12, {"newUid": 77}), gap=False).gap_seen


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "kind", "is_worth_it"),
    [
        (uploading(), 31, True),
        (uploading(), 32, True),
        (uploading(), 81, True),
        (uploading(), 1001, True),
        (uploading(), 33, False),
        (recording(), 31, False),
        (ended(status="incomplete", late_until_ms=after(9000)), 31, True),
        (ended(status="incomplete"), 31, False),
        (ended(status="completed"), 31, False),
    ],
)
def test_news_of_files_are_worth_a_look_while_files_are_awaited(
    row: Recording, kind: int, is_worth_it: bool
) -> None:
    assert is_worth_a_look(row, [event(33), event(kind)]) is is_worth_it

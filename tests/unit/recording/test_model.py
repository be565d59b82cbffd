"""The row: what may change it, that it only goes forward, and when it wants a look."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import assume
from hypothesis import given as holding
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.agora.task import Resource
from agora_recording.recording.due import (
    RISKS,
    deadline_ms,
    due,
    overdue_ms,
    upload_deadline_ms,
)
from agora_recording.recording.model import (
    GIVEN_UP,
    RANK,
    RESTARTABLE,
    TERMINAL,
    Candidate,
    Recording,
    SessionEnd,
    Status,
    advance,
    ask_to_stop,
    begin_attempt,
    close,
    confirmed,
    end_reason,
    end_session,
    from_row,
    may_restart,
    orphan_ended,
    seen,
    started,
    to_row,
)
from agora_recording.recording.timings import Timings
from agora_recording.recording.view import public
from tests.world.builders import (
    CNAME,
    HOST,
    RECORDING_ID,
    RESOURCE_ID,
    TIMINGS,
    acquired,
    after,
    attempt,
    ended,
    recording,
    recordings,
    requested,
    running,
    starting,
    uploading,
)
from tests.world.webhook import NOW_MS, SID, UID

ENDS = get_args(SessionEnd)
OTHER_SID = "1" * 32


# --- what Agora knows of it ----------------------------------------------------------------------

LONG: dict[str, Any] = {"max_duration_seconds": 1_000_000, "expires_hours": 720}


def test_a_recording_is_a_resource_once_it_is_acquired_and_a_task_once_it_is_started() -> None:
    assert (requested().resource, requested(attempt=attempt()).resource) == (None, None)
    given = requested(attempt=acquired())
    assert given.resource == Resource(
        resource_id=RESOURCE_ID, mode="mix", cname=CNAME, uid=UID, base_url=HOST
    )
    assert given.task is None
    assert starting().task == given.resource.task(SID)


def test_a_session_that_was_given_up_is_a_task_of_its_own() -> None:
    given_up = running(uid="7", resource_id="another", end="NOT_CONFIRMED", ended_ms=None)
    row = recording(past_attempts=[given_up], attempt=running(2, sid=OTHER_SID))
    assert [(each.resource_id, each.uid, each.sid) for each in row.orphan_tasks] == [
        ("another", "7", SID)
    ]
    assert row.task
    assert row.task.sid == OTHER_SID


@holding(recordings())
def test_each_session_that_may_be_called_upon_has_both_its_ids(row: Recording) -> None:
    whole = [each for each in row.orphans if each.resource_id]
    assert [task.sid for task in row.orphan_tasks] == [each.sid for each in whole]
    assert (row.task is not None) == bool(row.sid and row.attempt and row.attempt.resource_id)


# --- the life of a row ---------------------------------------------------------------------------


def test_a_status_only_goes_forward() -> None:
    assert advance(requested(), "starting").status == "starting"
    assert advance(uploading(), "recording") == uploading()
    assert advance(recording(), "recording") == recording()


def test_the_first_attempt_makes_a_recording_start() -> None:
    row = begin_attempt(requested(), "7", after(1))
    assert row.status == "starting"
    assert row.attempt == attempt(uid="7")
    assert row.past_attempts == []


def test_a_new_attempt_puts_the_last_one_away_and_forgets_how_it_ended() -> None:
    died = ended("DIED", gone_ms=after(500), gone_checks=4)
    row = begin_attempt(died, "8", after(601))
    assert row.past_attempts == [died.attempt]
    assert row.attempt == attempt(2, uid="8", begun_ms=after(601))
    assert (row.session_end, row.gone_ms, row.gone_checks) == (None, None, 0)
    assert row.last_seen_ms is None
    assert row.status == "recording"


def test_a_sid_belongs_to_the_attempt_that_was_started() -> None:
    row = started(requested(attempt=acquired()), SID, after(3), number=1)
    assert row.attempt
    assert (row.attempt.sid, row.attempt.started_ms) == (SID, after(3))
    assert row.sid == SID


def test_what_a_start_answered_beats_what_was_adopted_and_the_other_is_an_orphan() -> None:
    row = started(recording(), OTHER_SID, after(9), number=1, is_answer=True)
    assert row.sid == OTHER_SID
    assert row.attempt == acquired(sid=OTHER_SID, started_ms=after(9))
    assert row.orphans == [running(end="START_FAILED")]
    assert started(row, OTHER_SID, after(10), number=1, is_answer=True) == row


def test_what_is_adopted_never_replaces_the_sid_of_an_attempt() -> None:
    row = started(recording(), OTHER_SID, after(9), number=1)
    assert row.attempt == running()
    assert [each.sid for each in row.orphans] == [OTHER_SID]
    assert started(row, OTHER_SID, after(10), number=1) == row


def test_an_attempt_with_its_sid_has_no_candidates_any_more() -> None:
    asked = [
        Candidate(sid=SID, number=1, heard_ms=1),
        Candidate(sid=OTHER_SID, number=2, heard_ms=1),
    ]
    row = requested(past_attempts=[acquired()], attempt=acquired(2), candidates=asked)
    assert started(row, SID, after(9), number=1).candidates == asked[1:]


def test_the_sid_of_a_start_that_was_given_up_makes_an_orphan() -> None:
    lost = acquired(end="START_FAILED", ended_ms=after(30))
    row = requested(status="starting", past_attempts=[lost], attempt=attempt(2))
    assert row.orphans == []
    row = started(row, SID, after(40), number=1)
    assert [each.sid for each in row.orphans] == [SID]
    assert row.attempt == attempt(2)


@pytest.mark.parametrize("status", ["stopping", "failed"])
def test_the_sid_of_a_start_that_was_stopped_makes_an_orphan(status: Status) -> None:
    lost = acquired(end="STOPPED", ended_ms=after(30))
    row = requested(status=status, attempt=lost, session_end="STOPPED")
    row = started(row, SID, after(40), number=1)
    assert [each.sid for each in row.orphans] == [SID]
    assert row.status == status


def test_an_orphan_that_is_over_is_none() -> None:
    row = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"))
    assert [each.sid for each in row.orphans] == [SID]
    assert orphan_ended(row, OTHER_SID, after(700)) == row
    row = orphan_ended(row, SID, after(700))
    assert row.orphans == []
    assert row.attempt
    assert row.attempt.ended_ms == after(700)


def test_a_session_that_runs_is_no_orphan() -> None:
    assert recording().orphans == []
    assert orphan_ended(recording(), SID, after(99)) == recording()


def test_the_first_confirmation_makes_it_record() -> None:
    row = confirmed(starting(), after(7))
    assert row == recording()
    assert confirmed(row, after(20)) == row


def test_a_restart_keeps_the_instant_at_which_the_recording_began() -> None:
    row = begin_attempt(ended("DIED"), "8", after(601))
    row = confirmed(started(row, OTHER_SID, after(602), number=2), after(610))
    assert row.started_ms == after(7)


def test_a_later_sign_of_life_counts_and_an_earlier_one_does_not() -> None:
    assert seen(recording(), after(60)).last_seen_ms == after(60)
    assert seen(recording(), after(5)) == recording()


def test_a_sign_of_life_ends_a_failover() -> None:
    gone = recording(gone_ms=after(50), gone_checks=3)
    row = seen(gone, after(51))
    assert (row.gone_ms, row.gone_checks) == (None, 0)


def test_a_sign_from_before_the_first_404_does_not_end_the_failover() -> None:
    gone = recording(gone_ms=after(50), gone_checks=3)
    row = seen(gone, after(49))
    assert (row.gone_ms, row.gone_checks, row.last_seen_ms) == (after(50), 3, after(49))


def test_the_first_wish_to_stop_stands() -> None:
    row = ask_to_stop(recording(), "STOP_REQUESTED", after(60))
    assert (row.stop_reason, row.stop_ms) == ("STOP_REQUESTED", after(60))
    assert ask_to_stop(row, "MAX_DURATION", after(61)) == row


def test_what_is_over_is_not_asked_to_stop() -> None:
    over = uploading(status="completed", stop_reason=None)
    assert ask_to_stop(over, "STOP_REQUESTED", after(900)) == over


def test_the_first_end_of_a_session_stands() -> None:
    row = end_session(recording(), "IDLE", after(60))
    assert row.attempt
    assert (row.session_end, row.attempt.end, row.attempt.ended_ms) == ("IDLE", "IDLE", after(60))
    assert end_session(row, "DIED", after(61)) == row


def test_the_end_of_an_earlier_session_ends_nothing() -> None:
    assert end_session(recording(), "EXITED", after(60), sid=OTHER_SID) == recording()


@pytest.mark.parametrize("end", ENDS)
def test_a_session_that_was_given_up_may_still_run(end: SessionEnd) -> None:
    row = end_session(recording(), end, after(60))
    assert bool(row.orphans) == (end in GIVEN_UP)
    without_sid = end_session(requested(attempt=acquired()), end, after(60))
    assert without_sid.orphans == []
    assert without_sid.attempt
    assert without_sid.attempt.ended_ms == after(60)


def test_a_recording_without_any_attempt_can_end_too() -> None:
    row = end_session(requested(), "START_FAILED", after(60))
    assert row.session_end == "START_FAILED"
    assert not may_restart(row)


@pytest.mark.parametrize("end", ENDS)
def test_only_some_ends_are_followed_by_a_restart(end: SessionEnd) -> None:
    assert may_restart(ended(end)) == (end in RESTARTABLE)
    assert not may_restart(ended(end, stop_reason="STOP_REQUESTED"))


def test_restarts_are_limited() -> None:
    past = [running(number, end="DIED", ended_ms=after(9)) for number in (1, 2)]
    last = running(3, end="DIED", ended_ms=after(600))
    row = ended("DIED", past_attempts=past, attempt=last)
    assert not may_restart(row)
    assert may_restart(replace(row, restart_limit=3))
    assert not may_restart(ended("DIED", restart_limit=0))


def test_a_recording_is_closed_once() -> None:
    row = close(uploading(task_token="token"), "incomplete", "IDLE", "A file.", after(700))
    assert (row.status, row.end_reason, row.reason) == ("incomplete", "IDLE", "A file.")
    assert (row.ended_ms, row.task_token) == (after(700), None)
    assert close(row, "failed", "DIED", "No.", after(800)) == row


def test_what_was_incomplete_may_become_complete() -> None:
    row = close(uploading(), "incomplete", "IDLE", "A file is missing.", after(700))
    row = close(row, "completed", "DIED", "All there.", after(900))
    assert (row.status, row.reason) == ("completed", "All there.")
    assert (row.end_reason, row.ended_ms) == ("IDLE", after(700))


def test_the_wish_to_stop_is_the_reason_before_what_the_session_said() -> None:
    assert end_reason(ended("DIED", stop_reason="MAX_DURATION")) == "MAX_DURATION"
    assert end_reason(ended("DIED")) == "DIED"
    assert end_reason(requested()) == "UNKNOWN"


def test_all_sessions_of_a_recording_are_known() -> None:
    row = recording(past_attempts=[running(1, sid=OTHER_SID)], attempt=running(2))
    assert row.sids == [OTHER_SID, SID]
    assert [each.number for each in row.attempts] == [1, 2]
    assert row.prefix == f"recordings/{RECORDING_ID}/"


# --- views ---------------------------------------------------------------------------------------


@holding(recordings())
def test_a_row_is_read_as_it_was_written(row: Recording) -> None:
    assert from_row({**to_row(row), "PK": "x", "dueKey": "0#"}) == row


def test_the_public_view_has_no_secret_and_no_token() -> None:
    row = recording(task_token="a-token", sealed=["ciphertext"], tags={"room": "9"})
    view = public(row)
    assert "a-token" not in str(view)
    assert "ciphertext" not in str(view)
    assert "recordingConfig" not in str(view)
    assert (view["uid"], view["sid"], view["tags"]) == (UID, SID, {"room": "9"})
    assert "endedAt" not in view


def test_the_public_view_of_a_new_recording_has_the_uid_that_was_wished_for() -> None:
    view = public(requested(uid="77"))
    assert (view["uid"], view["attempts"]) == ("77", [])


# --- rules that hold for every row ---------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "advance": lambda row, status, ms: advance(row, status),
    "begin": lambda row, status, ms: begin_attempt(row, "9", ms),
    "started": lambda row, status, ms: started(row, OTHER_SID, ms, number=1),
    "confirmed": lambda row, status, ms: confirmed(row, ms),
    "seen": lambda row, status, ms: seen(row, ms),
    "ask": lambda row, status, ms: ask_to_stop(row, "MAX_DURATION", ms),
    "end": lambda row, status, ms: end_session(row, "DIED", ms),
    "orphan": lambda row, status, ms: orphan_ended(row, SID, ms),
    "close": lambda row, status, ms: close(row, status, "IDLE", "Why.", ms),
}


@holding(
    recordings(),
    st.sampled_from(sorted(CHANGES)),
    st.sampled_from(get_args(Status)),
    st.integers(NOW_MS, after(20_000)),
)
def test_no_change_moves_a_row_back(row: Recording, name: str, status: Status, ms: int) -> None:
    changed = CHANGES[name](row, status, ms)
    assert RANK[changed.status] >= RANK[row.status]
    assert row.stop_reason in (None, changed.stop_reason)
    assert (row.end_reason is None) or changed.end_reason == row.end_reason
    assert set(row.sids) <= set(changed.sids)
    assert len(changed.attempts) >= len(row.attempts)
    if name != "begin":
        assert row.session_end in (None, changed.session_end)
        assert (changed.last_seen_ms or 0) >= (row.last_seen_ms or 0)


@holding(
    recordings(),
    st.sampled_from(sorted(set(CHANGES) - {"begin"})),
    st.sampled_from(get_args(Status)),
    st.integers(NOW_MS, after(20_000)),
)
def test_the_same_change_again_changes_nothing(
    row: Recording, name: str, status: Status, ms: int
) -> None:
    once = CHANGES[name](row, status, ms)
    assert CHANGES[name](once, status, ms) == once


@holding(recordings())
def test_every_open_row_wants_a_look_and_no_closed_one_does(row: Recording) -> None:
    look = due(row, TIMINGS)
    if row.is_terminal and not row.orphans and row.late_until_ms is None:
        assert look is None
    elif not row.is_terminal or row.orphans:
        assert look is not None
        assert look[0] in RISKS
        assert look[1] > 0


@holding(recordings(), st.sampled_from([2, 60, 1000]))
def test_a_faster_clock_makes_every_look_sooner(row: Recording, speed: int) -> None:
    quick = Timings().at_speed(speed)
    # What was looked at after a deadline waits for something else, and a faster clock is there
    # sooner.
    deadlines = (upload_deadline_ms(row, quick), overdue_ms(row, quick))
    is_after_one = row.status in ("uploading", *TERMINAL) and (row.looked_ms or 0) >= min(deadlines)
    assume(not is_after_one)
    slow, fast = due(row, TIMINGS), due(row, quick)
    assert (slow is None) == (fast is None)
    if slow and fast:
        assert fast[1] <= slow[1]


@holding(recordings(), recordings())
def test_signs_of_life_may_come_in_any_order(row: Recording, other: Recording) -> None:
    a, b = other.created_ms, other.queried_ms or NOW_MS
    assert seen(seen(row, a), b) == seen(seen(row, b), a)


# --- when to look --------------------------------------------------------------------------------


def test_what_was_never_begun_is_looked_at_soon() -> None:
    assert due(requested(), TIMINGS) == (0, after(TIMINGS.monitor_s))


def test_what_does_not_start_is_looked_at_first() -> None:
    lost = requested(status="starting", attempt=acquired())
    assert due(lost, TIMINGS) == (0, after(1 + TIMINGS.stuck_start_s))
    looked = replace(lost, looked_ms=after(700))
    assert due(looked, TIMINGS) == (0, after(700 + TIMINGS.stuck_start_s))


def test_what_does_not_end_is_looked_at_next() -> None:
    stop = recording(stop_reason="STOP_REQUESTED", stop_ms=after(60))
    assert due(stop, TIMINGS) == (1, after(60 + TIMINGS.stuck_stop_s))
    assert due(ended("DIED"), TIMINGS) == (1, after(600 + TIMINGS.stuck_stop_s))


def test_a_new_attempt_forgets_why_the_one_before_failed() -> None:
    failed = ended("START_FAILED", reason="Agora did not answer.")
    assert begin_attempt(failed, "9", after(700)).reason is None


def test_an_upload_is_looked_at_now_and_then_until_its_deadline() -> None:
    deadline = 600 + TIMINGS.upload_s
    assert due(uploading(), TIMINGS) == (1, after(660))
    assert due(uploading(looked_ms=after(1200)), TIMINGS) == (1, after(1350))
    assert due(uploading(looked_ms=after(deadline - 1)), TIMINGS) == (1, after(deadline))
    look = due(uploading(looked_ms=after(deadline + 9)), TIMINGS)
    assert look == (1, after(deadline + 9 + TIMINGS.stuck_stop_s))


def test_a_healthy_recording_is_asked_after_silence() -> None:
    row = recording(beats=True, **LONG)
    assert due(row, TIMINGS) == (3, after(7 + TIMINGS.miss_s))
    heard = replace(row, last_seen_ms=after(600))
    assert due(heard, TIMINGS) == (3, after(600 + TIMINGS.miss_s))


def test_one_that_is_never_heard_is_asked_more_often_from_its_second_minute_on() -> None:
    row = recording(**LONG)
    assert due(row, TIMINGS) == (4, after(2 + TIMINGS.miss_s))
    asked = replace(row, queried_ms=after(600))
    assert due(asked, TIMINGS) == (4, after(600 + TIMINGS.ask_s))


def test_what_has_a_deadline_soon_does_not_wait_for_free_calls() -> None:
    row = recording(beats=True, max_duration_seconds=7200, expires_hours=72)
    for seen_s, risk in ((7200 - 700, 3), (7200 - 600, 2)):
        look = due(replace(row, last_seen_ms=after(seen_s)), TIMINGS)
        assert look == (risk, after(seen_s + TIMINGS.miss_s))


def test_a_gap_in_the_notifications_makes_it_sooner() -> None:
    assert due(recording(gap_seen=True), TIMINGS) == (2, after(7 + TIMINGS.monitor_s))


def test_a_404_is_confirmed_with_growing_gaps() -> None:
    gaps = [5, 10, 15, 30, 30]
    looks = [
        due(recording(gone_ms=after(60), queried_ms=after(70), gone_checks=number), TIMINGS)
        for number in range(1, 6)
    ]
    assert looks == [(2, after(70 + gap)) for gap in gaps]


def test_a_look_that_found_no_slot_comes_again_but_not_at_once() -> None:
    row = recording(looked_ms=after(300))
    assert due(row, TIMINGS) == (4, after(330))


def test_the_longest_duration_is_looked_out_for() -> None:
    row = recording(max_duration_seconds=100)
    assert due(row, TIMINGS) == (2, after(2 + TIMINGS.miss_s))


def test_it_is_stopped_before_agora_stops_answering_for_it() -> None:
    row = recording(expires_hours=1)
    assert deadline_ms(row, TIMINGS) == after(2 + 3600 - TIMINGS.expiry_margin_s)


def test_a_restart_gives_agora_a_new_expiry_and_the_recording_no_more_time() -> None:
    row = recording(max_duration_seconds=7200, expires_hours=1, attempt=running(2))
    later = replace(row, attempt=running(2, started_ms=after(3000)))
    assert deadline_ms(later, TIMINGS) == after(3000 + 3600 - TIMINGS.expiry_margin_s)
    latest = replace(row, attempt=running(2, started_ms=after(6000)))
    assert deadline_ms(latest, TIMINGS) == after(7 + 7200)


def test_durations_are_shortened_as_the_thresholds_are() -> None:
    fast = Timings().at_speed(10)
    assert deadline_ms(recording(max_duration_seconds=100), fast) == after(7 + 10)


def test_credentials_are_renewed_in_time() -> None:
    row = recording(last_seen_ms=after(3590), storage_token_ms=after(2))
    assert due(row, TIMINGS) == (2, after(2 + TIMINGS.storage_token_s))


def test_what_agora_does_not_speak_of_is_asked_again_less_and_less_often() -> None:
    assert due(starting(), TIMINGS) == (0, after(1 + TIMINGS.monitor_s))
    assert due(starting(looked_ms=after(1201)), TIMINGS) == (0, after(1201 + 300))
    assert due(starting(looked_ms=after(9001)), TIMINGS) == (0, after(9001 + TIMINGS.stuck_start_s))
    late = starting(looked_ms=after(14_350), max_duration_seconds=14_400)
    assert due(late, TIMINGS) == (0, after(14_400)), "its longest duration is kept all the same"
    keys = starting(storage_token_ms=after(2), looked_ms=after(3590))
    assert due(keys, TIMINGS) == (0, after(2 + TIMINGS.storage_token_s))


def test_an_orphan_is_looked_at_at_once_and_then_less_and_less_often() -> None:
    row = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"), status="failed")
    assert due(row, TIMINGS) == (1, NOW_MS)
    row = replace(row, looked_ms=after(900))
    assert due(row, TIMINGS) == (1, after(900 + (900 - 1) / 4))
    for found in ({"gone_ms": after(900)}, {"gone_last_ms": after(900)}):
        gone = replace(row, attempt=running(end="NOT_CONFIRMED", **found))
        assert due(gone, TIMINGS) == (1, after(900 + TIMINGS.failover_s / 3))
    old = replace(row, looked_ms=after(100_000))
    assert due(old, TIMINGS) == (1, after(103_600))


def test_an_orphan_does_not_hide_what_the_recording_needs_itself() -> None:
    orphan = running(1, sid=OTHER_SID, end="NOT_CONFIRMED")
    row = recording(past_attempts=[orphan], attempt=running(2), looked_ms=after(100))
    gone = replace(row, gone_ms=after(101), gone_checks=1, queried_ms=after(101))
    assert due(row, TIMINGS) == (2, after(130))
    assert due(gone, TIMINGS) == (2, after(106))


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_what_is_over_is_never_looked_at(status: Status) -> None:
    assert due(uploading(status=status), TIMINGS) is None

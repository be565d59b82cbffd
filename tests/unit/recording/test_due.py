"""When a recording must be looked at next: every rule, to the millisecond."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.recording.due import (
    deadline_ms,
    due,
    expiry_ms,
    hand_over_ms,
    next_successor_ms,
    over_ms,
    overdue_ms,
    own_deadline_ms,
)
from agora_recording.recording.model import Candidate, Recording
from tests.world.builders import (
    TIMINGS,
    acquired,
    after,
    attempt,
    ended,
    recording,
    requested,
    running,
    uploading,
)

OTHER_SID = "1" * 32
LONG: dict[str, Any] = {"max_duration_seconds": 1_000_000, "expires_hours": 720}
STOP: dict[str, Any] = {"stop_reason": "STOP_REQUESTED", "stop_ms": after(60)}
GIVEN_UP = acquired(end="START_FAILED", ended_ms=after(30))

PARKED = recording(status="starting", attempt=running(confirmed_ms=None), task_token="token")


@pytest.mark.parametrize(
    ("row", "risk", "seconds"),
    [
        # Before its time: when its schedule should have begun it, a little later.
        (requested(status="scheduled", start_at_ms=after(60)), 0, 70),
        (requested(status="scheduled", start_at_ms=after(60), looked_ms=after(75)), 0, 75.001),
        # Without an attempt: its execution may never have begun.
        (requested(looked_ms=after(500)), 0, 620),
        (requested(start_at_ms=after(60)), 0, 180),
        # Once its execution should end it, and that should show.
        (requested(status="stopping"), 1, 300),
        (requested(status="stopping", start_at_ms=after(60)), 1, 360),
        (recording(**STOP), 1, 360),
        (recording(**STOP, task_token="token"), 1, 90),
        (recording(**STOP, task_token="token", looked_ms=after(100)), 1, 130),
        (ended("DIED", **STOP), 1, 900),
        # Started, and Agora did not say whether it records; then, that it does not know it.
        (PARKED, 0, 121),
        (replace(PARKED, gone_ms=after(60), queried_ms=None), 0, 90),
        (replace(PARKED, gone_ms=after(60), queried_ms=after(100)), 0, 130),
        (replace(PARKED, gone_ms=after(60), queried_ms=after(100), looked_ms=after(110)), 0, 140),
        # In doubt.
        (recording(gone_ms=after(60), gone_checks=1, queried_ms=None), 2, 65),
        (recording(gap_seen=True, queried_ms=after(100)), 2, 220),
        # Never heard: a minute after the start at the soonest.
        (recording(**LONG, attempt=None), 4, 72),
        (recording(**LONG, attempt=running(started_ms=None)), 4, 73),
        (recording(**LONG, looked_ms=after(7)), 4, 74),
        # Near its deadline it waits for no free calls.
        (recording(beats=True, last_seen_ms=after(14_407 - 672)), 3, 14_407 - 600),
        (recording(beats=True, last_seen_ms=after(14_407 - 672) + 1), 2, 14_407 - 599.999),
        (recording(max_duration_seconds=60), 2, 67),
        # Over, without all its files.
        (ended(status="incomplete", late_until_ms=after(9000)), 5, 660),
        (ended(status="incomplete", late_until_ms=after(9000), looked_ms=after(1000)), 5, 1100),
        (ended(status="incomplete", late_until_ms=after(9000), looked_ms=after(8999)), 5, 9000),
    ],
)
def test_each_state_has_its_next_look(row: Recording, risk: int, seconds: float) -> None:
    assert due(row, TIMINGS) == (risk, after(seconds))


def test_after_the_last_look_for_late_files_there_is_none() -> None:
    row = ended(status="incomplete", late_until_ms=after(9000))
    assert due(replace(row, looked_ms=after(9000)), TIMINGS) is None
    assert due(replace(row, deleting_ms=after(700)), TIMINGS) is None


def test_one_look_for_late_files_comes_when_it_is_time_to_tell_somebody() -> None:
    row = ended(status="incomplete", late_until_ms=after(600 + TIMINGS.late_s))
    overdue = after(600 + TIMINGS.overdue_s)
    assert overdue_ms(row, TIMINGS) == overdue
    assert due(replace(row, looked_ms=overdue - 1), TIMINGS) == (5, overdue)
    look = due(replace(row, looked_ms=overdue), TIMINGS)
    assert look == (5, overdue + round(TIMINGS.late_gaps_s[1] * 1000))


def test_somebody_is_told_at_the_last_look_at_the_latest() -> None:
    assert overdue_ms(ended(status="incomplete", late_until_ms=after(900)), TIMINGS) == after(900)
    assert overdue_ms(ended(status="incomplete"), TIMINGS) == after(600 + TIMINGS.overdue_s)


def test_a_look_without_an_answer_is_repeated_later_than_an_answered_one() -> None:
    quick = replace(TIMINGS, ask_s=10)
    asked = recording(**LONG, queried_ms=after(100), looked_ms=after(100))
    assert due(asked, quick) == (4, after(110))
    assert due(replace(asked, looked_ms=after(100) + 1), quick) == (4, after(130.001))


# --- what else may want a look -------------------------------------------------------------------


def candidate(heard_s: float, sid: str = OTHER_SID) -> Candidate:
    return Candidate(sid=sid, number=1, heard_ms=after(heard_s))


def test_of_the_sessions_that_may_be_its_own_the_next_one_to_ask_about_counts() -> None:
    row = requested(status="failed", attempt=GIVEN_UP)
    assert due(replace(row, candidates=[candidate(50), candidate(40)]), TIMINGS) == (1, after(40))
    looked = replace(row, looked_ms=after(40), candidates=[candidate(50), candidate(40)])
    assert due(looked, TIMINGS) == (1, after(50))
    both = replace(looked, looked_ms=after(1000))
    assert due(both, TIMINGS) == (1, after(1000 + 950 / 4))


def test_a_session_that_was_asked_about_when_it_was_heard_is_asked_about_again_later() -> None:
    row = requested(status="failed", attempt=GIVEN_UP, candidates=[candidate(50)])
    assert due(replace(row, looked_ms=after(50)), TIMINGS) == (1, after(50 + 120))
    assert due(replace(row, looked_ms=after(50) - 1), TIMINGS) == (1, after(50))


# --- when a successor takes over -----------------------------------------------------------------


def held(until_s: float, **changes: Any) -> Recording:
    """Return a long recording whose token ends so many seconds after it was asked for."""
    return recording(**LONG, attempt=running(token_until_ms=after(until_s), **changes))


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        (held(9001), 7801),
        (held(4801), 3601),  # a quarter of 80 minutes
        (held(4001), 3001),
        (held(4000, acquired_ms=None, begun_ms=after(0)), 3000),
        (held(9001, confirmed_ms=None), None),
        (recording(**LONG), None),
        (requested(), None),
        # It ends before its token does, or with it.
        (replace(held(9001), max_duration_seconds=8994), None),
        (replace(held(9001), max_duration_seconds=8995), 7801),
    ],
)
def test_a_successor_takes_over_in_the_last_quarter_or_the_last_twenty_minutes_of_a_token(
    row: Recording, seconds: float | None
) -> None:
    assert hand_over_ms(row, TIMINGS) == (None if seconds is None else after(seconds))


def test_a_hand_over_is_looked_out_for() -> None:
    row = replace(held(9001), beats=True, last_seen_ms=after(7790))
    assert due(row, TIMINGS) == (2, after(7801))


def tried(number: int, succeeds: int, **changes: Any) -> Any:
    return attempt(number, succeeds=succeeds, end="REFUSED", **changes)


def test_a_successor_has_to_wait_after_the_last_one_that_failed_for_the_same_session() -> None:
    row = held(9001)
    assert next_successor_ms(row, TIMINGS) == 0
    past = [
        tried(2, 1, ended_ms=after(7850)),
        tried(3, 1, begun_ms=after(7830)),  # nobody knows when it ended
        tried(4, 7, ended_ms=after(8000)),  # of another session
    ]
    again = replace(row, past_attempts=past)
    assert next_successor_ms(again, TIMINGS) == after(7850 + 300)
    assert hand_over_ms(again, TIMINGS) == after(7850 + 300)
    unknown = replace(row, past_attempts=past[1:])
    assert next_successor_ms(unknown, TIMINGS) == after(7830 + 300)
    assert next_successor_ms(requested(), TIMINGS) == 0


# --- its ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        (ended(), 600),
        (ended(ended_ms=after(500)), 500),
        (ended(stop_ms=after(700)), 700),
        (ended(past_attempts=[running(2, sid=OTHER_SID, ended_ms=after(650))]), 650),
        (ended(past_attempts=[acquired(2, ended_ms=after(650))]), 600),  # it never began
        (ended(attempt=running(end="NOT_CONFIRMED")), 1),  # its end is not known, its begin is
        (requested(), 0),
    ],
)
def test_a_recording_was_over_when_its_last_session_was(row: Recording, seconds: float) -> None:
    assert over_ms(row) == after(seconds)


@pytest.mark.parametrize(
    ("row", "seconds"),
    [
        (recording(max_duration_seconds=60), 67),
        (requested(max_duration_seconds=60), 60),
        (requested(max_duration_seconds=60, start_at_ms=after(30)), 90),
        (recording(max_duration_seconds=60, stop_at_ms=after(66)), 66),
        (recording(max_duration_seconds=60, stop_at_ms=after(68)), 67),
    ],
)
def test_its_own_deadline_is_its_longest_duration_or_its_stop_time(
    row: Recording, seconds: float
) -> None:
    assert own_deadline_ms(row, TIMINGS) == deadline_ms(row, TIMINGS) == after(seconds)


def test_agora_answers_for_a_session_for_so_many_hours_from_its_start() -> None:
    row = recording(expires_hours=2)
    assert expiry_ms(row, running(), TIMINGS) == after(2 + 7200)
    assert expiry_ms(row, acquired(), TIMINGS) == after(1 + 7200)
    unknown = replace(row, attempt=running(started_ms=None))
    assert deadline_ms(unknown, TIMINGS) == own_deadline_ms(row, TIMINGS)


def test_what_is_uploading_is_looked_at_less_and_less_often() -> None:
    assert due(uploading(stop_ms=after(700)), TIMINGS) == (1, after(760))
    assert due(uploading(looked_ms=after(601)), TIMINGS) == (1, after(661))


def test_after_the_last_look_at_the_bucket_the_execution_has_time_to_publish() -> None:
    deadline_s = 600 + TIMINGS.upload_s
    look = due(uploading(looked_ms=after(deadline_s)), TIMINGS)
    assert look == (1, after(deadline_s + TIMINGS.stuck_stop_s))


def test_instants_are_whole_milliseconds() -> None:
    token = running(token_until_ms=after(4001) + 2)
    assert hand_over_ms(recording(**LONG, attempt=token), TIMINGS) == after(3001) + 2
    row = uploading(looked_ms=after(1200) + 2)
    assert due(row, TIMINGS) == (1, after(1350) + 2)

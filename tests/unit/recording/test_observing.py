"""What an answer to `query` says about a recording."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as holding
from hypothesis import strategies as st

from agora_recording.agora.reply import Reply
from agora_recording.recording.model import RANK, Recording
from agora_recording.recording.observing import observe
from tests.world.builders import (
    TIMINGS,
    after,
    ended,
    gone,
    plain,
    recording,
    recordings,
    reply,
    requested,
    silence,
    starting,
    state,
)

ANSWERS = [
    *(state(number) for number in (*range(9), 20, 99)),
    gone("query"),
    silence("query"),
    reply("query", 404, code=501),
    reply("query", 206, code=65),
    reply("query", 429),
    reply("query", 400, code=2),
    reply("query", 200),
]


def _asked(row: Recording, answer: Reply, seconds: float) -> Recording:
    return observe(row, answer, after(seconds), TIMINGS)


@pytest.mark.parametrize("status", [4, 5])
def test_a_session_that_is_ready_or_in_progress_records(status: int) -> None:
    row = _asked(starting(), state(status), 7)
    assert row == recording()


def test_a_query_that_finds_it_recording_is_a_sign_of_life() -> None:
    row = _asked(recording(gap_seen=True, gone_ms=after(50), gone_checks=2), state(5), 60)
    assert (row.last_seen_ms, row.queried_ms) == (after(60), after(60))
    assert (row.gone_ms, row.gone_checks, row.gap_seen) == (None, 0, False)


def test_a_query_may_tell_of_stranded_files_too() -> None:
    server = {"status": 5, "uploadingStatus": "stranded"}
    row = _asked(recording(), reply("query", serverResponse=server), 60)
    assert (row.upload.state, row.session_end) == ("stranded", None)
    assert [each.stranded for each in row.attempts] == [True]


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_a_session_on_its_way_is_neither_recording_nor_over(status: int) -> None:
    row = _asked(starting(gone_ms=after(5), gone_last_ms=after(5), gone_checks=1), state(status), 7)
    assert (row.status, row.session_end) == ("starting", None)
    assert (row.gone_ms, row.gone_last_ms, row.gone_checks) == (None, None, 0)


@pytest.mark.parametrize("status", [6, 7, 8])
def test_a_session_that_leaves_is_over(status: int) -> None:
    assert _asked(recording(), state(status), 60).session_end == "EXITED"
    stop = recording(stop_reason="STOP_REQUESTED")
    assert _asked(stop, state(status), 60).session_end == "STOPPED"


def test_an_abnormal_exit_is_an_end_to_restart_after() -> None:
    assert _asked(recording(), state(20), 60).session_end == "EXITED_ABNORMALLY"


def test_a_service_that_is_leaving_is_an_end() -> None:
    assert _asked(recording(), reply("query", 404, code=501), 60).session_end == "EXITED"


def test_a_404_is_not_believed_at_first() -> None:
    row = _asked(recording(), gone("query"), 60)
    assert (row.session_end, row.gone_ms, row.gone_checks) == (None, after(60), 1)
    row = _asked(row, gone("query"), 149.9)
    assert (row.session_end, row.gone_ms, row.gone_checks) == (None, after(60), 2)


def test_a_404_is_believed_after_the_time_of_a_failover() -> None:
    row = _asked(recording(gone_ms=after(60), gone_checks=4), gone("query"), 150)
    assert row.session_end == "DIED"
    assert row.attempt
    assert row.attempt.ended_ms == after(150)


def test_a_404_long_after_another_one_may_be_of_another_failover() -> None:
    row = _asked(recording(), gone("query"), 60)
    row = _asked(row, silence("query"), 120)  # whatever comes between, it was not an answer
    row = _asked(row, gone("query"), 600)
    assert (row.session_end, row.gone_ms, row.gone_checks) == (None, after(600), 1)
    row = _asked(_asked(row, gone("query"), 650), gone("query"), 690)
    assert row.session_end == "DIED"


def test_a_session_that_comes_back_from_a_failover_lives_on() -> None:
    row = _asked(recording(gone_ms=after(60), gone_checks=4), state(5), 149)
    row = _asked(row, gone("query"), 200)
    assert (row.session_end, row.gone_ms) == (None, after(200))


@pytest.mark.parametrize("answer", [silence("query"), reply("query", 429), reply("query", 401)])
def test_no_answer_is_no_verdict(answer: Reply) -> None:
    assert _asked(starting(), answer, 900) == starting()


def test_what_was_heard_of_may_be_moving_to_another_server() -> None:
    row = _asked(starting(last_seen_ms=after(60)), gone("query"), 92)
    assert row.session_end is None
    assert _asked(row, gone("query"), 182).session_end == "NOT_CONFIRMED"
    # A sign from before the start is one of another session.
    assert _asked(starting(last_seen_ms=after(1)), gone("query"), 92).session_end


@pytest.mark.parametrize("answer", [state(3), gone("query")])
def test_what_is_not_confirmed_within_90_s_was_not_started(answer: Reply) -> None:
    assert _asked(starting(), answer, 91.9).session_end is None
    row = _asked(starting(), answer, 92)
    assert row.session_end == "NOT_CONFIRMED"
    assert [each.sid for each in row.orphans] == [row.sid]


def test_what_is_confirmed_late_was_started_all_the_same() -> None:
    assert _asked(starting(), state(5), 300).status == "recording"


@pytest.mark.parametrize(
    "answer", [silence("query"), reply("query", 206, code=65), reply("query", 429)]
)
def test_an_answer_that_says_nothing_changes_nothing(answer: Reply) -> None:
    assert _asked(recording(), answer, 60) == recording()


def test_a_recording_without_an_attempt_is_not_judged() -> None:
    row = _asked(requested(), silence("query"), 600)
    assert row == requested()


@holding(recordings(), st.sampled_from(ANSWERS), st.integers(0, 20_000))
def test_no_answer_moves_a_row_back(row: Recording, answer: Reply, seconds: int) -> None:
    seen = _asked(row, answer, seconds)
    assert RANK[seen.status] >= RANK[row.status]
    assert row.session_end in (None, seen.session_end)
    assert (row.stop_reason, row.sids) == (seen.stop_reason, seen.sids)
    assert (seen.last_seen_ms or 0) >= (row.last_seen_ms or 0)


@holding(recordings(), st.sampled_from(ANSWERS), st.integers(0, 20_000))
def test_the_same_answer_twice_is_the_same_as_once(
    row: Recording, answer: Reply, seconds: int
) -> None:
    """But for how often Agora said 404."""
    once = _asked(row, answer, seconds)
    assert plain(_asked(once, answer, seconds), "goneChecks") == plain(once, "goneChecks")


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_is_over_stays_as_it_ended(answer: Reply) -> None:
    row: Any = _asked(ended("IDLE"), answer, 5000)
    assert (row.session_end, row.attempt) == ("IDLE", ended("IDLE").attempt)


# --- when each end was seen ---


@pytest.mark.parametrize(
    ("answer", "stop", "end"),
    [
        (state(6), None, "EXITED"),
        (state(6), "STOP_REQUESTED", "STOPPED"),
        (state(20), None, "EXITED_ABNORMALLY"),
        (reply("query", 200, code=501), None, "EXITED"),
        (reply("query", 200, code=501), "STOP_REQUESTED", "STOPPED"),
    ],
)
def test_an_end_is_of_the_instant_at_which_it_was_seen(answer: Any, stop: Any, end: str) -> None:
    row = _asked(recording(stop_reason=stop), answer, 60)
    assert row.attempt is not None
    assert (row.attempt.end, row.attempt.ended_ms) == (end, after(60))


def test_an_answer_that_it_is_being_started_ends_the_wait_for_a_failover() -> None:
    row = _asked(recording(gone_ms=after(50), gone_checks=3), state(2), 60)
    assert (row.gone_ms, row.gone_checks) == (None, 0)


def test_a_404_is_an_answer_of_its_instant() -> None:
    assert _asked(recording(), gone("query"), 60).queried_ms == after(60)


def test_a_session_that_was_heard_and_is_gone_has_the_time_of_a_failover() -> None:
    row = starting(last_seen_ms=after(2), gone_ms=after(60), gone_checks=1)
    assert _asked(row, gone("query"), 149).session_end is None
    assert _asked(row, gone("query"), 150).session_end == "NOT_CONFIRMED"

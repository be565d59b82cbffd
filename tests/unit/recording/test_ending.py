"""How a session ends, and what its end means for the recording."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.agora.reply import Reply
from agora_recording.recording.ending import (
    after_orphan_stop,
    after_stop,
    cause,
    end_of,
    may_have_files,
    stopped_without_session,
    unseen_s,
    went_wrong,
)
from agora_recording.recording.model import Recording
from tests.world.builders import (
    TIMINGS,
    acquired,
    after,
    attempt,
    ended,
    gone,
    recording,
    reply,
    requested,
    running,
    stopped,
)
from tests.world.webhook import SID

OTHER_SID = "1" * 32
STOP: dict[str, Any] = {"stop_reason": "STOP_REQUESTED", "stop_ms": after(600)}
STOPPING = recording(**STOP)
GIVEN_UP = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"))
NOTHING = reply("stop", 206, code=435, reason="no recorded data")
REFUSED = reply("stop", 400, code=2, reason="bad parameter")
STRANDED = reply("stop", serverResponse={"uploadingStatus": "stranded"})


# --- what Agora's answer to a stop tells ---------------------------------------------------------


@pytest.mark.parametrize(("answer", "words"), [(NOTHING, "no recorded data"), (REFUSED, "bad")])
def test_an_end_that_needs_an_explanation_has_agoras_words(answer: Reply, words: str) -> None:
    row = after_stop(STOPPING, answer, after(601), TIMINGS)
    assert row.attempt is not None
    assert words in (row.attempt.reason or "")


def test_a_stop_that_is_accepted_needs_no_explanation() -> None:
    row = after_stop(STOPPING, stopped(), after(601), TIMINGS)
    assert row.attempt is not None
    assert (row.attempt.end, row.attempt.reason) == ("STOPPED", None)


def test_a_session_that_recorded_nothing_is_known_to_be_empty() -> None:
    row = after_stop(STOPPING, NOTHING, after(601), TIMINGS)
    assert [each.is_empty for each in row.attempts] == [True]


def test_a_session_that_was_given_up_and_recorded_nothing_is_known_to_be_empty() -> None:
    row = after_orphan_stop(GIVEN_UP, SID, NOTHING, after(700), TIMINGS)
    assert [each.is_empty for each in row.attempts] == [True]


def test_stranded_files_of_a_session_that_was_given_up_are_known() -> None:
    row = after_orphan_stop(GIVEN_UP, SID, STRANDED, after(700), TIMINGS)
    assert [each.stranded for each in row.attempts] == [True]
    assert row.orphans == []


def test_a_session_that_was_given_up_and_answers_its_stop_was_not_gone() -> None:
    moved = replace(GIVEN_UP, attempt=running(end="NOT_CONFIRMED", gone_ms=after(650)))
    row = after_orphan_stop(moved, SID, stopped(), after(700), TIMINGS)
    assert [(each.ended_ms, each.gone_ms) for each in row.attempts] == [(after(700), None)]


def test_a_session_that_was_given_up_is_over_when_404s_have_followed_each_other_for_90_s() -> None:
    lost = running(end="NOT_CONFIRMED", gone_ms=after(600), gone_last_ms=after(685))
    row = after_orphan_stop(replace(GIVEN_UP, attempt=lost), SID, gone("stop"), after(695), TIMINGS)
    assert row.orphans == []


def test_the_stop_of_a_session_that_is_known_to_be_over_changes_nothing() -> None:
    assert after_orphan_stop(GIVEN_UP, OTHER_SID, stopped(), after(700), TIMINGS) == GIVEN_UP


def test_a_session_that_is_gone_without_a_stop_has_died_when_that_is_believed() -> None:
    lost = recording(gone_ms=after(100), gone_checks=3)
    row = after_stop(lost, gone("stop"), after(190), TIMINGS)
    assert row.attempt is not None
    assert (row.session_end, row.attempt.ended_ms) == ("DIED", after(190))


def test_a_refusal_that_may_be_one_of_too_many_calls_is_no_end_though_it_has_a_code() -> None:
    assert end_of(reply("stop", 400, code=4711)) is None
    assert end_of(REFUSED) == "STOP_REFUSED"


# --- the cause -----------------------------------------------------------------------------------


def test_the_cause_is_what_was_told_of_the_last_session() -> None:
    row = ended("EXITED", attempt=running(end="EXITED", reason="of the session"), reason="earlier")
    assert cause(row) == "of the session"
    assert cause(ended("EXITED", reason="of the recording")) == "of the recording"
    assert cause(requested(reason="of the start")) == "of the start"


def test_the_reason_that_was_published_is_no_cause() -> None:
    assert cause(ended("EXITED", status="completed", reason="All files are there.")) is None
    told = running(end="EXITED", reason="of the session")
    assert cause(ended("EXITED", status="completed", attempt=told)) == "of the session"


@pytest.mark.parametrize("ended_ms", [None, after(500), after(600)])
def test_a_stop_after_a_session_was_lost_came_between_two_sessions(ended_ms: int | None) -> None:
    lost = ended("DIED", attempt=running(end="DIED", ended_ms=ended_ms, reason="lost"), **STOP)
    assert cause(lost) == stopped_without_session(lost)


def test_a_session_that_was_lost_after_the_stop_is_its_own_cause() -> None:
    lost = running(end="DIED", ended_ms=after(601), reason="lost")
    assert cause(ended("DIED", attempt=lost, **STOP)) == "lost"


def test_a_session_that_was_lost_without_a_stop_is_its_own_cause() -> None:
    assert cause(ended("DIED", attempt=running(end="DIED", reason="lost"))) == "lost"


def test_a_session_that_ended_as_it_should_before_a_stop_is_its_own_cause() -> None:
    idle = running(end="IDLE", ended_ms=after(500), reason="nobody came")
    assert cause(ended("IDLE", attempt=idle, **STOP)) == "nobody came"


def test_a_stop_before_any_session_is_told_otherwise_than_one_between_two() -> None:
    assert stopped_without_session(requested(**STOP)) != stopped_without_session(STOPPING)


# --- how long it was not seen --------------------------------------------------------------------


def test_a_session_that_was_lost_was_not_seen_since_its_last_sign_of_life() -> None:
    lost = ended("DIED", last_seen_ms=after(590))
    assert unseen_s(lost) == 10
    assert unseen_s(replace(lost, last_seen_ms=after(601))) == 0  # by Agora's clock
    assert unseen_s(replace(lost, last_seen_ms=None)) is None


def test_a_session_that_was_not_lost_was_seen() -> None:
    assert unseen_s(ended("STOPPED", last_seen_ms=after(590))) is None
    assert unseen_s(GIVEN_UP) is None  # it may still run
    assert unseen_s(requested(last_seen_ms=after(590))) is None


# --- whether there should be files, and whether some may come ------------------------------------


def failed(end: Any = None, **changes: Any) -> Recording:
    """Return a recording that failed after one session with this end."""
    return ended(end, **{"status": "failed", **changes})


@pytest.mark.parametrize(
    ("row", "is_wrong"),
    [
        (failed("DIED"), True),
        (failed("STOPPED"), True),  # it took the stop, so it has recorded
        (failed("IDLE"), False),  # nobody came
        (failed("NOTHING_RECORDED", **STOP), False),
        (failed("IDLE", past_attempts=[running(end="DIED", sid=OTHER_SID)]), True),
        (failed(attempt=acquired(end="REFUSED")), True),
        (failed(attempt=acquired(end="REFUSED"), **STOP), True),
        (failed(attempt=acquired(end="STOPPED"), **STOP), False),  # the stop overtook the start
        (failed(attempt=None, **STOP), False),
        (failed(attempt=None), True),  # it never began, and nobody stopped it
        (ended("DIED", status="completed"), False),
    ],
)
def test_a_recording_went_wrong_if_it_failed_although_there_should_be_files(
    row: Recording, is_wrong: bool
) -> None:
    assert went_wrong(row) is is_wrong


@pytest.mark.parametrize(
    ("row", "may_come"),
    [
        (failed("STOPPED"), True),
        (failed("DIED"), True),
        (failed("NOTHING_RECORDED"), False),
        (failed("STORAGE_REFUSED"), False),
        (failed("DIED", attempt=running(end="DIED", is_empty=True)), False),
        (failed(attempt=acquired(end="START_FAILED")), True),  # it may run, and nobody knows it
        (failed(attempt=acquired(end="REFUSED", never_started=True)), False),
        (failed(attempt=attempt(end="REFUSED")), False),
        (failed(attempt=None), False),
    ],
)
def test_files_may_come_of_a_session_unless_agora_said_that_it_has_none(
    row: Recording, may_come: bool
) -> None:
    assert may_have_files(row, after(700), TIMINGS) is may_come

"""Ending a session, and what comes after it: a new session, or the files."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given as holding
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.agora.reply import Reply
from agora_recording.errors import AgoraRefusedError, AgoraUnavailableError, RateLimitedError
from agora_recording.recording.ending import (
    Next,
    after_orphan_stop,
    after_stop,
    next_state,
    read_failure,
)
from agora_recording.recording.model import (
    RANK,
    RESTARTABLE,
    Recording,
    SessionEnd,
    Upload,
    started,
)
from tests.world.builders import (
    RECORDING_ID,
    RESOURCE_ID,
    TIMINGS,
    acquired,
    after,
    ended,
    gone,
    recording,
    recordings,
    reply,
    requested,
    running,
    silence,
    starting,
    stopped,
    uploading,
)
from tests.world.webhook import SID
from tests.world.world import World

STOPPING = recording(stop_reason="STOP_REQUESTED", stop_ms=after(60))
ANSWERS = [
    stopped(),
    gone("stop"),
    silence("stop"),
    reply("stop", 206),
    reply("stop", 206, code=435, reason="no recorded data"),
    reply("stop", 206, code=65),
    reply("stop", 400, code=49),
    reply("stop", 400, code=2),
    reply("stop", 400, code=1001),
    reply("stop", 404, code=501),
    reply("stop", 429),
    reply("stop", 504, code=62),
    reply("stop", 200, code=50),
]


class Room(World):
    """The room that stops, beside one recording and a script."""

    def __init__(self, row: Recording, *answers: Any) -> None:
        super().__init__(row, script=answers, now_ms=after(100))

    def stop(self, failure: str | None = None, words: str = "") -> Next:
        cause = json.dumps({"errorMessage": words})
        read = read_failure({"Error": failure, "Cause": cause} if failure else None)
        told: Next = self.parts.stopper.stop(RECORDING_ID, read)["next"]
        return told


# --- what an answer means ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "end"),
    [
        (stopped(), "STOPPED"),
        (reply("stop", 206), "STOPPED"),
        (reply("stop", 200, code=50), "STOPPED"),
        (reply("stop", 400, code=49), "STOPPED"),
        (reply("stop", 404, code=501), "STOPPED"),
        (reply("stop", 206, code=435), "NOTHING_RECORDED"),
        (reply("stop", 400, code=2), "STOP_REFUSED"),
        (reply("stop", 400, code=1001), "STOP_REFUSED"),
    ],
)
def test_an_answer_that_ends_a_session(answer: Reply, end: SessionEnd) -> None:
    assert after_stop(STOPPING, answer, after(61), TIMINGS).session_end == end


@pytest.mark.parametrize(
    "answer",
    [
        silence("stop"),
        reply("stop", 206, code=65),
        reply("stop", 504, code=62),
        reply("stop", 401, reason="Invalid authentication credentials"),
    ],
)
def test_an_answer_that_ends_nothing(answer: Reply) -> None:
    assert after_stop(STOPPING, answer, after(61), TIMINGS) == STOPPING


STRANDED = reply("stop", serverResponse={"uploadingStatus": "stranded"})


def test_a_stop_that_tells_of_stranded_files_is_an_end_like_any_other() -> None:
    row = after_stop(STOPPING, STRANDED, after(61), TIMINGS)
    assert row.session_end == "STOPPED"
    assert (row.upload.state, [each.stranded for each in row.attempts]) == ("stranded", [True])


@pytest.mark.parametrize("state", ["backuped", "uploaded"])
def test_a_later_word_of_the_upload_is_not_taken_back_by_stranded(state: Any) -> None:
    row = replace(STOPPING, upload=Upload(state=state))
    assert after_stop(row, STRANDED, after(61), TIMINGS).upload.state == state


def test_the_timeline_tells_of_stranded_files() -> None:
    room = Room(replace(STOPPING, task_token="token"), STRANDED)
    assert room.stop() == "await upload"
    (told,) = (note["text"] for note in room.notes if note["kind"] == "stop")
    assert told.endswith("Files wait on Agora's backup, and come later.")


def test_a_404_is_believed_when_no_failover_can_be_the_reason() -> None:
    row = after_stop(STOPPING, gone("stop"), after(61), TIMINGS)
    assert (row.session_end, row.gone_ms) == (None, after(61))
    row = after_stop(row, gone("stop"), after(150), TIMINGS)
    assert (row.session_end, row.gone_checks) == (None, 2)
    row = after_stop(row, gone("stop"), after(151), TIMINGS)
    assert row.session_end == "STOPPED"


def test_a_404_that_began_before_the_stop_counts_from_its_beginning() -> None:
    row = replace(STOPPING, gone_ms=after(10), gone_checks=3)
    assert after_stop(row, gone("stop"), after(100), TIMINGS).session_end == "STOPPED"


@holding(recordings(), st.sampled_from(ANSWERS), st.integers(0, 20_000))
def test_no_answer_moves_a_row_back(row: Recording, answer: Reply, seconds: int) -> None:
    told = after_stop(row, answer, after(seconds), TIMINGS)
    assert RANK[told.status] >= RANK[row.status]
    if told.session_end == "NOTHING_RECORDED":
        # Agora's own word explains more than an end without a fault.
        assert row.session_end in (None, "STOPPED", "EXITED", "IDLE", "NOTHING_RECORDED")
    else:
        assert row.session_end in (None, told.session_end)
    assert told.sids == row.sids


def test_the_stop_of_a_session_given_up_is_repeated_until_it_is_over() -> None:
    row = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"))
    for answer in (silence("stop"), reply("stop", 429), reply("stop", 500)):
        assert after_orphan_stop(row, SID, answer, after(700), TIMINGS) == row
    once = after_orphan_stop(row, SID, gone("stop"), after(700), TIMINGS)
    assert once.orphans
    assert once.orphans[0].gone_ms == after(700)
    again = after_orphan_stop(once, SID, gone("stop"), after(789), TIMINGS)
    assert again.orphans
    assert again.orphans[0].gone_ms == after(700)
    assert after_orphan_stop(again, SID, gone("stop"), after(790), TIMINGS).orphans == []


def test_a_stop_that_nobody_asked_for_is_refused_since_now() -> None:
    row = recording()
    assert row.stop_ms is None
    assert after_stop(row, reply("stop", 403), after(90_000), TIMINGS) == row


def test_a_stop_that_is_not_answered_for_long_begins_the_time_of_a_failover_anew() -> None:
    row = recording(stop_reason="STOP_REQUESTED", stop_ms=after(690))
    lost = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"))
    for at_s, is_over in ((700, False), (1000, False), (1060, False), (1090, True)):
        row = after_stop(row, gone("stop"), after(at_s), TIMINGS)
        lost = after_orphan_stop(lost, SID, gone("stop"), after(at_s), TIMINGS)
        assert (row.session_end is not None, lost.orphans == []) == (is_over, is_over), at_s


@pytest.mark.parametrize("answer", [reply("stop", 400, code=2), reply("stop", 403)])
def test_the_stop_of_a_session_given_up_is_repeated_until_agora_answers_no_more(
    answer: Reply,
) -> None:
    row = ended("STOP_REFUSED", attempt=running(end="STOP_REFUSED"), expires_hours=1)
    assert after_orphan_stop(row, SID, answer, after(3600), TIMINGS) == row
    assert after_orphan_stop(row, SID, answer, after(3602), TIMINGS).orphans == []


@pytest.mark.parametrize("answer", [stopped(), reply("stop", 206, code=435)])
def test_the_stop_of_a_session_given_up_is_enough_when_it_was_understood(answer: Reply) -> None:
    row = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"))
    over = after_orphan_stop(row, SID, answer, after(700), TIMINGS)
    assert over.orphans == []
    assert over.session_end == "NOT_CONFIRMED"


# --- what comes next -----------------------------------------------------------------------------


@pytest.mark.parametrize("end", get_args(SessionEnd))
def test_after_an_end_comes_a_restart_or_the_upload(end: SessionEnd) -> None:
    expected = "start" if end in RESTARTABLE else "await upload"
    assert next_state(ended(end)) == expected
    assert next_state(ended(end, stop_reason="STOP_REQUESTED")) == "await upload"
    assert next_state(ended(end, restart_limit=0)) == (
        "start" if end == "TOKEN_ENDED" else "await upload"
    )


def test_a_recording_that_never_had_a_session_has_no_files_to_wait_for() -> None:
    row = requested(attempt=acquired(end="REFUSED"), session_end="REFUSED")
    assert next_state(row) == "publish"
    assert next_state(requested(session_end="STOPPED", stop_reason="MAX_DURATION")) == "publish"


def test_what_nobody_asked_to_end_goes_on() -> None:
    assert next_state(recording()) == "start"
    assert next_state(starting()) == "start"


def test_what_still_runs_is_stopped_again() -> None:
    assert next_state(STOPPING) == "stop again"


@holding(recordings())
def test_there_is_always_a_next_state(row: Recording) -> None:
    assert next_state(row) in get_args(Next)


# --- the room ------------------------------------------------------------------------------------


def test_a_stop_ends_the_session_and_awaits_the_upload() -> None:
    room = Room(replace(STOPPING, task_token="token"), stopped())
    assert room.stop() == "await upload"
    ((_, call),) = room.agora.calls
    assert (call["resource_id"], call["sid"]) == (RESOURCE_ID, SID)
    assert call["body"]["clientRequest"] == {"async_stop": True}
    assert (room.row.status, room.row.session_end) == ("uploading", "STOPPED")
    assert room.row.task_token is None
    assert room.kinds == ["ended", "stop"]


def test_a_session_that_ended_by_itself_is_not_stopped() -> None:
    room = Room(ended("IDLE"))
    assert room.stop() == "await upload"
    assert room.agora.calls == []


def test_a_session_that_died_is_followed_by_another() -> None:
    room = Room(ended("DIED"))
    assert room.stop() == "start"
    assert room.row.status == "recording"


def test_the_time_until_a_death_was_found_out_is_told() -> None:
    room = Room(ended("DIED", last_seen_ms=after(300)))
    told = room.parts.stopper.stop(RECORDING_ID)
    assert told == {"next": "start", "sessionEnd": "DIED", "unseenSeconds": 300}


def test_a_repeated_stop_says_the_same() -> None:
    room = Room(STOPPING, stopped())
    assert room.stop() == room.stop() == "await upload"
    assert len(room.agora.calls) == 1


def test_a_stop_during_a_failover_is_repeated_for_90_s() -> None:
    room = Room(STOPPING, *[gone("stop")] * 7)
    told = []
    for _ in range(7):
        told.append(room.stop())
        room.clock.advance(15)
    assert told == ["stop again"] * 6 + ["await upload"]
    assert room.row.session_end == "STOPPED"


def test_a_session_that_comes_back_from_a_failover_is_stopped() -> None:
    room = Room(STOPPING, gone("stop"), stopped())
    assert room.stop() == "stop again"
    assert (room.row.status, room.row.session_end) == ("stopping", None)
    assert room.stop() == "await upload"


@pytest.mark.parametrize(
    "answer", [silence("stop"), reply("stop", 206, code=65), reply("stop", 500)]
)
def test_no_answer_is_an_error_since_it_may_still_run(answer: Reply) -> None:
    room = Room(STOPPING, answer)
    with pytest.raises(AgoraUnavailableError):
        room.stop()
    assert room.row.session_end is None
    assert room.kinds == ["refused"]


def test_too_many_requests_are_an_error_too() -> None:
    with pytest.raises(RateLimitedError):
        Room(STOPPING, reply("stop", 429)).stop()
    with pytest.raises(RateLimitedError):
        Room(STOPPING, RateLimitedError("booked")).stop()


@pytest.mark.parametrize("code", [2, 432, 1001, 1003])
def test_a_stop_that_is_refused_for_good_is_not_repeated(code: int) -> None:
    room = Room(STOPPING, reply("stop", 400, code=code, reason="no"))
    assert room.stop() == "await upload"
    assert room.row.session_end == "STOP_REFUSED"
    assert room.kinds == ["ended", "refused", "stop"]


@pytest.mark.parametrize(
    "answer",
    [
        reply("stop", 401, reason="Unauthorized"),
        reply("stop", 403, reason="Forbidden"),
        reply("stop", 400, reason="appid is invalid"),
        reply("stop", 404, reason="no Route matched with those values"),
        reply("stop", 302),
    ],
)
def test_a_stop_that_the_gateway_refuses_is_repeated_until_that_is_put_right(answer: Reply) -> None:
    room = Room(STOPPING, answer, stopped())
    with pytest.raises(AgoraRefusedError):
        room.stop()
    assert room.row.session_end is None
    assert room.stop() == "await upload"


def test_a_stop_that_the_gateway_refuses_for_an_hour_is_left_to_the_sweeper() -> None:
    row = replace(STOPPING, stop_ms=after(60))
    room = Room(row, reply("stop", 403), reply("stop", 403))
    room.clock.now_ms = after(60 + 3599)
    with pytest.raises(AgoraRefusedError):
        room.stop()
    room.clock.advance(1)
    assert room.stop() == "await upload"
    assert room.row.session_end == "STOP_REFUSED"
    assert [each.sid for each in room.row.orphans] == [SID]


def test_nothing_recorded_is_known_from_the_stop() -> None:
    room = Room(STOPPING, reply("stop", 206, code=435))
    assert room.stop() == "await upload"
    assert room.row.session_end == "NOTHING_RECORDED"


def test_a_stop_before_the_first_attempt_ends_the_recording() -> None:
    room = Room(requested(stop_reason="STOP_REQUESTED"))
    assert room.stop("StopRequestedError") == "publish"
    assert room.row.status == "stopping"


def test_a_stop_before_the_sid_is_known_ends_the_attempt() -> None:
    room = Room(requested(status="starting", attempt=acquired(), stop_reason="STOP_REQUESTED"))
    assert room.stop("StopRequestedError") == "publish"
    assert room.row.session_end == "STOPPED"
    assert room.agora.calls == []


@pytest.mark.parametrize("failure", ["AgoraUnavailableError", "SidUnknownError", "States.Timeout"])
def test_a_start_that_failed_is_tried_with_a_new_attempt(failure: str) -> None:
    room = Room(requested(status="starting", attempt=acquired()))
    assert room.stop(failure) == "start"
    assert room.row.session_end == "START_FAILED"


def test_a_start_that_failed_for_the_last_time_is_published() -> None:
    row = requested(status="starting", attempt=acquired(), restart_limit=0)
    assert Room(row).stop("AgoraUnavailableError") == "publish"


def test_a_start_that_failed_before_any_attempt_is_published() -> None:
    assert Room(requested()).stop("SettingsError") == "publish"


def test_a_start_that_waits_for_its_turn_goes_on_waiting() -> None:
    room = Room(requested(status="starting", attempt=acquired(), restart_limit=0))
    assert room.stop("RateLimitedError") == "start"
    assert room.row.session_end is None


def test_a_start_that_waits_longer_than_it_may_last_is_given_up() -> None:
    room = Room(requested(status="starting", attempt=acquired(), max_duration_seconds=60))
    assert room.stop("RateLimitedError") == "publish"
    assert (room.row.stop_reason, room.row.session_end) == ("MAX_DURATION", "STOPPED")


def test_why_a_start_failed_is_told_in_our_own_words() -> None:
    room = Room(requested(status="starting", attempt=acquired(), restart_limit=0))
    room.stop("SecretUnavailableError", "The secret agora has no customerId.")
    assert room.row.reason == "The secret agora has no customerId."
    assert room.kinds == ["failed"]


@pytest.mark.parametrize("name", ["ClientError", "Lambda.Unknown", "States.Timeout", "Problem"])
def test_what_others_say_of_a_failure_is_left_in_the_log(name: str) -> None:
    room = Room(requested(status="starting", attempt=acquired(), restart_limit=0))
    room.stop(name, "who knows what it repeats")
    assert room.row.reason == f"A function failed with {name}; its log has the details."


@pytest.mark.parametrize("cause", ["", "no JSON", "[]", '"text"', "{}"])
def test_a_cause_that_cannot_be_read_is_no_failure_of_ours(cause: str) -> None:
    read = read_failure({"Error": "StorageRegionError", "Cause": cause})
    assert read == ("StorageRegionError", read_failure({"Error": "StorageRegionError"})[1])  # type: ignore[index]


def test_a_time_out_of_a_later_start_is_not_taken_for_the_longest_duration() -> None:
    past = running(1, end="DIED", ended_ms=after(50), sid="1" * 32)
    room = Room(recording(past_attempts=[past], attempt=acquired(2)))
    assert room.stop("States.Timeout") == "start"
    assert (room.row.stop_reason, room.row.session_end) == (None, "START_FAILED")


def test_the_longest_duration_stops_the_session() -> None:
    room = Room(recording(max_duration_seconds=60), stopped())
    assert room.stop("States.Timeout") == "await upload"
    assert (room.row.stop_reason, room.row.session_end) == ("MAX_DURATION", "STOPPED")


@pytest.mark.parametrize("failure", [None, "States.Timeout", "DynamoDb.ThrottlingException"])
def test_a_hiccup_of_the_machine_ends_no_recording(failure: str | None) -> None:
    room = Room(recording(task_token="token"))
    assert room.stop(failure) == "start"
    assert room.agora.calls == []
    assert room.row.stop_reason is None
    assert room.row.session_end is None


def test_a_session_that_was_never_confirmed_is_stopped_before_the_next_begins() -> None:
    row = starting(attempt=acquired(sid=SID, started_ms=after(2), end="NOT_CONFIRMED"))
    room = Room(replace(row, session_end="NOT_CONFIRMED"), stopped())
    assert room.stop() == "start"
    assert room.row.orphans == []


@pytest.mark.parametrize("answer", [gone("stop"), silence("stop"), reply("stop", 500)])
def test_one_that_the_stop_did_not_reach_is_left_to_the_sweeper(answer: Reply) -> None:
    row = starting(attempt=acquired(sid=SID, started_ms=after(2), end="NOT_CONFIRMED"))
    room = Room(replace(row, session_end="NOT_CONFIRMED"), answer)
    assert room.stop() == "start"
    assert [each.sid for each in room.row.orphans] == [SID]


def test_a_session_that_turned_up_after_it_was_given_up_is_stopped() -> None:
    lost = requested(
        status="starting",
        attempt=acquired(end="START_FAILED", ended_ms=after(50)),
        session_end="START_FAILED",
    )
    room = Room(started(lost, SID, after(60), number=1), stopped())
    assert room.stop("SidUnknownError") == "start"
    assert room.row.orphans == []


def test_a_row_that_was_published_is_not_opened_again() -> None:
    room = Room(uploading(status="completed"))
    assert room.stop() == "await upload"
    assert room.row == uploading(status="completed")

"""Confirming a start: until Agora records, or until it is clear that it never will."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.errors import EventNotSentError, RateLimitedError
from agora_recording.recording.model import Recording, ask_to_stop, begin_attempt
from agora_recording.recording.observing import verdict
from tests.world.builders import (
    RECORDING_ID,
    TIMINGS,
    acquired,
    after,
    ended,
    gone,
    recording,
    reply,
    requested,
    running,
    silence,
    starting,
    state,
)
from tests.world.faults import Crash
from tests.world.webhook import SID
from tests.world.world import World

STARTED = {"attempt": 1, "sid": SID, "maxDurationSeconds": 14_400, "waitSeconds": 5}


class Room(World):
    """The room that queries, beside one recording and a script."""

    def __init__(self, row: Recording, *answers: Any) -> None:
        super().__init__(row, script=answers, now_ms=after(7))

    def confirm(self, **started: Any) -> dict[str, Any]:
        return self.parts.confirmer.confirm(RECORDING_ID, {**STARTED, **started})


def judged(row: Recording, seconds: float = 7) -> str:
    return verdict(row, after(seconds), TIMINGS)


def test_the_verdict_follows_the_row() -> None:
    assert judged(requested()) == "wait"
    assert judged(starting()) == "wait"
    assert judged(recording()) == "recording"
    assert judged(ended("NOT_CONFIRMED")) == "over"
    assert judged(recording(stop_reason="STOP_REQUESTED")) == "over"
    assert judged(starting(), 92) == "unanswered"
    assert judged(recording(), 92) == "recording"


def test_a_session_that_records_is_announced() -> None:
    room = Room(starting(), state(5))
    assert room.confirm() == {**STARTED, "verdict": "recording", "asked": 1}
    assert room.row.status == "recording"
    assert room.bus.types == ["Recording Started"]
    key = f"recordings/{RECORDING_ID}/events/recording-started.json"
    assert room.bucket.json(key)["detailType"] == "Recording Started"
    assert room.kinds == ["query"]


def test_a_session_on_its_way_is_waited_for_longer_and_longer() -> None:
    room = Room(starting(), *[state(3)] * 9)
    waits = []
    told: dict[str, Any] = {}
    for _ in range(9):
        told = room.confirm(**told)
        waits.append((told["verdict"], told["waitSeconds"]))
        room.clock.advance(5)
    assert waits == [("wait", seconds) for seconds in (5, 10, 10, 15, 20, 30, 30, 30, 30)]
    assert room.bus.events == []


@pytest.mark.parametrize("answer", [silence("query"), reply("query", 504), reply("query", 401)])
def test_a_session_of_which_agora_says_nothing_is_not_given_up(answer: Any) -> None:
    room = Room(starting(), answer, answer)
    assert room.confirm()["verdict"] == "wait"
    room.clock.advance(90)
    assert room.confirm()["verdict"] == "unanswered"
    assert room.row.session_end is None


def test_a_session_that_was_heard_of_is_given_the_time_of_a_failover() -> None:
    room = Room(starting(last_seen_ms=after(60)), *[gone("query")] * 3)
    room.clock.now_ms = after(95)
    assert room.confirm()["verdict"] == "unanswered"
    room.clock.advance(90)
    assert room.confirm()["verdict"] == "over"
    assert room.row.session_end == "NOT_CONFIRMED"


@pytest.mark.parametrize("answer", [gone("query"), state(2)])
def test_a_session_that_never_records_is_given_up_after_90_s(answer: Any) -> None:
    room = Room(starting(), answer, answer)
    assert room.confirm()["verdict"] == "wait"
    room.clock.advance(90)
    assert room.confirm()["verdict"] == "over"
    assert room.row.session_end == "NOT_CONFIRMED"


def test_a_stop_ends_the_confirmation_without_a_query() -> None:
    room = Room(starting(stop_reason="STOP_REQUESTED"))
    assert room.confirm()["verdict"] == "over"
    assert room.agora.calls == []


def test_a_stop_that_comes_during_the_query_is_seen() -> None:
    def stopped_meanwhile() -> Any:
        room.add(ask_to_stop(room.row, "STOP_REQUESTED", after(7)))
        return state(5)

    room = Room(starting(), stopped_meanwhile)
    assert room.confirm()["verdict"] == "over"
    assert room.row.status == "recording"
    assert room.bus.types == ["Recording Started"]


def test_what_the_row_says_was_announced() -> None:
    room = Room(recording())
    assert room.confirm()["verdict"] == "recording"
    assert room.agora.calls == []
    assert room.bus.events == []


def test_an_announcement_whose_room_died_is_repeated_with_the_same_id() -> None:
    room = Room(starting(), state(5), state(5))
    room.table.before_write.append(room.table.faults.kill)
    with pytest.raises(Crash):
        room.confirm()
    room.table.faults.begin()
    room.confirm()
    first, second = room.bus.events
    assert first[1]["id"] == second[1]["id"] == f"{RECORDING_ID}-started"


def test_a_restart_is_announced_as_one() -> None:
    past = running(1, sid="1" * 32, end="DIED", ended_ms=after(5))
    second = acquired(2, sid=SID, started_ms=after(6))
    room = Room(recording(past_attempts=[past], attempt=second), state(5))
    room.confirm()
    ((kind, detail),) = room.bus.events
    assert (kind, detail["id"]) == ("Recording Restarted", f"{RECORDING_ID}-restarted-2")
    assert room.bucket.objects == {}


def test_the_first_session_that_records_is_the_start_whatever_its_number() -> None:
    past = acquired(1, sid="1" * 32, started_ms=after(1), end="NOT_CONFIRMED", ended_ms=after(5))
    second = acquired(2, sid=SID, started_ms=after(6))
    room = Room(starting(past_attempts=[past], attempt=second), state(5))
    room.confirm()
    assert room.bus.types == ["Recording Started"]


def test_an_event_that_the_bus_refused_is_sent_again() -> None:
    room = Room(starting(), state(5), state(5))
    room.bus.refuse = 1
    with pytest.raises(EventNotSentError):
        room.confirm()
    assert room.confirm()["verdict"] == "recording"
    assert room.bus.types == ["Recording Started"]


def test_without_a_slot_nothing_is_judged() -> None:
    room = Room(starting(), RateLimitedError("booked"))
    room.clock.advance(600)
    with pytest.raises(RateLimitedError):
        room.confirm()
    assert room.row == starting()


def test_an_answer_about_an_earlier_session_is_not_taken_for_the_new_one() -> None:
    def restarted() -> Any:
        room.add(begin_attempt(room.row, "8", after(7)))
        return state(5)

    room = Room(starting(), restarted)
    assert room.confirm()["verdict"] == "wait"
    assert room.row.attempt
    assert room.row.attempt.confirmed_ms is None

"""Recordings at set times: schedules that come once, twice, early, late, or never."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.clock import iso
from agora_recording.errors import RecordingStateError, RequestInvalidError
from agora_recording.recording.model import Recording, begin
from functions.follow_schedule import app
from tests.world.api import Context
from tests.world.builders import RECORDING_ID, after, recording, requested
from tests.world.faults import Crash, Faults
from tests.world.house import House, assert_sound
from tests.world.webhook import NOW_MS
from tests.world.world import World

START_MS, STOP_MS = after(3600), after(7200)


def scheduled(**changes: Any) -> Recording:
    """Return a recording that begins in an hour, and stops an hour later."""
    return requested(
        **{"status": "scheduled", "start_at_ms": START_MS, "stop_at_ms": STOP_MS, **changes}
    )


def follow(world: World, act: str) -> str:
    """Let a schedule come."""
    event = {"recordingId": RECORDING_ID, "act": act}
    done: str = app.lambda_handler(event, Context(), timekeeper=world.parts.timekeeper)["done"]
    return done


def create(world: World, **body: Any) -> Recording:
    return world.parts.creator.create({"cname": "standup", **body}, "key")[0]


# --- making -------------------------------------------------------------------------------------


def test_a_request_with_a_start_time_makes_schedules_and_no_execution() -> None:
    world = World()
    row = create(world, startAt=iso(START_MS + 1), stopAt=iso(STOP_MS))
    assert (row.status, row.start_at_ms, row.stop_at_ms) == ("scheduled", START_MS + 1, STOP_MS)
    assert world.machine.executions == {}
    # A schedule has whole seconds: it must not come before the time.
    times = {act: iso(ms)[:19] for act, ms in (("start", START_MS + 1000), ("stop", STOP_MS))}
    assert world.scheduler.times == {act: f"at({time})" for act, time in times.items()}
    for _, each in world.scheduler.all:
        assert each["ActionAfterCompletion"] == "DELETE"
        assert each["GroupName"] == "schedules"


def test_a_request_that_is_repeated_makes_no_second_schedule() -> None:
    world = World()
    body = {"startAt": iso(START_MS)}
    assert create(world, **body) == create(world, **body)
    assert len(world.scheduler.schedules) == 1


def test_a_recording_is_accepted_although_its_schedule_could_not_be_made() -> None:
    world = World()
    world.scheduler.is_away = True
    row = create(world, startAt=iso(START_MS))
    world.clock.now_ms = START_MS + 10_000
    assert world.parts.sweeper.look(row.recording_id) == "begin"
    assert world.parts.store.get(row.recording_id).status == "requested"


def test_a_stop_time_alone_lets_it_begin_at_once() -> None:
    world = World()
    row = create(world, stopAt=iso(STOP_MS))
    assert row.status == "requested"
    assert len(world.machine.executions) == 1
    assert list(world.scheduler.times) == ["stop"]


# --- beginning ----------------------------------------------------------------------------------


def test_a_schedule_begins_its_recording_once_even_if_it_comes_twice() -> None:
    world = World(scheduled(), now_ms=START_MS)
    assert [follow(world, "start"), follow(world, "start")] == ["begun", "nothing"]
    assert world.row.status == "requested"
    assert len(world.machine.executions) == 1
    assert world.kinds == ["begun"]


def test_a_schedule_that_comes_too_early_does_nothing() -> None:
    """It is an old one: the app has changed the time since."""
    world = World(scheduled(), now_ms=START_MS - 5000)
    assert follow(world, "start") == "nothing"
    assert world.row == scheduled()


def test_a_schedule_of_a_deleted_recording_does_nothing() -> None:
    assert follow(World(now_ms=START_MS), "start") == "nothing"


def test_a_lost_schedule_is_replaced_by_the_sweeper_within_a_minute() -> None:
    house = House(scheduled())
    house.run(3600 + 70)
    assert house.statuses[:2] == ["scheduled", "requested"]
    assert house.row.attempt
    assert house.row.attempt.begun_ms <= START_MS + 70_000


def test_a_scheduled_recording_lives_like_any_other_and_stops_at_its_time() -> None:
    house = House(scheduled())
    house.run()
    assert_sound(house)
    assert house.statuses[0] == "scheduled"
    assert house.row.stop_reason == "STOP_TIME"
    assert STOP_MS - 2000 <= (house.row.stop_ms or 0) <= STOP_MS + 60_000


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", [1, 2])
def test_a_crash_between_the_row_and_the_execution_is_repaired(at: int, is_after: bool) -> None:
    house = House(scheduled(stop_at_ms=None, max_duration_seconds=600))
    house.run(3590)
    house.faults.at = house.faults.count + at
    house.faults.after = is_after
    house.clock.now_ms = START_MS
    house.background(house.parts.timekeeper.follow, RECORDING_ID, "start")
    house.run()
    assert_sound(house)
    assert house.crashes == 1


def test_everything_that_is_late_ends_what_should_be_over() -> None:
    late = begin(scheduled(), STOP_MS + 1)
    assert (late.status, late.stop_reason) == ("requested", "STOP_TIME")


# --- stopping and cancelling --------------------------------------------------------------------


def test_a_stop_before_the_start_time_cancels_it_and_nothing_is_recorded() -> None:
    house = House(scheduled())
    house.run(60)
    assert house.background(house.parts.timekeeper.stop, RECORDING_ID)
    house.run()
    assert_sound(house)
    row = house.row
    assert (row.status, row.end_reason, row.attempts) == ("failed", "STOP_REQUESTED", [])
    assert row.ended_ms is not None
    assert row.ended_ms < START_MS
    assert follow(house, "start") == "nothing"


def test_a_cancelled_recording_is_ended_although_its_execution_could_not_be_started() -> None:
    house = House(scheduled())
    house.run(60)
    house.faults.at = house.faults.count + 2
    house.background(house.parts.timekeeper.stop, RECORDING_ID)
    assert house.crashes == 1
    house.run()
    assert_sound(house)
    assert not house.row.attempts


def test_the_stop_time_stops_a_running_recording_once() -> None:
    world = World(recording(task_token="token", stop_at_ms=STOP_MS), now_ms=STOP_MS)
    world.machine.tokens.add("token")
    assert [follow(world, "stop"), follow(world, "stop")] == ["stopped", "nothing"]
    assert world.row.stop_reason == "STOP_TIME"
    assert len(world.machine.sent) == 1


def test_a_schedule_that_stops_too_early_does_nothing() -> None:
    row = recording(stop_at_ms=STOP_MS)
    world = World(row, now_ms=STOP_MS - 5000)
    assert follow(world, "stop") == "nothing"
    assert world.row == row


# --- changing -----------------------------------------------------------------------------------


def change(world: World, **body: Any) -> Recording:
    return world.parts.updater.update(RECORDING_ID, body)[0]


def test_times_can_be_changed_until_it_begins() -> None:
    world = World(scheduled(stop_at_ms=None))
    world.parts.schedules.make(world.row)
    after_change = change(world, startAt=iso(START_MS + 60_000), stopAt=iso(STOP_MS))
    assert (after_change.start_at_ms, after_change.stop_at_ms) == (START_MS + 60_000, STOP_MS)
    assert world.row == after_change
    assert world.scheduler.times == {
        "start": f"at({iso(START_MS + 60_000)[:19]})",
        "stop": f"at({iso(STOP_MS)[:19]})",
    }
    assert world.kinds == ["times"]


def test_the_stop_time_of_a_running_recording_can_be_changed() -> None:
    world = World(recording(), now_ms=after(60))
    assert change(world, stopAt=iso(STOP_MS)).stop_at_ms == STOP_MS
    assert list(world.scheduler.times) == ["stop"]


def test_the_row_changes_although_the_schedule_does_not() -> None:
    world = World(scheduled())
    world.scheduler.is_away = True
    assert change(world, startAt=iso(START_MS + 60_000)).start_at_ms == START_MS + 60_000


@pytest.mark.parametrize(
    ("row", "body"),
    [
        (recording(), {"startAt": iso(START_MS)}),
        (replace(recording(), stop_reason="STOP_REQUESTED"), {"stopAt": iso(STOP_MS)}),
        (replace(recording(), status="completed"), {"stopAt": iso(STOP_MS)}),
    ],
)
def test_what_is_too_late_to_change_is_refused(row: Recording, body: dict[str, Any]) -> None:
    world = World(row)
    with pytest.raises(RecordingStateError):
        change(world, **body)
    assert world.scheduler.schedules == {}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"startAt": iso(NOW_MS - 1)}, "startAt"),
        ({"startAt": iso(STOP_MS + 1)}, "stopAt"),
        ({"stopAt": iso(START_MS)}, "stopAt"),
        ({"stopAt": iso(START_MS + 14_400_001)}, "stopAt"),
        ({"stopAt": "soon"}, "stopAt"),
        ({"stopAt": iso(STOP_MS), "streamSubscribe": {}}, "body"),
    ],
)
def test_times_that_cannot_be_are_refused(body: dict[str, Any], path: str) -> None:
    world = World(scheduled())
    with pytest.raises(RequestInvalidError) as caught:
        change(world, **body)
    assert [each.path for each in caught.value.problems] == [path]
    assert world.row == scheduled()


def test_a_dead_process_leaves_nothing_half_made() -> None:
    world = World(faults=Faults(at=1))
    with pytest.raises(Crash):
        create(world, startAt=iso(START_MS))
    assert not world.scheduler.schedules

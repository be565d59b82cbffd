"""Recordings at set times: schedules that come, come twice or are lost; and those cancelled."""

from __future__ import annotations

import time
from typing import Any

from agora_recording.clock import iso
from tests.e2e.conftest import Stage, eventually, hold_the_sweeper


def ahead(seconds: float) -> str:
    """Return the instant so many seconds from now, as a request has it."""
    return iso(round((time.time() + seconds) * 1000))


def schedule(stage: Stage, cname: str, **times: str) -> str:
    """Ask for a recording at set times; return its id."""
    answer = stage.api.call("POST", "/recordings", {"cname": cname, **times})
    assert (answer.status, answer.body["status"]) == (202, "scheduled"), answer
    recording_id: str = answer.body["recordingId"]
    return recording_id


def names(stage: Stage) -> set[str]:
    """Return the names of the schedules that are there."""
    group = stage.facts["resources"]["Schedules"]
    listed = stage.stack.client("scheduler").list_schedules(GroupName=group, MaxResults=100)[
        "Schedules"
    ]
    return {each["Name"] for each in listed if each["GroupName"] == group}


def test_a_recording_begins_and_stops_at_its_times(stage: Stage) -> None:
    recording_id = schedule(stage, "set times", startAt=ahead(3600))
    listed = stage.api.call("GET", "/recordings?status=scheduled").body["recordings"]
    assert recording_id in [each["recordingId"] for each in listed]
    # Sooner, and with an end: one schedule is changed, the other one is made.
    times = {"startAt": ahead(3), "stopAt": ahead(9)}
    changed = stage.api.call("PATCH", f"/recordings/{recording_id}", times)
    assert changed.status == 200, changed
    assert names(stage) >= {f"{recording_id}-start", f"{recording_id}-stop"}
    hold_the_sweeper(stage, 8)  # it would do the same work
    row = stage.over(recording_id)
    assert (row["status"], row["stopReason"]) == ("completed", "STOP_TIME")
    assert row["attempt"]["begunMs"] >= row["startAtMs"] - 2000
    eventually(
        lambda: not {each for each in names(stage) if each.startswith(recording_id)},
        "the end of its schedules",
    )


def test_schedules_that_come_twice_begin_and_stop_one_recording(stage: Stage) -> None:
    recording_id = schedule(stage, "set twice", startAt=ahead(2))
    event = {"recordingId": recording_id, "act": "start"}
    stage.until(recording_id, "requested", "starting", "recording")
    assert stage.stack.invoke("FollowScheduleFunction", event) == {"done": "nothing"}
    stage.until(recording_id, "recording")
    changed = stage.api.call("PATCH", f"/recordings/{recording_id}", {"stopAt": ahead(5)})
    assert changed.status == 200, changed
    # It comes a little early, by the clock of the function, and then in time.
    event = {"recordingId": recording_id, "act": "stop"}
    eventually(
        lambda: stage.stack.invoke("FollowScheduleFunction", event) == {"done": "stopped"},
        "the stop time",
    )
    assert stage.stack.invoke("FollowScheduleFunction", event) == {"done": "nothing"}
    assert stage.over(recording_id)["stopReason"] == "STOP_TIME"
    assert len(stage.sessions("set twice")) == 1


def test_the_sweeper_does_the_work_of_a_schedule_that_was_lost(stage: Stage) -> None:
    recording_id = schedule(stage, "set and lost", startAt=ahead(3))
    stage.stack.client("scheduler").delete_schedule(
        GroupName=stage.facts["resources"]["Schedules"], Name=f"{recording_id}-start"
    )
    row: dict[str, Any] = stage.until(recording_id, "recording")
    assert row["attempt"]["begunMs"] >= row["startAtMs"]
    stage.stop(recording_id)
    stage.over(recording_id)


def test_a_stop_before_the_start_time_cancels_the_recording(stage: Stage) -> None:
    recording_id = schedule(stage, "set and cancelled", startAt=ahead(3600))
    assert stage.stop(recording_id).status == 202
    row = stage.finish(recording_id)
    assert (row["status"], row["endReason"]) == ("failed", "STOP_REQUESTED")
    eventually(lambda: stage.execution_status(recording_id) == "SUCCEEDED", "the execution's end")
    assert stage.calls("set and cancelled") == []

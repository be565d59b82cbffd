"""No recording dies unseen, none runs unowned: each story ends in a known state, whatever happens.

Every story ends with `stage.over`: the row is terminal, its execution has ended, and Agora has no
session in the channel any more.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import Stage, eventually, hold_the_sweeper

together = pytest.mark.together


def start_is(stage: Stage, cname: str, **action: Any) -> None:
    """Script the first start in a channel."""
    stage.fault({"endpoint": "start", "cname": cname, "times": 1}, action)


def lose_notifications(stage: Stage, cname: str) -> None:
    """Let nothing be heard of a channel."""
    stage.fault({"endpoint": "webhook", "cname": cname}, {"lose": True})


def record(stage: Stage, cname: str, **more: Any) -> dict[str, Any]:
    """Start a recording and wait until it is seen to record, and has slices; return its row."""
    recording_id = stage.record(cname, **more)
    row = stage.until(recording_id, "recording")
    prefix = f"{recording_id}/{row['attempt']['sid']}"
    eventually(
        lambda: any(key.endswith(".ts") for key in stage.keys(f"recordings/{prefix}")),
        f"slices of {prefix}",
    )
    return row


def command(stage: Stage, row: dict[str, Any], what: str, **how: Any) -> None:
    """Let something happen to a recording's session at Agora."""
    stage.control("POST", f"/recordings/{row['attempt']['sid']}/{what}", how)


def finish(stage: Stage, recording_id: str) -> dict[str, Any]:
    """Stop a recording and wait until everything of it is over; return its row."""
    assert stage.stop(recording_id).status == 202
    return stage.over(recording_id)


def attempts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every attempt of a row, oldest first."""
    return [*row.get("pastAttempts", []), row["attempt"]]


def manifest(stage: Stage, row: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a recording."""
    found: dict[str, Any] = stage.read_json(f"recordings/{row['recordingId']}/manifest.json")
    return found


def sids_of_files(stage: Stage, row: dict[str, Any]) -> set[str]:
    """Return the sids whose playlists the manifest holds."""
    return {
        playlist["sid"]
        for track in manifest(stage, row)["tracks"]["items"]
        for playlist in track["playlists"]
    }


def restarted(stage: Stage, recording_id: str) -> dict[str, Any]:
    """Wait until the recording goes on in a second session that Agora is seen to record."""
    return stage.await_row(
        recording_id,
        lambda row: len(attempts(row)) == 2 and row["attempt"].get("confirmedMs"),
    )


# --- what dies, or never lives (these take longest, so they begin first) ------------------------


@together
def test_a_sweeper_that_died_is_succeeded_when_its_lease_runs_out(stage: Stage) -> None:
    cname = "watched by a dead sweeper"
    lose_notifications(stage, cname)
    row = record(stage, cname)
    command(stage, row, "kill")
    # Longer than it takes to be missed: only then a sweep has something to do.
    until_ms = hold_the_sweeper(stage, seconds=16)
    eventually(lambda: "lease held" in sweep(stage), "a sweep that leaves the others alone")
    assert time.time() * 1000 < until_ms
    restarted(stage, row["recordingId"])
    assert finish(stage, row["recordingId"])["status"] == "completed"


def sweep(stage: Stage) -> dict[str, int]:
    """Sweep at once, if the schedule is not at it just now; return what was done."""
    try:
        done: dict[str, int] = stage.stack.invoke("WatchRecordingsFunction")
    except ClientError:
        done = {}
    return done


@together
def test_a_silent_death_is_found_by_the_sweeper_and_the_recording_goes_on(stage: Stage) -> None:
    cname = "dies silently"
    lose_notifications(stage, cname)
    row = record(stage, cname)
    command(stage, row, "kill")
    restarted(stage, row["recordingId"])
    row = finish(stage, row["recordingId"])
    first, second = attempts(row)
    assert first["end"] == "TAKEN_OVER"
    assert first["uid"] != second["uid"]
    assert row["status"] == "completed"
    assert sids_of_files(stage, row) == {first["sid"], second["sid"]}
    assert [gap["cause"] for gap in manifest(stage, row)["gaps"]["items"]] == ["restart"]


@together
def test_a_death_without_restarts_ends_by_what_it_left(stage: Stage) -> None:
    cname = "dies with no restart"
    lose_notifications(stage, cname)
    row = record(stage, cname, restartLimit=0)
    command(stage, row, "kill")
    row = stage.over(row["recordingId"])
    assert (row["status"], row["endReason"]) == ("incomplete", "DIED")
    assert len(stage.sessions(cname)) == 1
    assert manifest(stage, row)["totals"]["objects"] > 0


@together
def test_status_20_ends_a_session_when_the_notifications_that_say_so_are_lost(
    stage: Stage,
) -> None:
    cname = "status 20"
    stage.fault({"endpoint": "webhook", "cname": cname, "event_types": [11, 41]}, {"lose": True})
    row = record(stage, cname)
    command(stage, row, "crash")
    restarted(stage, row["recordingId"])
    row = finish(stage, row["recordingId"])
    # A successor starts while it is in doubt; it may be confirmed before the end is certain.
    assert attempts(row)[0]["end"] in ("EXITED_ABNORMALLY", "TAKEN_OVER")
    assert row["status"] == "completed"
    answers = [note["data"].get("status") for note in stage.notes(row["recordingId"])]
    assert 20 in answers


@together
def test_a_recording_whose_execution_was_killed_gets_another(stage: Stage) -> None:
    recording_id = stage.record("execution killed")
    stage.await_row(recording_id, lambda row: row.get("taskToken"))
    stage.stepfunctions.stop_execution(executionArn=stage.execution_arn(recording_id))
    row = finish(stage, recording_id)
    assert row["status"] == "completed"
    assert row["execution"] == 1
    assert "repair" in [note["kind"] for note in stage.notes(recording_id)]


@together
def test_an_abnormal_exit_is_followed_by_a_new_session(stage: Stage) -> None:
    cname = "exits abnormally"
    row = record(stage, cname)
    command(stage, row, "crash")
    restarted(stage, row["recordingId"])
    row = finish(stage, row["recordingId"])
    first, second = attempts(row)
    assert first["end"] == "EXITED_ABNORMALLY"
    assert row["status"] == "completed"
    assert sids_of_files(stage, row) == {first["sid"], second["sid"]}


@together
def test_a_start_that_never_records_is_replaced_on_another_uid(stage: Stage) -> None:
    cname = "never ready"
    start_is(stage, cname, never_ready=True)
    recording_id = stage.record(cname)
    restarted(stage, recording_id)
    row = finish(stage, recording_id)
    first, second = attempts(row)
    assert first["end"] == "NOT_CONFIRMED"
    assert first["uid"] != second["uid"]
    assert row["status"] == "completed"


@together
def test_restarts_are_bounded(stage: Stage) -> None:
    cname = "never ever ready"
    stage.fault({"endpoint": "start", "cname": cname}, {"never_ready": True})
    row = stage.over(stage.record(cname, restartLimit=1))
    assert [each["end"] for each in attempts(row)] == ["NOT_CONFIRMED"] * 2
    assert row["status"] == "failed"
    assert len(stage.sessions(cname)) == 2


@together
def test_a_failover_is_one_recording_with_its_files_verified_together(stage: Stage) -> None:
    cname = "fails over"
    row = record(stage, cname)
    recording_id = row["recordingId"]
    command(stage, row, "failover", window_s=30)
    eventually(
        lambda: any("/bak0_" in key for key in stage.keys(f"recordings/{recording_id}/")),
        "files of the second server",
    )
    row = finish(stage, recording_id)
    assert row["status"] == "completed", row
    assert len(attempts(row)) == 1
    playlists = manifest(stage, row)["tracks"]["items"][0]["playlists"]
    assert [each.get("bak") for each in playlists] == [None, 0]
    assert [gap["cause"] for gap in manifest(stage, row)["gaps"]["items"]] == ["failover"]


# --- starts whose answer is lost ----------------------------------------------------------------


@together
def test_a_start_refused_three_times_works_at_last(stage: Stage) -> None:
    cname = "refused three times"
    answer = {"http": 500, "code": 62, "reason": "request timeout"}
    stage.fault({"endpoint": "start", "cname": cname, "times": 3}, {"answer": answer})
    recording_id = stage.record(cname)
    stage.until(recording_id, "recording")
    row = finish(stage, recording_id)
    assert row["status"] == "completed"
    assert [call["code"] for call in stage.calls(cname, "start")] == [62, 62, 62, None]


@together
def test_a_session_whose_start_was_answered_into_the_void_is_adopted(stage: Stage) -> None:
    cname = "answer lost"
    start_is(stage, cname, drop="after")
    recording_id = stage.record(cname)
    stage.until(recording_id, "recording")
    row = finish(stage, recording_id)
    assert row["status"] == "completed"
    assert [each["sid"] for each in attempts(row)] == [
        each["sid"] for each in stage.sessions(cname)
    ]
    assert "adopted" in [note["kind"] for note in stage.notes(recording_id)]


@together
def test_a_session_heard_of_too_late_is_stopped_and_its_files_are_kept(stage: Stage) -> None:
    cname = "answer lost and news late"
    start_is(stage, cname, drop="after")
    stage.fault({"endpoint": "webhook", "cname": cname}, {"delay_s": 400})
    recording_id = stage.record(cname)
    restarted(stage, recording_id)
    first, second = stage.sessions(cname)
    eventually(lambda: not stage.sessions(cname)[0]["live"], "the end of the session given up")
    row = finish(stage, recording_id)
    assert row["status"] == "completed"
    assert [each["sid"] for each in attempts(row)] == [first["sid"], second["sid"]]
    assert sids_of_files(stage, row) == {first["sid"], second["sid"]}


@together
def test_a_session_heard_of_after_the_end_is_stopped_all_the_same_and_its_files_are_kept(
    stage: Stage,
) -> None:
    cname = "answer lost and given up"
    start_is(stage, cname, drop="after")
    stage.fault({"endpoint": "webhook", "cname": cname}, {"delay_s": 300})
    recording_id = stage.record(cname, restartLimit=0)
    # It ends before the session is known: as failed, or as incomplete if a slice is there already.
    row = stage.until(recording_id, "completed")
    assert row["endReason"] == "START_FAILED"
    (session,) = stage.sessions(cname)
    assert not session["live"]
    assert sids_of_files(stage, row) == {session["sid"]}
    assert len(stage.calls(cname, "stop")) >= 1


# --- stops --------------------------------------------------------------------------------------


@together
def test_a_stop_during_a_failover_is_believed_only_when_it_is_true(stage: Stage) -> None:
    cname = "stopped while failing over"
    # Agora takes its time with the first stop, so that the failover surely comes before it.
    stage.fault({"endpoint": "stop", "cname": cname, "times": 1}, {"delay_s": 60})
    row = record(stage, cname)
    stage.stop(row["recordingId"])
    eventually(lambda: stage.calls(cname, "stop"), "the first stop")
    command(stage, row, "failover", window_s=80)
    row = stage.over(row["recordingId"])
    answers = [call["status"] for call in stage.calls(cname, "stop")]
    assert answers[0] == 404
    assert answers[-1] == 200
    assert row["attempt"]["end"] == "STOPPED"
    assert row["status"] == "completed"


@together
def test_a_stop_before_the_start_is_done_leaves_nothing_running(stage: Stage) -> None:
    cname = "stopped too soon"
    stage.fault({"endpoint": "acquire", "cname": cname}, {"delay_s": 30})
    row = finish(stage, stage.record(cname))
    assert row["endReason"] == "STOP_REQUESTED"
    assert not any(each["live"] for each in stage.sessions(cname))


@together
def test_stopping_twice_is_stopping_once(stage: Stage) -> None:
    cname = "stopped twice"
    recording_id = stage.record(cname)
    stage.until(recording_id, "recording")
    assert [stage.stop(recording_id).status for _ in range(2)] == [202, 202]
    row = finish(stage, recording_id)
    assert row["status"] == "completed"
    assert stage.stop(recording_id).status == 202
    assert len(stage.calls(cname, "stop")) == 1
    kinds = [note["kind"] for note in stage.notes(recording_id)]
    assert kinds.count("stop asked") == 1
    assert kinds.count("published") == 1


@together
def test_a_channel_without_people_ends_its_recording(stage: Stage) -> None:
    cname = "left alone"
    row = record(stage, cname, clientRequest={"recordingConfig": {"maxIdleTime": 5}})
    stage.control("POST", "/channel", {"cname": cname, "users": []})
    row = stage.over(row["recordingId"])
    assert (row["status"], row["endReason"]) == ("completed", "IDLE")
    assert stage.calls(cname, "stop") == []


@together
def test_the_longest_duration_is_kept(stage: Stage) -> None:
    row = stage.over(stage.record("too long", maxDurationSeconds=90))
    assert (row["status"], row["endReason"]) == ("completed", "MAX_DURATION")


@together
def test_a_channel_where_nobody_speaks_ends_as_failed(stage: Stage) -> None:
    cname = "nobody speaks"
    start_is(stage, cname, nobody_published=True)
    recording_id = stage.record(cname)
    stage.until(recording_id, "recording")
    row = finish(stage, recording_id)
    assert [call["code"] for call in stage.calls(cname, "stop")] == [435]
    assert row["status"] == "failed"
    assert row["attempt"]["end"] == "NOTHING_RECORDED"
    assert row["reason"].startswith("Agora says that nothing was recorded: nobody sent a stream")
    assert stage.keys(f"recordings/{recording_id}/events/recording-ended.json") == []


# --- files that are late ------------------------------------------------------------------------


@together
def test_files_from_agoras_backup_are_waited_for(stage: Stage) -> None:
    cname = "backed up"
    start_is(stage, cname, backup={"first": 0, "slices": 1, "after_s": 150})
    row = stage.until(stage.record(cname), "recording")
    eventually(lambda: stage.sessions(cname)[0]["slices"] > 1, "a slice that is not backed up")
    row = finish(stage, row["recordingId"])
    assert row["status"] == "completed"
    assert row["upload"]["state"] == "backuped"


# --- notifications that travel badly ------------------------------------------------------------


def test_lost_doubled_and_disordered_notifications_change_nothing(stage: Stage) -> None:
    noise = {"loss": 0.3, "duplicates": 0.5, "disorder": 0.5, "redundant": True}
    stage.control("POST", "/webhooks", noise)
    try:
        recording_id = record(stage, "bad news")["recordingId"]
        row = finish(stage, recording_id)
    finally:
        stage.control("POST", "/webhooks", dict.fromkeys(noise, 0))
    assert row["status"] == "completed"
    events = stage.keys(f"recordings/{recording_id}/events/")
    assert [key.rpartition("/")[2] for key in events] == [
        "recording-ended.json",
        "recording-started.json",
    ]
    kinds = [note["kind"] for note in stage.notes(recording_id)]
    assert kinds.count("published") == 1

"""The main job: one recording from the request to the verified files, on the real template."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.conftest import Stage, eventually
from tests.e2e.evidence import TOKEN


def notification(sid: str, sequence: int, event_type: int = 33, **details: Any) -> dict[str, Any]:
    """Return an envelope as Agora sends it."""
    now = time.time_ns() // 1_000_000
    return {
        "noticeId": f"{sid}{sequence:04d}",
        "productId": 3,
        "eventType": event_type,
        "notifyMs": now,
        "sid": sid,
        "payload": {
            "cname": "a-channel-nobody-records",
            "uid": "77",
            "sid": sid,
            "sequence": sequence,
            "sendts": now,
            "serviceType": 2,
            "details": {"msgName": "uploading_progress", "progress": 1000, **details},
        },
    }


@pytest.fixture(scope="module")
def finished(stage: Stage) -> dict[str, Any]:
    """A recording that ran, was stopped, and is over."""
    recording_id = stage.record(
        "one-recording",
        clientRequest={
            "token": TOKEN,
            "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
        },
        tags={"team": "platform"},
    )
    stage.until(recording_id, "recording")
    eventually(
        lambda: [key for key in stage.keys(f"recordings/{recording_id}/") if key.endswith(".ts")],
        "slices in the bucket",
    )
    assert stage.stop(recording_id).status == 202
    return stage.finish(recording_id)


def test_a_recording_ends_completed(finished: dict[str, Any]) -> None:
    assert finished["status"] == "completed"
    assert finished["endReason"] == "STOP_REQUESTED"


def test_the_execution_that_owned_it_succeeded(stage: Stage, finished: dict[str, Any]) -> None:
    eventually(
        lambda: stage.execution_status(finished["recordingId"]) == "SUCCEEDED", "the execution"
    )


def test_the_files_lie_under_its_prefix_with_a_manifest(
    stage: Stage, finished: dict[str, Any]
) -> None:
    prefix = f"recordings/{finished['recordingId']}/"
    names = [key.removeprefix(prefix) for key in stage.keys(prefix)]
    sid = finished["attempt"]["sid"]
    assert f"{sid}_one-recording.m3u8" in names
    assert f"{sid}_one-recording_0.mp4" in names
    assert sum(name.endswith(".ts") for name in names) >= 1
    manifest = stage.read_json(f"{prefix}manifest.json")
    assert manifest["verdict"] == "complete"


def test_consumers_find_a_started_and_exactly_one_ended_file(
    stage: Stage, finished: dict[str, Any]
) -> None:
    prefix = f"recordings/{finished['recordingId']}/events/"
    names = [key.removeprefix(prefix) for key in stage.keys(prefix)]
    assert names == ["recording-ended.json", "recording-started.json"]
    ended = stage.read_json(f"{prefix}recording-ended.json")
    assert ended["detailType"] == "Recording Completed"
    assert ended["detail"]["id"] == f"{finished['recordingId']}-completed"
    assert ended["detail"]["recording"]["tags"] == {"team": "platform"}


def test_the_api_shows_it_alone_and_in_the_list(stage: Stage, finished: dict[str, Any]) -> None:
    recording_id = finished["recordingId"]
    alone = stage.api.call("GET", f"/recordings/{recording_id}")
    assert alone.status == 200
    assert alone.body["status"] == "completed"
    filters = ("", "?cname=one-recording", "?status=completed")
    for where in [f"/recordings{each}" for each in filters]:
        listed = stage.api.call("GET", where).body["recordings"]
        assert recording_id in [each["recordingId"] for each in listed]
    none = stage.api.call("GET", "/recordings?cname=one-recording&status=failed").body
    assert none["recordings"] == []


def test_its_timeline_tells_each_step(stage: Stage, finished: dict[str, Any]) -> None:
    kinds = [note["kind"] for note in stage.notes(finished["recordingId"])]
    for kind in ("attempt", "acquired", "started", "query", "stop asked", "stop", "published"):
        assert kind in kinds


def test_the_same_idempotency_key_makes_one_recording(stage: Stage) -> None:
    body = {"cname": "asked-twice", "clientRequest": {"token": TOKEN}}
    first = stage.api.call("POST", "/recordings", body, {"Idempotency-Key": "twice"})
    second = stage.api.call("POST", "/recordings", body, {"Idempotency-Key": "twice"})
    assert (first.status, second.status) == (202, 202)
    assert first.body["recordingId"] == second.body["recordingId"]
    assert first.headers["Location"] == f"/v1/recordings/{first.body['recordingId']}"
    stage.until(first.body["recordingId"], "recording")
    assert len(stage.sessions("asked-twice")) == 1
    other = stage.api.call(
        "POST", "/recordings", {"cname": "asked-otherwise"}, {"Idempotency-Key": "twice"}
    )
    assert other.status == 422
    stage.stop(first.body["recordingId"])
    stage.finish(first.body["recordingId"])


def test_an_unsigned_call_is_refused(stage: Stage) -> None:
    answer = stage.api.call("POST", "/recordings", {"cname": "no"}, signed=False)
    assert answer.status == 403


def test_a_bad_request_names_every_problem_and_stores_nothing(stage: Stage) -> None:
    answer = stage.api.call(
        "POST",
        "/recordings",
        {
            "cname": "bad",
            "maxDurationSeconds": 0,
            "clientRequest": {"recordingConfig": {"maxIdleTime": 1}, "storageConfig": {}},
        },
    )
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    paths = {each["path"] for each in answer.body["problems"]}
    assert {
        "maxDurationSeconds",
        "clientRequest.recordingConfig.maxIdleTime",
        "clientRequest.storageConfig",
    } <= paths
    assert not [row for row in stage.all_rows() if row.get("cname") == "bad"]


def test_a_recording_that_does_not_exist_is_a_404(stage: Stage) -> None:
    assert stage.api.call("GET", "/recordings/01ARZ3NDEKTSV4RRFFQ69G5FAV").status == 404
    assert stage.stop("nonsense").status == 404


def test_a_notification_with_one_byte_changed_is_refused_and_not_stored(stage: Stage) -> None:
    sid = "0" * 31 + "1"
    answer = stage.notify(
        notification(sid, 1), tamper=lambda raw: raw.replace(b'"uid": "77"', b'"uid": "78"')
    )
    assert answer.status == 401
    assert stage.rows(f"SID#{sid}", "EVT#") == []


def test_the_same_notification_twice_is_stored_once(stage: Stage) -> None:
    sid = "0" * 31 + "2"
    body = notification(sid, 1)
    answers = [stage.notify(body), stage.notify({**body, "notifyMs": body["notifyMs"] + 1})]
    assert [answer.status for answer in answers] == [200, 200]
    assert len(stage.rows(f"SID#{sid}", "EVT#")) == 1


def test_a_session_of_nobody_is_kept_and_disturbs_nothing(stage: Stage) -> None:
    sid = "0" * 31 + "3"
    assert stage.notify(notification(sid, 1)).status == 200
    row = eventually(lambda: stage.rows(f"SESSION#{sid}", "SESSION"), "the session's row")[0]
    assert "recordingId" not in row

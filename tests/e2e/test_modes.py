"""Each mode of Cloud Recording once, and each request that Agora's documents print."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Stage, eventually
from tests.world.clients import BODIES
from tests.world.examples import EXAMPLES, Json

pytestmark = pytest.mark.together

WEB_PAGE: Json = {
    "extensionServiceConfig": {
        "extensionServices": [
            {
                "serviceName": "web_recorder_service",
                "errorHandlePolicy": "error_abort",
                "serviceParam": {
                    "url": "https://example.com/room",
                    "audioProfile": 0,
                    "videoWidth": 1280,
                    "videoHeight": 720,
                    "maxRecordingHour": 1,
                },
            }
        ]
    }
}


def record(stage: Stage, cname: str, mode: str, request: Json, ending: str) -> dict[str, Any]:
    """Record until a file with that ending is in the bucket; return the manifest."""
    recording_id = stage.record(cname, mode=mode, clientRequest=request)
    stage.until(recording_id, "recording")
    prefix = f"recordings/{recording_id}/"
    eventually(
        lambda: any(key.endswith(ending) for key in stage.keys(prefix)), f"{ending} of {cname}"
    )
    stage.stop(recording_id)
    assert stage.over(recording_id)["status"] == "completed"
    manifest: dict[str, Any] = stage.read_json(f"{prefix}manifest.json")
    assert manifest["verdict"] == "complete"
    return manifest


def tracks(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (uid, type) of every track."""
    return [(each["uid"], each["trackType"]) for each in manifest["tracks"]["items"]]


def files(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (uid, kind) of every file that is no slice, playlist or snapshot."""
    return sorted((each["uid"], each["kind"]) for each in manifest["files"]["items"])


def test_postponed_transcoding_completes_the_recording_when_it_is_done(stage: Stage) -> None:
    request = {
        "appsCollection": {"combinationPolicy": "postpone_transcoding"},
        "transcodeOptions": {
            "container": {"format": "mp4"},
            "transConfig": {"transMode": "postponeTranscoding"},
        },
        "recordingConfig": {"subscribeUidGroup": 0},
    }
    cname = "mode postponed"
    stage.fault({"endpoint": "start", "cname": cname}, {"transcoding": {"delay_s": 450}})
    recording_id = stage.record(cname, mode="individual", clientRequest=request)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    first = stage.until(recording_id, "incomplete")
    assert first["reason"] == "The files of postponed transcoding are still to come."
    last = stage.until(recording_id, "completed")
    manifest = stage.read_json(f"recordings/{recording_id}/manifest.json")
    assert manifest["verdict"] == "complete"
    assert files(manifest) == [("101", "mp4"), ("102", "mp4")]
    assert last["reason"] != first["reason"]


def test_a_mix_is_one_track_of_everybody(stage: Stage) -> None:
    manifest = record(stage, "mode mix", "mix", {}, ".ts")
    assert tracks(manifest) == [("0", "audio_and_video")]
    assert files(manifest) == []


def test_an_individual_recording_has_tracks_of_each_user(stage: Stage) -> None:
    request = {"recordingConfig": {"streamTypes": 2, "subscribeUidGroup": 0}}
    manifest = record(stage, "mode individual", "individual", request, ".ts")
    assert tracks(manifest) == [
        (uid, kind) for uid in ("101", "102") for kind in ("audio", "video")
    ]


def test_mp4_files_are_waited_for(stage: Stage) -> None:
    request = {
        "recordingConfig": {"subscribeUidGroup": 0},
        "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
    }
    cname = "mode mp4"
    stage.fault({"endpoint": "start", "cname": cname}, {"mp4_delay_s": 60})
    manifest = record(stage, cname, "individual", request, ".ts")
    assert files(manifest) == [("101", "mp4"), ("102", "mp4")]


def test_raw_mode_records_each_user_in_the_codec_that_is_sent(stage: Stage) -> None:
    cname = "mode raw"
    stage.control(
        "POST", "/channel", {"cname": cname, "users": ["101", "102"], "codecs": {"102": "vp8"}}
    )
    request = {
        "recordingConfig": {"streamTypes": 2, "subscribeUidGroup": 1},
        "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
        "snapshotConfig": {"captureInterval": 60, "fileType": ["jpg"]},
    }
    manifest = record(stage, cname, "raw", request, ".webm")
    assert tracks(manifest) == [("101", "audio_and_video")]
    kinds = {(each["uid"], each["kind"], each["codec"]) for each in manifest["files"]["items"]}
    assert kinds == {
        ("101", "mp4", "h264"),
        ("102", "mpd", "vp8"),
        ("102", "dash_segment", "vp8"),
    }
    assert manifest["snapshots"]["count"] >= 1


def test_raw_mode_makes_mp3_of_sound_alone(stage: Stage) -> None:
    cname = "mode mp3"
    request = {
        "recordingConfig": {"streamTypes": 0, "subscribeUidGroup": 1},
        "recordingFileConfig": {"avFileType": ["mp3"]},
    }
    recording_id = stage.record(cname, mode="raw", clientRequest=request)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    assert stage.over(recording_id)["status"] == "completed"
    manifest = stage.read_json(f"recordings/{recording_id}/manifest.json")
    assert files(manifest) == [("101", "audio"), ("102", "audio")]
    assert manifest["tracks"]["count"] == 0


def test_raw_mode_goes_on_after_a_restart(stage: Stage) -> None:
    cname = "mode raw restarted"
    recording_id = stage.record(
        cname, mode="raw", clientRequest={"recordingConfig": {"subscribeUidGroup": 1}}
    )
    prefix = f"recordings/{recording_id}/"
    first = stage.until(recording_id, "recording")["attempt"]["sid"]
    eventually(
        lambda: any(first in key and key.endswith(".ts") for key in stage.keys(prefix)),
        "a slice of the first session",
    )
    stage.control("POST", f"/recordings/{first}/crash", {})
    row = stage.await_row(
        recording_id, lambda row: row["attempt"]["number"] == 2 and row["attempt"].get("sid")
    )
    second = row["attempt"]["sid"]
    eventually(
        lambda: any(second in key and key.endswith(".ts") for key in stage.keys(prefix)),
        "a slice of the second session",
    )
    stage.stop(recording_id)
    assert stage.over(recording_id)["status"] == "completed"
    manifest = stage.read_json(f"{prefix}manifest.json")
    assert [len(each["playlists"]) for each in manifest["tracks"]["items"]] == [2, 2]
    playlist = stage.api.call("GET", f"/recordings/{recording_id}/playlist?uid=101").body
    assert playlist.count("#EXT-X-DISCONTINUITY") >= 1
    assert second in playlist


def test_stranded_files_complete_a_recording_when_they_come(stage: Stage) -> None:
    cname = "mode raw stranded"
    stage.fault({"endpoint": "start", "cname": cname}, {"stranded": {"after_s": 150}})
    recording_id = stage.record(
        cname, mode="raw", clientRequest={"recordingConfig": {"subscribeUidGroup": 1}}
    )
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    stage.await_row(recording_id, lambda row: row.get("upload", {}).get("state") == "stranded")
    assert stage.over(recording_id)["status"] == "completed"
    assert any("come later" in note["text"] for note in stage.notes(recording_id))
    manifest = stage.read_json(f"recordings/{recording_id}/manifest.json")
    assert manifest["verdict"] == "complete"


def test_a_web_page_is_recorded(stage: Stage) -> None:
    manifest = record(stage, "mode web", "web", WEB_PAGE, ".ts")
    assert tracks(manifest) == [("0", "audio_and_video")]


def test_snapshots_alone_make_a_complete_recording(stage: Stage) -> None:
    request = {
        "recordingConfig": {"subscribeUidGroup": 0},
        "snapshotConfig": {"captureInterval": 5, "fileType": ["jpg"]},
    }
    manifest = record(stage, "mode snapshots", "individual", request, ".jpg")
    assert manifest["snapshots"]["count"] >= 1
    assert manifest["tracks"]["count"] == manifest["files"]["count"] == 0


@pytest.mark.parametrize("cname", EXAMPLES)
def test_a_request_that_agora_prints_starts_unchanged(stage: Stage, cname: str) -> None:
    mode, request = EXAMPLES[cname]
    recording_id = stage.record(cname, mode=mode, clientRequest=request)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    row = stage.over(recording_id)
    assert [each["mode"] for each in stage.sessions(cname)] == [mode]
    # Where transcoding is to follow, it is incomplete for a while.
    assert row["status"] in ("completed", "incomplete")
    assert stage.until(recording_id, "completed")["endReason"] == "STOP_REQUESTED"


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_an_official_client_starts_unchanged_and_ends_completed(
    stage: Stage, name: str
) -> None:
    mode, request = BODIES[name]
    recording_id = stage.record(name, mode=mode, clientRequest=request)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    row = stage.over(recording_id)
    assert [each["mode"] for each in stage.sessions(name)] == [mode]
    later = request.get("appsCollection", {}).get("combinationPolicy") == "postpone_transcoding"
    assert row["status"] in (("completed", "incomplete") if later else ("completed",))
    row = stage.until(recording_id, "completed")
    assert row["endReason"] == "STOP_REQUESTED"
    manifest = stage.read_json(f"recordings/{recording_id}/manifest.json")
    assert manifest["verdict"] == "complete"
    # What was asked for is there.
    wanted = set(request.get("recordingFileConfig", {}).get("avFileType", ()))
    assert ("mp4" in wanted or later) == bool(manifest["files"]["count"])
    assert ("snapshotConfig" in request) == bool(manifest["snapshots"]["count"])
    if "hls" in wanted and not later:
        assert manifest["tracks"]["count"]

"""One real recording, from the request to `completed`: everything else in one check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agora_recording.recording.model import TERMINAL
from operate.doctor.check import Check, UnhealthyError
from operate.doctor.patient import PROBE, Patient

_STARTS_S, _ENDS_S = 120.0, 900.0
PAGE = "https://www.agora.io/en/"


def check(seconds: float, page: str = PAGE, channel: str = "") -> Check:
    """Return the check that records for `seconds`: a web page, or a channel with people in it.

    Nobody need be in a channel to record a page. Agora bills the minutes.
    """

    def look(patient: Patient) -> str:
        return _record(
            patient, _request(patient, page, channel), seconds / patient.stack.settings.speed
        )

    return Check(
        "recording",
        "everything that no other check finds",
        'See what happened: make ops ARGS="show …" with its id, and docs/operations.md.',
        look,
        needs=("api", "app id", "uploader", "webhook"),
    )


def _request(patient: Patient, page: str, channel: str) -> dict[str, Any]:
    common: dict[str, Any] = {"restartLimit": 0, "maxDurationSeconds": 3600, "tags": {"by": PROBE}}
    files = {"avFileType": ["hls", "mp4"]}
    if channel:
        return {**common, "cname": channel, "clientRequest": {"recordingFileConfig": files}}
    recorder = {
        "serviceName": "web_recorder_service",
        "errorHandlePolicy": "error_abort",
        "serviceParam": {
            "url": page,
            "audioProfile": 0,
            "videoWidth": 640,
            "videoHeight": 480,
            "maxRecordingHour": 1,
        },
    }
    request = {
        "extensionServiceConfig": {"extensionServices": [recorder]},
        "recordingFileConfig": files,
    }
    cname = f"{PROBE}-{patient.now_ms()}"
    return {**common, "cname": cname, "mode": "web", "clientRequest": request}


def _record(patient: Patient, request: dict[str, Any], seconds: float) -> str:
    answer = patient.call("POST", "/recordings", request)
    if answer.status != 202:
        raise UnhealthyError(f"The request was answered {answer.status}: {answer.json()}")
    recording_id: str = answer.json()["recordingId"]
    try:
        _await(
            patient,
            recording_id,
            lambda it: it["status"] not in ("requested", "starting"),
            _STARTS_S,
        )
        patient.sleep(seconds)
    finally:
        patient.call("POST", f"/recordings/{recording_id}/stop")
    found = _await(patient, recording_id, lambda it: it["status"] in TERMINAL, _ENDS_S)
    if found["status"] != "completed":
        raise UnhealthyError(
            f"Recording {recording_id} is {found['status']} ({found.get('endReason')}): "
            f"{found.get('reason')}"
        )
    played = _play(patient, recording_id)
    patient.call("DELETE", f"/recordings/{recording_id}")
    return f"Recording {recording_id} was completed; {played} Its files are deleted again."


def _await(
    patient: Patient, recording_id: str, done: Callable[[dict[str, Any]], bool], seconds: float
) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(patient.call("GET", f"/recordings/{recording_id}").json())
        return done(found)

    if not patient.until(look, seconds):
        raise UnhealthyError(
            f"Recording {recording_id} is {found.get('status')} after {seconds:g} s."
        )
    return found


def _play(patient: Patient, recording_id: str) -> str:
    """Open the address of one of its files, as a browser does."""
    listed = patient.call("GET", f"/recordings/{recording_id}/files?limit=100").json()["files"]
    opened = [each for each in listed if each.get("url")]
    if not opened:
        raise UnhealthyError(f"No file of recording {recording_id} has an address.")
    answer = patient.send("GET", opened[0]["url"], None, {})
    if answer.status != 200 or len(answer.body) != opened[0]["bytes"]:
        raise UnhealthyError(f"The address of a file was answered {answer.status}.")
    return f"{len(listed)} files, and their addresses open."

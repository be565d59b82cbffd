"""The shapes of Agora's answers. Source: Agora REST, query-response and stop-response."""

from __future__ import annotations

from typing import Any

from .recordings import Phase, Recording
from .rules import CDN_PUBLISHER, WEB_RECORDER
from .webpage import WebPage


def identity(recording: Recording) -> dict[str, Any]:
    """Return the fields that every answer about a recording has."""
    return {
        "cname": recording.cname,
        "uid": recording.uid,
        "resourceId": recording.resource_id,
        "sid": recording.sid,
    }


def query(recording: Recording) -> dict[str, Any]:
    """Return the answer to `query`."""
    server: dict[str, Any] = {"status": recording.status}
    if recording.web:
        server["extensionServiceState"] = _services(recording, recording.web)
    else:
        if not recording.takes_screenshots:
            server |= _file_list(recording)
        server["sliceStartTime"] = min((t.first_ms for t in recording.tracks), default=0)
    return {**identity(recording), "serverResponse": server}


def stop(recording: Recording) -> dict[str, Any]:
    """Return the answer to a `stop` that waited until the upload was over."""
    status = {"uploadingStatus": recording.uploading_status}
    server: dict[str, Any]
    if recording.web:
        server = {
            "extensionServiceState": [
                {"serviceName": "upload_service", "payload": status},
                _web_recorder(recording, recording.web),
            ]
        }
    elif recording.takes_screenshots:
        server = dict(status)
    else:
        server = {**_file_list(recording), **status}
    return {**identity(recording), "serverResponse": server}


def stop_accepted(recording: Recording) -> dict[str, Any]:
    """Return the answer to a `stop` that did not wait for the upload: its state is unknown.

    Unless the plan says that it is known already that files are stranded.
    """
    status = "stranded" if recording.is_known_to_strand else "unknown"
    return {**identity(recording), "serverResponse": {"uploadingStatus": status}}


def old(body: Any) -> Any:
    """Return an answer in the form before 2020: numbers and booleans are strings."""
    if isinstance(body, dict):
        return {
            {"fileName": "filename"}.get(key, key): value if key == "code" else old(value)
            for key, value in body.items()
        }
    if isinstance(body, list):
        return [old(one) for one in body]
    if isinstance(body, bool):
        return "true" if body else "false"
    return str(body) if isinstance(body, int) else body


def _file_list(recording: Recording) -> dict[str, Any]:
    if recording.mode == "mix" and not recording.makes_mp4:
        first = next(recording.tracks, None)
        name = recording.listed(first.playlist) if first else ""
        return {"fileListMode": "string", "fileList": name}
    return {"fileListMode": "json", "fileList": recording.files()}


def _services(recording: Recording, page: WebPage) -> list[dict[str, Any]]:
    services = [_web_recorder(recording, page)]
    if page.cdn:
        outputs = [{"rtmpUrl": url, "status": status} for url, status in page.cdn.items()]
        services.append(
            {
                "serviceName": CDN_PUBLISHER,
                "payload": {"outputs": outputs, "state": _state(recording)},
            }
        )
    return services


def _web_recorder(recording: Recording, page: WebPage) -> dict[str, Any]:
    return {
        "serviceName": WEB_RECORDER,
        "payload": {
            "fileList": recording.web_files(),
            "onhold": page.onhold,
            "state": _state(recording),
        },
    }


def _state(recording: Recording) -> str:
    if recording.phase in (Phase.LEAVING, Phase.ENDED):
        return "exit"
    return "init" if recording.status < 4 else "inProgress"

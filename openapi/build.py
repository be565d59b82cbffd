"""The OpenAPI 3.1 document of the HTTP API, made from the types that the rooms themselves use.

`python -m agora_recording.openapi FILE…` writes it; a test holds the files in the repository
against it. No room imports this module: the one that serves the document has it as a file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import msgspec

from agora_recording.agora.requests import ClientRequest, Layout, UpdateFields
from agora_recording.api import (
    create_recording,
    get_recording_events,
    get_recording_files,
    get_recordings,
)
from agora_recording.api.gateway import MAX_BODY_BYTES
from agora_recording.aws.signing import MAX_EXPIRES_S
from agora_recording.recording.model import Status
from agora_recording.recording.view import RecordingView
from agora_recording.refusals import title
from agora_recording.request import limits
from agora_recording.request.recording import RecordingRequest

Json = dict[str, Any]

_DESCRIPTION = """\
Records Agora channels and web pages into S3, and watches over them until every file is there.

Requests are signed with AWS Signature Version 4 (service `execute-api`). Errors are problem+json
(RFC 9457) with one sentence that says what to change. Query parameters that a GET does not have are
refused. What has no value is left out of an answer, never null; fields may be added. All
instants are UTC.
"""

# --- what has no type of its own, since it is read or written field by field ---------------------


class ProblemItem(msgspec.Struct):
    """One thing that is wrong, or perhaps not meant: where, and the rule."""

    path: str
    rule: str


class Problem(msgspec.Struct, kw_only=True):
    """Why a request was not done (RFC 9457); `detail` is the sentence for people."""

    type: str
    title: str
    status: int
    detail: str
    problems: list[ProblemItem] | msgspec.UnsetType = msgspec.UNSET


class GatewayMessage(msgspec.Struct):
    """What API Gateway itself says when it does not let a request through."""

    message: str | msgspec.UnsetType = msgspec.UNSET


class CreateRecording(RecordingRequest, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to record. `clientRequest` is Agora's own object, without storageConfig."""


class WarnedRecordingView(
    RecordingView, kw_only=True, frozen=True, omit_defaults=True, rename="camel"
):
    """The recording, and what of the request was passed on but is perhaps not meant."""

    warnings: list[ProblemItem] | msgspec.UnsetType = msgspec.UNSET


class RecordingsView(msgspec.Struct, kw_only=True):
    """A page of recordings, newest first. It may be short, even empty, and yet have a cursor."""

    recordings: list[RecordingView]
    cursor: str | msgspec.UnsetType = msgspec.UNSET


class Stored(msgspec.Struct):
    """The notification is durable; `stored` is false for one that was stored before."""

    stored: bool


_TYPES = (
    ClientRequest,
    CreateRecording,
    UpdateFields,
    Layout,
    RecordingView,
    WarnedRecordingView,
    RecordingsView,
    get_recording_files.FilesView,
    get_recording_events.EventsView,
    Problem,
    GatewayMessage,
    Stored,
)


# --- schemas ------------------------------------------------------------------------------------


def schemas() -> Json:
    """Return the schema of every type, by its name without `View`."""
    _, found = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    named = {_name(name): _tidy(schema) for name, schema in found.items()}
    return dict(sorted(named.items()))


def _name(name: str) -> str:
    return name.removesuffix("View")


def _tidy(schema: Any) -> Any:
    """Return a schema in which what is optional is absent, never null, and names have no `View`."""
    if isinstance(schema, list | tuple):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidy(each) for name, each in schema.items()}
    if tidy.get("default", 0) is None:
        del tidy["default"]
        choices = [each for each in tidy.pop("anyOf", ()) if each != {"type": "null"}]
        if len(choices) == 1:
            tidy = {**choices[0], **tidy}
        elif choices:
            tidy["anyOf"] = choices
    for name in ("$ref", "title"):
        if isinstance(tidy.get(name), str):
            tidy[name] = _name(tidy[name])
    return tidy


def _ref(name: str, kind: str = "schemas") -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


# --- examples -----------------------------------------------------------------------------------

_ID = "01KAGV2M8Z5N3Q7R9T1W4X6Y8A"
_SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"
_PREFIX = f"recordings/{_ID}/"
_STEM = f"{_PREFIX}{_SID}_daily-standup"

RECORDING: Json = {
    "recordingId": _ID,
    "status": "recording",
    "cname": "daily-standup",
    "uid": "4200000017",
    "mode": "mix",
    "sid": _SID,
    "attempts": [
        {
            "number": 1,
            "uid": "4200000017",
            "sid": _SID,
            "begunAt": "2026-11-20T08:00:00.310Z",
            "startedAt": "2026-11-20T08:00:01.120Z",
        }
    ],
    "createdAt": "2026-11-20T08:00:00.000Z",
    "startedAt": "2026-11-20T08:00:06.400Z",
    "upload": {"state": "uploading", "progress": 9800},
    "maxDurationSeconds": 14400,
    "restartLimit": 3,
    "tags": {"team": "platform"},
    "prefix": _PREFIX,
}
_REQUESTED = {
    **{name: RECORDING[name] for name in ("recordingId", "cname", "mode", "createdAt")},
    "status": "requested",
    "attempts": [],
    "upload": {},
    "maxDurationSeconds": 14400,
    "restartLimit": 3,
    "tags": {"team": "platform"},
    "prefix": _PREFIX,
}
_CREATE_MIX: Json = {
    "cname": "daily-standup",
    "mode": "mix",
    "clientRequest": {
        "recordingConfig": {
            "channelType": 1,
            "streamTypes": 2,
            "maxIdleTime": 300,
            "transcodingConfig": {"width": 1280, "height": 720, "fps": 15, "bitrate": 1130},
        },
        "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
    },
    "maxDurationSeconds": 7200,
    "tags": {"team": "platform"},
}
_CREATE_WEB: Json = {
    "cname": "product-tour",
    "mode": "web",
    "clientRequest": {
        "extensionServiceConfig": {
            "errorHandlePolicy": "error_abort",
            "extensionServices": [
                {
                    "serviceName": "web_recorder_service",
                    "errorHandlePolicy": "error_abort",
                    "serviceParam": {
                        "url": "https://example.com/tour",
                        "audioProfile": 0,
                        "videoWidth": 1280,
                        "videoHeight": 720,
                        "maxRecordingHour": 2,
                    },
                }
            ],
        }
    },
}
_SUBSCRIBE: Json = {
    "streamSubscribe": {
        "audioUidList": {"subscribeAudioUids": ["#allstream#"]},
        "videoUidList": {"subscribeVideoUids": ["101", "102"]},
    }
}
_LAYOUT: Json = {
    "mixedVideoLayout": 3,
    "backgroundColor": "#101820",
    "layoutConfig": [
        {"uid": "101", "x_axis": 0.0, "y_axis": 0.0, "width": 0.5, "height": 1.0},
        {"uid": "102", "x_axis": 0.5, "y_axis": 0.0, "width": 0.5, "height": 1.0},
    ],
}
_NO_GAPS: Json = {"count": 0, "durationMs": 0, "items": []}
FILES: Json = {
    "recordingId": _ID,
    "status": "completed",
    "source": "manifest",
    "verdict": "complete",
    "generatedAt": "2026-11-20T09:00:31.000Z",
    "urlsExpireAt": "2026-11-20T09:15:00.000Z",
    "manifestUrl": f"https://bucket.s3.eu-west-1.amazonaws.com/{_PREFIX}manifest.json?X-Amz-…",
    "upload": {
        "state": "uploaded",
        "progress": 10000,
        "verdict": "complete",
        "files": 3,
        "bytes": 8123456,
        "durationMs": 30040,
        "manifest": f"{_PREFIX}manifest.json",
    },
    "totals": {
        "objects": 3,
        "bytes": 8123456,
        "durationMs": 30040,
        "startedAt": "2026-11-20T08:00:06.400Z",
        "endedAt": "2026-11-20T08:00:36.440Z",
    },
    "gaps": _NO_GAPS,
    "findings": {"count": 0, "items": []},
    "snapshots": {"count": 0, "bytes": 0},
    "tracks": {
        "count": 1,
        "items": [
            {
                "uid": "0",
                "trackType": "audio_and_video",
                "segmentCount": 2,
                "bytes": 8123200,
                "durationMs": 30040,
                "gaps": _NO_GAPS,
            }
        ],
    },
    "files": [
        {
            "key": f"{_STEM}_20261120080006400.ts",
            "kind": "segment",
            "bytes": 4061600,
            "etag": "9b2cf535f27731c974343645a3985328",
            "contentType": "video/MP2T",
            "uid": "0",
            "trackType": "audio_and_video",
            "durationMs": 15020,
            "startedAt": "2026-11-20T08:00:06.400Z",
            "url": f"https://bucket.s3.eu-west-1.amazonaws.com/{_STEM}_20261120080006400.ts?X-Amz-…",
        }
    ],
}
EVENTS: Json = {
    "events": [
        {
            "at": "2026-11-20T08:00:01.120Z",
            "source": "stack",
            "kind": "started",
            "text": "Agora started the session.",
            "data": {"sid": _SID},
        },
        {
            "at": "2026-11-20T08:00:05.981Z",
            "source": "agora",
            "kind": "recorder_started",
            "text": "The recorder started.",
            "data": {"eventType": 40, "sid": _SID, "uid": "4200000017", "sequence": 1},
        },
    ]
}
_PLAYLIST = f"""\
#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:16
#EXT-X-MEDIA-SEQUENCE:0
#EXTINF:15.020,
https://bucket.s3.eu-west-1.amazonaws.com/{_STEM}_20261120080006400.ts?X-Amz-…
#EXT-X-ENDLIST
"""


# --- answers ------------------------------------------------------------------------------------


def _problem(status: HTTPStatus, description: str, detail: str, **more: Any) -> Json:
    example = {"type": "about:blank", "title": title(status), "status": status.value}
    answer: Json = {
        "description": description,
        "content": {
            "application/problem+json": {
                "schema": _ref("Problem"),
                "example": {**example, "detail": detail, **more},
            }
        },
    }
    return answer


def _gateway(description: str, message: str) -> Json:
    content = {"schema": _ref("GatewayMessage"), "example": {"message": message}}
    return {"description": description, "content": {"application/json": content}}


def _either(description: str, *answers: Json) -> Json:
    """Return one of several answers, which differ in their media types."""
    contents = {kind: each for answer in answers for kind, each in answer["content"].items()}
    return {"description": description, "content": contents}


def _later(answer: Json) -> Json:
    return {**answer, "headers": {"Retry-After": _ref("RetryAfter", "headers")}}


_RESPONSES: dict[str, tuple[HTTPStatus, Json]] = {
    "Invalid": (
        HTTPStatus.BAD_REQUEST,
        _problem(
            HTTPStatus.BAD_REQUEST,
            "Something in the request breaks a rule; `problems` has every single one.",
            "clientRequest.recordingConfig.maxIdleTime: must be a whole number from 5 to 2592000.",
            problems=[
                {
                    "path": "clientRequest.recordingConfig.maxIdleTime",
                    "rule": "must be a whole number from 5 to 2592000",
                }
            ],
        ),
    ),
    "Unsigned": (
        HTTPStatus.FORBIDDEN,
        _gateway("The signature or the right to call this is missing.", "Forbidden"),
    ),
    "NotFound": (
        HTTPStatus.NOT_FOUND,
        _problem(HTTPStatus.NOT_FOUND, "There is no such thing.", f"There is no recording {_ID}."),
    ),
    "Conflict": (
        HTTPStatus.CONFLICT,
        _later(
            _problem(
                HTTPStatus.CONFLICT,
                "The recording's status does not allow it. With Retry-After: not just now.",
                "A recording can be changed while its status is recording; it is uploading.",
            )
        ),
    ),
    "TooLarge": (
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        _either(
            f"The body is larger than {MAX_BODY_BYTES} bytes; above 10 MB, API Gateway says so.",
            _problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "",
                f"The body is larger than {MAX_BODY_BYTES} bytes.",
            ),
            _gateway("", "Request Too Long"),
        ),
    ),
    "Refused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        _problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "Agora will not do it as it is; the sentence has Agora's own reason.",
            "Agora updateLayout: the layout is wrong (HTTP 400, code 1028).",
        ),
    ),
    "KeyReused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        _problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The Idempotency-Key was used for another request, or its recording was deleted.",
            "This Idempotency-Key was used for another request; use a new key for a new one.",
        ),
    ),
    "Throttled": (
        HTTPStatus.TOO_MANY_REQUESTS,
        _gateway("More requests than the stage allows.", "Too Many Requests"),
    ),
    "Failed": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        _problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "Something failed that the caller cannot help.",
            "Something failed on our side; in the logs it is request 6f1c….",
        ),
    ),
    "Broken": (
        HTTPStatus.BAD_GATEWAY,
        _gateway("The function ended without an answer.", "Internal server error"),
    ),
    "Unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        _later(
            _problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Not now; the same request may work after Retry-After seconds.",
                "Agora's requests are booked for the next 5.2 s.",
            )
        ),
    ),
    "TooSlow": (
        HTTPStatus.GATEWAY_TIMEOUT,
        _gateway(
            "No answer within 29 s. What was asked for may still be done: ask again.",
            "Endpoint request timed out",
        ),
    ),
}
# What any signed call may be answered with, whatever it asks for.
_ALWAYS = ("Unsigned", "Throttled", "Failed", "Broken", "Unavailable", "TooSlow")

_HEADERS: Json = {
    "RetryAfter": {
        "description": "Seconds after which the same request may work.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Location": {
        "description": "Where the recording is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "PreferenceApplied": {
        "description": "The wait that was applied: `wait=20` at most.",
        "schema": {"type": "string"},
    },
}


def _answer(
    description: str, schema: str, examples: Mapping[str, Json], headers: Sequence[str] = ()
) -> Json:
    content = {
        "schema": _ref(schema),
        "examples": {name: {"value": value} for name, value in examples.items()},
    }
    answer: Json = {"description": description, "content": {"application/json": content}}
    if headers:
        names = {"RetryAfter": "Retry-After", "PreferenceApplied": "Preference-Applied"}
        answer["headers"] = {names.get(each, each): _ref(each, "headers") for each in headers}
    return answer


def _body(description: str, schema: str, examples: Mapping[str, Json]) -> Json:
    return {
        "description": f"{description} At most {MAX_BODY_BYTES} bytes.",
        "required": True,
        "content": {
            "application/json": {
                "schema": _ref(schema),
                "examples": {name: {"value": value} for name, value in examples.items()},
            }
        },
    }


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _whole(low: int, high: int, default: int) -> Json:
    return {"type": "integer", "minimum": low, "maximum": high, "default": default}


def _operation(
    name: str, summary: str, answers: Mapping[str, Json], errors: Sequence[str], **more: Any
) -> Json:
    """Return an operation: its own answers by status, and the shared ones by name."""
    shared = {
        str(_RESPONSES[each][0].value): _ref(each, "responses") for each in (*errors, *_ALWAYS)
    }
    return {
        "operationId": name,
        "summary": summary,
        **more,
        "responses": dict(sorted({**answers, **shared}.items())),
    }


# --- the routes ---------------------------------------------------------------------------------

_CURSOR = _query("cursor", "The `cursor` of the page before.", {"type": "string"})
_RECORDING_ID = _ref("recordingId", "parameters")
_INSTANT = {"type": "string", "format": "date-time"}
_EXPIRES = _query(
    "expires",
    "How long the addresses are good for, in seconds. They end sooner when the credentials of the "
    "function that signed them do.",
    _whole(1, MAX_EXPIRES_S, get_recording_files.DEFAULT_EXPIRES_S),
)


def paths() -> Json:
    """Return every route."""
    return {
        "/recordings": {"post": _create(), "get": _list()},
        "/recordings/{recordingId}": {
            "parameters": [_RECORDING_ID],
            "get": _operation(
                "getRecording",
                "One recording",
                {"200": _answer("The recording.", "Recording", {"recording": RECORDING})},
                ["NotFound", "Invalid"],
            ),
            "patch": _operation(
                "updateRecording",
                "Change subscriptions, pause or resume a page, change CDN outputs",
                {
                    "200": _answer(
                        "Agora has accepted it; it also holds after a restart.",
                        "WarnedRecording",
                        {"recording": RECORDING},
                    )
                },
                ["Invalid", "NotFound", "Conflict", "TooLarge", "Refused"],
                description="Updates of one recording are passed on one after the other.",
                requestBody=_body(
                    "What is to hold from now on.",
                    "UpdateFields",
                    {
                        "subscribe": _SUBSCRIBE,
                        "pause": {"webRecordingConfig": {"onhold": True}},
                        "cdn": {
                            "rtmpPublishConfig": {
                                "outputs": [{"rtmpUrl": "rtmps://live.example.com/app/key"}]
                            }
                        },
                    },
                ),
            ),
            "delete": _delete(),
        },
        "/recordings/{recordingId}/layout": {
            "parameters": [_RECORDING_ID],
            "put": _operation(
                "updateLayout",
                "Replace the layout of a mix recording",
                {
                    "200": _answer(
                        "Agora has accepted it; it also holds after a restart.",
                        "WarnedRecording",
                        {"recording": RECORDING},
                    )
                },
                ["Invalid", "NotFound", "Conflict", "TooLarge", "Refused"],
                description="What is left out goes back to Agora's default.",
                requestBody=_body("The whole layout.", "Layout", {"sideBySide": _LAYOUT}),
            ),
        },
        "/recordings/{recordingId}/stop": {
            "parameters": [_RECORDING_ID],
            "post": _operation(
                "stopRecording",
                "Stop a recording",
                {
                    "202": _answer(
                        "It will stop, or has stopped already.",
                        "Recording",
                        {
                            "recording": {
                                **RECORDING,
                                "stopReason": "STOP_REQUESTED",
                            }
                        },
                    )
                },
                ["NotFound", "Invalid"],
                description="Twice is the same as once.",
            ),
        },
        "/recordings/{recordingId}/files": {"parameters": [_RECORDING_ID], "get": _files()},
        "/recordings/{recordingId}/playlist": {
            "parameters": [_RECORDING_ID],
            "get": _playlist(),
        },
        "/recordings/{recordingId}/events": {
            "parameters": [_RECORDING_ID],
            "get": _operation(
                "getRecordingEvents",
                "The timeline: Agora's notifications, queries, decisions",
                {"200": _answer("What happened, in order of time.", "Events", {"page": EVENTS})},
                ["Invalid", "NotFound"],
                parameters=[
                    _query(
                        "limit",
                        "How many at most.",
                        _whole(
                            1, get_recording_events.MAX_LIMIT, get_recording_events.DEFAULT_LIMIT
                        ),
                    ),
                    _CURSOR,
                ],
            ),
        },
        "/notifications": {"post": _notifications()},
        "/openapi.json": {
            "get": _operation(
                "getOpenApi",
                "This document",
                {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
                [],
            )
        },
    }


def _create() -> Json:
    return _operation(
        "createRecording",
        "Record a channel or a page",
        {
            "202": _answer(
                "It will be recorded. With `Prefer: wait` the status may be further on.",
                "WarnedRecording",
                {"requested": _REQUESTED, "waited": RECORDING},
                ["Location", "PreferenceApplied"],
            )
        },
        ["Invalid", "TooLarge", "KeyReused"],
        parameters=[
            _header(
                "Idempotency-Key",
                "The same key within seven days gives the same recording.",
                {"type": "string", "minLength": 1, "maxLength": create_recording.KEY_LENGTH},
            ),
            _header(
                "Prefer",
                f"`wait=N` holds the answer for up to N seconds ({create_recording.MAX_WAIT_S} at "
                "most), until it is recording or failed (RFC 7240).",
                {"type": "string"},
            ),
        ],
        requestBody=_body(
            "What to record.", "CreateRecording", {"mix": _CREATE_MIX, "web": _CREATE_WEB}
        ),
    )


def _list() -> Json:
    return _operation(
        "listRecordings",
        "Recordings, newest first",
        {"200": _answer("A page.", "Recordings", {"page": {"recordings": [RECORDING]}})},
        ["Invalid"],
        parameters=[
            _query("status", "Only of this status.", _ref("Status")),
            _query(
                "cname",
                "Only of this channel.",
                {"type": "string", "minLength": 1, "maxLength": limits.MAX_CNAME_BYTES},
            ),
            _query(
                "limit",
                "How many at most.",
                _whole(1, get_recordings.MAX_LIMIT, get_recordings.DEFAULT_LIMIT),
            ),
            _CURSOR,
        ],
    )


def _delete() -> Json:
    going_on = {
        **RECORDING,
        "status": "completed",
        "endedAt": "2026-11-20T08:30:00.000Z",
        "deletingAt": "2026-12-01T10:00:00.000Z",
    }
    return _operation(
        "deleteRecording",
        "Delete an ended recording: every version of its files, and all that is known of it",
        {
            "202": _answer(
                "There was not enough time: send the same request again.",
                "Recording",
                {"goingOn": going_on},
                ["RetryAfter"],
            ),
            "204": {"description": "It is gone."},
        },
        ["NotFound", "Invalid", "Conflict"],
    )


def _files() -> Json:
    return _operation(
        "getRecordingFiles",
        "The files of a recording, with addresses to download them from",
        {"200": _answer("What there is, a page at a time.", "Files", {"page": FILES})},
        ["Invalid", "NotFound", "Conflict"],
        description="Of a recording that goes on: what is in the bucket so far.",
        parameters=[
            _query(
                "limit",
                "How many files at most.",
                _whole(1, get_recording_files.MAX_LIMIT, get_recording_files.DEFAULT_LIMIT),
            ),
            _EXPIRES,
            _CURSOR,
        ],
    )


def _playlist() -> Json:
    return _operation(
        "getPlaylist",
        "An HLS playlist that plays the private recording as it is",
        {
            "200": {
                "description": "Its segments are signed addresses. No ENDLIST while it grows.",
                "content": {
                    "application/vnd.apple.mpegurl": {
                        "schema": {"type": "string"},
                        "example": _PLAYLIST,
                    }
                },
            }
        },
        ["Invalid", "NotFound", "Conflict"],
        description=(
            "One track, over all restarts and failovers. A playlist of more than 5 MB is refused "
            "(400): ask for a window of it."
        ),
        parameters=[
            _query("uid", "Whose track; may be left out where there is one.", {"type": "string"}),
            _query(
                "track",
                "Which track; may be left out where there is one.",
                {"enum": list(get_recording_files.TRACK_TYPES)},
            ),
            _query("from", "Only what is later.", _INSTANT),
            _query("to", "Only what is earlier.", _INSTANT),
            _EXPIRES,
        ],
    )


def _notifications() -> Json:
    signature = {"type": "string", "pattern": "^[0-9a-fA-F]+$"}
    return _operation(
        "receiveNotification",
        "Agora's webhook",
        {
            "200": _answer("It is durable.", "Stored", {"new": {"stored": True}}),
            "401": _problem(
                HTTPStatus.UNAUTHORIZED,
                "It is not Agora's, or too old.",
                "the request carries no signature",
            ),
            "413": _problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "It is too large for any notification of Agora's.",
                "the body is larger than 65536 bytes",
            ),
        },
        [],
        security=[],
        parameters=[
            _header("Agora-Signature-V2", "HMAC-SHA256 of the body, in hex.", signature),
            _header("Agora-Signature", "HMAC-SHA1 of the body; counts without V2.", signature),
        ],
        requestBody={
            "description": "A notification, as Agora sends it.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
    )


def document() -> Json:
    """Return the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Agora Recording", "version": "1", "description": _DESCRIPTION},
        "servers": [
            {
                "url": "https://{apiId}.execute-api.{region}.amazonaws.com/v1",
                "variables": {
                    "apiId": {"default": "api-id", "description": "Of the stack's REST API."},
                    "region": {"default": "us-east-1"},
                },
            }
        ],
        "security": [{"sigv4": []}],
        "paths": paths(),
        "components": {
            "schemas": {
                **schemas(),
                "Status": _tidy(msgspec.json.schema(cast(Any, Status))),
            },
            "responses": {name: answer for name, (_, answer) in _RESPONSES.items()},
            "parameters": {
                "recordingId": {
                    "name": "recordingId",
                    "in": "path",
                    "required": True,
                    "description": "26 characters, sortable by time.",
                    "schema": {"type": "string", "pattern": "^[0-7][0-9A-HJKMNP-TV-Z]{25}$"},
                    "example": _ID,
                }
            },
            "headers": _HEADERS,
            "securitySchemes": {
                "sigv4": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "description": "AWS Signature Version 4, service execute-api.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }


def written() -> str:
    """Return the document as its file has it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(written())

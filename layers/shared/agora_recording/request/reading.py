"""Reads a request to record: checks it, and fills in defaults for missing fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agora_recording.agora.bodies import split
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.request.check import check_recording
from agora_recording.request.rules import Asked, Mode

_EXPIRY_H = (72, 720)  # Agora's default, and its maximum
_UNLESS_ANY = "unless the token was built for uid 0 (any user of the channel)"


class Limits(NamedTuple):
    """A stack's defaults for a recording, and whether it allows postponed transcoding."""

    max_duration_s: int
    max_idle_time_s: int
    restart_limit: int
    transcodes: bool = False


class CheckedRequest(NamedTuple):
    """A checked request, with its defaults filled in."""

    cname: str
    uid: str | None
    mode: Mode
    client_request: dict[str, Any]
    max_duration_seconds: int
    restart_limit: int
    tags: dict[str, str]
    warnings: tuple[Problem, ...]


def read_request(body: dict[str, Any], limits: Limits) -> CheckedRequest:
    """Return the request. Raises RequestInvalidError with every problem."""
    checked = check_recording(body)
    client_request = body.get("clientRequest", {})
    problems = checked.problems
    if not limits.transcodes:
        problems += tuple(_transcoding_problems(client_request))
    if problems:
        raise RequestInvalidError(problems)
    uid, mode = body.get("uid"), body.get("mode", "mix")
    duration_s = body.get("maxDurationSeconds", limits.max_duration_s)
    restarts = body.get("restartLimit", limits.restart_limit)
    return CheckedRequest(
        cname=body["cname"],
        uid=uid,
        mode=mode,
        client_request=with_defaults(
            mode, client_request, max_idle_time_s=limits.max_idle_time_s, max_duration_s=duration_s
        ),
        max_duration_seconds=duration_s,
        restart_limit=restarts,
        tags=body.get("tags", {}),
        warnings=(*checked.warnings, *_token_warnings(mode, client_request, uid, restarts)),
    )


def _transcoding_problems(client_request: object) -> list[Problem]:
    """Return a problem if postponed work is asked of a stack whose keys cannot read."""
    if not isinstance(client_request, Mapping) or "transcodeOptions" not in client_request:
        return []
    rule = "needs a stack with PostponedTranscoding true: Agora must read its own uploads"
    return [Problem("clientRequest.transcodeOptions", rule)]


def _token_warnings(
    mode: Mode, client_request: Mapping[str, Any], uid: str | None, restarts: int
) -> list[Problem]:
    """Return warnings: a token is usually for one uid, so not every attempt may get in."""
    if mode == "web" or not client_request.get("token"):  # a web page is not in the channel
        return []
    warnings = []
    if uid is None:
        rule = "is not given, and the stack chooses one: give the uid that the token is for"
        warnings.append(Problem("uid", f"{rule}, {_UNLESS_ANY}"))
    if restarts:
        rule = f"is {restarts}, and each restart takes a new uid: set it to 0"
        warnings.append(Problem("restartLimit", f"{rule}, {_UNLESS_ANY}"))
    return warnings


def with_defaults(
    mode: str,
    client_request: Mapping[str, Any],
    *,
    max_duration_s: float,
    max_idle_time_s: int = 300,
) -> dict[str, Any]:
    """Return a checked clientRequest with defaults for the fields that the caller left out.

    These are maxIdleTime, because Agora's 30 s would end a recording in a short pause; channelType,
    which Agora requires and whose default is 0; resourceExpiredHour, so that a recording can be
    stopped until an hour after its maximum duration; the scene that the mode implies. A given
    startParameter stays equal to the start fields.
    """
    asked = Asked.of(mode, client_request)
    filled = dict(client_request)
    if mode != "web":
        given = asked.recording
        filled["recordingConfig"] = {"channelType": 0, "maxIdleTime": max_idle_time_s, **given}
    least, most = _EXPIRY_H
    hours = int(-(-max_duration_s // 3600)) + 1
    filled.setdefault("resourceExpiredHour", min(max(hours, least), most))
    if mode == "web":
        filled.setdefault("scene", 1)
    elif asked.is_postponed:
        filled.setdefault("scene", 2)
    if "startParameter" in filled:
        filled["startParameter"] = split(filled)[1]
    return filled

"""Reads a request to record: checks it, and fills in defaults for missing fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from agora_recording.agora.bodies import split
from agora_recording.callbacks.address import problem_of
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.request.check import check_recording
from agora_recording.request.conformance import present
from agora_recording.request.recording import RecordingRequest
from agora_recording.request.rules import START_MODES, Asked, Mode, members
from agora_recording.request.times import Times, read_times, time_problems

TakeOverOn = Literal["suspected", "confirmed"]
_EXPIRY_H = (72, 720)  # Agora's default, and its maximum
_TOKEN_H = 24  # Agora docs: tokens, the longest validity
# Agora's `region` for the first part of an AWS region's name.
_GEOGRAPHIES = {"cn": "CN", "ap": "AP", "eu": "EU", "us": "NA", "ca": "NA"}
_UNLESS_ANY = "unless the token was built for uid 0 (any user of the channel)"


class Limits(NamedTuple):
    """A stack's defaults for a recording, and what it allows.

    `transcodes`: whether Agora may read its uploads again, for postponed transcoding. `aws_region`
    is the bucket's; empty if it does not matter. `key_prefix` is what its keys begin with.
    `callback_hosts` are the names that a callbackUrl may have; `callback_loopback` is the origin
    that only the embedded run allows besides.
    """

    max_duration_s: int
    max_idle_time_s: int
    restart_limit: int
    transcodes: bool = False
    aws_region: str = ""
    key_prefix: str = ""
    callback_hosts: frozenset[str] = frozenset()
    callback_loopback: str = ""


class CheckedRequest(NamedTuple):
    """A checked request, with its defaults filled in."""

    cname: str
    uid: str | None
    mode: Mode
    client_request: dict[str, Any]
    max_duration_seconds: int
    restart_limit: int
    take_over: TakeOverOn
    tags: dict[str, str]
    times: Times
    callback_url: str | None
    warnings: tuple[Problem, ...]


def read_request(body: dict[str, Any], limits: Limits, now_ms: int) -> CheckedRequest:
    """Return the request. Raises RequestInvalidError with every problem.

    `now_ms` (epoch) is the present, by which its times are judged.
    """
    checked = check_recording(body)
    body = present(body, RecordingRequest)
    client_request, mode = body.get("clientRequest", {}), body.get("mode", "mix")
    problems = checked.problems
    if not limits.transcodes:
        problems += tuple(_transcoding_problems(mode, client_request))
    times = Times()
    if not problems:
        found: list[Problem] = []
        times = read_times(body, found)
        found = found or time_problems(times, now_ms)
        url = body.get("callbackUrl")
        rule = url is not None and problem_of(url, limits.callback_hosts, limits.callback_loopback)
        if rule:
            found.append(Problem("callbackUrl", rule))
        problems = tuple(found)
    if problems:
        raise RequestInvalidError(problems)
    uid = body.get("uid")
    # Who gives only a stop time wants all of the time until then.
    span_s = _span_s(times, now_ms)
    duration_s = body.get("maxDurationSeconds", max(limits.max_duration_s, span_s))
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
        take_over=body.get("takeOver", "suspected"),
        tags=body.get("tags", {}),
        times=times,
        callback_url=body.get("callbackUrl"),
        warnings=(
            *checked.warnings,
            *_time_warnings(times, client_request, now_ms, is_short=span_s > duration_s),
            *_token_warnings(mode, client_request, uid, restarts, duration_s),
            *_duration_warnings(client_request, duration_s, is_given="maxDurationSeconds" in body),
            *_region_warnings(client_request, limits.aws_region),
        ),
    )


def _span_s(times: Times, now_ms: int) -> int:
    """Return the seconds from the start to the stop time, rounded up; 0 without a stop time."""
    if times.stop_ms is None:
        return 0
    return -(-(times.stop_ms - max(times.start_ms or 0, now_ms)) // 1000)


def _time_warnings(
    times: Times, client_request: Mapping[str, Any], now_ms: int, *, is_short: bool
) -> list[Problem]:
    """Return warnings about times that another field makes useless."""
    found = []
    if is_short:
        rule = "is later than maxDurationSeconds allows, after which the recording is stopped"
        found.append(Problem("stopAt", rule))
    if (times.start_ms or 0) - now_ms > _TOKEN_H * 3_600_000 and client_request.get("token"):
        rule = f"has ended when the recording begins: no token is valid for more than {_TOKEN_H} h"
        found.append(Problem("clientRequest.token", rule))
    return found


def _transcoding_problems(mode: object, client_request: object) -> list[Problem]:
    """Return a problem if postponed work is asked of a stack whose keys cannot read."""
    if not isinstance(client_request, Mapping) or "transcodeOptions" not in client_request:
        return []
    if mode not in START_MODES["transcodeOptions"]:
        return []  # it has no effect, and a warning says so
    rule = (
        "needs the stack's parameter PostponedTranscoding to be true: Agora must read its uploads"
    )
    return [Problem("clientRequest.transcodeOptions", rule)]


def _token_warnings(
    mode: Mode,
    client_request: Mapping[str, Any],
    uid: str | None,
    restarts: int,
    duration_s: int,
) -> list[Problem]:
    """Return warnings: a token ends, and is usually for one uid, so not every attempt gets in.

    The tokens that the stack makes itself have neither limit (agora/mint.py).
    """
    if mode == "web" or not client_request.get("token"):  # a web page is not in the channel
        return []
    warnings = []
    if uid is None:
        rule = "is not given, and the stack chooses one: give the uid that the token is for"
        warnings.append(Problem("uid", f"{rule}, {_UNLESS_ANY}"))
    if restarts:
        rule = f"is {restarts}, and each restart takes a new uid: set it to 0"
        warnings.append(Problem("restartLimit", f"{rule}, {_UNLESS_ANY}"))
    if duration_s > _TOKEN_H * 3600:
        rule = f"is {duration_s}, and a token is valid for {_TOKEN_H} hours at the longest"
        more = "when it ends, Agora stops recording, and a restart has no other token; leave the"
        more += " token out if Agora's secret has the App Certificate: the stack then makes tokens"
        warnings.append(Problem("maxDurationSeconds", f"{rule}: {more}"))
    return warnings


def _duration_warnings(
    client_request: Mapping[str, Any], duration_s: int, *, is_given: bool
) -> list[Problem]:
    """Return warnings about limits of Agora's that end a recording before its longest duration.

    `is_given`: the caller named the longest duration; else it is the stack's default.
    """
    found = []
    expiry_h = client_request.get("resourceExpiredHour")
    if expiry_h is not None and expiry_h * 3600 <= duration_s:
        rule = f"is not longer than the longest duration of {duration_s} s, and after it Agora does"
        more = "not stop a recording: so it is stopped before. Leave it out, or give more hours"
        found.append(Problem("clientRequest.resourceExpiredHour", f"{rule} {more}"))
    for index, service in enumerate(Asked.of("web", client_request).services):
        hours = members(service.get("serviceParam")).get("maxRecordingHour")
        if is_given and hours is not None and hours * 3600 < duration_s:
            path = f"clientRequest.extensionServiceConfig.extensionServices[{index}].serviceParam"
            rule = f"ends the recording before maxDurationSeconds ({duration_s} s) is over"
            found.append(Problem(f"{path}.maxRecordingHour", rule))
    return found


def _region_warnings(client_request: Mapping[str, Any], aws_region: str) -> list[Problem]:
    """Return a warning if Agora may only use a region in which the bucket is not."""
    region = client_request.get("region")
    if not region or not aws_region or _GEOGRAPHIES.get(aws_region.partition("-")[0]) == region:
        return []
    rule = f"is {region}, and the bucket is in {aws_region}: Agora wants both in the same region"
    return [Problem("clientRequest.region", f"{rule}, otherwise files may be lost")]


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
    stopped until an hour after its maximum duration; the scene that the mode implies. In raw mode,
    streamMode is left out. A given startParameter stays equal to the start fields.
    """
    filled = dict(client_request)
    if mode != "web":
        given = members(client_request.get("recordingConfig"))
        config = {"channelType": 0, "maxIdleTime": max_idle_time_s, **given}
        if mode == "raw":
            config.pop("streamMode", None)  # it does not exist there (Agora: migration to raw)
        filled["recordingConfig"] = config
    least, most = _EXPIRY_H
    hours = int(-(-max_duration_s // 3600)) + 1
    filled.setdefault("resourceExpiredHour", min(max(hours, least), most))
    if mode == "web":
        filled.setdefault("scene", 1)
    elif Asked.of(mode, client_request).is_postponed:
        filled.setdefault("scene", 2)
    if "startParameter" in filled:
        filled["startParameter"] = split(filled)[1]
    return filled

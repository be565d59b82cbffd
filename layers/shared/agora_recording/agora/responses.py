"""Agora's answers, in one shape, whatever spelling they came in.

Agora's pages and its wire disagree, so reading is tolerant: names in any case, `playload` for
`payload`, numbers and truths as strings, `fileList` as a name, an array or nothing, seconds or
milliseconds, bodies wrapped in {"Code": …, "Body": …}, empty bodies and bodies that are no JSON
(Agora REST: responses; Agora docs: query status, response status codes).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, cast

import msgspec

Endpoint = Literal["acquire", "start", "query", "update", "updateLayout", "stop", "ncsIp"]
ENDPOINTS: tuple[Endpoint, ...] = (
    "acquire",
    "start",
    "query",
    "update",
    "updateLayout",
    "stop",
    "ncsIp",
)
UploadingStatus = Literal["uploaded", "backuped", "unknown"]

WEB_RECORDER, RTMP_PUBLISH = "web_recorder_service", "rtmp_publish_service"

_MOST_TEXT = 300  # characters of Agora's words that are kept
_SECONDS_END = 100_000_000_000  # from here on an instant is in milliseconds
_WHOLE = re.compile("[+-]?[0-9]{1,18}")
# An instant that a row can hold and a clock can print: up to the year 9999.
_LAST_MS = 253_402_300_799_999


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded file, as Agora names it; `uid` is "0" where all users are in it."""

    file_name: str
    track_type: str | None = None
    uid: str | None = None
    mixed_all_user: bool | None = None
    is_playable: bool | None = None
    slice_start_time_ms: int | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """One CDN address, and how the pushing goes. The address is a secret: it is not printed."""

    rtmp_url: str
    status: str | None = None

    def __repr__(self) -> str:
        return f"Output(status={self.status!r})"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer says; None is what it does not say.

    `code` is Agora's error code, None in an answer that has none (200 and 0 are none). `status` is
    that of the cloud service, 0 to 8 or 20. Instants are epoch milliseconds. `primary_ips` is None
    unless the answer is a list of addresses in which every entry has one.
    """

    endpoint: str
    cname: str | None = None
    uid: str | None = None
    resource_id: str | None = None
    sid: str | None = None
    code: int | None = None
    reason: str = ""
    status: int | None = None
    files: tuple[File, ...] = ()
    uploading_status: UploadingStatus | None = None
    slice_start_time_ms: int | None = None
    recording_service: str | None = None  # subServiceStatus, older answers
    onhold: bool | None = None
    web_state: str | None = None  # init, inProgress, exit
    rtmp_state: str | None = None
    outputs: tuple[Output, ...] = ()
    primary_ips: tuple[str, ...] | None = None


def decode(endpoint: str, body: bytes | None) -> Answer:
    """Return what an answer's body says. Never raises: what cannot be read is not there."""
    raw = body or b""
    content = _json(raw)
    if not isinstance(content, dict):
        return Answer(endpoint=endpoint, reason=_clipped(raw.decode(errors="replace")))
    outer = _lower(content)
    inner = _members(outer.get("body"))
    top = {**outer, **inner}
    server = _members(top.get("serverresponse"))
    services = [_members(each) for each in _items(server.get("extensionservicestate"))]
    web = _payload(services, WEB_RECORDER)
    rtmp = _payload(services, RTMP_PUBLISH)
    files = [*_files(server.get("filelist"))]
    for service in services:
        files += _files(_payload_of(service).get("filelist"))
    return Answer(
        endpoint=endpoint,
        cname=_text(top.get("cname")),
        uid=_text(top.get("uid")),
        resource_id=_text(top.get("resourceid")),
        sid=_text(top.get("sid")),
        code=_code(top.get("code")),
        reason=_reason(top, server),
        status=_whole(server.get("status")),
        files=tuple(dict.fromkeys(files)),
        uploading_status=_uploading_status(server, services),
        slice_start_time_ms=_instant_ms(server.get("slicestarttime")),
        recording_service=_text(_members(server.get("subservicestatus")).get("recordingservice")),
        onhold=_truth(web.get("onhold")),
        web_state=_text(web.get("state")),
        rtmp_state=_text(rtmp.get("state")),
        outputs=tuple(_outputs(rtmp.get("outputs"))),
        primary_ips=_primary_ips(top),
    )


# --- parts --------------------------------------------------------------------------------------


def _payload(services: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the payload of the service with this name; the first that has one."""
    named = (_payload_of(each) for each in services if each.get("servicename") == name)
    return next((payload for payload in named if payload), {})


def _payload_of(service: dict[str, Any]) -> dict[str, Any]:
    return _members(service.get("payload")) or _members(service.get("playload"))


def _files(file_list: Any) -> Iterator[File]:
    """Yield the files of a `fileList`: a name, an array of objects or of names, or JSON text."""
    if isinstance(file_list, str) and file_list.lstrip().startswith(("[", "{")):
        file_list = _json(file_list.encode(errors="replace"))
    for each in file_list if isinstance(file_list, list) else [file_list]:
        if isinstance(each, str) and each:
            yield File(file_name=each)
        details = _members(each)
        name = _text(details.get("filename"))
        if name:
            yield File(
                file_name=name,
                track_type=_text(details.get("tracktype")),
                uid=_text(details.get("uid")),
                mixed_all_user=_truth(details.get("mixedalluser")),
                is_playable=_truth(details.get("isplayable")),
                slice_start_time_ms=_instant_ms(details.get("slicestarttime")),
            )


def _outputs(outputs: Any) -> Iterator[Output]:
    for each in map(_members, _items(outputs)):
        url = _text(each.get("rtmpurl"))
        if url:
            yield Output(rtmp_url=url, status=_text(each.get("status")))


def _uploading_status(
    server: dict[str, Any], services: list[dict[str, Any]]
) -> UploadingStatus | None:
    said = [server.get("uploadingstatus")]
    said += [_payload_of(each).get("uploadingstatus") for each in services]
    for each in map(_text, said):
        if each:
            known = each.lower() if each.lower() in ("uploaded", "backuped") else "unknown"
            return cast("UploadingStatus", known)
    return None


def _primary_ips(top: dict[str, Any]) -> tuple[str, ...] | None:
    hosts = _members(_members(top.get("data")).get("service")).get("hosts")
    if not isinstance(hosts, list):
        return None
    found = [_text(_first(_members(each), "primaryip", "primary ip")) for each in hosts]
    return None if None in found else tuple(each for each in found if each)


def _reason(top: dict[str, Any], server: dict[str, Any]) -> str:
    """Return Agora's words: they stand in `reason`, in `message`, or deep in an old 404."""
    payload = _members(server.get("payload"))
    for each in (top.get("reason"), top.get("message"), payload.get("message")):
        words = _text(each)
        if words:
            return _clipped(words)
    return ""


def _code(value: Any) -> int | None:
    code = _whole(value)
    return None if code in (0, 200) else code


# --- values -------------------------------------------------------------------------------------


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _lower(value: dict[str, Any]) -> dict[str, Any]:
    """Return the same members under lower-case names; of two that collide, the last that is set."""
    return {name.lower(): each for name, each in value.items() if each is not None}


def _members(value: Any) -> dict[str, Any]:
    """Return an object (or one written as JSON text) with lower-case names; else an empty one."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _json(value.encode(errors="replace"))
    return _lower(value) if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _first(members: dict[str, Any], *names: str) -> Any:
    return next((members[name] for name in names if name in members), None)


def _text(value: Any) -> str | None:
    """Return text that is not empty; a whole number becomes its digits (uid: 123)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**64:
        return str(value)
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        digits = value.strip()
        return int(digits) if _WHOLE.fullmatch(digits) else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**63 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _truth(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, int) and value in (0, 1) else None


def _instant_ms(value: Any) -> int | None:
    """Return an instant in milliseconds; by its size it came in seconds or in milliseconds."""
    instant = _whole(value)
    if instant is None or instant <= 0:
        return None
    instant = instant if instant >= _SECONDS_END else instant * 1000
    return instant if instant <= _LAST_MS else None


def _clipped(text: str) -> str:
    return " ".join(text.split())[:_MOST_TEXT]

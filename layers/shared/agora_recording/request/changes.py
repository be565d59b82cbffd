"""The body of a change to a running recording: taken out of its wrapping, with every stray named.

Agora's own body for update and updateLayout is `{cname, uid, clientRequest}`. The calls of this
bundle take the members of that clientRequest, and understand the whole body too, so that what works
today can be pasted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from agora_recording.agora.requests import ClientRequest, Layout, UpdateFields
from agora_recording.errors import Problem
from agora_recording.request.conformance import MOST_FINDINGS, Checked, child
from agora_recording.request.recording import RecordingRequest
from agora_recording.request.rules import members
from agora_recording.request.times import TIME_FIELDS

WRAPPING = "clientRequest"
_PUT_LAYOUT = "PUT /recordings/{recordingId}/layout"
_UPDATE = UpdateFields.__struct_fields__
_LAYOUT = Layout.__struct_fields__
# Members of an update's fields, and the field that each belongs in.
_INNER = {
    "audioUidList": "streamSubscribe",
    "videoUidList": "streamSubscribe",
    "onhold": "webRecordingConfig",
    "outputs": "rtmpPublishConfig",
}
_AT_START = {*ClientRequest.__struct_fields__, *RecordingRequest.__struct_encode_fields__}
_AT_START -= {*_UPDATE, *_LAYOUT, *TIME_FIELDS, WRAPPING}


class Unwrapped(NamedTuple):
    """The fields of a change, the path of the object that they are in, and what stands beside."""

    fields: Mapping[str, Any]
    path: str = ""
    beside: Mapping[str, Any] = {}


def unwrap(body: Mapping[str, Any]) -> Unwrapped:
    """Return the fields of a change: of the body itself, or of the clientRequest in it."""
    inner = body.get(WRAPPING)
    if not isinstance(inner, dict):
        return Unwrapped(body)
    beside = {name: each for name, each in body.items() if name != WRAPPING}
    return Unwrapped(inner, WRAPPING, beside)


def rewrap(checked: Checked, given: Unwrapped, cname: str) -> Checked:
    """Return what was found in a change's fields with whole paths, and what is found beside them.

    `cname` is the recording's channel.
    """
    problems, warnings = [], []
    for name, each in list(given.beside.items())[:MOST_FINDINGS]:
        here = child("", name)
        if name == "cname" and each != cname:
            problems.append(Problem(here, "is not this recording's channel; leave it out"))
        elif name == "uid":
            rule = "has no effect: the path names the recording, whose uid changes with a restart"
            warnings.append(Problem(here, rule))
        elif name != "cname":
            problems.append(Problem(here, f"must be inside {WRAPPING}, not beside it"))
    return Checked(
        (*problems, *(_inside(given.path, each) for each in checked.problems))[:MOST_FINDINGS],
        (*warnings, *(_inside(given.path, each) for each in checked.warnings)),
    )


def _inside(path: str, found: Problem) -> Problem:
    if not path:
        return found
    inner = "" if found.path == "body" else f".{found.path}"
    return Problem(f"{path}{inner}", found.rule)


def strays(fields: Mapping[str, Any], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Find what cannot change a recording in this call, and say what can.

    `known` are the fields of this call: an update's, or a layout's. What Agora's documents do not
    have is found only if nothing else is there: beside a change, it is passed on with a warning.
    """
    changes = bool(set(fields) & set(known))
    for name, value in fields.items():
        if name in known or name == "storageConfig":
            continue
        words = _meant(name, value, known)
        if words or not changes:
            takes = f"is not a field of this call, which takes {taken(known)}"
            yield child("", name), words or takes


def _meant(name: str, value: object, known: Collection[str]) -> str | None:
    for each in known:
        if each.lower() == name.lower():
            return f"is not a field of this call; did you mean {each}? Upper and lower case matter"
    is_layout = _LAYOUT[0] in known
    if is_layout and name in _UPDATE:
        return "is no field of a layout: send it with PATCH /recordings/{recordingId}"
    if not is_layout and name in _LAYOUT:
        return f"is a field of a layout: send it with {_PUT_LAYOUT}"
    if not is_layout and name in _INNER:
        return f"belongs in {_INNER[name]}"
    inner = members(value)
    config = members(inner.get("transcodingConfig"))
    if set(inner) & set(known):
        return "is not a field of this call: put its fields one level higher, without it"
    if is_layout and set(config) & set(known):
        return "is not a field of this call: send only the fields of its transcodingConfig"
    if name == "transcodingConfig":
        return f"is set at the start; to change the layout, send {_PUT_LAYOUT}"
    if name in _AT_START:
        return f"is set at the start, and cannot be changed later; this call takes {taken(known)}"
    return None


def taken(known: Collection[str]) -> str:
    """Return what a call takes, in words: what changes a recording at Agora, and its times."""
    return ", ".join(known if _LAYOUT[0] in known else (*known, *TIME_FIELDS))

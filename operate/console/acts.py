"""What the console's forms do: each calls the stack's own API, signed with the operator's keys.

So what a form is told is what an app would be told: the API's own problems and warnings. What the
API has no call for (verify, publish again) is done as the operator's commands do it.
"""

from __future__ import annotations

import json
import secrets
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agora_recording.clock import now_ms
from agora_recording.errors import RecordingError, RequestInvalidError
from agora_recording.request.reading import Limits, read_request
from agora_recording.request.rules import MODES
from operate.console.desk import Desk
from operate.doctor.patient import Answer

_DELETE_TRIES = 100  # each deletes for almost half a minute
_HIDDEN = "(the token)"

Json = dict[str, Any]


class Field(NamedTuple):
    """A field of the form: its name, its label, and the paths in the request that it fills."""

    name: str
    label: str
    paths: tuple[str, ...]
    hint: str = ""
    kind: str = "text"
    choices: tuple[tuple[str, str], ...] = ()
    modes: tuple[str, ...] = MODES


_CHANNELS = ("mix", "raw", "individual")
_SERVICE = "clientRequest.extensionServiceConfig"
FIELDS = (
    Field(
        "mode",
        "Mode",
        ("mode",),
        kind="select",
        choices=(
            ("mix", "mix: one film of everybody"),
            ("raw", "raw: files for each user"),
            ("individual", "individual: files for each user, the first version"),
            ("web", "web: a page"),
        ),
    ),
    Field("cname", "Channel", ("cname",), "for a page: any name"),
    Field("url", "Address of the page", (_SERVICE,), "https://…", "url", modes=("web",)),
    Field("uid", "Recorder's uid", ("uid",), "empty: the stack chooses one"),
    Field(
        "token",
        "Token",
        ("clientRequest.token",),
        "if the project wants one; not shown again",
        "password",
        modes=_CHANNELS,
    ),
    Field(
        "channelType",
        "Channel profile",
        ("clientRequest.recordingConfig.channelType",),
        kind="select",
        choices=(("", "Agora's default"), ("0", "communication"), ("1", "live broadcast")),
        modes=_CHANNELS,
    ),
    Field(
        "streamTypes",
        "Record",
        ("clientRequest.recordingConfig.streamTypes",),
        kind="select",
        choices=(("", "Agora's default"), ("0", "audio"), ("1", "video"), ("2", "audio and video")),
        modes=_CHANNELS,
    ),
    Field(
        "subscribeUidGroup",
        "Users at the same time",
        ("clientRequest.recordingConfig.subscribeUidGroup",),
        kind="select",
        choices=(
            ("0", "1 or 2"),
            ("1", "3 to 7"),
            ("2", "8 to 12"),
            ("3", "13 to 17"),
            ("4", "18 to 32"),
            ("5", "33 to 49"),
        ),
        modes=("raw", "individual"),
    ),
    Field(
        "mp4",
        "Also an MP4",
        ("clientRequest.recordingFileConfig",),
        "beside the HLS files",
        "checkbox",
    ),
    Field(
        "maxIdleTime",
        "End when empty for (s)",
        ("clientRequest.recordingConfig.maxIdleTime",),
        "empty: the stack's default",
        "number",
        modes=_CHANNELS,
    ),
    Field(
        "maxDurationSeconds",
        "Stop after (s)",
        ("maxDurationSeconds",),
        "empty: the stack's default",
        "number",
    ),
    Field(
        "restartLimit",
        "Restarts, at most",
        ("restartLimit",),
        "empty: the stack's default",
        "number",
    ),
    Field("tags", "Tags", ("tags",), "one a line: name=value", "textarea"),
    Field(
        "more",
        "More of clientRequest",
        ("clientRequest",),
        "Agora's own object as JSON; it is put over the fields above",
        "textarea",
    ),
)
_NUMBERS = frozenset(
    {
        "channelType",
        "streamTypes",
        "subscribeUidGroup",
        "maxIdleTime",
        "maxDurationSeconds",
        "restartLimit",
    }
)


class Told(NamedTuple):
    """What a form is told: sentences by the name of their field ("" for none)."""

    problems: dict[str, list[str]]
    warnings: dict[str, list[str]]
    curl: str


# --- start --------------------------------------------------------------------------------------


def body_of(form: Mapping[str, str]) -> tuple[Json, dict[str, list[str]]]:
    """Return the request that a form means, and what of the form cannot be read, by field. Pure."""
    unread: dict[str, list[str]] = {}
    given = {name: text.strip() for name, text in form.items() if text.strip()}
    mode = given.get("mode", "mix")
    values: Json = {}
    for field in FIELDS:
        text = given.get(field.name)
        if text is None or mode not in field.modes:
            continue
        if field.name not in _NUMBERS:
            values[field.name] = text
        elif text.lstrip("-").isdecimal() and len(text) < 16:
            values[field.name] = int(text)
        else:
            unread[field.name] = ["must be a whole number"]
    body: Json = {"cname": values.get("cname", ""), "mode": mode}
    for name in ("uid", "maxDurationSeconds", "restartLimit"):
        if name in values:
            body[name] = values[name]
    if "tags" in values:
        body["tags"] = _tags(values["tags"], unread)
    asked = _client_request(mode, values)
    if "more" in values:
        more = _json(values["more"])
        if more is None:
            unread["more"] = ["must be a JSON object"]
        else:
            asked = _over(asked, more)
    if asked:
        body["clientRequest"] = asked
    return body, unread


def _client_request(mode: str, values: Json) -> Json:
    asked: Json = {}
    if "token" in values:
        asked["token"] = values["token"]
    names = ("channelType", "streamTypes", "subscribeUidGroup", "maxIdleTime")
    config = {name: values[name] for name in names if name in values}
    if config:
        asked["recordingConfig"] = config
    if "mp4" in values:
        asked["recordingFileConfig"] = {"avFileType": ["hls", "mp4"]}
    if mode == "web":
        page = {
            "url": values.get("url", ""),
            "audioProfile": 0,
            "videoWidth": 1280,
            "videoHeight": 720,
            "maxRecordingHour": 3,
        }
        service = {"serviceName": "web_recorder_service", "serviceParam": page}
        asked["extensionServiceConfig"] = {"extensionServices": [service]}
    return asked


def _tags(text: str, unread: dict[str, list[str]]) -> dict[str, str]:
    tags: dict[str, str] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, is_pair, value = line.partition("=")
        if not is_pair:
            unread["tags"] = ["must be one a line: name=value"]
        tags[name.strip()] = value.strip()
    return tags


def _json(text: str) -> Json | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _over(under: Json, above: Json) -> Json:
    """Return `under` with the members of `above` put over it."""
    merged = dict(under)
    for name, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _over(merged[name], value) if both else value
    return merged


def check(desk: Desk, form: Mapping[str, str]) -> Told:
    """Return what the API would say to a form, without sending it: the API's own rules."""
    body, unread = body_of(form)
    problems, warnings = dict(unread), dict[str, list[str]]()
    try:
        found = read_request(body, limits(desk), now_ms())
        _place(warnings, [(each.path, each.rule) for each in found.warnings])
    except RequestInvalidError as error:
        _place(problems, [(each.path, each.rule) for each in error.problems])
    return Told(problems, warnings, curl(desk, body))


def limits(desk: Desk) -> Limits:
    """Return the stack's defaults and what it allows, as its parameters say."""
    given = desk.stack.parameters
    return Limits(
        max_duration_s=int(given.get("DefaultMaxDurationSeconds", "14400")),
        max_idle_time_s=int(given.get("DefaultMaxIdleTimeSeconds", "300")),
        restart_limit=int(given.get("DefaultRestartLimit", "3")),
        transcodes=given.get("PostponedTranscoding") == "true",
        aws_region=desk.stack.region,
        key_prefix=given.get("KeyPrefix", ""),
    )


def start(desk: Desk, form: Mapping[str, str]) -> tuple[str, Told]:
    """Ask the API to record; return the recordingId ("" if it refused) and what it told."""
    body, unread = body_of(form)
    if unread:
        return "", check(desk, form)
    # The form's own key: a form that is sent twice makes one recording.
    key = form.get("key") or new_key()
    answer = _call(desk, "POST", "/recordings", body, {"Idempotency-Key": key})
    told = Told({}, {}, curl(desk, body))
    found = answer.json() or {}
    if answer.status == 202:
        _place(told.warnings, _pairs(found.get("warnings")))
        return found["recordingId"], told
    _place(told.problems, _pairs(found.get("problems")) or [("", sentence(answer))])
    return "", told


def new_key() -> str:
    """Return a new Idempotency-Key."""
    return f"console-{secrets.token_urlsafe(12)}"


def _pairs(listed: Sequence[Mapping[str, str]] | None) -> list[tuple[str, str]]:
    return [(each["path"], each["rule"]) for each in listed or ()]


def _place(into: dict[str, list[str]], told: Sequence[tuple[str, str]]) -> None:
    """Put each sentence to the field that its path is about; to none ("") if there is no such."""
    for path, rule in told:
        fitting = [
            (len(own), field.name)
            for field in FIELDS
            for own in field.paths
            if path == own or path.startswith((f"{own}.", f"{own}["))
        ]
        name = max(fitting)[1] if fitting else ""
        is_own = any(path in field.paths for field in FIELDS)
        into.setdefault(name, []).append(rule if is_own else f"{path}: {rule}".lstrip(": "))


def curl(desk: Desk, body: Json) -> str:
    """Return the command that asks for the same. A token is not repeated."""
    asked = dict(body)
    if members := asked.get("clientRequest"):
        asked["clientRequest"] = {
            name: _HIDDEN if name == "token" else value for name, value in members.items()
        }
    service = f"aws:amz:{desk.stack.region}:execute-api"
    return (
        f"curl {shlex.quote(desk.patient.doors.api_url + '/recordings')} \\\n"
        f'  --aws-sigv4 {service} --user "$user" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(asked, ensure_ascii=False))}"
    )


# --- acts upon a recording ----------------------------------------------------------------------


class Done(NamedTuple):
    """Whether an act was done, and a sentence about it."""

    is_done: bool
    words: str
    is_gone: bool = False  # the recording: templates/done.html leads away from it


def stop(desk: Desk, recording_id: str) -> Done:
    """Ask the API to stop a recording."""
    answer = _call(desk, "POST", f"/recordings/{recording_id}/stop")
    if answer.status != 202:
        return Done(False, sentence(answer))
    return Done(True, "It is asked to stop. Its files follow within minutes.")


def change_layout(desk: Desk, recording_id: str, form: Mapping[str, str]) -> Done:
    """Ask the API to replace the layout of a mix recording."""
    text = form.get("more", "").strip()
    layout: Json | None = _json(text) if text else {}
    if layout is None:
        return Done(False, "The layout must be a JSON object.")
    if form.get("mixedVideoLayout"):
        layout.setdefault("mixedVideoLayout", int(form["mixedVideoLayout"]))
    if form.get("backgroundColor"):
        layout.setdefault("backgroundColor", form["backgroundColor"])
    answer = _call(desk, "PUT", f"/recordings/{recording_id}/layout", layout)
    if answer.status >= 300:
        return Done(False, sentence(answer))
    found = answer.json() or {}
    more = "".join(f" {path}: {rule}." for path, rule in _pairs(found.get("warnings")))
    return Done(True, f"Agora has the new layout.{more}")


def verify(desk: Desk, recording_id: str, *, publish: bool) -> Done:
    """Compare the bucket with what should be there; with `publish`, announce the end again."""
    try:
        found = desk.operator.verify(recording_id, publish=publish)
    except RecordingError as error:
        return Done(False, str(error))
    missing = len(found["missing"])
    words = (
        f"Its files are {found['verdict']}: {found['objects']} files, {found['gaps']} gaps, "
        f"{missing or 'none'} missing."
    )
    if publish:
        words += f" Published again; it is {found['status']}."
    return Done(True, words)


def delete(desk: Desk, recording_id: str) -> Done:
    """Delete an ended recording with its files, in as many calls as the API asks for."""
    for _ in range(_DELETE_TRIES):
        answer = _call(desk, "DELETE", f"/recordings/{recording_id}")
        if answer.status == 204:
            return Done(True, "It is deleted, with all its files.", is_gone=True)
        if answer.status != 202:
            return Done(False, sentence(answer))
        desk.patient.sleep(float(answer.headers.get("retry-after", "1")))
    return Done(False, "It is being deleted, and is not gone yet: delete it again.")


def sentence(answer: Answer) -> str:
    """Return what the API says, in one or more sentences."""
    found = answer.json()
    if not isinstance(found, dict):
        return f"The API answered {answer.status}, and nothing that can be read."
    detail = str(
        found.get("detail") or found.get("message") or f"The API answered {answer.status}."
    )
    more = [f"{path}: {rule}." for path, rule in _pairs(found.get("problems"))]
    return " ".join([detail, *more]) if len(more) > 1 else detail


def _call(
    desk: Desk, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Answer:
    return desk.patient.call(method, path, body, headers=headers)

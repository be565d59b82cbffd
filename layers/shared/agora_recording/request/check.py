"""A caller's clientRequest: checked before Agora sees it, and made into the bodies Agora gets.

A caller pastes Agora's own object. It may hold the fields of acquire's clientRequest and those of
start's together; `split` tells them apart. The bundle adds storageConfig, so a caller's is refused.

What one field may hold is in agora/requests.py, the rules between fields are in rules.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agora_recording.agora.bodies import split
from agora_recording.agora.requests import (
    ChannelName,
    ClientRequest,
    Layout,
    StorageConfig,
    TaskName,
    Uid,
    UpdateFields,
)
from agora_recording.request.conformance import Checked, Findings, conform, storable
from agora_recording.request.rules import (
    ADVICE,
    MODES,
    RULES,
    STORAGE_RULE,
    UPDATE_MODES,
    Asked,
    both_lists,
    doubtful_layout,
    doubtful_lists,
    in_other_modes,
    items,
    layout_regions,
    members,
)

_WEB_NAME_BYTES = 1024
_PREFIX_CHARACTERS = 128
_S3_COMPATIBLE = 11
_STS_VENDORS = (1, 2, 3)
_EXPIRY_H = (72, 720)  # Agora's default, and the most


# --- checks -------------------------------------------------------------------------------------


def check(cname: object, uid: object, mode: object, client_request: object) -> Checked:
    """Return everything that is wrong with a request to record, and everything doubtful.

    Takes any JSON values and never raises. `uid` None is no uid: the bundle chooses one.
    """
    found = Findings()
    _check_name(cname, mode, found)
    if uid is not None:
        conform(uid, Uid, "uid", found)
    if mode not in MODES:
        found.problem("mode", f"must be one of {', '.join(MODES)}")
    storable(client_request, "clientRequest", found)
    # startParameter must equal the start fields, so its own fields need no check of their own.
    without = client_request
    if isinstance(client_request, dict):
        without = {name: each for name, each in client_request.items() if name != "startParameter"}
    conform(without, ClientRequest, "clientRequest", found, known=("storageConfig",))
    asked = Asked.of(mode, client_request)
    for rule in RULES:
        for path, words in rule(asked):
            found.problem(f"clientRequest.{path}", words)
    for advice in ADVICE:
        for path, words in advice(asked):
            found.warning(f"clientRequest.{path}", words)
    return found.checked()


def check_update(mode: object, body: object) -> Checked:
    """Return what is wrong with `{streamSubscribe?, webRecordingConfig?, rtmpPublishConfig?}`.

    Takes any JSON value and never raises.
    """
    found = Findings()
    storable(body, "", found)
    conform(body, UpdateFields, "", found, known=("storageConfig",))
    changes = members(body)
    if "storageConfig" in changes:
        found.problem("storageConfig", STORAGE_RULE)
    if isinstance(body, dict) and not changes.keys() & UPDATE_MODES.keys():
        found.problem("", f"must hold at least one of {', '.join(UPDATE_MODES)}")
    for path, words in in_other_modes(mode, changes, UPDATE_MODES):
        found.problem(path, words)
    subscribe = members(changes.get("streamSubscribe"))
    for name in ("audioUidList", "videoUidList"):
        lists = members(subscribe.get(name))
        for path, words in both_lists(lists):
            found.problem(f"streamSubscribe.{name}.{path}", words)
        for path, words in doubtful_lists(lists):
            found.warning(f"streamSubscribe.{name}.{path}", words)
    return found.checked()


def check_layout(mode: object, body: object) -> Checked:
    """Return what is wrong with a new layout (mix only). What it leaves out is reset by Agora.

    Takes any JSON value and never raises.
    """
    found = Findings()
    storable(body, "", found)
    if mode != "mix":
        found.problem("", "only a mix recording has a layout")
    conform(body, Layout, "", found)
    for path, words in layout_regions(members(body)):
        found.problem(path, words)
    for path, words in doubtful_layout(members(body)):
        found.warning(path, words)
    return found.checked()


def check_storage(storage_config: object) -> Checked:
    """Return what is wrong with a storageConfig, the bundle's own or one that Agora was sent."""
    found = Findings()
    conform(storage_config, StorageConfig, "storageConfig", found)
    storage = members(storage_config)
    vendor = storage.get("vendor")
    parts = [each for each in items(storage.get("fileNamePrefix")) if isinstance(each, str)]
    if len("".join(f"{part}/" for part in parts)) > _PREFIX_CHARACTERS:
        rule = f"must be at most {_PREFIX_CHARACTERS} characters, slashes included"
        found.problem("storageConfig.fileNamePrefix", rule)
    if "stsToken" in storage and vendor not in _STS_VENDORS:
        found.problem("storageConfig.stsToken", "is for the vendors 1, 2 and 3")
    params = members(storage.get("extensionParams"))
    for name, vendors in (("sse", (1,)), ("tag", (1, 2)), ("endpoint", (_S3_COMPATIBLE,))):
        if name in params and vendor not in vendors:
            rule = f"is for vendor {' and '.join(map(str, vendors))} only"
            found.problem(f"storageConfig.extensionParams.{name}", rule)
    if vendor == _S3_COMPATIBLE and "endpoint" not in params:
        found.problem("storageConfig.extensionParams.endpoint", "is required with vendor 11")
    return found.checked()


def _check_name(cname: object, mode: object, found: Findings) -> None:
    if mode != "web":
        conform(cname, ChannelName, "cname", found)
        return
    conform(cname, TaskName, "cname", found)
    storable(cname, "cname", found)
    if isinstance(cname, str) and len(cname.encode(errors="surrogatepass")) > _WEB_NAME_BYTES:
        found.problem("cname", f"must be at most {_WEB_NAME_BYTES} bytes in UTF-8")


# --- defaults -----------------------------------------------------------------------------------


def with_defaults(
    mode: str,
    client_request: Mapping[str, Any],
    *,
    max_duration_s: float,
    max_idle_time_s: int = 300,
) -> dict[str, Any]:
    """Return a checked request with what the caller left out, and nothing changed that was set.

    maxIdleTime, since Agora's 30 s end recordings that a pause should not end; channelType, which
    Agora wants and whose default is 0; resourceExpiredHour, so that a recording can be stopped
    until an hour after its longest duration; the scene that the mode implies. startParameter, where
    given, stays equal to the start fields.
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

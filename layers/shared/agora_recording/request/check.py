"""Finds every problem of a caller's request: to record, to update, to change a layout.

A caller pastes Agora's own object. It may hold the fields of acquire's clientRequest and those of
start's together; `agora.bodies.split` separates them. The bundle adds storageConfig, so a caller's
is refused.

What one field may hold is in its type (request/recording.py, agora/requests.py), the rules between
fields are in rules.py.
"""

from __future__ import annotations

from agora_recording.agora.requests import Layout, UpdateFields
from agora_recording.request.conformance import Checked, Findings, conform, storable
from agora_recording.request.limits import MAX_CNAME_BYTES
from agora_recording.request.recording import ChannelRequest, RecordingRequest
from agora_recording.request.rules import (
    ADVICE,
    RULES,
    STORAGE_RULE,
    UPDATE_MODES,
    Asked,
    both_lists,
    doubtful_layout,
    doubtful_lists,
    in_other_modes,
    layout_regions,
    members,
)


def check_recording(body: object) -> Checked:
    """Return the problems and the warnings of a request to record.

    `body` is what a RecordingRequest describes. Takes any JSON value and never raises.
    """
    found = Findings()
    given = members(body)
    mode, client_request = given.get("mode", "mix"), given.get("clientRequest", {})
    storable(client_request, "clientRequest", found)
    typed = body
    if isinstance(body, dict):
        # Two members are left to the rules: startParameter, which must equal the start fields, and
        # storageConfig, which must not be there.
        rest = _without(client_request, "startParameter", "storageConfig")
        typed = {**body, "clientRequest": rest}
    conform(typed, RecordingRequest if mode == "web" else ChannelRequest, "", found)
    if mode == "web":
        _check_name_of_page(given.get("cname"), found)
    asked = Asked.of(mode, client_request)
    for rule in RULES:
        for path, words in rule(asked):
            found.problem(f"clientRequest.{path}", words)
    for advice in ADVICE:
        for path, words in advice(asked):
            found.warning(f"clientRequest.{path}", words)
    return found.checked()


def check_update(mode: object, body: object) -> Checked:
    """Return the problems of `{streamSubscribe?, webRecordingConfig?, rtmpPublishConfig?}`.

    Takes any JSON value and never raises.
    """
    found = Findings()
    storable(body, "", found)
    conform(_without(body, "storageConfig"), UpdateFields, "", found)
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
    """Return the problems of a new layout (mix only). Agora resets fields that it leaves out.

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


def _check_name_of_page(cname: object, found: Findings) -> None:
    """Note a web recording's cname, which may be any text, if it cannot be stored."""
    storable(cname, "cname", found)
    if isinstance(cname, str) and len(cname.encode(errors="surrogatepass")) > MAX_CNAME_BYTES:
        found.problem("cname", f"must be at most {MAX_CNAME_BYTES} bytes in UTF-8")


def _without(value: object, *names: str) -> object:
    """Return an object without some of its members; anything else as it is."""
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name not in names}

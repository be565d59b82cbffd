"""Finds every problem of a caller's request: to record, to update, to change a layout.

A caller pastes Agora's own object. It may hold the fields of acquire's clientRequest and those of
start's together; `agora.bodies.split` separates them. The bundle adds storageConfig, so a caller's
is refused.

What one field may hold is in its type (request/recording.py, agora/requests.py), the rules between
fields are in rules.py.
"""

from __future__ import annotations

from collections.abc import Collection

from agora_recording.agora.requests import Layout, UpdateFields
from agora_recording.request.changes import strays, taken
from agora_recording.request.conformance import Checked, Findings, conform, present, storable
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
    list_names,
    members,
    misplaced_lists,
    whole_body,
)
from agora_recording.request.times import TIME_FIELDS, TimeChanges

_LISTS = {"audioUidList": "Audio", "videoUidList": "Video"}
_PLACES = {
    f"streamSubscribe.{name}.{each}" for name, kind in _LISTS.items() for each in list_names(kind)
}


def check_recording(body: object) -> Checked:
    """Return the problems and the warnings of a request to record.

    `body` is what a RecordingRequest describes. Takes any JSON value and never raises.
    """
    found = Findings()
    body = present(body, RecordingRequest)
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
    body = present(body, UpdateFields)
    storable(body, "", found)
    conform(_without(body, "storageConfig"), UpdateFields, "", found)
    changes = members(body)
    if "storageConfig" in changes:
        found.problem("storageConfig", STORAGE_RULE)
    _check_that_it_changes(body, UPDATE_MODES, found)
    for path, words in in_other_modes(mode, changes, UPDATE_MODES):
        found.problem(path, words)
    for path, words in misplaced_lists(changes, _PLACES):
        found.problem(path, words)
    subscribe = members(changes.get("streamSubscribe"))
    for name, kind in _LISTS.items():
        lists = members(subscribe.get(name))
        if name in subscribe and not lists.keys() & set(list_names(kind)):
            known = ", ".join(list_names(kind))
            found.problem(f"streamSubscribe.{name}", f"must hold one of {known}")
        for path, words in both_lists(lists):
            found.problem(f"streamSubscribe.{name}.{path}", words)
        for path, words in doubtful_lists(lists):
            found.warning(f"streamSubscribe.{name}.{path}", words)
    return found.checked()


def check_times(body: object) -> Checked:
    """Return the problems of `{startAt?, stopAt?}`, without regard to the present.

    Takes any JSON value and never raises.
    """
    found = Findings()
    body = present(body, TimeChanges)
    others = [name for name in members(body) if name not in TIME_FIELDS]
    if others:
        found.problem(
            "",
            "must hold startAt and stopAt alone: send other changes in another request",
        )
    conform(_without(body, *others), TimeChanges, "", found)
    return found.checked()


def check_layout(mode: object, body: object) -> Checked:
    """Return the problems of a new layout (mix only). Agora resets fields that it leaves out.

    Takes any JSON value and never raises.
    """
    found = Findings()
    body = present(body, Layout)
    storable(body, "", found)
    if mode != "mix":
        found.problem("", "only a mix recording has a layout")
    conform(body, Layout, "", found)
    _check_that_it_changes(body, Layout.__struct_fields__, found)
    for path, words in layout_regions(members(body)):
        found.problem(path, words)
    for path, words in doubtful_layout(members(body)):
        found.warning(path, words)
    return found.checked()


def _check_that_it_changes(body: object, fields: Collection[str], found: Findings) -> None:
    """Note a change of a running recording that has no field which changes anything, and fields
    that would change nothing.
    """
    if not isinstance(body, dict):
        return
    if not body:
        found.problem("", f"is empty; it must hold at least one of {taken(fields)}")
    for path, words in whole_body(body):
        found.problem(path, words)
    others = _without(body, "clientRequest")
    for path, words in strays(members(others), fields):
        found.problem(path, words)


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

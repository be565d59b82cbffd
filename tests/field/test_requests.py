"""What callers send: bodies of Agora's clients, of its samples and of production, one row each."""

from __future__ import annotations

from collections.abc import Set
from typing import Any, NamedTuple

import pytest

from agora_recording.agora import bodies
from agora_recording.api.update_recording import with_update
from agora_recording.errors import RequestInvalidError
from agora_recording.request.changes import rewrap, unwrap
from agora_recording.request.check import check_layout, check_update
from agora_recording.request.conformance import Checked
from agora_recording.request.reading import Limits, read_request
from tests.world.clients import BODIES
from tests.world.examples import paths, start
from tests.world.webhook import NOW_MS

Json = dict[str, Any]

GROUP = {"subscribeUidGroup": 0}
RULES = "recordingConfig."
PAGE: Json = {
    "extensionServices": [
        {
            "serviceName": "web_recorder_service",
            "serviceParam": {
                "url": "https://example.com",
                "audioProfile": 0,
                "videoWidth": 1280,
                "videoHeight": 720,
                "maxRecordingHour": 1,
            },
        }
    ]
}


class Start(NamedTuple):
    """A clientRequest, where it was seen, and the fields that must be refused or warned of."""

    source: str
    mode: str
    request: Json
    refused: Set[str] = frozenset()
    warned: Set[str] = frozenset()


def lists(**given: Any) -> Json:
    return {"recordingConfig": {"channelType": 1, **GROUP, **given}}


AUDIO, VIDEO = "subscribeAudioUids", "subscribeVideoUids"
UID_WITHOUT = {f"{RULES}subscribeUidGroup"}

STARTS = [
    # Exclusion lists, in both of Agora's spellings. What Agora ignores records somebody.
    Start("REST page", "individual", lists(unsubscribeAudioUids=["7"], subscribeVideoUids=["1"])),
    Start("Go client", "individual", lists(unSubscribeAudioUids=["7"], subscribeVideoUids=["1"])),
    Start("Java client", "individual", lists(unSubscribeVideoUids=["7"], subscribeAudioUids=["1"])),
    Start(
        "the other medium is not recorded either",
        "individual",
        lists(unSubscribeVideoUids=["7"]),
        warned={f"{RULES}{AUDIO}"},
    ),
    Start(
        "one list for a medium, REST page",
        "individual",
        lists(unSubscribeAudioUids=["7"], subscribeAudioUids=["1"], subscribeVideoUids=["1"]),
        {f"{RULES}unSubscribeAudioUids"},
    ),
    Start(
        "both spellings at once",
        "individual",
        lists(unsubscribeAudioUids=["7"], unSubscribeAudioUids=["8"], subscribeVideoUids=["1"]),
        {f"{RULES}unSubscribeAudioUids"},
    ),
    Start(
        "all three at once",
        "individual",
        lists(
            subscribeVideoUids=["1"],
            unsubscribeVideoUids=["7"],
            unSubscribeVideoUids=["8"],
            subscribeAudioUids=["1"],
        ),
        {f"{RULES}unsubscribeVideoUids", f"{RULES}unSubscribeVideoUids"},
    ),
    Start(
        "no list for a medium that is not subscribed, REST page",
        "individual",
        lists(streamTypes=0, unSubscribeVideoUids=["7"]),
        {f"{RULES}unSubscribeVideoUids"},
    ),
    Start(
        "33 entries",
        "individual",
        lists(unSubscribeAudioUids=[str(uid) for uid in range(1, 34)], subscribeVideoUids=["1"]),
        {f"{RULES}unSubscribeAudioUids"},
    ),
    Start(
        "names of accounts, react-native-agora#755",
        "individual",
        lists(unSubscribeAudioUids=["alice"], subscribeVideoUids=["1"]),
        {f"{RULES}unSubscribeAudioUids[0]"},
    ),
    Start(
        "numbers in a list, react-native-agora#755",
        "individual",
        lists(unSubscribeAudioUids=[7], subscribeVideoUids=["1"]),
        {f"{RULES}unSubscribeAudioUids[0]"},
    ),
    Start(
        "an empty list, REST page advises against it",
        "individual",
        lists(unSubscribeAudioUids=[], subscribeVideoUids=["1"]),
        warned={f"{RULES}unSubscribeAudioUids"},
    ),
    # Fields of acquire.
    Start("all four clients", "mix", {"regionAffinity": 3}),
    Start("there is no region 5", "mix", {"regionAffinity": 5}, {"regionAffinity"}),
    # What Agora calls not applicable.
    Start(
        "Agora's middleware sends it by default",
        "mix",
        {"recordingConfig": {"channelType": 0, "streamMode": "standard"}},
        warned={f"{RULES}streamMode"},
    ),
    Start(
        "production bodies of web recordings",
        "web",
        {"recordingConfig": {"maxIdleTime": 30}, "extensionServiceConfig": PAGE},
        warned={"recordingConfig"},
    ),
    Start(
        "every official client leaves it out",
        "individual",
        {"recordingConfig": {"channelType": 1}},
        warned={f"{RULES}subscribeUidGroup"},
    ),
    Start(
        "individual recording tolerates it",
        "individual",
        {**lists(), "extensionServiceConfig": PAGE},
        warned={"extensionServiceConfig"},
    ),
    Start("the guide of 2026 uses group 5", "individual", lists(subscribeUidGroup=5)),
    Start(
        "documented, strict players want it",
        "mix",
        {"recordingConfig": {"channelType": 1, "privateParams": '{"correctEXTINF":true}'}},
    ),
    Start(
        "known to fail: MP4 alone",
        "mix",
        {"recordingFileConfig": {"avFileType": ["mp4"]}},
        {"recordingFileConfig.avFileType"},
    ),
    Start("known to fail: the scene of another mode", "mix", {"scene": 2}, {"scene"}),
    Start("the caller's storage", "mix", {"storageConfig": {"vendor": 1}}, {"storageConfig"}),
    # Typed clients write null for what was not set.
    Start(
        "a dump of a typed client",
        "mix",
        {
            "token": None,
            "region": None,
            "recordingConfig": {
                "channelType": 1,
                "maxIdleTime": None,
                "subscribeAudioUids": None,
                "unsubscribeAudioUids": None,
                "transcodingConfig": {"width": 640, "height": None, "layoutConfig": None},
            },
            "recordingFileConfig": None,
            "snapshotConfig": None,
            "extensionServiceConfig": None,
            "appsCollection": None,
            "transcodeOptions": None,
            "startParameter": None,
        },
    ),
    Start(
        "null where a value is required",
        "individual",
        {**lists(), "snapshotConfig": {"fileType": None}},
        {"snapshotConfig.fileType"},
    ),
    # Types: Agora answers code 2.
    Start(
        "text for a number",
        "mix",
        {"recordingConfig": {"channelType": "1", "maxIdleTime": "30"}},
        {f"{RULES}channelType", f"{RULES}maxIdleTime"},
    ),
    Start(
        "1.0 for 1",
        "mix",
        {"resourceExpiredHour": 24.0, "recordingConfig": {"channelType": 1.0}},
        {"resourceExpiredHour", f"{RULES}channelType"},
    ),
    # The whole body of a call.
    Start(
        "pasted whole",
        "mix",
        {"cname": "room", "uid": "1", "clientRequest": {"token": "t"}},
        {"clientRequest"},
    ),
]


@pytest.mark.parametrize("row", STARTS, ids=lambda row: f"{row.mode}: {row.source}")
def test_a_request_as_the_field_sends_it_is_taken_refused_or_warned_of(row: Start) -> None:
    found = start(row.mode, row.request)
    assert paths(found.problems) == {f"clientRequest.{each}" for each in row.refused}
    if not row.refused:
        given = {each.removeprefix("clientRequest.") for each in paths(found.warnings)}
        assert given - {f"{RULES}channelType"} == row.warned


@pytest.mark.parametrize("row", STARTS, ids=lambda row: f"{row.mode}: {row.source}")
def test_what_is_taken_is_sent_as_given_without_its_nulls(row: Start) -> None:
    if row.refused:
        return
    sent = dict(_leaves(_sent(row.mode, row.request)))
    assert None not in sent.values()
    for path, value in _leaves(row.request):
        if value is not None:
            assert sent[path] == value


LIMITS = Limits(max_duration_s=3600, max_idle_time_s=300, restart_limit=0, transcodes=True)


def _sent(mode: str, request: Json) -> Json:
    """Return what acquire and start get of a request, together."""
    body = {"cname": "room", "mode": mode, "clientRequest": request}
    whole = read_request(body, LIMITS, NOW_MS).client_request
    acquire, begin = bodies.acquire_fields(whole, None), bodies.start_fields(whole, None)
    assert not acquire.keys() & begin.keys()
    return {**acquire, **begin}


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        return [leaf for name in value for leaf in _leaves(value[name], f"{path}.{name}")]
    return [(path, value)]


# --- acquire --------------------------------------------------------------------------------------

# The REST page of acquire, and the four official clients.
ACQUIRE: dict[str, Any] = {
    "scene": 0,
    "resourceExpiredHour": 24,
    "startParameter": {},
    "excludeResourceIds": ["another"],
    "region": "EU",
    "regionAffinity": 3,
}


@pytest.mark.parametrize("field", ACQUIRE)
def test_what_belongs_to_acquire_goes_to_acquire(field: str) -> None:
    request = {field: ACQUIRE[field]}
    assert start("mix", request).problems == ()
    assert field in bodies.acquire_fields(request, None)
    assert field not in bodies.start_fields(request, None)


# --- changes of a running recording ---------------------------------------------------------------


class Change(NamedTuple):
    """A body of PATCH or PUT …/layout, where it was seen, and the fields that must be refused."""

    source: str
    body: Json
    refused: Set[str] = frozenset()


def audio(**lists: Any) -> Json:
    return {"streamSubscribe": {"audioUidList": lists}}


PLACE = "streamSubscribe.audioUidList"
UPDATES = [
    Change("REST page", audio(unsubscribeAudioUids=["7"])),
    Change("Go and Java clients", audio(unSubscribeAudioUids=["7"])),
    Change(
        "both spellings at once",
        audio(unsubscribeAudioUids=["7"], unSubscribeAudioUids=["7"]),
        {f"{PLACE}.unSubscribeAudioUids"},
    ),
    Change(
        "one list for a medium, REST page",
        audio(subscribeAudioUids=["1"], unSubscribeAudioUids=["7"]),
        {f"{PLACE}.unSubscribeAudioUids"},
    ),
    Change("a dump of a typed client", audio(subscribeAudioUids=None, unSubscribeAudioUids=["7"])),
    Change("a dump that changes nothing", audio(subscribeAudioUids=None), {PLACE}),
    Change("a list of nothing", audio(), {PLACE}),
    Change(
        "the list of the other medium",
        audio(unsubscribeVideoUids=["7"]),
        {PLACE, f"{PLACE}.unsubscribeVideoUids"},
    ),
    Change(
        "pasted whole",
        {"cname": "room", "uid": "1", "clientRequest": audio(unsubscribeAudioUids=["7"])},
    ),
    Change("nothing to change", {}, {"body"}),
    Change("nothing to change, typed client", {"streamSubscribe": None}, {"body"}),
]
LAYOUTS = [
    Change("all clients", {"mixedVideoLayout": 1, "backgroundColor": "#FF0000"}),
    Change("a dump of a typed client", {"mixedVideoLayout": 1, "layoutConfig": None}),
    Change("nothing to change", {}, {"body"}),
    Change("nothing to change, typed client", {"mixedVideoLayout": None}, {"body"}),
    Change(
        "pasted whole",
        {"cname": "room", "uid": "1", "clientRequest": {"mixedVideoLayout": 1}},
    ),
    Change(
        "the whole transcodingConfig",
        {"transcodingConfig": {"mixedVideoLayout": 1}},
        {"transcodingConfig"},
    ),
    Change("some languages write 1.0", {"mixedVideoLayout": 1.0}, {"mixedVideoLayout"}),
]


@pytest.mark.parametrize("row", UPDATES, ids=lambda row: row.source)
def test_an_update_as_the_field_sends_it_is_taken_or_refused(row: Change) -> None:
    given = unwrap(row.body)
    found = rewrap(check_update("individual", given.fields), given, "room")
    assert paths(found.problems) == row.refused


@pytest.mark.parametrize("row", LAYOUTS, ids=lambda row: row.source)
def test_a_layout_as_the_field_sends_it_is_taken_or_refused(row: Change) -> None:
    given = unwrap(row.body)
    found = rewrap(check_layout("mix", given.fields), given, "room")
    assert paths(found.problems) == row.refused


SPELLINGS = ("unsubscribeAudioUids", "unSubscribeAudioUids")


@pytest.mark.parametrize("before", ["subscribeAudioUids", *SPELLINGS])
@pytest.mark.parametrize("after", ["subscribeAudioUids", *SPELLINGS])
def test_a_new_list_replaces_the_list_of_its_medium_however_each_is_spelled(
    before: str, after: str
) -> None:
    """A list that was left over would contradict the new one: the restart would be refused."""
    request = lists(**{before: ["1"], "unSubscribeVideoUids": ["9"]})
    kept = with_update(request, audio(**{after: ["2"]}))["recordingConfig"]
    assert kept == {"channelType": 1, **GROUP, after: ["2"], "unSubscribeVideoUids": ["9"]}
    assert start("individual", {"recordingConfig": kept}).problems == ()


# --- what Agora would silently ignore -------------------------------------------------------------

IGNORED = [
    "unsubscribeaudiouids",
    "UnsubscribeAudioUids",
    "UnSubscribeAudioUids",
    "unsubscribeAudioUIDs",
    "unSubscribeVideoUIDs",
    "unsubscribeVideoUid",
    "unsunscribeVideoUids",  # Agora's Python client 0.2.0, in updates
    "subscribeaudiouids",
    "SubscribeVideoUids",
    "subscribeVideoUIDs",
]


@pytest.mark.parametrize("name", IGNORED)
def test_a_list_that_agora_would_ignore_is_refused(name: str) -> None:
    """It would record users whom the caller has left out: no warning is enough for that."""
    (problem,) = start("individual", lists(**{name: ["7"]})).problems
    assert problem.path == f"clientRequest.recordingConfig.{name}"
    medium = "Audio" if "audio" in name.lower() else "Video"
    prefix = "unsubscribe" if name.lower().startswith("un") else "subscribe"
    assert f"recordingConfig.{prefix}{medium}Uids" in problem.rule
    update = check_update("individual", audio(**{"subscribeAudioUids": ["1"], name: ["7"]}))
    assert paths(update.problems) == {f"{PLACE}.{name}"}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("where", ["", "recordingConfig.transcodingConfig.", "streamSubscribe."])
def test_a_list_in_the_wrong_place_is_refused(spelling: str, where: str) -> None:
    value: Any = ["7"]
    for name in reversed(f"{where}{spelling}".split(".")):
        value = {name: value}
    assert f"clientRequest.{where}{spelling}" in paths(start("mix", value).problems)
    update = check_update("mix", {**audio(subscribeAudioUids=["1"]), "extra": value})
    assert f"extra.{where}{spelling}" in paths(update.problems)


# --- the bodies that Agora's own clients build ----------------------------------------------------


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_an_official_client_builds_is_taken_unchanged(name: str) -> None:
    mode, request = BODIES[name]
    assert start(mode, request) == Checked((), start(mode, request).warnings)
    sent = _sent(mode, request)
    for field, value in request.items():
        if field == "recordingConfig":
            assert sent[field] == {**sent[field], **value}
        else:
            assert sent[field] == value


def test_a_refused_request_names_every_field_at_once() -> None:
    request = {"recordingConfig": {"channelType": "1", "unsubscribeAudioUIDs": ["7"]}}
    body = {"cname": "room", "clientRequest": request}
    with pytest.raises(RequestInvalidError) as refused:
        read_request(body, LIMITS, NOW_MS)
    assert {each.path.rpartition(".")[2] for each in refused.value.problems} == {
        "channelType",
        "unsubscribeAudioUIDs",
    }

"""A request to record, read: the one type that it is checked by, and what is filled in."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from agora_recording.agora import bodies
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.request.reading import Limits, read_request, with_defaults
from agora_recording.request.recording import RecordingRequest
from tests.world.examples import REQUESTS, WEB, start
from tests.world.webhook import NOW_MS

LIMITS = Limits(max_duration_s=14_400, max_idle_time_s=300, restart_limit=3)
TOKEN = "an-rtc-token-nobody-may-see"
BODY: dict[str, Any] = {
    "cname": "standup",
    "mode": "mix",
    "clientRequest": {"token": TOKEN, "recordingConfig": {"channelType": 1}},
    "tags": {"team": "platform"},
}


def problems(body: dict[str, Any]) -> tuple[Problem, ...]:
    with pytest.raises(RequestInvalidError) as refused:
        read_request(body, LIMITS, NOW_MS)
    return refused.value.problems


# --- what is wrong --------------------------------------------------------------------------------


def test_what_is_missing_is_told_to_be_required() -> None:
    assert problems({}) == (Problem("cname", "is required"),)


NO_FIELD = "is not a field of this call"
KNOWN = ", ".join(each.encode_name for each in msgspec.structs.fields(RecordingRequest))


def test_a_field_that_there_is_not_is_refused() -> None:
    assert problems({**BODY, "cName": "x", "client_request": {}, "channel": "x"}) == (
        Problem("cName", f"{NO_FIELD}; did you mean cname? Upper and lower case matter"),
        Problem("client_request", f"{NO_FIELD}; did you mean clientRequest?"),
        Problem("channel", f"{NO_FIELD}; it takes {KNOWN}"),
    )


@pytest.mark.parametrize(
    ("cname", "rule"),
    [
        ("daily standup/1", "; character 14 is none of these"),
        ("Bülach", "; character 2 is none of these"),
        ("", "; it has 0 characters"),
        ("x" * 65, "; it has 65 characters"),
    ],
)
def test_a_name_that_agora_does_not_take_is_told_by_its_place_and_not_by_its_text(
    cname: str, rule: str
) -> None:
    (problem,) = problems({**BODY, "cname": cname})
    assert problem.rule.endswith(f"_ {{ }} | ~{rule}")


def test_a_field_of_the_client_request_beside_it_is_told_its_place() -> None:
    config = {"recordingConfig": {"channelType": 1}}
    rule = f"{NO_FIELD}; it belongs in clientRequest"
    assert problems({**BODY, **config}) == (Problem("recordingConfig", rule),)


def test_every_problem_has_its_path_and_its_rule() -> None:
    found = problems(
        {
            "cname": "a/b",
            "uid": 7,
            "mode": "both",
            "clientRequest": {"storageConfig": {}, "scene": 3},
            "maxDurationSeconds": 0,
            "restartLimit": True,
            "tags": {"": "x", "long": "x" * 257, "n" * 129: "", "number": 1},
            "cnames": 1,
        }
    )
    rules = {problem.path: problem.rule for problem in found}
    assert len(rules) == len(found)
    tag = "must be a name of 1 to 128 characters with a string of at most 256 characters"
    assert rules.pop("cname").startswith(
        "must be 1 to 64 characters, each a letter (a to z, A to Z), a digit"
    )
    assert rules == {
        "uid": 'must be a string, such as "12345", not a whole number',
        "mode": "must be one of individual, mix, raw, web",
        "clientRequest.storageConfig": "must be left out: the stack adds the storage itself",
        "clientRequest.scene": "must be one of 0, 1, 2",
        "maxDurationSeconds": "must be a whole number from 1 to 2592000",
        "restartLimit": "must be a whole number from 0 to 20, not true or false",
        "tags.": tag,
        "tags.long": tag,
        f"tags.{'n' * 64}...": tag,
        "tags.number": "must be a string in double quotes, not a whole number",
        "cnames": f"{NO_FIELD}; it takes {KNOWN}",
    }


@pytest.mark.parametrize(
    ("tags", "rule"),
    [
        ([], "must be an object, not an array"),
        ("x", "must be an object, not a string"),
        ({str(n): "" for n in range(21)}, "must be an object with at most 20 entries"),
    ],
)
def test_tags_are_an_object_of_few_entries(tags: Any, rule: str) -> None:
    assert problems({**BODY, "tags": tags}) == (Problem("tags", rule),)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (-1, "must be a whole number from 0 to 20"),
        (21, "must be a whole number from 0 to 20"),
        (1.0, "must be a whole number from 0 to 20, not a decimal number"),
        ("3", "must be a whole number from 0 to 20 without quotes, not a string"),
        (True, "must be a whole number from 0 to 20, not true or false"),
    ],
)
def test_restarts_are_a_whole_number_up_to_twenty(value: Any, rule: str) -> None:
    assert problems({**BODY, "restartLimit": value}) == (Problem("restartLimit", rule),)


def test_a_field_that_is_null_counts_as_absent() -> None:
    absent = {"mode": None, "uid": None, "tags": None, "restartLimit": None}
    nulls = {"cname": "standup", "clientRequest": None, "maxDurationSeconds": None, **absent}
    assert read_request(nulls, LIMITS, NOW_MS) == read_request({"cname": "standup"}, LIMITS, NOW_MS)
    assert problems({"cname": None}) == (Problem("cname", "is required"),)


@pytest.mark.parametrize("tags", [[], "x", {"a": 1}, {str(n): "" for n in range(21)}])
def test_tags_are_few_short_texts(tags: Any) -> None:
    with pytest.raises(RequestInvalidError, match="tags"):
        read_request({**BODY, "tags": tags}, LIMITS, NOW_MS)


@pytest.mark.parametrize("value", [2_592_001, -1, 1.5, "60", [], False])
def test_a_duration_is_whole_seconds_up_to_thirty_days(value: Any) -> None:
    with pytest.raises(RequestInvalidError, match="maxDurationSeconds: must be a whole number"):
        read_request({**BODY, "maxDurationSeconds": value}, LIMITS, NOW_MS)


def test_postponed_work_is_taken_only_where_agora_may_read_what_it_uploaded() -> None:
    postponed = {
        "appsCollection": {"combinationPolicy": "postpone_transcoding"},
        "recordingConfig": {"subscribeUidGroup": 0},
        "transcodeOptions": {"transConfig": {"transMode": "postponeTranscoding"}},
    }
    body = {"cname": "room", "mode": "individual", "clientRequest": postponed}
    assert read_request(body, LIMITS._replace(transcodes=True), NOW_MS).client_request
    with pytest.raises(RequestInvalidError, match="PostponedTranscoding") as refused:
        read_request(body, LIMITS, NOW_MS)
    assert [each.path for each in refused.value.problems] == ["clientRequest.transcodeOptions"]


# --- what is doubtful -----------------------------------------------------------------------------


def warned(mode: str = "mix", **body: Any) -> dict[str, str]:
    """Return the warnings about a request of this stack by their paths."""
    request = read_request({"cname": "standup", "mode": mode, **body}, LIMITS, NOW_MS)
    return {each.path: each.rule for each in request.warnings}


@pytest.mark.parametrize(
    ("hours", "duration_s", "is_warned"),
    [(1, None, True), (24, None, False), (1, 3599, False), (1, 3600, True), (24, 86_401, True)],
)
def test_a_resource_that_ends_before_the_recording_is_warned_of(
    hours: int, duration_s: int | None, is_warned: bool
) -> None:
    path = "clientRequest.resourceExpiredHour"
    found = warned(clientRequest={"resourceExpiredHour": hours}, maxDurationSeconds=duration_s)
    assert (path in found) == is_warned
    if is_warned:
        assert f"the longest duration of {duration_s or 14_400} s" in found[path]


@pytest.mark.parametrize(("duration_s", "is_warned"), [(3600, False), (3601, True), (None, False)])
def test_a_page_that_ends_before_the_named_duration_is_warned_of(
    duration_s: int | None, is_warned: bool
) -> None:
    services = WEB["extensionServiceConfig"]["extensionServices"]
    page = {**services[0], "serviceParam": {**services[0]["serviceParam"], "maxRecordingHour": 1}}
    request = {"extensionServiceConfig": {"extensionServices": [page]}}
    found = warned("web", clientRequest=request, maxDurationSeconds=duration_s)
    assert any(path.endswith("maxRecordingHour") for path in found) == is_warned


@pytest.mark.parametrize(("hours", "is_warned"), [(24, False), (25, True)])
def test_a_token_that_ends_before_the_recording_is_warned_of(hours: int, is_warned: bool) -> None:
    request = {"token": TOKEN}
    found = warned(clientRequest=request, maxDurationSeconds=hours * 3600, restartLimit=0, uid="7")
    assert ("maxDurationSeconds" in found) == is_warned
    if is_warned:
        assert "leave the token out" in found["maxDurationSeconds"]
    assert "maxDurationSeconds" not in warned(maxDurationSeconds=hours * 3600)


@pytest.mark.parametrize(
    ("region", "aws_region", "is_warned"),
    [
        ("EU", "eu-central-1", False),
        ("NA", "us-east-1", False),
        ("NA", "ca-central-1", False),
        ("AP", "ap-southeast-1", False),
        ("CN", "cn-north-1", False),
        ("EU", "us-east-1", True),
        ("CN", "ap-southeast-1", True),
        ("NA", "sa-east-1", True),
        ("EU", "", False),
        (None, "us-east-1", False),
    ],
)
def test_a_region_in_which_the_bucket_is_not_is_warned_of(
    region: str | None, aws_region: str, is_warned: bool
) -> None:
    body = {"cname": "standup", "clientRequest": {"region": region}}
    found = read_request(body, LIMITS._replace(aws_region=aws_region), NOW_MS).warnings
    assert ("clientRequest.region" in [each.path for each in found]) == is_warned


def test_a_web_page_needs_no_token_so_none_is_warned_of() -> None:
    service = {
        "serviceName": "web_recorder_service",
        "errorHandlePolicy": "error_abort",
        "serviceParam": {
            "url": "https://example.com",
            "audioProfile": 0,
            "videoWidth": 640,
            "videoHeight": 360,
            "maxRecordingHour": 1,
        },
    }
    page = {"extensionServiceConfig": {"extensionServices": [service]}, "token": TOKEN}
    body = {"cname": "tour", "mode": "web", "clientRequest": page}
    assert read_request(body, LIMITS, NOW_MS).warnings == ()


# --- defaults -------------------------------------------------------------------------------------


def test_what_the_caller_left_out_is_filled_in() -> None:
    assert with_defaults("mix", {}, max_duration_s=3600) == {
        "recordingConfig": {"channelType": 0, "maxIdleTime": 300},
        "resourceExpiredHour": 72,
    }


@pytest.mark.parametrize(
    ("max_duration_s", "hours"),
    [(1, 72), (71 * 3600, 72), (71 * 3600 + 1, 73), (100 * 3600, 101), (30 * 86400, 720)],
)
def test_the_resource_outlives_the_longest_recording_by_an_hour(
    max_duration_s: int, hours: int
) -> None:
    filled = with_defaults("mix", {}, max_duration_s=max_duration_s)

    assert filled["resourceExpiredHour"] == hours


@pytest.mark.parametrize(
    ("name", "scene"), [("web", 1), ("postponed", 2), ("mix", None), ("individual", None)]
)
def test_the_scene_follows_from_the_mode(name: str, scene: int | None) -> None:
    mode, request = REQUESTS[name]
    without = {field: each for field, each in request.items() if field != "scene"}

    assert with_defaults(mode, without, max_duration_s=60).get("scene") == scene


def test_a_web_recording_gets_no_recording_config() -> None:
    assert "recordingConfig" not in with_defaults("web", WEB, max_duration_s=60)


def test_raw_mode_sends_no_stream_mode_not_even_in_its_start_parameter() -> None:
    given = {"recordingConfig": {"streamMode": "standard", "streamTypes": 2}}
    request = with_defaults("raw", {**given, "startParameter": given}, max_duration_s=60)

    assert "streamMode" not in request["recordingConfig"]
    assert request["startParameter"]["recordingConfig"] == request["recordingConfig"]
    assert "scene" not in request


@pytest.mark.parametrize("name", REQUESTS)
def test_defaults_change_nothing_that_the_caller_set(name: str) -> None:
    mode, request = REQUESTS[name]
    before = copy.deepcopy(request)

    filled = with_defaults(mode, request, max_duration_s=60)

    assert request == before
    for field, value in request.items():
        if field == "recordingConfig":
            assert filled[field] == {**filled[field], **value}
        else:
            assert filled[field] == value
    assert with_defaults(mode, filled, max_duration_s=60) == filled
    assert start(mode, filled).problems == ()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_start_parameter_stays_valid_beside_the_defaults(name: str) -> None:
    mode, request = REQUESTS[name]
    given = {**request, "startParameter": bodies.split(request)[1]}

    filled = with_defaults(mode, given, max_duration_s=60)

    assert start(mode, filled).problems == ()

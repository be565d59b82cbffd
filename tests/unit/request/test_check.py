"""The clientRequest: what is refused before Agora is called, and the bodies Agora gets."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora import bodies, redaction, requests
from agora_recording.agora.requests import (
    AcquireClientRequest,
    Layout,
    StartClientRequest,
    StorageConfig,
    UpdateFields,
)
from agora_recording.errors import Problem
from agora_recording.request import check
from agora_recording.request.conformance import MOST_FINDINGS, Checked, Findings, conform
from agora_recording.request.limits import MAX_CNAME_BYTES
from agora_recording.request.reading import with_defaults
from agora_recording.request.rules import MODES
from tests.world.examples import (
    CUSTOM_LAYOUT,
    EXAMPLES,
    INDIVIDUAL,
    LAYOUT_EXAMPLES,
    MIX,
    PAGE,
    RAW,
    RECORDING,
    REGION,
    REQUESTS,
    SALT,
    SERVICES,
    STORAGE,
    TRANSCODING,
    UPDATE,
    WEB,
    WEB_UPDATE,
    Json,
    is_at,
    json_values,
    paths,
    put,
    start,
    stored,
)

# --- whole requests -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_that_agora_prints_is_accepted_without_its_storage(name: str) -> None:
    mode, request = EXAMPLES[name]

    assert start(mode, request, cname="httpClient463224").problems == ()


@pytest.mark.parametrize("layout", LAYOUT_EXAMPLES)
def test_a_layout_that_agora_prints_is_accepted(layout: Json) -> None:
    assert check.check_layout("mix", layout).problems == ()


@pytest.mark.parametrize("name", ["mix", "individual", "postponed", "raw", "web"])
def test_a_request_with_every_field_is_accepted_without_a_warning(name: str) -> None:
    mode, request = REQUESTS[name]

    assert start(mode, request) == Checked()


def test_everything_wrong_is_reported_at_once() -> None:
    request = put(MIX, "recordingConfig.maxIdleTime", 3)
    request = put(request, "recordingConfig.transcodingConfig.layoutConfig[0].x_axis", 2)
    request["region"] = "Mars"

    found = start("composite", request, cname="a/b", uid="0")

    assert paths(found.problems) == {
        "cname",
        "uid",
        "mode",
        "clientRequest.recordingConfig.maxIdleTime",
        "clientRequest.recordingConfig.transcodingConfig.layoutConfig[0].x_axis",
        "clientRequest.region",
    }


def test_a_problem_tells_the_rule_in_words() -> None:
    found = start("mix", put(MIX, "recordingConfig.maxIdleTime", 4))

    assert found.problems == (
        Problem(
            "clientRequest.recordingConfig.maxIdleTime",
            "must be a whole number from 5 to 2592000",
        ),
    )


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            "recordingConfig.maxIdleTime",
            "30",
            "a whole number from 5 to 2592000 without quotes, not a string",
        ),
        (
            "recordingConfig.maxIdleTime",
            30.0,
            "a whole number from 5 to 2592000, not a decimal number",
        ),
        (
            "recordingConfig.maxIdleTime",
            True,
            "a whole number from 5 to 2592000, not true or false",
        ),
        ("recordingConfig.channelType", "1", "a whole number without quotes, not a string"),
        ("recordingConfig.channelType", 1.0, "a whole number, not a decimal number"),
        ("recordingConfig.channelType", False, "a whole number, not true or false"),
        ("recordingConfig.channelType", [1], "a whole number, not an array"),
        (
            f"{TRANSCODING}.layoutConfig[0].alpha",
            "1",
            "a number from 0 to 1 without quotes, not a string",
        ),
        (f"{TRANSCODING}.backgroundColor", 0, "a string in double quotes, not a whole number"),
        (
            "recordingConfig.subscribeVideoUids[0]",
            101,
            'a string, such as "12345", not a whole number',
        ),
        ("recordingConfig.subscribeVideoUids[0]", None, 'a string, such as "12345", not null'),
        ("recordingConfig.subscribeVideoUids", "101", 'an array, such as ["12345"], not a string'),
        (
            "recordingFileConfig.avFileType",
            "mp4",
            'an array, such as ["hls", "mp4"], not a string',
        ),
        ("recordingConfig.transcodingConfig", [], "an object, not an array"),
        ("recordingFileConfig.avFileType[1]", {}, "a string, not an object"),
        ("region", 1, "a string in double quotes, not a whole number"),
        ("token", 1.5, "a string in double quotes, not a decimal number"),
    ],
)
def test_a_wrong_type_is_told_by_name(path: str, value: Any, words: str) -> None:
    assert start("mix", put(MIX, path, value)).problems == (
        Problem(f"clientRequest.{path}", f"must be {words}"),
    )


def test_true_and_false_are_a_type_too() -> None:
    path = f"{PAGE}.mobile"
    for value, name in (
        ("true", " without quotes, not a string"),
        (1, ", not a whole number"),
        ([], ", not an array"),
    ):
        (problem,) = start("web", put(WEB, path, value)).problems
        assert problem == Problem(f"clientRequest.{path}", f"must be true or false{name}")


def test_what_is_missing_comes_first_then_wrong_types_then_all_other_rules() -> None:
    request: Json = {
        "resourceExpiredHour": 1000,
        "recordingConfig": {"maxIdleTime": "30", "decryptionMode": 1, "streamTypes": 9},
        "snapshotConfig": {},
    }

    found = start("individual", request, cname=7, uid="x")

    assert [(each.path.rpartition(".")[2], each.rule) for each in found.problems] == [
        ("fileType", "is required"),
        ("secret", "is required with decryptionMode 1"),
        ("cname", "must be a string in double quotes, not a whole number"),
        ("maxIdleTime", "must be a whole number from 5 to 2592000 without quotes, not a string"),
        ("uid", "must be a whole number from 1 to 4294967295, written as a string"),
        ("streamTypes", "must be one of 0, 1, 2"),
        ("resourceExpiredHour", "must be a whole number from 1 to 720"),
    ]


def test_an_endless_list_of_mistakes_is_reported_up_to_a_limit() -> None:
    found = start("mix", {"excludeResourceIds": [1] * 10_000})

    assert len(found.problems) == MOST_FINDINGS


@pytest.mark.parametrize(
    "path",
    [
        "newField",
        "recordingConfig.newField",
        "recordingConfig.transcodingConfig.layoutConfig[0].border",
        "recordingFileConfig.newField",
    ],
)
def test_a_field_that_is_not_documented_is_a_warning_and_passed_on(path: str) -> None:
    request = put(MIX, path, {"a": 1})

    found = start("mix", request)

    assert found.problems == ()
    assert paths(found.warnings) == {f"clientRequest.{path}"}
    sent = bodies.start_fields(request, None)
    assert sent == bodies.split(request)[1]


def test_a_field_in_the_wrong_case_is_named() -> None:
    request = put(INDIVIDUAL, "recordingConfig.maxidletime", 30)

    (warning,) = start("individual", request).warnings

    assert warning.path == "clientRequest.recordingConfig.maxidletime"
    assert "did you mean maxIdleTime?" in warning.rule


@pytest.mark.parametrize("where", ["storageConfig", "startParameter.storageConfig"])
def test_a_storage_of_the_caller_is_refused(where: str) -> None:
    request = put({"token": "t", "startParameter": {"token": "t"}}, where, STORAGE)

    found = start("mix", request)

    assert found.problems == (
        Problem(f"clientRequest.{where}", "must be left out: the stack adds the storage itself"),
    )


@pytest.mark.parametrize(
    ("request_", "kind"),
    [([], "an array"), ("x", "a string"), (1, "a whole number"), (True, "true or false")],
)
def test_a_request_that_is_no_object_is_refused(request_: Any, kind: str) -> None:
    assert start("mix", request_).problems == (
        Problem("clientRequest", f"must be an object, not {kind}"),
    )


@pytest.mark.parametrize("mode", ["", "composite", "Mix", "Raw", 1, ["mix"], {}])
def test_a_mode_that_agora_does_not_have_is_refused(mode: Any) -> None:
    assert paths(start(mode, {}).problems) == {"mode"}


@pytest.mark.parametrize("uid", [None, "1", "4294967295"])
def test_a_uid_may_be_left_out_or_be_a_whole_number_in_a_string(uid: Any) -> None:
    assert start("mix", {}, uid=uid).problems == ()


@pytest.mark.parametrize(
    "uid", ["0", "", "4294967296", "01", "-1", "1.0", " 1", "1\n", "٣", 1, True]
)
def test_a_uid_that_agora_would_refuse_is_refused(uid: Any) -> None:
    assert paths(start("mix", {}, uid=uid).problems) == {"uid"}


@pytest.mark.parametrize("cname", ["a", "a" * 64, "Az09 !#$%&()+-:;<=.>?@[]^_{}|~,"])
def test_a_channel_name_of_agoras_characters_is_accepted(cname: str) -> None:
    assert start("mix", {}, cname=cname).problems == ()


@pytest.mark.parametrize("cname", ["", "a" * 65, "a/b", "a*b", 'a"b', "a\\b", "ä", "a\n", 1, None])
def test_a_channel_name_that_agora_would_refuse_is_refused(cname: Any) -> None:
    assert paths(start("mix", {}, cname=cname).problems) == {"cname"}
    assert "cname" in paths(start("individual", {}, cname=cname).problems)


@pytest.mark.parametrize("cname", ["https://example.com/room", "ä" * 400, "b" * 800])
def test_the_name_of_a_web_recording_may_be_any_text_of_800_bytes(cname: str) -> None:
    assert start("web", WEB, cname=cname).problems == ()


@pytest.mark.parametrize("cname", ["", "ä" * 401, "b" * 801, "\ud800", 1])
def test_the_name_of_a_web_recording_is_refused_beyond_that(cname: Any) -> None:
    assert paths(start("web", WEB, cname=cname).problems) == {"cname"}


def test_a_file_with_the_longest_name_still_has_a_key() -> None:
    name = f"bak99_{'5' * 32}_{'b' * MAX_CNAME_BYTES}_20261127101112131_1.webm"
    assert len(f"recordings/{'0' * 26}/{name}") + 100 <= 1024


# --- rules between fields -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "path", "value"),
    [
        ("web", "recordingConfig", {}),
        ("web", "recordingConfig", {"decryptionMode": 1}),
        ("mix", "recordingConfig.streamMode", "standard"),
        ("mix", "recordingConfig.streamMode", "original"),
        ("individual", "recordingConfig.audioProfile", 0),
        ("individual", "recordingConfig.transcodingConfig", {}),
        ("individual", "recordingConfig.transcodingConfig", {"width": 5000, "height": 5000}),
        ("mix", "snapshotConfig", {"fileType": ["jpg"]}),
        ("web", "snapshotConfig", {"fileType": ["jpg"]}),
        ("raw", "recordingConfig.audioProfile", 0),
        ("raw", "recordingConfig.transcodingConfig", {}),
        ("raw", "appsCollection", {"combinationPolicy": "postpone_transcoding"}),
        ("raw", "transcodeOptions", {"transConfig": {"transMode": "audioMix"}}),
        ("mix", "extensionServiceConfig", WEB["extensionServiceConfig"]),
        ("individual", "extensionServiceConfig", WEB["extensionServiceConfig"]),
        ("mix", "appsCollection", {"combinationPolicy": "default"}),
        ("mix", "appsCollection", {"combinationPolicy": "postpone_transcoding"}),
        ("web", "appsCollection", {}),
        ("mix", "transcodeOptions", {"transConfig": {"transMode": "audioMix"}}),
        ("web", "transcodeOptions", {"transConfig": {"transMode": "audioMix"}}),
    ],
)
def test_a_field_that_is_not_for_the_mode_is_warned_of_and_breaks_no_other_rule(
    mode: str, path: str, value: Any
) -> None:
    found = start(mode, put(REQUESTS[mode][1], path, value))

    assert found.problems == ()
    (warning,) = found.warnings
    assert warning.path == f"clientRequest.{path}"
    assert warning.rule.endswith("mode only: it has no effect here")


@pytest.mark.parametrize(
    ("mode", "scene"),
    [("mix", 1), ("mix", 2), ("individual", 1), ("web", 0), ("web", 2)],
)
def test_a_scene_of_another_mode_is_refused(mode: str, scene: int) -> None:
    found = start(mode, put(REQUESTS[mode][1], "scene", scene))

    assert "clientRequest.scene" in paths(found.problems)


@pytest.mark.parametrize("scene", [1, 2])
def test_the_scene_has_no_effect_in_raw_mode(scene: int) -> None:
    found = start("raw", {**RAW, "scene": scene})

    assert found.problems == ()
    assert paths(found.warnings) == {"clientRequest.scene"}


@pytest.mark.parametrize("value", [WEB["extensionServiceConfig"], {}, 1])
def test_raw_mode_refuses_an_extension_which_agora_rejects(value: Any) -> None:
    found = start("raw", {**RAW, "extensionServiceConfig": value})

    assert Problem(
        "clientRequest.extensionServiceConfig",
        "must be left out in raw mode: Agora rejects it there",
    ) in (found.problems)
    assert found.warnings == ()


@pytest.mark.parametrize("stream_mode", ["default", "standard", "original"])
def test_a_stream_mode_is_left_out_in_raw_mode_with_a_warning(stream_mode: str) -> None:
    request = put(RAW, f"{R}.streamMode", stream_mode)

    found = start("raw", request)

    assert found.problems == ()
    assert paths(found.warnings) == {f"clientRequest.{R}.streamMode"}


def test_sound_alone_as_mp3_is_for_raw_mode() -> None:
    request: Json = {
        "recordingConfig": {"channelType": 0, "streamTypes": 0},
        "recordingFileConfig": {"avFileType": ["mp3"]},
    }

    assert start("raw", request) == Checked()
    for mode in ("mix", "individual"):
        assert paths(start(mode, request).problems) == {
            "clientRequest.recordingFileConfig.avFileType"
        }


def test_web_mode_asks_for_its_page() -> None:
    assert paths(start("web", {}).problems) == {"clientRequest.extensionServiceConfig"}


def test_individual_mode_warns_without_a_size_of_the_group() -> None:
    found = start("individual", {"recordingConfig": {"channelType": 0}})

    assert found.problems == ()
    assert paths(found.warnings) == {"clientRequest.recordingConfig.subscribeUidGroup"}


def whole_bodies(inner: Json) -> list[Json]:
    return [
        {"clientRequest": inner},
        {"cname": "room", "uid": "1", "clientRequest": inner},
        {**inner, "cname": "room", "clientRequest": inner},
    ]


@pytest.mark.parametrize("body", whole_bodies({"recordingConfig": {"channelType": 1}}))
def test_the_whole_body_of_a_call_is_no_client_request(body: Json) -> None:
    assert paths(start("mix", body).problems) == {"clientRequest.clientRequest"}


def broken(name: str, changes: Json) -> set[str]:
    mode, request = REQUESTS[name]
    for path, value in changes.items():
        request = put(request, path, value)
    return {path.removeprefix("clientRequest.") for path in paths(start(mode, request).problems)}


R, T, C = RECORDING, "transcodeOptions", TRANSCODING


@pytest.mark.parametrize(
    ("name", "changes", "path"),
    [
        ("mix", {f"{R}.unsubscribeAudioUids": ["9"]}, f"{R}.unsubscribeAudioUids"),
        ("mix", {f"{R}.unsubscribeVideoUids": ["9"]}, f"{R}.unsubscribeVideoUids"),
        ("mix", {f"{R}.streamTypes": 0}, f"{R}.subscribeVideoUids"),
        ("mix", {f"{R}.streamTypes": 1}, f"{R}.subscribeAudioUids"),
        ("mix", {f"{R}.secret": ...}, f"{R}.secret"),
        ("mix", {f"{R}.salt": ...}, f"{R}.salt"),
        ("mix", {f"{R}.decryptionMode": 1, f"{R}.secret": ""}, f"{R}.secret"),
        ("mix", {f"{C}.width": 1921}, None),
        ("mix", {f"{C}.width": 2880}, None),
        ("mix", {f"{C}.width": 2881}, C),
        ("mix", {f"{C}.width": ..., f"{C}.height": 5761}, C),
        ("mix", {f"{C}.layoutConfig": ...}, f"{C}.layoutConfig"),
        ("mix", {f"{C}.mixedVideoLayout": 1}, f"{C}.layoutConfig"),
        ("mix", {f"{C}.mixedVideoLayout": ...}, f"{C}.layoutConfig"),
        ("mix", {"recordingFileConfig.avFileType": ["mp4"]}, "recordingFileConfig.avFileType"),
        ("raw", {"recordingFileConfig.avFileType": ["mp4"]}, "recordingFileConfig.avFileType"),
        (
            "raw",
            {"recordingFileConfig.avFileType": ["hls", "mp3"]},
            "recordingFileConfig.avFileType",
        ),
        ("raw", {f"{R}.streamTypes": 0}, f"{R}.streamTypes"),
        ("raw", {"recordingFileConfig": ...}, None),
        ("individual", {f"{R}.streamTypes": 0}, f"{R}.streamTypes"),
        ("individual", {f"{R}.streamTypes": 1}, None),
        ("individual", {f"{R}.subscribeAudioUids": ["1"]}, f"{R}.subscribeVideoUids"),
        ("individual", {f"{R}.subscribeVideoUids": ["1"]}, None),
        ("postponed", {"scene": ...}, None),
        ("postponed", {"scene": 0}, "scene"),
        ("postponed", {"appsCollection": ...}, "appsCollection.combinationPolicy"),
        ("postponed", {"appsCollection": {}}, "appsCollection.combinationPolicy"),
        ("postponed", {"scene": ..., "appsCollection": ...}, "appsCollection.combinationPolicy"),
        ("postponed", {T: ...}, T),
        ("postponed", {f"{T}.container.format": "mp4"}, f"{T}.container.format"),
        ("postponed", {f"{R}.streamTypes": ..., f"{R}.streamMode": ...}, f"{R}.streamTypes"),
        ("postponed", {f"{R}.streamMode": "default"}, f"{R}.streamMode"),
        (
            "postponed",
            {f"{T}.transConfig.transMode": "postponeTranscoding"},
            f"{T}.container.format",
        ),
        ("web", {f"{PAGE}.videoHeight": 1081}, PAGE),
        ("web", {f"{SERVICES}[1].serviceName": "web_recorder_service"}, SERVICES),
        (
            "web",
            {f"{SERVICES}[0]": WEB["extensionServiceConfig"]["extensionServices"][1]},
            SERVICES,
        ),
    ],
)
def test_fields_that_contradict_each_other_are_refused(
    name: str, changes: Json, path: str | None
) -> None:
    found = broken(name, changes)

    assert path in found if path else found == set()


@pytest.mark.parametrize(
    ("name", "changes", "path"),
    [
        ("mix", {f"{R}.channelType": ...}, f"{R}.channelType"),
        ("mix", {f"{R}.subscribeAudioUids": []}, f"{R}.subscribeAudioUids"),
        ("mix", {f"{R}.subscribeVideoUids": ["#allstream#", "1"]}, f"{R}.subscribeVideoUids"),
        ("mix", {f"{R}.subscribeVideoUids": ...}, f"{R}.subscribeVideoUids"),
        ("mix", {f"{R}.subscribeAudioUids": ...}, f"{R}.subscribeAudioUids"),
        ("mix", {f"{R}.subscribeUidGroup": 1}, f"{R}.subscribeUidGroup"),
        ("mix", {f"{R}.decryptionMode": 0}, f"{R}.secret"),
        ("mix", {f"{R}.decryptionMode": 1}, f"{R}.salt"),
        ("mix", {f"{C}.fps": 31}, f"{C}.fps"),
        ("mix", {f"{C}.maxResolutionUid": "1"}, f"{C}.maxResolutionUid"),
        ("mix", {f"{C}.layoutConfig[0].x_axis": 0.1}, f"{C}.layoutConfig[0].width"),
        (
            "mix",
            {f"{C}.backgroundConfig": {"uid": "1", "image_url": "https://a"}},
            f"{C}.backgroundConfig",
        ),
        (
            "individual",
            {f"{R}.subscribeVideoUids": [str(n) for n in range(8)]},
            f"{R}.subscribeUidGroup",
        ),
        ("individual", {f"{R}.streamMode": "original"}, f"{R}.streamMode"),
        (
            "raw",
            {f"{R}.subscribeVideoUids": [str(n) for n in range(8)], f"{R}.subscribeUidGroup": 1},
            f"{R}.subscribeUidGroup",
        ),
        ("raw", {"recordingFileConfig.avFileType": ["mp3"]}, f"{R}.streamTypes"),
        (
            "postponed",
            {f"{T}.transConfig.transMode": "postponeTranscoding", f"{T}.container": {}},
            f"{T}.audio",
        ),
        ("postponed", {"region": "EU"}, "region"),
        ("web", {f"{PAGE}.maxRecordingHour": 49}, f"{PAGE}.maxRecordingHour"),
    ],
)
def test_what_has_no_effect_or_is_advised_against_is_a_warning(
    name: str, changes: Json, path: str
) -> None:
    mode, request = REQUESTS[name]
    for where, value in changes.items():
        request = put(request, where, value)

    found = start(mode, request)

    assert found.problems == ()
    assert f"clientRequest.{path}" in paths(found.warnings)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_start_parameter_equal_to_the_start_fields_is_accepted(name: str) -> None:
    mode, request = REQUESTS[name]
    _, fields = bodies.split(request)

    assert start(mode, {**request, "startParameter": fields}).problems == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [("token", "another"), ("token", ...), ("recordingConfig.maxIdleTime", 121), ("more", 1)],
)
def test_a_start_parameter_that_differs_is_refused_with_the_field_named(
    path: str, value: Any
) -> None:
    _, fields = bodies.split(MIX)

    found = start("mix", {**MIX, "startParameter": put(fields, path, value)})

    assert paths(found.problems) == {
        f"clientRequest.startParameter.{path.split('.', maxsplit=1)[0]}"
    }


# --- what a row of the table can hold -------------------------------------------------------------


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        "\ud800",
        nested(30),
        nested(5000),
        2**63,
        10**400,
        1e-300,
        float("inf"),
        {"": 1},
        {"\udfff": 1},
    ],
    ids=["surrogate", "deep", "deepest", "long", "longest", "tiny", "infinite", "nameless", "name"],
)
def test_a_value_that_no_row_can_hold_is_refused_even_in_an_unknown_field(value: Any) -> None:
    found = start("mix", {"newField": value})

    assert any(is_at("clientRequest.newField", problem.path) for problem in found.problems)
    assert json.dumps(found, ensure_ascii=False).encode()


def test_a_request_too_large_for_a_row_is_refused() -> None:
    assert paths(start("mix", {"newField": "x" * 200_000}).problems) == {"clientRequest"}


# --- updates and layouts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "body"),
    [
        ("mix", UPDATE),
        ("individual", UPDATE),
        ("raw", UPDATE),
        ("web", WEB_UPDATE),
        ("web", {"webRecordingConfig": {"onhold": False}}),
    ],
)
def test_an_update_for_its_mode_is_accepted(mode: str, body: Json) -> None:
    assert check.check_update(mode, body) == Checked()


@pytest.mark.parametrize(
    ("mode", "body", "path"),
    [
        ("web", UPDATE, "streamSubscribe"),
        ("mix", {"webRecordingConfig": {"onhold": True}}, "webRecordingConfig"),
        ("individual", {"rtmpPublishConfig": {"outputs": []}}, "rtmpPublishConfig"),
        ("raw", {"webRecordingConfig": {"onhold": True}}, "webRecordingConfig"),
        ("mix", {}, "body"),
        ("mix", {"unknown": 1}, "unknown"),
        ("mix", [], "body"),
        ("mix", {**UPDATE, "storageConfig": STORAGE}, "storageConfig"),
        (
            "mix",
            put(UPDATE, "streamSubscribe.audioUidList.unsubscribeAudioUids", ["2"]),
            "streamSubscribe.audioUidList.unsubscribeAudioUids",
        ),
        (
            "mix",
            put(UPDATE, "streamSubscribe.videoUidList.subscribeVideoUids", ["2"]),
            "streamSubscribe.videoUidList.unsubscribeVideoUids",
        ),
    ],
)
def test_an_update_that_agora_would_refuse_is_refused(mode: str, body: Any, path: str) -> None:
    assert paths(check.check_update(mode, body).problems) == {path}


def test_an_empty_list_in_an_update_is_a_warning() -> None:
    body: Json = {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": []}}}

    found = check.check_update("mix", body)

    assert found.problems == ()
    assert paths(found.warnings) == {"streamSubscribe.audioUidList.subscribeAudioUids"}


@pytest.mark.parametrize("mode", ["individual", "raw", "web"])
def test_a_layout_is_for_mix_alone(mode: str) -> None:
    assert paths(check.check_layout(mode, CUSTOM_LAYOUT).problems) == {"body"}


@pytest.mark.parametrize("body", [{}, {"layoutConfig": None}])
def test_a_layout_without_a_field_is_refused(body: Json) -> None:
    (problem,) = check.check_layout("mix", body).problems
    assert problem.path == "body"
    assert problem.rule.startswith("is empty; it must hold at least one of maxResolutionUid, ")


@pytest.mark.parametrize("inner", [5, {"clientRequest": UPDATE}])
def test_what_is_wrapped_twice_or_is_no_wrapping_is_refused(inner: Any) -> None:
    found = check.check_update("mix", {"clientRequest": inner})
    assert paths(found.problems) == {"clientRequest"}


TAKES = "streamSubscribe, webRecordingConfig, rtmpPublishConfig, startAt, stopAt"


@pytest.mark.parametrize(
    ("body", "path", "rule"),
    [
        ({"unknown": 1}, "unknown", f"is not a field of this call, which takes {TAKES}"),
        ({"streamsubscribe": {}}, "streamsubscribe", "did you mean streamSubscribe? Upper and"),
        ({"update": UPDATE}, "update", "put its fields one level higher, without it"),
        (
            {"recordingConfig": {"maxIdleTime": 60}},
            "recordingConfig",
            f"is set at the start, and cannot be changed later; this call takes {TAKES}",
        ),
        (
            {"maxDurationSeconds": 60},
            "maxDurationSeconds",
            f"is set at the start, and cannot be changed later; this call takes {TAKES}",
        ),
        (
            {"mixedVideoLayout": 1},
            "mixedVideoLayout",
            "is a field of a layout: send it with PUT /recordings/{recordingId}/layout",
        ),
        (
            {**UPDATE, **{"mixedVideoLayout": 1}},
            "mixedVideoLayout",
            "is a field of a layout: send it with PUT",
        ),
        ({"onhold": True}, "onhold", "belongs in webRecordingConfig"),
        (UPDATE["streamSubscribe"], "audioUidList", "belongs in streamSubscribe"),
        (
            {"transcodingConfig": {"fps": 15}},
            "transcodingConfig",
            "is set at the start; to change the layout, send PUT /recordings/{recordingId}/layout",
        ),
    ],
)
def test_a_field_that_an_update_does_not_take_is_named_with_what_it_takes(
    body: Json, path: str, rule: str
) -> None:
    found = {each.path: each.rule for each in check.check_update("mix", body).problems}
    assert rule in found[path]


@pytest.mark.parametrize(
    ("body", "path", "rule"),
    [
        ({"unknown": 1}, "unknown", "is not a field of this call, which takes maxResolutionUid"),
        (
            UPDATE,
            "streamSubscribe",
            "is no field of a layout: send it with PATCH /recordings/{recordingId}",
        ),
        (
            {"layout": {"mixedVideoLayout": 1}},
            "layout",
            "put its fields one level higher, without it",
        ),
        (
            {"transcodingConfig": {"mixedVideoLayout": 1}},
            "transcodingConfig",
            "put its fields one level higher",
        ),
        (
            {"recordingConfig": {"transcodingConfig": {"mixedVideoLayout": 1}}},
            "recordingConfig",
            "send only the fields of its transcodingConfig",
        ),
    ],
)
def test_a_field_that_a_layout_does_not_have_is_named_with_what_it_has(
    body: Json, path: str, rule: str
) -> None:
    found = {each.path: each.rule for each in check.check_layout("mix", body).problems}
    assert rule in found[path]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"mixedVideoLayout": 3}, "layoutConfig"),
        ({"mixedVideoLayout": 3, "layoutConfig": []}, "layoutConfig"),
        ({"mixedVideoLayout": 0, "layoutConfig": [REGION]}, "layoutConfig"),
        ({"layoutConfig": [REGION]}, "layoutConfig"),
        ([], "body"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(body: Any, path: str) -> None:
    assert paths(check.check_layout("mix", body).problems) == {path}


def test_a_region_beyond_the_canvas_is_a_warning_that_says_by_what() -> None:
    region = {**REGION, "x_axis": 0.75, "width": 0.5, "y_axis": 0.5, "height": 0.5}

    found = check.check_layout("mix", {"mixedVideoLayout": 3, "layoutConfig": [region]})

    assert found == Checked(
        (), (Problem("layoutConfig[0].width", "x_axis + width is more than 1"),)
    )


def test_the_storage_that_the_bundle_makes_is_accepted() -> None:
    temporary = {**STORAGE, "stsToken": "t", "stsExpiration": 1_800_000_000}

    assert stored(STORAGE) == stored(temporary) == Checked()


# --- the bodies -----------------------------------------------------------------------------------


def mistakes(body: Json, kind: type) -> tuple[Problem, ...]:
    found = Findings()
    conform(body, kind, "", found)
    return found.checked().problems + found.checked().warnings


@pytest.mark.parametrize("name", REQUESTS)
def test_the_bodies_of_acquire_and_start_are_what_agora_takes(name: str) -> None:
    mode, given = REQUESTS[name]
    request = with_defaults(mode, {**given, "startParameter": {}}, max_duration_s=60)

    acquire = bodies.acquire_fields(request, STORAGE)
    begin = bodies.start_fields(request, STORAGE)

    assert mistakes(acquire, AcquireClientRequest) == ()
    assert mistakes(begin, StartClientRequest) == ()
    assert acquire["startParameter"] == begin
    assert begin["storageConfig"] == STORAGE


def test_acquire_gets_no_start_parameter_unless_the_caller_gave_one() -> None:
    body = bodies.body("room", "7", bodies.acquire_fields(MIX, STORAGE))

    assert body == {
        "cname": "room",
        "uid": "7",
        "clientRequest": {
            "scene": 0,
            "resourceExpiredHour": 24,
            "region": "EU",
            "excludeResourceIds": ["a-resource-id"],
        },
    }


def test_the_parts_of_a_request_are_all_of_it() -> None:
    for _, request in REQUESTS.values():
        acquire, begin = bodies.split(request)

        assert {**acquire, **begin} == request
        assert not acquire.keys() & begin.keys()


def test_the_bodies_of_the_other_calls_are_what_agora_takes() -> None:
    assert mistakes(UPDATE, UpdateFields) == mistakes(CUSTOM_LAYOUT, Layout) == ()
    assert mistakes(STORAGE, StorageConfig) == ()
    assert bodies.body("room", "7", UPDATE)["clientRequest"] == UPDATE
    assert bodies.STOP_FIELDS == {"async_stop": True}


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mix", "web"])
def test_no_secret_is_left_in_the_public_part(name: str) -> None:
    _, request = REQUESTS[name]
    given = {**request, "startParameter": bodies.split(request)[1]}

    public, secrets = redaction.redact(given)

    text = json.dumps(public)
    for secret in ("an-rtc-token", "channel-secret", SALT, "page-key", "stream-key"):
        assert secret not in text
    found = set(secrets)
    if name == "mix":
        assert found == {"an-rtc-token", "channel-secret", SALT}
    else:
        assert found == {
            "https://example.com/room?key=page-key",
            "rtmps://cdn.example.com/live/stream-key",
        }


@given(json_values, json_values, st.sampled_from([*MODES, None, 1]), json_values)
def test_a_check_never_raises_whatever_comes(cname: Any, uid: Any, mode: Any, value: Any) -> None:
    for found in (
        check.check_recording(value),
        start(mode, value, cname, uid),
        check.check_update(mode, value),
        check.check_layout(mode, value),
    ):
        assert all(problem.path and problem.rule for problem in found.problems + found.warnings)
        assert json.dumps(found, ensure_ascii=False).encode()


@given(
    st.dictionaries(st.text(max_size=6) | st.sampled_from(["token", "URL", "a/b~"]), json_values)
)
def test_what_was_taken_apart_is_put_together_again(request: Json) -> None:
    public, secrets = redaction.redact(request)

    assert repr(redaction.restore(public, secrets)) is not None
    assert msgspec_equal(redaction.restore(public, secrets), request)


def msgspec_equal(one: Any, other: Any) -> bool:
    """Compare as JSON text: NaN equals NaN, and 1 is not True; the order of members is free."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(
    st.sampled_from(sorted(REQUESTS)),
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1), st.integers(0, 9), max_size=3
    ),
)
def test_a_valid_request_stays_valid_when_its_secrets_come_back(name: str, more: Json) -> None:
    mode, request = REQUESTS[name]
    extra = {field: each for field, each in more.items() if field not in agora_fields()}
    whole = {**request, **extra}

    again = redaction.restore(*redaction.redact(whole))

    assert again == whole
    found, before = start(mode, again), start(mode, whole)
    assert found.problems == before.problems == ()
    # The order of members is not kept, so neither is that of the findings.
    assert set(found.warnings) == set(before.warnings)


def agora_fields() -> set[str]:
    return {field.name for field in msgspec.structs.fields(requests.ClientRequest)} | {
        "storageConfig"
    }

"""What is refused: field by field, with Agora's code."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from local.agora import Options, rules
from local.agora.rules import Acquisition, Identity, RefusalError

NOW_MS = 1_800_000_000_000
STORAGE = {
    "vendor": 1,
    "region": 0,
    "bucket": "films",
    "accessKey": "A",
    "secretKey": "S",
}
PAGE = {
    "url": "https://example.com",
    "audioProfile": 0,
    "videoWidth": 1280,
    "videoHeight": 720,
    "maxRecordingHour": 3,
}
WEB = {"extensionServices": [{"serviceName": "web_recorder_service", "serviceParam": PAGE}]}
POSTPONED = {
    "recordingConfig": {"subscribeUidGroup": 0},
    "appsCollection": {"combinationPolicy": "postpone_transcoding"},
    "transcodeOptions": {"transConfig": {"transMode": "postponeTranscoding"}},
}


def _start(
    mode: str, client_request: dict[str, Any], *, scene: int = 0, **options: Any
) -> dict[str, Any]:
    asked = Acquisition(Identity("room", "1"), scene, 72, options.pop("start_parameter", None))
    whole = {"storageConfig": STORAGE, **client_request}
    return rules.start(mode, whole, asked, Options(**options), NOW_MS)


def _code(error: pytest.ExceptionInfo[RefusalError]) -> tuple[int, int | None]:
    return error.value.http, error.value.code


@pytest.mark.parametrize(
    ("mode", "scene", "client_request"),
    [
        ("mix", 0, {}),
        ("mix", 0, {"recordingConfig": {"channelType": 1, "maxIdleTime": 5, "audioProfile": 2}}),
        ("mix", 0, {"recordingFileConfig": {"avFileType": ["hls", "mp4"]}}),
        ("mix", 0, {"recordingConfig": {"subscribeVideoUids": ["1"] * 32}}),
        (
            "mix",
            0,
            {
                "recordingConfig": {
                    "transcodingConfig": {
                        "width": 1920,
                        "height": 1080,
                        "mixedVideoLayout": 3,
                        "backgroundColor": "#fff000",
                        "layoutConfig": [{"x_axis": 0.0, "y_axis": 0, "width": 0.3, "height": 1}],
                        "backgroundConfig": [{"uid": "1", "image_url": "https://e.com/a.jpg"}],
                    }
                }
            },
        ),
        ("individual", 0, {"recordingConfig": {"subscribeUidGroup": 5, "streamMode": "standard"}}),
        (
            "individual",
            0,
            {
                "recordingConfig": {"subscribeUidGroup": 0, "streamTypes": 1},
                "snapshotConfig": {"captureInterval": 5, "fileType": ["jpg"]},
            },
        ),
        ("individual", 2, POSTPONED),
        ("web", 1, {"extensionServiceConfig": WEB}),
        ("mix", 0, {"somethingNew": {"from": "Agora"}}),
    ],
)
def test_what_the_documents_allow_is_accepted(
    mode: str, scene: int, client_request: dict[str, Any]
) -> None:
    assert _start(mode, client_request, scene=scene)["storageConfig"] == STORAGE


BAD_RECORDING_CONFIG: list[tuple[str, dict[str, Any], str]] = [
    ("mix", {"channelType": 2}, "channelType"),
    ("mix", {"channelType": "1"}, "channelType"),
    ("mix", {"channelType": True}, "channelType"),
    ("mix", {"maxIdleTime": 4}, "maxIdleTime"),
    ("mix", {"maxIdleTime": 2_592_001}, "maxIdleTime"),
    ("mix", {"streamTypes": 3}, "streamTypes"),
    ("mix", {"videoStreamType": 2}, "videoStreamType"),
    ("mix", {"decryptionMode": 1}, "secret"),
    ("mix", {"decryptionMode": 7, "secret": "s"}, "salt"),
    ("mix", {"subscribeAudioUids": ["0"]}, "subscribeAudioUids[0]"),
    ("mix", {"subscribeAudioUids": ["ann"]}, "subscribeAudioUids[0]"),
    ("mix", {"subscribeAudioUids": ["4294967296"]}, "subscribeAudioUids[0]"),
    ("mix", {"subscribeAudioUids": [123]}, "subscribeAudioUids[0]"),
    ("mix", {"subscribeAudioUids": ["1"] * 33}, "subscribeAudioUids"),
    ("mix", {"subscribeAudioUids": ["1"], "unsubscribeAudioUids": ["2"]}, "unsubscribeAudioUids"),
    ("mix", {"streamTypes": 0, "subscribeVideoUids": ["1"]}, "subscribeVideoUids"),
    ("mix", {"streamTypes": 1, "subscribeAudioUids": ["1"]}, "subscribeAudioUids"),
    ("mix", {"subscribeAudioUids": ["1"], "unSubscribeAudioUids": ["2"]}, "unSubscribeAudioUids"),
    ("mix", {"audioProfile": 3}, "audioProfile"),
    ("mix", {"transcodingConfig": {"width": 1921, "height": 1080}}, "transcodingConfig"),
    ("mix", {"transcodingConfig": {"mixedVideoLayout": 3}}, "layoutConfig"),
    ("mix", {"transcodingConfig": {"backgroundColor": "red"}}, "backgroundColor"),
    ("mix", {"transcodingConfig": {"layoutConfig": [{"x_axis": 0}]}}, "y_axis"),
    ("mix", {"transcodingConfig": {"maxResolutionUid": "0"}}, "maxResolutionUid"),
    ("individual", {"subscribeUidGroup": 6}, "subscribeUidGroup"),
    ("individual", {"subscribeUidGroup": 0, "audioProfile": 0}, "audioProfile"),
    ("individual", {"subscribeUidGroup": 0, "transcodingConfig": {}}, "transcodingConfig"),
    ("individual", {"subscribeUidGroup": 0, "streamMode": "original"}, "streamMode"),
]


@pytest.mark.parametrize(("mode", "config", "field"), BAD_RECORDING_CONFIG)
def test_a_wrong_recording_config_is_refused_by_name(
    mode: str, config: dict[str, Any], field: str
) -> None:
    with pytest.raises(RefusalError) as error:
        _start(mode, {"recordingConfig": config})

    assert _code(error) == (400, 2)
    assert error.value.reason.split(": ")[0].endswith(field)


@pytest.mark.parametrize(
    ("mode", "scene", "client_request", "field"),
    [
        ("mix", 0, {"storageConfig": None}, "storageConfig"),
        ("mix", 0, {"recordingFileConfig": {"avFileType": ["mp4"]}}, "avFileType"),
        ("mix", 0, {"recordingFileConfig": {"avFileType": ["avi"]}}, "avFileType[0]"),
        ("mix", 0, {"snapshotConfig": {"fileType": ["jpg"]}}, "snapshotConfig"),
        ("mix", 0, {"extensionServiceConfig": WEB}, "extensionServiceConfig"),
        ("mix", 0, {"appsCollection": {}}, "appsCollection"),
        ("mix", 1, {}, "mode"),
        ("mix", 2, {}, "combinationPolicy"),
        ("web", 0, {"extensionServiceConfig": WEB}, "mode"),
        ("web", 1, {}, "extensionServiceConfig"),
        ("raw", 0, {"extensionServiceConfig": WEB}, "extensionServiceConfig"),
        ("individual", 0, POSTPONED, "combinationPolicy"),
        ("individual", 2, {**POSTPONED, "transcodeOptions": None}, "transcodeOptions"),
        ("mix", 0, [], "clientRequest"),
    ],
)
def test_what_does_not_go_together_is_refused(
    mode: str, scene: int, client_request: Any, field: str
) -> None:
    asked = Acquisition(Identity("room", "1"), scene, 72, None)
    whole = (
        {"storageConfig": STORAGE, **client_request}
        if isinstance(client_request, dict)
        else client_request
    )
    with pytest.raises(RefusalError) as error:
        rules.start(mode, whole, asked, Options(), NOW_MS)

    assert _code(error) == (400, 2)
    assert error.value.reason.split(": ")[0].endswith(field)


@pytest.mark.parametrize(
    ("config", "snapshot"),
    [
        ({"streamTypes": 0}, {"fileType": ["jpg"]}),
        ({"subscribeAudioUids": ["1"]}, {"fileType": ["jpg"]}),
        ({}, {"fileType": ["png"]}),
        ({}, {}),
        ({}, {"fileType": ["jpg"], "captureInterval": 4}),
        ({}, {"fileType": ["jpg"], "captureInterval": 3601}),
    ],
)
def test_screenshots_have_conditions(config: dict[str, Any], snapshot: dict[str, Any]) -> None:
    with pytest.raises(RefusalError) as error:
        _start(
            "individual",
            {"recordingConfig": {"subscribeUidGroup": 0, **config}, "snapshotConfig": snapshot},
        )

    assert _code(error) == (400, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"url": ""},
        {"maxRecordingHour": 0},
        {"maxRecordingHour": 721},
        {"videoFps": 4},
        {"maxVideoDuration": 29},
        {"readyTimeout": 61},
        {"videoWidth": 1921, "videoHeight": 1080},
        {"audioProfile": None},
        {"mobile": "yes"},
    ],
)
def test_a_wrong_web_page_is_refused(change: dict[str, Any]) -> None:
    config = copy.deepcopy(WEB)
    config["extensionServices"][0]["serviceParam"] = {**PAGE, **change}
    with pytest.raises(RefusalError) as error:
        _start("web", {"extensionServiceConfig": config}, scene=1)

    assert _code(error) == (400, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"vendor": 4},
        {"vendor": 2},
        {"vendor": 11},
        {"region": 26},
        {"region": "0"},
        {"bucket": ""},
        {"accessKey": None},
        {"fileNamePrefix": ["a-b"]},
        {"fileNamePrefix": ["a/b"]},
        {"fileNamePrefix": "a"},
        {"fileNamePrefix": ["a" * 128]},
        {"stsToken": "T"},
        {"stsToken": "T", "stsExpiration": NOW_MS // 1000 + 3600},
        {"extensionParams": {"sse": "des"}},
    ],
)
def test_a_wrong_storage_config_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(RefusalError) as error:
        _start("mix", {"storageConfig": {**STORAGE, **change}})

    assert _code(error) == (400, 2)


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ({"fileNamePrefix": ["a" * 127]}, {}),
        ({"fileNamePrefix": ["a-b_c"]}, {"relaxed_prefix": True}),
        ({"stsToken": "T", "stsExpiration": NOW_MS // 1000 + 4 * 3600}, {}),
        ({"stsToken": "T"}, {"sts_min_validity_s": 0}),
        ({"vendor": 11, "extensionParams": {"endpoint": "s3.example.com"}}, {}),
    ],
)
def test_a_right_storage_config_is_accepted(
    change: dict[str, Any], options: dict[str, Any]
) -> None:
    assert _start("mix", {"storageConfig": {**STORAGE, **change}}, **options)


def test_start_must_agree_with_the_start_parameter_of_acquire() -> None:
    promised = {"recordingConfig": {"channelType": 1}}

    assert _start("mix", promised, start_parameter=promised)
    with pytest.raises(RefusalError):
        _start("mix", {"recordingConfig": {"channelType": 0}}, start_parameter=promised)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"uid": "1"}, 2),
        ({"cname": "room"}, 2),
        ({"cname": "room", "uid": 1}, 2),
        ({"cname": "room", "uid": "0"}, 2),
        ({"cname": "room", "uid": "4294967296"}, 2),
        ({"cname": "x" * 65, "uid": "1"}, 1013),
        ({"cname": "größe", "uid": "1"}, 1013),
        ({"cname": "a/b", "uid": "1"}, 1013),
        ({"cname": "room", "uid": "1", "clientRequest": {"scene": 3}}, 2),
        ({"cname": "room", "uid": "1", "clientRequest": {"resourceExpiredHour": 721}}, 2),
        ({"cname": "room", "uid": "1", "clientRequest": {"region": "US"}}, 2),
        ({"cname": "room", "uid": "1", "clientRequest": {"excludeResourceIds": "x"}}, 2),
        ({"cname": "x" * 1025, "uid": "1", "clientRequest": {"scene": 1}}, 1013),
    ],
)
def test_a_wrong_acquire_is_refused(body: dict[str, Any], code: int) -> None:
    with pytest.raises(RefusalError) as error:
        rules.acquire(body)

    assert _code(error) == (400, code)


def test_acquire_accepts_every_character_of_a_channel_name() -> None:
    cname = "azAZ09 !#$%&()+-:;<=.>?@[]^_{}|~,"

    assert rules.acquire({"cname": cname, "uid": "1"}).who.cname == cname
    assert rules.acquire({"cname": "x" * 64, "uid": "4294967295"}).expires_after_hours == 72


@pytest.mark.parametrize(
    ("mode", "client_request"),
    [
        ("web", {"streamSubscribe": {}}),
        ("mix", {"webRecordingConfig": {"onhold": True}}),
        ("mix", {"rtmpPublishConfig": {"outputs": []}}),
        ("web", {"webRecordingConfig": {"onhold": 1}}),
        ("web", {"rtmpPublishConfig": {"outputs": [{}]}}),
        ("mix", {"storageConfig": {"vendor": 1}}),
        ("mix", {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["x"]}}}),
    ],
)
def test_a_wrong_update_is_refused(mode: str, client_request: dict[str, Any]) -> None:
    with pytest.raises(RefusalError) as error:
        rules.update(mode, client_request, Options(), NOW_MS)

    assert _code(error) == (400, 2)


@pytest.mark.parametrize(
    ("mode", "client_request"),
    [
        ("mix", {"mixedVideoLayout": 4}),
        ("mix", {"mixedVideoLayout": 3}),
        ("mix", {"backgroundColor": "#12345"}),
        ("mix", {"layoutConfig": [{"x_axis": 2, "y_axis": 0, "width": 1, "height": 1}]}),
        ("individual", {"mixedVideoLayout": 1}),
        ("mix", None),
    ],
)
def test_a_wrong_layout_has_a_code_of_its_own(mode: str, client_request: Any) -> None:
    with pytest.raises(RefusalError) as error:
        rules.update_layout(mode, client_request)

    assert _code(error) == (400, 1028)


def test_stop_takes_only_a_boolean() -> None:
    assert rules.stop({"async_stop": True}) is True
    assert rules.stop({}) is rules.stop(None) is False
    with pytest.raises(RefusalError):
        rules.stop({"async_stop": "true"})

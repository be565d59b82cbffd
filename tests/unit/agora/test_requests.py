"""The fields of Agora's requests, each by itself; and the table that documents them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora import bodies, requests
from agora_recording.request import check
from agora_recording.request.conformance import Checked
from agora_recording.request.rules import MODES
from tests.world.examples import (
    CUSTOM_LAYOUT,
    MIXED_LATER,
    PAGE,
    RECORDING,
    REGION,
    REQUESTS,
    SALT,
    SERVICES,
    STORAGE,
    TRANSCODING,
    WEB,
    WEB_UPDATE,
    Json,
    is_at,
    json_values,
    put,
    start,
    stored,
)

# --- every field by itself ------------------------------------------------------------------------


class Field(NamedTuple):
    """A field: the type it is of, where it lies in a whole request, what it takes and what not."""

    name: str
    request: str
    parent: str
    good: tuple[Any, ...]
    bad: tuple[Any, ...]

    @property
    def path(self) -> str:
        """Where the field lies in the request."""
        return f"{self.parent}.{self.name.partition('.')[2]}".removeprefix(".")


UIDS_GOOD = (["1"], ["0", "4294967295"], [str(n) for n in range(1, 33)])
UIDS_BAD: tuple[Any, ...] = (
    "1",
    [1],
    ["4294967296"],
    ["01"],
    ["x"],
    ["1\n"],
    [str(n) for n in range(33)],
    {},
)

ONE_REGION = f"{TRANSCODING}.layoutConfig[0]"
ONE_BACKGROUND = f"{TRANSCODING}.backgroundConfig[0]"
RECORDER = f"{SERVICES}[0]"
PUBLISHER = f"{SERVICES}[1]"
PUBLISHER_PARAM = f"{PUBLISHER}.serviceParam"
ONE_OUTPUT = f"{PUBLISHER_PARAM}.outputs[0]"
BOTH_SERVICES = WEB["extensionServiceConfig"]["extensionServices"]

FIELDS = [
    # acquire
    Field("ClientRequest.scene", "mix", "", (0,), (3, -1, "0", False)),
    Field("ClientRequest.resourceExpiredHour", "mix", "", (1, 720), (0, 721, 1.5, True, "72")),
    Field("ClientRequest.region", "mix", "", ("CN", "AP", "EU", "NA"), ("eu", "US", 0, [])),
    Field("ClientRequest.regionAffinity", "mix", "", (0, 1, 2, 3, 4), (5, -1, "1", True, 1.0)),
    Field("ClientRequest.excludeResourceIds", "mix", "", ([], ["a", "b"]), ("a", [""], [1])),
    Field(
        "ClientRequest.startParameter",
        "postponed",
        "",
        (bodies.split(MIXED_LATER)[1],),
        ("x", [], 1),
    ),
    # start
    Field("StartFields.token", "mix", "", ("", "007eJx"), (1, ["t"])),
    Field("StartFields.recordingConfig", "mix", "", ({},), ("x", [], 1)),
    Field("StartFields.recordingFileConfig", "mix", "", ({},), ("hls", ["hls"])),
    Field(
        "StartFields.snapshotConfig", "individual", "", ({"fileType": ["jpg"]},), (True, ["jpg"])
    ),
    Field(
        "StartFields.extensionServiceConfig", "web", "", (WEB["extensionServiceConfig"],), ([], 1)
    ),
    Field(
        "StartFields.appsCollection",
        "postponed",
        "",
        ({"combinationPolicy": "postpone_transcoding"},),
        ("default", 1),
    ),
    Field(
        "StartFields.transcodeOptions",
        "postponed",
        "",
        ({"transConfig": {"transMode": "audioMix"}},),
        ("audioMix", []),
    ),
    # recordingConfig
    Field("RecordingConfig.channelType", "mix", RECORDING, (0, 1), (2, "0", True, 0.0)),
    Field("RecordingConfig.decryptionMode", "mix", RECORDING, tuple(range(9)), (9, -1, "1", True)),
    Field("RecordingConfig.secret", "mix", RECORDING, ("s",), (1, "", None)),
    Field(
        "RecordingConfig.salt", "mix", RECORDING, (SALT,), (1, "", SALT[:-2], SALT[:-1], "!" * 44)
    ),
    Field(
        "RecordingConfig.maxIdleTime",
        "mix",
        RECORDING,
        (5, 2_592_000),
        (4, 2_592_001, 30.5, "30", True),
    ),
    Field("RecordingConfig.streamTypes", "mix", RECORDING, (2,), (3, "2", True)),
    Field("RecordingConfig.videoStreamType", "mix", RECORDING, (0, 1), (2, "0", False)),
    Field(
        "RecordingConfig.subscribeAudioUids",
        "mix",
        RECORDING,
        (*UIDS_GOOD, ["#allstream#"]),
        UIDS_BAD,
    ),
    Field(
        "RecordingConfig.unsubscribeAudioUids",
        "individual",
        RECORDING,
        UIDS_GOOD,
        (*UIDS_BAD, ["#allstream#"]),
    ),
    Field(
        "RecordingConfig.unSubscribeAudioUids",
        "individual",
        RECORDING,
        UIDS_GOOD,
        (*UIDS_BAD, ["#allstream#"]),
    ),
    Field(
        "RecordingConfig.subscribeVideoUids",
        "mix",
        RECORDING,
        (*UIDS_GOOD, ["#allstream#"]),
        UIDS_BAD,
    ),
    Field(
        "RecordingConfig.unsubscribeVideoUids",
        "individual",
        RECORDING,
        UIDS_GOOD,
        (*UIDS_BAD, ["#allstream#"]),
    ),
    Field(
        "RecordingConfig.unSubscribeVideoUids",
        "individual",
        RECORDING,
        UIDS_GOOD,
        (*UIDS_BAD, ["#allstream#"]),
    ),
    Field(
        "RecordingConfig.privateParams",
        "mix",
        RECORDING,
        ('{"correctEXTINF":true}',),
        ({"correctEXTINF": True}, 1),
    ),
    Field(
        "RecordingConfig.subscribeUidGroup",
        "individual",
        RECORDING,
        tuple(range(6)),
        (6, -1, "1", True),
    ),
    Field(
        "RecordingConfig.streamMode",
        "individual",
        RECORDING,
        ("default", "standard", "original"),
        ("Standard", 0),
    ),
    Field("RecordingConfig.audioProfile", "mix", RECORDING, (0, 1, 2), (3, "1", True)),
    Field("RecordingConfig.transcodingConfig", "mix", RECORDING, ({},), ([], "x")),
    # transcodingConfig and its layout
    Field("TranscodingConfig.width", "mix", TRANSCODING, (1, 1920), (0, -1, 640.0, "640", True)),
    Field("TranscodingConfig.height", "mix", TRANSCODING, (1, 1080), (0, "360")),
    Field("TranscodingConfig.fps", "mix", TRANSCODING, (1, 15, 30), (0, "15", 29.97)),
    Field("TranscodingConfig.bitrate", "mix", TRANSCODING, (1, 500), (0, "500", True)),
    Field(
        "Layout.maxResolutionUid",
        "mix",
        TRANSCODING,
        ("1", "4294967295"),
        ("0", 1, "4294967296", ""),
    ),
    Field("Layout.mixedVideoLayout", "mix", TRANSCODING, (3,), (4, "3", True)),
    Field(
        "Layout.backgroundColor",
        "mix",
        TRANSCODING,
        ("#000000", "#aBcDeF"),
        ("000000", "#fff", "#00000g", "#000000\n", 0),
    ),
    Field(
        "Layout.backgroundImage",
        "mix",
        TRANSCODING,
        ("https://example.com/a.jpg",),
        ("a.jpg", "ftp://example.com/a.jpg", "https://a b", 1),
    ),
    Field(
        "Layout.defaultUserBackgroundImage",
        "mix",
        TRANSCODING,
        ("http://example.com/a.bmp",),
        ("a.bmp", ""),
    ),
    Field(
        "Layout.layoutConfig",
        "mix",
        TRANSCODING,
        ([REGION] * 17,),
        ([], [REGION] * 18, REGION, ["1"]),
    ),
    Field(
        "Layout.backgroundConfig",
        "mix",
        TRANSCODING,
        ([], {"uid": "1", "image_url": "https://example.com/a.jpg"}),
        ("x", [1], 1),
    ),
    Field("LayoutRegion.uid", "mix", ONE_REGION, ("0", "7"), ("", 7, "seven")),
    Field(
        "LayoutRegion.x_axis",
        "mix",
        ONE_REGION,
        (0, 0.0, 0.123456, 1),
        (-0.1, 1.1, "0", True, ..., float("nan")),
    ),
    Field("LayoutRegion.y_axis", "mix", ONE_REGION, (0, 1.0), (2, None, ...)),
    Field("LayoutRegion.width", "mix", ONE_REGION, (0.25, 1), (1.5, "1", ...)),
    Field("LayoutRegion.height", "mix", ONE_REGION, (0.25, 1), (-1, [], ...)),
    Field("LayoutRegion.alpha", "mix", ONE_REGION, (0, 0.77, 1.0), (1.01, "1", False)),
    Field("LayoutRegion.render_mode", "mix", ONE_REGION, (0, 1), (2, "0", True)),
    Field("BackgroundConfig.uid", "mix", ONE_BACKGROUND, ("16",), (16, "", ...)),
    Field(
        "BackgroundConfig.image_url",
        "mix",
        ONE_BACKGROUND,
        ("http://example.com/a.bmp",),
        ("file:///a.bmp", "", ...),
    ),
    Field("BackgroundConfig.render_mode", "mix", ONE_BACKGROUND, (0, 1), (2, True)),
    # files
    Field(
        "RecordingFileConfig.avFileType",
        "mix",
        "recordingFileConfig",
        (["hls"], ["hls", "mp4"], ["mp4", "hls"]),
        (["mp4"], ["mp3"], [], ["hls", "hls"], ["flv"], "hls", ["hls", "mp4", "hls"]),
    ),
    Field(
        "SnapshotConfig.captureInterval",
        "individual",
        "snapshotConfig",
        (5, 3600),
        (4, 1, 3601, "10", 9.5),
    ),
    Field(
        "SnapshotConfig.fileType",
        "individual",
        "snapshotConfig",
        (["jpg"],),
        (["png"], [], ["jpg", "jpg"], "jpg", ...),
    ),
    # web page recording
    Field(
        "ExtensionServiceConfig.errorHandlePolicy",
        "web",
        "extensionServiceConfig",
        ("error_abort",),
        ("error_ignore", 1),
    ),
    Field(
        "ExtensionServiceConfig.extensionServices",
        "web",
        "extensionServiceConfig",
        (BOTH_SERVICES[:1],),
        (
            [],
            {},
            ...,
            BOTH_SERVICES[1:],
            BOTH_SERVICES * 2,
        ),
    ),
    Field(
        "WebRecorderService.serviceName",
        "web",
        RECORDER,
        ("web_recorder_service",),
        ("web", 1, ...),
    ),
    Field(
        "WebRecorderService.errorHandlePolicy",
        "web",
        RECORDER,
        ("error_abort",),
        ("error_ignore", ""),
    ),
    Field(
        "WebRecorderService.serviceParam",
        "web",
        RECORDER,
        (BOTH_SERVICES[0]["serviceParam"],),
        ([], ...),
    ),
    Field(
        "RtmpPublishService.serviceName",
        "web",
        PUBLISHER,
        ("rtmp_publish_service",),
        ("rtmp", ["x"], ...),
    ),
    Field(
        "RtmpPublishService.errorHandlePolicy",
        "web",
        PUBLISHER,
        ("error_ignore",),
        ("error_abort", 0),
    ),
    Field(
        "RtmpPublishService.serviceParam",
        "web",
        PUBLISHER,
        ({"outputs": [{"rtmpUrl": "rtmp://a/b"}]},),
        ("x", ...),
    ),
    Field(
        "RtmpPublishParam.outputs",
        "web",
        PUBLISHER_PARAM,
        ([{"rtmpUrl": "rtmp://a/b"}] * 2,),
        ([], {}, ["rtmp://a/b"], ...),
    ),
    Field(
        "RtmpOutput.rtmpUrl",
        "web",
        ONE_OUTPUT,
        ("rtmp://a/b", "rtmps://a/b"),
        ("http://a/b", "", 1, ...),
    ),
    Field(
        "WebRecorderParam.url",
        "web",
        PAGE,
        ("http://a", "HTTPS://a/b?c=d#e"),
        ("a", "https://", 1, ...),
    ),
    Field("WebRecorderParam.audioProfile", "web", PAGE, (0, 1, 2), (3, "0", True, ...)),
    Field("WebRecorderParam.videoWidth", "web", PAGE, (1, 1280), (0, "1280", 1.5, ...)),
    Field("WebRecorderParam.videoHeight", "web", PAGE, (1, 720), (0, None, True, ...)),
    Field("WebRecorderParam.maxRecordingHour", "web", PAGE, (1, 720), (0, 721, "3", ...)),
    Field("WebRecorderParam.videoBitrate", "web", PAGE, (1, 2000), (0, "2000")),
    Field("WebRecorderParam.videoFps", "web", PAGE, (5, 60), (4, 61, "30")),
    Field("WebRecorderParam.mobile", "web", PAGE, (True, False), (1, "true")),
    Field("WebRecorderParam.maxVideoDuration", "web", PAGE, (30, 240), (29, 241)),
    Field("WebRecorderParam.onhold", "web", PAGE, (True, False), (0, "false")),
    Field("WebRecorderParam.readyTimeout", "web", PAGE, (0, 60), (-1, 61, True)),
    # postponed transcoding and mixing
    Field(
        "AppsCollection.combinationPolicy",
        "postponed",
        "appsCollection",
        ("postpone_transcoding",),
        ("later", 1),
    ),
    Field(
        "TranscodeOptions.transConfig",
        "postponed",
        "transcodeOptions",
        ({"transMode": "audioMix"},),
        ("audioMix", ...),
    ),
    Field(
        "TransConfig.transMode",
        "postponed",
        "transcodeOptions.transConfig",
        ("audioMix",),
        ("mix", 1, ...),
    ),
    Field("TranscodeOptions.container", "postponed", "transcodeOptions", ({},), ("mp3", [])),
    Field(
        "Container.format",
        "postponed",
        "transcodeOptions.container",
        ("mp3", "m4a", "aac"),
        ("mp4", "wav", 3),
    ),
    Field("TranscodeOptions.audio", "postponed", "transcodeOptions", ({},), ([], 1)),
    Field(
        "MixedAudio.sampleRate",
        "postponed",
        "transcodeOptions.audio",
        ("48000", "32000", "16000"),
        ("44100", 48000),
    ),
    Field(
        "MixedAudio.bitrate",
        "postponed",
        "transcodeOptions.audio",
        ("1", "48000"),
        ("0", 48000, "48k", ""),
    ),
    Field("MixedAudio.channels", "postponed", "transcodeOptions.audio", ("1", "2"), ("3", 2)),
]

SUBSCRIBE = "streamSubscribe"
AUDIO_LIST = f"{SUBSCRIBE}.audioUidList"
VIDEO_LIST = f"{SUBSCRIBE}.videoUidList"
UPDATES = [
    Field("UpdateFields.streamSubscribe", "mix", "", ({},), ([], 1)),
    Field(
        "StreamSubscribe.audioUidList",
        "mix",
        SUBSCRIBE,
        ({"subscribeAudioUids": ["1"]},),
        (["1"], {}, {"subscribeVideoUids": ["1"]}),
    ),
    Field(
        "StreamSubscribe.videoUidList",
        "mix",
        SUBSCRIBE,
        ({"unSubscribeVideoUids": []},),
        ("1", {}),
    ),
    Field(
        "AudioUidList.subscribeAudioUids",
        "mix",
        AUDIO_LIST,
        (*UIDS_GOOD, ["#allstream#"]),
        UIDS_BAD,
    ),
    Field("AudioUidList.unsubscribeAudioUids", "individual", AUDIO_LIST, UIDS_GOOD, UIDS_BAD),
    Field("AudioUidList.unSubscribeAudioUids", "mix", AUDIO_LIST, UIDS_GOOD, UIDS_BAD),
    Field("VideoUidList.subscribeVideoUids", "individual", VIDEO_LIST, UIDS_GOOD, UIDS_BAD),
    Field("VideoUidList.unsubscribeVideoUids", "mix", VIDEO_LIST, UIDS_GOOD, UIDS_BAD),
    Field("VideoUidList.unSubscribeVideoUids", "individual", VIDEO_LIST, UIDS_GOOD, UIDS_BAD),
    Field("UpdateFields.webRecordingConfig", "web", "", ({},), (True,)),
    Field("WebRecordingConfig.onhold", "web", "webRecordingConfig", (True, False), (1, "true")),
    Field("UpdateFields.rtmpPublishConfig", "web", "", ({},), ("rtmp://a/b",)),
    Field(
        "RtmpPublishConfig.outputs", "web", "rtmpPublishConfig", ([], [{}]), ({}, ["rtmp://a/b"])
    ),
    Field(
        "RtmpUpdateOutput.rtmpUrl", "web", "rtmpPublishConfig.outputs[0]", ("rtmp://a/b",), ("a", 1)
    ),
]

STORED = [
    Field("StorageConfig.vendor", "", "", (1,), (0, 4, 9, "1", True, ...)),
    Field("StorageConfig.region", "", "", (0, 28), (-1, "us-east-1", ...)),
    Field("StorageConfig.bucket", "", "", ("b",), ("", 1, ...)),
    Field("StorageConfig.accessKey", "", "", ("k",), ("", None, ...)),
    Field("StorageConfig.secretKey", "", "", ("k",), ("", [], ...)),
    Field("StorageConfig.stsToken", "", "", ("t",), ("", 1)),
    Field("StorageConfig.stsExpiration", "", "", (1_800_000_000,), (0, "soon", 1.5)),
    Field(
        "StorageConfig.fileNamePrefix",
        "",
        "",
        ([], ["a" * 127]),
        (["a-b"], ["a/b"], [""], "a", ["2026-01-01"]),
    ),
    Field("StorageConfig.extensionParams", "", "", ({},), ([], "kms")),
    Field("ExtensionParams.sse", "", "extensionParams", ("kms", "aes256"), ("AES256", 1)),
    Field("ExtensionParams.tag", "", "extensionParams", ("a=b",), ("", 1)),
    Field("ExtensionParams.endpoint", "", "extensionParams", ("s3.example.com",), ("", 1)),
]


def hold(field: Field, base: Json, look: Callable[[Any], Checked], prefix: str) -> None:
    for value in field.good:
        found = look(put(base, field.path, value))
        assert [p for p in found.problems if is_at(f"{prefix}{field.path}", p.path)] == [], value
    for value in field.bad:
        found = look(put(base, field.path, value))
        assert any(is_at(f"{prefix}{field.path}", p.path) for p in found.problems), value


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_takes_what_its_rule_allows_and_nothing_else(field: Field) -> None:
    mode, request = REQUESTS[field.request]

    hold(field, request, lambda changed: start(mode, changed), "clientRequest.")


@pytest.mark.parametrize("field", UPDATES, ids=lambda field: field.name)
def test_an_update_field_takes_what_its_rule_allows_and_nothing_else(field: Field) -> None:
    base = WEB_UPDATE if field.request == "web" else {}

    hold(field, base, lambda changed: check.check_update(field.request, changed), "")


@pytest.mark.parametrize(
    "field",
    [
        each
        for each in FIELDS
        if each.name.split(".")[0] in ("Layout", "LayoutRegion", "BackgroundConfig")
    ],
    ids=lambda field: field.name,
)
def test_a_layout_field_takes_what_its_rule_allows_and_nothing_else(field: Field) -> None:
    inner = field._replace(parent=field.parent.removeprefix(TRANSCODING).removeprefix("."))

    hold(inner, CUSTOM_LAYOUT, lambda changed: check.check_layout("mix", changed), "")


@pytest.mark.parametrize("field", STORED, ids=lambda field: field.name)
def test_a_storage_field_takes_what_its_rule_allows_and_nothing_else(field: Field) -> None:
    hold(field, STORAGE, stored, "storageConfig.")


@pytest.mark.parametrize("field", [*FIELDS, *UPDATES], ids=lambda field: field.name)
def test_a_field_that_is_null_counts_as_absent(field: Field) -> None:
    """Typed clients write null for each field that was not set."""
    is_update = field in UPDATES
    base = WEB_UPDATE if is_update else REQUESTS[field.request][1]

    def look(request: Json) -> Checked:
        if is_update:
            return check.check_update(field.request, request)
        return start(REQUESTS[field.request][0], request)

    null = put(base, field.path, None)
    assert look(null) == look(put(null, field.path, ...))


def test_a_problem_never_repeats_a_value() -> None:
    marker = "S3CR3T-do-not-print"
    for field in FIELDS:
        mode, request = REQUESTS[field.request]
        found = start(mode, put(request, field.path, [marker, {"token": marker}]), cname=marker)
        assert marker not in json.dumps(found)


@given(st.sampled_from(FIELDS), st.sampled_from(MODES), json_values)
def test_a_check_never_raises_wherever_a_valid_request_is_broken(
    field: Field, mode: str, value: Any
) -> None:
    changed = put(REQUESTS[field.request][1], field.path, value)

    found = start(mode, changed)

    assert json.dumps(found, ensure_ascii=False).encode()


# --- the types themselves -------------------------------------------------------------------------


def struct_types() -> dict[str, type[msgspec.Struct]]:
    return {
        name: kind
        for name, kind in vars(requests).items()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind is not msgspec.Struct
    }


def own_fields() -> set[str]:
    """Return `Type.field` for every field, at the type that declares it."""
    names = set()
    kinds = struct_types()
    for name, kind in kinds.items():
        bases = [base for base in kind.__mro__[1:] if base in kinds.values()]
        inherited = {each for base in bases for each in kinds[base.__name__].__struct_fields__}
        tag_field = kind.__struct_config__.tag_field
        fields = [each for each in kind.__struct_fields__ if each not in inherited]
        names |= {f"{name}.{each}" for each in [*fields, *([tag_field] if tag_field else [])]}
    return names


CLIENT_REQUESTS = ("AcquireClientRequest", "StartClientRequest")


def test_every_field_has_a_case_in_these_tests() -> None:
    tried = {field.name for field in (*FIELDS, *UPDATES, *STORED)}
    by_their_bodies = {each for each in own_fields() if each.split(".")[0] in CLIENT_REQUESTS}

    assert own_fields() - by_their_bodies == tried


def test_the_types_make_json_schemas() -> None:
    kinds = [kind for name, kind in struct_types().items() if name != "Struct"]

    _, components = msgspec.json.schema_components(kinds)

    assert set(components) == set(struct_types())


# --- the documentation ----------------------------------------------------------------------------

DOCS = Path(__file__).parents[3] / "docs" / "fields.md"


def test_every_field_appears_in_the_documentation() -> None:
    documented = set(re.findall(r"`([A-Z][A-Za-z]+\.[A-Za-z_]+)`", DOCS.read_text("utf-8")))

    assert own_fields() - documented == set()


def test_every_test_that_the_documentation_names_exists() -> None:
    here = Path(__file__).parents[2]
    names = set(re.findall(r"`(test_\w+)`", DOCS.read_text("utf-8")))
    defined = {
        name
        for file in here.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
    }

    assert names
    assert names - defined == set()

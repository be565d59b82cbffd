"""Every event type of the documents, and whatever else may come."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.aws import dynamodb
from agora_recording.hiding import address_name
from agora_recording.notifications import envelope, events
from agora_recording.notifications import events as e
from agora_recording.notifications.envelope import Notification
from local.agora.events import EVENTS as SIMULATED
from tests.world.webhook import DOCUMENTED, NOW_MS, SID, body, event

_AUDIO = e.File(
    fileName="xxx.m3u8",
    trackType="audio",
    uid="57297",
    mixedAllUser=False,
    isPlayable=True,
    sliceStartTime=1619172871089,
)
_MP4 = e.File(
    fileName="xxx.mp4",
    trackType="audio_and_video",
    uid="0",
    mixedAllUser=True,
    isPlayable=True,
    sliceStartTime=1619172632080,
)
_UTC_MS = 1619172871089

EXPECTED: dict[int, list[e.Details]] = {
    1: [
        e.CloudRecordingError(
            module=1, errorLevel=4, errorCode=47, stat=1, errorMsg="upload failed"
        )
    ],
    2: [e.CloudRecordingWarning(module=1, warnCode=31)],
    3: [
        e.CloudRecordingStatusUpdate(
            status=5, recordingMode=1, fileList=(e.File(fileName="xxx.m3u8"),)
        )
    ],
    4: [e.CloudRecordingFileInfos(fileList=(e.File(fileName="xxx.m3u8"),))],
    11: [e.SessionExit(exitStatus=0)],
    12: [e.SessionFailover(newUid="3718283")],
    13: [e.HighAvailabilityRegistered()],
    30: [e.UploaderStarted(status=0)],
    31: [
        e.Uploaded(status=0, fileList=(_AUDIO, _AUDIO)),
        e.Uploaded(status=0, fileList=(_MP4,)),
        e.Uploaded(status=0),
    ],
    32: [
        e.Backuped(status=0, fileList=(_AUDIO, _AUDIO)),
        e.Backuped(status=0, fileList=(_MP4,)),
        e.Backuped(status=0),
    ],
    33: [e.UploadingProgress(progress=9876)],
    34: [e.StorageTokenExpired()],
    40: [e.RecorderStarted(status=0)],
    41: [e.RecorderLeave(leaveCode=24)],
    42: [
        e.RecorderSliceStart(
            startUtcMs=_UTC_MS,
            discontinueUtcMs=_UTC_MS,
            mixedAllUser=True,
            streamUid="0",
            trackType="audio_and_video",
        )
    ],
    43: [
        e.RecorderAudioStreamStateChanged(track="audio", streamUid="57297", state=0, UtcMs=_UTC_MS)
    ],
    44: [
        e.RecorderVideoStreamStateChanged(track="video", streamUid="57297", state=1, UtcMs=_UTC_MS)
    ],
    45: [e.RecorderSnapshotFile(fileName="directory1/xxx.jpg")],
    60: [e.VodStarted(videoId="93ab850b4f6f44eab54b6e91d24d81d4")],
    61: [e.VodTriggered()],
    70: [e.WebRecorderStarted(recorderStartTime=1627613641393)],
    71: [
        e.WebRecorderStopped(
            code=1,
            message="max_recording_hour",
            details="max recording hour is 4",
            fileList=(
                e.File(fileName="test_p1627613634_www.m3u8", sliceStartTime=1627613641393),
                e.File(fileName="test_p1627613634_www_0.mp4", sliceStartTime=1627613641393),
            ),
        )
    ],
    72: [e.WebRecorderCapabilityLimit(limitType="WebGL")],
    73: [e.WebRecorderReload(reason="audio_silence")],
    80: [e.TranscoderStarted()],
    81: [
        e.TranscoderCompleted(
            result="partial_success",
            uids=(
                e.Transcoded(uid="57297", result="success", fileList=(e.File(fileName="xxx.mp4"),)),
                e.Transcoded(uid="10230", result="fail"),
            ),
        ),
        e.TranscoderCompleted(
            result="all_success",
            uids=(e.Transcoded(uid="57297", fileList=(e.File(fileName="xxx.mp4"),)),),
        ),
    ],
    90: [
        e.DownloadFailed(
            vendor=1,
            region=0,
            bucket="recordings",
            fileNames=("xxx.m3u8", "xxx_1.ts", "xxx_2.ts"),
        )
    ],
    100: [e.RtmpPublishStatus(target="live.example.com#265544a8", status="publishing")],
    1001: [
        e.PostponeTranscodeFinalResult(
            result="total_success", fileList=(e.File(fileName="xxx.mp4"),)
        )
    ],
}


def test_every_event_of_the_documents_is_decoded() -> None:
    decoded = {
        kind: [event(kind, details).details for details in examples]
        for kind, examples in DOCUMENTED.items()
    }
    assert decoded == EXPECTED
    assert set(decoded) == set(events.KINDS)


def test_every_event_goes_by_the_name_that_its_examples_have() -> None:
    for kind, examples in DOCUMENTED.items():
        named = {each["msgName"] for each in examples if "msgName" in each}
        assert named <= {events.KINDS[kind].msg_name}


def test_the_simulator_calls_the_events_what_they_are_called_here() -> None:
    for kind, (_, name) in SIMULATED.items():
        assert name in (events.KINDS[kind].msg_name, None)


@pytest.mark.parametrize(
    ("file_list", "names"),
    [
        ("a.m3u8", ["a.m3u8"]),
        ("", []),
        (None, []),
        ([], []),
        ({"fileName": "a.m3u8"}, ["a.m3u8"]),
        (["a.m3u8", "a_0.mp4"], ["a.m3u8", "a_0.mp4"]),
        ([{"fileName": "a.m3u8"}, {"filename": "a_0.mp4"}], ["a.m3u8", "a_0.mp4"]),
        ('[{"fileName": "a.m3u8"}]', ["a.m3u8"]),
        ("[not json", []),
        ([{}, None, 1, {"fileName": ""}], []),
    ],
)
def test_a_file_list_is_read_in_every_form(file_list: Any, names: list[str]) -> None:
    told = event(31, {"fileList": file_list}).details
    assert isinstance(told, e.Uploaded)
    assert [file.fileName for file in told.fileList] == names


def test_an_event_nobody_documented_is_kept() -> None:
    unknown = event(4711, {"msgName": "new_thing", "count": 3})
    assert unknown.details == e.UnknownEvent(
        msgName="new_thing", fields={"msgName": "new_thing", "count": 3}
    )


def test_an_event_without_a_type_is_kept() -> None:
    decoded = events.decode(Notification(), NOW_MS)
    assert (decoded.event_type, decoded.at_ms, decoded.details) == (
        None,
        NOW_MS,
        e.UnknownEvent(fields={}),
    )


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        (43, {"utcMs": _UTC_MS}, e.RecorderAudioStreamStateChanged(track="audio", UtcMs=_UTC_MS)),
        (
            43,
            {"UtcMs": "1619172871"},
            e.RecorderAudioStreamStateChanged(track="audio", UtcMs=1619172871000),
        ),
        (31, {"fileList": "a.m3u8"}, e.Uploaded(fileList=(e.File(fileName="a.m3u8"),))),
        (
            31,
            {"fileList": ["a", "b"]},
            e.Uploaded(fileList=(e.File(fileName="a"), e.File(fileName="b"))),
        ),
        (
            31,
            {"fileList": [{"filename": "a", "isPlayable": "true", "mixedAllUser": "False"}, {}, 3]},
            e.Uploaded(fileList=(e.File(fileName="a", isPlayable=True, mixedAllUser=False),)),
        ),
        (33, {"progress": "9876"}, e.UploadingProgress(progress=9876)),
        (33, {"progress": 9876.0}, e.UploadingProgress(progress=9876)),
        (33, {"progress": True}, e.UploadingProgress()),
        (40, {"status": "-1"}, e.RecorderStarted(status=-1)),
        (100, {"status": 3}, e.RtmpPublishStatus(status="3")),
        (60, {"aliVodInfo": "none"}, e.VodStarted()),
    ],
)
def test_every_spelling_and_type_that_was_seen_is_read(
    kind: int, details: dict[str, Any], expected: e.Details
) -> None:
    assert event(kind, details).details == expected


def test_time_is_when_it_happened() -> None:
    decoded = events.decode(envelope.read(body(sent_ms=NOW_MS)), NOW_MS + 5_000)
    assert (decoded.at_ms, decoded.received_ms) == (NOW_MS, NOW_MS + 5_000)


def test_nothing_happens_after_it_was_received() -> None:
    ahead = envelope.read(body(sent_ms=NOW_MS + 3_600_000))
    assert events.decode(ahead, NOW_MS).at_ms == NOW_MS


def test_a_stored_row_becomes_its_event() -> None:
    raw = body(41, {"leaveCode": 4}, sequence=9)
    item = envelope.item(envelope.read(raw), raw, NOW_MS + 50, None)
    assert events.from_stored(dynamodb.from_item(item)) == e.Event(
        at_ms=NOW_MS,
        received_ms=NOW_MS + 50,
        event_type=41,
        sid=SID,
        uid="527841",
        cname="consultation-7",
        sequence=9,
        details=e.RecorderLeave(leaveCode=4),
    )


# --- secrets ---


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        (100, {"rtmpUrl": "rtmp://live.example.com/app/KEY", "status": "onhold"}),
        (100, {"rtmpUrl": "live.example.com/app/KEY", "status": "onhold"}),
        (1, {"errorMsg": "cannot push to rtmps://user:KEY@live.example.com:443/app/KEY?auth=KEY."}),
        (71, {"details": 'failed: "https://app.example.com/?token=KEY" and https://KEY@b/#KEY'}),
        (4711, {"a": [{"b": "see HTTPS://app.example.com/KEY"}], "rtmp://host/KEY": 1}),
    ],
)
def test_no_key_in_an_address_outlives_decoding(kind: int, details: dict[str, Any]) -> None:
    decoded = event(kind, details)
    assert "KEY" not in repr(decoded)
    assert "KEY" not in msgspec.json.encode(decoded).decode()


def test_two_cdn_outputs_of_one_host_are_told_apart() -> None:
    first, second = (address_name(f"rtmp://live.example.com/app/{key}") for key in "ab")
    assert first != second
    assert first.startswith("live.example.com#")


def test_text_without_an_address_stays_as_it_is() -> None:
    assert event(1, {"errorMsg": "no space: 5 < 6"}).details == e.CloudRecordingError(
        errorMsg="no space: 5 < 6"
    )


# --- anything at all ---

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
_NAMES = sorted({name for examples in DOCUMENTED.values() for each in examples for name in each})


@given(
    kind=st.sampled_from([*events.KINDS, 4711, None]),
    details=st.dictionaries(st.sampled_from([*_NAMES, "utcMs", "filename"]) | st.text(), JSON),
)
def test_decoding_never_fails(kind: int | None, details: dict[str, Any]) -> None:
    decoded = events.decode(Notification(eventType=kind, details=details), NOW_MS)
    assert isinstance(decoded.details, e.UnknownEvent) == (kind not in events.KINDS)
    json.dumps(msgspec.to_builtins(decoded))


def test_deeply_nested_details_are_cut() -> None:
    details: dict[str, Any] = {}
    for _ in range(500):
        details = {"deeper": details}
    text = repr(events.decode(Notification(eventType=4711, details=details), NOW_MS))
    assert text.count("deeper") == 25

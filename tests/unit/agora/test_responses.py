"""Agora's answers, read into one shape whatever spelling they came in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora.responses import ENDPOINTS, Answer, File, Output, decode

SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"
RESOURCE_ID = "JyvK8nXHuV1BE64GDkAaBGEscvtHW7v8"
STARTED_MS = 1_562_724_971_626
STARTED_S = 1_562_724_971


def answer(endpoint: str, body: Any) -> Answer:
    return decode(endpoint, body if isinstance(body, bytes) else json.dumps(body).encode())


def queried(server_response: Any) -> Answer:
    body = {"resourceId": RESOURCE_ID, "sid": SID, "serverResponse": server_response}
    return answer("query", body)


def web(service: str, payload: Any, key: str = "payload") -> Answer:
    state = [{"serviceName": service, key: payload}]
    return queried({"status": 5, "extensionServiceState": state})


# --- what the documents print ---------------------------------------------------------------------


def test_an_acquired_resource_is_read() -> None:
    body = {"cname": "room", "uid": "527841", "resourceId": RESOURCE_ID}

    read = answer("acquire", body)

    assert read == Answer(endpoint="acquire", cname="room", uid="527841", resource_id=RESOURCE_ID)


@pytest.mark.parametrize("endpoint", ["start", "update", "updateLayout"])
def test_a_session_is_read(endpoint: str) -> None:
    body = {"cname": "room", "uid": "7", "resourceId": RESOURCE_ID, "sid": SID}

    read = answer(endpoint, body)

    assert (read.resource_id, read.sid, read.code, read.reason) == (RESOURCE_ID, SID, None, "")


def test_an_answer_wrapped_in_code_and_body_is_read() -> None:
    read = answer("start", {"Code": 200, "Body": {"sid": SID, "resourceId": RESOURCE_ID}})

    assert (read.sid, read.resource_id, read.code) == (SID, RESOURCE_ID, None)


def test_an_error_inside_a_wrapped_body_is_the_error() -> None:
    assert answer("stop", {"Code": 206, "Body": {"code": 435}}).code == 435
    assert answer("stop", {"Code": 404, "Body": {}}).code == 404


def test_a_query_of_individual_recording_as_the_older_pages_print_it_is_read() -> None:
    one = {
        "filename": "xxx.m3u8",
        "trackType": "audio_and_video",
        "uid": "123",
        "mixedAllUser": "true",
        "isPlayable": "false",
        "sliceStartTime": str(STARTED_MS),
    }

    read = queried(
        {
            "fileListMode": "json",
            "fileList": [one, {**one, "uid": "456"}],
            "status": "5",
            "sliceStartTime": str(STARTED_MS),
        }
    )

    assert read.status == 5
    assert read.slice_start_time_ms == STARTED_MS
    assert [file.uid for file in read.files] == ["123", "456"]
    assert read.files[0] == File(
        file_name="xxx.m3u8",
        track_type="audio_and_video",
        uid="123",
        mixed_all_user=True,
        is_playable=False,
        slice_start_time_ms=STARTED_MS,
    )


def test_a_query_of_snapshots_has_no_files() -> None:
    read = queried({"status": 5, "sliceStartTime": STARTED_MS})

    assert (read.status, read.files, read.slice_start_time_ms) == (5, (), STARTED_MS)


def test_the_status_of_the_subscription_module_is_read() -> None:
    read = queried({"status": 4, "subServiceStatus": {"recordingService": "serviceInProgress"}})

    assert read.recording_service == "serviceInProgress"


@pytest.mark.parametrize("name", ["filename", "fileName", "FileName"])
def test_a_query_of_web_page_recording_is_read(name: str) -> None:
    files = [{name: "a.m3u8", "sliceStartTime": STARTED_MS}]

    read = web("web_recorder_service", {"fileList": files, "onhold": True, "state": "inProgress"})

    assert (read.onhold, read.web_state, read.status) == (True, "inProgress", 5)
    assert read.files == (File(file_name="a.m3u8", slice_start_time_ms=STARTED_MS),)


def test_a_query_of_pushing_to_a_cdn_is_read() -> None:
    outputs = [
        {"rtmpUrl": "rtmp://cdn/live/key", "status": "publishing"},
        {"rtmpUrl": "rtmp://other/live/key", "status": "disconnected"},
    ]

    read = web("rtmp_publish_service", {"outputs": outputs, "state": "inProgress"})

    assert [(each.rtmp_url, each.status) for each in read.outputs] == [
        ("rtmp://cdn/live/key", "publishing"),
        ("rtmp://other/live/key", "disconnected"),
    ]
    assert (read.rtmp_state, read.web_state) == ("inProgress", None)


def test_the_address_of_a_cdn_is_not_printed() -> None:
    read = web("rtmp_publish_service", {"outputs": [{"rtmpUrl": "rtmp://cdn/live/key"}]})

    assert read.outputs == (Output(rtmp_url="rtmp://cdn/live/key"),)
    assert "live/key" not in repr(read)


@pytest.mark.parametrize("said", ["uploaded", "backuped", "unknown"])
def test_a_stop_tells_how_the_upload_stands(said: str) -> None:
    read = answer("stop", {"sid": SID, "serverResponse": {"uploadingStatus": said}})

    assert read.uploading_status == said


def test_a_stop_of_web_page_recording_is_read_from_both_services() -> None:
    body = {
        "serverResponse": {
            "extensionServiceState": [
                {"playload": {"uploadingStatus": "uploaded"}, "serviceName": "upload_service"},
                {
                    "playload": {
                        "fileList": [{"filename": "a.m3u8"}, {"filename": "a_0.mp4"}],
                        "onhold": False,
                        "state": "exit",
                    },
                    "serviceName": "web_recorder_service",
                },
            ]
        }
    }

    read = answer("stop", body)

    assert [file.file_name for file in read.files] == ["a.m3u8", "a_0.mp4"]
    assert (read.uploading_status, read.onhold, read.web_state) == ("uploaded", False, "exit")


def test_an_error_and_its_reason_are_read() -> None:
    read = answer("query", {"code": 404, "reason": "failed to find worker"})

    assert (read.code, read.reason) == (404, "failed to find worker")


def test_the_words_of_the_gateway_are_the_reason() -> None:
    assert answer("query", {"message": "API rate limit exceeded"}).reason == (
        "API rate limit exceeded"
    )


def test_the_addresses_of_the_notification_service_are_read() -> None:
    hosts = [{"primaryIP": "203.0.113.10", "other": 1}, {"primaryIP": "203.0.113.11"}]

    read = answer("ncsIp", {"data": {"service": {"hosts": hosts}}})

    assert read.primary_ips == ("203.0.113.10", "203.0.113.11")


# --- contradictions -------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["payload", "playload", "Payload"])
def test_a_payload_is_read_under_either_spelling(key: str) -> None:
    assert web("web_recorder_service", {"state": "init"}, key).web_state == "init"


def test_an_empty_payload_gives_way_to_the_misspelt_one() -> None:
    state = {"serviceName": "web_recorder_service", "payload": {}, "playload": {"state": "init"}}

    assert queried({"extensionServiceState": [state]}).web_state == "init"


@pytest.mark.parametrize(
    ("said", "meant"),
    [("unknow", "unknown"), ("Uploaded", "uploaded"), ("later", "unknown"), ("", None), (1, None)],
)
def test_a_misspelt_upload_status_is_understood(said: Any, meant: str | None) -> None:
    read = answer("stop", {"serverResponse": {"uploadingStatus": said}})

    assert read.uploading_status == (meant if said != 1 else "unknown")


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
    read = queried({"status": 5, "fileList": file_list})

    assert [file.file_name for file in read.files] == names


@pytest.mark.parametrize(
    ("said", "meant_ms"),
    [
        (STARTED_S, STARTED_S * 1000),
        (STARTED_MS, STARTED_MS),
        (str(STARTED_S), STARTED_S * 1000),
        (float(STARTED_MS), STARTED_MS),
        (0, None),
        (-5, None),
        ("soon", None),
        (True, None),
        (10**17, None),
        (1.5, None),
    ],
)
def test_an_instant_is_seconds_or_milliseconds_by_its_size(said: Any, meant_ms: Any) -> None:
    assert queried({"sliceStartTime": said}).slice_start_time_ms == meant_ms


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (5, 5),
        ("5", 5),
        (" 20 ", 20),
        (5.0, 5),
        ("five", None),
        (True, None),
        ([], None),
        (1e300, None),
    ],
)
def test_a_status_may_be_a_number_or_a_string(said: Any, meant: int | None) -> None:
    assert queried({"status": said}).status == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, True),
        ("true", True),
        ("False", False),
        (1, True),
        ("0", False),
        ("so", None),
        (2, None),
    ],
)
def test_a_truth_may_be_a_string(said: Any, meant: bool | None) -> None:
    assert web("web_recorder_service", {"onhold": said}).onhold is meant


@pytest.mark.parametrize(
    ("said", "meant"), [(65, 65), ("65", 65), (0, None), (200, None), ("", None), (None, None)]
)
def test_a_code_of_success_is_no_code(said: Any, meant: int | None) -> None:
    assert answer("query", {"code": said}).code == meant


def test_an_empty_sid_is_none() -> None:
    assert answer("start", {"code": 15, "sid": "", "resourceId": ""}).sid is None


def test_a_uid_may_be_a_number() -> None:
    assert answer("start", {"uid": 527841}).uid == "527841"


def test_the_reason_of_an_older_404_is_found_in_its_depth() -> None:
    body = {
        "resourceId": RESOURCE_ID,
        "sid": SID,
        "serverResponse": {"command": "QueryCommand", "payload": {"message": "no worker"}},
    }

    assert answer("query", body).reason == "no worker"


def test_a_server_response_written_as_text_is_read() -> None:
    assert queried(json.dumps({"status": 5})).status == 5


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff\xfe", b"[" * 9999]
)
def test_a_body_that_is_no_object_says_nothing(body: bytes) -> None:
    read = decode("stop", body)

    assert (read.sid, read.code, read.status, read.files) == (None, None, None, ())


def test_no_body_says_nothing() -> None:
    assert decode("stop", None) == Answer(endpoint="stop")


def test_the_words_of_a_body_that_is_no_json_are_the_reason() -> None:
    read = decode("start", b"<html>\n  <h1>504 Gateway Time-out</h1>\n" + b"x" * 5000)

    assert read.reason.startswith("<html> <h1>504 Gateway Time-out</h1>")
    assert len(read.reason) == 300


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None},
        {"data": {"service": {"hosts": "203.0.113.10"}}},
        {"data": {"service": {"hosts": [{"primaryIP": "203.0.113.10"}, {}]}}},
        {"data": {"service": {"hosts": [{"primaryIP": ""}]}}},
        {"data": {"service": {"hosts": ["203.0.113.10"]}}},
    ],
)
def test_a_list_of_addresses_with_a_hole_is_no_list(body: Any) -> None:
    assert answer("ncsIp", body).primary_ips is None


def test_an_empty_list_of_addresses_is_told_from_none() -> None:
    assert answer("ncsIp", {"data": {"service": {"hosts": []}}}).primary_ips == ()


@pytest.mark.parametrize("name", ["PrimaryIP", "primaryIp", "primary IP"])
def test_an_address_is_read_in_every_spelling(name: str) -> None:
    hosts = [{name: "203.0.113.10"}]

    read = answer("ncsIp", {"data": {"service": {"hosts": hosts}}})

    assert read.primary_ips == ("203.0.113.10",)


# --- whatever comes -------------------------------------------------------------------------------

NAMES = [
    "Code",
    "Body",
    "code",
    "reason",
    "message",
    "sid",
    "uid",
    "serverResponse",
    "status",
    "fileList",
    "fileName",
    "sliceStartTime",
    "extensionServiceState",
    "serviceName",
    "payload",
    "playload",
    "outputs",
    "rtmpUrl",
    "onhold",
    "uploadingStatus",
    "data",
    "service",
    "hosts",
]
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["web_recorder_service", "rtmp_publish_service", "{", "[1", "\u0661"])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(st.sampled_from(ENDPOINTS), values)
def test_an_answer_is_read_whatever_json_it_is(endpoint: str, value: Any) -> None:
    assert decode(endpoint, json.dumps(value).encode()).endpoint == endpoint


@given(st.binary(max_size=64))
def test_an_answer_is_read_whatever_bytes_it_is(body: bytes) -> None:
    assert decode("query", body).endpoint == "query"

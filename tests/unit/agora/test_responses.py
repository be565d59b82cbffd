"""Agora's answers, read into one shape whatever spelling they came in."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora.responses import Answer, decode

SID = "38f8e3cfdc474cd56fc1ceba380d7e1a"
RESOURCE_ID = "JyvK8nXHuV1BE64GDkAaBGEscvtHW7v8"


def answer(body: Any) -> Answer:
    return decode(json.dumps(body).encode())


def queried(server_response: Any) -> Answer:
    return answer({"resourceId": RESOURCE_ID, "sid": SID, "serverResponse": server_response})


# --- what the documents print ---------------------------------------------------------------------


def test_an_acquired_resource_is_read() -> None:
    body = {"cname": "room", "uid": "527841", "resourceId": RESOURCE_ID}

    assert answer(body) == Answer(resource_id=RESOURCE_ID)


def test_a_session_is_read() -> None:
    read = answer({"cname": "room", "uid": "7", "resourceId": RESOURCE_ID, "sid": SID})

    assert (read.resource_id, read.sid, read.code, read.reason) == (RESOURCE_ID, SID, None, "")


def test_an_answer_wrapped_in_code_and_body_is_read() -> None:
    read = answer({"Code": 200, "Body": {"sid": SID, "resourceId": RESOURCE_ID}})

    assert (read.sid, read.resource_id, read.code) == (SID, RESOURCE_ID, None)


def test_an_error_inside_a_wrapped_body_is_the_error() -> None:
    assert answer({"Code": 206, "Body": {"code": 435}}).code == 435
    assert answer({"Code": 404, "Body": {}}).code == 404


def test_a_query_of_individual_recording_as_the_older_pages_print_it_is_read() -> None:
    file = {
        "filename": "xxx.m3u8",
        "trackType": "audio_and_video",
        "uid": "123",
        "mixedAllUser": "true",
        "isPlayable": "false",
        "sliceStartTime": "1562724971626",
    }

    read = queried(
        {
            "fileListMode": "json",
            "fileList": [file, {**file, "uid": "456"}],
            "status": "5",
            "sliceStartTime": "1562724971626",
        }
    )

    assert (read.sid, read.status) == (SID, 5)


@pytest.mark.parametrize(
    "beside",
    [
        {"sliceStartTime": 1562724971626},
        {"subServiceStatus": {"recordingService": "serviceInProgress"}},
        {
            "extensionServiceState": [
                {"serviceName": "web_recorder_service", "payload": {"state": "inProgress"}}
            ]
        },
    ],
)
def test_a_query_is_read_whatever_stands_beside_its_status(beside: dict[str, Any]) -> None:
    assert queried({"status": 5, **beside}) == Answer(resource_id=RESOURCE_ID, sid=SID, status=5)


def test_an_address_that_agora_repeats_is_not_kept() -> None:
    outputs = [{"rtmpUrl": "rtmp://cdn/live/key", "status": "publishing"}]
    service = {"serviceName": "rtmp_publish_service", "payload": {"outputs": outputs}}

    assert "live/key" not in repr(queried({"status": 5, "extensionServiceState": [service]}))


def test_an_error_and_its_reason_are_read() -> None:
    read = answer({"code": 404, "reason": "failed to find worker"})

    assert (read.code, read.reason) == (404, "failed to find worker")


def test_the_words_of_the_gateway_are_the_reason() -> None:
    assert answer({"message": "API rate limit exceeded"}).reason == ("API rate limit exceeded")


# --- contradictions -------------------------------------------------------------------------------


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
    ("said", "meant"), [(65, 65), ("65", 65), (0, None), (200, None), ("", None), (None, None)]
)
def test_a_code_of_success_is_no_code(said: Any, meant: int | None) -> None:
    assert answer({"code": said}).code == meant


def test_an_empty_sid_is_none() -> None:
    assert answer({"code": 15, "sid": "", "resourceId": ""}).sid is None


def test_the_reason_of_an_older_404_is_found_in_its_depth() -> None:
    body = {
        "resourceId": RESOURCE_ID,
        "sid": SID,
        "serverResponse": {"command": "QueryCommand", "payload": {"message": "no worker"}},
    }

    assert answer(body).reason == "no worker"


def test_a_server_response_written_as_text_is_read() -> None:
    assert queried(json.dumps({"status": 5})).status == 5


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"3", b'"x"', b"{", b"\xff\xfe", b"[" * 9999]
)
def test_a_body_that_is_no_object_says_nothing(body: bytes) -> None:
    read = decode(body)

    assert (read.sid, read.code, read.status) == (None, None, None)


def test_no_body_says_nothing() -> None:
    assert decode(None) == Answer()


def test_the_words_of_a_body_that_is_no_json_are_the_reason() -> None:
    read = decode(b"<html>\n  <h1>504 Gateway Time-out</h1>\n" + b"x" * 5000)

    assert read.reason.startswith("<html> <h1>504 Gateway Time-out</h1>")
    assert len(read.reason) == 300


# --- whatever comes -------------------------------------------------------------------------------

NAMES = [
    "Code",
    "Body",
    "code",
    "reason",
    "message",
    "sid",
    "resourceId",
    "serverResponse",
    "status",
    "payload",
]
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["{", "[1", "\u0661", '{"code": 7}'])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(values)
def test_an_answer_is_read_whatever_json_it_is(value: Any) -> None:
    assert isinstance(decode(json.dumps(value).encode()), Answer)


@given(st.binary(max_size=64))
def test_an_answer_is_read_whatever_bytes_it_is(body: bytes) -> None:
    assert isinstance(decode(body), Answer)


# --- the upload -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server",
    [
        {"uploadingStatus": "stranded"},
        {"UploadingStatus": "Stranded"},
        *(
            {"extensionServiceState": [{"serviceName": "upload_service", name: each}]}
            for name in ("payload", "playload")
            for each in [{"uploadingStatus": "stranded"}]
        ),
    ],
)
def test_that_files_are_stranded_is_read_wherever_it_is_said(server: Any) -> None:
    assert queried(server).is_stranded


@pytest.mark.parametrize("status", ["uploaded", "backuped", "unknown", "unknow", "", None, 7, []])
def test_no_other_state_of_the_upload_means_stranded(status: Any) -> None:
    assert not queried({"uploadingStatus": status, "extensionServiceState": [1, "x"]}).is_stranded

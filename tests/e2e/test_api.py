"""The rest of the HTTP API on the embedded stack, and a fuzzer that knows its description."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agora_recording.api.gateway import MAX_BODY_BYTES
from openapi.build import TARGET
from tests.e2e.conftest import Stage, eventually
from tests.e2e.evidence import STREAM_KEY

STREAM = f"rtmp://live.example.com/app/{STREAM_KEY}"
DOCUMENT = json.loads(TARGET.read_text())
# FUZZ_EXAMPLES=50 asks for more: the coverage phase alone takes minutes.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
PHASES = {"coverage": {"enabled": EXAMPLES > 10}}
schema = schemathesis.openapi.from_dict(
    DOCUMENT, config=schemathesis.Config.from_dict({"phases": PHASES})
)
# Every call is signed here, so what happens without a signature is another story's matter.
CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def running(stage: Stage) -> Iterator[str]:
    """A composite recording that runs, for as long as these stories need it."""
    recording_id = stage.record("api-mix", clientRequest={"token": "secret-enough"})
    stage.until(recording_id, "recording")
    eventually(
        lambda: [key for key in stage.keys(f"recordings/{recording_id}/") if key.endswith(".ts")],
        "a slice",
    )
    yield recording_id
    stage.stop(recording_id)
    stage.finish(recording_id)


def test_a_layout_reaches_agora(stage: Stage, running: str) -> None:
    layout = {"mixedVideoLayout": 1, "backgroundColor": "#ff0000"}
    answer = stage.api.call("PUT", f"/recordings/{running}/layout", layout)
    assert answer.status == 200, answer
    assert [call["status"] for call in stage.calls("api-mix", "updateLayout")] == [200]


def test_a_subscription_reaches_agora_and_survives_in_the_row(stage: Stage, running: str) -> None:
    body = {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["101"]}}}
    answer = stage.api.call("PATCH", f"/recordings/{running}", body)
    assert answer.status == 200, answer
    assert [call["status"] for call in stage.calls("api-mix", "update")] == [200]
    config = stage.row(running)["clientRequest"]["recordingConfig"]
    assert config["subscribeAudioUids"] == ["101"]


def test_a_bad_update_names_its_problems_and_never_reaches_agora(
    stage: Stage, running: str
) -> None:
    before = len(stage.calls("api-mix"))
    answer = stage.api.call(
        "PATCH", f"/recordings/{running}", {"webRecordingConfig": {"onhold": "yes"}}
    )
    assert answer.status == 400
    assert answer.body["problems"]
    assert len(stage.calls("api-mix")) == before


def test_a_misspelt_parameter_is_refused_and_named(stage: Stage) -> None:
    answer = stage.api.call("GET", "/recordings?limits=1")
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["detail"].startswith("limits: is not a parameter of this call")


def test_a_body_that_is_too_large_is_refused(stage: Stage) -> None:
    body = {"cname": "api-large", "tags": {"x": "x" * MAX_BODY_BYTES}}
    answer = stage.api.call("POST", "/recordings", body)
    assert answer.status == 413
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_page_is_paused_and_pushed_to_a_cdn_and_the_address_is_kept_secret(stage: Stage) -> None:
    service = {
        "serviceName": "web_recorder_service",
        "errorHandlePolicy": "error_abort",
        "serviceParam": {
            "url": "https://example.com/page",
            "audioProfile": 0,
            "videoWidth": 1280,
            "videoHeight": 720,
            "maxRecordingHour": 1,
        },
    }
    publisher = {
        "serviceName": "rtmp_publish_service",
        "errorHandlePolicy": "error_ignore",
        "serviceParam": {"outputs": [{"rtmpUrl": STREAM}]},
    }
    recording_id = stage.record(
        "api-web",
        mode="web",
        clientRequest={
            "recordingFileConfig": {"avFileType": ["hls"]},
            "extensionServiceConfig": {"extensionServices": [service, publisher]},
        },
    )
    stage.until(recording_id, "recording")
    where = f"/recordings/{recording_id}"
    for body in (
        {"webRecordingConfig": {"onhold": True}},
        {"webRecordingConfig": {"onhold": False}},
        {"rtmpPublishConfig": {"outputs": [{"rtmpUrl": STREAM + "-2"}]}},
    ):
        assert stage.api.call("PATCH", where, body).status == 200
    stage.stop(recording_id)
    stage.finish(recording_id)
    assert STREAM_KEY not in json.dumps(stage.row(recording_id))
    assert stage.api.call("PATCH", where, {"webRecordingConfig": {"onhold": True}}).status == 409


def test_files_can_be_downloaded_by_their_urls_while_it_runs(stage: Stage, running: str) -> None:
    answer = stage.api.call("GET", f"/recordings/{running}/files")
    assert answer.status == 200, answer
    url = next(each["url"] for each in answer.body["files"] if each.get("url"))
    assert requests.get(url, timeout=10).status_code == 200
    without = url.replace("X-Amz-Signature=", "X-Amz-Signature=0")
    assert requests.get(without, timeout=10).status_code == 403


def test_a_playlist_plays_a_private_recording(stage: Stage, running: str) -> None:
    answer = stage.api.call("GET", f"/recordings/{running}/playlist")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    slices = [line for line in answer.body.splitlines() if not line.startswith("#")]
    assert requests.get(slices[0], timeout=10).content[:1] == b"\x47"  # MPEG-TS


def test_the_timeline_tells_what_happened_in_order(stage: Stage, running: str) -> None:
    answer = stage.api.call("GET", f"/recordings/{running}/events")
    assert answer.status == 200
    events = answer.body["events"]
    assert [each["at"] for each in events] == sorted(each["at"] for each in events)
    assert {"agora", "stack"} <= {each["source"] for each in events}


def test_the_api_describes_itself(stage: Stage) -> None:
    answer = stage.api.call("GET", "/openapi.json")
    assert answer.status == 200
    assert answer.body == DOCUMENT


def test_a_caller_may_wait_for_the_start(stage: Stage) -> None:
    answer = stage.api.call("POST", "/recordings", {"cname": "api-wait"}, {"Prefer": "wait=15"})
    assert answer.status == 202
    assert answer.body["status"] == "recording"
    assert answer.headers["Preference-Applied"].startswith("wait")
    stage.stop(answer.body["recordingId"])
    stage.finish(answer.body["recordingId"])


def test_a_deleted_recording_leaves_nothing_behind(stage: Stage) -> None:
    recording_id = stage.record("api-delete")
    where = f"/recordings/{recording_id}"
    row = stage.until(recording_id, "recording")
    assert stage.api.call("DELETE", where).status == 409
    stage.stop(recording_id)
    stage.finish(recording_id)
    eventually(lambda: stage.execution_status(recording_id) == "SUCCEEDED", "the execution")
    eventually(lambda: stage.api.call("DELETE", where).status in (204, 404), "the deletion")
    assert stage.api.call("GET", where).status == 404
    assert stage.keys(f"recordings/{recording_id}/") == []
    sid = row["attempt"]["sid"]
    left = {each["PK"]: each for each in stage.all_rows()}
    assert f"REC#{recording_id}" not in left
    assert f"SID#{sid}" not in left
    # Only that it was deleted, for as long as its notifications may come.
    remembered = set(left[f"SESSION#{sid}"])
    assert remembered == {"PK", "SK", "deletedMs", "expiresAt", "version"}
    assert not [each for each in left.values() if each["SK"] == recording_id]


@pytest.fixture(scope="module")
def _no_real_starts(stage: Stage) -> Iterator[None]:
    """Let Agora refuse what the fuzzer asks for: its channels shall not be recorded for hours."""
    refuse: dict[str, Any] = {"answer": {"http": 400, "code": 2}}
    stage.control("POST", "/faults", [{"match": {"endpoint": "acquire"}, "action": refuse}])
    yield
    stage.control("POST", "/faults", [])


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.usefixtures("_no_real_starts")
def test_whatever_is_sent_the_answer_is_one_that_is_described(
    case: schemathesis.Case[Any], stage: Stage
) -> None:
    response = _send(case, stage)
    case.validate_response(response, checks=CHECKS)


def _send(case: schemathesis.Case[Any], stage: Stage) -> requests.Response:
    """Send a case, signed as the API wants it."""
    case.headers.pop("Prefer", None)  # it would only make the answer late
    kwargs = case.as_transport_kwargs(base_url=stage.facts["api_url"])
    prepared = requests.Request(**{k: v for k, v in kwargs.items() if k != "allow_redirects"})
    request = prepared.prepare()
    assert request.url is not None
    keys = stage.facts["api_credentials"]
    signed = AWSRequest(request.method, request.url, data=request.body or b"")
    credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
    SigV4Auth(credentials, "execute-api", stage.facts["region"]).add_auth(signed)
    request.headers.update(dict(signed.headers.items()))
    request.headers["Host"] = urlsplit(request.url).netloc
    with requests.Session() as session:
        return session.send(request, timeout=60)

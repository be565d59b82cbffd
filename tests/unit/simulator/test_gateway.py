"""What every call passes: routes, credentials, the rate limit, resources, the log."""

from __future__ import annotations

import base64
import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest


def test_a_call_without_credentials_is_unauthorized(agora: Any) -> None:
    answer = agora.http("GET", "/v1/ncs/ip", headers={})

    assert (answer.status, answer.body) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize(
    "header", ["Basic !!", "Bearer x", "Basic " + base64.b64encode(b"a:b").decode()]
)
def test_wrong_credentials_are_refused(agora: Any, header: str) -> None:
    answer = agora.http("GET", "/v1/ncs/ip", headers={"Authorization": header})

    assert (answer.status, answer.body["message"]) == (401, "Invalid authentication credentials")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "{base}/acquire"),
        ("POST", "{base}/resourceid/x/mode/Mix/start"),
        ("POST", "{base}/resourceid/x/sid/y/mode/mix/query"),
        ("PUT", "{base}/acquire"),
    ],
)
def test_a_wrong_route_is_told_from_a_lost_task(agora: Any, method: str, path: str) -> None:
    answer = agora.http(method, path.format(base=agora.base))

    assert (answer.status, answer.body) == (
        404,
        {"message": "no Route matched with those values"},
    )


def test_another_app_id_is_invalid(agora: Any) -> None:
    answer = agora.http("POST", "/v1/apps/other/cloud_recording/acquire", {})

    assert (answer.status, answer.body) == (400, {"message": "appid is invalid"})


def test_any_app_id_is_accepted_when_none_is_set(make_agora: Any) -> None:
    agora = make_agora(app_id=None)
    body = {"cname": "c", "uid": "1", "clientRequest": {}}

    assert agora.http("POST", "/v1/apps/other/cloud_recording/acquire", body).status == 200


@pytest.mark.parametrize("path", ["/v1/ncs/ip", "/v2/ncs/ip"])
def test_both_address_endpoints_answer_alike(agora: Any, path: str) -> None:
    answer = agora.http("GET", path)

    assert answer.body == {
        "data": {
            "service": {"hosts": [{"primaryIP": "203.0.113.10"}, {"primaryIP": "203.0.113.11"}]}
        }
    }


def test_the_eleventh_call_of_a_second_is_refused(make_agora: Any) -> None:
    agora = make_agora(qps=10)
    moments = iter([*(n / 10 for n in range(10)), 0.95, 0.999, 1.0, 1.05, 1.1])
    agora.simulator.gateway.clock = lambda: next(moments)
    answers = [agora.acquire(uid=str(n)) for n in range(1, 16)]

    expected = [200] * 10 + [429, 429, 200, 429, 200]
    assert [answer.status for answer in answers] == expected
    assert answers[10].body == {"message": "API rate limit exceeded"}


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (b"{", "application/json", 8),
        (b"{}", "text/plain", 8),
        (b"[]", "application/json", 2),
        (b"{}", "application/json; charset=utf-8", 2),
    ],
)
def test_a_body_must_be_a_json_object(agora: Any, body: bytes, kind: str, code: int) -> None:
    token = base64.b64encode(b"customer:secret").decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": kind}
    answer = agora.http("POST", f"{agora.base}/acquire", body, headers)

    assert (answer.status, answer.code) == (400, code)


def test_connections_are_kept_alive(agora: Any) -> None:
    parts = urlsplit(agora.simulator.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    for _ in range(3):
        connection.request("GET", "/_control/health")
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("Connection") != "close"
    sockets = connection.sock
    connection.close()
    assert sockets is not None


# --- resources ----------------------------------------------------------------------------------


def test_a_resource_expires_after_five_minutes(agora: Any) -> None:
    resource_id = agora.acquire().body["resourceId"]
    agora.advance(301)
    answer = agora.start(resource_id)

    assert (answer.status, answer.code) == (400, 433)


def test_a_resource_serves_for_one_start(agora: Any, receiver: Any) -> None:
    task = agora.record()
    agora.advance(2)
    again = agora.start(task.resource_id)
    agora.advance(1)

    assert (again.status, again.code) == (201, 7)
    assert "sid" not in again.body
    assert receiver.details(3)["status"] == 4


def test_201_carries_the_sid_if_so_chosen(make_agora: Any) -> None:
    agora = make_agora(already_started_has_sid=True)
    task = agora.record()

    assert agora.start(task.resource_id).body["sid"] == task.sid


def test_the_same_channel_and_uid_conflict_while_the_task_lives(agora: Any) -> None:
    task = agora.record()
    resource_id = agora.acquire().body["resourceId"]
    conflict = agora.start(resource_id)
    agora.advance(20)
    task.stop()
    after = agora.start(agora.acquire().body["resourceId"])

    assert (conflict.status, conflict.code) == (400, 53)
    assert after.status == 200


def test_another_uid_does_not_conflict(agora: Any) -> None:
    agora.record(uid="1")

    assert agora.record(uid="2").query().status == 200


def test_an_unknown_resource_cannot_be_decoded(agora: Any) -> None:
    answer = agora.start("nonsense")

    assert (answer.status, answer.code) == (400, 1001)


@pytest.mark.parametrize(("cname", "uid"), [("other", "9"), ("room", "10")])
def test_cname_and_uid_must_be_those_of_the_resource(agora: Any, cname: str, uid: str) -> None:
    resource_id = agora.acquire().body["resourceId"]
    answer = agora.start(resource_id, cname=cname, uid=uid)

    assert (answer.status, answer.code) == (400, 432)


def test_the_sid_must_be_that_of_the_resource(agora: Any) -> None:
    one, two = agora.record(uid="1"), agora.record(uid="2")
    one.sid = two.sid

    assert (one.query().status, one.query().code) == (400, 1003)


def test_a_task_that_never_started_is_not_found(agora: Any) -> None:
    task = agora.record()
    task.resource_id = agora.acquire(uid="8").body["resourceId"]

    assert (task.query().status, task.query().code) == (404, 404)


def test_a_wrong_mode_in_the_path_is_refused(agora: Any) -> None:
    task = agora.record()
    task.mode = "individual"

    assert (task.query().status, task.query().code) == (400, 2)


def test_acquire_is_refused_when_the_account_is_full(make_agora: Any) -> None:
    agora = make_agora(pcw=2)
    spare = agora.acquire(uid="3").body["resourceId"]
    tasks = [agora.record(uid=uid) for uid in ("1", "2")]
    full = agora.acquire(uid="4")
    late = agora.start(spare, uid="3")
    tasks[0].command("kill")

    assert (full.status, full.code) == (400, 406)
    assert (late.status, late.code) == (500, 502)
    assert agora.acquire(uid="4").status == 200


def test_web_recordings_have_a_limit_of_their_own(make_agora: Any) -> None:
    agora = make_agora(pcw=1)
    agora.record()

    assert agora.acquire(uid="2").code == 406
    assert agora.acquire(uid="2", scene=1).status == 200


def test_a_task_out_of_reach_goes_on(make_agora: Any) -> None:
    agora = make_agora(speed=500, slice_s=900)
    resource_id = agora.acquire(resourceExpiredHour=1).body["resourceId"]
    agora.start(resource_id)
    sid = agora.control("GET", "recordings")["recordings"][0]["sid"]
    path = f"{agora.base}/resourceid/{resource_id}/sid/{sid}/mode/mix"
    agora.advance(3601)
    query = agora.http("GET", f"{path}/query")
    stop = agora.http("POST", f"{path}/stop", {"cname": "room", "uid": "9", "clientRequest": {}})

    assert (query.status, query.code) == (400, 433)
    assert (stop.status, stop.code) == (400, 433)
    assert agora.control("GET", "recordings")["recordings"][0]["live"] is True


# --- the log ------------------------------------------------------------------------------------


def test_the_log_of_calls_holds_no_secret(make_agora: Any, tmp_path: Any) -> None:
    log = tmp_path / "calls.jsonl"
    agora = make_agora(log_file=str(log))
    before = time.time()
    task = agora.record(storageConfig=agora.storage(secretKey="TOPSECRET"), token="TOKEN")
    task.query()
    calls = agora.control("GET", "calls")["calls"]

    assert [(c["endpoint"], c["status"]) for c in calls] == [
        ("acquire", 200),
        ("start", 200),
        ("query", 200),
    ]
    assert all(before <= call["at"] <= time.time() for call in calls)
    assert calls[2]["cname"] == "room"
    assert calls[1]["sid"] == calls[2]["sid"] == task.sid
    written = [json.loads(line) for line in log.read_text().splitlines()]
    assert written == calls
    assert "TOPSECRET" not in log.read_text()
    assert "TOKEN" not in log.read_text()


def test_refusals_are_logged_with_their_code(agora: Any) -> None:
    agora.acquire(cname="")
    (call,) = agora.control("GET", "calls")["calls"]

    assert (call["endpoint"], call["status"], call["code"]) == ("acquire", 400, 2)


def test_old_answers_have_strings_for_numbers(make_agora: Any) -> None:
    agora = make_agora(old_answers=True)
    task = agora.record("individual", recordingConfig={"subscribeUidGroup": 0})
    agora.advance(20)
    server = task.query().body["serverResponse"]

    assert server["status"] == "5"
    assert server["fileList"][0]["mixedAllUser"] == "false"
    assert server["fileList"][0]["filename"].endswith(".m3u8")

"""The client of Agora's REST API: what goes out, and what comes of each kind of answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from msgspec.structs import replace

from agora_recording.agora.client import AgoraClient
from agora_recording.agora.limiter import Limiter
from agora_recording.agora.task import Resource
from agora_recording.aws.secrets import SecretStore
from tests.world.clock import Clock
from tests.world.secrets import FakeSecretsManager
from tests.world.table import FakeTable

URL = "https://api.agora.io"
RESOURCE = Resource(resource_id="r", mode="mix", cname="c", uid="1")
TASK = RESOURCE.task("s")
Answer = tuple[int, Any] | Exception


class FakeSession:
    """A `requests.Session` that answers by script and remembers what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def request(self, method: str, url: str, **how: Any) -> requests.Response:
        self.asked.append((method, url, how))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code = answer[0]
        response._content = json.dumps(answer[1]).encode()
        return response

    @property
    def hosts(self) -> list[str]:
        """The hosts asked, in turn."""
        return [url.split("/")[2] for _, url, _ in self.asked]


def keys(secret: str = "first") -> str:
    """Return the text of Agora's secret."""
    return json.dumps({"customerId": "id", "customerSecret": secret})


def client(
    session: FakeSession, manager: FakeSecretsManager | None = None, url: str = URL
) -> tuple[AgoraClient, list[float]]:
    """Return a client over a scripted session, and the pauses it makes."""
    clock, slept = Clock(1_800_000_000_000), list[float]()
    store = SecretStore(manager or FakeSecretsManager(secret=keys()))  # type: ignore[arg-type]
    agora = AgoraClient(
        app_id="app",
        secret_id="secret",
        base_url=url,
        aws_region="eu-west-1",
        limiter=Limiter("table", client=FakeTable(), now_ms=clock, sleep=lambda _: None),  # type: ignore[arg-type]
        secrets=store,
        session=session,  # type: ignore[arg-type]
        sleep=slept.append,
    )
    return agora, slept


def test_a_call_is_authenticated_bounded_in_time_and_stays_where_it_is_sent() -> None:
    session = FakeSession((200, {"resourceId": "r"}))
    reply = client(session)[0].acquire("c", "1", {})
    method, url, how = session.asked[0]
    assert (method, url) == ("POST", f"{URL}/v1/apps/app/cloud_recording/acquire")
    assert how["auth"] == ("id", "first")
    assert how["allow_redirects"] is False
    assert sum(how["timeout"]) < 15
    assert "verify" not in how
    assert reply.is_ok
    assert reply.answer.resource_id == "r"


def test_each_endpoint_has_its_path() -> None:
    session = FakeSession(*[(200, {"sid": "s"})] * 6)
    agora = client(session)[0]
    agora.start(RESOURCE, {})
    agora.start(replace(RESOURCE, mode="raw"), {})
    agora.query(TASK)
    agora.update(replace(TASK, mode="web"), {})
    agora.update_layout(TASK, {})
    agora.stop(replace(TASK, mode="individual"))
    base = f"{URL}/v1/apps/app/cloud_recording/resourceid/r"
    assert [(method, url) for method, url, _ in session.asked] == [
        ("POST", f"{base}/mode/mix/start"),
        ("POST", f"{base}/mode/raw/start"),
        ("GET", f"{base}/sid/s/mode/mix/query"),
        ("POST", f"{base}/sid/s/mode/web/update"),
        ("POST", f"{base}/sid/s/mode/mix/updateLayout"),
        ("POST", f"{base}/sid/s/mode/individual/stop"),
    ]


def test_an_unreachable_host_is_tried_again_then_the_other_suffix_then_the_neighbour() -> None:
    session = FakeSession(*[requests.ConnectionError()] * 3, (200, {"resourceId": "r"}))
    agora, slept = client(session)
    reply = agora.acquire("c", "1", {})
    assert session.hosts == [
        "api.agora.io",
        "api.agora.io",
        "api.sd-rtn.com",
        "api-eu-west-1.agora.io",
    ]
    assert slept == [1, 3, 6]
    assert reply.base_url == "https://api-eu-west-1.agora.io"


def test_what_a_recording_began_with_it_goes_on_with() -> None:
    session = FakeSession((200, {"sid": "s", "serverResponse": {"status": 5}}))
    client(session)[0].query(replace(TASK, base_url="https://api.sd-rtn.com"))
    assert session.hosts == ["api.sd-rtn.com"]


@pytest.mark.parametrize("status", [400, 404, 429, 500, 504])
def test_an_answer_is_never_a_reason_to_switch_the_host(status: int) -> None:
    session = FakeSession((status, {"code": 2}))
    client(session)[0].query(TASK)
    assert len(session.asked) == 1


def test_a_read_time_out_is_no_answer_and_is_not_sent_elsewhere() -> None:
    session = FakeSession(requests.ReadTimeout())
    reply = client(session)[0].start(RESOURCE, {})
    assert reply.status is None
    assert type(reply.error()).__name__ == "AgoraUnavailableError"
    assert len(session.asked) == 1


def test_no_host_at_all_is_no_answer() -> None:
    session = FakeSession(*[requests.ConnectionError()] * 4)
    assert client(session)[0].acquire("c", "1", {}).status is None


def test_a_rotated_secret_is_read_anew_once() -> None:
    manager = FakeSecretsManager(secret=keys())
    session = FakeSession(
        (200, {"resourceId": "r"}),
        (401, {"message": "Invalid authentication credentials"}),
        (200, {"resourceId": "r"}),
    )
    agora = client(session, manager)[0]
    agora.acquire("c", "1", {})
    manager.put_secret_value(SecretId="secret", SecretString=keys("second"))
    assert agora.acquire("c", "1", {}).is_ok
    assert [how["auth"][1] for _, _, how in session.asked] == ["first", "first", "second"]


def test_what_agora_repeats_of_our_secrets_is_not_told() -> None:
    fields = {
        "token": "007eJxT",
        "storageConfig": {"accessKey": "AKIA", "secretKey": "deadbeef", "vendor": 1},
        "extensionServiceConfig": {"outputs": [{"rtmpUrl": "rtmp://cdn/live/key"}]},
    }
    words = 'token "007eJxT" for room is bad, nor deadbeef of AKIA, nor rtmp://cdn/live/key'
    reply = client(FakeSession((400, {"code": 2, "reason": words})))[0].start(RESOURCE, fields)
    assert 'token "…" for room is bad, nor … of …, nor …' in str(reply.error())


def test_a_wrong_secret_is_refused_in_the_end() -> None:
    wrong = (401, {"message": "Invalid authentication credentials"})
    reply = client(FakeSession(wrong, wrong))[0].acquire("c", "1", {})
    assert type(reply.error()).__name__ == "AgoraRefusedError"


def test_a_body_that_is_not_json_is_judged_by_its_status() -> None:
    class Gateway(FakeSession):
        def request(self, method: str, url: str, **how: Any) -> requests.Response:
            response = super().request(method, url, **how)
            response._content = b"<html>bad gateway</html>"
            return response

    reply = client(Gateway((502, None)))[0].query(TASK)
    assert type(reply.error()).__name__ == "AgoraUnavailableError"


def test_acquire_and_start_book_their_slots_together() -> None:
    first, second = client(FakeSession())[0].reserve_start()
    assert second - first == 143


def test_a_simulator_is_only_ever_asked_again() -> None:
    session = FakeSession(requests.ConnectionError(), (200, {"resourceId": "r"}))
    client(session, url="http://127.0.0.1:8080")[0].acquire("c", "1", {})
    assert session.hosts == ["127.0.0.1:8080"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        {"code": 2, "reason": "x" * 295 + " 007eJxTYBBa9f"},
        {"code": 2, "reason": "bad 007eJxTYB\n\n  Ba9f"},
        {"code": 2, "reason": 'bad {\\"token\\":\\"007eJxTYB Ba9f\\"}'},
        {"code": 2, "message": "bad 007eJxTYB%20Ba9f"},
        {"code": 2, "reason": "half of it: 007eJxTYB"},
        "bad 007eJxTYB   Ba9f",
    ],
)
def test_agoras_words_are_searched_before_they_are_folded_and_clipped(answer: Any) -> None:
    fields = {"token": "007eJxTYB   Ba9f"}
    reply = client(FakeSession((400, answer)))[0].start(RESOURCE, fields)
    assert "007eJx" not in str(reply.error())
    assert "007eJx" not in reply.answer.reason


def test_our_own_keys_are_not_told_either() -> None:
    manager = FakeSecretsManager(secret=keys("customer-secret-1"))
    words = "not allowed: Basic aWQ6Y3VzdG9tZXItc2VjcmV0LTE= (customer-secret-1)"
    reply = client(FakeSession((403, {"reason": words})), manager)[0].query(TASK)
    assert reply.answer.reason == "not allowed: Basic … (…)"

"""What Agora answers beyond its documents, one row each: what it means and what becomes of it."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
import requests

from agora_recording.agora.client import AgoraClient
from agora_recording.agora.limiter import Limiter
from agora_recording.agora.outcomes import decide
from agora_recording.agora.responses import decode
from agora_recording.agora.task import Resource
from agora_recording.aws.secrets import SecretStore
from tests.world.builders import reply, requested
from tests.world.clock import Clock
from tests.world.house import House, assert_sound
from tests.world.secrets import FakeSecretsManager
from tests.world.table import FakeTable


class Row(NamedTuple):
    """An answer, where it was seen, and what must be done about it."""

    source: str
    endpoint: str
    status: int
    body: Any
    handling: str


UNCLEAR = [
    Row("quota page: above a tenth of the tasks", "start", 400, {}, "slow_down"),
    Row("quota page", "acquire", 400, {"message": "too many"}, "slow_down"),
    Row("quota page", "query", 400, {"message": ""}, "slow_down"),
    Row("quota page", "update", 400, b"", "slow_down"),
    Row("quota page", "stop", 400, b"<html>Bad Request</html>", "slow_down"),
    Row("code 113 has no published meaning", "start", 400, {"code": 113}, "slow_down"),
    Row("a code of another call", "query", 400, {"code": 53}, "slow_down"),
]
ROWS = [
    *UNCLEAR,
    Row("status codes", "start", 400, {"code": 2, "reason": "bad vendor"}, "permanent"),
    Row("status codes", "start", 400, {"message": "appid is invalid"}, "permanent"),
    Row("status codes", "acquire", 400, {"code": 405}, "permanent"),
    Row("status codes", "acquire", 400, {"code": 406}, "back_off_long"),
    Row("status codes", "start", 400, {"code": 53}, "new_uid"),
    Row("status codes", "stop", 400, {"code": 49}, "ended"),
    Row("status codes", "stop", 206, {"code": 435}, "nothing_recorded"),
    Row("status codes", "start", 429, {"message": "API rate limit exceeded"}, "back_off"),
    Row("no redirect is documented", "query", 301, {}, "permanent"),
    Row("a wrong method or size is ours", "query", 405, {}, "permanent"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.endpoint} {row.status}: {row.source}")
def test_an_answer_as_the_field_saw_it_has_its_meaning(row: Row) -> None:
    raw = row.body if isinstance(row.body, bytes) else json.dumps(row.body).encode()
    answer = decode(raw)
    assert decide(row.endpoint, row.status, answer.code, answer.reason).handling == row.handling


# --- the pace -------------------------------------------------------------------------------------


def _client(*answers: tuple[int, Any]) -> tuple[AgoraClient, Limiter]:
    class Session:
        def __init__(self) -> None:
            self.answers = list(answers)

        def request(self, *_: Any, **__: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, body = self.answers.pop(0)
            response._content = json.dumps(body).encode()
            return response

    clock = Clock(1_800_000_000_000)
    limiter = Limiter("table", client=FakeTable(), now_ms=clock, sleep=lambda _: None)  # type: ignore[arg-type]
    secret = json.dumps({"customerId": "id", "customerSecret": "secret"})
    agora = AgoraClient(
        app_id="app",
        secret_id="secret",
        base_url="https://api.agora.io",
        aws_region="us-east-1",
        limiter=limiter,
        secrets=SecretStore(FakeSecretsManager(secret=secret)),  # type: ignore[arg-type]
        session=Session(),  # type: ignore[arg-type]
    )
    return agora, limiter


@pytest.mark.parametrize(
    ("status", "body", "pause_ms"),
    [
        (400, {}, 1000),
        (400, {"code": 113}, 1000),
        (429, {"message": "API rate limit exceeded"}, 1000),
        (400, {"code": 2}, 143),
        (404, {"code": 404}, 143),
        (200, {"sid": "s"}, 143),
    ],
)
def test_a_refusal_that_may_be_about_the_rate_slows_every_caller_down(
    status: int, body: Any, pause_ms: int
) -> None:
    agora, limiter = _client((status, body))
    task = Resource(resource_id="r", mode="mix", cname="c", uid="1").task("s")
    agora.query(task)
    assert limiter.take(patience_s=5) == [1_800_000_000_000 + pause_ms]


# --- nothing is given up at once ------------------------------------------------------------------

REFUSED = {"message": "Bad Request"}


@pytest.mark.parametrize("endpoint", ["acquire", "start"])
def test_a_start_that_is_refused_for_no_known_reason_is_repeated_and_then_records(
    endpoint: Any,
) -> None:
    house = House(requested(restart_limit=0))
    house.agora.once[endpoint] = [reply(endpoint, 400, **REFUSED) for _ in range(5)]
    house.begin()
    house.run(300)
    assert house.row.status == "recording"
    assert [each.number for each in house.row.attempts] == [1]
    assert house.agora.calls[endpoint] == 6


@pytest.mark.parametrize("endpoint", ["acquire", "start"])
def test_a_start_that_is_refused_for_no_known_reason_for_long_ends_with_agoras_words(
    endpoint: Any,
) -> None:
    house = House(requested(restart_limit=3))
    house.agora.answers[endpoint] = reply(endpoint, 400, **REFUSED)
    house.begin()
    house.run(3600)
    assert (house.row.status, house.row.end_reason) == ("failed", "REFUSED")
    assert house.row.reason is not None
    assert 'Agora says "Bad Request"' in house.row.reason
    assert house.agora.calls[endpoint] == 6
    assert_sound(house)


def test_a_query_that_is_refused_for_no_known_reason_says_nothing_about_the_session() -> None:
    house = House()
    house.begin()
    house.run(120)
    house.agora.answers["query"] = reply("query", 400, **REFUSED)
    house.run(1800)
    assert house.row.status == "recording"
    del house.agora.answers["query"]
    house.run(1800)
    assert house.row.status == "recording"
    assert len(house.row.attempts) == 1


def test_a_stop_that_is_refused_for_no_known_reason_is_repeated_until_it_is_taken() -> None:
    house = House()
    house.begin()
    house.run(60)
    house.agora.once["stop"] = [reply("stop", 400, code=113) for _ in range(8)]
    house.stop()
    house.run(1800)
    assert (house.row.status, house.row.end_reason) == ("completed", "STOP_REQUESTED")
    assert house.row.attempt is not None
    assert house.row.attempt.end == "STOPPED"
    assert_sound(house)

"""A simulator that knows the project's App Certificate checks tokens."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.agora.token import JOIN, Service, build, rtc
from local.agora.tokens import Token
from tests.unit.simulator.conftest import Caller, MakeAgora, Receiver, Task

APP_ID, CERTIFICATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2


@pytest.fixture
def agora(make_agora: MakeAgora) -> Caller:
    return make_agora(app_id=APP_ID, app_certificate=CERTIFICATE)


def token(
    agora: Caller,
    *services: Service,
    uid: str = "9",
    valid_s: int = 600,
    join_s: int | None = None,
    certificate: str = CERTIFICATE,
    app_id: str = APP_ID,
) -> str:
    """Return a token of now."""
    privileges = {JOIN: valid_s if join_s is None else join_s}
    return build(
        app_id,
        certificate,
        services or (rtc("room", uid, privileges),),
        issued_s=agora.simulator.world.scheduler.now_ms() // 1000,
        expires_s=valid_s,
        salt=7,
    )


def start(agora: Caller, **fields: str) -> tuple[int, int | None, str]:
    """Return HTTP status, code and sid of a start."""
    acquired = agora.acquire()
    answer = agora.start(acquired.body["resourceId"], **fields)
    return answer.status, answer.code, answer.body.get("sid", "")


@pytest.mark.parametrize("uid", ["9", "0"])
def test_a_token_for_its_uid_or_for_any_lets_a_recorder_in(agora: Caller, uid: str) -> None:
    status, _, sid = start(agora, token=token(agora, uid=uid))
    assert (status, bool(sid)) == (200, True)


def test_other_tokens_are_refused(agora: Caller) -> None:
    wrong = [
        "",
        "secret",
        "007",
        "006" + token(agora)[3:],
        token(agora)[:-8] + "AAAAAAA=",
        token(agora, uid="8"),
        token(agora, certificate=APP_ID),
        token(agora, app_id=CERTIFICATE),
        token(agora, rtc("other", "9", {JOIN: 600})),
        token(agora, rtc("room", "9", {2: 600})),
        token(agora, Service(2, {1: 600}, ("9",))),
    ]
    assert [start(agora, token=each)[:2] for each in wrong] == [(400, 110)] * len(wrong)
    assert start(agora)[:2] == (400, 110)


def test_a_token_that_has_ended_is_refused(agora: Caller) -> None:
    old = token(agora, valid_s=60)
    agora.advance(61)
    assert start(agora, token=old)[:2] == (400, 109)


@pytest.mark.parametrize("ends", [{"valid_s": 60}, {"valid_s": 600, "join_s": 60}])
def test_a_recorder_is_thrown_out_when_its_token_ends(
    agora: Caller, receiver: Receiver, ends: Any
) -> None:
    _, _, sid = start(agora, token=token(agora, **ends))
    agora.advance(50)
    assert 41 not in receiver.types()
    agora.advance(15)
    assert agora.simulator.world.recording(sid).live is False  # type: ignore[union-attr]
    assert receiver.details(41)["leaveCode"] == 2
    assert receiver.details(11)["exitStatus"] == 0


@pytest.mark.parametrize(
    ("expires_s", "join_s", "valid_s"), [(200_000, 200_000, 86_400), (600, 0, 600), (600, 60, 60)]
)
def test_a_token_ends_with_its_privilege_and_after_a_day_at_the_latest(
    expires_s: int, join_s: int, valid_s: int
) -> None:
    read = Token(APP_ID, "room", "9", 1_790_000_000, expires_s, join_s)
    assert read.until_ms == (1_790_000_000 + valid_s) * 1000


def test_a_page_recorder_needs_no_token(agora: Caller) -> None:
    page: Any = {
        "extensionServiceConfig": {
            "errorHandlePolicy": "error_abort",
            "extensionServices": [
                {
                    "serviceName": "web_recorder_service",
                    "errorHandlePolicy": "error_abort",
                    "serviceParam": {
                        "url": "https://page.example/",
                        "audioProfile": 0,
                        "videoWidth": 240,
                        "videoHeight": 240,
                        "maxRecordingHour": 3,
                    },
                }
            ],
        }
    }
    task: Task = agora.record("web", scene=1, **page)
    assert task.sid


def test_without_a_certificate_a_token_may_be_anything(make_agora: MakeAgora) -> None:
    agora = make_agora()
    assert start(agora, token="anything")[0] == 200

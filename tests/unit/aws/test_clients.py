"""The AWS clients: a call that hangs ends before the room does."""

from __future__ import annotations

import re
from typing import Any

import boto3
import pytest

from agora_recording.agora import storage
from agora_recording.agora.storage import StorageKeys
from agora_recording.aws import clients
from local.template import ROOT, template
from tests.world.patience import longest_s

GATEWAY_S = 29  # API Gateway: the longest integration time-out
ANSWER_S = 2  # what a room needs besides
_RESOURCES = template()["Resources"]
ROOMS = {
    name: each["Properties"]
    for name, each in _RESOURCES.items()
    if each["Type"] == "AWS::Serverless::Function"
    and name != "ReceiveNotificationFunction"  # its clients are its own; see its tests
}
# What Lambda does with the room's role, not the room: it polls, and it connects rooms to a VPC.
_LAMBDAS_OWN = re.compile(
    r"sqs:ReceiveMessage|dynamodb:GetRecords|ec2:\w*NetworkInterface\w*|ec2:\w*PrivateIp\w*"
    r"|ec2:DescribeSubnets|ec2:GetSecurityGroupsForVpc"
)


def _statements(policies: Any) -> Any:
    for policy in policies or ():
        for each in policy["Statement"]:
            yield each["Fn::If"][1] if "Fn::If" in each else each


def _services(room: dict[str, Any]) -> set[str]:
    """Return the services that a room may call, by the names of their clients."""
    found = set()
    for statement in _statements(room.get("Policies")):
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            if not _LAMBDAS_OWN.fullmatch(action):
                found.add(action.split(":")[0])
    return {"stepfunctions" if each == "states" else each for each in found}


def _budget_s(room: dict[str, Any]) -> float:
    """Return the seconds in which a room must answer."""
    timeout: float = room.get("Timeout", template()["Globals"]["Function"]["Timeout"])
    is_called = any(each["Type"] == "Api" for each in room.get("Events", {}).values())
    return min(timeout, GATEWAY_S) if is_called else timeout


@pytest.mark.parametrize("name", ROOMS)
def test_a_call_that_hangs_leaves_its_room_time_to_answer(name: str) -> None:
    room = ROOMS[name]
    for service in _services(room):
        assert longest_s(clients.config(service)) + ANSWER_S <= _budget_s(room), service


@pytest.mark.parametrize("service", ["dynamodb", "kms", "secretsmanager", "sqs", "stepfunctions"])
def test_two_slow_calls_one_after_the_other_fit_into_a_request_of_the_api(service: str) -> None:
    assert 2 * longest_s(clients.config(service)) + ANSWER_S <= GATEWAY_S


def test_every_room_has_an_aws_service_to_wait_for_but_the_one_that_serves_a_file() -> None:
    assert [name for name, room in ROOMS.items() if not _services(room)] == ["ServeOpenapiFunction"]


def test_the_kept_clients_are_made_like_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made: Any = clients._client.__wrapped__("sqs").meta.config
    wanted: Any = clients.config("sqs")
    assert (made.connect_timeout, made.read_timeout) == (
        wanted.connect_timeout,
        wanted.read_timeout,
    )
    assert made.retries["total_max_attempts"] == wanted.retries["total_max_attempts"]


def test_the_client_that_makes_temporary_credentials_is_no_more_patient(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made: Any = storage._sts_of(StorageKeys("key", "secret")).meta.config
    assert made.read_timeout == 2
    assert made.connect_timeout == 1


def test_the_boto3_at_work_is_the_stated_floor_or_newer() -> None:
    stated = re.search(r"^boto3==([\d.]+)$", (ROOT / "requirements/floor.in").read_text(), re.M)
    assert stated
    floor, here = (tuple(map(int, each.split("."))) for each in (stated[1], boto3.__version__))
    assert floor <= here

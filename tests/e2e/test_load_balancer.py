"""`NotificationIngress: alb`: the same notifications, through the load balancer's door.

The stack has both doors here (the emulator does not throttle a method to nothing, as AWS does), so
each story is told at both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.api import Response, send
from local.stack import EmbeddedStack, EmulatorError
from tests.e2e.conftest import SPEED, Stage, eventually
from tests.e2e.test_one_recording import notification

VPC = {"VpcId": "vpc-00000001", "SubnetIds": "subnet-00000001,subnet-00000002"}
CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
DOORS = ("api", "alb")


@pytest.fixture(scope="module")
def house() -> Iterator[Stage]:
    """A stack with a load balancer."""
    given = {"NotificationIngress": "alb", "CertificateArn": CERTIFICATE, **VPC}
    with EmbeddedStack(speed=SPEED, given=given) as stack:
        made = stack.facts["resources"]
        balancers = stack.client("elbv2")
        # CloudFormation registers the target; the emulator's leaves that out.
        arn = stack.client("lambda").get_function(FunctionName=made["ReceiveNotificationFunction"])[
            "Configuration"
        ]["FunctionArn"]
        balancers.register_targets(
            TargetGroupArn=made["NotificationsTargetGroup"], Targets=[{"Id": arn}]
        )
        yield Stage(stack)


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest, house: Stage) -> Iterator[Stage]:
    """The stack, notified through one of its doors."""
    api = house.facts["notifications_url"]
    if request.param == "alb":
        house.facts["notifications_url"] = balancer_url(house)
    yield house
    house.facts["notifications_url"] = api


def balancer_url(house: Stage) -> str:
    """Return where the emulator serves the load balancer: by its name, at its own address."""
    arn = house.facts["resources"]["NotificationsLoadBalancer"]
    name = arn.split("/")[-2]
    return f"{house.facts['aws_endpoint_url']}/_alb/{name}/notifications"


def sid(request: pytest.FixtureRequest) -> str:
    """Return a session of this test's own."""
    return f"{abs(hash(request.node.nodeid)):032x}"[-32:]


def test_a_signed_notification_is_stored_once(door: Stage, request: pytest.FixtureRequest) -> None:
    session = sid(request)
    answers = [door.notify(notification(session, 1)) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert [answer.body for answer in answers] == [{"stored": True}, {"stored": False}]
    assert len(door.rows(f"SID#{session}", "EVT#")) == 1


def test_it_is_applied_like_any_other(door: Stage, request: pytest.FixtureRequest) -> None:
    session = sid(request)
    door.notify(notification(session, 1))
    assert eventually(lambda: door.rows(f"SESSION#{session}", "SESSION"), "the session")


def test_a_changed_notification_is_refused(door: Stage, request: pytest.FixtureRequest) -> None:
    session = sid(request)
    answer = door.notify(notification(session, 1), tamper=lambda raw: raw + b" ")
    assert answer.status == 401
    assert answer.body["title"] == "Unauthorized"
    assert door.rows(f"SID#{session}", "EVT#") == []


def test_a_notification_that_is_too_large_is_refused(door: Stage) -> None:
    assert door.notify({"noticeId": "1", "filling": "x" * 300_000}).status == 413


def test_the_load_balancer_serves_nothing_but_notifications(house: Stage) -> None:
    url = balancer_url(house)
    for method, address in (("GET", url), ("POST", url.replace("notifications", "recordings"))):
        answer: Response = send(method, address, b"{}" if method == "POST" else None, {})
        assert answer.status == 404


def test_its_security_group_lets_in_what_agora_names(house: Stage) -> None:
    found = house.stack.invoke("RefreshNcsAddressesFunction")
    group = house.facts["resources"]["NotificationsSecurityGroup"]
    rules = house.stack.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )["SecurityGroupRules"]
    inbound = {each["CidrIpv4"] for each in rules if not each["IsEgress"]}
    assert inbound == set(found["addresses"])
    assert {each["FromPort"] for each in rules if not each["IsEgress"]} == {443}


def test_the_listener_speaks_only_tls_with_the_given_certificate(house: Stage) -> None:
    (listener,) = house.stack.client("elbv2").describe_listeners(
        LoadBalancerArn=house.facts["resources"]["NotificationsLoadBalancer"]
    )["Listeners"]
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert listener["Certificates"][0]["CertificateArn"] == CERTIFICATE
    assert "TLS13" in listener["SslPolicy"]


def test_the_api_closes_its_route_then(house: Stage) -> None:
    settings: dict[str, Any] = house.stack.client("apigateway").get_stage(
        restApiId=house.facts["resources"]["Api"], stageName="v1"
    )["methodSettings"]
    closed = next(each for path, each in settings.items() if "notifications" in path)
    assert closed["throttlingRateLimit"] == 0, json.dumps(settings)
    assert closed["throttlingBurstLimit"] == 0


def test_a_load_balancer_without_its_place_is_refused() -> None:
    stack = EmbeddedStack(speed=SPEED, given={"NotificationIngress": "alb"})
    with pytest.raises(EmulatorError, match="needs VpcId"), stack:
        pass

"""The room that keeps firewalls open to Agora: by schedule, by hand, and at each deploy."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
import responses
from moto import mock_aws
from msgspec.structs import replace

from agora_recording.aws import clients
from agora_recording.aws.lease import Lease
from agora_recording.errors import (
    AddressesRefusedError,
    AgoraUnavailableError,
    FirewallError,
    SecretUnavailableError,
    SettingsError,
)
from agora_recording.firewall import addresses, custom_resource, refresh
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from functions.refresh_ncs_addresses import app
from tests.world import firewall
from tests.world.api import Context
from tests.world.firewall import HOUR_MS, TABLE, client_of, create_group, create_table, let_in

SETTINGS = app.RefreshSettings(
    table_name=TABLE,
    agora_app_id="app",
    agora_secret_id="agora",
    agora_base_url="https://api.agora.io",
    aws_region="us-east-1",
    stack_name="rec",
)
CONTEXT: Any = Context()


@pytest.fixture(scope="module")
def account() -> Iterator[str]:
    """One account for the whole file: the first use of EC2 in moto is slow. Returns its VPC."""
    with mock_aws():
        yield client_of("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture(autouse=True)
def table(account: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for service in ("dynamodb", "ec2", "wafv2", "secretsmanager"):
        monkeypatch.setattr(clients, service, lambda service=service: client_of(service))
    create_table()
    yield
    client_of("dynamodb").delete_table(TableName=TABLE)


_numbers = count()


@pytest.fixture
def group(account: str) -> Iterator[str]:
    created = create_group(account, f"edge-{next(_numbers)}")
    yield created
    client_of("ec2").delete_security_group(GroupId=created)


def answer(*ips: str) -> bytes:
    return json.dumps({"data": {"service": {"hosts": [{"primaryIP": ip} for ip in ips]}}}).encode()


def ips(*numbers: int) -> list[str]:
    return [f"8.8.8.{number}" for number in numbers]


def blocks(*numbers: int) -> set[str]:
    return {f"8.8.8.{number}/32" for number in numbers}


class World:
    """Runs the room at chosen times, with a chosen answer of Agora's, and reads its metrics."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.settings = SETTINGS
        self.now_ms = 1_790_000_000_000
        self.body = answer(*ips(1, 2, 3, 4))
        self.status: int | None = 200
        self.asked: list[str] = []
        self.slept: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def get(self, url: str) -> tuple[int | None, bytes]:
        self.asked.append(url)
        return self.status, self.body

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_ms += round(seconds * 1000)
        self.meanwhile()

    def run(self, event: dict[str, Any] | None = None, *, hours: float = 0) -> dict[str, Any]:
        self.now_ms += round(hours * HOUR_MS)
        self._capsys.readouterr()
        outside = Outside(now_ms=lambda: self.now_ms, sleep=self.sleep)
        refresher = replace(Parts(self.settings, outside).refresher, get=self.get)
        handler: Callable[..., dict[str, Any]] = app.lambda_handler
        return handler(event or {}, CONTEXT, refresher=refresher)

    def lease(self) -> Lease:
        """Return the lease as another run has it."""
        return Lease(TABLE, client_of("dynamodb"), lambda: self.now_ms, refresh.LEASE)

    def metrics(self) -> dict[str, float]:
        """Return the last run's metrics by name."""
        emitted: dict[str, float] = {}
        for line in self._capsys.readouterr().out.splitlines():
            entry = json.loads(line)
            for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
                assert directive["Namespace"] == "AgoraRecording"
                for metric in directive["Metrics"]:
                    (emitted[metric["Name"]],) = entry[metric["Name"]]
        return emitted


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str]) -> World:
    return World(capsys)


def allow_list() -> set[str]:
    key = {"PK": {"S": "FIREWALL"}, "SK": {"S": "allow-list"}}
    item = client_of("dynamodb").get_item(TableName=TABLE, Key=key).get("Item", {})
    return {each["S"] for each in item.get("cidrs", {"L": []})["L"]}


def inbound(group: str) -> dict[str, str]:
    """Return address → description."""
    return {cidr: description for cidr, _, description in firewall.inbound(group)}


# --- stories ---


def test_a_new_stack_has_rules_after_its_first_run(world: World, group: str) -> None:
    world.settings = replace(SETTINGS, security_group_ids=group)
    report = world.run()
    assert allow_list() == blocks(1, 2, 3, 4)
    assert inbound(group) == dict.fromkeys(blocks(1, 2, 3, 4), "agora-ncs rec")
    assert report["failed"] == {}
    assert world.metrics() == {
        "AddressesNamed": 4,
        "AddressesRefreshed": 2,
        "AddressesRefused": 0,
        "FirewallTargetFailed": 0,
        "AddressesAgeSeconds": 0,
    }


def test_a_second_run_changes_nothing(world: World, group: str) -> None:
    world.settings = replace(SETTINGS, security_group_ids=group)
    world.run()
    before = client_of("ec2").describe_security_group_rules()["SecurityGroupRules"]
    report = world.run(hours=6)
    assert client_of("ec2").describe_security_group_rules()["SecurityGroupRules"] == before
    assert all(not (plan["add"] or plan["remove"]) for plan in report["targets"].values())


def test_over_days_addresses_rotate_with_an_overlap(world: World, group: str) -> None:
    world.settings = replace(SETTINGS, security_group_ids=group)
    let_in(group, "9.9.9.9/32")
    for day in range(5):
        named = range(day, day + 4)
        world.body = answer(*ips(*named))
        world.run(hours=24)
        assert blocks(*named) <= allow_list()
    assert allow_list() == blocks(*range(2, 8))
    assert inbound(group).keys() == blocks(*range(2, 8)) | {"9.9.9.9/32"}


@pytest.mark.parametrize(
    "body",
    [
        answer(),
        b"<html>busy</html>",
        answer("8.8.8.9", "10.0.0.1"),
        answer("0.0.0.0/0"),
        answer("203.0.113.5"),
    ],
)
def test_an_empty_or_suspicious_answer_changes_nothing(world: World, body: bytes) -> None:
    world.run()
    world.body = body
    with pytest.raises(AddressesRefusedError):
        world.run(hours=6)
    assert allow_list() == blocks(1, 2, 3, 4)
    assert world.metrics() == {"AddressesRefused": 1, "AddressesAgeSeconds": 6 * 3600}


def test_silence_changes_nothing_and_shows_in_the_age(world: World) -> None:
    world.run()
    world.status = None
    with pytest.raises(AgoraUnavailableError):
        world.run(hours=30)
    assert world.asked[-2:] == list(addresses.ENDPOINTS)
    assert allow_list() == blocks(1, 2, 3, 4)
    assert world.metrics() == {"AddressesUnavailable": 1, "AddressesAgeSeconds": 30 * 3600}


def test_the_age_is_unknown_until_there_was_a_first_answer(world: World) -> None:
    world.status = 503
    with pytest.raises(AgoraUnavailableError):
        world.run()
    assert world.metrics() == {"AddressesUnavailable": 1}


def test_when_more_than_half_vanished_nothing_goes_and_the_age_grows(world: World) -> None:
    world.run()
    world.body = answer(*ips(4))
    for _ in range(3):
        report = world.run(hours=16)
    assert report["targets"]["allow-list"]["refused"]
    assert allow_list() == blocks(1, 2, 3, 4)
    metrics = world.metrics()
    assert metrics["AddressesRefused"] == 1
    assert metrics["AddressesRefreshed"] == 0
    assert metrics["AddressesAgeSeconds"] == 48 * 3600


def test_a_person_can_vouch_for_an_answer_that_lacks_much(world: World) -> None:
    world.run()
    world.body = answer(*ips(4))
    world.run({"acceptDrop": True}, hours=6)
    world.run(hours=48)
    assert allow_list() == blocks(4)


def test_a_full_security_group_is_named_and_the_allow_list_is_refreshed(
    world: World, group: str
) -> None:
    for number in range(58):
        let_in(group, f"9.9.9.{number}/32")
    world.settings = replace(SETTINGS, security_group_ids=group)
    with pytest.raises(FirewallError, match=f"1 of 2 targets: {group}: QuotaError: IPv4: 4 new"):
        world.run()
    assert len(inbound(group)) == 58
    assert allow_list() == blocks(1, 2, 3, 4)
    metrics = world.metrics()
    assert metrics["FirewallTargetFailed"] == 1
    assert metrics["AddressesRefreshed"] == 1
    assert "AddressesAgeSeconds" not in metrics


def test_every_target_has_its_turn_whatever_breaks(world: World, group: str) -> None:
    world.settings = replace(
        SETTINGS,
        security_group_ids=f"sg-0123456789abcdef0, {group}",
        security_group_tag="team=nobody",
        prefix_list_id="pl-0123456789abcdef0",
        waf_ip_set_v4="not-a-reference",
        waf_ip_set_v6="ncs|0123|REGIONAL",
    )
    with pytest.raises(FirewallError, match="5 of 7 targets") as caught:
        world.run()
    for broken in ("sg-0123456789abcdef0", "team=nobody", "pl-0", "not-a-reference", "waf-0123"):
        assert broken in str(caught.value)
    assert inbound(group).keys() == allow_list() == blocks(1, 2, 3, 4)
    assert world.metrics()["FirewallTargetFailed"] == 5


def test_groups_are_found_by_tag_and_no_group_twice(world: World, group: str) -> None:
    tags = client_of("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["Tags"]
    world.settings = replace(
        SETTINGS, security_group_ids=group, security_group_tag=f"team={tags[0]['Value']}"
    )
    assert world.run()["targets"].keys() == {"allow-list", group}
    assert inbound(group).keys() == blocks(1, 2, 3, 4)


def test_a_prefix_list_and_ip_sets_are_refreshed_too(world: World) -> None:
    created = client_of("ec2").create_managed_prefix_list(
        PrefixListName="ncs", MaxEntries=10, AddressFamily="IPv4"
    )
    list_id = created["PrefixList"]["PrefixListId"]
    summary = client_of("wafv2").create_ip_set(
        Name="ncs", Scope="REGIONAL", IPAddressVersion="IPV6", Addresses=[]
    )["Summary"]
    world.settings = replace(
        SETTINGS,
        prefix_list_id=list_id,
        waf_ip_set_v6=f"ncs|{summary['Id']}|REGIONAL",
    )
    world.body = answer("8.8.8.1", "2600::1")
    targets = world.run()["targets"]
    assert targets[list_id]["add"] == ["8.8.8.1/32"]
    assert targets[f"waf-{summary['Id']}"]["add"] == ["2600::1/128"]


def test_documentation_addresses_pass_only_where_the_settings_say_so(world: World) -> None:
    world.settings = replace(SETTINGS, allow_documentation_addresses=True)
    world.body = answer("203.0.113.5")
    world.run()
    assert allow_list() == {"203.0.113.5/32"}


def test_grace_shrinks_with_the_speed(world: World) -> None:
    world.settings = replace(SETTINGS, speed=48)
    world.run()
    world.body = answer(*ips(2, 3, 4))
    world.run(hours=0.1)
    world.run(hours=1)
    assert allow_list() == blocks(2, 3, 4)


# --- never two at a time ---


def test_a_run_waits_until_another_has_finished(world: World) -> None:
    other = world.lease()
    assert other.take(refresh.LEASE_S)
    world.meanwhile = other.release
    world.run()
    assert len(world.slept) == 1
    assert allow_list() == blocks(1, 2, 3, 4)


def test_a_run_gives_up_while_another_does_not_finish(world: World) -> None:
    world.lease().take(refresh.LEASE_S)
    with pytest.raises(FirewallError, match="Another refresh is still running"):
        world.run()
    assert sum(world.slept) == 60
    assert world.asked == []
    assert allow_list() == set()
    assert world.metrics() == {"RefreshBusy": 1}


def test_a_run_that_died_holds_up_nobody_for_longer_than_it_might_have_run(world: World) -> None:
    world.lease().take(refresh.LEASE_S)
    world.run(hours=0.1)
    assert world.slept == []
    assert allow_list() == blocks(1, 2, 3, 4)


def test_a_run_that_failed_lets_the_next_one_in(world: World) -> None:
    world.status = None
    with pytest.raises(AgoraUnavailableError):
        world.run()
    world.status = 200
    world.run()
    assert world.slept == []


def test_a_plan_waits_for_nobody(world: World) -> None:
    world.lease().take(refresh.LEASE_S)
    assert world.run({"dryRun": True})["targets"]["allow-list"]["add"]
    assert world.slept == []


# --- by schedule ---


def test_the_schedule_is_not_at_fault_while_agoras_keys_are_not_filled_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfilled(*_: Any) -> None:
        raise SecretUnavailableError("The secret agora is not filled in.")

    monkeypatch.setattr(world, "get", unfilled)
    assert world.run({"scheduled": True}) == {"skipped": "The secret agora is not filled in."}
    assert world.metrics() == {"AddressesUnavailable": 1}
    with pytest.raises(SecretUnavailableError):
        world.run()


def test_the_schedule_hears_of_every_other_failure_so_that_it_is_repeated(world: World) -> None:
    world.status = None
    with pytest.raises(AgoraUnavailableError):
        world.run({"scheduled": True})


# --- by hand ---


def test_a_dry_run_tells_the_plan_and_writes_nothing(world: World, group: str) -> None:
    let_in(group, "9.9.9.9/32")
    world.settings = replace(SETTINGS, security_group_ids=group)
    report = world.run({"dryRun": True})
    assert report["dryRun"] is True
    assert set(report["addresses"]) == blocks(1, 2, 3, 4)
    assert set(report["targets"][group]["add"]) == blocks(1, 2, 3, 4)
    assert inbound(group).keys() == {"9.9.9.9/32"}
    assert client_of("dynamodb").scan(TableName=TABLE)["Items"] == []
    assert world.metrics() == {"AddressesNamed": 4}


def test_a_dry_run_tells_what_would_fail(world: World) -> None:
    world.settings = replace(SETTINGS, security_group_tag="team=nobody")
    report = world.run({"dryRun": True})
    assert report["failed"] == {
        "team=nobody": "FirewallError: No security group has the tag team=nobody"
    }
    assert set(report["targets"]["allow-list"]["add"]) == blocks(1, 2, 3, 4)


# --- the custom resource ---


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    requests: list[Any] = []

    def urlopen(request: Any, timeout: float) -> io.BytesIO:
        requests.append(request)
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return requests


def deploy(kind: str, **properties: str) -> dict[str, Any]:
    event: dict[str, Any] = {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation.example/answer?signed=yes",
        "StackId": "arn:aws:cloudformation:us-east-1:1:stack/rec/1",
        "RequestId": "request-1",
        "LogicalResourceId": "NcsAddresses",
        "ResourceProperties": {"ServiceToken": "arn", **properties},
    }
    return event if kind == "Create" else {**event, "PhysicalResourceId": "as-before"}


def test_at_deploy_the_rules_are_written_and_cloudformation_is_answered(
    world: World, answered: list[Any]
) -> None:
    world.run(deploy("Create"))
    assert allow_list() == blocks(1, 2, 3, 4)
    (request,) = answered
    assert request.get_method() == "PUT"
    assert request.full_url == "https://cloudformation.example/answer?signed=yes"
    assert request.get_header("Content-type") == ""
    assert json.loads(request.data) == {
        "Status": "SUCCESS",
        "PhysicalResourceId": "ncs-addresses",
        "StackId": "arn:aws:cloudformation:us-east-1:1:stack/rec/1",
        "RequestId": "request-1",
        "LogicalResourceId": "NcsAddresses",
        "Data": {"Warning": ""},
    }


def test_a_run_of_another_does_not_delay_the_stack(world: World, answered: list[Any]) -> None:
    other = world.lease()
    assert other.take(refresh.LEASE_S)
    told: list[int] = []

    def finish() -> None:
        told.append(len(answered))
        other.release()

    world.meanwhile = finish
    world.run(deploy("Update"))
    assert told == [1]  # CloudFormation knew before the first wait
    (request,) = answered
    sent = json.loads(request.data)
    assert sent["Status"] == "SUCCESS"
    assert "Another refresh is running" in sent["Data"]["Warning"]
    assert allow_list() == blocks(1, 2, 3, 4)
    assert world.metrics()["RefreshAtDeployFailed"] == 0


def test_a_lease_that_stays_taken_leaves_the_answer_as_it_was(
    world: World, answered: list[Any]
) -> None:
    world.lease().take(refresh.LEASE_S)
    world.run(deploy("Create"))
    (request,) = answered
    assert "this one follows it" in json.loads(request.data)["Data"]["Warning"]
    assert world.metrics() == {"RefreshBusy": 1, "RefreshAtDeployFailed": 1}


def test_with_twenty_seconds_left_cloudformation_is_answered_while_the_work_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_told = threading.Event()
    sent: list[Any] = []

    def urlopen(request: Any, timeout: float) -> io.BytesIO:
        assert timeout < 20
        sent.append(json.loads(request.data))
        is_told.set()
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    goes_on: list[bool] = []

    def act(_: object) -> None:
        goes_on.append(is_told.wait(timeout=30))

    answer = custom_resource.answer(deploy("Create"), act, lambda: 20_010)
    assert goes_on == [True]
    assert [answer] == sent
    assert sent[0]["Status"] == "SUCCESS"
    assert "takes long" in sent[0]["Data"]["Warning"]


def test_an_answer_that_could_not_be_sent_in_time_is_sent_when_the_work_is_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries: list[Any] = []

    def urlopen(request: Any, timeout: float) -> io.BytesIO:
        tries.append(request)
        if len(tries) == 1:
            raise OSError("no route")
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)

    def act(tell: custom_resource.Tell) -> None:
        with contextlib.suppress(OSError):
            tell("it takes long")

    custom_resource.answer(deploy("Create"), act, lambda: 300_000)
    assert len(tries) == 2


def test_an_update_keeps_the_physical_id(world: World, answered: list[Any]) -> None:
    world.run(deploy("Update"))
    assert json.loads(answered[0].data)["PhysicalResourceId"] == "as-before"


@pytest.mark.parametrize(("status", "warning"), [(None, "Unavailable"), (401, "Refused")])
def test_an_agora_that_does_not_answer_does_not_hold_up_the_stack(
    world: World, answered: list[Any], status: int | None, warning: str
) -> None:
    world.status = status
    world.run(deploy("Create"))
    sent = json.loads(answered[0].data)
    assert sent["Status"] == "SUCCESS"
    assert f"Agora{warning}Error" in sent["Data"]["Warning"]
    assert world.metrics() == {"AddressesUnavailable": 1, "RefreshAtDeployFailed": 1}


def test_settings_that_cannot_be_read_do_not_hold_up_the_stack(
    monkeypatch: pytest.MonkeyPatch, answered: list[Any]
) -> None:
    def unreadable() -> app.RefreshSettings:
        raise SettingsError("Missing environment variable: TABLE_NAME")

    monkeypatch.setattr(app.RefreshSettings, "from_env", unreadable)
    handler: Callable[..., dict[str, Any]] = app.lambda_handler
    handler(deploy("Create"), CONTEXT)
    assert "TABLE_NAME" in json.loads(answered[0].data)["Data"]["Warning"]


def test_a_long_story_is_cut_to_what_cloudformation_takes(
    world: World, answered: list[Any]
) -> None:
    world.settings = replace(SETTINGS, security_group_tag="team=" + "x" * 9000)
    world.run(deploy("Create"))
    assert len(answered[0].data) < 4096


def test_a_deleted_stack_leaves_its_rules(world: World, group: str, answered: list[Any]) -> None:
    world.settings = replace(SETTINGS, security_group_ids=group)
    world.run()
    asked = len(world.asked)
    world.run(deploy("Delete"))
    assert inbound(group).keys() == blocks(1, 2, 3, 4)
    assert len(world.asked) == asked
    assert json.loads(answered[0].data)["Status"] == "SUCCESS"


def test_a_deleted_stack_takes_its_rules_back_when_asked(
    world: World, group: str, answered: list[Any]
) -> None:
    let_in(group, "9.9.9.9/32")
    world.settings = replace(SETTINGS, security_group_ids=group)
    world.run()
    world.run(deploy("Delete", RemoveRulesOnDelete="true"))
    assert inbound(group) == {"9.9.9.9/32": "office"}
    assert allow_list() == set()


def test_rules_that_cannot_be_taken_back_do_not_hold_up_the_stack(
    world: World, answered: list[Any]
) -> None:
    world.settings = replace(SETTINGS, prefix_list_id="pl-0123456789abcdef0")
    world.run(deploy("Delete", RemoveRulesOnDelete="true"))
    assert "pl-0123456789abcdef0" in json.loads(answered[0].data)["Data"]["Warning"]


# --- how Agora is asked ---


def test_agora_is_asked_with_the_keys_of_the_secret_at_the_documented_hosts() -> None:
    keys = {"customerId": "me", "customerSecret": "secret"}
    client_of("secretsmanager").create_secret(Name="agora", SecretString=json.dumps(keys))
    with responses.RequestsMock() as agora:
        for url, status in zip(addresses.ENDPOINTS, (404, 200), strict=True):
            agora.get(url, status=status, body=answer("8.8.8.8"))
        found = addresses.fetch(Parts(SETTINGS).refresher.get, addresses.ENDPOINTS)
        sent = [call.request.headers["Authorization"] for call in agora.calls]
    assert found == {"8.8.8.8/32"}
    assert sent == ["Basic bWU6c2VjcmV0"] * 2

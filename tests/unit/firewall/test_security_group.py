"""Security groups, on moto where it is faithful and on stubbed answers where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from agora_recording.errors import FirewallError, QuotaError
from agora_recording.firewall.plan import IPV4, IPV6
from agora_recording.firewall.security_group import SecurityGroupTarget, discover_security_groups
from agora_recording.firewall.target import carry_out
from tests.world.firewall import (
    HOUR_MS,
    NOW,
    STACK,
    FakeMemories,
    client_of,
    create_group,
    decide,
    inbound,
    ips,
    let_in,
)

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client


@pytest.fixture(scope="module")
def vpc(aws: None) -> str:
    created: str = client_of("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return created


@pytest.fixture
def group(ec2: EC2Client, vpc: str) -> Iterator[str]:
    created = create_group(vpc, "edge")
    yield created
    ec2.delete_security_group(GroupId=created)


def test_rules_are_for_https_and_bear_the_mark(ec2: EC2Client, group: str) -> None:
    SecurityGroupTarget(group, STACK, client=ec2).add(["8.8.8.1/32", "2600::1/128"])
    assert inbound(group) == {
        ("8.8.8.1/32", 443, "agora-ncs rec"),
        ("2600::1/128", 443, "agora-ncs rec"),
    }


def test_a_group_tells_our_rules_from_others(ec2: EC2Client, group: str) -> None:
    target = SecurityGroupTarget(group, STACK, client=ec2)
    target.add(ips(1))
    let_in(group, "8.8.8.2/32")
    let_in(group, "8.8.8.3/32", description="agora-ncs rec-prod")
    let_in(group, "8.8.8.4/32", port=22, description="agora-ncs rec")
    state = target.read()
    assert state.present == ips(1, 2, 3)
    assert state.marked == ips(1)
    assert state.reserved == {IPV4: 1, IPV6: 0}
    assert state.capacity == {IPV4: 60, IPV6: 60}


def test_a_rule_for_another_group_uses_a_place_of_each_ip_version(
    ec2: EC2Client, group: str
) -> None:
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
    )
    assert SecurityGroupTarget(group, STACK, client=ec2).read().reserved == {IPV4: 1, IPV6: 1}


def test_a_prefix_list_uses_as_many_places_as_it_may_have_entries(
    ec2: EC2Client, group: str
) -> None:
    created = ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=20, AddressFamily="IPv6"
    )
    list_id = created["PrefixList"]["PrefixListId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "PrefixListIds": [{"PrefixListId": list_id}],
            }
        ],
    )
    assert SecurityGroupTarget(group, STACK, client=ec2).read().reserved == {IPV4: 0, IPV6: 20}


def test_foreign_rules_are_never_removed_even_when_asked(ec2: EC2Client, group: str) -> None:
    target = SecurityGroupTarget(group, STACK, client=ec2)
    target.add(ips(1))
    let_in(group, "8.8.8.2/32")
    let_in(group, "8.8.8.1/32", port=22, description="agora-ncs rec")
    target.remove(ips(1, 2))
    assert inbound(group) == {
        ("8.8.8.2/32", 443, "office"),
        ("8.8.8.1/32", 22, "agora-ncs rec"),
    }


def test_removing_what_is_gone_is_no_error(ec2: EC2Client, group: str) -> None:
    target = SecurityGroupTarget(group, STACK, client=ec2)
    target.remove(ips(1))
    assert inbound(group) == set()


def test_a_twin_that_turns_up_while_adding_does_not_hinder_the_rest(
    ec2: EC2Client, group: str
) -> None:
    let_in(group, "8.8.8.2/32")
    SecurityGroupTarget(group, STACK, client=ec2).add(ips(1, 2, 3))
    assert inbound(group) == {
        ("8.8.8.1/32", 443, "agora-ncs rec"),
        ("8.8.8.2/32", 443, "office"),
        ("8.8.8.3/32", 443, "agora-ncs rec"),
    }


def test_a_rule_that_vanishes_while_removing_does_not_hinder_the_rest(ec2: EC2Client) -> None:
    rule = {"IsEgress": False, "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    rules = [
        {**rule, "SecurityGroupRuleId": f"sgr-{n}", "CidrIpv4": f"8.8.8.{n}/32"} for n in (1, 2)
    ]
    marked = [{**rule, "Description": "agora-ncs rec"} for rule in rules]
    gone = "InvalidSecurityGroupRuleId.NotFound"
    with Stubber(ec2) as stub:
        stub.add_response("describe_security_group_rules", {"SecurityGroupRules": marked})
        stub.add_client_error("revoke_security_group_ingress", gone)
        stub.add_client_error("revoke_security_group_ingress", gone)
        stub.add_response(
            "revoke_security_group_ingress",
            {"Return": True},
            {"GroupId": "sg-1", "SecurityGroupRuleIds": ["sgr-2"]},
        )
        SecurityGroupTarget("sg-1", STACK, client=ec2).remove(ips(1, 2))
        stub.assert_no_pending_responses()


def test_another_error_of_aws_is_not_swallowed(ec2: EC2Client) -> None:
    with pytest.raises(ClientError, match=r"InvalidGroup\.NotFound"):
        SecurityGroupTarget("sg-0123456789abcdef0", STACK, client=ec2).add(ips(1))


def test_the_quota_is_checked_before_anything_is_written(ec2: EC2Client, group: str) -> None:
    for number in range(59):
        let_in(group, f"9.9.9.{number}/32")
    target = SecurityGroupTarget(group, STACK, client=ec2)
    with pytest.raises(QuotaError, match="59 of 60 places"):
        carry_out(target, FakeMemories(), decide(ips(1, 2)))
    assert len(inbound(group)) == 59


def test_a_quota_reached_by_somebody_else_meanwhile_is_the_same_error(
    ec2: EC2Client, group: str
) -> None:
    for number in range(59):
        let_in(group, f"9.9.9.{number}/32")
    with pytest.raises(QuotaError, match="no room for 2 more rules"):
        SecurityGroupTarget(group, STACK, client=ec2).add(ips(1, 2))


def test_groups_are_found_by_their_tag(ec2: EC2Client, group: str) -> None:
    assert discover_security_groups("team=edge", ec2) == [group]


def test_a_tag_that_no_group_bears_is_an_error(ec2: EC2Client, group: str) -> None:
    with pytest.raises(FirewallError, match="team=core"):
        discover_security_groups("team=core", ec2)


def test_a_group_lives_through_a_rotation_beside_foreign_rules(ec2: EC2Client, group: str) -> None:
    let_in(group, "9.9.9.9/32")
    target, memories = SecurityGroupTarget(group, STACK, client=ec2), FakeMemories()
    for day in range(5):
        carry_out(target, memories, decide(ips(day, day + 1, day + 2), NOW + day * 24 * HOUR_MS))
    assert inbound(group) == {
        ("9.9.9.9/32", 443, "office"),
        *((cidr, 443, "agora-ncs rec") for cidr in ips(2, 3, 4, 5, 6)),
    }

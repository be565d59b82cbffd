"""The security group follows Agora's addresses, and nothing else of it is touched."""

from __future__ import annotations

from typing import Any

from tests.e2e.conftest import Stage

ROOM = "RefreshNcsAddressesFunction"
OURS = {"203.0.113.10/32", "203.0.113.11/32"}


def _rules(stage: Stage) -> set[str]:
    group = stage.group_id()
    answer = stage.stack.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )
    return {
        rule["CidrIpv4"]
        for rule in answer["SecurityGroupRules"]
        if not rule["IsEgress"] and "CidrIpv4" in rule
    }


def _hosts(stage: Stage, *addresses: str) -> None:
    stage.control("POST", "/ncs", {"hosts": list(addresses)})


def test_a_refresh_lets_agora_in_and_a_second_one_changes_nothing(stage: Stage) -> None:
    first = stage.stack.invoke(ROOM)
    assert _rules(stage) >= OURS
    second = stage.stack.invoke(ROOM)
    plan = second["targets"][stage.group_id()]
    assert plan["add"] == plan["remove"] == []
    assert first["addresses"] == second["addresses"]


def test_a_dry_run_tells_and_touches_nothing(stage: Stage) -> None:
    stage.stack.invoke(ROOM)
    _hosts(stage, "203.0.113.10", "203.0.113.11", "203.0.113.12")
    before = _rules(stage)
    plan = stage.stack.invoke(ROOM, {"dryRun": True})["targets"][stage.group_id()]
    assert plan["add"] == ["203.0.113.12/32"]
    assert _rules(stage) == before
    _hosts(stage, "203.0.113.10", "203.0.113.11")


def test_an_empty_answer_changes_nothing(stage: Stage) -> None:
    stage.stack.invoke(ROOM)
    before = _rules(stage)
    _hosts(stage)
    answer = stage.stack.invoke(ROOM)
    assert answer["errorType"] == "AddressesRefusedError"
    assert _rules(stage) == before
    _hosts(stage, "203.0.113.10", "203.0.113.11")


def test_an_address_withdrawn_long_ago_is_taken_out_and_foreign_rules_stay(stage: Stage) -> None:
    ec2 = stage.stack.client("ec2")
    prefix_list = ec2.create_managed_prefix_list(
        PrefixListName="office", MaxEntries=2, AddressFamily="IPv4"
    )["PrefixList"]["PrefixListId"]
    ec2.authorize_security_group_ingress(
        GroupId=stage.group_id(),
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [{"CidrIp": "198.51.100.7/32", "Description": "the office"}],
                "PrefixListIds": [{"PrefixListId": prefix_list}],
            }
        ],
    )
    _hosts(stage, "203.0.113.10", "203.0.113.11", "203.0.113.13")
    stage.stack.invoke(ROOM)
    assert "203.0.113.13/32" in _rules(stage)
    _hosts(stage, "203.0.113.10", "203.0.113.11")
    stage.stack.invoke(ROOM)
    assert "203.0.113.13/32" in _rules(stage), "within its grace it stays"
    _withdrawn_since(stage, stage.group_id(), "203.0.113.13/32", 0)
    stage.stack.invoke(ROOM)
    assert "203.0.113.13/32" not in _rules(stage)
    assert "198.51.100.7/32" in _rules(stage)


def _withdrawn_since(stage: Stage, target: str, cidr: str, since_ms: int) -> None:
    """Age the memory of a withdrawn address: two days need not be waited for."""
    key: dict[str, Any] = {"PK": {"S": "FIREWALL"}, "SK": {"S": target}}
    stage.dynamodb.update_item(
        TableName=stage.table,
        Key=key,
        UpdateExpression="SET withdrawn.#cidr = :since",
        ExpressionAttributeNames={"#cidr": cidr},
        ExpressionAttributeValues={":since": {"N": str(since_ms)}},
    )

"""What the tests of the firewall share: AWS as moto plays it, and thin fakes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache, partial
from typing import Any

import boto3
import msgspec
from botocore.exceptions import ClientError

from agora_recording.firewall.plan import IPV4, Memory, Plan, State, make_plan
from agora_recording.firewall.target import TargetMemories

NOW = 1_790_000_000_000
HOUR_MS = 3_600_000
STACK = "rec"
TABLE = "recordings"


def ips(*numbers: int) -> frozenset[str]:
    """Return blocks of one address each."""
    return frozenset(f"8.8.8.{number}/32" for number in numbers)


def decide(wanted: Collection[str], now_ms: int = NOW) -> Callable[[State, Memory], Plan]:
    """Return what plans for the addresses that Agora names."""
    return partial(make_plan, wanted=wanted, now_ms=now_ms)


def refused(operation: str, code: str, message: str = "") -> ClientError:
    """Return an error of AWS's."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@cache
def client_of(service: Any) -> Any:
    """One client of each kind for all tests: loading boto3's models is slow."""
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def create_table() -> None:
    """Make the table, as far as the firewall needs it."""
    client_of("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "PK", "AttributeType": "S"},
            {"AttributeName": "SK", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )


def create_group(vpc: str, name: str) -> str:
    """Make a security group that bears the tag `team=<name>`; return its id."""
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "team", "Value": name}]}]
    created: str = client_of("ec2").create_security_group(
        GroupName=name, Description=name, VpcId=vpc, TagSpecifications=tags
    )["GroupId"]
    return created


def let_in(group: str, cidr: str, port: int = 443, description: str = "office") -> None:
    """Add somebody else's rule."""
    client_of("ec2").authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": port,
                "ToPort": port,
                "IpRanges": [{"CidrIp": cidr, "Description": description}],
            }
        ],
    )


def inbound(group: str) -> set[tuple[str, int, str]]:
    """Return (address, port, description) of each inbound rule."""
    rules = client_of("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )
    return {
        (rule.get("CidrIpv4") or rule["CidrIpv6"], rule["FromPort"], rule.get("Description", ""))
        for rule in rules["SecurityGroupRules"]
        if not rule["IsEgress"]
    }


class FakeMemories(TargetMemories, kw_only=True):
    """Memories in a dict, and how often each was written."""

    table_name: str = TABLE
    rows: dict[str, Memory] = msgspec.field(default_factory=dict)
    written: list[tuple[str, Memory]] = msgspec.field(default_factory=list)

    def load(self, target_id: str) -> Memory:
        return self.rows.get(target_id, Memory())

    def save(self, target_id: str, memory: Memory) -> None:
        self.rows[target_id] = memory
        self.written.append((target_id, memory))


class FakeTarget:
    """A target that notes what is asked of it."""

    def __init__(self, target_id: str, *present: str, broken: str = "") -> None:
        self.id = target_id
        self.present = set(present)
        self.asked: list[tuple[str, list[str]]] = []
        self.broken = broken
        self.capacity = 60

    def read(self) -> State:
        self._break("read")
        return State(frozenset(self.present), frozenset(self.present), {IPV4: self.capacity})

    def add(self, cidrs: Collection[str]) -> None:
        self._break("add")
        self.asked.append(("add", sorted(cidrs)))
        self.present |= set(cidrs)

    def remove(self, cidrs: Collection[str]) -> None:
        self._break("remove")
        self.asked.append(("remove", sorted(cidrs)))
        self.present -= set(cidrs)

    def _break(self, where: str) -> None:
        if self.broken == where:
            raise refused(where, "UnauthorizedOperation")

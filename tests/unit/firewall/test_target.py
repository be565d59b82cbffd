"""The targets, on moto where it is faithful and on thin fakes where it is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from agora_recording.errors import FirewallError, QuotaError, SettingsError, WriteConflictError
from agora_recording.firewall import plan as firewall
from agora_recording.firewall.allow_list import AllowListTarget
from agora_recording.firewall.plan import IPV4, IPV6, Memory, Plan, State
from agora_recording.firewall.prefix_list import PrefixListTarget
from agora_recording.firewall.security_group import SecurityGroupTarget, discover_security_groups
from agora_recording.firewall.target import TargetMemories, Targets, carry_out
from agora_recording.firewall.waf import WafIpSetTarget

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_wafv2 import WAFV2Client

NOW = 1_790_000_000_000
HOUR_MS = 3_600_000
STACK = "rec"
TABLE = "recordings"


def ips(*numbers: int) -> frozenset[str]:
    return frozenset(f"8.8.8.{number}/32" for number in numbers)


def decide(wanted: Collection[str], now_ms: int = NOW) -> Callable[[State, Memory], Plan]:
    return partial(firewall.plan, wanted=wanted, now_ms=now_ms)


def refused(operation: str, code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@cache
def client_of(service: Any) -> Any:
    """One client of each kind for the whole file: loading boto3's models is slow."""
    return boto3.client(
        service,
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """One account for the whole file, for the same reason; each test has its own group or table."""
    with mock_aws():
        yield


@pytest.fixture
def ec2(aws: None) -> EC2Client:
    client: EC2Client = client_of("ec2")
    return client


@pytest.fixture
def wafv2(aws: None) -> WAFV2Client:
    client: WAFV2Client = client_of("wafv2")
    return client


@pytest.fixture
def dynamodb(aws: None) -> Iterator[DynamoDBClient]:
    client: DynamoDBClient = client_of("dynamodb")
    client.create_table(
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
    yield client
    client.delete_table(TableName=TABLE)


class FakeMemories(TargetMemories):
    """Memories in a dict, and how often each was written."""

    def __init__(self) -> None:
        self.rows: dict[str, Memory] = {}
        self.written: list[tuple[str, Memory]] = []

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


# --- carrying out ---


def test_what_is_new_is_added_before_what_is_old_is_removed() -> None:
    target, memories = FakeTarget("t", *ips(1, 2)), FakeMemories()
    memories.rows["t"] = Memory(withdrawn={"8.8.8.1/32": 0}, last_answer=ips(2))
    carry_out(target, memories, decide(ips(2, 3)))
    assert target.asked == [("add", ["8.8.8.3/32"]), ("remove", ["8.8.8.1/32"])]


def test_only_to_make_room_something_is_removed_first() -> None:
    target, memories = FakeTarget("t", *ips(1, 2)), FakeMemories()
    target.capacity = 2
    memories.rows["t"] = Memory(withdrawn={"8.8.8.1/32": NOW}, last_answer=ips(2))
    carry_out(target, memories, decide(ips(2, 3)))
    assert target.asked == [("remove", ["8.8.8.1/32"]), ("add", ["8.8.8.3/32"])]


def test_a_second_run_asks_nothing_of_the_target() -> None:
    target, memories = FakeTarget("t"), FakeMemories()
    carry_out(target, memories, decide(ips(1, 2)))
    target.asked.clear()
    carry_out(target, memories, decide(ips(1, 2)))
    assert target.asked == []


def test_a_dry_run_plans_and_writes_nothing() -> None:
    target, memories = FakeTarget("t", *ips(1)), FakeMemories()
    plan = carry_out(target, memories, decide(ips(2)), dry_run=True)
    assert plan.add == ips(2)
    assert (target.asked, memories.written) == ([], [])


def test_new_addresses_are_claimed_before_they_are_written() -> None:
    target, memories = FakeTarget("t", broken="add"), FakeMemories()
    with pytest.raises(ClientError):
        carry_out(target, memories, decide(ips(1)))
    assert memories.rows["t"].owned == ips(1)
    assert memories.rows["t"].last_accepted_ms is None


def test_one_broken_target_does_not_stop_the_others() -> None:
    targets = [FakeTarget("a"), FakeTarget("b", broken="read"), FakeTarget("c")]
    outcome = Targets({"all": lambda: targets}, FakeMemories()).carry_out(decide(ips(1)))
    assert set(outcome.plans) == {"a", "c"}
    assert "UnauthorizedOperation" in str(outcome.failed["b"])
    assert targets[2].present == ips(1)


def test_a_target_without_room_does_not_stop_the_others() -> None:
    small, large = FakeTarget("small", *ips(9)), FakeTarget("large")
    small.capacity = 1
    outcome = Targets({"all": lambda: [small, large]}, FakeMemories()).carry_out(decide(ips(1, 2)))
    assert isinstance(outcome.failed["small"], QuotaError)
    assert small.asked == []
    assert large.present == ips(1, 2)


def test_targets_that_cannot_be_found_do_not_stop_the_others() -> None:
    def nowhere() -> list[FakeTarget]:
        raise FirewallError("no group bears the tag")

    target = FakeTarget("t")
    targets = Targets({"team=edge": nowhere, "t": lambda: [target]}, FakeMemories())
    outcome = targets.carry_out(decide(ips(1)))
    assert list(outcome.failed) == ["team=edge"]
    assert target.present == ips(1)


def test_a_target_named_twice_is_refreshed_once() -> None:
    twins = [FakeTarget("t"), FakeTarget("t")]
    outcome = Targets({"id": lambda: twins[:1], "tag": lambda: twins[1:]}, FakeMemories())
    assert list(outcome.carry_out(decide(ips(1))).plans) == ["t"]


def test_the_oldest_target_tells_how_fresh_all_are() -> None:
    memories = FakeMemories()
    memories.rows = {"a": Memory(last_accepted_ms=7), "b": Memory(last_accepted_ms=5)}
    targets = Targets({"all": lambda: [FakeTarget("a"), FakeTarget("b")]}, memories)
    assert targets.fresh_since_ms() == 5


def test_freshness_is_unknown_while_one_target_never_had_an_answer() -> None:
    memories = FakeMemories()
    memories.rows = {"a": Memory(last_accepted_ms=7)}
    targets = Targets({"all": lambda: [FakeTarget("a"), FakeTarget("b")]}, memories)
    assert targets.fresh_since_ms() is None


# --- the memory in the table ---


def test_a_memory_comes_back_as_it_was_saved(dynamodb: DynamoDBClient) -> None:
    memories = TargetMemories(TABLE, dynamodb)
    memory = Memory(ips(1, 2), {"8.8.8.1/32": NOW}, ips(2), NOW, NOW - 1)
    memories.save("sg-1", memory)
    assert memories.load("sg-1") == memory


def test_a_target_never_seen_has_an_empty_memory(dynamodb: DynamoDBClient) -> None:
    assert TargetMemories(TABLE, dynamodb).load("sg-1") == Memory()


def test_forgetting_is_saved_too(dynamodb: DynamoDBClient) -> None:
    memories = TargetMemories(TABLE, dynamodb)
    memories.save("sg-1", Memory(ips(1), {"8.8.8.1/32": NOW}, ips(2), NOW, NOW))
    memories.save("sg-1", Memory())
    assert memories.load("sg-1") == Memory()


# --- security groups ---


@pytest.fixture(scope="module")
def vpc(aws: None) -> str:
    created: str = client_of("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return created


@pytest.fixture
def group(ec2: EC2Client, vpc: str) -> Iterator[str]:
    tags: Any = [{"ResourceType": "security-group", "Tags": [{"Key": "team", "Value": "edge"}]}]
    created = ec2.create_security_group(
        GroupName="edge", Description="edge", VpcId=vpc, TagSpecifications=tags
    )
    yield created["GroupId"]
    ec2.delete_security_group(GroupId=created["GroupId"])


def let_in(ec2: EC2Client, group: str, cidr: str, port: int = 443, description: str = "") -> None:
    ec2.authorize_security_group_ingress(
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


def inbound(ec2: EC2Client, group: str) -> set[tuple[str, int, str]]:
    """Return (address, port, description) of each inbound rule."""
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return {
        (rule.get("CidrIpv4") or rule["CidrIpv6"], rule["FromPort"], rule.get("Description", ""))
        for rule in rules["SecurityGroupRules"]
        if not rule["IsEgress"]
    }


def test_rules_are_for_https_and_bear_the_mark(ec2: EC2Client, group: str) -> None:
    SecurityGroupTarget(group, STACK, client=ec2).add(["8.8.8.1/32", "2600::1/128"])
    assert inbound(ec2, group) == {
        ("8.8.8.1/32", 443, "agora-ncs rec"),
        ("2600::1/128", 443, "agora-ncs rec"),
    }


def test_a_group_tells_our_rules_from_others(ec2: EC2Client, group: str) -> None:
    target = SecurityGroupTarget(group, STACK, client=ec2)
    target.add(ips(1))
    let_in(ec2, group, "8.8.8.2/32", description="office")
    let_in(ec2, group, "8.8.8.3/32", description="agora-ncs rec-prod")
    let_in(ec2, group, "8.8.8.4/32", port=22, description="agora-ncs rec")
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
    let_in(ec2, group, "8.8.8.2/32", description="office")
    let_in(ec2, group, "8.8.8.1/32", port=22, description="agora-ncs rec")
    target.remove(ips(1, 2))
    assert inbound(ec2, group) == {
        ("8.8.8.2/32", 443, "office"),
        ("8.8.8.1/32", 22, "agora-ncs rec"),
    }


def test_removing_what_is_gone_is_no_error(ec2: EC2Client, group: str) -> None:
    target = SecurityGroupTarget(group, STACK, client=ec2)
    target.remove(ips(1))
    assert inbound(ec2, group) == set()


def test_a_twin_that_turns_up_while_adding_does_not_hinder_the_rest(
    ec2: EC2Client, group: str
) -> None:
    let_in(ec2, group, "8.8.8.2/32", description="office")
    SecurityGroupTarget(group, STACK, client=ec2).add(ips(1, 2, 3))
    assert inbound(ec2, group) == {
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
        let_in(ec2, group, f"9.9.9.{number}/32", description="office")
    target = SecurityGroupTarget(group, STACK, client=ec2)
    with pytest.raises(QuotaError, match="59 of 60 places"):
        carry_out(target, FakeMemories(), decide(ips(1, 2)))
    assert len(inbound(ec2, group)) == 59


def test_a_quota_reached_by_somebody_else_meanwhile_is_the_same_error(
    ec2: EC2Client, group: str
) -> None:
    for number in range(59):
        let_in(ec2, group, f"9.9.9.{number}/32", description="office")
    with pytest.raises(QuotaError, match="no room for 2 more rules"):
        SecurityGroupTarget(group, STACK, client=ec2).add(ips(1, 2))


def test_groups_are_found_by_their_tag(ec2: EC2Client, group: str) -> None:
    assert discover_security_groups("team=edge", ec2) == [group]


def test_a_tag_that_no_group_bears_is_an_error(ec2: EC2Client, group: str) -> None:
    with pytest.raises(FirewallError, match="team=core"):
        discover_security_groups("team=core", ec2)


def test_a_group_lives_through_a_rotation_beside_foreign_rules(ec2: EC2Client, group: str) -> None:
    let_in(ec2, group, "9.9.9.9/32", description="office")
    target, memories = SecurityGroupTarget(group, STACK, client=ec2), FakeMemories()
    for day in range(5):
        carry_out(target, memories, decide(ips(day, day + 1, day + 2), NOW + day * 24 * HOUR_MS))
    assert inbound(ec2, group) == {
        ("9.9.9.9/32", 443, "office"),
        *((cidr, 443, "agora-ncs rec") for cidr in ips(2, 3, 4, 5, 6)),
    }


# --- prefix lists ---


class FakePrefixLists:
    """One prefix list as EC2 keeps it: versions, states, a maximum, and meddlers."""

    def __init__(self, *entries: tuple[str, str], max_entries: int = 10) -> None:
        self.entries = dict(entries)
        self.max_entries = max_entries
        self.version = 1
        self.state = "create-complete"
        self.polls_in_progress = 0  # how many looks a change takes to complete
        self.meddlers: list[Callable[[], None]] = []  # each acts just before one write
        self.writes: list[dict[str, Any]] = []

    def describe_managed_prefix_lists(self, PrefixListIds: list[str]) -> dict[str, Any]:
        if self.state.endswith("-in-progress"):
            self.polls_in_progress -= 1
            if self.polls_in_progress <= 0:
                self.state = self.state.replace("in-progress", "complete")
        found = {
            "PrefixListId": PrefixListIds[0],
            "AddressFamily": "IPv4",
            "State": self.state,
            "Version": self.version,
            "MaxEntries": self.max_entries,
        }
        if self.state == "modify-failed":
            found["StateMessage"] = "sg-7 has no room"
        return {"PrefixLists": [found]}

    def get_paginator(self, name: str) -> FakePrefixLists:
        assert name == "get_managed_prefix_list_entries"
        return self

    def paginate(self, PrefixListId: str, TargetVersion: int) -> Iterator[dict[str, Any]]:
        assert TargetVersion == self.version
        for cidr, text in self.entries.items():
            yield {"Entries": [{"Cidr": cidr, "Description": text} if text else {"Cidr": cidr}]}

    def modify_managed_prefix_list(
        self,
        PrefixListId: str,
        CurrentVersion: int,
        AddEntries: Collection[dict[str, str]] = (),
        RemoveEntries: Collection[dict[str, str]] = (),
    ) -> None:
        if self.meddlers:
            self.meddlers.pop(0)()
        if CurrentVersion != self.version:
            raise refused("ModifyManagedPrefixList", "PrefixListVersionMismatch")
        if len(self.entries) + len(AddEntries) > self.max_entries:
            raise refused("ModifyManagedPrefixList", "PrefixListMaxEntriesExceeded")
        assert max(len(AddEntries), len(RemoveEntries)) <= 100
        self.writes.append({"add": list(AddEntries), "remove": list(RemoveEntries)})
        self.entries |= {each["Cidr"]: each["Description"] for each in AddEntries}
        for each in RemoveEntries:
            del self.entries[each["Cidr"]]
        self.version += 1
        if self.state != "modify-failed":
            self.state = "modify-in-progress" if self.polls_in_progress else "modify-complete"

    def meddle(self, **entries: str) -> None:
        self.entries |= {cidr.replace("_", "."): text for cidr, text in entries.items()}
        self.version += 1


def prefix_list(fake: FakePrefixLists, slept: list[float] | None = None) -> PrefixListTarget:
    client: Any = fake
    slept = [] if slept is None else slept
    return PrefixListTarget("pl-1", STACK, client=client, sleep=slept.append)


def test_a_list_tells_our_entries_from_others() -> None:
    fake = FakePrefixLists(
        ("8.8.8.1/32", "agora-ncs rec"), ("9.9.9.9/32", "office"), ("1.1.1.1/32", "")
    )
    state = prefix_list(fake).read()
    assert state.present == {"8.8.8.1/32", "9.9.9.9/32", "1.1.1.1/32"}
    assert state.marked == ips(1)
    assert state.capacity == {IPV4: 10}


def test_entries_bear_the_mark_and_the_version_they_are_based_on() -> None:
    fake = FakePrefixLists(("9.9.9.9/32", "office"))
    prefix_list(fake).add(ips(1))
    assert fake.entries == {"9.9.9.9/32": "office", "8.8.8.1/32": "agora-ncs rec"}
    assert fake.version == 2


def test_a_list_changed_by_somebody_else_is_read_again_and_their_change_stays() -> None:
    fake = FakePrefixLists()
    fake.meddlers = [lambda: fake.meddle(**{"9_9_9_9/32": "office", "8_8_8_1/32": "twin"})]
    prefix_list(fake).add(ips(1, 2))
    assert fake.entries == {
        "9.9.9.9/32": "office",
        "8.8.8.1/32": "twin",
        "8.8.8.2/32": "agora-ncs rec",
    }


def test_a_list_that_is_changed_all_the_time_is_given_up() -> None:
    fake, slept = FakePrefixLists(), list[float]()
    fake.meddlers = [fake.meddle] * 9
    with pytest.raises(WriteConflictError):
        prefix_list(fake, slept).add(ips(1))
    assert fake.writes == []
    assert slept == [1, 2, 3, 4, 5]


def test_foreign_entries_are_never_removed_even_when_asked() -> None:
    fake = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec"), ("8.8.8.2/32", "office"))
    prefix_list(fake).remove(ips(1, 2, 3))
    assert fake.entries == {"8.8.8.2/32": "office"}


def test_an_entry_taken_over_by_somebody_else_meanwhile_stays() -> None:
    fake = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec"))
    fake.meddlers = [lambda: fake.meddle(**{"8_8_8_1/32": "office"})]
    prefix_list(fake).remove(ips(1))
    assert fake.entries == {"8.8.8.1/32": "office"}


def test_nothing_is_written_when_there_is_nothing_to_do() -> None:
    fake = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec"))
    prefix_list(fake).add(ips(1))
    prefix_list(fake).remove(ips(2))
    assert fake.writes == []


def test_a_list_without_room_is_not_written_to() -> None:
    fake = FakePrefixLists(("9.9.9.9/32", "office"), max_entries=2)
    with pytest.raises(QuotaError, match="1 of 2 entries: no room for 2 more"):
        prefix_list(fake).add(ips(1, 2))
    assert fake.writes == []


def test_a_list_filled_by_somebody_else_meanwhile_is_not_written_to() -> None:
    fake = FakePrefixLists(max_entries=2)
    fake.meddlers = [lambda: fake.meddle(**{"9_9_9_9/32": "office"})]
    with pytest.raises(QuotaError):
        prefix_list(fake).add(ips(1, 2))
    assert fake.entries == {"9.9.9.9/32": "office"}


def test_more_than_a_hundred_entries_go_in_several_writes() -> None:
    fake = FakePrefixLists(max_entries=300)
    prefix_list(fake).add(ips(*range(250)))
    assert [len(write["add"]) for write in fake.writes] == [100, 100, 50]
    prefix_list(fake).remove(ips(*range(250)))
    assert fake.entries == {}


def test_a_change_is_waited_for_before_the_next() -> None:
    fake, slept = FakePrefixLists(("8.8.8.1/32", "agora-ncs rec")), list[float]()
    fake.state, fake.polls_in_progress = "modify-in-progress", 3
    prefix_list(fake, slept).add(ips(2))
    assert slept == [3, 3]
    assert fake.entries.keys() == ips(1, 2)


def test_a_change_that_does_not_end_is_given_up() -> None:
    fake, slept = FakePrefixLists(), list[float]()
    fake.state, fake.polls_in_progress = "modify-in-progress", 99
    with pytest.raises(WriteConflictError, match="modify-in-progress"):
        prefix_list(fake, slept).read()
    assert sum(slept) == 60


def test_a_change_that_aws_could_not_digest_is_an_error_with_its_reason() -> None:
    fake = FakePrefixLists()
    fake.state = "modify-failed"
    with pytest.raises(FirewallError, match="sg-7 has no room"):
        prefix_list(fake).add(ips(1))


# --- WAF IP sets ---


_numbers = count()


def create_set(
    wafv2: WAFV2Client, *addresses: str, family: Any = "IPV4", description: str = "callers"
) -> str:
    summary = wafv2.create_ip_set(
        Name=f"ncs-{next(_numbers)}",
        Scope="REGIONAL",
        IPAddressVersion=family,
        Addresses=list(addresses),
        Description=description,
    )["Summary"]
    return f"{summary['Name']}|{summary['Id']}|REGIONAL"


def addresses_of(wafv2: WAFV2Client, reference: str) -> set[str]:
    name, set_id, _ = reference.split("|")
    return set(wafv2.get_ip_set(Name=name, Id=set_id, Scope="REGIONAL")["IPSet"]["Addresses"])


def test_a_set_cannot_tell_whose_its_addresses_are(wafv2: WAFV2Client) -> None:
    reference = create_set(wafv2, "9.9.9.9/32")
    state = WafIpSetTarget(reference, wafv2).read()
    assert state.present == {"9.9.9.9/32"}
    assert state.marked is None
    assert state.capacity == {IPV4: 10_000}


def test_a_set_of_ipv6_compares_by_the_short_spelling(wafv2: WAFV2Client) -> None:
    long = "2600:0000:0000:0000:0000:0000:0000:0001/128"
    target = WafIpSetTarget(create_set(wafv2, long, family="IPV6"), wafv2)
    assert target.read().present == {"2600::1/128"}
    assert target.read().capacity == {IPV6: 10_000}


def test_one_write_replaces_the_whole_set_and_keeps_the_rest(wafv2: WAFV2Client) -> None:
    reference = create_set(wafv2, "9.9.9.9/32")
    target = WafIpSetTarget(reference, wafv2)
    target.add(ips(1, 2))
    assert addresses_of(wafv2, reference) == {"9.9.9.9/32"} | ips(1, 2)
    target.remove(ips(1))
    assert addresses_of(wafv2, reference) == {"9.9.9.9/32"} | ips(2)
    name, set_id, _ = reference.split("|")
    found = wafv2.get_ip_set(Name=name, Id=set_id, Scope="REGIONAL")["IPSet"]
    assert found["Description"] == "callers"


def test_a_set_changed_by_somebody_else_is_read_again(wafv2: WAFV2Client) -> None:
    found = {"Name": "n", "Id": "i", "ARN": "a" * 20, "IPAddressVersion": "IPV4"}
    with Stubber(wafv2) as stub:
        stub.add_response("get_ip_set", {"IPSet": {**found, "Addresses": []}, "LockToken": "one"})
        stub.add_client_error("update_ip_set", "WAFOptimisticLockException")
        theirs = {**found, "Addresses": ["9.9.9.9/32"]}
        stub.add_response("get_ip_set", {"IPSet": theirs, "LockToken": "two"})
        stub.add_response(
            "update_ip_set",
            {"NextLockToken": "three"},
            {
                "Name": "n",
                "Id": "i",
                "Scope": "REGIONAL",
                "Addresses": ["8.8.8.1/32", "9.9.9.9/32"],
                "LockToken": "two",
            },
        )
        WafIpSetTarget("n|i|REGIONAL", wafv2).add(ips(1))
        stub.assert_no_pending_responses()


def test_a_set_that_is_changed_all_the_time_is_given_up(wafv2: WAFV2Client) -> None:
    found = {"Name": "n", "Id": "i", "ARN": "a" * 20, "IPAddressVersion": "IPV4", "Addresses": []}
    with Stubber(wafv2) as stub:
        for _ in range(6):
            stub.add_response("get_ip_set", {"IPSet": found, "LockToken": "one"})
            stub.add_client_error("update_ip_set", "WAFOptimisticLockException")
        with pytest.raises(WriteConflictError):
            WafIpSetTarget("n|i|REGIONAL", wafv2).add(ips(1))


def test_a_full_set_is_a_matter_of_quota(wafv2: WAFV2Client) -> None:
    found = {"Name": "n", "Id": "i", "ARN": "a" * 20, "IPAddressVersion": "IPV4", "Addresses": []}
    with Stubber(wafv2) as stub:
        stub.add_response("get_ip_set", {"IPSet": found, "LockToken": "one"})
        stub.add_client_error("update_ip_set", "WAFLimitsExceededException")
        with pytest.raises(QuotaError):
            WafIpSetTarget("n|i|REGIONAL", wafv2).add(ips(1))


def test_addresses_of_others_in_a_set_outlive_every_rotation(wafv2: WAFV2Client) -> None:
    reference = create_set(wafv2, "9.9.9.9/32", "8.8.8.2/32")
    target, memories = WafIpSetTarget(reference, wafv2), FakeMemories()
    for day in range(6):
        wanted = ips(1, 2) if day == 0 else ips(3, 4)
        carry_out(target, memories, decide(wanted, NOW + day * 24 * HOUR_MS))
    assert addresses_of(wafv2, reference) == {"9.9.9.9/32", "8.8.8.2/32"} | ips(3, 4)


def test_a_reference_of_another_form_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match=r"name\|id\|scope, not 'arn:aws"):
        WafIpSetTarget("arn:aws:wafv2:eu-west-1:1:regional/ipset/n/i")


# --- the webhook's allow-list ---


def test_the_list_is_kept_where_the_webhook_reads_it(dynamodb: DynamoDBClient) -> None:
    target = AllowListTarget(TABLE, dynamodb)
    target.add(["8.8.8.2/32", "8.8.8.1/32"])
    target.add(["2600::1/128"])
    target.remove(["8.8.8.2/32"])
    key = {"PK": {"S": "FIREWALL"}, "SK": {"S": "allow-list"}}
    item = dynamodb.get_item(TableName=TABLE, Key=key)["Item"]
    assert item["cidrs"] == {"L": [{"S": "2600::1/128"}, {"S": "8.8.8.1/32"}]}


def test_the_list_and_its_memory_share_a_row_in_peace(dynamodb: DynamoDBClient) -> None:
    target, memories = AllowListTarget(TABLE, dynamodb), TargetMemories(TABLE, dynamodb)
    carry_out(target, memories, decide(ips(1, 2)))
    carry_out(target, memories, decide(ips(2, 3), NOW + HOUR_MS))
    assert target.read().present == ips(1, 2, 3)
    assert memories.load(target.id).withdrawn == {"8.8.8.1/32": NOW + HOUR_MS}
    carry_out(target, memories, decide(ips(2, 3), NOW + 49 * HOUR_MS))
    assert target.read().present == ips(2, 3)


def test_two_writers_of_the_list_lose_nothing(dynamodb: DynamoDBClient) -> None:
    target, other = AllowListTarget(TABLE, dynamodb), AllowListTarget(TABLE, dynamodb)
    target.add(ips(1))
    read, turns = target._cidrs, iter([True])

    def read_then_be_overtaken() -> list[str] | None:
        found = read()
        if next(turns, False):
            other.add(ips(2))
        return found

    target._cidrs = read_then_be_overtaken  # type: ignore[method-assign]
    target.add(ips(3))
    assert target.read().present == ips(1, 2, 3)

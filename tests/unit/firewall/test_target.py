"""Carrying a plan out, on all targets of a stack, and what is remembered of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from agora_recording.errors import FirewallError, QuotaError
from agora_recording.firewall.plan import Memory
from agora_recording.firewall.target import TargetMemories, Targets, carry_out
from tests.world.firewall import NOW, TABLE, FakeMemories, FakeTarget, decide, ips

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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
    outcome = Targets.find({"all": lambda: targets}, FakeMemories()).carry_out(decide(ips(1)))
    assert set(outcome.plans) == {"a", "c"}
    assert "UnauthorizedOperation" in str(outcome.failed["b"])
    assert targets[2].present == ips(1)


def test_a_target_without_room_does_not_stop_the_others() -> None:
    small, large = FakeTarget("small", *ips(9)), FakeTarget("large")
    small.capacity = 1
    targets = Targets.find({"all": lambda: [small, large]}, FakeMemories())
    outcome = targets.carry_out(decide(ips(1, 2)))
    assert isinstance(outcome.failed["small"], QuotaError)
    assert small.asked == []
    assert large.present == ips(1, 2)


def test_targets_that_cannot_be_found_do_not_stop_the_others() -> None:
    def nowhere() -> list[FakeTarget]:
        raise FirewallError("no group has the tag")

    target = FakeTarget("t")
    targets = Targets.find({"team=edge": nowhere, "t": lambda: [target]}, FakeMemories())
    outcome = targets.carry_out(decide(ips(1)))
    assert list(outcome.failed) == ["team=edge"]
    assert target.present == ips(1)


def test_a_target_named_twice_is_refreshed_once() -> None:
    twins = [FakeTarget("t"), FakeTarget("t")]
    outcome = Targets.find({"id": lambda: twins[:1], "tag": lambda: twins[1:]}, FakeMemories())
    assert list(outcome.carry_out(decide(ips(1))).plans) == ["t"]


def test_the_oldest_target_tells_how_fresh_all_are() -> None:
    memories = FakeMemories()
    memories.rows = {"a": Memory(last_accepted_ms=7), "b": Memory(last_accepted_ms=5)}
    targets = Targets.find({"all": lambda: [FakeTarget("a"), FakeTarget("b")]}, memories)
    assert targets.fresh_since_ms() == 5


def test_freshness_is_unknown_while_one_target_never_had_an_answer() -> None:
    memories = FakeMemories()
    memories.rows = {"a": Memory(last_accepted_ms=7)}
    targets = Targets.find({"all": lambda: [FakeTarget("a"), FakeTarget("b")]}, memories)
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

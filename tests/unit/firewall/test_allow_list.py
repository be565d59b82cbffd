"""The row that the webhook compares its senders with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agora_recording.firewall.allow_list import AllowListTarget
from agora_recording.firewall.target import TargetMemories, carry_out
from tests.world.firewall import HOUR_MS, NOW, TABLE, decide, ips

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


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


class Overtaken:
    """The table, in which somebody else writes once, right after it was read."""

    def __init__(self, dynamodb: DynamoDBClient, meanwhile: Callable[[], None]) -> None:
        self._dynamodb = dynamodb
        self._meanwhile = iter([meanwhile])

    def get_item(self, **given: Any) -> Any:
        found = self._dynamodb.get_item(**given)
        next(self._meanwhile, lambda: None)()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)


def test_two_writers_of_the_list_lose_nothing(dynamodb: DynamoDBClient) -> None:
    other = AllowListTarget(TABLE, dynamodb)
    other.add(ips(1))
    overtaken: Any = Overtaken(dynamodb, lambda: other.add(ips(2)))
    AllowListTarget(TABLE, overtaken).add(ips(3))
    assert other.read().present == ips(1, 2, 3)

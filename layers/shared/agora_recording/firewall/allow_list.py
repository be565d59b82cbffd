"""The allow-list: the row with which the webhook compares its senders."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, ClassVar

import msgspec

from agora_recording.aws import clients
from agora_recording.aws.compare_and_set import compare_and_set
from agora_recording.aws.dynamodb import from_item, to_attribute
from agora_recording.firewall.plan import IPV4, IPV6, State
from agora_recording.firewall.target import WRITE_TRIES, row_key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALLOW_LIST = "allow-list"
ALLOW_LIST_CAPACITY = 1_000  # of each IP version: with `Memory`, at most half of an item's 400 kB


class AllowListTarget(msgspec.Struct):
    """The list that the webhook function reads: attribute `cidrs` of `FIREWALL`/`allow-list`."""

    id: ClassVar[str] = ALLOW_LIST
    table_name: str
    client: DynamoDBClient | None = None

    def read(self) -> State:
        """Return the list; all of it is the stack's."""
        present = frozenset(self._cidrs() or ())
        return State(present, present, dict.fromkeys((IPV4, IPV6), ALLOW_LIST_CAPACITY))

    def add(self, cidrs: Collection[str]) -> None:
        """Add these to the list."""
        self._change(lambda present: present | set(cidrs))

    def remove(self, cidrs: Collection[str]) -> None:
        """Remove these from the list."""
        self._change(lambda present: present - set(cidrs))

    @property
    def _client(self) -> DynamoDBClient:
        return self.client or clients.dynamodb()

    def _cidrs(self) -> list[str] | None:
        answer = self._client.get_item(
            TableName=self.table_name, Key=row_key(ALLOW_LIST), ConsistentRead=True
        )
        found: list[str] | None = from_item(answer.get("Item", {})).get("cidrs")
        return found

    def _change(self, change: Callable[[set[str]], set[str]]) -> None:
        def changed(before: list[str] | None) -> list[str] | None:
            after = change(set(before or ()))
            return before if before is not None and after == set(before) else sorted(after)

        def write(before: list[str] | None, after: list[str] | None) -> list[str] | None:
            values = {":after": to_attribute(after)}
            condition = "attribute_not_exists(cidrs)"
            if before is not None:
                condition = "cidrs = :before"
                values[":before"] = to_attribute(before)
            self._client.update_item(
                TableName=self.table_name,
                Key=row_key(ALLOW_LIST),
                UpdateExpression="SET cidrs = :after",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
            return after

        compare_and_set(
            self._cidrs,
            changed,
            write,
            tries=WRITE_TRIES,
            refusal="The allow-list changed during every try",
        )

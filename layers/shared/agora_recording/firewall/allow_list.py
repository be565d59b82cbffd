"""The allow-list: the row that the webhook compares its senders with."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, ClassVar

import msgspec

from agora_recording.aws import clients
from agora_recording.aws.dynamodb import from_item, to_attribute
from agora_recording.firewall.plan import IPV4, IPV6, State
from agora_recording.firewall.target import row_key, write_until_done

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ALLOW_LIST = "allow-list"
ALLOW_LIST_CAPACITY = 1_000  # of each IP version: with the memory, at most half an item's 400 kB


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
        """Write the list with these."""
        self._change(lambda present: present | set(cidrs))

    def remove(self, cidrs: Collection[str]) -> None:
        """Write the list without these."""
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
        write_until_done(self.id, lambda: self._write(change))

    def _write(self, change: Callable[[set[str]], set[str]]) -> bool:
        """Write the list, on condition that it is still as read; return whether it was."""
        before = self._cidrs()
        after = change(set(before or ()))
        if before is not None and after == set(before):
            return True
        values = {":after": to_attribute(sorted(after))}
        condition = "attribute_not_exists(cidrs)"
        if before is not None:
            condition = "cidrs = :before"
            values[":before"] = to_attribute(before)
        try:
            self._client.update_item(
                TableName=self.table_name,
                Key=row_key(ALLOW_LIST),
                UpdateExpression="SET cidrs = :after",
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

"""A lease on a row, for one holder at a time, with a fencing number that only grows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from agora_recording import clock
from agora_recording.aws import clients
from agora_recording.aws.dynamodb import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SWEEPER = ("SWEEPER", "LEASE")
# Longer than a room that updates may run: its holder is alive, or the lease has expired.
UPDATE_LEASE_S = 60


class Lease(msgspec.Struct):
    """The right to do something alone for some time; without another `key`, to sweep.

    If its holder dies, the lease expires by itself. `key` is the row's (PK, SK); `client` None is
    the process's own. The row itself is kept; with `kept_s`, for so many seconds after the lease.
    """

    table_name: str
    client: DynamoDBClient | None = None
    now_ms: Callable[[], int] = clock.now_ms
    key: tuple[str, str] = SWEEPER
    kept_s: int | None = None
    _fence: int = 0
    _until_ms: int = 0

    @property
    def _key(self) -> dict[str, Any]:
        return to_item(dict(zip(("PK", "SK"), self.key, strict=True)))

    def take(self, for_s: float) -> int | None:
        """Take the lease for `for_s` seconds; return its fencing number; None if it is taken."""
        client = self.client or clients.dynamodb()
        now = self.now_ms()
        until = now + round(for_s * 1000)
        values, keeping = {":until": until, ":now": now, ":one": 1}, ""
        if self.kept_s is not None:
            values[":end"], keeping = until // 1000 + self.kept_s, ", expiresAt = :end"
        try:
            answer = client.update_item(
                TableName=self.table_name,
                Key=self._key,
                UpdateExpression=f"SET untilMs = :until{keeping} ADD fence :one",
                ConditionExpression="attribute_not_exists(untilMs) OR untilMs < :now",
                ExpressionAttributeValues=to_item(values),
                ReturnValues="UPDATED_NEW",
            )
        except client.exceptions.ConditionalCheckFailedException:
            return None
        self._fence = int(answer["Attributes"]["fence"]["N"])
        self._until_ms = until
        return self._fence

    def is_taken(self) -> bool:
        """Ask whether anybody holds the lease now."""
        client = self.client or clients.dynamodb()
        answer = client.get_item(TableName=self.table_name, Key=self._key, ConsistentRead=True)
        until_ms = from_item(answer.get("Item", {})).get("untilMs", 0)
        return bool(until_ms >= self.now_ms())

    @property
    def is_ours(self) -> bool:
        """Tell whether the lease is still valid: then nobody else can have taken it."""
        return self.now_ms() < self._until_ms

    def release(self) -> None:
        """Give the lease back, unless another holder has taken it since."""
        client = self.client or clients.dynamodb()
        with contextlib.suppress(client.exceptions.ConditionalCheckFailedException):
            client.update_item(
                TableName=self.table_name,
                Key=self._key,
                UpdateExpression="SET untilMs = :never",
                ConditionExpression="fence = :fence",
                ExpressionAttributeValues=to_item({":never": 0, ":fence": self._fence}),
            )
        self._until_ms = 0

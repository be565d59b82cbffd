"""A lease on a row, for one holder at a time, with a fencing number that only grows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from agora_recording import clock
from agora_recording.aws import clients
from agora_recording.aws.dynamodb import to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SWEEPER = ("SWEEPER", "LEASE")
# Longer than a room that updates may run: its holder is alive, or the lease has expired.
UPDATE_LEASE_S = 60


class Lease(msgspec.Struct):
    """The right to do something alone for some time; without another `key`, to sweep.

    If its holder dies, the lease expires by itself. `key` is the row's (PK, SK); `client` None is
    the process's own.
    """

    table_name: str
    client: DynamoDBClient | None = None
    now_ms: Callable[[], int] = clock.now_ms
    key: tuple[str, str] = SWEEPER
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
        try:
            answer = client.update_item(
                TableName=self.table_name,
                Key=self._key,
                UpdateExpression="SET untilMs = :until ADD fence :one",
                ConditionExpression="attribute_not_exists(untilMs) OR untilMs < :now",
                ExpressionAttributeValues=to_item({":until": until, ":now": now, ":one": 1}),
                ReturnValues="UPDATED_NEW",
            )
        except client.exceptions.ConditionalCheckFailedException:
            return None
        self._fence = int(answer["Attributes"]["fence"]["N"])
        self._until_ms = until
        return self._fence

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

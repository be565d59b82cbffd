"""One sweeper at a time: a lease on a row, with a fencing number that only grows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from agora_recording import aws
from agora_recording.attributes import to_item
from agora_recording.clock import now_ms

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = to_item({"PK": "SWEEPER", "SK": "LEASE"})


class Lease:
    """The right to sweep, for a while. Its holder may die: the lease runs out by itself."""

    def __init__(
        self,
        table_name: str,
        client: DynamoDBClient | None = None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._table_name = table_name
        self._client = client
        self._now_ms = now_ms
        self._fence = 0
        self._until_ms = 0

    def take(self, for_s: float) -> int | None:
        """Take the lease for `for_s` seconds; return its fencing number, None if another has it."""
        client = self._client or aws.dynamodb()
        now = self._now_ms()
        until = now + round(for_s * 1000)
        try:
            answer = client.update_item(
                TableName=self._table_name,
                Key=_KEY,
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
        """Tell whether the lease has not run out: nobody else can have taken it then."""
        return self._now_ms() < self._until_ms

    def release(self) -> None:
        """Give the lease back, unless somebody has taken it since."""
        client = self._client or aws.dynamodb()
        with contextlib.suppress(client.exceptions.ConditionalCheckFailedException):
            client.update_item(
                TableName=self._table_name,
                Key=_KEY,
                UpdateExpression="SET untilMs = :never",
                ConditionExpression="fence = :fence",
                ExpressionAttributeValues=to_item({":never": 0, ":fence": self._fence}),
            )
        self._until_ms = 0

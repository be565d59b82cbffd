"""Agora's 10 requests a second, kept by one row that every call passes.

The row holds one number, `nextMs`: the instant (epoch milliseconds) of the next free slot. To take
`n` slots is one conditional write that moves it `n` gaps on; the taker then sleeps until its own
slots come. Slots are never nearer to each other than the gap, whoever takes them and whatever
crashes: a slot that its taker did not use is merely lost. With 143 ms between slots 7 calls are
sent in a second. Ten slots are 1,430 ms, so Agora sees no more than 10 calls in any second as long
as 430 ms hold what disturbs their order: 150 for a call that is late, 280 for the network. A start
waits for the answer to its acquire, so its slot, the one after, may be missed by 400 ms; where that
happens 137 ms are left for the network.

Who takes slots says how long it would queue for them (`patience_s`): a query gives up long before
a start or a stop does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from agora_recording.aws import clients
from agora_recording.clock import now_ms
from agora_recording.errors import RateLimitedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEY = {"PK": {"S": "LIMITER"}, "SK": {"S": "LIMITER"}}
_TRIES = 6
# By how much a call may miss its slot: calls that are late by more could meet in one second.
LATE_MS = 150
START_LATE_MS = 400


def gap_ms(calls_per_second: float) -> int:
    """Return how far apart two slots are."""
    return round(1000 / calls_per_second)


def first_slot(next_ms: int | None, now_ms: int, patience_ms: int) -> int | None:
    """Return the instant of the slot that a taker gets, None when it is too far away. Pure.

    `next_ms` is what the row says, None when nobody ever took a slot.
    """
    if next_ms is None or next_ms < now_ms:
        return now_ms
    return next_ms if next_ms <= now_ms + patience_ms else None


class Limiter:
    """Takes slots from the row; see the module's text."""

    def __init__(
        self,
        table_name: str,
        *,
        calls_per_second: float = 7,
        client: DynamoDBClient | None = None,
        now_ms: Callable[[], int] = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table_name = table_name
        self._gap_ms = gap_ms(calls_per_second)
        self._client = client
        self._now_ms = now_ms
        self._sleep = sleep

    def take(self, slots: int = 1, *, patience_s: float = 0.25) -> list[int]:
        """Reserve `slots` slots in a row; return their instants (epoch milliseconds).

        Raises RateLimitedError when the first free slot is more than `patience_s` seconds away;
        nothing was taken then.
        """
        for _ in range(_TRIES):
            now = self._now_ms()
            first = self._move(now, slots, round(patience_s * 1000))
            if first is not None:
                return [first + self._gap_ms * number for number in range(slots)]
        raise RateLimitedError("The limiter's row is too busy: every try met another writer.")

    def wait(self, slot_ms: int, *, late_ms: int = LATE_MS, patience_s: float = 0.25) -> None:
        """Sleep until a slot taken before comes; one that was missed is lost, and another taken.

        It is missed when it is more than `late_ms` ago. Raises RateLimitedError when there is none
        within `patience_s`.
        """
        while self._now_ms() - slot_ms > late_ms:
            slot_ms, late_ms = self.take(1, patience_s=patience_s)[0], LATE_MS
        self._sleep(max(0, slot_ms - self._now_ms()) / 1000)

    def _move(self, now: int, slots: int, patience_ms: int) -> int | None:
        """Return the first of the slots, None when another writer was faster."""
        client = self._client or clients.dynamodb()
        length = self._gap_ms * slots
        try:
            # Others are queueing: go behind them. Adding needs no read, so nobody loses a race.
            answer = client.update_item(
                TableName=self._table_name,
                Key=_KEY,
                UpdateExpression="SET nextMs = nextMs + :length",
                ConditionExpression="nextMs BETWEEN :now AND :patience",
                ExpressionAttributeValues={
                    ":length": {"N": str(length)},
                    ":now": {"N": str(now)},
                    ":patience": {"N": str(now + patience_ms)},
                },
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
            return int(answer["Attributes"]["nextMs"]["N"]) - length
        except client.exceptions.ConditionalCheckFailedException as error:
            row = cast(dict[str, Any], error.response.get("Item", {}))
        next_ms = int(row["nextMs"]["N"]) if row else None
        if first_slot(next_ms, now, patience_ms) is None:
            ahead_s = ((next_ms or now) - now) / 1000
            raise RateLimitedError(f"Agora's requests are booked for the next {ahead_s:.1f} s.")
        try:
            # Nobody queues: the slot is now.
            client.update_item(
                TableName=self._table_name,
                Key=_KEY,
                UpdateExpression="SET nextMs = :next",
                ConditionExpression="attribute_not_exists(nextMs) OR nextMs < :now",
                ExpressionAttributeValues={
                    ":next": {"N": str(now + length)},
                    ":now": {"N": str(now)},
                },
            )
        except client.exceptions.ConditionalCheckFailedException:
            return None
        return now

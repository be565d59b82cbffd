"""Keeps Agora's limits of requests a second, with one row that every call changes.

Agora takes 10 requests a second for an account, and no more than a tenth of the recordings that the
account may run at the same time (Agora: quotas): with the usual 50, 5 a second. `pace` is the
smaller of the two.

The row holds one number, `nextMs`: the instant (epoch milliseconds) of the next free slot. To take
`n` slots is one conditional write that moves it forward by `n` gaps; the caller then sleeps until
its slots come. Two slots are never closer than the gap, even if a caller crashes: a slot that was
not used is lost. At the fastest, slots are 143 ms apart, and 7 calls are sent in a second. Ten
slots are 1,430 ms, so Agora sees at most 10 calls in any second, as long as calls are delayed by at
most 430 ms: 150 for a call that is late for its slot, 280 for the network. A start waits for the
answer to its acquire, so it may be 400 ms late for its slot, which is the next one; then 137 ms are
left for the network.

If Agora refuses a call all the same because there were too many, the next slot is a second away
(`pause`). Something else uses the account, or it may run fewer recordings than the stack was told.

A caller says how long it would wait for a slot (`patience_s`): a query gives up long before a start
or a stop does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from agora_recording.aws import clients
from agora_recording.clock import now_ms
from agora_recording.errors import RateLimitedError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

PARTITION = "LIMITER"
RECORDING_CALLS = "LIMITER"
CHANNEL_QUERIES = "CHANNELS"
"""What the rows of the two limits are called: of Cloud Recording, of the channel query."""

# Agora takes 20 channel queries a second for an account; the difference is as above.
CHANNEL_QUERIES_PER_SECOND = 14
_TRIES = 6
# How late a call may be for its slot (ms): with more, too many calls could arrive in one second.
LATE_MS = 150
START_LATE_MS = 400
PAUSE_MS = 1000
_TASKS_A_CALL = 10  # Agora: quotas


def pace(concurrent_tasks: float, most: float) -> float:
    """Return the calls a second: a tenth of the recordings that may run at once, `most` at most."""
    return min(concurrent_tasks / _TASKS_A_CALL, most)


def gap_ms(calls_per_second: float) -> int:
    """Return the time between two slots (ms)."""
    return round(1000 / calls_per_second)


def first_slot(next_ms: int | None, now_ms: int, patience_ms: int) -> int | None:
    """Return the instant (ms) of the next free slot; None if it is too far away. Pure.

    `next_ms` is the number of the row; None if no slot was ever taken.
    """
    if next_ms is None or next_ms < now_ms:
        return now_ms
    return next_ms if next_ms <= now_ms + patience_ms else None


class Limiter:
    """Takes slots from the row; see the module's docstring."""

    def __init__(
        self,
        table_name: str,
        *,
        calls_per_second: float = 7,
        row: str = RECORDING_CALLS,
        client: DynamoDBClient | None = None,
        now_ms: Callable[[], int] = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._table_name = table_name
        self._gap_ms = gap_ms(calls_per_second)
        self._key = {"PK": {"S": PARTITION}, "SK": {"S": row}}
        self._client = client
        self._now_ms = now_ms
        self._sleep = sleep

    def take(self, slots: int = 1, *, patience_s: float = 0.25, lead_ms: int = 0) -> list[int]:
        """Reserve `slots` slots in a row, `lead_ms` from now or later; return their instants.

        Instants are epoch milliseconds. Raises RateLimitedError when the first free slot is more
        than `patience_s` seconds behind the lead; nothing was taken then.
        """
        for _ in range(_TRIES):
            now = self._now_ms() + lead_ms
            first = self._move(now, slots, round(patience_s * 1000))
            if first is not None:
                return [first + self._gap_ms * number for number in range(slots)]
        raise RateLimitedError("The limiter's row is too busy: others changed it in every try.")

    def wait(self, slot_ms: int, *, late_ms: int = LATE_MS, patience_s: float = 0.25) -> None:
        """Sleep until a slot that was taken comes; if it was missed, take another.

        It was missed if it is more than `late_ms` ago. Raises RateLimitedError if there is no other
        slot within `patience_s`.
        """
        lead_ms = 0
        while (began_ms := self._now_ms()) - slot_ms > late_ms:
            slot_ms = self.take(1, patience_s=patience_s, lead_ms=lead_ms)[0]
            # When the table is slow, a slot of now is missed before it is known. The next is as far
            # ahead as the taking took; otherwise many that wait would only slow the table down.
            late_ms, lead_ms = LATE_MS, self._now_ms() - began_ms
        self._sleep(max(0, slot_ms - self._now_ms()) / 1000)

    def pause(self) -> None:
        """Let no slot come in the next second: Agora has refused a call because of its rate.

        Slots that were taken before stay taken. Harmless when repeated.
        """
        client = self._client or clients.dynamodb()
        with contextlib.suppress(client.exceptions.ConditionalCheckFailedException):
            client.update_item(
                TableName=self._table_name,
                Key=self._key,
                UpdateExpression="SET nextMs = :until",
                ConditionExpression="attribute_not_exists(nextMs) OR nextMs < :until",
                ExpressionAttributeValues={":until": {"N": str(self._now_ms() + PAUSE_MS)}},
            )

    def _move(self, now: int, slots: int, patience_ms: int) -> int | None:
        """Return the first of the slots, None when another writer was faster."""
        client = self._client or clients.dynamodb()
        length = self._gap_ms * slots
        try:
            # Others are waiting: take the slots behind theirs. Adding needs no read, so two writers
            # never conflict.
            answer = client.update_item(
                TableName=self._table_name,
                Key=self._key,
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
            raise RateLimitedError(f"All slots for calls to Agora are taken for {ahead_s:.1f} s.")
        try:
            # Nobody is waiting: the slot is now.
            client.update_item(
                TableName=self._table_name,
                Key=self._key,
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

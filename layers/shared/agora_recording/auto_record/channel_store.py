"""Channels in the table, and the places of each rule.

Rows (PK/SK):
    CHANNEL#<cname> / CHANNEL   a channel that a rule is for (channel.py)
    LIVE#<name>     / LIVE      how many recordings of a rule hold a place
Index:
    by_due          one partition of its own: channels by the instant of their next look

A place is taken and given back in one transaction with the channel's row: so the number is right
whatever crashes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from agora_recording.auto_record.channel import (
    Channel,
    begun,
    due_ms,
    expires_s,
    from_row,
    to_row,
)
from agora_recording.auto_record.rule import Rule
from agora_recording.aws.compare_and_set import Backoff, compare_and_set
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.faults import codes
from agora_recording.aws.table_store import TableStore
from agora_recording.clock import iso
from agora_recording.errors import NoPlaceError
from agora_recording.life.due_index import BY_DUE
from agora_recording.recording.timings import Timings

DUE_CHANNELS = "CHANNELS"  # a value of dueShard that no recording has
_PREFIX = "CHANNEL#"
_TRIES = 8


class ChannelStore(TableStore, frozen=True, kw_only=True):
    """Reads and changes channels; `client` None: the client that the process shares."""

    timings: Timings
    backoff: Backoff = Backoff()

    def get(self, cname: str) -> Channel:
        """Return a channel as it is now; a new one if nothing is known of it."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=_key(cname), ConsistentRead=True
        )
        if "Item" not in answer:
            return Channel(cname=cname)
        return from_row(from_item(answer["Item"]))

    def amend(self, cname: str, change: Callable[[Channel], Channel]) -> Channel:
        """Apply a pure `change` to the present row; return the new row.

        A recording that is over gives its place back. A new row is only written if its channel is
        worth to be known. Raises WriteConflictError after a conflict in every try.
        """

        def write(before: Channel, after: Channel) -> Channel:
            return self._write(before, after, self._given_back(before, after))

        return self._change(cname, change, write)

    def begin(self, cname: str, rule: Rule, now_ms: int) -> Channel:
        """Begin an occupancy where somebody is there and none goes on, if the rule has a place.

        Raises NoPlaceError: as many recordings run as the rule allows. Two callers at the same time
        begin one occupancy.
        """

        def write(before: Channel, after: Channel) -> Channel:
            taken = {
                "TableName": self.table_name,
                "Key": _places(rule.name),
                "UpdateExpression": "ADD live :one",
                "ConditionExpression": "attribute_not_exists(live) OR live < :most",
                "ExpressionAttributeValues": to_item({":one": 1, ":most": rule.max_at_once}),
            }
            client = self._dynamodb
            try:
                return self._write(before, after, [{"Update": taken}])
            except client.exceptions.TransactionCanceledException as error:
                if codes(error) == ("None", "ConditionalCheckFailed"):
                    words = f"{rule.max_at_once} recordings of rule {rule.name} run already"
                    raise NoPlaceError(f"{words}; the channel waits.") from error
                raise

        return self._change(cname, lambda each: begun(each, rule, now_ms), write)

    def due(self, now_ms: int, limit: int) -> list[str]:
        """Return the names of channels that must be looked at now, longest due first."""
        answer = self._dynamodb.query(
            TableName=self.table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard AND dueKey <= :now",
            ExpressionAttributeValues=to_item({":shard": DUE_CHANNELS, ":now": _due_key(now_ms)}),
            Limit=limit,
        )
        return [item["PK"]["S"].removeprefix(_PREFIX) for item in answer["Items"]]

    def _change(
        self,
        cname: str,
        change: Callable[[Channel], Channel],
        write: Callable[[Channel, Channel], Channel],
    ) -> Channel:
        return compare_and_set(
            lambda: self.get(cname),
            change,
            write,
            tries=_TRIES,
            refusal=f"Channel {cname} is changed too often; try again.",
            backoff=self.backoff,
        )

    def _write(self, before: Channel, after: Channel, more: list[Any]) -> Channel:
        after = replace(after, version=before.version + 1)
        put: Any = {
            "TableName": self.table_name,
            "Item": to_item(row_of(after, self.timings)),
            "ConditionExpression": "attribute_not_exists(PK)",
        }
        if before.version:
            put["ConditionExpression"] = "version = :version"
            put["ExpressionAttributeValues"] = to_item({":version": before.version})
        if more:
            self._dynamodb.transact_write_items(TransactItems=[{"Put": put}, *more])
        else:
            self._dynamodb.put_item(**put)
        return after

    def _given_back(self, before: Channel, after: Channel) -> list[Any]:
        held, kept = before.occupancy, after.occupancy
        if held is None or not held.holds_a_place:
            return []
        if kept is not None and kept.began_ms == held.began_ms and kept.holds_a_place:
            return []
        update = {
            "TableName": self.table_name,
            "Key": _places(held.rule),
            "UpdateExpression": "ADD live :less",
            "ExpressionAttributeValues": to_item({":less": -1}),
        }
        return [{"Update": update}]


def row_of(channel: Channel, timings: Timings) -> dict[str, Any]:
    """Return the whole row of a channel: keys, the place in the index, and values."""
    look_ms = due_ms(channel, timings)
    due = {} if look_ms is None else {"dueShard": DUE_CHANNELS, "dueKey": _due_key(look_ms)}
    keys = {"PK": f"{_PREFIX}{channel.cname}", "SK": "CHANNEL"}
    return {**to_row(channel), **keys, **due, "expiresAt": expires_s(channel)}


def _due_key(at_ms: int) -> str:
    return f"0#{iso(at_ms)}"  # in the form of the recordings' keys


def _key(cname: str) -> dict[str, Any]:
    return to_item({"PK": f"{_PREFIX}{cname}", "SK": "CHANNEL"})


def _places(rule: str) -> dict[str, Any]:
    return to_item({"PK": f"LIVE#{rule}", "SK": "LIVE"})

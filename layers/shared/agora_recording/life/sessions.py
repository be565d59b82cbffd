"""Agora's sessions in the table: the facts of each, and the recording that owns it.

Rows (PK/SK):
    SID#<sid> / SESSION   a SessionRow
    SID#<sid> / EVT#…     a notification, as `notifications.envelope` keys and writes it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from agora_recording.aws import clients
from agora_recording.aws.compare_and_set import Backoff, compare_and_set
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.notifications.facts import SessionRow

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_TRIES = 8


class SessionStore(msgspec.Struct, frozen=True):
    """Reads and changes the rows of sessions; `client` None: the client that the process shares."""

    table_name: str
    client: DynamoDBClient | None = None
    backoff: Backoff = Backoff()

    @property
    def _dynamodb(self) -> DynamoDBClient:
        return self.client or clients.dynamodb()

    def get(self, sid: str) -> SessionRow:
        """Return the row of a session as it is now; a row of version 0 if there is none."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=_key(sid), ConsistentRead=True
        )
        return _from_item(answer.get("Item", {}))

    def amend(self, sid: str, change: Callable[[SessionRow], SessionRow]) -> SessionRow:
        """Apply a pure `change` to a session's row; return the row after it.

        Raises WriteConflictError after a conflict in every try.
        """

        def write(before: SessionRow, after: SessionRow) -> SessionRow:
            after = replace(after, version=before.version + 1)
            condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(PK)"}
            if before.version:
                condition = {
                    "ConditionExpression": "version = :version",
                    "ExpressionAttributeValues": to_item({":version": before.version}),
                }
            self._dynamodb.put_item(
                TableName=self.table_name,
                Item={**_key(sid), **to_item(msgspec.to_builtins(after))},
                **condition,
            )
            return after

        return compare_and_set(
            lambda: self.get(sid),
            change,
            write,
            tries=_TRIES,
            refusal=f"Session {sid} is changed too often; try again.",
            backoff=self.backoff,
        )

    def adopt(self, sid: str, recording_id: str, cname: str) -> None:
        """Write on a session's row which recording it belongs to. Harmless when repeated."""
        self.amend(
            sid,
            lambda row: replace(row, recording_id=recording_id, cname=row.cname or cname),
        )

    def unowned(self) -> Iterator[tuple[str, SessionRow]]:
        """Yield sid and row of each session that no recording owns.

        Reads the whole table: for operators, not for functions.
        """
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.table_name,
            FilterExpression="SK = :session AND attribute_not_exists(recordingId)",
            ExpressionAttributeValues=to_item({":session": "SESSION"}),
        )
        for page in pages:
            for item in page["Items"]:
                yield item["PK"]["S"].removeprefix("SID#"), _from_item(item)

    def notification(self, partition: str, sort: str) -> dict[str, Any] | None:
        """Return one stored notification by its key; None if it is gone.

        It is returned as it is stored: `notifications.events.from_stored` decodes it.
        """
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=to_item({"PK": partition, "SK": sort})
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def notifications(self, sid: str) -> Iterator[dict[str, Any]]:
        """Yield the stored notifications of a session, by event type, uid and sequence."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :event)",
            ExpressionAttributeValues=to_item({":pk": f"SID#{sid}", ":event": "EVT#"}),
        )
        for page in pages:
            for item in page["Items"]:
                yield from_item(item)


def _key(sid: str) -> dict[str, Any]:
    return to_item({"PK": f"SID#{sid}", "SK": "SESSION"})


def _from_item(item: Any) -> SessionRow:
    return msgspec.convert(from_item(item), SessionRow)

"""Agora's sessions in the table: the facts of each, and the recording that owns it.

Rows (PK/SK):
    SESSION#<sid> / SESSION   a SessionRow
    SID#<sid>     / EVT#…     a notification, as `notifications.envelope` keys and writes it

The partitions differ, so that the webhook's role can write notifications and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from agora_recording.aws.compare_and_set import Backoff, compare_and_set
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.rows import rows_between
from agora_recording.aws.table_store import TableStore
from agora_recording.notifications.facts import SessionRow

_TRIES = 8
# Longer than events of a session may come: a day in the stream, 14 days in the queue of those that
# could not be applied, and days until postponed transcoding is over.
KEPT_S = 30 * 86_400


class Series(NamedTuple):
    """The notifications of one session that have the same event type and uid."""

    event_type: int
    uid: str


class SessionStore(TableStore, frozen=True):
    """Reads and changes the rows of sessions; `client` None: the client that the process shares."""

    backoff: Backoff = Backoff()

    def get(self, sid: str) -> SessionRow:
        """Return the row of a session as it is now; a row of version 0 if there is none."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=key(sid), ConsistentRead=True
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
                Item={**key(sid), **to_item(msgspec.to_builtins(after))},
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

    def adopt(self, sid: str, recording_id: str, cname: str) -> SessionRow:
        """Write on a session's row which recording it belongs to; return the row after it.

        Harmless when repeated. The facts of the row are those that came before: from now on, every
        notification finds its recording.
        """
        return self.amend(
            sid,
            lambda row: replace(
                row, recording_id=recording_id, cname=row.cname or cname, expires_at=None
            ),
        )

    def bury(self, sid: str, now_ms: int) -> SessionRow:
        """Forget what is known of a session, and remember for a while that it was deleted."""

        def change(row: SessionRow) -> SessionRow:
            if row.deleted_ms:
                return row
            expires_at = now_ms // 1000 + KEPT_S
            return SessionRow(deleted_ms=now_ms, expires_at=expires_at, version=row.version)

        return self.amend(sid, change)

    def unowned(self) -> Iterator[tuple[str, SessionRow]]:
        """Yield sid and row of each session that no recording owns.

        Reads the whole table: for operators, not for functions.
        """
        pages = self._dynamodb.get_paginator("scan").paginate(
            TableName=self.table_name,
            FilterExpression="SK = :session AND attribute_not_exists(recordingId)"
            " AND attribute_not_exists(deletedMs)",
            ExpressionAttributeValues=to_item({":session": "SESSION"}),
        )
        for page in pages:
            for item in page["Items"]:
                yield item["PK"]["S"].removeprefix("SESSION#"), _from_item(item)

    def notification(self, partition: str, sort: str) -> dict[str, Any] | None:
        """Return one stored notification by its key; None if it is gone.

        It is returned as it is stored: `notifications.events.from_stored` decodes it.
        """
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=to_item({"PK": partition, "SK": sort})
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def series(self, sid: str) -> Iterator[Series]:
        """Yield the series of a session's notifications: one query each, however long they are."""
        # Each query starts behind every number of the series before it: a colon follows the digits.
        low = "EVT#"
        while True:
            answer = self._dynamodb.query(
                TableName=self.table_name,
                KeyConditionExpression="PK = :pk AND SK BETWEEN :low AND :high",
                ExpressionAttributeValues=to_item(
                    {":pk": f"SID#{sid}", ":low": low, ":high": "EVT#:"}
                ),
                ProjectionExpression="SK",
                Limit=1,
            )
            if not answer["Items"]:
                return
            name, _, _ = answer["Items"][0]["SK"]["S"].rpartition("#")
            _, event_type, uid = name.split("#", 2)
            yield Series(int(event_type), uid)
            low = f"{name}#:"

    def numbered(self, sid: str, series: Series, first: int = 0) -> Iterator[dict[str, Any]]:
        """Yield the stored notifications of one series from number `first` on, as they are wanted.

        They are returned as they are stored: `notifications.events.from_stored` decodes them.
        """
        name = f"EVT#{series.event_type}#{series.uid}"
        return rows_between(
            self._dynamodb, self.table_name, f"SID#{sid}", f"{name}#{first:010d}", f"{name}#:"
        )

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


def key(sid: str) -> dict[str, Any]:
    """Return the key of a session's row, as DynamoDB takes it."""
    return to_item({"PK": f"SESSION#{sid}", "SK": "SESSION"})


def _from_item(item: Any) -> SessionRow:
    return msgspec.convert(from_item(item), SessionRow)

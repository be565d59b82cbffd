"""The table, as recordings know it. The only module that knows keys and indexes.

Rows (PK/SK):
    REC#<recordingId> / META             the recording
    REC#<recordingId> / LOG#<iso>#<kind> one note of its timeline
    REC#<recordingId> / FILE#<name>      a file that arrived after the end, for the timeline
    REC#<recordingId> / UPDATE           the lease of whoever is updating it at Agora
    REC#<recordingId> / LATE             the lease of whoever looks whether late files have come
    IDEM#<hash>       / IDEM             an Idempotency-Key and the recording it made
    SID#<sid>         / SESSION          what the notifications of a session say, and whose it is
    SID#<sid>         / EVT#…            one notification (written by receive_notification)
Indexes:
    by_due    dueShard, dueKey           open rows that want a look: `<risk>#<iso>`
    by_day    createdDay, recordingId    the list, newest first
    by_cname  channel, recordingId       the list of a channel; adoption of a lost start
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from agora_recording.aws import clients
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.lease import Lease
from agora_recording.clock import from_iso, iso
from agora_recording.errors import (
    IdempotencyConflictError,
    RecordingNotFoundError,
    StoreUnavailableError,
    WriteConflictError,
)
from agora_recording.recording.due import LATE, due
from agora_recording.recording.model import Recording, from_row, to_row
from agora_recording.recording.timings import Timings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# At 100,000 recordings, event 33 moves 1,700 rows of the index a second, each by two writes; one
# partition takes 1,000. More shards would be more queries a minute, also where nothing runs.
DUE_SHARDS = 8
BY_DUE = "by_due"
BY_DAY = "by_day"
BY_CNAME = "by_cname"
_TRIES = 8
# What one page may cost: so many queries, and rows that each reads where most are left out.
_QUERIES_A_PAGE = 10
_READ_TO_FILTER = 1000
_BATCH_WRITE = 25  # what DynamoDB takes at once


class Note(NamedTuple):
    """One line of a recording's timeline: when (ms), what kind, in words, and in data."""

    at_ms: int
    kind: str
    text: str
    data: Mapping[str, Any] = {}


class Scheduled(NamedTuple):
    """A row of the due-index: the risk and the instant (ms) of its next look."""

    risk: int
    at_ms: int
    recording_id: str


class Shard(NamedTuple):
    """The first rows of a shard of the due-index, by risk and instant; are these all it has?"""

    rows: list[Scheduled]
    is_whole: bool


class Page(NamedTuple):
    """Recordings, newest first, and the recordingId to go on after (None: that was all)."""

    recordings: list[Recording]
    cursor: str | None


class RecordingStore:
    """Reads and changes recordings. `timings` decide when a row is due for a look."""

    def __init__(
        self, table_name: str, timings: Timings, client: DynamoDBClient | None = None
    ) -> None:
        self._table_name = table_name
        self._timings = timings
        self._given = client

    @property
    def _client(self) -> DynamoDBClient:
        return self._given or clients.dynamodb()

    # --- one recording ---

    def create(
        self, recording: Recording, idempotency: tuple[str, str] | None, expires_s: int
    ) -> Recording:
        """Write a new recording, together with its Idempotency-Key; return the stored one.

        `idempotency` is (hash of the key, fingerprint of the request); `expires_s` (epoch seconds)
        is when the key is forgotten. A key used before returns the recording of that time.
        Raises IdempotencyConflictError when the key came with another request.
        """
        client = self._client
        writes: list[Any] = [{"Put": self._put(recording, "attribute_not_exists(PK)")}]
        if idempotency:
            key, fingerprint = idempotency
            row = {
                "PK": f"IDEM#{key}",
                "SK": "IDEM",
                "recordingId": recording.recording_id,
                "fingerprint": fingerprint,
                "expiresAt": expires_s,
            }
            writes.append(
                {
                    "Put": {
                        "TableName": self._table_name,
                        "Item": to_item(row),
                        "ConditionExpression": "attribute_not_exists(PK)",
                    }
                }
            )
        try:
            client.transact_write_items(TransactItems=writes)
        except client.exceptions.TransactionCanceledException:
            if not idempotency:
                raise
            return self._created_before(*idempotency)
        return recording

    def _created_before(self, key: str, fingerprint: str) -> Recording:
        answer = self._client.get_item(
            TableName=self._table_name,
            Key=to_item({"PK": f"IDEM#{key}", "SK": "IDEM"}),
            ConsistentRead=True,
        )
        if "Item" not in answer:
            raise WriteConflictError("Another request is being made with this key; try again.")
        row = from_item(answer["Item"])
        if row["fingerprint"] != fingerprint:
            raise IdempotencyConflictError(
                "This Idempotency-Key was used for another request; use a new key for a new one."
            )
        try:
            return self.get(row["recordingId"])
        except RecordingNotFoundError:
            raise IdempotencyConflictError(
                "The recording that this Idempotency-Key made was deleted; use a new key."
            ) from None

    def get(self, recording_id: str) -> Recording:
        """Return a recording as it is now. Raises RecordingNotFoundError."""
        answer = self._client.get_item(
            TableName=self._table_name, Key=_key(recording_id), ConsistentRead=True
        )
        if "Item" not in answer:
            raise RecordingNotFoundError(f"There is no recording {recording_id}.")
        return from_row(from_item(answer["Item"]))

    def amend(
        self,
        recording_id: str,
        change: Callable[[Recording], Recording],
        notes: Callable[[Recording, Recording], Sequence[Note]] | None = None,
    ) -> Recording:
        """Apply a pure `change` to the row as it is now; return the row as it is then.

        The write is conditional on the version read, and the change is computed again when
        somebody else was faster. A change that changes nothing writes nothing. `notes(before,
        after)` are written with the row, or not at all.
        Raises RecordingNotFoundError; WriteConflictError when others were faster every time.
        """
        client = self._client
        for _ in range(_TRIES):
            before = self.get(recording_id)
            after = change(before)
            if after == before:
                return before
            after = replace(after, version=before.version + 1)
            put = self._put(after, "version = :version", {":version": {"N": str(before.version)}})
            lines = notes(before, after) if notes else ()
            try:
                if lines:
                    client.transact_write_items(
                        TransactItems=[{"Put": put}, *self._note_puts(recording_id, lines)]
                    )
                else:
                    client.put_item(**put)
            except (
                client.exceptions.ConditionalCheckFailedException,
                client.exceptions.TransactionCanceledException,
                client.exceptions.TransactionConflictException,
            ):
                continue
            return after
        raise WriteConflictError(f"Recording {recording_id} is being changed too often just now.")

    def note(self, recording_id: str, *notes: Note) -> None:
        """Add lines to the timeline of a recording."""
        for put in self._note_puts(recording_id, notes):
            self._client.put_item(**put["Put"])

    def note_file(self, recording_id: str, name: str, note: Note) -> None:
        """Add a file that arrived to the timeline; of one name, the latest arrival stands."""
        (put,) = self._note_puts(recording_id, [note])
        row = put["Put"]
        row["Item"]["SK"] = {"S": f"FILE#{name}"}
        client = self._client
        with contextlib.suppress(client.exceptions.ConditionalCheckFailedException):
            client.put_item(
                **row,
                ConditionExpression="attribute_not_exists(PK) OR #at < :at",
                ExpressionAttributeNames={"#at": "at"},
                ExpressionAttributeValues={":at": row["Item"]["at"]},
            )

    def notes(self, recording_id: str) -> list[dict[str, Any]]:
        """Return the timeline notes of a recording, oldest first; then the files that arrived."""
        query = self._client.get_paginator("query").paginate
        return [
            from_item(item)
            for prefix in ("LOG#", "FILE#")
            for page in query(
                TableName=self._table_name,
                KeyConditionExpression="PK = :pk AND begins_with(SK, :prefix)",
                ExpressionAttributeValues=to_item(
                    {":pk": f"REC#{recording_id}", ":prefix": prefix}
                ),
            )
            for item in page["Items"]
        ]

    def update_lease(self, recording_id: str, now_ms: Callable[[], int]) -> Lease:
        """Return the lease that an update of this recording needs: Agora wants one at a time."""
        return Lease(self._table_name, self._given, now_ms, (f"REC#{recording_id}", "UPDATE"))

    def late_lease(self, recording_id: str, now_ms: Callable[[], int]) -> Lease:
        """Return the lease that a late look at this recording needs."""
        return Lease(self._table_name, self._given, now_ms, (f"REC#{recording_id}", "LATE"))

    # --- many recordings ---

    def page(
        self,
        *,
        day: str | None = None,
        cname: str | None = None,
        status: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> Page:
        """Return up to `limit` recordings of a day (`2026-01-31`) or a channel, newest first.

        `after` is a recordingId, of one that is still there or of one that is not. A page may be
        shorter than `limit`, even empty, and still have a cursor: a status may be rare.
        """
        index, name, value = (BY_CNAME, "channel", cname) if cname else (BY_DAY, "createdDay", day)
        request: dict[str, Any] = {
            "TableName": self._table_name,
            "IndexName": index,
            "KeyConditionExpression": f"{name} = :value",
            "ExpressionAttributeValues": {":value": {"S": value}},
            "ScanIndexForward": False,
        }
        if status:
            request["FilterExpression"] = "#status = :status"
            request["ExpressionAttributeNames"] = {"#status": "status"}
            request["ExpressionAttributeValues"][":status"] = {"S": status}
        found: list[str] = []
        start: Any = None
        if after:
            start = {**_key(after), name: {"S": value}, "recordingId": {"S": after}}
        for _ in range(_QUERIES_A_PAGE):
            # With a filter, DynamoDB counts the limit before it filters.
            request["Limit"] = _READ_TO_FILTER if status else limit
            if start:
                request["ExclusiveStartKey"] = start
            answer = self._client.query(**request)
            found += [item["recordingId"]["S"] for item in answer["Items"]]
            start = answer.get("LastEvaluatedKey")
            if start is None or len(found) >= limit:
                break
        if len(found) > limit:
            return Page(self._get_all(found[:limit]), found[limit - 1])
        return Page(self._get_all(found), start["recordingId"]["S"] if start else None)

    def _get_all(self, recording_ids: Sequence[str]) -> list[Recording]:
        """Return the rows of up to 100 recordings, in the order asked for."""
        rows: dict[str, Recording] = {}
        wanted: Any = {self._table_name: {"Keys": [_key(each) for each in recording_ids]}}
        while wanted and recording_ids:
            answer = self._client.batch_get_item(RequestItems=wanted)
            for item in answer["Responses"][self._table_name]:
                row = from_row(from_item(item))
                rows[row.recording_id] = row
            wanted = answer["UnprocessedKeys"]
        return [rows[each] for each in recording_ids if each in rows]

    def due(self, risk: int, shard: int, now_ms: int, limit: int) -> list[str]:
        """Return ids of rows of one risk and shard that wanted a look by now, longest due first."""
        answer = self._client.query(
            TableName=self._table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard AND dueKey BETWEEN :from AND :to",
            ExpressionAttributeValues=to_item(
                {
                    ":shard": f"DUE#{shard}",
                    ":from": f"{risk}#",
                    ":to": f"{risk}#{iso(now_ms)}",
                }
            ),
            Limit=limit,
        )
        return [item["PK"]["S"].removeprefix("REC#") for item in answer["Items"]]

    def shard(self, number: int, limit: int) -> Shard:
        """Return up to `limit` rows of one shard of the due-index, due or not."""
        answer = self._client.query(
            TableName=self._table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard",
            ExpressionAttributeValues=to_item({":shard": f"DUE#{number}"}),
            Limit=limit,
        )
        return Shard(
            [_scheduled(item) for item in answer["Items"]], "LastEvaluatedKey" not in answer
        )

    def open_recordings(self) -> list[Recording]:
        """Return every recording that is not over, oldest first."""
        pages = (page for shard in range(DUE_SHARDS) for page in self._open_pages(shard))
        found = [item["PK"]["S"].removeprefix("REC#") for page in pages for item in page["Items"]]
        found.sort()
        return [
            each for at in range(0, len(found), 100) for each in self._get_all(found[at : at + 100])
        ]

    def count_open(self, shard: int) -> int:
        """Return how many recordings of one shard are not over. Reads the index alone."""
        return sum(page["Count"] for page in self._open_pages(shard, Select="COUNT"))

    def _open_pages(self, shard: int, **more: Any) -> Any:
        return self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard AND dueKey < :late",
            ExpressionAttributeValues=to_item({":shard": f"DUE#{shard}", ":late": f"{LATE}#"}),
            **more,
        )

    # --- sessions ---

    def session(self, sid: str) -> dict[str, Any] | None:
        """Return the row of a session: recordingId?, cname, uid, facts, version."""
        answer = self._client.get_item(
            TableName=self._table_name,
            Key=to_item({"PK": f"SID#{sid}", "SK": "SESSION"}),
            ConsistentRead=True,
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def amend_session(
        self, sid: str, change: Callable[[dict[str, Any] | None], dict[str, Any]]
    ) -> dict[str, Any]:
        """Apply a pure `change` to a session's row (None: there is none yet); return the new row.

        Raises WriteConflictError when others were faster every time.
        """
        client = self._client
        for _ in range(_TRIES):
            before = self.session(sid)
            after = change(before)
            if after == before:
                return after
            version = before["version"] if before else 0
            row = {**after, "PK": f"SID#{sid}", "SK": "SESSION", "version": version + 1}
            condition: dict[str, Any] = (
                {
                    "ConditionExpression": "version = :version",
                    "ExpressionAttributeValues": {":version": {"N": str(version)}},
                }
                if before
                else {"ConditionExpression": "attribute_not_exists(PK)"}
            )
            try:
                client.put_item(TableName=self._table_name, Item=to_item(row), **condition)
            except (
                client.exceptions.ConditionalCheckFailedException,
                client.exceptions.TransactionConflictException,
            ):
                continue
            return row
        raise WriteConflictError(f"Session {sid} is being changed too often just now.")

    def adopt_session(self, sid: str, recording_id: str, cname: str) -> None:
        """Write on a session's row which recording it belongs to. Harmless when repeated."""
        self.amend_session(
            sid,
            lambda row: {"cname": cname, **(row or {"version": 0}), "recordingId": recording_id},
        )

    def unowned_sessions(self) -> Iterator[dict[str, Any]]:
        """Yield sid, cname, uid and facts of sessions that no recording owns.

        Reads the whole table: for operators, not for rooms.
        """
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table_name,
            FilterExpression="SK = :session AND attribute_not_exists(recordingId)",
            ExpressionAttributeValues=to_item({":session": "SESSION"}),
        )
        for page in pages:
            for item in page["Items"]:
                row = from_item(item)
                yield {**row, "sid": row["PK"].removeprefix("SID#")}

    def notification(self, partition: str, sort: str) -> dict[str, Any] | None:
        """Return one stored notification by its key, None when it is gone."""
        answer = self._client.get_item(
            TableName=self._table_name, Key=to_item({"PK": partition, "SK": sort})
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def notifications(self, sid: str) -> Iterator[dict[str, Any]]:
        """Yield the stored notifications of a session, by event type, uid and sequence."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table_name,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :event)",
            ExpressionAttributeValues=to_item({":pk": f"SID#{sid}", ":event": "EVT#"}),
        )
        for page in pages:
            for item in page["Items"]:
                yield from_item(item)

    # --- deleting ---

    def rows_of(self, recording: Recording) -> Iterator[list[Any]]:
        """Yield the keys of all that is known of a recording, but its row; up to 25 at once.

        That is its timeline, and the session and the notifications of each of its sids.
        """
        sessions = [f"SID#{sid}" for sid in recording.sids]
        for partition in (*sessions, f"REC#{recording.recording_id}"):
            pages = self._client.get_paginator("query").paginate(
                TableName=self._table_name,
                KeyConditionExpression="PK = :pk",
                ExpressionAttributeValues=to_item({":pk": partition}),
                ProjectionExpression="PK, SK",
                ConsistentRead=True,
            )
            for page in pages:
                keys = [key for key in page["Items"] if key["SK"]["S"] != "META"]
                for first in range(0, len(keys), _BATCH_WRITE):
                    yield keys[first : first + _BATCH_WRITE]

    def delete_rows(self, keys: Sequence[Any]) -> None:
        """Delete up to 25 rows. Raises StoreUnavailableError when the table is too busy."""
        wanted: Any = {self._table_name: [{"DeleteRequest": {"Key": key}} for key in keys]}
        for _ in range(_TRIES):
            wanted = self._client.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
            if not wanted:
                return
        raise StoreUnavailableError("The table is too busy to delete rows; send it again.")

    def delete(self, recording_id: str) -> None:
        """Delete the row of a recording. Harmless when it is gone."""
        self._client.delete_item(TableName=self._table_name, Key=_key(recording_id))

    # --- writing ---

    def _put(
        self, recording: Recording, condition: str, values: dict[str, Any] | None = None
    ) -> Any:
        put: dict[str, Any] = {
            "TableName": self._table_name,
            "Item": to_item(row_of(recording, self._timings)),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = values
        return put

    def _note_puts(self, recording_id: str, notes: Sequence[Note]) -> list[Any]:
        return [
            {
                "Put": {
                    "TableName": self._table_name,
                    "Item": to_item(
                        {
                            "PK": f"REC#{recording_id}",
                            # The kind makes two notes of one millisecond two rows.
                            "SK": f"LOG#{iso(note.at_ms)}#{note.kind}",
                            "at": iso(note.at_ms),
                            "kind": note.kind,
                            "text": note.text,
                            "data": dict(note.data),
                        }
                    ),
                }
            }
            for note in notes
        ]


def row_of(recording: Recording, timings: Timings) -> dict[str, Any]:
    """Return the whole row of a recording: keys, index keys and values."""
    day = iso(recording.created_ms)[:10]
    row = {
        **to_row(recording),
        "version": recording.version,  # always there: every write is conditional on it
        "PK": f"REC#{recording.recording_id}",
        "SK": "META",
        "createdDay": day,
        # Sessions have a cname too, and must not be in the index of channels.
        "channel": recording.cname,
    }
    look = due(recording, timings)
    if look:
        risk, at_ms = look
        row["dueShard"] = f"DUE#{zlib.crc32(recording.recording_id.encode()) % DUE_SHARDS}"
        row["dueKey"] = f"{risk}#{iso(at_ms)}"
    return row


def _scheduled(item: Any) -> Scheduled:
    risk, _, at = item["dueKey"]["S"].partition("#")
    return Scheduled(int(risk), from_iso(at), item["PK"]["S"].removeprefix("REC#"))


def _key(recording_id: str) -> dict[str, Any]:
    return to_item({"PK": f"REC#{recording_id}", "SK": "META"})

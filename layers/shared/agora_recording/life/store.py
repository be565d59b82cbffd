"""Recordings in the table: their rows, their timelines, and the lists of them.

Rows (PK/SK):
    REC#<recordingId> / META             the recording
    REC#<recordingId> / LOG#<iso>#<kind> one note of its timeline
    REC#<recordingId> / FILE#<name>      a file that arrived after the end, for the timeline
    REC#<recordingId> / CALL#<id>#<hash> a message to an address of the app (callbacks.py)
    REC#<recordingId> / UPDATE           the lease for an update of it at Agora
    REC#<recordingId> / LATE             the lease for a look at its late files
    REC#<recordingId> / LINK#<linkId>#<hash>    where a link of it is (links.py)
    IDEM#<hash>       / IDEM             an Idempotency-Key and the recording it made
    UID#<uid>#<hash of cname> / <recordingId>   an attempt with this uid in this channel, whose sid
                                         is not known yet: whose an unknown session may be
Indexes:
    by_time   listed, recordingId        the list, newest first
    by_status status, recordingId        the list of one status
    by_cname  channel, recordingId       the list of a channel
    by_due                               see due_index.py
The first two put all recordings, or all of one status, under one key. A key takes 1,000 writes a
second, and Agora starts fewer than ten recordings a second for an account.

The table's other rows: sessions and notifications (sessions.py; notifications/envelope.py writes
them), the leases of aws/lease.py, the limiter's row (agora/limiter.py), and the rows of the
firewall's targets (firewall/target.py, firewall/allow_list.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from msgspec.structs import replace

from agora_recording.aws.compare_and_set import Backoff, compare_and_set, lost_to
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.faults import codes
from agora_recording.aws.lease import Lease
from agora_recording.aws.rows import rows_between
from agora_recording.aws.table_store import TableStore
from agora_recording.clock import iso
from agora_recording.errors import (
    IdempotencyConflictError,
    RecordingNotFoundError,
    StoreUnavailableError,
    WriteConflictError,
)
from agora_recording.life.due_index import due_keys
from agora_recording.life.links import hash_in, link_key
from agora_recording.life.recording_key import row_key, stays
from agora_recording.recording.model import TERMINAL, Attempt, Recording, from_row, to_row
from agora_recording.recording.timings import Timings

BY_TIME = "by_time"
BY_STATUS = "by_status"
BY_CNAME = "by_cname"
LISTED = "yes"  # the one value of the attribute `listed`
_TRIES = 8
_NEWEST = 5  # recordings of a channel that are looked at before a new one
_UNDER_WAY = "Another request with this key is under way; try again."
_BATCH_READ, _BATCH_WRITE = 100, 25  # what DynamoDB takes at once
_LEASE_KEPT_S = 86_400  # after its last holder; any time that is longer than it is held
_CLAIM_KEPT_S = 86_400  # after resourceExpiredHour; for events that come late


class Note(NamedTuple):
    """One entry of a recording's timeline: its time (ms), its kind, the text and the data."""

    at_ms: int
    kind: str
    text: str
    data: Mapping[str, Any] = {}


class Page(NamedTuple):
    """Recordings, newest first, and the recordingId before the next page (None: it is the last)."""

    recordings: list[Recording]
    cursor: str | None


class RecordingStore(TableStore, frozen=True, kw_only=True):
    """Reads and changes recordings. `timings` decide when a row is due for a look; `client` None:
    the client that the process shares.
    """

    timings: Timings
    backoff: Backoff = Backoff()

    # --- one recording ---

    def create(
        self, recording: Recording, idempotency: tuple[str, str] | None, expires_s: int
    ) -> Recording:
        """Write a new recording, together with its Idempotency-Key; return the stored one.

        `idempotency` is (hash of the key, fingerprint of the request); `expires_s` (epoch seconds)
        is when the key is forgotten. A key that was used before returns the recording that was made
        then. Raises IdempotencyConflictError if the key was used with another request;
        WriteConflictError, StoreUnavailableError, WriteRefusedError: nothing was written.
        """
        client = self._dynamodb
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
                        "TableName": self.table_name,
                        "Item": to_item(row),
                        "ConditionExpression": "attribute_not_exists(PK)",
                    }
                }
            )
        lost: Exception | None = None
        for number in range(_TRIES):
            if number:
                self.backoff.wait(number - 1)
            try:
                client.transact_write_items(TransactItems=writes)
            except client.exceptions.TransactionCanceledException as error:
                if idempotency and "ConditionalCheckFailed" in codes(error):
                    return self._created_before(*idempotency)
                lost = lost_to(error, _UNDER_WAY)
            else:
                return recording
        raise lost or WriteConflictError(_UNDER_WAY)

    def _created_before(self, key: str, fingerprint: str) -> Recording:
        answer = self._dynamodb.get_item(
            TableName=self.table_name,
            Key=to_item({"PK": f"IDEM#{key}", "SK": "IDEM"}),
            ConsistentRead=True,
        )
        if "Item" not in answer:
            raise WriteConflictError(_UNDER_WAY)
        row = from_item(answer["Item"])
        if row["fingerprint"] != fingerprint:
            raise IdempotencyConflictError(
                "This Idempotency-Key was used for another request; use a new key for a new "
                "request."
            )
        try:
            return self.get(row["recordingId"])
        except RecordingNotFoundError:
            raise IdempotencyConflictError(
                "The recording that this Idempotency-Key made was deleted; use a new key."
            ) from None

    def get(self, recording_id: str) -> Recording:
        """Return a recording as it is now. Raises RecordingNotFoundError."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=row_key(recording_id), ConsistentRead=True
        )
        if "Item" not in answer:
            raise RecordingNotFoundError(f"There is no recording {recording_id}.")
        return from_row(from_item(answer["Item"]))

    def amend(
        self,
        recording_id: str,
        change: Callable[[Recording], Recording],
        notes: Callable[[Recording, Recording], Sequence[Note]] | None = None,
        rows: Callable[[Recording, Recording], Sequence[Mapping[str, Any]]] | None = None,
    ) -> Recording:
        """Apply a pure `change` to the present row; return the new row.

        The write is conditional on the version that was read; after a conflict, the change is
        computed again. If nothing changes, nothing is written. `notes(before, after)` are written
        with the row, or not at all; so are other `rows(before, after)`, and the claim of an attempt
        that begins (`claimants`). Raises
        RecordingNotFoundError; WriteConflictError after a conflict in every try.
        """
        client = self._dynamodb

        def write(before: Recording, after: Recording) -> Recording:
            after = replace(after, version=before.version + 1)
            put = self._put(after, "version = :version", {":version": {"N": str(before.version)}})
            lines = notes(before, after) if notes else ()
            others = rows(before, after) if rows else ()
            more = [
                *self._note_puts(recording_id, lines),
                *self._claim_puts(before, after),
                *(self._row_put(each) for each in others),
            ]
            if more:
                client.transact_write_items(TransactItems=[{"Put": put}, *more])
            else:
                client.put_item(**put)
            return after

        return compare_and_set(
            lambda: self.get(recording_id),
            change,
            write,
            tries=_TRIES,
            refusal=f"Recording {recording_id} is changed too often; try again.",
            backoff=self.backoff,
        )

    def note(self, recording_id: str, *notes: Note) -> None:
        """Add lines to the timeline of a recording. Raises RecordingNotFoundError.

        They are written with its row: so none is left behind by a deletion that comes in between.
        """
        self.amend(
            recording_id, lambda row: replace(row, version=row.version + 1), lambda *_: notes
        )

    def note_file(
        self, recording_id: str, name: str, note: Note, rows: Sequence[Mapping[str, Any]] = ()
    ) -> bool:
        """Add a file that arrived to the timeline; of each name, the latest arrival is kept.

        Other `rows` are written with it. Nothing is written, and False returned, for a recording
        that is deleted, or being deleted. Raises WriteConflictError when others write its row in
        every try.
        """
        (put,) = self._note_puts(recording_id, [note])
        row = put["Put"]
        row["Item"]["SK"] = {"S": f"FILE#{name}"}
        row |= {
            "ConditionExpression": "attribute_not_exists(PK) OR #at < :at",
            "ExpressionAttributeNames": {"#at": "at"},
            "ExpressionAttributeValues": {":at": row["Item"]["at"]},
        }
        client = self._dynamodb
        refusal = f"Recording {recording_id} is changed too often; try again."
        lost: Exception | None = None
        for number in range(_TRIES):
            if number:
                self.backoff.wait(number - 1)
            try:
                client.transact_write_items(
                    TransactItems=[
                        put,
                        stays(self.table_name, recording_id),
                        *(self._row_put(each) for each in rows),
                    ]
                )
            except client.exceptions.TransactionCanceledException as error:
                if "ConditionalCheckFailed" in codes(error):
                    return False  # it is gone, or a later arrival was noted before
                lost = lost_to(error, refusal)
            else:
                return True
        raise lost or WriteConflictError(refusal)

    def notes(self, recording_id: str, low: str = "") -> Iterator[dict[str, Any]]:
        """Yield the notes of a recording from the sort key `low` on, as they are wanted."""
        return rows_between(
            self._dynamodb, self.table_name, f"REC#{recording_id}", low or "LOG#", "LOG#:"
        )

    def arrivals(self, recording_id: str) -> list[dict[str, Any]]:
        """Return the notes of the files that arrived after the end, oldest first."""
        found = rows_between(
            self._dynamodb, self.table_name, f"REC#{recording_id}", "FILE#", "FILE#\U0010ffff"
        )
        return sorted(found, key=lambda note: (note["at"], note["SK"]))

    def update_lease(self, recording_id: str, now_ms: Callable[[], int]) -> Lease:
        """Return the lease that an update of this recording needs: Agora allows one at a time."""
        return self._lease(recording_id, "UPDATE", now_ms)

    def late_lease(self, recording_id: str, now_ms: Callable[[], int]) -> Lease:
        """Return the lease that a late look at this recording needs."""
        return self._lease(recording_id, "LATE", now_ms)

    def _lease(self, recording_id: str, name: str, now_ms: Callable[[], int]) -> Lease:
        # It ends by itself: taken at the same time as the recording is deleted, it would be left.
        key = (f"REC#{recording_id}", name)
        return Lease(self.table_name, self.client, now_ms, key, kept_s=_LEASE_KEPT_S)

    # --- claims ---

    def claimants(self, cname: str, uid: str) -> list[str]:
        """Return the ids of the recordings with an attempt of this uid in this channel.

        Those whose session has its owner are not among them (`release_claim`), nor those of which
        Agora has forgotten everything (resourceExpiredHour).
        """
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues=to_item({":pk": _claim(cname, uid)}),
            ConsistentRead=True,
        )
        return [item["SK"]["S"] for page in pages for item in page["Items"]]

    def release_claim(self, recording: Recording, uid: str) -> None:
        """Delete the claim of the attempt with this uid. Harmless when it is gone."""
        key = {"PK": _claim(recording.cname, uid), "SK": recording.recording_id}
        self._dynamodb.delete_item(TableName=self.table_name, Key=to_item(key))

    def _claim_puts(self, before: Recording, after: Recording) -> list[Any]:
        known = {each.uid for each in before.attempts}
        return [
            {"Put": {"TableName": self.table_name, "Item": to_item(claim_of(after, each))}}
            for each in after.attempts
            if each.uid not in known
        ]

    # --- many recordings ---

    def page(
        self,
        *,
        cname: str | None = None,
        status: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> Page:
        """Return recordings, newest first: all, those of a channel, of a status, or of both.

        `after` is a recordingId, which may be deleted. A page with a cursor has exactly `limit`
        recordings, and at least one follows it. A status within a channel is found by reading the
        channel's whole index; everything else costs one query, and one more if recordings were
        deleted just now.
        """
        if cname:
            index, name, value = BY_CNAME, "channel", cname
        elif status:
            index, name, value = BY_STATUS, "status", status
        else:
            index, name, value = BY_TIME, "listed", LISTED
        request: dict[str, Any] = {
            "TableName": self.table_name,
            "IndexName": index,
            "KeyConditionExpression": "#key = :value",
            "ExpressionAttributeNames": {"#key": name},
            "ExpressionAttributeValues": {":value": {"S": value}},
            "ScanIndexForward": False,
        }
        if cname and status:
            # DynamoDB counts a Limit before it filters, so there is none.
            request["FilterExpression"] = "#status = :status"
            request["ExpressionAttributeNames"]["#status"] = "status"
            request["ExpressionAttributeValues"][":status"] = {"S": status}
        else:
            request["Limit"] = limit + 1  # the one more tells whether a page follows
        if after:
            start = {**row_key(after), name: {"S": value}, "recordingId": {"S": after}}
            request["ExclusiveStartKey"] = start
        ids = self._ids(request)
        found: list[Recording] = []
        while len(found) <= limit and (wanted := list(islice(ids, limit + 1 - len(found)))):
            # An index may be a moment behind its table.
            found += [row for row in self.get_all(wanted) if status in (None, row.status)]
        if len(found) > limit:
            return Page(found[:limit], found[limit - 1].recording_id)
        return Page(found, None)

    def open_in_channel(self, cname: str) -> str | None:
        """Return the newest recording of a channel that has begun and is not over, if there is one.

        One query of an index, which may be a moment behind: for a warning, not for a decision. Only
        the newest few are looked at: whoever records a channel all day long has older ones closed.
        """
        answer = self._dynamodb.query(
            TableName=self.table_name,
            IndexName=BY_CNAME,
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": "channel"},
            ExpressionAttributeValues={":value": {"S": cname}},
            ScanIndexForward=False,
            Limit=_NEWEST,
        )
        for item in answer["Items"]:
            if item["status"]["S"] not in (*TERMINAL, "scheduled"):
                return item["recordingId"]["S"]
        return None

    def _ids(self, request: dict[str, Any]) -> Iterator[str]:
        """Yield the recordingIds of a query, page after page, as they are asked for."""
        while True:
            answer = self._dynamodb.query(**request)
            for item in answer["Items"]:
                yield item["recordingId"]["S"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def get_all(self, recording_ids: Sequence[str]) -> list[Recording]:
        """Return the rows of recordings, in the order asked for, without those that are gone."""
        rows: dict[str, Recording] = {}
        for at in range(0, len(recording_ids), _BATCH_READ):
            keys = [row_key(each) for each in recording_ids[at : at + _BATCH_READ]]
            wanted: Any = {self.table_name: {"Keys": keys}}
            while wanted:
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)
                for item in answer["Responses"][self.table_name]:
                    row = from_row(from_item(item))
                    rows[row.recording_id] = row
                wanted = answer["UnprocessedKeys"]
        return [rows[each] for each in recording_ids if each in rows]

    # --- deleting ---

    def rows_of(self, recording: Recording) -> Iterator[list[Any]]:
        """Yield the keys of all rows of a recording except its own row; up to 25 at once.

        These are its timeline and its leases, the claims of its attempts, its links, and the
        notifications of each of its sids. What is known of the sessions is not among them
        (`SessionStore.bury`).
        """
        # Sorted and each once: an attempt may have two sessions.
        claims = sorted({_claim(recording.cname, each.uid) for each in recording.attempts})
        keys = [to_item({"PK": each, "SK": recording.recording_id}) for each in claims]
        for first in range(0, len(keys), _BATCH_WRITE):
            yield keys[first : first + _BATCH_WRITE]
        for sid in recording.sids:
            yield from self._keys(f"SID#{sid}")
        for keys in self.timeline_of(recording):
            places = [key["SK"]["S"] for key in keys if key["SK"]["S"].startswith("LINK#")]
            if places:
                yield [link_key(hash_in(each)) for each in places]
            yield keys

    def timeline_of(self, recording: Recording) -> Iterator[list[Any]]:
        """Yield the keys of the rows in the recording's own partition, except its own row."""
        return self._keys(f"REC#{recording.recording_id}")

    def _keys(self, partition: str) -> Iterator[list[Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
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
        wanted: Any = {self.table_name: [{"DeleteRequest": {"Key": key}} for key in keys]}
        for number in range(_TRIES):
            if number:
                self.backoff.wait(number - 1)
            wanted = self._dynamodb.batch_write_item(RequestItems=wanted)["UnprocessedItems"]
            if not wanted:
                return
        raise StoreUnavailableError("The table is too busy to delete rows; send the request again.")

    def delete(self, recording: Recording) -> bool:
        """Delete the row of a recording if it is still what was read; return whether it is gone.

        False: somebody has written it since, and perhaps a note with it.
        """
        client = self._dynamodb
        try:
            client.delete_item(
                TableName=self.table_name,
                Key=row_key(recording.recording_id),
                ConditionExpression="attribute_not_exists(PK) OR version = :version",
                ExpressionAttributeValues=to_item({":version": recording.version}),
            )
        except client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    # --- writing ---

    def _put(
        self, recording: Recording, condition: str, values: dict[str, Any] | None = None
    ) -> Any:
        put: dict[str, Any] = {
            "TableName": self.table_name,
            "Item": to_item(row_of(recording, self.timings)),
            "ConditionExpression": condition,
        }
        if values:
            put["ExpressionAttributeValues"] = values
        return put

    def _row_put(self, row: Mapping[str, Any]) -> Any:
        return {"Put": {"TableName": self.table_name, "Item": to_item(row)}}

    def _note_puts(self, recording_id: str, notes: Sequence[Note]) -> list[Any]:
        return [
            {
                "Put": {
                    "TableName": self.table_name,
                    "Item": to_item(
                        {
                            "PK": f"REC#{recording_id}",
                            # With the kind, two notes of one millisecond are two rows.
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
    return {
        **to_row(recording),
        "version": recording.version,  # always there: every write is conditional on it
        "PK": f"REC#{recording.recording_id}",
        "SK": "META",
        "listed": LISTED,
        # Sessions have a cname too, and must not be in the index of channels.
        "channel": recording.cname,
        **due_keys(recording, timings),
    }


def claim_of(recording: Recording, attempt: Attempt) -> dict[str, Any]:
    """Return the row by which an unknown session finds the attempt that may have started it."""
    expires_s = recording.expires_hours * 3600 + _CLAIM_KEPT_S
    return {
        "PK": _claim(recording.cname, attempt.uid),
        "SK": recording.recording_id,
        "expiresAt": attempt.begun_ms // 1000 + expires_s,
    }


def _claim(cname: str, uid: str) -> str:
    # A page's name may be as long as a key: its hash is not.
    return f"UID#{uid}#{hashlib.sha256(cname.encode()).hexdigest()}"

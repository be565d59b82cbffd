"""Messages to the app: made with what they tell, kept in the table, asked for by a queue.

A message is written in the same transaction as the change of the recording that it tells: it is
there if and only if that is durable. Then a queue brings it to `send_callback`. If the queue loses
it, or the wait is longer than a queue can delay, the sweeper finds its row in the index `by_due`:
dueShard `CALLS`, dueKey `5#<iso>`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.aws import clients
from agora_recording.aws.compare_and_set import Backoff, lost_to
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.faults import codes
from agora_recording.aws.table_store import TableStore
from agora_recording.callbacks.message import QUEUED_S, Message, MessageType, body_of, digest
from agora_recording.clock import iso, to_ms
from agora_recording.errors import WriteConflictError
from agora_recording.life.due_index import BY_DUE
from agora_recording.observability import logger
from agora_recording.recording.model import Recording
from agora_recording.recording.view import public

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_SHARD = "CALLS"
_RISK = 5  # after all recordings, in the order of the index
_TOLD = (
    *("recordingId", "status", "cname", "mode", "createdAt", "startedAt", "endedAt"),
    *("stopReason", "endReason", "reason", "tags", "prefix"),
)
_OFF_DAYS = 30  # how long an address that answered 410 stays switched off
_TRIES = 8
_ASKED = 200  # messages that one sweep asks for


class CallQueue(msgspec.Struct, frozen=True):
    """Asks for tries (send_callback makes them). `client` None is the process's own."""

    url: str
    client: SQSClient | None = None

    def ask(self, recording_id: str, key: str, after_s: float = 0) -> None:
        """Ask for a try of a message after a delay (seconds, 900 at most).

        Messages to one address are a group: where many of them wait, the queue serves the other
        groups first (SQS: fair queues).
        """
        client = self.client or clients.sqs()
        body = msgspec.json.encode({"recordingId": recording_id, "call": key}).decode()
        client.send_message(
            QueueUrl=self.url,
            MessageBody=body,
            DelaySeconds=math.ceil(after_s),
            MessageGroupId=key.rpartition("#")[2],  # the digest of the address
        )


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """Makes messages. `endpoints` are the stack's own addresses, which get every message."""

    endpoints: tuple[str, ...]
    bucket: str
    queue: CallQueue

    def messages(
        self,
        recording: Recording,
        kind: MessageType,
        now_ms: int,
        *,
        step: str,
        kinds: Collection[str] = (),
        **more: Any,
    ) -> list[Message]:
        """Return a message for each address that wants to hear of a recording.

        `step` makes its id stable: `<recordingId>-<step>`. `kinds` are those of the files that are
        ready, `more` is told besides the recording.
        """
        urls = dict.fromkeys((*self.endpoints, recording.callback_url))
        wanted = [each for each in urls if each]
        if not wanted:
            return []
        body = body_of(kind, now_ms, {**self._data(recording, kinds), **more})
        return [
            Message(
                recording_id=recording.recording_id,
                message_id=f"{recording.recording_id}-{step}",
                type=kind,
                url=url,
                body=body,
                made_ms=now_ms,
                next_ms=now_ms,
            )
            for url in wanted
        ]

    def ask(self, messages: Iterable[Message]) -> None:
        """Ask for the first try of messages that are written. Raises nothing: the sweeper asks."""
        for each in messages:
            try:
                self.queue.ask(each.recording_id, each.key)
            except (BotoCoreError, ClientError):
                logger.exception("callback not asked for", recordingId=each.recording_id)

    def _data(self, recording: Recording, kinds: Collection[str]) -> dict[str, Any]:
        shown = public(recording)
        number = recording.attempt.number if recording.attempt else None
        upload = recording.upload
        files: dict[str, Any] = {"kinds": sorted(kinds), "count": upload.files}
        files["bytes"] = upload.bytes
        if upload.verdict:
            files |= {"durationMs": upload.duration_ms, "missing": upload.missing}
        told = {name: shown[name] for name in _TOLD if name in shown}
        return {
            **told,
            "attempt": number,
            "files": files,
            "bucket": self.bucket,
            "manifest": upload.manifest,
        }


class Told:
    """Messages of one change: their rows, for the transaction; and what was made at last.

    `make(before, after)` is called again when the change is computed again.
    """

    def __init__(self, make: Callable[[Recording, Recording], Sequence[Message]]) -> None:
        self._make = make
        self.made: Sequence[Message] = ()

    def rows(self, before: Recording, after: Recording) -> list[Mapping[str, Any]]:
        """Return the rows that belong to a change."""
        self.made = self._make(before, after)
        return [row_of(each) for each in self.made]


def row_of(message: Message) -> dict[str, Any]:
    """Return the whole row of a message, with its place in the index while it waits."""
    due_ms = message.due_ms
    due = {} if due_ms is None else {"dueShard": _SHARD, "dueKey": f"{_RISK}#{iso(due_ms)}"}
    return {
        **msgspec.to_builtins(message),
        "version": message.version,
        "PK": f"REC#{message.recording_id}",
        "SK": message.key,
        **due,
    }


class CallStore(TableStore, frozen=True):
    """Reads and changes messages; `client` None is the process's own."""

    backoff: Backoff = Backoff()

    def get(self, recording_id: str, key: str) -> Message | None:
        """Return a message as it is now; None if it is gone, as its recording is."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name,
            Key=to_item({"PK": f"REC#{recording_id}", "SK": key}),
            ConsistentRead=True,
        )
        return _message(answer["Item"]) if "Item" in answer else None

    def of(self, recording_id: str) -> list[Message]:
        """Return every message of a recording."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :prefix)",
            ExpressionAttributeValues=to_item({":pk": f"REC#{recording_id}", ":prefix": "CALL#"}),
        )
        return [_message(item) for page in pages for item in page["Items"]]

    def replace(
        self, before: Message, after: Message, note: Mapping[str, Any] | None = None
    ) -> Message | None:
        """Write a message if it is still `before`; return it, or None if it is not any more.

        With a `note` ({at, kind, text, data}), a line of the timeline is written with it; but
        nothing of a recording that is deleted, or being deleted. Raises WriteConflictError or
        StoreUnavailableError when the table is too busy in every try.
        """
        after = msgspec.structs.replace(after, version=before.version + 1)
        recording = f"REC#{before.recording_id}"
        writes: list[Any] = [
            {
                "Put": {
                    "TableName": self.table_name,
                    "Item": to_item(row_of(after)),
                    "ConditionExpression": "version = :version",
                    "ExpressionAttributeValues": to_item({":version": before.version}),
                }
            },
            {
                "ConditionCheck": {
                    "TableName": self.table_name,
                    "Key": to_item({"PK": recording, "SK": "META"}),
                    "ConditionExpression": (
                        "attribute_exists(PK) AND attribute_not_exists(deletingMs)"
                    ),
                }
            },
        ]
        if note:
            line = {"PK": recording, "SK": f"LOG#{note['at']}#callback#{digest(after.key)}", **note}
            writes.append({"Put": {"TableName": self.table_name, "Item": to_item(line)}})
        client, lost = self._dynamodb, None
        refusal = f"Recording {before.recording_id} is changed too often; try again."
        for number in range(_TRIES):
            if number:
                self.backoff.wait(number - 1)
            try:
                client.transact_write_items(TransactItems=writes)
            except client.exceptions.TransactionCanceledException as error:
                if "ConditionalCheckFailed" in codes(error):
                    return None
                lost = lost_to(error, refusal)
            else:
                return after
        raise lost or WriteConflictError(refusal)

    def due(self, now_ms: int) -> list[tuple[str, str]]:
        """Return (recordingId, key) of messages whose try is due now, longest due first."""
        answer = self._dynamodb.query(
            TableName=self.table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard AND dueKey BETWEEN :from AND :to",
            ExpressionAttributeValues=to_item(
                {":shard": _SHARD, ":from": f"{_RISK}#", ":to": f"{_RISK}#{iso(now_ms)}"}
            ),
            Limit=_ASKED,
        )
        return [(each["PK"]["S"][4:], each["SK"]["S"]) for each in answer["Items"]]

    # --- addresses that want no more calls ---

    def is_off(self, url: str) -> bool:
        """Tell whether an address has answered 410 Gone, and was not switched on since."""
        answer = self._dynamodb.get_item(TableName=self.table_name, Key=_off(url))
        return "Item" in answer

    def switch_off(self, url: str, now_ms: int) -> None:
        """Remember for 30 days that an address wants no more calls."""
        expires_s = now_ms // 1000 + _OFF_DAYS * 86_400
        item = {**_off(url), **to_item({"at": iso(now_ms), "expiresAt": expires_s})}
        self._dynamodb.put_item(TableName=self.table_name, Item=item)

    def switch_on(self, url: str) -> None:
        """Forget that an address wanted no more calls."""
        self._dynamodb.delete_item(TableName=self.table_name, Key=_off(url))


def is_queued(message: Message, now_ms: int, speed: float = 1) -> bool:
    """Tell whether a queue can bring the next try of a message; `speed` is the embedded run's."""
    return message.state == "waiting" and message.next_ms - now_ms <= to_ms(QUEUED_S / speed)


def _off(url: str) -> dict[str, Any]:
    return to_item({"PK": f"ENDPOINT#{digest(url)}", "SK": "OFF"})


def _message(item: Mapping[str, Any]) -> Message:
    return msgspec.convert(from_item(item), Message, strict=False)

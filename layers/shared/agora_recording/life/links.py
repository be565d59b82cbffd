"""Links in the table.

Rows (PK/SK):
    LINK#<hash of the token> / LINK             the link
    REC#<recordingId> / LINK#<linkId>#<hash>    where the links of a recording are
Both are kept for 90 days after the link's end, and deleted with the recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from msgspec.structs import replace

from agora_recording.aws.compare_and_set import Backoff, compare_and_set, lost_to
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.faults import codes
from agora_recording.aws.rows import rows_between
from agora_recording.aws.table_store import TableStore
from agora_recording.errors import LinkNotFoundError, RecordingNotFoundError
from agora_recording.life.recording_key import stays
from agora_recording.recording.link import KEPT_S, Link

PARTITION = "LINK#"
_TRIES = 8
_GONE = "This link opens nothing: it has expired, it was revoked, or its address is not whole."


class LinkStore(TableStore, frozen=True):
    """Reads and changes links. `client` None: the client that the process shares."""

    backoff: Backoff = Backoff()

    def create(self, link: Link) -> None:
        """Write a new link, together with its place among the recording's.

        Raises RecordingNotFoundError if the recording is deleted, or being deleted;
        WriteConflictError and StoreUnavailableError if it may work in a moment.
        """
        client = self._dynamodb
        place = {
            "PK": f"REC#{link.recording_id}",
            "SK": f"LINK#{link.link_id}#{link.token_hash}",
            "expiresAt": _kept_until_s(link),
        }
        writes: list[Any] = [
            {"Put": self._put(link, "attribute_not_exists(PK)")},
            {"Put": {"TableName": self.table_name, "Item": to_item(place)}},
            stays(self.table_name, link.recording_id),
        ]
        try:
            client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if "ConditionalCheckFailed" in codes(error):
                raise RecordingNotFoundError(
                    f"There is no recording {link.recording_id}, or it is being deleted."
                ) from None
            raise lost_to(
                error,
                "Another request changes this recording at the moment; send the request again.",
            ) from error

    def get(self, token_hash: str) -> Link:
        """Return a link as it is now, even one that is over. Raises LinkNotFoundError."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=link_key(token_hash), ConsistentRead=True
        )
        if "Item" not in answer:
            raise LinkNotFoundError(_GONE)
        return msgspec.convert(from_item(answer["Item"]), Link, strict=False)

    def open(self, token_hash: str, now_ms: int) -> Link:
        """Return a link that opens something now. Raises LinkNotFoundError.

        One sentence for every reason: whoever guesses learns nothing.
        """
        link = self.get(token_hash)
        if not link.is_open(now_ms):
            raise LinkNotFoundError(_GONE)
        return link

    def of_recording(self, recording_id: str, link_id: str = "") -> list[Link]:
        """Return the links of a recording, oldest first; or the one with this id, if there is one.

        Those that are over are among them, as long as their rows are kept.
        """
        first = f"LINK#{link_id}#" if link_id else "LINK#"
        places = rows_between(
            self._dynamodb,
            self.table_name,
            f"REC#{recording_id}",
            first,
            f"{first}\U0010ffff",
            consistent=True,
        )
        found = []
        for place in places:
            try:
                found.append(self.get(hash_in(place["SK"])))
            except LinkNotFoundError:  # DynamoDB deletes the two rows at different times
                continue
        return found

    def amend(self, token_hash: str, change: Callable[[Link], Link]) -> Link:
        """Apply a pure `change` to the present link; return the new one.

        Raises LinkNotFoundError; WriteConflictError after a conflict in every try.
        """

        def write(before: Link, after: Link) -> Link:
            after = replace(after, version=before.version + 1)
            put = self._put(after, "version = :version")
            put["ExpressionAttributeValues"] = {":version": {"N": str(before.version)}}
            self._dynamodb.put_item(**put)
            return after

        return compare_and_set(
            lambda: self.get(token_hash),
            change,
            write,
            tries=_TRIES,
            refusal="The link is changed too often; try again.",
            backoff=self.backoff,
        )

    def _put(self, link: Link, condition: str) -> dict[str, Any]:
        row = {
            **msgspec.to_builtins(link),
            "version": link.version,  # always there: every write is conditional on it
            "PK": f"{PARTITION}{link.token_hash}",
            "SK": "LINK",
            "expiresAt": _kept_until_s(link),
        }
        return {
            "TableName": self.table_name,
            "Item": to_item(row),
            "ConditionExpression": condition,
        }


def link_key(token_hash: str) -> dict[str, Any]:
    """Return the key of a link."""
    return to_item({"PK": f"{PARTITION}{token_hash}", "SK": "LINK"})


def hash_in(sort_key: str) -> str:
    """Return the hash that stands in the sort key of a link's place."""
    return sort_key.rpartition("#")[2]


def _kept_until_s(link: Link) -> int:
    return link.until_ms // 1000 + KEPT_S

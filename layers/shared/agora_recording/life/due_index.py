"""The index of recordings that must be looked at: by risk and instant, spread over shards.

When a recording must be looked at next follows from its row (recording/due.py). It is written with
the row, as its key in the index `by_due`: dueShard `DUE#<number>`, dueKey `<risk>#<iso>`. A row
that needs no further look has neither attribute.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from agora_recording.aws.dynamodb import to_item
from agora_recording.aws.table_store import TableStore
from agora_recording.clock import from_iso, iso
from agora_recording.recording.due import LATE, due
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings

# At 100,000 recordings, event 33 moves 1,700 rows of the index a second, each with two writes; one
# partition takes 1,000 writes. More shards would need more queries a minute, even if nothing runs.
DUE_SHARDS = 8
BY_DUE = "by_due"


class Scheduled(NamedTuple):
    """A row of the index: the risk and the instant (ms) of its next look."""

    risk: int
    at_ms: int
    recording_id: str


class Shard(NamedTuple):
    """The first rows of a shard, by risk and instant; and whether these are all of them."""

    rows: list[Scheduled]
    is_whole: bool


def due_keys(recording: Recording, timings: Timings) -> dict[str, str]:
    """Return the attributes that put a recording's row into the index; none when it is over."""
    look = due(recording, timings)
    if look is None:
        return {}
    risk, at_ms = look
    return {"dueShard": f"DUE#{shard_of(recording.recording_id)}", "dueKey": f"{risk}#{iso(at_ms)}"}


def shard_of(recording_id: str) -> int:
    """Return the number of the shard that a recording is in."""
    return zlib.crc32(recording_id.encode()) % DUE_SHARDS


class DueIndex(TableStore, frozen=True):
    """Finds recordings by their next look; `client` None: the client that the process shares."""

    def due(self, risk: int, shard: int, now_ms: int, limit: int) -> list[str]:
        """Return ids of the rows of one risk and shard that are due now, longest due first."""
        answer = self._dynamodb.query(
            TableName=self.table_name,
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
        return [_id(item) for item in answer["Items"]]

    def shard(self, number: int, limit: int, after: tuple[int, int] | None = None) -> Shard:
        """Return up to `limit` rows of one shard, due or not, from a risk and an instant on."""
        condition, values = "dueShard = :shard", {":shard": f"DUE#{number}"}
        if after:
            condition += " AND dueKey >= :after"
            values[":after"] = f"{after[0]}#{iso(after[1])}"
        answer = self._dynamodb.query(
            TableName=self.table_name,
            IndexName=BY_DUE,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=to_item(values),
            Limit=limit,
        )
        return Shard(
            [_scheduled(item) for item in answer["Items"]], "LastEvaluatedKey" not in answer
        )

    def open_recordings(self) -> list[str]:
        """Return the id of every recording that is not over, oldest first."""
        pages = (page for shard in range(DUE_SHARDS) for page in self._open_pages(shard))
        return sorted(_id(item) for page in pages for item in page["Items"])

    def count(self, risk: int, shard: int) -> int:
        """Return how many rows of one risk and shard there are, due or not."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard AND begins_with(dueKey, :risk)",
            ExpressionAttributeValues=to_item({":shard": f"DUE#{shard}", ":risk": f"{risk}#"}),
            Select="COUNT",
        )
        return sum(page["Count"] for page in pages)

    def count_open(self, shard: int) -> int:
        """Return how many recordings of one shard are not over. Reads only the index."""
        return sum(page["Count"] for page in self._open_pages(shard, Select="COUNT"))

    def _open_pages(self, shard: int, **more: Any) -> Any:
        return self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            IndexName=BY_DUE,
            KeyConditionExpression="dueShard = :shard AND dueKey < :late",
            ExpressionAttributeValues=to_item({":shard": f"DUE#{shard}", ":late": f"{LATE}#"}),
            **more,
        )


def _id(item: Any) -> str:
    found: str = item["PK"]["S"].removeprefix("REC#")
    return found


def _scheduled(item: Any) -> Scheduled:
    risk, _, at = item["dueKey"]["S"].partition("#")
    return Scheduled(int(risk), from_iso(at), _id(item))

"""The index of what wants a look: on the fake and on moto (conftest.py)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.aws.dynamodb import to_item
from agora_recording.life.due_index import DUE_SHARDS, DueIndex
from agora_recording.life.store import RecordingStore, row_of
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import Recording
from tests.world.builders import RECORDING_ID, TIMINGS, after, recording, requested, uploading
from tests.world.table import TABLE
from tests.world.webhook import NOW_MS


@pytest.fixture
def index(client: Any) -> DueIndex:
    return DueIndex(TABLE, client)


def _id(number: int) -> str:
    return new_recording_id(NOW_MS, number.to_bytes(10, "big"))


def _put(client: Any, *rows: Recording) -> None:
    for row in rows:
        client.put_item(TableName=TABLE, Item=to_item(row_of(row, TIMINGS)))


def test_only_what_is_due_by_now_is_found(index: DueIndex, client: Any) -> None:
    _put(
        client,
        recording(recording_id=_id(1), beats=True),
        recording(recording_id=_id(2), beats=True, last_seen_ms=after(300)),
        recording(recording_id=_id(3), gap_seen=True),
        requested(recording_id=_id(4)),
        uploading(recording_id=_id(5), status="completed"),
    )

    def due(risk: int, seconds: float) -> set[str]:
        shards = range(DUE_SHARDS)
        return {each for n in shards for each in index.due(risk, n, after(seconds), 50)}

    assert due(3, 78.999) == set()
    assert due(3, 79) == {_id(1)}
    assert due(3, 900) == {_id(1), _id(2)}
    assert due(2, 900) == {_id(3)}
    assert due(1, 1e6) == set()
    assert due(0, 900) == {_id(4)}


def test_the_longest_due_are_found_first(index: DueIndex, client: Any) -> None:
    shard = row_of(recording(beats=True), TIMINGS)["dueShard"]
    late = recording(beats=True, last_seen_ms=after(100))
    item = {**row_of(late, TIMINGS), "PK": "REC#late", "dueShard": shard}
    client.put_item(TableName=TABLE, Item=to_item(item))
    _put(client, recording(beats=True))
    number = int(shard.removeprefix("DUE#"))
    assert index.due(3, number, after(900), 50) == [RECORDING_ID, "late"]
    assert index.due(3, number, after(900), 1) == [RECORDING_ID]


def test_what_is_over_leaves_the_index(index: DueIndex, client: Any) -> None:
    _put(client, uploading())
    store = RecordingStore(TABLE, client, timings=TIMINGS)
    store.amend(RECORDING_ID, lambda row: replace(row, status="completed"))
    assert not any(index.due(1, n, after(1e6), 50) for n in range(DUE_SHARDS))

"""The stream's room, warm: CPU of a record, and how many recordings its lanes carry.

Event 33 comes once a minute from each recording, and passes the table's stream. Lambda reads each
shard in `StreamParallelism` lanes: a lane hands over one batch at a time, in order, and all records
of a session are in one lane. So a fleet is carried if its records come more slowly than the lanes
apply them; otherwise they wait longer and longer.

What a record takes is measured here as CPU, on the shipped code and DynamoDB's client, whose HTTP
exchange is replaced by canned answers. On AWS it also waits for the table, and has the share of a
CPU that belongs to the room's memory.
"""

from __future__ import annotations

import math
import statistics
import time
from typing import Any

import msgspec

from agora_recording.aws.dynamodb import to_item
from agora_recording.life.store import row_of
from agora_recording.recording.timings import Timings
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from benchmarks import canned
from local.template import functions, parameters, template
from tests.world.builders import RECORDING_ID, heard, recording
from tests.world.settings import WorldSettings
from tests.world.webhook import NOW_MS, SID

BATCH = 50
ROUNDS = 15
# What the fleet simulation assumes of a record (ms of a whole CPU), so that its numbers are the
# same on each machine; `run` shows what is measured.
RECORD_CPU_MS = 4.0
# A record reads and writes two rows: its session's and its recording's.
TABLE_CALLS = 4
TABLE_MS = 5.0  # one of them, from Lambda (median of small items)
BATCH_MS = 20.0  # from the end of a batch to the first record of the next
VCPU_MB = 1769  # AWS Lambda: memory that has one CPU
# A new table has four partitions, and its stream a shard for each. A partition takes 1,000 writes a
# second, so a table that takes more has more of them (DynamoDB: partitions, on-demand tables).
SHARDS = 4
PARTITION_WRITES = 1000
WRITES = 4  # of a notification: itself, its session, and the recording's row, which has two kB
_ROOM = "ApplyNotificationsFunction"


class Lanes(msgspec.Struct, frozen=True, kw_only=True):
    """The lanes of the stream: `shards` of `parallelism` each, in rooms of `memory_mb`."""

    shards: int
    parallelism: int
    memory_mb: float
    most_in_a_batch: int
    window_ms: float

    @classmethod
    def shipped(cls, parallelism: int | None = None, per_second: float = 0) -> Lanes:
        """Return the lanes of the template for a table that takes so many notifications a second.

        `parallelism` replaces the default of `StreamParallelism`.
        """
        mapping = template()["Resources"][f"{_ROOM}Stored"]["Properties"]
        return cls(
            shards=max(SHARDS, math.ceil(per_second * WRITES / PARTITION_WRITES)),
            parallelism=parallelism or int(parameters({})["StreamParallelism"]),
            memory_mb=float(functions()[_ROOM]["MemorySize"]),
            most_in_a_batch=int(mapping["BatchSize"]),
            window_ms=1000 * float(mapping["MaximumBatchingWindowInSeconds"]),
        )

    @property
    def record_ms(self) -> float:
        """What one record takes in its lane."""
        share = min(1.0, self.memory_mb / VCPU_MB)
        return RECORD_CPU_MS / share + TABLE_CALLS * TABLE_MS

    @property
    def most_per_second(self) -> float:
        """How many records a second all lanes apply at most, in full batches."""
        each_ms = self.record_ms + BATCH_MS / self.most_in_a_batch
        return self.shards * self.parallelism * 1000 / each_ms

    @property
    def most_recordings(self) -> int:
        """How many recordings with event 33 they carry."""
        return math.floor(self.most_per_second * 60)


class Backlog:
    """What waits in the lanes of a fleet, as time passes. `longest_ms` is the longest delay.

    The records of event 33 are not simulated one by one: their rate is known. What they leave
    undone is a backlog that each later record waits behind.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._at_ms = 0
        self._waiting_ms = 0.0  # of work, in each lane
        self.longest_ms = 0

    def delay_ms(self, now_ms: int, per_second: float) -> int:
        """Return how long after its arrival a record is applied that comes now.

        `per_second` is the rate of all records since the last call. A lane that is busy for a share
        b of the time lets a record wait for b/(2(1-b)) of what one takes (M/D/1).
        """
        lanes = self._lanes
        busy = per_second / lanes.most_per_second
        if self._at_ms:
            grown = (now_ms - self._at_ms) * (busy - 1)
            self._waiting_ms = max(0.0, self._waiting_ms + grown)
        self._at_ms = now_ms
        queue = min(busy, 0.99)
        mean_ms = lanes.record_ms * queue / (2 * (1 - queue))
        idle_ms = lanes.window_ms + BATCH_MS + lanes.record_ms
        delay_ms = round(self._waiting_ms + mean_ms + idle_ms)
        self.longest_ms = max(self.longest_ms, delay_ms)
        return delay_ms


# --- the measurement ----------------------------------------------------------------------------


def run() -> dict[str, dict[str, Any]]:
    """Return `stream_record_ms`, ms of CPU of one record, beside its four calls alone."""
    client = canned.dynamodb(_answered)
    applier = Parts(WorldSettings(), Outside(dynamodb=client, now_ms=lambda: NOW_MS)).applier
    records = [
        heard(33, {"progress": 9_876}, sequence=number, at_ms=NOW_MS) for number in range(BATCH)
    ]
    item = _rows()["META"]

    def ours(record: dict[str, Any]) -> None:
        assert applier.apply([record]) == []

    def floor(_: dict[str, Any]) -> None:
        for _number in range(TABLE_CALLS // 2):
            client.get_item(TableName="recordings", Key={"PK": item["PK"], "SK": item["SK"]})
            client.put_item(TableName="recordings", Item=item)

    for warm_up in (ours, floor):
        _cpu_ms(warm_up, records)
    rounds = [(_cpu_ms(ours, records), _cpu_ms(floor, records)) for _ in range(ROUNDS)]
    value, least = (statistics.median(side) for side in zip(*rounds, strict=True))
    return {
        "stream_record_ms": {
            "value": round(value, 2),
            "unit": "ms of CPU, of a record",
            "floor": round(least, 2),
            "ratio": round(statistics.median(a / b for a, b in rounds), 2),
            "n": BATCH * ROUNDS,
            "carries": Lanes.shipped().most_recordings,
        }
    }


def _cpu_ms(apply: Any, records: list[dict[str, Any]]) -> float:
    begun = time.process_time_ns()
    for record in records:
        apply(record)
    return (time.process_time_ns() - begun) / 1e6 / len(records)


def _rows() -> dict[str, Any]:
    """Return the rows that are read: the session, and its recording."""
    row = to_item(row_of(recording(), Timings()))
    session = {
        "PK": f"SID#{SID}",
        "SK": "SESSION",
        "recordingId": RECORDING_ID,
        "cname": "consultation-7",
        "uid": "527841",
        "version": 3,
    }
    return {"META": row, "SESSION": to_item(session)}


_READ = {kind: msgspec.json.encode({"Item": item}) for kind, item in _rows().items()}


def _answered(operation: str, request: bytes) -> bytes:
    if operation != "GetItem":
        return b"{}"
    return _READ["SESSION" if b'"SESSION"' in request else "META"]

"""The console's pages: a fleet of 5,000, and a recording of 30 days.

What is counted is the CPU of the console, on the shipped pages and DynamoDB's client; the table
is one in this process, and its own time is not counted. A recording's page is its page, its picture
and the first list of its files together: what a browser asks for when it opens one.
"""

from __future__ import annotations

import statistics
import time
from typing import Any, cast

import msgspec

from agora_recording.files.documents import documents
from agora_recording.recording.model import Upload
from agora_recording.recording.view import public
from benchmarks import canned
from tests.world.builders import RECORDING_ID, after, recording, running
from tests.world.console import ConsoleWorld, Visitor
from tests.world.showcase import hear, world
from tests.world.verdicts import START_MS, playlist, track, verdict
from tests.world.webhook import SID

FLEET = 5000
DAYS = 30
_ROUNDS = 7
_MINUTES = DAYS * 24 * 60
_SLICES = _MINUTES * 4
_COMINGS = 400  # of users, each with a going


class _Wire:
    """DynamoDB's client over a table in this process; `spent_ns` is the table's own CPU."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.spent_ns = 0
        self.client = canned.dynamodb(self._answer)

    def _answer(self, operation: str, request: bytes) -> bytes:
        begun = time.process_time_ns()
        call = {
            "GetItem": self._table.get_item,
            "Query": self._table.query,
            "BatchGetItem": self._table.batch_get_item,
        }[operation]
        content = msgspec.json.encode(call(**msgspec.json.decode(request)))
        self.spent_ns += time.process_time_ns() - begun
        return content


def run() -> dict[str, dict[str, Any]]:
    """Return the CPU (ms) and the weight (kB) of both pages."""
    fleet = _measured(world(FLEET), ("/",))
    path = f"/recordings/{RECORDING_ID}"
    long = _measured(_long(), (path, f"{path}/picture?width=1200", f"{path}/files"))
    return {
        f"console_{name}_{unit}": {
            "value": round(value, 1),
            "unit": {"ms": "ms of CPU", "kb": "kB"}[unit] + f", {what}",
            "n": _ROUNDS,
        }
        for name, what, found in (
            ("fleet", f"{FLEET:,} recordings", fleet),
            ("recording", f"{DAYS} days", long),
        )
        for unit, value in zip(("ms", "kb"), found, strict=True)
    }


def _measured(made: ConsoleWorld, paths: tuple[str, ...]) -> tuple[float, float]:
    """Return the median CPU (ms) of a first visit, and the weight of its answers (kB)."""
    wire = _Wire(made.table)
    made.wire = wire.client
    rounds, weight = [], 0
    for _ in range(_ROUNDS + 1):
        visitor = Visitor(made)  # its desk remembers nothing
        wire.spent_ns = 0
        begun = time.process_time_ns()
        pages = [visitor.get(path) for path in paths]
        rounds.append((time.process_time_ns() - begun - wire.spent_ns) / 1e6)
        if any(page.status != 200 for page in pages):
            raise RuntimeError(str([page.status for page in pages]))
        weight = sum(len(page.text.encode()) for page in pages)
    return statistics.median(rounds[1:]), weight / 1000


def _long() -> ConsoleWorld:
    """Return a world with a recording of 30 days: each minute an event, users who come and go."""
    end_s = _MINUTES * 60.0
    made = ConsoleWorld(now_ms=after(end_s + 600))
    ended = running(ended_ms=after(end_s), end="STOPPED")
    row = recording(status="completed", ended_ms=after(end_s), attempt=ended)
    manifest = f"{row.prefix}manifest.json"
    row = msgspec.structs.replace(row, upload=Upload(verdict="complete", manifest=manifest))
    made.add(row)
    slices = playlist(_SLICES)
    for segment in slices.segments:
        segment.start_ms = after((cast(int, segment.start_ms) - START_MS) / 1000)
    slices.start_ms, slices.end_ms = after(0), after(15.0 * _SLICES)
    found = verdict(
        track(slices), prefix=row.prefix, started_ms=after(0), ended_ms=after(15.0 * _SLICES)
    )
    for key, body in documents(found, public(row)):
        made.bucket.add(key, body)
    for minute in range(_MINUTES):
        hear(made, SID, 33, minute * 60.0, {"progress": 9000}, minute)
    for number in range(_COMINGS):
        at_s = number * end_s / _COMINGS
        for place, state in enumerate((0, 1)):
            details = {"streamUid": str(100 + number % 40), "state": state}
            hear(made, SID, 43, at_s + 3600.0 * place, details, _MINUTES + 2 * number + place)
    return made

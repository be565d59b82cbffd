"""A page of a long timeline: 30 days of event 33, 43,000 notifications in one session.

What is counted is the CPU of the room, on the shipped code and DynamoDB's client; the table is a
sorted list in this process, and its own time is not counted. Floor: one query for as many rows as
the page shows, decoded and written as JSON.
"""

from __future__ import annotations

import statistics
import time
from bisect import bisect_left
from typing import Any

import msgspec

from agora_recording.api.get_recording_events import Cursor, Timeline
from agora_recording.api.paging import read_cursor
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.life.store import row_of
from agora_recording.notifications import envelope
from agora_recording.recording.timings import Timings
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from benchmarks import canned
from functions.get_recording_events import app
from tests.world.api import Context, read, request
from tests.world.builders import RECORDING_ID, recording
from tests.world.settings import WorldSettings
from tests.world.webhook import NOW_MS, SID, body

EVENTS = 43_000
PAGE = 100
ROUNDS = 15
_MINUTE_MS = 60_000
# Some events of other types stand among those of the minutes: (type, every so many).
_OTHERS = ((43, 97), (44, 101), (2, 5003))


class _Table:
    """Rows by partition and sort key, and how long it took to answer with them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[str, bytes]]] = {}
        self.spent_ns = 0
        self.read = 0

    def put(self, item: dict[str, Any]) -> None:
        rows = self.rows.setdefault(item["PK"]["S"], [])
        rows.append((item["SK"]["S"], msgspec.json.encode(item)))

    def answer(self, operation: str, request: bytes) -> bytes:
        begun = time.process_time_ns()
        asked = msgspec.json.decode(request)
        if operation == "GetItem":
            rows = self.rows.get(asked["Key"]["PK"]["S"], [])
            found = [raw for key, raw in rows if key == asked["Key"]["SK"]["S"]]
            content = b'{"Item":%s}' % found[0] if found else b"{}"
        else:
            content = self._query(asked)
        self.spent_ns += time.process_time_ns() - begun
        return content

    def _query(self, asked: dict[str, Any]) -> bytes:
        values = {name: each["S"] for name, each in asked["ExpressionAttributeValues"].items()}
        rows = self.rows.get(values[":pk"], [])
        first = bisect_left(rows, (values[":low"],))
        if "ExclusiveStartKey" in asked:
            first = bisect_left(rows, (asked["ExclusiveStartKey"]["SK"]["S"] + "\0",))
        end = bisect_left(rows, (values[":high"] + "\0",))
        last = min(end, first + asked["Limit"])
        found = rows[first:last]
        self.read += len(found)
        content = b'{"Items":[' + b",".join(raw for _, raw in found) + b"]"
        if last < end:
            edge = to_item({"PK": values[":pk"], "SK": found[-1][0]})
            content += b',"LastEvaluatedKey":' + msgspec.json.encode(edge)
        return content + b"}"


def run() -> dict[str, dict[str, Any]]:
    """Return `events_page_ms`: CPU of a page in the middle, beside a query of as many rows."""
    table = _filled()
    client = canned.dynamodb(table.answer)
    timeline = Parts(WorldSettings(), Outside(dynamodb=client, now_ms=lambda: NOW_MS)).timeline

    def page(cursor: str) -> str:
        query = {"limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
        shown = _page(timeline, query)
        if len(shown["events"]) != PAGE:
            raise RuntimeError(f"a page of {len(shown['events'])} entries")
        return str(shown["cursor"])

    def floor(_: str) -> None:
        pk = {":pk": f"SID#{SID}", ":low": "EVT#33#527841#0000021500", ":high": "EVT#33#527841#:"}
        answer = client.query(
            TableName="recordings",
            KeyConditionExpression="PK = :pk AND SK BETWEEN :low AND :high",
            ExpressionAttributeValues=to_item(pk),
            Limit=PAGE,
        )
        msgspec.json.encode([from_item(item) for item in answer["Items"]])

    middle = ""
    while _at_ms(middle) < NOW_MS + EVENTS // 2 * _MINUTE_MS:  # one call for 1,000 entries
        middle = str(_page(timeline, {"limit": "1000", **_after(middle)})["cursor"])
    for warm_up in (page, floor):
        _cpu_ms(table, warm_up, middle)
    table.read = 0
    page(middle)
    read_rows = table.read
    rounds = [(_cpu_ms(table, page, middle), _cpu_ms(table, floor, middle)) for _ in range(ROUNDS)]
    first = statistics.median(_cpu_ms(table, page, "") for _ in range(ROUNDS))
    value, least = (statistics.median(side) for side in zip(*rounds, strict=True))
    return {
        "events_page_ms": {
            "value": round(value, 1),
            "unit": f"ms of CPU, {PAGE} of {EVENTS:,} events",
            "floor": round(least, 1),
            "ratio": round(statistics.median(a / b for a, b in rounds), 2),
            "n": ROUNDS,
            "first_page": round(first, 1),
            "rows_read": read_rows,
        }
    }


def _page(timeline: Timeline, query: dict[str, str]) -> dict[str, Any]:
    event = request(
        resource="/recordings/{recordingId}/events", recording_id=RECORDING_ID, query=query
    )
    answer = read(app.lambda_handler(event, Context(), timeline=timeline))
    if answer.status != 200:
        raise RuntimeError(f"answered {answer.status}: {answer.body}")
    found: dict[str, Any] = answer.body
    return found


def _after(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _at_ms(cursor: str) -> int:
    found = read_cursor(_after(cursor), Cursor)
    return found.at_ms if found else 0


def _cpu_ms(table: _Table, work: Any, cursor: str) -> float:
    table.spent_ns = 0
    begun = time.process_time_ns()
    work(cursor)
    return (time.process_time_ns() - begun - table.spent_ns) / 1e6


def _filled() -> _Table:
    """Return a table with one recording that has run for 30 days."""
    table = _Table()
    table.put(to_item(row_of(recording(), Timings())))
    items = []
    for number in range(EVENTS):
        event_type = next((kind for kind, every in _OTHERS if number % every == every - 1), 33)
        at_ms = NOW_MS + number * _MINUTE_MS
        raw = body(event_type, sent_ms=at_ms, sequence=number)
        items.append(envelope.item(envelope.read(raw), raw, at_ms + 400, None))
    for item in sorted(items, key=lambda each: str(each["SK"]["S"])):
        table.put(item)
    return table

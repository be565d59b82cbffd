"""What one recording costs, from what the embedded run really did.

Two recordings run one after the other, a short and a long one, after a third has warmed the
functions. Everything is counted as it happens: the states entered and the attempts repeated (the
history), the invocations and their time (the log), the calls of each role (the emulator's record of
its IAM decisions), the rows that were written (they count their own versions). What is alike in
both is paid for each recording, what grows is paid for each hour. The rest is arithmetic:

- history events are counted as AWS writes them; the emulator leaves some out;
- a read is one unit for each 4 kB, half where it need not be consistent; a write is one for each
  kB, two in a transaction, and one more for each entry of an index that it changes;
- a room takes the median of its invocations here, and 200 ms for each call of Agora, whose
  simulator answers at once;
- a log line is what a room wrote, and 26 bytes; Lambda's own lines are left out, as the template's
  SystemLogLevel leaves them out.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from benchmarks import prices
from benchmarks.pages import Page, table
from local.api import Api
from local.demo import history
from local.stack import EmbeddedStack
from local.template import functions, template
from tests.world.machine import Machine

SPEED = 20
WARM_S, SHORT_S, LONG_S = 120, 600, 2400
PATIENCE_S = 60
ANSWER_MS = 200
SWEEPS_AN_HOUR = 60
# The sweeper is one for the whole stack; so many recordings share it in the second column.
TOGETHER = 10
DURATIONS_S = (300, 3600, 12 * 3600, 30 * 24 * 3600)
NAIVE_S = (30, 120)

SWEEPER = "WatchRecordings"
NOTIFIED = ("ReceiveNotification", "ApplyNotifications")
ARRIVALS = "RecordFileArrival"
API_CALLS = 2  # POST and stop
QUEUE_CALLS = 3  # a message is sent, received and deleted
# What each room asks of Agora.
CALLS_OF = {"StartRecording": 2, "QueryRecording": 1, "StopRecording": 1}
# AWS's events of a state that is entered and left (AWS Step Functions: execution history).
EVENTS_OF = {"Task": 5, "Wait": 2, "Choice": 2, "Pass": 2}
TOKEN_EVENTS, RETRY_EVENTS, FRAME_EVENTS, LOOP_EVENTS = 6, 3, 2, 9
HISTORY_LIMIT = 25_000
# What CloudWatch adds to each event of a log (CloudWatch Logs: PutLogEvents), and what Lambda
# writes by itself, which SystemLogLevel WARN keeps out.
LOG_EVENT_BYTES = 26
LAMBDAS_OWN = re.compile(r"^(START|END|REPORT|INIT_START) ")
# Index entries: a new row makes four; each write moves the row in by_due (one entry goes, one
# comes); each change of the status changes it in by_cname and moves the row in by_status.
NEW_ENTRIES, MOVED_ENTRIES, STATUS_ENTRIES, STATUS_CHANGES = 4, 2, 3, 4


class Measured(msgspec.Struct, kw_only=True):
    """What happened while one recording went from asked for to published."""

    hours: float
    states: list[str]
    retries: int
    took_ms: dict[str, list[float]]  # of each invocation, by room
    logged: dict[str, int]  # bytes of all its log lines, by room
    actions: Counter[tuple[str, str]]  # (room, action)
    notifications: int
    notes: int
    versions: tuple[int, int]  # writes of the recording's row and of its session's
    bytes: dict[str, int]  # of the recording's row, the session's, a note
    notification_kb: int  # of all notifications together, each rounded up

    def count(self, action: str, *rooms: str) -> int:
        """Return how often these rooms did something."""
        return sum(self.actions[room, action] for room in rooms)


class Cost(msgspec.Struct, kw_only=True):
    """Dollars by what they are paid for."""

    transitions: float = 0
    functions: float = 0
    table: float = 0
    logs: float = 0
    rest: float = 0  # S3, EventBridge, SQS, API Gateway, Scheduler

    @property
    def orchestration(self) -> float:
        """State transitions, functions and the table: what the goal is about."""
        return self.transitions + self.functions + self.table

    @property
    def whole(self) -> float:
        """Everything together."""
        return self.orchestration + self.logs + self.rest

    def __add__(self, other: Cost) -> Cost:
        """Return the sum."""
        return self._each(lambda name: getattr(self, name) + getattr(other, name))

    def __mul__(self, factor: float) -> Cost:
        """Return so many times as much."""
        return self._each(lambda name: getattr(self, name) * factor)

    def _each(self, value: Any) -> Cost:
        return Cost(**{name: value(name) for name in self.__struct_fields__})


class Bill(msgspec.Struct, kw_only=True):
    """What there is to pay, and for what."""

    recording: Cost  # the workflow and the app's two calls, whatever the duration
    sweeper_hour: Cost  # of the whole stack
    channels_hour: Cost  # of the whole stack, though no channel records itself
    notified: Cost  # the notifications of a start and an end
    notified_hour: Cost  # event 33
    notifications_hour: float
    transitions: int
    events: int
    events_hour: float

    def orchestration(self, seconds: float, together: int) -> float:
        """Return what one recording among others costs, without its notifications."""
        hours = seconds / 3600
        return (self.recording + self.sweeper_hour * (hours / together)).orchestration

    def everything(self, seconds: float, together: int) -> float:
        """Return the same with notifications, logs, S3, events and API calls."""
        hours = seconds / 3600
        cost = self.recording + (self.sweeper_hour + self.channels_hour) * (hours / together)
        cost += self.notified + self.notified_hour * hours
        return cost.whole


# --- the embedded run ---------------------------------------------------------------------------


class _Stack(EmbeddedStack):
    """A stack without channels that record themselves: the log of their sweeper has no name."""

    SWEEPERS = ("WatchRecordingsFunction",)


@cache
def measured() -> tuple[Measured, Measured]:
    """Return what the short and the long recording caused."""
    with _Stack(speed=SPEED) as stack:
        recorder = _Recorder(stack)
        recorder.record(WARM_S)
        return recorder.record(SHORT_S), recorder.record(LONG_S)


class _Recorder:
    def __init__(self, stack: EmbeddedStack) -> None:
        self._stack = stack
        self._api = Api(stack.facts)
        self._table = stack.facts["resources"]["Table"]
        self._dynamodb = stack.client("dynamodb")
        self._logs = stack.client("logs")
        self._number = 0

    def record(self, seconds: float) -> Measured:
        """Record for so many seconds of Agora's time."""
        self._number += 1
        audited, logged = len(self._audit()), set(self._invocations())
        begun = time.monotonic()
        request = {
            "cname": f"bill-{self._number}",
            "mode": "mix",
            "clientRequest": {
                "recordingConfig": {"channelType": 1, "streamTypes": 2},
                "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
            },
        }
        recording_id = self._api.call("POST", "/recordings", request).body["recordingId"]
        self._await(recording_id, "recording")
        time.sleep(seconds / SPEED)
        self._api.call("POST", f"/recordings/{recording_id}/stop")
        self._await(recording_id, "completed")
        hours = (time.monotonic() - begun) * SPEED / 3600
        time.sleep(2)  # until the last notifications are applied
        events = history(self._stack, recording_id)
        rows = self._rows(recording_id)
        notes = [item_size(row) for key, row in rows.items() if key.startswith("LOG#")]
        notified = [item_size(row) for key, row in rows.items() if key.startswith("EVT#")]
        took_ms = defaultdict(list)
        log_bytes = Counter[str]()
        for stream, (room, ms, size) in self._invocations().items():
            if stream not in logged:
                took_ms[room].append(ms)
                log_bytes[room] += size
        return Measured(
            hours=hours,
            states=[
                each["stateEnteredEventDetails"]["name"]
                for each in events
                if each["type"].endswith("StateEntered")
            ],
            retries=sum(each["type"] in ("TaskFailed", "TaskTimedOut") for each in events),
            took_ms=dict(took_ms),
            logged=dict(log_bytes),
            actions=Counter(
                (_room(each["principal"]), each["action"]) for each in self._audit()[audited:]
            ),
            notifications=len(notified),
            notes=len(notes),
            versions=(int(rows["META"]["version"]["N"]), int(rows["SESSION"]["version"]["N"])),
            bytes={
                "recording": item_size(rows["META"]),
                "session": item_size(rows["SESSION"]),
                "note": max(notes),
            },
            notification_kb=sum(map(_kilobytes, notified)),
        )

    def _await(self, recording_id: str, status: str) -> None:
        """Look into the table, since a look through the API would be counted."""
        end = time.monotonic() + PATIENCE_S
        key = {"PK": {"S": f"REC#{recording_id}"}, "SK": {"S": "META"}}
        while time.monotonic() < end:
            row = self._dynamodb.get_item(TableName=self._table, Key=key)["Item"]
            if row["status"]["S"] == status:
                return
            time.sleep(0.2)
        raise RuntimeError(f"not {status} but {row['status']['S']} after {PATIENCE_S} s")

    def _audit(self) -> list[dict[str, Any]]:
        lines = self._stack.emulator.audit.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _invocations(self) -> dict[str, tuple[str, float, int]]:
        """Return (room, milliseconds, bytes of its log) of each invocation so far; each has a log
        stream here.
        """
        group = self._stack.facts["resources"]["LogGroup"]
        lines: dict[str, list[str]] = defaultdict(list)
        for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=group):
            for event in page["events"]:
                lines[event["logStreamName"]].append(event["message"])
        found = {}
        for stream, messages in lines.items():
            text = "\n".join(messages)
            took = re.search(r"^REPORT .*?\tDuration: ([\d.]+) ms", text, re.MULTILINE)
            if took:
                found[stream] = (_logging_room(text), float(took[1]), log_size(text))
        return found

    def _rows(self, recording_id: str) -> dict[str, dict[str, Any]]:
        rows = self._partition(f"REC#{recording_id}")
        sid = rows["META"]["attempt"]["M"]["sid"]["S"]
        return rows | self._partition(f"SID#{sid}") | self._partition(f"SESSION#{sid}")

    def _partition(self, key: str) -> dict[str, dict[str, Any]]:
        items = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": key}},
            ConsistentRead=True,
        )["Items"]
        return {item["SK"]["S"]: item for item in items}


def _room(principal: str) -> str:
    """Return the room whose role this is."""
    return principal.split("/")[1].removeprefix("agora-recording-").split("Function")[0]


def _logging_room(text: str) -> str:
    """Return the room that wrote a log: some write their name, others what they count."""
    named = re.search(r'"function_name":"agora-recording-(\w+?)Function', text)
    if named:
        return named[1]
    if '"RecordingsOpen"' in text:
        return SWEEPER
    return NOTIFIED[0] if '"CloudWatchMetrics"' in text else NOTIFIED[1]


def log_size(text: str) -> int:
    """Return the bytes that CloudWatch counts for what a room itself wrote, a line an event."""
    lines = [each for each in text.splitlines() if each and not LAMBDAS_OWN.match(each)]
    return sum(len(each.encode()) + LOG_EVENT_BYTES for each in lines)


def item_size(item: Mapping[str, Any]) -> int:
    """Return an item's size in bytes, as DynamoDB counts it (DynamoDB: item sizes)."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    if kind == "S":
        return len(held.encode())
    if kind == "N":
        return len(held) // 2 + 1
    if kind == "L":
        return 3 + sum(1 + _value_size(each) for each in held)
    if kind == "M":
        return 3 + sum(len(name.encode()) + 1 + _value_size(each) for name, each in held.items())
    return 1 if kind in ("BOOL", "NULL") else len(held)


# --- from counts to dollars ---------------------------------------------------------------------


@cache
def bill() -> Bill:
    """Return the bill of what was measured."""
    short, long = measured()
    hours = long.hours - short.hours
    transitions = [len(each.states) + each.retries for each in (short, long)]
    events = [history_events(each) for each in (short, long)]
    notified = [_notified(each) for each in (short, long)]
    notified_hour = (notified[1] + notified[0] * -1) * (1 / hours)
    costs = [_workflow(each) for each in (short, long)]
    return Bill(
        recording=max(costs, key=lambda cost: cost.orchestration),
        sweeper_hour=_sweeper_hour(long),
        channels_hour=_channels_hour(long),
        notified=notified[0] + notified_hour * -short.hours,
        notified_hour=notified_hour,
        notifications_hour=(long.notifications - short.notifications) / hours,
        transitions=max(transitions),
        events=max(events),
        events_hour=_growth(short, long),
    )


def _growth(short: Measured, long: Measured) -> float:
    """Return the history events that an hour adds: those of the states up to the end's.

    How often the bucket is looked at after the end depends on the upload, not on the duration.
    """
    machine = Machine.shipped()
    parked = [each.states[: each.states.index(machine.parking) + 1] for each in (short, long)]
    return (len(parked[1]) - len(parked[0])) / (long.hours - short.hours)


def history_events(found: Measured) -> int:
    """Return how many history events AWS would have written."""
    machine = Machine.shipped()
    entered = [
        TOKEN_EVENTS if machine.takes_token(name) else EVENTS_OF[machine.type_of(name)]
        for name in found.states
    ]
    return FRAME_EVENTS + sum(entered) + RETRY_EVENTS * found.retries


def _workflow(found: Measured) -> Cost:
    rooms = [room for room in found.took_ms if room not in (SWEEPER, *NOTIFIED)]
    reads = found.count("dynamodb:GetItem", *rooms)
    reads += math.ceil(0.5 * found.count("dynamodb:Query", *rooms))
    puts = found.count("dynamodb:PutItem", *rooms)
    recording, note = (_kilobytes(found.bytes[name]) for name in ("recording", "note"))
    # The session's row is written once here, with its owner. Each note goes with a write of the
    # recording's row, both in one transaction.
    rows = puts - found.notes - 1
    together = min(rows, found.notes)
    writes = _kilobytes(found.bytes["session"])
    writes += together * 2 * (recording + note) + (rows - together) * recording
    writes += found.count("dynamodb:UpdateItem", *rooms)  # slots of the limiter
    writes += recording  # the task token, written by the state machine
    writes += NEW_ENTRIES + MOVED_ENTRIES * rows + STATUS_ENTRIES * STATUS_CHANGES
    s3_writes = found.count("s3:PutObject", *rooms) + found.count("s3:ListBucket", *rooms)
    return Cost(
        transitions=(len(found.states) + found.retries) * prices.TRANSITION,
        functions=sum(_function(found, room) for room in rooms),
        table=reads * prices.READ_UNIT + writes * prices.WRITE_UNIT,
        logs=_logs(found, *rooms),
        rest=s3_writes * prices.S3_WRITE
        + found.count("s3:GetObject", *rooms) * prices.S3_READ
        + found.count("events:PutEvents", *rooms) * prices.BUS_EVENT
        + QUEUE_CALLS * len(found.took_ms.get(ARRIVALS, ())) * prices.QUEUE_REQUEST
        + API_CALLS * prices.API_REQUEST,
    )


def _notified(found: Measured) -> Cost:
    """Return what the notifications cost, from the door to the row."""
    reads = found.count("dynamodb:GetItem", *NOTIFIED)
    sessions = found.versions[1] - 1
    rows = found.count("dynamodb:PutItem", NOTIFIED[1]) - sessions
    writes = found.notification_kb
    writes += sessions * _kilobytes(found.bytes["session"])
    writes += rows * (_kilobytes(found.bytes["recording"]) + MOVED_ENTRIES)
    return Cost(
        functions=sum(_function(found, room) for room in NOTIFIED),
        table=reads * prices.READ_UNIT + writes * prices.WRITE_UNIT,
        logs=_logs(found, *NOTIFIED),
        rest=found.notifications * prices.API_REQUEST,
    )


def _sweeper_hour(found: Measured) -> Cost:
    sweeps = len(found.took_ms[SWEEPER])
    reads = 0.5 * found.count("dynamodb:Query", SWEEPER) + found.count("dynamodb:GetItem", SWEEPER)
    writes = found.count("dynamodb:UpdateItem", SWEEPER) + found.count("dynamodb:PutItem", SWEEPER)
    # Those in between are asked for: a row that is heard of each minute has one each minute.
    an_hour = max(SWEEPS_AN_HOUR, sweeps / found.hours)
    share = an_hour / sweeps
    asked = QUEUE_CALLS * prices.QUEUE_REQUEST * (an_hour - SWEEPS_AN_HOUR)
    return Cost(
        functions=_function(found, SWEEPER) * share,
        table=(reads * prices.READ_UNIT + writes * prices.WRITE_UNIT) * share,
        logs=_logs(found, SWEEPER) * share,
        rest=SWEEPS_AN_HOUR * prices.SCHEDULE + asked,
    )


def _channels_hour(found: Measured) -> Cost:
    """Return what the sweeper of channels costs where none records itself: a sweep, one query."""
    idle = Cost(
        functions=_function(found, SWEEPER) / len(found.took_ms[SWEEPER]),
        table=0.5 * prices.READ_UNIT,
        rest=prices.SCHEDULE,
    )
    return idle * SWEEPS_AN_HOUR


def _logs(found: Measured, *rooms: str) -> float:
    """Return what the log lines of these rooms cost."""
    return sum(found.logged.get(room, 0) for room in rooms) * prices.LOG_BYTE


def _function(found: Measured, room: str) -> float:
    """Return what the invocations of a room cost."""
    took_ms = found.took_ms.get(room, [])
    if not took_ms:
        return 0
    # The median: a cold start here is a process on a busy laptop.
    seconds = (statistics.median(took_ms) + CALLS_OF.get(room, 0) * ANSWER_MS) / 1000
    price = prices.LAMBDA_REQUEST + seconds * _memory_gb(room) * prices.LAMBDA_GB_S
    return len(took_ms) * price


@cache
def _memory_gb(room: str) -> float:
    shared = template()["Globals"]["Function"]["MemorySize"]
    return float(functions()[f"{room}Function"].get("MemorySize", shared)) / 1024


def _kilobytes(size: int) -> int:
    return math.ceil(size / 1024)


def naive(seconds: float, interval_s: int) -> float:
    """Return what a Wait/query/Choice loop of its own costs for a recording.

    Twelve transitions, start and stop and their rows are paid as well; a look is a Lambda of 150 ms
    with 256 MB.
    """
    looks = seconds / interval_s
    look = prices.LAMBDA_REQUEST + 0.15 * 0.25 * prices.LAMBDA_GB_S
    return (3 * looks + 12) * prices.TRANSITION + looks * look + 14e-6


# --- results ------------------------------------------------------------------------------------


def run() -> dict[str, dict[str, Any]]:
    """Return the figures of design.md, and what they leave out."""
    found = bill()
    rows = {}
    for name, seconds in (("1h", 3600), ("30d", DURATIONS_S[-1])):
        value = round(found.events + found.events_hour * seconds / 3600)
        floor = LOOP_EVENTS * seconds // NAIVE_S[-1]
        rows[f"history_events_{name}"] = _row(value, "events", floor)
    cost = found.orchestration(3600, 1)
    rows["cost_1h_usd"] = {
        **_row(round(cost, 6), "$, alone", round(naive(3600, NAIVE_S[-1]), 6)),
        f"of_{TOGETHER}": round(found.orchestration(3600, TOGETHER), 6),
        "of_1000": round(found.orchestration(3600, 1000), 6),
        "everything": round(found.everything(3600, TOGETHER), 6),
    }
    return rows


def _row(value: float, unit: str, floor: float) -> dict[str, Any]:
    return {
        "value": value,
        "unit": unit,
        "floor": floor,
        "ratio": round(value / floor, 4),
        "n": len(measured()),
    }


# --- docs/costs.md ------------------------------------------------------------------------------


def write_page(page: Page) -> None:
    """Write the tables of docs/costs.md that come from the embedded run."""
    page.fill("bill", _durations())
    page.fill("items", _items())
    page.fill("counts", _counts())


def _durations() -> str:
    found, rows = bill(), []
    for seconds in DURATIONS_S:
        loops = [naive(seconds, each) for each in reversed(NAIVE_S)]
        executions = [_executions(LOOP_EVENTS * seconds / each) for each in reversed(NAIVE_S)]
        rows.append(
            [
                _duration(seconds),
                f"{found.events + found.events_hour * seconds / 3600:.0f}",
                _dollars(found.orchestration(seconds, 1)),
                _dollars(found.orchestration(seconds, TOGETHER)),
                _dollars(found.orchestration(seconds, 1000)),
                _dollars(found.everything(seconds, TOGETHER)),
                *(f"{_dollars(cost)}{note}" for cost, note in zip(loops, executions, strict=True)),
            ]
        )
    return table(
        f"recording|history events|alone|one of {TOGETHER}|one of 1,000|"
        f"with everything, one of {TOGETHER}|loop, 120 s|loop, 30 s",
        rows,
    )


def _executions(events: float) -> str:
    number = math.ceil(events / HISTORY_LIMIT)
    return f" ({number} executions)" if number > 1 else ""


def _items() -> str:
    found = bill()
    parts = {
        "the workflow, each recording": found.recording,
        "the sweeper, each hour of the stack": found.sweeper_hour,
        "the sweeper of channels, each hour of the stack": found.channels_hour,
        "notifications, each recording": found.notified,
        f"notifications, each hour ({found.notifications_hour:.0f})": found.notified_hour,
    }
    rows = [
        [
            name,
            *(_dollars(each) for each in msgspec.structs.astuple(cost)),
            _dollars(cost.whole),
        ]
        for name, cost in parts.items()
    ]
    return table("what|transitions|functions|table|logs|the rest|together", rows)


def _counts() -> str:
    short, long = measured()
    names = {room for each in (short, long) for room in each.took_ms}
    both = (short, long)
    rows = [
        ["state transitions", *(str(len(each.states) + each.retries) for each in both)],
        ["history events", *(str(history_events(each)) for each in both)],
    ]
    rows += [
        [f"`{room}`", *(_runs(each.took_ms.get(room, [])) for each in both)]
        for room in sorted(names)
    ]
    for action in ("GetItem", "Query", "PutItem", "UpdateItem"):
        for title, rooms in (
            ("sweeper", (SWEEPER,)),
            ("notifications", NOTIFIED),
            ("workflow", tuple(names - {SWEEPER, *NOTIFIED})),
        ):
            counts = [each.count(f"dynamodb:{action}", *rooms) for each in both]
            if any(counts):
                rows.append([f"{action}, {title}", *map(str, counts)])
    rows.append(["notifications", *(str(each.notifications) for each in both)])
    rows.append(["bytes of log lines", *(f"{sum(each.logged.values()):,}" for each in both)])
    rows.append(["bytes of the row", *(str(each.bytes["recording"]) for each in both)])
    return table(f"count|{short.hours * 60:.0f} minutes|{long.hours * 60:.0f} minutes", rows)


def _runs(took_ms: list[float]) -> str:
    if not took_ms:
        return "0"
    return f"{len(took_ms)}, each {statistics.median(took_ms):.0f} ms"


def _dollars(amount: float) -> str:
    return f"${amount:.6f}" if amount < 0.01 else f"${amount:.4f}"


def _duration(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds <= 86_400 else f"{seconds // 86_400} d"

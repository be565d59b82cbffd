"""What goes wrong between our rooms and AWS, at every operation of every process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import ReadTimeoutError

from local.template import functions
from simulation.luck import Kinds, Luck
from simulation.processes import Processes
from tests.world.errors import TransactionCanceledException, error
from tests.world.faults import Crash, Faults

if TYPE_CHECKING:
    from simulation.processes import Process

AGORAS = frozenset({"acquire", "start", "query", "stop", "update", "update_layout"})
"""Calls to Agora: what goes wrong with these goes wrong on the wire (wire.py)."""

WRITES: Kinds = (
    ("killed before", 3),
    ("killed after", 5),
    ("throttled", 4),
    ("failed", 3),
    ("answer lost", 5),
    ("sent twice", 3),
    ("slow", 2),
)
TRANSACTIONS: Kinds = (*WRITES, ("conflict", 6))
READS: Kinds = (("killed before", 3), ("throttled", 4), ("failed", 3), ("slow", 2))
QUERIES: Kinds = (*READS, ("stale", 12))

_SLOW_MS = (1500, 9000)
# Operation: the action that IAM asks for. Transactions need one for each kind of their writes.
_ACTIONS = {
    "get_item": "dynamodb:GetItem",
    "put_item": "dynamodb:PutItem",
    "update_item": "dynamodb:UpdateItem",
    "delete_item": "dynamodb:DeleteItem",
    "query": "dynamodb:Query",
    "batch_get_item": "dynamodb:BatchGetItem",
    "batch_write_item": "dynamodb:BatchWriteItem",
    "transact_write_items": "dynamodb:PutItem",
    "put_object": "s3:PutObject",
    "get_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket",
    "delete_objects": "s3:DeleteObjectVersion",
    "put_events": "events:PutEvents",
    "send_message": "sqs:SendMessage",
    "start_execution": "states:StartExecution",
    "send_task_success": "states:SendTaskSuccess",
    "describe_execution": "states:DescribeExecution",
    "create_schedule": "scheduler:CreateSchedule",
}


@cache
def may(function: str, operation: str) -> bool:
    """Tell whether the role of a function has the action that an operation needs."""
    action = _ACTIONS.get(operation)
    if action is None:
        return True
    policies = functions()[function].get("Policies", ())
    return any(
        action in _listed(statement["Action"])
        for policy in policies
        if "Statement" in policy
        for statement in policy["Statement"]
        if statement.get("Effect") == "Allow"
    )


def _listed(action: str | list[str]) -> list[str]:
    return [action] if isinstance(action, str) else action


class Weather(Faults):
    """Lets operations take their time, and some of them fail."""

    def __init__(self, luck: Luck, processes: Processes) -> None:
        super().__init__()
        self.luck = luck
        self.processes = processes
        self.trace: list[str] = []  # each operation: when, whose, which, and what went wrong
        self.forbidden: set[tuple[str, str]] = set()  # functions, and what they did without a right
        self.of_index = False  # the query that begins is of an index
        self.is_stale = False  # it gets what was there before

    @property
    def now_ms(self) -> int:
        """The true time."""
        return self.processes.timeline.now_ms

    def check(self) -> None:
        """Let a dead process do nothing more."""
        process = self.processes.current
        if process and process.is_dead:
            raise Crash

    def befall(self, process: Process, what: str, kinds: Kinds, likelier: float) -> tuple[str, str]:
        """Return where a call that leaves AWS is just now, and what goes wrong with it, or ""."""
        process.operations += 1
        place = f"{process.name}, {process.operations} {what}"
        kind = self.luck.fault(place, kinds, likelier=likelier) or ""
        self.trace.append(f"{self.now_ms} {place} {kind}")
        return place, kind

    def begins(self, name: str) -> None:
        """Let an operation begin, unless it is AWS's own."""
        process = self.processes.current
        if process is None or name in AGORAS:
            return
        kinds = TRANSACTIONS if name == "transact_write_items" else WRITES
        kind = self._meet(process, name, kinds)
        if kind == "conflict":
            reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            raise error(TransactionCanceledException, CancellationReasons=reasons)
        process.after = kind

    def ends(self, name: str) -> bool:
        """Let an operation end, which has happened; return whether it is sent again."""
        process = self.processes.current
        if process is None or name in AGORAS:
            return False
        kind, process.after = process.after, None
        if kind == "killed after":
            process.die()
        if kind == "answer lost":
            raise ReadTimeoutError(endpoint_url="https://aws")
        return kind == "sent twice"

    def reads(self, name: str) -> None:
        """Let something be read."""
        process = self.processes.current
        self.is_stale = False
        if process is not None:
            kinds, self.of_index = (QUERIES if self.of_index else READS), False
            self.is_stale = self._meet(process, name, kinds) == "stale"

    def _meet(self, process: Process, name: str, kinds: Kinds) -> str | None:
        """Let an operation take its time; return what goes wrong at its end."""
        self.check()
        if not may(process.function, name):
            self.forbidden.add((process.function, name))
        process.operations += 1
        place = f"{process.name}, {process.operations} {name}"
        kind = self.luck.fault(place, kinds)
        ms = self.luck.number(place, 1, 15)
        if kind == "slow":
            ms = self.luck.number(place, *_SLOW_MS)
        self.processes.pause(ms)
        self.trace.append(f"{self.now_ms} {place} {kind or ''}")
        if kind == "killed before":
            process.die()
        if kind == "throttled":
            raise error("ThrottlingException")
        if kind == "failed":
            raise error("InternalServerError")
        return kind

"""The health of a stack: the checks, the alarms with what to do, what was put aside, the firewall,
the limits, the versions.
"""

from __future__ import annotations

import platform
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.agora.limiter import pace
from agora_recording.clock import iso
from agora_recording.errors import RecordingError
from operate.console.desk import Desk
from operate.console.fleet import count_open
from operate.console.words import ago
from operate.doctor import checks
from operate.doctor.check import Check, Finding, State, examine

RUNBOOK = Path(__file__).parents[2] / "docs" / "operations.md"
_QUEUES = ("DeadLetters", "PoisonNotifications", "FileArrivals")
_PACKAGES = ("boto3", "msgspec", "requests", "aws-lambda-powertools")
_SHOWN_PARAMETERS = (
    "AgoraBaseUrl",
    "StorageCredentials",
    "NotificationIngress",
    "LateDays",
    "Speed",
)
_ALARM_STATES = {"ALARM": 0, "INSUFFICIENT_DATA": 1, "OK": 2}
_LIMITER = {"PK": {"S": "LIMITER"}, "SK": {"S": "LIMITER"}}


# --- the checks ---------------------------------------------------------------------------------


class Round:
    """One round of the checks, made in the background; read it as often as you like."""

    def __init__(self, desk: Desk, chosen: Sequence[Check] = checks.ALL) -> None:
        self._desk = desk
        self._chosen = chosen
        self._found: list[Finding] = []
        self.begun_at = iso(desk.now_ms())
        self._thread = threading.Thread(target=self._make, name="checks", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        for finding in examine(self._chosen, self._desk.patient):
            self._found.append(finding)

    @property
    def is_over(self) -> bool:
        """Tell whether every check was made."""
        return not self._thread.is_alive()

    def shown(self) -> dict[str, Any]:
        """Return {findings, counts, isOver, waiting, begunAt}: what is red first."""
        is_over, found = self.is_over, list(self._found)
        order = {"red": 0, "skipped": 1, "green": 2}
        found.sort(key=lambda each: order[each.state])
        counted = Counter(each.state for each in found)
        return {
            "findings": msgspec.to_builtins(found),
            "counts": {state: counted[state] for state in get_args(State)},
            "isOver": is_over,
            "waiting": len(self._chosen) - len(found),
            "begunAt": self.begun_at,
        }


# --- alarms -------------------------------------------------------------------------------------


def alarms(desk: Desk) -> dict[str, Any]:
    """Return {alarms, refusal}: each alarm with its state and the runbook's paragraphs; what rings
    comes first.
    """
    names = {
        physical: logical
        for logical, physical in desk.stack.resources.items()
        if logical.endswith("Alarm") or logical in ("NoRecentSweep", "EverSwept")
    }

    def ask() -> list[dict[str, Any]]:
        client = desk.patient.client("cloudwatch")
        found: list[dict[str, Any]] = []
        wanted = sorted(names)
        for first in range(0, len(wanted), 100):
            answer = client.describe_alarms(
                AlarmNames=wanted[first : first + 100], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            found += [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        return found

    found, refusal = _tried(ask, [])
    now = desk.now_ms()
    shown = [
        {
            "name": names[each["AlarmName"]],
            "state": each["StateValue"],
            "since": _since(each, now),
            "reason": each.get("StateReason", ""),
            "description": each.get("AlarmDescription", ""),
            "runbook": runbook().get(names[each["AlarmName"]], []),
        }
        for each in found
        if each["AlarmName"] in names and names[each["AlarmName"]].endswith("Alarm")
    ]
    shown.sort(key=lambda each: (_ALARM_STATES.get(each["state"], 0), each["name"]))
    return {"alarms": shown, "refusal": refusal}


def _since(alarm: dict[str, Any], now_ms: int) -> str:
    at = alarm.get("StateUpdatedTimestamp")
    return ago(iso(int(at.timestamp() * 1000)), now_ms) if at else ""


@cache
def runbook() -> dict[str, list[str]]:
    """Return the runbook's paragraphs of each alarm, without their marks of Markdown."""
    found: dict[str, list[str]] = {}
    if not RUNBOOK.exists():
        return found
    sections = re.split(r"^### ", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for section in sections[1:]:
        name, _, text = section.partition("\n")
        text = re.split(r"^## ", text, flags=re.MULTILINE)[0]
        if name.endswith("Alarm"):
            found[name.strip()] = [_plain(each) for each in text.strip().split("\n\n")]
    return found


def _plain(paragraph: str) -> str:
    lines = paragraph.splitlines()
    if lines and lines[0].startswith("|"):
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        text = "\n".join(f"{row[0]}: {'; '.join(row[1:])}" for row in rows[2:])
    else:
        text = " ".join(lines)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[`*]", "", text)


# --- what was put aside -------------------------------------------------------------------------


def queues(desk: Desk) -> dict[str, Any]:
    """Return {queues, refusal}: how many messages wait in each."""

    def ask() -> list[dict[str, Any]]:
        client = desk.patient.client("sqs")
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        found = []
        for logical in _QUEUES:
            url = desk.stack.resources.get(logical)
            if url:
                told = client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
                counts = [int(told["Attributes"].get(name, 0)) for name in names]
                found.append({"name": logical, "waiting": sum(counts)})
        return found

    found, refusal = _tried(ask, [])
    return {"queues": found, "refusal": refusal}


def replay(desk: Desk) -> dict[str, Any]:
    """Process again what was put aside; return {messages, refusal}."""
    found, refusal = _tried(desk.operator.replay, [])
    return {"messages": found, "refusal": refusal}


# --- the firewall -------------------------------------------------------------------------------


def firewall(desk: Desk) -> dict[str, Any]:
    """Return {plan, refusal}: what the next refresh would do. Nothing is written."""
    found, refusal = _tried(lambda: desk.operator.firewall(dry_run=True), None)
    return {"plan": found, "refusal": refusal}


def _tried(ask: Callable[[], Any], nothing: Any) -> tuple[Any, str]:
    """Return what is told, and ""; or `nothing`, and why it is not told."""
    try:
        return ask(), ""
    except (RecordingError, ClientError, BotoCoreError, OSError) as error:
        return nothing, str(error)


# --- limits and versions ------------------------------------------------------------------------


def limits(desk: Desk) -> dict[str, Any]:
    """Return how much of the limits is used: recordings at once, calls to Agora a second."""
    settings = desk.parts.settings
    rate = pace(settings.agora_concurrent_tasks, settings.agora_calls_per_second)

    def ask() -> dict[str, Any]:
        client = desk.parts.outside.dynamodb or desk.patient.client("dynamodb")
        row = client.get_item(TableName=settings.table_name, Key=_LIMITER).get("Item", {})
        next_ms = int(row["nextMs"]["N"]) if "nextMs" in row else None
        return {
            "open": count_open(desk),
            "lastCall": ago(iso(next_ms), desk.now_ms()) if next_ms else "",
        }

    found, refusal = _tried(ask, {"open": None, "lastCall": ""})
    return {
        **found,
        "concurrent": int(settings.agora_concurrent_tasks),
        "callsPerSecond": f"{rate:g}",
        "refusal": refusal,
    }


def versions(desk: Desk) -> list[tuple[str, str]]:
    """Return what runs here and there, as (name, value)."""
    stack = desk.stack
    here = [("Python here", platform.python_version())]
    here += [(f"{name} here", version(name)) for name in _PACKAGES]
    there = [
        (name, stack.parameters[name]) for name in _SHOWN_PARAMETERS if name in stack.parameters
    ]
    return [
        ("Stack", stack.name),
        ("Region", stack.region),
        ("API", stack.outputs.get("ApiUrl") or desk.patient.doors.api_url),
        ("Resources", str(len(stack.resources))),
        *there,
        *here,
    ]

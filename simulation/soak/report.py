"""What a soak came to, in words and numbers; and what is known of a promise that was broken."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agora_recording.aws.dynamodb import from_item
from local.stack import EmbeddedStack
from simulation.soak.witness import Breach

_LAST = 12  # calls of each kind that are told
_WIDTH = 80
_ID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{26}\b")
_SID = re.compile(r"\b[0-9a-f]{32}\b")
Rows = list[tuple[str, str]]


@dataclass
class Soaked:
    """The figures of a soak. Times are in seconds of this machine."""

    seconds: float
    speed: float
    seed: int
    recordings: int = 0
    most_at_once: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    deleted: int = 0
    sessions: int = 0
    notifications: int = 0
    calls: int = 0
    api: Counter[int] = field(default_factory=Counter)
    agora_calls: int = 0
    most_calls_a_second: int = 0
    writes: int = 0
    looks: int = 0
    calm_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> Rows:
        """The figures, each with its name."""
        answers = sum(self.api.values())
        refused = sum(count for status, count in self.api.items() if not 200 <= status < 500)
        return [
            ("recordings", f"{self.recordings:,}"),
            ("at a time, at most", f"{self.most_at_once:,}"),
            *((f"· {status}", f"{n:,}") for status, n in sorted(self.statuses.items())),
            ("· deleted afterwards", f"{self.deleted:,}"),
            ("sessions at Agora", f"{self.sessions:,}"),
            ("notifications sent by Agora", f"{self.notifications:,}"),
            (
                "calls of the HTTP API, and of these not answered, or with 5xx",
                f"{answers:,}, {refused:,}",
            ),
            (
                "calls to Agora, and the most in a second",
                f"{self.agora_calls:,}, {self.most_calls_a_second}",
            ),
            ("calls to AWS by the functions", f"{self.calls:,}"),
            ("writes of the table, each held to the contract", f"{self.writes:,}"),
            ("looks at the whole", f"{self.looks:,}"),
            ("seconds until all was over, after the last fault", f"{self.calm_s:.0f}"),
            ("faults", f"{self.faults.total():,}"),
            *((f"· {kind}", f"{n:,}") for kind, n in sorted(self.faults.items())),
            ("promises broken", "0"),
        ]

    def told(self) -> str:
        """Return the figures for a screen of 80 columns."""
        head = f"{self.seconds:.0f} seconds at {self.speed:g} times the speed, seed {self.seed}"
        lines = [f"{name:<{_WIDTH - 14}}{value:>14}" for name, value in self.rows]
        return "\n".join([head, "─" * _WIDTH, *lines])


def told(stack: EmbeddedStack, breaches: list[Breach]) -> str:
    """Return which promises were broken, and what is known of the first one's recording."""
    lines = [f"{each.promise}: {each.sentence}" for each in breaches[:10]]
    known = Known(stack)
    recording_id = known.recording_of(breaches[0].sentence)
    if recording_id:
        lines += known.told(recording_id)
    return "\n".join(lines)


class Known:
    """What the stack knows of a recording, for whoever looks for the cause."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self._stack = stack
        self._client = stack.client("dynamodb")
        self._table = stack.facts["resources"]["Table"]

    def recording_of(self, sentence: str) -> str | None:
        """Return the id of the recording that a sentence is about."""
        if found := _ID.search(sentence):
            return found[0]
        assert self._stack.agora is not None
        for sid in _SID.findall(sentence):
            task = self._stack.agora.world.recording(sid)
            if task:
                return task.prefix.rstrip("/").rpartition("/")[2]
        return None

    def told(self, recording_id: str) -> list[str]:
        """Return its row, its timeline, its sessions at Agora, and the last calls about it."""
        rows = self._rows(f"REC#{recording_id}")
        row = next((each for each in rows if each["SK"] == "META"), {})
        assert self._stack.agora is not None
        calls = [vars(each) for each in self._stack.agora.gateway.calls]
        emulator = self._stack.emulator
        return [
            f"\nthe row of {recording_id}:",
            json.dumps(row, indent=1, default=str),
            "\nits timeline:",
            *(json.dumps(each, default=str) for each in rows if each["SK"] != "META"),
            "\nits calls to Agora:",
            *(json.dumps(each) for each in calls if each["cname"] == row.get("cname")),
            "\nthe last calls to AWS about it:",
            *_last(emulator.calls, recording_id),
            "\nthe last faults:",
            *_last(emulator.faults, ""),
            "\nthe last lines of the log about it:",
            *_last(emulator.log, recording_id),
        ]

    def _rows(self, partition: str) -> list[dict[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="PK = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ConsistentRead=True,
        )
        return [from_item(item) for page in pages for item in page["Items"]]


def _last(path: Path, named: str) -> Iterator[str]:
    """Yield the last lines of a file that name something, not too long."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    yield from (line[:600] for line in [each for each in lines if named in each][-_LAST:])

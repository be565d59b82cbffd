"""Step Functions in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from tests.world.errors import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    InvalidToken,
    TaskDoesNotExist,
    TaskTimedOut,
    error,
)
from tests.world.faults import Faults, operation, reading


class FakeStepFunctions:
    """A Step Functions client that keeps executions and tokens; life.Machine runs them."""

    exceptions = SimpleNamespace(
        ExecutionAlreadyExists=ExecutionAlreadyExists,
        ExecutionDoesNotExist=ExecutionDoesNotExist,
        TaskTimedOut=TaskTimedOut,
        TaskDoesNotExist=TaskDoesNotExist,
        InvalidToken=InvalidToken,
    )

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.executions: dict[str, str] = {}  # name -> status
        self.tokens: set[str] = set()  # of parked tasks
        self.sent: list[tuple[str, Any]] = []

    @operation
    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        """Start an execution; the same again is the same while it runs (AWS: StartExecution)."""
        if self.executions.get(name, "RUNNING") != "RUNNING":
            raise error(ExecutionAlreadyExists)
        if name not in self.executions:
            self.executions[name] = "RUNNING"
            self.begin(name, msgspec.json.decode(input))
        return {"executionArn": f"{stateMachineArn}:{name}"}

    def begin(self, name: str, given: dict[str, Any]) -> None:
        """Begin to run an execution: nothing here."""

    @reading
    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        """Tell an execution's status."""
        name = executionArn.rsplit(":", 1)[-1]
        if name not in self.executions:
            raise error(ExecutionDoesNotExist)
        return {"status": self.executions[name]}

    @operation
    def send_task_success(self, *, taskToken: str, output: str) -> None:
        """Let a parked task go on. A token is good once."""
        if taskToken not in self.tokens:
            raise error(TaskTimedOut)
        self.tokens.remove(taskToken)
        self.sent.append((taskToken, msgspec.json.decode(output)))
        self.woken(taskToken, msgspec.json.decode(output))

    def woken(self, token: str, output: Any) -> None:
        """Go on with a parked task: nothing here."""

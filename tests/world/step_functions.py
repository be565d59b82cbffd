"""Step Functions in memory: a client that keeps executions, and one that runs them as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec

from tests.world.clock import Timeline
from tests.world.errors import (
    ExecutionAlreadyExists,
    ExecutionDoesNotExist,
    InvalidToken,
    TaskDoesNotExist,
    TaskTimedOut,
    error,
)
from tests.world.faults import Faults, operation, reading
from tests.world.machine import RUNNING, Execution, Machine


class FakeStepFunctions:
    """A Step Functions client that keeps executions and tokens, and runs nothing."""

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
        if self.executions.get(name, RUNNING) != RUNNING:
            raise error(ExecutionAlreadyExists)
        if name not in self.executions:
            self.executions[name] = RUNNING
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

    def get_paginator(self, name: str) -> Any:
        """Return something whose `paginate` tells the executions of a status, one on a page."""
        assert name == "list_executions"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, *, stateMachineArn: str, statusFilter: str) -> Iterator[dict[str, Any]]:
        arn = stateMachineArn.replace(":stateMachine:", ":execution:")
        yield {"executions": []}
        for name, status in list(self.executions.items()):
            if status == statusFilter:
                yield {"executions": [{"name": name, "executionArn": f"{arn}:{name}"}]}

    @operation
    def stop_execution(self, *, executionArn: str, cause: str) -> None:
        """End an execution from outside; one that is over cannot be ended."""
        name = executionArn.rsplit(":", 1)[-1]
        if self.executions.get(name) != RUNNING:
            raise error("ValidationException")
        self.kill(name)

    def kill(self, name: str) -> None:
        """End an execution."""
        self.executions[name] = "ABORTED"

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


class Failed(NamedTuple):
    """What a task answers that has failed: the name of the error, and its cause."""

    error: str
    cause: str = ""


Answer = Callable[[Any], None]
"""Takes what a task has answered, a result or `Failed`. What comes too late changes nothing."""


class StepFunctions(FakeStepFunctions):
    """Step Functions that runs the executions of one machine on a timeline.

    `invoke(function, event, answer)` runs a function of Lambda, at once or for a while, and gives
    `answer` what comes of it. `update_item` is DynamoDB's, for the state that calls it. `invoke_ms`
    pass before each task, `wake_ms` after a token was sent. `chance`, in [0, 1], is asked for the
    jitter of a retry; 1 is the longest wait.
    """

    def __init__(
        self,
        machine: Machine,
        timeline: Timeline,
        invoke: Callable[[str, Any, Answer], None],
        update_item: Callable[..., object],
        *,
        faults: Faults | None = None,
        chance: Callable[[], float] = lambda: 1.0,
        invoke_ms: int = 0,
        wake_ms: int = 0,
    ) -> None:
        super().__init__(faults)
        self.machine = machine
        self.runs: dict[str, Execution] = {}
        self._timeline = timeline
        self._invoke = invoke
        self._update_item = update_item
        self._chance = chance
        self._invoke_ms = invoke_ms
        self._wake_ms = wake_ms
        self._parked: dict[str, Execution] = {}  # by token

    @property
    def open(self) -> list[Execution]:
        """The executions that are not over, in the order of their start."""
        return [each for each in self.runs.values() if each.status == RUNNING]

    # --- what others do ---

    def begin(self, name: str, given: dict[str, Any]) -> None:
        """Begin at the first state."""
        execution = self._new(name, given)
        self.machine.enter(execution, self.machine.start)
        self.go(execution)

    def settle(self, name: str, given: dict[str, Any], state: str, token: str | None) -> Execution:
        """Let an execution be in some state, parked on a token if one is given.

        The time-outs of the state and of the whole begin now.
        """
        execution = self._new(name, given)
        self.machine.enter(execution, state)
        if token:
            self._wait(execution, token)
        return execution

    def forget(self) -> None:
        """Let there be no executions, as if none had ever been."""
        for execution in self.open:
            self._end(execution, "ABORTED")
        self.runs.clear()
        self.executions.clear()

    def kill(self, name: str) -> None:
        """End an execution from outside, as an operator may."""
        self._end(self.runs[name], "ABORTED")

    def woken(self, token: str, output: Any, after_ms: int | None = None) -> None:
        """Let the execution go on that is parked on a token."""
        execution = self._parked[token]
        self._leave(execution)
        self.machine.succeed(execution, output)
        wait_ms = self._wake_ms if after_ms is None else after_ms
        execution.timer = self._timeline.at(self._timeline() + wait_ms, self.go, execution)

    # --- what an execution does ---

    def go(self, execution: Execution) -> None:
        """Do what the state wants that an execution has come to, now or when it is time."""
        execution.timer = None
        machine, timeline = self.machine, self._timeline
        while execution.status == RUNNING and machine.type_of(execution.state) == "Choice":
            machine.choose(execution)
        if execution.status != RUNNING:
            self._close(execution)
        elif machine.type_of(execution.state) == "Wait":
            execution.timer = timeline.later(machine.wait_s(execution), self._end_wait, execution)
        else:
            execution.timer = timeline.at(timeline() + self._invoke_ms, self.perform, execution)

    def time_out(self, execution: Execution) -> None:
        """Let the time of a Task be over."""
        execution.timer = None
        self._answer(execution, execution.turn, Failed("States.Timeout"))

    def perform(self, execution: Execution) -> None:
        """Do a Task once, now."""
        execution.timer = None
        execution.turn += 1
        token = f"{execution.name}-token-{execution.turn}"
        task = self.machine.task(execution, token)
        is_parking = self.machine.takes_token(execution.state)
        self._wait(execution, token if is_parking else None)
        answer = partial(self._answer, execution, execution.turn)
        if task.function:
            # As on AWS, what a function is given is JSON, and its own.
            given = msgspec.json.decode(msgspec.json.encode(task.given))
            self._invoke(task.function, given, answer)
            return
        try:
            self._update_item(**task.given)
        except Exception as failure:  # Step Functions names all errors of the SDK
            answer(Failed(f"DynamoDb.{type(failure).__name__}", str(failure)))

    def _new(self, name: str, given: dict[str, Any]) -> Execution:
        execution = self.runs[name] = Execution(name, given)
        self.executions[name] = RUNNING
        life_s = self.machine.life_s
        if life_s is not None:
            execution.end_timer = self._timeline.later(life_s, self._time_out_all, execution)
        return execution

    def _wait(self, execution: Execution, token: str | None) -> None:
        """Wait for the answer to a task, or for its token, or for the end of its time."""
        if token:
            execution.token = token
            self.tokens.add(token)
            self._parked[token] = execution
        timeout_s = self.machine.timeout_s(execution)
        execution.timer = self._timeline.later(timeout_s, self.time_out, execution)

    def _time_out_all(self, execution: Execution) -> None:
        execution.end_timer = None
        self._end(execution, "TIMED_OUT")

    def _answer(self, execution: Execution, turn: int, result: Any) -> None:
        """Take what a task has answered; what comes too late is nothing any more."""
        if turn != execution.turn:
            return
        if isinstance(result, Failed):
            self._leave(execution)
            wait_s = self.machine.fail(execution, *result, self._chance)
            if wait_s is None:
                self.go(execution)
            else:
                execution.timer = self._timeline.later(wait_s, self.go, execution)
        elif execution.token is None:
            self._leave(execution)
            # As on AWS, a result is JSON.
            result = msgspec.json.decode(msgspec.json.encode(result))
            self.machine.succeed(execution, result)
            self.go(execution)

    def _end_wait(self, execution: Execution) -> None:
        execution.timer = None
        self.machine.go_on(execution)
        self.go(execution)

    def _leave(self, execution: Execution) -> None:
        """Wait for nothing any more."""
        execution.turn += 1
        if execution.timer is not None:
            self._timeline.cancel(execution.timer)
            execution.timer = None
        if execution.token is not None:
            self.tokens.discard(execution.token)
            self._parked.pop(execution.token, None)
            execution.token = None

    def _end(self, execution: Execution, status: str) -> None:
        self._leave(execution)
        execution.status = status
        self._close(execution)

    def _close(self, execution: Execution) -> None:
        if execution.end_timer is not None:
            self._timeline.cancel(execution.end_timer)
            execution.end_timer = None
        self.executions[execution.name] = execution.status

"""StartExecution of an execution that runs, with the same name and input, is a success on AWS."""

from __future__ import annotations

from typing import Any

from ministack.core import responses
from ministack.services import stepfunctions


def start_once() -> None:
    """Answer a repeated start as the first one, while the execution runs."""
    start = stepfunctions._start_execution

    def start_or_find(data: dict[str, Any]) -> Any:
        running = _running(data)
        if running is None:
            return start(data)
        found = {"executionArn": running["executionArn"], "startDate": running["startDate"]}
        return responses.json_response(found)

    stepfunctions._start_execution = start_or_find


def _running(data: dict[str, Any]) -> dict[str, Any] | None:
    """Return the running execution of a standard machine that this call would start."""
    arn = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", "").split("#")[0])
    machine = stepfunctions._state_machines[arn] if arn else None
    if machine is None or machine.get("type") == "EXPRESS" or not data.get("name"):
        return None
    place = machine["stateMachineArn"].replace(":stateMachine:", ":execution:")
    found: dict[str, Any] | None = stepfunctions._executions.get(f"{place}:{data['name']}")
    is_same = found is not None and found["input"] == data.get("input", "{}")
    return found if found and is_same and found["status"] == "RUNNING" else None

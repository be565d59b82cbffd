"""The shipped state machine, as far as the simulation needs an interpreter of it."""

from __future__ import annotations

from functools import cache
from typing import Any, Self

from samtranslator.yaml_helper import yaml_parse

from local.package import ROOT, definition, numbers_of, parameters


@cache
def _template() -> dict[str, Any]:
    found: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return found


@cache
def template_defaults() -> dict[str, str]:
    """Return the template's parameters as they are when nobody sets them."""
    return parameters(_template(), {})


class Execution:
    """Where one execution is, with its data and its retries of the state it is in."""

    __slots__ = ("data", "recording_id", "state", "tries")

    def __init__(self, recording_id: str) -> None:
        self.recording_id = recording_id
        self.state = ""
        self.data: dict[str, Any] = {"recordingId": recording_id}
        self.tries: dict[int, int] = {}

    def enter(self, state: str) -> None:
        """Go to a state."""
        self.state = state
        self.tries = {}


class Machine:
    """States of the Amazon States Language (JSONPath), of the kinds that the definition uses."""

    def __init__(self, declared: dict[str, Any]) -> None:
        self._states: dict[str, dict[str, Any]] = declared["States"]
        self.start: str = declared["StartAt"]
        self.parking = next(
            name
            for name, state in self._states.items()
            if state.get("Resource", "").endswith("updateItem.waitForTaskToken")
        )

    @classmethod
    @cache
    def shipped(cls) -> Self:
        """Return the definition in statemachine/, with the numbers of the template's defaults."""
        path = ROOT / "statemachine" / "recording.asl.yaml"
        machine = _template()["Resources"]["RecordingStateMachine"]["Properties"]
        numbers = numbers_of(machine["DefinitionSubstitutions"], template_defaults())
        return cls(definition(path, numbers))

    def is_parked_at(self, state: str) -> bool:
        """Tell whether the state is a task that waits for its token."""
        return str(self._states[state].get("Resource")).endswith("waitForTaskToken")

    def type_of(self, state: str) -> str:
        """Return the type of a state."""
        return str(self._states[state]["Type"])

    def room(self, execution: Execution) -> str:
        """Return the function (its logical id) that the state calls."""
        state = self._states[execution.state]
        named = state.get("Parameters", {}).get("FunctionName", state["Resource"])
        return str(named).strip("${}")

    def wait_s(self, execution: Execution) -> float:
        """Return how long a Wait waits."""
        state = self._states[execution.state]
        if "Seconds" in state:
            return float(state["Seconds"])
        return float(_read(execution.data, state["SecondsPath"]))

    def choose(self, execution: Execution) -> str:
        """Return where a Choice leads."""
        state = self._states[execution.state]
        for rule in state["Choices"]:
            if _read(execution.data, rule["Variable"]) == rule["StringEquals"]:
                return str(rule["Next"])
        return str(state["Default"])

    def next(self, execution: Execution) -> str | None:
        """Return the state after this one, None after the last."""
        return self._states[execution.state].get("Next")

    def succeed(self, execution: Execution, result: Any) -> str | None:
        """Keep a task's result; return the state after it, None after the last."""
        self._keep(execution, self._states[execution.state], result)
        return self.next(execution)

    def fail(self, execution: Execution, error: str, chance: float) -> tuple[float, str | None]:
        """Return (seconds until the retry, None), or (0, the state that catches the error).

        `chance` in [0, 1) is the full jitter's. Raises LookupError when nothing catches it.
        """
        state = self._states[execution.state]
        for number, retry in enumerate(state.get("Retry", ())):
            if error in retry["ErrorEquals"] or "States.ALL" in retry["ErrorEquals"]:
                tried = execution.tries.get(number, 0)
                if tried < retry.get("MaxAttempts", 3):
                    execution.tries[number] = tried + 1
                    wait_s = float(retry.get("IntervalSeconds", 1))
                    wait_s *= float(retry.get("BackoffRate", 2)) ** tried
                    wait_s = min(wait_s, float(retry.get("MaxDelaySeconds", wait_s)))
                    return wait_s * (chance if retry.get("JitterStrategy") == "FULL" else 1), None
                break
        for catch in state.get("Catch", ()):
            if error in catch["ErrorEquals"] or "States.ALL" in catch["ErrorEquals"]:
                self._keep(execution, catch, {"Error": error})
                return 0, str(catch["Next"])
        raise LookupError(f"{execution.state} does not catch {error}")

    @staticmethod
    def _keep(execution: Execution, state: dict[str, Any], result: Any) -> None:
        if "ResultPath" in state:
            execution.data[state["ResultPath"].removeprefix("$.")] = result


def _read(data: Any, path: str) -> Any:
    for name in path.removeprefix("$.").split("."):
        data = data[name]
    return data

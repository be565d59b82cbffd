"""The state machine, interpreted: the Amazon States Language with JSONPath, as far as it is used.

`Machine` is the definition. It says what a state asks for and where an execution goes from there;
it knows no time and runs nothing (step_functions.py does). What the shipped definition does not use
is not understood, and refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from local import template

RUNNING = "RUNNING"
_FIELDS = {
    "Task": {
        "Catch",
        "End",
        "Next",
        "Parameters",
        "Resource",
        "ResultPath",
        "Retry",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
    },
    "Choice": {"Choices", "Default"},
    "Wait": {"Next", "Seconds", "SecondsPath"},
}
_RETRIER = {
    "BackoffRate",
    "ErrorEquals",
    "IntervalSeconds",
    "JitterStrategy",
    "MaxAttempts",
    "MaxDelaySeconds",
}
_CATCHER = {"ErrorEquals", "Next", "ResultPath"}
_RULE = {"Next", "StringEquals", "Variable"}
# A call through the SDK that waits for its token: `arn:aws:states:::aws-sdk:<action>.waitFor…`.
_TOKEN = ".waitForTaskToken"
_INVOKE = ":::lambda:invoke" + _TOKEN
_SDK = ":::aws-sdk:"


def definition(**values: str) -> dict[str, Any]:
    """Return the shipped definition as it would be deployed.

    Numbers are those given, else the template's defaults; stand-ins are there for names and ARNs.
    """
    names = {
        name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        for name in template.substitutions()
        if name.endswith("Function")
    }
    numbers = template.numbers(template.parameters({}))
    return template.definition(
        {**names, "Partition": "aws", "TableName": "table", **numbers, **values}
    )


def room_of(state: Mapping[str, Any]) -> str | None:
    """Return the logical id of the function that a state calls, if it calls one."""
    named = state.get("Parameters", {}).get("FunctionName", state.get("Resource", ""))
    return str(named).rpartition(":")[2] if ":lambda:" in named else None


class Execution:
    """One run of the machine: where it is, what it carries, and how often it tried what failed.

    `turn` numbers what it waits for just now, so that an answer that comes too late is known.
    """

    __slots__ = (
        "data",
        "end_timer",
        "history",
        "name",
        "state",
        "status",
        "timer",
        "token",
        "tries",
        "turn",
    )

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data
        self.state = ""
        self.status = RUNNING
        self.tries: dict[int, int] = {}  # by the number of the retrier
        self.history: list[str] = []  # the states entered
        self.turn = 0
        self.token: str | None = None  # of the task that it is parked on
        self.timer: int | None = None  # the event of the timeline that is its next
        self.end_timer: int | None = None  # the event at which its whole time is over


class Task(NamedTuple):
    """What a Task state asks for.

    Either a function of Lambda by its name, or an action of the SDK ("dynamodb:updateItem").
    """

    function: str | None
    action: str | None
    given: Any


class Machine:
    """A definition. Raises ValueError when it has what is not understood here."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self.states: dict[str, dict[str, Any]] = declared["States"]
        self.start: str = declared["StartAt"]
        self.life_s: float | None = declared.get("TimeoutSeconds")
        for name, state in self.states.items():
            _check(name, state)

    @classmethod
    @cache
    def shipped(cls) -> Machine:
        """Return the machine of the stack, with the numbers of the template's defaults."""
        return cls(definition())

    @property
    def parking(self) -> str:
        """The state that waits, by a call of the SDK, for the end of a session."""
        (name,) = (name for name in self.states if _is_parking(self.states[name]))
        return name

    def type_of(self, state: str) -> str:
        """Return the type of a state."""
        return str(self.states[state]["Type"])

    def takes_token(self, state: str) -> bool:
        """Tell whether a state is a task that waits for its token."""
        return str(self.states[state].get("Resource")).endswith(_TOKEN)

    # --- what a state asks for ---

    def wait_s(self, execution: Execution) -> float:
        """Return how long a Wait waits."""
        state = self.states[execution.state]
        if "Seconds" in state:
            return float(state["Seconds"])
        return float(at(state["SecondsPath"], execution.data))

    def task(self, execution: Execution, token: str) -> Task:
        """Return what a Task asks for; `token` is used where the state waits for one."""
        state = self.states[execution.state]
        resource = state["Resource"]
        given: Any = execution.data
        if "Parameters" in state:
            given = filled(state["Parameters"], execution.data, token)
        if _SDK in resource:
            return Task(None, resource.partition(_SDK)[2].removesuffix(_TOKEN), given)
        if resource.endswith(_INVOKE):
            function, given = given["FunctionName"], given["Payload"]
        else:
            function = resource
        return Task(function.rpartition(":")[2], None, given)

    def timeout_s(self, execution: Execution) -> float:
        """Return how long a Task may take."""
        state = self.states[execution.state]
        if "TimeoutSecondsPath" in state:
            return float(at(state["TimeoutSecondsPath"], execution.data))
        return float(state["TimeoutSeconds"])

    # --- where an execution goes ---

    def enter(self, execution: Execution, state: str) -> None:
        """Go to a state."""
        execution.state = state
        execution.tries.clear()
        execution.history.append(state)

    def go_on(self, execution: Execution) -> None:
        """Leave a Wait."""
        self.enter(execution, self.states[execution.state]["Next"])

    def choose(self, execution: Execution) -> None:
        """Leave a Choice."""
        state = self.states[execution.state]
        for rule in state["Choices"]:
            if at(rule["Variable"], execution.data) == rule["StringEquals"]:
                self.enter(execution, rule["Next"])
                return
        if "Default" in state:
            self.enter(execution, state["Default"])
        else:
            execution.status = "FAILED"  # States.NoChoiceMatched, which nothing catches

    def succeed(self, execution: Execution, result: Any) -> None:
        """Leave a Task with its result; after the last one the execution has succeeded."""
        state = self.states[execution.state]
        _put(execution, state, result)
        if state.get("End"):
            execution.status = "SUCCEEDED"
        else:
            self.enter(execution, state["Next"])

    def fail(
        self,
        execution: Execution,
        error: str,
        cause: str = "",
        chance: Callable[[], float] = lambda: 1.0,
    ) -> float | None:
        """Take an error of a Task: return the seconds after which it is tried again, else None.

        Then it has gone to the state that catches the error or, where none does, has failed.
        `chance`, in [0, 1], is asked once a retrier names the error: full jitter waits for that
        share of the time.
        """
        state = self.states[execution.state]
        for number, retrier in enumerate(state.get("Retry", ())):
            if _names(retrier, error):
                share = chance()
                tried = execution.tries.get(number, 0)
                if tried >= retrier.get("MaxAttempts", 3):
                    break
                execution.tries[number] = tried + 1
                wait_s = float(retrier.get("IntervalSeconds", 1))
                wait_s *= float(retrier.get("BackoffRate", 2)) ** tried
                wait_s = min(wait_s, float(retrier.get("MaxDelaySeconds", wait_s)))
                return wait_s * (share if retrier.get("JitterStrategy") == "FULL" else 1)
        for catcher in state.get("Catch", ()):
            if _names(catcher, error):
                _put(execution, catcher, {"Error": error, "Cause": cause})
                self.enter(execution, catcher["Next"])
                return None
        execution.status = "FAILED"
        return None


def at(path: str, data: Any) -> Any:
    """Return what a path ("$.a.b") leads to. Raises KeyError."""
    for name in path.split(".")[1:]:
        data = data[name]
    return data


def filled(parameters: Any, data: Any, token: str) -> Any:
    """Return Parameters with their `.$` fields worked out."""
    if not isinstance(parameters, dict):
        return parameters
    known = {}
    for name, value in parameters.items():
        if not name.endswith(".$"):
            known[name] = filled(value, data, token)
        elif value == "$$.Task.Token":
            known[name[:-2]] = token
        elif match := re.fullmatch(r"States\.Format\('(.*)', (\$.*)\)", value):
            known[name[:-2]] = match[1].replace("{}", at(match[2], data))
        else:
            known[name[:-2]] = at(value, data)
    return known


def _put(execution: Execution, place: Mapping[str, Any], value: Any) -> None:
    """Keep a result where `ResultPath` says; without one it takes the place of everything."""
    path = place.get("ResultPath", "$")
    if path == "$":
        execution.data = value
    elif path is not None:
        execution.data[path.removeprefix("$.")] = value


def _names(rule: Mapping[str, Any], error: str) -> bool:
    names = rule["ErrorEquals"]
    return (
        error in names
        or "States.ALL" in names
        or ("States.TaskFailed" in names and error != "States.Timeout")
    )


def _is_parking(state: Mapping[str, Any]) -> bool:
    resource = state.get("Resource", "")
    return _SDK in resource and resource.endswith(_TOKEN)


def _check(name: str, state: Mapping[str, Any]) -> None:
    known = _FIELDS.get(state["Type"], set())
    strange = state.keys() - known - {"Comment", "Type"}
    for rules, fields in (("Retry", _RETRIER), ("Catch", _CATCHER), ("Choices", _RULE)):
        for rule in state.get(rules, ()):
            strange |= rule.keys() - fields - {"Comment"}
    for place in (state, *state.get("Catch", ())):
        path = place.get("ResultPath")
        if path is not None and not re.fullmatch(r"\$(\.\w+)?", path):
            strange |= {path}
    resource = state.get("Resource", "")
    if ":::" in resource and not (resource.endswith(_INVOKE) or _is_parking(state)):
        strange |= {resource}
    if strange or not known:
        raise ValueError(f"{name}: {', '.join(sorted(strange)) or state['Type']}")

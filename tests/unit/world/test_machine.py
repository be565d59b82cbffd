"""The interpreter of the state machine: what the language says, state by state; then in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.world.clock import Timeline
from tests.world.errors import ConditionalCheckFailedException, TaskTimedOut, error
from tests.world.machine import Execution, Machine, at, definition, filled, room_of
from tests.world.step_functions import Answer, Failed, StepFunctions

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
TOKEN_TASK = "arn:aws:states:::lambda:invoke.waitForTaskToken"
SDK_TASK = "arn:aws:states:::aws-sdk:dynamodb:updateItem.waitForTaskToken"


def task(**fields: Any) -> dict[str, Any]:
    """Return a Task that calls the function `work` and ends."""
    state = {"Type": "Task", "Resource": f"{LAMBDA}work", "TimeoutSeconds": 60}
    return {**state, **({} if "Next" in fields else {"End": True}), **fields}


def machine(**states: dict[str, Any]) -> Machine:
    """Return a machine that begins at the first of some states."""
    return Machine({"StartAt": next(iter(states)), "States": states})


def standing(at: Machine, **data: Any) -> Execution:
    """Return an execution at the first state."""
    execution = Execution("one", data)
    at.enter(execution, at.start)
    return execution


# --- the language --------------------------------------------------------------------------------


def test_the_shipped_definition_is_understood_whole() -> None:
    shipped = Machine.shipped()
    assert shipped.start == "Start recording"
    assert shipped.parking == "Await end"
    assert shipped.states["Wait before stopping again"]["Seconds"] == 15
    assert {name for name in shipped.states if shipped.takes_token(name)} == {
        "Await end",
        "Await upload",
    }


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Parallel", "Branches": []},
        task(HeartbeatSeconds=5),
        task(ResultPath="$.a.b"),
        task(Resource="arn:aws:states:::sqs:sendMessage"),
        task(Retry=[{"ErrorEquals": ["States.ALL"], "Unknown": 1}]),
        task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "A", "Output": {}}]),
        {"Type": "Choice", "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "A"}]},
        {"Type": "Wait", "Timestamp": "2026-01-01T00:00:00Z", "Next": "A"},
    ],
)
def test_what_is_not_understood_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^Begin: "):
        machine(Begin=state)


def test_the_definition_takes_the_templates_numbers_or_those_given() -> None:
    assert definition()["TimeoutSeconds"] == 3_196_800
    assert definition(ExecutionTimeoutSeconds="60")["TimeoutSeconds"] == 60


def test_a_state_names_its_function_however_it_calls_it() -> None:
    assert room_of(task()) == "work"
    called = {"FunctionName": f"{LAMBDA}park", "Payload": {}}
    assert room_of(task(Resource=TOKEN_TASK, Parameters=called)) == "park"
    assert room_of(task(Resource=SDK_TASK, Parameters={})) is None


def test_a_choice_takes_the_first_rule_that_holds_else_its_default() -> None:
    choice = {
        "Type": "Choice",
        "Choices": [
            {"Variable": "$.a.b", "StringEquals": "x", "Next": "One"},
            {"Variable": "$.a.b", "StringEquals": "y", "Next": "Other"},
        ],
    }
    with_default = machine(Begin={**choice, "Default": "Else"}, Else=task())
    for value, expected in (("x", "One"), ("y", "Other"), ("z", "Else")):
        execution = standing(with_default, a={"b": value})
        with_default.choose(execution)
        assert execution.state == expected
    lost = standing(machine(Begin=choice), a={"b": "z"})
    machine(Begin=choice).choose(lost)
    assert lost.status == "FAILED"


def test_a_wait_is_as_long_as_the_definition_or_the_data_says() -> None:
    fixed = machine(Begin={"Type": "Wait", "Seconds": 15, "Next": "A"})
    assert fixed.wait_s(standing(fixed)) == 15
    told = machine(Begin={"Type": "Wait", "SecondsPath": "$.a.s", "Next": "A"})
    assert told.wait_s(standing(told, a={"s": 7})) == 7


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ({"ResultPath": "$.result"}, {"old": 1, "result": "new"}),
        ({"ResultPath": None}, {"old": 1}),
        ({"ResultPath": "$"}, "new"),
        ({}, "new"),
    ],
)
def test_a_result_goes_where_its_path_says(path: dict[str, Any], expected: Any) -> None:
    found = machine(Begin=task(**path))
    execution = standing(found, old=1)
    found.succeed(execution, "new")
    assert (execution.data, execution.status) == (expected, "SUCCEEDED")


def test_parameters_are_filled_from_the_data_and_with_the_token() -> None:
    parameters = {
        "Key": {"S.$": "States.Format('REC#{}', $.id)"},
        "Values": {":token": {"S.$": "$$.Task.Token"}, ":one": {"N": "1"}},
        "Name.$": "$.a.b",
    }
    assert filled(parameters, {"id": "7", "a": {"b": 2}}, "token") == {
        "Key": {"S": "REC#7"},
        "Values": {":token": {"S": "token"}, ":one": {"N": "1"}},
        "Name": 2,
    }
    with pytest.raises(KeyError):
        at("$.a.c", {"a": {"b": 2}})


# --- retry and catch -----------------------------------------------------------------------------


def waits(found: Machine, name: str, share: float = 1) -> list[float]:
    """Return how long each retry of an error waits, until it is retried no more."""
    execution = standing(found)
    told = []
    while (wait_s := found.fail(execution, name, chance=lambda: share)) is not None:
        told.append(wait_s)
    return told


def test_a_retry_waits_longer_and_longer_up_to_its_longest() -> None:
    retrier = {
        "ErrorEquals": ["BusyError"],
        "IntervalSeconds": 2,
        "BackoffRate": 1.5,
        "MaxDelaySeconds": 5,
        "MaxAttempts": 5,
    }
    assert waits(machine(Begin=task(Retry=[retrier])), "BusyError") == [2, 3, 4.5, 5, 5]


def test_a_retry_that_says_nothing_has_the_languages_defaults() -> None:
    assert waits(machine(Begin=task(Retry=[{"ErrorEquals": ["A"]}])), "A") == [1, 2, 4]


def test_full_jitter_waits_for_a_share_of_the_time() -> None:
    retrier = {"ErrorEquals": ["A"], "IntervalSeconds": 8, "JitterStrategy": "FULL"}
    assert waits(machine(Begin=task(Retry=[retrier])), "A", 0.25) == [2, 4, 8]


def test_chance_is_asked_only_where_a_retrier_names_the_error() -> None:
    asked = []

    def chance() -> float:
        asked.append(True)
        return 1

    found = machine(Begin=task(Retry=[{"ErrorEquals": ["A"], "MaxAttempts": 0}]))
    found.fail(standing(found), "B", chance=chance)
    assert asked == []
    found.fail(standing(found), "A", chance=chance)
    assert asked == [True]


def test_only_the_first_retrier_that_names_an_error_counts() -> None:
    retriers = [{"ErrorEquals": ["A"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]
    found = machine(Begin=task(Retry=retriers))
    assert waits(found, "A") == []
    assert waits(found, "B") == [1, 2, 4]


def test_each_retrier_counts_for_itself_until_the_state_is_left() -> None:
    retriers = [{"ErrorEquals": [name], "MaxAttempts": 1} for name in ("A", "B")]
    found = machine(Begin=task(Retry=retriers, Catch=[_catch("Begin")]))
    execution = standing(found)
    assert [found.fail(execution, name) for name in ("A", "B", "A")] == [1, 1, None]
    assert found.fail(execution, "A") == 1, "it has been entered anew"


def _catch(state: str, *names: str) -> dict[str, Any]:
    return {"ErrorEquals": list(names or ["States.ALL"]), "ResultPath": "$.failure", "Next": state}


def test_the_first_catcher_that_names_the_error_gets_it_with_its_cause() -> None:
    catchers = [_catch("One", "A"), _catch("Two", "States.TaskFailed"), _catch("Three")]
    found = machine(Begin=task(Catch=catchers), One=task(), Two=task(), Three=task())
    for name, expected in (("A", "One"), ("B", "Two"), ("States.Timeout", "Three")):
        execution = standing(found)
        assert found.fail(execution, name, "since") is None
        assert execution.state == expected
        assert execution.data["failure"] == {"Error": name, "Cause": "since"}


def test_an_error_that_nobody_catches_ends_the_execution() -> None:
    found = machine(Begin=task())
    execution = standing(found)
    assert found.fail(execution, "A") is None
    assert execution.status == "FAILED"


# --- in time -------------------------------------------------------------------------------------


class Rooms:
    """Step Functions beside a function that answers by script, and a table that may refuse."""

    def __init__(self, found: Machine, *answers: Any, takes_s: float = 0, **more: Any) -> None:
        self.timeline = Timeline(0)
        self.answers = list(answers)
        self.takes_s = takes_s
        self.asked: list[tuple[int, Any]] = []
        self.meanwhile: Callable[[Any], None] = lambda _: None
        self.refusal: Exception | None = None
        self.machine = StepFunctions(found, self.timeline, self.invoke, self.write, **more)

    def invoke(self, function: str, event: Any, answer: Answer) -> None:
        assert function == "work"
        self.asked.append((self.timeline(), event))
        self.meanwhile(event)
        if self.answers:
            self.timeline.later(self.takes_s, answer, self.answers.pop(0))

    def write(self, **request: Any) -> None:
        self.asked.append((self.timeline(), request))
        if self.refusal:
            raise self.refusal

    def run(self, seconds: float = 10**6, **data: Any) -> Execution:
        self.machine.start_execution(stateMachineArn="m", name="one", input="{}")
        execution = self.machine.runs["one"]
        execution.data.update(data)
        self.timeline.run(round(seconds * 1000), most=1000)
        return execution

    @property
    def instants_s(self) -> list[float]:
        return [at_ms / 1000 for at_ms, _ in self.asked]


def parking(**fields: Any) -> dict[str, Any]:
    parameters = {"Token.$": "$$.Task.Token"}
    return task(Resource=SDK_TASK, Parameters=parameters, ResultPath="$.woken", **fields)


def asking(**fields: Any) -> dict[str, Any]:
    payload = {"token.$": "$$.Task.Token"}
    parameters = {"FunctionName": f"{LAMBDA}work", "Payload": payload}
    return task(Resource=TOKEN_TASK, Parameters=parameters, **fields)


def test_an_execution_goes_from_state_to_state_and_ends() -> None:
    states = {
        "Begin": task(Next="Pause", ResultPath="$.first"),
        "Pause": {"Type": "Wait", "Seconds": 10, "Next": "Which"},
        "Which": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.first.to", "StringEquals": "end", "Next": "End"}],
        },
        "End": task(ResultPath="$.last"),
    }
    rooms = Rooms(machine(**states), {"to": "end"}, (1, 2), takes_s=3)
    execution = rooms.run()
    assert execution.history == ["Begin", "Pause", "Which", "End"]
    assert execution.data == {"first": {"to": "end"}, "last": [1, 2]}, "a result is JSON"
    assert rooms.instants_s == [0, 13]
    assert rooms.machine.executions == {"one": "SUCCEEDED"}
    assert rooms.machine.open == []
    assert rooms.timeline() == 16_000, "nothing is left to happen"


def test_a_function_is_given_a_copy_of_the_data() -> None:
    rooms = Rooms(machine(Begin=task(ResultPath=None)), None)
    rooms.meanwhile = lambda event: event.clear()
    assert rooms.run(kept=1).data == {"kept": 1}


def test_what_failed_is_tried_again_after_its_wait() -> None:
    retrier = {"ErrorEquals": ["A"], "IntervalSeconds": 2, "JitterStrategy": "FULL"}
    failed = Failed("A", "since")
    begin = task(Retry=[retrier])
    rooms = Rooms(machine(Begin=begin), failed, failed, "done", chance=lambda: 0.5, invoke_ms=50)
    assert rooms.run().status == "SUCCEEDED"
    assert rooms.instants_s == [0.05, 1.1, 3.15]


def test_a_task_that_does_not_answer_in_time_has_failed() -> None:
    begin = task(TimeoutSeconds=30, Catch=[_catch("End", "States.Timeout")], Next="End")
    rooms = Rooms(machine(Begin=begin, End=task(ResultPath="$.last")), "too late", "last")
    rooms.takes_s = 40
    execution = rooms.run()
    assert rooms.instants_s == [0, 30]
    assert execution.data["failure"]["Error"] == "States.Timeout"
    assert execution.data["last"] == "last", "the late answer is nothing any more"


def test_a_time_out_may_be_told_by_the_data() -> None:
    begin = parking(TimeoutSecondsPath="$.longest")
    del begin["TimeoutSeconds"]
    rooms = Rooms(machine(Begin=begin))
    assert rooms.run(longest=90).status == "FAILED"
    assert rooms.timeline() == 90_000


def test_a_parked_execution_goes_on_by_its_token_once() -> None:
    rooms = Rooms(machine(Begin=parking()), wake_ms=100)
    rooms.run(5)
    ((_, request),) = rooms.asked
    token = request["Token"]
    assert rooms.machine.tokens == {token}
    rooms.machine.send_task_success(taskToken=token, output='{"reason": "x"}')
    with pytest.raises(TaskTimedOut):
        rooms.machine.send_task_success(taskToken=token, output="{}")
    assert rooms.machine.executions["one"] == "RUNNING"
    rooms.timeline.run(10**9)
    assert rooms.timeline() == 5100, "its time-out is not waited for"
    execution = rooms.machine.runs["one"]
    assert (execution.status, execution.data) == ("SUCCEEDED", {"woken": {"reason": "x"}})


def test_a_refused_write_is_an_error_by_dynamodbs_name() -> None:
    name = "DynamoDb.ConditionalCheckFailedException"
    rooms = Rooms(machine(Begin=parking(Catch=[_catch("End", name)]), End=task()), "done")
    rooms.refusal = error(ConditionalCheckFailedException)
    assert rooms.run().status == "SUCCEEDED"
    assert rooms.machine.tokens == set()


def test_a_function_may_use_its_token_before_it_returns() -> None:
    rooms = Rooms(machine(Begin=asking(ResultPath="$.result")), Failed("A"))
    rooms.meanwhile = lambda event: rooms.machine.send_task_success(
        taskToken=event["token"], output='"all there"'
    )
    execution = rooms.run()
    assert (execution.status, execution.data) == ("SUCCEEDED", {"result": "all there"})


def test_what_a_function_returns_that_was_given_a_token_is_nothing() -> None:
    rooms = Rooms(machine(Begin=asking()), {"outcome": "pending"})
    assert rooms.run(5).status == "RUNNING"
    assert len(rooms.machine.tokens) == 1


def test_a_function_that_fails_before_it_used_its_token_has_failed() -> None:
    rooms = Rooms(machine(Begin=asking()), Failed("A"))
    assert rooms.run().status == "FAILED"
    assert rooms.machine.tokens == set()


def test_an_execution_has_a_longest_time_of_its_own() -> None:
    states = {"Begin": parking(TimeoutSeconds=1000)}
    rooms = Rooms(Machine({"StartAt": "Begin", "TimeoutSeconds": 100, "States": states}))
    assert rooms.run().status == "TIMED_OUT"
    assert rooms.timeline() == 100_000
    assert rooms.machine.tokens == set()


def test_an_execution_may_be_killed_and_does_nothing_more() -> None:
    begin = {"Type": "Wait", "Seconds": 10, "Next": "End"}
    rooms = Rooms(machine(Begin=begin, End=task()))
    rooms.timeline.at(5000, lambda: rooms.machine.kill("one"))
    assert rooms.run().status == "ABORTED"
    assert rooms.asked == []
    assert rooms.timeline() == 5000


def test_an_execution_can_be_put_where_it_has_been_for_long() -> None:
    rooms = Rooms(machine(Begin=task(Next="Park"), Park=parking()))
    execution = rooms.machine.settle("one", {"id": 7}, "Park", "token")
    assert rooms.machine.executions == {"one": "RUNNING"}
    rooms.machine.send_task_success(taskToken="token", output="{}")
    rooms.timeline.run(1000)
    assert (execution.status, execution.data) == ("SUCCEEDED", {"id": 7, "woken": {}})

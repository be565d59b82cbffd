"""The shipped state machine, walked over scripted rooms.

A path is a script: what each room answers, in turn. The test then says which states were walked.
Each is told twice, in moto's interpreter and in the one of these tests (tests/world/machine.py). So
what ours does, another one does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaFunction
from moto.core.config import default_user_config

from tests.world.clock import Timeline
from tests.world.machine import Machine, definition
from tests.world.step_functions import Answer as Answered
from tests.world.step_functions import Failed, StepFunctions
from tests.world.table import FakeTable, table_properties

STARTED = {"attempt": 1, "sid": "a" * 32, "maxDurationSeconds": 3600, "waitSeconds": 0}
RECORDING = {**STARTED, "verdict": "recording"}
Answer = dict[str, Any] | Exception


class World:
    """A table, the machine, and rooms that answer by script."""

    dynamodb: Any
    stepfunctions: Any
    machine = "machine"

    def __init__(self) -> None:
        self.scripts: dict[str, list[Answer]] = {}
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def script(self, **rooms: list[Answer]) -> None:
        """Say what each room answers, in turn; the last answer is repeated."""
        self.scripts = {_logical_id(name): answers for name, answers in rooms.items()}

    def answer(self, name: str, payload: dict[str, Any]) -> Answer:
        """Return what a room answers."""
        self.heard.append((name, payload))
        answers = self.scripts[name]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == {"outcome": "complete"}:
            # As the room does it: before it returns.
            self._let_files_come(payload["taskToken"])
        return answer

    def row(self, **more: Any) -> None:
        """Write the recording's row."""
        item = {"PK": {"S": "REC#R1"}, "SK": {"S": "META"}, "version": {"N": "1"}, **more}
        self.dynamodb.put_item(TableName="table", Item=item)

    def walk(self, *, wake: bool = True, files_come: bool = False) -> tuple[str, list[str]]:
        """Run an execution; return (status, states in order).

        It is woken when it parks, and the files of a recording that waits for them come late.
        """
        arn = self.stepfunctions.start_execution(
            stateMachineArn=self.machine, name="R1", input=json.dumps({"recordingId": "R1"})
        )["executionArn"]
        for _ in range(2000):
            status = self.stepfunctions.describe_execution(executionArn=arn)["status"]
            if status != "RUNNING":
                return status, self.states(arn)
            if wake:
                self._wake()
            if files_come:
                waiting = [event for name, event in self.heard if name == "AwaitUploadFunction"]
                for event in waiting:
                    self._let_files_come(event["taskToken"])
                    files_come = False
            self.pause()
        raise AssertionError("the execution never ended")

    def states(self, arn: str) -> list[str]:
        """Return the states that an execution entered."""
        raise NotImplementedError

    def pause(self) -> None:
        """Let 10 ms pass."""
        raise NotImplementedError

    def _let_files_come(self, token: str) -> None:
        self.stepfunctions.send_task_success(
            taskToken=token, output=json.dumps({"verdict": "complete"})
        )

    def _wake(self) -> None:
        key = {"PK": {"S": "REC#R1"}, "SK": {"S": "META"}}
        item = self.dynamodb.get_item(TableName="table", Key=key)["Item"]
        if token := item.pop("taskToken", {}).get("S"):
            self.dynamodb.put_item(TableName="table", Item=item)
            self.stepfunctions.send_task_success(
                taskToken=token, output=json.dumps({"reason": "STOP_REQUESTED"})
            )


class Ours(World):
    """The interpreter of these tests, in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.timeline = Timeline(0)
        self.dynamodb = FakeTable()
        self.stepfunctions = StepFunctions(
            Machine(_impatient()), self.timeline, self._invoke, self.dynamodb.change
        )

    def states(self, arn: str) -> list[str]:
        history: list[str] = self.stepfunctions.runs["R1"].history
        return history

    def pause(self) -> None:
        self.timeline.run(self.timeline() + 10)

    def _invoke(self, function: str, event: Any, answered: Answered) -> None:
        answer = self.answer(function, event)
        answered(Failed(type(answer).__name__) if isinstance(answer, Exception) else answer)


class Moto(World):
    """Moto's interpreter, in real time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.dynamodb = boto3.client("dynamodb")
        self.stepfunctions = boto3.client("stepfunctions")
        names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
        properties = {name: table_properties()[name] for name in names}
        self.dynamodb.create_table(TableName="table", **properties)
        role = boto3.client("iam").create_role(RoleName="any", AssumeRolePolicyDocument="{}")[
            "Role"
        ]["Arn"]

        def invoke(function: Any, event: Any) -> tuple[str, bool, str]:
            return self._invoke(function, event)

        monkeypatch.setattr(LambdaFunction, "_invoke_lambda", invoke)
        for name in ("Start", "Query", "Stop", "AwaitUpload", "Publish"):
            self._create_function(_logical_id(name), role)
        self.machine = self.stepfunctions.create_state_machine(
            name="recording",
            roleArn=role,
            definition=json.dumps(_impatient()),
        )["stateMachineArn"]

    def states(self, arn: str) -> list[str]:
        history = self.stepfunctions.get_execution_history(executionArn=arn, maxResults=1000)
        return [
            each["stateEnteredEventDetails"]["name"]
            for each in history["events"]
            if "stateEnteredEventDetails" in each
        ]

    def pause(self) -> None:
        time.sleep(0.01)

    def _create_function(self, name: str, role: str) -> None:
        boto3.client("lambda").create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="app.lambda_handler",
            Code={"ZipFile": b"PK\x05\x06" + b"\0" * 18},
        )

    def _invoke(self, function: Any, event: Any) -> tuple[str, bool, str]:
        payload = json.loads(event) if isinstance(event, str) else event
        answer = self.answer(function.function_name, payload)
        if isinstance(answer, Exception):
            error = {"errorType": type(answer).__name__, "errorMessage": str(answer)}
            return json.dumps(error), True, ""
        return json.dumps(answer), False, ""


def _impatient() -> dict[str, Any]:
    """Return the definition with one repetition where there are several: it waits in real time."""
    machine = definition(StopAgainSeconds="0", ExecutionTimeoutSeconds="60")
    for state in machine["States"].values():
        for retry in state.get("Retry", ()):
            if retry["MaxAttempts"]:
                retry |= {"MaxAttempts": 1, "IntervalSeconds": 1}
    return machine


def _logical_id(room: str) -> str:
    return f"{room if room == 'AwaitUpload' else room + 'Recording'}Function"


def _named(name: str) -> Exception:
    """Return an exception whose class has this name: all that crosses the wire."""
    error: Exception = type(name, (Exception,), {})("scripted")
    return error


@pytest.fixture(params=["ours", "moto"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    if request.param == "ours":
        yield Ours()
        return
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
    with mock_aws():
        yield Moto(monkeypatch)


HAPPY = [
    "Start recording",
    "Wait before query",
    "Query recording",
    "Is it recording?",
    "Await end",
    "Stop recording",
    "Is it over?",
    "Await upload",
    "Publish recording",
]
ENDING: dict[str, list[Answer]] = {
    "Stop": [{"next": "await upload"}],
    "AwaitUpload": [{"outcome": "complete"}],
    "Publish": [{"status": "completed"}],
}


def test_the_happy_path_walks_nine_states(world: World) -> None:
    world.row()
    world.script(Start=[STARTED], Query=[RECORDING], **ENDING)
    assert world.walk() == ("SUCCEEDED", HAPPY)


def test_a_start_that_takes_its_time_is_asked_again(world: World) -> None:
    world.row()
    wait = {**STARTED, "verdict": "wait"}
    world.script(Start=[STARTED], Query=[wait, wait, RECORDING], **ENDING)
    status, states = world.walk()
    assert status == "SUCCEEDED"
    assert states.count("Query recording") == 3


def test_a_reason_that_came_before_the_parking_is_seen(world: World) -> None:
    world.row(stopReason={"S": "STOP_REQUESTED"})
    world.script(Start=[STARTED], Query=[RECORDING], **ENDING)
    assert world.walk(wake=False) == ("SUCCEEDED", HAPPY)


def test_a_session_that_died_is_followed_by_a_new_one(world: World) -> None:
    world.row()
    world.script(
        Start=[STARTED, {**STARTED, "attempt": 2}],
        Query=[RECORDING],
        Stop=[{"next": "start"}, {"next": "await upload"}],
        AwaitUpload=ENDING["AwaitUpload"],
        Publish=ENDING["Publish"],
    )
    status, states = world.walk()
    assert status == "SUCCEEDED"
    assert states == [*HAPPY[:7], *HAPPY]


def test_a_stop_that_is_not_believed_is_repeated(world: World) -> None:
    world.row()
    world.script(
        Start=[STARTED],
        Query=[RECORDING],
        Stop=[{"next": "stop again"}, {"next": "stop again"}, {"next": "await upload"}],
        AwaitUpload=ENDING["AwaitUpload"],
        Publish=ENDING["Publish"],
    )
    _, states = world.walk()
    assert states.count("Wait before stopping again") == 2


def test_files_that_are_not_there_yet_are_waited_for(world: World) -> None:
    world.row()
    world.script(
        Start=[STARTED],
        Query=[RECORDING],
        Stop=ENDING["Stop"],
        AwaitUpload=[{"outcome": "pending"}],
        Publish=ENDING["Publish"],
    )
    assert world.walk(files_come=True) == ("SUCCEEDED", HAPPY)


def test_files_that_cannot_be_looked_at_are_tried_again_by_the_name_of_the_error(
    world: World,
) -> None:
    world.row()
    script = {**ENDING, "AwaitUpload": [_named("WriteConflictError"), *ENDING["AwaitUpload"]]}
    world.script(Start=[STARTED], Query=[RECORDING], **script)
    assert world.walk() == ("SUCCEEDED", HAPPY)
    assert [room for room, _ in world.heard].count("AwaitUploadFunction") == 2


def test_files_that_cannot_be_looked_at_at_all_are_published_as_they_are(world: World) -> None:
    world.row()
    script: dict[str, list[Answer]] = {**ENDING, "AwaitUpload": [_named("AccessDenied")]}
    world.script(Start=[STARTED], Query=[RECORDING], **script)
    assert world.walk() == ("SUCCEEDED", HAPPY)
    published = next(event for name, event in world.heard if name == "PublishRecordingFunction")
    assert published["failure"]["Error"] == "AccessDenied"


def test_a_start_that_is_refused_for_good_is_published_as_failed(world: World) -> None:
    world.row()
    world.script(
        Start=[_named("AgoraRefusedError")],
        Stop=[{"next": "publish"}],
        Publish=[{"status": "failed"}],
    )
    status, states = world.walk()
    assert status == "SUCCEEDED"
    assert states == ["Start recording", "Stop recording", "Is it over?", "Publish recording"]
    stop = next(event for name, event in world.heard if name == "StopRecordingFunction")
    assert stop["failure"]["Error"] == "AgoraRefusedError"


@pytest.mark.parametrize("name", ["ResourceExpiredError"])
def test_a_start_is_retried_by_the_name_of_its_error(world: World, name: str) -> None:
    world.row()
    world.script(Start=[_named(name), STARTED], Query=[RECORDING], **ENDING)
    assert world.walk() == ("SUCCEEDED", HAPPY)
    assert [room for room, _ in world.heard].count("StartRecordingFunction") == 2


def test_a_start_that_never_confirms_is_stopped(world: World) -> None:
    world.row()
    world.script(
        Start=[STARTED],
        Query=[{**STARTED, "verdict": "over"}],
        Stop=[{"next": "publish"}],
        Publish=[{"status": "failed"}],
    )
    _, states = world.walk()
    assert "Await end" not in states

"""`make rehearse`: a deploy, an update while a recording runs, and the deletion, as on AWS.

It differs from the demo in what it deploys: what `sam build` made, by `sam deploy`, with SAM's
change sets. What the emulator cannot do is in `local/sam.py`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from local.api import Api, send
from local.emulator import REGION, EmulatorError
from local.sam import Release, Sam
from local.screen import Screen
from local.stack import STACK_NAME, EmbeddedStack
from local.template import ROOT as REPOSITORY
from local.template import parameters, template

SPEED = 20
PATIENCE_S = 60
LOOK_S = 0.25
TERMINAL = ("completed", "incomplete", "failed")
# What the update changes besides the code: the state machine, the API, the bucket, the log group.
CHANGED = {
    "StopAgainSeconds": "16",
    "NotificationRate": "50",
    "RetentionDays": "90",
    "LogRetentionDays": "60",
}


class RehearsalError(EmulatorError):
    """Something is not as it would have to be on AWS; the message says what."""


class RehearsedStack(EmbeddedStack):
    """The embedded stack, deployed by SAM."""

    sam: Sam

    def deploy(self, number: int, given: dict[str, str]) -> None:
        """Deploy a release; `given` are the parameters that are new. Raises EmulatorError."""
        self._values |= given
        release = Release(number)
        release.make(parameters(self._values), self.environment)
        self.dropped = release.dropped
        self.sam.deploy(release, given)

    def describe(self, number: int) -> dict[str, Any]:
        """Return {functions: hash of code and layers by name, machine, starts of a release}."""
        functions = self.client("lambda").get_paginator("list_functions").paginate()
        machine = self.facts["resources"]["RecordingStateMachine"]
        described = self.client("stepfunctions").describe_state_machine(stateMachineArn=machine)
        pages = (
            self.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=self.facts["resources"]["LogGroup"])
        )
        mark = Release(number).mark
        return {
            "functions": {
                each["FunctionName"]: (
                    each["CodeSha256"],
                    [layer["Arn"] for layer in each.get("Layers", [])],
                )
                for page in functions
                for each in page["Functions"]
            },
            "machine": described["definition"],
            "starts": sum(mark in event["message"] for page in pages for event in page["events"]),
        }

    def _make(self, given: dict[str, Any]) -> None:
        self.sam = Sam(self.emulator.url, STACK_NAME)
        self._values: dict[str, str] = {}
        self.deploy(1, {name: str(value) for name, value in given.items()})


def run(screen: Screen) -> int:
    """Rehearse; return 0. Raises RehearsalError or EmulatorError with what is wrong."""
    screen.head("Rehearsal: deploy, update while a recording runs, delete")
    screen.line(f"Time runs {SPEED} times faster. AWS and Agora are emulated on this machine.\n")
    with RehearsedStack(speed=SPEED) as stack:
        screen.step("deployed", f"by `sam deploy`: {len(stack.facts['resources'])} resources")
        if stack.dropped:
            screen.line(f"           left out: {', '.join(stack.dropped)}")
        _Rehearsal(screen, stack).play()
    return 0


class _Rehearsal:
    def __init__(self, screen: Screen, stack: RehearsedStack) -> None:
        self._screen = screen
        self._stack = stack
        self._api = Api(stack.facts)

    def play(self) -> None:
        recording_id = self._record("rehearsal")
        running = self._until(recording_id, "recording")
        self._screen.step("a recording runs", f"{recording_id}, session {running['sid']}")
        self._update(recording_id)
        still = self._show(recording_id)
        _must(
            (still["status"], still["sid"]) == ("recording", running["sid"]),
            f"the recording did not live through the update: {still}",
        )
        self._screen.step("the recording lived through it", "the same session, never started again")
        self._api.call("POST", f"/recordings/{recording_id}/stop")
        ended = self._until(recording_id, *TERMINAL)
        _must(
            ended["status"] == "completed",
            f"the recording ended {ended['status']}: {ended.get('reason', '')}",
        )
        starts = [each for each in self._calls() if each["endpoint"] == "start"]
        _must(len(starts) == 1, f"Agora was asked to start {len(starts)} times")
        _must(self._stack.describe(2)["starts"] > 0, "no function of the new release ran")
        self._screen.step("the recording is completed", "published by the new release")
        self._delete()

    def _update(self, recording_id: str) -> None:
        before = self._stack.describe(1)
        with _Caller(lambda: self._api.call("GET", f"/recordings/{recording_id}").status) as caller:
            self._stack.deploy(2, CHANGED)
        after = self._stack.describe(2)
        _must(before["functions"].keys() == after["functions"].keys(), "functions were replaced")
        old = [
            name
            for name, (code, layers) in before["functions"].items()
            if code == after["functions"][name][0] or layers == after["functions"][name][1]
        ]
        _must(not old, f"not updated: {', '.join(sorted(old))}")
        _must(before["machine"] != after["machine"], "the state machine was not updated")
        refused = [status for status in caller.statuses if status != 200]
        _must(not refused, f"the API answered {sorted(set(refused))} during the update")
        self._screen.step(
            "updated",
            f"{len(after['functions'])} functions with their layer, the state machine, the API; "
            f"{len(caller.statuses)} calls answered meanwhile",
        )

    def _delete(self) -> None:
        recording_id = self._record("forgotten")
        self._until(recording_id, "recording")
        self._operate("teardown", "--wait", "60")
        _must(self._show(recording_id)["status"] in TERMINAL, "teardown left a recording open")
        self._screen.step("torn down", "a recording that was still running has stopped")
        resources = self._stack.facts["resources"]
        stack_id = self._stack.client("cloudformation").describe_stacks(StackName=STACK_NAME)[
            "Stacks"
        ][0]["StackId"]
        self._stack.sam.delete()
        cloudformation = self._stack.client("cloudformation")
        (gone,) = cloudformation.describe_stacks(StackName=stack_id)["Stacks"]
        _must(gone["StackStatus"] == "DELETE_COMPLETE", f"the stack is {gone['StackStatus']}")
        pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
        kept = sorted(
            {
                event["LogicalResourceId"]
                for page in pages
                for event in page["StackEvents"]
                if event["ResourceStatus"] == "DELETE_SKIPPED"
            }
        )
        _must(kept == _retained(), f"kept: {kept}; the template says {_retained()}")
        listed = self._stack.client("s3").list_objects_v2(
            Bucket=resources["Bucket"], Prefix="recordings/"
        )
        names = [each["Key"].rpartition("/")[2] for each in listed["Contents"]]
        _must(names.count("manifest.json") == 2, f"the bucket has {names}")
        left = self._stack.client("lambda").list_functions()["Functions"]
        _must(not left, f"{len(left)} functions are left")
        self._screen.step("deleted", f"by `sam delete`; kept: {', '.join(kept)}")

    # --- the app, the operator, Agora ---

    def _record(self, cname: str) -> str:
        answer = self._api.call("POST", "/recordings", {"cname": cname})
        _must(answer.status == 202, f"a recording was refused: {answer}")
        recording_id: str = answer.body["recordingId"]
        return recording_id

    def _show(self, recording_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self._api.call("GET", f"/recordings/{recording_id}").body
        return shown

    def _until(self, recording_id: str, *statuses: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while (shown := self._show(recording_id)).get("status") not in (*statuses, *TERMINAL):
            _must(time.monotonic() < end, f"not {' or '.join(statuses)} in {PATIENCE_S} s: {shown}")
            self._screen.live(str(shown.get("status")))
            time.sleep(LOOK_S)
        return shown

    def _operate(self, *command: str) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "operate", "--stack", STACK_NAME, "--region", REGION, *command],
            cwd=REPOSITORY,
            env=self._stack.sam.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
        )
        _must(ran.returncode == 0, f"`{command[0]}` failed: {ran.stdout}{ran.stderr}")

    def _calls(self) -> list[dict[str, Any]]:
        url = f"{self._stack.facts['agora_url']}/_control/calls"
        calls: list[dict[str, Any]] = send("GET", url, None, {}).body["calls"]
        return calls


class _Caller(AbstractContextManager["_Caller"]):
    """An app that calls again and again while something else happens."""

    def __init__(self, call: Callable[[], int]) -> None:
        self.statuses: list[int] = []
        self._call = call
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(PATIENCE_S)

    def _go(self) -> None:
        while not self._over.wait(LOOK_S):
            self.statuses.append(self._call())


def _retained() -> list[str]:
    """Return what the template keeps, of what this stack has, when it is deleted."""
    kept = ("Retain", "RetainExceptOnCreate")
    return sorted(
        name for name, each in template()["Resources"].items() if each.get("DeletionPolicy") in kept
    )


def _must(holds: bool, sentence: str) -> None:
    if not holds:
        raise RehearsalError(sentence[:1].upper() + sentence[1:] + ".")

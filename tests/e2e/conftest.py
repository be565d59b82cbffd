"""One embedded stack for all stories of a worker; each story has a channel of its own.

The stories of a file run on one worker, in order (`--dist loadfile`).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, cast

import pytest

from agora_recording.aws.dynamodb import from_item
from local.api import Api, Response, send
from local.stack import EmbeddedStack
from tests.e2e import evidence

SPEED = 30
TERMINAL = ("completed", "incomplete", "failed")
AT_ONCE = 12

_told = pytest.StashKey[dict[str, Future[None]]]()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "together: tell the story at the same time as its module's others"
    )
    config.stash[_told] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Begin all stories of a module that are marked `together` when the first of them is called.

    Most of a story is waiting. Such a story takes `stage` and parameters, and no other fixture.
    """
    if not pyfuncitem.get_closest_marker("together"):
        return None
    told = pyfuncitem.config.stash[_told]
    if pyfuncitem.nodeid not in told:
        stage = cast("Stage", pyfuncitem.funcargs["stage"])
        for item in pyfuncitem.session.items:
            if (
                isinstance(item, pytest.Function)
                and item.module is pyfuncitem.module
                and item.get_closest_marker("together")
            ):
                parameters = item.callspec.params if hasattr(item, "callspec") else {}
                told[item.nodeid] = stage.tellers.submit(item.obj, stage=stage, **parameters)
    told[pyfuncitem.nodeid].result()
    return True


class Stage:
    """The embedded stack, with the few verbs that stories are told in."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self.stack = stack
        self.facts = stack.facts
        self.api = Api(stack.facts)
        self.table = stack.facts["resources"]["Table"]
        self.bucket = stack.facts["resources"]["Bucket"]
        self.dynamodb = stack.client("dynamodb")
        self.s3 = stack.client("s3")
        self.stepfunctions = stack.client("stepfunctions")
        self.told: set[str] = set()  # files whose stories were told here
        self._door = threading.Lock()
        self.tellers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="story")

    # --- the app ---

    def record(self, cname: str, **more: Any) -> str:
        """Ask for a recording; return its id."""
        # One at a time, until its start has begun: so a few processes of each function serve all.
        with self._door:
            answer = self.api.call("POST", "/recordings", {"cname": cname, **more})
            assert answer.status == 202, answer
            recording_id: str = answer.body["recordingId"]
            self.await_row(recording_id, lambda row: row["status"] != "requested")
        return recording_id

    def stop(self, recording_id: str) -> Response:
        """Ask to stop."""
        return self.api.call("POST", f"/recordings/{recording_id}/stop")

    def row(self, recording_id: str) -> dict[str, Any]:
        """Return the row as it is."""
        answer = self.dynamodb.get_item(
            TableName=self.table,
            Key={"PK": {"S": f"REC#{recording_id}"}, "SK": {"S": "META"}},
            ConsistentRead=True,
        )
        return from_item(answer["Item"])

    def until(self, recording_id: str, *statuses: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until the recording has one of these statuses; return its row."""
        return self.await_row(recording_id, lambda row: row["status"] in statuses, seconds)

    def await_row(
        self, recording_id: str, condition: Callable[[dict[str, Any]], Any], seconds: float = 120
    ) -> dict[str, Any]:
        """Wait until the row fulfils a condition; return it."""
        found: dict[str, Any] = eventually(
            lambda: row if condition(row := self.row(recording_id)) else None,
            f"recording {recording_id}",
            seconds,
            lambda: json.dumps(self.row(recording_id), indent=1),
        )
        return found

    def finish(self, recording_id: str, seconds: float = 120) -> dict[str, Any]:
        """Wait for the end; return the row."""
        return self.until(recording_id, *TERMINAL, seconds=seconds)

    def over(self, recording_id: str, seconds: float = 120) -> dict[str, Any]:
        """Wait for the end of a recording and of all that belonged to it; return its row."""
        row = self.finish(recording_id, seconds)
        eventually(
            lambda: self.execution_status(recording_id, row.get("execution", 0)) != "RUNNING",
            f"the end of the execution of {recording_id}",
        )
        eventually(
            lambda: not any(each["live"] for each in self.sessions(row["cname"])),
            f"the end of every session in {row['cname']}",
            tell=lambda: json.dumps(self.sessions(row["cname"]), indent=1),
        )
        return self.row(recording_id)

    def notes(self, recording_id: str) -> list[dict[str, Any]]:
        """Return the timeline's notes."""
        return self.rows(f"REC#{recording_id}", "LOG#")

    def rows(self, partition: str, prefix: str) -> list[dict[str, Any]]:
        """Return the rows of a partition."""
        answer = self.dynamodb.query(
            TableName=self.table,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )
        return [from_item(item) for item in answer["Items"]]

    def all_rows(self) -> list[dict[str, Any]]:
        """Return every row of the table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
        return [from_item(item) for page in pages for item in page["Items"]]

    # --- Agora ---

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the simulator's control API."""
        data = None if body is None else json.dumps(body).encode()
        answer = send(method, f"{self.facts['agora_url']}/_control{path}", data, {})
        assert answer.status == 200, answer
        return answer.body

    def fault(self, match: dict[str, Any], action: dict[str, Any]) -> None:
        """Script one fault, for calls or webhooks that match."""
        self.control("POST", "/faults", {"add": [{"match": match, "action": action}]})

    def forgive(self) -> None:
        """Take every scripted fault back."""
        self.control("DELETE", "/faults")

    def calls(self, cname: str, endpoint: str | None = None) -> list[dict[str, Any]]:
        """Return the calls that Agora got for a channel."""
        return [
            call
            for call in self.control("GET", "/calls")["calls"]
            if call["cname"] == cname and endpoint in (None, call["endpoint"])
        ]

    def sessions(self, cname: str) -> list[dict[str, Any]]:
        """Return the sessions that Agora has, or had, in a channel."""
        known = self.control("GET", "/recordings")["recordings"]
        return [each for each in known if each["cname"] == cname]

    def notify(self, body: dict[str, Any], tamper: Callable[[bytes], bytes] = bytes) -> Response:
        """Send a notification as Agora signs it; `tamper` changes the body after the signing."""
        raw = json.dumps(body).encode()
        key = self.facts["notification_secret"].encode()
        headers = {
            "Content-Type": "application/json",
            "Agora-Signature": hmac.new(key, raw, hashlib.sha1).hexdigest(),
            "Agora-Signature-V2": hmac.new(key, raw, hashlib.sha256).hexdigest(),
        }
        return send("POST", self.facts["notifications_url"], tamper(raw), headers)

    # --- AWS ---

    def group_id(self) -> str:
        """Return the security group that the refresh keeps."""
        groups = self.stack.client("ec2").describe_security_groups()["SecurityGroups"]
        ids: dict[str, str] = {each["GroupName"]: each["GroupId"] for each in groups}
        return ids["webhook-receiver"]

    def history(self, recording_id: str, generation: int = 0) -> list[dict[str, Any]]:
        """Return the events of the recording's execution."""
        pages = self.stepfunctions.get_paginator("get_execution_history")
        arn = self.execution_arn(recording_id, generation)
        return [event for page in pages.paginate(executionArn=arn) for event in page["events"]]

    def execution_arn(self, recording_id: str, generation: int = 0) -> str:
        """Return the ARN of the recording's execution."""
        machine: str = self.facts["resources"]["RecordingStateMachine"]
        suffix = f"-{generation}" if generation else ""
        return machine.replace(":stateMachine:", ":execution:") + f":{recording_id}{suffix}"

    def execution_status(self, recording_id: str, generation: int = 0) -> str:
        """Return the status of the recording's execution."""
        arn = self.execution_arn(recording_id, generation)
        status: str = self.stepfunctions.describe_execution(executionArn=arn)["status"]
        return status

    def read_json(self, key: str) -> Any:
        """Return an object of the bucket, as JSON."""
        return json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        """Return the keys under a prefix."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def logs(self) -> str:
        """Return everything that any function has logged."""
        logs = self.stack.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.facts["resources"]["LogGroup"]
        )
        return "\n".join(event["message"] for page in pages for event in page["events"])


def eventually(
    look: Callable[[], Any],
    what: str,
    seconds: float = 120,
    tell: Callable[[], str] = lambda: "",
) -> Any:
    """Return the first true answer of `look`; fail when there is none in time."""
    end = time.monotonic() + seconds
    pause = 0.02
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            pytest.fail(f"Not in {seconds} s: {what}\n{tell()}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.3)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The stack, for all stories."""
    # After an abnormal exit, status 20 can be seen until the sweeper looks.
    # The account may run so many recordings that the stories need not wait for each other's calls.
    given = {"AgoraConcurrentTasks": "100"}
    with EmbeddedStack(
        speed=SPEED, options={"abnormal_linger_s": 600, "pcw": 100}, given=given
    ) as stack:
        stage = Stage(stack)
        # Channel events would only cost other stories their time: those of auto-record hear them.
        stage.control("POST", "/rtc-webhooks", {"url": None})
        yield stage
        stage.tellers.shutdown(wait=False, cancel_futures=True)
        evidence.save(stage, stage.told)


@pytest.fixture(autouse=True)
def _no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    """Begin each story without the faults of the one before; told together, each has its own."""
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").told.add(request.node.path.name)
    yield
    if "stage" in request.fixturenames and not request.node.get_closest_marker("together"):
        request.getfixturevalue("stage").forgive()


def hold_the_sweeper(stage: Stage, seconds: float) -> int:
    """Take the sweeper's lease as one that dies with it; return until when it holds (epoch ms)."""
    until_ms = round((time.time() + seconds) * 1000)
    stage.dynamodb.update_item(
        TableName=stage.table,
        Key={"PK": {"S": "SWEEPER"}, "SK": {"S": "LEASE"}},
        UpdateExpression="SET untilMs = :until ADD fence :one",
        ExpressionAttributeValues={":until": {"N": str(until_ms)}, ":one": {"N": "1"}},
    )
    return until_ms

"""AWS's own sample events, through the rooms that get such events.

Most files of `samples/` are what `sam local generate-event` prints: alb request, apigateway
aws-proxy, cloudformation create-request, cloudwatch scheduled-event, dynamodb update, s3 put, sqs
receive-message, stepfunctions error. The others have the shape that AWS documents: EventBridge
Scheduler (the event of a target without an input), S3 (EventBridge: Object Created), CloudFormation
(custom resources: Update, Delete), Lambda (destinations of a stream and of an invocation).

The samples are about other people's things. A room answers them as what it does not know: it stores
nothing, fails nothing, and lets nothing come again.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agora_recording.firewall import custom_resource
from agora_recording.life.watch_recordings import Swept
from agora_recording.notifications.envelope import verify
from agora_recording.notifications.store import NotificationStore
from agora_recording.observability import count
from agora_recording.recording.ending import read_failure
from functions.apply_notifications import app as apply_app
from functions.create_recording import app as create_app
from functions.delete_recording import app as delete_app
from functions.get_recording_events import app as events_app
from functions.get_recording_files import app as files_app
from functions.get_recordings import app as get_app
from functions.receive_notification import app as receive_app
from functions.record_file_arrival import app as arrival_app
from functions.refresh_ncs_addresses import app as refresh_app
from functions.request_stop import app as stop_app
from functions.serve_openapi import app as openapi_app
from functions.update_layout import app as layout_app
from functions.update_recording import app as update_app
from functions.watch_recordings import app as watch_app
from tests.world.api import Context, read
from tests.world.builders import RECORDING_ID, heard, uploading
from tests.world.table import TABLE
from tests.world.webhook import NOW_MS, SECRET, SID, body, signature
from tests.world.world import World

SAMPLES = Path(__file__).with_name("samples")
CONTEXT: Any = Context()


def sample(name: str) -> dict[str, Any]:
    """Return a sample event."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def from_parts(world: World, part: str) -> Any:
    return getattr(world.parts, part)


# --- the HTTP API and the webhook ---

ROOMS: list[tuple[Any, str, str, int]] = [
    # The body of the sample is {"test": "body"}; the query, foo=bar; the path names no recording.
    (create_app, "creator", "creator", 400),
    (get_app, "lister", "lister", 400),
    (events_app, "timeline", "timeline", 400),
    (files_app, "media", "media", 400),
    (stop_app, "timekeeper", "timekeeper", 404),
    (update_app, "updater", "updater", 404),
    (layout_app, "updater", "layout_updater", 404),
    (delete_app, "deleter", "deleter", 404),
    (openapi_app, "", "", 200),
]


@pytest.mark.parametrize(("app", "name", "part", "status"), ROOMS)
def test_a_room_of_the_api_answers_api_gateways_sample(
    app: Any, name: str, part: str, status: int
) -> None:
    world = World()
    given = {name: from_parts(world, part)} if name else {}
    answer = read(app.lambda_handler(sample("apigateway-aws-proxy"), CONTEXT, **given))
    assert answer.status == status, answer
    assert world.table.items == {}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TABLE_NAME", TABLE)
    monkeypatch.setenv("NOTIFICATION_SECRET_ID", "s")
    return World().table


class Secrets:
    """The console's secret."""

    def verify(self, raw: bytes, headers: dict[str, str], now_ms: int, **more: Any) -> None:
        """Check the signature, as the room's own part does."""
        verify(raw, headers, [SECRET], **more)


@pytest.mark.parametrize("name", ["apigateway-aws-proxy", "alb-request"])
def test_the_webhook_refuses_a_sample_that_nobody_signed(name: str, store: Any) -> None:
    answer = _receive(sample(name), store)
    assert answer["statusCode"] == 401
    assert store.items == {}


@pytest.mark.parametrize("name", ["apigateway-aws-proxy", "alb-request"])
def test_the_webhook_stores_what_agora_signed_in_the_form_of_a_sample(
    name: str, store: Any
) -> None:
    raw = body(11, {"exitStatus": 0})
    event = sample(name)
    event["body"] = base64.b64encode(raw).decode()
    assert event["isBase64Encoded"]
    event["headers"]["agora-signature-v2"] = signature(raw)
    answer = _receive(event, store)
    assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"stored": True})
    assert [partition for partition, _ in store.items] == [f"SID#{SID}"]


def _receive(event: dict[str, Any], table: Any) -> dict[str, Any]:
    answer: dict[str, Any] = receive_app.lambda_handler(
        event,
        CONTEXT,
        store=NotificationStore(TABLE, table),
        secrets=cast(Any, Secrets()),
        now=lambda: NOW_MS,
    )
    assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
    return answer


# --- the stream, the queue ---


def test_the_room_of_the_stream_passes_over_rows_that_are_no_notifications() -> None:
    """New, changed and removed: a removed row has no new image."""
    world = World()
    event = sample("dynamodb-update")
    assert [each["eventName"] for each in event["Records"]] == ["INSERT", "MODIFY", "REMOVE"]
    answer = apply_app.lambda_handler(event, CONTEXT, applier=world.parts.applier)
    assert answer == {"batchItemFailures": []}
    assert world.queue.messages == []


def test_a_notification_among_the_samples_of_the_stream_is_applied() -> None:
    world = World()
    event = sample("dynamodb-update")
    event["Records"][0]["dynamodb"]["NewImage"] = heard(40, {"status": 0})["dynamodb"]["NewImage"]
    assert apply_app.lambda_handler(event, CONTEXT, applier=world.parts.applier) == {
        "batchItemFailures": []
    }
    assert ("SESSION#" + SID, "SESSION") in world.table.items


def arrivals(world: World, message: dict[str, Any] | str) -> Any:
    event = sample("sqs-receive-message")
    event["Records"][0]["body"] = message if isinstance(message, str) else json.dumps(message)
    return arrival_app.lambda_handler(event, CONTEXT, arrivals=world.parts.arrivals)


def test_the_room_of_arrivals_lets_no_message_of_others_come_again() -> None:
    world = World(uploading())
    plain = sample("sqs-receive-message")["Records"][0]["body"]
    for message in (plain, sample("s3-object-created"), sample("s3-put"), {}):
        assert arrivals(world, message) == {"batchItemFailures": []}
    assert world.table.rows(f"REC#{RECORDING_ID}", "FILE#") == []


def test_an_object_created_in_the_form_of_s3s_sample_is_looked_at() -> None:
    world = World(uploading())
    event = sample("s3-object-created")
    name = f"{SID}_{world.row.cname}.m3u8"
    event["detail"]["object"]["key"] = f"recordings/{RECORDING_ID}/{name}"
    assert arrivals(world, event) == {"batchItemFailures": []}
    (noted,) = world.table.rows(f"REC#{RECORDING_ID}", "FILE#")
    assert noted["SK"] == f"FILE#{name}"


# --- the schedules ---


@pytest.mark.parametrize("name", ["scheduler-default-event", "cloudwatch-scheduled-event"])
def test_the_sweeper_needs_nothing_of_the_event_that_wakes_it(name: str) -> None:
    sweeper = SimpleNamespace(sweep=lambda **_: Swept(Counter(), 0, 0, 1))
    assert watch_app.lambda_handler(sample(name), CONTEXT, sweeper=cast(Any, sweeper)) == {}


class Refreshes:
    """A refresher that says what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def refresh(self, **how: Any) -> dict[str, Any]:
        """Refresh."""
        count("AddressesRefreshed")
        self.asked.append({name: value for name, value in how.items() if name != "on_wait"})
        return {}

    def take_back(self) -> None:
        """Take all rules back."""
        self.asked.append("take back")


@pytest.mark.parametrize("name", ["scheduler-default-event", "cloudwatch-scheduled-event"])
def test_a_schedule_without_an_input_refreshes_as_by_hand(name: str) -> None:
    refresher = Refreshes()
    refresh_app.lambda_handler(sample(name), CONTEXT, refresher=cast(Any, refresher))
    assert refresher.asked == [{"dry_run": False, "accept_drop": False}]


# --- CloudFormation ---

RESOURCE: dict[str, list[dict[str, bool]]] = {"create": [{}], "update": [{}], "delete": []}


@pytest.mark.parametrize("kind", RESOURCE)
def test_the_custom_resource_answers_cloudformations_sample(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(
        custom_resource, "_put", lambda url, body: sent.append((url, json.loads(body)))
    )
    event, refresher = sample(f"cloudformation-{kind}-request"), Refreshes()
    context: Any = Context(remaining_ms=[300_000])
    refresh_app.lambda_handler(event, context, refresher=cast(Any, refresher))
    assert refresher.asked == RESOURCE[kind]
    ((url, answer),) = sent
    assert url == event["ResponseURL"]
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"]
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event[name]
    # CloudFormation replaces a resource whose physical id changes.
    assert answer["PhysicalResourceId"] == event.get("PhysicalResourceId", "ncs-addresses")


def test_a_delete_takes_the_rules_back_if_the_resource_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(custom_resource, "_put", lambda *_: None)
    event, refresher = sample("cloudformation-delete-request"), Refreshes()
    event["ResourceProperties"]["RemoveRulesOnDelete"] = "true"
    context: Any = Context(remaining_ms=[300_000])
    refresh_app.lambda_handler(event, context, refresher=cast(Any, refresher))
    assert refresher.asked == ["take back"]


# --- Step Functions ---


def test_an_error_of_the_state_machine_is_read_and_tells_no_strangers_words() -> None:
    failure = read_failure(sample("stepfunctions-error"))
    assert failure is not None
    assert failure.name == "ErrorName"
    assert "the cause" not in failure.message

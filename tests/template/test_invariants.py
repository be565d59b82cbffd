"""What the template and the state machine must be, whatever else they become: one table each.

These are no copies of the two files. Each line is a property that somebody relies on, and says why.
"""

from __future__ import annotations

import json
from importlib import import_module
from inspect import isclass
from typing import Any

import msgspec
import pytest

from agora_recording.settings import Settings
from local.template import functions, template
from tests.world.machine import Execution, Machine, definition, room_of

RESOURCES: dict[str, dict[str, Any]] = template()["Resources"]
GLOBALS: dict[str, Any] = template()["Globals"]["Function"]
STATES: dict[str, dict[str, Any]] = definition()["States"]
LAMBDAS_OWN = {"AWS_REGION"}  # variables that Lambda sets itself


def at(path: str) -> Any:
    """Return what is at a path of the resources: names and numbers between dots."""
    found: Any = RESOURCES
    for name in path.split("."):
        found = found[int(name)] if name.isdigit() else found[name]
    return found


# Path: what must be there, and why.
MUST: dict[str, tuple[Any, str]] = {
    "Table.Properties.StreamSpecification.StreamViewType": (
        "NEW_IMAGE",
        "the stream's rooms read the notification from the record, and have no right to read it",
    ),
    "Table.Properties.TimeToLiveSpecification": (
        {"AttributeName": "expiresAt", "Enabled": True},
        "every row that ends by itself has its end in this attribute",
    ),
    "Table.Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": (
        True,
        "a mistake in the table can be taken back",
    ),
    "Table.Properties.SSESpecification.Fn::If.1.SSEEnabled": (True, "your key encrypts the table"),
    "Table.Properties.BillingMode": ("PAY_PER_REQUEST", "a quiet stack costs nothing"),
    "Bucket.Properties.VersioningConfiguration.Status": (
        "Enabled",
        "what is overwritten can be brought back",
    ),
    "Bucket.Properties.PublicAccessBlockConfiguration": (
        dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"),
            True,
        ),
        "recordings are private, whatever a policy says",
    ),
    "Bucket.Properties.OwnershipControls.Rules.0.ObjectOwnership": (
        "BucketOwnerEnforced",
        "Agora's uploads are the account's own",
    ),
    "Bucket.Properties.NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled": (
        True,
        "files that arrive are told of",
    ),
    "BucketPolicy.Properties.PolicyDocument.Statement.0.Effect": ("Deny", "no plain HTTP"),
    "BucketPolicy.Properties.PolicyDocument.Statement.0.Condition": (
        {"Bool": {"aws:SecureTransport": "false"}},
        "no plain HTTP",
    ),
}


@pytest.mark.parametrize("path", MUST)
def test_the_template_is_as_somebody_relies_on(path: str) -> None:
    wanted, why = MUST[path]
    assert at(path) == wanted, why


def test_the_bucket_is_encrypted_with_your_key_or_its_own() -> None:
    place = "Bucket.Properties.BucketEncryption.ServerSideEncryptionConfiguration.0"
    _, yours, own = at(f"{place}.ServerSideEncryptionByDefault")["Fn::If"]
    assert (yours["SSEAlgorithm"], own["SSEAlgorithm"]) == ("aws:kms", "AES256")


# The mapping's room: what it is to be told of, and what not. The filters of the stream.
TOLD = {
    "ApplyNotifications": [
        ({"PK": "SID#s", "SK": "EVT#40#7#0000000001"}, "INSERT", True),
        ({"PK": "NOTICE#n", "SK": "NOTICE"}, "INSERT", True),
        ({"PK": "SID#s", "SK": "EVT#40#7#0000000001"}, "REMOVE", False),
        ({"PK": "SID#s", "SK": "EVT#40#7#0000000001"}, "MODIFY", False),
        ({"PK": "REC#r", "SK": "META"}, "INSERT", False),
        ({"PK": "CHANNEL#c", "SK": "RTC"}, "INSERT", False),
    ],
    "ApplyChannelEvents": [
        ({"PK": "CHANNEL#c", "SK": "RTC"}, "INSERT", True),
        ({"PK": "SID#s", "SK": "EVT#40#7#0000000001"}, "INSERT", False),
    ],
}


def mapping_of(room: str) -> dict[str, Any]:
    """Return the mapping that brings the stream to a room."""
    found: dict[str, Any]
    (found,) = [
        each["Properties"]
        for each in RESOURCES.values()
        if each["Type"] == "AWS::Lambda::EventSourceMapping"
        and each["Properties"]["FunctionName"] == {"Ref": f"{room}Function"}
    ]
    return found


def is_told(room: str, key: dict[str, str], event: str) -> bool:
    """Return whether a filter of the stream lets a record through to a room."""
    keys = {name: {"S": value} for name, value in key.items()}
    record = {"eventName": event, "dynamodb": {"Keys": keys}}
    filters = mapping_of(room)["FilterCriteria"]["Filters"]
    return any(_fits(json.loads(each["Pattern"]), record) for each in filters)


def _fits(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, dict):
        return all(name in value and _fits(rule, value[name]) for name, rule in pattern.items())
    return any(
        value.startswith(rule["prefix"]) if isinstance(rule, dict) else value == rule
        for rule in pattern
    )


@pytest.mark.parametrize("room", TOLD)
def test_the_stream_tells_a_room_of_its_rows_and_no_others(room: str) -> None:
    for key, event, wanted in TOLD[room]:
        assert is_told(room, key, event) is wanted, (key, event)
    assert mapping_of(room)["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


# The variable: what it names. One that is swapped for another would be found in production alone.
NAMES = {
    "ARRIVALS_QUEUE_URL": {"Ref": "FileArrivals"},
    "CALLS_QUEUE_URL": {"Ref": "Calls"},
    "POISON_QUEUE_URL": {"Ref": "PoisonNotifications"},
    "BUS_NAME": {"Ref": "EventBus"},
    "STATE_MACHINE_ARN": {"Ref": "RecordingStateMachine"},
    "AGORA_SECRET_ID": {"Fn::GetAtt": ["AgoraSecret", "Id"]},
    "NOTIFICATION_SECRET_ID": {"Fn::GetAtt": ["NotificationSecret", "Id"]},
    "RTC_NOTIFICATION_SECRET_ID": {"Fn::GetAtt": ["RtcNotificationSecret", "Id"]},
    "CALLBACK_SECRET_ID": {"Fn::GetAtt": ["CallbackSecret", "Id"]},
    "SEAL_KEY_ID": {"Fn::GetAtt": ["SealKey", "Arn"]},
    "UID_FROM": {"Ref": "RecorderUidFrom"},
    "UID_TO": {"Ref": "RecorderUidTo"},
    "MAX_DURATION_S": {"Ref": "DefaultMaxDurationSeconds"},
    "MAX_IDLE_TIME_S": {"Ref": "DefaultMaxIdleTimeSeconds"},
    "RESTART_LIMIT": {"Ref": "DefaultRestartLimit"},
    "ALLOW_SIGNATURE_V1": {"Ref": "AllowSignatureV1"},
    "REPLAY_WINDOW_SECONDS": {"Ref": "ReplayWindowSeconds"},
    "AGORA_CALLS_PER_SECOND": {"Ref": "AgoraCallsPerSecond"},
    "AGORA_CONCURRENT_TASKS": {"Ref": "AgoraConcurrentTasks"},
}


def variables(function: str) -> dict[str, Any]:
    """Return the variables of a function, those of all of them included."""
    own = functions()[function].get("Environment", {}).get("Variables", {})
    return {**GLOBALS["Environment"]["Variables"], **own}


@pytest.mark.parametrize("function", sorted(functions()))
def test_a_variable_names_what_it_says(function: str) -> None:
    found = variables(function)
    for name in NAMES.keys() & found.keys():
        assert found[name] == NAMES[name], name


@pytest.mark.parametrize("function", sorted(functions()))
def test_a_room_gets_every_variable_that_it_cannot_do_without(function: str) -> None:
    place = functions()[function]["CodeUri"].strip("/").replace("/", ".")
    room = import_module(f"{place}.app")
    declared = [
        each
        for each in vars(room).values()
        if isclass(each) and issubclass(each, Settings) and each is not Settings
    ]
    for settings in declared:
        if settings.__module__ != room.__name__ and len(declared) > 1:
            continue  # what its own settings are made of
        needed = {
            field.name.upper() for field in msgspec.structs.fields(settings) if field.required
        }
        assert needed <= variables(function).keys() | LAMBDAS_OWN, function


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_room_ends_before_its_state_gives_it_up(name: str) -> None:
    """Otherwise it goes on beside the one that the state machine starts next."""
    room = room_of(STATES[name])
    if room is None:
        return
    limit_s = functions()[room].get("Timeout", GLOBALS["Timeout"])
    assert limit_s < int(STATES[name]["TimeoutSeconds"])


# --- the state machine --------------------------------------------------------------------------

# State: the error, and how often at most the task is done again for it.
TRIES = [
    # Nothing that is done again could be any better.
    ("Start recording", "StopRequestedError", 0),
    ("Start recording", "AgoraRefusedError", 0),
    ("Start recording", "TokenRejectedError", 0),
    ("Start recording", "UidTakenError", 0),
    ("Start recording", "StorageRegionError", 0),
    ("Start recording", "SecretUnavailableError", 0),
    ("Await upload", "States.Timeout", 0),
    # A fleet that starts at once waits for its slots: minutes.
    ("Start recording", "RateLimitedError", 60),
    ("Start recording", "ServiceFullError", 5),
    ("Start recording", "ResourceExpiredError", 3),
    ("Start recording", "SidUnknownError", 3),
    ("Start recording", "AgoraUnavailableError", 12),
    ("Start recording", "Lambda.Unknown", 10),
    ("Query recording", "RateLimitedError", 8),
    ("Query recording", "Lambda.Unknown", 6),
    ("Await end", "DynamoDb.ThrottlingException", 6),
    ("Await end", "DynamoDb.InternalServerErrorException", 6),
    ("Await end", "DynamoDb.ConditionalCheckFailedException", 0),
    ("Await end", "States.Timeout", 0),
    ("Stop recording", "RateLimitedError", 8),
    ("Stop recording", "AgoraUnavailableError", 3),
    ("Stop recording", "Lambda.Unknown", 6),
    ("Await upload", "Lambda.Unknown", 6),
    # Hours: what publishes nothing leaves a recording that is never over.
    ("Publish recording", "Lambda.Unknown", 14),
]
# State, error: where the execution goes when no try is left.
LEADS = [
    ("Start recording", "Lambda.Unknown", "Stop recording"),
    ("Start recording", "StopRequestedError", "Stop recording"),
    ("Query recording", "Lambda.Unknown", "Await end"),
    ("Await end", "DynamoDb.ConditionalCheckFailedException", "Stop recording"),
    ("Await end", "States.Timeout", "Stop recording"),
    ("Await end", "DynamoDb.ThrottlingException", "Wait before query"),
    ("Stop recording", "Lambda.Unknown", "Wait before stopping again"),
    ("Await upload", "States.Timeout", "Publish recording"),
    ("Await upload", "Lambda.Unknown", "Publish recording"),
]


def fail(state: str, error: str) -> tuple[int, str]:
    """Return how often a task is done again that always fails with an error; and what follows."""
    machine = Machine.shipped()
    execution = machine_run(machine, state)
    tries = 0
    while machine.fail(execution, error) is not None:
        tries += 1
    return tries, execution.state


def machine_run(machine: Machine, state: str) -> Execution:
    """Return an execution that has come to a state."""
    execution = Execution("one", {})
    machine.enter(execution, state)
    return execution


@pytest.mark.parametrize(("state", "error", "most"), TRIES)
def test_a_task_is_done_again_as_often_as_its_error_deserves(
    state: str, error: str, most: int
) -> None:
    assert fail(state, error)[0] == most


@pytest.mark.parametrize(("state", "error", "then"), LEADS)
def test_an_error_leads_to_the_state_that_can_deal_with_it(
    state: str, error: str, then: str
) -> None:
    assert fail(state, error)[1] == then


def test_parking_is_refused_for_every_reason_to_go_on() -> None:
    """The same reasons as `recording.model.wake_reason` names."""
    condition = STATES["Await end"]["Parameters"]["ConditionExpression"]
    for reason in ("stopReason", "sessionEnd", "takeOver"):
        assert f"attribute_not_exists({reason})" in condition
    assert condition.startswith("attribute_exists(PK)")

"""Each rule that AWS enforces is broken once, and refused; what just keeps it is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.strict.rules import EVENTS_MAX_BYTES
from tests.emulator.conftest import Client

TABLE = "rules"
ROLE = "arn:aws:iam::000000000000:role/any"
KEYS = {"PK": {"S": "a"}}
MACHINE = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}


@pytest.fixture(scope="module")
def places(client: Client) -> dict[str, str]:
    """Make a table, a queue, a key, a bucket and a state machine; return what names them."""
    client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client("s3").create_bucket(Bucket="rules")
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    client("iam").create_role(
        RoleName="any",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )
    machine = client("stepfunctions").create_state_machine(
        name="rules", definition=json.dumps(MACHINE), roleArn=ROLE
    )
    return {
        "queue": client("sqs").create_queue(QueueName="rules")["QueueUrl"],
        "key": client("kms").create_key()["KeyMetadata"]["KeyId"],
        "machine": machine["stateMachineArn"],
    }


def update(expression: str, **more: Any) -> Callable[[Client, Any], Any]:
    return lambda client, _: client("dynamodb").update_item(
        TableName=TABLE, Key=KEYS, UpdateExpression=expression, **more
    )


def condition(expression: str) -> Callable[[Client, Any], Any]:
    return lambda client, _: client("dynamodb").put_item(
        TableName=TABLE, Item=KEYS, ConditionExpression=expression
    )


def transaction(expression: str) -> Callable[[Client, Any], Any]:
    put = {"TableName": TABLE, "Item": KEYS, "ConditionExpression": expression}
    return lambda client, _: client("dynamodb").transact_write_items(TransactItems=[{"Put": put}])


def projection(words: str) -> Callable[[Client, Any], Any]:
    return lambda client, _: client("dynamodb").get_item(
        TableName=TABLE, Key=KEYS, ProjectionExpression=words
    )


def query(**expressions: str) -> Callable[[Client, Any], Any]:
    return lambda client, _: client("dynamodb").query(
        TableName=TABLE,
        **{"KeyConditionExpression": "PK = :x", **expressions},
        ExpressionAttributeValues={":x": {"S": "a"}},
    )


def encrypt(size: int) -> Callable[[Client, Any], Any]:
    return lambda client, places: client("kms").encrypt(KeyId=places["key"], Plaintext=b"x" * size)


def delay(seconds: int) -> Callable[[Client, Any], Any]:
    return lambda client, places: client("sqs").send_message(
        QueueUrl=places["queue"], MessageBody="-", DelaySeconds=seconds
    )


def delays(seconds: int) -> Callable[[Client, Any], Any]:
    entry = {"Id": "a", "MessageBody": "-", "DelaySeconds": seconds}
    return lambda client, places: client("sqs").send_message_batch(
        QueueUrl=places["queue"], Entries=[entry]
    )


def event(size: int) -> Callable[[Client, Any], Any]:
    detail = json.dumps({"x": "y" * (size - len("test") - len("kind") - len('{"x": ""}'))})
    entry = {"Source": "test", "DetailType": "kind", "Detail": detail}
    return lambda client, _: client("events").put_events(Entries=[entry])


def federation(seconds: int) -> Callable[[Client, Any], Any]:
    def call(client: Client, _: Any) -> Any:
        iam = client("iam")
        name = f"uploader-{seconds}"
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        allow = {"Effect": "Allow", "Action": "sts:GetFederationToken", "Resource": "*"}
        iam.put_user_policy(
            UserName=name,
            PolicyName="federate",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
        )
        sts = client(
            "sts",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        return sts.get_federation_token(Name="agora", DurationSeconds=seconds)

    return call


def machine(state: dict[str, Any]) -> Callable[[Client, Any], Any]:
    definition = {"StartAt": "One", "States": {"One": {"End": True, **state}}}
    return lambda client, _: client("stepfunctions").create_state_machine(
        name=f"m{abs(hash(str(state)))}",
        definition=json.dumps(definition),
        roleArn=ROLE,
    )


def transition(days: int, expires: int = 400) -> Callable[[Client, Any], Any]:
    rule = {
        "ID": "move",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Transitions": [{"Days": days, "StorageClass": "STANDARD_IA"}],
        "Expiration": {"Days": expires},
    }
    return lambda client, _: client("s3").put_bucket_lifecycle_configuration(
        Bucket="rules", LifecycleConfiguration={"Rules": [rule]}
    )


def name(length: int) -> Callable[[Client, Any], Any]:
    return lambda client, places: client("stepfunctions").start_execution(
        stateMachineArn=places["machine"], name="n" * length
    )


VALUE = {"ExpressionAttributeValues": {":x": {"N": "1"}}}
RULES: dict[str, tuple[Callable[[Client, Any], Any], Callable[[Client, Any], Any], str]] = {
    # What it is about: (what breaks it, what just keeps it, what the refusal says).
    "a reserved word in an update": (
        update("SET status = :x", **VALUE),
        update("SET #s = :x", ExpressionAttributeNames={"#s": "status"}, **VALUE),
        "reserved keyword: status",
    ),
    "a reserved word in a condition": (
        condition("attribute_not_exists(PK) OR size(name) > size(PK)"),
        condition("attribute_not_exists(nothing)"),
        "reserved keyword: name",
    ),
    "a reserved word in a transaction": (
        transaction("attribute_not_exists(ttl)"),
        transaction("attribute_not_exists(lives)"),
        "reserved keyword: ttl",
    ),
    "a reserved word in a projection": (
        projection("PK, items"),
        projection("PK, things"),
        "reserved keyword: items",
    ),
    "a reserved word in a filter": (
        query(FilterExpression="status = :x"),
        query(FilterExpression="state_ = :x"),
        "reserved keyword: status",
    ),
    "a reserved word inside a path": (
        query(FilterExpression="attempt.status = :x"),
        query(FilterExpression="attempt.state_ = :x"),
        "reserved keyword: status",
    ),
    "a reserved word in an indexed path": (
        query(FilterExpression="sids[0].name = :x"),
        query(FilterExpression="sids[0].naming = :x"),
        "reserved keyword: name",
    ),
    "what KMS encrypts at once": (encrypt(4097), encrypt(4096), "4096"),
    "the delay of a message": (delay(901), delay(900), "DelaySeconds must be"),
    "the delay in a batch": (delays(901), delays(900), "DelaySeconds must be"),
    "the size of an event": (
        event(EVENTS_MAX_BYTES + 1),
        event(EVENTS_MAX_BYTES),
        "over the limit",
    ),
    "how long federation lasts": (federation(129_601), federation(129_600), "129600"),
    "a number of a state as text": (
        machine({"Type": "Wait", "Seconds": "60"}),
        machine({"Type": "Wait", "Seconds": 60}),
        "Seconds must be a number",
    ),
    "a state that is not there": (
        machine({"Type": "Pass", "Next": "Nowhere"}),
        machine({"Type": "Pass"}),
        "MISSING_TRANSITION_TARGET Nowhere",
    ),
    "the age for infrequent access": (
        transition(29),
        transition(30),
        "greater than or equal to 30",
    ),
    "an expiration before the transition": (
        transition(60, expires=60),
        transition(60, expires=61),
        "'Days' in the Expiration action",
    ),
    "the name of an execution": (name(81), name(80), "80 at most"),
}


@pytest.mark.parametrize("about", RULES)
def test_a_call_that_aws_refuses_is_refused(
    client: Client, places: dict[str, str], about: str
) -> None:
    breaks, _, says = RULES[about]
    with pytest.raises(ClientError) as refused:
        breaks(client, places)
    assert says in refused.value.response["Error"]["Message"]


@pytest.mark.parametrize("about", RULES)
def test_a_call_that_just_keeps_the_rule_is_taken(
    client: Client, places: dict[str, str], about: str
) -> None:
    _, keeps, _ = RULES[about]
    assert keeps(client, places)["ResponseMetadata"]["HTTPStatusCode"] == 200


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"TableName": TABLE}, "Item is required"),
        ({"TableName": TABLE, "Item": KEYS, "ReturnValues": "SOME"}, "is none of"),
        ({"TableName": TABLE, "Item": {"PK": {"S": 1}}}, "Item.PK.S is not of type string"),
    ],
)
def test_a_request_that_breaks_the_model_is_refused(
    client: Client, places: dict[str, str], parameters: dict[str, Any], says: str
) -> None:
    with pytest.raises(ClientError) as refused:
        client("dynamodb").put_item(**parameters)
    assert says in refused.value.response["Error"]["Message"]


def test_a_start_that_is_repeated_while_it_runs_is_the_same_start(
    client: Client, places: dict[str, str]
) -> None:
    start = {"stateMachineArn": places["machine"], "name": "twice", "input": '{"a": 1}'}
    machines = client("stepfunctions")
    first, second = machines.start_execution(**start), machines.start_execution(**start)
    assert first["executionArn"] == second["executionArn"]
    assert first["startDate"] == second["startDate"]
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machines.start_execution(**{**start, "input": '{"a": 2}'})
    machines.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machines.start_execution(**start)

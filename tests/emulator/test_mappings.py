"""A mapping reads its source with the rights of the function's role, and not otherwise."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.strict.mappings import NEEDED
from tests.e2e.conftest import eventually
from tests.emulator.conftest import Client

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


class Reader:
    """A function with a role of its own, a queue and a stream."""

    def __init__(self, client: Client, name: str, does: str = "return None") -> None:
        self.name = name
        self.iam, self.functions = client("iam"), client("lambda")
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", f"def handler(event, context):\n    {does}\n")
        self.functions.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Timeout=60,
            Code={"ZipFile": code.getvalue()},
        )
        queues = client("sqs")
        url = queues.create_queue(QueueName=name)["QueueUrl"]
        attributes = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        table = client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]
        self.sources = {
            "sqs": attributes["Attributes"]["QueueArn"],
            "dynamodb": table["LatestStreamArn"],
        }

    def allow(self, service: str, *actions: str) -> None:
        """Let the role do these, on the one source; ListStreams has no resource of its own."""
        self.iam.put_role_policy(
            RoleName=self.name,
            PolicyName=f"read-{service}",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": action,
                            "Resource": "*"
                            if action == "dynamodb:ListStreams"
                            else self.sources[service],
                        }
                        for action in actions
                    ],
                }
            ),
        )

    def map(self, service: str) -> dict[str, Any]:
        """Make the mapping."""
        position = {"StartingPosition": "TRIM_HORIZON"} if service == "dynamodb" else {}
        made: dict[str, Any] = self.functions.create_event_source_mapping(
            FunctionName=self.name, EventSourceArn=self.sources[service], **position
        )
        return made


@pytest.mark.parametrize(
    ("service", "action"), [(each, action) for each, needed in NEEDED.items() for action in needed]
)
def test_a_mapping_without_one_of_its_rights_is_refused(
    client: Client, service: str, action: str
) -> None:
    reader = Reader(client, f"without-{action.partition(':')[2]}-{service}")
    reader.allow(service, *(each for each in NEEDED[service] if each != action))
    with pytest.raises(ClientError, match=f"does not have permissions to call {action}"):
        reader.map(service)


@pytest.mark.parametrize("service", NEEDED)
def test_a_mapping_with_all_of_its_rights_is_made(client: Client, service: str) -> None:
    reader = Reader(client, f"reader-of-{service}")
    reader.allow(service, *NEEDED[service])
    assert reader.map(service)["EventSourceArn"] == reader.sources[service]


def test_a_right_that_is_taken_away_ends_the_reading(client: Client) -> None:
    reader = Reader(client, "forbidden-later")
    reader.allow("sqs", *NEEDED["sqs"])
    mapping = reader.map("sqs")["UUID"]
    reader.allow("sqs", "sqs:ReceiveMessage", "sqs:GetQueueAttributes")
    client("sqs").send_message(QueueUrl=reader.sources["sqs"].rpartition(":")[2], MessageBody="-")
    said = eventually(
        lambda: next(
            (
                word
                for word in [
                    reader.functions.get_event_source_mapping(UUID=mapping)["LastProcessingResult"]
                ]
                if word.startswith("PROBLEM")
            ),
            None,
        ),
        "the mapping's problem",
    )
    assert said == "PROBLEM: the role may not call sqs:DeleteMessage"


def test_a_function_that_takes_its_time_holds_up_its_own_source_alone(client: Client) -> None:
    slow = Reader(client, "slow-reader", "__import__('time').sleep(50)")
    quick = Reader(client, "quick-reader")
    slow.allow("dynamodb", *NEEDED["dynamodb"])
    for service in NEEDED:
        quick.allow(service, *NEEDED[service])
        quick.map(service)
    waits = slow.map("dynamodb")["UUID"]
    table, queues = client("dynamodb"), client("sqs")
    for name in ("slow-reader", "quick-reader"):
        table.put_item(TableName=name, Item={"PK": {"S": "-"}})
    queues.send_message(QueueUrl="quick-reader", MessageBody="-")

    def results() -> list[str]:
        mappings = quick.functions.list_event_source_mappings(FunctionName="quick-reader")
        return [each["LastProcessingResult"] for each in mappings["EventSourceMappings"]]

    eventually(
        lambda: results() == ["OK - 1 records"] * 2,
        "both sources of the quick one",
        tell=lambda: str(results()),
    )
    busy = slow.functions.get_event_source_mapping(UUID=waits)["LastProcessingResult"]
    assert not busy.startswith("OK")

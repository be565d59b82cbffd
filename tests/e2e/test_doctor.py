"""`doctor` on the embedded stack: green all over, then red exactly where something was planted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Stage

SPEED = 30


def prepare(stack: EmbeddedStack) -> dict[str, str]:
    """Make a topic that somebody hears, before the deploy."""
    sns = stack.client("sns")
    topic: str = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="somebody@example.com")
    return {"AlarmTopicArn": topic}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Path]]:
    """A stack of its own: other stories leave things behind that doctor would find."""
    facts = tmp_path_factory.mktemp("doctor") / "stack.json"
    with EmbeddedStack(speed=SPEED, prepare=prepare, facts_file=facts) as stack:
        yield Stage(stack), facts


def examine(facts: Path, *words: str) -> tuple[dict[str, dict[str, str]], int]:
    """Run the command as an operator does; return the findings by name, and its exit code."""
    argv = [sys.executable, "-m", "operate", "--local", "--facts", str(facts), "--json"]
    done = subprocess.run(
        [*argv, "doctor", *words],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout, done.stderr
    findings = json.loads(done.stdout)["findings"]
    return {each["name"]: each for each in findings}, done.returncode


def red(found: dict[str, dict[str, str]]) -> set[str]:
    return {name for name, each in found.items() if each["state"] == "red"}


def test_a_new_stack_is_green_and_records_one_recording(ward: tuple[Stage, Path]) -> None:
    stage, facts = ward
    rows, keys = stage.all_rows(), stage.keys("")
    found, code = examine(facts, "--record", "30")
    assert {name: each["said"] for name, each in found.items() if each["state"] == "red"} == {}
    assert code == 0
    skipped = {name for name, each in found.items() if each["state"] == "skipped"}
    assert skipped <= {"bucket policy", "temporary keys", "channel event secret"}
    assert "was completed" in found["recording"]["said"]
    # It leaves nothing behind but the limiter's and the firewall's own rows.
    assert stage.keys("") == keys
    left = {row["PK"] for row in stage.all_rows()} - {row["PK"] for row in rows}
    assert [key for key in left if key.startswith(("REC#", "NOTICE#"))] == []


def test_each_thing_that_is_wrong_is_one_red_line(ward: tuple[Stage, Path]) -> None:
    stage, facts = ward
    names, stack = stage.facts["resources"], stage.stack
    secrets, aws_lambda = stack.client("secretsmanager"), stack.client("lambda")
    wrong = {"customerId": stage.facts["agora_credentials"]["customer_id"], "customerSecret": "no"}
    iam = stack.client("iam")
    iam.create_user(UserName="somebody")
    key = iam.create_access_key(UserName="somebody")["AccessKey"]
    others = {"accessKey": key["AccessKeyId"], "secretKey": key["SecretAccessKey"]}
    planted: dict[str, Any] = {"AgoraSecret": wrong, "StorageSecret": others}
    for name, value in planted.items():
        secrets.put_secret_value(SecretId=names[name], SecretString=json.dumps(value))
    # The console has a secret that is not the stored one, and Agora signs with it.
    stage.facts["notification_secret"] = "the-secret-in-the-console"
    body = {"noticeId": "1", "productId": 3, "eventType": 1, "notifyMs": 0, "payload": {}}
    assert stage.notify(body).status == 401
    mapping = names["ApplyNotificationsFunctionStored"]
    aws_lambda.update_event_source_mapping(UUID=mapping, Enabled=False)
    stack.client("sqs").send_message(QueueUrl=names["DeadLetters"], MessageBody="{}")
    scheduler, schedule = stack.client("scheduler"), names["WatchRecordingsFunctionEachMinute"]
    kept = scheduler.get_schedule(Name=schedule)
    scheduler.update_schedule(
        Name=schedule,
        State="DISABLED",
        **{each: kept[each] for each in ("ScheduleExpression", "FlexibleTimeWindow", "Target")},
    )
    topic = stack.client("cloudformation").describe_stacks()["Stacks"][0]["Parameters"]
    (arn,) = [each["ParameterValue"] for each in topic if each["ParameterKey"] == "AlarmTopicArn"]
    nobody = json.dumps({"Version": "2012-10-17", "Statement": []})
    stack.client("sns").set_topic_attributes(
        TopicArn=arn, AttributeName="Policy", AttributeValue=nobody
    )
    found, code = examine(facts)
    assert code == 1
    assert red(found) == {
        "agora key",
        "uploader",
        "notification secret",
        "stream mapping",
        "dead letters",
        "sweeps",
        "alarm topic",
    }
    assert all(found[name]["advice"] for name in red(found))

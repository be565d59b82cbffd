"""A stack in a careful company: its own bucket, prefix and keys, and credentials that expire.

Agora gets temporary credentials, limited to one recording's prefix and renewed every hour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Stage, eventually

SPEED = 200  # an hour is 18 seconds; faster, a busy machine could not upload as fast as it records


BUCKET = "films-of-the-company"
MAY = {
    "s3:PutObject": f"arn:aws:s3:::{BUCKET}/video/2026/recordings/*",
    "s3:AbortMultipartUpload": f"arn:aws:s3:::{BUCKET}/video/2026/recordings/*",
    "sts:GetFederationToken": "*",
}


def prepare(stack: EmbeddedStack) -> dict[str, str]:
    """Make what the company has before the deploy: a bucket, and a user's keys in a secret."""
    s3, iam = stack.client("s3"), stack.client("iam")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="recordings/older", Body=b"not of the stack")
    eventbridge: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=eventbridge)
    iam.create_user(UserName="uploads")
    allowed = [
        {"Effect": "Allow", "Action": action, "Resource": where} for action, where in MAY.items()
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    iam.put_user_policy(UserName="uploads", PolicyName="upload", PolicyDocument=policy)
    key = iam.create_access_key(UserName="uploads")["AccessKey"]
    keys = {"accessKey": key["AccessKeyId"], "secretKey": key["SecretAccessKey"]}
    secret = stack.client("secretsmanager").create_secret(
        Name="uploads", SecretString=json.dumps(keys)
    )
    return {"StorageSecretArn": secret["ARN"]}


@pytest.fixture(scope="module")
def careful() -> Iterator[Stage]:
    """A stack of its own: all this is chosen by parameters of the template."""
    given = {
        "StorageCredentials": "temporary",
        "ExistingBucketName": BUCKET,
        "KeyPrefix": "video/2026/",
    }
    with EmbeddedStack(speed=SPEED, given=given, prepare=prepare) as stack:
        yield Stage(stack)


def test_they_are_renewed_while_the_recording_runs_and_it_completes(careful: Stage) -> None:
    recording_id = careful.record("careful", maxDurationSeconds=2_592_000)
    careful.until(recording_id, "recording")
    began = careful.row(recording_id)["storageTokenMs"]
    eventually(lambda: careful.calls("careful", "update"), "a renewal", 60)
    renewed = careful.await_row(recording_id, lambda row: row["storageTokenMs"] > began)
    assert renewed["status"] == "recording"
    careful.stop(recording_id)
    row = careful.finish(recording_id)
    assert row["status"] == "completed", row
    keys = careful.keys("")
    prefix = f"video/2026/recordings/{recording_id}/"
    assert [key for key in keys if not key.startswith(prefix)] == ["recordings/older"]
    assert f"{prefix}manifest.json" in keys
    assert careful.api.call("GET", f"/recordings/{recording_id}").body["prefix"] == prefix


def test_nothing_was_made_that_the_company_has(careful: Stage) -> None:
    made = careful.stack._resources()
    assert not {"Bucket", "BucketPolicy", "StorageUser", "StorageSecret"} & made.keys()


def test_no_role_was_refused_anything_for_it(careful: Stage) -> None:
    lines = careful.stack.emulator.audit.read_text().splitlines()
    assert [line for line in lines if '"allowed": false' in line] == []

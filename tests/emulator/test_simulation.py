"""IAM's simulator judges conditions by the context that it is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.emulator.conftest import Client

BUCKET = "arn:aws:s3:::films"
ROWS = "arn:aws:dynamodb:us-east-1:000000000000:table/rows"


@pytest.fixture(scope="module")
def role(client: Client) -> str:
    """A role that may list below recordings/ alone, and write rows of recordings."""
    iam = client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}
    trust["Action"] = "sts:AssumeRole"
    arn: str = iam.create_role(
        RoleName="simulated",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )["Role"]["Arn"]
    listing = {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": BUCKET,
        "Condition": {"StringLike": {"s3:prefix": "recordings/*"}},
    }
    writing = {
        "Effect": "Allow",
        "Action": "dynamodb:UpdateItem",
        "Resource": ROWS,
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["REC#*"]}},
    }
    policy = {"Version": "2012-10-17", "Statement": [listing, writing]}
    iam.put_role_policy(RoleName="simulated", PolicyName="may", PolicyDocument=json.dumps(policy))
    return arn


@pytest.mark.parametrize(
    ("action", "resource", "key", "values", "decision"),
    [
        ("s3:ListBucket", BUCKET, "s3:prefix", ["recordings/1/"], "allowed"),
        ("s3:ListBucket", BUCKET, "s3:prefix", ["private/"], "implicitDeny"),
        ("dynamodb:UpdateItem", ROWS, "dynamodb:LeadingKeys", ["REC#1"], "allowed"),
        ("dynamodb:UpdateItem", ROWS, "dynamodb:LeadingKeys", ["REC#1", "SID#1"], "implicitDeny"),
    ],
)
def test_a_condition_is_judged_by_the_entries_of_the_request(
    client: Client,
    role: str,
    action: str,
    resource: str,
    key: str,
    values: list[str],
    decision: str,
) -> None:
    entry: dict[str, Any] = {
        "ContextKeyName": key,
        "ContextKeyValues": values,
        "ContextKeyType": "stringList" if len(values) > 1 else "string",
    }
    (found,) = client("iam").simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=[action],
        ResourceArns=[resource],
        ContextEntries=[entry],
    )["EvaluationResults"]
    assert found["EvalDecision"] == decision

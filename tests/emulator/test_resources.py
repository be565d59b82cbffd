"""What CloudFormation makes, and what a function gets, is as on AWS."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from local.strict import rules
from local.strict.rules import ENVIRONMENT_MAX_BYTES, POLICY_MAX
from local.strict.sessions import TOKEN_LENGTH
from tests.e2e.conftest import eventually
from tests.emulator.conftest import Client
from tests.emulator.test_mappings import TRUST

CODE = """
import os
def handler(event, context):
    return len(os.environ["AWS_SESSION_TOKEN"])
"""


def deploy(client: Client, name: str, **resources: dict[str, Any]) -> tuple[str, str]:
    """Create a stack; return its status and why a resource failed."""
    stacks = client("cloudformation")
    stacks.create_stack(
        StackName=name,
        TemplateBody=json.dumps({"Resources": resources}),
        Capabilities=["CAPABILITY_IAM"],
    )

    def ended() -> str | None:
        status: str = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    status = eventually(ended, "the end of the deploy")
    events = stacks.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each for each in events if each["ResourceStatus"] == "CREATE_FAILED"]
    return status, " ".join(each.get("ResourceStatusReason", "") for each in failed)


def bucket(days: int) -> dict[str, Any]:
    moves = [{"StorageClass": "STANDARD_IA", "TransitionInDays": days}]
    rule = {"Id": "move", "Status": "Enabled", "Transitions": moves}
    return {
        "Type": "AWS::S3::Bucket",
        "Properties": {"LifecycleConfiguration": {"Rules": [rule]}},
    }


def machine(seconds: Any) -> dict[str, Any]:
    definition = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": seconds, "End": True}},
    }
    role = "arn:aws:iam::000000000000:role/any"
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": role, "DefinitionString": json.dumps(definition)},
    }


def role(size: int) -> dict[str, Any]:
    """Return a role whose inline policy has so many characters, about."""
    arn = "arn:aws:s3:::" + "b" * size
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": arn}
    policy = {
        "PolicyName": "long",
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": json.loads(TRUST), "Policies": [policy]},
    }


@pytest.mark.parametrize(
    ("name", "resource", "says"),
    [
        ("early", bucket(29), "greater than or equal to 30"),
        ("text", machine("60"), "Seconds must be a number"),
        ("long", role(POLICY_MAX), "Maximum policy size"),
    ],
)
def test_a_resource_that_aws_refuses_fails(
    client: Client, name: str, resource: dict[str, Any], says: str
) -> None:
    status, why = deploy(client, name, Resource=resource)
    assert "ROLLBACK" in status
    assert says in why


def test_a_resource_that_just_keeps_the_rules_is_made(client: Client) -> None:
    found = deploy(client, "kept", Bucket=bucket(30), Machine=machine(60), Role=role(9_000))
    assert found == ("CREATE_COMPLETE", "")


def test_the_variables_of_a_function_have_a_limit() -> None:
    assert not list(rules.environment({"A": "x" * (ENVIRONMENT_MAX_BYTES - len('{"A":""}'))}))
    assert list(rules.environment({"A": "x" * ENVIRONMENT_MAX_BYTES}))


def test_an_access_key_is_made_with_its_user_and_goes_with_it(client: Client) -> None:
    key = {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}}
    status, why = deploy(client, "uploader", User={"Type": "AWS::IAM::User"}, Key=key)
    assert status == "CREATE_COMPLETE", why
    stacks, iam = client("cloudformation"), client("iam")
    made = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in stacks.describe_stack_resources(StackName="uploader")["StackResources"]
    }
    keys = iam.list_access_keys(UserName=made["User"])["AccessKeyMetadata"]
    assert [each["AccessKeyId"] for each in keys] == [made["Key"]]


def test_a_function_gets_a_session_token_as_long_as_on_aws(client: Client) -> None:
    client("iam").create_role(RoleName="long", AssumeRolePolicyDocument=TRUST)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", CODE)
    functions = client("lambda")
    functions.create_function(
        FunctionName="long",
        Runtime="python3.13",
        Role="arn:aws:iam::000000000000:role/long",
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )
    answer = functions.invoke(FunctionName="long")
    assert json.loads(answer["Payload"].read()) == TOKEN_LENGTH

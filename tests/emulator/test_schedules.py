"""A schedule is made by whoever may make it and give it its role, and calls as that role."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from agora_recording.clock import iso
from tests.e2e.conftest import eventually
from tests.emulator.conftest import Client
from tests.emulator.test_mappings import TRUST

GROUP = "times"
MAKE = ("scheduler:CreateSchedule", f"arn:aws:scheduler:*:*:schedule/{GROUP}/*")
GIVE = ("iam:PassRole", "arn:aws:iam::*:role/caller*")


def role(client: Client, name: str, *rights: tuple[str, str]) -> str:
    """Make a role with rights: each an action and a resource. Return its ARN."""
    iam = client("iam")
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": does, "Resource": on} for does, on in rights]
    if statements:
        text = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=text)
    return arn


def function(client: Client, name: str, trace: Path) -> str:
    """Make a function that leaves a file behind when it is called; return its ARN."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        text = f"def handler(event, context):\n    open({str(trace)!r}, 'w').close()\n"
        archive.writestr("app.py", text)
    arn: str = client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role(client, name),
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
    return arn


def schedule(client: Client, name: str, target: str, caller: str, **keys: str) -> None:
    """Make a schedule of the group for now."""
    client("scheduler", **keys).create_schedule(
        Name=name,
        GroupName=GROUP,
        ScheduleExpression=f"at({iso(round(time.time() * 1000))[:19]})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={"Arn": target, "RoleArn": caller, "Input": "{}"},
    )


@pytest.fixture(scope="module", autouse=True)
def _group(client: Client) -> None:
    client("scheduler").create_schedule_group(Name=GROUP)


def keys_of(client: Client, name: str, *rights: tuple[str, str]) -> dict[str, str]:
    """Return the keys of a role with rights."""
    made = client("sts").assume_role(
        RoleArn=role(client, name, *rights), RoleSessionName="maker", DurationSeconds=900
    )["Credentials"]
    return {
        "aws_access_key_id": made["AccessKeyId"],
        "aws_secret_access_key": made["SecretAccessKey"],
        "aws_session_token": made["SessionToken"],
    }


@pytest.mark.parametrize(
    ("name", "rights"),
    [
        ("makes-but-gives-no-role", (MAKE,)),
        ("gives-but-makes-none", (GIVE,)),
        ("makes-in-another-group", (("scheduler:CreateSchedule", "*:schedule/other/*"), GIVE)),
    ],
)
def test_who_may_not_make_it_or_not_give_the_role_is_refused(
    client: Client, name: str, rights: tuple[Any, ...]
) -> None:
    keys = keys_of(client, name, *rights)
    caller = "arn:aws:iam::000000000000:role/caller"
    target = "arn:aws:lambda:us-east-1:000000000000:function:any"
    with pytest.raises(ClientError, match="AccessDenied"):
        schedule(client, name, target, caller, **keys)


def test_a_schedule_calls_as_its_role_and_not_otherwise(client: Client, tmp_path: Path) -> None:
    keys = keys_of(client, "makes-and-gives", MAKE, GIVE)
    for name in ("may-not-call", "may-call"):
        arn = function(client, name, tmp_path / name)
        rights = [("lambda:InvokeFunction", arn)] if name == "may-call" else []
        schedule(client, name, arn, role(client, f"caller-{name}", *rights), **keys)
    eventually((tmp_path / "may-call").exists, "the call")
    assert not (tmp_path / "may-not-call").exists()
    left = client("scheduler").list_schedules(GroupName=GROUP)["Schedules"]
    assert not [each for each in left if each["GroupName"] == GROUP]

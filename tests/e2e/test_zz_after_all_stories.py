"""What must hold of everything that happened in the stories before: rights and secrets."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest

from tests.e2e.conftest import Stage
from tests.e2e.test_one_recording import SECRET_TOKEN


class Right(NamedTuple):
    """One action on one resource that a role's policy allows."""

    role: str
    action: str
    resource: str


def _rights(stage: Stage) -> set[Right]:
    """Return what the deployed policies of the functions allow."""
    iam, found = stage.stack.client("iam"), set()
    for logical_id, role in stage.facts["resources"].items():
        if not logical_id.endswith("FunctionRole"):
            continue
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            if isinstance(document, str):
                document = json.loads(unquote(document))
            for statement in document["Statement"]:
                for action in _list(statement["Action"]):
                    for resource in _list(statement["Resource"]):
                        found.add(Right(role, action, resource))
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _decisions(stage: Stage) -> list[dict[str, Any]]:
    lines = stage.stack.emulator.audit.read_text().splitlines()
    decisions = [json.loads(line) for line in lines]
    return [each for each in decisions if ":assumed-role/" in each["principal"]]


def _role(decision: dict[str, Any]) -> str:
    role: str = decision["principal"].split("/")[1]
    return role


@pytest.fixture
def _all_stories(request: pytest.FixtureRequest) -> None:
    told = {item.path.name for item in request.session.items}
    written = {path.name for path in Path(__file__).parent.glob("test_*.py")}
    if not written <= told:
        pytest.skip("only tells something after all stories")


def test_no_role_was_refused_anything(stage: Stage) -> None:
    refused = {
        (_role(each), each["action"], each["resource"])
        for each in _decisions(stage)
        if not each["allowed"]
    }
    assert refused == set()


@pytest.mark.usefixtures("_all_stories")
def test_no_policy_allows_what_no_story_needed(stage: Stage) -> None:
    used = {(_role(each), each["action"], each["resource"]) for each in _decisions(stage)}
    superfluous = [
        right
        for right in _rights(stage)
        if not any(
            role == right.role
            and action == right.action
            and fnmatch.fnmatchcase(resource, right.resource)
            for role, action, resource in used
        )
    ]
    assert not superfluous, "\n" + "\n".join(sorted(map(str, superfluous)))


def test_no_secret_is_in_any_row_event_or_state_input(stage: Stage) -> None:
    secrets = _secrets(stage)
    places = {
        "rows": json.dumps(stage.all_rows(), default=str),
        "logs": stage.logs(),
        "histories": _histories(stage),
        "files": _event_files(stage),
        "the log of Agora's calls": json.dumps(stage.control("GET", "/calls")),
    }
    found = [
        (place, name)
        for place, text in places.items()
        for name, secret in secrets.items()
        if secret in text
    ]
    assert found == []
    assert all(places.values()), "an empty place proves nothing"


def _secrets(stage: Stage) -> dict[str, str]:
    manager = stage.stack.client("secretsmanager")
    storage = json.loads(
        manager.get_secret_value(SecretId=stage.facts["resources"]["StorageSecret"])["SecretString"]
    )
    return {
        "Agora's customer secret": stage.facts["agora_credentials"]["customer_secret"],
        "the notification secret": stage.facts["notification_secret"],
        "the uploader's secret key": storage["secretKey"],
        "the channel's token": SECRET_TOKEN,
    }


def _histories(stage: Stage) -> str:
    client = stage.stack.client("stepfunctions")
    machine = stage.facts["resources"]["RecordingStateMachine"]
    texts = []
    for page in client.get_paginator("list_executions").paginate(stateMachineArn=machine):
        for execution in page["executions"]:
            pages = client.get_paginator("get_execution_history").paginate(
                executionArn=execution["executionArn"]
            )
            texts += [json.dumps(each["events"], default=str) for each in pages]
    return "\n".join(texts)


def _event_files(stage: Stage) -> str:
    keys = [key for key in stage.keys("recordings/") if key.endswith(".json")]
    read = stage.s3.get_object
    return "\n".join(read(Bucket=stage.bucket, Key=key)["Body"].read().decode() for key in keys)

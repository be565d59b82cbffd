"""What a stack leaves behind when its stories are over: rights used, and secrets looked for.

Stories run on as many stacks as there are workers, so each stack writes down its part, and
tests/after judges all parts together.
"""

from __future__ import annotations

import fnmatch
import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from local.template import ROOT

FOLDER = ROOT / ".build" / "evidence"
# What stories put into requests, and nobody may find anywhere afterwards.
TOKEN = "007eJxTYsecretRtcTokenOfTheChannel"
STREAM_KEY = "very-secret-stream-key"


class Right(NamedTuple):
    """One action on one resource, of one role."""

    role: str
    action: str
    resource: str


def save(stage: Any, told: Collection[str]) -> None:
    """Write down what the stories in the files `told` have left on this stack."""
    decisions = _decisions(stage)
    used = {Right(*each) for each, allowed in decisions if allowed}
    found = {
        "told": sorted(told),
        "refused": sorted(_plain(stage, each) for each, allowed in decisions if not allowed),
        "rights": sorted(_plain(stage, each) for each in _rights(stage)),
        "used": sorted(_plain(stage, each) for each in _rights(stage) if _is_used(each, used)),
        "secrets": [
            f"{name} in {place}"
            for place, text in _places(stage)
            for name, secret in _secrets(stage).items()
            if secret in text
        ],
        "places": [place for place, text in _places(stage) if text.strip("[]{}")],
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{uuid.uuid4().hex}.json").write_text(json.dumps(found, indent=1))


def parts() -> list[dict[str, Any]]:
    """Return what every stack has written down."""
    return [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]


def stories() -> set[str]:
    """Return the names of the files whose stories are told on the shared stacks."""
    return {
        path.name
        for path in Path(__file__).parent.glob("test_*.py")
        if "stage: Stage" in path.read_text()
    }


# --- rights ---


def _is_used(right: Right, used: set[Right]) -> bool:
    return any(
        each.role == right.role
        and each.action == right.action
        and fnmatch.fnmatchcase(each.resource, right.resource)
        for each in used
    )


def _rights(stage: Any) -> set[Right]:
    """Return what the deployed policies of the functions allow, and do not deny elsewhere."""
    iam, found, denied = stage.stack.client("iam"), set(), set()
    for logical_id, role in stage.facts["resources"].items():
        if not logical_id.endswith("FunctionRole"):
            continue
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            if isinstance(document, str):
                document = json.loads(unquote(document))
            for statement in document["Statement"]:
                for action in _list(statement["Action"]):
                    if statement["Effect"] == "Deny":  # to the code of every room: all of it
                        denied.add((role, action))
                        continue
                    for resource in _list(statement["Resource"]):
                        found.add(Right(role, action, resource))
    return {each for each in found if (each.role, each.action) not in denied}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _decisions(stage: Any) -> set[tuple[Right, bool]]:
    """Return what the functions' roles asked for, and whether they were let."""
    found = set()
    for line in stage.stack.emulator.audit.read_text().splitlines():
        each = json.loads(line)
        if ":assumed-role/" in each["principal"]:
            role = each["principal"].split("/")[1]
            found.add((Right(role, each["action"], each["resource"]), each["allowed"]))
    return found


def _plain(stage: Any, right: Right) -> str:
    """Return a right in words that are the same on every stack."""
    names: Mapping[str, str] = stage.facts["resources"]
    text = f"{right.role} {right.action} {right.resource}"
    for logical_id, physical in sorted(names.items(), key=lambda item: -len(item[1])):
        # Rights name a queue by its ARN, resources by its URL.
        short = physical.rpartition("/" if "://" in physical else ":")[2]
        text = text.replace(physical, f"<{logical_id}>").replace(short, f"<{logical_id}>")
    # A stream's name ends in the time of its making.
    text = re.sub(r"(/stream/)\d{4}-[\d:.TZ-]+", r"\1<time>", text)
    # Secrets Manager ends each ARN in characters of its own.
    text = re.sub(r"(<\w+Secret>)-\w+", r"\1", text)
    return text.replace(stage.group_id(), "<group>")


# --- secrets ---


def _secrets(stage: Any) -> dict[str, str]:
    manager = stage.stack.client("secretsmanager")
    storage = json.loads(
        manager.get_secret_value(SecretId=stage.facts["resources"]["StorageSecret"])["SecretString"]
    )
    return {
        "Agora's customer secret": stage.facts["agora_credentials"]["customer_secret"],
        "the notification secret": stage.facts["notification_secret"],
        "the uploader's secret key": storage["secretKey"],
        "a channel's token": TOKEN,
        "a stream key": STREAM_KEY,
    }


def _places(stage: Any) -> Iterator[tuple[str, str]]:
    # Of a notification the raw body is kept, and event 100 names the CDN's address in it: that is
    # said in docs/security.md. Everything that is made of it must be clean.
    rows = [
        {name: value for name, value in row.items() if name != "body"} for row in stage.all_rows()
    ]
    yield "the rows", json.dumps(rows, default=str)
    yield "the logs", stage.logs()
    yield "the histories", _histories(stage)
    yield "the event files", _event_files(stage)


def _histories(stage: Any) -> str:
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


def _event_files(stage: Any) -> str:
    keys = [key for key in stage.keys("recordings/") if key.endswith(".json")]
    read = stage.s3.get_object
    return "\n".join(read(Bucket=stage.bucket, Key=key)["Body"].read().decode() for key in keys)

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
    asked = decisions(stage)
    used = {each for each, allowed in asked if allowed}
    found = {
        "told": sorted(told),
        "refused": sorted(_plain(stage, each) for each, allowed in asked if not allowed),
        "rights": sorted(_plain(stage, each) for each in _rights(stage)),
        "used": sorted(_plain(stage, each) for each in _rights(stage) if _is_used(each, used)),
        "cases": _cases(stage),
        **_calls(stage),
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
    found, denied = set(), set()
    for role, (own, managed) in _policies(stage).items():
        for document in (*own, *managed.values()):
            for statement in document["Statement"]:
                for action in _list(statement["Action"]):
                    if statement["Effect"] == "Deny":  # to the code of every room: all of it
                        denied.add((role, action))
                        continue
                    for resource in _list(statement["Resource"]):
                        found.add(Right(role, action, resource))
    return {each for each in found if (each.role, each.action) not in denied}


def _policies(stage: Any) -> dict[str, tuple[list[Any], dict[str, Any]]]:
    """Return the functions' roles: (their own policies, AWS's managed ones by name)."""
    iam, found = stage.stack.client("iam"), {}
    for logical_id, role in stage.facts["resources"].items():
        if not logical_id.endswith("FunctionRole"):
            continue
        own = [
            iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
        ]
        managed = {}
        for each in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            arn = each["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            answer = iam.get_policy_version(PolicyArn=arn, VersionId=version)
            managed[each["PolicyName"]] = _document(answer["PolicyVersion"]["Document"])
        found[role] = ([_document(each) for each in own], managed)
    return found


def _document(given: Any) -> Any:
    return json.loads(unquote(given)) if isinstance(given, str) else given


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _cases(stage: Any) -> list[dict[str, Any]]:
    """Return what the roles asked for, once for each kind, for an independent judge.

    Two requests are of one kind if they differ in nothing but names of recordings and sessions.
    """
    roles, keys, found = _policies(stage), _key_policies(stage), {}
    for line in stage.stack.emulator.audit.read_text().splitlines():
        each = json.loads(line)
        role = each["principal"].split("/")[1]
        if role not in roles or not each["allowed"]:
            continue
        kind = re.sub(r"[0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{32}|\d{4,}", "~", json.dumps(each))
        own, managed = roles[role]
        found[kind] = {
            **each,
            "policies": own,
            "managed": sorted(managed),
            "resourcePolicy": keys.get(each["resource"]),
        }
    return list(found.values())


def _key_policies(stage: Any) -> dict[str, Any]:
    """Return the policies of KMS keys by ARN: without one, KMS lets nobody in."""
    kms, found = stage.stack.client("kms"), {}
    for each in kms.list_keys()["Keys"]:
        answer = kms.get_key_policy(KeyId=each["KeyId"], PolicyName="default")
        found[each["KeyArn"]] = _document(answer["Policy"])
    return found


def decisions(stage: Any) -> set[tuple[Right, bool]]:
    """Return what the functions' roles asked for, and whether they were let.

    A role that is gone with its stack says nothing: whoever still works in its name at that moment,
    a function or the reader of a queue, is refused, as on AWS.
    """
    pages = stage.stack.client("iam").get_paginator("list_roles").paginate()
    there = {role["RoleName"] for page in pages for role in page["Roles"]}
    found = set()
    for line in stage.stack.emulator.audit.read_text().splitlines():
        each = json.loads(line)
        if ":assumed-role/" not in each["principal"]:
            continue
        role = each["principal"].split("/")[1]
        if role in there:
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


# --- calls ---


def _calls(stage: Any) -> dict[str, list[str]]:
    """Return what AWS would have said of the calls that the functions made.

    `broken` are requests that AWS refuses, `doubts` answers that AWS would not give, `unread` calls
    that no model describes; `called` are the operations, each once.
    """
    found: dict[str, set[str]] = {
        "broken": set(),
        "doubts": set(),
        "unread": set(),
        "called": set(),
    }
    for line in stage.stack.emulator.calls.read_text().splitlines():
        each = json.loads(line)
        if ":assumed-role/" not in each["principal"]:
            continue
        if "unread" in each:
            found["unread"].add(each["unread"])
            continue
        operation = each["operation"]
        found["called"].add(operation)
        found["broken"] |= {f"{operation}: {said}" for said in each["violations"]}
        for said in each["doubts"]:
            # An element of a list is as doubtful as the next.
            place_free = re.sub(r"\[\d+\]", "[]", said)
            found["doubts"].add(f"{operation}: {place_free}")
    return {name: sorted(each) for name, each in found.items()}


# --- secrets ---


def _secrets(stage: Any) -> dict[str, str]:
    manager = stage.stack.client("secretsmanager")
    storage = json.loads(
        manager.get_secret_value(SecretId=stage.facts["resources"]["StorageSecret"])["SecretString"]
    )
    return {
        "Agora's customer secret": stage.facts["agora_credentials"]["customer_secret"],
        "the notification secret": stage.facts["notification_secret"],
        "the secret of channel events": stage.facts["rtc_notification_secret"],
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

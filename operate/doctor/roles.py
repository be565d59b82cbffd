"""The roles: does the account let them do what the stack's policies allow?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from operate.doctor.check import Check, UnhealthyError, few
from operate.doctor.patient import Patient


class _Grant(NamedTuple):
    """What one statement allows."""

    actions: list[str]
    resources: list[str]
    context: list[dict[str, Any]]


def allowed(patient: Patient) -> str:
    """Let IAM simulate each statement of each role: boundaries and SCPs are taken into account."""
    iam, refused, count = patient.client("iam"), [], 0
    for logical_id, name in sorted(patient.stack.resources.items()):
        if not logical_id.endswith("Role"):
            continue
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        for grant in _joined(_grants(iam, name)):
            count += 1
            pages = iam.get_paginator("simulate_principal_policy").paginate(
                PolicySourceArn=arn,
                ActionNames=grant.actions,
                ResourceArns=grant.resources,
                ContextEntries=grant.context,
            )
            refused += [
                f"{logical_id} {each['EvalActionName']} ({each['EvalDecision']})"
                for page in pages
                for each in page["EvaluationResults"]
                if each["EvalDecision"] != "allowed"
            ]
    if refused:
        raise UnhealthyError(f"Refused: {few(refused, between='; ')}.")
    return f"IAM was asked {count} times, and allows everything."


def _grants(iam: Any, role: str) -> Iterator[_Grant]:
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        if isinstance(document, str):
            document = json.loads(unquote(document))
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                yield _Grant(
                    list(_listed(statement["Action"])),
                    [_example(each) for each in _listed(statement["Resource"])],
                    list(_context(statement.get("Condition", {}))),
                )


def _joined(grants: Iterable[_Grant]) -> list[_Grant]:
    """Return the grants with the actions of those joined that differ in nothing else."""
    joined: dict[str, _Grant] = {}
    for grant in grants:
        same = joined.setdefault(str(grant[1:]), grant)
        if same is not grant:
            same.actions.extend(grant.actions)
    return list(joined.values())


def _context(conditions: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what a call must have to meet the conditions of a statement."""
    for operator, about in conditions.items():
        kind = "stringList" if operator.startswith("ForA") else "string"
        for key, values in about.items():
            first = _example(_listed(values)[0])
            yield {"ContextKeyName": key, "ContextKeyValues": [first], "ContextKeyType": kind}


def _example(pattern: str) -> str:
    """Return a text that a pattern takes; `*` alone stays."""
    return pattern if pattern == "*" else pattern.replace("*", "x")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


CHECKS = (
    Check(
        "roles",
        "service control policies and boundaries that take back what the stack's roles need",
        "Let the policy that is named (docs/security.md) allow these actions: the permissions "
        "boundary, or the organization's service control policy.",
        allowed,
    ),
)

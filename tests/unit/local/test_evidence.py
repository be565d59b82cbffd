"""What the stories' stacks leave as evidence for tests/after."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.e2e import evidence
from tests.e2e.evidence import Right

QUEUE = "arn:aws:sqs:us-east-1:000000000000:queue"


def _stage(folder: Path, *asked: tuple[str, bool]) -> Any:
    """A stack with the role `reader`; `asked`: whose role it was, and whether it was let."""
    audit = folder / "audit"
    lines = [
        json.dumps(
            {
                "principal": f"arn:aws:sts::000000000000:assumed-role/{role}/a-function",
                "action": "sqs:DeleteMessage",
                "resource": QUEUE,
                "allowed": allowed,
            }
        )
        for role, allowed in asked
    ]
    audit.write_text("\n".join(lines))
    pages = [{"Roles": [{"RoleName": "another"}]}, {"Roles": [{"RoleName": "reader"}]}]
    paginator = SimpleNamespace(paginate=lambda: pages)
    iam = SimpleNamespace(get_paginator=lambda name: {"list_roles": paginator}[name])
    emulator = SimpleNamespace(audit=audit)
    clients = {"iam": iam}
    return SimpleNamespace(stack=SimpleNamespace(client=clients.__getitem__, emulator=emulator))


def test_what_a_role_is_refused_is_evidence(tmp_path: Path) -> None:
    stage = _stage(tmp_path, ("reader", True), ("reader", False))
    right = Right("reader", "sqs:DeleteMessage", QUEUE)
    assert evidence.decisions(stage) == {(right, True), (right, False)}


def test_what_is_refused_to_a_role_that_went_with_its_stack_is_none(tmp_path: Path) -> None:
    stage = _stage(tmp_path, ("second-reader", False), ("reader", True))
    right = Right("reader", "sqs:DeleteMessage", QUEUE)
    assert evidence.decisions(stage) == {(right, True)}

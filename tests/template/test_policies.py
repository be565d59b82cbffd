"""The policies of all roles, as SAM expands them, before a linter that knows AWS's actions.

Every condition of the template is taken once on each side: a company's stack is judged, too.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.expanded import PARTITIONS, Resolver, expanded, roles
from local.template import ROOT

PARLIAMENT = ROOT / ".tools" / "policies" / "bin" / "parliament"
# What the linter says of right policies, and why it is wrong.
KNOWN = {
    # AWS documents the key for every call that a function's role makes; the linter wants it in the
    # list of each service's own keys.
    ("UNKNOWN_CONDITION_FOR_ACTION", "lambda:SourceFunctionArn"),
    # The label of a stream has colons, and the linter splits ARNs at colons.
    ("RESOURCE_MISMATCH", "table/*/stream/*"),
    # A standard execution's ARN is right, too; the linter only knows that of an express one.
    ("RESOURCE_MISMATCH", "arn:*:states:*:*:express:*:*:*"),
}
# SAM writes these, without a version; they use nothing that a version changes.
OF_SAM = ("EventInvokeConfigOnFailureSQSPolicy", "LambdaPolicy", "SQSPolicy")


@pytest.fixture(scope="module")
def made() -> list[dict[str, Any]]:
    return list(roles(expanded(), "aws"))


def judged(roles: list[dict[str, Any]], folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (issue, detail) of everything that the linter finds, but for what is known."""
    assert PARLIAMENT.exists(), "run `make test`, which installs it"
    details = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles, "Policies": []}
    file = folder / "policies.json"
    file.write_text(json.dumps(details))
    command = [str(PARLIAMENT), "--json", "--auth-details-file", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in ran.stdout.splitlines():
        found = json.loads(line)
        if not any(
            found["issue"] == issue and part in str(found["detail"]) for issue, part in KNOWN
        ):
            yield found["issue"], f"{found['location']['filepath']}: {found['detail']}"
    assert "Traceback" not in ran.stderr, ran.stderr


def versioned(roles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the roles without the policies that SAM writes without a version."""
    return [
        {
            **role,
            "RolePolicyList": [
                each for each in role["RolePolicyList"] if "Version" in each["PolicyDocument"]
            ],
        }
        for role in roles
    ]


def test_a_linter_finds_nothing_in_the_policies(made: list[dict[str, Any]], tmp_path: Path) -> None:
    assert sum(len(role["RolePolicyList"]) for role in made) > 50
    assert list(judged(versioned(made), tmp_path)) == []


def test_only_policies_of_sam_lack_a_version(made: list[dict[str, Any]]) -> None:
    lacking = {
        policy["PolicyName"]
        for role in made
        for policy in role["RolePolicyList"]
        if "Version" not in policy["PolicyDocument"]
    }
    assert [name for name in lacking if not name.endswith(OF_SAM)] == []


@pytest.mark.parametrize(
    ("statement", "issue"),
    [
        ({"Action": "s3:GetObjects", "Resource": "arn:aws:s3:::bucket/*"}, "UNKNOWN_ACTION"),
        ({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}, "RESOURCE_MISMATCH"),
        ({"Action": "s3:GetObject", "Resource": "bucket"}, "INVALID_ARN"),
        (
            {"Action": "dynamodb:PutItem", "Resource": "arn:aws:sqs:us-east-1:123456789012:q"},
            "RESOURCE_MISMATCH",
        ),
    ],
)
def test_the_linter_sees_what_is_wrong(
    statement: dict[str, str], issue: str, tmp_path: Path
) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}
    policy = {"PolicyName": "wrong", "PolicyDocument": document}
    role = {"RoleName": "wrong", "Arn": "arn:aws:iam::1:role/wrong", "RolePolicyList": [policy]}
    assert issue in [found for found, _ in judged([role], tmp_path)]


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("first", [True, False])
def test_every_policy_stays_in_its_partition(partition: str, first: bool) -> None:
    made = expanded(PARTITIONS[partition])
    resolver = Resolver(made, partition, first=first)
    text = json.dumps(
        [
            resolver.value(each["Properties"].get("Policies", []))
            for each in made["Resources"].values()
            if each["Type"] == "AWS::IAM::Role"
        ]
    )
    others = [f"arn:{each}:" for each in PARTITIONS if each != partition]
    assert f"arn:{partition}:" in text
    assert [each for each in others if each in text] == []

"""The template as CloudFormation gets it: what SAM makes of it, in each of AWS's partitions.

`python -m local.expanded FOLDER` writes it down for those who judge it (`make regions`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from samtranslator.translator.arn_generator import ArnGenerator
from samtranslator.translator.transform import transform

from local.template import Template, parameters, template

PARTITIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""A region of each partition: SAM writes the partition into what it makes."""

_ACCOUNT = "123456789012"
# What the ARN of a resource looks like, by its type; `{0}` is its name.
_ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{0}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{0}",
    "AWS::IAM::Role": "iam::{account}:role/{0}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{0}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{0}",
    "AWS::S3::Bucket": "s3:::{0}",
    "AWS::SNS::Topic": "sns:{region}:{account}:{0}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{0}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{0}",
    "AWS::StepFunctions::StateMachine": "states:{region}:{account}:stateMachine:{0}",
}
# Types that `Ref` answers with an ARN.
_REFERRED = ("AWS::SNS::Topic", "AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachine")


def expanded(region: str = "us-east-1") -> Template:
    """Return what CloudFormation gets in a region: no globals, no transform, SAM's resources."""
    given = deepcopy(template())
    for each in given["Resources"].values():
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in each.get("Properties", {}):
                each["Properties"][name] = "s3://bucket/key"
    # SAM asks boto for its region once in a process, and takes the partition from it. On a machine
    # without AWS settings, boto knows none.
    with (
        patch.dict("os.environ", AWS_DEFAULT_REGION=region),
        patch.object(ArnGenerator, "BOTO_SESSION_REGION_NAME", region),
    ):
        made: Template = transform(given, {}, _ManagedPolicies())
    return made


class _ManagedPolicies:
    """SAM asks for the ARNs of AWS's managed policies by name; this template names none."""

    def load(self) -> dict[str, str]:
        return {}


class Resolver:
    """Answers the intrinsic functions of a template, as a new stack would: by its defaults.

    `first` says which side of every condition is taken.
    """

    def __init__(self, made: Template, partition: str, *, first: bool) -> None:
        self._resources = made["Resources"]
        self._side = 1 if first else 2
        self._arn = f"arn:{partition}:"
        region = PARTITIONS[partition]
        place = f"{region}:{_ACCOUNT}"
        self._names = {
            **parameters(
                {
                    "KmsKeyArn": f"{self._arn}kms:{place}:key/company",
                    "StorageSecretArn": f"{self._arn}secretsmanager:{place}:secret:company",
                }
            ),
            "AWS::AccountId": _ACCOUNT,
            "AWS::Partition": partition,
            "AWS::Region": region,
            "AWS::StackName": "stack",
            "AWS::URLSuffix": "amazonaws.com" + (".cn" if partition == "aws-cn" else ""),
        }
        self._words = {"region": region, "account": _ACCOUNT}

    def value(self, part: Any) -> Any:
        """Return a part of the template with its functions answered; what is absent is None."""
        if isinstance(part, list):
            return [each for each in map(self.value, part) if each is not None]
        if not isinstance(part, dict):
            return part
        if len(part) == 1:
            (name, given) = next(iter(part.items()))
            if name == "Ref":
                return self._reference(given)
            if name == "Fn::GetAtt":
                return self._attribute(given[0], ".".join(given[1:]))
            if name == "Fn::Sub":
                return self._filled(given)
            if name == "Fn::If":
                return self.value(given[self._side])
            if name == "Fn::Select":
                found = self.value(given[1])
                return found[min(int(given[0]), len(found) - 1)]
            if name == "Fn::Split":
                return str(self.value(given[1])).split(given[0])
            if name == "Fn::Join":
                return str(given[0]).join(self.value(given[1]))
        resolved = {name: self.value(each) for name, each in part.items()}
        return {name: each for name, each in resolved.items() if each is not None}

    def _reference(self, name: str) -> str | None:
        if name == "AWS::NoValue":
            return None
        if name in self._names:
            return self._names[name] or name.lower()
        if self._resources[name]["Type"] in _REFERRED:
            return self._attribute(name, "Arn")
        return name.lower()

    def _attribute(self, name: str, attribute: str) -> str:
        if attribute == "StreamArn":
            return self._attribute(name, "Arn") + "/stream/2026-01-01T00:00:00.000"
        kind = self._resources[name]["Type"]
        if attribute in ("Arn", "Id") and kind in _ARNS:
            return self._arn + _ARNS[kind].format(name, **self._words)
        return name.lower()

    def _filled(self, given: Any) -> str:
        text, more = given if isinstance(given, list) else (given, {})

        def fill(match: re.Match[str]) -> str:
            name, _, attribute = match[1].partition(".")
            if name in more:
                return str(self.value(more[name]))
            return str(self._attribute(name, attribute) if attribute else self._reference(name))

        return re.sub(r"\$\{([^}]+)\}", fill, text)


def roles(made: Template, partition: str) -> Iterator[dict[str, Any]]:
    """Yield every role with its policies, once for either side of the conditions.

    Shaped as `aws iam get-account-authorization-details` tells them.
    """
    for first in (True, False):
        resolver = Resolver(made, partition, first=first)
        for name, resource in made["Resources"].items():
            if resource["Type"] not in ("AWS::IAM::Role", "AWS::IAM::User"):
                continue
            policies = resolver.value(resource["Properties"].get("Policies", []))
            yield {
                "RoleName": f"{name}, {'all' if first else 'no'} conditions",
                "Arn": f"arn:{partition}:iam::{_ACCOUNT}:role/{name}",
                "RolePolicyList": [
                    each for each in policies if each["PolicyDocument"]["Statement"]
                ],
            }


def main(folder: Path) -> None:
    """Write a template a partition."""
    folder.mkdir(parents=True, exist_ok=True)
    for partition, region in PARTITIONS.items():
        made = expanded(region)
        (folder / f"{partition}.json").write_text(json.dumps(made, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

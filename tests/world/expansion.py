"""What SAM makes of template.yaml."""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from unittest.mock import patch

from samtranslator.translator.arn_generator import ArnGenerator
from samtranslator.translator.transform import transform

from local.template import template


def expanded(region: str = "us-east-1") -> dict[str, Any]:
    """Return the resources that SAM makes of the template in a region."""
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
        made: dict[str, Any] = transform(given, {}, _ManagedPolicies())["Resources"]
    return made


class _ManagedPolicies:
    """SAM asks for the ARNs of AWS's managed policies by name; this template names none."""

    def load(self) -> dict[str, str]:
        return {}

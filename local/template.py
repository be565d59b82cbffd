"""template.yaml and the state machine's definition, as every tool beside AWS reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parent.parent
ASL = ROOT / "statemachine" / "recording.asl.yaml"

Template = dict[str, Any]


@cache
def template() -> Template:
    """Return template.yaml, intrinsic functions in their long form. Copy it before a change."""
    found: Template = yaml_parse((ROOT / "template.yaml").read_text())
    return found


def functions() -> dict[str, dict[str, Any]]:
    """Return the properties of the template's functions by logical id."""
    return {
        name: each["Properties"]
        for name, each in template()["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
    }


def parameters(given: Mapping[str, Any]) -> dict[str, str]:
    """Return every parameter's value: given, or its default. Raises KeyError for others."""
    values = {
        name: str(given.get(name, declared.get("Default", "")))
        for name, declared in template()["Parameters"].items()
    }
    unknown = set(given) - set(values)
    if unknown:
        raise KeyError(f"template.yaml has no parameter {', '.join(sorted(unknown))}")
    return values


def substitutions() -> dict[str, Any]:
    """Return the placeholders of the state machine and what the template puts there."""
    found: dict[str, Any] = template()["Resources"]["RecordingStateMachine"]["Properties"][
        "DefinitionSubstitutions"
    ]
    return found


def numbers(values: Mapping[str, str]) -> dict[str, str]:
    """Return the numbers among the substitutions, parameters with `values`; no names and ARNs."""
    return {
        name: values[value["Ref"]] if isinstance(value, dict) else str(value)
        for name, value in substitutions().items()
        if isinstance(value, int) or (isinstance(value, dict) and _is_number(value, values))
    }


def _is_number(value: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    return values.get(value.get("Ref", ""), "").isdigit()


def definition(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the state machine's definition; placeholders without a value stay as they are."""
    text = re.sub(r"\$\{(\w+)\}", lambda match: values.get(match[1], match[0]), ASL.read_text())
    found: dict[str, Any] = yaml.safe_load(text)
    return found

"""The state machine's definition as it would be deployed, with stand-ins for its substitutions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parent.parent.parent
ASL = ROOT / "statemachine" / "recording.asl.yaml"


def template() -> dict[str, Any]:
    """Return template.yaml, intrinsic functions in their long form."""
    found: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text())
    return found


def functions() -> dict[str, dict[str, Any]]:
    """Return the functions of the template by logical id."""
    return {
        name: each["Properties"]
        for name, each in template()["Resources"].items()
        if each["Type"] == "AWS::Serverless::Function"
    }


def substitutions() -> dict[str, Any]:
    """Return the placeholders of the state machine and what the template puts there."""
    found: dict[str, Any] = template()["Resources"]["RecordingStateMachine"]["Properties"][
        "DefinitionSubstitutions"
    ]
    return found


def room_of(state: dict[str, Any]) -> str | None:
    """Return the logical id of the function that a state calls, if it calls one."""
    named = state.get("Parameters", {}).get("FunctionName", state.get("Resource", ""))
    return str(named).rpartition(":")[2] if ":lambda:" in named else None


def definition(**values: str) -> dict[str, Any]:
    """Return the definition; placeholders take the given values, else a fitting stand-in."""

    def stand_in(match: re.Match[str]) -> str:
        name = match[1]
        if name in values:
            return values[name]
        if name.endswith("Function"):
            return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
        return {"Partition": "aws", "TableName": "table"}.get(name, "1")

    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\{(\w+)\}", stand_in, ASL.read_text()))
    return found

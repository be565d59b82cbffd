"""The stack as a whole: two of them in one account, an update beneath a recording, a deletion."""

from __future__ import annotations

from typing import Any

import pytest

from local.package import CODE_BUCKET
from local.stack import STACK_NAME
from tests.e2e.conftest import Stage, eventually

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
# What may be called the same: a stage belongs to its API, the custom resource is no resource.
ALIKE = {"Apiv1Stage", "NcsAddresses"}


class Stacks:
    """CloudFormation, with the template and the parameters of the stage's own stack."""

    def __init__(self, stage: Stage) -> None:
        self._client = stage.stack.client("cloudformation")
        self._url = f"{stage.facts['aws_endpoint_url']}/{CODE_BUCKET}/template.json"
        described = self._client.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
        self._values = {
            each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]
        }

    def create(self, name: str) -> None:
        self._client.create_stack(StackName=name, **self._request())
        self._await(name, "CREATE_COMPLETE")

    def update(self, name: str, **changed: str) -> None:
        self._client.update_stack(StackName=name, **self._request(**changed))
        self._await(name, "UPDATE_COMPLETE")

    def delete(self, name: str) -> None:
        self._client.delete_stack(StackName=name)
        eventually(lambda: name not in self._names(), f"{name} deleted")

    def resources(self, name: str) -> dict[str, str]:
        found = self._client.describe_stack_resources(StackName=name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    def _request(self, **changed: str) -> dict[str, Any]:
        values = {**self._values, **changed}
        return {
            "TemplateURL": self._url,
            "Capabilities": CAPABILITIES,
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": value} for name, value in values.items()
            ],
        }

    def _names(self) -> set[str]:
        return {
            each["StackName"]
            for each in self._client.describe_stacks()["Stacks"]
            if each["StackStatus"] != "DELETE_COMPLETE"
        }

    def _await(self, name: str, status: str) -> None:
        def is_there() -> bool:
            found = self._client.describe_stacks(StackName=name)["Stacks"][0]
            return bool(found["StackStatus"] == status)

        eventually(is_there, f"{name} {status}")


@pytest.fixture(scope="module")
def stacks(stage: Stage) -> Stacks:
    return Stacks(stage)


@pytest.fixture(scope="module")
def second(stacks: Stacks) -> dict[str, str]:
    """A second stack beside the first: its resources."""
    stacks.create("second")
    return stacks.resources("second")


def test_two_stacks_in_one_account_share_nothing(stacks: Stacks, second: dict[str, str]) -> None:
    first = stacks.resources(STACK_NAME)
    assert first.keys() == second.keys()
    assert {name for name in first if first[name] == second[name]} == ALIKE


def test_a_deleted_stack_leaves_its_recordings(
    stage: Stage, stacks: Stacks, second: dict[str, str]
) -> None:
    stage.s3.put_object(Bucket=second["Bucket"], Key="recordings/kept.ts", Body=b"media")
    stacks.delete("second")
    table = stage.dynamodb.describe_table(TableName=second["Table"])["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert stage.s3.head_object(Bucket=second["Bucket"], Key="recordings/kept.ts")


def test_an_update_of_the_stack_does_not_disturb_a_recording(stage: Stage, stacks: Stacks) -> None:
    recording_id = stage.record("through-an-update")
    stage.until(recording_id, "recording")
    before = stacks.resources(STACK_NAME)
    stacks.update(STACK_NAME, SourceCheck="log")
    assert stacks.resources(STACK_NAME) == before
    assert stage.row(recording_id)["status"] == "recording"
    stage.stop(recording_id)
    assert stage.finish(recording_id)["status"] == "completed"
    stacks.update(STACK_NAME)

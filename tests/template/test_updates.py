"""What an update of the stack can never do: replace what holds recordings, or runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local.expanded import expanded
from local.template import template

PARAMETERS = set(template()["Parameters"])
# A resource that another value of a parameter replaces, and why that is right.
REPLACED = {
    # A security group cannot leave its VPC. It holds nothing but what the next refresh writes.
    ("NotificationsSecurityGroup", "VpcId"): {"VpcId"},
}
# They hold what cannot be made again, so no property that replaces them is set at all.
KEPT = ("Bucket", "RecordingStateMachine", "SealKey", "Table")


@cache
def create_only(kind: str) -> list[str]:
    """Return the properties of a type whose change replaces the resource."""
    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    except ResourceNotFoundError:
        return []  # a custom resource
    return [each.split("/")[2] for each in schema.get("createOnlyProperties", [])]


def replacing(resources: dict[str, Any]) -> Iterator[tuple[str, str, set[str]]]:
    """Yield (resource, property, parameters): another value of these replaces the resource."""
    for name, each in resources.items():
        for key in create_only(each["Type"]):
            used = set(parameters(each.get("Properties", {}).get(key)))
            if used:
                yield name, key, used


def parameters(value: Any) -> Iterator[str]:
    """Yield the parameters on which a value depends; of a condition, its name."""
    if isinstance(value, list):
        for each in value:
            yield from parameters(each)
    elif isinstance(value, dict):
        if value.get("Ref") in PARAMETERS:
            yield value["Ref"]
        if "Fn::If" in value:
            yield value["Fn::If"][0]
        text = json.dumps(value.get("Fn::Sub", ""))
        yield from (each for each in PARAMETERS if f"${{{each}}}" in text)
        for each in value.values():
            yield from parameters(each)


def test_no_parameter_replaces_a_resource_without_a_reason() -> None:
    assert {(name, key): used for name, key, used in replacing(expanded()["Resources"])} == REPLACED


@pytest.mark.parametrize("name", KEPT)
def test_what_holds_recordings_or_runs_them_has_nothing_that_replaces_it(name: str) -> None:
    resource = expanded()["Resources"][name]
    set_ = set(create_only(resource["Type"])) & set(resource["Properties"])
    # SAM writes the type of a state machine; it is SAM's default, STANDARD, in every version.
    assert set_ <= {"StateMachineType"}
    assert resource["Properties"].get("StateMachineType", "STANDARD") == "STANDARD"


def test_the_keys_of_the_table_stay() -> None:
    """A change of them replaces the table, too; the schema has no word for that."""
    assert expanded()["Resources"]["Table"]["Properties"]["KeySchema"] == [
        {"AttributeName": "PK", "KeyType": "HASH"},
        {"AttributeName": "SK", "KeyType": "RANGE"},
    ]


def test_a_name_that_a_parameter_gives_to_the_table_would_be_found() -> None:
    named = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": {"Ref": "AgoraAppId"}}}
    assert list(replacing({"Table": named})) == [("Table", "TableName", {"AgoraAppId"})]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_no_arn_of_another_partition_is_in_the_expanded_template(
    region: str, partition: str
) -> None:
    text = json.dumps(expanded(region)["Resources"])
    assert "arn:aws:" not in text
    assert f"arn:{partition}:" in text  # SAM's own, of the managed policies

"""The table, twice: the fake of these tests, and moto's DynamoDB with the table of template.yaml.

Each story of a store is told on both. So what the fake does, a table does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.world.table import TABLE, FakeTable, table_properties


@pytest.fixture(scope="module")
def moto() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture(params=["fake", "moto"])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "fake":
        yield FakeTable()
        return
    client = request.getfixturevalue("moto")
    names = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client.create_table(TableName=TABLE, **{name: table_properties()[name] for name in names})
    yield client
    client.delete_table(TableName=TABLE)

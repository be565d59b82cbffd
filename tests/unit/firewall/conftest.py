"""One account for each file: the first use of EC2 in moto is slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from tests.world.firewall import TABLE, client_of, create_table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_wafv2 import WAFV2Client


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    """The account; each test has its own group or table."""
    with mock_aws():
        yield


@pytest.fixture
def ec2(aws: None) -> EC2Client:
    client: EC2Client = client_of("ec2")
    return client


@pytest.fixture
def wafv2(aws: None) -> WAFV2Client:
    client: WAFV2Client = client_of("wafv2")
    return client


@pytest.fixture
def dynamodb(aws: None) -> Iterator[DynamoDBClient]:
    client: DynamoDBClient = client_of("dynamodb")
    create_table()
    yield client
    client.delete_table(TableName=TABLE)

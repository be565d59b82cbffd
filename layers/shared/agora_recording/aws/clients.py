"""AWS clients: made when first asked for, kept for the life of the environment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from agora_recording.aws.signing import Keys

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_wafv2 import WAFV2Client


def config(service: str) -> Config:
    """Return how long the calls of a service may take, and how often they are tried.

    A call that hangs must end inside the room's own time-out, so that the room can tell of it, or
    be repeated. Behind the HTTP API, a room has 29 s (API Gateway: integration time-out). Between
    two tries, botocore waits for up to 1 s, then up to 2 s. So a call takes 12 s at most, and one
    of S3 21 s. EC2 and WAF are called by the firewall's room alone, which has minutes.
    """
    connect_s, read_s, tries = {
        "s3": (1, 5, 3),
        "ec2": (2, 20, 4),
        "wafv2": (2, 20, 4),
    }.get(service, (1, 2, 3))
    return Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": tries},
        user_agent_extra="agora-recording",
    )


@cache
def _client(service: str) -> Any:
    return boto3.client(service, config=config(service))  # type: ignore[call-overload]


def keys() -> Keys:
    """Return the present credentials of the clients."""
    session = boto3.DEFAULT_SESSION or boto3.Session()
    found = session.get_credentials()
    if found is None:
        raise NoCredentialsError
    frozen = found.get_frozen_credentials()  # of one moment: they may be renewed in between
    return Keys(frozen.access_key or "", frozen.secret_key or "", frozen.token)


def dynamodb() -> DynamoDBClient:
    """Return the one DynamoDB client."""
    client: DynamoDBClient = _client("dynamodb")
    return client


def ec2() -> EC2Client:
    """Return the one EC2 client (its import is slow: only the firewall asks for it)."""
    client: EC2Client = _client("ec2")
    return client


def events() -> EventBridgeClient:
    """Return the one EventBridge client."""
    client: EventBridgeClient = _client("events")
    return client


def kms() -> KMSClient:
    """Return the one KMS client."""
    client: KMSClient = _client("kms")
    return client


def s3() -> S3Client:
    """Return the one S3 client."""
    client: S3Client = _client("s3")
    return client


def scheduler() -> EventBridgeSchedulerClient:
    """Return the one EventBridge Scheduler client."""
    client: EventBridgeSchedulerClient = _client("scheduler")
    return client


def secretsmanager() -> SecretsManagerClient:
    """Return the one Secrets Manager client."""
    client: SecretsManagerClient = _client("secretsmanager")
    return client


def sqs() -> SQSClient:
    """Return the one SQS client."""
    client: SQSClient = _client("sqs")
    return client


def stepfunctions() -> SFNClient:
    """Return the one Step Functions client."""
    client: SFNClient = _client("stepfunctions")
    return client


def wafv2() -> WAFV2Client:
    """Return the one WAFv2 client."""
    client: WAFV2Client = _client("wafv2")
    return client

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
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_wafv2 import WAFV2Client

# A call that hangs must end well inside the function's own timeout, so that it can be repeated.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=8,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_extra="agora-recording",
)


@cache
def _client(service: str) -> Any:
    return boto3.client(service, config=_CONFIG)  # type: ignore[call-overload]


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

"""What is outside the process: AWS, Agora, time and chance."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from agora_recording import clock

if TYPE_CHECKING:
    import requests
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

    from agora_recording.aws.signing import Keys
    from agora_recording.callbacks.post import Poster


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """Clients, clocks and random bytes. None means the process's own client, made when needed.

    `now_ms` returns epoch milliseconds, `monotonic` seconds; `sleep` takes seconds. `keys` returns
    the credentials that sign addresses.
    """

    dynamodb: DynamoDBClient | None = None
    ec2: EC2Client | None = None
    events: EventBridgeClient | None = None
    kms: KMSClient | None = None
    s3: S3Client | None = None
    scheduler: EventBridgeSchedulerClient | None = None
    secretsmanager: SecretsManagerClient | None = None
    sqs: SQSClient | None = None
    stepfunctions: SFNClient | None = None
    wafv2: WAFV2Client | None = None
    keys: Callable[[], Keys] | None = None
    http: requests.Session | None = None
    poster: Poster | None = None
    now_ms: Callable[[], int] = clock.now_ms
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random_bytes: Callable[[int], bytes] = os.urandom

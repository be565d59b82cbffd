"""Agora's storageConfig: the bucket, and the credentials with which Agora may upload.

There are two kinds of credentials (a parameter): `keys`, those of a write-only IAM user; or
`temporary`, made from that user by GetFederationToken and limited to the recording's prefix. A
Lambda role cannot make them: a role that assumes a role gets one hour, and Agora needs four.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from agora_recording.aws import clients
from agora_recording.aws.secrets import SecretStore
from agora_recording.errors import StorageRegionError

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

VENDOR_S3 = 1
# Agora's number for each AWS region (Agora REST: third-party cloud storage regions). 26 and 27 were
# never published; a region that is not here cannot be uploaded to.
REGION_NUMBERS = {
    "us-east-1": 0,
    "us-east-2": 1,
    "us-west-1": 2,
    "us-west-2": 3,
    "eu-west-1": 4,
    "eu-west-2": 5,
    "eu-west-3": 6,
    "eu-central-1": 7,
    "ap-southeast-1": 8,
    "ap-southeast-2": 9,
    "ap-northeast-1": 10,
    "ap-northeast-2": 11,
    "sa-east-1": 12,
    "ca-central-1": 13,
    "ap-south-1": 14,
    "cn-north-1": 15,
    "cn-northwest-1": 16,
    "us-gov-west-1": 17,
    "af-south-1": 18,
    "ap-east-1": 19,
    "ap-northeast-3": 20,
    "eu-north-1": 21,
    "me-south-1": 22,
    "us-gov-east-1": 23,
    "ap-southeast-3": 24,
    "eu-south-1": 25,
    "il-central-1": 28,
}
TOKEN_LIFE_S = 12 * 3600  # Agora needs at least 4 hours; 12 leave time for failed renewals


class StorageKeys(msgspec.Struct, frozen=True, rename="camel"):
    """What the storage secret holds: the keys of the write-only IAM user."""

    access_key: Annotated[str, msgspec.Meta(min_length=1)]
    secret_key: Annotated[str, msgspec.Meta(min_length=1)]


def region_number(aws_region: str) -> int:
    """Return Agora's number of an AWS region. Raises StorageRegionError if it has none."""
    try:
        return REGION_NUMBERS[aws_region]
    except KeyError:
        raise StorageRegionError(
            f"Agora has no number for the AWS region {aws_region}, so it cannot upload there. "
            f"Deploy the stack in one of: {', '.join(sorted(REGION_NUMBERS))}."
        ) from None


def storage_config(
    *,
    bucket: str,
    aws_region: str,
    prefix: str,
    keys: StorageKeys,
    token: tuple[str, int] | None = None,
    sse: str = "",
    tag: str = "",
) -> dict[str, Any]:
    """Return Agora's storageConfig object (Agora REST: storageConfig).

    `prefix` is `[<keyPrefix>]recordings/<recordingId>/`; `token` is (stsToken, expiry in epoch
    seconds).
    """
    config: dict[str, Any] = {
        "vendor": VENDOR_S3,
        "region": region_number(aws_region),
        "bucket": bucket,
        "accessKey": keys.access_key,
        "secretKey": keys.secret_key,
        "fileNamePrefix": prefix.strip("/").split("/"),
    }
    if token:
        config["stsToken"], config["stsExpiration"] = token
    params = {name: value for name, value in (("sse", sse), ("tag", tag)) if value}
    if params:
        config["extensionParams"] = params
    return config


def session_policy(partition: str, bucket: str, prefix: str, kms_key_arn: str = "") -> str:
    """Return the policy (JSON) that narrows temporary credentials to one recording's prefix.

    `kms_key_arn` is the key that encrypts the bucket, if it is the deployer's own: S3 uses it in
    the name of whoever uploads.
    """
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:PutObjectTagging"],
            "Resource": f"arn:{partition}:s3:::{bucket}/{prefix}*",
        }
    ]
    if kms_key_arn:
        actions = ["kms:GenerateDataKey", "kms:Decrypt"]
        statements.append({"Effect": "Allow", "Action": actions, "Resource": kms_key_arn})
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()


def _sts_of(keys: StorageKeys) -> STSClient:
    import boto3  # noqa: PLC0415 - only when tokens are made, which is not on every start

    return boto3.client(
        "sts",
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        config=clients.config("sts"),
    )


class Storage(msgspec.Struct, kw_only=True):
    """Makes the storageConfig of a recording, with new credentials if they are temporary."""

    bucket: str
    aws_region: str
    secret_id: str
    credentials: Literal["keys", "temporary"] = "keys"
    partition: str = "aws"
    kms_key_arn: str = ""
    sse: str = ""
    tag: str = ""
    secrets: SecretStore = msgspec.field(default_factory=SecretStore)
    sts: Callable[[StorageKeys], STSClient] = _sts_of

    @property
    def is_temporary(self) -> bool:
        """Tell whether the credentials must be renewed while a recording runs."""
        return self.credentials == "temporary"

    def config(self, prefix: str) -> dict[str, Any]:
        """Return the storageConfig for files under `prefix`.

        Raises StorageRegionError; SecretUnavailableError when the secret is not filled in.
        """
        keys = self.secrets.read(self.secret_id, StorageKeys)
        token = None
        if self.is_temporary:
            answer = self.sts(keys).get_federation_token(
                Name="agora-uploader",
                DurationSeconds=TOKEN_LIFE_S,
                Policy=session_policy(self.partition, self.bucket, prefix, self.kms_key_arn),
            )["Credentials"]
            keys = StorageKeys(answer["AccessKeyId"], answer["SecretAccessKey"])
            token = (answer["SessionToken"], int(answer["Expiration"].timestamp()))
        return storage_config(
            bucket=self.bucket,
            aws_region=self.aws_region,
            prefix=prefix,
            keys=keys,
            token=token,
            sse=self.sse,
            tag=self.tag,
        )

"""A deployed stack as an operator's machine finds it: by its name, through CloudFormation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

from agora_recording.errors import StackNotFoundError
from agora_recording.wiring.settings import AgoraSettings

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient


class StackSettings(AgoraSettings, frozen=True, kw_only=True):
    """What the operator's tools need to know of a stack: what its rooms have for variables."""

    bucket_name: str
    bus_name: str
    arrivals_queue_url: str
    poison_queue_url: str
    state_machine_arn: str
    calls_queue_url: str
    callback_endpoints: str
    callback_secret_id: str
    callback_hosts: str = ""
    callback_loopback: str = ""


class Deployment(NamedTuple):
    """Physical ids by logical id, and the values of the parameters and of the outputs."""

    name: str
    region: str
    resources: dict[str, str]
    parameters: dict[str, str]
    outputs: Mapping[str, str] = MappingProxyType({})

    @property
    def bucket(self) -> str:
        """The bucket with the recordings: the stack's, or the one that it was given."""
        return self.parameters.get("ExistingBucketName") or self.resources["Bucket"]

    @property
    def storage_secret(self) -> str:
        """The secret with the keys that Agora uploads with: the stack's, or a given one."""
        return self.parameters.get("StorageSecretArn") or self.resources["StorageSecret"]

    @property
    def partition(self) -> str:
        """The partition: aws, aws-cn or aws-us-gov."""
        return self.resources["RecordingStateMachine"].split(":")[1]

    @property
    def settings(self) -> StackSettings:
        """What the tools need to know of this stack."""
        return StackSettings(
            table_name=self.resources["Table"],
            speed=float(self.parameters["Speed"]),
            state_machine_arn=self.resources["RecordingStateMachine"],
            calls_queue_url=self.resources["Calls"],
            callback_endpoints=self.parameters.get("CallbackEndpoints", ""),
            callback_secret_id=self.resources["CallbackSecret"],
            agora_app_id=self.parameters["AgoraAppId"],
            agora_secret_id=self.resources["AgoraSecret"],
            agora_base_url=self.parameters["AgoraBaseUrl"],
            agora_concurrent_tasks=float(self.parameters["AgoraConcurrentTasks"]),
            agora_calls_per_second=float(self.parameters["AgoraCallsPerSecond"]),
            aws_region=self.region,
            bucket_name=self.bucket,
            bus_name=self.resources["EventBus"],
            arrivals_queue_url=self.resources["FileArrivals"],
            poison_queue_url=self.resources["PoisonNotifications"],
        )


def find(name: str, client: CloudFormationClient | None = None) -> Deployment:
    """Return the stack of this name. Raises StackNotFoundError."""
    client = client or boto3.client("cloudformation")
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise StackNotFoundError(
            f"There is no stack {name} in {client.meta.region_name}; name yours with --stack."
        ) from error
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for page in pages
        for each in page["StackResourceSummaries"]
        if "PhysicalResourceId" in each
    }
    if "RecordingStateMachine" not in resources:
        raise StackNotFoundError(f"The stack {name} is not an Agora recording stack.")
    return Deployment(
        name=name,
        region=client.meta.region_name,
        resources=resources,
        parameters={
            each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])
        },
        outputs={each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])},
    )


def enter_local(facts: Mapping[str, Any]) -> None:
    """Make every AWS client of this process call the embedded stack of these facts
    (local/stack.json).
    """
    keys = facts["aws_credentials"]
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    os.environ |= {
        "AWS_ENDPOINT_URL": facts["aws_endpoint_url"],
        "AWS_REGION": facts["region"],
        "AWS_DEFAULT_REGION": facts["region"],
        "AWS_ACCESS_KEY_ID": keys["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
    }

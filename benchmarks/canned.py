"""DynamoDB's shipped client whose HTTP exchange is answered in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.awsrequest import AWSResponse

from agora_recording.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Answer = Callable[[str, bytes], bytes]  # (operation, JSON of the request) → JSON of the answer


def dynamodb(answer: Answer) -> DynamoDBClient:
    """Return a client, configured as the rooms' is, that gets its answers from `answer`."""

    def exchange(request: Any, **_: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        name = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        content = answer(name, request.body)
        told = {"content-type": "application/x-amz-json-1.0", "content-length": str(len(content))}
        return AWSResponse(request.url, 200, cast(Any, told), cast(Any, _Body(content)))

    client = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
        config=clients.config("dynamodb"),
    )
    client.meta.events.register("before-send.dynamodb", cast(Any, exchange))
    return client


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content

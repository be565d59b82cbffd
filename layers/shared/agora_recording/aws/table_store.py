"""What every store of rows has: the table, and the client that reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agora_recording.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TableStore(msgspec.Struct, frozen=True):
    """Reaches the table `table_name`; `client` None: the client that the process shares."""

    table_name: str
    client: DynamoDBClient | None = None

    @property
    def _dynamodb(self) -> DynamoDBClient:
        return self.client or clients.dynamodb()

"""The answering path's table: it writes notifications, and reads only the allow-list."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.aws.dynamodb import from_item
from agora_recording.errors import StoreUnavailableError
from agora_recording.notifications.envelope import is_listed, parse_networks

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from mypy_boto3_dynamodb import DynamoDBClient

_KEEP_LIST_MS = 60_000

# Agora gives up after 10 s ("Agora callbacks: response"), and this room has 9 s. Two tries of 2 s
# and the wait of 1 s between them are 5 s. One function makes the items, and a test compares them
# with DynamoDB's own model, so botocore need not check each attribute of each event again: that
# would be a sixth of the event's cost.
CLIENT_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 2},
    user_agent_extra="agora-recording",
    parameter_validation=False,
)


@cache
def _dynamodb() -> DynamoDBClient:
    return boto3.client("dynamodb", config=CLIENT_CONFIG)


class NotificationStore:
    """Stores each notification once, and knows the addresses on the allow-list.

    Rows: a notification as `envelope.item` makes it; `FIREWALL`/`allow-list` with `cidrs`.
    """

    def __init__(self, table_name: str, client: DynamoDBClient | None = None) -> None:
        self._table_name = table_name
        self._given = client
        self._networks: tuple[IPv4Network | IPv6Network, ...] = ()
        self._asked_ms: int | None = None

    @property
    def _client(self) -> DynamoDBClient:
        return self._given or _dynamodb()

    def put(self, item: Mapping[str, Any]) -> bool:
        """Write the item unless its key is taken; return whether it is new. It is stored either
        way.

        Raises StoreUnavailableError when the table did not confirm it.
        """
        try:
            self._client.put_item(
                TableName=self._table_name,
                Item=item,
                ConditionExpression="attribute_not_exists(PK)",
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ConditionalCheckFailedException":
                return False
            raise StoreUnavailableError(f"the table refused the notification: {code}") from error
        except BotoCoreError as error:
            raise StoreUnavailableError("the table does not answer") from error
        return True

    def lists(self, address: str, now_ms: int) -> bool | None:
        """Return whether `address` is on the firewall's allow-list, None when there is no list.

        The list is read at most once a minute. Raises StoreUnavailableError when the table did
        not answer.
        """
        if self._asked_ms is None or now_ms - self._asked_ms >= _KEEP_LIST_MS:
            self._networks = parse_networks(self._read_list())
            self._asked_ms = now_ms
        return is_listed(address, self._networks) if self._networks else None

    def _read_list(self) -> list[str]:
        try:
            answer = self._client.get_item(
                TableName=self._table_name,
                Key={"PK": {"S": "FIREWALL"}, "SK": {"S": "allow-list"}},
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailableError("the table does not give the allow-list") from error
        return list(from_item(answer.get("Item", {})).get("cidrs", ()))

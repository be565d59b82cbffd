"""Rows of one partition, read only as far as somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agora_recording.aws.dynamodb import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The first query asks for few rows, and each further one for twice as many: so a page of a long
# partition costs what it shows.
_FIRST, _MOST = 8, 512


def rows_between(
    client: DynamoDBClient,
    table_name: str,
    partition: str,
    low: str,
    high: str,
    *,
    consistent: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield the plain values of the rows whose sort keys are from `low` to `high`, in their order.

    Both ends are included. A query is made when its first row is wanted. A consistent one sees
    every write that was answered before it.
    """
    request: dict[str, Any] = {
        "TableName": table_name,
        "KeyConditionExpression": "PK = :pk AND SK BETWEEN :low AND :high",
        "ExpressionAttributeValues": to_item({":pk": partition, ":low": low, ":high": high}),
        "Limit": _FIRST,
        **({"ConsistentRead": True} if consistent else {}),
    }
    while True:
        answer = client.query(**request)
        yield from map(from_item, answer["Items"])
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        request["Limit"] = min(2 * request["Limit"], _MOST)

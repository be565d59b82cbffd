"""Rules in the table.

Rows (PK/SK):
    AUTO        / RULE#<name>   a rule
    LIVE#<name> / LIVE          how many recordings of a rule hold a place (channel_store.py)
"""

from __future__ import annotations

from typing import Any

from agora_recording.auto_record.rule import Rule, from_row, to_row
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.table_store import TableStore
from agora_recording.errors import RuleNotFoundError

RULES = "AUTO"
_PREFIX = "RULE#"


class RuleStore(TableStore, frozen=True):
    """Reads and writes rules; `client` None: the client that the process shares."""

    def put(self, rule: Rule) -> None:
        """Write a rule in the place of the one that had its name."""
        row = {"PK": RULES, "SK": f"{_PREFIX}{rule.name}", **to_row(rule)}
        self._dynamodb.put_item(TableName=self.table_name, Item=to_item(row))

    def get(self, name: str) -> Rule:
        """Return a rule as it is now. Raises RuleNotFoundError."""
        answer = self._dynamodb.get_item(
            TableName=self.table_name, Key=_key(name), ConsistentRead=True
        )
        if "Item" not in answer:
            raise RuleNotFoundError(f"There is no rule {name}.")
        return from_row(from_item(answer["Item"]))

    def all(self) -> list[Rule]:
        """Return every rule as it is now, by name."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self.table_name,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :prefix)",
            ExpressionAttributeValues=to_item({":pk": RULES, ":prefix": _PREFIX}),
            ConsistentRead=True,
        )
        return [from_row(from_item(item)) for page in pages for item in page["Items"]]

    def delete(self, name: str) -> None:
        """Delete a rule. Raises RuleNotFoundError when there is none of this name."""
        client = self._dynamodb
        try:
            client.delete_item(
                TableName=self.table_name,
                Key=_key(name),
                ConditionExpression="attribute_exists(PK)",
            )
        except client.exceptions.ConditionalCheckFailedException:
            raise RuleNotFoundError(f"There is no rule {name}.") from None


def _key(name: str) -> dict[str, Any]:
    return to_item({"PK": RULES, "SK": f"{_PREFIX}{name}"})

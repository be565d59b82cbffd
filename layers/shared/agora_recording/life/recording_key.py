"""Where a recording's row is in the table, and the condition that it stays there."""

from __future__ import annotations

from typing import Any

from agora_recording.aws.dynamodb import to_item


def row_key(recording_id: str) -> dict[str, Any]:
    """Return the key of a recording's row, as DynamoDB takes it."""
    return to_item({"PK": f"REC#{recording_id}", "SK": "META"})


def stays(table_name: str, recording_id: str) -> Any:
    """Return the ConditionCheck that a recording is there, and is not being deleted.

    What is written beside a recording is written in one transaction with it, so that a deletion
    leaves nothing behind.
    """
    return {
        "ConditionCheck": {
            "TableName": table_name,
            "Key": row_key(recording_id),
            "ConditionExpression": "attribute_exists(PK) AND attribute_not_exists(deletingMs)",
        }
    }

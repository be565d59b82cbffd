"""The size of a recording's row: what a caller asks for must leave room for its life."""

from __future__ import annotations

from msgspec.structs import replace

from agora_recording.aws.dynamodb import size_of, to_item
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.recording.model import Recording, to_row

LARGEST_ROW = 400 * 1024
"""Bytes that DynamoDB stores in one row."""

LIFE_BYTES = 128 * 1024
"""What a life adds at most: 21 attempts with a resourceId of 4 KB, two task tokens of 2 KB, the
keys of the indexes with the channel's name, the reason, and what is known of the files."""


def refuse_too_large(recording: Recording, path: str) -> None:
    """Raise RequestInvalidError if the row would have no room for the recording's life.

    `path` is the part of the request that the caller has to make smaller.
    """
    asked = replace(
        recording, attempt=None, past_attempts=[], task_token=None, upload_token=None, reason=None
    )
    size, most = size_of(to_item(to_row(asked))), LARGEST_ROW - LIFE_BYTES
    if size > most:
        rule = (
            f"must be smaller: the recording would need {size} bytes, and at most {most} are stored"
        )
        raise RequestInvalidError([Problem(path, rule)])

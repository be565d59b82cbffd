"""Changes rows that others change, too: read, change, write unless somebody else wrote first."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TypeVar

from botocore.exceptions import ClientError

from agora_recording.errors import WriteConflictError

T = TypeVar("T")

# DynamoDB's error codes when the condition of a write, or of a write in a transaction, fails.
OVERTAKEN = frozenset(
    {
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "TransactionConflictException",
    }
)


def compare_and_set(
    read: Callable[[], T],
    change: Callable[[T], T],
    write: Callable[[T, T], T],
    *,
    tries: int,
    refusal: str,
    overtaken: Container[str] = OVERTAKEN,
) -> T:
    """Apply a pure `change` to what `read` returns; return the value after it.

    `write(before, after)` writes on condition that `before` is still there, and returns what it
    wrote. If somebody else wrote first, it raises a ClientError with one of the codes in
    `overtaken`: then all three steps are repeated. A change that changes nothing writes nothing.
    Raises WriteConflictError, with `refusal` as its text, if others wrote first in every try.
    """
    for _ in range(tries):
        before = read()
        after = change(before)
        if after == before:
            return before
        try:
            return write(before, after)
        except ClientError as error:
            if error.response["Error"]["Code"] not in overtaken:
                raise
    raise WriteConflictError(refusal)

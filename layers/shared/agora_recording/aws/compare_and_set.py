"""Changing what others change too: read, change, write on condition that nobody was faster."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TypeVar

from botocore.exceptions import ClientError

from agora_recording.errors import WriteConflictError

T = TypeVar("T")

# What DynamoDB answers where the condition of a write, or of one in a transaction, does not hold.
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
    """Apply a pure `change` to what `read` returns; return what is there then.

    `write(before, after)` writes on condition that `before` is still there, and returns what it
    wrote. When somebody else was faster, it raises a ClientError with one of the codes in
    `overtaken`: all three are then done anew, on what is there now. A change that changes nothing
    writes nothing. Raises WriteConflictError, with `refusal` as its text, when others were faster
    in every try.
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

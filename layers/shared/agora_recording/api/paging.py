"""Pages of long lists: how much fits into an answer, and where the next page begins."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from agora_recording.errors import Problem, RequestInvalidError

T = TypeVar("T")

# A Lambda function may answer with 6 MB. The page is a JSON string in it: each quote and each
# backslash is escaped, and counts twice.
MAX_BYTES = 4_000_000


def page(items: Iterable[T], limit: int, max_bytes: int = MAX_BYTES) -> list[T]:
    """Return the first items: at most `limit`, and at most `max_bytes` of JSON with escapes.

    But at least one, if there is one: only the last page may be empty.
    """
    found: list[T] = []
    size = 0
    for item in items:
        text = msgspec.json.encode(item)
        size += len(text) + text.count(b'"') + text.count(b"\\") + 1
        if found and size > max_bytes:
            break
        found.append(item)
        if len(found) == limit:
            break
    return found


def read_number(name: str, parameters: Mapping[str, str], default: int, low: int, high: int) -> int:
    """Return a whole number of the query string. Raises RequestInvalidError."""
    text = parameters.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high:
        return int(text)
    raise RequestInvalidError([Problem(name, f"must be a whole number from {low} to {high}")])


def read_cursor(parameters: Mapping[str, str], kind: type[T]) -> T | None:
    """Return the cursor that `write_cursor` wrote; None if there is none.

    Raises RequestInvalidError.
    """
    text = parameters.get("cursor")
    if text is None:
        return None
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        return msgspec.json.decode(urlsafe_b64decode(padded), type=kind)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise RequestInvalidError(
            [Problem("cursor", "must be the cursor of an earlier answer to this call, unchanged")]
        ) from error


def write_cursor(cursor: Any) -> str:
    """Return a cursor as text that needs no escapes in a query string."""
    return urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")

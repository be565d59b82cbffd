"""Changes rows that others change, too: read, change, write unless somebody else wrote first."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container
from typing import TypeVar

import msgspec
from botocore.exceptions import ClientError

from agora_recording.aws.faults import codes, meaning
from agora_recording.errors import StoreUnavailableError, WriteConflictError, WriteRefusedError

T = TypeVar("T")

_FIRST_S = 0.025
_MOST_S = 0.4


class Backoff(msgspec.Struct, frozen=True):
    """Waits before the next try: somewhere between nothing and twice as long as the time before.

    Without this chance, two writers that met once would meet again.
    """

    sleep: Callable[[float], None] = time.sleep
    random_bytes: Callable[[int], bytes] = os.urandom

    def wait(self, lost: int) -> None:
        """Wait after the try number `lost` (from 0) was lost: for up to 25 ms, at last 400 ms."""
        chance = int.from_bytes(self.random_bytes(4), "big") / 2**32
        self.sleep(chance * min(_MOST_S, _FIRST_S * 2**lost))


def compare_and_set(
    read: Callable[[], T],
    change: Callable[[T], T],
    write: Callable[[T, T], T],
    *,
    tries: int,
    refusal: str,
    overtaken: Container[str] = frozenset(),
    backoff: Backoff | None = None,
) -> T:
    """Apply a pure `change` to what `read` returns; return the value after it.

    `write(before, after)` writes on condition that `before` is still there, and returns what it
    wrote. If somebody else wrote first, it raises a ClientError that `faults.meaning` calls
    overtaken, or one with a code in `overtaken`: then all three steps are repeated, after a pause.
    So they are if AWS was too busy. A change that changes nothing writes nothing.

    Raises WriteConflictError, with `refusal` as its text, if others wrote first in every try;
    StoreUnavailableError if AWS was too busy in the last one; WriteRefusedError if it will never
    take this write; any other error of AWS as it is.
    """
    backoff = backoff or Backoff()
    lost: Exception | None = None
    for number in range(tries):
        if number:
            backoff.wait(number - 1)
        before = read()
        after = change(before)
        if after == before:
            return before
        try:
            return write(before, after)
        except ClientError as error:
            lost = lost_to(error, refusal, overtaken)
    raise lost or WriteConflictError(refusal)


def lost_to(error: ClientError, refusal: str, overtaken: Container[str] = frozenset()) -> Exception:
    """Return what is raised after the last try if a write failed by `error`.

    Raises WriteRefusedError or the error itself if another try makes no sense.
    """
    kind = meaning(error)
    if kind == "overtaken" or any(code in overtaken for code in codes(error)):
        return WriteConflictError(refusal)
    if kind == "passing":
        return StoreUnavailableError("The table is too busy to write; send it again.")
    if kind == "for good":
        why = "it is too large, or has a value that cannot be stored"
        raise WriteRefusedError(f"AWS will never take this write: {why}.") from error
    raise error

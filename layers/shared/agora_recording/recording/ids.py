"""Recording ids: 26 characters of Crockford's base 32, sortable by time (the ULID layout)."""

from __future__ import annotations

import re

from agora_recording.errors import RecordingNotFoundError

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
RANDOM_BYTES = 10


def new_recording_id(now_ms: int, randomness: bytes) -> str:
    """Return the id of a recording asked for at `now_ms`, made unique by 10 random bytes.

    Only A-Z and 0-9, so that it may stand in Agora's fileNamePrefix (Agora REST: storageConfig).
    """
    number = (now_ms << 80) | int.from_bytes(randomness[:RANDOM_BYTES], "big")
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


def is_recording_id(text: str) -> bool:
    """Tell whether `text` has the form of an id, which need not exist."""
    return _PATTERN.fullmatch(text) is not None


def check_recording_id(text: str) -> None:
    """Raise RecordingNotFoundError if `text` is not an id: no row can have it."""
    if not is_recording_id(text):
        raise RecordingNotFoundError(
            f"There is no recording {text[:40]!r}: an id has 26 digits and capital letters."
        )

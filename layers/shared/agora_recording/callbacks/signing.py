"""Signs calls to the app (Standard Webhooks 1.0.0: signature scheme)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from agora_recording.errors import SecretUnavailableError

PREFIX = "whsec_"
_BYTES = range(24, 65)  # Standard Webhooks: 24 to 64 bytes


class SigningSecrets(msgspec.Struct, frozen=True):
    """The secret as it is stored: `current` signs, and so does `previous` while it is there."""

    current: str
    previous: str = ""

    @property
    def keys(self) -> list[bytes]:
        """The keys of the live secrets. Raises SecretUnavailableError for one of another form."""
        return [key_of(each) for each in (self.current, self.previous) if each]


def key_of(secret: str) -> bytes:
    """Return the key of a secret: `whsec_` and base64; the prefix may be missing.

    Raises SecretUnavailableError, whose message has no part of the secret.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _BYTES:
        # `from None`, outside the handler: the cause would carry the text into the log.
        raise SecretUnavailableError(
            "A secret of the callbacks is not whsec_ with 24 to 64 bytes in base64; "
            "docs/callbacks.md shows its form."
        )
    return key


def signature(message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]) -> str:
    """Return the header `webhook-signature`: one signature for each key, separated by spaces."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digests = [hmac.new(key, signed, hashlib.sha256).digest() for key in keys]
    return " ".join(f"v1,{base64.b64encode(each).decode()}" for each in digests)


def headers(
    message_id: str, timestamp_s: int, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """Return all headers of a call. The id is the same in every try, the timestamp (s) is not."""
    return {
        "content-type": "application/json",
        "user-agent": "agora-recording",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature(message_id, timestamp_s, body, keys),
    }

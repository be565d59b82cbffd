"""Checks RTC tokens as Agora's media servers do. Written from its builders, with no code of the
layer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import zlib
from dataclasses import dataclass

from local.agora.rules import RefusalError

_JOIN = 1
_RTC = 1
LONGEST_S = 86_400  # a longer validity counts as this


@dataclass(frozen=True)
class Token:
    """What an RTC token says. Instants in epoch seconds; `join_s` 0 is no end of its own."""

    app_id: str
    channel: str
    uid: str
    issued_s: int
    expires_s: int
    join_s: int

    @property
    def until_ms(self) -> int:
        """Return when a recorder with this token is thrown out, in epoch milliseconds."""
        valid_s = min(self.expires_s, self.join_s or self.expires_s, LONGEST_S)
        return (self.issued_s + valid_s) * 1000


class _Bytes:
    def __init__(self, plain: bytes) -> None:
        self._rest = plain

    def take(self, count: int) -> bytes:
        if len(self._rest) < count:
            raise ValueError("it is too short")
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self) -> str:
        return self.take(self.number(2)).decode()

    @property
    def rest(self) -> bytes:
        return self._rest


def check(
    token: object, *, app_id: str, certificate: str, channel: str, uid: str, now_ms: int
) -> Token:
    """Return a token that lets this uid into this channel now.

    Raises RefusalError: 109 if it has ended, 110 if it is missing or for something else.
    """
    try:
        read = _read(str(token or ""), certificate)
    except (ValueError, zlib.error) as error:
        raise RefusalError(400, 110, f"invalid token: {error}") from None
    if read.app_id.lower() != app_id.lower():
        raise RefusalError(400, 110, "invalid token: it is for another App ID")
    if read.channel != channel:
        raise RefusalError(400, 110, "invalid token: it is for another channel")
    if read.uid not in ("", uid):
        raise RefusalError(400, 110, "invalid token: it is for another uid")
    if now_ms >= read.until_ms:
        raise RefusalError(400, 109, "token expired")
    return read


def _read(token: str, certificate: str) -> Token:
    """Read a token whose signature is right. Raises ValueError or zlib.error."""
    if not token.startswith("007"):
        raise ValueError("it is no AccessToken2")
    signed = _Bytes(zlib.decompress(base64.b64decode(token[3:], validate=True)))
    signature = signed.take(signed.number(2))
    info = signed.rest
    app_id = signed.text()
    issued, expires_s, salt = signed.take(4), signed.number(4), signed.take(4)
    key = hmac.digest(salt, hmac.digest(issued, certificate.encode(), hashlib.sha256), "sha256")
    if not hmac.compare_digest(signature, hmac.digest(key, info, hashlib.sha256)):
        raise ValueError("its signature is wrong")
    if not signed.number(2) or signed.number(2) != _RTC:
        raise ValueError("it is not for RTC")
    privileges = {signed.number(2): signed.number(4) for _ in range(signed.number(2))}
    if _JOIN not in privileges:
        raise ValueError("it does not let anybody join")
    return Token(
        app_id=app_id,
        channel=signed.text(),
        uid=signed.text(),
        issued_s=int.from_bytes(issued, "little"),
        expires_s=expires_s,
        join_s=privileges[_JOIN],
    )

"""RTC tokens: what a recorder shows to join a channel of a project with an App Certificate.

The format is AccessToken2 (version "007"), by Agora's open-source token builders. Everything here
is a function of plain values; `mint.py` brings the secret, the time and the salt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import zlib
from collections.abc import Mapping, Sequence

import msgspec

VERSION = "007"
JOIN = 1  # the only privilege that a recorder needs
RTC = 1
SALTS = (1, 99_999_999)
_HEX32 = re.compile("[0-9A-Fa-f]{32}")


class Service(msgspec.Struct, frozen=True):
    """What a token gives access to.

    `kind` is Agora's number of the service. `privileges` maps each privilege to the seconds from
    the token's issue until it ends. `names` are what it is for: a channel and a uid for RTC.
    """

    kind: int
    privileges: Mapping[int, int]
    names: tuple[str, ...]


def rtc(channel: str, uid: str, privileges: Mapping[int, int]) -> Service:
    """Return the access of one uid (decimal digits) to one channel; uid "0" is any uid of it."""
    return Service(RTC, privileges, (channel, "" if uid == "0" else uid))


def is_hex32(text: str) -> bool:
    """Tell whether a text has the form of an App ID and of an App Certificate."""
    return _HEX32.fullmatch(text) is not None


def build(
    app_id: str,
    certificate: str,
    services: Sequence[Service],
    *,
    issued_s: int,
    expires_s: int,
    salt: int,
) -> str:
    """Return a token.

    `issued_s` is in epoch seconds; `expires_s` counts from then; `salt` is a random integer in
    `SALTS`. App ID and certificate must have the form of `is_hex32`.
    """
    head = struct.pack("<IIIH", issued_s, expires_s, salt, len(services))
    ordered = sorted(services, key=lambda each: each.kind)
    info = _text(app_id) + head + b"".join(map(_service, ordered))
    key = _hmac(struct.pack("<I", issued_s), certificate.encode())
    signature = _hmac(_hmac(struct.pack("<I", salt), key), info)
    plain = struct.pack("<H", len(signature)) + signature + info
    return VERSION + base64.b64encode(zlib.compress(plain)).decode()


def _service(service: Service) -> bytes:
    privileges = sorted(service.privileges.items())
    return (
        struct.pack("<HH", service.kind, len(privileges))
        + b"".join(struct.pack("<HI", *each) for each in privileges)
        + b"".join(map(_text, service.names))
    )


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<H", len(encoded)) + encoded


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()

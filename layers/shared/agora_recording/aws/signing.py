"""Signed addresses: each opens one private object for some time (AWS SigV4 in the query string).

A playlist needs thousands of them, and they differ only in the key: so the common part is computed
once. An address expires with the credentials that signed it, even before its own time.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

# Our own: AWS allows seven days, but an address ends with its credentials, and a function's end
# within twelve hours.
MAX_EXPIRES_S = 43_200
_SCOPE_END = "aws4_request"


class Keys(NamedTuple):
    """Credentials; `token` is None if they are permanent."""

    access_key: str
    secret_key: str
    token: str | None = None


class Sign(Protocol):
    """Signs the address of an object: see `signer`."""

    def __call__(self, key: str, content_type: str, save_as: str = "") -> str: ...


def bucket_url(endpoint_url: str, bucket: str) -> str:
    """Return where a bucket's objects are, with a slash at the end.

    At AWS, the bucket is part of the host name. If its name has a dot, the certificate would not
    match, and an emulator often has only an IP address: then it is part of the path.
    """
    parts = urlsplit(endpoint_url)
    if parts.netloc.startswith("s3.") and "." not in bucket:
        return f"{parts.scheme}://{bucket}.{parts.netloc}/"
    return f"{endpoint_url.rstrip('/')}/{bucket}/"


def signer(bucket_url: str, region: str, keys: Keys, now_ms: int, expires_s: int) -> Sign:
    """Return `sign(key, content_type)`: the address of an object, good for `expires_s` seconds.

    S3 will serve it as `content_type`, whatever type it was uploaded with. With `save_as`, browsers
    save it under this name.
    """
    parts = urlsplit(bucket_url)
    at = datetime.fromtimestamp(now_ms // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{region}/s3/{_SCOPE_END}"
    shared = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{keys.access_key}/{scope}",
        "X-Amz-Date": at,
        "X-Amz-Expires": str(expires_s),
        **({"X-Amz-Security-Token": keys.token} if keys.token else {}),
        "X-Amz-SignedHeaders": "host",
    }
    secret = f"AWS4{keys.secret_key}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    origin = f"{parts.scheme}://{parts.netloc}"
    before = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n".encode()

    @lru_cache
    def of_type(content_type: str, save_as: str) -> tuple[str, str]:
        # Sorted by name, as the signature wants them: capitals come before small letters.
        values = dict(shared)
        if save_as:
            values["response-content-disposition"] = _attachment(save_as)
        values["response-content-type"] = content_type
        query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in values.items())
        return query, f"\n{query}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"

    def sign(key: str, content_type: str, save_as: str = "") -> str:
        path = parts.path + quote(key, safe="/-_.~")
        query, rest = of_type(content_type, save_as)
        digest = hashlib.sha256(f"GET\n{path}{rest}".encode()).hexdigest()
        signature = hmac.digest(secret, before + digest.encode(), "sha256").hex()
        return f"{origin}{path}?{query}&X-Amz-Signature={signature}"

    return sign


def _attachment(name: str) -> str:
    """Return the header that gives a file its name (RFC 6266), for old clients in ASCII, too."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "-" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"

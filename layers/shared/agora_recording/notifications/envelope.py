"""Agora's webhook as plain values: who signed a body, its envelope, the key of its row.

What an event means is decided elsewhere (`events`, `facts`): this is the answering path, which must
be cheap and must never lose an authentic notification. The body is kept as it arrived, but without
what may be secret: event 100 has a CDN address with its stream key, and free text may repeat
anything. No body, signature or secret is ever logged.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from agora_recording.aws.dynamodb import to_item
from agora_recording.errors import NotificationInvalidError, SignatureError, StaleNotificationError
from agora_recording.foreign import Fields, load, members
from agora_recording.hiding import is_plain, public, without_addresses, without_secrets

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

MAX_BODY_BYTES = 64 * 1024
"""Far more than any documented event, far less than the 400 KB of an item."""

CLOUD_RECORDING = 3
"""The productId of Cloud Recording. Real-time STT (20) and others share its eventTypes."""

RTC = 1
"""The productId of channel events: who comes into a channel and leaves it."""

CHANNEL_EVENT = "RTC"
"""The sort key of a channel event: another room applies it."""

_LONGEST_NAME = 128  # bytes: a sort key holds 1,024 of them, and Agora's ids have 32
_LONGEST_CNAME = 1024  # bytes: web recordings allow as much, an index key twice as much


# What an event is about stays as it is, even where it looks like a secret; of the names of files
# and the like, addresses are cut.
_SHOWN: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(
        ("noticeid", "notificationid", "sid", "uid", "cname", "channelname", "msgname"), str
    ),
    **dict.fromkeys(("newuid", "streamuid", "videoid", "bucket"), without_addresses),
    **dict.fromkeys(("filename", "filenames", "filelist"), without_addresses),
}


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One notification's envelope; None if a field is missing or makes no sense.

    `eventMs` is when it happened (payload.sendts; eventMs in envelopes before 1.3), `notifyMs`
    when it was sent, both by Agora's clock. `details` is the event's own part, undecoded.
    """

    noticeId: str | None = None
    productId: int | None = None
    eventType: int | None = None
    notifyMs: int | None = None
    eventMs: int | None = None
    sid: str | None = None
    uid: str | None = None
    cname: str | None = None
    sequence: int | None = None
    details: dict[str, Any] = {}

    @property
    def is_foreign(self) -> bool:
        """Tell whether another product of Agora's sent it; envelopes before 1.3 name no product."""
        return self.productId not in (None, CLOUD_RECORDING)


# --- the request, behind API Gateway (REST proxy) or an Application Load Balancer ----------------


def raw_body(event: Mapping[str, Any], max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Return the bytes that were signed, decoded if the gateway has encoded them.

    Raises NotificationInvalidError above `max_bytes`, and SignatureError if the encoding is broken:
    such a body cannot have a valid signature.
    """
    body = event.get("body") or ""
    if len(body) > max_bytes * 4 // 3 + 4:  # too large even when decoded
        raise NotificationInvalidError(f"the body is larger than {max_bytes} bytes")
    if event.get("isBase64Encoded"):
        try:
            raw = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SignatureError("the body is not valid base64") from error
    else:
        raw = body.encode("utf-8", "surrogatepass")
    if len(raw) > max_bytes:
        raise NotificationInvalidError(f"the body is larger than {max_bytes} bytes")
    return raw


def headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the request's headers by lower-case name; of a repeated header, the last value."""
    single = event.get("headers")
    if single is None:
        several = event.get("multiValueHeaders") or {}
        single = {name: values[-1] for name, values in several.items() if values}
    return {name.lower(): value for name, value in single.items()}


def source_ip(event: Mapping[str, Any]) -> str:
    """Return the address that sent the request, or "" if the event does not have it.

    A load balancer appends the address that it saw to X-Forwarded-For: so only the last entry is
    reliable, the sender may have written all others.
    """
    identity = (event.get("requestContext") or {}).get("identity")
    if identity:
        return str(identity.get("sourceIp") or "")
    last = headers(event).get("x-forwarded-for", "").rpartition(",")[2].strip()
    if last.startswith("["):
        return last[1:].partition("]")[0]
    return last.partition(":")[0] if last.count(":") == 1 else last


def parse_networks(cidrs: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return the networks of an allow-list; entries that are not networks are left out."""
    from ipaddress import ip_network  # noqa: PLC0415  only if the source is checked

    networks = []
    for cidr in cidrs:
        try:
            networks.append(ip_network(cidr, strict=False))
        except ValueError:
            continue
    return tuple(networks)


def is_listed(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Return whether `address` is in one of `networks`; False if it is not an address."""
    from ipaddress import ip_address  # noqa: PLC0415  only if the source is checked

    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


# --- authenticity -------------------------------------------------------------------------------


def verify(
    raw: bytes, headers: Mapping[str, str], secrets: Sequence[str], *, allow_v1: bool = True
) -> None:
    """Check that one of `secrets` signed `raw`; raise SignatureError otherwise.

    If there is an Agora-Signature-V2 (HMAC-SHA256), it decides. Agora-Signature (HMAC-SHA1) counts
    only without it, and with `allow_v1`: a correct V1 does not replace a wrong V2. Both are hex, in
    upper or lower case. ("Agora callbacks: signature verification")
    """
    sent = _header(headers, "agora-signature-v2")
    digest = "sha256"
    if sent is None and allow_v1:
        sent = _header(headers, "agora-signature")
        digest = "sha1"
    if sent is None:
        raise SignatureError("the request carries no signature")
    claimed = sent.strip().lower().encode("utf-8", "surrogatepass")
    for secret in secrets:
        # An empty secret would let anyone sign.
        if secret and hmac.compare_digest(
            hmac.digest(secret.encode(), raw, digest).hex().encode(), claimed
        ):
            return
    raise SignatureError("no live secret made this signature")


def _header(headers: Mapping[str, str], name: str) -> str | None:
    value = headers.get(name)
    if value is None:
        value = next((headers[sent] for sent in headers if sent.lower() == name), None)
    return value


def refuse_stale(notification: Notification, now_ms: int, window_s: float) -> None:
    """Raise StaleNotificationError when notifyMs is further than `window_s` from `now_ms`.

    Agora sets notifyMs again at each resend, so a real notification is always recent. A window of 0
    switches the check off; a notification without notifyMs passes (its key still stores it once).
    """
    if window_s and notification.notifyMs is not None:
        age_ms = now_ms - notification.notifyMs
        if abs(age_ms) > window_s * 1000:
            raise StaleNotificationError(f"sent {age_ms / 1000:.0f} s ago")


# --- the envelope -------------------------------------------------------------------------------


def read(raw: bytes) -> Notification:
    """Return the envelope of an authentic body, even with missing or further fields.

    Tolerates the envelope before 1.3 (notificationId, eventMs, a sequence in quotes, no
    productId) and the sid beside the payload. Raises NotificationInvalidError when the body is
    not a JSON object.
    """
    document = load(raw)
    if not isinstance(document, dict):
        raise NotificationInvalidError("the body is not a JSON object")
    top = Fields(document)
    payload = top.fields("payload")
    return Notification(
        noticeId=_name(top, "noticeId") or _name(top, "notificationId"),
        productId=top.whole("productId", least=0),
        eventType=top.whole("eventType", least=0),
        notifyMs=top.instant_ms("notifyMs"),
        eventMs=payload.instant_ms("sendts") or top.instant_ms("eventMs"),
        sid=_name(payload, "sid") or _name(top, "sid"),
        uid=_name(payload, "uid"),
        cname=_name(payload, "cname", _LONGEST_CNAME),
        sequence=payload.whole("sequence", least=0),
        details=members(payload.value("details")),
    )


def _name(fields: Fields, name: str, longest: int = _LONGEST_NAME) -> str | None:
    text = fields.text(name)
    return text if text and len(text.encode()) <= longest else None


# --- where it is kept ---------------------------------------------------------------------------


def key(notification: Notification, raw: bytes) -> tuple[str, str]:
    """Return (PK, SK): equal for all copies of one notification, different for any two.

    A resend repeats the payload, so (sid, eventType, uid, sequence) is the same for it and for the
    copies of redundant messages. If one of these is missing, productId and noticeId are used;
    without these, the body's hash. Sequences are padded so that they sort. A notification of
    another product never takes a place among a session's: its eventType means something else.
    """
    n = notification
    if (
        not n.is_foreign
        and n.sid is not None
        and n.uid is not None
        and n.eventType is not None
        and n.sequence is not None
    ):
        return f"SID#{n.sid}", f"EVT#{n.eventType}#{n.uid}#{n.sequence:010d}"
    sort = CHANNEL_EVENT if n.productId == RTC else "NOTICE"
    if n.noticeId is not None:
        product = "" if n.productId is None else n.productId
        return f"NOTICE#{product}#{n.noticeId}", sort
    return f"NOTICE#sha256#{hashlib.sha256(raw).hexdigest()}", sort


def item(
    notification: Notification, raw: bytes, received_ms: int, expires_s: int | None
) -> dict[str, dict[str, Any]]:
    """Return the DynamoDB item (typed attributes) that keeps the notification.

    `expires_s` (epoch seconds) is when the table may drop it; None keeps it for ever.
    """
    n = notification
    partition, sort = key(n, raw)
    return to_item(
        {
            "PK": partition,
            "SK": sort,
            "body": _kept(n, raw),
            "eventType": n.eventType,
            "productId": n.productId,
            "noticeId": n.noticeId,
            "sid": n.sid,
            "uid": n.uid,
            "cname": n.cname,
            "sequence": n.sequence,
            "eventMs": n.eventMs,
            "notifyMs": n.notifyMs,
            "receivedMs": received_ms,
            "expiresAt": expires_s,
        }
    )


def shown_by(name: str) -> Callable[[str], str] | None:
    """Return what shows the texts of a field that is not free text; None for free text."""
    return _SHOWN.get(name.lower())


def _kept(n: Notification, raw: bytes) -> str | bytes:
    """Return the body as it is stored: as it arrived, but without what may be secret."""
    if n.sid is not None and is_plain(raw, (n.sid, n.noticeId, n.cname)):
        return raw.decode()
    document = load(raw)
    shown = public(document, shown_by)
    if shown is not document:
        return msgspec.json.encode(shown).decode()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return without_secrets(raw.decode("latin-1")).encode("latin-1", "replace")
    return text if isinstance(document, dict | list) else without_secrets(text)


def from_row(row: Mapping[str, Any]) -> tuple[Notification, int]:
    """Return (notification, received_ms) of a stored row's plain values.

    An unreadable body, which is kept too, gives an empty Notification.
    """
    body = row["body"]
    try:
        notification = read(body.encode() if isinstance(body, str) else body)
    except NotificationInvalidError:
        notification = Notification()
    return notification, row["receivedMs"]

"""From a request to a durable row: the order of the checks in the answering path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from agora_recording.errors import (
    NotificationInvalidError,
    SourceNotAllowedError,
    StoreUnavailableError,
)
from agora_recording.notifications import envelope
from agora_recording.notifications.envelope import MAX_BODY_BYTES, Notification
from agora_recording.settings import Settings

# A call to AWS takes 5 s at most (store.py, secrets.py), and the room has 9 s. So none begins later
# than this: the room then answers 503, and counts it, instead of being killed without an answer.
LAST_CALL_MS = 3_500


class IntakeSettings(Settings, frozen=True, kw_only=True):
    """How strict the webhook is.

    `replay_window_seconds` 0 switches the check off, `notification_ttl_days` 0 keeps notifications
    for ever, and `max_body_bytes` must stay below the 400 KB of an item.
    """

    replay_window_seconds: float = 300
    allow_signature_v1: bool = True
    notification_ttl_days: float = 30
    max_body_bytes: int = MAX_BODY_BYTES
    source_check: Literal["off", "log", "enforce"] = "off"


class Secrets(Protocol):
    """What `secrets.NotificationSecrets` does."""

    def verify(
        self, raw: bytes, headers: Mapping[str, str], now_ms: int, *, allow_v1: bool = True
    ) -> None:
        """Check that a valid secret signed `raw`; raise SignatureError otherwise."""


class Store(Protocol):
    """What `store.NotificationStore` does."""

    def put(self, item: Mapping[str, Any]) -> bool:
        """Write the item unless its key is taken; return whether it is new."""

    def lists(self, address: str, now_ms: int) -> bool | None:
        """Return whether the allow-list has `address`, None when there is no list."""


class Receipt(msgspec.Struct, frozen=True):
    """A stored notification: whether it was new, the metrics to count, the fields to log."""

    is_new: bool
    counts: tuple[str, ...]
    shown: dict[str, str | int | None]


def take(
    event: Mapping[str, Any],
    now_ms: int,
    settings: IntakeSettings,
    store: Store,
    secrets: Secrets,
    now: Callable[[], int] | None = None,
) -> Receipt:
    """Verify and store the notification that a gateway's `event` carries.

    `now_ms` is when the request came; `now` is asked before each further call to AWS (ms).

    Raises SourceNotAllowedError, NotificationInvalidError (too large), SignatureError,
    StaleNotificationError: it was refused, and nothing was stored. Raises SecretUnavailableError,
    StoreUnavailableError: it could not be checked or stored, or no time was left for it, and Agora
    has to send it again.
    """

    def leave_time() -> None:
        if now and now() - now_ms > LAST_CALL_MS:
            raise StoreUnavailableError("earlier calls took so long that no time is left")

    counts = _check_source(event, now_ms, settings.source_check, store)
    raw = envelope.raw_body(event, settings.max_body_bytes)
    headers = envelope.headers(event)
    leave_time()
    secrets.verify(raw, headers, now_ms, allow_v1=settings.allow_signature_v1)
    try:
        notification = envelope.read(raw)
    except NotificationInvalidError:
        # It is authentic, so it is stored, too: under the hash of its body.
        notification = Notification()
        counts += ("NotificationUnreadable",)
    envelope.refuse_stale(notification, now_ms, settings.replay_window_seconds)
    ttl_s = round(settings.notification_ttl_days * 86_400)
    expires_s = now_ms // 1000 + ttl_s if ttl_s else None
    leave_time()
    is_new = store.put(envelope.item(notification, raw, now_ms, expires_s))
    counts += ("NotificationStored" if is_new else "NotificationDuplicate",)
    if counts == ("NotificationStored",):
        return Receipt(is_new, counts, {})  # the usual case is counted, not logged
    return Receipt(is_new, counts, {"sid": notification.sid, "eventType": notification.eventType})


def _check_source(
    event: Mapping[str, Any], now_ms: int, check: str, store: Store
) -> tuple[str, ...]:
    if check == "off":
        return ()
    listed = store.lists(envelope.source_ip(event), now_ms)
    if listed is None:
        # The signature authenticates the notification: without a list, it is enough.
        return ("SourceListMissing",)
    if not listed and check == "enforce":
        raise SourceNotAllowedError("the sender's address is not on Agora's list")
    return () if listed else ("SourceUnlisted",)

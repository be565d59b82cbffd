"""Receive Agora's notifications: check the signature, store each once, then answer.

This function runs most often: so it uses no Powertools, and prints one line for each event.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from agora_recording import clock, emf, errors
from agora_recording.notifications import envelope
from agora_recording.notifications.intake import IntakeSettings, take
from agora_recording.notifications.secrets import NotificationSecrets
from agora_recording.notifications.store import NotificationStore

_store = cache(NotificationStore)
_secrets = cache(NotificationSecrets)

# For each error: the HTTP status, its title, and the metric. After any of them Agora sends again.
_REFUSALS: dict[type[Exception], tuple[int, str, str]] = {
    errors.SignatureError: (401, "Unauthorized", "SignatureRefused"),
    errors.StaleNotificationError: (401, "Unauthorized", "NotificationStale"),
    errors.SourceNotAllowedError: (401, "Unauthorized", "SourceRefused"),
    errors.NotificationInvalidError: (413, "Content Too Large", "NotificationTooLarge"),
    errors.StoreUnavailableError: (503, "Service Unavailable", "NotificationStoreUnavailable"),
    errors.SecretUnavailableError: (503, "Service Unavailable", "NotificationSecretUnavailable"),
}


class ReceiveSettings(IntakeSettings, frozen=True, kw_only=True):
    """The environment of this room."""

    table_name: str
    notification_secret_id: str


def lambda_handler(
    event: dict[str, Any],
    context: Any,
    store: NotificationStore | None = None,
    secrets: NotificationSecrets | None = None,
    now: Callable[[], int] = clock.now_ms,
) -> dict[str, Any]:
    """Answer 200 when the notification is durable, never before."""
    settings = ReceiveSettings.from_env()
    store = store or _store(settings.table_name)
    secrets = secrets or _secrets(settings.notification_secret_id)
    now_ms = now()
    try:
        receipt = take(event, now_ms, settings, store, secrets)
    except tuple(_REFUSALS) as error:
        status, title, metric = _REFUSALS[type(error)]
        detail = str(error) if status < 500 else "Nothing was stored. Send it again."
        problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        shown = {"sourceIp": envelope.source_ip(event), "requestId": context.aws_request_id}
        counts = (metric, "NotificationNotStored") if status >= 500 else (metric,)
        print(emf.line(counts, now_ms, {"level": "WARNING", "message": str(error), **shown}))
        return _answer(event, status, "application/problem+json", problem)
    print(emf.line(receipt.counts, now_ms, receipt.shown))
    return _answer(event, 200, "application/json", {"stored": receipt.is_new})


def _answer(event: dict[str, Any], status: int, kind: str, content: object) -> dict[str, Any]:
    answer = {
        "statusCode": status,
        "body": msgspec.json.encode(content).decode(),
        "isBase64Encoded": False,
    }
    if event.get("multiValueHeaders") and event.get("headers") is None:
        # A target group that sends multi-value headers needs them in the answer, too.
        return {**answer, "multiValueHeaders": {"content-type": [kind]}}
    return {**answer, "headers": {"content-type": kind}}

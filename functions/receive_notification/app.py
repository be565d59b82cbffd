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
from agora_recording.refusals import problem_json, refusal

_store = cache(NotificationStore)
_secrets = cache(NotificationSecrets)

# The metric of each error; its HTTP status is in `refusals`.
_METRICS: dict[type[Exception], str] = {
    errors.SignatureError: "SignatureRefused",
    errors.StaleNotificationError: "NotificationStale",
    errors.SourceNotAllowedError: "SourceRefused",
    errors.NotificationInvalidError: "NotificationTooLarge",
    errors.StoreUnavailableError: "NotificationStoreUnavailable",
    errors.SecretUnavailableError: "NotificationSecretUnavailable",
}


class ReceiveSettings(IntakeSettings, frozen=True, kw_only=True):
    """The environment of this room."""

    table_name: str
    notification_secret_id: str
    rtc_notification_secret_id: str = ""


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
    secrets = secrets or _secrets(_secret_id(event, settings))
    now_ms = now()
    try:
        receipt = take(event, now_ms, settings, store, secrets, now)
    except tuple(_METRICS) as error:
        status, metric = refusal(error).status, _METRICS[type(error)]
        detail = str(error) if status < 500 else "Nothing was stored. Send it again."
        problem = problem_json(status, detail)
        shown = {
            "sourceIp": envelope.source_ip(event),
            "path": event.get("path"),  # two routes, each with a secret of its own
            "requestId": context.aws_request_id,
        }
        counts = (metric, "NotificationNotStored") if status >= 500 else (metric,)
        print(emf.line(counts, now_ms, {"level": "WARNING", "message": str(error), **shown}))
        return _answer(event, status, "application/problem+json", problem)
    print(emf.line(receipt.counts, now_ms, receipt.shown))
    return _answer(event, 200, "application/json", {"stored": receipt.is_new})


def _secret_id(event: dict[str, Any], settings: ReceiveSettings) -> str:
    """Return the secret of the route: Agora has one for each product."""
    is_rtc = str(event.get("path", "")).endswith("/rtc-notifications")
    return settings.rtc_notification_secret_id if is_rtc else settings.notification_secret_id


def _answer(event: dict[str, Any], status: int, kind: str, content: object) -> dict[str, Any]:
    answer = {
        "statusCode": int(status),
        "body": msgspec.json.encode(content).decode(),
        "isBase64Encoded": False,
    }
    if event.get("multiValueHeaders") and event.get("headers") is None:
        # A target group that sends multi-value headers needs them in the answer, too.
        return {**answer, "multiValueHeaders": {"content-type": [kind]}}
    return {**answer, "headers": {"content-type": kind}}

"""The secrets that are filled in after the deploy: have they the right form?"""

from __future__ import annotations

import msgspec

from agora_recording.agora.client import AgoraKeys
from agora_recording.agora.token import is_hex32
from agora_recording.notifications.secrets import parse_secrets
from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import Patient

_HOUR_MS = 3_600_000
_UNKNOWN = "no live secret made this signature"  # notifications/envelope.py says so in the log
_CHANNEL_EVENTS = "/rtc-notifications"


def text_of(patient: Patient, secret_id: str, stage: str = "AWSCURRENT") -> str:
    """Return a secret's present text, `""` if it was never filled in; or that of another stage."""
    client = patient.client("secretsmanager")
    try:
        answer = client.get_secret_value(SecretId=secret_id, VersionStage=stage)
        found: str = answer.get("SecretString", "")
    except client.exceptions.ResourceNotFoundException:
        return ""
    return found


def agora_keys(patient: Patient) -> str:
    """Look whether Agora's customer ID and secret are filled in."""
    text = text_of(patient, patient.stack.resources["AgoraSecret"])
    try:
        keys = msgspec.json.decode(text, type=AgoraKeys)
    except msgspec.DecodeError:
        raise UnhealthyError("The secret has no customerId and customerSecret.") from None
    if not keys.customer_id.strip() or not keys.customer_secret.strip():
        raise UnhealthyError("The customerId or the customerSecret is empty.")
    if not keys.app_certificate.strip():
        return "It holds a customer ID and a customer secret; no App Certificate, so no tokens."
    if not is_hex32(keys.app_certificate.strip()):
        raise UnhealthyError("Its appCertificate does not have 32 hexadecimal digits.")
    if not is_hex32(patient.stack.parameters["AgoraAppId"]):
        raise UnhealthyError("Tokens need an AgoraAppId of 32 hexadecimal digits.")
    return "It holds a customer ID, a customer secret and an App Certificate."


def notification_secret(patient: Patient) -> str:
    """Look whether a notification secret is filled in, and whether it is the one that signs."""
    secret_id = patient.stack.resources["NotificationSecret"]
    live = parse_secrets(text_of(patient, secret_id))
    if not live:
        raise UnhealthyError("No secret is filled in, so every notification is answered 503.")
    return _signs(patient, secret_id, len(live), is_rtc=False)


def rtc_notification_secret(patient: Patient) -> str:
    """Look whether the secret of channel events is filled in, and whether it is the one that signs.

    Only where a rule of auto-record is on: without one, nobody needs these events.
    """
    if not any(rule.enabled for rule in patient.parts.rule_store.all()):
        raise NotCheckedError("No rule of auto-record is on.")
    secret_id = patient.stack.resources["RtcNotificationSecret"]
    live = parse_secrets(text_of(patient, secret_id))
    if not live:
        raise UnhealthyError("No secret is filled in, so every channel event is answered 503.")
    # The deploy has made a text that nobody knows: with the first one that is filled in, it becomes
    # the previous one.
    if not text_of(patient, secret_id, "AWSPREVIOUS"):
        raise UnhealthyError("It still is what the deploy made, so every channel event is refused.")
    return _signs(patient, secret_id, len(live), is_rtc=True)


def _signs(patient: Patient, secret_id: str, live: int, *, is_rtc: bool) -> str:
    """Look whether all that came lately was signed with a live secret."""
    changed = patient.client("secretsmanager").describe_secret(SecretId=secret_id)
    since_ms = patient.now_ms() - _HOUR_MS
    if at := changed.get("LastChangedDate"):
        since_ms = max(since_ms, int(at.timestamp() * 1000))
    refused = [
        line
        for line in patient.logged(_UNKNOWN, since_ms)
        if str(line.get("path", "")).endswith(_CHANNEL_EVENTS) is is_rtc
    ]
    if refused:
        where = refused[-1].get("sourceIp") or "an unknown address"
        raise UnhealthyError(
            f"{len(refused)} notifications of the last hour were signed with another secret; the "
            f"last one came from {where}."
        )
    return f"{live} filled in; nothing signed with another one has come."


CHECKS = (
    Check(
        "agora secret",
        "a secret that nobody has filled in, or not as JSON",
        "Fill it in (docs/deploy.md, step 2): put-secret-value with "
        '{"customerId": "…", "customerSecret": "…"}, and "appCertificate": "…" if the project has '
        "one.",
        agora_keys,
    ),
    Check(
        "notification secret",
        "a notification secret that is missing, or is not the one in Agora's console",
        "Take the secret that the console shows (Notifications) and store it: "
        'echo "the secret" | make ops ARGS="rotate-secret".',
        notification_secret,
    ),
    Check(
        "channel event secret",
        "with a rule of auto-record: the secret of channel events is missing, or is not the one in "
        "Agora's console",
        "Take the secret that the console shows for RTC channel events, and store it in the output "
        "RtcNotificationSecretArn (docs/auto-record.md).",
        rtc_notification_secret,
    ),
)

"""The secrets that are filled in after the deploy: have they the right form?"""

from __future__ import annotations

import msgspec

from agora_recording.agora.client import AgoraKeys
from agora_recording.notifications.secrets import parse_secrets
from operate.doctor.check import Check, UnhealthyError
from operate.doctor.patient import Patient

_HOUR_MS = 3_600_000
_UNKNOWN = "no live secret made this signature"  # notifications/envelope.py says so in the log


def text_of(patient: Patient, secret_id: str) -> str:
    """Return a secret's present text, `""` if it was never filled in."""
    client = patient.client("secretsmanager")
    try:
        found: str = client.get_secret_value(SecretId=secret_id).get("SecretString", "")
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
    return "It holds a customer ID and a customer secret."


def notification_secret(patient: Patient) -> str:
    """Look whether a notification secret is filled in, and whether it is the one that signs."""
    secret_id = patient.stack.resources["NotificationSecret"]
    live = parse_secrets(text_of(patient, secret_id))
    if not live:
        raise UnhealthyError("No secret is filled in, so every notification is answered 503.")
    changed = patient.client("secretsmanager").describe_secret(SecretId=secret_id)
    since_ms = patient.now_ms() - _HOUR_MS
    if at := changed.get("LastChangedDate"):
        since_ms = max(since_ms, int(at.timestamp() * 1000))
    if refused := patient.logged(_UNKNOWN, since_ms):
        where = refused[-1].get("sourceIp") or "an unknown address"
        raise UnhealthyError(
            f"{len(refused)} notifications of the last hour were signed with another secret; the "
            f"last one came from {where}."
        )
    return f"{len(live)} filled in; nothing signed with another one has come."


CHECKS = (
    Check(
        "agora secret",
        "a secret that nobody has filled in, or not as JSON",
        "Fill it in (docs/deploy.md, step 2): put-secret-value with "
        '{"customerId": "…", "customerSecret": "…"}.',
        agora_keys,
    ),
    Check(
        "notification secret",
        "a notification secret that is missing, or is not the one in Agora's console",
        "Take the secret that the console shows (Notifications) and store it: "
        'echo "the secret" | make ops ARGS="rotate-secret".',
        notification_secret,
    ),
)

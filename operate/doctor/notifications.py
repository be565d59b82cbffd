"""Agora's webhook: the open door, and the way from it to a session."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from agora_recording.notifications.secrets import parse_secrets
from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import PROBE, Answer, Patient
from operate.doctor.secrets import text_of

_STREAM_S = 20.0
_TRIES = 3
_UPLOADING = 33  # an event that changes nothing but the session's facts


def webhook(patient: Patient) -> str:
    """Send a notification as Agora signs it, by both signatures, and one that nobody signed."""
    sent = _Sent(patient, "webhook")
    if patient.stack.parameters.get("NotificationIngress") == "alb":
        raise NotCheckedError(
            "The load balancer lets in Agora's addresses alone; press Check there."
        )
    try:
        _expect(sent.send("V2"), 200, "signed by V2")
        if patient.stack.parameters.get("AllowSignatureV1") != "false":
            _expect(sent.send("V1"), 200, "signed by V1")
        _expect(sent.send(""), 401, "that nobody signed")
    finally:
        sent.remove()
    return "What Agora signs is stored, and what nobody signed is refused."


def mapping(patient: Patient) -> str:
    """Look whether Lambda reads the table's stream."""
    uuid = patient.stack.resources["ApplyNotificationsFunctionStored"]
    found = patient.client("lambda").get_event_source_mapping(UUID=uuid)
    if found["State"] not in ("Enabled", "Enabling", "Updating"):
        raise UnhealthyError(f"The mapping of the table's stream is {found['State']}.")
    result = found.get("LastProcessingResult", "")
    if result.startswith("PROBLEM"):
        raise UnhealthyError(f"Lambda cannot read the table's stream: {result}")
    return "Lambda reads the table's stream."


def stream(patient: Patient) -> str:
    """Send a notification, and wait until its session knows of it."""
    sent = _Sent(patient, "stream")
    began_ms = patient.now_ms()
    try:
        _expect(sent.send("V2"), 200, "signed by V2")
        if not patient.until(sent.session, _STREAM_S):
            raise UnhealthyError(f"A stored notification was not applied within {_STREAM_S:g} s.")
        took_s = (patient.now_ms() - began_ms) / 1000
    finally:
        sent.remove()
    return f"A notification was applied {took_s:.1f} s after it was sent."


class _Sent:
    """Notifications of a session that does not exist, and the rows that they leave."""

    def __init__(self, patient: Patient, what: str) -> None:
        self._patient = patient
        self._sid = hashlib.md5(f"{PROBE} {what} {patient.now_ms()}".encode()).hexdigest()  # noqa: S324 - a name
        self._number = 0

    def send(self, signature: str) -> Answer:
        """Send the next one, signed by `V1`, `V2` or not at all."""
        self._number += 1
        raw = json.dumps(self._body()).encode()
        patient = self._patient
        secret = parse_secrets(text_of(patient, patient.stack.resources["NotificationSecret"]))[0]
        headers = {"Content-Type": "application/json"}
        if signature == "V1":
            headers["Agora-Signature"] = hmac.new(secret.encode(), raw, hashlib.sha1).hexdigest()
        if signature == "V2":
            digest = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
            headers["Agora-Signature-V2"] = digest
        url, answer = patient.doors.notifications_url, Answer(0, {}, b"")
        for _ in range(_TRIES):  # Agora sends again, too: the first may meet a cold function
            answer = patient.send("POST", url, raw, headers)
            if answer.status < 500:
                break
        return answer

    def session(self) -> bool:
        """Tell whether the session is known."""
        return "SESSION" in self._rows()

    def remove(self) -> None:
        """Remove every row of the session."""
        dynamodb = self._patient.client("dynamodb")
        for sort in self._rows():
            key = {"PK": {"S": f"SID#{self._sid}"}, "SK": {"S": sort}}
            dynamodb.delete_item(TableName=self._patient.stack.resources["Table"], Key=key)

    def _rows(self) -> list[str]:
        found = self._patient.client("dynamodb").query(
            TableName=self._patient.stack.resources["Table"],
            KeyConditionExpression="PK = :session",
            ExpressionAttributeValues={":session": {"S": f"SID#{self._sid}"}},
            ProjectionExpression="SK",
            ConsistentRead=True,
        )
        return [item["SK"]["S"] for item in found["Items"]]

    def _body(self) -> dict[str, Any]:
        now = self._patient.now_ms()
        return {
            "noticeId": f"{self._sid}:{self._number}",
            "productId": 3,
            "eventType": _UPLOADING,
            "notifyMs": now,
            "payload": {
                "cname": f"{PROBE}-{self._sid}",
                "uid": "1",
                "sid": self._sid,
                "sequence": self._number,
                "sendts": now,
                "serviceType": 2,
                "details": {"msgName": "uploading_progress", "progress": 1000},
            },
        }


def _expect(answer: Answer, status: int, what: str) -> None:
    if answer.status != status:
        raise UnhealthyError(f"A notification {what} was answered {answer.status}, not {status}.")


CHECKS = (
    Check(
        "webhook",
        "a door that is closed, or open to everybody; a secret that the function cannot read",
        "403: is the route deployed, and (in China) licensed? 429: raise NotificationRate. 503: "
        "look at the log for what receive_notification cannot read.",
        webhook,
        needs=("notification secret",),
    ),
    Check(
        "stream mapping",
        "an event source mapping that is disabled, or may not read the stream",
        "Enable it: aws lambda update-event-source-mapping --enabled --uuid …, with the id of "
        "ApplyNotificationsFunctionStored.",
        mapping,
    ),
    Check(
        "stream",
        "notifications that are stored and never applied",
        "Look at the log of apply_notifications, and at the alarm LateNotificationsAlarm.",
        stream,
        needs=("webhook", "stream mapping"),
    ),
)

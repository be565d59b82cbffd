"""Notifications: Agora's envelope, its two signatures, its resends.

Sources: Agora callbacks (payload), Notifications: request header and body, signature
verification, "Receive notifications" (200 with JSON within 10 s, at most 3 resends).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import random
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .clock import Scheduler
from .options import Options

RESEND_AFTER_S = (0.0, 5.0, 15.0)
"""The first resend is immediate, then the gaps grow; how fast is not documented."""


MOST_KEPT = 200_000
"""How many notifications are remembered for the control API."""


def signatures(secret: str, body: bytes) -> dict[str, str]:
    """Return the two headers that sign `body`."""
    return {
        "Agora-Signature": hmac.new(secret.encode(), body, hashlib.sha1).hexdigest(),
        "Agora-Signature-V2": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }


@dataclass
class Attempt:
    """One delivery: when it was sent, and how it was answered."""

    at_ms: int
    status: int | None = None
    error: str | None = None
    took_ms: int = 0


@dataclass
class Notification:
    """One event and its deliveries."""

    notice_id: str
    event_type: int
    payload: dict[str, Any]
    fate: str = "under way"
    """`under way`, `delivered`, `given up`, `lost` (on purpose) or `no receiver`."""
    attempts: list[Attempt] = field(default_factory=list)

    def body(self, notify_ms: int) -> bytes:
        """Return the raw bytes of one delivery; only `notifyMs` differs between deliveries."""
        envelope = {
            "noticeId": self.notice_id,
            "productId": 3,
            "eventType": self.event_type,
            "notifyMs": notify_ms,
            "sid": self.payload["sid"],
            "payload": self.payload,
        }
        return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()

    def report(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "noticeId": self.notice_id,
            "eventType": self.event_type,
            **{key: self.payload[key] for key in ("sid", "cname", "uid", "sequence", "sendts")},
            "details": self.payload["details"],
            "fate": self.fate,
            "attempts": [vars(attempt) for attempt in self.attempts],
        }


@dataclass
class Receiver:
    """Where notifications go, and how many are lost, doubled or late."""

    url: str | None
    secret: str
    loss: float
    duplicates: float
    disorder: float
    redundant: bool

    @classmethod
    def of(cls, options: Options) -> Receiver:
        """Return the receiver that the options name."""
        return cls(
            url=options.webhook_url,
            secret=options.notification_secret,
            loss=options.webhook_loss,
            duplicates=options.webhook_duplicates,
            disorder=options.webhook_disorder,
            redundant=options.webhook_redundant,
        )


class Notifier:
    """Sends notifications, several at a time, in no guaranteed order."""

    def __init__(self, options: Options, scheduler: Scheduler) -> None:
        self.options = options
        self.scheduler = scheduler
        self.receiver = Receiver.of(options)
        self.sent: deque[Notification] = deque(maxlen=MOST_KEPT)
        self.fault: Callable[[Notification], dict[str, Any]] = lambda _: {}
        """What the fault plan does to a notification."""
        self._dice = random.Random(options.seed)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="agora-webhook")
        self._under_way = 0
        self._open: set[http.client.HTTPConnection] = set()

    @property
    def busy(self) -> bool:
        """Whether a delivery is under way."""
        return self._under_way > 0

    def notify(self, event_type: int, payload: dict[str, Any], now_ms: int) -> None:
        """Send an event at `now_ms`, unless chance or the fault plan makes it late or lost."""
        receiver = self.receiver
        notice = Notification(secrets.token_hex(16), event_type, payload)
        self.sent.append(notice)
        fault = self.fault(notice)
        if receiver.url is None:
            notice.fate = "no receiver"
            return
        if fault.get("lose") or self._dice.random() < receiver.loss:
            notice.fate = "lost"
            return
        delay_s = float(fault.get("delay_s", 0))
        if self._dice.random() < receiver.disorder:
            delay_s += self._dice.uniform(1, 5)
        due_ms = now_ms + self.scheduler.span_ms(delay_s)
        self._send_at(due_ms, notice)
        copies = int(fault.get("duplicate", 0)) + (self._dice.random() < receiver.duplicates)
        for n in range(copies):
            again_ms = due_ms + self.scheduler.span_ms(self._dice.uniform(0.1, 3) + n)
            self._send_at(again_ms, notice)
        if receiver.redundant:
            twin = notice
            if self.options.redundant_has_own_notice_id:
                twin = Notification(secrets.token_hex(16), event_type, payload)
                self.sent.append(twin)
            self._send_at(due_ms, twin)

    def reset(self, options: Options) -> None:
        """Forget what was sent, and restore the options; keep the receiver."""
        url, secret = self.receiver.url, self.receiver.secret
        self.receiver = Receiver.of(options)
        self.receiver.url, self.receiver.secret = url, secret
        self._dice = random.Random(options.seed)
        self.sent.clear()

    def close(self) -> None:
        """End the deliveries under way, drop the others."""
        for connection in list(self._open):
            if connection.sock is not None:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _send_at(self, due_ms: int, notice: Notification, resend: int = 0) -> None:
        self.scheduler.at(due_ms, lambda now_ms: self._hand_over(notice, now_ms, resend))

    def _hand_over(self, notice: Notification, now_ms: int, resend: int) -> None:
        self._under_way += 1
        self._pool.submit(self._deliver, notice, now_ms, resend)

    def _deliver(self, notice: Notification, now_ms: int, resend: int) -> None:
        receiver = self.receiver
        attempt = Attempt(now_ms)
        began = time.monotonic()
        try:
            body = notice.body(now_ms)
            status, answer = self._post(receiver.url or "", body, receiver.secret)
            attempt.status = status
            if status == 200:
                json.loads(answer)
        except (OSError, http.client.HTTPException, ValueError) as error:
            attempt.error = f"{type(error).__name__}: {error}"
        attempt.took_ms = round((time.monotonic() - began) * 1000)
        with self.scheduler.lock:
            self._under_way -= 1
            self.scheduler.soon(lambda later_ms: self._note(notice, attempt, later_ms, resend))

    def _note(self, notice: Notification, attempt: Attempt, now_ms: int, resend: int) -> None:
        notice.attempts.append(attempt)
        if attempt.status == 200 and attempt.error is None:
            notice.fate = "delivered"
        elif resend < len(RESEND_AFTER_S):
            gap_ms = self.scheduler.span_ms(RESEND_AFTER_S[resend])
            self._send_at(now_ms + gap_ms, notice, resend + 1)
        elif notice.fate != "delivered":
            notice.fate = "given up"

    def _post(self, url: str, body: bytes, secret: str) -> tuple[int, bytes]:
        """Send one request over a connection of its own and return (status, body)."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.options.webhook_timeout_s)
        self._open.add(connection)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"Content-Type": "application/json", **signatures(secret, body)}
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            self._open.discard(connection)
            connection.close()

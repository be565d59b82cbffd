"""One message to one address: what it says, how far it has come, and when it is tried next.

Every function is pure. A message is written with the change of the recording that it tells, so it
is told if and only if that is durable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from agora_recording.clock import iso, to_ms

MessageType = Literal[
    "recording.started",
    "recording.restarted",
    "recording.completed",
    "recording.incomplete",
    "recording.failed",
    "recording.file_arrived",
]
State = Literal["waiting", "delivered", "given_up", "switched_off"]
# Standard Webhooks' own example: after 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h;
# three days in all.
WAITS_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
TRIES = len(WAITS_S) + 1
MAX_BODY = 20_000  # bytes; Standard Webhooks: less than 20 KB
BUSY_MS = 60_000  # a try is over after this time, or its process is lost
# Until this delay a queue brings the next try (SQS: 900 s); the sweeper brings later ones.
QUEUED_S = 900
_JITTER = 0.2  # of a wait, at most: many messages that failed together come back apart
_OVERDUE_MS = 60_000  # after this, the sweeper asks again for what a queue should have brought
_GONE = 410
_MOST_TEXT = 1000


class Message(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """The row `REC#<recordingId>`/`CALL#…`. Instants are epoch milliseconds."""

    recording_id: str
    message_id: str  # the header webhook-id: the same in every try, and at every address
    type: MessageType
    url: str
    body: str
    made_ms: int
    next_ms: int
    state: State = "waiting"
    tries: int = 0
    busy_ms: int = 0  # a try goes on until then
    version: int = 1

    @property
    def key(self) -> str:
        """The sort key of its row."""
        return f"CALL#{self.message_id}#{digest(self.url)}"

    @property
    def due_ms(self) -> int | None:
        """When the sweeper has to ask for a try; None when it needs no more."""
        if self.state != "waiting":
            return None
        slack_ms = _OVERDUE_MS if self.tries <= _QUEUED_TRIES else 0
        return max(self.next_ms + slack_ms, self.busy_ms)


_QUEUED_TRIES = sum(each * (1 + _JITTER) <= QUEUED_S for each in WAITS_S)


def digest(url: str) -> str:
    """Return a short name of an address that does not tell it."""
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def body_of(kind: MessageType, at_ms: int, data: Mapping[str, Any]) -> str:
    """Return the JSON of a message, below 20 KB: `tags` are left out if they do not fit.

    `omitted` then names them; texts of people are cut.
    """
    told = {
        name: value[:_MOST_TEXT] if name == "reason" and isinstance(value, str) else value
        for name, value in data.items()
        if value is not None
    }
    whole = _encoded(kind, at_ms, told)
    if len(whole) > MAX_BODY:
        rest = {name: value for name, value in told.items() if name != "tags"}
        whole = _encoded(kind, at_ms, {**rest, "omitted": ["tags"]})
    return whole.decode()


def _encoded(kind: MessageType, at_ms: int, data: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"type": kind, "timestamp": iso(at_ms), "data": data})


def taken(message: Message, now_ms: int) -> Message:
    """Return the message while a try goes on; unchanged if none may begin now.

    It is over, another process tries it, or it is too early: a queue may bring a message twice.
    """
    is_early = now_ms < message.next_ms or now_ms < message.busy_ms
    if message.state != "waiting" or is_early:
        return message
    return replace(message, tries=message.tries + 1, busy_ms=now_ms + BUSY_MS)


def tried(
    message: Message,
    status: int | None,
    now_ms: int,
    *,
    jitter: float,
    retry_s: int | None = None,
    speed: float = 1,
) -> Message:
    """Return the message after a try that was answered with `status` (None: not at all).

    2xx is good, 410 ends it, everything else is tried again, until the last try. The wait has up to
    a fifth more by `jitter` (0 to 1), and is not shorter than `retry_s`, what the answer asks for.
    `speed` shortens it in the embedded run.
    """
    over = replace(message, busy_ms=0)
    if status is not None and 200 <= status < 300:
        return replace(over, state="delivered")
    if status == _GONE:
        return replace(over, state="switched_off")
    if message.tries >= TRIES:
        return replace(over, state="given_up")
    wait_s = max(WAITS_S[message.tries - 1] * (1 + _JITTER * jitter), retry_s or 0) / speed
    return replace(over, next_ms=now_ms + to_ms(wait_s))


def switched_off(message: Message) -> Message:
    """Return a message whose address wants no more calls."""
    return replace(message, state="switched_off", busy_ms=0)


def again(message: Message, now_ms: int) -> Message:
    """Return a message that an operator sends again, as if it were new."""
    return replace(message, state="waiting", tries=0, busy_ms=0, next_ms=now_ms)

"""Sends messages to the app: one try of one message at a time, each with a line in the timeline."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal

import msgspec

from agora_recording.aws.secrets import SecretStore
from agora_recording.callbacks.address import place_of, problem_of
from agora_recording.callbacks.message import TRIES, Message, again, switched_off, taken, tried
from agora_recording.callbacks.post import Poster, Reply
from agora_recording.callbacks.signing import SigningSecrets, headers
from agora_recording.clock import iso, now_ms
from agora_recording.life.callbacks import CallQueue, CallStore, is_queued

Sent = Literal["delivered", "waiting", "given_up", "switched_off", "nothing"]


class Caller(msgspec.Struct, kw_only=True):
    """Makes tries. `randomness` returns a number of 0 to 1; `speed` is that of the embedded run.

    `hosts` are the names that apps' addresses may have, `endpoints` the stack's own addresses.
    """

    store: CallStore
    queue: CallQueue
    secrets: SecretStore
    secret_id: str
    poster: Poster
    hosts: Collection[str]
    endpoints: Collection[str]
    randomness: Callable[[], float]
    local_origin: str = ""
    speed: float = 1
    now_ms: Callable[[], int] = now_ms

    def send(self, recording_id: str, key: str) -> Sent:
        """Try to deliver a message; return how it stands.

        `nothing` if there is nothing to try: it is gone or over, it is too early, or another
        process tries it. Raises SecretUnavailableError, StoreUnavailableError, WriteConflictError:
        its row stays, and it is tried again.
        """
        message = self.store.get(recording_id, key)
        if message is None:
            return "nothing"
        before, now = message, self.now_ms()
        going = taken(message, now)
        if going == before:
            return "nothing"
        keys = self.secrets.read(self.secret_id, SigningSecrets).keys
        refusal = self._refusal(message)
        if refusal:
            over = self._write(before, switched_off(before), f"was not sent: {refusal}", None)
            return over.state if over else "nothing"
        # Also to see that its recording is there: nothing is told of one that is being deleted.
        claimed = self.store.replace(before, going)
        if claimed is None:
            return "nothing"
        body = claimed.body.encode()
        place = place_of(claimed.url, self.local_origin)
        if place is None:
            raise AssertionError("an address that was refused is not called")
        reply = self.poster.post(place, headers(claimed.message_id, now // 1000, body, keys), body)
        return self._after(claimed, reply)

    def _refusal(self, message: Message) -> str | None:
        """Return why an address may not be called any more."""
        url = message.url
        is_ours = url in self.endpoints and place_of(url, self.local_origin) is not None
        problem = None if is_ours else problem_of(url, self.hosts, self.local_origin)
        if problem:
            return f"its address {problem}"
        if self.store.is_off(url):
            return "the address answered 410 before; `resend` switches it on"
        return None

    def _after(self, message: Message, reply: Reply) -> Sent:
        now = self.now_ms()
        after = tried(
            message,
            reply.status,
            now,
            jitter=self.randomness(),
            retry_s=reply.retry_s,
            speed=self.speed,
        )
        answered = f"answered {reply.status}" if reply.status else f"failed: {reply.reason}"
        if after.state == "switched_off":
            self.store.switch_off(message.url, now)
        written = self._write(message, after, f"{answered} (try {after.tries} of {TRIES})", reply)
        if written is None:
            return "nothing"
        if is_queued(written, now, self.speed):
            wait_s = max(0, written.next_ms - now) / 1000
            self.queue.ask(written.recording_id, written.key, wait_s)
        return written.state

    def _write(
        self, before: Message, after: Message, words: str, reply: Reply | None
    ) -> Message | None:
        # Of an address only the host is told: its path may hold a secret.
        place = place_of(before.url, self.local_origin)
        host = place.host if place else "an address"
        data = {
            "id": before.message_id,
            "host": host,
            "try": after.tries,
            "state": after.state,
            **({"status": reply.status} if reply and reply.status else {}),
            **({"nextAt": iso(after.next_ms)} if after.state == "waiting" else {}),
        }
        note = {
            "at": iso(self.now_ms()),
            "kind": "callback",
            "text": f"{before.type} to {host}: {words}.",
            "data": data,
        }
        return self.store.replace(before, after, note)

    def resend(self, recording_id: str, *, everything: bool = False) -> list[Message]:
        """Send a recording's messages again that did not arrive; with `everything`, all of them.

        Switches their addresses on again. Returns the messages.
        """
        chosen = []
        for message in self.store.of(recording_id):
            if message.state == "delivered" and not everything:
                continue
            self.store.switch_on(message.url)
            written = self.store.replace(message, again(message, self.now_ms()))
            if written:
                self.queue.ask(written.recording_id, written.key)
                chosen.append(written)
        return chosen

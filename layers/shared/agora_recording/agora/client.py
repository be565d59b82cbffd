"""The client of Agora's Cloud Recording REST API.

Every call takes a slot of the limiter, uses a kept connection, and returns a `Reply`: Agora's
answer and its meaning (outcomes.py). If Agora does not answer, there is a `Reply` too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import requests

from agora_recording.agora import bodies, redaction
from agora_recording.agora.hosts import GAPS_S, candidates
from agora_recording.agora.limiter import LATE_MS, START_LATE_MS, Limiter
from agora_recording.agora.outcomes import decide
from agora_recording.agora.reply import Endpoint, Reply
from agora_recording.agora.responses import decode
from agora_recording.agora.task import Resource, Task
from agora_recording.aws.secrets import SecretStore
from agora_recording.hiding import without_secrets, without_values

# Seconds to connect, and to wait for bytes: three tries of both fit into a room's 60 s.
TIMEOUTS_S = (3.0, 8.0)
# Seconds that a call may wait for a slot. A query waits less than starts and stops (but with 1 s, a
# fleet whose starts and stops take 80 % of the slots is hardly supervised: see docs/scale.md). An
# update waits as short, because its caller waits for the answer.
PATIENCE_S: dict[str, float] = {"query": 5.0, "ncsIp": 5.0, "update": 5.0, "updateLayout": 5.0}
LONG_PATIENCE_S = 25.0


class AgoraKeys(msgspec.Struct, frozen=True, rename="camel"):
    """What the Agora secret holds: the REST API's customer ID and customer secret.

    And the project's App Certificate, if it has one: `agora/mint.py` checks it when it is needed,
    so that a wrong one prevents starts, and never a stop.
    """

    customer_id: Annotated[str, msgspec.Meta(min_length=1)]
    customer_secret: Annotated[str, msgspec.Meta(min_length=1)]
    app_certificate: str = ""


class AgoraClient(msgspec.Struct, kw_only=True):
    """Calls Agora for one App ID. `base_url` is the host that a recording's first call tries."""

    app_id: str
    secret_id: str
    base_url: str
    aws_region: str
    limiter: Limiter
    secrets: SecretStore = msgspec.field(default_factory=SecretStore)
    session: requests.Session = msgspec.field(default_factory=requests.Session)
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self.base_url = self.base_url.rstrip("/")

    def reserve_start(self) -> list[int]:
        """Take the slots of an acquire and a start together, with no other call between them.

        Raises RateLimitedError.
        """
        return self.limiter.take(2, patience_s=LONG_PATIENCE_S)

    def acquire(
        self, cname: str, uid: str, fields: Mapping[str, Any], *, slot_ms: int | None = None
    ) -> Reply:
        """Ask for a resourceId; `fields` is the clientRequest, as in every call here."""
        return self._call("acquire", "/acquire", bodies.body(cname, uid, fields), slot_ms=slot_ms)

    def start(
        self, resource: Resource, fields: Mapping[str, Any], *, slot_ms: int | None = None
    ) -> Reply:
        """Start the session of a resource, within 2 s of the acquire (Agora REST: start)."""
        return self._call(
            "start",
            f"/resourceid/{quote(resource.resource_id)}/mode/{resource.mode}/start",
            bodies.body(resource.cname, resource.uid, fields),
            base_url=resource.base_url,
            slot_ms=slot_ms,
            late_ms=START_LATE_MS,
        )

    def query(self, task: Task) -> Reply:
        """Ask for a session's state. Raises RateLimitedError when no slot is free soon."""
        return self._call("query", _path(task, "query"), base_url=task.base_url)

    def update(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Change subscriptions, web recording, CDN outputs or storage credentials."""
        return self._tell("update", task, fields)

    def update_layout(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Change the layout of a composite recording."""
        return self._tell("updateLayout", task, fields)

    def stop(self, task: Task) -> Reply:
        """End a session."""
        return self._tell("stop", task, bodies.STOP_FIELDS)

    def ncs_ip(self, path: str = "/v1/ncs/ip") -> tuple[int | None, bytes]:
        """Ask for the notification servers' addresses; return (HTTP status or None, body)."""
        slot = self.limiter.take(1, patience_s=PATIENCE_S["ncsIp"])[0]
        status, body, _ = self._send("GET", path, None, self.base_url, slot)
        return status, body

    def _tell(self, endpoint: Endpoint, task: Task, fields: Mapping[str, Any]) -> Reply:
        body = bodies.body(task.cname, task.uid, fields)
        return self._call(endpoint, _path(task, endpoint), body, base_url=task.base_url)

    def _call(
        self,
        endpoint: Endpoint,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        base_url: str | None = None,
        slot_ms: int | None = None,
        late_ms: int = LATE_MS,
    ) -> Reply:
        method = "GET" if body is None else "POST"
        if slot_ms is None:
            patience_s = PATIENCE_S.get(endpoint, LONG_PATIENCE_S)
            slot_ms = self.limiter.take(1, patience_s=patience_s)[0]
        path = f"/v1/apps/{self.app_id}/cloud_recording{path}"
        status, raw, used = self._send(
            method, path, body, base_url or self.base_url, slot_ms, late_ms
        )
        if status == requests.codes.unauthorized:
            # The secret may have been rotated since it was read: read it again, repeat the call.
            self.secrets.forget(self.secret_id)
            slot_ms = self.limiter.take(1, patience_s=LONG_PATIENCE_S)[0]
            status, raw, used = self._send(method, path, body, used, slot_ms)
        # By their values, those that were sent; by their shapes, those of an earlier call.
        answer = decode(
            raw, lambda words: without_secrets(without_values(words, self._secrets(body)))
        )
        outcome = decide(
            endpoint,
            status,
            answer.code,
            answer.reason,
            has_sid=bool(answer.sid),
            has_resource_id=bool(answer.resource_id),
        )
        if outcome.handling == "slow_down" or status == requests.codes.too_many_requests:
            self.limiter.pause()
        return Reply(endpoint, status, answer, outcome, used)

    def _secrets(self, body: dict[str, Any] | None) -> list[str]:
        """Return what Agora's words must not show: the body's secrets, and our own keys."""
        keys = self.secrets.read(self.secret_id, AgoraKeys)
        both = f"{keys.customer_id}:{keys.customer_secret}"  # what the Authorization header holds
        return [*redaction.values(body), keys.customer_id, keys.customer_secret, both]

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        base_url: str,
        slot_ms: int,
        late_ms: int = LATE_MS,
    ) -> tuple[int | None, bytes, str]:
        """Return (status, body, base URL that answered); status None when no host answered."""
        keys = self.secrets.read(self.secret_id, AgoraKeys)
        for number, candidate in enumerate(candidates(base_url, self.aws_region)):
            if number:
                self.sleep(GAPS_S[number - 1])
                slot_ms, late_ms = self.limiter.take(1, patience_s=LONG_PATIENCE_S)[0], LATE_MS
            self.limiter.wait(slot_ms, late_ms=late_ms, patience_s=LONG_PATIENCE_S)
            try:
                response = self.session.request(
                    method,
                    candidate + path,
                    json=body,
                    auth=(keys.customer_id, keys.customer_secret),
                    timeout=TIMEOUTS_S,
                    allow_redirects=False,
                )
            except requests.ReadTimeout:
                # Agora may have done it: the caller repeats the call, and the answer shows it.
                return None, b"", candidate
            except requests.ConnectionError:
                continue
            return response.status_code, response.content, candidate
        return None, b"", base_url


def _path(task: Task, act: str) -> str:
    ids = f"/resourceid/{quote(task.resource_id)}/sid/{quote(task.sid)}"
    return f"{ids}/mode/{task.mode}/{act}"

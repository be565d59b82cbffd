"""The stack that is examined, and the ways to reach it: AWS, its two doors, and time."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from agora_recording.aws import clients
from agora_recording.aws.signing import Keys
from agora_recording.clock import now_ms
from agora_recording.wiring.parts import Parts
from operate.deployment import Deployment, StackSettings
from operate.doctor.check import NotCheckedError

_CONFIG = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)
_TIMEOUT_S = 40  # API Gateway answers within 29
_LOOK_GAP_S = 0.5
PROBE = "doctor"  # what everything that a check writes is called


class Doors(NamedTuple):
    """Where the stack is called, and the keys that sign calls of its API."""

    api_url: str
    notifications_url: str
    keys: Callable[[], Keys]


def doors_of(stack: Deployment) -> Doors:
    """Return the doors that the stack's outputs name; the operator's own keys sign."""
    return Doors(stack.outputs["ApiUrl"], stack.outputs["NotificationsUrl"], clients.keys)


def local_doors(facts: Mapping[str, Any]) -> Doors:
    """Return the doors of the embedded stack, as local/stack.json tells them."""
    keys = facts["api_credentials"]
    signing = Keys(keys["access_key_id"], keys["secret_access_key"])
    return Doors(facts["api_url"], facts["notifications_url"], lambda: signing)


class Answer(NamedTuple):
    """An answer by HTTP: status, headers in lower case, and the bytes of its body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Send = Callable[[str, str, bytes | None, Mapping[str, str]], Answer]


class Patient:
    """What every check is given. `client` returns an AWS client by its service's name."""

    def __init__(
        self,
        stack: Deployment,
        doors: Doors,
        parts: Parts[StackSettings] | None = None,
        *,
        client: Callable[..., Any] | None = None,
        send: Send | None = None,
        now_ms: Callable[[], int] = now_ms,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stack = stack
        self.doors = doors
        self.parts = parts or Parts(stack.settings)
        self.send = send or _send
        self.now_ms = now_ms
        self.sleep = sleep
        self._monotonic = monotonic
        self._make = client or _client
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """Return the operator's own client of a service."""
        with self._lock:  # boto3's session is not safe to make clients from several threads
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def client_as(self, service: str, keys: Keys) -> Any:
        """Return a client of a service with other credentials."""
        with self._lock:
            return self._make(
                service,
                aws_access_key_id=keys.access_key,
                aws_secret_access_key=keys.secret_key,
                aws_session_token=keys.token,
            )

    def resource(self, logical_id: str, instead: str) -> str:
        """Return the physical id of a resource; NotCheckedError says `instead` if there is none."""
        found = self.stack.resources.get(logical_id)
        if not found:
            raise NotCheckedError(instead)
        return found

    def call(self, method: str, path: str, body: Any = None, *, signed: bool = True) -> Answer:
        """Call the stack's API, signed with the operator's keys."""
        url, data = self.doors.api_url + path, b"" if body is None else json.dumps(body).encode()
        request = AWSRequest(method, url, data=data, headers={"Content-Type": "application/json"})
        if signed:
            keys = self.doors.keys()
            credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
            SigV4Auth(credentials, "execute-api", self.stack.region).add_auth(request)
        return self.send(method, url, data or None, dict(request.headers.items()))

    def until(self, look: Callable[[], Any], seconds: float) -> Any:
        """Return the first true result of `look`, or the last one when the time is over."""
        end = self._monotonic() + seconds
        while not (found := look()) and self._monotonic() < end:
            self.sleep(_LOOK_GAP_S)
        return found

    def logged(self, words: str, since_ms: int) -> list[dict[str, Any]]:
        """Return the JSON objects that functions have logged since an instant and that have these
        words in them.
        """
        group = self.resource("LogGroup", "The stack has no log group.")
        pages = self.client("logs").get_paginator("filter_log_events")
        found = []
        for page in pages.paginate(
            logGroupName=group, startTime=since_ms, filterPattern=f'"{words}"'
        ):
            for event in page["events"]:
                with suppress(ValueError):
                    found.append(json.loads(event["message"]))
        return [each for each in found if isinstance(each, dict)]


def _client(service: str, **more: Any) -> Any:
    make: Any = boto3.client  # its overloads accept only a literal name
    return make(service, config=_CONFIG, **more)


def _send(method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
    request = Request(url, data=body, method=method, headers=dict(headers))  # noqa: S310 - ours
    try:
        with urlopen(request, timeout=_TIMEOUT_S) as got:  # noqa: S310
            return Answer(got.status, _lower(got.headers), got.read())
    except HTTPError as error:
        return Answer(error.code, _lower(error.headers), error.read())


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}

"""A simulator in this process, and what it talks to: a bucket and a webhook receiver."""

from __future__ import annotations

import base64
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from local.agora import AgoraSimulator
from local.agora.uploads import warm_up


@dataclass
class Bucket:
    """Keeps what is PUT; refuses everything while `refusing` is set."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    refusing: bool = False

    def names(self, ending: str = "") -> list[str]:
        return sorted(key.rsplit("/", 1)[-1] for key in self.objects if key.endswith(ending))

    def text(self, ending: str) -> str:
        (key,) = [key for key in self.objects if key.endswith(ending)]
        return self.objects[key].decode()


@dataclass
class Received:
    at: float
    raw: bytes
    headers: dict[str, str]

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.raw)
        return body


@dataclass
class Receiver:
    """Answers webhooks with what `answers` says next, else with 200 and JSON."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)

    def types(self) -> list[int]:
        return [one.body["eventType"] for one in self.received]

    def of(self, event_type: int) -> list[dict[str, Any]]:
        return [one.body for one in self.received if one.body["eventType"] == event_type]

    def details(self, event_type: int) -> dict[str, Any]:
        details: dict[str, Any] = self.of(event_type)[0]["payload"]["details"]
        return details


def _serve(handler: type[BaseHTTPRequestHandler]) -> tuple[ThreadingHTTPServer, str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # boto3 waits for it before it sends a body
        return True

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    warm_up()


class _Bucket(_Quiet):
    store = Bucket()

    def do_PUT(self) -> None:
        data = self.body()
        store = _Bucket.store
        if store.refusing:
            self.reply(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        key = unquote(urlsplit(self.path).path)[1:]
        store.objects[key] = data
        store.headers[key] = {k.lower(): v for k, v in self.headers.items()}
        store.order.append(key.rsplit("/", 1)[-1])
        self.reply(200, b"")


class _Receiver(_Quiet):
    inbox = Receiver()

    def do_POST(self) -> None:
        raw = self.body()
        inbox = _Receiver.inbox
        headers = {k.lower(): v for k, v in self.headers.items()}
        inbox.received.append(Received(time.monotonic(), raw, headers))
        status, body = inbox.answers.pop(0) if inbox.answers else (200, b"{}")
        self.reply(status, body)


@pytest.fixture(scope="session")
def _servers() -> Iterator[tuple[str, str]]:
    """Serve one bucket and one receiver for all tests; what they hold is each test's own."""
    servers = [_serve(_Bucket), _serve(_Receiver)]
    yield servers[0][1], servers[1][1]
    for server, _ in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def bucket(_servers: tuple[str, str]) -> Bucket:
    _Bucket.store = Bucket(url=_servers[0])
    return _Bucket.store


@pytest.fixture
def receiver(_servers: tuple[str, str]) -> Receiver:
    _Receiver.inbox = Receiver(url=_servers[1])
    return _Receiver.inbox


@dataclass
class Answer:
    status: int
    body: dict[str, Any]

    @property
    def code(self) -> int | None:
        code: int | None = self.body.get("code")
        return code


@dataclass
class Caller:
    """Speaks Agora's API to a simulator, and the control API."""

    simulator: AgoraSimulator
    bucket: Bucket
    user: str = "customer"
    password: str = "secret"

    def http(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        parts = urlsplit(self.simulator.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            given = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}
            connection.request(method, path, raw, given if headers is None else headers)
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read() or b"{}"))
        finally:
            connection.close()

    @property
    def base(self) -> str:
        return f"/v1/apps/{self.simulator.options.app_id}/cloud_recording"

    def storage(self, **changes: Any) -> dict[str, Any]:
        return {
            "vendor": 1,
            "region": 0,
            "bucket": "films",
            "accessKey": "AKIA",
            "secretKey": "hush",
            "fileNamePrefix": ["recordings", "R1"],
            **changes,
        }

    def acquire(self, cname: str = "room", uid: str = "9", **client_request: Any) -> Answer:
        body = {"cname": cname, "uid": uid, "clientRequest": client_request}
        return self.http("POST", f"{self.base}/acquire", body)

    def start(
        self,
        resource_id: str,
        mode: str = "mix",
        cname: str = "room",
        uid: str = "9",
        **client_request: Any,
    ) -> Answer:
        client_request.setdefault("storageConfig", self.storage())
        body = {"cname": cname, "uid": uid, "clientRequest": client_request}
        return self.http("POST", f"{self.base}/resourceid/{resource_id}/mode/{mode}/start", body)

    def record(
        self,
        mode: str = "mix",
        cname: str = "room",
        uid: str = "9",
        scene: int = 0,
        **client_request: Any,
    ) -> Task:
        """Acquire and start; the task that runs."""
        acquired = self.acquire(cname, uid, scene=scene)
        assert acquired.status == 200, acquired
        resource_id = acquired.body["resourceId"]
        started = self.start(resource_id, mode, cname, uid, **client_request)
        assert started.status == 200, started
        return Task(self, resource_id, started.body.get("sid", ""), mode, cname, uid)

    def control(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = self.http(method, f"/_control/{path}", body)
        assert answer.status == 200, answer
        return answer.body

    def advance(self, seconds: float) -> None:
        self.control("POST", "clock", {"advance_s": seconds})

    def faults(self, *rules: dict[str, Any]) -> None:
        self.control("POST", "faults", list(rules))


@dataclass
class Task:
    """A recording at the simulator."""

    caller: Caller
    resource_id: str
    sid: str
    mode: str
    cname: str
    uid: str

    def call(self, verb: str, client_request: Any = None, *, method: str = "POST") -> Answer:
        path = f"{self.caller.base}/resourceid/{self.resource_id}/sid/{self.sid}"
        body = None
        if method == "POST":
            body = {"cname": self.cname, "uid": self.uid, "clientRequest": client_request or {}}
        return self.caller.http(method, f"{path}/mode/{self.mode}/{verb}", body)

    def query(self) -> Answer:
        return self.call("query", method="GET")

    def stop(self, **client_request: Any) -> Answer:
        return self.call("stop", client_request)

    def command(self, name: str, **body: Any) -> dict[str, Any]:
        return self.caller.control("POST", f"recordings/{self.sid}/{name}", body)

    def seen(self) -> dict[str, Any]:
        """What the control API shows of it."""
        recordings = self.caller.control("GET", "recordings")["recordings"]
        return next(one for one in recordings if one["sid"] == self.sid)


MakeAgora = Callable[..., Caller]


@pytest.fixture
def make_agora(bucket: Bucket, receiver: Receiver) -> Iterator[MakeAgora]:
    """Make a simulator whose clock stands still until it is advanced."""
    running: list[AgoraSimulator] = []

    def make(*, hold: bool = True, **settings: Any) -> Caller:
        settings = {
            "s3_endpoint_url": bucket.url,
            "webhook_url": receiver.url,
            "qps": 0,
            **settings,
        }
        simulator = AgoraSimulator(**settings).start()
        running.append(simulator)
        if hold:
            simulator.world.scheduler.hold()
        return Caller(simulator, bucket)

    yield make
    for simulator in running:
        simulator.stop()
        assert simulator.world.scheduler.failures == []


@pytest.fixture
def agora(make_agora: MakeAgora) -> Caller:
    return make_agora()

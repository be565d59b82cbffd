"""The HTTP server: routes, authentication, the rate limit, the log of calls."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import re
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, Self

from . import answers
from .calls import MOST_KEPT, ApiCall
from .control import Control
from .faults import Rule
from .options import Options
from .plan import Plan
from .rules import MODES, RefusalError
from .world import Answer, Target, World

MOST_BYTES = 16 * 1024 * 1024
MOST_LINE = 1024
"""Bytes of a body in chunks, and of a line between them."""

_ID = "[^/]+"
_REGION = "(?:/(?:na|us|eu|ap|cn))?"  # the regional paths of Agora's clients
_BASE = rf"{_REGION}/v1/apps/(?P<app_id>{_ID})/cloud_recording"
_RESOURCE = rf"{_BASE}/resourceid/(?P<resource_id>{_ID})"
_TASK = rf"{_RESOURCE}/sid/(?P<sid>{_ID})/mode/(?P<mode>{'|'.join(MODES)})"
_ROUTES = [
    ("POST", "acquire", re.compile(rf"{_BASE}/acquire")),
    ("POST", "start", re.compile(rf"{_RESOURCE}/mode/(?P<mode>{'|'.join(MODES)})/start")),
    ("GET", "query", re.compile(rf"{_TASK}/query")),
    ("POST", "update", re.compile(rf"{_TASK}/update")),
    ("POST", "updateLayout", re.compile(rf"{_TASK}/updateLayout")),
    ("POST", "stop", re.compile(rf"{_TASK}/stop")),
    ("GET", "ncs", re.compile(rf"{_REGION}/v[12]/ncs/ip")),
]


@dataclass
class _Request:
    """A call on its way through the gateway."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    call: ApiCall
    names: dict[str, str] = field(default_factory=dict)


class DroppedConnection(Exception):  # noqa: N818  it is not an error, it is planned
    """The fault plan wants the caller to get no answer."""


class Gateway:
    """Turns the bytes of a request into the answer."""

    def __init__(self, world: World, options: Options) -> None:
        self.world = world
        self.options = options
        self.clock: Callable[[], float] = time.time
        self.calls: deque[ApiCall] = deque(maxlen=MOST_KEPT)
        self._recent: deque[float] = deque()
        self._log_lock = threading.Lock()

    def answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Answer:
        """Return (status, body) of a call. Raises DroppedConnection."""
        began = time.monotonic()
        endpoint, names = self._route(method, path)
        call = ApiCall(self.clock(), endpoint, method, mode=names.get("mode"), sid=names.get("sid"))
        with self._log_lock:
            self.calls.append(call)
        request = _Request(method, path, headers, raw, call, names)
        try:
            status, body = self._guarded(request)
            call.status, call.code = status, body.get("code")
            return status, answers.old(body) if self.options.old_answers else body
        finally:
            call.took_ms = round((time.monotonic() - began) * 1000)
            self._write_log(call)

    @staticmethod
    def _route(method: str, path: str) -> tuple[str, dict[str, str]]:
        for verb, endpoint, pattern in _ROUTES:
            if verb == method and (match := pattern.fullmatch(path)):
                return endpoint, match.groupdict()
        return "", {}

    def _guarded(self, request: _Request) -> Answer:
        try:
            return self._admitted(request)
        except RefusalError as refusal:
            return refusal.http, refusal.body()

    def _admitted(self, request: _Request) -> Answer:
        call = request.call
        if not call.endpoint:
            raise RefusalError(404, None, "no Route matched with those values")
        self._authenticate(request.headers.get("authorization"))
        if call.endpoint != "ncs":
            if self.options.app_id not in (None, request.names["app_id"]):
                raise RefusalError(400, None, "appid is invalid")
            self._limit(call)
        body = self._body(request) if request.method == "POST" else {}
        self._name(call, body)
        with self.world.lock:
            rule = self.world.faults.for_call(call.endpoint, call.cname, call.uid)
        if rule is None:
            return self._act(request, body, Plan())
        return self._faulty(rule, request, body)

    def _faulty(self, rule: Rule, request: _Request, body: dict[str, Any]) -> Answer:
        action = rule.action
        request.call.fault = ", ".join(action) or "plan"
        if delay_s := action.get("delay_s"):
            self.world.scheduler.sleep(delay_s)
        if action.get("drop") == "before":
            raise DroppedConnection
        if planned := action.get("answer"):
            status = int(planned["http"])
            return status, planned.get("body") or _error_body(planned)
        answer = self._act(request, body, rule.plan)
        if action.get("drop") == "after":
            raise DroppedConnection
        return answer

    def _act(self, request: _Request, body: dict[str, Any], plan: Plan) -> Answer:
        world, names, endpoint = self.world, request.names, request.call.endpoint
        if endpoint == "ncs":
            hosts = [{self.options.address_name: host} for host in world.ncs_hosts]
            return 200, {"data": {"service": {"hosts": hosts}}}
        with world.lock:
            if endpoint == "acquire":
                return world.acquire(names["app_id"], body)
            if endpoint == "start":
                status, answer = world.start_recording(
                    names["app_id"], names["resource_id"], names["mode"], body, plan
                )
                request.call.sid = answer.get("sid")
                return status, answer
            target = Target(**names)
            if endpoint == "query":
                return world.query(target)
            if endpoint == "update":
                return world.update(target, body)
            if endpoint == "updateLayout":
                return world.update_layout(target, body)
            stopped = world.stop_recording(target, body)
        if isinstance(stopped[0], int):
            return stopped
        recording, finished = stopped
        finished.wait()
        with world.lock:
            return world.stop_answer(recording)

    def _authenticate(self, header: str | None) -> None:
        if not header:
            raise RefusalError(401, None, "Unauthorized")
        expected = f"{self.options.customer_id}:{self.options.customer_secret}".encode()
        scheme, _, credentials = header.partition(" ")
        try:
            given = base64.b64decode(credentials, validate=True)
        except ValueError:
            given = b""
        if scheme.lower() != "basic" or not hmac.compare_digest(given, expected):
            raise RefusalError(401, None, "Invalid authentication credentials")

    def _limit(self, call: ApiCall) -> None:
        """Refuse a call that exceeds the limit in the sliding second that ends now."""
        if not self.options.qps:
            return
        with self._log_lock:
            while self._recent and self._recent[0] <= call.at - 1:
                self._recent.popleft()
            if len(self._recent) >= self.options.qps:
                http, message = self.options.rate_refusal
                raise RefusalError(http, None, message)
            self._recent.append(call.at)

    @staticmethod
    def _body(request: _Request) -> dict[str, Any]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise RefusalError(400, 8, "Content-Type must be application/json")
        try:
            body = json.loads(request.raw)
        except ValueError:
            raise RefusalError(400, 8, "the body is not JSON") from None
        if not isinstance(body, dict):
            raise RefusalError(400, 2, "the body must be a JSON object")
        return body

    def _name(self, call: ApiCall, body: dict[str, Any]) -> None:
        """Note the channel and uid of the call; for `query`, only the path names them."""
        cname, uid = body.get("cname"), body.get("uid")
        if call.sid and (recording := self.world.recording(call.sid)):
            cname, uid = cname or recording.cname, uid or recording.uid
        call.cname = cname if isinstance(cname, str) else None
        call.uid = uid if isinstance(uid, str) else None

    def _write_log(self, call: ApiCall) -> None:
        if self.options.log_file:
            with self._log_lock, open(self.options.log_file, "a", encoding="utf-8") as log:
                log.write(json.dumps(vars(call)) + "\n")


def _error_body(planned: dict[str, Any]) -> dict[str, Any]:
    if planned.get("code") is None:
        return {"message": planned.get("reason", "scripted")}
    return {"code": planned["code"], "reason": planned.get("reason", "scripted")}


class AgoraSimulator:
    """Agora on a loopback port: `start`, `stop`, or a `with` block. Keywords are `Options`."""

    def __init__(self, options: Options | None = None, **settings: Any) -> None:
        self.options = options or Options(**settings)
        self.world = World(self.options)
        self.gateway = Gateway(self.world, self.options)
        self.control = Control(self.world, self.gateway.calls)
        handler = _handler(self.gateway, self.control)
        self._server = _Server((self.options.host, self.options.port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="agora-http", daemon=True
        )

    @property
    def url(self) -> str:
        """Return the base URL: of Agora's API and, under /_control, of the simulator's own."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> Self:
        """Begin to answer."""
        self.world.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop answering; leave no thread and no connection behind."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self.world.stop()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    """A threading server that can end while clients keep their connections open."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without looking up our own host name, which can take seconds on a laptop."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: callers may close their connection at any time."""


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    """Yield the chunks of a body (RFC 9112, 7.1); extensions and trailers are skipped.

    Raises ValueError if the body is not in chunks, ends early or is too large.
    """
    left = MOST_BYTES
    while size := int(stream.readline(MOST_LINE).partition(b";")[0].strip(), 16):
        left -= size
        if left < 0 or size < 0:
            raise ValueError("too large")
        chunk = stream.read(size)
        if len(chunk) < size or stream.readline(MOST_LINE).strip():
            raise ValueError("cut off")
        yield chunk
    while stream.readline(MOST_LINE).strip():
        pass


def _handler(gateway: Gateway, control: Control) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for an answer; two would wait for each other's ACK
        disable_nagle_algorithm = True
        server_version = "AgoraSimulator"
        sys_version = ""

        def _serve(self) -> None:
            try:
                raw = self._raw()
            except ValueError:
                self.send_error(400)  # and the connection ends: where the next call begins is lost
                return
            path = self.path.partition("?")[0]
            handle: Callable[..., Answer] = gateway.answer
            if path.startswith("/_control/"):
                handle = control.answer
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                status, body = handle(self.command, path, headers, raw)
            except DroppedConnection:
                self.close_connection = True
                return
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _raw(self) -> bytes:
            """Return the body, of a length or in chunks. Raises ValueError if it is neither."""
            if self.headers.get("Transfer-Encoding", "").strip().lower() != "chunked":
                length = int(self.headers.get("Content-Length") or 0)
                return self.rfile.read(length) if length else b""
            return b"".join(_chunks(self.rfile))

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

        def handle_expect_100(self) -> bool:
            super().handle_expect_100()
            self.wfile.flush()  # the caller waits for it before it sends the body
            return True

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: calls are logged elsewhere."""

    return Handler

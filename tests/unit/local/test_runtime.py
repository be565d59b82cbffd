"""The stand-in for AWS's runtime client, against a Runtime API of our own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from agora_recording.errors import UidTakenError
from local import runtime

pytestmark = pytest.mark.enable_socket


class RuntimeApi(HTTPServer):
    """Hands out one event and keeps what is reported."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reported: dict[str, Any] = {}


class _Handler(BaseHTTPRequestHandler):
    server: RuntimeApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b'{"recordingId": "R1"}', 200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.reported[self.path.rpartition("/")[2]] = json.loads(body)
        self._answer(b"{}", 202)

    def _answer(self, body: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "request-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", "99999999999999")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with RuntimeApi() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _serve(api: RuntimeApi, handler: Any) -> None:
    connection = HTTPConnection("127.0.0.1", api.server_port)
    runtime.serve_one(connection, handler)
    connection.close()


def test_what_a_handler_returns_is_reported(api: RuntimeApi) -> None:
    _serve(api, lambda event, context: {**event, "request": context.aws_request_id})
    assert api.reported["response"] == {"recordingId": "R1", "request": "request-1"}


def test_an_error_is_reported_by_its_name(api: RuntimeApi) -> None:
    def handler(event: Any, context: Any) -> None:
        raise UidTakenError("taken")

    _serve(api, handler)
    assert api.reported["error"]["errorType"] == "UidTakenError"
    assert api.reported["error"]["errorMessage"] == "taken"


def test_a_handler_can_ask_how_much_time_is_left(api: RuntimeApi) -> None:
    _serve(api, lambda event, context: context.get_remaining_time_in_millis() > 1000)
    assert api.reported["response"] is True

"""What the tests of the API's rooms share: requests as API Gateway sends them, and the world."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agora_recording.aws.sealing import Sealer
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore, row_of
from agora_recording.recording.model import Recording
from tests.world.agora import ScriptedAgora
from tests.world.bucket import FakeBucket
from tests.world.builders import RECORDING_ID, TIMINGS
from tests.world.clock import Clock
from tests.world.errors import error
from tests.world.kms import FakeKms
from tests.world.step_functions import FakeStepFunctions
from tests.world.table import TABLE, FakeTable
from tests.world.webhook import NOW_MS


@dataclass
class Context:
    """Lambda's context. `remaining_ms` is told one after the other, the last for ever."""

    function_name: str = "room"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:room"
    aws_request_id: str = "6f1c8a52"
    remaining_ms: list[int] = field(default_factory=lambda: [29_000])

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms.pop(0) if len(self.remaining_ms) > 1 else self.remaining_ms[0]


class Response(NamedTuple):
    """A room's answer; `body` decoded where it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


def request(
    body: Any = None,
    *,
    resource: str = "/recordings/{recordingId}",
    recording_id: str | None = RECORDING_ID,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    encoded: bool = False,
) -> dict[str, Any]:
    """Return a REST proxy event; a `body` that is no text becomes JSON."""
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    if encoded and text is not None:
        text = base64.b64encode(text.encode()).decode()
    return {
        "resource": resource,
        "headers": dict(headers or {}),
        "queryStringParameters": dict(query) if query else None,
        "pathParameters": {"recordingId": recording_id} if recording_id is not None else None,
        "body": text,
        "isBase64Encoded": encoded,
        "requestContext": {"identity": {"userArn": "arn:aws:iam::123456789012:user/app"}},
    }


def read(answer: dict[str, Any]) -> Response:
    """Return an answer, and hold it to what API Gateway takes."""
    assert set(answer) == {"statusCode", "headers", "body"}
    assert isinstance(answer["body"], str)
    kind = answer["headers"].get("Content-Type", "")
    body: Any = json.loads(answer["body"]) if kind.endswith("json") else answer["body"]
    if answer["statusCode"] >= 400:
        assert kind == "application/problem+json"
        assert body["status"] == answer["statusCode"]
        assert body["detail"]
    return Response(answer["statusCode"], answer["headers"], body)


class Api:
    """A table, a bucket, Agora and a clock that moves when somebody sleeps."""

    def __init__(self, *rows: Recording) -> None:
        self.clock = Clock(NOW_MS)
        self.table = FakeTable()
        self.bucket = FakeBucket(self.clock)
        self.agora = ScriptedAgora()
        self.kms = FakeKms()
        self.machine = FakeStepFunctions()
        client: Any = self.table
        kms: Any = self.kms
        self.store = RecordingStore(TABLE, TIMINGS, client)
        self.sessions = SessionStore(TABLE, client)
        self.sealer = Sealer("key", kms)
        for row in rows:
            self.add(row)

    def add(self, row: Recording) -> None:
        """Let a recording be there."""
        self.table.add(row_of(row, TIMINGS))

    @property
    def row(self) -> Recording:
        """The recording as it is."""
        return self.store.get(RECORDING_ID)

    @property
    def notes(self) -> list[dict[str, Any]]:
        """The timeline."""
        return self.table.rows(f"REC#{RECORDING_ID}", "LOG#")

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)


def refusal(code: str = "ThrottlingException") -> Exception:
    """Return an error of AWS."""
    return error(code)

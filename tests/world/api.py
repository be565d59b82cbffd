"""What the tests of the API's rooms share: requests as API Gateway sends them, and the world."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.world.builders import RECORDING_ID
from tests.world.errors import error


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
    method: str = "GET",
    parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a REST proxy event; a `body` that is no text becomes JSON.

    `parameters` are further ones of the path.
    """
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    if encoded and text is not None:
        text = base64.b64encode(text.encode()).decode()
    named = {"recordingId": recording_id, **(parameters or {})}
    given = {name: value for name, value in named.items() if value is not None}
    path = resource
    for name, value in given.items():
        path = path.replace(f"{{{name}}}", value)
    return {
        "resource": resource,
        "httpMethod": method,
        "headers": dict(headers or {}),
        "queryStringParameters": dict(query) if query else None,
        "pathParameters": given or None,
        "body": text,
        "isBase64Encoded": encoded,
        "requestContext": {
            "identity": {"userArn": "arn:aws:iam::123456789012:user/app"},
            "domainName": "api.example.com",
            "path": f"/v1{path}",
        },
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


def pages(get: Callable[..., Response], name: str, **query: str) -> list[list[Any]]:
    """Return the entries of every page that a room gives, one page after the other."""
    found: list[list[Any]] = []
    cursor = None
    while cursor or not found:
        answer = get(**query, **({"cursor": cursor} if cursor else {}))
        assert answer.status == 200, answer.body
        found.append(answer.body[name])
        cursor = answer.body.get("cursor")
        assert len(found) < 100, "the pages never end"
    return found


def refusal(code: str = "ThrottlingException") -> Exception:
    """Return an error of AWS."""
    return error(code)

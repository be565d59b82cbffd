"""The webhook room, warm: CPU per event against the least that any receiver must do.

Floor: HMAC-SHA256, `json.loads` and one conditional `put_item` of key and body. Both sides use the
shipped DynamoDB client; its HTTP exchange is replaced by a canned answer, so what is counted is
the work of this process. Rounds alternate, and the median of their ratios is reported.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import json
import statistics
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import boto3
from botocore.awsrequest import AWSResponse

from agora_recording.notifications.secrets import NotificationSecrets
from agora_recording.notifications.store import CLIENT_CONFIG, NotificationStore
from functions.receive_notification import app

EVENTS = 300  # a round
ROUNDS = 15
_NOW_MS = 1_700_000_000_000
_SECRET = "a-secret-of-the-console"
_CONTEXT = SimpleNamespace(aws_request_id="00000000-0000-4000-8000-000000000000")


def run() -> dict[str, dict[str, Any]]:
    """Return `webhook_warm` (µs of CPU per event) and `webhook_events_per_second`."""
    client = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
        config=CLIENT_CONFIG,
    )
    client.meta.events.register("before-send.dynamodb.PutItem", cast(Any, _stored))
    events = [_request(number) for number in range(EVENTS)]
    handle, floor = _handler(client), _floor(client)
    with _environment(), contextlib.redirect_stdout(io.StringIO()):
        for warm_up in (handle, floor):
            _cpu_us(warm_up, events)
        rounds = [(_cpu_us(handle, events), _cpu_us(floor, events)) for _ in range(ROUNDS)]
    value, least = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(ours / theirs for ours, theirs in rounds)
    count = EVENTS * ROUNDS
    return {
        "webhook_warm": _row(value, "µs CPU per event", least, ratio, count),
        "webhook_events_per_second": _row(
            1e6 / value, "events/s per environment", 1e6 / least, 1 / ratio, count
        ),
    }


def _row(value: float, unit: str, floor: float, ratio: float, n: int) -> dict[str, Any]:
    return {
        "value": round(value, 1),
        "unit": unit,
        "floor": round(floor, 1),
        "ratio": round(ratio, 3),
        "n": n,
    }


def _handler(client: Any) -> Callable[[dict[str, Any]], object]:
    store = NotificationStore("table", client)
    secrets = NotificationSecrets("secret", _SecretsManager())  # type: ignore[arg-type]
    return lambda event: app.lambda_handler(event, _CONTEXT, store, secrets, lambda: _NOW_MS)


def _floor(client: Any) -> Callable[[dict[str, Any]], object]:
    def receive(event: dict[str, Any]) -> object:
        body = event["body"]
        digest = hmac.new(_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(digest, event["headers"]["Agora-Signature-V2"]):
            return {"statusCode": 401}
        payload = json.loads(body)["payload"]
        client.put_item(
            TableName="table",
            Item={
                "PK": {"S": f"SID#{payload['sid']}"},
                "SK": {"S": f"EVT#{payload['uid']}#{payload['sequence']}"},
                "body": {"S": body},
            },
            ConditionExpression="attribute_not_exists(PK)",
        )
        return {"statusCode": 200, "body": "{}"}

    return receive


def _cpu_us(receive: Callable[[dict[str, Any]], object], events: list[dict[str, Any]]) -> float:
    begun = time.process_time_ns()
    for event in events:
        receive(event)
    return (time.process_time_ns() - begun) / 1000 / len(events)


def _request(number: int) -> dict[str, Any]:
    """Return a progress event (33, the one that comes each minute) as API Gateway passes it on."""
    body = json.dumps(
        {
            "noticeId": f"{number:032x}",
            "productId": 3,
            "eventType": 33,
            "notifyMs": _NOW_MS - 400,
            "sid": f"{number % 7:032x}",
            "payload": {
                "cname": "consultation-7",
                "uid": "527841",
                "sid": f"{number % 7:032x}",
                "sequence": number,
                "sendts": _NOW_MS - 500,
                "serviceType": 2,
                "details": {"msgName": "uploading_progress", "progress": 9_876},
            },
        }
    )
    headers = {
        "Accept": "application/json",
        "Agora-Signature": hmac.new(_SECRET.encode(), body.encode(), hashlib.sha1).hexdigest(),
        "Agora-Signature-V2": hmac.new(_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest(),
        "Content-Type": "application/json",
        "Host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
        "User-Agent": "Go-http-client/1.1",
        "X-Amzn-Trace-Id": "Root=1-00000000-000000000000000000000000",
        "X-Forwarded-For": "203.0.113.10",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    }
    return {
        "resource": "/notifications",
        "path": "/notifications",
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {"identity": {"sourceIp": "203.0.113.10"}},
        "body": body,
        "isBase64Encoded": False,
    }


class _SecretsManager:
    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": _SECRET}


class _Empty:
    def stream(self) -> Iterator[bytes]:
        yield b"{}"


def _stored(request: Any, **_: Any) -> AWSResponse:
    headers = {"content-type": "application/x-amz-json-1.0", "content-length": "2"}
    return AWSResponse(request.url, 200, cast(Any, headers), _Empty())


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    with patch.dict("os.environ", TABLE_NAME="table", NOTIFICATION_SECRET_ID="secret"):
        app.ReceiveSettings.from_env()
        yield


if __name__ == "__main__":
    print(json.dumps(run(), indent=2, ensure_ascii=False))

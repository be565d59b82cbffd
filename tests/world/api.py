"""What the tests of the API's rooms share: requests as API Gateway sends them, and larger fakes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from agora_recording.aws.sealing import Sealer
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore, row_of
from agora_recording.recording.model import Recording
from tests.world.builders import RECORDING_ID, TIMINGS
from tests.world.fakes import (
    TABLE,
    Clock,
    FakeBucket,
    FakeStepFunctions,
    FakeTable,
    Item,
    ScriptedAgora,
    error,
)
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


class FakeKms:
    """KMS with one key, for both directions; the context must be the same."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: Any) -> dict[str, bytes]:
        self.calls.append("encrypt")
        seal = json.dumps(EncryptionContext).encode()
        return {"CiphertextBlob": base64.b64encode(seal) + b"." + Plaintext[::-1]}

    def decrypt(
        self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: Any
    ) -> dict[str, bytes]:
        self.calls.append("decrypt")
        seal, _, turned = CiphertextBlob.partition(b".")
        assert json.loads(base64.b64decode(seal)) == EncryptionContext
        return {"Plaintext": turned[::-1]}


class Table(FakeTable):
    """The table, with what deleting needs. Of the first `busy` batches, a row stays undone."""

    busy = 0

    def delete_item(self, *, TableName: str, Key: Item) -> None:
        self.items.pop(self._key(Key), None)

    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        ((name, requests),) = RequestItems.items()
        assert 0 < len(requests) <= 25
        undone = requests[-1:] if self.busy else []
        self.busy = max(0, self.busy - 1)
        for each in requests[: len(requests) - len(undone)]:
            self.items.pop(self._key(each["DeleteRequest"]["Key"]), None)
        return {"UnprocessedItems": {name: undone} if undone else {}}

    def query(self, *, ProjectionExpression: str | None = None, **more: Any) -> dict[str, Any]:
        answer = super().query(**more)
        if ProjectionExpression:
            names = ProjectionExpression.split(", ")
            answer["Items"] = [{name: item[name] for name in names} for item in answer["Items"]]
        return answer


class NoSuchKey(ClientError):  # noqa: N818  AWS names it
    """There is no such object."""


class Bucket(FakeBucket):
    """A bucket with versions. Keys in `stuck` cannot be deleted."""

    exceptions = SimpleNamespace(NoSuchKey=NoSuchKey)
    meta = SimpleNamespace(
        endpoint_url="https://s3.us-east-1.amazonaws.com", region_name="us-east-1"
    )

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.versions: list[tuple[str, str, bool]] = []  # key, version, is a marker
        self.stuck: set[str] = set()
        self.reads: list[str] = []
        self.page_size = 1000

    def add(self, key: str, body: bytes) -> None:
        super().add(key, body)
        self.versions.append((key, str(len(self.versions)), False))

    def mark(self, key: str) -> None:
        """Let somebody delete an object: its versions stay, below a marker."""
        self.objects.pop(key, None)
        self.versions.append((key, str(len(self.versions)), True))

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self.reads.append(Key)
        if Key not in self.objects:
            raise error(NoSuchKey)
        answer: dict[str, Any] = super().get_object(Bucket=Bucket, Key=Key)
        return answer

    def list_objects_v2(self, *, Bucket: str, Prefix: str, StartAfter: str) -> dict[str, Any]:
        (page,) = self._pages(Bucket=Bucket, Prefix=Prefix)
        rest = [each for each in page.get("Contents", ()) if each["Key"] > StartAfter]
        return {"Contents": rest[: self.page_size], "IsTruncated": len(rest) > self.page_size}

    def get_paginator(self, name: str) -> Any:
        if name == "list_object_versions":
            return SimpleNamespace(paginate=self._version_pages)
        return super().get_paginator(name)

    def _version_pages(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        found = sorted(each for each in self.versions if each[0].startswith(Prefix))
        for first in range(0, len(found) or 1, self.page_size):
            page: dict[str, Any] = {}
            for key, version, is_marker in found[first : first + self.page_size]:
                name = "DeleteMarkers" if is_marker else "Versions"
                page.setdefault(name, []).append({"Key": key, "VersionId": version})
            yield page

    def delete_objects(self, *, Bucket: str, Delete: Any) -> dict[str, Any]:
        assert Delete["Quiet"]
        assert 0 < len(Delete["Objects"]) <= 1000
        errors = []
        for each in Delete["Objects"]:
            if each["Key"] in self.stuck:
                errors.append({"Key": each["Key"], "Code": "AccessDenied"})
                continue
            self.versions = [
                one for one in self.versions if one[:2] != (each["Key"], each["VersionId"])
            ]
            self.objects.pop(each["Key"], None)
        return {"Errors": errors} if errors else {}


class Api:
    """A table, a bucket, Agora and a clock that moves when somebody sleeps."""

    def __init__(self, *rows: Recording) -> None:
        self.clock = Clock(NOW_MS)
        self.table = Table()
        self.bucket = Bucket(self.clock)
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

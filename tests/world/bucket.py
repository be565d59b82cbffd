"""The bucket in memory, with its versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import msgspec

from tests.world.clock import Clock
from tests.world.errors import NoSuchKey, error
from tests.world.faults import Faults, operation, reading

BUCKET = "films"


class FakeBucket:
    """An S3 client with one bucket. Keys in `stuck` cannot be deleted; `reads` are those got."""

    exceptions = SimpleNamespace(NoSuchKey=NoSuchKey)
    meta = SimpleNamespace(
        endpoint_url="https://s3.us-east-1.amazonaws.com", region_name="us-east-1"
    )

    def __init__(self, clock: Clock, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.clock = clock
        self.objects: dict[str, tuple[bytes, int]] = {}
        self.versions: list[tuple[str, str, bool]] = []  # key, version, is a marker
        self.stuck: set[str] = set()
        self.reads: list[str] = []
        self.page_size = 1000

    # --- for the tests ---

    def add(self, key: str, body: bytes) -> None:
        """Let an object appear (Agora's, not ours)."""
        self.objects[key] = (body, self.clock())
        self.versions.append((key, str(len(self.versions)), False))

    def mark(self, key: str) -> None:
        """Let somebody delete an object: its versions stay, below a marker."""
        self.objects.pop(key, None)
        self.versions.append((key, str(len(self.versions)), True))

    def json(self, key: str) -> Any:
        """Return an object's content."""
        return msgspec.json.decode(self.objects[key][0])

    # --- the client ---

    @operation
    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        """Write an object."""
        assert Bucket == BUCKET
        self.add(Key, Body)

    @reading
    def get_object(self, *, Bucket: str, Key: str, Range: str = "") -> dict[str, Any]:
        """Read an object, or a range of its bytes."""
        self.reads.append(Key)
        if Key not in self.objects:
            raise error(NoSuchKey)
        body = self.objects[Key][0]
        if not Range:
            return {"Body": BytesIO(body), "ContentLength": len(body)}
        first, _, last = Range.removeprefix("bytes=").partition("-")
        begin, end = int(first), min(int(last or len(body) - 1), len(body) - 1)
        if begin >= len(body):
            raise error("InvalidRange")
        told = f"bytes {begin}-{end}/{len(body)}"
        part = body[begin : end + 1]
        return {"Body": BytesIO(part), "ContentLength": len(part), "ContentRange": told}

    @reading
    def list_objects_v2(self, *, Bucket: str, Prefix: str, StartAfter: str) -> dict[str, Any]:
        """List one page of objects."""
        rest = [each for each in self._listed(Prefix) if each["Key"] > StartAfter]
        return {"Contents": rest[: self.page_size], "IsTruncated": len(rest) > self.page_size}

    @operation
    def delete_objects(self, *, Bucket: str, Delete: Any) -> dict[str, Any]:
        """Delete up to 1000 versions for good; tell which could not be."""
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

    def get_paginator(self, name: str) -> Any:
        """Return something whose `paginate` yields pages of objects or of versions."""
        pages = {"list_objects_v2": self._pages, "list_object_versions": self._version_pages}
        return SimpleNamespace(paginate=pages[name])

    # --- inside ---

    @reading
    def _pages(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        contents = self._listed(Prefix)
        return [{"Contents": contents}] if contents else [{}]

    @reading
    def _version_pages(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        found = sorted(each for each in self.versions if each[0].startswith(Prefix))
        for first in range(0, len(found) or 1, self.page_size):
            page: dict[str, Any] = {}
            for key, version, is_marker in found[first : first + self.page_size]:
                name = "DeleteMarkers" if is_marker else "Versions"
                page.setdefault(name, []).append({"Key": key, "VersionId": version})
            yield page

    def _listed(self, prefix: str) -> list[dict[str, Any]]:
        return [
            {
                "Key": key,
                "Size": len(body),
                "ETag": f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"',
                "LastModified": datetime.fromtimestamp(at_ms / 1000, UTC),
            }
            for key, (body, at_ms) in sorted(self.objects.items())
            if key.startswith(prefix)
        ]

"""Reading the bucket, on canned answers of S3."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest

from agora_recording.errors import ObjectTooLargeError
from agora_recording.files.bucket import list_objects, read_object, read_pieces
from agora_recording.files.inventory import S3Object

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)


class Pages:
    """As much of an S3 client as a listing and a reading take."""

    def __init__(self, pages: list[dict[str, Any]]) -> None:
        self.pages = pages
        self.asked: list[dict[str, str]] = []
        self.body = BytesIO(b"#EXTM3U\n" * 100_000)

    def get_paginator(self, operation: str) -> Pages:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **asked: str) -> list[dict[str, Any]]:
        self.asked.append(asked)
        return self.pages

    def get_object(self, **asked: str) -> dict[str, Any]:
        self.asked.append(asked)
        return {"Body": self.body}


def test_a_listing_goes_through_all_pages_even_one_without_contents() -> None:
    item = {"Key": "p/a", "Size": 5, "ETag": '"abc"', "LastModified": START}
    client: Any = Pages([{"Contents": [item]}, {}, {"Contents": [{**item, "Key": "p/b"}]}])
    assert list(list_objects(client, "bucket", "p/")) == [
        S3Object("p/a", 5, "abc", START_MS),
        S3Object("p/b", 5, "abc", START_MS),
    ]
    assert client.asked == [{"Bucket": "bucket", "Prefix": "p/"}]


def test_an_object_is_read_whole_if_it_is_small_enough() -> None:
    client: Any = Pages([])
    assert read_object(client, "bucket", "p/a.json", 800_000) == b"#EXTM3U\n" * 100_000
    assert client.asked == [{"Bucket": "bucket", "Key": "p/a.json"}]
    assert client.body.closed
    with pytest.raises(ObjectTooLargeError, match=r"p/a\.json has more than 799999 bytes"):
        read_object(Pages([]), "bucket", "p/a.json", 799_999)  # type: ignore[arg-type]


def test_an_object_is_read_in_pieces_as_far_as_anybody_asks() -> None:
    client: Any = Pages([])
    pieces = list(read_pieces(client, "bucket", "p/a.m3u8"))
    assert len(pieces) > 1
    assert b"".join(pieces) == b"#EXTM3U\n" * 100_000
    client = Pages([])
    reading = read_pieces(client, "bucket", "p/a.m3u8")
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert client.body.closed

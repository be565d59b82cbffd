"""Reading the bucket: the listing of a prefix, and whole objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agora_recording.errors import ObjectTooLargeError
from agora_recording.files.inventory import S3Object

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PIECE = 256 * 1024


def list_objects(client: S3Client, bucket: str, prefix: str) -> Iterator[S3Object]:
    """Yield every object under `prefix`, in the order of the keys, one page in memory at a time."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", ()):
            modified_ms = int(item["LastModified"].timestamp() * 1000)
            yield S3Object(item["Key"], item["Size"], item["ETag"].strip('"'), modified_ms)


def read_pieces(client: S3Client, bucket: str, key: str) -> Iterator[bytes]:
    """Yield the content of an object in pieces. Raises S3's NoSuchKey if there is none.

    The connection is closed when the reader stops early.
    """
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    try:
        while piece := body.read(_PIECE):
            yield piece
    finally:
        body.close()


def read_object(client: S3Client, bucket: str, key: str, most: int) -> bytes:
    """Return the content of an object, whole.

    Raises S3's NoSuchKey if there is none, ObjectTooLargeError if it has more than `most` bytes.
    """
    body = client.get_object(Bucket=bucket, Key=key)["Body"]
    try:
        content = body.read(most + 1)
    finally:
        body.close()
    if len(content) > most:
        raise ObjectTooLargeError(f"{key} has more than {most} bytes.")
    return content

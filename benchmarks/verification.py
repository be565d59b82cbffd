"""What it costs to verify a recording of 100,000 slices, beside the bare listing of its objects.

Both sides page through the same canned answers of ListObjectsV2, parsed by botocore, with no
network; the floor does nothing with them. The peak is the resident memory of a fresh process that
imports boto3 and verifies: everything counts.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from agora_recording.files.bucket import list_objects
from agora_recording.files.judge import verify
from agora_recording.files.verdict import Expectation, Session

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SLICES = 100_000
_PAGE = 1000
_SID = "0123456789abcdef0123456789abcdef"
_CNAME = "standup"
_PREFIX = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
_INDEX = f"{_SID}_{_CNAME}.m3u8"
_START = datetime(2026, 1, 1, tzinfo=UTC)
_SLICE_MS = 15_000


def run() -> dict[str, dict[str, float]]:
    """Return the figures of design.md: CPU seconds against the floor's, and the peak in MiB."""
    pages = [_page(number) for number in range(SLICES // _PAGE + 1)]
    client = _client(pages.__getitem__)
    index = _index()
    floor_s, value_s = float("inf"), float("inf")
    for _ in range(2):
        floor_s = min(floor_s, _timed(lambda: _list_only(client)))
        value_s = min(value_s, _timed(lambda: _verify(client, index)))
    return {
        "verify_100k_segments": {
            "value": value_s,
            "floor": floor_s,
            "ratio": value_s / floor_s,
            "n": SLICES,
        },
        "verify_100k_peak_mb": {"value": _peak_mb(), "goal": 256},
    }


def _list_only(client: S3Client) -> None:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="b", Prefix=_PREFIX)
    listed = sum(len(page["Contents"]) for page in pages)
    if listed != SLICES + 1:
        raise RuntimeError(f"{listed} objects listed")


def _verify(client: S3Client, index: bytes) -> None:
    expectation = Expectation(
        prefix=_PREFIX,
        mode="mix",
        cname=_CNAME,
        sessions=(Session(sid=_SID, upload="uploaded"),),
    )
    now_ms = int(_START.timestamp() * 1000) + SLICES * _SLICE_MS
    verdict = verify(list_objects(client, "b", _PREFIX), lambda _: [index], expectation, now_ms)
    if verdict.outcome != "complete" or verdict.recorded_ms != SLICES * _SLICE_MS:
        raise RuntimeError(f"{verdict.outcome}: {verdict.findings}")


def _timed(work: Callable[[], None]) -> float:
    start = time.process_time()  # nothing waits here, and a busy machine must not decide
    work()
    return time.process_time() - start


def _peak_mb() -> float:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, "peak"]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(answer.stdout)


def _verify_once_and_print_peak() -> None:
    _verify(_client(_page), _index())
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)


# --- the canned bucket --------------------------------------------------------------------------


def _slice(number: int) -> str:
    start = _START + timedelta(milliseconds=number * _SLICE_MS)
    return f"{_SID}_{_CNAME}_{start:%Y%m%d%H%M%S}000.ts"


def _index() -> bytes:
    entries = (f"#EXTINF:15.000000\n{_slice(number)}\n" for number in range(SLICES))
    return f"#EXTM3U\n#EXT-X-VERSION:3\n{''.join(entries)}#EXT-X-ENDLIST\n".encode()


def _page(number: int) -> bytes:
    """Return one answer of ListObjectsV2: the index alone first, then pages of slices."""
    last = SLICES // _PAGE
    if number == 0:
        rows = _row(_INDEX, len(_index()), 0)
    else:
        numbers = range((number - 1) * _PAGE, number * _PAGE)
        rows = "".join(_row(_slice(one), 1_234_567, one) for one in numbers)
    more = number < last
    token = f"<NextContinuationToken>{number + 1}</NextContinuationToken>" if more else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>b</Name><Prefix>{_PREFIX}</Prefix><MaxKeys>{_PAGE}</MaxKeys>"
        f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
    ).encode()


def _row(name: str, size: int, number: int) -> str:
    modified = _START + timedelta(milliseconds=number * _SLICE_MS)
    return (
        f"<Contents><Key>{_PREFIX}{name}</Key>"
        f"<LastModified>{modified:%Y-%m-%dT%H:%M:%S}.000Z</LastModified>"
        f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )


class _Raw(io.BytesIO):
    def stream(self, **_: Any) -> list[bytes]:
        return [self.read()]


def _client(page: Callable[[int], bytes]) -> S3Client:
    """Return an S3 client whose listings are answered by `page`, and which sends nothing."""
    client: S3Client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )

    def answer(request: Any, **_: Any) -> Any:
        query = parse_qs(urlsplit(request.url).query)
        number = int(query.get("continuation-token", ["0"])[0])
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(page(number)))

    client.meta.events.register("before-send.s3.ListObjectsV2", answer)
    return client


if __name__ == "__main__":
    if sys.argv[1:] == ["peak"]:
        _verify_once_and_print_peak()
    else:
        print(json.dumps(run(), indent=2))

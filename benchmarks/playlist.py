"""How many hours one playlist of a link holds, and what it costs to make.

The recording is the longest that may be: 30 days of slices of 15 s, 172,800 of them, by one
recorder. The room answers in a fresh process that imports boto3, as on AWS. Its peak memory is a
share of what the room has; of the core that is measured, the room gets a part.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import boto3

from agora_recording.files import addresses, names, playback
from local.template import functions

_HOURS = 720
_SLICE_S = 15
_STEM = "0123456789abcdef0123456789abcdef_daily-standup"
_FROM_MS = 1_767_225_600_000
_VCPU_MB = 1769  # of a function's memory, for one core


def run() -> dict[str, dict[str, Any]]:
    """Return the hours that fit, beside 720; the bytes, the memory and the time of the answer."""
    room = functions()["PlayRecordingFunction"]
    memory_mb, patience_s = room["MemorySize"], room.get("Timeout", 30)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, "measure"]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    room_s = found["cpu_s"] * _VCPU_MB / memory_mb
    hours = _HOURS * playback.MAX_BYTES / found["answer_bytes"]
    return {
        "playlist_hours": {
            "value": round(hours, 1),
            "unit": "h in one playlist",
            "floor": _HOURS,
            "ratio": round(hours / _HOURS, 3),
            "n": round(found["slices"]),
            "answer_bytes": round(found["answer_bytes"]),
            "memory_share": round(found["mb"] / memory_mb, 3),
            "room_s": round(room_s, 1),
            "of_timeout": round(room_s / patience_s, 3),
        }
    }


def _index() -> Iterator[bytes]:
    """Yield the index in pieces of an hour, as it is read from the bucket."""
    yield b"#EXTM3U\n#EXT-X-VERSION:3\n"
    hour = 3600 // _SLICE_S
    for first in range(0, _HOURS * hour, hour):
        starts = (_FROM_MS + number * _SLICE_S * 1000 for number in range(first, first + hour))
        lines = (f"#EXTINF:15.019\n{_STEM}_{names.utc17(at)}.ts\n" for at in starts)
        yield "".join(lines).encode()
    yield b"#EXT-X-ENDLIST\n"


def _measure() -> dict[str, float]:
    boto3.client("s3", region_name="us-east-1")
    before_s = time.process_time()
    whole = playback.join([_index()])
    count = len(whole.segments)
    series = addresses.series_in(segment.uri for segment in whole.segments)
    text = playback.signed_playlist(whole, addresses.shortener(series), "")
    body = json.dumps({"statusCode": 200, "headers": {}, "body": text})
    spent_s = time.process_time() - before_s
    if text.count("\n#EXTINF:") != count or count * _SLICE_S != _HOURS * 3600:
        raise RuntimeError("slices are missing in the playlist")
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
    return {
        "slices": count,
        "answer_bytes": len(body),
        "mb": round(peak, 1),
        "cpu_s": round(spent_s, 2),
    }


if __name__ == "__main__":
    print(json.dumps(_measure() if len(sys.argv) > 1 else run(), indent=2))

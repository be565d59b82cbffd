"""How many hours one playlist of a link holds, and what it costs to make.

The recording is the longest that may be: 30 days of slices of 15 s, 172,800 of them, by one
recorder. It is published and shared in a process of its own. Then the room answers the link in a
fresh one, which imports boto3, as on AWS; table and bucket answer from memory. So the peak of its
memory, as a share of what the room has, holds what lies in the bucket, too. Nothing is streamed:
the first byte comes when the answer is whole. Of the core that is measured, the room gets a part.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from agora_recording.aws.dynamodb import from_item
from agora_recording.files import names, playback
from benchmarks.memory import peak_mb
from functions.manage_links import app as manage_links
from functions.play_recording import app as play_recording
from local.template import functions
from tests.world.api import Context, request
from tests.world.builders import CNAME, RECORDING_ID, uploading
from tests.world.webhook import NOW_MS, SID
from tests.world.world import World

_HOURS = 720
_SLICE_S = 15
_COUNT = _HOURS * 3600 // _SLICE_S
_STEM = f"{SID}_{CNAME}"
_PREFIX = f"recordings/{RECORDING_ID}/"
_FROM_MS = NOW_MS - _HOURS * 3_600_000
_VCPU_MB = 1769  # of a function's memory, for one core
_PATIENCE_S = 300  # of each of the two processes, on a busy machine
_ROWS, _LINK = "rows.json", "link.json"


def run() -> dict[str, dict[str, Any]]:
    """Return the hours that fit, beside 720; the time, beside the time-out; the memory."""
    room = functions()["PlayRecordingFunction"]
    memory_mb, patience_s = room["MemorySize"], room.get("Timeout", 30)
    with tempfile.TemporaryDirectory() as folder:
        _in_a_process("publish", folder)
        found = json.loads(_in_a_process("play", folder))
    room_s = found["cpu_s"] * _VCPU_MB / memory_mb
    hours = _HOURS * playback.MAX_BYTES / found["answer_bytes"]
    return {
        "playlist_hours": {
            "value": round(hours, 1),
            "unit": "h in one playlist",
            "floor": _HOURS,
            "ratio": round(hours / _HOURS, 3),
            "n": _COUNT,
            "answer_bytes": round(found["answer_bytes"]),
        },
        "playlist_30d_s": {
            "value": round(room_s, 1),
            "unit": "s of the room's CPU to the first byte",
            "floor": patience_s,
            "ratio": round(room_s / patience_s, 3),
            "n": _COUNT,
        },
        "playlist_30d_memory": {
            "value": round(found["mb"] / memory_mb, 3),
            "unit": "of the room's memory",
            "n": _COUNT,
            "room_mb": memory_mb,
        },
    }


def _in_a_process(act: str, folder: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, act, folder]
    answer = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=_PATIENCE_S
    )
    return answer.stdout.splitlines()[-1]  # before it are the room's logs


def _name(number: int) -> str:
    return f"{_STEM}_{names.utc17(_FROM_MS + number * _SLICE_S * 1000)}.ts"


def _index() -> Iterator[str]:
    yield "#EXTM3U\n#EXT-X-VERSION:3\n"
    for number in range(_COUNT):
        yield f"#EXTINF:15.019\n{_name(number)}\n"
    yield "#EXT-X-ENDLIST\n"


def _publish(folder: Path) -> None:
    """Publish the recording and make a link of it; leave what the room will read."""
    world = World(uploading())
    world.bucket.add(f"{_PREFIX}{_STEM}.m3u8", "".join(_index()).encode())
    for number in range(_COUNT):
        world.bucket.add(_PREFIX + _name(number), b"1")
    world.parts.recording_publisher.publish(RECORDING_ID)
    event = request(
        {"expiresInSeconds": 3600}, resource="/recordings/{recordingId}/links", method="POST"
    )
    made = manage_links.lambda_handler(
        event, Context(), links=world.parts.links, playback_url="https://play.example.com"
    )
    if made["statusCode"] != 201 or world.row.status != "completed":
        raise RuntimeError(f"{made['body']} {world.row.status}")
    (folder / _LINK).write_text(made["body"])
    (folder / _ROWS).write_text(json.dumps(list(world.table.items.values())))
    for key, (body, _) in world.bucket.objects.items():
        if not key.endswith(".ts"):
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)


def _play(folder: Path) -> dict[str, float]:
    """Answer the link, as the room does in a fresh process."""
    boto3.client("s3", region_name="us-east-1")
    world = World()
    for item in json.loads((folder / _ROWS).read_text()):
        world.table.add(from_item(item))
    for path in (folder / _PREFIX).rglob("*"):
        if path.is_file():
            world.bucket.add(str(path.relative_to(folder)), path.read_bytes())
    token = json.loads((folder / _LINK).read_text())["url"].split("/")[-2]
    event = request(
        resource="/play/{token}/index.m3u8", recording_id=None, parameters={"token": token}
    )
    before_s = time.process_time()
    answer = play_recording.lambda_handler(event, Context(), player=world.parts.player)
    body = json.dumps(answer)
    spent_s = time.process_time() - before_s
    if answer["statusCode"] != 200 or answer["body"].count("\n#EXTINF:") != _COUNT:
        raise RuntimeError("slices are missing in the playlist")
    return {"answer_bytes": len(body), "mb": round(peak_mb(), 1), "cpu_s": round(spent_s, 2)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["publish"]:
        _publish(Path(sys.argv[2]))
        print()
    elif sys.argv[1:2] == ["play"]:
        print(json.dumps(_play(Path(sys.argv[2]))))
    else:
        print(json.dumps(run(), indent=2))

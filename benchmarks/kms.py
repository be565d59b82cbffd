"""How many calls of KMS one request costs at worst: as many secrets as the API takes, and as large.

The rooms' own parts run on the fakes of the tests; what counts is the number of calls.
"""

from __future__ import annotations

from typing import Any

from agora_recording.agora.redaction import MOST_SEALED_BYTES
from agora_recording.recording.model import Recording, confirmed
from tests.world.builders import begun, given, reply
from tests.world.webhook import SID
from tests.world.world import World

_COUNT = 8
_EACH = MOST_SEALED_BYTES // _COUNT - 8  # bytes of a secret: together just what is taken


def _outputs(sign: str) -> list[dict[str, str]]:
    """Return CDN outputs whose addresses are as long as they may be together."""
    start = "rtmp://cdn.example.com/"
    return [{"rtmpUrl": f"{start}{n}{sign * (_EACH - len(start) - 1)}"} for n in range(_COUNT)]


def _page(outputs: list[dict[str, str]]) -> dict[str, Any]:
    publisher = {"serviceName": "rtmp_publish_service", "serviceParam": {"outputs": outputs}}
    param = {"url": "https://example.com", "audioProfile": 0, "maxRecordingHour": 1}
    size = {"videoWidth": 1280, "videoHeight": 720}
    recorder = {"serviceName": "web_recorder_service", "serviceParam": {**param, **size}}
    request = {"extensionServiceConfig": {"extensionServices": [recorder, publisher]}}
    return {"cname": "room", "mode": "web", "clientRequest": request}


def run() -> dict[str, dict[str, Any]]:
    """Return the most calls of KMS among a create, a start and an update."""
    world = World()
    worst = []

    def count() -> None:
        worst.append(len(world.kms.calls))
        world.kms.calls.clear()

    recording, _ = world.parts.creator.create(_page(_outputs("a")), None)
    count()
    world.agora.then(given(), begun())
    world.parts.starter.start(recording.recording_id)
    count()
    world.parts.store.amend(recording.recording_id, _as_recording)
    world.agora.then(reply("update", sid=SID))
    change = {"rtmpPublishConfig": {"outputs": _outputs("b")}}
    world.parts.updater.update(recording.recording_id, change)
    count()
    return {"kms_calls_worst_request": {"value": max(worst), "unit": "calls", "n": len(worst)}}


def _as_recording(row: Recording) -> Recording:
    return confirmed(row, row.created_ms)

"""Event files and events: what they hold, what they are called, and that they can be told apart."""

from __future__ import annotations

from typing import get_args

import pytest

from agora_recording.errors import EventNotSentError
from agora_recording.life.publication import DetailType, detail, file_name
from agora_recording.recording.model import Recording, Status, Upload
from tests.world.bucket import BUCKET
from tests.world.builders import RECORDING_ID, recording, running, uploading
from tests.world.world import World

KINDS: tuple[DetailType, ...] = get_args(DetailType)
SECRET = recording(task_token="a-token", sealed=["ciphertext"])


def test_an_event_says_where_everything_is() -> None:
    told = detail(uploading(upload=Upload(manifest="m.json")), "Recording Completed", BUCKET)
    assert told["bucket"] == BUCKET
    assert told["prefix"] == f"recordings/{RECORDING_ID}/"
    assert told["manifest"] == "m.json"
    assert told["recording"]["recordingId"] == RECORDING_ID


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_has_no_secret(kind: DetailType) -> None:
    told = str(detail(SECRET, kind, BUCKET))
    assert "a-token" not in told
    assert "ciphertext" not in told


def test_each_kind_of_event_has_an_id_of_its_own() -> None:
    ids = {detail(recording(), kind, BUCKET)["id"] for kind in KINDS}
    assert ids == {
        f"{RECORDING_ID}-{word}"
        for word in ("started", "restarted-1", "completed", "incomplete", "failed", "overdue")
    }


def test_each_restart_has_an_id_of_its_own() -> None:
    second = recording(attempt=running(2))
    assert detail(second, "Recording Restarted", BUCKET)["id"] == f"{RECORDING_ID}-restarted-2"
    assert detail(second, "Recording Completed", BUCKET)["id"] == f"{RECORDING_ID}-completed"


def test_there_is_one_file_for_the_start_and_one_for_the_end() -> None:
    assert {kind: file_name(kind) for kind in KINDS} == {
        "Recording Started": "events/recording-started.json",
        "Recording Restarted": None,
        "Recording Completed": "events/recording-ended.json",
        "Recording Incomplete": "events/recording-ended.json",
        "Recording Failed": "events/recording-failed.json",
        "Recording Overdue": None,
    }


def test_the_file_is_there_before_the_event_tells_of_it() -> None:
    room = World()
    room.bus.refuse = 1
    with pytest.raises(EventNotSentError, match=f"{RECORDING_ID}-started"):
        room.parts.publisher.announce(recording(), "Recording Started")
    key = f"recordings/{RECORDING_ID}/events/recording-started.json"
    assert room.bucket.json(key) == {
        "detailType": "Recording Started",
        "source": "agora.recording",
        "detail": detail(recording(), "Recording Started", BUCKET),
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("completed", "Recording Completed"),
        ("incomplete", "Recording Incomplete"),
        ("failed", "Recording Failed"),
    ],
)
def test_the_end_is_announced_as_the_status_says(status: Status, kind: str) -> None:
    room = World()
    row: Recording = uploading(status=status)
    room.parts.publisher.announce_end(row)
    room.parts.publisher.announce_end(row)
    first, second = room.bus.events
    assert first == second
    assert first[0] == kind

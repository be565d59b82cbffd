"""From the end of the last session to the published recording: verify, announce, close.

What becomes of files that come later is told in test_record_file_arrival.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.errors import EventNotSentError
from agora_recording.recording.model import Recording
from tests.world.builders import (
    RECORDING_ID,
    TIMINGS,
    acquired,
    after,
    requested,
    running,
    uploading,
)
from tests.world.faults import Crash, Faults
from tests.world.webhook import SID
from tests.world.world import World

PREFIX = f"recordings/{RECORDING_ID}/"
OTHER_SID = "1" * 32
ENDED = f"{PREFIX}events/recording-ended.json"
FAILED = f"{PREFIX}events/recording-failed.json"
MANIFEST = f"{PREFIX}manifest.json"


class Room(World):
    """The room that publishes, beside one recording and its bucket."""

    def __init__(self, row: Recording, faults: Faults | None = None) -> None:
        super().__init__(row, now_ms=after(610), faults=faults)

    def record(self, sid: str = SID, *, slices: int = 2, missing: int = 0) -> Room:
        """Let Agora's files be there, but for the last of the slices."""
        stem = f"{sid}_consultation-7"
        names = [f"{stem}_2023111422132{number}000.ts" for number in range(slices)]
        for name in names[: slices - missing]:
            self.bucket.add(PREFIX + name, b"media")
        lines = [line for name in names for line in ("#EXTINF:1.0,", name)]
        text = "\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST", ""])
        self.bucket.add(f"{PREFIX}{stem}.m3u8", text.encode())
        return self

    def publish(self) -> dict[str, Any]:
        return self.parts.recording_publisher.publish(RECORDING_ID)


# --- publishing ----------------------------------------------------------------------------------


def test_a_complete_recording_is_published() -> None:
    room = Room(uploading()).record()
    told = room.publish()
    assert (told["status"], told["endReason"], told["missing"]) == (
        "completed",
        "STOP_REQUESTED",
        0,
    )
    row = room.row
    assert (row.status, row.end_reason, row.ended_ms) == ("completed", "STOP_REQUESTED", after(600))
    assert row.upload.manifest == MANIFEST
    assert room.bus.types == ["Recording Completed"]
    ((_, detail),) = room.bus.events
    assert (detail["id"], detail["manifest"]) == (f"{RECORDING_ID}-completed", MANIFEST)
    assert detail["recording"]["status"] == "completed"
    assert room.bucket.json(ENDED)["detail"] == detail
    assert room.bucket.json(MANIFEST)["verdict"] == "complete"
    assert room.kinds == ["published"]


def test_an_incomplete_recording_says_what_is_missing() -> None:
    room = Room(uploading()).record(missing=1)
    room.clock.now_ms = after(600 + TIMINGS.upload_s)
    told = room.publish()
    assert (told["status"], told["missing"]) == ("incomplete", 1)
    assert room.bus.types == ["Recording Incomplete"]
    assert room.row.reason
    assert "_20231114221321000.ts" in room.row.reason
    assert FAILED not in room.bucket.objects


def test_a_recording_without_media_has_failed() -> None:
    empty = running(end="NOTHING_RECORDED", ended_ms=after(600))
    room = Room(uploading(attempt=empty, session_end="NOTHING_RECORDED", stop_reason=None))
    assert room.publish()["endReason"] == "NOTHING_RECORDED"
    assert room.row.status == "failed"
    assert room.bus.types == ["Recording Failed"]
    assert ENDED not in room.bucket.objects
    assert room.bucket.json(FAILED)["detail"]["id"] == f"{RECORDING_ID}-failed"


def test_a_recording_that_never_started_has_failed_for_the_reason_it_was_told() -> None:
    row = requested(
        status="starting",
        attempt=acquired(end="REFUSED", ended_ms=after(9)),
        session_end="REFUSED",
        reason="Agora start: no.",
    )
    room = Room(row)
    assert room.publish()["endReason"] == "REFUSED"
    assert (room.row.reason, room.row.ended_ms) == ("Agora start: no.", after(9))
    assert MANIFEST not in room.bucket.objects


def lost(**changes: Any) -> Recording:
    """Return a recording whose stop came before the answer to its start, which never came."""
    attempt = acquired(end="STOPPED", ended_ms=after(600), unanswered=1, **changes)
    return requested(
        status="stopping",
        attempt=attempt,
        session_end="STOPPED",
        stop_reason="STOP_REQUESTED",
        stop_ms=after(590),
    )


def test_what_an_unknown_session_has_recorded_so_far_is_incomplete() -> None:
    room = Room(lost()).record(missing=1)
    assert room.publish()["status"] == "incomplete"
    assert room.row.late_until_ms is not None
    assert room.bucket.json(MANIFEST)["recording"]["status"] == "incomplete"


def test_an_unknown_session_that_has_recorded_nothing_yet_is_awaited_after_the_failure() -> None:
    room = Room(lost())
    assert room.publish()["status"] == "failed"
    assert MANIFEST not in room.bucket.objects
    assert room.row.late_until_ms is not None
    room.record()
    room.clock.now_ms = after(600 + TIMINGS.upload_s)
    after_it = room.parts.recording_publisher.look_again(RECORDING_ID)
    assert (after_it.status, after_it.upload.manifest) == ("completed", MANIFEST)
    assert room.bucket.json(MANIFEST)["recording"]["status"] == "completed"
    assert room.bus.types == ["Recording Failed", "Recording Completed"]


def test_a_start_that_agora_refused_leaves_nothing_to_wait_for() -> None:
    room = Room(lost(never_started=True))
    assert room.publish()["status"] == "failed"
    assert room.row.late_until_ms is None


def test_all_sessions_are_verified_together() -> None:
    past = running(1, sid=OTHER_SID, end="DIED", ended_ms=after(100))
    row = uploading(past_attempts=[past], attempt=running(2, end="STOPPED", ended_ms=after(600)))
    room = Room(row).record().record(OTHER_SID, slices=4, missing=1)
    room.clock.now_ms = after(600 + TIMINGS.upload_s)
    assert room.publish()["status"] == "incomplete"
    assert room.row.upload.files == 3 + 4


def test_a_publication_is_repeated_without_saying_anything_new() -> None:
    room = Room(uploading()).record()
    first = room.publish()
    row, objects = room.row, dict(room.bucket.objects)
    room.clock.advance(60)
    assert room.publish() == first
    assert (room.row, room.bucket.objects) == (row, objects)
    assert {detail["id"] for _, detail in room.bus.events} == {f"{RECORDING_ID}-completed"}


def test_the_end_is_announced_before_the_row_is_closed() -> None:
    """So whatever crashes, the event is sent: a row that is closed has been announced."""
    whole = Room(uploading(), faults=Faults()).record()
    whole.publish()
    names = whole.bus.faults.names
    assert names == ["put_object", "put_object", "put_events", "transact_write_items"]


@pytest.mark.parametrize("after_it", [True, False])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_publication_that_crashed_is_made_good(number: int, after_it: bool) -> None:
    faults = Faults(number, after=after_it)
    room = Room(uploading(), faults).record()
    with pytest.raises(Crash):
        room.publish()
    faults.begin()
    room.clock.advance(5)
    assert room.publish()["status"] == "completed"
    assert room.row.status == "completed"
    assert {detail["id"] for _, detail in room.bus.events} == {f"{RECORDING_ID}-completed"}
    assert room.bucket.json(ENDED)["detail"] == room.bus.events[-1][1]
    assert room.bucket.json(MANIFEST)["verdict"] == "complete"


def test_a_bus_that_refuses_leaves_the_row_open() -> None:
    room = Room(uploading()).record()
    room.bus.refuse = 1
    with pytest.raises(EventNotSentError):
        room.publish()
    assert room.row.status == "uploading"
    assert room.publish()["status"] == "completed"

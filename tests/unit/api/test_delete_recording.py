"""Deleting a recording: everything of it, nothing of another, and to the end."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.api.delete_recording import may_be_deleted
from agora_recording.errors import RecordingNotFoundError, RecordingStateError
from agora_recording.files.record_file_arrival import Arrival
from agora_recording.life.store import Note, RecordingStore
from agora_recording.notifications.facts import SessionRow
from agora_recording.recording.model import TERMINAL, Recording, Upload
from agora_recording.recording.timings import Timings
from functions.delete_recording import app
from tests.world.api import Context, Response, read, request
from tests.world.builders import RECORDING_ID, acquired, after, ended, heard, recording, running
from tests.world.webhook import NOW_MS, SID
from tests.world.world import World

PREFIX = f"recordings/{RECORDING_ID}/"
OTHER_ID = "0" * 26
OTHER_SID = "9" * 32


def over(**changes: Any) -> Recording:
    """Return a recording that has ended, with two sessions."""
    past = running(1, sid="1" * 32, ended_ms=after(60), end="DIED")
    fields: dict[str, Any] = {
        "status": "completed",
        "past_attempts": [past],
        "attempt": running(2, ended_ms=after(600), end="STOPPED"),
        "upload": Upload(verdict="complete", files=3, bytes=4711),
    }
    return ended("STOPPED", **{**fields, **changes})


class Room(World):
    """The room that deletes, beside files and rows of two recordings."""

    def __init__(self, row: Recording | None = None) -> None:
        super().__init__(row or over(), over(recording_id=OTHER_ID))
        store = self.parts.store
        store.note(RECORDING_ID, Note(NOW_MS, "a", "A."), Note(NOW_MS, "b", "B."))
        store.note(OTHER_ID, Note(NOW_MS, "a", "A."))
        store.update_lease(RECORDING_ID, self.clock).take(60)
        for sid in (SID, "1" * 32, OTHER_SID):
            self.table.add({"PK": f"SESSION#{sid}", "SK": "SESSION", "version": 1, "uid": "7"})
            for number in range(30):
                self.table.add({"PK": f"SID#{sid}", "SK": f"EVT#33#1#{number:010}"})
        for name in ("a.m3u8", "a_1.ts", "a_2.ts", "manifest.json"):
            self.bucket.add(PREFIX + name, b"x")
        self.bucket.add(PREFIX + "a.m3u8", b"xx")  # Agora writes it again and again
        self.bucket.mark(PREFIX + "a_2.ts")
        self.bucket.add(f"recordings/{OTHER_ID}/a.m3u8", b"x")

    def delete(self, *remaining_ms: int, recording_id: str = RECORDING_ID) -> Response:
        context = Context(remaining_ms=list(remaining_ms) or [29_000])
        event = request(recording_id=recording_id)
        return read(app.lambda_handler(event, context, deleter=self.parts.deleter))

    @property
    def is_gone(self) -> bool:
        """Tell whether nothing is left of it, but that its sessions were deleted."""
        partitions = (f"REC#{RECORDING_ID}", f"SID#{SID}", f"SID#{'1' * 32}")
        rows = [row for partition in partitions for row in self.table.rows(partition)]
        buried = [self.table.row(f"SESSION#{sid}", "SESSION") for sid in (SID, "1" * 32)]
        names = {"PK", "SK", "deletedMs", "expiresAt", "version"}
        assert all(set(row) == names for row in buried) or rows
        return not rows and not [one for one in self.bucket.versions if one[0].startswith(PREFIX)]

    @property
    def other_is_whole(self) -> bool:
        """Tell whether the other recording has everything still."""
        return (
            len(self.table.rows(f"REC#{OTHER_ID}")) == 2
            and len(self.table.rows(f"SID#{OTHER_SID}")) == 30
            and self.parts.sessions.get(OTHER_SID) == SessionRow(uid="7", version=1)
            and len(self.bucket.versions) - len(self.mine) == 1
        )

    @property
    def mine(self) -> list[Any]:
        return [one for one in self.bucket.versions if one[0].startswith(PREFIX)]


def test_everything_of_it_goes_and_nothing_of_another() -> None:
    room = Room()
    answer = room.delete()
    assert (answer.status, answer.body) == (204, "")
    assert room.is_gone
    assert room.other_is_whole


def test_every_version_goes_since_the_bucket_keeps_them() -> None:
    room = Room()
    assert len(room.mine) == 6
    room.delete()
    assert room.mine == []


def test_a_deletion_leaves_one_audit_line(caplog: pytest.LogCaptureFixture) -> None:
    room = Room()
    with caplog.at_level(logging.INFO):
        room.delete(29_000, 4000)
        room.delete()
    (line,) = (vars(each) for each in caplog.records if each.message == "recording deleted")
    assert line["recordingId"] == RECORDING_ID
    assert line["by"] == "arn:aws:iam::123456789012:user/app"
    assert (line["cname"], line["status"]) == ("consultation-7", "completed")
    assert (line["files"], line["bytes"]) == (3, 4711)


def test_what_is_gone_is_not_found() -> None:
    room = Room()
    room.delete()
    assert room.delete().status == 404
    assert room.delete(recording_id="x").status == 404


@pytest.mark.parametrize("status", ["requested", "starting", "recording", "stopping", "uploading"])
def test_what_goes_on_cannot_be_deleted(status: Any) -> None:
    room = Room(recording(status=status))
    answer = room.delete()
    assert answer.status == 409
    assert f"the status of this one is {status}. Stop it first." in answer.body["detail"]
    assert len(room.mine) == 6
    assert room.row.deleting_ms is None


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_whatever_has_ended_can_be_deleted(status: Any) -> None:
    may_be_deleted(over(status=status), NOW_MS, Timings())


def test_what_may_still_be_written_to_cannot_be_deleted() -> None:
    # A session given up whose sid came late: it runs until it is stopped.
    orphan = running(1, sid="1" * 32, end="DIED")
    with pytest.raises(RecordingStateError, match="still being stopped"):
        may_be_deleted(over(past_attempts=[orphan]), NOW_MS, Timings())


def test_a_recording_that_never_started_is_deleted_too() -> None:
    room = Room(over(status="failed", attempt=None, past_attempts=[]))
    assert room.delete().status == 204
    assert room.table.rows(f"REC#{RECORDING_ID}") == []


# --- in several goes ---


def test_when_time_runs_short_the_same_request_goes_on() -> None:
    room = Room()
    room.bucket.page_size = 2
    answer = room.delete(29_000, 4000)
    assert (answer.status, answer.headers["Retry-After"]) == (202, "1")
    assert answer.body["deletingAt"] == "2023-11-14T22:13:20.000Z"
    assert 0 < len(room.mine) < 6
    room.clock.advance(5)
    assert room.delete().status == 204
    assert room.is_gone


def test_rows_are_deleted_in_several_goes_and_the_recordings_row_last() -> None:
    room = Room()
    answer = room.delete(29_000, 29_000, 4000)
    assert answer.status == 202
    assert room.row.deleting_ms == NOW_MS
    assert room.row.sids == ["1" * 32, SID]  # known as long as there is anything to find by them
    assert room.delete().status == 204
    assert room.is_gone


@given(st.lists(st.lists(st.sampled_from([4000, 29_000]), max_size=12), max_size=8))
def test_however_often_it_is_cut_short_all_of_it_goes(goes: list[list[int]]) -> None:
    room = Room()
    room.bucket.page_size = 2
    for remaining in goes:
        answer = room.delete(*remaining, 4000)
        assert answer.status in (202, 204, 404)
        assert (answer.status == 202) is (RECORDING_ID in str(list(room.table.items)))
    room.delete()
    assert room.is_gone
    assert room.other_is_whole


def test_a_file_that_comes_while_it_is_deleted_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    delete_rows = RecordingStore.delete_rows

    def late(store: RecordingStore, keys: Any) -> None:
        room.bucket.add(PREFIX + "manifest.json", b"late")
        delete_rows(store, keys)

    monkeypatch.setattr(RecordingStore, "delete_rows", late)
    room.delete()
    assert room.is_gone


def test_two_at_the_same_time_do_no_harm() -> None:
    room = Room()
    room.bucket.page_size = 2

    def somebody_else() -> None:
        room.parts.deleter.delete(RECORDING_ID, lambda: 29_000)

    room.table.before_write.append(somebody_else)
    assert room.delete().status in (204, 404)
    assert room.is_gone


def test_a_file_that_cannot_be_deleted_is_told_and_the_row_stays() -> None:
    room = Room()
    room.bucket.stuck = {PREFIX + "a_1.ts"}
    answer = room.delete()
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert "AccessDenied" in answer.body["detail"]
    assert room.row.deleting_ms
    room.bucket.stuck = set()
    assert room.delete().status == 204


def test_a_busy_table_is_asked_again() -> None:
    room = Room()
    room.table.busy = 3
    assert room.delete().status == 204
    assert room.is_gone
    room = Room()
    room.table.busy = 100
    assert room.delete().status == 503
    assert room.row.deleting_ms


# --- what may run, and what meets the deletion ---


def _lost(**changes: Any) -> Recording:
    lost = acquired(1, end="START_FAILED", ended_ms=after(60), **changes)
    return over(past_attempts=[lost])


def test_a_session_of_which_agora_did_not_speak_may_run_so_nothing_is_deleted() -> None:
    room = Room(_lost())
    answer = room.delete()
    assert answer.status == 409
    assert "attempt 1" in answer.body["detail"]
    assert "2023-11-17T22:13:21.000Z" in answer.body["detail"]
    assert len(room.mine) == 6
    assert room.row.deleting_ms is None


def test_once_agora_has_refused_the_start_or_forgotten_it_the_recording_can_be_deleted() -> None:
    assert Room(_lost(never_started=True)).delete().status == 204
    room = Room(_lost())
    room.clock.advance(72 * 3600 + 1)
    assert room.delete().status == 204
    assert not [key for key in room.table.items if key[1] == RECORDING_ID], "a claim is left"


def test_a_late_look_that_is_under_way_is_waited_for() -> None:
    room = Room()
    lease = room.parts.store.late_lease(RECORDING_ID, room.clock)
    assert lease.take(120)
    assert room.delete().status == 202
    assert len(room.mine) == 6
    room.bucket.add(PREFIX + "manifest.json", b"of the look")
    lease.release()
    assert room.delete().status == 204
    assert room.is_gone


def test_a_late_look_that_died_is_not_waited_for_for_ever() -> None:
    room = Room()
    room.parts.store.late_lease(RECORDING_ID, room.clock).take(120)
    room.clock.advance(121)
    assert room.delete().status == 204
    assert room.is_gone


def test_a_late_look_that_begins_meanwhile_writes_nothing() -> None:
    row = over(status="incomplete", late_until_ms=after(9000))
    room = Room(row)
    room.delete(29_000, 4000)
    assert room.parts.arrivals.act(RECORDING_ID, [Arrival(RECORDING_ID, "a.mp4", NOW_MS)])
    room.delete()
    assert room.is_gone
    assert room.parts.arrivals.act(RECORDING_ID, [Arrival(RECORDING_ID)]) == "Unknown"
    assert room.is_gone


def test_whatever_comes_at_whichever_step_nothing_is_left() -> None:
    """Notifications, notes and files of it, before each write of the deletion."""
    step = 0
    while True:
        room = Room()

        def come(room: World = room) -> None:
            room.faults.at = None
            for sid in (SID, "1" * 32):
                room.parts.applier.apply([heard(33, {"progress": 9}, sequence=99, sid=sid)])
                room.parts.applier.apply([heard(31, {"status": 0}, sequence=98, sid=sid)])
            with contextlib.suppress(RecordingNotFoundError):
                room.parts.store.note(RECORDING_ID, Note(NOW_MS, "late", "A late note."))
            note = Note(NOW_MS, "file", "A late file.")
            room.parts.store.note_file(RECORDING_ID, "late.mp4", note)

        room.faults.kill = come  # type: ignore[method-assign]
        step += 1
        room.faults.at = room.faults.count + step
        assert room.delete().status == 204
        assert room.is_gone
        if room.faults.at is not None:
            break
    assert step > 8

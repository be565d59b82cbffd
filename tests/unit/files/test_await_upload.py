"""Awaiting the files: the execution is parked until the last of them is there, or the deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.files.await_upload import UploadWatcher
from agora_recording.files.record_file_arrival import Arrival
from agora_recording.notifications import events
from agora_recording.recording.due import due
from agora_recording.recording.hearing import is_worth_a_look
from agora_recording.recording.model import Outcome, Recording
from agora_recording.recording.timings import Timings
from local.template import template
from tests.world.builders import CNAME, RECORDING_ID, TIMINGS, after, recording, running, uploading
from tests.world.faults import Faults
from tests.world.webhook import SID
from tests.world.world import World

STEM = f"recordings/{RECORDING_ID}/{SID}_{CNAME}"
SLICES = [f"{STEM}_2023111422132{number}000.ts" for number in range(2)]
DEADLINE = after(600 + TIMINGS.upload_s)
TOKEN = "upload-token"


class Room(World):
    """The rooms that look for files, beside one recording and its bucket."""

    def __init__(self, row: Recording | None = None, *, timings: Timings = TIMINGS) -> None:
        super().__init__(row or uploading(), now_ms=after(610), thresholds=timings)
        self.machine.tokens = {TOKEN}
        lines = [line for name in SLICES for line in ("#EXTINF:1.0,", name.rpartition("/")[2])]
        index = "\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST", ""])
        self.bucket.add(f"{STEM}.m3u8", index.encode())

    def deliver(self, *names: str) -> Room:
        for name in names:
            self.bucket.add(name, b"media")
        return self

    def park(self) -> Outcome:
        return self.parts.uploads.park(RECORDING_ID, TOKEN)

    def arrive(self) -> str:
        arrival = Arrival(RECORDING_ID, f"{STEM}.m3u8")
        return self.parts.arrivals.act(RECORDING_ID, [arrival])


def test_an_execution_whose_files_are_all_there_goes_on_at_once() -> None:
    room = Room().deliver(*SLICES)
    assert room.park() == "complete"
    assert room.machine.sent == [(TOKEN, {"verdict": "complete"})]
    assert room.queue.delays == []
    upload = room.row.upload
    assert (upload.verdict, upload.files, upload.missing) == ("complete", 3, 0)
    assert upload.duration_ms == 2000
    assert upload.bytes > 2 * len(b"media")


def test_an_execution_whose_files_are_to_come_is_parked_and_looks_are_asked_for() -> None:
    room = Room().deliver(SLICES[0])
    assert room.park() == "pending"
    assert room.machine.sent == []
    assert room.row.upload_token == TOKEN
    assert room.row.upload.missing == 1
    assert room.queue.delays == [2, 5, 10, 20, 40, 70]


def test_the_arrival_of_the_last_file_lets_it_go_on() -> None:
    room = Room().deliver(SLICES[0])
    room.park()
    assert room.arrive() == "VerdictPending"
    assert room.machine.sent == []
    room.deliver(SLICES[1])
    assert room.arrive() == "VerdictComplete"
    assert room.machine.sent == [(TOKEN, {"verdict": "complete"})]


def test_arrivals_after_the_last_are_harmless() -> None:
    room = Room().deliver(*SLICES)
    room.park()
    assert {room.arrive() for _ in range(3)} == {"VerdictComplete"}
    assert len(room.machine.sent) == 1


def test_an_arrival_before_the_execution_is_parked_is_not_missed() -> None:
    room = Room().deliver(*SLICES)
    assert room.arrive() == "VerdictComplete"
    assert room.machine.sent == []
    assert room.park() == "complete"
    assert room.machine.sent == [(TOKEN, {"verdict": "complete"})]


def test_a_file_that_arrives_between_token_and_look_is_seen_by_both() -> None:
    room = Room().deliver(SLICES[0])
    listed = room.bucket.get_paginator

    def late(name: str) -> Any:
        room.bucket.get_paginator = listed  # type: ignore[method-assign]
        room.deliver(SLICES[1])
        assert room.arrive() == "VerdictComplete"
        return listed(name)

    room.bucket.get_paginator = late  # type: ignore[method-assign]
    assert room.park() == "complete"
    assert [token for token, _ in room.machine.sent] == [TOKEN]


def test_what_is_missing_at_the_deadline_is_missing() -> None:
    room = Room().deliver(SLICES[0])
    room.park()
    room.clock.now_ms = DEADLINE
    assert room.arrive() == "VerdictIncomplete"
    assert room.machine.sent == [(TOKEN, {"verdict": "incomplete"})]


def test_files_of_a_session_that_took_the_stop_are_waited_for_until_the_deadline() -> None:
    room = Room()
    room.bucket.objects.clear()
    assert room.park() == "pending"
    room.clock.now_ms = after(600 + TIMINGS.quiet_s)
    assert room.arrive() == "VerdictPending"
    room.clock.now_ms = after(600 + TIMINGS.upload_s)
    assert room.arrive() == "VerdictIncomplete"


def test_files_of_a_session_that_may_have_been_empty_are_waited_for_until_it_is_quiet() -> None:
    attempt = running(end="EXITED", ended_ms=after(600), confirmed_ms=None)
    room = Room(uploading(attempt=attempt))
    room.bucket.objects.clear()
    assert room.park() == "pending"
    room.clock.now_ms = after(600 + TIMINGS.quiet_s)
    assert room.arrive() == "VerdictIncomplete"


def test_an_execution_of_a_recording_that_is_published_already_goes_on() -> None:
    room = Room(uploading(status="completed", ended_ms=after(600))).deliver(*SLICES)
    before = room.row
    assert room.park() == "complete"
    assert room.row == before
    assert room.machine.sent == [(TOKEN, {"verdict": "complete"})]


def test_looks_come_sooner_when_everything_is_faster() -> None:
    room = Room(timings=TIMINGS.at_speed(20))
    room.clock.now_ms = after(600.1)
    room.park()
    assert room.queue.delays == [0, 0, 0, 1, 2, 4]


# --- who asks for looks --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (events.Uploaded(), True),
        (events.Backuped(), True),
        (events.TranscoderCompleted(), True),
        (events.PostponeTranscodeFinalResult(result="total_success"), True),
        (events.UploadingProgress(progress=10_000), False),
        (events.SessionExit(exitStatus=0), False),
    ],
)
def test_news_that_files_came_are_worth_a_look(details: events.Details, expected: bool) -> None:
    news = [
        events.Event(
            at_ms=1,
            received_ms=1,
            event_type=31,
            sid=SID,
            uid="1",
            cname=CNAME,
            sequence=1,
            details=details,
        )
    ]
    late = uploading(status="incomplete", late_until_ms=DEADLINE)
    assert is_worth_a_look(uploading(), news) == expected
    assert is_worth_a_look(late, news) == expected
    assert not is_worth_a_look(recording(), news)
    assert not is_worth_a_look(uploading(status="completed"), news)


def test_the_sweeper_asks_less_and_less_often_and_for_the_last_time_at_the_deadline() -> None:
    row, looks = uploading(), []
    while (row.looked_ms or 0) < DEADLINE:
        look = due(row, TIMINGS)
        assert look
        assert look[0] == 1
        looks.append((look[1] - after(600)) // 1000)
        row = replace(row, looked_ms=look[1])
    assert looks[:4] == [60, 120, 180, 240]
    assert looks[-1] == TIMINGS.upload_s
    assert len(looks) < 20
    assert due(row, TIMINGS) == (1, DEADLINE + TIMINGS.stuck_stop_s * 1000), "then it is stuck"


def test_the_state_outlasts_the_deadline_and_the_looks_after_it() -> None:
    machine = template()["Resources"]["RecordingStateMachine"]["Properties"]
    seconds = machine["DefinitionSubstitutions"]["AwaitUploadSeconds"]
    assert seconds > TIMINGS.upload_s + TIMINGS.stuck_stop_s + 60


# --- the protocol ---------------------------------------------------------------------------------


class Between(Faults):
    """Lets something else happen before the n-th operation (from 1), reads included."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        super().__init__()
        self.left = number
        self.act = act

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


def _meet(number: int, outer: str) -> tuple[Room, bool]:
    """Let one room run inside the other, before its n-th operation; was it that long?"""
    room = Room().deliver(SLICES[0])

    def arrive() -> None:
        room.deliver(SLICES[1])
        room.arrive()

    acts: dict[str, Callable[[], object]] = {"park": room.park, "arrive": arrive}
    first, second = (acts["park"], arrive) if outer == "park" else (arrive, acts["park"])
    faults = Between(number, second)
    for each in (room.table, room.bucket, room.machine, room.queue):
        each.faults = faults
    first()
    if faults.left > 0:
        second()
    return room, faults.left > 0


@pytest.mark.parametrize("outer", ["park", "arrive"])
def test_wherever_parking_and_the_last_arrival_meet_the_execution_goes_on_once(outer: str) -> None:
    number, is_over = 0, False
    while not is_over:
        number += 1
        room, is_over = _meet(number, outer)
        assert room.machine.sent == [(TOKEN, {"verdict": "complete"})], number
    assert number > 7


def test_a_room_that_looks_before_it_keeps_the_token_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hasty(self: UploadWatcher, recording_id: str, token: str) -> None:
        if self._look(recording_id)[1] == "pending":
            self.store.amend(recording_id, lambda row: replace(row, upload_token=token))
        else:
            self.waker.succeed(token, {"verdict": "complete"})

    monkeypatch.setattr(UploadWatcher, "park", hasty)
    assert [] in [_meet(number, "park")[0].machine.sent for number in range(1, 9)]


@pytest.mark.parametrize("slices", [SLICES[:1], []], ids=["shortened", "emptied"])
def test_an_index_that_becomes_shorter_between_two_looks_is_not_complete(slices: list[str]) -> None:
    room = Room(uploading(mode="individual")).deliver(*SLICES)
    assert room.park() == "pending"
    lines = [line for name in slices for line in ("#EXTINF:1.0,", name.rpartition("/")[2])]
    room.bucket.add(f"{STEM}.m3u8", "\n".join(["#EXTM3U", *lines, "#EXT-X-ENDLIST", ""]).encode())
    assert room.arrive() == "VerdictPending"
    room.clock.advance(3600)
    room.parts.recording_publisher.publish(RECORDING_ID)
    findings = room.bucket.json(room.row.upload.manifest or "")["findings"]["items"]
    assert room.row.status == "incomplete"
    assert "shortened_playlist" in {each["code"] for each in findings}

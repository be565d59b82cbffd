"""Files that come after the end: what is expected, what is published, what becomes of it later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.api.get_recording_events import EventsQuery
from agora_recording.clock import iso
from agora_recording.files.conclusion import final_status
from agora_recording.files.record_file_arrival import LEASE_S, Arrival, read, sign_of_life
from agora_recording.life.due_index import DUE_SHARDS
from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.due import LATE, due, over_ms
from agora_recording.recording.looking import choose_look
from agora_recording.recording.model import Attempt, Recording
from agora_recording.recording.timings import Timings
from functions.publish_recording.app import PublishSettings
from functions.record_file_arrival import app
from tests.world.api import Context
from tests.world.bucket import BUCKET
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    TIMINGS,
    after,
    ended,
    recording,
    running,
    uploading,
)
from tests.world.faults import Crash, Faults
from tests.world.webhook import SID
from tests.world.world import World

PREFIX = f"recordings/{RECORDING_ID}/"
STEM = f"{SID}_{CNAME}"
SLICES = [f"{STEM}_2023111422132{n}000.ts" for n in range(3)]
MP4 = f"{STEM}_0.mp4"
INDEX = "\n".join(
    ["#EXTM3U", *(line for name in SLICES for line in ("#EXTINF:1.0", name)), "#EXT-X-ENDLIST", ""]
).encode()
OVERDUE = after(600) + round(TIMINGS.upload_s * 1000)
OVERDUE_GAPS_MS = round((TIMINGS.overdue_s - TIMINGS.upload_s) * 1000)
LATE_UNTIL = after(600) + round(TIMINGS.late_s * 1000)
TRANSCODED: dict[str, Any] = {
    "mode": "individual",
    "client_request": {
        "appsCollection": {"combinationPolicy": "postpone_transcoding"},
        "transcodeOptions": {"transConfig": {"transMode": "postponeTranscoding"}},
    },
}


def arrived(name: str, at_ms: int, *, prefix: str = PREFIX) -> str:
    """Return what EventBridge puts into the queue when an object was created."""
    detail = {"bucket": {"name": BUCKET}, "object": {"key": prefix + name, "size": 1}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": iso(at_ms)}
    return json.dumps({**event, "detail": detail})


class Room(World):
    """One recording, its bucket, and the rooms that look into it."""

    def __init__(
        self,
        row: Recording | None = None,
        *,
        facts: SessionFacts | None = None,
        faults: Faults | None = None,
        timings: Timings = TIMINGS,
    ) -> None:
        super().__init__(row or uploading(), now_ms=OVERDUE, faults=faults, thresholds=timings)
        session = {"facts": {"upload": "backuped"}} if facts is None else {"facts": _plain(facts)}
        self.table.add({"PK": f"SESSION#{SID}", "SK": "SESSION", "version": 1, **session})

    @property
    def manifest(self) -> Any:
        return self.bucket.json(f"{PREFIX}manifest.json")

    @property
    def ended_file(self) -> Any:
        return self.bucket.json(f"{PREFIX}events/recording-ended.json")

    def deliver(self, *names: str) -> None:
        for name in names:
            content = INDEX if name.endswith(".m3u8") else b"media"
            self.bucket.add(PREFIX + name, content)

    def publish(self) -> str:
        return str(self.parts.recording_publisher.publish(RECORDING_ID)["status"])

    def tell(self, *bodies: str) -> list[str]:
        """Give the room a batch; return the ids of the messages that it wants again."""
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        answer = app.lambda_handler({"Records": records}, Context(), arrivals=self.parts.arrivals)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def arrive(self, *names: str) -> list[str]:
        self.deliver(*names)
        return self.tell(*(arrived(name, self.clock()) for name in names))

    def look_again(self) -> list[str]:
        return self.tell(json.dumps({"recordingId": RECORDING_ID}))


def _plain(facts: SessionFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in ("upload", "transcoding", "files")}


@pytest.fixture
def room() -> Room:
    """A recording published as incomplete: its last slice is in Agora's backup."""
    room = Room()
    room.deliver(f"{STEM}.m3u8", *SLICES[:2])
    assert room.publish() == "incomplete"
    return room


# --- what is published --------------------------------------------------------------------------


def test_an_mp4_that_comes_within_the_deadline_is_waited_for() -> None:
    request = {"client_request": {"recordingFileConfig": {"avFileType": ["hls", "mp4"]}}}
    room = Room(uploading(**request), facts=SessionFacts(upload="uploaded"))
    room.clock.now_ms = after(601)
    room.deliver(f"{STEM}.m3u8", *SLICES)
    assert room.parts.uploads.look(RECORDING_ID) == "pending"
    room.deliver(MP4)
    assert room.parts.uploads.look(RECORDING_ID) == "complete"


def test_postponed_transcoding_is_not_waited_for_by_the_execution() -> None:
    room = Room(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    room.clock.now_ms = after(601)
    stem = f"{STEM}__uid_s_7__uid_e_video"
    room.bucket.add(f"{PREFIX}{stem}.m3u8", INDEX)
    room.deliver(*SLICES)
    assert room.parts.uploads.look(RECORDING_ID) == "incomplete"
    assert room.publish() == "incomplete"
    assert room.row.reason == "The files of postponed transcoding are still to come."
    assert room.manifest["verdict"] == "pending"


def test_nothing_at_all_is_a_failure_until_its_files_come_after_all() -> None:
    room = Room(facts=SessionFacts())
    assert room.publish() == "failed"
    assert room.row.late_until_ms is not None
    assert due(room.row, TIMINGS) is not None
    assert room.look_again() == []
    room.arrive(f"{STEM}.m3u8", SLICES[0])
    room.arrive(*SLICES[1:])
    room.look_again()
    assert room.row.status == "completed"
    assert room.bus.types == [
        "Recording Failed",
        "Recording Incomplete",
        "Recording Completed",
    ]


def test_nothing_of_a_session_that_recorded_nothing_is_a_failure_and_final() -> None:
    empty = running(end="NOTHING_RECORDED", ended_ms=after(600))
    room = Room(uploading(session_end=empty.end, attempt=empty), facts=SessionFacts())
    assert room.publish() == "failed"
    assert room.row.late_until_ms is None
    assert due(room.row, TIMINGS) is None
    room.arrive(f"{STEM}.m3u8", *SLICES)
    assert room.row.status == "failed"


def test_a_failed_recording_awaits_no_more_after_its_last_look() -> None:
    room = Room(facts=SessionFacts())
    room.publish()
    room.clock.now_ms = room.row.late_until_ms or 0
    room.look_again()
    assert (room.row.status, room.row.late_until_ms) == ("failed", None)
    assert due(room.row, TIMINGS) is None


def test_nothing_there_but_something_announced_is_incomplete() -> None:
    room = Room(facts=SessionFacts(upload="backuped", files=(f"{STEM}.m3u8",)))
    assert room.publish() == "incomplete"
    room.arrive(f"{STEM}.m3u8", *SLICES)
    room.look_again()
    assert room.row.status == "completed"


def test_a_session_that_left_nothing_does_not_make_the_whole_a_failure() -> None:
    silent = Attempt(number=1, uid="1", begun_ms=1, sid="1" * 32, ended_ms=after(1), end="DIED")
    room = Room(uploading(past_attempts=[silent], attempt=_second()))
    room.deliver(f"{STEM}.m3u8", *SLICES[:2])
    assert room.publish() == "incomplete"


def _second() -> Attempt:
    return running(2, ended_ms=after(600), end="STOPPED")


def test_the_reason_counts_all_that_is_missing_and_names_the_first() -> None:
    room = Room()
    room.deliver(f"{STEM}.m3u8")
    room.publish()
    assert room.row.reason == f"3 files are missing, the first is {SLICES[0]}."
    assert room.row.upload.missing == 3


def test_a_playlist_that_never_ended_is_incomplete_without_a_missing_name() -> None:
    room = Room()
    room.deliver(*SLICES)
    room.bucket.add(f"{PREFIX}{STEM}.m3u8", INDEX.replace(b"#EXT-X-ENDLIST\n", b""))
    verdict = room.parts.verifier.verify(room.row)
    assert final_status(verdict)[0] == "incomplete"
    assert verdict.missing_count == 0


def test_a_publication_that_is_repeated_after_the_row_was_closed_does_nothing(room: Room) -> None:
    before, objects, events = room.row, dict(room.bucket.objects), list(room.bus.events)
    room.deliver(SLICES[2])
    assert room.publish() == "incomplete"
    assert room.row == before
    assert room.bus.events == events
    assert room.bucket.objects.keys() - objects.keys() == {PREFIX + SLICES[2]}


def test_late_files_are_awaited_for_the_days_of_the_parameter(room: Room) -> None:
    assert room.row.late_until_ms == LATE_UNTIL
    environment = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "BUS_NAME": "e", "SPEED": "10"}
    environment |= {"CALLS_QUEUE_URL": "c", "CALLBACK_ENDPOINTS": "", "LATE_DAYS": "2"}
    settings = PublishSettings.from_env(environment)
    assert settings.timings.late_s == 2 * 86_400 / 10
    assert settings.timings.quiet_s == TIMINGS.quiet_s / 10


def test_with_no_days_what_was_published_is_final() -> None:
    room = Room(timings=replace(TIMINGS, late_s=0))
    room.deliver(f"{STEM}.m3u8", *SLICES[:2])
    room.publish()
    room.arrive(SLICES[2])
    room.look_again()
    assert room.row.status == "incomplete"
    assert due(room.row, TIMINGS) is None


# --- what becomes of it later -------------------------------------------------------------------


def test_the_missing_piece_completes_it_and_is_announced_once(room: Room) -> None:
    room.clock.advance(3600)
    room.arrive(SLICES[2])
    room.arrive(SLICES[2])
    room.look_again()
    assert room.row.status == "completed"
    assert room.bus.types == ["Recording Incomplete", "Recording Completed"]
    ids = [detail["id"] for _, detail in room.bus.events]
    assert ids == [f"{RECORDING_ID}-incomplete", f"{RECORDING_ID}-completed"]
    assert room.ended_file["detail"]["id"] == f"{RECORDING_ID}-completed"
    assert room.manifest["verdict"] == "complete"
    assert room.manifest["recording"]["status"] == "completed"
    kinds = [note["kind"] for note in room.table.rows(f"REC#{RECORDING_ID}", "LOG#")]
    assert kinds == ["published", "late"]


def test_a_completed_recording_keeps_when_and_why_it_ended(room: Room) -> None:
    before = room.row
    room.clock.advance(86_400)
    room.arrive(SLICES[2])
    after_ = room.row
    assert (after_.ended_ms, after_.end_reason) == (before.ended_ms, before.end_reason)
    assert after_.late_until_ms is None
    assert due(after_, TIMINGS) is None


def test_a_part_of_what_is_missing_is_in_a_new_manifest_and_nobody_is_told() -> None:
    room = Room()
    room.deliver(f"{STEM}.m3u8", SLICES[0])
    room.publish()
    room.arrive(SLICES[1])
    assert room.row.status == "incomplete"
    assert room.row.upload.missing == 1
    assert room.row.reason == f"1 files are missing, the first is {SLICES[2]}."
    assert room.manifest["findings"]["items"][0]["names"] == [SLICES[2]]
    assert room.bus.types == ["Recording Incomplete"]


def test_a_look_that_finds_nothing_new_writes_nothing(room: Room) -> None:
    before = room.row
    room.clock.advance(60)
    room.look_again()
    assert room.row == before


def test_the_index_that_agoras_backup_delivers_completes_it() -> None:
    room = Room()
    room.deliver(*SLICES)
    room.bucket.add(f"{PREFIX}{STEM}.m3u8", INDEX[:80])
    room.publish()
    room.arrive(f"{STEM}_22194679897_0.m3u8")
    assert room.row.status == "completed"


def test_transcoding_completes_it_days_later() -> None:
    room = Room(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    room.bucket.add(f"{PREFIX}{STEM}__uid_s_7__uid_e_video.m3u8", INDEX)
    room.deliver(*SLICES)
    room.publish()
    room.clock.advance(2 * 86_400)
    room.arrive(f"{STEM}__uid_s_7__uid_e_0.mp4")
    assert room.row.status == "completed"


def test_the_last_look_says_that_nothing_will_come_any_more() -> None:
    room = Room(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    room.bucket.add(f"{PREFIX}{STEM}__uid_s_7__uid_e_video.m3u8", INDEX)
    room.deliver(*SLICES)
    room.publish()
    room.clock.now_ms = LATE_UNTIL
    room.look_again()
    assert room.manifest["verdict"] == "incomplete"
    assert room.row.late_until_ms is None
    room.arrive(f"{STEM}__uid_s_7__uid_e_0.mp4")
    assert room.row.status == "incomplete"


def test_what_is_missing_for_two_days_is_announced_once_while_agora_still_has_it() -> None:
    room = Room()
    room.deliver(f"{STEM}.m3u8", SLICES[0])
    room.publish()
    begun_ms = over_ms(room.row)
    for hours in (1, 24, 47.9, 48, 48.1, 71, 95):
        room.clock.now_ms = begun_ms + round(hours * 3_600_000)
        room.look_again()
    assert room.bus.types == ["Recording Incomplete", "Recording Overdue"]
    _, told = room.bus.events[-1]
    assert told["id"] == f"{RECORDING_ID}-overdue"
    assert told["recording"]["overdueAt"] == iso(begun_ms + 48 * 3_600_000)
    assert told["recording"]["reason"].startswith("2 files are missing")
    room.arrive(*SLICES[1:])
    assert room.bus.types[2:] == ["Recording Completed"]


def test_the_sweeper_asks_for_a_look_when_two_days_are_over() -> None:
    room = Room()
    room.deliver(f"{STEM}.m3u8", SLICES[0])
    room.publish()
    row, looks = room.row, []
    while (look := due(row, TIMINGS)) is not None:
        looks.append(look[1])
        row = replace(row, looked_ms=look[1])
    assert over_ms(row) + 48 * 3_600_000 in looks
    assert looks == sorted(set(looks))


def test_missing_transcoding_is_not_overdue_after_two_days() -> None:
    room = Room(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    room.bucket.add(f"{PREFIX}{STEM}__uid_s_7__uid_e_video.m3u8", INDEX)
    room.deliver(*SLICES)
    room.publish()
    room.clock.advance(3 * 86_400)
    room.look_again()
    assert room.bus.types == ["Recording Incomplete"]
    assert room.row.overdue_ms is None


def test_with_a_short_wait_the_last_look_tells_that_files_are_missing() -> None:
    room = Room()
    room.deliver(f"{STEM}.m3u8", SLICES[0])
    room.publish()
    until_ms = over_ms(room.row) + 3_600_000
    room.parts.store.amend(RECORDING_ID, lambda row: replace(row, late_until_ms=until_ms))
    room.clock.now_ms = until_ms
    room.look_again()
    assert room.bus.types == ["Recording Incomplete", "Recording Overdue"]
    assert room.row.late_until_ms is None
    assert due(room.row, TIMINGS) is None


@pytest.mark.parametrize("row", [recording(), ended("DIED")])
def test_a_recording_that_is_not_published_is_left_to_its_execution(row: Recording) -> None:
    room = Room(row)
    before = room.row
    room.arrive(f"{STEM}.m3u8", *SLICES)
    room.look_again()
    assert replace(room.row, last_seen_ms=None) == replace(
        before, last_seen_ms=None, version=(room.row.version)
    )
    assert room.bus.events == []


def test_a_recording_that_is_being_deleted_is_left_alone(room: Room) -> None:
    room.parts.store.amend(RECORDING_ID, lambda row: replace(row, deleting_ms=after(1)))
    room.arrive(SLICES[2])
    assert room.row.status == "incomplete"
    assert due(room.row, TIMINGS) is None


def test_a_recording_that_was_deleted_is_no_failure(room: Room) -> None:
    room.table.items.clear()
    assert room.arrive(SLICES[2]) == []


@pytest.mark.parametrize(
    ("before", "done"), [("video/2026/", "VerdictIncomplete"), ("", "Ignored"), ("a/", "Ignored")]
)
def test_a_file_is_the_recordings_only_below_its_own_prefix(before: str, done: str) -> None:
    """A copy elsewhere in the bucket is not: the bucket may be full of other things."""
    room = Room(uploading(key_prefix="video/2026/"))
    body = arrived(SLICES[0], room.clock(), prefix=before + PREFIX)
    taken = room.parts.arrivals.take([{"messageId": "0", "body": body}])
    assert list(taken.done) == [done]


def test_a_burst_is_one_look(room: Room) -> None:
    room.faults.names.clear()
    room.arrive(*SLICES, SLICES[2], SLICES[2])
    assert room.faults.names.count("put_events") == 1
    assert room.faults.names.count("update_item") == 2  # the lease, taken and given back


def test_while_somebody_looks_the_messages_come_again(room: Room) -> None:
    other = room.parts.store.late_lease(RECORDING_ID, room.clock)
    other.take(LEASE_S)
    assert room.arrive(SLICES[2], SLICES[2]) == ["0", "1"]
    assert room.bus.types == ["Recording Incomplete"]
    other.release()
    assert room.arrive(SLICES[2]) == []
    assert room.bus.types == ["Recording Incomplete", "Recording Completed"]


def test_one_recording_that_fails_does_not_keep_the_others_waiting(room: Room) -> None:
    sick = RECORDING_ID[:-1] + "Z"
    room.table.add({"PK": f"REC#{sick}", "SK": "META", "status": "nonsense"})
    body = arrived("x_0.mp4", room.clock(), prefix=f"recordings/{sick}/")
    room.deliver(SLICES[2])
    assert room.tell(body, arrived(SLICES[2], room.clock())) == ["0"]
    assert room.row.status == "completed"


STORY: list[Callable[[Room], object]] = [
    lambda room: room.deliver(f"{STEM}.m3u8", *SLICES[:2]),
    lambda room: room.publish(),
    lambda room: room.arrive(SLICES[2]),
]


def _tell(faults: Faults) -> Room:
    """Tell the story; a process that was killed is begun again, when its lease has run out."""
    room = Room(faults=faults)
    for step in STORY:
        while True:
            try:
                step(room)
                break
            except Crash:
                room.faults.begin()
                room.clock.advance(LEASE_S + 1)
    return room


def _crashes() -> Iterator[Faults]:
    for at in range(1, _tell(Faults()).faults.count + 1):
        yield Faults(at)
        yield Faults(at, after=True)


def test_a_crash_at_any_point_of_a_late_look_loses_nothing() -> None:
    for faults in _crashes():
        room = _tell(faults)
        assert room.row.status == "completed"
        assert set(room.bus.types) == {"Recording Incomplete", "Recording Completed"}
        assert room.bus.types == sorted(room.bus.types, reverse=True), "never back again"
        assert room.manifest["verdict"] == "complete"
        assert room.ended_file["detailType"] == "Recording Completed"


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.sampled_from([*SLICES, f"{STEM}.m3u8"])),
        st.tuples(st.just("tell"), st.lists(st.sampled_from([*SLICES, f"{STEM}.m3u8"]))),
        st.tuples(st.just("look"), st.just("")),
        st.tuples(st.just("wait"), st.integers(0, 40_000)),
    ),
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(steps=_STEPS, published_at=st.integers(0, 12))
def test_no_burst_repetition_or_disorder_of_arrivals_does_harm(
    steps: list[Any], published_at: int
) -> None:
    room = Room(facts=SessionFacts(upload="backuped", files=(f"{STEM}.m3u8",)))
    everything = {PREFIX + name for name in (*SLICES, f"{STEM}.m3u8")}
    for number, (kind, what) in enumerate([*steps, ("look", "")]):
        if number == min(published_at, len(steps)):
            room.publish()
        match kind:
            case "deliver":
                room.deliver(what)
            case "tell":
                assert room.tell(*(arrived(name, room.clock()) for name in what)) == []
            case "look":
                room.look_again()
            case "wait":
                room.clock.advance(what)
        told = room.bus.types
        assert told in ([], ["Recording Incomplete"], ["Recording Completed"]) or told == [
            "Recording Incomplete",
            "Recording Completed",
        ]
        if "Recording Completed" in told:
            assert everything <= room.bucket.objects.keys()
    is_whole = everything <= room.bucket.objects.keys()
    assert room.row.status == ("completed" if is_whole else "incomplete")


# --- when the sweeper looks ---------------------------------------------------------------------


def test_the_sweeper_looks_soon_at_first_and_seldom_in_the_end(room: Room) -> None:
    row, gaps = room.row, []
    while look := due(row, TIMINGS):
        risk, at_ms = look
        assert risk == LATE
        gaps.append(at_ms - (row.looked_ms or 0))
        row = replace(row, looked_ms=at_ms)
    assert row.looked_ms == LATE_UNTIL
    assert gaps[0] == 450_000, "a quarter as long again as it has been over"
    assert max(gaps) == 6 * 3_600_000
    # One look comes when it is time to tell somebody, between two others.
    before = [gap for number, gap in enumerate(gaps) if sum(gaps[: number + 1]) < OVERDUE_GAPS_MS]
    assert before == sorted(before)
    assert len(gaps) < 40


def test_after_a_short_wait_the_sweeper_gives_late_files_a_minute() -> None:
    row = replace(uploading(), status="incomplete", ended_ms=after(600), looked_ms=after(605))
    look = due(replace(row, late_until_ms=LATE_UNTIL), TIMINGS)
    assert look == (LATE, after(665))


def test_the_sweeper_asks_for_a_look_and_comes_back_later(room: Room) -> None:
    assert room.parts.sweeper.look(RECORDING_ID) == "nothing"
    room.clock.advance(900)
    assert choose_look(room.row, room.clock(), TIMINGS) == "files"
    assert room.parts.sweeper.look(RECORDING_ID) == "files"
    assert room.queue.messages == [{"recordingId": RECORDING_ID}]
    assert room.parts.sweeper.look(RECORDING_ID) == "nothing"


def test_what_is_late_is_not_counted_as_open(room: Room) -> None:
    assert room.parts.due_index.open_recordings() == []
    room.clock.advance(900)
    shards = range(DUE_SHARDS)
    found = [
        each for shard in shards for each in room.parts.due_index.due(LATE, shard, room.clock(), 10)
    ]
    assert found == [RECORDING_ID]


# --- messages and signs of life -----------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        "nonsense",
        '{"recordingId": 7}',
        '{"recordingId": "short"}',
        '{"detail": {"object": {"key": 7}}, "time": "2026-01-31T12:00:00Z"}',
        arrived("manifest.json", 0),
        arrived("events/recording-ended.json", 0),
        arrived("manifest/segments-00001.json", 0),
        arrived("", 0),
        arrived("x.mp4", 0, prefix="elsewhere/"),
        arrived("x.mp4", 0, prefix="recordings/short/"),
        arrived("x.mp4", 0).replace("1970", "soon"),
    ],
)
def test_a_message_that_tells_of_no_file_of_agoras_is_passed_over(body: str) -> None:
    assert read(body) is None
    assert Room().tell(body) == []


def test_an_event_of_s3_names_the_recording_the_file_the_instant_and_the_size() -> None:
    name = "a b%+_0.mp4"  # EventBridge does not escape keys
    assert read(arrived(name, after(5))) == Arrival(RECORDING_ID, name, after(5), 1)


def playlist(at_ms: int, name: str = f"{STEM}.m3u8") -> Arrival:
    return Arrival(RECORDING_ID, name, at_ms)


def test_a_fresh_playlist_is_a_sign_of_life_where_there_was_none_for_long() -> None:
    assert sign_of_life(recording(), [playlist(after(150)), playlist(after(60))], TIMINGS) == (
        after(150)
    )


@pytest.mark.parametrize(
    ("row", "arrival"),
    [
        (recording(), playlist(after(100))),
        (recording(), playlist(after(500), SLICES[0])),
        (recording(), playlist(after(500), f"{'1' * 32}_{CNAME}.m3u8")),
        (recording(), playlist(after(500), "nonsense.m3u8")),
        (recording(gone_ms=after(300)), playlist(after(500))),
        (ended("DIED"), playlist(after(500))),
        (uploading(), playlist(after(500))),
    ],
    ids=["fresh", "slice", "other session", "nonsense", "gone", "ended", "uploading"],
)
def test_what_is_no_news_of_the_session_changes_nothing(row: Recording, arrival: Arrival) -> None:
    assert sign_of_life(row, [arrival], TIMINGS) is None


def test_a_sign_of_life_puts_off_the_next_query() -> None:
    room = Room(recording())
    room.clock.now_ms = after(180)
    room.arrive(f"{STEM}.m3u8")
    assert room.row.last_seen_ms == after(180)
    assert due(room.row, TIMINGS) == (4, after(210))
    room.clock.advance(15)
    version = room.row.version
    room.arrive(f"{STEM}.m3u8")
    assert room.row.version == version, "one write each 100 s is enough"


# --- what the timeline tells of files -------------------------------------------------------------


def files_told(room: Room) -> list[tuple[str, str]]:
    told = room.parts.timeline.page(RECORDING_ID, EventsQuery(1000, None))
    return [
        (entry["at"][11:19], entry["data"]["name"])
        for entry in told["events"]
        if entry["kind"] == "file"
    ]


def test_a_file_that_arrives_is_a_line_of_the_timeline(room: Room) -> None:
    at_ms = room.clock()
    room.tell(arrived(MP4, at_ms), arrived(f"{STEM}.m3u8", at_ms))
    told = room.parts.timeline.page(RECORDING_ID, EventsQuery(1000, None))["events"]
    lines = [entry for entry in told if entry["kind"] == "file"]
    assert [entry["text"] for entry in lines] == [
        f"A playlist arrived in the bucket: {STEM}.m3u8.",
        f"An MP4 file arrived in the bucket: {MP4}.",
    ]
    assert lines[1]["data"] == {"name": MP4, "size": 1, "etag": ""}


def test_of_one_file_the_latest_arrival_stands_in_whatever_order_they_are_told(
    room: Room,
) -> None:
    times = [room.clock() + seconds * 1000 for seconds in (5, 9, 0, 9)]
    for at_ms in times:
        room.tell(arrived(MP4, at_ms))
    assert files_told(room) == [(iso(max(times))[11:19], MP4)]


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (recording(), MP4),  # while it records, what comes is a sign of life
        (uploading(), "notes.mp4"),
        (uploading(), f"{'9' * 32}_{CNAME}_0.mp4"),
        (uploading(deleting_ms=after(700)), MP4),
    ],
)
def test_what_is_no_file_of_a_recording_that_is_over_is_no_line(row: Recording, name: str) -> None:
    room = Room(row)
    room.tell(arrived(name, room.clock()))
    assert files_told(room) == []


def test_the_lines_of_files_go_with_the_recording(room: Room) -> None:
    room.tell(arrived(MP4, room.clock()))
    keys = [key["SK"]["S"] for keys in room.parts.store.rows_of(room.row) for key in keys]
    assert f"FILE#{MP4}" in keys

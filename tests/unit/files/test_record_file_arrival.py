"""Files that come after the end: what is expected, what is published, what becomes of it later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.api.get_recording_events import EventsQuery, Timeline
from agora_recording.clock import iso
from agora_recording.files.await_upload import UploadWatcher
from agora_recording.files.conclusion import final_status
from agora_recording.files.publish_recording import RecordingPublisher
from agora_recording.files.record_file_arrival import LEASE_S, Arrival, Arrivals, read, sign_of_life
from agora_recording.files.verifier import Verifier
from agora_recording.life.due_index import DUE_SHARDS, DueIndex
from agora_recording.life.executions import Waker
from agora_recording.life.look_queue import ArrivalQueue
from agora_recording.life.publication import Publisher
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore, row_of
from agora_recording.life.watch_recordings import Sweeper
from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.due import LATE, due
from agora_recording.recording.looking import choose_look
from agora_recording.recording.model import Attempt, Recording
from agora_recording.recording.timings import Timings
from functions.publish_recording.app import PublishSettings
from functions.record_file_arrival import app
from tests.world.bucket import BUCKET, FakeBucket
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
from tests.world.bus import FakeBus
from tests.world.clock import Clock
from tests.world.faults import Crash, Faults
from tests.world.queue import FakeQueue
from tests.world.step_functions import FakeStepFunctions
from tests.world.table import TABLE, FakeTable
from tests.world.webhook import SID

PREFIX = f"recordings/{RECORDING_ID}/"
STEM = f"{SID}_{CNAME}"
SLICES = [f"{STEM}_2023111422132{n}000.ts" for n in range(3)]
MP4 = f"{STEM}_0.mp4"
INDEX = "\n".join(
    ["#EXTM3U", *(line for name in SLICES for line in ("#EXTINF:1.0", name)), "#EXT-X-ENDLIST", ""]
).encode()
OVERDUE = after(600) + round(TIMINGS.upload_s * 1000)
LATE_UNTIL = after(600) + round(TIMINGS.late_s * 1000)
TRANSCODED: dict[str, Any] = {
    "mode": "individual",
    "client_request": {
        "appsCollection": {"combinationPolicy": "postpone_transcoding"},
        "transcodeOptions": {"transConfig": {"transMode": "postponeTranscoding"}},
    },
}


class Context:
    """Lambda's context, as far as the logger reads it."""

    function_name = "record_file_arrival"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:room"
    aws_request_id = "1"


def arrived(name: str, at_ms: int, *, prefix: str = PREFIX) -> str:
    """Return what EventBridge puts into the queue when an object was created."""
    detail = {"bucket": {"name": BUCKET}, "object": {"key": prefix + name, "size": 1}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": iso(at_ms)}
    return json.dumps({**event, "detail": detail})


class House:
    """One recording, its bucket, and the rooms that look into it."""

    def __init__(
        self,
        row: Recording | None = None,
        *,
        facts: SessionFacts | None = None,
        faults: Faults | None = None,
        timings: Timings = TIMINGS,
    ) -> None:
        self.clock = Clock(OVERDUE)
        self.faults = faults or Faults()
        self.table = FakeTable(self.faults)
        self.bucket = FakeBucket(self.clock, self.faults)
        self.bus = FakeBus(self.faults)
        self.queue = FakeQueue(self.faults)
        client: Any = self.table
        s3: Any = self.bucket
        bus: Any = self.bus
        sqs: Any = self.queue
        self.store = RecordingStore(TABLE, timings, client)
        self.sessions = SessionStore(TABLE, client)
        self.index = DueIndex(TABLE, client)
        self.verifier = Verifier(
            sessions=self.sessions,
            bucket=BUCKET,
            timings=timings,
            s3=s3,
            now_ms=self.clock,
        )
        self.publisher = RecordingPublisher(
            store=self.store,
            verifier=self.verifier,
            publisher=Publisher(bucket=BUCKET, bus_name="bus", s3=s3, events=bus),
            timings=timings,
            now_ms=self.clock,
        )
        queue = ArrivalQueue("queue", sqs)
        machine: Any = FakeStepFunctions(self.faults)
        self.uploads = UploadWatcher(
            store=self.store,
            verifier=self.verifier,
            waker=Waker(self.store, machine),
            arrivals=queue,
            timings=timings,
        )
        self.arrivals = Arrivals(
            store=self.store,
            uploads=self.uploads,
            publisher=self.publisher,
            timings=timings,
            now_ms=self.clock,
        )
        nothing: Any = None
        self.sweeper = Sweeper(
            store=self.store,
            sessions=self.sessions,
            index=self.index,
            agora=nothing,
            waker=nothing,
            storage=nothing,
            lease=nothing,
            arrivals=queue,
            timings=timings,
            state_machine_arn="",
            now_ms=self.clock,
        )
        self.table.add(row_of(row or uploading(), timings))
        session = {"facts": {"upload": "backuped"}} if facts is None else {"facts": _plain(facts)}
        self.table.add({"PK": f"SID#{SID}", "SK": "SESSION", "version": 1, **session})

    @property
    def row(self) -> Recording:
        return self.store.get(RECORDING_ID)

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
        return str(self.publisher.publish(RECORDING_ID)["status"])

    def tell(self, *bodies: str) -> list[str]:
        """Give the room a batch; return the ids of the messages that it wants again."""
        records = [{"messageId": str(n), "body": body} for n, body in enumerate(bodies)]
        answer = app.lambda_handler({"Records": records}, Context(), arrivals=self.arrivals)
        return [each["itemIdentifier"] for each in answer["batchItemFailures"]]

    def arrive(self, *names: str) -> list[str]:
        self.deliver(*names)
        return self.tell(*(arrived(name, self.clock()) for name in names))

    def look_again(self) -> list[str]:
        return self.tell(json.dumps({"recordingId": RECORDING_ID}))


def _plain(facts: SessionFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in ("upload", "transcoding", "files")}


@pytest.fixture
def house() -> House:
    """A recording published as incomplete: its last slice is in Agora's backup."""
    house = House()
    house.deliver(f"{STEM}.m3u8", *SLICES[:2])
    assert house.publish() == "incomplete"
    return house


# --- what is published --------------------------------------------------------------------------


def test_an_mp4_that_comes_within_the_deadline_is_waited_for() -> None:
    request = {"client_request": {"recordingFileConfig": {"avFileType": ["hls", "mp4"]}}}
    house = House(uploading(**request), facts=SessionFacts(upload="uploaded"))
    house.clock.now_ms = after(601)
    house.deliver(f"{STEM}.m3u8", *SLICES)
    assert house.uploads.look(RECORDING_ID) == "pending"
    house.deliver(MP4)
    assert house.uploads.look(RECORDING_ID) == "complete"


def test_postponed_transcoding_is_not_waited_for_by_the_execution() -> None:
    house = House(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    house.clock.now_ms = after(601)
    stem = f"{STEM}__uid_s_7__uid_e_video"
    house.bucket.add(f"{PREFIX}{stem}.m3u8", INDEX)
    house.deliver(*SLICES)
    assert house.uploads.look(RECORDING_ID) == "incomplete"
    assert house.publish() == "incomplete"
    assert house.row.reason == "The files of postponed transcoding are still to come."
    assert house.manifest["verdict"] == "pending"


def test_nothing_at_all_is_a_failure_and_final() -> None:
    house = House(facts=SessionFacts())
    assert house.publish() == "failed"
    assert house.row.late_until_ms is None
    assert due(house.row, TIMINGS) is None
    house.arrive(f"{STEM}.m3u8", *SLICES)
    assert house.row.status == "failed"


def test_nothing_there_but_something_announced_is_incomplete() -> None:
    house = House(facts=SessionFacts(upload="backuped", files=(f"{STEM}.m3u8",)))
    assert house.publish() == "incomplete"
    house.arrive(f"{STEM}.m3u8", *SLICES)
    house.look_again()
    assert house.row.status == "completed"


def test_a_session_that_left_nothing_does_not_make_the_whole_a_failure() -> None:
    silent = Attempt(number=1, uid="1", begun_ms=1, sid="1" * 32, ended_ms=after(1), end="DIED")
    house = House(uploading(past_attempts=[silent], attempt=_second()))
    house.deliver(f"{STEM}.m3u8", *SLICES[:2])
    assert house.publish() == "incomplete"


def _second() -> Attempt:
    return running(2, ended_ms=after(600), end="STOPPED")


def test_the_reason_counts_all_that_is_missing_and_names_the_first() -> None:
    house = House()
    house.deliver(f"{STEM}.m3u8")
    house.publish()
    assert house.row.reason == f"3 files are missing, the first is {SLICES[0]}."
    assert house.row.upload.missing == 3


def test_a_playlist_that_never_ended_is_incomplete_without_a_missing_name() -> None:
    house = House()
    house.deliver(*SLICES)
    house.bucket.add(f"{PREFIX}{STEM}.m3u8", INDEX.replace(b"#EXT-X-ENDLIST\n", b""))
    verdict = house.verifier.verify(house.row)
    assert final_status(verdict)[0] == "incomplete"
    assert verdict.missing_count == 0


def test_a_publication_that_is_repeated_after_the_row_was_closed_does_nothing(house: House) -> None:
    before, objects, events = house.row, dict(house.bucket.objects), list(house.bus.events)
    house.deliver(SLICES[2])
    assert house.publish() == "incomplete"
    assert house.row == before
    assert house.bus.events == events
    assert house.bucket.objects.keys() - objects.keys() == {PREFIX + SLICES[2]}


def test_late_files_are_awaited_for_the_days_of_the_parameter(house: House) -> None:
    assert house.row.late_until_ms == LATE_UNTIL
    environment = {"TABLE_NAME": "t", "BUCKET_NAME": "b", "BUS_NAME": "e", "SPEED": "10"}
    room = PublishSettings.from_env({**environment, "LATE_DAYS": "2"})
    assert room.timings.late_s == 2 * 86_400 / 10
    assert room.timings.quiet_s == TIMINGS.quiet_s / 10


def test_with_no_days_what_was_published_is_final() -> None:
    house = House(timings=replace(TIMINGS, late_s=0))
    house.deliver(f"{STEM}.m3u8", *SLICES[:2])
    house.publish()
    house.arrive(SLICES[2])
    house.look_again()
    assert house.row.status == "incomplete"
    assert due(house.row, TIMINGS) is None


# --- what becomes of it later -------------------------------------------------------------------


def test_the_missing_piece_completes_it_and_is_announced_once(house: House) -> None:
    house.clock.advance(3600)
    house.arrive(SLICES[2])
    house.arrive(SLICES[2])
    house.look_again()
    assert house.row.status == "completed"
    assert house.bus.types == ["Recording Incomplete", "Recording Completed"]
    ids = [detail["id"] for _, detail in house.bus.events]
    assert ids == [f"{RECORDING_ID}-incomplete", f"{RECORDING_ID}-completed"]
    assert house.ended_file["detail"]["id"] == f"{RECORDING_ID}-completed"
    assert house.manifest["verdict"] == "complete"
    assert house.manifest["recording"]["status"] == "completed"
    kinds = [note["kind"] for note in house.table.rows(f"REC#{RECORDING_ID}", "LOG#")]
    assert kinds == ["published", "late"]


def test_a_completed_recording_keeps_when_and_why_it_ended(house: House) -> None:
    before = house.row
    house.clock.advance(86_400)
    house.arrive(SLICES[2])
    after_ = house.row
    assert (after_.ended_ms, after_.end_reason) == (before.ended_ms, before.end_reason)
    assert after_.late_until_ms is None
    assert due(after_, TIMINGS) is None


def test_a_part_of_what_is_missing_is_in_a_new_manifest_and_nobody_is_told() -> None:
    house = House()
    house.deliver(f"{STEM}.m3u8", SLICES[0])
    house.publish()
    house.arrive(SLICES[1])
    assert house.row.status == "incomplete"
    assert house.row.upload.missing == 1
    assert house.row.reason == f"1 files are missing, the first is {SLICES[2]}."
    assert house.manifest["findings"]["items"][0]["names"] == [SLICES[2]]
    assert house.bus.types == ["Recording Incomplete"]


def test_a_look_that_finds_nothing_new_writes_nothing(house: House) -> None:
    before = house.row
    house.clock.advance(60)
    house.look_again()
    assert house.row == before


def test_the_index_that_agoras_backup_delivers_completes_it() -> None:
    house = House()
    house.deliver(*SLICES)
    house.bucket.add(f"{PREFIX}{STEM}.m3u8", INDEX[:80])
    house.publish()
    house.arrive(f"{STEM}_22194679897_0.m3u8")
    assert house.row.status == "completed"


def test_transcoding_completes_it_days_later() -> None:
    house = House(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    house.bucket.add(f"{PREFIX}{STEM}__uid_s_7__uid_e_video.m3u8", INDEX)
    house.deliver(*SLICES)
    house.publish()
    house.clock.advance(2 * 86_400)
    house.arrive(f"{STEM}__uid_s_7__uid_e_0.mp4")
    assert house.row.status == "completed"


def test_the_last_look_says_that_nothing_will_come_any_more() -> None:
    house = House(uploading(**TRANSCODED), facts=SessionFacts(upload="uploaded"))
    house.bucket.add(f"{PREFIX}{STEM}__uid_s_7__uid_e_video.m3u8", INDEX)
    house.deliver(*SLICES)
    house.publish()
    house.clock.now_ms = LATE_UNTIL
    house.look_again()
    assert house.manifest["verdict"] == "incomplete"
    assert house.row.late_until_ms is None
    house.arrive(f"{STEM}__uid_s_7__uid_e_0.mp4")
    assert house.row.status == "incomplete"


@pytest.mark.parametrize("row", [recording(), ended("DIED")])
def test_a_recording_that_is_not_published_is_left_to_its_execution(row: Recording) -> None:
    house = House(row)
    before = house.row
    house.arrive(f"{STEM}.m3u8", *SLICES)
    house.look_again()
    assert replace(house.row, last_seen_ms=None) == replace(
        before, last_seen_ms=None, version=(house.row.version)
    )
    assert house.bus.events == []


def test_a_recording_that_is_being_deleted_is_left_alone(house: House) -> None:
    house.store.amend(RECORDING_ID, lambda row: replace(row, deleting_ms=after(1)))
    house.arrive(SLICES[2])
    assert house.row.status == "incomplete"
    assert due(house.row, TIMINGS) is None


def test_a_recording_that_was_deleted_is_no_failure(house: House) -> None:
    house.table.items.clear()
    assert house.arrive(SLICES[2]) == []


def test_a_burst_is_one_look(house: House) -> None:
    house.faults.names.clear()
    house.arrive(*SLICES, SLICES[2], SLICES[2])
    assert house.faults.names.count("put_events") == 1
    assert house.faults.names.count("update_item") == 2  # the lease, taken and given back


def test_while_somebody_looks_the_messages_come_again(house: House) -> None:
    other = house.store.late_lease(RECORDING_ID, house.clock)
    other.take(LEASE_S)
    assert house.arrive(SLICES[2], SLICES[2]) == ["0", "1"]
    assert house.bus.types == ["Recording Incomplete"]
    other.release()
    assert house.arrive(SLICES[2]) == []
    assert house.bus.types == ["Recording Incomplete", "Recording Completed"]


def test_one_recording_that_fails_does_not_keep_the_others_waiting(house: House) -> None:
    sick = RECORDING_ID[:-1] + "Z"
    house.table.add({"PK": f"REC#{sick}", "SK": "META", "status": "nonsense"})
    body = arrived("x_0.mp4", house.clock(), prefix=f"recordings/{sick}/")
    house.deliver(SLICES[2])
    assert house.tell(body, arrived(SLICES[2], house.clock())) == ["0"]
    assert house.row.status == "completed"


STORY: list[Callable[[House], object]] = [
    lambda house: house.deliver(f"{STEM}.m3u8", *SLICES[:2]),
    lambda house: house.publish(),
    lambda house: house.arrive(SLICES[2]),
]


def _tell(faults: Faults) -> House:
    """Tell the story; a process that was killed is begun again, when its lease has run out."""
    house = House(faults=faults)
    for step in STORY:
        while True:
            try:
                step(house)
                break
            except Crash:
                house.faults.begin()
                house.clock.advance(LEASE_S + 1)
    return house


def _crashes() -> Iterator[Faults]:
    for at in range(1, _tell(Faults()).faults.count + 1):
        yield Faults(at)
        yield Faults(at, after=True)


def test_a_crash_at_any_point_of_a_late_look_loses_nothing() -> None:
    for faults in _crashes():
        house = _tell(faults)
        assert house.row.status == "completed"
        assert set(house.bus.types) == {"Recording Incomplete", "Recording Completed"}
        assert house.bus.types == sorted(house.bus.types, reverse=True), "never back again"
        assert house.manifest["verdict"] == "complete"
        assert house.ended_file["detailType"] == "Recording Completed"


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
    house = House(facts=SessionFacts(upload="backuped", files=(f"{STEM}.m3u8",)))
    everything = {PREFIX + name for name in (*SLICES, f"{STEM}.m3u8")}
    for number, (kind, what) in enumerate([*steps, ("look", "")]):
        if number == min(published_at, len(steps)):
            house.publish()
        match kind:
            case "deliver":
                house.deliver(what)
            case "tell":
                assert house.tell(*(arrived(name, house.clock()) for name in what)) == []
            case "look":
                house.look_again()
            case "wait":
                house.clock.advance(what)
        told = house.bus.types
        assert told in ([], ["Recording Incomplete"], ["Recording Completed"]) or told == [
            "Recording Incomplete",
            "Recording Completed",
        ]
        if "Recording Completed" in told:
            assert everything <= house.bucket.objects.keys()
    is_whole = everything <= house.bucket.objects.keys()
    assert house.row.status == ("completed" if is_whole else "incomplete")


# --- when the sweeper looks ---------------------------------------------------------------------


def test_the_sweeper_looks_soon_at_first_and_seldom_in_the_end(house: House) -> None:
    row, gaps = house.row, []
    while look := due(row, TIMINGS):
        risk, at_ms = look
        assert risk == LATE
        gaps.append(at_ms - (row.looked_ms or 0))
        row = replace(row, looked_ms=at_ms)
    assert row.looked_ms == LATE_UNTIL
    assert gaps[0] == 450_000, "a quarter as long again as it has been over"
    assert max(gaps) == 6 * 3_600_000
    assert gaps[:-1] == sorted(gaps[:-1])
    assert len(gaps) < 40


def test_after_a_short_wait_the_sweeper_gives_late_files_a_minute() -> None:
    row = replace(uploading(), status="incomplete", ended_ms=after(600), looked_ms=after(605))
    look = due(replace(row, late_until_ms=LATE_UNTIL), TIMINGS)
    assert look == (LATE, after(665))


def test_the_sweeper_asks_for_a_look_and_comes_back_later(house: House) -> None:
    assert house.sweeper.look(RECORDING_ID) == "nothing"
    house.clock.advance(900)
    assert choose_look(house.row, house.clock(), TIMINGS) == "files"
    assert house.sweeper.look(RECORDING_ID) == "files"
    assert house.queue.messages == [{"recordingId": RECORDING_ID}]
    assert house.sweeper.look(RECORDING_ID) == "nothing"


def test_what_is_late_is_not_counted_as_open(house: House) -> None:
    assert house.index.open_recordings() == []
    house.clock.advance(900)
    shards = range(DUE_SHARDS)
    found = [each for shard in shards for each in house.index.due(LATE, shard, house.clock(), 10)]
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
    assert House().tell(body) == []


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
    house = House(recording())
    house.clock.now_ms = after(180)
    house.arrive(f"{STEM}.m3u8")
    assert house.row.last_seen_ms == after(180)
    assert due(house.row, TIMINGS) == (3, after(380))
    house.clock.advance(15)
    version = house.row.version
    house.arrive(f"{STEM}.m3u8")
    assert house.row.version == version, "one write each 100 s is enough"


# --- what the timeline tells of files -------------------------------------------------------------


def files_told(house: House) -> list[tuple[str, str]]:
    told = Timeline(house.store, house.sessions).page(RECORDING_ID, EventsQuery(1000, None))
    return [
        (entry["at"][11:19], entry["data"]["name"])
        for entry in told["events"]
        if entry["kind"] == "file"
    ]


def test_a_file_that_arrives_is_a_line_of_the_timeline(house: House) -> None:
    at_ms = house.clock()
    house.tell(arrived(MP4, at_ms), arrived(f"{STEM}.m3u8", at_ms))
    told = Timeline(house.store, house.sessions).page(RECORDING_ID, EventsQuery(1000, None))[
        "events"
    ]
    lines = [entry for entry in told if entry["kind"] == "file"]
    assert [entry["text"] for entry in lines] == [
        f"A playlist arrived in the bucket: {STEM}.m3u8.",
        f"An MP4 file arrived in the bucket: {MP4}.",
    ]
    assert lines[1]["data"] == {"name": MP4, "size": 1, "etag": ""}


def test_of_one_file_the_latest_arrival_stands_in_whatever_order_they_are_told(
    house: House,
) -> None:
    times = [house.clock() + seconds * 1000 for seconds in (5, 9, 0, 9)]
    for at_ms in times:
        house.tell(arrived(MP4, at_ms))
    assert files_told(house) == [(iso(max(times))[11:19], MP4)]


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
    house = House(row)
    house.tell(arrived(name, house.clock()))
    assert files_told(house) == []


def test_the_lines_of_files_go_with_the_recording(house: House) -> None:
    house.tell(arrived(MP4, house.clock()))
    keys = [key["SK"]["S"] for keys in house.store.rows_of(house.row) for key in keys]
    assert f"FILE#{MP4}" in keys

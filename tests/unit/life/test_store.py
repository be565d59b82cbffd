"""Recordings in the table, and what else uses it: on the fake and on moto (conftest.py)."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from agora_recording.agora.limiter import Limiter
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.aws.lease import Lease
from agora_recording.clock import iso
from agora_recording.errors import (
    IdempotencyConflictError,
    RateLimitedError,
    RecordingNotFoundError,
    WriteConflictError,
)
from agora_recording.life.store import Note, RecordingStore, row_of
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import Recording, ask_to_stop, begin_attempt, end_session, seen
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    TIMINGS,
    after,
    ended,
    recording,
    requested,
    uploading,
)
from tests.world.clock import Clock
from tests.world.machine import definition, filled
from tests.world.table import TABLE
from tests.world.webhook import NOW_MS

PARK = definition()["States"]["Await end"]["Parameters"]


@pytest.fixture
def store(client: Any) -> RecordingStore:
    return RecordingStore(TABLE, client, timings=TIMINGS)


def _id(number: int) -> str:
    return new_recording_id(NOW_MS, number.to_bytes(10, "big"))


def _put(client: Any, *rows: Recording) -> None:
    for row in rows:
        client.put_item(TableName=TABLE, Item=to_item(row_of(row, TIMINGS)))


# --- one recording -------------------------------------------------------------------------------


def test_what_is_created_can_be_read(store: RecordingStore) -> None:
    assert store.create(recording(), None, 0) == recording()
    assert store.get(RECORDING_ID) == recording()


def test_what_was_not_created_cannot(store: RecordingStore) -> None:
    with pytest.raises(RecordingNotFoundError):
        store.get(RECORDING_ID)


def test_the_same_key_gives_the_recording_of_the_first_time(store: RecordingStore) -> None:
    store.create(requested(), ("key", "print"), 9)
    again = requested(recording_id=_id(1))
    assert store.create(again, ("key", "print"), 9) == requested()
    with pytest.raises(RecordingNotFoundError):
        store.get(_id(1))


def test_the_same_key_for_another_request_is_refused(store: RecordingStore) -> None:
    store.create(requested(), ("key", "print"), 9)
    with pytest.raises(IdempotencyConflictError):
        store.create(requested(recording_id=_id(1)), ("key", "another"), 9)


def test_another_key_makes_another_recording(store: RecordingStore) -> None:
    store.create(requested(), ("key", "print"), 9)
    other = requested(recording_id=_id(1))
    assert store.create(other, ("another", "print"), 9) == other


def test_a_change_is_written_with_the_next_version(store: RecordingStore, client: Any) -> None:
    _put(client, recording())
    row = store.amend(RECORDING_ID, lambda row: seen(row, after(60)))
    assert (row.last_seen_ms, row.version) == (after(60), 2)
    assert store.get(RECORDING_ID) == row


def test_a_change_that_changes_nothing_writes_nothing(store: RecordingStore, client: Any) -> None:
    _put(client, recording())
    notes = [Note(NOW_MS, "kind", "words")]
    assert store.amend(RECORDING_ID, lambda row: row, lambda *_: notes) == recording()
    assert list(store.notes(RECORDING_ID)) == []


def test_what_is_taken_away_is_gone(store: RecordingStore, client: Any) -> None:
    """An attribute that is None is not there: the state machine's condition asks for that."""
    _put(client, ended("DIED", task_token="token"))
    store.amend(RECORDING_ID, lambda row: replace(row, task_token=None, session_end=None))
    item = client.get_item(
        TableName=TABLE, Key=to_item({"PK": f"REC#{RECORDING_ID}", "SK": "META"})
    )["Item"]
    assert not {"taskToken", "sessionEnd"} & set(item)


def test_a_change_is_made_again_on_what_another_wrote_meanwhile(
    store: RecordingStore, client: Any
) -> None:
    _put(client, recording())
    rivals = [lambda row: ask_to_stop(row, "STOP_REQUESTED", after(50))]

    def change(row: Recording) -> Recording:
        if rivals:
            store.amend(RECORDING_ID, rivals.pop())
        return seen(row, after(60))

    row = store.amend(RECORDING_ID, change)
    assert (row.stop_reason, row.last_seen_ms, row.version) == ("STOP_REQUESTED", after(60), 3)


def test_a_change_is_given_up_when_others_are_faster_every_time(
    store: RecordingStore, client: Any
) -> None:
    _put(client, recording())

    def change(row: Recording) -> Recording:
        store.amend(RECORDING_ID, lambda other: seen(other, (other.last_seen_ms or 0) + 1))
        return ask_to_stop(row, "STOP_REQUESTED", after(60))

    with pytest.raises(WriteConflictError):
        store.amend(RECORDING_ID, change)
    assert store.get(RECORDING_ID).stop_reason is None


def test_notes_are_written_with_the_change_or_not_at_all(
    store: RecordingStore, client: Any
) -> None:
    _put(client, recording())
    rivals = [lambda row: seen(row, after(50))]

    def change(row: Recording) -> Recording:
        if rivals:
            store.amend(RECORDING_ID, rivals.pop())
        return ask_to_stop(row, "STOP_REQUESTED", after(60))

    store.amend(
        RECORDING_ID,
        change,
        lambda before, row: [
            Note(after(60), "stop", f"{before.version} to {row.version}", {"n": 1}),
            Note(after(60), "other", "of the same instant"),
        ],
    )
    assert [(note["kind"], note["text"]) for note in store.notes(RECORDING_ID)] == [
        ("other", "of the same instant"),
        ("stop", "2 to 3"),
    ]


def test_notes_are_read_in_the_order_of_their_instants(store: RecordingStore) -> None:
    store.create(requested(), None, 0)
    store.create(requested(recording_id=_id(1)), None, 0)
    store.note(RECORDING_ID, Note(after(9), "b", "later"), Note(after(1), "a", "sooner"))
    store.note(_id(1), Note(after(5), "c", "of another"))
    assert [note["text"] for note in store.notes(RECORDING_ID)] == ["sooner", "later"]
    assert next(store.notes(RECORDING_ID))["at"] == iso(after(1))


def test_of_each_file_the_latest_arrival_is_noted_while_the_recording_is_there(
    store: RecordingStore,
) -> None:
    store.note_file(RECORDING_ID, "a.mp4", Note(after(1), "file", "of nobody"))
    assert store.arrivals(RECORDING_ID) == []
    store.create(requested(), None, 0)
    for at, text in ((5, "second"), (1, "first"), (9, "third")):
        store.note_file(RECORDING_ID, "a.mp4", Note(after(at), "file", text))
    assert [each["text"] for each in store.arrivals(RECORDING_ID)] == ["third"]
    store.amend(RECORDING_ID, lambda row: replace(row, deleting_ms=after(10)))
    store.note_file(RECORDING_ID, "a.mp4", Note(after(11), "file", "too late"))
    assert [each["text"] for each in store.arrivals(RECORDING_ID)] == ["third"]


def test_a_note_of_a_recording_that_is_gone_is_not_written(store: RecordingStore) -> None:
    with pytest.raises(RecordingNotFoundError):
        store.note(RECORDING_ID, Note(after(1), "a", "too late"))
    assert list(store.notes(RECORDING_ID)) == []


# --- claims and deletion -------------------------------------------------------------------------


def test_an_attempt_is_found_by_its_channel_and_uid_from_its_begin(store: RecordingStore) -> None:
    row = store.create(requested(), None, 0)
    assert store.claimants(CNAME, "7") == []
    row = store.amend(RECORDING_ID, lambda each: begin_attempt(each, "7", after(1)))
    assert store.claimants(CNAME, "7") == [RECORDING_ID]
    assert store.claimants(CNAME, "8") == store.claimants("another", "7") == []
    row = store.amend(
        RECORDING_ID,
        lambda each: begin_attempt(end_session(each, "DIED", after(2)), "8", after(3)),
        lambda *_: [Note(after(3), "attempt", "begins")],
    )
    assert store.claimants(CNAME, "7") == store.claimants(CNAME, "8") == [RECORDING_ID]
    store.release_claim(row, "7")
    store.release_claim(row, "7")
    assert store.claimants(CNAME, "7") == []


def test_the_claims_of_thirty_recordings_of_one_channel_are_all_found(
    store: RecordingStore,
) -> None:
    ids = [_id(number) for number in range(30)]
    for each in ids:
        store.create(requested(recording_id=each), None, 0)
        store.amend(each, lambda row: begin_attempt(row, "7", after(1)))
    assert sorted(store.claimants(CNAME, "7")) == sorted(ids)


def test_a_row_is_deleted_only_as_it_was_read(store: RecordingStore) -> None:
    row = store.create(requested(), None, 0)
    store.note(RECORDING_ID, Note(after(1), "a", "meanwhile"))
    assert not store.delete(row)
    assert store.delete(store.get(RECORDING_ID))
    assert store.delete(row)
    with pytest.raises(RecordingNotFoundError):
        store.get(RECORDING_ID)


def test_a_lease_on_a_recording_ends_by_itself(store: RecordingStore, client: Any) -> None:
    lease = store.late_lease(RECORDING_ID, lambda: after(0))
    assert not lease.is_taken()
    assert lease.take(60)
    assert lease.is_taken()
    key = to_item({"PK": f"REC#{RECORDING_ID}", "SK": "LATE"})
    item = from_item(client.get_item(TableName=TABLE, Key=key)["Item"])
    assert item["expiresAt"] == after(60) // 1000 + 86_400
    lease.release()
    assert not lease.is_taken()


# --- the state machine's own write ---------------------------------------------------------------


def _park(client: Any, token: str = "token") -> None:
    request = filled(PARK, {"recordingId": RECORDING_ID}, token)
    client.update_item(**{**request, "TableName": TABLE})


def test_parking_writes_the_token_and_a_new_version(store: RecordingStore, client: Any) -> None:
    _put(client, recording())
    _park(client)
    assert store.get(RECORDING_ID) == recording(task_token="token", version=2)


@pytest.mark.parametrize(
    "row",
    [recording(stop_reason="STOP_REQUESTED"), ended("DIED"), recording(recording_id=_id(1))],
    ids=["stop asked", "session over", "no row"],
)
def test_nobody_parks_with_a_reason_to_go_on(client: Any, row: Recording) -> None:
    _put(client, row)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        _park(client)


def test_parking_makes_a_change_begin_anew(store: RecordingStore, client: Any) -> None:
    _put(client, recording())
    parks = [lambda: _park(client)]

    def change(row: Recording) -> Recording:
        if parks:
            parks.pop()()
        return ask_to_stop(row, "STOP_REQUESTED", after(60))

    assert store.amend(RECORDING_ID, change).task_token == "token"


# --- many recordings -----------------------------------------------------------------------------


def _listed(store: RecordingStore, **wanted: Any) -> list[int]:
    """Page through to the end; return the numbers of the recordings."""
    numbers = {_id(number): number for number in range(20)}
    found, cursor = [], None
    while True:
        page = store.page(limit=2, after=cursor, **wanted)
        assert len(page.recordings) <= 2
        found += [numbers[row.recording_id] for row in page.recordings]
        cursor = page.cursor
        if cursor is None:
            return found


def test_recordings_are_listed_newest_first(store: RecordingStore, client: Any) -> None:
    _put(client, *[requested(recording_id=_id(number)) for number in range(5)])
    _put(client, requested(recording_id=_id(9), created_ms=after(90_000), cname="other"))
    assert _listed(store) == [9, 4, 3, 2, 1, 0]
    assert _listed(store, cname=CNAME) == [4, 3, 2, 1, 0]
    assert _listed(store, cname="other") == [9]
    assert _listed(store, cname="nobody's") == []


def test_recordings_of_a_status_are_listed(store: RecordingStore, client: Any) -> None:
    for number in range(9):
        row = uploading if number % 3 else recording
        _put(client, row(recording_id=_id(number)))
    assert _listed(store, cname=CNAME, status="recording") == [6, 3, 0]
    assert _listed(store, status="recording") == [6, 3, 0]
    assert _listed(store, status="completed") == []


@pytest.mark.parametrize("wanted", [{}, {"cname": CNAME}, {"status": "recording"}])
def test_a_page_with_a_cursor_is_full_and_one_more_follows(
    store: RecordingStore, client: Any, wanted: Any
) -> None:
    for number in range(4):
        _put(client, recording(recording_id=_id(number)))
    first = store.page(limit=3, **wanted)
    assert len(first.recordings) == 3
    rest = store.page(limit=3, after=first.cursor, **wanted)
    assert len(rest.recordings) == 1
    assert rest.cursor is None
    assert store.page(limit=4, **wanted).cursor is None


# --- what else uses the table --------------------------------------------------------------------


def test_a_lease_is_a_conditional_write(client: Any) -> None:
    clock = Clock(NOW_MS)
    one, other = Lease(TABLE, client, clock), Lease(TABLE, client, clock)
    assert one.take(60) == 1
    assert other.take(60) is None
    clock.advance(61)
    assert other.take(60) == 2
    one.release()
    assert one.take(60) is None
    other.release()
    assert one.take(60) == 3


def test_slots_of_the_limiter_are_conditional_writes(client: Any) -> None:
    clock = Clock(NOW_MS)
    limiter = Limiter(TABLE, calls_per_second=8, client=client, now_ms=clock, sleep=lambda _: None)
    assert limiter.take(2) == [NOW_MS, NOW_MS + 125]
    assert limiter.take() == [NOW_MS + 250]
    with pytest.raises(RateLimitedError):
        limiter.take()
    assert limiter.take(patience_s=1) == [NOW_MS + 375]


def test_a_transaction_is_all_or_nothing(client: Any) -> None:
    _put(client, recording())
    puts = [
        {
            "Put": {
                "TableName": TABLE,
                "Item": to_item({"PK": key, "SK": "META"}),
                "ConditionExpression": "attribute_not_exists(PK)",
            }
        }
        for key in ("REC#new", f"REC#{RECORDING_ID}")
    ]
    with pytest.raises(client.exceptions.TransactionCanceledException) as refusal:
        client.transact_write_items(TransactItems=puts)
    reasons = refusal.value.response["CancellationReasons"]
    assert [each["Code"] for each in reasons] == ["None", "ConditionalCheckFailed"]
    key = to_item({"PK": "REC#new", "SK": "META"})
    assert "Item" not in client.get_item(TableName=TABLE, Key=key)


def test_a_condition_that_fails_can_tell_what_is_there(client: Any) -> None:
    key = to_item({"PK": "LIMITER", "SK": "LIMITER"})
    client.put_item(TableName=TABLE, Item={**key, "nextMs": {"N": "5"}})
    with pytest.raises(ClientError) as refusal:
        client.update_item(
            TableName=TABLE,
            Key=key,
            UpdateExpression="SET nextMs = :one",
            ConditionExpression="nextMs BETWEEN :one AND :two",
            ExpressionAttributeValues=to_item({":one": 1, ":two": 2}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    response: Any = refusal.value.response
    assert from_item(response["Item"])["nextMs"] == 5


def test_an_index_shows_what_it_is_declared_to_show(client: Any) -> None:
    _put(client, recording())

    def shown(index: str, name: str, value: str) -> set[str]:
        (item,) = client.query(
            TableName=TABLE,
            IndexName=index,
            KeyConditionExpression=f"{name} = :value",
            ExpressionAttributeValues=to_item({":value": value}),
        )["Items"]
        return set(item)

    row = row_of(recording(), TIMINGS)
    due = {"PK", "SK", "dueShard", "dueKey"}
    assert shown("by_due", "dueShard", row["dueShard"]) == due
    assert shown("by_cname", "channel", CNAME) == {"PK", "SK", "channel", "recordingId", "status"}

"""Applying notifications: into their session, then into its recording, and wake who must know."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given as holding
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.errors import WriteConflictError
from agora_recording.life.sessions import KEPT_S, SessionStore
from agora_recording.life.store import RecordingStore
from agora_recording.notifications.effects import merge
from agora_recording.notifications.facts import NOTHING, SessionFacts
from agora_recording.recording.adopting import fitting
from agora_recording.recording.hearing import applied
from agora_recording.recording.model import RANK, Candidate, Recording, begin_attempt
from tests.world import webhook
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    acquired,
    after,
    attempt,
    ended,
    heard,
    plain,
    recording,
    recordings,
    reply,
    requested,
    running,
    starting,
    uploading,
)
from tests.world.errors import error
from tests.world.webhook import SID, UID
from tests.world.world import World

OTHER_SID = "1" * 32
LOST = requested(status="starting", attempt=acquired())  # its start was never answered


class Room(World):
    """The stream's room, beside recordings of which one may be parked."""

    def __init__(self, *rows: Recording) -> None:
        super().__init__(*rows, now_ms=after(300))
        self.machine.tokens = {"token"}

    def session(self, sid: str = SID) -> dict[str, Any]:
        return self.table.row(f"SESSION#{sid}", "SESSION")

    def apply(self, *records: dict[str, Any]) -> list[str]:
        return self.parts.applier.apply(records)


def _owned_room(row: Recording) -> Room:
    """A room in which the session is known to be the recording's."""
    room = Room(row)
    room.parts.sessions.adopt(SID, RECORDING_ID, CNAME)
    return room


# --- sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("store", [SessionStore, RecordingStore])
def test_a_row_that_others_write_in_every_try_is_no_poison(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is delivered again, when the others have done."""
    room = _owned_room(recording())

    def lose(*_: Any) -> None:
        raise WriteConflictError("others were faster")

    with monkeypatch.context() as patch:
        patch.setattr(store, "amend", lose)
        assert room.apply(heard(11, {"exitStatus": 0}, place="7")) == ["7"]
    assert room.queue.messages == []
    assert room.apply(heard(11, {"exitStatus": 0}, place="7")) == []
    assert room.row.session_end == "EXITED"


def test_a_session_nobody_knows_is_kept() -> None:
    room = Room()
    assert room.apply(heard(40, {"status": 0})) == []
    session = room.session()
    assert (session["cname"], session["uid"]) == (CNAME, UID)
    assert "recordingId" not in session
    assert session["facts"]["startedMs"]


def test_the_first_uid_of_a_session_stands() -> None:
    room = Room()
    room.apply(heard(40, {"status": 0}), heard(33, {"progress": 9}, sequence=1, uid="77"))
    assert room.session()["uid"] == UID
    assert set(room.session()["facts"]["uids"]) == {UID, "77"}


def test_a_batch_of_a_session_is_one_write() -> None:
    room = _owned_room(recording())
    before = room.session()["version"]
    room.apply(*[heard(33, {"progress": n}, sequence=n) for n in range(5)])
    assert room.session()["version"] == before + 1


# --- what a notification does to its recording ---------------------------------------------------


def test_a_sign_of_life_is_remembered() -> None:
    room = _owned_room(recording())
    room.apply(heard(33, {"progress": 4000}, at_ms=after(290)))
    assert room.row.last_seen_ms == after(290)
    assert (room.row.upload.state, room.row.upload.progress) == ("uploading", 4000)
    assert room.machine.sent == []


def test_a_sign_of_life_from_the_future_is_one_of_now() -> None:
    facts = merge(NOTHING, webhook.event(33, at_ms=after(900)))
    row = applied(recording(), SID, facts, after(300), gap=False)
    assert row.last_seen_ms == after(300)


@pytest.mark.parametrize(("at_s", "since_s"), [(99, 100), (130, None), (900, None)])
def test_a_session_given_up_that_is_heard_again_was_not_gone_until_then(
    at_s: int, since_s: int | None
) -> None:
    lost = running(1, end="TAKEN_OVER", gone_ms=after(100), gone_last_ms=after(120))
    row = recording(past_attempts=[lost], attempt=running(2, sid=OTHER_SID))
    facts = merge(NOTHING, webhook.event(33, at_ms=after(at_s)))
    told = applied(row, SID, facts, after(300), gap=False)
    assert told == replace(row, past_attempts=[replace(lost, gone_ms=since_s and after(since_s))])
    assert applied(told, SID, facts, after(300), gap=False) == told


@pytest.mark.parametrize(
    ("event", "details", "end"),
    [
        (11, {"exitStatus": 0}, "EXITED"),
        (11, {"exitStatus": 1}, "EXITED_ABNORMALLY"),
        (41, {"leaveCode": 4}, "IDLE"),
        (71, {"code": 0}, "STOPPED"),
        (71, {"code": 1}, "WEB_MAX_DURATION"),
        (71, {"code": 5}, "WEB_FAILED"),
        (72, {"limitType": "WebGL"}, "WEB_FAILED"),
    ],
)
def test_an_end_wakes_the_execution(event: int, details: dict[str, Any], end: str) -> None:
    room = _owned_room(recording(task_token="token"))
    room.apply(heard(event, details))
    assert room.row.session_end == end
    assert room.machine.sent == [("token", {"reason": end})]
    assert room.kinds == ["notified"]


def test_an_exit_after_our_stop_is_a_stop() -> None:
    room = _owned_room(recording(stop_reason="STOP_REQUESTED"))
    room.apply(heard(11, {"exitStatus": 0}))
    assert room.row.session_end == "STOPPED"


@pytest.mark.parametrize(
    ("event", "details"),
    [(1, {"errorLevel": 5}), (41, {"leaveCode": 8}), (12, {"newUid": 77})],
)
def test_a_doubt_asks_for_a_query_and_ends_nothing(event: int, details: dict[str, Any]) -> None:
    room = _owned_room(recording(task_token="token"))
    room.apply(heard(event, details, at_ms=after(290)))
    assert room.row.session_end is None
    assert room.row.gap_seen
    assert room.machine.sent == []


def test_a_doubt_from_before_the_last_query_is_settled() -> None:
    room = _owned_room(recording(queried_ms=after(295)))
    room.apply(heard(12, {"newUid": 77}, at_ms=after(290)))
    assert not room.row.gap_seen


def test_a_gap_that_opens_asks_for_a_query_once() -> None:
    room = _owned_room(recording())
    room.apply(heard(40, {"status": 0}, sequence=0))
    assert not room.row.gap_seen
    room.apply(heard(45, {"fileName": "a.jpg"}, sequence=2))
    assert room.row.gap_seen
    room.add(recording())
    room.apply(heard(45, {"fileName": "b.jpg"}, sequence=3))
    assert not room.row.gap_seen


def test_where_event_33_comes_a_gap_asks_for_nothing() -> None:
    room = _owned_room(recording())
    room.apply(heard(40, {"status": 0}, sequence=0))
    assert not room.row.beats
    room.apply(heard(33, {"progress": 1}, sequence=2))
    assert room.row.beats
    assert not room.row.gap_seen
    assert not begin_attempt(room.row, "8", after(101)).beats, "the next session has to show it"


def test_late_events_of_an_earlier_session_change_nothing() -> None:
    died = ended("DIED", attempt=running(end="DIED", ended_ms=after(100)))
    row = begin_attempt(died, "8", after(101))
    room = _owned_room(row)
    room.apply(heard(33, {"progress": 9}), heard(11, {"exitStatus": 0}, sequence=1))
    assert room.row == row
    assert room.session()["facts"]["ends"] == {UID: "EXITED"}


def test_the_end_of_an_orphan_is_noted() -> None:
    orphan = running(1, end="NOT_CONFIRMED")
    room = _owned_room(recording(past_attempts=[orphan], attempt=running(2, sid=OTHER_SID)))
    room.apply(heard(11, {"exitStatus": 0}))
    assert room.row.orphans == []
    assert room.row.session_end is None


def test_an_orphan_that_was_the_last_attempt_can_end_too() -> None:
    row = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"), status="failed")
    room = _owned_room(row)
    room.apply(heard(11, {"exitStatus": 0}))
    assert room.row.orphans == []
    assert room.row.status == "failed"


# --- adoption ------------------------------------------------------------------------------------


def _facts(seconds: float, *uids: str) -> SessionFacts:
    facts = NOTHING
    for number, uid in enumerate(uids):
        facts = merge(facts, webhook.event(33, uid=uid, sequence=number, at_ms=after(seconds)))
    return facts


def test_a_session_belongs_to_the_attempt_that_has_its_sid() -> None:
    assert fitting(recording(), SID, NOTHING) == 1
    assert fitting(recording(), OTHER_SID, _facts(9, "77")) is None


def test_an_unknown_session_belongs_to_the_attempt_that_never_learnt_its_sid() -> None:
    assert fitting(LOST, SID, _facts(2, UID)) == 1
    assert fitting(LOST, SID, _facts(2, "77")) is None
    assert fitting(LOST, SID, NOTHING) is None


def test_a_session_is_recognised_after_a_failover_has_changed_its_uid() -> None:
    assert fitting(LOST, SID, _facts(2, "77", UID)) == 1


def test_a_session_from_before_the_attempt_is_anothers() -> None:
    assert fitting(LOST, SID, _facts(-29.5, UID)) is None
    # Clocks differ.
    assert fitting(LOST, SID, _facts(-29, UID)) == 1


def test_an_attempt_without_a_resource_cannot_have_a_session() -> None:
    assert fitting(requested(attempt=attempt()), SID, _facts(2, UID)) is None


def test_of_two_attempts_the_later_is_meant() -> None:
    row = requested(past_attempts=[acquired(1)], attempt=acquired(2, begun_ms=after(50)))
    assert fitting(row, SID, _facts(60, UID)) == 2
    assert fitting(row, SID, _facts(15, UID)) == 1


def _candidate(number: int = 1) -> Candidate:
    return Candidate(sid=SID, number=number, heard_ms=after(300))


def test_a_session_that_a_lost_start_may_have_made_is_a_candidate_and_no_more() -> None:
    room = Room(LOST)
    room.apply(heard(40, {"status": 0}, at_ms=after(3)))
    assert replace(room.row, version=1) == replace(LOST, candidates=[_candidate()])
    assert "recordingId" not in room.session()
    assert room.kinds == ["heard"]
    room.apply(heard(33, {"progress": 1}, sequence=1, at_ms=after(60)))
    assert room.row.candidates == [_candidate()]
    assert room.kinds == ["heard"]


def test_a_session_is_a_candidate_of_a_start_that_was_given_up_too() -> None:
    given_up = acquired(end="START_FAILED", ended_ms=after(30))
    room = Room(recording(past_attempts=[given_up], attempt=running(2, sid=OTHER_SID, uid="8")))
    room.apply(heard(40, {"status": 0}, at_ms=after(3)))
    assert room.row.candidates == room.row.open_questions == [_candidate()]
    assert room.row.sids == [OTHER_SID]


def test_a_session_is_a_candidate_of_everyone_whom_it_fits() -> None:
    others = [replace(LOST, recording_id=f"{number:026}") for number in range(30)]
    room = Room(LOST, *others)
    room.apply(heard(40, {"status": 0}, at_ms=after(3)))
    for each in (LOST, *others):
        assert room.parts.store.get(each.recording_id).candidates == [_candidate()]


def test_a_session_whose_start_is_just_being_answered_is_recognised() -> None:
    """The recording knows the sid, the session does not know the recording yet."""
    room = Room(starting())
    room.apply(heard(33, {"progress": 1}, at_ms=after(290)))
    assert room.session()["recordingId"] == RECORDING_ID
    assert room.row.last_seen_ms == after(290)


def test_a_session_that_was_given_to_a_recording_gives_it_its_sid() -> None:
    """An operator gave it: that is trusted."""
    room = _owned_room(LOST)
    room.apply(heard(40, {"status": 0}, at_ms=after(3)))
    assert room.row.sid == SID


def test_a_session_that_nobody_owns_ends_by_itself_and_one_that_is_owned_does_not() -> None:
    room = Room()
    room.apply(heard(40, {"status": 0}))
    assert room.session()["expiresAt"] == after(300) // 1000 + KEPT_S
    room.apply(heard(33, {"progress": 1}, sequence=1))
    assert room.session()["expiresAt"] == after(300) // 1000 + KEPT_S
    room.parts.sessions.adopt(SID, RECORDING_ID, CNAME)
    assert "expiresAt" not in room.session()


def test_an_event_of_a_session_that_was_deleted_changes_nothing() -> None:
    room = Room(LOST)
    room.parts.sessions.bury(SID, after(1))
    before = room.session()
    assert room.apply(heard(40, {"status": 0}, at_ms=after(3))) == []
    assert room.session() == before
    assert room.row == LOST
    assert room.queue.messages == []


@pytest.mark.parametrize(
    "row",
    [
        requested(),
        requested(attempt=attempt()),
        requested(cname="another", attempt=acquired()),
        requested(attempt=acquired(uid="77")),
        recording(attempt=running(sid=OTHER_SID)),
    ],
)
def test_a_session_of_nobody_is_adopted_by_nobody(row: Recording) -> None:
    room = Room(row)
    room.apply(heard(40, {"status": 0}, at_ms=after(3)))
    assert room.row == row
    assert "recordingId" not in room.session()


# --- failures ------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_put_aside() -> None:
    room = _owned_room(recording())
    broken = heard(33, place="7")
    del broken["dynamodb"]["NewImage"]["receivedMs"]
    assert room.apply(broken, heard(33, {"progress": 5}, sequence=1)) == []
    (message,) = room.queue.messages
    assert (message["PK"], message["SK"]) == (f"SID#{SID}", f"EVT#33#{UID}#0000000000")
    assert message["error"] == "KeyError"
    assert room.row.upload.progress == 5


def test_what_cannot_be_applied_is_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    room = _owned_room(recording())

    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr(RecordingStore, "amend", fail)
    assert room.apply(heard(33), heard(33, sequence=1)) == []
    assert [each["error"] for each in room.queue.messages] == ["KeyError"] * 2


def test_an_event_that_meets_the_deletion_of_its_recording_is_let_go() -> None:
    room = Room()
    room.parts.sessions.adopt(SID, "01HF7YAT00000000000000GONE", CNAME)
    assert room.apply(heard(33), heard(33, sequence=1)) == []
    assert room.queue.messages == []


def test_what_may_succeed_later_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    room = _owned_room(recording())

    def refuse(*_: Any) -> None:
        raise error("ThrottlingException")

    monkeypatch.setattr(SessionStore, "amend", refuse)
    failed = room.apply(heard(33, place="1"), heard(33, place="2", sequence=1))
    assert failed == ["1", "2"]
    assert room.queue.messages == []


def test_what_the_table_will_never_take_is_put_aside_at_once_and_alone() -> None:
    room = _owned_room(recording())
    whole = room.table.put_item

    def put(**request: Any) -> None:
        if "x.mp4" in repr(request["Item"].get("facts")):
            raise error("ValidationException")
        whole(**request)

    room.table.put_item = put  # type: ignore[method-assign]
    events = [
        heard(33, {"progress": 5}, place="1"),
        heard(31, {"status": 0, "fileList": "x.mp4"}, place="2", sequence=1),
        heard(33, {"progress": 7}, place="3", sequence=2),
    ]
    assert room.apply(*events) == []
    assert room.row.upload.progress == 7
    (message,) = room.queue.messages
    assert (message["SK"], message["error"]) == (f"EVT#31#{UID}#0000000001", "WriteRefusedError")


def test_a_session_that_fails_does_not_keep_others_from_being_applied() -> None:
    room = _owned_room(recording(task_token="token"))

    def refuse(**_: Any) -> None:
        raise ConnectTimeoutError(endpoint_url="https://states")

    room.machine.send_task_success = refuse  # type: ignore[method-assign]
    failed = room.apply(
        heard(11, {"exitStatus": 0}, place="1"), heard(40, place="2", sid=OTHER_SID)
    )
    assert failed == ["1"]
    assert room.session(OTHER_SID)


def test_what_comes_again_wakes_whom_it_did_not() -> None:
    room = _owned_room(ended("EXITED", task_token="token"))
    assert room.apply(heard(11, {"exitStatus": 0})) == []
    assert room.machine.sent == [("token", {"reason": "EXITED"})]


# --- rules ---------------------------------------------------------------------------------------

EVENTS = [
    heard(40, {"status": 0}, place="0", sequence=0, at_ms=after(3)),
    heard(33, {"progress": 3000}, place="1", sequence=1, at_ms=after(60)),
    heard(33, {"progress": 9000}, place="2", sequence=2, at_ms=after(120)),
    heard(31, {"status": 0}, place="3", sequence=3, at_ms=after(290)),
    heard(11, {"exitStatus": 0}, place="4", sequence=4, at_ms=after(280)),
]
# What an order may leave its mark on: the instants of our own clock, and hints for the sweeper.
_HINTS = ("lastSeenMs", "gapSeen", "version")


def _told(row: Recording, order: Any) -> dict[str, Any]:
    room = Room(row)
    for each in order:
        room.apply(each)
    if row.sid is None:
        room.agora.then(reply("query", sid=SID, serverResponse={"status": 5}))
        room.parts.adopter.settle(RECORDING_ID)
    return {**plain(room.row, *_HINTS), "session": room.session()["facts"]}


@pytest.mark.parametrize("row", [recording(), LOST], ids=["known", "lost"])
def test_any_order_of_the_same_events_gives_the_same_row(row: Recording) -> None:
    expected = _told(row, EVENTS)
    assert expected["sessionEnd"] == "EXITED"
    assert expected["upload"]["state"] == "uploaded"
    for order in permutations(EVENTS):
        assert _told(row, order) == expected


@holding(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=12))
def test_duplicates_change_nothing(order: list[dict[str, Any]]) -> None:
    once = list({each["dynamodb"]["SequenceNumber"]: each for each in order}.values())
    assert _told(recording(), order) == _told(recording(), once)


@holding(recordings(), st.sampled_from([(33, {}), (11, {"exitStatus": 0}), (12, {})]))
def test_no_notification_moves_a_row_back(row: Recording, event: tuple[int, Any]) -> None:
    facts = merge(NOTHING, webhook.event(*event, at_ms=after(3000)))
    told = applied(row, SID, facts, after(4000), gap=True)
    assert RANK[told.status] >= RANK[row.status]
    assert row.session_end in (None, told.session_end)
    assert set(row.sids) <= set(told.sids)
    assert applied(told, SID, facts, after(4000), gap=True) == told


def test_a_recording_that_is_over_still_learns_of_its_upload() -> None:
    room = _owned_room(uploading(status="completed"))
    room.apply(heard(31, {"status": 0}))
    assert room.row.upload.state == "uploaded"
    assert room.row.status == "completed"

"""Whose session is it? Only Agora can tell: by what a start answered, or by a query with the
attempt's own resourceId.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.agora.reply import Reply
from agora_recording.errors import RateLimitedError
from agora_recording.life import watch_recordings
from agora_recording.life.sessions import KEPT_S
from agora_recording.notifications.effects import merge
from agora_recording.notifications.facts import NOTHING, SessionFacts
from agora_recording.recording.adopting import finding, fitting, nominated, refuted, unaccounted
from agora_recording.recording.due import due, expiry_ms
from agora_recording.recording.looking import choose_look
from agora_recording.recording.model import Attempt, Candidate, Recording
from tests.world import webhook
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    RESOURCE_ID,
    TIMINGS,
    acquired,
    after,
    attempt,
    ended,
    heard,
    recording,
    reply,
    requested,
    running,
    silence,
    starting,
)
from tests.world.faults import Faults
from tests.world.house import House
from tests.world.live_agora import AgoraSession
from tests.world.threads import OneThread
from tests.world.webhook import SID, UID
from tests.world.world import World

OTHER_SID = "1" * 32
NEXT_ID = "0" * 26
ASKED = Candidate(sid=SID, number=1, heard_ms=after(3))
LOST = requested(status="starting", attempt=acquired(), candidates=[ASKED])
GIVEN_UP = ended(
    "STOPPED",
    status="failed",
    attempt=acquired(end="STOPPED", ended_ms=after(3)),
    candidates=[ASKED],
)
RUNS = reply("query", sid=SID, serverResponse={"status": 5})
GONE = reply("query", 404, code=404)


def _facts(*events: tuple[int, dict[str, Any]]) -> SessionFacts:
    facts = NOTHING
    for number, (event, details) in enumerate(events):
        facts = merge(facts, webhook.event(event, details, sequence=number, at_ms=after(3)))
    return facts


BEGUN = _facts((40, {"status": 0}))
OVER = _facts((40, {"status": 0}), (11, {"exitStatus": 0}))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_recordings, "ThreadPoolExecutor", OneThread)


# --- what Agora's answer says --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "facts", "found"),
    [
        (RUNS, BEGUN, "its own"),
        (RUNS, OVER, "its own"),  # it knows the pair: the end is a matter of the next query
        (reply("query", 200, sid=SID, serverResponse={"status": 6}), BEGUN, "its own"),
        (reply("query", 400, code=501), BEGUN, "its own"),
        (reply("query", 400, code=1003), BEGUN, "not its own"),
        (reply("query", 400, code=432), BEGUN, "not its own"),
        (reply("query", 400, code=1001), BEGUN, "not its own"),  # the resourceId is none
        (GONE, BEGUN, "not known yet"),  # perhaps a failover
        (GONE, OVER, "not its own"),
        (reply("query", 401), BEGUN, "not known yet"),
        (reply("query", 429), BEGUN, "not known yet"),
        (reply("query", 503), OVER, "not known yet"),
        (silence("query"), OVER, "not known yet"),
    ],
)
def test_only_agoras_answer_decides(answer: Reply, facts: SessionFacts, found: str) -> None:
    assert finding(LOST, ASKED, facts, answer, after(100), TIMINGS) == found


def test_what_agora_cannot_answer_any_more_is_not_asked_for_ever() -> None:
    end = expiry_ms(LOST, acquired(), TIMINGS)
    assert finding(LOST, ASKED, BEGUN, GONE, end - 1, TIMINGS) == "not known yet"
    assert finding(LOST, ASKED, BEGUN, GONE, end, TIMINGS) == "not its own"


@pytest.mark.parametrize(
    ("tried", "number"),
    [
        (acquired(), 1),
        (acquired(uid="another"), None),
        (attempt(), None),  # it was never started
        (acquired(sid=OTHER_SID), None),
        # Our clock may be behind Agora's, but not by more than that.
        (acquired(begun_ms=after(3 + 30)), 1),
        (acquired(begun_ms=after(3 + 30) + 1), None),
    ],
)
def test_a_session_fits_a_start_of_its_uid_that_was_not_answered_and_began_before_it(
    tried: Attempt, number: int | None
) -> None:
    assert fitting(requested(attempt=tried), SID, BEGUN) == number


def test_a_session_is_nominated_once_even_after_it_was_refuted() -> None:
    row = replace(LOST, candidates=[])
    once = nominated(row, SID, BEGUN, after(3))
    assert once == LOST
    assert nominated(once, SID, BEGUN, after(4)) == once
    gone = refuted(once, SID, after(5))
    assert nominated(gone, SID, BEGUN, after(6)) == gone
    assert refuted(gone, SID, after(7)) == gone


def test_candidates_are_few_and_the_refuted_make_room() -> None:
    row = replace(LOST, candidates=[])
    for number in range(9):
        row = nominated(row, f"{number:032}", BEGUN, after(3))
    assert [each.sid[-1] for each in row.candidates] == list("01234567")
    row = refuted(row, f"{2:032}", after(4))
    row = nominated(row, f"{8:032}", BEGUN, after(5))
    assert [each.sid[-1] for each in row.candidates] == list("01345678")


def test_what_is_being_deleted_gets_no_candidates() -> None:
    row = replace(GIVEN_UP, candidates=[], deleting_ms=after(9))
    assert nominated(row, SID, BEGUN, after(10)) == row


# --- when it is asked ----------------------------------------------------------------------------


def test_while_a_start_goes_on_it_asks_itself() -> None:
    assert LOST.open_questions == []
    assert due(LOST, TIMINGS) == due(replace(LOST, candidates=[]), TIMINGS)


def test_of_a_start_that_was_given_up_the_sweeper_asks_at_once_then_less_and_less_often() -> None:
    assert due(GIVEN_UP, TIMINGS) == (1, after(3))
    assert choose_look(GIVEN_UP, after(3), TIMINGS) == "ask whose it is"
    looks, row = 0, GIVEN_UP
    while (look := due(row, TIMINGS)) and look[1] < after(48 * 3600):
        row, looks = replace(row, looked_ms=look[1]), looks + 1
    assert 50 < looks < 100
    assert due(refuted(GIVEN_UP, SID, after(4)), TIMINGS) is None


# --- asking --------------------------------------------------------------------------------------


class Room(World):
    """Agora's answers, beside a recording with a candidate."""

    def __init__(self, row: Recording, *answers: Any) -> None:
        super().__init__(row, script=answers, now_ms=after(60))

    def hear(self, *events: dict[str, Any]) -> None:
        self.parts.applier.apply(events)


def test_a_session_that_agora_confirms_is_adopted_with_all_that_was_heard_of_it() -> None:
    room = Room(replace(LOST, candidates=[]), RUNS)
    room.hear(heard(40, {"status": 0}, at_ms=after(3)))
    room.hear(heard(33, {"progress": 9}, sequence=1, at_ms=after(50)))
    assert room.row.sid is None
    room.parts.adopter.settle(RECORDING_ID)
    row = room.parts.store.get(RECORDING_ID)
    assert (row.sid, row.last_seen_ms) == (SID, after(50))
    assert row.candidates == []
    ((endpoint, call),) = room.agora.calls
    assert (endpoint, call["resource_id"], call["sid"]) == ("query", RESOURCE_ID, SID)
    session = room.parts.sessions.get(SID)
    assert (session.recording_id, session.expires_at) == (RECORDING_ID, None)
    assert room.kinds == ["adopted", "heard"]


def test_a_session_that_agora_does_not_know_with_the_resource_is_not_adopted() -> None:
    room = Room(LOST, reply("query", 400, code=1003))
    room.parts.adopter.settle(RECORDING_ID)
    assert room.row.sid is None
    assert room.row.candidates == [replace(ASKED, refuted_ms=after(60))]
    assert room.kinds == ["refuted"]
    room.parts.adopter.settle(RECORDING_ID)  # asks nobody again


@pytest.mark.parametrize("taken", ["by another", "deleted"])
def test_a_session_that_is_anothers_is_refuted_without_a_call(taken: str) -> None:
    room = Room(LOST)
    if taken == "deleted":
        room.parts.sessions.bury(SID, after(9))
    else:
        room.parts.sessions.adopt(SID, NEXT_ID, CNAME)
    room.parts.adopter.settle(RECORDING_ID)
    assert room.agora.calls == []
    assert room.row.candidates[0].refuted_ms


def test_without_a_slot_the_question_stays_open() -> None:
    room = Room(LOST, RateLimitedError("booked"))
    with pytest.raises(RateLimitedError):
        room.parts.adopter.settle(RECORDING_ID)
    assert room.row == LOST


def test_what_a_start_answers_beats_an_adoption_and_the_other_session_is_stopped() -> None:
    room = Room(recording())
    row = room.parts.adopter.answered(room.row, 1, OTHER_SID)
    assert row.sid == OTHER_SID
    assert [each.sid for each in row.orphans] == [SID]
    assert room.kinds == ["orphan", "started"]
    room.agora.then(reply("stop", sid=SID, serverResponse={}))
    room.parts.sweeper.look(RECORDING_ID)
    assert room.row.orphans == []
    assert room.agora.calls[-1][1]["sid"] == SID


def test_a_repeated_answer_changes_nothing() -> None:
    room = Room(requested(status="starting", attempt=acquired()))
    row = room.parts.adopter.answered(room.row, 1, SID)
    assert room.parts.adopter.answered(room.row, 1, SID) == row


def test_the_stop_of_a_start_whose_answer_was_lost_stops_its_session() -> None:
    room = Room(
        replace(LOST, stop_reason="STOP_REQUESTED", stop_ms=after(5)),
        RUNS,
        reply("stop", sid=SID, serverResponse={}),
    )
    assert room.parts.stopper.stop(RECORDING_ID)["next"] == "await upload"
    assert room.agora.endpoints == ["query", "stop"]
    assert (room.row.session_end, room.row.orphans) == ("STOPPED", [])


# --- what may run unknown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "may_run"),
    [
        (requested(), False),
        (requested(attempt=attempt()), False),
        (requested(attempt=acquired()), True),
        (requested(attempt=acquired(never_started=True)), False),
        (starting(), False),
        (recording(past_attempts=[acquired(end="START_FAILED")], attempt=running(2)), True),
    ],
)
def test_a_start_that_agora_did_not_answer_may_have_a_session(
    row: Recording, may_run: bool
) -> None:
    assert bool(unaccounted(row, after(100), TIMINGS)) is may_run
    assert unaccounted(row, after(72 * 3600 + 1), TIMINGS) is None


# --- whole stories -------------------------------------------------------------------------------


def _again(uid: str = UID) -> Recording:
    """Return the app's next recording of the same channel, with the same uid."""
    return requested(recording_id=NEXT_ID, uid=uid, max_duration_seconds=1000, created_ms=after(0))


def _house(*, lose: int = 0, faults: Faults | None = None) -> House:
    house = House(requested(uid=UID, max_duration_seconds=1000), faults=faults)
    house.agora.lose = lose
    house.agora.late_s = 2
    return house


def _record_again(house: House) -> None:
    row = replace(_again(), created_ms=house.clock())
    house.add(row)
    house.begin(row)


def _rows(house: House) -> list[Recording]:
    return house.parts.store.get_all([RECORDING_ID, NEXT_ID])


def _assert_everything_has_its_place(house: House) -> None:
    """Nothing runs; each session is in the row that started it, or in none; nothing is left."""
    assert house.agora.running == []
    rows = _rows(house)
    for row in rows:
        assert row.is_terminal
        assert row.orphans == []
        assert row.open_questions == []
        for each in row.attempts:
            if each.sid:
                session = house.agora.sessions[each.sid]
                assert (session.resource_id, session.uid) == (each.resource_id, each.uid)
                owner = house.parts.sessions.get(each.sid).recording_id
                assert owner == row.recording_id
    assert not house.machine.open
    alive = {f"REC#{row.recording_id}" for row in rows}
    sids = {f"SESSION#{sid}" for row in rows for sid in row.sids}
    for (partition, _), item in house.table.items.items():
        assert partition in alive | sids | {"SWEEPER"} or "expiresAt" in item, partition
    for key in house.bucket.objects:
        assert f"REC#{key.split('/')[1]}" in alive, key


def test_a_recording_does_not_take_the_session_of_one_that_was_deleted() -> None:
    house = _house()
    house.begin()
    house.later(30, house.stop)
    # Its last notification, on its way since the stop, comes when the next attempt has begun.
    house.run(31)
    assert house.row.is_terminal
    assert house.delete()
    house.agora.lose = 1
    _record_again(house)
    house.run(60)
    first, second = house.agora.sessions.values()
    assert house.parts.store.get(NEXT_ID).sid == second.sid
    assert house.parts.sessions.get(first.sid).deleted_ms
    house.stop(NEXT_ID)
    house.run()
    _assert_everything_has_its_place(house)


def test_a_recording_does_not_take_the_session_of_a_lost_start_before_it() -> None:
    house = _house(lose=1)
    house.agora.late_s = 10
    house.begin()
    house.later(0.5, house.stop)
    house.run(9)
    assert house.row.status == "failed"
    _record_again(house)
    house.run(300)
    first = next(iter(house.agora.sessions.values()))
    assert first.ended_ms
    assert house.row.sids == [first.sid]
    assert first.sid not in house.parts.store.get(NEXT_ID).sids
    house.stop(NEXT_ID)
    house.run()
    assert house.parts.store.get(NEXT_ID).status == "completed"
    _assert_everything_has_its_place(house)


def test_thirty_lost_starts_of_one_channel_all_find_their_sessions() -> None:
    house = House(requested(stop_reason="STOP_REQUESTED"))
    house.agora.lose = 30
    house.agora.late_s = 300
    rows = [
        requested(recording_id=f"{number:026}", uid=f"{1000 + number}", max_duration_seconds=1000)
        for number in range(30)
    ]
    for row in rows:
        house.add(row)
        house.begin(row)
    house.run(240)
    for row in rows:
        house.stop(row.recording_id)
    house.run(3600)
    assert len(house.agora.sessions) >= 30
    assert house.agora.running == []
    owned = {sid for row in rows for sid in house.parts.store.get(row.recording_id).sids}
    assert owned == set(house.agora.sessions)


# --- every order of a late event, a start's answer, a stop and a delete --------------------------


class Meanwhile(Faults):
    """Lets something happen before one operation; nobody is killed."""

    act: Callable[[], None] = staticmethod(lambda: None)

    def kill(self) -> None:
        """Let it happen, in processes of its own."""
        self.at = None
        self.act()


Event = Callable[[House, AgoraSession], None]


def _tell(event: int, details: dict[str, Any], house: House, session: AgoraSession) -> None:
    record = heard(
        event,
        details,
        place=f"late-{event}",
        at_ms=max(session.started_ms, house.clock() - 2000),
        sequence=200 + event,
        sid=session.sid,
        uid=session.uid,
    )
    house.apply([record])


def _exit(house: House, session: AgoraSession) -> None:
    house.agora.end(session.sid, None)
    _tell(11, {"exitStatus": 0}, house, session)


EVENTS: dict[str, Event] = {
    "begin": partial(_tell, 40, {"status": 0}),
    "exit": _exit,
}


def _first_life(*, lose: bool, faults: Faults) -> House:
    """Return a house in which the first recording of the uid is over, and the next is there."""
    house = _house(lose=int(lose), faults=faults)
    house.agora.silent = True  # the test tells what is heard of the first session
    house.begin()
    house.later(0.5 if lose else 30, house.stop)
    house.run(4 if lose else 40)
    assert house.row.is_terminal
    return house


def _lives(event: Event, *, lose: bool, again: bool, mismatch: tuple[int, int]) -> Iterator[House]:
    """Live once for each order of event, stop and deletion, at the steps of the second start."""
    for turn, order in enumerate(permutations(range(3))):
        # Each order at every third step, so that each step meets two orders.
        for step in range(1 + turn % 3, 40, 3):
            faults = Meanwhile()
            house = _first_life(lose=lose, faults=faults)
            house.agora.mismatch = mismatch
            house.agora.silent = False
            house.agora.lose = int(again)
            first = next(iter(house.agora.sessions.values()))
            deeds: list[Callable[[], Any]] = [
                partial(event, house, first),
                partial(house.stop, NEXT_ID),
                house.delete,
            ]

            def act(house: House = house, deeds: Any = deeds, order: Any = order) -> None:
                for number in order:
                    deeds[number]()

            faults.act = act
            faults.at = faults.count + step
            _record_again(house)
            house.run(20)
            is_last = faults.at is not None
            if is_last:
                act()
            house.run(1200)
            house.delete()
            event(house, first)  # once more, much later
            house.run(3600)
            if any(row.open_questions for row in _rows(house)):
                house.run(80 * 3600)  # until Agora cannot answer any more
            house.delete()
            yield house
            if is_last:
                break


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("lose", [False, True], ids=["answered", "lost"])
@pytest.mark.parametrize("again", [False, True], ids=["then answered", "then lost"])
def test_every_order_of_event_answer_stop_and_deletion_gives_each_session_its_place(
    event: str, lose: bool, again: bool
) -> None:
    mismatch = (400, 1003) if event == "begin" else (404, 404)
    for house in _lives(EVENTS[event], lose=lose, again=again, mismatch=mismatch):
        _assert_everything_has_its_place(house)
        first = next(iter(house.agora.sessions.values()))
        for row in _rows(house):
            assert row.recording_id == RECORDING_ID or first.sid not in row.sids
        assert KEPT_S > 20 * 86_400

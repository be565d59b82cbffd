"""A process may die before or after any write or call: the recording still ends well.

Each life is told once without a crash, to count its operations; then once for each of them, with
the process that does it killed after it (or before it, where it is the process's first: before any
other one is the same as after its predecessor). What happens next is what AWS would do: the state
machine retries or catches, the stream brings its batch again, the sweeper comes each minute.

In every life, at every instant (tests/world/house.py): Agora is never asked to start what no row
names, and no status goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from agora_recording.life import watch_recordings
from tests.world.builders import requested
from tests.world.faults import Faults
from tests.world.house import APP_ID, House, assert_sound, certify
from tests.world.live_agora import AgoraSession
from tests.world.threads import OneThread

pytestmark = pytest.mark.slow


Story = Callable[[House], None]
Born = Callable[[House, AgoraSession], None]


def _the_app_stops_it(house: House) -> None:
    house.later(60, house.stop)


def _the_app_stops_it_at_once(house: House) -> None:
    house.later(2, house.stop)


def _the_answer_to_start_is_lost(house: House) -> None:
    house.agora.lose = 1
    house.later(60, house.stop)


def _the_answer_to_start_is_lost_and_it_is_stopped_meanwhile(house: House) -> None:
    house.agora.lose = 1
    house.later(0.5, house.stop)


def _everybody_leaves(house: House) -> None:
    def born(session: AgoraSession) -> None:
        house.later(30, partial(house.agora.end, session.sid, 41, leaveCode=4))

    house.agora.born = born


def _it_dies_and_says_so(house: House) -> None:
    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.later(30, partial(house.agora.end, session.sid, 11, exitStatus=1))

    house.agora.born = born
    house.later(60, house.stop)


def _it_dies_in_silence(house: House) -> None:
    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.later(30, partial(house.agora.end, session.sid, None))

    house.agora.born = born
    house.later(900, house.stop)


def _it_dies_and_nothing_is_ever_heard(house: House) -> None:
    _it_dies_in_silence(house)
    house.agora.silent = True


def _it_is_never_seen_to_record(house: House) -> None:
    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.agora.hidden.add(session.sid)
            house.later(200, partial(house.agora.hidden.discard, session.sid))

    house.agora.born = born
    house.later(300, house.stop)


def _the_stop_meets_a_failover(house: House) -> None:
    def born(session: AgoraSession) -> None:
        house.later(30, partial(house.agora.hidden.add, session.sid))
        house.later(70, partial(house.agora.hidden.discard, session.sid))

    house.agora.born = born
    house.later(40, house.stop)


def _its_files_take_a_while(house: House) -> None:
    house.agora.upload_s = 25
    house.later(60, house.stop)


def _its_files_take_long_and_nobody_says_when(house: House) -> None:
    house.agora.upload_s = 200
    house.agora.silent = True
    house.later(60, house.stop)


def _its_files_never_come(house: House) -> None:
    house.agora.files = False
    house.later(60, house.stop)


def _its_longest_duration_comes(house: House) -> None:
    pass


def _its_execution_is_killed(house: House) -> None:
    def kill() -> None:
        for execution in house.machine.open:
            house.machine.kill(execution.name)

    house.later(20, kill)
    house.later(60, house.stop)


def _it_is_in_doubt(house: House) -> None:
    """A failover is seen when it has lasted for a while, and ends while a successor starts.

    No failover lasts longer than 90 s (Agora), also if the successor is late.
    """

    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.later(150, partial(house.agora.hidden.add, session.sid))
            house.later(235, partial(house.agora.hidden.discard, session.sid))
        else:
            house.later(3, house.agora.hidden.clear)

    house.agora.born = born
    house.later(400, house.stop)


def _its_successor_cannot_start(house: House) -> None:
    """It dies in silence, and Agora refuses the successor that begins while that is in doubt."""
    _it_dies_in_silence(house)
    house.agora.refused_successors = 1


def _it_moves_to_another_server(house: House) -> None:
    """A failover of 60 s begins just before the session is asked after its first silence."""

    def asked(sid: str) -> None:
        if house.clock() > house.agora.sessions[sid].started_ms + 20_000:
            house.agora.asked = lambda _: None
            house.agora.hidden.add(sid)
            house.later(60, partial(house.agora.hidden.discard, sid))

    house.agora.asked = asked
    house.later(600, house.stop)


def _its_token_ends_and_a_successor_is_refused(house: House) -> None:
    _its_token_ends(house)
    house.agora.refused_successors = 1


def _its_token_ends(house: House) -> None:
    """Two hand-overs, of a project whose tokens are valid for 400 s."""
    certify(house)
    house.later(750, house.stop)


STORIES: dict[str, tuple[Story, str]] = {
    story.__name__.replace("_", " ").strip(): (story, end)
    for story, end in (
        (_the_app_stops_it, "STOP_REQUESTED"),
        (_the_app_stops_it_at_once, "STOP_REQUESTED"),
        (_the_answer_to_start_is_lost, "STOP_REQUESTED"),
        (_the_answer_to_start_is_lost_and_it_is_stopped_meanwhile, "STOP_REQUESTED"),
        (_everybody_leaves, "IDLE"),
        (_it_dies_and_says_so, "STOP_REQUESTED"),
        (_it_dies_in_silence, "STOP_REQUESTED"),
        (_it_dies_and_nothing_is_ever_heard, "STOP_REQUESTED"),
        (_it_is_never_seen_to_record, "STOP_REQUESTED"),
        (_the_stop_meets_a_failover, "STOP_REQUESTED"),
        (_its_files_take_a_while, "STOP_REQUESTED"),
        (_its_files_take_long_and_nobody_says_when, "STOP_REQUESTED"),
        (_its_files_never_come, "STOP_REQUESTED"),
        (_its_longest_duration_comes, "MAX_DURATION"),
        (_its_execution_is_killed, "STOP_REQUESTED"),
        (_it_is_in_doubt, "STOP_REQUESTED"),
        (_it_moves_to_another_server, "STOP_REQUESTED"),
        (_its_successor_cannot_start, "STOP_REQUESTED"),
        (_its_token_ends, "STOP_REQUESTED"),
        (_its_token_ends_and_a_successor_is_refused, "STOP_REQUESTED"),
    )
}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the operations of a sweep have an order, so that the n-th is always the same."""
    monkeypatch.setattr(watch_recordings, "ThreadPoolExecutor", OneThread)


def _life(story: Story, faults: Faults, crash_name: str = "Lambda.Unknown") -> House:
    house = House(
        requested(max_duration_seconds=1000),
        faults=faults,
        agora_app_id=APP_ID,
        token_s=400,
    )
    house.crash_name = crash_name
    story(house)
    house.begin()
    house.run()
    return house


def _crashes(whole: Faults) -> Iterator[Faults]:
    """Yield every place where a process of a life may die."""
    for number in range(1, whole.count + 1):
        yield Faults(number, after=True)
    for number in set(whole.firsts):
        yield Faults(number)


# The longest time without a session where one died in silence, with the loss of one process; else
# it is the time of a few retries. And the longest time of two sessions: a stop of the predecessor
# that met a failover is repeated when that would be over.
# A predecessor that was not asked while its successor tried to start may have moved meanwhile: then
# its absence begins anew.
SILENT_S = {"it dies in silence": 200, "its successor cannot start": 340}
RETRIES_S, TWO_S = 10, 240


def _assert_recorded(house: House, name: str) -> None:
    """Nobody recorded for a short time only, and two at a time for a short time only."""
    if house.agora.sessions and not house.agora.silent:
        assert house.agora.unrecorded_s <= SILENT_S.get(name, RETRIES_S)
        assert house.agora.doubled_s <= TWO_S


def _assert_owned(house: House) -> None:
    """What was started is named, and what a notification could tell of was stopped."""
    named = {(each.resource_id, each.uid) for each in house.row.attempts}
    assert {(each.resource_id, each.uid) for each in house.agora.sessions.values()} <= named
    if not house.agora.silent:
        assert not house.agora.running


@pytest.mark.parametrize("name", STORIES)
def test_a_life_without_a_crash_ends_as_it_should(name: str) -> None:
    story, end = STORIES[name]
    house = _life(story, Faults())
    assert_sound(house)
    _assert_owned(house)
    _assert_recorded(house, name)
    assert house.row.end_reason == end
    assert house.row.status == ("completed" if house.row.sids and house.agora.files else "failed")
    assert house.crashes == 0


@pytest.mark.parametrize("name", STORIES)
def test_a_crash_anywhere_loses_nothing(name: str) -> None:
    story, end = STORIES[name]
    whole = _life(story, Faults()).faults
    for faults in _crashes(whole):
        house = _life(story, faults)
        try:
            assert_sound(house)
            _assert_owned(house)
            _assert_recorded(house, name)
            _assert_right(house, end)
        except AssertionError as wrong:
            place = f"{'after' if faults.after else 'before'} operation {faults.at}"
            wrong.add_note(f"killed {place}, {faults.names[(faults.at or 1) - 1]}")
            raise


def _assert_right(house: House, end: str) -> None:
    row = house.row
    # Of a session that was first heard of later, no file is waited for.
    is_whole = house.sids_at_close and house.agora.files
    assert row.status == ("completed" if is_whole else "failed"), row.reason
    # A stop that was never written is a stop that nobody asked for.
    other = {"MAX_DURATION"} if end == "STOP_REQUESTED" and row.stop_reason != end else set()
    assert row.end_reason in {end, *other}


@pytest.mark.parametrize("crash_name", ["Sandbox.Timedout", "Runtime.ExitError"])
def test_a_crash_by_another_name_loses_nothing_either(crash_name: str) -> None:
    whole = _life(_the_answer_to_start_is_lost, Faults()).faults
    for faults in _crashes(whole):
        house = _life(_the_answer_to_start_is_lost, faults, crash_name)
        assert_sound(house)
        _assert_owned(house)


def test_a_repeated_publication_says_the_same() -> None:
    house = _life(_the_app_stops_it, Faults())
    first, row = house.bus.events[-1], house.row
    manifest = house.bucket.json(f"{row.prefix}manifest.json")
    told = house.parts.recording_publisher.publish(row.recording_id)
    assert (told["status"], told["endReason"]) == (row.status, row.end_reason)
    assert house.bus.events[-1] == first
    assert house.row == row
    again = house.bucket.json(f"{row.prefix}manifest.json")
    assert {**again, "generatedAt": ""} == {**manifest, "generatedAt": ""}

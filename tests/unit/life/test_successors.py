"""A successor takes over before its predecessor is given up: whole lives, in virtual time."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from agora_recording.recording.model import Recording, ask_to_take_over, seen
from tests.world.builders import after, recording, reply, requested
from tests.world.faults import Faults
from tests.world.house import APP_ID, House, assert_sound, certify
from tests.world.live_agora import AgoraSession

MINUTE, TOKEN_S = 60, 3600


def certified(row: Recording, faults: Faults | None = None, **variables: Any) -> House:
    """Return the house of a project with an App Certificate, whose tokens Agora checks."""
    house = House(row, faults=faults, agora_app_id=APP_ID, **{"token_s": TOKEN_S, **variables})
    certify(house)
    return house


def ends(house: House) -> list[str | None]:
    """Return how each attempt ended, oldest first."""
    return [each.end for each in sorted(house.row.attempts, key=lambda each: each.number)]


def hide(house: House, after_s: float, for_s: float | None) -> None:
    """Let the first session move to another server, for so long; None: until a second is born."""

    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.later(after_s, partial(house.agora.hidden.add, session.sid))
            if for_s is not None:
                house.later(after_s + for_s, partial(house.agora.hidden.discard, session.sid))
        elif for_s is None:
            house.agora.hidden.clear()

    house.agora.born = born


# --- a token that will end -----------------------------------------------------------------------


def test_a_recording_of_many_tokens_is_one_recording_without_a_gap() -> None:
    house = certified(requested(max_duration_seconds=3 * TOKEN_S))
    house.begin()
    house.run(5 * TOKEN_S)
    assert_sound(house)
    assert (house.row.status, house.row.end_reason) == ("completed", "MAX_DURATION")
    assert ends(house) == ["TAKEN_OVER", "TAKEN_OVER", "TAKEN_OVER", "STOPPED"]
    assert house.agora.unrecorded_s == 0
    assert len(house.agora.sessions) == 4
    assert [kind for kind, _ in house.bus.events] == ["Recording Started", "Recording Completed"]
    uids = [each.uid for each in house.row.attempts]
    assert len(set(uids)) == 4


def test_two_sessions_record_together_for_seconds_only() -> None:
    house = certified(requested(max_duration_seconds=TOKEN_S + 10 * MINUTE))
    house.begin()
    house.run(3 * TOKEN_S)
    first, second = house.agora.sessions.values()
    assert first.ended_ms is not None
    assert 0 < first.ended_ms - second.started_ms < 10_000
    # Long enough before its end for other tries.
    assert second.started_ms - first.started_ms <= (TOKEN_S * 3 // 4 + 120) * 1000


def test_hand_overs_are_no_restarts() -> None:
    house = certified(requested(max_duration_seconds=2 * TOKEN_S + 10 * MINUTE, restart_limit=0))
    house.begin()
    house.run(4 * TOKEN_S)
    assert ends(house) == ["TAKEN_OVER", "TAKEN_OVER", "STOPPED"]
    assert house.agora.unrecorded_s == 0


def test_a_recording_that_ends_before_its_token_has_one_session() -> None:
    house = certified(requested(max_duration_seconds=TOKEN_S - 60))
    house.begin()
    house.run(3 * TOKEN_S)
    assert ends(house) == ["STOPPED"]


def test_a_successor_that_cannot_start_is_tried_again_and_harms_nobody() -> None:
    house = certified(requested(max_duration_seconds=TOKEN_S + 10 * MINUTE))
    house.agora.once["acquire"] = []
    house.later(
        10 * MINUTE,
        lambda: house.agora.once.update(acquire=[reply("acquire", 400, code=2)] * 2),
    )
    house.begin()
    house.run(3 * TOKEN_S)
    assert_sound(house)
    assert ends(house) == ["TAKEN_OVER", "REFUSED", "REFUSED", "STOPPED"]
    assert (house.row.status, house.row.end_reason) == ("completed", "MAX_DURATION")
    assert house.agora.unrecorded_s == 0


def test_a_token_that_ends_without_a_successor_is_followed_by_a_new_session() -> None:
    house = certified(requested(max_duration_seconds=TOKEN_S + 10 * MINUTE, restart_limit=0))
    refusals = [reply("acquire", 400, code=2)]
    house.later(10 * MINUTE, lambda: house.agora.answers.update(acquire=refusals[0]))
    house.later(TOKEN_S - 60, house.agora.answers.clear)
    house.begin()
    house.run(3 * TOKEN_S)
    assert_sound(house)
    assert house.row.status == "completed"
    assert "TOKEN_ENDED" in ends(house)
    assert ends(house)[-1] == "STOPPED"
    assert house.agora.unrecorded_s < 90


def test_a_stop_while_a_successor_starts_stops_both() -> None:
    house = certified(requested(max_duration_seconds=TOKEN_S + 10 * MINUTE))

    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 2:
            house.later(1, house.stop)

    house.agora.born = born
    house.begin()
    house.run(3 * TOKEN_S)
    assert_sound(house)
    assert house.agora.running == []
    assert (house.row.status, house.row.end_reason) == ("completed", "STOP_REQUESTED")
    stopped = [each.ended_ms for each in house.agora.sessions.values()]
    assert max(stopped) - min(stopped) < 30_000  # type: ignore[operator, type-var]


def test_a_stop_between_the_reason_and_the_successor_stops_the_one_that_runs() -> None:
    house = certified(requested(max_duration_seconds=TOKEN_S + 10 * MINUTE))
    born: list[str] = []

    def acquire(*_: Any, **__: Any) -> Any:
        house.stop()
        return reply("acquire", 400, code=2)

    def first(session: AgoraSession) -> None:
        born.append(session.sid)
        house.agora.acquire = acquire  # type: ignore[method-assign]

    house.agora.born = first
    house.begin()
    house.run(3 * TOKEN_S)
    assert_sound(house)
    assert house.agora.running == []
    assert (house.row.status, house.row.end_reason) == ("completed", "STOP_REQUESTED")
    assert ends(house) == ["STOPPED", "REFUSED"]


def test_a_hand_over_is_thirty_states_at_most() -> None:
    def walked(tokens: int) -> int:
        house = certified(requested(max_duration_seconds=tokens * TOKEN_S))
        house.begin()
        house.run((tokens + 2) * TOKEN_S)
        return sum(len(each.history) for each in house.machine.runs.values())

    assert walked(2) - walked(1) <= 8


# --- in doubt ------------------------------------------------------------------------------------


def test_a_silent_death_is_followed_by_a_successor_before_a_failover_would_be_over() -> None:
    house = House()

    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.later(100, partial(house.agora.end, session.sid, None))

    house.agora.born = born
    house.begin()
    house.later(1000, house.stop)
    house.run()
    assert_sound(house)
    assert house.row.status == "completed"
    assert ends(house) == ["TAKEN_OVER", "STOPPED"]
    # A session without event 33 is asked every 30 s; then everything is a matter of seconds.
    assert house.agora.unrecorded_s < 30 + 60 + 10
    kinds = [kind for kind, _ in house.bus.events]
    assert kinds == ["Recording Started", "Recording Restarted", "Recording Completed"]
    assert house.agora.excluded == [[], ["resource-1"]]


@pytest.mark.parametrize("for_s", [60, None])
def test_a_failover_leaves_one_session_and_no_gap(for_s: float | None) -> None:
    house = House()
    hide(house, 150, for_s)
    house.begin()
    house.later(1500, house.stop)
    house.run()
    assert_sound(house)
    assert house.row.status == "completed"
    assert house.agora.running == []
    assert house.agora.unrecorded_s == 0
    assert ends(house)[-1] == "STOPPED"


def test_a_successor_of_a_session_in_doubt_that_cannot_start_leaves_it_running() -> None:
    house = House()
    hide(house, 150, 80)
    house.later(100, lambda: house.agora.answers.update(acquire=reply("acquire", 400, code=2)))
    house.begin()
    house.later(1500, house.stop)
    house.run()
    assert_sound(house)
    assert house.row.status == "completed"
    assert len(house.agora.sessions) == 1
    assert house.agora.unrecorded_s == 0
    assert ends(house) == ["STOPPED", "REFUSED"]


def test_a_dead_session_whose_successor_cannot_start_is_replaced_when_it_is_known_to_be_dead() -> (
    None
):
    house = House()

    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.agora.once["acquire"] = [reply("acquire", 400, code=2)]
            house.later(100, partial(house.agora.end, session.sid, None))

    house.agora.born = born
    house.begin()
    house.later(1500, house.stop)
    house.run()
    assert_sound(house)
    assert house.row.status == "completed"
    assert ends(house) == ["DIED", "REFUSED", "STOPPED"]


@pytest.mark.parametrize(
    "row",
    [
        requested(take_over_on="confirmed"),
        requested(restart_limit=0, take_over_on="suspected"),
        requested(
            mode="web",
            client_request={
                "extensionServiceConfig": {
                    "extensionServices": [
                        {"serviceName": "web_recorder_service"},
                        {"serviceName": "rtmp_publish_service"},
                    ]
                }
            },
        ),
    ],
    ids=["the app does not want it", "no restart is left", "it pushes to a CDN"],
)
def test_a_failover_is_waited_for_where_two_at_a_time_are_not_wanted(row: Recording) -> None:
    house = House(row)
    hide(house, 150, 80)
    house.begin()
    house.later(1500, house.stop)
    house.run()
    assert_sound(house)
    assert len(house.agora.sessions) == 1


def test_no_successor_begins_where_the_account_has_no_room() -> None:
    house = House(agora_concurrent_tasks=1.0)
    hide(house, 150, 80)
    house.begin()
    house.later(1500, house.stop)
    house.run()
    assert_sound(house)
    assert len(house.agora.sessions) == 1


def test_a_sign_of_life_takes_the_doubt_back() -> None:
    doubted = ask_to_take_over(recording(gone_ms=after(300), gone_checks=2), "SUSPECTED")
    assert doubted.take_over == "SUSPECTED"
    assert seen(doubted, after(299)).take_over == "SUSPECTED"
    assert seen(doubted, after(301)).take_over is None
    handed = ask_to_take_over(recording(), "HAND_OVER")
    assert seen(handed, after(301)).take_over == "HAND_OVER"

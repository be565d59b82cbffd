"""What goes on for hours: an Agora that does not speak, a gateway that refuses. Nothing runs for
ever, and nobody asks for ever every minute.
"""

from __future__ import annotations

import pytest

from agora_recording.agora.reply import Reply
from tests.world.builders import reply, requested, silence
from tests.world.house import House, assert_sound
from tests.world.live_agora import AgoraSession

HOUR = 3600


def _rounds(house: House) -> int:
    """Return how many states the executions walked."""
    return sum(len(each.history) for each in house.machine.runs.values())


@pytest.mark.parametrize(
    "answer", [silence("query"), reply("query", 503), reply("query", 401), reply("query", 429)]
)
def test_a_session_of_which_agora_never_speaks_is_stopped_at_its_longest_duration(
    answer: Reply,
) -> None:
    house = House(requested(max_duration_seconds=4 * HOUR))
    house.agora.answers["query"] = answer
    house.begin()
    house.run(3 * HOUR)
    assert house.row.status == "starting"
    assert house.agora.calls["query"] < 80
    assert _rounds(house) < 300
    house.run(2 * HOUR)
    assert house.agora.running == []
    assert (house.row.status, house.row.end_reason) == ("completed", "MAX_DURATION")
    assert_sound(house)


def test_the_second_session_is_stopped_at_the_longest_duration_too() -> None:
    def born(session: AgoraSession) -> None:
        if len(house.agora.sessions) == 1:
            house.later(60, lambda: house.agora.end(session.sid, 11, exitStatus=1))
        else:
            house.agora.answers["query"] = silence("query")

    house = House(requested(max_duration_seconds=HOUR))
    house.agora.born = born
    house.begin()
    house.run(2 * HOUR)
    assert house.agora.running == []
    assert (house.row.status, house.row.end_reason) == ("completed", "MAX_DURATION")


def test_once_agora_speaks_again_the_start_is_confirmed_and_told() -> None:
    house = House()
    house.agora.answers["query"] = silence("query")
    house.begin()
    house.run(HOUR)
    del house.agora.answers["query"]
    house.run(900)
    assert house.row.status == "recording"
    assert [kind for kind, _ in house.bus.events] == ["Recording Started"]


@pytest.mark.parametrize("answer", [reply("stop", 403), reply("stop", 400, code=2)])
def test_a_stop_that_is_refused_ends_the_recording_and_is_repeated_less_and_less_often(
    answer: Reply,
) -> None:
    house = House()
    house.agora.answers["stop"] = answer
    house.begin()
    house.later(120, house.stop)
    house.run(24 * HOUR)
    assert house.row.session_end == "STOP_REFUSED"
    assert house.row.is_terminal
    assert house.row.orphans
    assert house.agora.calls["stop"] < 250
    del house.agora.answers["stop"]
    house.run(2 * HOUR)
    assert house.agora.running == []
    assert house.row.orphans == []
    assert house.due_ms is None or house.row.awaits_late_files


def test_a_session_that_nobody_can_stop_any_more_is_let_go() -> None:
    house = House(requested(expires_hours=24))
    house.agora.answers["stop"] = reply("stop", 403)
    house.begin()
    house.later(120, house.stop)
    house.run(26 * HOUR)
    assert house.row.orphans == []

"""Since when a session is gone: what 404s say, and what they do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agora_recording.clock import to_ms
from agora_recording.recording.absence import Absence, missed
from tests.world.builders import TIMINGS

AWAY_MS = to_ms(TIMINGS.failover_s)


def after_404s(instants_ms: list[int]) -> Absence | None:
    """Return the absence after 404s at these instants."""
    absence: Absence | None = None
    for at_ms in instants_ms:
        since_ms = absence.since_ms if absence else None
        latest_ms = absence.latest_ms if absence else None
        absence = missed(since_ms, latest_ms, at_ms, TIMINGS)
    return absence


def believed(instants_ms: list[int]) -> list[int]:
    """Return the instants of the 404s after which the session counts as over."""
    return [
        at_ms
        for number, at_ms in enumerate(instants_ms, 1)
        if (absence := after_404s(instants_ms[:number])) and absence.is_believed(TIMINGS)
    ]


def test_the_first_404_says_nothing() -> None:
    assert believed([5]) == []


def test_a_404_is_believed_once_the_time_of_a_failover_is_over() -> None:
    assert believed([0, 30_000, AWAY_MS - 1, AWAY_MS]) == [AWAY_MS]


def test_a_404_long_after_the_one_before_is_the_first_of_another_absence() -> None:
    assert after_404s([0, 5_000, 540_000]) == Absence(540_000, 540_000)


def test_a_row_that_knows_only_since_when_it_is_gone_counts_from_then() -> None:
    assert missed(1_000, None, 20_000, TIMINGS) == Absence(1_000, 20_000)
    assert missed(1_000, None, 1_000 + AWAY_MS + 1, TIMINGS).since_ms == 1_000 + AWAY_MS + 1


def test_after_a_sign_of_life_the_next_404_is_the_first() -> None:
    assert missed(None, 1_000, 20_000, TIMINGS) == Absence(20_000, 20_000)


@given(
    moves=st.lists(
        st.tuples(st.integers(AWAY_MS + 1, 600_000), st.integers(1, AWAY_MS - 1)), max_size=4
    ),
    asked=st.lists(st.integers(1, 120_000), max_size=60),
)
def test_a_session_that_only_moves_is_never_taken_for_gone_however_rarely_it_is_asked(
    moves: list[tuple[int, int]], asked: list[int]
) -> None:
    away: list[range] = []
    at_ms = 0
    for here_ms, away_ms in moves:
        away.append(range(at_ms + here_ms, at_ms + here_ms + away_ms))
        at_ms = away[-1].stop
    instants = [sum(asked[:number]) for number in range(1, len(asked) + 1)]
    # The answers between say that it is here; even if all of these are lost, it is not given up.
    assert believed([each for each in instants if any(each in move for move in away)]) == []


@given(gaps=st.lists(st.integers(1, AWAY_MS), min_size=1, max_size=300))
def test_a_session_that_is_gone_is_given_up_if_it_is_asked_in_time(gaps: list[int]) -> None:
    instants = [sum(gaps[:number]) for number in range(len(gaps) + 1)]
    late = [each for each in instants if each >= AWAY_MS]
    assert believed(instants) == late

"""No more than ten calls in any sliding second, whoever calls and whatever crashes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora.limiter import LATE_MS, START_LATE_MS, Limiter, gap_ms, pace
from agora_recording.errors import RateLimitedError
from tests.world.clock import Clock
from tests.world.table import FakeTable

NOW = 1_800_000_000_000


def limiter(table: FakeTable, clock: Clock, slept: list[float] | None = None) -> Limiter:
    """Return a limiter of 8 calls a second."""
    return Limiter(
        "table",
        calls_per_second=8,
        client=table,  # type: ignore[arg-type]
        now_ms=clock,
        sleep=(slept if slept is not None else []).append,
    )


def most_in_a_second(slots: list[int]) -> int:
    """Return the largest number of slots in any sliding second."""
    return max(sum(1 for other in slots if slot <= other < slot + 1000) for slot in slots)


def test_an_idle_limiter_gives_the_present() -> None:
    assert limiter(FakeTable(), Clock(NOW)).take() == [NOW]


def test_slots_taken_together_lie_a_gap_apart() -> None:
    assert limiter(FakeTable(), Clock(NOW)).take(3) == [NOW, NOW + 125, NOW + 250]


def test_who_comes_later_goes_behind() -> None:
    table, clock = FakeTable(), Clock(NOW)
    limiter(table, clock).take(2)
    assert limiter(table, clock).take() == [NOW + 250]


def test_after_a_pause_the_present_is_free_again() -> None:
    table, clock = FakeTable(), Clock(NOW)
    limiter(table, clock).take(2)
    clock.advance(5)
    assert limiter(table, clock).take() == [NOW + 5000]


def test_who_cannot_wait_so_long_is_refused_and_takes_nothing() -> None:
    table, clock = FakeTable(), Clock(NOW)
    limiter(table, clock).take(8)
    with pytest.raises(RateLimitedError, match=r"1\.0 s"):
        limiter(table, clock).take(patience_s=0.25)
    assert limiter(table, clock).take(patience_s=20) == [NOW + 1000]


def test_waiting_sleeps_until_the_slot() -> None:
    slept: list[float] = []
    waiter = limiter(FakeTable(), Clock(NOW), slept)
    waiter.wait(NOW + 250)
    waiter.wait(NOW - 50)
    assert slept == [0.25, 0]


@pytest.mark.parametrize(
    ("concurrent_tasks", "calls"),
    [(10, 1), (50, 5), (69, 6.9), (70, 7), (200, 7), (1000, 7), (100_000, 7)],
)
def test_the_pace_is_a_tenth_of_the_recordings_that_may_run_and_seven_at_most(
    concurrent_tasks: float, calls: float
) -> None:
    assert pace(concurrent_tasks, 7) == calls


@given(st.floats(10, 1e9), st.floats(1, 10))
def test_the_pace_is_never_above_agoras_ten_calls(concurrent_tasks: float, most: float) -> None:
    assert 1 <= pace(concurrent_tasks, most) <= 10


def test_after_a_refusal_no_slot_comes_in_the_next_second() -> None:
    table, clock = FakeTable(), Clock(NOW)
    limiter(table, clock).take()
    limiter(table, clock).pause()
    limiter(table, clock).pause()
    assert limiter(table, clock).take(patience_s=5) == [NOW + 1000]
    assert limiter(table, clock).take(patience_s=5) == [NOW + 1125]


def test_a_pause_brings_no_slot_closer() -> None:
    table, clock = FakeTable(), Clock(NOW)
    limiter(table, clock).take(20)
    limiter(table, clock).pause()
    assert limiter(table, clock).take(patience_s=5) == [NOW + 2500]


def test_a_pause_of_an_idle_limiter_holds_too() -> None:
    table, clock = FakeTable(), Clock(NOW)
    limiter(table, clock).pause()
    assert limiter(table, clock).take(patience_s=5) == [NOW + 1000]


def test_a_race_for_the_first_slot_is_run_again() -> None:
    table, clock = FakeTable(), Clock(NOW)

    def rival() -> None:
        limiter(table, clock).take()

    table.before_write.extend([lambda: None, rival])
    assert limiter(table, clock).take(patience_s=5) == [NOW + 125]


@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(1, 4), st.sampled_from([0.25, 1.0, 25.0])),
        min_size=1,
        max_size=60,
    )
)
def test_never_more_than_eight_slots_in_any_second(
    arrivals: list[tuple[int, int, float]],
) -> None:
    table, clock = FakeTable(), Clock(NOW)
    taken: list[int] = []
    for pause_ms, slots, patience_s in arrivals:
        clock.advance(pause_ms / 1000)
        try:
            got = limiter(table, clock).take(slots, patience_s=patience_s)
        except RateLimitedError:
            continue
        assert got[0] >= clock()
        assert got[0] <= clock() + patience_s * 1000
        taken += got
    if taken:
        assert most_in_a_second(taken) <= 8


# Of what may disturb a call: late for its slot, a start late for its own, the network. The extremes
# are what breaks the rule, if anything does.
_SHARE = st.sampled_from([0.0, 1.0]) | st.floats(0, 1)
_CALLS = st.lists(
    st.tuples(st.booleans(), _SHARE, _SHARE, _SHARE, _SHARE), min_size=10, max_size=40
)


def _arrivals(calls: list[Any], *, start_late_ms: int, network_ms: int) -> list[int]:
    table, clock = FakeTable(), Clock(NOW)
    shipped = Limiter("table", client=table, now_ms=clock)  # type: ignore[arg-type]
    arrived: list[float] = []
    for is_start, late, start_late, network, start_network in calls:
        first, *second = shipped.take(2 if is_start else 1, patience_s=60)
        arrived.append(first + late * LATE_MS + network * network_ms)
        arrived += [s + start_late * start_late_ms + start_network * network_ms for s in second]
    return [int(at) for at in arrived]


@given(_CALLS)
def test_however_late_calls_are_no_second_sees_more_than_ten(calls: list[Any]) -> None:
    arrived = _arrivals(calls, start_late_ms=START_LATE_MS, network_ms=137)
    assert most_in_a_second(arrived) <= 10


@given(_CALLS)
def test_where_starts_are_in_time_the_network_may_disturb_more(calls: list[Any]) -> None:
    arrived = _arrivals(calls, start_late_ms=LATE_MS, network_ms=280)
    assert most_in_a_second(arrived) <= 10


def _most_possible(start_late_ms: int, network_ms: int) -> int:
    """Return how many of acquires and starts in turn could arrive in one second, at the worst."""
    gap = gap_ms(7)
    latest = (LATE_MS + network_ms, start_late_ms + network_ms)
    return max(
        sum(n * gap < second + 1000 and n * gap + latest[n % 2] >= second for n in range(60))
        for second in range(2000, 2000 + 2 * gap)
    )


def test_the_room_for_the_network_is_what_the_text_says() -> None:
    assert (_most_possible(LATE_MS, 280), _most_possible(LATE_MS, 281)) == (10, 11)
    assert (_most_possible(START_LATE_MS, 137), _most_possible(START_LATE_MS, 138)) == (10, 11)


def test_a_start_may_be_later_than_others_and_then_takes_another_slot() -> None:
    table, clock = FakeTable(), Clock(NOW)
    acquire, start = limiter(table, clock).take(2)
    clock.now_ms = start + START_LATE_MS
    slept: list[float] = []
    limiter(table, clock, slept).wait(start, late_ms=START_LATE_MS)
    assert slept == [0]
    limiter(table, clock, slept).wait(acquire)
    assert table.items["LIMITER", "LIMITER"]["nextMs"]["N"] == str(clock() + 125)


def test_a_clock_that_lags_behind_cannot_squeeze_slots_together() -> None:
    table = FakeTable()
    ahead, behind = Clock(NOW + 40), Clock(NOW)
    first = limiter(table, ahead).take()[0]
    second = limiter(table, behind).take()[0]
    assert second - first >= 125


@pytest.mark.parametrize("delay_s", [0, 0.2, 1.5, 5])
def test_a_slow_table_costs_no_more_than_two_slots(delay_s: float) -> None:
    clock, slept = Clock(NOW), list[float]()

    class SlowTable(FakeTable):
        writes = 0

        def update_item(self, **request: Any) -> dict[str, Any]:
            self.writes += 1
            clock.advance(delay_s)
            return super().update_item(**request)

    table = SlowTable()
    waiter = limiter(table, clock, slept)
    slot = waiter.take()[0]
    waiter.wait(slot, patience_s=20)
    assert table.writes <= 6  # one slot is two writes while nobody waits
    assert len(slept) == 1

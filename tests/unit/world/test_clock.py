"""Virtual time: events in the order of their instants, the same each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.world.clock import Timeline


def test_events_happen_at_their_instants_in_the_order_of_time() -> None:
    timeline = Timeline(1000)
    seen: list[tuple[str, int]] = []
    timeline.at(3000, lambda: seen.append(("late", timeline())))
    timeline.later(1, lambda: seen.append(("soon", timeline())))
    timeline.run(10_000)
    assert seen == [("soon", 2000), ("late", 3000)]


@given(st.lists(st.integers(0, 5)))
def test_events_of_one_instant_happen_in_the_order_asked(instants: list[int]) -> None:
    timeline = Timeline(0)
    seen: list[tuple[int, int]] = []
    for number, at_ms in enumerate(instants):
        timeline.at(at_ms, seen.append, (at_ms, number))
    timeline.run(10)
    assert seen == sorted(seen)
    assert len(seen) == len(instants)


def test_an_event_may_ask_for_another_at_the_same_instant() -> None:
    timeline, seen = Timeline(0), []
    timeline.at(5, lambda: timeline.at(5, lambda: seen.append(timeline())))
    timeline.run(5)
    assert seen == [5]


def test_what_one_event_spends_is_not_spent_by_the_next() -> None:
    timeline, seen = Timeline(0), []

    def work() -> None:
        timeline.spend(500)
        timeline.sleep(1)
        seen.append(timeline())
        timeline.later(1, lambda: seen.append(timeline()))

    timeline.at(10, work)
    timeline.at(20, lambda: seen.append(timeline()))
    timeline.run(10_000)
    assert seen == [1510, 20, 2510]


def test_time_passes_to_the_end_only_while_something_is_left_to_happen() -> None:
    timeline = Timeline(0)
    timeline.at(5000, lambda: None)
    timeline.run(1000)
    assert timeline() == 1000
    timeline.run(9000)
    assert timeline() == 5000


def test_what_was_cancelled_does_not_happen_and_is_not_waited_for() -> None:
    timeline = Timeline(0)
    seen: list[str] = []
    timeline.at(10, lambda: timeline.cancel(number))
    number = timeline.at(20, seen.append, "cancelled")
    timeline.run(10_000)
    assert seen == []
    assert timeline() == 10


def test_what_goes_on_for_ever_is_found_out() -> None:
    timeline = Timeline(0)

    def again() -> None:
        timeline.later(1, again)

    again()
    with pytest.raises(AssertionError, match="after 100 events"):
        timeline.run(10**9, most=100)

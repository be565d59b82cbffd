"""The scale simulation in small: the shipped code watches fifty recordings, on virtual time."""

from __future__ import annotations

import pytest

from agora_recording.agora.limiter import LATE_MS, first_slot
from agora_recording.errors import RateLimitedError
from agora_recording.recording.timings import Timings
from benchmarks.fleet import Assumptions, Findings, Fleet, most_in_a_second
from benchmarks.plot import Mark, Series, chart
from benchmarks.polling import poll
from benchmarks.virtual import Suspended, VirtualLimiter
from tests.world.clock import Timeline

pytestmark = pytest.mark.slow

FLEET = Assumptions(recordings=50, deaths=1, failovers=1, warm_up_s=600, measured_s=3600)
# A missed event 33, the sweep after it, and the second look: a death is found when it is doubted.
# Where no successor may begin any more, it is found when 404 has lasted as long as a failover may.
FOUND_WITHIN_S = Timings().miss_s + 60 + Timings().failover_s + 60
DOUBTED_WITHIN_S = Timings().miss_s + 2 * Timings().between_s + 15


@pytest.fixture(scope="module")
def found() -> Findings:
    """Live an hour with many deaths and failovers."""
    return Fleet(FLEET).run()


def test_agora_never_gets_more_than_ten_calls_in_a_second(found: Findings) -> None:
    assert found.calls["query"] > 100
    assert found.max_arrived_per_second <= 10


def test_every_silent_death_is_found_in_bounded_time(found: Findings) -> None:
    assert len(found.detection_s) >= 30
    assert found.not_found == 0
    assert found.detection_s[-1] <= FOUND_WITHIN_S


def test_most_silent_deaths_cost_less_than_a_minute_and_a_half(found: Findings) -> None:
    assert len(found.lost_s) >= 20
    assert found.lost_s[len(found.lost_s) // 2] <= 80
    assert found.lost_s[round(len(found.lost_s) * 0.9)] <= DOUBTED_WITHIN_S


def test_two_sessions_of_a_recording_run_for_little_of_the_time(found: Findings) -> None:
    # A hundred times as many failovers as in a real fleet.
    assert 0 < found.extra_s / found.recorded_s < 0.1


def test_a_failover_is_never_taken_for_a_death(found: Findings) -> None:
    assert found.given_up_alive == 0


def test_a_stop_ends_within_the_time_of_a_failover(found: Findings) -> None:
    assert len(found.finish_s) >= 20
    assert found.finish_s[-1] <= Timings().failover_s + 30


def test_the_same_seed_gives_the_same_findings() -> None:
    fleet = Assumptions(recordings=10, deaths=1, failovers=1, warm_up_s=0, measured_s=1800)
    assert Fleet(fleet).run() == Fleet(fleet).run()


def test_ten_calls_of_a_second_that_straddles_are_counted_together() -> None:
    assert most_in_a_second([0, 900, 950, 1000, 1899, 1900]) == 4


def test_a_free_limiter_gives_the_present() -> None:
    assert first_slot(None, 1000, 250) == first_slot(900, 1000, 250) == 1000


def test_a_slot_is_given_as_far_ahead_as_the_taker_would_wait() -> None:
    assert first_slot(1250, 1000, 250) == 1250
    assert first_slot(1251, 1000, 250) is None


def test_a_slot_that_was_missed_by_much_is_lost_and_another_is_taken() -> None:
    limiter = VirtualLimiter(Timeline(10_000), 8)
    limiter.wait(10_000 - LATE_MS)
    with pytest.raises(Suspended) as suspended:
        limiter.wait(10_000 - LATE_MS - 1, patience_s=1)
    assert suspended.value.slots == [10_000]


def test_who_missed_a_slot_and_cannot_wait_for_another_is_refused() -> None:
    limiter = VirtualLimiter(Timeline(10_000), 8)
    with pytest.raises(Suspended):
        limiter.take(9)
    with pytest.raises(RateLimitedError):
        limiter.wait(9_000, patience_s=1)


def test_a_loop_within_the_limit_is_never_refused_and_finds_each_death() -> None:
    polled = poll(50, 120, other_calls_per_second=0, horizon_s=7200, deaths=20)
    assert polled.refused == polled.not_found == 0
    assert polled.detection_s[-1] <= 90 + 2 * 120


def test_loops_beyond_the_limit_are_mostly_refused() -> None:
    polled = poll(10_000, 30, other_calls_per_second=0, horizon_s=600, deaths=20)
    assert polled.refused == pytest.approx(1 - 10 / (10_000 / 30), abs=0.01)


def test_a_chart_shows_every_line_with_its_name() -> None:
    line = Series("polls < 30 s", "#000000", [(50, 1), (1000, 400)], dashed=True)
    image = chart(
        title="Calls", x_label="n", y_label="calls", series=[line], marks=[Mark("limit", 10)]
    )
    assert image.startswith("<svg ")
    assert image.count("<polyline ") == 1
    assert "polls &lt; 30 s" in image

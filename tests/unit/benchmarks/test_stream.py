"""How many recordings the lanes of the table's stream carry."""

from __future__ import annotations

import re

import pytest

from agora_recording.recording.timings import Timings
from benchmarks import stream
from benchmarks.fleet import Assumptions, Fleet
from benchmarks.scale import FLEETS, LATEST_S
from benchmarks.stream import Backlog, Lanes
from local.template import ROOT, parameters

LANES = Lanes(shards=1, parallelism=2, memory_mb=1769, most_in_a_batch=100, window_ms=1000)


def test_a_lane_takes_a_whole_cpu_or_its_share_of_it_and_waits_for_the_table() -> None:
    whole = LANES.record_ms
    assert whole == stream.RECORD_CPU_MS + stream.TABLE_CALLS * stream.TABLE_MS
    half = Lanes(shards=1, parallelism=2, memory_mb=884.5, most_in_a_batch=100, window_ms=0)
    assert half.record_ms == whole + stream.RECORD_CPU_MS
    assert LANES.most_per_second == pytest.approx(2 * 1000 / (whole + 0.2))


def test_without_load_a_record_waits_for_its_batch_alone() -> None:
    backlog = Backlog(LANES)
    idle_ms = round(1000 + stream.BATCH_MS + LANES.record_ms)
    assert backlog.delay_ms(1000, 0) == backlog.delay_ms(60_000, 0) == idle_ms


def test_more_than_the_lanes_apply_waits_longer_and_longer_until_less_comes() -> None:
    backlog = Backlog(LANES)
    twice = 2 * LANES.most_per_second
    delays = [backlog.delay_ms(60_000 * minute, twice) for minute in range(1, 4)]
    assert delays[1] - delays[0] == delays[2] - delays[1] == 60_000
    assert backlog.delay_ms(60_000 * 6, 0) < 2000
    assert backlog.longest_ms == delays[-1]


def test_a_fleet_that_its_stream_does_not_carry_is_found_out() -> None:
    """Each shard in one lane, as it was before: some 7,000 recordings."""
    assert Lanes.shipped(1).most_recordings < 10_000
    late = Fleet(Assumptions(recordings=300, warm_up_s=60, measured_s=300, stream_parallelism=1))
    late._backlog = Backlog(
        Lanes(shards=1, parallelism=1, memory_mb=16, most_in_a_batch=100, window_ms=1000)
    )
    assert late.run().stream_s > LATEST_S
    fleet = Fleet(Assumptions(recordings=300, warm_up_s=60, measured_s=300))
    assert fleet.run().stream_s < 2


def test_every_fleet_of_the_page_is_carried_by_the_stream_it_is_given() -> None:
    for each in FLEETS:
        lanes = Lanes.shipped(each.stream_parallelism, each.recordings / 60)
        assert lanes.most_recordings > each.recordings
    assert Timings().silence_s > LATEST_S


def test_the_sizes_in_the_limits_are_carried() -> None:
    text = (ROOT / "docs" / "limits.md").read_text().partition("### The size of a fleet")[2]
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \|", text, re.MULTILINE)
    assert len(rows) >= 3
    for row in rows:
        recordings, rate, burst, parallelism = (int(each.replace(",", "")) for each in row)
        lanes = Lanes.shipped(parallelism, recordings / 60)
        assert lanes.most_recordings >= recordings * 1.2, row
        assert rate * 60 >= recordings
        assert burst >= rate
    defaults = parameters({})
    names = ("NotificationRate", "NotificationBurst", "StreamParallelism")
    assert [each.replace(",", "") for each in rows[0][1:]] == [defaults[name] for name in names]


def test_a_record_is_measured_beside_its_four_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "BATCH", 2)
    monkeypatch.setattr(stream, "ROUNDS", 1)
    found = stream.run()["stream_record_ms"]
    assert found["value"] > 0
    assert found["carries"] == Lanes.shipped().most_recordings

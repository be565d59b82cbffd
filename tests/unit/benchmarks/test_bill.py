"""What one recording costs: the arithmetic from counts to dollars."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import bill, prices
from benchmarks.bill import LOG_EVENT_BYTES, Bill, Cost, Measured, log_size
from tests.world.machine import Machine


def test_a_log_is_what_the_room_wrote_with_26_bytes_a_line() -> None:
    text = "\n".join(
        [
            "INIT_START Runtime Version: python:3.13",
            "START RequestId: 1 Version: $LATEST",
            '{"level":"INFO","message":"é"}',
            "",
            '{"_aws":{}}',
            "END RequestId: 1",
            "REPORT RequestId: 1\tDuration: 5.00 ms\tBilled Duration: 6 ms",
        ]
    )
    assert log_size(text) == 31 + 11 + 2 * LOG_EVENT_BYTES


def measured(logged: dict[str, int]) -> Measured:
    return Measured(
        hours=1,
        states=[Machine.shipped().start],
        retries=0,
        took_ms={"StartRecording": [100.0], bill.SWEEPER: [50.0, 50.0]},
        logged=logged,
        actions=Counter(),
        notifications=0,
        notes=0,
        versions=(1, 1),
        bytes={"recording": 1000, "session": 500, "note": 100},
        notification_kb=0,
    )


def test_the_logs_of_each_part_are_paid_by_that_part() -> None:
    gigabyte = 1024**3
    found = measured(
        {
            "StartRecording": gigabyte,
            bill.SWEEPER: 2 * gigabyte,
            bill.NOTIFIED[0]: 3 * gigabyte,
            bill.NOTIFIED[1]: gigabyte,
        }
    )
    price = prices.LOG_BYTE * gigabyte
    assert bill._workflow(found).logs == pytest.approx(price)
    # Two sweeps were logged; an hour has sixty.
    assert bill._sweeper_hour(found).logs == pytest.approx(price * bill.SWEEPS_AN_HOUR)
    assert bill._notified(found).logs == pytest.approx(4 * price)


def test_everything_includes_the_logs_and_the_orchestration_does_not() -> None:
    nothing = Cost()
    found = Bill(
        recording=Cost(table=1, logs=2, rest=4),
        sweeper_hour=Cost(logs=10),
        channels_hour=Cost(),
        notified=nothing,
        notified_hour=Cost(logs=100),
        notifications_hour=60,
        transitions=9,
        events=40,
        events_hour=0,
    )
    assert found.orchestration(3600, 1) == 1
    assert found.everything(3600, 10) == pytest.approx(1 + 2 + 4 + 1 + 100)

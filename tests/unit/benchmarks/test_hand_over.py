"""The history of a recording that outlives its tokens."""

from __future__ import annotations

from benchmarks import hand_over


def test_a_recording_of_thirty_sessions_stays_far_below_the_limit_of_a_history() -> None:
    found = hand_over.run()["history_events_30d_tokens"]
    assert 10 < found["of_a_hand_over"] < 50
    assert 29 * found["of_a_hand_over"] < found["value"] < 25_000 / 10

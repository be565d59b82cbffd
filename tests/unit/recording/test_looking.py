"""What a recording needs now: to the millisecond, and when a session is in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.recording.looking import Look, choose_look, is_doubtful, stop_reason
from agora_recording.recording.model import Candidate, Recording
from tests.world.builders import (
    TIMINGS,
    acquired,
    after,
    ended,
    recording,
    requested,
    running,
    uploading,
)

OTHER_SID = "1" * 32
LONG: dict[str, Any] = {"max_duration_seconds": 1_000_000, "expires_hours": 720}
TOKEN = running(token_until_ms=after(9000))
CDN = {"serviceName": "rtmp_publish_service"}
PAGE = {"serviceName": "web_recorder_service"}


@pytest.mark.parametrize(
    ("row", "seconds", "before", "then"),
    [
        (recording(max_duration_seconds=100), 107, "query", "stop"),
        (
            recording(**LONG, attempt=running(token_until_ms=after(9000))),
            7800,
            "query",
            "hand over",
        ),
        (recording(**LONG, storage_token_ms=after(2)), 3602, "query", "renew storage token"),
        (requested(status="scheduled", start_at_ms=after(60)), 70, "nothing", "begin"),
        (uploading(), 660, "nothing", "files"),
    ],
)
def test_each_need_begins_at_its_instant(
    row: Recording, seconds: float, before: Look, then: Look
) -> None:
    looks = [choose_look(row, after(seconds) - early, TIMINGS) for early in (1, 0)]
    assert looks == [before, then]


def test_what_a_recording_needs_itself_comes_before_its_orphans() -> None:
    orphan = running(1, sid=OTHER_SID, end="NOT_CONFIRMED")
    row = recording(past_attempts=[orphan], attempt=running(2), **LONG)
    first = after(2 + TIMINGS.miss_s)
    assert choose_look(row, first - 1, TIMINGS) == "stop orphan"
    assert choose_look(row, first, TIMINGS) == "query"


def test_where_only_a_question_is_open_agora_is_asked() -> None:
    asked = Candidate(sid=OTHER_SID, number=1, heard_ms=after(50))
    row = requested(status="failed", attempt=acquired(end="START_FAILED"), candidates=[asked])
    assert choose_look(row, after(50), TIMINGS) == "ask whose it is"


def test_what_is_stopping_is_the_executions_though_nobody_asked_for_it() -> None:
    assert choose_look(recording(status="stopping"), after(9000), TIMINGS) == "repair"


# --- in doubt ------------------------------------------------------------------------------------


def doubted(**changes: Any) -> Recording:
    """Return a recording of whose session Agora has answered 404 twice."""
    return recording(**{"gone_ms": after(60), "gone_checks": 2, **changes})


def pushing(services: Any, mode: str = "web") -> Recording:
    config = {"extensionServices": services}
    return doubted(mode=mode, client_request={"extensionServiceConfig": config})


FAILED = running(2, succeeds=1, end="REFUSED", ended_ms=after(60), sid=None)
OTHERS = running(2, succeeds=7, end="REFUSED", ended_ms=after(60), sid=None)


@pytest.mark.parametrize(
    ("row", "is_in_doubt"),
    [
        (doubted(), True),
        (doubted(gone_checks=3), True),
        (doubted(gone_checks=1), False),
        (doubted(gone_ms=None), False),
        (doubted(take_over_on="confirmed"), False),
        (doubted(status="starting"), False),
        (doubted(stop_reason="STOP_REQUESTED"), False),
        (doubted(take_over="HAND_OVER"), False),
        (doubted(attempt=None), False),
        (doubted(attempt=acquired(sid=OTHER_SID)), False),
        (doubted(restart_limit=1), True),
        (doubted(restart_limit=0), False),
        # The successor before it has only just failed; that of another session does not count.
        (doubted(past_attempts=[FAILED]), False),
        (doubted(past_attempts=[OTHERS]), True),
        # Two at a time would both push to the CDN.
        (pushing([PAGE, CDN]), False),
        (pushing([CDN, PAGE]), False),
        (pushing([CDN], mode="mix"), True),
        (pushing([PAGE]), True),
        (pushing(None), True),
        (doubted(mode="web", client_request={"extensionServiceConfig": None}), True),
        (doubted(mode="web", client_request={}), True),
    ],
)
def test_a_session_is_in_doubt_after_two_404s_if_a_successor_may_begin(
    row: Recording, is_in_doubt: bool
) -> None:
    assert is_doubtful(row, after(100), TIMINGS) is is_in_doubt


def test_after_a_successor_that_failed_the_next_one_has_to_wait() -> None:
    row = doubted(past_attempts=[FAILED])
    again = after(60 + TIMINGS.next_successor_s)
    assert not is_doubtful(row, again - 1, TIMINGS)
    assert is_doubtful(row, again, TIMINGS)


# --- why it is stopped ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "seconds", "reason"),
    [
        (recording(max_duration_seconds=60), 67, "MAX_DURATION"),
        (recording(stop_at_ms=after(67)), 65, "STOP_TIME"),  # a schedule may come early
        (recording(stop_at_ms=after(67), max_duration_seconds=50), 65, "STOP_TIME"),
    ],
)
def test_the_reason_of_a_stop_is_the_deadline_that_came(
    row: Recording, seconds: float, reason: str
) -> None:
    assert stop_reason(row, after(seconds), TIMINGS) == reason
    assert stop_reason(row, after(seconds) - 1, TIMINGS) != reason


def test_where_no_deadline_of_its_own_came_the_resource_is_what_expires() -> None:
    assert stop_reason(ended(), after(67), TIMINGS) == "RESOURCE_EXPIRING"

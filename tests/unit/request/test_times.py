"""The times of a request: which are possible, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.clock import iso
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.request.check import check_times
from agora_recording.request.limits import MAX_AHEAD_DAYS, MAX_DURATION_S
from agora_recording.request.reading import Limits, read_request
from agora_recording.request.times import Times, read_times, time_problems
from tests.world.webhook import NOW_MS

BODY = {"cname": "standup", "clientRequest": {"recordingConfig": {"channelType": 1}}}
LIMITS = Limits(max_duration_s=14_400, max_idle_time_s=300, restart_limit=3)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def problems(**body: Any) -> dict[str, str]:
    """Return what is said of a request with these fields, by the path."""
    with pytest.raises(RequestInvalidError) as caught:
        read_request({"cname": "standup", **body}, LIMITS, NOW_MS)
    return {each.path: each.rule for each in caught.value.problems}


def test_times_are_read_as_instants() -> None:
    body = {"startAt": "2026-12-24T18:00:00+01:00", "stopAt": "2026-12-24t17:30:00.5z"}
    found: list[Problem] = []
    times = read_times(body, found)
    assert (iso(times.start_ms or 0), iso(times.stop_ms or 0), found) == (
        "2026-12-24T17:00:00.000Z",
        "2026-12-24T17:30:00.500Z",
        [],
    )


@pytest.mark.parametrize("text", ["tomorrow", "2026-12-24", "2026-12-24T18:00:00", "", 5])
def test_an_instant_without_its_offset_is_refused(text: object) -> None:
    assert "startAt" in problems(startAt=text)


def test_an_instant_that_no_calendar_has_is_refused() -> None:
    assert problems(startAt="2027-02-30T10:00:00Z") == {
        "startAt": "must be a date and time that exist"
    }


def test_a_recording_cannot_begin_in_the_past() -> None:
    assert "must be in the future" in problems(startAt=iso(NOW_MS - 1000))["startAt"]


def test_a_recording_cannot_begin_too_far_ahead() -> None:
    far = iso(NOW_MS + (MAX_AHEAD_DAYS + 1) * DAY_MS)
    assert f"at most {MAX_AHEAD_DAYS} days" in problems(startAt=far)["startAt"]


def test_a_recording_cannot_stop_before_it_begins() -> None:
    start, stop = iso(NOW_MS + 2 * HOUR_MS), iso(NOW_MS + HOUR_MS)
    assert problems(startAt=start, stopAt=stop) == {"stopAt": "must be later than startAt"}
    assert problems(stopAt=iso(NOW_MS - 1)) == {
        "stopAt": f"must be in the future, and it is {iso(NOW_MS)} now"
    }


def test_a_recording_cannot_last_longer_than_agora_allows() -> None:
    start, stop = NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + MAX_DURATION_S * 1000 + 1
    told = problems(startAt=iso(start), stopAt=iso(stop))
    assert f"at most {MAX_DURATION_S} seconds" in told["stopAt"]


def test_a_stop_time_makes_room_for_the_whole_recording() -> None:
    start, stop = NOW_MS + HOUR_MS, NOW_MS + 9 * HOUR_MS
    body = {**BODY, "startAt": iso(start), "stopAt": iso(stop)}
    request = read_request(body, LIMITS, NOW_MS)
    assert request.times == Times(start, stop)
    assert request.max_duration_seconds == 8 * 3600
    assert request.warnings == ()


def test_a_shorter_maximum_duration_is_warned_of() -> None:
    body = {**BODY, "stopAt": iso(NOW_MS + 2 * HOUR_MS), "maxDurationSeconds": 60}
    (warning,) = read_request(body, LIMITS, NOW_MS).warnings
    assert warning.path == "stopAt"


def test_a_token_that_ends_before_the_recording_begins_is_warned_of() -> None:
    request = {"token": "006token", "recordingConfig": {"channelType": 1}}
    body = {"cname": "standup", "uid": "7", "restartLimit": 0, "clientRequest": request}
    far = {**body, "startAt": iso(NOW_MS + 25 * HOUR_MS)}
    near = {**body, "startAt": iso(NOW_MS + HOUR_MS)}
    paths = [
        [each.path for each in read_request(each, LIMITS, NOW_MS).warnings] for each in (far, near)
    ]
    assert paths == [["clientRequest.token"], []]


def test_times_are_changed_alone() -> None:
    (problem,) = check_times({"stopAt": iso(NOW_MS), "streamSubscribe": {}}).problems
    assert (problem.path, "alone" in problem.rule) == ("body", True)


@given(
    start=st.none() | st.integers(NOW_MS - DAY_MS, NOW_MS + 400 * DAY_MS),
    stop=st.none() | st.integers(NOW_MS - DAY_MS, NOW_MS + 500 * DAY_MS),
)
def test_what_is_not_refused_begins_later_and_stops_after_it(
    start: int | None, stop: int | None
) -> None:
    if time_problems(Times(start, stop), NOW_MS):
        return
    assert start is None or NOW_MS < start <= NOW_MS + MAX_AHEAD_DAYS * DAY_MS
    begins = start or NOW_MS
    assert stop is None or begins < stop <= begins + MAX_DURATION_S * 1000

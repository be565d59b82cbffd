"""Every answer of Agora that may be repeated, scripted once: the recording still ends completed.

What each answer means is a row of `agora_recording.agora.outcomes.TABLE`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from agora_recording.agora.outcomes import NO_CODE, TABLE
from tests.e2e.conftest import Stage, eventually

together = pytest.mark.together


class Answered(NamedTuple):
    """So many calls of an endpoint are answered so, and have no effect."""

    endpoint: str
    http: int
    code: int | None
    times: int = 1

    @property
    def action(self) -> dict[str, Any]:
        """What the simulator is to do."""
        return {"answer": {"http": self.http, "code": self.code, "reason": "scripted"}}


class Cut(NamedTuple):
    """The connection is cut, before or after the call has taken effect."""

    endpoint: str
    when: str
    times: int = 1

    @property
    def action(self) -> dict[str, Any]:
        """What the simulator is to do."""
        return {"drop": self.when}


# By the name of their channel.
REPEATABLE: dict[str, Answered | Cut] = {
    "query 404 404, as in a failover": Answered("query", 404, 404, times=2),
    "start 206 65, until the resource is given up": Answered("start", 206, 65, times=4),
    "start 500 15, until the uid is given up": Answered("start", 500, 15, times=4),
    "acquire 500 500": Answered("acquire", 500, 500),
    "acquire 500 501": Answered("acquire", 500, 501),
    "acquire 500 504": Answered("acquire", 500, 504),
    "acquire 400 406": Answered("acquire", 400, 406),
    "acquire 429": Answered("acquire", 429, None),
    "acquire 503": Answered("acquire", 503, None),
    "acquire 504 62": Answered("acquire", 504, 62),
    "start 206 65": Answered("start", 206, 65),
    "start 206 65, three times": Answered("start", 206, 65, times=3),
    "start 500 62": Answered("start", 500, 62),
    "start 500 502": Answered("start", 500, 502),
    "start 500 15": Answered("start", 500, 15),
    "start 400 433": Answered("start", 400, 433),
    "start 400 1001": Answered("start", 400, 1001),
    "start 400 53": Answered("start", 400, 53),
    "start 429": Answered("start", 429, None),
    "query 206 65": Answered("query", 206, 65),
    "query 504 62": Answered("query", 504, 62),
    "query 429": Answered("query", 429, None),
    "stop 404 404, as in a failover": Answered("stop", 404, 404),
    "stop 206 65": Answered("stop", 206, 65),
    "stop 504 62": Answered("stop", 504, 62),
    "stop 429": Answered("stop", 429, None),
    "acquire cut before": Cut("acquire", "before"),
    "acquire cut after": Cut("acquire", "after"),
    "start cut before": Cut("start", "before"),
    "start cut after": Cut("start", "after"),
    "query cut": Cut("query", "before"),
    "stop cut before": Cut("stop", "before"),
    "stop cut after": Cut("stop", "after"),
}


@together
@pytest.mark.parametrize("cname", REPEATABLE)
def test_the_recording_still_ends_completed(stage: Stage, cname: str) -> None:
    fault = REPEATABLE[cname]
    match = {"endpoint": fault.endpoint, "cname": cname, "times": fault.times}
    stage.fault(match, fault.action)
    recording_id = stage.record(cname)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    row = stage.over(recording_id)
    assert (row["status"], row["endReason"]) == ("completed", "STOP_REQUESTED")
    met = [call for call in stage.calls(cname, fault.endpoint) if call["fault"]]
    assert len(met) == fault.times


@together
def test_a_stop_of_what_is_leaving_already_is_a_stop(stage: Stage) -> None:
    cname = "stop 400 49"
    # It leaves for so long that the stop surely meets it.
    stage.fault({"endpoint": "start", "cname": cname}, {"upload_delay_s": 200})
    stage.fault({"endpoint": "webhook", "cname": cname}, {"lose": True})
    recording_id = stage.record(cname)
    sid = stage.until(recording_id, "recording")["attempt"]["sid"]
    stage.control("POST", f"/recordings/{sid}/idle", {})
    stage.stop(recording_id)
    assert stage.over(recording_id)["status"] == "completed"
    assert [call["code"] for call in stage.calls(cname, "stop")] == [49]


@together
def test_a_stop_answered_by_206_without_a_code_is_a_stop(stage: Stage) -> None:
    cname = "stop 206"
    answer = {"http": 206, "body": {"resourceId": "r", "sid": "s", "serverResponse": {}}}
    stage.fault({"endpoint": "stop", "cname": cname}, {"answer": answer})
    recording_id = stage.record(cname)
    sid = stage.until(recording_id, "recording")["attempt"]["sid"]
    stage.stop(recording_id)
    eventually(lambda: stage.calls(cname, "stop"), "the stop")
    stage.control("POST", f"/recordings/{sid}/idle", {})  # an answer that is scripted stops nothing
    assert stage.over(recording_id)["status"] == "completed"
    assert len(stage.calls(cname, "stop")) == 1


REFUSALS = {
    "start 400 2": ("start", 400, 2, "recordingConfig.channelType is wrong"),
    "start 400 109": ("start", 400, 109, "dynamic key expired"),
    "acquire 400 405": ("acquire", 400, 405, "no_active_status"),
}


@together
@pytest.mark.parametrize("cname", REFUSALS)
def test_a_refusal_for_good_ends_failed_with_agoras_reason(stage: Stage, cname: str) -> None:
    endpoint, http, code, reason = REFUSALS[cname]
    answer = {"http": http, "code": code, "reason": reason}
    stage.fault({"endpoint": endpoint, "cname": cname}, {"answer": answer})
    recording_id = stage.record(cname)
    row = stage.over(recording_id)
    assert (row["status"], row["endReason"]) == ("failed", "REFUSED")
    assert reason in row["reason"]
    assert len(stage.calls(cname, endpoint)) == 1
    event = stage.read_json(f"recordings/{recording_id}/events/recording-failed.json")
    assert event["detailType"] == "Recording Failed"
    assert reason in event["detail"]["recording"]["reason"]
    shown = stage.api.call("GET", f"/recordings/{recording_id}").body
    assert reason in shown["reason"]


def test_every_row_that_gives_hope_is_told_here() -> None:
    hopeful = {
        *("retry_same", "back_off", "back_off_long"),
        *("new_uid", "acquire_again", "confirm_gone"),
    }
    rows = {
        (endpoint, row)
        for row in TABLE
        for endpoint in ("acquire", "start", "query", "stop")
        if endpoint in row.endpoints
        and row.handling in hopeful
        # What is asked of a session cannot be repeated with another resourceId.
        and (row.handling != "acquire_again" or endpoint == "start")
    }
    told = {
        (endpoint, row)
        for endpoint, row in rows
        for each in REPEATABLE.values()
        if isinstance(each, Answered)
        and each.endpoint == endpoint
        and row.status in (None, each.http)
        and row.code in (None, each.code or NO_CODE)
    }
    assert rows - told == set()

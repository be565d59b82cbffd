"""Every answer of Agora that may be repeated, once scripted: the recording still ends completed.

What each answer means is a row of `agora_recording.outcomes.TABLE`.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Stage, eventually

pytestmark = pytest.mark.together


def answered(endpoint: str, http: int, code: int | None, times: int = 1) -> Any:
    """Return the case: that many calls of the endpoint are answered so, and have no effect."""
    count = "" if times == 1 else f", {times} times"
    answer = {"http": http, "code": code, "reason": "scripted"}
    name = f"{endpoint} {http}{'' if code is None else f'/{code}'}{count}"
    return pytest.param(endpoint, times, {"answer": answer}, id=name)


def dropped(endpoint: str, when: str) -> Any:
    """Return the case: the connection is cut, before or after the call took effect."""
    return pytest.param(endpoint, 1, {"drop": when}, id=f"{endpoint} cut {when} its effect")


REPEATABLE = [
    # 404 for as long as a failover takes, then it can be stopped.
    answered("stop", 404, 404, times=2),
    answered("start", 206, 65, times=3),
    answered("acquire", 500, 500),
    answered("acquire", 500, 501),
    answered("acquire", 500, 504),
    answered("acquire", 400, 406),
    answered("acquire", 429, None),
    answered("start", 206, 65),
    answered("start", 500, 62),
    answered("start", 500, 502),
    answered("start", 500, 15),
    answered("start", 400, 433),
    answered("start", 400, 1001),
    answered("start", 400, 53),
    answered("start", 429, None),
    answered("query", 206, 65),
    answered("query", 504, 62),
    answered("query", 404, 404, times=2),
    answered("query", 429, None),
    answered("stop", 206, 65),
    answered("stop", 504, 62),
    answered("stop", 429, None),
    dropped("acquire", "before"),
    dropped("acquire", "after"),
    dropped("start", "before"),
    dropped("start", "after"),
    dropped("query", "before"),
    dropped("stop", "before"),
    dropped("stop", "after"),
]


@pytest.mark.parametrize(("endpoint", "times", "action"), REPEATABLE)
def test_the_recording_still_ends_completed(
    stage: Stage, endpoint: str, times: int, action: dict[str, Any], request: Any = None
) -> None:
    kind, detail = next(iter(action.items()))
    cname = f"{endpoint} {kind} {detail} {times}".translate(_NOT_IN_CNAMES)
    stage.fault({"endpoint": endpoint, "cname": cname, "times": times}, action)
    recording_id = stage.record(cname)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    row = stage.over(recording_id)
    assert row["status"] == "completed", row
    assert row["endReason"] == "STOP_REQUESTED"
    faulty = [call for call in stage.calls(cname, endpoint) if call["fault"]]
    assert len(faulty) == times


_NOT_IN_CNAMES = str.maketrans(dict.fromkeys("'{}", None))

"""A project with an App Certificate: Agora checks the tokens, and throws out whose token ends.

The tokens are valid for 20 minutes of the stack's time, so a recording outlives several.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import SPEED, Stage, eventually

CERTIFICATE = "0c0de5e1f0123456789abcdef6543210"
TOKEN_S = 1200
SLICE_MS = 15_000 / SPEED
TOKENS = 2


@pytest.fixture(scope="module")
def certified() -> Iterator[Stage]:
    """A stack of its own, whose Agora has the certificate that is in the stack's secret."""
    given = {"AgoraConcurrentTasks": "100", "TokenSeconds": str(TOKEN_S)}
    options = {"app_certificate": CERTIFICATE, "pcw": 100}
    with EmbeddedStack(speed=SPEED, options=options, given=given) as stack:
        its = Stage(stack)
        its.control("POST", "/rtc-webhooks", {"url": None})
        yield its


@pytest.fixture(scope="module")
def long(certified: Stage) -> str:
    """A recording that outlives its tokens; it has begun before the other stories are told."""
    recording_id = certified.record("outlives its tokens", maxDurationSeconds=86_400)
    certified.until(recording_id, "recording")
    return recording_id


def attempts(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every attempt of a row, oldest first."""
    return [*row.get("pastAttempts", []), row["attempt"]]


@pytest.mark.usefixtures("long")
def test_a_request_without_a_token_records_and_completes(certified: Stage) -> None:
    recording_id = certified.record("needs a token")
    row = certified.until(recording_id, "recording")
    assert row["attempt"]["tokenUntilMs"] > row["attempt"]["acquiredMs"]
    until_slices(certified, row)
    certified.stop(recording_id)
    assert certified.over(recording_id)["status"] == "completed"
    assert [call["status"] for call in certified.calls("needs a token", "start")] == [200]


@pytest.mark.usefixtures("long")
def test_a_token_of_the_app_for_another_channel_is_refused_and_nothing_records(
    certified: Stage,
) -> None:
    recording_id = certified.record("forged", clientRequest={"token": "007eJxTYBBbsMMnKq7p9Hf"})
    row = certified.over(recording_id)
    assert (row["status"], row["endReason"]) == ("failed", "REFUSED")
    assert [call["code"] for call in certified.calls("forged", "start")] == [110]


@pytest.mark.usefixtures("long")
def test_a_restart_takes_a_new_uid_and_a_token_for_it(certified: Stage) -> None:
    cname = "dies with a token"
    recording_id = certified.record(cname)
    row = certified.until(recording_id, "recording")
    until_slices(certified, row)
    certified.control("POST", f"/recordings/{row['attempt']['sid']}/crash", {})
    certified.await_row(
        recording_id, lambda row: len(attempts(row)) == 2 and row["attempt"].get("confirmedMs")
    )
    certified.stop(recording_id)
    row = certified.over(recording_id)
    assert row["status"] == "completed"
    first, second = attempts(row)
    assert first["uid"] != second["uid"]
    assert [call["status"] for call in certified.calls(cname, "start")] == [200, 200]


@pytest.mark.timeout(400)
def test_a_recording_outlives_its_tokens_without_a_gap(certified: Stage, long: str) -> None:
    row = certified.await_row(
        long,
        lambda row: len(attempts(row)) == TOKENS + 1 and row["attempt"].get("confirmedMs"),
        seconds=300,
    )
    until_slices(certified, row)
    certified.stop(long)
    row = certified.over(long)
    assert row["status"] == "completed", row
    known = attempts(row)
    assert [each["end"] for each in known] == ["TAKEN_OVER"] * TOKENS + ["STOPPED"]
    assert [each.get("takesOver") for each in known] == [None, *["HAND_OVER"] * TOKENS]
    assert len({each["uid"] for each in known}) == TOKENS + 1
    # Each was stopped before its token could throw it out.
    assert all(each["endedMs"] < each["tokenUntilMs"] for each in known)
    manifest = certified.read_json(f"recordings/{long}/manifest.json")
    assert manifest["verdict"] == "complete"
    gaps = manifest["gaps"]["items"]
    assert manifest["gaps"]["durationMs"] <= SLICE_MS * len(gaps), gaps
    told = [each.get("takesOver") for each in manifest["recording"]["attempts"]]
    assert told == [None, *["HAND_OVER"] * TOKENS]
    (track,) = manifest["tracks"]["items"]
    assert [each["sid"] for each in track["playlists"]] == [each["sid"] for each in known]


def test_no_token_and_no_certificate_is_seen_anywhere(certified: Stage, long: str) -> None:
    row = certified.row(long)
    places = {
        "logs": certified.logs(),
        "rows": str(certified.all_rows()),
        "history": str(certified.history(long, row.get("execution", 0))),
        "manifest": str(certified.read_json(f"recordings/{long}/manifest.json")),
    }
    for place, text in places.items():
        assert text.strip("[]{}"), place
        assert CERTIFICATE not in text, place
        assert "007eJ" not in text, place


def test_no_role_was_refused_anything(certified: Stage) -> None:
    lines = certified.stack.emulator.audit.read_text().splitlines()
    assert [line for line in lines if '"allowed": false' in line] == []


def until_slices(certified: Stage, row: dict[str, Any]) -> None:
    """Wait until a row's current session has slices in the bucket."""
    prefix = f"recordings/{row['recordingId']}/{row['attempt']['sid']}"
    eventually(
        lambda: any(key.endswith(".ts") for key in certified.keys(prefix)), f"slices of {prefix}"
    )

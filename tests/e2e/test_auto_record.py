"""Channels that record themselves: while somebody is there, and no longer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Stage, eventually
from tests.e2e.evidence import TOKEN

# BURST_CHANNELS=50 is what an account may record at once; it takes the one emulator some minutes.
CHANNELS = int(os.environ.get("BURST_CHANNELS", "16"))
JOINS = 10 * CHANNELS


@pytest.fixture(autouse=True)
def _heard(stage: Stage) -> Iterator[None]:
    """Let Agora send channel events to the stack, for these stories and their rules alone."""
    for other in stage.api.call("GET", "/auto-record").body["rules"]:
        stage.api.call("DELETE", f"/auto-record/{other['name']}")
    url = stage.facts["rtc_notifications_url"]
    stage.control("POST", "/rtc-webhooks", {"url": url})
    yield
    stage.control("POST", "/rtc-webhooks", {"url": None})


def rule(stage: Stage, name: str, **fields: Any) -> None:
    body = {"stopWhenEmptySeconds": 30, **fields}
    answer = stage.api.call("PUT", f"/auto-record/{name}", body)
    assert answer.status == 200, answer


def come(stage: Stage, cname: str, *users: str, publishing: bool = True) -> None:
    channel = {"cname": cname, "users": list(users), "publishing": publishing}
    stage.control("POST", "/channel", channel)


def recorded(stage: Stage, cname: str) -> list[dict[str, Any]]:
    """Return the recordings of a channel, oldest first."""
    answer = stage.api.call("GET", f"/recordings?cname={cname}")
    found: list[dict[str, Any]] = answer.body["recordings"][::-1]
    return found


def known(stage: Stage, cname: str) -> str:
    """Return what was told of a channel, and what the stack knows of it."""
    sent = stage.control("GET", "/rtc-webhooks")["webhooks"]
    told = [each for each in sent if each["channelName"] == cname]
    rows = [
        row for row in stage.all_rows() if row["SK"] in ("RTC", "CHANNEL") or row["PK"] == "AUTO"
    ]
    lines = [line for line in stage.logs().splitlines() if "Error" in line or "not " in line]
    return "\n".join(str(each) for each in (*told, *rows, *lines[-20:]))


def first(stage: Stage, cname: str) -> str:
    """Wait for a channel's recording; return its id."""
    found = eventually(
        lambda: recorded(stage, cname), f"a recording of {cname}", tell=lambda: known(stage, cname)
    )
    recording_id: str = found[0]["recordingId"]
    return recording_id


def test_who_joins_is_recorded_and_who_leaves_ends_it(stage: Stage) -> None:
    rule(
        stage,
        "lessons",
        channelPattern="lesson-*",
        clientRequest={"token": TOKEN, "recordingConfig": {"channelType": 1}},
        tags={"team": "school"},
    )
    shown = stage.api.call("GET", "/auto-record/lessons").body
    assert shown["clientRequest"]["token"] == "{sealed 0}"
    assert stage.api.call("GET", "/auto-record").body == {"rules": [shown]}

    come(stage, "lesson-1", "7", "8")
    recording_id = first(stage, "lesson-1")
    row = stage.until(recording_id, "recording")
    assert (row["autoRecord"], row["tags"]) == ("lessons", {"team": "school"})
    come(stage, "lesson-1")  # only the recorder is left in the channel
    row = stage.over(recording_id)
    assert (row["status"], row["stopReason"]) == ("completed", "CHANNEL_EMPTY")
    assert len(recorded(stage, "lesson-1")) == 1


def test_a_channel_waits_for_a_place_and_whose_event_was_lost_is_found(stage: Stage) -> None:
    rule(
        stage,
        "talks",
        channelPattern="talk-*",
        clientRequest={"token": TOKEN, "recordingConfig": {"channelType": 1}},
        maxAtOnce=1,
    )
    come(stage, "talk-1", "7")
    before = first(stage, "talk-1")
    stage.until(before, "recording")
    # Of the second channel, it is only told that it was made.
    stage.fault(
        {"endpoint": "rtc-webhook", "cname": "talk-2", "event_types": [103]}, {"lose": True}
    )
    come(stage, "talk-2", "9")
    eventually(
        lambda: [row for row in stage.rows("CHANNEL#talk-2", "CHANNEL") if row.get("waits")],
        "the second channel to wait",
    )
    assert recorded(stage, "talk-2") == []
    come(stage, "talk-1")
    after = first(stage, "talk-2")
    stage.until(after, "recording")
    come(stage, "talk-2")
    assert stage.over(before)["status"] == "completed"
    assert stage.over(after)["status"] == "completed"
    assert stage.api.call("DELETE", "/auto-record/talks").status == 204
    assert stage.api.call("GET", "/auto-record/talks").status == 404


@pytest.mark.timeout(480)
def test_a_burst_of_joins_starts_one_recording_for_each_channel(stage: Stage) -> None:
    rule(stage, "classes", channelPattern="class-*", maxAtOnce=CHANNELS)
    names = [f"class-{number}" for number in range(CHANNELS)]
    each = JOINS // CHANNELS
    for number, cname in enumerate(names):
        users = [str(1000 + number * each + nth) for nth in range(each)]
        come(stage, cname, *users, publishing=False)
    ids = {cname: first(stage, cname) for cname in names}
    for recording_id in ids.values():
        stage.until(recording_id, "recording")
    tasks = stage.control("GET", "/recordings")["recordings"]
    live = [one["cname"] for one in tasks if one["live"] and one["cname"].startswith("class-")]
    assert sorted(live) == sorted(names)
    calls = stage.control("GET", "/calls")["calls"]
    assert not [one for one in calls if one["status"] == 429]
    for cname in names:
        come(stage, cname)
    for cname, recording_id in ids.items():
        stage.over(recording_id)
        assert len(recorded(stage, cname)) == 1

"""What a message says, and how it goes from try to try."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.callbacks.message import (
    BUSY_MS,
    MAX_BODY,
    TRIES,
    WAITS_S,
    Message,
    body_of,
    taken,
    tried,
)
from tests.world.webhook import NOW_MS

URL = "https://app.example.com/hook"
texts = st.text(st.characters(codec="utf-8"), max_size=800)


def message(**changes: Any) -> Message:
    """Return a message that was just made."""
    fields = {
        "recording_id": "01K",
        "message_id": "01K-completed",
        "type": "recording.completed",
        "url": URL,
        "body": "{}",
        "made_ms": NOW_MS,
        "next_ms": NOW_MS,
    }
    return Message(**{**fields, **changes})


@given(
    cname=texts,
    reason=st.text(st.characters(codec="utf-8"), max_size=3000),
    tags=st.dictionaries(st.text(max_size=128), st.text(max_size=256), max_size=20),
)
def test_no_body_is_as_large_as_20_kb(cname: str, reason: str, tags: dict[str, str]) -> None:
    data = {"cname": cname, "reason": reason, "tags": tags, "file": {"name": cname}}
    body = body_of("recording.completed", NOW_MS, data)
    assert len(body.encode()) <= MAX_BODY
    told = json.loads(body)
    assert told["type"] == "recording.completed"
    assert told["data"].get("tags") == tags or told["data"]["omitted"] == ["tags"]


def test_large_tags_are_left_out_and_named() -> None:
    tags = {"é" * 128 + str(number): "\x01" * 256 for number in range(20)}
    data = json.loads(body_of("recording.failed", NOW_MS, {"tags": tags, "status": "failed"}))
    assert data["data"] == {"status": "failed", "omitted": ["tags"]}


def test_a_try_is_made_by_one_process_at_a_time() -> None:
    going = taken(message(), NOW_MS)
    assert going.tries == 1
    assert taken(going, NOW_MS + 1) == going
    assert taken(going, NOW_MS + BUSY_MS).tries == 2  # the first process is lost


@pytest.mark.parametrize("state", ["delivered", "given_up", "switched_off"])
def test_what_is_over_is_not_tried(state: Any) -> None:
    over = message(state=state)
    assert taken(over, NOW_MS) == over
    assert over.due_ms is None


def test_a_try_that_comes_too_early_is_not_made() -> None:
    assert taken(message(next_ms=NOW_MS + 1), NOW_MS).tries == 0


@pytest.mark.parametrize(
    ("status", "state"),
    [
        *((200, "delivered"), (204, "delivered"), (410, "switched_off"), (301, "waiting")),
        *((302, "waiting"), (400, "waiting"), (404, "waiting"), (429, "waiting")),
        *((500, "waiting"), (199, "waiting"), (None, "waiting")),
    ],
)
def test_each_answer_has_its_meaning(status: int | None, state: str) -> None:
    assert tried(message(tries=1), status, NOW_MS, jitter=0).state == state


@given(jitter=st.floats(0, 1))
def test_tries_go_on_for_three_days_and_then_end(jitter: float) -> None:
    now, found = NOW_MS, message()
    for number in range(1, TRIES + 1):
        found = taken(found, now)
        assert found.tries == number
        found = tried(found, 503, now, jitter=jitter)
        now = max(found.next_ms, now)
    assert found.state == "given_up"
    days = (now - NOW_MS) / 86_400_000
    assert 3 <= days <= 3 * 1.3
    assert found.due_ms is None


@given(jitter=st.floats(0, 1), retry_s=st.integers(0, 86_400), tries=st.integers(1, TRIES - 1))
def test_a_wait_is_never_shorter_than_asked_for(jitter: float, retry_s: int, tries: int) -> None:
    after = tried(message(tries=tries), 429, NOW_MS, jitter=jitter, retry_s=retry_s)
    wait_s = (after.next_ms - NOW_MS) / 1000
    assert wait_s >= max(retry_s, WAITS_S[tries - 1]) - 0.001
    assert after.due_ms is not None
    assert after.due_ms >= after.next_ms

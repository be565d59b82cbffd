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
    again,
    body_of,
    digest,
    switched_off,
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
        *((299, "delivered"), (300, "waiting")),
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


def test_a_message_says_its_type_and_when_it_was_made_beside_the_recording() -> None:
    told = json.loads(body_of("recording.started", NOW_MS, {"cname": "room", "manifest": None}))
    at = "2023-11-14T22:13:20.000Z"
    assert told == {"type": "recording.started", "timestamp": at, "data": {"cname": "room"}}


def test_of_the_texts_of_people_only_the_reason_is_cut() -> None:
    long = "x" * 1001
    told = json.loads(body_of("recording.failed", NOW_MS, {"cname": long, "reason": long}))
    assert told["data"] == {"cname": long, "reason": long[:1000]}


def test_what_leaves_its_tags_out_keeps_its_type() -> None:
    told = json.loads(body_of("recording.failed", NOW_MS, {"tags": {"a": "x" * MAX_BODY}}))
    assert (told["type"], told["data"]) == ("recording.failed", {"omitted": ["tags"]})


def test_a_body_of_just_20_kb_keeps_its_tags() -> None:
    empty = len(body_of("recording.failed", NOW_MS, {"tags": {"a": ""}}))
    fits = {"tags": {"a": "x" * (MAX_BODY - empty)}}
    assert len(body_of("recording.failed", NOW_MS, fits)) == MAX_BODY
    assert json.loads(body_of("recording.failed", NOW_MS, fits))["data"] == fits


def test_the_name_of_an_address_is_sixteen_digits_that_do_not_tell_it() -> None:
    assert digest(URL) == "6e048ab0aeabfa08"
    assert message().key == f"CALL#01K-completed#{digest(URL)}"


def test_a_try_that_is_over_leaves_the_message_to_the_next_one() -> None:
    for status in (200, 410, 500):
        assert tried(message(tries=1, busy_ms=NOW_MS + 9), status, NOW_MS, jitter=0).busy_ms == 0


def test_a_wait_is_shorter_where_everything_is_faster() -> None:
    for retry_s, wait_s in ((None, WAITS_S[1]), (0, WAITS_S[1]), (6000, 6000)):
        after = tried(message(tries=2), 500, NOW_MS, jitter=0, retry_s=retry_s, speed=10)
        assert after.next_ms == NOW_MS + wait_s * 100


def test_what_is_switched_off_is_not_tried_any_more() -> None:
    off = switched_off(message(tries=3, busy_ms=NOW_MS + 9))
    assert off == message(tries=3, state="switched_off")
    assert off.due_ms is None


def test_a_message_that_is_sent_again_is_as_new() -> None:
    over = message(state="given_up", tries=TRIES, busy_ms=NOW_MS + 9, next_ms=NOW_MS - 9)
    assert again(over, NOW_MS) == message()

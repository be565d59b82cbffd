"""Who is in a channel, by a merge of events and answers."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.auto_record import presence as heart
from agora_recording.auto_record.presence import (
    LEFT_KEPT_S,
    MARGIN_MS,
    MOST_USERS,
    ChannelEvent,
    ChannelUsers,
    Presence,
    is_recorder,
    merged,
    read_event,
    read_users,
    reconciled,
    tidied,
)
from tests.world.channels import CNAME, body, told
from tests.world.webhook import NOW_MS


def here(presence: Presence) -> set[str]:
    return {uid for uid, each in presence.users.items() if each.here}


def after(*events: ChannelEvent, start: Presence | None = None) -> Presence:
    presence = start or Presence()
    for each in events:
        presence = merged(presence, each, NOW_MS + 60_000)
    return presence


# --- the universal rule -------------------------------------------------------------------------

STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 4)), max_size=30)


def history(steps: list[tuple[str, int]]) -> tuple[list[ChannelEvent], set[str], float]:
    """Return the events of users who come and go, who is there at the end, and when that is."""
    events: list[ChannelEvent] = []
    there: set[str] = set()
    at_s = 0.0
    for seq, (uid, pause_s) in enumerate(steps, 1):
        at_s += pause_s
        is_coming = uid not in there
        if is_coming and not there:
            events.append(told("made", None, None, at_s))
        events.append(told("here" if is_coming else "left", uid, seq, at_s))
        there ^= {uid}
        if not there:
            events.append(told("gone", None, None, at_s))
    return events, there, at_s


@given(STEPS, st.randoms(use_true_random=False))
def test_events_in_any_order_and_number_give_the_true_set(
    steps: list[tuple[str, int]], random: Random
) -> None:
    events, there, _ = history(steps)
    delivered = events * 2
    random.shuffle(delivered)
    presence = after(*delivered)
    assert here(presence) == there
    assert not presence.in_doubt


@given(STEPS, st.randoms(use_true_random=False))
def test_after_loss_disorder_and_duplication_one_answer_gives_the_true_set(
    steps: list[tuple[str, int]], random: Random
) -> None:
    events, there, end_s = history(steps)
    delivered = [each for each in events * 2 if random.random() < 0.6]
    random.shuffle(delivered)
    cut = random.randrange(len(delivered) + 1)
    before = after(*delivered[:cut])
    asked_ms = NOW_MS + round(end_s * 1000) + MARGIN_MS + 1
    presence = reconciled(before, before, there, asked_ms, more=False)
    assert here(presence) == there
    assert not presence.in_doubt
    # What comes later is older than the answer, and changes nothing.
    assert after(*delivered[cut:], start=presence) == presence


@given(STEPS, st.randoms(use_true_random=False))
def test_what_is_told_while_agora_is_asked_ends_in_the_truth_or_in_doubt(
    steps: list[tuple[str, int]], random: Random
) -> None:
    events, _, _ = history(steps)
    cut = random.randrange(len(events) + 1)
    _, then, _ = history(steps[: sum(each.uid is not None for each in events[:cut])])
    asked_ms = max((each.at_ms for each in events[:cut]), default=NOW_MS)
    before = after(*(each for each in events[:cut] if random.random() < 0.5))
    meanwhile = after(*events[cut:], start=before)
    presence = reconciled(meanwhile, before, then, asked_ms, more=False)
    _, truth, _ = history(steps)
    assert presence.in_doubt or here(presence) == truth


# --- case by case -------------------------------------------------------------------------------


def test_an_older_event_of_a_user_changes_nothing() -> None:
    presence = after(told("left", seq=5))
    assert after(told("here", seq=4), start=presence) is presence


def test_a_channel_that_was_made_by_an_unknown_user_is_doubtful_until_the_user_is_known() -> None:
    presence = after(told("made", None, None, 3))
    assert presence.in_doubt
    assert not after(told("here", at_s=3), start=presence).in_doubt


def test_a_channel_that_is_gone_although_somebody_seems_to_be_there_is_doubtful() -> None:
    presence = after(told("here", at_s=1), told("gone", None, None, 9))
    assert presence.in_doubt
    answered = reconciled(presence, presence, (), NOW_MS + 10_000, more=False)
    assert not answered.in_doubt
    assert not answered.is_occupied


def test_a_channel_that_is_gone_in_the_second_in_which_one_of_two_left_is_doubtful() -> None:
    both = after(told("made", None, None, 1), told("here", "7", 1, 1), told("here", "8", 2, 2))
    assert after(told("left", "8", 3, 9), told("gone", None, None, 9), start=both).in_doubt


def test_a_channel_that_is_gone_in_the_second_in_which_somebody_came_is_doubtful() -> None:
    one = after(told("made", None, None, 1), told("here", "8", 1, 1))
    both = after(told("here", "7", 2, 9), told("left", "8", 3, 9), start=one)
    assert not both.in_doubt
    assert after(told("gone", None, None, 9), start=both).in_doubt


def test_a_channel_that_was_made_and_is_not_gone_is_doubtful_though_all_known_users_left() -> None:
    empty = after(told("here", at_s=1), told("gone", None, None, 9), told("left", "7", 2, 9))
    assert not empty.in_doubt
    late = after(told("made", None, None, 20), told("left", "7", 4, 50), start=empty)
    assert late.in_doubt
    assert not after(told("gone", None, None, 50), start=late).in_doubt


def test_an_event_without_an_order_makes_the_channel_doubtful() -> None:
    assert after(told("here", seq=None)).in_doubt


def test_an_event_that_is_later_than_what_is_remembered_makes_the_channel_doubtful() -> None:
    old = told("here", at_s=-LEFT_KEPT_S - 100)
    presence = after(old)
    assert presence.in_doubt
    assert not presence.is_occupied


def test_an_event_close_to_an_answer_counts_and_makes_it_doubtful() -> None:
    empty = reconciled(Presence(), Presence(), (), NOW_MS, more=False)
    presence = after(told("here", at_s=2), start=empty)
    assert here(presence) == {"7"}
    assert presence.in_doubt


def test_a_crowd_is_known_to_be_there_though_not_by_every_name() -> None:
    crowd = after(*(told("here", str(uid), uid) for uid in range(MOST_USERS + 50)))
    assert len(crowd.users) == MOST_USERS
    assert crowd.more
    gone = after(*(told("left", str(uid), 1000 + uid) for uid in range(MOST_USERS)), start=crowd)
    assert not gone.is_occupied
    assert gone.in_doubt, "some may be there whose names are not kept"
    named = [str(uid) for uid in range(MOST_USERS + 1)]
    asked = reconciled(gone, gone, named, NOW_MS + 60_000, more=False)
    assert len(here(asked)) == MOST_USERS
    assert asked.more


def test_who_left_long_ago_is_forgotten_and_who_is_there_is_not() -> None:
    presence = after(told("left", "1"), told("here", "2"))
    assert tidied(presence, NOW_MS + 1000) is presence
    assert tidied(presence, NOW_MS + (LEFT_KEPT_S + 1) * 1000).users.keys() == {"2"}


# --- reading ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        (103, "here"),
        (105, "here"),
        (107, "here"),
        (111, "here"),
        (112, "here"),
        (104, "left"),
        (106, "left"),
        (108, "left"),
    ],
)
def test_every_documented_event_of_a_user_is_read(event_type: int, expected: str) -> None:
    event = read_event(body(event_type, at_s=2), NOW_MS + 9000)
    assert event == told(expected, at_s=2)  # type: ignore[arg-type]


def test_the_channels_own_events_are_read_without_a_user() -> None:
    assert read_event(body(101, None, seq=None), NOW_MS) == told("made", None, None)
    gone = read_event(body(102, None, seq=None, lastUid=7), NOW_MS)
    assert gone == told("gone", None, None)


@pytest.mark.parametrize(
    "raw",
    [
        body(cname="test_webhook", uid=12121212),
        body(999),
        body(uid=None),
        json.dumps({**json.loads(body()), "productId": 3}).encode(),
        b"[]",
        b"not JSON",
    ],
    ids=["the console's test", "unknown", "nobody", "Cloud Recording", "[]", "text"],
)
def test_what_tells_nothing_about_users_is_no_event(raw: bytes) -> None:
    assert read_event(raw, NOW_MS) is None


def test_a_recorder_is_no_user_also_where_agora_names_it_as_one() -> None:
    event = read_event(body(clientType=10, platform=6), NOW_MS)
    assert event == told("recorder", seq=None)
    presence = after(told("here"), told("recorder", seq=None))
    assert not presence.is_occupied
    assert after(told("here", seq=5), start=presence) is presence
    answered = reconciled(presence, presence, ["7", "8"], NOW_MS, more=False)
    assert here(answered) == {"8"}


def test_a_channel_that_is_called_like_the_consoles_test_can_be_used() -> None:
    assert read_event(body(cname="test_webhook"), NOW_MS)


def test_no_event_lies_in_the_future() -> None:
    event = read_event(body(at_s=500), NOW_MS)
    assert event is not None
    assert event.at_ms == NOW_MS


def test_a_recorder_is_known_by_its_uid() -> None:
    assert is_recorder("4200000000", 4_200_000_000, 4_294_967_295)
    assert not is_recorder("7", 4_200_000_000, 4_294_967_295)
    assert not is_recorder(None, 1, 2)


def answered(**data: object) -> ChannelUsers | None:
    return read_users(200, json.dumps({"success": True, "data": data}).encode())


def test_the_users_of_both_kinds_of_channels_are_read() -> None:
    live = {"broadcasters": [1], "audience": [2, 3], "audience_total": 2}
    assert answered(channel_exist=True, mode=2, **live) == ChannelUsers(("1", "2", "3"))
    call = answered(channel_exist=True, mode=1, users=[906218805, 7], total=2)
    assert call == ChannelUsers(("906218805", "7"))
    assert answered(channel_exist=False) == ChannelUsers(())


def test_an_audience_that_is_larger_than_the_answer_is_told() -> None:
    more = answered(channel_exist=True, broadcasters=[1], audience=[2], audience_total=20_000)
    assert more == ChannelUsers(("1", "2"), more=True)


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (None, b""),
        (500, b"{}"),
        (200, b"[]"),
        (200, b'{"success":false,"data":{"a":1}}'),
        (200, b'{"data":{"users":[1]}}'),
        (429, b'{"data":{"channel_exist":false}}'),
    ],
)
def test_an_answer_that_does_not_tell_is_not_taken_for_an_empty_channel(
    status: int | None, raw: bytes
) -> None:
    assert read_users(status, raw) is None


def test_the_channel_is_named_as_agora_names_it() -> None:
    event = read_event(body(), NOW_MS)
    assert event is not None
    assert event.cname == CNAME
    assert heart.CLOUD_RECORDER == 10

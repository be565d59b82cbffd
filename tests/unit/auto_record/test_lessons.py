"""Channels that record themselves, from the first join to the end."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.errors import RequestInvalidError, RuleNotFoundError
from agora_recording.recording.model import close
from tests.unit.auto_record.conftest import School
from tests.world.builders import running
from tests.world.channels import CNAME, body
from tests.world.errors import error
from tests.world.world import World


def end(school: School, status: Any = "completed", **changes: Any) -> None:
    """Let the newest recording be over."""
    (row, *_) = school.recordings()
    school.parts.store.amend(
        row.recording_id,
        lambda each: replace(close(each, status, "x", "y", school.clock()), **changes),
    )


def test_the_first_user_of_a_matching_channel_starts_one_recording(school: School) -> None:
    school.come(7)
    school.come(8)
    (recording,) = school.recordings()
    assert (recording.cname, recording.auto_record) == (CNAME, "lessons")
    assert school.machine.executions == {recording.recording_id: "RUNNING"}
    assert school.live() == 1


def test_a_channel_that_no_rule_is_for_leaves_no_row(school: School) -> None:
    before = dict(school.table.items)
    school.come(7, cname="talk-1")
    assert school.table.items == before


@pytest.mark.parametrize(
    "raw",
    [
        body(uid=4_200_000_000),
        body(clientType=10),
        body(cname="test_webhook", uid=12121212),
    ],
    ids=["a uid of our recorders", "a recorder of another stack", "the console's test"],
)
def test_what_is_no_user_starts_nothing(raw: bytes) -> None:
    school = School()
    school.rule(channelPattern="*")
    school.hear(raw)
    assert not school.recordings()


def test_a_rule_that_is_off_starts_nothing() -> None:
    school = School()
    school.rule(enabled=False)
    school.come(7)
    assert not school.recordings()


def test_the_last_ones_leaving_and_the_grace_end_it(school: School) -> None:
    school.come(7)
    school.pass_time(5)
    school.go(7)
    school.clock.sleep(30)
    assert not school.parts.channel_sweeper.sweep(seconds=50)["stop"]
    assert school.pass_time(3)["stop"] == 1
    (recording,) = school.recordings()
    assert recording.stop_reason == "CHANNEL_EMPTY"
    assert school.live() == 0
    assert school.asked.calls == [CNAME]


def test_whoever_comes_back_within_the_grace_goes_on_being_recorded(school: School) -> None:
    school.come(7)
    school.go(7)
    school.clock.sleep(40)
    school.come(7, seq=3)
    school.pass_time(30)
    (recording,) = school.recordings()
    assert recording.stop_reason is None


def test_a_join_whose_event_was_lost_keeps_the_recording_running(school: School) -> None:
    school.come(7)
    school.asked.users[CNAME].append(8)  # nobody told of it
    school.go(7)
    school.pass_time(30)
    (recording,) = school.recordings()
    assert recording.stop_reason is None
    assert school.asked.calls


def test_the_recorder_keeps_nothing_alive(school: School) -> None:
    school.come(7)
    school.hear(body(103, 999, seq=5, clientType=10))
    school.asked.users[CNAME] += [4_200_000_001, 999]
    school.go(7)
    school.pass_time(5)
    (recording,) = school.recordings()
    assert recording.stop_reason == "CHANNEL_EMPTY"


def test_while_agora_does_not_answer_nothing_is_stopped(school: School) -> None:
    school.asked.broken = True
    school.come(7)
    school.go(7)
    school.pass_time(10)
    assert school.recordings()[0].stop_reason is None
    school.asked.broken = False
    assert school.pass_time(2)["stop"] == 1


def test_a_rule_without_a_grace_leaves_the_end_to_agora() -> None:
    school = School()
    school.parts.rules.put("lessons", {"channelPattern": "lesson-*"})
    school.come(7)
    school.go(7)
    school.pass_time(30)
    assert school.recordings()[0].stop_reason is None


def test_a_new_lesson_in_the_same_channel_is_a_new_recording(school: School) -> None:
    school.come(7)
    school.go(7)
    school.pass_time(3)
    school.come(7, seq=3)
    assert len(school.recordings()) == 2


def test_a_recording_that_the_app_stopped_is_not_started_again_while_users_stay(
    school: School,
) -> None:
    school.come(7)
    end(school, stop_reason="STOP_REQUESTED")
    school.pass_time(60)
    school.come(8)
    assert len(school.recordings()) == 1
    assert school.live() == 0
    school.go(7, 8)
    school.come(9)
    assert len(school.recordings()) == 2


def test_a_recording_that_ended_because_nobody_seemed_to_be_there_is_followed_by_the_next_join(
    school: School,
) -> None:
    school.come(7)
    school.go(7, told=False)
    school.clock.sleep(600)
    end(school, attempt=replace(running(), end="IDLE", ended_ms=school.clock()))
    school.pass_time(3)
    assert not school.channel().presence.is_occupied, "Agora was asked"
    school.come(8)
    assert len(school.recordings()) == 2


def test_a_channel_that_is_made_anew_is_recorded_anew_whoever_seems_to_have_stayed(
    school: School,
) -> None:
    school.come(7)
    end(school, stop_reason="STOP_REQUESTED")
    school.pass_time(3)
    school.go(7, told=False)
    school.clock.sleep(60)
    school.asked.users[CNAME] = [7]
    at_s = (school.clock() - World().clock()) / 1000
    school.hear(body(101, None, seq=None, at_s=at_s))  # nobody told that 7 came back
    assert len(school.recordings()) == 1
    school.pass_time(2)
    assert len(school.recordings()) == 2, "Agora was asked"


def test_a_channel_that_only_a_recorder_made_anew_is_not_recorded(school: School) -> None:
    school.come(7)
    end(school, stop_reason="STOP_REQUESTED")
    school.pass_time(3)
    school.go(7, told=False)
    school.clock.sleep(60)
    at_s = (school.clock() - World().clock()) / 1000
    school.hear(body(101, None, seq=None, at_s=at_s))
    school.pass_time(3)
    assert len(school.recordings()) == 1
    assert not school.channel().presence.is_occupied


def test_a_join_that_only_the_channels_own_event_tells_of_is_found(school: School) -> None:
    school.asked.users[CNAME] = [7]
    school.hear(body(101, None, seq=None))
    assert not school.recordings()
    school.pass_time(2)
    assert len(school.recordings()) == 1


def test_a_recording_that_nobody_noted_is_found_and_ends_with_its_channel(school: School) -> None:
    school.come(7)
    begun = school.channel().occupancy
    assert begun
    unknown = replace(begun, started_id=None)
    school.parts.channels.amend(CNAME, lambda row: replace(row, occupancy=unknown))
    school.go(7)
    school.pass_time(4)
    (recording,) = school.recordings()
    assert recording.stop_reason == "CHANNEL_EMPTY"
    assert school.live() == 0


def test_at_most_so_many_record_at_once_and_others_wait() -> None:
    school = School()
    school.rule(maxAtOnce=2)
    for number in range(4):
        school.come(7, cname=f"lesson-{number}")
    assert len(school.recordings()) == school.live() == 2
    assert school.channel("lesson-3").waits
    end(school)
    school.pass_time(3)
    assert len(school.recordings()) == 3
    assert school.live() == 2


def test_the_secrets_of_a_rule_are_sealed_and_reach_its_recordings() -> None:
    school = School()
    school.rule(clientRequest={"token": "007secret"}, restartLimit=0)
    assert "007secret" not in str(school.table.items)
    school.come(7)
    (recording,) = school.recordings()
    unsealed = school.parts.sealer.unseal(recording.recording_id, recording.sealed)
    assert unsealed == ["007secret"]


def test_the_app_that_a_rule_names_hears_of_its_recordings() -> None:
    school = School()
    url = "https://app.example.com/hook"
    school.rule(callbackUrl=url)
    school.come(7)
    (recording,) = school.recordings()
    assert recording.callback_url == url
    with pytest.raises(RequestInvalidError) as caught:
        school.rule(callbackUrl="https://evil.example.com/hook")
    assert [each.path for each in caught.value.problems] == ["callbackUrl"]


def test_a_request_that_is_refused_later_does_not_hold_a_place(school: School) -> None:
    rule = school.parts.rule_store.get("lessons")
    wrong = replace(rule, request={"clientRequest": {"recordingConfig": {"channelType": 9}}})
    school.parts.rule_store.put(wrong)
    school.come(7)
    assert not school.recordings()
    assert school.live() == 0


def test_a_deleted_rule_ends_what_it_has_started_as_it_would_have(school: School) -> None:
    school.come(7)
    school.parts.rule_store.delete("lessons")
    with pytest.raises(RuleNotFoundError):
        school.parts.rule_store.delete("lessons")
    school.go(7)
    school.pass_time(4)
    assert school.recordings()[0].stop_reason == "CHANNEL_EMPTY"


def test_a_batch_that_meets_a_busy_table_comes_again_and_starts_one_recording(
    school: School,
) -> None:
    def busy() -> None:
        raise error("ProvisionedThroughputExceededException")

    school.table.before_write.extend([busy] * 20)
    raw = body()
    assert school.hear(raw) != []
    school.table.before_write.clear()
    assert school.hear(raw) == []
    assert len(school.recordings()) == 1


def test_a_burst_of_joins_starts_one_recording_for_each_channel() -> None:
    school = School()
    school.rule(maxAtOnce=50)
    joins = [body(uid=uid, cname=f"lesson-{uid % 50}") for uid in range(1, 501)]
    for first in range(0, 500, 100):
        assert school.hear(*joins[first : first + 100]) == []
    assert sorted(each.cname for each in school.recordings()) == sorted(
        f"lesson-{number}" for number in range(50)
    )
    assert school.live() == 50


# --- the universal rule -------------------------------------------------------------------------


def overtake(school: School, bodies: list[bytes]) -> None:
    """Let another run of the room apply events first."""
    school.hear(*bodies)


def running_in(school: School) -> list[Any]:
    """Return the recordings that go on."""
    found = school.recordings(CNAME)
    return [each for each in found if not each.is_terminal and each.stop_reason is None]


EVENTS = st.lists(
    st.tuples(st.sampled_from([103, 104]), st.integers(1, 3), st.integers(1, 6)), max_size=12
)


@settings(max_examples=40)
@given(st.lists(EVENTS, max_size=5), st.randoms(use_true_random=False), st.booleans())
def test_there_are_never_two_recordings_at_once_for_one_channel_and_rule(
    batches: list[list[tuple[int, int, int]]], random: Any, ends: bool
) -> None:
    """Whatever arrives, twice, at once and in any order, also while the table is raced for."""
    school = School()
    school.rule()
    for batch in batches:
        bodies = [body(kind, uid, seq=seq) for kind, uid, seq in batch]
        again = [each for each in bodies if random.random() < 0.5]
        if random.random() < 0.5:
            # Another run of the room applies the same in the middle of this one.
            school.table.before_write.append(partial(overtake, school, again))
        school.hear(*bodies)
        school.hear(*again)
        school.table.before_write.clear()
        live = running_in(school)
        assert len(live) <= 1
        if live:
            assert school.live() == 1
        if ends and live:
            end(school, "completed")
        school.asked.users[CNAME] = [uid for uid in (1, 2, 3) if random.random() < 0.3]
        school.pass_time(random.randrange(3))
        assert len(running_in(school)) <= 1


# --- rules --------------------------------------------------------------------------------------


def refused(school: School, name: str = "x", **fields: Any) -> set[str]:
    with pytest.raises(RequestInvalidError) as caught:
        school.parts.rules.put(name, fields)
    return {each.path for each in caught.value.problems}


def test_a_rule_is_checked_as_the_recordings_that_it_will_start(school: School) -> None:
    assert refused(school) == {"channelPattern"}
    assert refused(school, channelPattern="é") == {"channelPattern"}
    assert refused(school, channelPattern="*", mode="web") == {"mode"}
    assert refused(school, channelPattern="*", maxAtOnce=0, cname="x") == {"maxAtOnce", "cname"}
    config = {"recordingConfig": {"maxIdleTime": 1}}
    found = refused(school, channelPattern="*", clientRequest=config)
    assert found == {"clientRequest.recordingConfig.maxIdleTime"}
    assert refused(school, "a b", channelPattern="*") == {"name"}
    assert [each.name for each in school.parts.rule_store.all()] == ["lessons"]

"""The merge of a session's events: its laws, its bounds, and what the supervisor asks of it."""

from __future__ import annotations

import itertools
import random
from functools import reduce
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.aws import dynamodb
from agora_recording.notifications import events as e
from agora_recording.notifications import facts as session
from agora_recording.notifications.effects import merge
from agora_recording.notifications.events import Event
from agora_recording.notifications.facts import NOTHING, SessionFacts, SessionRow
from agora_recording.notifications.words import FATAL, STORAGE_REFUSED, error_words
from tests.world.webhook import DOCUMENTED, NOW_MS, event


def facts(*told: Event) -> SessionFacts:
    return reduce(merge, told, NOTHING)


def join(a: SessionFacts, b: SessionFacts) -> SessionFacts:
    return session.joined(a, msgspec.structs.asdict(b))


# --- sessions made up at random, from every event type and every field ---

_NUMBERS = st.integers(0, 3) | st.sampled_from([4, 5, 16, 20, 10_000])
_INSTANTS = st.integers(NOW_MS - 3, NOW_MS + 3)
_UIDS = st.sampled_from(["0", "527841", "3718283"])
_FILES = st.lists(st.sampled_from(["a.m3u8", "b.m3u8", "c_0.mp4"]), max_size=2)
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["status", "exitStatus", "leaveCode", "progress", "code", "state"], _NUMBERS),
    **dict.fromkeys(["module", "errorLevel", "errorCode", "warnCode"], _NUMBERS),
    **dict.fromkeys(["startUtcMs", "discontinueUtcMs", "UtcMs", "recorderStartTime"], _INSTANTS),
    **dict.fromkeys(["streamUid", "newUid", "uid"], _UIDS),
    **dict.fromkeys(["message", "limitType", "reason"], st.sampled_from(["ok", "bandwidth"])),
    "fileList": _FILES,
    "fileName": st.sampled_from(["a.jpg", "b.ts;c.ts"]),
    "result": st.sampled_from(["fail", "failed", "partial_success", "all_success"]),
    "rtmpUrl": st.sampled_from(["rtmp://a/1", "rtmp://b/2"]),
    "aliVodInfo": st.fixed_dictionaries({"videoId": st.sampled_from(["v1", "v2"])}),
}
_EVENTS = st.builds(
    event,
    st.sampled_from([*e.KINDS, 4711]),
    st.fixed_dictionaries({}, optional=_FIELDS),
    sequence=st.integers(0, 12),
    uid=_UIDS,
    at_ms=_INSTANTS,
)
_SESSIONS = st.lists(_EVENTS, max_size=12)
_FACTS = _SESSIONS.map(lambda told: facts(*told))


@given(told=_SESSIONS, seed=st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_give_the_same_facts(
    told: list[Event], seed: random.Random
) -> None:
    again = told + seed.choices(told, k=len(told)) if told else []
    seed.shuffle(again)
    assert facts(*again) == facts(*told)


def test_every_permutation_of_a_session_gives_the_same_facts() -> None:
    # As it was seen on the wire: the end before the upload, a stream state after the end.
    told = [
        event(40, sequence=0),
        event(4, {"fileList": "a.m3u8"}, sequence=1, at_ms=NOW_MS + 1),
        event(41, {"leaveCode": 24}, sequence=2, at_ms=NOW_MS + 2),
        event(11, {"exitStatus": 0}, sequence=3, at_ms=NOW_MS + 3),
        event(31, {"fileList": "a.m3u8"}, sequence=4, at_ms=NOW_MS + 4),
        event(43, {"streamUid": "1", "state": 1}, sequence=5, at_ms=NOW_MS + 5),
    ]
    expected = facts(*told)
    assert all(facts(*order) == expected for order in itertools.permutations(told))


@given(told=_SESSIONS, lost=st.sets(st.integers(0, 11)))
def test_what_arrives_later_takes_nothing_back(told: list[Event], lost: set[int]) -> None:
    some = facts(*(each for number, each in enumerate(told) if number not in lost))
    everything = facts(*told)
    assert join(some, everything) == everything
    if session.session_ended(some) and not everything.newUids:
        assert session.session_ended(everything)
        assert (everything.endedMs or 0) <= (some.endedMs or 0)


@given(a=_FACTS, b=_FACTS, c=_FACTS)
def test_join_is_associative_commutative_and_idempotent(
    a: SessionFacts, b: SessionFacts, c: SessionFacts
) -> None:
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, b) == join(b, a)
    assert join(a, a) == a
    assert join(a, NOTHING) == a


@pytest.mark.parametrize("seed", range(3))
def test_the_laws_hold_beyond_every_bound(seed: int) -> None:
    chance = random.Random(seed)
    many = [_crowded(number, chance) for number in range(400)]
    shuffled = chance.sample(many, len(many))
    halves = join(facts(*shuffled[:200]), facts(*shuffled[150:]))
    assert facts(*many) == facts(*shuffled) == halves


def _crowded(number: int, chance: random.Random) -> Event:
    """One of many events, with more names, uids, codes and numbers than any bound allows."""
    kind = chance.choice([1, 2, 12, 31, 42, 43, 60, 81, 90, 100])
    name = f"{chance.randrange(300)}"
    details = {
        "module": 0,
        "errorLevel": chance.randrange(6),
        "errorCode": chance.randrange(50),
        "warnCode": chance.randrange(50),
        "newUid": chance.randrange(30),
        "fileList": [f"{name}.m3u8", f"{name}_0.mp4"],
        "startUtcMs": NOW_MS + chance.randrange(500),
        "discontinueUtcMs": NOW_MS - chance.randrange(500),
        "streamUid": name,
        "state": chance.randrange(2),
        "UtcMs": NOW_MS + chance.randrange(50),
        "aliVodInfo": {"videoId": name},
        "fileName": f"{name}.ts;{name}.m3u8",
        "rtmpUrl": f"rtmp://{name}/key",
    }
    return event(
        kind,
        details,
        sequence=chance.randrange(2_000),
        uid=str(chance.randrange(20)),
        at_ms=NOW_MS + number,
    )


# --- size ---


def test_facts_are_bounded_by_design() -> None:
    chance = random.Random(7)
    crowd = facts(*(_crowded(number, chance) for number in range(2_000)))
    assert len(crowd.files) == len(crowd.transcodedFiles) == 100
    assert len(crowd.errors) == len(crowd.warnings) == len(crowd.outputs) == 20
    assert len(crowd.streams) == 34
    assert len(crowd.uids) == len(crowd.newUids) == len(crowd.sequences) == 8
    assert len(crowd.interruptions) == 20
    assert len(msgspec.json.encode(crowd)) < 32_000


def test_a_mix_recording_of_a_month_stays_under_a_kilobyte() -> None:
    told = facts(
        event(30, sequence=0),
        event(40, sequence=1),
        event(4, {"fileList": "0123456789abcdef0123456789abcdef_consultation-7.m3u8"}, sequence=2),
        event(43, {"streamUid": "0", "state": 0}, sequence=3),
    )
    for minute in range(30 * 24 * 60 - 300, 30 * 24 * 60):  # of the rest, nothing would be left
        at_ms = NOW_MS + minute * 60_000
        told = merge(told, event(33, {"progress": 9_000}, sequence=minute, at_ms=at_ms))
    assert session.gaps(told) == {}
    assert len(msgspec.json.encode(told)) < 1_024


def test_facts_come_back_from_json_and_from_a_row() -> None:
    every = facts(*(event(kind, each) for kind, many in DOCUMENTED.items() for each in many))
    assert msgspec.json.decode(msgspec.json.encode(every), type=SessionFacts) == every
    row = dynamodb.to_item({"facts": msgspec.to_builtins(every)})
    assert msgspec.convert(dynamodb.from_item(row)["facts"], SessionFacts) == every


def test_every_field_has_a_rule() -> None:
    assert set(session.rules()) == set(SessionFacts.__struct_fields__)
    assert all(callable(rule) for rule in session.rules().values())


# --- what the supervisor asks ---


MOVED = event(12, {"newUid": 99}, uid="1")
CRASHED, FINISHED = {"exitStatus": 1}, {"exitStatus": 0}


@pytest.mark.parametrize(
    "left", [event(11, CRASHED, uid="1"), event(41, {"leaveCode": 4}, uid="1")]
)
def test_the_end_of_a_recorder_that_a_failover_left_behind_is_not_the_sessions(left: Event) -> None:
    told = facts(MOVED, left)
    assert session.session_ended(told) is None
    assert session.needs_query(told, NOW_MS - 1)
    finished, crashed = event(11, FINISHED, uid="99"), event(11, CRASHED, uid="99")
    assert session.session_ended(facts(MOVED, left, finished)) == "EXITED"
    assert session.session_ended(facts(MOVED, left, crashed)) == "EXITED_ABNORMALLY"


def test_after_a_second_failover_the_first_new_recorder_is_left_behind_too() -> None:
    again = event(12, {"newUid": 100}, uid="99")
    told = facts(MOVED, again, event(11, CRASHED, uid="99"))
    assert session.session_ended(told) is None
    assert session.session_ended(facts(MOVED, again, event(11, FINISHED, uid="100"))) == "EXITED"


def test_an_end_that_names_nobody_is_the_sessions() -> None:
    nobodys = msgspec.structs.replace(event(11, FINISHED), uid=None)
    assert session.session_ended(facts(MOVED, nobodys)) == "EXITED"


def test_a_failover_to_nobody_knows_whom_leaves_every_end_an_end() -> None:
    told = facts(event(12, {}, uid="1"), event(11, {"exitStatus": 0}, uid="1"))
    assert session.session_ended(told) == "EXITED"


def test_a_fatal_error_is_no_end_but_calls_for_a_query() -> None:
    told = facts(event(1, {"errorLevel": 5, "errorCode": 1}))
    assert session.session_ended(told) is None
    assert session.needs_query(told, None)
    assert session.needs_query(told, NOW_MS - 1)
    assert not session.needs_query(told, NOW_MS)


def test_a_session_that_ended_needs_no_query() -> None:
    told = facts(event(1, {"errorLevel": 5}), event(11, {"exitStatus": 1}))
    assert not session.needs_query(told, None)


def test_of_the_ends_that_two_recorders_tell_the_one_that_explains_more_is_the_sessions() -> None:
    stopped, crashed = event(71, {"code": 0}, uid="1"), event(11, CRASHED, uid="2")
    assert session.session_ended(facts(stopped, crashed)) == "EXITED_ABNORMALLY"


# --- why it ended ---


def problem(level: int, code: int, later_ms: int = 0, module: int = 0) -> Event:
    details = {"module": module, "errorCode": code, "errorLevel": level}
    return event(1, details, at_ms=NOW_MS + later_ms)


def test_a_bucket_that_cannot_be_written_is_the_cause_whatever_its_level() -> None:
    refused = facts(problem(5, 9), problem(1, 32, module=1))
    assert session.cause(refused) == error_words(STORAGE_REFUSED)


def test_an_error_is_the_cause_only_if_it_is_fatal() -> None:
    assert session.cause(facts(problem(FATAL - 1, 9))) is None
    assert session.cause(facts(problem(FATAL, 9))) == error_words("recorder:9")


def test_of_fatal_errors_the_highest_and_then_the_latest_is_the_cause() -> None:
    told = facts(problem(5, 9), problem(5, 8, 1), problem(4, 7, 2))
    assert session.cause(told) == error_words("recorder:8")
    assert session.cause(merge(told, problem(6, 1))) == error_words("recorder:1")


def test_what_a_page_recorder_said_is_the_cause_only_if_it_gave_up() -> None:
    failed = session.cause(facts(event(71, {"code": 6, "message": "recorder_error"})))
    assert failed is not None
    assert "recorder_error" in failed
    assert session.cause(facts(event(71, {"code": 0, "message": "ok"}))) is None
    # Its own words say more than the error that led to it.
    both = facts(problem(5, 9), event(71, {"code": 6, "message": "recorder_error"}))
    assert session.cause(both) == failed


# --- gaps ---


def heard(*sequences: int) -> SessionFacts:
    return facts(*(event(33, sequence=number, uid="1") for number in sequences))


def test_missing_numbers_are_gaps_until_they_come() -> None:
    assert session.gaps(heard(0, 1, 5, 2, 9)) == {"1": ((3, 4), (6, 8))}
    assert session.gaps(heard(0, 1, 5, 2, 9, 4, 3, 8, 7, 6)) == {}


def test_numbers_start_at_zero() -> None:
    assert session.gaps(heard(2)) == {"1": ((0, 1),)}


def test_each_uid_counts_for_itself() -> None:
    told = facts(event(33, sequence=0, uid="1"), event(33, sequence=1, uid="2"))
    assert session.gaps(told) == {"2": ((0, 0),)}


def test_gaps_older_than_the_window_are_forgotten() -> None:
    assert session.gaps(heard(*range(0, 300, 2), *range(300, 600))) == {}
    assert session.gaps(heard(2**62)) == {"1": ((2**62 - 255, 2**62 - 1),)}


@given(numbers=st.lists(st.integers(0, 700), min_size=1, max_size=40))
def test_gaps_are_exactly_what_is_missing_of_the_last_256(numbers: list[int]) -> None:
    expected = set(range(max(0, max(numbers) - 255), max(numbers))) - set(numbers)
    ranges = session.gaps(heard(*numbers)).get("1", ())
    assert {n for first, last in ranges for n in range(first, last + 1)} == expected
    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(ranges))


# --- bytes ---


def longest_facts() -> SessionFacts:
    """Return the facts after events that say as much as events can."""
    wide = "\N{GRINNING FACE}" * 2000
    big = 2**62
    uid = "\N{GRINNING FACE}" * 32
    told: list[Event] = []
    for number in range(130):
        uids = f"{number:03}{uid[:31]}"
        name = f"{number:04}" + "\N{GRINNING FACE}" * 255
        details: list[tuple[int, dict[str, Any]]] = [
            (1, {"module": big + number, "errorCode": big, "errorLevel": 5}),
            (2, {"module": big + number, "warnCode": big}),
            (12, {"newUid": uids + wide}),
            (31, {"status": 0, "fileList": [name]}),
            (
                42,
                {"startUtcMs": NOW_MS + number, "discontinueUtcMs": number + 1, "trackType": wide},
            ),
            (43, {"streamUid": uids + wide, "state": 1}),
            (45, {"fileName": wide}),
            (71, {"code": 2, "message": wide}),
            (72, {"limitType": str(number) + wide}),
            (73, {"reason": str(number) + wide}),
            (81, {"result": "fail", "fileList": [name]}),
            (100, {"rtmpUrl": f"rtmp://{number}{wide}/key", "status": wide}),
        ]
        for kind, each in details:
            told.append(event(kind, each, sequence=2 * number, uid=uids))
    return facts(*told)


def test_the_facts_of_a_session_fit_into_its_row_whatever_is_told() -> None:
    row = SessionRow(
        recording_id="0" * 26, cname="c" * 1024, uid="u" * 128, facts=longest_facts(), version=9
    )
    assert len(row.facts.files) == 100
    assert dynamodb.size_of(dynamodb.to_item(msgspec.to_builtins(row))) < 300_000


def test_a_name_that_is_no_key_of_the_bucket_is_no_file() -> None:
    told = facts(event(31, {"fileList": ["a" * 1025, "ä" * 513, "b" * 1024]}))
    assert told.files == ("b" * 1024,)


# --- the rules of joining, one by one ---


def test_of_the_values_of_a_literal_the_later_stands_and_none_comes_before_all() -> None:
    rule = session.furthest(session.Upload)
    assert rule("uploading", "uploaded") == rule("uploaded", "uploading") == "uploaded"
    assert rule(None, "none") == rule("none", None) == "none"


def test_of_many_values_the_first_or_the_last_are_kept_in_order() -> None:
    assert session.first(3)((2, 4), (1, 2, 5)) == (1, 2, 4)
    assert session.last(3)((2, 4), (1, 2, 5)) == (2, 4, 5)
    unsorted = (3, 1)
    assert session.first(1)(unsorted, unsorted) == unsorted  # what is equal is not made anew


def test_of_many_keys_the_first_are_kept_each_with_its_joined_value() -> None:
    rule = session.by_key(session.least, 2)
    assert rule({"a": 1, "b": 4, "c": 1}, {"a": 2, "b": 3}) == {"a": 1, "b": 3}


def test_of_many_keys_those_with_the_greatest_values_are_kept() -> None:
    rule = session.latest(2)
    found = rule({"a": 9, "b": 1, "d": 5}, {"a": 3, "b": 7, "c": 2})
    assert list(found.items()) == [("a", 9), ("b", 7)]
    tied = rule({"x": 5, "y": 5}, {"z": 5})
    assert list(tied) == ["y", "z"]  # the names decide where the values do not


def test_every_bit_that_was_set_stays() -> None:
    assert (session.every_bit(1, 4), session.every_bit(None, 4)) == (5, 4)
    assert session.every_bit(4, None) == 4


def test_of_two_reasons_of_an_end_the_one_that_explains_more_stands() -> None:
    told = [event(11, {"exitStatus": 0}), event(41, {"leaveCode": 4})]
    assert session.session_ended(facts(*told)) == "IDLE"
    told = [event(11, {"exitStatus": 1}), event(71, {"code": 0})]
    assert session.session_ended(facts(*told)) == "EXITED_ABNORMALLY"


def test_of_a_long_session_the_last_256_numbers_are_remembered() -> None:
    far = {"1": session.heard(300)}
    assert far == {"1": (300, ((45, 299),))}
    joined = session.heard_by_uid(far, {"1": session.heard(44)})
    assert joined == far
    joined = session.heard_by_uid(far, {"1": session.heard(45)})
    assert joined == {"1": (300, ((46, 299),))}

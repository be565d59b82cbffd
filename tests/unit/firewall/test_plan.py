"""What a firewall should gain, keep and lose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.errors import QuotaError
from agora_recording.firewall.plan import (
    IPV4,
    IPV6,
    Memory,
    Plan,
    Policy,
    State,
    farewell,
    make_plan,
    mark,
    version,
)

HOUR_MS = 3_600_000
NOW = 1_790_000_000_000
SIXTY = {IPV4: 60, IPV6: 60}
NOTHING = frozenset[str]()


def ips(*numbers: int) -> frozenset[str]:
    return frozenset(f"8.8.8.{number}/32" for number in numbers)


def state(
    present: frozenset[str] = NOTHING,
    ours: frozenset[str] | None = None,
    capacity: dict[int, int] | None = None,
    reserved: dict[int, int] | None = None,
) -> State:
    """A target whose addresses are all ours unless said otherwise."""
    marked = present if ours is None else ours
    return State(present, marked, SIXTY if capacity is None else capacity, reserved or {})


def after(before: State, plan: Plan) -> State:
    """The target once the plan is carried out, in its order."""
    assert before.marked is not None
    present, marked = before.present - plan.evict, before.marked - plan.evict
    present, marked = present | plan.add, marked | plan.add
    return before._replace(present=present - plan.remove, marked=marked - plan.remove)


class Days:
    """A target that lives through time: each `answer` is one run."""

    def __init__(self, start: State) -> None:
        self.state = start
        self.memory = Memory()
        self.now_ms = NOW

    def answer(
        self, wanted: frozenset[str], *, hours: float = 6, accept_drop: bool = False
    ) -> Plan:
        self.now_ms += round(hours * HOUR_MS)
        plan = make_plan(
            self.state, self.memory, wanted, now_ms=self.now_ms, accept_drop=accept_drop
        )
        self.state, self.memory = after(self.state, plan), plan.memory
        return plan


# --- rotation ---


def test_a_new_target_gains_every_address() -> None:
    plan = make_plan(state(), Memory(), ips(1, 2), now_ms=NOW)
    assert (plan.add, plan.remove, plan.evict) == (ips(1, 2), NOTHING, NOTHING)


def test_a_second_run_changes_nothing() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3))
    plan = days.answer(ips(1, 2, 3))
    assert (plan.add, plan.remove, plan.evict, plan.keep) == (
        NOTHING,
        NOTHING,
        NOTHING,
        ips(1, 2, 3),
    )


def test_an_address_no_longer_named_stays_for_its_grace() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3))
    plan = days.answer(ips(2, 3, 4))
    assert plan.add == ips(4)
    assert plan.remove == NOTHING
    assert plan.withdrawn == {"8.8.8.1/32": days.now_ms}


def test_an_address_goes_when_its_grace_is_over_and_not_before() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3))
    days.answer(ips(2, 3, 4))
    assert days.answer(ips(2, 3, 4), hours=47.9).remove == NOTHING
    assert days.answer(ips(2, 3, 4), hours=0.1).remove == ips(1)
    assert days.state.present == ips(2, 3, 4)


def test_an_address_that_comes_back_has_its_whole_grace_again() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3))
    days.answer(ips(2, 3))
    days.answer(ips(1, 2, 3), hours=40)
    days.answer(ips(2, 3))
    assert days.answer(ips(2, 3), hours=40).remove == NOTHING


def test_a_rotation_over_days_keeps_the_overlap_and_ends_with_the_last_answer() -> None:
    days = Days(state())
    for day in range(10):
        window = ips(day, day + 1, day + 2, day + 3)
        for _ in range(4):
            days.answer(window)
            assert window <= days.state.present
    assert days.state.present == ips(*range(7, 13))  # the last answer and two days of grace
    for _ in range(9):
        days.answer(window)
    assert days.state.present == window


def test_rules_found_without_any_memory_have_their_grace_from_now() -> None:
    days = Days(state(ips(7, 8)))
    assert days.answer(ips(1, 2)).withdrawn == dict.fromkeys(ips(7, 8), days.now_ms)
    assert days.answer(ips(1, 2), hours=48).remove == ips(7, 8)


def test_what_somebody_removed_by_hand_is_forgotten() -> None:
    memory = Memory(owned=ips(1, 2), withdrawn={"8.8.8.1/32": NOW}, last_answer=ips(2))
    plan = make_plan(state(ips(2)), memory, ips(2), now_ms=NOW)
    assert plan.withdrawn == {}
    assert plan.memory.owned == ips(2)


# --- other people's rules ---


def test_a_foreign_rule_is_neither_kept_nor_removed() -> None:
    days = Days(state(ips(1, 9), ours=ips(1)))
    days.answer(ips(2))
    plan = days.answer(ips(2), hours=48)
    assert plan.remove == ips(1)
    assert days.state.present == ips(2, 9)


def test_an_address_that_a_foreign_rule_lets_in_is_not_added_again() -> None:
    plan = make_plan(state(ips(9), ours=NOTHING), Memory(), ips(1, 9), now_ms=NOW)
    assert plan.add == ips(1)
    assert plan.memory.owned == ips(1)


def test_an_address_is_added_once_its_foreign_rule_is_gone() -> None:
    days = Days(state(ips(9), ours=NOTHING))
    days.answer(ips(1, 9))
    days.state = days.state._replace(present=days.state.present - ips(9))
    assert days.answer(ips(1, 9)).add == ips(9)


def test_where_nothing_is_marked_the_memory_says_what_is_ours() -> None:
    unmarked = State(ips(1, 9), None, SIXTY)
    memory = Memory(owned=ips(1, 5), last_answer=ips(1))
    plan = make_plan(unmarked, memory, ips(2), now_ms=NOW)
    assert plan.keep == ips(1)
    assert plan.memory.owned == ips(1, 2)


def test_two_stacks_whose_names_begin_alike_have_different_marks() -> None:
    assert mark("rec") != mark("rec-prod")
    assert mark("rec") == "agora-ncs rec"


# --- answers that lack too much ---


def test_half_may_vanish_at_once() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    assert days.answer(ips(3, 4)).refused is None
    assert days.answer(ips(3, 4), hours=48).remove == ips(1, 2)


def test_when_more_than_half_vanished_nothing_is_withdrawn() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    for _ in range(8):
        plan = days.answer(ips(4))
        assert plan.refused == "The answer lacks 3 of the 4 addresses named before"
        assert (plan.remove, plan.withdrawn) == (NOTHING, {})
    assert days.state.present == ips(1, 2, 3, 4)


def test_what_is_new_in_a_doubted_answer_is_let_in() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    plan = days.answer(ips(5, 6, 7, 8))
    assert plan.refused
    assert plan.add == ips(5, 6, 7, 8)
    assert days.state.present == ips(*range(1, 9))


def test_a_doubted_answer_does_not_count_as_a_success() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    accepted_ms = days.now_ms
    plan = days.answer(ips(4))
    assert plan.memory.last_accepted_ms == accepted_ms
    assert plan.memory.last_answer == ips(1, 2, 3, 4)


def test_a_whole_answer_ends_the_doubt() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    days.answer(ips(4))
    plan = days.answer(ips(1, 2, 3, 4))
    assert plan.refused is None
    assert plan.memory.doubted_since_ms is None


def test_an_answer_that_stood_for_the_whole_grace_is_believed_and_then_grace_begins() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    days.answer(ips(5, 6, 7, 8))
    assert days.answer(ips(5, 6, 7, 8), hours=47).refused
    plan = days.answer(ips(5, 6, 7, 8), hours=1)
    assert plan.refused is None
    assert set(plan.withdrawn) == ips(1, 2, 3, 4)
    assert days.answer(ips(5, 6, 7, 8), hours=48).remove == ips(1, 2, 3, 4)


def test_a_person_can_vouch_for_an_answer() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    plan = days.answer(ips(4), accept_drop=True)
    assert plan.refused is None
    assert set(plan.withdrawn) == ips(1, 2, 3)


def test_a_list_of_two_may_rotate_as_a_whole() -> None:
    days = Days(state())
    days.answer(ips(1, 2))
    assert days.answer(ips(3, 4)).refused is None
    assert days.answer(ips(3, 4), hours=48).remove == ips(1, 2)


def test_an_address_in_grace_before_the_doubt_stays_during_the_doubt() -> None:
    days = Days(state())
    days.answer(ips(1, 2, 3, 4))
    days.answer(ips(2, 3, 4))
    plan = days.answer(ips(4), hours=60)
    assert plan.refused
    assert plan.remove == NOTHING
    assert "8.8.8.1/32" in plan.withdrawn


def test_a_target_is_never_emptied() -> None:
    days = Days(state())
    days.answer(ips(1, 2))
    for _ in range(20):
        assert days.answer(NOTHING).refused == ("The answer names no address this target can hold")
    assert days.state.present == ips(1, 2)


# --- IPv6 ---


def test_a_target_of_one_ip_version_is_given_no_other() -> None:
    only_v6 = state(capacity={IPV6: 10})
    plan = make_plan(only_v6, Memory(), ips(1) | {"2600::1/128"}, now_ms=NOW)
    assert plan.add == {"2600::1/128"}


def test_a_target_whose_ip_version_agora_does_not_use_has_nothing_to_do() -> None:
    plan = make_plan(state(capacity={IPV6: 10}), Memory(), ips(1, 2), now_ms=NOW)
    assert (plan.add, plan.refused) == (NOTHING, None)
    assert plan.memory.last_accepted_ms == NOW


def test_the_places_of_both_ip_versions_are_counted_apart() -> None:
    full_of_v4 = state(ips(*range(60)))
    plan = make_plan(full_of_v4, Memory(), ips(*range(60)) | {"2600::1/128"}, now_ms=NOW)
    assert plan.add == {"2600::1/128"}


# --- places ---


def test_when_there_is_no_room_nothing_is_planned_and_the_numbers_are_named() -> None:
    full = state(ips(*range(57)), reserved={IPV4: 2})
    with pytest.raises(QuotaError, match=r"IPv4: 2 new .* 59 of 60 places .* 0 of them"):
        make_plan(full, Memory(), ips(*range(59)), now_ms=NOW)


def test_the_last_place_can_be_used() -> None:
    almost_full = state(ips(*range(57)), reserved={IPV4: 2})
    assert make_plan(almost_full, Memory(), ips(*range(58)), now_ms=NOW).add == ips(57)


def test_a_full_target_that_needs_nothing_new_is_left_alone() -> None:
    overfull = state(ips(*range(60)), reserved={IPV4: 5})
    assert make_plan(overfull, Memory(), ips(*range(60)), now_ms=NOW).keep == ips(*range(60))


def test_where_places_are_short_the_longest_withdrawn_go_first_and_no_more_than_needed() -> None:
    memory = Memory(
        withdrawn={"8.8.8.1/32": NOW - 3, "8.8.8.2/32": NOW - 2, "8.8.8.3/32": NOW - 1},
        last_answer=ips(4, 5),
    )
    tight = state(ips(1, 2, 3, 4, 5), capacity={IPV4: 6})
    plan = make_plan(tight, memory, ips(4, 5, 6, 7, 8), now_ms=NOW)
    assert plan.evict == ips(1, 2)
    assert plan.add == ips(6, 7, 8)
    assert set(plan.withdrawn) == ips(3)


def test_foreign_rules_make_places_short_and_are_never_the_ones_to_go() -> None:
    memory = Memory(withdrawn={"8.8.8.1/32": NOW}, last_answer=ips(2))
    shared = state(ips(1, 2, 8, 9), ours=ips(1, 2), capacity={IPV4: 4})
    assert make_plan(shared, memory, ips(2, 3), now_ms=NOW).evict == ips(1)
    with pytest.raises(QuotaError):
        make_plan(shared, memory, ips(2, 3, 4), now_ms=NOW)


# --- the end ---


def test_a_farewell_takes_back_what_is_ours_and_nothing_else() -> None:
    plan = farewell(state(ips(1, 2, 9), ours=ips(1, 2)), Memory(owned=ips(1, 2, 3)))
    assert plan.remove == ips(1, 2)
    assert plan.memory == Memory()


def test_a_plan_can_be_read() -> None:
    memory = Memory(withdrawn={"8.8.8.1/32": NOW}, last_answer=ips(2))
    event = make_plan(state(ips(1, 2)), memory, ips(2, 3), now_ms=NOW).to_event()
    assert event == {
        "evict": [],
        "add": ["8.8.8.3/32"],
        "keep": ["8.8.8.1/32", "8.8.8.2/32"],
        "remove": [],
        "withdrawn": {"8.8.8.1/32": "2026-09-21T14:13:20.000Z"},
        "refused": None,
    }


# --- rules without exception ---

addresses = st.frozensets(
    st.sampled_from(sorted(ips(*range(12)) | {f"2600::{n}/128" for n in range(1, 5)}))
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[State, Memory, frozenset[str]]:
    present, ours = draw(addresses), draw(addresses)
    capacity = draw(
        st.fixed_dictionaries({}, optional={IPV4: st.integers(0, 24), IPV6: st.integers(0, 8)})
    )
    marked = draw(st.sampled_from([present & ours, None]))
    withdrawn = draw(
        st.dictionaries(st.sampled_from(sorted(present) or ["x/32"]), st.integers(0, NOW))
    )
    memory = Memory(
        owned=draw(addresses),
        withdrawn=withdrawn,
        last_answer=draw(addresses),
        last_accepted_ms=draw(st.none() | st.integers(0, NOW)),
        doubted_since_ms=draw(st.none() | st.integers(0, NOW)),
    )
    reserved = draw(st.fixed_dictionaries({}, optional={IPV4: st.integers(0, 3)}))
    return State(present, marked, capacity, reserved), memory, draw(addresses)


@given(situations(), st.booleans())
def test_no_plan_harms_what_it_must_not(
    situation: tuple[State, Memory, frozenset[str]], accept_drop: bool
) -> None:
    before, memory, wanted = situation
    try:
        plan = make_plan(before, memory, wanted, now_ms=NOW, accept_drop=accept_drop)
    except QuotaError:
        return
    owned = (memory.owned if before.marked is None else before.marked) & before.present
    gone = plan.remove | plan.evict
    assert not gone & wanted, "a wanted address was removed"
    assert gone <= owned, "somebody else's rule was removed"
    assert gone | plan.keep == owned
    assert not plan.add & before.present, "an address was added twice"
    assert set(plan.withdrawn) <= plan.keep - wanted
    if plan.refused:
        assert not plan.remove
    for family, capacity in before.capacity.items():
        held = (before.present - plan.evict) | plan.add
        used = sum(version(cidr) == family for cidr in held)
        coming = any(version(cidr) == family for cidr in plan.add)
        assert not coming or used + before.reserved.get(family, 0) <= capacity


@given(situations())
def test_a_plan_carried_out_leaves_nothing_to_do(
    situation: tuple[State, Memory, frozenset[str]],
) -> None:
    before, memory, wanted = situation
    if before.marked is None:
        before = before._replace(marked=before.present & memory.owned)
    try:
        plan = make_plan(before, memory, wanted, now_ms=NOW)
    except QuotaError:
        return
    again = make_plan(after(before, plan), plan.memory, wanted, now_ms=NOW)
    assert (again.add, again.remove, again.evict) == (NOTHING, NOTHING, NOTHING)
    assert again.memory == plan.memory


@given(st.lists(addresses.filter(bool), min_size=1, max_size=12), addresses)
def test_after_doubt_and_grace_a_steady_answer_is_all_that_is_left(
    answers: list[frozenset[str]], foreign: frozenset[str]
) -> None:
    days = Days(state(foreign, ours=NOTHING))
    for answer in answers:
        days.answer(answer)
    for _ in range(17):  # 48 h until it is believed, 48 h of grace, 6 h to the next run
        days.answer(answers[-1])
    assert days.state.present == foreign | answers[-1]
    assert days.memory.withdrawn == {}


@given(st.lists(addresses.filter(bool), min_size=1, max_size=12), st.floats(0.1, 200))
def test_nothing_is_removed_within_its_grace_while_there_is_room(
    answers: list[frozenset[str]], hours: float
) -> None:
    days = Days(state())
    last_named: dict[str, int] = {}
    for answer in answers:
        plan = days.answer(answer, hours=hours)
        last_named |= dict.fromkeys(answer, days.now_ms)
        grace_ms = Policy().grace_s * 1000
        assert all(days.now_ms - last_named[cidr] >= grace_ms for cidr in plan.remove)
        assert not plan.evict

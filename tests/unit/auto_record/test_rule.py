"""Which channels a rule is for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.auto_record.rule import Rule, example_of, first_fit, fits


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_stands_for_any_characters(pattern: str, cname: str) -> None:
    expected = re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), cname) is not None
    assert fits(pattern, cname) is expected


@given(st.text("ab?[]*", min_size=1, max_size=8))
def test_the_example_of_a_pattern_fits_it_and_can_be_recorded(pattern: str) -> None:
    assert fits(pattern, example_of(pattern))
    assert example_of(pattern)


@pytest.mark.parametrize("cname", ["lesson?", "lesson[1]"])
def test_other_signs_stand_for_themselves(cname: str) -> None:
    assert fits(cname, cname)
    assert not fits(cname, "lesson1")


def rule(name: str, pattern: str = "*", *, enabled: bool = True) -> Rule:
    request: dict[str, Any] = {"clientRequest": {}}
    return Rule(name=name, channel_pattern=pattern, enabled=enabled, request=request, changed_ms=0)


def test_of_the_rules_that_are_on_and_fit_the_first_by_name_counts() -> None:
    rules = [rule("c"), rule("b"), rule("a", enabled=False), rule("0", "other-*")]
    found = first_fit(rules, "lesson-7")
    assert found is not None
    assert found.name == "b"
    assert first_fit([], "lesson-7") is None

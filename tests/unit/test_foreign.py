"""JSON that others write, read tolerantly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.foreign import LAST_INSTANT_MS, Fields, load, members

STARTED_MS = 1_562_724_971_626
STARTED_S = 1_562_724_971


def one(value: Any) -> Fields:
    """Return an object with one field, `it`."""
    return Fields({"it": value})


# --- objects --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fileName", "filename", "FileName", "FILENAME"])
def test_the_case_of_a_name_does_not_matter(name: str) -> None:
    assert Fields({name: "a.m3u8"}).text("fileName") == "a.m3u8"
    assert Fields({"fileName": "a.m3u8"}).text(name) == "a.m3u8"


def test_of_two_names_that_differ_in_case_the_documented_one_counts_else_the_last() -> None:
    assert Fields({"sid": "a", "SID": "b"}).text("sid") == "a"
    assert Fields({"sid": None, "SID": "b"}).text("sid") == "b"
    assert Fields({"Sid": "a", "SID": "b", "SId": None}).text("sid") == "b"


@pytest.mark.parametrize("value", [{"a": 1}, '{"a": 1}', ' {"A": 1}'])
def test_an_object_may_be_written_as_text(value: Any) -> None:
    assert one(value).fields("it").whole("a") == 1


@pytest.mark.parametrize("value", [None, [], [{"a": 1}], "a", "", "{", "[1]", 3, True])
def test_what_is_no_object_has_no_fields(value: Any) -> None:
    assert not one(value).fields("it")
    assert members(value) == {}


def test_of_two_objects_the_second_comes_first() -> None:
    both = Fields({"Code": 200, "sid": "s"}) | Fields({"code": 435, "sid": None})
    assert (both.whole("code"), both.text("sid")) == (435, "s")


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (["a", {"b": 1}], ["a", {"b": 1}]),
        ([], []),
        ("a", ["a"]),
        ({"a": 1}, [{"a": 1}]),
        ('[{"a": 1}]', [{"a": 1}]),
        ('{"a": 1}', [{"a": 1}]),
        ("[not json", []),
        (None, []),
        (3, [3]),
    ],
)
def test_a_list_is_read_in_every_form(value: Any, items: list[Any]) -> None:
    assert one(value).items("it") == items


@pytest.mark.parametrize("text", ["", "{", "NaN", b"\xff\xfe", '{"a":"\ud800"}', "[" * 60_000])
def test_what_is_no_json_is_nothing(text: Any) -> None:
    assert load(text) is None


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (5, 5),
        ("5", 5),
        (" 20 ", 20),
        ("-1", -1),
        ("+7", 7),
        (5.0, 5),
        (2**63 - 1, 2**63 - 1),
        ("9223372036854775807", 2**63 - 1),
        (2**63, None),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("five", None),
        ("1_000", None),
        ("--1", None),
        ("", None),
        ("\u0661", None),
        (True, None),
        (1.5, None),
        (1e300, None),
        ([], None),
        (None, None),
    ],
)
def test_a_number_may_be_text_or_a_whole_float(said: Any, meant: int | None) -> None:
    assert one(said).whole("it") == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [("a", "a"), ("", None), (527841, "527841"), (3.0, "3"), (True, None), ({}, None), (1.5, None)],
)
def test_text_may_be_a_number(said: Any, meant: str | None) -> None:
    assert one(said).text("it") == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (True, True),
        ("true", True),
        ("False", False),
        (1, True),
        ("0", False),
        ("so", None),
        (2, None),
        (1.0, None),
        (None, None),
    ],
)
def test_a_truth_may_be_text_or_one_or_zero(said: Any, meant: bool | None) -> None:
    assert one(said).truth("it") is meant


@pytest.mark.parametrize(
    ("said", "meant_ms"),
    [
        (STARTED_S, STARTED_S * 1000),
        (STARTED_MS, STARTED_MS),
        (str(STARTED_S), STARTED_S * 1000),
        (float(STARTED_MS), STARTED_MS),
        (LAST_INSTANT_MS, LAST_INSTANT_MS),
        (LAST_INSTANT_MS + 1, None),
        (0, None),
        (-5, None),
        ("soon", None),
        (True, None),
        (10**17, None),
        (1.5, None),
    ],
)
def test_an_instant_is_seconds_or_milliseconds_by_its_size(said: Any, meant_ms: Any) -> None:
    assert one(said).instant_ms("it") == meant_ms


# --- whatever comes -------------------------------------------------------------------------------

NAMES = ["it", "IT", "other"]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["{", "[1", '{"it": 1}', "\u0661"])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(VALUES)
def test_anything_can_be_read_as_anything(value: Any) -> None:
    for fields in (Fields(value), one(value), Fields(json.dumps(value))):
        assert isinstance(fields.whole("it"), int | None)
        assert isinstance(fields.text("it"), str | None)
        assert fields.truth("it") in (True, False, None)
        assert (fields.instant_ms("it") or 1) in range(1, LAST_INSTANT_MS + 1)
        assert isinstance(fields.items("it"), list)
        assert isinstance(fields.fields("it"), Fields)

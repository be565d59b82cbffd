"""A body that is not a JSON object: the caller is told where, and what was met there."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.api import gateway
from agora_recording.errors import RequestInvalidError

VALUE = "a value must be here: a string in double quotes, a number, true, false, null, { or ["
NUMBER = "a number that is not written as in JSON (such as 10, -1 or 0.5)"
BACKSLASH = r"a backslash with no meaning here; write \\ for one backslash"
OPEN = "the text ends here, but a quote or a bracket is still open"
MISTAKES = [
    ('{"a": 1,}', 1, 8, "a comma with nothing after it; leave it out"),
    ('{"a": [1,\n 2 , ],\n "b": 1}', 2, 4, "a comma with nothing after it; leave it out"),
    ("{'a': 1}", 1, 2, "a single quote; JSON puts strings and names in double quotes"),
    ("{\n  \"a\": 'x'}", 2, 8, "a single quote; JSON puts strings and names in double quotes"),
    ("{“a”: 1}", 1, 2, "a typographic quote; JSON has straight double quotes"),
    ("{a: 1}", 1, 2, "the name of a field must be here, in double quotes"),
    ('{"a":1,,"b":2}', 1, 8, "the name of a field must be here, in double quotes"),
    ('{"a": True}', 1, 7, "True is no value in JSON; write true"),
    ('{"a": None}', 1, 7, "None is no value in JSON; write null"),
    ('{"a": undefined}', 1, 7, "undefined is no value in JSON; leave the field out"),
    ('{"a": -Infinity}', 1, 8, "Infinity is no value in JSON; leave the field out"),
    ('{"a":\n NaN}', 2, 2, "NaN is no value in JSON; leave the field out"),
    ('{"a": 1 // all\n}', 1, 9, "a comment; JSON has none"),
    ('# a\n{"a": 1}', 1, 1, "a comment; JSON has none"),
    ('{"a": 1 "b": 2}', 1, 9, "a comma or } must be here"),
    ('{"ü": ["é" 1]}', 1, 12, "a comma or ] must be here"),
    ('{"a" 1}', 1, 6, "a colon must be here, between the name and its value"),
    ('{"a": }', 1, 7, "a value is missing before this }"),
    ('{"a": .5}', 1, 7, VALUE),
    ('{"a": 01}', 1, 8, NUMBER),
    ('{"a": "x\ny"}', 1, 9, r"a line break or a tab inside a string; write \n or \t"),
    (r'{"a": "C:\x"}', 1, 10, BACKSLASH),
    ('{"a": 1} x', 1, 10, "more text after the end of the object; send only one object"),
    ('{"a": {"b": 1}', 1, 15, OPEN),
    ('{"a": "x', 1, 9, OPEN),
    ("\ufeff{}", 1, 1, "a byte order mark; send the text without it"),
    ("cname=standup&mode=mix", 1, 1, "this is a form (name=value); send JSON"),
    ("<request/>", 1, 1, "a <, as of HTML or XML; send JSON"),
]


def refused(body: str | None, *, encoded: bool = False) -> str:
    with pytest.raises(RequestInvalidError) as found:
        gateway.json_body({"body": body, "isBase64Encoded": encoded})
    (problem,) = found.value.problems
    assert problem.path == "body"
    return problem.rule


@pytest.mark.parametrize(("body", "line", "column", "met"), MISTAKES)
def test_text_that_is_not_json_is_told_where_and_what_was_met(
    body: str, line: int, column: int, met: str
) -> None:
    assert refused(body) == f"is not JSON: line {line}, column {column}: {met}"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("[]", "an array"),
        ('"x"', "a string"),
        ("1", "a number"),
        ("1.5", "a number"),
        ("true", "true or false"),
        ("null", "null"),
    ],
)
def test_json_that_is_no_object_is_told_what_it_is(body: str, kind: str) -> None:
    assert refused(body) == f"must be a JSON object, not {kind}"


@pytest.mark.parametrize("body", [None, "", " \n"])
def test_a_body_with_nothing_in_it_is_told_what_it_must_be(body: str | None) -> None:
    assert refused(body) == "is empty; this call needs a JSON object"


def test_text_that_cannot_be_stored_is_told_so() -> None:
    assert refused('{"a":"\\ud800"}') == "must be valid Unicode: it has half of a surrogate pair"
    wrong = "is not UTF-8: line 1, column 7: a byte that UTF-8 does not have there"
    assert refused('{"a":"\ud800"}') == wrong
    assert refused("eyJhIjoi/yJ9", encoded=True) == wrong
    for utf_16 in ('{"a": 1}'.encode("utf-16"), '{"a": 1}'.encode("utf-16-be")):
        assert refused(utf_16.decode(errors="replace")) == "is UTF-16; send it in UTF-8"
    assert refused("e", encoded=True) == "is not valid Base64"
    assert refused('{"a": 1e999}') == "has a number that is too large to be read"


SECRET = "sesame"


@given(st.text(max_size=20), st.integers(min_value=0, max_value=60))
def test_any_damage_is_told_with_its_place_and_without_a_value(inserted: str, at: int) -> None:
    whole = json.dumps({"cname": SECRET, "clientRequest": {"token": SECRET}})
    body = whole[:at] + inserted + whole[at:]
    try:
        gateway.json_body({"body": body})
    except RequestInvalidError as error:
        (problem,) = error.problems
        assert SECRET not in problem.rule
        if problem.rule.startswith("is not JSON"):
            assert re.match(r"is not JSON: line \d+, column \d+: \S", problem.rule)

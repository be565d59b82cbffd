"""The page of the API for people: everything described is on it, with samples that are code."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openapi import build, page
from openapi.page import reading
from openapi.page.literals import JSON, PYTHON, literal
from openapi.page.samples import LANGUAGES

DOCUMENT = build.document()
TEXT = page.TARGET.read_text()
CALLS = [call for _, calls in reading.groups(DOCUMENT) for call in calls]
SLUGS = [each.slug for each in LANGUAGES]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class Seen(HTMLParser):
    """Which addresses a page refers to, which of its own it has, and which elements are open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [given["href"] or ""] if tag == "a" else []
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag in ("script", "link", "img", "iframe") or "src" in given:
            self.loaded.append(tag)
        if tag not in ("meta", "input", "br", "wbr", "html"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "html":
            assert self.open.pop() == tag


SEEN = Seen(TEXT)


def test_the_file_is_what_the_description_says() -> None:
    assert page.html(DOCUMENT) == TEXT, "run: make openapi"


def test_it_loads_nothing_so_that_it_can_be_read_without_a_network() -> None:
    assert SEEN.loaded == []
    assert "url(" not in TEXT
    assert "@import" not in TEXT


def test_every_link_of_it_leads_to_a_place_on_it_and_every_place_is_one() -> None:
    assert {link.removeprefix("#") for link in SEEN.links} <= set(SEEN.ids)
    assert len(SEEN.ids) == len(set(SEEN.ids))
    assert SEEN.open == []


def test_every_call_and_every_type_has_its_place() -> None:
    operations = [
        each["operationId"]
        for item in DOCUMENT["paths"].values()
        for method, each in item.items()
        if method != "parameters"
    ]
    assert {call.id for call in CALLS} == set(operations) <= set(SEEN.ids)
    assert {f"type-{name}" for name in DOCUMENT["components"]["schemas"]} <= set(SEEN.ids)


def test_every_answer_and_every_error_of_a_call_is_told() -> None:
    shared = {each.status for each in reading.shared_errors(DOCUMENT)}
    assert shared == {"403", "429", "500", "502", "503", "504"}
    for call in CALLS:
        described = DOCUMENT["paths"][call.path][call.method.lower()]["responses"]
        told = {each.status for each in (*call.answers, *call.errors)}
        assert told | shared == described.keys()
        assert all(each.sentence for each in call.errors)


def test_nothing_of_a_description_becomes_markup() -> None:
    assert reading.prose("a <b> & `c<d`") == "a &lt;b&gt; &amp; <code>c&lt;d</code>"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "whole number from 1 to 9"),
        ({"type": "number", "minimum": 0}, "number, 0 or more"),
        ({"type": "string", "minLength": 1, "maxLength": 64}, "string of 1 to 64 characters"),
        ({"type": "string", "format": "date-time"}, "date and time (RFC 3339)"),
        ({"enum": ["mix", "raw"]}, "one of <code>mix</code>, <code>raw</code>"),
        ({"enum": [3]}, "<code>3</code>"),
        ({"type": "array", "maxItems": 2, "items": {"type": "boolean"}},
         "list of at most 2: true or false"),
        ({"type": "object", "additionalProperties": {"type": "string"}},
         "object of any names, each string"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string"),
        ({"$ref": "#/components/schemas/Layout"}, '<a href="#type-Layout">Layout</a>'),
    ],
)  # fmt: skip
def test_what_a_field_takes_is_told_in_words(schema: dict[str, Any], words: str) -> None:
    assert reading.kind(schema) == words


# --- the samples --------------------------------------------------------------------------------


@given(VALUES)
def test_a_literal_is_the_value_in_json_and_in_python(value: Any) -> None:
    assert json.loads(literal(value, JSON)) == value
    assert ast.literal_eval(literal(value, PYTHON)) == value


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
def test_every_call_has_a_sample_in_each_language_with_nothing_left_to_fill_in(
    call: reading.Call,
) -> None:
    assert list(call.samples) == SLUGS
    for sample in call.samples.values():
        assert not re.search(r"\{\w+\}", sample.replace("{http_code}", ""))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
def test_a_sample_for_a_shell_is_read_by_it_and_sends_the_body(call: reading.Call) -> None:
    subprocess.run(["sh", "-n", "-c", call.samples["curl"]], check=True)
    if call.signer == "aws" and call.bodies:
        words = shlex.split(call.samples["curl"])
        assert json.loads(words[words.index("-d") + 1]) == call.bodies[0]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.id)
def test_a_sample_in_python_is_python(call: reading.Call) -> None:
    compile(call.samples["python"], call.id, "exec")

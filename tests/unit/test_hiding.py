"""What may be secret is hidden: by its name, by its value, by its shape."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.hiding import (
    address_name,
    hidden_address,
    is_plain,
    is_secret_name,
    public,
    without_query,
    without_secrets,
    without_values,
)

SECRET = "Zq7/xW+3vK k9\tP\"s'é-2\\n"


# --- by name ---


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PassWord",
        "db_pwd",
        "Authorization",
        "x-api-key",
        "streamKey",
        "STREAMKEY",
        "accessToken",
        "client_secret",
        "kdfSalt",
        "credentials",
        "url",
        "webhookUrl",
        "callback_uri",
        "rtmpUrl",
    ],
)
def test_a_name_speaks_of_a_secret_in_any_case(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["image_url", "backgroundImage", "uid", "maxIdleTime", "cname"])
def test_a_name_of_something_public_does_not(name: str) -> None:
    assert not is_secret_name(name)


# --- by value ---

FORMS = {
    "as it is": SECRET,
    "in JSON": json.dumps(SECRET),
    "in JSON, as UTF-8": json.dumps(SECRET, ensure_ascii=False),
    "in JSON in JSON": json.dumps(json.dumps(SECRET)),
    "with escaped slashes": SECRET.replace("/", "\\/"),
    "in a URL": quote(SECRET, safe=""),
    "in HTML": SECRET.replace('"', "&quot;").replace("'", "&#39;"),
    "folded": " ".join(SECRET.split()),
    "without space": "".join(SECRET.split()),
    "in lower case": SECRET.lower(),
    "in upper case": SECRET.upper(),
    "in base64": base64.b64encode(SECRET.encode()).decode(),
    "behind a user in base64": base64.b64encode(b"id:" + SECRET.encode()).decode(),
    "in base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_known_secret_is_hidden_in_every_form(form: str) -> None:
    told = without_values(f"bad {FORMS[form]} here", [SECRET])
    assert told.startswith("bad ")
    assert told.endswith(" here")
    rest = told.removeprefix("bad ").removesuffix(" here")
    assert not parts(FORMS[form], 8) & parts(rest, 8)
    assert "…" in rest


def parts(text: str, length: int) -> set[str]:
    return {text[at : at + length] for at in range(len(text) - length + 1)}


texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.text(st.characters(codec="utf-8"), min_size=8, max_size=60), texts, texts)
def test_no_eight_characters_of_a_secret_are_told(secret: str, before: str, after: str) -> None:
    for told in (secret, secret[: len(secret) // 2 + 4], secret[len(secret) // 2 - 4 :]):
        shown = without_values(before + told + after, [secret])
        assert not parts(secret, 8) & parts(shown, 8)


@given(st.text(max_size=200), st.lists(st.text(max_size=30), max_size=3))
def test_hiding_never_fails_whatever_the_text(text: str, secrets: list[str]) -> None:
    without_values(text, secrets)
    without_secrets(text)
    public({text: [text, {"token": text}]})


@pytest.mark.parametrize(
    ("secret", "text", "told"),
    [
        ("pass", "bypassed", "by…ed"),
        ("no", "no, not now", "…, not now"),
        ("", "nothing", "nothing"),
        ("7Xq93kLm", "7Xq93k", "7Xq93k"),  # less than eight characters of a longer one
    ],
)
def test_a_short_secret_is_hidden_as_a_whole(secret: str, text: str, told: str) -> None:
    assert without_values(text, [secret]) == told


def test_a_text_without_the_secrets_stays_as_it_is() -> None:
    text = 'The  parameter "maxIdleTime" is\nwrong: 100 %'
    assert without_values(text, [SECRET, "another-secret"]) == text


# --- by shape ---


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("see https://user:pw@a.example.com/p?q=1 now", "see https://a.example.com/… now"),
        (r"rtmp:\/\/cdn.example.com\/live\/key", r"rtmp://cdn.example.com/…"),
        ("token=abc&uid=7", "token=…&uid=7"),
        ("Authorization: Basic aWQ6c2VjcmV0 refused", "Authorization: … refused"),
        ('{"password": "correct horse", "uid": 7', '{"password": …, "uid": 7'),
        (r"{\"secretKey\":\"two words\",\"a\":1", r"{\"secretKey\":…,\"a\":1"),
        ("007eJxTYBBa9fX7Jq is invalid", "… is invalid"),
        ("the region 7 is wrong", "the region 7 is wrong"),
        (
            "8c7fd814e868a32787f30aa4d58dfa6a_daily-standup_0.mp4 is late",
            "8c7fd814e868a32787f30aa4d58dfa6a_daily-standup_0.mp4 is late",
        ),
    ],
)
def test_what_looks_like_a_secret_is_hidden_in_a_text(text: str, told: str) -> None:
    assert without_secrets(text) == told


def test_two_addresses_of_one_host_stay_different() -> None:
    one, other = (hidden_address(f"rtmp://cdn.example.com/live/{key}") for key in "ab")
    assert one != other
    assert one.startswith("rtmp://cdn.example.com/…#")
    assert hidden_address(one) == one
    assert address_name(one) == address_name("rtmp://cdn.example.com/live/a")
    assert address_name(one).startswith("cdn.example.com#")


def test_a_value_is_shown_without_secrets_at_any_depth() -> None:
    value = {
        "msgName": "news",
        "auth": {"user": "me"},
        "list": [{"Password": "x"}, "token=abc"],
        "text": '{"apiKey": "x", "n": 1}',
        "rtmpUrl": "rtmp://cdn.example.com/live/key",
        "isKey": True,
        "number": 7,
    }
    shown = public(value)
    assert shown["rtmpUrl"] == hidden_address("rtmp://cdn.example.com/live/key")
    assert {**shown, "rtmpUrl": ""} == {
        "msgName": "news",
        "auth": "…",
        "list": [{"Password": "…"}, "token=…"],
        "text": '{"apiKey":"…","n":1}',
        "rtmpUrl": "",
        "isKey": True,
        "number": 7,
    }


def test_what_has_no_secret_comes_back_itself() -> None:
    value = {"a": [1, {"b": "text"}], "sid": "8c7fd814e868a32787f30aa4d58dfa6a"}
    assert public(value, own=lambda name: str if name == "sid" else None) is value


def test_an_address_without_its_query_is_the_same_place() -> None:
    assert (
        without_query("https://u:p@a.example.com/b/c.png?x=1#y") == "https://a.example.com/b/c.png"
    )


names = st.sampled_from(["a", "token", "Key", "url", "msgName"]) | st.text(max_size=4)
leaves = st.text(max_size=20) | st.sampled_from(
    ["x=1", "http://a/b", "8c7fd814e868a32787f30aa4d58dfa6a", "a" * 45]
)
documents = st.recursive(
    leaves | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(documents, st.booleans())
def test_a_glance_never_overlooks_what_is_to_be_hidden(document: object, is_ascii: bool) -> None:
    raw = json.dumps(document, ensure_ascii=is_ascii).encode(errors="replace")
    if is_plain(raw, ()):
        assert public(document) == document

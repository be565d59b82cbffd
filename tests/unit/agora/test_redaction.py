"""A request without its secrets, and together with them again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agora_recording.agora.redaction import (
    MOST_SEALED_BYTES,
    MOST_SECRET_BYTES,
    MOST_SECRETS,
    excess,
    redact,
    restore,
    values,
    without_secrets,
)
from agora_recording.agora.requests import ClientRequest
from agora_recording.hiding import is_secret_name

IMAGE = "https://img.example.com/a.png?sig=f00dfeed"


def test_equal_secrets_are_sealed_once() -> None:
    request = {"token": "t", "startParameter": {"token": "t"}}
    shown, secrets = redact(request)
    assert secrets == ["t"]
    assert shown == {"token": "{sealed 0}", "startParameter": {"token": "{sealed 0}"}}
    assert restore(shown, secrets) == request


def test_a_secret_in_the_depth_is_not_larger_for_it() -> None:
    deep: Any = {"token": "x"}
    for number in range(20):
        deep = {"n" * 100 + str(number): deep}
    _, secrets = redact({"unknown": deep})
    assert msgspec.json.encode(secrets) == b'["x"]'


@pytest.mark.parametrize(
    "field",
    [
        {"streamPassword": "correct horse"},
        {"Authorization": {"user": "some-user"}},
        {"pinCode": 1234, "API_KEY": 987654},
        {"backgroundImage": IMAGE},
        {"backgroundConfig": [{"uid": "1", "image_url": IMAGE}]},
        {"privateParams": '{"che.token": "007eJxT"}'},
        {"note": "{sealed 0}"},
        {"words": "password: tr0ub4dor"},
    ],
)
def test_what_speaks_of_a_secret_is_sealed_in_any_field(field: dict[str, Any]) -> None:
    shown, secrets = redact(field)
    assert secrets
    assert not any(text in json.dumps(shown) for text in values(field) if "sealed" not in text)
    assert restore(shown, secrets) == field


@pytest.mark.parametrize("value", [None, True, ""])
def test_what_holds_nothing_is_no_secret(value: object) -> None:
    assert redact({"token": value}) == ({"token": value}, [])


def test_of_agoras_own_fields_only_five_are_secret() -> None:
    names: set[str] = set()

    def collect(kind: Any) -> None:
        match kind:
            case msgspec.inspect.StructType():
                for field in kind.fields:
                    names.add(field.encode_name)
                    collect(field.type)
            case msgspec.inspect.UnionType():
                for each in kind.types:
                    collect(each)
            case msgspec.inspect.ListType():
                collect(kind.item_type)
            case msgspec.inspect.Metadata():
                collect(kind.type)

    collect(msgspec.inspect.type_info(ClientRequest))
    assert len(names) > 50
    assert {each for each in names if is_secret_name(each)} == {
        "token",
        "secret",
        "salt",
        "url",
        "rtmpUrl",
    }


def test_an_image_that_was_sealed_does_not_come_back_in_a_layout_without_it() -> None:
    shown, secrets = redact({"transcodingConfig": {"backgroundImage": IMAGE, "width": 1}})
    del shown["transcodingConfig"]["backgroundImage"]
    assert restore(shown, secrets) == {"transcodingConfig": {"width": 1}}


def test_without_sealing_an_address_loses_its_query_and_a_secret_its_place() -> None:
    layout = {
        "backgroundImage": IMAGE,
        "backgroundConfig": [{"uid": "1", "image_url": f"{IMAGE}#a", "token": "x"}],
        "words": ["password: tr0ub4dor", "plain"],
        "note": "key=1",
    }
    assert without_secrets(layout) == {
        "backgroundImage": "https://img.example.com/a.png",
        "backgroundConfig": [{"uid": "1", "image_url": "https://img.example.com/a.png"}],
        "words": ["plain"],
    }


def test_a_request_may_have_so_many_secrets_and_no_more() -> None:
    number = [str(each) for each in range(MOST_SECRETS)]
    assert excess(number) == []
    assert excess([*number, "one more"]) == [
        f"must not have more than {MOST_SECRETS} different secrets"
    ]
    longest = "x" * (MOST_SECRET_BYTES - 2)
    assert excess([longest]) == []
    (rule,) = excess([longest + "x"])
    assert str(MOST_SECRET_BYTES) in rule
    (rule,) = excess([longest, longest])
    assert str(MOST_SEALED_BYTES) in rule


def test_what_agora_must_not_repeat_is_each_text_of_a_secret() -> None:
    body = {
        "cname": "room",
        "clientRequest": {
            "token": "t",
            "credentials": {"a": ["deep"], "pin": 1234, "n": 7, "on": True},
        },
    }
    assert sorted(values(body)) == ["1234", "deep", "t"]
    assert values(None) == []

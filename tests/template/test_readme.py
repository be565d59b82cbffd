"""The tables of the README that the template decides."""

from __future__ import annotations

import json
from typing import Any

import pytest

from docs import tables
from local.template import functions, template

RESOURCES: dict[str, Any] = template()["Resources"]
DESCRIPTION: dict[str, Any] = json.loads(tables.DESCRIPTION.read_text())


def test_the_tables_are_up_to_date() -> None:
    text = tables.README.read_text()
    assert tables.written(text) == text, "stale: make readme"


def test_every_route_is_in_the_table_with_its_room() -> None:
    deployed = {
        f"`{event['Properties']['Method']} {event['Properties']['Path']}`"
        for room in functions().values()
        for event in room.get("Events", {}).values()
        if event["Type"] == "Api"
    }
    assert {route for route, _, _ in tables.routes(RESOURCES, DESCRIPTION)} == deployed


def test_a_route_that_nobody_describes_is_not_left_out_in_silence() -> None:
    paths = {path: each for path, each in DESCRIPTION["paths"].items() if path != "/recordings"}
    with pytest.raises(KeyError, match="/recordings"):
        list(tables.routes(RESOURCES, {"paths": paths}))


def test_every_room_is_in_the_table_with_everything_it_may_do() -> None:
    told = {who: what for who, what in tables.rights(RESOURCES)}  # noqa: C416 - pairs, for mypy
    # Besides: what every room may, the state machine, and the user who uploads.
    assert len(told) == len(functions()) + 3
    every = tables.common(RESOURCES)
    assert [condition for condition, _ in every] == ["", "UseYourKey", "UseYourKey"]
    assert all(tables.sentence(each["Sid"]) in told["every room"] for _, each in every)
    for room in functions().values():
        folder = room["CodeUri"]
        text = told.pop(f"[{folder.split('/')[1]}]({folder}app.py)")
        statements = [
            each
            for policy in room["Policies"]
            for each in policy["Statement"]
            if (each.get("Fn::If", [None, each])[1]) not in [shared for _, shared in every]
        ]
        lines = text.split("<br>") if statements else []
        for line, statement in zip(lines, statements, strict=True):
            condition, allowed, _ = statement.get("Fn::If", ("", statement, None))
            assert all(f"`{action}`" in line for action in _actions(allowed))
            assert tables.sentence(allowed["Sid"]) in line
            assert condition in line


def _actions(statement: dict[str, Any]) -> list[str]:
    actions: str | list[str] = statement["Action"]
    return [actions] if isinstance(actions, str) else actions


@pytest.mark.parametrize(
    ("sid", "why"),
    [
        ("ReadAgorasKeysAndTheUploaders", "read Agora's keys and the uploader's"),
        ("ChangeTheIpSetV6", "change the IP set of IPv6"),
        ("StartALostExecutionAgain", "start a lost execution again"),
    ],
)
def test_a_sid_is_read_as_a_sentence(sid: str, why: str) -> None:
    assert tables.sentence(sid) == why

"""The bodies that Agora gets, held against what the simulator reads in Agora's documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from agora_recording.agora.bodies import STOP_FIELDS, acquire_fields, body, start_fields
from local.agora import Options, rules
from local.agora.rules import Acquisition, Identity
from tests.world.examples import CUSTOM_LAYOUT, REQUESTS, STORAGE, UPDATE, WEB_UPDATE, Json

DOCS = Path(__file__).parents[3] / "docs" / "fields.md"
WHOLE = ("mix", "individual", "postponed", "web")  # the requests with every field
NOW_MS = 1_700_000_000_000


@pytest.mark.parametrize("name", WHOLE)
def test_agora_takes_what_acquire_and_start_are_sent(name: str) -> None:
    mode, given = REQUESTS[name]
    request = {**given, "startParameter": {}}
    sent = start_fields(request, STORAGE)

    asked = rules.acquire(body("room", "7", acquire_fields(request, STORAGE)))

    assert asked == Acquisition(
        who=Identity("room", "7"),
        scene=request.get("scene", 0),
        expires_after_hours=request.get("resourceExpiredHour", 72),
        start_parameter=sent,
    )
    assert rules.start(mode, sent, asked, Options(), NOW_MS) == sent


@pytest.mark.parametrize(
    ("mode", "fields"),
    [("mix", UPDATE), ("web", WEB_UPDATE), ("mix", {"storageConfig": STORAGE})],
)
def test_agora_takes_what_an_update_is_sent(mode: str, fields: Json) -> None:
    sent = body("room", "7", fields)

    assert rules.update(mode, sent["clientRequest"], Options(), NOW_MS) == fields


def test_agora_takes_what_a_new_layout_and_a_stop_are_sent() -> None:
    assert rules.update_layout("mix", body("room", "7", CUSTOM_LAYOUT)["clientRequest"])
    assert rules.stop(body("room", "7", STOP_FIELDS)["clientRequest"]) is True
    assert rules.identity(body("room", "7", STOP_FIELDS)) == Identity("room", "7")


def test_what_every_body_holds_is_documented() -> None:
    table = DOCS.read_text("utf-8").partition("### What Agora gets")[2].partition("\n## ")[0]

    for name in (*body("room", "7", {}), *STOP_FIELDS):
        assert f"| `{name}` |" in table

"""The bodies of Agora's official clients, from our API to Agora's door: what we send is taken."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.agora import bodies
from agora_recording.request.reading import Limits, read_request
from local.agora import Options, rules
from tests.world.clients import BODIES
from tests.world.webhook import NOW_MS

LIMITS = Limits(max_duration_s=3600, max_idle_time_s=300, restart_limit=0, transcodes=True)
STORAGE: dict[str, Any] = {
    "vendor": 1,
    "region": 0,
    "bucket": "films",
    "accessKey": "AKIA",
    "secretKey": "secret",
    "fileNamePrefix": ["recordings", "R1"],
}


@pytest.mark.parametrize("name", BODIES)
def test_the_simulator_takes_what_we_make_of_an_official_clients_body(name: str) -> None:
    mode, request = BODIES[name]
    body = {"cname": "room", "mode": mode, "clientRequest": request}
    whole = read_request(body, LIMITS, NOW_MS).client_request
    acquired = {
        "cname": "room",
        "uid": "9",
        "clientRequest": bodies.acquire_fields(whole, STORAGE),
    }
    asked = rules.acquire(acquired)
    started = rules.start(mode, bodies.start_fields(whole, STORAGE), asked, Options(), 0)
    assert started["storageConfig"] == STORAGE

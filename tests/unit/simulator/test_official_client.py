"""Agora's own Python client drives the simulator, unchanged but for the host that it calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.agora.recordings import Phase
from tests.unit.simulator.conftest import Bucket, MakeAgora

SCRIPT = Path(__file__).with_name("official_client.py")
SPEED = 60
NEVER_S = 36_000  # a busy machine must not make a stop look slow
PATIENCE_S = 120


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What the one run of the client told, for all tests of this file."""
    return {}


@pytest.fixture
def told(kept: dict[str, Any], make_agora: MakeAgora, bucket: Bucket) -> dict[str, Any]:
    """Let the client live its lives once; return what it told, and what Agora knows of them."""
    if not kept:
        agora = make_agora(hold=False, speed=SPEED, sync_stop_s=NEVER_S)
        keys = {
            "AGORA_CUSTOMER_ID": agora.simulator.options.customer_id,
            "AGORA_CUSTOMER_SECRET": agora.simulator.options.customer_secret,
        }
        ran = subprocess.run(
            [sys.executable, SCRIPT, agora.simulator.url, agora.simulator.options.app_id or "",
             json.dumps(agora.storage())],
            env={**os.environ, **keys},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        kept["lives"] = json.loads(ran.stdout)
        kept["recordings"] = {each.cname: each for each in agora.simulator.world.recordings}
        kept["calls"] = agora.control("GET", "calls")["calls"]
        kept["names"] = bucket.names()
    return kept


LIVES = {
    "mix": ["acquire", "start", "query", "update", "updateLayout", "stop"],
    "individual": ["acquire", "start", "query", "update", "stop"],
    "postponed": ["acquire", "start", "query", "stop"],
    "web": ["acquire", "start", "query", "update", "stop"],
}


@pytest.mark.parametrize("life", LIVES)
def test_every_answer_is_one_of_the_clients_types_and_names_the_recording(
    life: str, told: dict[str, Any]
) -> None:
    answers = told["lives"][life]
    assert list(answers) == LIVES[life]
    resource_id, sid = answers["acquire"]["resourceId"], answers["start"]["sid"]
    assert sid == told["recordings"][f"official {life}"].sid
    for name, answer in answers.items():
        kind = "ResponseApi" + name[0].upper() + name[1:]
        assert answer["type"] == kind
        assert (answer["cname"], answer["uid"]) == (f"official {life}", "527841")
        assert answer["resourceId"] == resource_id
        assert name == "acquire" or answer["sid"] == sid


@pytest.mark.parametrize("life", LIVES)
def test_the_client_sees_it_record_and_stop(life: str, told: dict[str, Any]) -> None:
    answers = told["lives"][life]
    assert answers["query"]["serverResponse"]["status"] == 5
    stopped = answers["stop"]["serverResponse"]
    if life == "web":
        states = {each["serviceName"]: each for each in stopped["extensionServiceState"]}
        assert states["upload_service"]["payload"]["uploadingStatus"] == "uploaded"
    else:
        assert stopped["uploadingStatus"] == "uploaded"
    recording = told["recordings"][f"official {life}"]
    assert recording.phase is Phase.ENDED
    assert [name for name in told["names"] if recording.sid in name]


def test_what_the_client_asks_for_takes_effect(told: dict[str, Any]) -> None:
    recordings = told["recordings"]
    assert recordings["official mix"].layout["mixedVideoLayout"] == 2
    assert recordings["official web"].web.onhold
    names = [name for name in told["names"] if recordings["official individual"].sid in name]
    assert {name.rpartition(".")[2] for name in names} == {"jpg", "m3u8", "ts"}
    mixed = [name for name in told["names"] if recordings["official mix"].sid in name]
    assert any(name.endswith("_0.mp4") for name in mixed)


def test_the_client_needs_no_second_try(told: dict[str, Any]) -> None:
    assert {call["status"] for call in told["calls"]} == {200}

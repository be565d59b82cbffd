"""A life in the house is the same each time, whichever process it is lived in."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


LIFE = """
import json
from agora_recording.life import watch_recordings
from tests.world.house import House
from tests.world.threads import OneThread

watch_recordings.ThreadPoolExecutor = OneThread
house = House()
house.agora.lose = 1
house.agora.upload_s = 200
house.later(1000, house.stop)
house.begin()
house.run()
assert house.row.status == "completed"
executions = [(each.history, each.data) for each in house.machine.runs.values()]
items = [[*key, item] for key, item in house.table.items.items()]
print(json.dumps([items, house.bus.events, house.faults.names, executions, house.clock()]))
"""
FLEET = """
import msgspec
from benchmarks.fleet import Assumptions, Fleet

fleet = Assumptions(recordings=20, deaths=1, failovers=1, warm_up_s=0, measured_s=1800)
print(msgspec.json.encode(Fleet(fleet).run()).decode())
"""


def lived(program: str, hash_seed: str) -> str:
    """Return a program's last line, from a process in which sets have an order of their own."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.splitlines()[-1]  # the lines before it are the log's


def test_one_life_is_one_life_to_the_byte() -> None:
    assert lived(LIFE, "1") == lived(LIFE, "2")


def test_one_fleet_is_one_fleet_to_the_byte() -> None:
    assert lived(FLEET, "1") == lived(FLEET, "2")

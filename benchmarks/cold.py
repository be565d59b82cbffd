"""Cold starts: from a fresh process to a handler that is ready, against the least any room needs.

Ready means: the handler imported, its adapters made, and the client of the table with them; rooms
that call Agora have imported their HTTP client too. The floor is `import boto3` and one client.
Both sides run in the same interpreter on the same paths, turn by turn, and are counted in CPU time
of the whole process (user and system, its start included): other work on the machine does not
count. Other clients are made by the first invocation that needs them; docs/costs.md shows what each
of them adds.
"""

from __future__ import annotations

import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.pages import Page, table
from local.package import build_layer
from local.template import ROOT, functions, parameters, template

ROUNDS = 9
_FLOOR = 'import boto3; boto3.client("dynamodb")'
# What a first invocation does: the factories of the room, which it keeps in caches.
_READY = """
import os
import app
from agora_recording.aws import clients
for made in list(vars(app).values()):
    if hasattr(made, "cache_info") and made.__module__ == app.__name__:
        made()
if "AGORA_SECRET_ID" in os.environ:
    import agora_recording.agora.client
clients.dynamodb()
"""


_FURTHER = """
import time, boto3
boto3.client("dynamodb")
begun = time.process_time()
boto3.client("{service}")
print((time.process_time() - begun) * 1000)
"""
_SERVICES = ("s3", "secretsmanager", "stepfunctions", "events", "kms", "sqs", "ec2")


class Room(NamedTuple):
    """A function of the template: its folder, environment, and the ratio it may cost."""

    folder: Path
    environment: dict[str, str]
    goal: float | None


def rooms() -> list[Room]:
    """Return every function of the template."""
    values = parameters({})
    shared = template()["Globals"]["Function"]["Environment"]["Variables"]
    found = []
    for properties in functions().values():
        variables = {**shared, **properties.get("Environment", {}).get("Variables", {})}
        environment = {name: _value(each, values) for name, each in variables.items()}
        kinds = {each["Type"] for each in properties.get("Events", {}).values()}
        goal = None
        if "AGORA_SECRET_ID" in environment:
            goal = 1.4
        elif "Api" in kinds:
            goal = 1.2
        found.append(Room(ROOT / properties["CodeUri"], environment, goal))
    return sorted(found)


def _value(declared: Any, values: Mapping[str, str]) -> str:
    """Return what a variable may hold here: a parameter's default, else any text."""
    if isinstance(declared, dict):
        return values.get(declared.get("Ref", ""), "placeholder") or "placeholder"
    return str(declared)


def run() -> dict[str, dict[str, Any]]:
    """Return `cold_init.<function>`, in milliseconds of CPU."""
    with tempfile.TemporaryDirectory(prefix="cold-") as folder:
        return {
            f"cold_init.{name}": row for name, row in measure(Path(folder), bytecode=True).items()
        }


def measure(folder: Path, *, bytecode: bool, rounds: int = ROUNDS) -> dict[str, dict[str, Any]]:
    """Return the figures of each room, with or without bytecode of what the bundle ships."""
    layer = _layer(folder / "layer")
    found = rooms()
    for room in found:
        shutil.copytree(room.folder, folder / room.folder.name, ignore=_no_bytecode)
    if bytecode:
        compileall.compile_dir(str(folder), quiet=2)
    floors: list[float] = []
    costs: dict[str, list[float]] = {room.folder.name: [] for room in found}
    for number in range(rounds + 1):
        floor = _cpu_ms(_FLOOR, [layer], {}, bytecode=bytecode)
        spent = {
            room.folder.name: _cpu_ms(
                _READY, [layer, folder / room.folder.name], room.environment, bytecode=bytecode
            )
            for room in found
        }
        if number:  # the first round warms the file cache
            floors.append(floor)
            for name, cost in spent.items():
                costs[name].append(cost)
    return {
        room.folder.name: {
            "value": round(statistics.median(costs[room.folder.name]), 1),
            "unit": "ms CPU",
            "floor": round(statistics.median(floors), 1),
            "ratio": round(
                statistics.median(
                    ours / floor
                    for ours, floor in zip(costs[room.folder.name], floors, strict=True)
                ),
                3,
            ),
            "n": rounds,
            "goal": room.goal,
        }
        for room in found
    }


def _no_bytecode(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__"}


def _layer(folder: Path) -> Path:
    """Return a copy of the layer as it is built for the embedded run, without any bytecode."""
    for part in build_layer():
        shutil.copytree(part, folder, ignore=_no_bytecode, dirs_exist_ok=True)
    return folder


def _cpu_ms(
    program: str, paths: list[Path], environment: Mapping[str, str], *, bytecode: bool
) -> float:
    """Return the CPU time of a fresh process that runs a program and ends at once."""
    command = [sys.executable, "-c", f"{program}\nimport os; os._exit(0)"]
    if not bytecode:
        command.insert(1, "-B")
    child = subprocess.Popen(
        command,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            **environment,
        },
        stdin=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"a cold start failed: {' '.join(map(str, paths))}")
    return (usage.ru_utime + usage.ru_stime) * 1000


# --- docs/costs.md ------------------------------------------------------------------------------


def write_page(page: Page, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the table of cold starts into docs/costs.md."""
    with tempfile.TemporaryDirectory(prefix="cold-") as folder:
        bare = measure(Path(folder), bytecode=False, rounds=3)
    rows = []
    for key, row in results.items():
        if not key.startswith("cold_init."):
            continue
        name = key.removeprefix("cold_init.")
        goal = f"≤ {row['goal']}" if row["goal"] else ""
        rows.append(
            [
                f"`{name}`",
                f"{row['value']:.0f}",
                f"{row['floor']:.0f}",
                f"{row['ratio']:.2f}",
                goal,
                f"{bare[name]['value']:.0f}",
            ]
        )
    head = "function|ms of CPU|floor|ratio|goal|without bytecode"
    page.fill("cold", table(head, rows))
    further = [[f"`{service}`", f"{_further_ms(service):.0f}"] for service in _SERVICES]
    page.fill("clients", table("client|ms of CPU", further))


def _further_ms(service: str) -> float:
    """Return what one more client costs a process that has one already."""
    environment = os.environ | {"AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-c", _FURTHER.format(service=service)]
    return statistics.median(
        float(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
        for _ in range(5)
    )

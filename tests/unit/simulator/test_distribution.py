"""The simulator as others install it: a wheel without the rest of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local.agora.wheel_builder import HERE, build_wheel

TEST = """
import json, urllib.request

def test_a_recorder_asks_where_agora_sends_from(agora_simulator):
    with urllib.request.urlopen(agora_simulator.url + "/_control/health") as answer:
        assert json.load(answer)["speed"] == 20
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, as an installer does; return the folder."""
    folder = tmp_path_factory.mktemp("elsewhere")
    name = build_wheel(str(folder))
    assert name == "agora_recording_simulator-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder / name) as wheel:
        wheel.extractall(folder / "installed")
    return folder / "installed"


def run(installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python elsewhere, without the plugins of this project's own tests."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=installed.parent,
        env={**os.environ, "PYTHONPATH": str(installed), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_names_every_file_with_its_digest(installed: Path) -> None:
    files = {
        each.relative_to(installed).as_posix() for each in installed.rglob("*") if each.is_file()
    }
    record = next(installed.glob("*.dist-info")) / "RECORD"
    assert {line.split(",")[0] for line in record.read_text().splitlines()} == files
    assert "agora_simulator/media/tone.aac" in files
    assert "agora_simulator/wheel_builder.py" not in files


def test_no_module_of_the_simulator_needs_another_package_of_this_repository() -> None:
    for each in HERE.glob("*.py"):
        assert "local." not in "".join(
            line for line in each.read_text().splitlines() if line.startswith(("from", "import"))
        )


@pytest.mark.slow
def test_a_test_elsewhere_has_the_fixture(installed: Path) -> None:
    (installed.parent / "test_elsewhere.py").write_text(TEST)
    plugin = "agora_simulator.pytest_plugin"
    ran = run(installed, "pytest", "-q", "-p", plugin, "test_elsewhere.py")
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_the_console_script_has_a_command_line(installed: Path) -> None:
    ran = run(installed, "agora_simulator", "--speed", "0")
    assert ran.returncode == 2
    assert "is not a speed" in ran.stderr
    assert "usage: agora-simulator" in ran.stderr
    points = (next(installed.glob("*.dist-info")) / "entry_points.txt").read_text()
    assert "agora-simulator = agora_simulator.__main__:main\n" in points
    assert "[pytest11]\nagora_simulator = agora_simulator.pytest_plugin\n" in points

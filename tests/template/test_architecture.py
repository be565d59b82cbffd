"""The contracts of pyproject.toml fail when somebody breaks them: proof that `make lint` looks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.template import ROOT

LIBRARY = "layers/shared/agora_recording"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the contracts look at, to break something in."""
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("functions", "layers", "openapi", "operate"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def judge(tree: Path) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(tree), str(tree / "layers" / "shared")])
    return subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def plant(tree: Path, module: str, line: str) -> None:
    path = tree / LIBRARY / module
    before = "from __future__ import annotations\n"
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, f"{before}\n{line}\n", 1))


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("recording/due.py", "import boto3", "What decides knows no AWS"),
        ("aws/lease.py", "from agora_recording.life import store", "Arrows run down only"),
        ("notifications/intake.py", "import requests", "The webhook answers without Powertools"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(
    tree: Path, module: str, line: str, broken: str
) -> None:
    plant(tree, module, line)
    judged = judge(tree)
    assert judged.returncode == 1
    (said,) = [each for each in judged.stdout.splitlines() if each.endswith("BROKEN")]
    assert said.startswith(broken)


def test_a_new_folder_has_to_find_its_layer(tree: Path) -> None:
    new = tree / LIBRARY / "misc"
    new.mkdir()
    (new / "__init__.py").touch()
    judged = judge(tree)
    assert judged.returncode == 1
    assert "misc" in judged.stdout

"""How long a newcomer waits: `make demo` and `make test`, each in its second run."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from local.template import ROOT


def demo() -> dict[str, dict[str, Any]]:
    """Return `demo_s`."""
    return {"demo_s": _second_run("demo")}


def test() -> dict[str, dict[str, Any]]:
    """Return `test_s`."""
    return {"test_s": _second_run("test")}


def _second_run(target: str) -> dict[str, Any]:
    """Return the wall time of a target that has been made before."""
    _make(target)
    begun = time.monotonic()
    _make(target)
    took_s = time.monotonic() - begun
    return {"value": round(took_s, 1), "unit": "s", "floor": None, "ratio": None, "n": 1}


def _make(target: str) -> None:
    made = subprocess.run(
        ["make", "--silent", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise RuntimeError(f"make {target} failed:\n{made.stdout[-4000:]}\n{made.stderr[-4000:]}")

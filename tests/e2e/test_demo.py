"""The demo, as a newcomer runs it: it ends well, and the README shows what it prints."""

from __future__ import annotations

import re
import subprocess
import sys

from local.screen import WIDTH
from local.template import ROOT

PATIENCE_S = 200
SHOWN = (ROOT / "README.md").read_text().split("$ make demo", 1)[1].split("```", 1)[0]


def alike(line: str) -> str:
    """Return a line without what differs from run to run: numbers, ids, and how wide they are."""
    line = re.sub(r"[0-9a-f]{32}|01[0-9A-Z]{24}", "ID", line)
    return re.sub(r"\s+", " ", re.sub(r"[\d,.]*\d", "N", line)).strip()


def test_the_demo_records_and_prints_what_the_readme_shows_in_eighty_columns() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "local", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    printed = ran.stdout.splitlines()
    assert max(map(len, printed)) <= WIDTH
    known = {alike(line) for line in printed}
    shown = [alike(line) for line in SHOWN.splitlines()[1:]]
    assert [line for line in shown if line not in known] == []
    assert ran.stdout.index("What happens") < ran.stdout.index("What next")

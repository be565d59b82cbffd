"""The consumer of docs/events.md, as somebody pastes it while `make up` runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

from local.template import ROOT
from tests.e2e.conftest import Stage, eventually

PAGE = (ROOT / "docs" / "events.md").read_text()
CNAME = "events-told"


def test_the_script_of_the_page_hears_of_a_recording_that_ends(
    stage: Stage, tmp_path: Path
) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "stack.json").write_text(json.dumps(stage.facts))
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as listener:
        heard: list[str] = []
        reader = threading.Thread(target=_hear, args=(listener, heard))
        reader.start()
        try:
            eventually(lambda: heard == ["listening\n"], "that the script listens")
            recording_id = stage.record(CNAME)
            stage.until(recording_id, "recording")
            stage.stop(recording_id)
            row = stage.finish(recording_id)
            manifest = f"recordings/{recording_id}/manifest.json"
            told = f"Recording {row['status'].title()} {CNAME} {manifest}\n"
            eventually(lambda: told in heard, "the line of the recording", tell=lambda: str(heard))
        finally:
            listener.terminate()
            reader.join(10)


def _hear(listener: subprocess.Popen[str], heard: list[str]) -> None:
    assert listener.stdout
    for line in listener.stdout:  # each as soon as it is printed
        heard.append(line)  # noqa: PERF402

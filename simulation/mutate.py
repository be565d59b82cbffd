"""`python -m simulation.mutate`: how many small changes of the pure heart do the tests notice?

mutmut makes the changes, in a copy of the tree in which the library lies where mutmut expects it.
`--record` keeps the share that was noticed, and writes the others into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.__main__ import keep
from benchmarks.pages import Page, table
from simulation.plant import copied

LIBRARY = "layers/shared/agora_recording"
# What decides whether a session runs, begins, and whose it is, with the tests of it. Others can be
# named; these alone take some minutes.
MODULES = (
    "recording/observing.py",
    "recording/starting.py",
    "recording/adopting.py",
)
TESTS = (
    "tests/unit/recording",
    "tests/unit/life/test_adoption.py",
    "tests/unit/life/test_query_recording.py",
    "tests/unit/life/test_start_recording.py",
    "tests/unit/life/test_states.py",
    "tests/unit/life/test_successors.py",
)
# What the tests read besides the library.
BESIDES = ("local", "functions", "layers", "statemachine", "template.yaml", "benchmarks", "docs")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when mutmut could not do its work."""
    parser = argparse.ArgumentParser(prog="python -m simulation.mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", default=MODULES, help="of the library")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="keep the figures")
    arguments = parser.parse_args(argv)
    with copied() as copy:
        prepare(copy, arguments.modules)
        _mutmut(copy, "run", "--max-children", str(arguments.processes))
        _mutmut(copy, "export-cicd-stats")
        stats = json.loads((copy / "mutants/mutmut-cicd-stats.json").read_text())
        left = survivors(_mutmut(copy, "results"))
        changes = {name: change(_mutmut(copy, "show", name)) for name in left}
    noticed = stats["killed"] + stats["timeout"]
    score = noticed / stats["total"]
    for name, words in changes.items():
        print(f"{name}: {words}")
    print(f"{noticed} of {stats['total']} changes were noticed: {score:.3f}.")
    if arguments.record:
        row = {"value": round(score, 3), "unit": "share", "n": stats["total"]}
        keep({"mutation_score": {**row, "modules": list(arguments.modules)}})
        rows = [(f"`{name}`", words.replace("|", "\\|")) for name, words in changes.items()]
        told = (
            f"{noticed:,} of {stats['total']:,} changes were noticed ({score:.3f}). The others:\n\n"
        )
        Page("reliability.md").fill("mutation", told + table("where|change", rows))
    return 0


def prepare(copy: Path, modules: Sequence[str]) -> None:
    """Put the library where mutmut looks for it, and tell mutmut what to change."""
    (copy / "src").mkdir()
    (copy / LIBRARY).rename(copy / "src/agora_recording")
    (copy / LIBRARY).symlink_to("../../src/agora_recording")
    settings: dict[str, list[str]] = {
        "source_paths": ["src"],
        "only_mutate": [f"src/agora_recording/{each}" for each in modules],
        "also_copy": list(BESIDES),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "no:xdist"],
        "pytest_add_cli_args_test_selection": list(TESTS),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))


def survivors(results: str) -> list[str]:
    """Return the names of the changes that nothing noticed."""
    lines = (line.strip().partition(": ") for line in results.splitlines())
    return [name for name, _, state in lines if state in ("survived", "no tests")]


def change(shown: str) -> str:
    """Return in one line what a change replaces, and by what."""
    lines = shown.splitlines()
    old = [line[1:].strip() for line in lines if line.startswith("-") and line[:3] != "---"]
    new = [line[1:].strip() for line in lines if line.startswith("+") and line[:3] != "+++"]
    return f"`{' '.join(old)}` → `{' '.join(new)}`"


def _mutmut(copy: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode and arguments[0] == "run":
        sys.stderr.write(ran.stdout[-2000:] + ran.stderr[-4000:])
        raise SystemExit(1)
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())

"""`python -m simulation.plant`: plant each bug in a copy of the tree, and say what notices it.

Bugs of life are looked for by the simulation, story by story, up to `--stories`; the others by the
tests that each of them names. `--only WORDS` plants those with these words in their names;
`--record` keeps the share that was found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.__main__ import keep
from benchmarks.pages import Page, table
from simulation.planted import BUGS, LIVES, Planted

ROOT = Path(__file__).parent.parent
_LIMIT_S = 900


class Seen(NamedTuple):
    """What noticed a bug: a promise or a test, and after how many lives; None if nothing did."""

    bug: Planted
    by: str | None
    lives: int | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a bug was not noticed."""
    parser = argparse.ArgumentParser(prog="python -m simulation.plant", description=__doc__)
    parser.add_argument("--stories", type=int, default=600, help="for each bug of life, at most")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", action="append", metavar="WORDS")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    arguments = parser.parse_args(argv)
    wanted = arguments.only or [""]
    bugs = [bug for bug in BUGS if any(words in bug.name for words in wanted)]
    with ThreadPoolExecutor(arguments.processes) as workers:
        found = []
        for seen in workers.map(lambda bug: notice(bug, arguments.stories), bugs):
            found.append(seen)
            print(f"{'seen  ' if seen.by else 'UNSEEN'}  {seen.bug.name}: {_by(seen)}", flush=True)
    count = sum(seen.by is not None for seen in found)
    print(f"{count} of {len(found)} planted bugs were noticed.")
    if arguments.record and not arguments.only:
        by_lives = sum(seen.lives is not None for seen in found)
        share = round(count / len(found), 3)
        row = {"value": share, "unit": "share", "n": len(found), "by_lives": by_lives}
        keep({"planted_bugs_found": row})
        Page("reliability.md").fill("planted", written(found))
    return 0 if count == len(found) else 1


def notice(bug: Planted, stories: int) -> Seen:
    """Plant one bug in a copy of the tree, and look what notices it."""
    with copied() as copy:
        plant(bug, copy)
        if bug.seen_by == LIVES:
            return _live(bug, copy, stories)
        return _test(bug, copy)


@contextmanager
def copied() -> Iterator[Path]:
    """Copy what git knows of the tree, and what is new in it; forget it afterwards."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        for name in names.splitlines():
            place = Path(folder) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy(ROOT / name, place)
        yield Path(folder)


def plant(bug: Planted, tree: Path) -> None:
    """Change a file as a bug says. Raises LookupError where it is not as the bug expects."""
    place = tree / bug.file
    text = place.read_text(encoding="utf-8")
    if bug.before not in text:
        raise LookupError(f"{bug.name}: {bug.file} is not as expected any more")
    place.write_text(text.replace(bug.before, bug.after, 1), encoding="utf-8")


def _live(bug: Planted, copy: Path, stories: int) -> Seen:
    words = _run(copy, "-m", "simulation", "--until-broken", str(stories)).stdout.splitlines()
    for line in words:
        if line.startswith("broken after "):
            _, _, number, _, promise = line.split(" ", 4)
            return Seen(bug, promise, int(number))
    return Seen(bug, None)


def _test(bug: Planted, copy: Path) -> Seen:
    ran = _run(copy, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", bug.seen_by)
    for line in ran.stdout.splitlines():
        if line.startswith(("FAILED tests/", "ERROR tests/")):
            return Seen(bug, line.split(" ")[1])
    return Seen(bug, None)


def _run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The copy comes before the tree that the environment knows.
    path = os.pathsep.join((str(copy), str(copy / "layers/shared")))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )


def _by(seen: Seen) -> str:
    if seen.lives is not None:
        return f"{seen.by}, after {seen.lives} lives"
    return seen.by or "by nothing"


def written(found: Sequence[Seen]) -> str:
    """Return the table for the page that has it."""
    rows = [(seen.bug.name, f"`{seen.by}`", str(seen.lives or "")) for seen in found]
    return table("planted|noticed by|after lives", rows)


if __name__ == "__main__":
    sys.exit(main())

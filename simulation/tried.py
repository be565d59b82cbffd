"""`python -m simulation.tried`: how many made-up cases does one `make test` try, and of what?

Properties are counted as hypothesis is told to try them, the crafted inputs as their tests say.
`--record` writes the table into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.pages import Page, table

# The first that a test's path begins with tells what it is about.
KINDS = (
    ("tests/unit/test_command_lines.py", "commands of an operator"),
    ("tests/unit/functions", "requests to the functions"),
    ("tests/unit/api/test_links.py", "links"),
    ("tests/unit/api", "the API"),
    ("tests/unit/request", "requests for a recording"),
    ("tests/unit/files", "files, playlists and verdicts"),
    ("tests/unit/notifications", "notifications and what they tell"),
    ("tests/unit/recording", "the recording's row"),
    ("tests/unit/life", "rooms at work"),
    ("tests/unit/agora", "calls to Agora"),
    ("tests/unit/callbacks", "calls to the app"),
    ("tests/unit/auto_record", "channels that record themselves"),
    ("tests/unit/firewall", "the firewall"),
    ("tests/unit/simulator", "the simulator of Agora"),
    ("tests/", "everything else"),
)
# What tests craft themselves: the module, and how many cases of each kind it tries.
CRAFTED: tuple[tuple[str, str, Callable[[Any], int]], ...] = (
    ("crafted notifications", "functions.test_fuzz", lambda tests: int(tests.COUNT)),
    ("crafted channel events", "functions.test_fuzz", lambda tests: int(tests.COUNT // 2)),
    ("crafted calls of the API", "functions.test_fuzz", lambda tests: int(tests.COUNT)),
    ("mistakes that people make", "test_mistakes", lambda tests: len(tests.MISTAKES)),
)


class Collected:
    """The properties that pytest collects: how many tests, and cases, of each kind."""

    def __init__(self) -> None:
        self.tests: Counter[str] = Counter()
        self.cases: Counter[str] = Counter()

    def count(self, items: list[Any]) -> None:
        """Count what was collected; a hook of pytest's."""
        for item in items:
            told = getattr(item.obj, "_hypothesis_internal_use_settings", None)
            if not hasattr(item.obj, "hypothesis") or told is None:
                continue
            kind = next(kind for path, kind in KINDS if item.nodeid.startswith(path))
            self.tests[kind] += 1
            self.cases[kind] += told.max_examples


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when the tests cannot be collected."""
    parser = argparse.ArgumentParser(prog="python -m simulation.tried", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the table")
    arguments = parser.parse_args(argv)
    found = Collected()
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(
            ["--collect-only", "-q", "-p", "no:cacheprovider", "tests/unit", "tests/workflow"],
            plugins=[SimpleNamespace(pytest_collection_modifyitems=found.count)],
        )
    text = written(found)
    print(text)
    if code == 0 and arguments.record:
        Page("reliability.md").fill("tried", text)
    return int(code != 0)


def written(found: Collected) -> str:
    """Return the table for the page that has it."""
    rows = [
        (kind, f"{found.tests[kind]:,}", f"{count:,}")
        for kind, count in sorted(found.cases.items(), key=lambda each: (-each[1], each[0]))
    ]
    # pytest must be the first to import what it rewrites: so these come after it has collected.
    crafted = {
        kind: count(import_module(f"tests.unit.{module}")) for kind, module, count in CRAFTED
    }
    rows += [(kind, "1", f"{count:,}") for kind, count in crafted.items()]
    tests = found.tests.total() + len(crafted)
    cases = found.cases.total() + sum(crafted.values())
    return table("of|tests|cases, at most", [*rows, ("all", f"{tests:,}", f"{cases:,}")])


if __name__ == "__main__":
    sys.exit(main())

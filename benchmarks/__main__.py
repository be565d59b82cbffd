"""`python -m benchmarks [name…]`: measure, print one table, write results/latest.json.

Without names everything is measured but `test`, which runs the whole test suite. Results of what
was not measured this time stay in the file. `--docs` also writes the tables and plots of
docs/scale.md and docs/costs.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.pages import Page

RESULTS = Path(__file__).parent / "results" / "latest.json"
Rows = dict[str, dict[str, Any]]

# Name: module and function. What takes long comes last.
BENCHMARKS = {
    "webhook": ("benchmarks.webhook", "run"),
    "kms": ("benchmarks.kms", "run"),
    "stream": ("benchmarks.stream", "run"),
    "timeline": ("benchmarks.timeline", "run"),
    "hand_over": ("benchmarks.hand_over", "run"),
    "verification": ("benchmarks.verification", "run"),
    "memory": ("benchmarks.memory", "run"),
    "playlist": ("benchmarks.playlist", "run"),
    "cold": ("benchmarks.cold", "run"),
    "scale": ("benchmarks.scale", "run"),
    "bill": ("benchmarks.bill", "run"),
    "console": ("benchmarks.console", "run"),
    "demo": ("benchmarks.commands", "demo"),
    "test": ("benchmarks.commands", "test"),
}
# Key (or the part before its dot): the column that counts, and what it must be.
GOALS: dict[str, tuple[str, str, float]] = {
    "webhook_warm": ("ratio", "≤", 1.25),
    "verify_100k_segments": ("ratio", "≤", 1.3),
    "verify_100k_peak_mb": ("value", "<", 256),
    "verify_worst_memory": ("value", "<", 0.6),
    "playlist_hours": ("value", "≥", 720),
    "playlist_30d_s": ("ratio", "≤", 0.5),
    "playlist_30d_memory": ("value", "<", 0.6),
    "history_events_1h": ("value", "≤", 80),
    "history_events_30d": ("value", "≤", 80),
    "history_events_30d_tokens": ("value", "≤", 1_000),
    "cost_1h_usd": ("value", "≤", 0.0005),
    "content_lost_s.50": ("value", "≤", 100),
    "content_lost_s.1000": ("value", "≤", 150),
    "content_lost_s.10000": ("value", "≤", 300),
    "content_lost_s.100000": ("value", "≤", 700),
    "extra_minutes_ratio": ("value", "≤", 0.005),
    "events_page_ms": ("value", "≤", 100),
    "supervised_at_10_rps": ("value", "≥", 100_000),
    "max_calls_per_second": ("value", "≤", 10),
    "kms_calls_worst_request": ("value", "≤", 8),
    "console_fleet_ms": ("value", "≤", 300),
    "console_fleet_kb": ("value", "≤", 300),
    "console_recording_ms": ("value", "≤", 300),
    "console_recording_kb": ("value", "≤", 300),
    "demo_s": ("value", "≤", 45),
    "test_s": ("value", "≤", 300),
}
UNITS = {"verify_100k_segments": "s CPU", "verify_100k_peak_mb": "MB"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when something could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--docs", action="store_true", help="write the pages that show results")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    names = arguments.names or [name for name in BENCHMARKS if name != "test"]
    measured: Rows = {}
    failed: list[str] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            measured |= _benchmark(name)()
        except Exception:  # the others are measured all the same
            traceback.print_exc()
            failed.append(name)
    results = keep(measured)
    print(_table({key: results[key] for key in measured}))
    if failed:
        print(f"Not measured: {', '.join(failed)}.")
    if arguments.docs:
        _write_pages(names, measured)
    return 1 if failed else 0


def keep(measured: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Write results beside those of earlier runs; return all of them."""
    results = {**_kept(), **{key: _whole(key, row) for key, row in measured.items()}}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    return results


def _benchmark(name: str) -> Callable[[], Rows]:
    module, function = BENCHMARKS[name]
    found: Callable[[], Rows] = getattr(import_module(module), function)
    return found


def _kept() -> Rows:
    """Return the results of earlier runs."""
    try:
        found: Rows = json.loads(RESULTS.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _whole(key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with every column that results have."""
    columns = dict.fromkeys(("value", "unit", "floor", "ratio", "n"))
    return {**columns, "unit": UNITS.get(key), **row}


def _goal(key: str, row: Mapping[str, Any]) -> tuple[str, str]:
    """Return the goal in words, and whether it is reached."""
    given = GOALS.get(key) or GOALS.get(key.partition(".")[0])
    column, relation, limit = given or ("ratio", "≤", row.get("goal"))
    if limit is None or row[column] is None:
        return "", ""
    value = row[column]
    reached = {"≤": value <= limit, "<": value < limit, "≥": value >= limit}[relation]
    return f"{column} {relation} {limit:,}", "yes" if reached else "NO"


def _table(rows: Rows) -> str:
    lines: list[tuple[str, ...]] = [("key", "value", "unit", "floor", "ratio", "goal", "reached")]
    for key, row in rows.items():
        numbers = [_number(row[column]) for column in ("value", "floor", "ratio")]
        goal, reached = _goal(key, row)
        lines.append((key, numbers[0], row["unit"] or "", *numbers[1:], goal, reached))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in (1, 3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 0.1 else f"{value:g}"


def _write_pages(names: Sequence[str], measured: Rows) -> None:
    if "scale" in names:
        import_module("benchmarks.scale").write_page(Page("scale.md"))
    if "cold" in names:
        import_module("benchmarks.cold").write_page(Page("costs.md"), measured)
    if "bill" in names:
        import_module("benchmarks.bill").write_page(Page("costs.md"))


if __name__ == "__main__":
    sys.exit(main())

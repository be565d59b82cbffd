"""`python -m simulation`: live many random lives; fail, with a short story, where one goes wrong.

Without `--seed` the seeds are new each time. `--tell SEED` lives one story alone and prints what
happened in it. `--record` writes the figures into benchmarks/results/latest.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks.__main__ import keep
from benchmarks.pages import Page, table
from simulation.living import Life, live
from simulation.shrink import shrunk
from simulation.story import random_story
from simulation.tally import Tally, lives

_MOST_BROKEN = 3  # stories that are shrunk and printed


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument(
        "--seconds", type=float, default=60, help="of a core, for each process (default: 60)"
    )
    parser.add_argument("--processes", type=int, default=2, help="how many (default: 2)")
    parser.add_argument("--seed", type=int, help="the first seed; the others follow it")
    parser.add_argument("--tell", type=int, metavar="SEED", help="live this story alone")
    parser.add_argument(
        "--until-broken", type=int, metavar="N", help="live up to N stories, until one goes wrong"
    )
    parser.add_argument("--record", action="store_true", help="keep the figures")
    arguments = parser.parse_args(argv)
    if arguments.tell is not None:
        return _tell(live(random_story(arguments.tell)))
    if arguments.until_broken is not None:
        return _until_broken(arguments.seed or 1, arguments.until_broken)
    first = int(time.time()) * 1000 if arguments.seed is None else arguments.seed
    tally = lives(first, arguments.seconds, arguments.processes)
    print(summary(tally, first), flush=True)  # to make the stories short may take minutes
    for life in tally.broken[:_MOST_BROKEN]:
        _tell(shrunk(life))
    if arguments.record and not tally.broken:
        Page("reliability.md").fill("simulation", written(tally, arguments.seconds))
        row = {"unit": "", "n": tally.stories, "seconds": arguments.seconds}
        keep(
            {
                "lives_simulated": {
                    **row,
                    "value": tally.lives,
                    "hours": round(tally.hours),
                    "meetings": tally.meetings,
                },
                "faults_injected": {
                    **row,
                    "value": tally.faults.total(),
                    "kinds": dict(sorted(tally.faults.items())),
                },
            }
        )
    return 1 if tally.broken else 0


def _until_broken(first: int, most: int) -> int:
    """Live stories one after the other; say which promise is broken first, and after how many."""
    lives = 0
    for seed in range(first, first + most):
        life = live(random_story(seed))
        lives += life.story.recordings
        if life.broken:
            print(f"broken after {lives} lives: {life.broken.partition(':')[0]}")
            return 1
    print(f"{lives} lives, and every promise held.")
    return 0


def written(tally: Tally, seconds: float) -> str:
    """Return the figures for the page that has them."""
    rows = [
        ("lives, in stories", f"{tally.lives:,} in {tally.stories:,}"),
        ("hours of their time", f"{tally.hours:,.0f}"),
        ("steps after which the contract was held", f"{tally.steps:,}"),
        ("times a process went on between two operations of another", f"{tally.meetings:,}"),
        ("faults", f"{tally.faults.total():,}"),
        *((f"· {kind}", f"{count:,}") for kind, count in sorted(tally.faults.items())),
        ("promises broken", "0"),
    ]
    return table(f"in {seconds:.0f} seconds of each of two cores|", rows)


def summary(tally: Tally, first: int) -> str:
    """Return the figures in words, and the faults by their kinds."""
    lines = [
        f"{tally.lives:,} lives in {tally.stories:,} stories from seed {first} on, "
        f"{tally.hours:,.0f} hours of their time, {tally.steps:,} steps.",
        f"{tally.faults.total():,} faults; {tally.meetings:,} times a process went on while another"
        " was between two operations.",
    ]
    lines += [f"  {count:8,}  {kind}" for kind, count in sorted(tally.faults.items())]
    lines.append(
        f"{len(tally.broken)} stories broke a promise." if tally.broken else "Every promise held."
    )
    lines += [f"  seed {life.story.seed}: {life.broken}" for life in tally.broken]
    return "\n".join(lines)


def _tell(life: Life) -> int:
    print(f"\n{life.broken or 'Every promise held.'}\n{life.story.told()}\n{life.trace}")
    return 1 if life.broken else 0


if __name__ == "__main__":
    sys.exit(main())

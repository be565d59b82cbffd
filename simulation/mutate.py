"""`python -m simulation.mutate`: how many small changes of the pure heart do the tests notice?

mutmut makes the changes, in a copy of the tree in which the library lies where mutmut expects it,
and runs the tests that reach the function that was changed. A module is not changed again while it
and its tests are as they were: what came of it is kept under `.build`. `--only WORDS` takes the
modules whose names have these words. `--record` keeps the share that was noticed, and writes it by
module, with what stays, into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.__main__ import keep
from benchmarks.pages import Page, table
from simulation.equivalent import EQUIVALENT, Change
from simulation.plant import ROOT, copied

LIBRARY = "layers/shared/agora_recording"
# What the tests read besides the library.
BESIDES = (
    "local",
    "functions",
    "layers",
    "openapi",
    "statemachine",
    "template.yaml",
    "benchmarks",
    "docs",
)
_NOTICED = frozenset({"killed", "timeout", "segfault"})


_UNIT = "tests/unit"
_VERIFICATION = (f"{_UNIT}/files/test_judge.py", f"{_UNIT}/files/test_case.py")
_SESSIONS = (
    f"{_UNIT}/recording",
    f"{_UNIT}/life/test_query_recording.py",
    f"{_UNIT}/life/test_stop_recording.py",
)
# What decides something, by its place in the library, and the tests of it.
MODULES: dict[str, tuple[str, ...]] = {
    "agora/outcomes": (f"{_UNIT}/agora/test_outcomes.py",),
    "agora/token": (f"{_UNIT}/agora/test_token.py",),
    "callbacks/address": (f"{_UNIT}/callbacks/test_address.py",),
    "callbacks/message": (f"{_UNIT}/callbacks/test_message.py",),
    "callbacks/signing": (f"{_UNIT}/callbacks/test_signing.py",),
    "files/conclusion": (
        f"{_UNIT}/files/test_conclusion.py",
        f"{_UNIT}/files/test_publish_recording.py",
        f"{_UNIT}/files/test_record_file_arrival.py",
    ),
    "files/expectation": (f"{_UNIT}/files/test_expectation.py",),
    "files/gaps": (f"{_UNIT}/files/test_gaps.py",),
    "files/judge/case": _VERIFICATION,
    "files/judge/indexes": _VERIFICATION,
    "files/judge/sessions": _VERIFICATION,
    "files/judge/unnamed": _VERIFICATION,
    "files/verdict": (*_VERIFICATION, f"{_UNIT}/files/test_conclusion.py"),
    "notifications/effects": (
        f"{_UNIT}/notifications/test_effects.py",
        f"{_UNIT}/notifications/test_facts.py",
    ),
    "notifications/envelope": (f"{_UNIT}/notifications/test_envelope.py",),
    "notifications/facts": (
        f"{_UNIT}/notifications/test_effects.py",
        f"{_UNIT}/notifications/test_facts.py",
        f"{_UNIT}/life/test_apply_notifications.py",
    ),
    "recording/adopting": (*_SESSIONS, f"{_UNIT}/life/test_adoption.py"),
    "recording/due": (f"{_UNIT}/recording",),
    "recording/ending": (
        *_SESSIONS,
        f"{_UNIT}/files/test_publish_recording.py",
        f"{_UNIT}/life/test_watch_recordings.py",
    ),
    "recording/hearing": (
        f"{_UNIT}/recording/test_hearing.py",
        f"{_UNIT}/life/test_apply_notifications.py",
    ),
    "recording/link": (f"{_UNIT}/recording/test_link.py",),
    "recording/looking": (f"{_UNIT}/recording", f"{_UNIT}/life/test_watch_recordings.py"),
    "recording/observing": _SESSIONS,
    "recording/starting": (*_SESSIONS, f"{_UNIT}/life/test_start_recording.py"),
}
KEPT = ROOT / ".build/mutation"


class Mutant(NamedTuple):
    """A change that mutmut made in a module, and what came of it."""

    name: str  # agora_recording.recording.due.x_due_ms__mutmut_3
    state: str  # killed, timeout, survived, no tests …

    @property
    def is_noticed(self) -> bool:
        """Whether a test failed, or did not come to its end."""
        return self.state in _NOTICED

    @property
    def module(self) -> str:
        """The module's path in the library, without its suffix: recording/due."""
        return self.name.rpartition(".")[0].removeprefix("agora_recording.").replace(".", "/")

    @property
    def function(self) -> str:
        """The function, or the class and its method."""
        bare = self.name.rpartition(".")[2].rpartition("__mutmut_")[0]
        return bare.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")


_TEXT = re.compile(r'"[^"]*"')


def is_wording(change: Change) -> bool:
    """Tell whether a change only spells a sentence for people otherwise: in capitals or with XX."""
    before, after = _TEXT.findall(change.before), _TEXT.findall(change.after)
    if len(before) != len(after) or _TEXT.sub("", change.before) != _TEXT.sub("", change.after):
        return False
    pairs = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    return all(" " in old and old.lower() == new.replace("XX", "").lower() for old, new in pairs)


class Outcome(NamedTuple):
    """What came of all changes. `left` are those that nothing noticed, each as it reads.

    A sentence that is spelled otherwise counts as one that changes nothing: its words are no rule.
    """

    mutants: list[Mutant]
    left: dict[Mutant, Change]

    @property
    def unjudged(self) -> dict[Mutant, Change]:
        """What nothing noticed, and nobody has judged to change nothing."""
        return {
            each: change
            for each, change in self.left.items()
            if change not in EQUIVALENT and not is_wording(change)
        }

    def score(self, module: str = "") -> float:
        """Return the share that was noticed, of those that change something."""
        mine = [each for each in self.mutants if module in ("", each.module)]
        missed = [each for each in self.unjudged if each in set(mine)]
        judged = [each for each in self.left if each in set(mine) and each not in missed]
        real = len(mine) - len(judged)
        return (real - len(missed)) / real if real else 1.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 when something stays that is not judged."""
    parser = argparse.ArgumentParser(prog="python -m simulation.mutate", description=__doc__)
    parser.add_argument("--only", action="append", metavar="WORDS")
    parser.add_argument("--processes", type=int, default=2, help="modules at the same time")
    parser.add_argument("--record", action="store_true", help="keep the figures")
    arguments = parser.parse_args(argv)
    mutants: list[Mutant] = []
    left: dict[Mutant, Change] = {}
    wanted = arguments.only or [""]
    modules = [each for each in MODULES if any(words in each for words in wanted)]
    with ThreadPoolExecutor(arguments.processes) as workers:
        for module, found in zip(modules, workers.map(outcome_of, modules), strict=True):
            print(f"{module}: {len(found.mutants)} changes, {found.score():.3f}", flush=True)
            mutants += found.mutants
            left |= found.left
    outcome = Outcome(mutants, left)
    for each, change in outcome.unjudged.items():
        print(f"{each.name}, {each.state}: {change.before} → {change.after}")
    noticed = sum(each.is_noticed for each in mutants)
    print(
        f"{noticed:,} of {len(mutants):,} changes were noticed,"
        f" {len(left) - len(outcome.unjudged)} are judged to change nothing:"
        f" {outcome.score():.3f} of the others."
    )
    if arguments.record and not arguments.only:
        row = {"value": round(outcome.score(), 3), "unit": "share", "n": len(mutants)}
        more = {"noticed": noticed, "equivalent": len(left) - len(outcome.unjudged)}
        keep({"mutation_score": {**row, **more}})
        Page("reliability.md").fill("mutation", written(outcome))
    return 1 if outcome.unjudged else 0


def outcome_of(module: str) -> Outcome:
    """Return what came of a module's changes, now or when it and its tests were as they are."""
    place = KEPT / f"{module.replace('/', '-')}-{_digest(module)}.json"
    if place.exists():
        mutants, left = json.loads(place.read_text(encoding="utf-8"))
        known = {Mutant(*each): Change(*change) for each, change in left}
        return Outcome([Mutant(*each) for each in mutants], known)
    found = mutated(module)
    place.parent.mkdir(parents=True, exist_ok=True)
    kept = json.dumps([found.mutants, list(found.left.items())])
    place.write_text(kept, encoding="utf-8")
    return found


def _digest(module: str) -> str:
    """Return what changes with a module or its tests."""
    places = [ROOT / LIBRARY / f"{module}.py"]
    for each in MODULES[module]:
        places += sorted((ROOT / each).glob("*.py")) or [ROOT / each]
    return hashlib.sha256(b"".join(each.read_bytes() for each in places)).hexdigest()[:16]


def mutated(module: str) -> Outcome:
    """Let mutmut change a module. Raises SystemExit where it cannot do its work."""
    with copied() as copy:
        prepare(copy, module)
        _mutmut(copy, "run", "--max-children", "1")
        mutants = told(_mutmut(copy, "results", "--all", "true"))
        missed = [each for each in mutants if not each.is_noticed]
        left = {each: changed(each, _mutmut(copy, "show", each.name)) for each in missed}
    return Outcome(mutants, left)


def prepare(copy: Path, module: str) -> None:
    """Put the library where mutmut looks for it, and tell mutmut what to change."""
    (copy / "src").mkdir()
    (copy / LIBRARY).rename(copy / "src/agora_recording")
    (copy / LIBRARY).symlink_to("../../src/agora_recording")
    settings: dict[str, list[str]] = {
        "source_paths": ["src"],
        "only_mutate": [f"src/agora_recording/{module}.py"],
        "also_copy": list(BESIDES),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "no:xdist"],
        "pytest_add_cli_args_test_selection": list(MODULES[module]),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    with (copy / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))


def told(results: str) -> list[Mutant]:
    """Return the changes that mutmut lists, and what came of each."""
    lines = (line.strip().rpartition(": ") for line in results.splitlines())
    return [Mutant(name, state) for name, _, state in lines if "__mutmut_" in name]


def changed(mutant: Mutant, shown: str) -> Change:
    """Return what a change replaces, and by what, from the difference that mutmut shows."""
    lines = shown.splitlines()
    old = [line[1:].strip() for line in lines if re.match(r"-(?!--)", line)]
    new = [line[1:].strip() for line in lines if re.match(r"\+(?!\+\+)", line)]
    return Change(f"{mutant.module}: {mutant.function}", " ".join(old), " ".join(new))


def written(outcome: Outcome) -> str:
    """Return the tables for the page that has them: by module, then what stays."""
    changes = Counter(each.module for each in outcome.mutants)
    noticed = Counter(each.module for each in outcome.mutants if each.is_noticed)
    judged = Counter(each.module for each in outcome.left if each not in outcome.unjudged)
    rows = [
        (
            f"`{module}`",
            f"{count:,}",
            f"{noticed[module]:,}",
            f"{judged[module]:,}",
            f"{outcome.score(module):.3f}",
        )
        for module, count in sorted(changes.items())
    ]
    totals = (changes.total(), noticed.total(), judged.total())
    whole = ("all", *(f"{each:,}" for each in totals), f"{outcome.score():.3f}")
    text = table("module|changes|noticed|equivalent|noticed of the others", [*rows, whole])
    stays = sorted(
        (change, EQUIVALENT.get(change, ""))
        for change in outcome.left.values()
        if not is_wording(change)
    )
    if stays:
        kept = [
            (f"`{change.where}`", _code(change.before), _code(change.after), why)
            for change, why in stays
        ]
        text += "\n\n" + table("where|before|after|why it changes nothing", kept)
    return text


def _code(words: str) -> str:
    """Return code that may stand in a table."""
    return f"`{words}`".replace("|", "\\|")


def _mutmut(copy: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        sys.stderr.write(ran.stdout[-2000:] + ran.stderr[-4000:])
        raise SystemExit(1)
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())

"""The planted bugs: each must still find the place that it is for."""

from __future__ import annotations

from simulation.plant import ROOT
from simulation.planted import BUGS, LIVES


def test_each_bug_finds_what_it_changes() -> None:
    lost = [
        bug.name for bug in BUGS if bug.before not in (ROOT / bug.file).read_text(encoding="utf-8")
    ]
    assert lost == []


def test_each_bug_is_another_one() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_the_tests_that_must_notice_a_bug_are_there() -> None:
    assert all((ROOT / bug.seen_by).exists() for bug in BUGS if bug.seen_by != LIVES)

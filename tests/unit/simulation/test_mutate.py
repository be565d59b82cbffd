"""What mutmut tells is understood: which change it made, and whether it only spells a sentence."""

from __future__ import annotations

import pytest

from simulation.equivalent import EQUIVALENT, Change
from simulation.mutate import MODULES, Mutant, Outcome, changed, is_wording, told, written

NAME = "agora_recording.recording.due.xǁDueǁat_ms__mutmut_3"
SHOWN = """# agora_recording.recording.due.x_due__mutmut_1: survived
--- layers/due.py
+++ layers/due.py
@@ -1,3 +1,3 @@
 def due():
-    return 1
+    return 2
"""


def test_a_change_is_read_from_what_mutmut_lists_and_shows() -> None:
    (mutant,) = told(f"    {NAME}: survived\nsomething else: 3\n")
    assert (mutant.module, mutant.function) == ("recording/due", "Due.at_ms")
    assert not mutant.is_noticed
    assert changed(mutant, SHOWN) == Change("recording/due: Due.at_ms", "return 1", "return 2")


@pytest.mark.parametrize(
    ("before", "after", "is_one"),
    [
        ('raise Error("it is wrong")', 'raise Error("XXit is wrongXX")', True),
        ('raise Error("it is wrong")', 'raise Error("IT IS WRONG")', True),
        ('raise Error("it is wrong")', "raise Error(None)", False),
        ('return "wrong"', 'return "XXwrongXX"', False),
        ('return "it is " + "so"', 'return "it is so"', False),
    ],
)
def test_only_the_spelling_of_a_sentence_is_wording(before: str, after: str, is_one: bool) -> None:
    assert is_wording(Change("a: b", before, after)) is is_one


def test_the_score_leaves_out_what_is_judged_to_change_nothing() -> None:
    judged = next(iter(EQUIVALENT))
    mutants = [Mutant(f"agora_recording.agora.token.x_a__mutmut_{n}", "killed") for n in range(8)]
    left = {
        Mutant("agora_recording.agora.token.x_b__mutmut_1", "survived"): judged,
        Mutant("agora_recording.agora.token.x_b__mutmut_2", "no tests"): Change("a: b", "1", "2"),
    }
    outcome = Outcome([*mutants, *left], left)
    assert len(outcome.unjudged) == 1
    assert outcome.score() == outcome.score("agora/token") == 8 / 9
    table = written(outcome)
    assert "| all | 10 | 8 | 1 | 0.889 |" in table
    assert EQUIVALENT[judged] in table


def test_every_judgement_is_of_a_module_that_is_changed() -> None:
    assert {each.where.partition(":")[0] for each in EQUIVALENT} <= set(MODULES)

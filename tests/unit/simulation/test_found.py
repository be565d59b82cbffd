"""What the simulation found in the bundle, each as the short story that it came down to."""

from __future__ import annotations

import pytest

from simulation.living import live
from simulation.story import Act, Story

STORIES = {
    "a session whose token has ended goes on uploading, and is waited for": Story(
        seed=20816,
        acts=(
            Act(at_s=18.4, deed="create", recording=3, seconds=1500, mode="mix"),
            Act(at_s=87.8, deed="create", recording=2, seconds=900, mode="mix"),
        ),
        token_s=700,
        faults={
            "sweep #6, 9 query": "throttled",
            "session r3.2": "dies in silence",
            "session r3.3": "its upload takes minutes",
        },
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_it_holds_now(name: str) -> None:
    assert live(STORIES[name]).broken is None

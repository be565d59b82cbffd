"""Lives a story, and tells what came of it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple
from unittest.mock import patch

from agora_recording.auto_record import watch_channels
from agora_recording.life import watch_recordings
from agora_recording.observability import logger
from simulation.contract import BrokenError
from simulation.stack import Stack, Words
from simulation.story import Story
from tests.world.threads import OneThread


class Life(NamedTuple):
    """What came of a story.

    `faults` are those that happened, by their places; `broken` the first promise that did not hold;
    `trace` a digest of everything that was done, `hours` the time that went by; `meetings` how
    often a process went on while another was between two operations.
    """

    story: Story
    faults: dict[str, str]
    broken: str | None
    trace: str
    hours: float
    steps: int
    meetings: int


def live(story: Story) -> Life:
    """Live a story to its end, or until a promise is broken."""
    stack = Stack(story)
    broken = None
    with (
        patch.object(watch_recordings, "ThreadPoolExecutor", OneThread),
        patch.object(watch_channels, "ThreadPoolExecutor", OneThread),
        patch.object(logger.registered_handler, "stream", Words(stack.contract)),
    ):
        begun = stack.clock.now_ms
        try:
            stack.live()
        except BrokenError as failure:
            broken = str(failure)
    lines = "\n".join([*stack.weather.trace, *map(str, stack.contract.rows.values())])
    return Life(
        story=story,
        faults=dict(stack.luck.happened),
        broken=broken,
        trace=hashlib.sha256(lines.encode()).hexdigest(),
        hours=(stack.clock.now_ms - begun) / 3_600_000,
        steps=stack.steps,
        meetings=stack.processes.meetings,
    )

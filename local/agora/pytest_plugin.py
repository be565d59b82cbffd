"""A fixture for other projects' tests: `agora_simulator`, a simulator that runs during one test.

pytest finds it when the distribution is installed. A fixture `agora_options` of your own, a dict,
sets the simulator's options, such as `{"webhook_url": receiver.url, "speed": 200}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import AgoraSimulator


@pytest.fixture
def agora_options() -> dict[str, Any]:
    """Return the options of `agora_simulator`; override it to change them."""
    return {"speed": 20.0}


@pytest.fixture
def agora_simulator(agora_options: dict[str, Any]) -> Iterator[AgoraSimulator]:
    """Run a simulator on a free port: `agora_simulator.url`, `agora_simulator.options`."""
    with AgoraSimulator(**agora_options) as simulator:
        yield simulator

"""How long a call to AWS may take by the configuration of its client."""

from __future__ import annotations

from typing import Any

from botocore.config import Config


def longest_s(config: Any) -> float:
    """Return the seconds of a call of which every try hangs, with botocore's longest waits.

    In its standard mode, botocore waits between two tries for up to 1, 2, 4, … 20 s.
    """
    assert isinstance(config, Config)
    found: Any = config
    assert found.retries["mode"] == "standard"
    tries = found.retries["total_max_attempts"]
    waits = sum(min(2**number, 20) for number in range(tries - 1))
    total: float = tries * (found.connect_timeout + found.read_timeout) + waits
    return total

"""The sweeper: every minute, and when it asked itself to, look at each recording that is due."""

from __future__ import annotations

import secrets
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.due_index import DUE_SHARDS
from agora_recording.life.look_queue import asked
from agora_recording.life.watch_recordings import Sweeper
from agora_recording.observability import count, logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import StorageSettings

SWEEP_S = 50  # ends well before the next run, a minute later


class WatchSettings(StorageSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    state_machine_arn: str
    arrivals_queue_url: str
    sweeps_queue_url: str
    calls_queue_url: str


@cache
def _sweeper() -> Sweeper:
    return Parts(WatchSettings.from_env()).sweeper


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, sweeper: Sweeper | None = None
) -> dict[str, int]:
    """Return how often each kind of look was made."""
    first_shard = secrets.randbelow(DUE_SHARDS)
    looks, count_open, unheard, missed = (sweeper or _sweeper()).sweep(
        seconds=SWEEP_S, first_shard=first_shard, between=asked(event)
    )
    count("RecordingsOpen", count_open)
    count("RecordingsLookedAt", looks.total())
    # The execution should have moved these on minutes ago.
    count("RecordingsStuck", looks["wake"] + looks["repair"] + looks["confirm"])
    count("RecordingsUnheard", unheard)
    count("RateLimitedError", looks["no slot"])
    if looks:
        logger.info("sweep done", looks=looks, missed=missed)
    return dict(looks)

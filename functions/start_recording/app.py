"""State "Start recording": acquire and start, as one act."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.start_recording import Starter
from agora_recording.observability import count, logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import StorageSettings


class StartSettings(StorageSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    seal_key_id: str
    uid_from: int
    uid_to: int
    token_s: float = 86_400


@cache
def _starter() -> Starter:
    return Parts(StartSettings.from_env()).starter


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, starter: Starter | None = None
) -> dict[str, Any]:
    """Return {attempt, sid, maxDurationSeconds, waitSeconds, wasRunning}, and nothing secret."""
    started = (starter or _starter()).start(event["recordingId"])
    if not started["wasRunning"]:
        count("SessionStarted")
    logger.info("session started", sid=started["sid"], attempt=started["attempt"])
    return started

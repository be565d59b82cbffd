"""The target of one-time schedules: begin a recording, or stop it, now that its time has come."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.timekeeper import Timekeeper
from agora_recording.observability import logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class FollowSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    state_machine_arn: str


@cache
def _timekeeper() -> Timekeeper:
    return Parts(FollowSettings.from_env()).timekeeper


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, timekeeper: Timekeeper | None = None
) -> dict[str, Any]:
    """Return {done: begun|stopped|nothing}. A schedule that comes twice does nothing."""
    done = (timekeeper or _timekeeper()).follow(event["recordingId"], event["act"])
    logger.info("schedule followed", recordingId=event["recordingId"], done=done)
    return {"done": done}

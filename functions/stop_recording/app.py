"""State "Stop recording": end the session if it still runs, and say what comes next."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.stop_recording import Stopper
from agora_recording.observability import count, logger, metrics, observed
from agora_recording.recording.ending import read_failure
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import AgoraSettings


@cache
def _stopper() -> Stopper:
    return Parts(AgoraSettings.from_env()).stopper


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, stopper: Stopper | None = None
) -> dict[str, Any]:
    """Return {next: start|stop again|await upload|publish, sessionEnd, unseenSeconds?}.

    `event.failure`, where there is one, is the error that led here: {Error, Cause}.
    """
    failure = read_failure(event.get("failure"))
    stopped = (stopper or _stopper()).stop(event["recordingId"], failure)
    if "unseenSeconds" in stopped:
        count("SessionLost")
        metrics.add_metric("DetectionSeconds", MetricUnit.Seconds, stopped["unseenSeconds"])
    logger.info("session ended", failure=failure and failure.name, **stopped)
    return stopped

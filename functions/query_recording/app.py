"""State "Query recording": ask whether Agora records, and announce it when it does."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.query_recording import Confirmer
from agora_recording.observability import logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import AgoraSettings


class QuerySettings(AgoraSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str
    bus_name: str
    calls_queue_url: str
    callback_endpoints: str


@cache
def _confirmer() -> Confirmer:
    return Parts(QuerySettings.from_env()).confirmer


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, confirmer: Confirmer | None = None
) -> dict[str, Any]:
    """Return {verdict: recording|wait|unanswered|over, waitSeconds, maxDurationSeconds, …}."""
    judged = (confirmer or _confirmer()).confirm(event["recordingId"], event["started"])
    logger.info("start judged", verdict=judged["verdict"])
    return judged

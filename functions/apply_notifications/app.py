"""The table's stream: apply stored notifications, after Agora has got its answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.apply_notifications import Applier
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class ApplySettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    poison_queue_url: str
    arrivals_queue_url: str


@cache
def _applier() -> Applier:
    return Parts(ApplySettings.from_env()).applier


@logger.inject_lambda_context
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, applier: Applier | None = None
) -> dict[str, Any]:
    """Return {batchItemFailures}: the records that Lambda must deliver again."""
    failed = (applier or _applier()).apply(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

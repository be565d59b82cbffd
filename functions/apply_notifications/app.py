"""The table's stream: apply stored notifications, after Agora has got its answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.apply_notifications import Applier
from agora_recording.life.executions import Waker
from agora_recording.life.look_queue import ArrivalQueue
from agora_recording.observability import logger
from agora_recording.wiring import TableSettings


class ApplySettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    poison_queue_url: str
    arrivals_queue_url: str


@cache
def _applier() -> Applier:
    settings = ApplySettings.from_env()
    store = settings.store()
    return Applier(
        store=store,
        sessions=settings.sessions(),
        waker=Waker(store),
        arrivals=ArrivalQueue(settings.arrivals_queue_url),
        poison_queue_url=settings.poison_queue_url,
    )


@logger.inject_lambda_context
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, applier: Applier | None = None
) -> dict[str, Any]:
    """Return {batchItemFailures}: the records that Lambda must deliver again."""
    failed = (applier or _applier()).apply(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

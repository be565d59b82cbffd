"""State "Await upload": park until everything is in the bucket, going by the bucket alone."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.arrival_queue import ArrivalQueue
from agora_recording.completion import Completion
from agora_recording.observability import count, logger, observed
from agora_recording.upload import UploadWatcher
from agora_recording.wake import Waker
from agora_recording.wiring import TableSettings


class AwaitSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str
    arrivals_queue_url: str


@cache
def _watcher() -> UploadWatcher:
    settings = AwaitSettings.from_env()
    store, timings = settings.store(), settings.timings
    return UploadWatcher(
        store=store,
        completion=Completion(store=store, bucket=settings.bucket_name, timings=timings),
        waker=Waker(store),
        arrivals=ArrivalQueue(settings.arrivals_queue_url),
        timings=timings,
    )


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, watcher: UploadWatcher | None = None
) -> dict[str, str]:
    """Return {outcome}, for the log: the state machine goes on by the token."""
    outcome = (watcher or _watcher()).park(event["recordingId"], event["taskToken"])
    count(f"Verdict{outcome.capitalize()}")
    logger.info("files listed", outcome=outcome)
    return {"outcome": outcome}

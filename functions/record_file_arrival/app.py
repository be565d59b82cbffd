"""The queue of arrived files: check the bucket again, and go on when the last file is there."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.files.record_file_arrival import Arrivals
from agora_recording.observability import count, logger, observed
from agora_recording.recording.model import Outcome
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import UploadSettings


class ArrivalSettings(UploadSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bus_name: str
    calls_queue_url: str
    callback_endpoints: str


@cache
def _arrivals() -> Arrivals:
    return Parts(ArrivalSettings.from_env()).arrivals


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, arrivals: Arrivals | None = None
) -> dict[str, Any]:
    """Return {batchItemFailures}: the messages that SQS must deliver again."""
    failed, done = (arrivals or _arrivals()).take(event["Records"])
    for outcome in get_args(Outcome):
        if looks := done[f"Verdict{outcome.capitalize()}"]:
            count(f"Verdict{outcome.capitalize()}", looks)
    if done["Completed"]:
        count("RecordingCompletedLate", done["Completed"])
    if done["Overdue"]:
        count("RecordingOverdue", done["Overdue"])
    if done["GivenUp"]:
        count("RecordingIncomplete", done["GivenUp"])
    logger.info("files arrived", failed=len(failed), outcomes=done)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

"""State "List recording files": is everything in the bucket, going by the bucket alone?"""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.completion import Completion
from agora_recording.observability import count, logger, observed
from agora_recording.wiring import TableSettings


class FilesSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str


@cache
def _completion() -> Completion:
    settings = FilesSettings.from_env()
    return Completion(store=settings.store(), bucket=settings.bucket_name, timings=settings.timings)


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, completion: Completion | None = None
) -> dict[str, Any]:
    """Return {verdict: complete|pending|incomplete, waitSeconds, looks}."""
    looks = event.get("files", {}).get("looks", 0)
    found = (completion or _completion()).look(event["recordingId"], looks)
    count(f"Verdict{found['verdict'].capitalize()}")
    logger.info("files listed", verdict=found["verdict"])
    return found

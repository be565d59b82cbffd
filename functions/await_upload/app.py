"""State "Await upload": wait until every file is in the bucket; only the bucket decides."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.files.await_upload import UploadWatcher
from agora_recording.observability import count, logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import UploadSettings


@cache
def _watcher() -> UploadWatcher:
    return Parts(UploadSettings.from_env()).uploads


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, watcher: UploadWatcher | None = None
) -> dict[str, str]:
    """Return {outcome}, for the log only: the state machine waits for the token."""
    outcome = (watcher or _watcher()).park(event["recordingId"], event["taskToken"])
    count(f"Verdict{outcome.capitalize()}")
    logger.info("files listed", outcome=outcome)
    return {"outcome": outcome}

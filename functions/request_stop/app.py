"""POST /v1/recordings/{recordingId}/stop: write the request, wake the execution, answer 202."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, path
from agora_recording.clock import now_ms
from agora_recording.life.executions import Waker
from agora_recording.observability import logger
from agora_recording.recording.view import public
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


@cache
def _waker() -> Waker:
    return Parts(TableSettings.from_env()).waker


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, waker: Waker | None = None
) -> dict[str, Any]:
    """Return 202 with the recording. A second stop, or one that is too late, changes nothing."""
    recording = (waker or _waker()).stop(path(event, "recordingId"), now_ms())
    logger.info("stop requested", recordingId=recording.recording_id)
    return answer(HTTPStatus.ACCEPTED, public(recording))

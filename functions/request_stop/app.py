"""POST /v1/recordings/{recordingId}/stop: write the request, wake the execution, answer 202."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, path
from agora_recording.life.timekeeper import Timekeeper
from agora_recording.observability import logger
from agora_recording.recording.view import public
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class StopSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    state_machine_arn: str


@cache
def _timekeeper() -> Timekeeper:
    return Parts(StopSettings.from_env()).timekeeper


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, timekeeper: Timekeeper | None = None
) -> dict[str, Any]:
    """Return 202 with the recording. A second stop, or a late one, changes nothing."""
    recording = (timekeeper or _timekeeper()).stop(path(event, "recordingId"))
    logger.info("stop requested", recordingId=recording.recording_id)
    return answer(HTTPStatus.ACCEPTED, public(recording))

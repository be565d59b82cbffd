"""PATCH /v1/recordings/{recordingId}: change a recording with Agora's `update`, or its times."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, json_body, path, warned
from agora_recording.api.update_recording import Updater
from agora_recording.observability import logger
from agora_recording.recording.view import detailed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import AgoraSettings


class UpdateSettings(AgoraSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    seal_key_id: str
    schedule_group: str
    schedule_target_arn: str
    schedule_role_arn: str


@cache
def _updater() -> Updater:
    return Parts(UpdateSettings.from_env()).updater


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, updater: Updater | None = None
) -> dict[str, Any]:
    """Return 200 with the recording once Agora has accepted the change, or the times are set."""
    updater = updater or _updater()
    recording, warnings = updater.update(path(event, "recordingId"), json_body(event))
    logger.info("recording updated", recordingId=recording.recording_id)
    return answer(HTTPStatus.OK, warned(detailed(recording), warnings))

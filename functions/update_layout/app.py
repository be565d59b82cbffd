"""PUT /v1/recordings/{recordingId}/layout: a new layout for a running mix recording."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, json_body, path, warned
from agora_recording.api.update_recording import LayoutUpdater
from agora_recording.observability import logger
from agora_recording.recording.view import detailed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import AgoraSettings


@cache
def _updater() -> LayoutUpdater:
    return Parts(AgoraSettings.from_env()).layout_updater


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, updater: LayoutUpdater | None = None
) -> dict[str, Any]:
    """Return 200 with the recording once Agora has accepted the layout."""
    updater = updater or _updater()
    recording, warnings = updater.lay_out(path(event, "recordingId"), json_body(event))
    logger.info("layout updated", recordingId=recording.recording_id)
    return answer(HTTPStatus.OK, warned(detailed(recording), warnings))

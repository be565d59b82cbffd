"""DELETE /v1/recordings/{recordingId}: delete an ended recording, its files and all its rows."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.delete_recording import Deleter
from agora_recording.api.gateway import answer, caller, door, nothing, path
from agora_recording.observability import logger
from agora_recording.recording.view import public
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class DeleteSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str


@cache
def _deleter() -> Deleter:
    return Parts(DeleteSettings.from_env()).deleter


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, deleter: Deleter | None = None
) -> dict[str, Any]:
    """Return 204 when all is gone, 202 with Retry-After when the request must be repeated."""
    deleter = deleter or _deleter()
    deletion = deleter.delete(path(event, "recordingId"), context.get_remaining_time_in_millis)
    recording = deletion.recording
    if not deletion.is_done:
        return answer(HTTPStatus.ACCEPTED, public(recording), {"Retry-After": "1"})
    logger.info(
        "recording deleted",
        recordingId=recording.recording_id,
        cname=recording.cname,
        status=recording.status,
        by=caller(event),
        files=recording.upload.files,
        bytes=recording.upload.bytes,
    )
    return nothing()

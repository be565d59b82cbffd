"""GET /v1/recordings/{recordingId}, and GET /v1/recordings: one recording, or a page of them."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, path, query
from agora_recording.api.get_recordings import Lister, read_recordings_query
from agora_recording.observability import logger
from agora_recording.recording.view import detailed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


@cache
def _lister() -> Lister:
    return Parts(TableSettings.from_env()).lister


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, lister: Lister | None = None
) -> dict[str, Any]:
    """Return the recording of the path, or {recordings, cursor?} where the path names none."""
    lister = lister or _lister()
    recording_id = path(event, "recordingId")
    if recording_id:
        query(event)  # it has no parameters
        return answer(HTTPStatus.OK, detailed(lister.get(recording_id)))
    page = read_recordings_query(query(event, "status", "cname", "limit", "cursor"))
    return answer(HTTPStatus.OK, lister.page(page))

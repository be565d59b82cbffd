"""GET /v1/recordings/{recordingId}/events: the timeline, in words and in data."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, path, query
from agora_recording.api.get_recording_events import Timeline, read_events_query
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


@cache
def _timeline() -> Timeline:
    return Parts(TableSettings.from_env()).timeline


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, timeline: Timeline | None = None
) -> dict[str, Any]:
    """Return {events, cursor?}, in the order in which things happened."""
    timeline = timeline or _timeline()
    page = read_events_query(query(event, "limit", "cursor"))
    return answer(HTTPStatus.OK, timeline.page(path(event, "recordingId"), page))

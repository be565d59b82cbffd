"""POST and GET /v1/recordings/{recordingId}/links, DELETE …/{linkId}: links for viewers."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, base_url, door, json_body, nothing, path, query
from agora_recording.api.links import Links, read_link_request
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class LinksSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment. `playback_url`: what viewers call the API."""

    bucket_name: str
    playback_url: str = ""


@cache
def _links() -> Links:
    return Parts(LinksSettings.from_env()).links


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any],
    context: LambdaContext,
    links: Links | None = None,
    playback_url: str | None = None,
) -> dict[str, Any]:
    """Return the new link, once with its address; or those that open something; or nothing."""
    links = links or _links()
    recording_id = path(event, "recordingId")
    query(event)
    if event["httpMethod"] == "DELETE":
        links.revoke(recording_id, path(event, "linkId"))
        return nothing()
    if event["httpMethod"] == "GET":
        return answer(HTTPStatus.OK, links.listed(recording_id))
    if playback_url is None:
        playback_url = LinksSettings.from_env().playback_url
    where = playback_url.rstrip("/") or base_url(event, event["resource"])
    made = links.create(recording_id, read_link_request(json_body(event)), where)
    return answer(HTTPStatus.CREATED, made)

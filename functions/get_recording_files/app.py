"""GET /v1/recordings/{recordingId}/files and …/playlist: the files, to download or to play."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import accepted, answer, door, path, query, text
from agora_recording.api.get_recording_files import list_files, read_files_query
from agora_recording.api.get_recording_playlist import read_playlist_query, signed_playlist
from agora_recording.api.media import Media
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings

PLAYLIST = "application/vnd.apple.mpegurl"


class FilesSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str


@cache
def _media() -> Media:
    return Parts(FilesSettings.from_env()).media


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, media: Media | None = None
) -> dict[str, Any]:
    """Return a page of files as JSON, or an HLS playlist, as the route says."""
    media = media or _media()
    recording_id = path(event, "recordingId")
    if event.get("resource", "").endswith("/playlist"):
        window = read_playlist_query(query(event, "uid", "track", "codec", "from", "to", "expires"))
        playlist = signed_playlist(media, recording_id, window)
        return text(HTTPStatus.OK, playlist, accepted(event, PLAYLIST, "text/plain"))
    page = read_files_query(query(event, "limit", "expires", "cursor"))
    return answer(HTTPStatus.OK, list_files(media, recording_id, page))

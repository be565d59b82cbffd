"""GET /v1/recordings/{recordingId}/files and …/playlist: the files, to download or to play."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, path, query, text
from agora_recording.api.get_recording_files import Media, read_files_wish, read_playlist_wish
from agora_recording.observability import logger
from agora_recording.wiring import TableSettings


class FilesSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str


@cache
def _media() -> Media:
    settings = FilesSettings.from_env()
    return Media(store=settings.store(), bucket=settings.bucket_name, timings=settings.timings)


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, media: Media | None = None
) -> dict[str, Any]:
    """Return a page of files as JSON, or an HLS playlist, as the route says."""
    media = media or _media()
    recording_id = path(event, "recordingId")
    if event.get("resource", "").endswith("/playlist"):
        play = read_playlist_wish(query(event, "uid", "track", "from", "to", "expires"))
        playlist = media.playlist(recording_id, play)
        return text(HTTPStatus.OK, playlist, "application/vnd.apple.mpegurl")
    wish = read_files_wish(query(event, "limit", "expires", "cursor"))
    return answer(HTTPStatus.OK, media.files(recording_id, wish))

"""GET /v1/play/{token}/index.m3u8 and …/{name}: what a link plays, for whoever has the link."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import accepted, door, moved, path, query, shared, text
from agora_recording.api.links import HLS
from agora_recording.api.play import MEDIA, Player, read_choice
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings

PLAYLIST, MPD = "application/vnd.apple.mpegurl", "application/dash+xml"
PLAIN = "text/plain"  # for generated clients, which know no type of playlists


class PlaySettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str
    address_seconds: int


@cache
def _player() -> Player:
    return Parts(PlaySettings.from_env()).player


@logger.inject_lambda_context
@shared
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, player: Player | None = None
) -> dict[str, Any]:
    """Return a playlist with addresses of this room, or lead to a file in the bucket."""
    player = player or _player()
    token, name = path(event, "token"), path(event, "name") or HLS
    if name not in (HLS, MEDIA) and not name.endswith(".mpd"):
        return moved(player.address(token, name))
    asked = read_choice(query(event, "uid", "track", "codec"))
    if name.endswith(".mpd"):
        return text(HTTPStatus.OK, player.dash(token, name, asked), accepted(event, MPD, PLAIN))
    plays = player.index if name == HLS else player.track
    return text(HTTPStatus.OK, plays(token, asked), accepted(event, PLAYLIST, PLAIN))

"""A playlist that plays from the private bucket: its segments are signed addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, get_args

from agora_recording.api.media import DEFAULT_EXPIRES_S, Media, read_expires_s
from agora_recording.aws.signing import MAX_EXPIRES_S
from agora_recording.clock import from_iso
from agora_recording.errors import MediaNotFoundError, Problem, RequestInvalidError
from agora_recording.files import playback
from agora_recording.files.catalogue import choose_track
from agora_recording.files.verdict import TrackType

_ONLY_DASH = (
    "An HLS playlist cannot hold VP8 or VP9, in which these users sent: play an MPD of its files, "
    "by a link to it."
)
TRACK_TYPES: tuple[str, ...] = get_args(TrackType)


class PlaylistQuery(NamedTuple):
    """The track that is asked for, and the window of time (epoch ms) to play.

    `expires_s` None: as long as the track lasts, and a quarter of an hour more.
    """

    uid: str | None
    track_type: str | None
    codec: str | None
    from_ms: int | None
    to_ms: int | None
    expires_s: int | None


def read_playlist_query(parameters: Mapping[str, str]) -> PlaylistQuery:
    """Decode the parameters of the query string. Raises RequestInvalidError."""
    track_type = parameters.get("track")
    if track_type is not None and track_type not in TRACK_TYPES:
        raise RequestInvalidError([Problem("track", f"must be one of {', '.join(TRACK_TYPES)}")])
    from_ms, to_ms = read_window(parameters)
    return PlaylistQuery(
        uid=parameters.get("uid"),
        track_type=track_type,
        codec=parameters.get("codec"),
        from_ms=from_ms,
        to_ms=to_ms,
        expires_s=read_expires_s(parameters) if "expires" in parameters else None,
    )


def read_window(parameters: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Decode `from` and `to` (epoch ms). Raises RequestInvalidError."""
    from_ms, to_ms = _instant_ms("from", parameters), _instant_ms("to", parameters)
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise RequestInvalidError([Problem("to", "must be later than from")])
    return from_ms, to_ms


def _instant_ms(name: str, parameters: Mapping[str, str]) -> int | None:
    try:
        return from_iso(parameters[name]) if name in parameters else None
    except ValueError:
        rule = "must be a date and time, such as 2026-01-31T12:00:00Z"
        if " " in parameters[name]:
            rule += "; in a query, write a + as %2B"
        raise RequestInvalidError([Problem(name, rule)]) from None


def signed_playlist(media: Media, recording_id: str, query: PlaylistQuery) -> str:
    """Return an HLS playlist of one track, over all restarts and failovers.

    Raises RecordingNotFoundError; RecordingStateError; MediaNotFoundError; RequestInvalidError
    (several tracks fit); PlaylistTooLargeError.
    """
    recording = media.recording(recording_id)
    catalogue = media.catalogue(recording)
    if not catalogue.tracks and any(file.kind == "mpd" for file in catalogue.files()):
        raise MediaNotFoundError(_ONLY_DASH)
    track = choose_track(catalogue.tracks, query.uid, query.track_type, query.codec)
    lasting_s = min(MAX_EXPIRES_S, DEFAULT_EXPIRES_S + -(-track.duration_ms // 1000))
    sign = media.signer(recording, query.expires_s or lasting_s)
    growing = not recording.is_terminal
    pieces = (media.pieces(recording, each.key) for each in track.playlists)
    return playback.signed_playlist(
        playback.join(pieces, growing=growing),
        lambda key: sign(key, playback.content_type(key)),
        recording.prefix,
        missing=catalogue.unplayable(track),
        from_ms=query.from_ms,
        to_ms=query.to_ms,
        growing=growing,
    )

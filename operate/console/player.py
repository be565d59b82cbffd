"""What the player plays: playlists with the console's own addresses, and the files behind them.

The browser never meets the bucket: the console reads each file with the operator's credentials and
passes it on. So no page holds a signed address, and the bucket needs to let no origin in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from agora_recording.api.get_recording_playlist import read_playlist_query
from agora_recording.api.media import check_key
from agora_recording.clock import iso
from agora_recording.errors import MediaNotFoundError
from agora_recording.files import playback
from agora_recording.files.catalogue import Catalogue, choose_track
from agora_recording.files.names import start_ms
from agora_recording.recording.model import Recording
from operate.console.desk import Desk

MAX_BYTES = 40_000_000  # of a playlist: no function answers here, so it may be long
_RANGE = re.compile(r"bytes=[0-9]*-[0-9]*")
_PIECE = 256 * 1024
_PLAYABLE = ("mp4", "audio")


def playlist(desk: Desk, recording: Recording, parameters: dict[str, str]) -> str:
    """Return an HLS playlist of one track; each slice has the instant at which it begins.

    `parameters` are those of the API's playlist (uid, track, codec, from, to). Raises
    MediaNotFoundError; RequestInvalidError; PlaylistTooLargeError.
    """
    query = read_playlist_query(parameters)
    media = desk.parts.media
    catalogue = media.catalogue(recording)
    track = choose_track(catalogue.tracks, query.uid, query.track_type, query.codec)
    text = playback.signed_playlist(
        playback.join(media.pieces(recording, each.key) for each in track.playlists),
        lambda key: "media/" + quote(key.removeprefix(recording.prefix)),
        recording.prefix,
        missing=catalogue.unplayable(track),
        from_ms=query.from_ms,
        to_ms=query.to_ms,
        growing=not recording.is_terminal,
        max_bytes=MAX_BYTES,
    )
    return "".join(f"{line}\n" for line in dated(text.splitlines()))


def dated(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a playlist with EXT-X-PROGRAM-DATE-TIME before each slice.

    The instant is in the slice's name; a slice without one gets none. Pure.
    """
    held: list[str] = []
    for line in lines:
        held.append(line)
        if line.startswith("#") and not line.startswith("#EXTINF"):
            yield from held
            held.clear()
        elif not line.startswith("#"):
            at = start_ms(line)
            if at is not None and not any("PROGRAM-DATE-TIME" in each for each in held):
                yield f"#EXT-X-PROGRAM-DATE-TIME:{iso(at)}"
            yield from held
            held.clear()
    yield from held


class Piece(NamedTuple):
    """A file of the bucket, or a range of it: HTTP status, headers, and the content."""

    status: int
    headers: dict[str, str]
    body: Iterator[bytes]


def media_file(desk: Desk, recording: Recording, name: str, asked: str | None) -> Piece:
    """Return a file below the recording's prefix; `asked` is the request's Range header.

    Raises MediaNotFoundError: it is not there, or not the recording's.
    """
    key = recording.prefix + name
    check_key(recording, key)
    client = desk.parts.media.client
    request: dict[str, Any] = {"Bucket": desk.parts.media.bucket, "Key": key}
    if asked and _RANGE.fullmatch(asked):
        request["Range"] = asked
    try:
        found = client.get_object(**request)
    except client.exceptions.NoSuchKey:
        raise MediaNotFoundError(f"{name} is not in the bucket.") from None
    headers = {
        "Content-Type": playback.content_type(name),
        "Accept-Ranges": "bytes",
        # Whatever a file of the bucket holds: it is no page of the console's.
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if "ContentLength" in found:
        headers["Content-Length"] = str(found["ContentLength"])
    if "ContentRange" in found:
        headers["Content-Range"] = found["ContentRange"]
    return Piece(206 if "ContentRange" in found else 200, headers, _pieces(found["Body"]))


def _pieces(body: Any) -> Iterator[bytes]:
    while piece := body.read(_PIECE):
        yield piece


def sources(recording: Recording, found: Catalogue | None) -> list[dict[str, str]]:
    """Return {name, src, kind} of what can be played: `hls` for tracks, `file` for the rest."""
    if found is None:
        return []
    listed = []
    for track in found.tracks:
        whose = "everybody" if track.uid == "0" else f"uid {track.uid}"
        parts = {"uid": track.uid, "track": track.track_type, "codec": track.codec}
        query = "&".join(f"{key}={quote(value)}" for key, value in parts.items() if value)
        name = f"{whose}, {track.track_type.replace('_', ' ')}"
        src = f"/recordings/{recording.recording_id}/playlist.m3u8?{query}"
        listed.append({"name": name, "src": src, "kind": "hls"})
    for file in found.files():
        if file.kind in _PLAYABLE and file.bytes:
            name = file.key.removeprefix(recording.prefix)
            src = f"/recordings/{recording.recording_id}/media/{quote(name)}"
            listed.append({"name": name, "src": src, "kind": "file"})
        if len(listed) >= _SOURCES:
            break
    return listed[:_SOURCES]


_SOURCES = 40

"""The files that are made when a recording is over: MP4 files, re-uploaded playlists, a mix.

Sources: Agora "Manage recorded files" (names), Agora REST (avFileType, transcodeOptions), Agora
callbacks (80, 81, 90, 1001).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import media
from .files import PlaylistStyle, Session, Slice, Track, playlist, utc17


@dataclass(frozen=True)
class Product:
    """A file: its name, its user, its track and start, and the function that makes it."""

    name: str
    uid: str
    track: Track
    start_ms: int
    make: Callable[[], bytes]


def mp4_files(sessions: Iterable[Session], longest_ms: int) -> list[Product]:
    """Return the MP4 files of each user's video track (or audio track), cut by length.

    VP8 and VP9 do not go into MP4.
    """
    products = []
    for session in sessions:
        for uid, track in _by_user(session.tracks.values()).items():
            if track.is_dash:
                continue
            stem = session.names.user(uid) if session.names.per_user else f"{track.stem}_"
            tail = f"_{track.codec}" if track.codec else ""
            products += [
                Product(
                    f"{stem}{n}{tail}.mp4", uid, track, part[0].start_ms, partial(_mp4, track, part)
                )
                for n, part in enumerate(_parts(track.slices, longest_ms))
            ]
    return products


def mp3_files(sessions: Iterable[Session], longest_ms: int, names: str) -> list[Product]:
    """Return the MP3 files of each user (raw mode), named as `Options.mp3_names` says."""
    products = []
    for session in sessions:
        for track in session.tracks.values():
            for n, part in enumerate(_parts(track.slices, longest_ms)):
                tail = {"index_codec": f"{n}_{track.codec}", "utc": utc17(part[0].start_ms)}
                name = f"{track.user}{tail.get(names, str(n))}.mp3"
                make = partial(media.audio_file, "mp3", part[0].media_ms, part[-1].media_end_ms)
                products.append(Product(name, track.uid, track, part[0].start_ms, make))
    return products


def postponed_files(sessions: list[Session], options: dict[str, Any]) -> list[Product]:
    """Return the files that postponed transcoding or mixing makes of an individual recording."""
    if options["transConfig"]["transMode"] == "postponeTranscoding":
        return mp4_files(sessions, longest_ms=2**63)
    container = (options.get("container") or {}).get("format") or "mp3"
    session = sessions[0]
    track = max(session.tracks.values(), key=lambda one: one.media_ms)
    make = partial(media.audio_file, container, 0, track.media_ms)
    return [Product(f"{session.names.stem}_0.{container}", "0", track, track.first_ms, make)]


def reuploaded_playlists(
    tracks: Iterable[Track], style: PlaylistStyle, *, tick: int, index: int, last: bool
) -> list[Product]:
    """Return the playlists with the names of a re-upload; only the last ones are complete."""
    products = []
    for track in tracks:
        pieces = track.slices if last else track.slices[:-1]
        text = playlist(track, style, ended=last, slices=pieces)
        name = f"{track.stem}_{tick}_{index}.{'mpd' if track.is_dash else 'm3u8'}"
        products.append(Product(name, track.uid, track, track.first_ms, partial(bytes, text)))
    return products


def _by_user(tracks: Iterable[Track]) -> dict[str, Track]:
    """Return each user's track: the video track, if there is one."""
    chosen: dict[str, Track] = {}
    for track in tracks:
        if track.slices and (track.video or track.uid not in chosen):
            chosen[track.uid] = track
    return chosen


def _parts(slices: list[Slice], longest_ms: int) -> list[list[Slice]]:
    parts: list[list[Slice]] = []
    for piece in slices:
        if not parts or piece.end_ms - parts[-1][0].start_ms > longest_ms:
            parts.append([])
        parts[-1].append(piece)
    return parts


def _mp4(track: Track, slices: list[Slice]) -> bytes:
    # A user's MP4 joins audio and video, whichever track gave its parts.
    audio = track.audio or track.uid != "0"
    return media.mp4(slices[0].media_ms, slices[-1].media_end_ms, video=track.video, audio=audio)

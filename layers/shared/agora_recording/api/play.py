"""What a link plays: playlists with short addresses of their own, and the way to each file.

Whoever has the token may play; there is no other check. A link and its recording are remembered for
some seconds, so a link that is revoked opens nothing soon afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode

import msgspec

from agora_recording.api.get_recording_playlist import TRACK_TYPES
from agora_recording.api.links import DASH
from agora_recording.api.media import Media
from agora_recording.clock import now_ms
from agora_recording.errors import (
    LinkNotFoundError,
    MediaNotFoundError,
    PlaylistTooLargeError,
    Problem,
    RecordingNotFoundError,
    RecordingStateError,
    RequestInvalidError,
    StoreUnavailableError,
    WriteConflictError,
)
from agora_recording.files import addresses, playback
from agora_recording.files.capability import admits_user, download_name, opened
from agora_recording.files.catalogue import Catalogue, Together, choose_track, choose_whole
from agora_recording.files.manifest import TrackEntry
from agora_recording.files.playlists import file_name
from agora_recording.life.links import LinkStore
from agora_recording.recording.link import Choice, Link, token_hash, viewed
from agora_recording.recording.model import Recording

MEDIA = "media.m3u8"
_REMEMBERED_MS = 15_000  # a link and its recording: so long a link that was revoked may still open
# What a bucket held is remembered for so long; where it took long to look, for ten times as long.
_SEEN_MS, _SEEN_TIMES, _SEEN_MOST_MS = 5_000, 10, 60_000
_MOST = 32  # links, and catalogues, that a process remembers
_MAX_MPD_BYTES = 4_000_000
_DELETED = "The recording of this link is deleted."


class Opened(NamedTuple):
    """A link, and its recording."""

    link: Link
    recording: Recording


def read_choice(parameters: Mapping[str, str]) -> Choice:
    """Decode the track that is asked for. Raises RequestInvalidError."""
    track = parameters.get("track")
    if track is not None and track not in TRACK_TYPES:
        raise RequestInvalidError([Problem("track", f"must be one of {', '.join(TRACK_TYPES)}")])
    return Choice(parameters.get("uid"), track, parameters.get("codec"))


def narrowed(link: Link, asked: Choice) -> Choice:
    """Return the track that is asked for, within what the link is for.

    Raises MediaNotFoundError if the link is for another one.
    """
    values = []
    for name in ("uid", "track", "codec"):
        allowed, wanted = getattr(link.choice, name), getattr(asked, name)
        if allowed is not None and wanted not in (None, allowed):
            raise MediaNotFoundError(f"This link plays only {name} {allowed}.")
        values.append(wanted if allowed is None else allowed)
    return Choice(*values)


class Recent(msgspec.Struct):
    """Values of the last seconds, by key; the oldest go first."""

    values: dict[str, tuple[int, Any]] = {}

    def get(self, key: str, now_ms: int) -> Any:
        """Return the value, None if there is none any more."""
        until_ms, value = self.values.get(key, (0, None))
        return value if now_ms < until_ms else None

    def keep(self, key: str, value: Any, until_ms: int) -> None:
        """Remember a value."""
        self.values.pop(key, None)
        self.values[key] = (until_ms, value)
        while len(self.values) > _MOST:
            del self.values[next(iter(self.values))]


class Player(msgspec.Struct, kw_only=True):
    """Plays recordings by their links. `address_s`: how long the address of a file is valid."""

    media: Media
    links: LinkStore
    address_s: int
    now_ms: Callable[[], int] = now_ms
    known: Recent = msgspec.field(default_factory=Recent)
    seen: Recent = msgspec.field(default_factory=Recent)

    def index(self, token: str, asked: Choice) -> str:
        """Return an HLS playlist of what the link is for, or of the part of it that is asked for.

        A user's sound and picture, where they are two tracks, are played together by a master.
        Raises LinkNotFoundError; MediaNotFoundError; RequestInvalidError: several users or codecs
        are there, one must be asked for; PlaylistTooLargeError.
        """
        found = self._open(token)
        choice = narrowed(found.link, asked)
        catalogue = self._catalogue(found.recording)
        if not catalogue.tracks and _mpds(found.link, catalogue, choice):
            raise MediaNotFoundError(
                "An HLS playlist cannot hold VP8 or VP9, in which this was sent: play "
                f"{DASH} at this address, in a DASH player."
            )
        tracks = choose_whole(catalogue.tracks, choice.uid, choice.track, choice.codec)
        if isinstance(tracks, Together):
            self._note_view(found.link, ())
            bits = sum(each.bytes * 8000 // max(1, each.duration_ms) for each in tracks)
            return playback.master(_child(tracks.pictures), _child(tracks.sound), bits)
        return self._playlist(found, catalogue, tracks)

    def track(self, token: str, asked: Choice) -> str:
        """Return an HLS playlist of one track, as masters name it. Raises as `index` does."""
        found = self._open(token)
        choice = narrowed(found.link, asked)
        catalogue = self._catalogue(found.recording)
        track = choose_track(catalogue.tracks, choice.uid, choice.track, choice.codec)
        return self._playlist(found, catalogue, track)

    def dash(self, token: str, name: str, asked: Choice) -> str:
        """Return an MPD: the only one there is of what is asked for, or the one of this name.

        Its slices have names beside it. Raises as `index` does.
        """
        found = self._open(token)
        choice = narrowed(found.link, asked)
        mpds = _mpds(found.link, self._catalogue(found.recording), choice)
        keys = [key for key in mpds if name in (DASH, key.rpartition("/")[2])]
        if not keys:
            raise MediaNotFoundError("This link plays no such MPD.")
        if len(keys) > 1:
            named = ", ".join(key.rpartition("/")[2] for key in keys[:20])
            rule = "is required, since several fit; or ask for one of these instead of "
            rule += f"{DASH}: {named}"
            raise RequestInvalidError([Problem("uid", rule)])
        text = self.media.read(keys[0])
        if len(text) > _MAX_MPD_BYTES:
            raise PlaylistTooLargeError(f"The MPD has more than {_MAX_MPD_BYTES} bytes.")
        self._note_view(found.link, ())
        return text.decode("utf-8", "replace")

    def address(self, token: str, name: str) -> str:
        """Return the signed address of a file that a playlist of the link names, or to download.

        Raises LinkNotFoundError; MediaNotFoundError: it is none of this link's.
        """
        found = self._open(token)
        file = self._file(found, name)
        if file is None:  # another process may just have named a new series
            found = self._open(token, afresh=True)
            file = self._file(found, name)
        if file is None:
            raise MediaNotFoundError("This link opens no such file.")
        row = found.recording
        save_as = download_name(file, row.cname, row.sids, row.started_ms)
        sign = self.media.signer(row, self.address_s)
        return sign(row.prefix + file, playback.content_type(file), save_as or "")

    # --- inside ---

    @staticmethod
    def _file(found: Opened, name: str) -> str | None:
        """Return the file that a name means, whether the name was decoded on its way or not."""
        row = found.recording
        files = [
            file
            for each in dict.fromkeys((name, unquote(name)))
            if (file := opened(found.link, each, row.cname, row.sids))
        ]
        return next((file for file in files if row.cname in file), files[-1] if files else None)

    def _open(self, token: str, *, afresh: bool = False) -> Opened:
        """Return a link that is open, and its recording. Raises LinkNotFoundError."""
        now, hashed = self.now_ms(), token_hash(token)
        found: Opened | None = None if afresh else self.known.get(hashed, now)
        if found and found.link.is_open(now):
            return found
        link = self.links.open(hashed, now)
        try:
            found = Opened(link, self.media.recording(link.recording_id))
        except (RecordingNotFoundError, RecordingStateError):
            raise LinkNotFoundError(_DELETED) from None
        self.known.keep(hashed, found, now + _REMEMBERED_MS)
        return found

    def _catalogue(self, recording: Recording) -> Catalogue:
        """Return the files, as they were some seconds ago.

        What is remembered says which tracks there are; a playlist is read anew each time, so it
        grows. The key says what makes further tracks, or ends them all.
        """
        now = self.now_ms()
        key = f"{recording.recording_id} {recording.status} {len(recording.sids)}"
        found: Catalogue | None = self.seen.get(key, now)
        if found is None:
            found = self.media.catalogue(recording)
            took_ms = self.now_ms() - now
            keep_ms = min(max(_SEEN_MS, _SEEN_TIMES * took_ms), _SEEN_MOST_MS)
            self.seen.keep(key, found, now + took_ms + keep_ms)
        return found

    def _playlist(self, found: Opened, catalogue: Catalogue, track: TrackEntry) -> str:
        link, recording = found
        growing = not recording.is_terminal
        pieces = (self.media.pieces(recording, each.key) for each in track.playlists)
        whole = playback.join(pieces, growing=growing)
        series = addresses.series_in(file_name(segment.uri) for segment in whole.segments)
        link = self._note_view(link, series)
        return playback.signed_playlist(
            whole,
            addresses.shortener(link.series),
            "",
            missing=catalogue.unplayable(track),
            from_ms=link.from_ms,
            to_ms=link.to_ms,
            growing=growing,
        )

    def _note_view(self, link: Link, series: tuple[str, ...]) -> Link:
        """Return the link with these series. Only these must be written: a view may be lost."""
        now = self.now_ms()
        if viewed(link, now, series) == link:
            return link
        try:
            link = self.links.amend(link.token_hash, lambda row: viewed(row, now, series))
        except (WriteConflictError, StoreUnavailableError):
            if not set(series) <= set(link.series):
                raise
            return link
        known: Opened | None = self.known.get(link.token_hash, now)
        if known:
            until_ms, _ = self.known.values[link.token_hash]
            self.known.keep(link.token_hash, known._replace(link=link), until_ms)
        return link


def _child(track: TrackEntry) -> str:
    """Return where a track is played, beside the master that names it."""
    values = {"uid": track.uid, "track": track.track_type, "codec": track.codec}
    return f"{MEDIA}?{urlencode({name: text for name, text in values.items() if text})}"


def _mpds(link: Link, catalogue: Catalogue, choice: Choice) -> list[str]:
    """Return the keys of the MPDs that a link plays and that are asked for."""
    return [
        file.key
        for file in catalogue.files()
        if file.kind == "mpd"
        and file.bytes
        and admits_user(link, file.uid, file.codec)
        and choice.uid in (None, file.uid)
        and choice.codec in (None, file.codec)
        and choice.track in (None, "audio_and_video")
    ]

"""A recording's links: made, listed, revoked.

The whole address of a link is told once, when it is made. Only a hash of its token is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from agora_recording.api.get_recording_playlist import read_window
from agora_recording.api.media import Media
from agora_recording.api.paging import page
from agora_recording.clock import Instant, iso, now_ms
from agora_recording.errors import (
    LinkNotFoundError,
    MediaNotFoundError,
    Problem,
    RequestInvalidError,
)
from agora_recording.files.catalogue import Catalogue, choose_whole
from agora_recording.files.verdict import TrackType
from agora_recording.life.links import LinkStore
from agora_recording.recording.ids import RANDOM_BYTES, check_recording_id, new_recording_id
from agora_recording.recording.link import (
    MAX_LIFE_S,
    MIN_LIFE_S,
    TOKEN_BYTES,
    Choice,
    Link,
    new_token,
    revoked,
    token_hash,
)
from agora_recording.request.conformance import Findings, conform, present

HLS, DASH = "index.m3u8", "index.mpd"
MAX_LINKS = 1000  # that one recording may have at the same time, and one answer lists
_UID = {"rule": "must be a uid of 1 to 20 digits, written as a string", "example": '"12345"'}
_CODEC = {"rule": "must be a codec, such as h264", "example": '"h264"'}
_TIME = {"example": '"2026-01-31T12:00:00Z"'}


class LinkRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What a link is to open, and for how long.

    Without a choice it opens the whole recording. `track` is a track's type, `from` and `to` are a
    window of time.
    """

    expires_in_seconds: Annotated[int, Meta(ge=MIN_LIFE_S, le=MAX_LIFE_S)]
    uid: Annotated[str, Meta(pattern="^[0-9]{1,20}$", extra=_UID)] | None = None
    track: TrackType | None = None
    codec: Annotated[str, Meta(pattern="^[0-9a-z]{1,10}$", extra=_CODEC)] | None = None
    from_: Annotated[Instant, Meta(extra=_TIME)] | None = msgspec.field(default=None, name="from")
    to: Annotated[Instant, Meta(extra=_TIME)] | None = None


class LinkView(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """A link. `url` is there only when it is made.

    `views` counts openings of its playlist, at most one a minute.
    """

    link_id: str
    url: str | None = None
    created_at: Instant
    expires_at: Instant
    uid: str | None = None
    track: str | None = None
    codec: str | None = None
    from_: Instant | None = msgspec.field(default=None, name="from")
    to: Instant | None = None
    views: int = 0
    first_viewed_at: Instant | None = None
    last_viewed_at: Instant | None = None


class LinksView(msgspec.Struct, kw_only=True):
    """The links of a recording that open something now, oldest first."""

    links: list[LinkView]


def read_link_request(body: dict[str, Any]) -> LinkRequest:
    """Decode the body. A field that is null counts as absent.

    Raises RequestInvalidError with every problem.
    """
    given, found = present(body, LinkRequest), Findings()
    conform(given, LinkRequest, "", found)
    if problems := found.checked().problems:
        raise RequestInvalidError(problems)
    return msgspec.convert(given, LinkRequest)


class Links(msgspec.Struct, kw_only=True):
    """Makes, lists and revokes links."""

    media: Media
    links: LinkStore
    randomness: Callable[[int], bytes]
    now_ms: Callable[[], int] = now_ms

    def create(self, recording_id: str, request: LinkRequest, base_url: str) -> dict[str, Any]:
        """Return the LinkView of a new link; `base_url` is where the API is, without a slash.

        Raises RecordingNotFoundError; RecordingStateError: it is being deleted, or has too many
        links; for a recording that is published: MediaNotFoundError, if nothing of it fits, and
        RequestInvalidError, if several tracks do.
        """
        window = {"from": request.from_, "to": request.to}
        from_ms, to_ms = read_window({name: text for name, text in window.items() if text})
        recording = self.media.recording(recording_id)
        choice = Choice(request.uid, request.track, request.codec)
        published = self.media.published(recording)
        name = playable(published, choice) if published else HLS
        now = self.now_ms()
        if len(self._open(recording_id)) >= MAX_LINKS:
            rule = f"has {MAX_LINKS} links already: revoke some"
            raise RequestInvalidError([Problem("recordingId", rule)])
        token = new_token(self.randomness(TOKEN_BYTES))
        link = Link(
            link_id=new_recording_id(now, self.randomness(RANDOM_BYTES)),
            token_hash=token_hash(token),
            recording_id=recording_id,
            created_ms=now,
            until_ms=now + request.expires_in_seconds * 1000,
            choice=choice,
            from_ms=from_ms,
            to_ms=to_ms,
        )
        self.links.create(link)
        view = replace(_view(link), url=f"{base_url}/play/{token}/{name}")
        return cast(dict[str, Any], msgspec.to_builtins(view))

    def listed(self, recording_id: str) -> dict[str, Any]:
        """Return a LinksView. Raises RecordingNotFoundError; RecordingStateError."""
        self.media.recording(recording_id)
        views = [_view(link) for link in self._open(recording_id)]
        return cast(dict[str, Any], msgspec.to_builtins(LinksView(links=page(views, MAX_LINKS))))

    def revoke(self, recording_id: str, link_id: str) -> None:
        """Revoke a link, at once where it was not used in the last seconds. Again: no change.

        Raises RecordingNotFoundError; LinkNotFoundError; WriteConflictError.
        """
        check_recording_id(recording_id)
        known = self.links.of_recording(recording_id, link_id) if link_id.isalnum() else []
        if not known:
            raise LinkNotFoundError(f"Recording {recording_id} has no link {link_id[:40]!r}.")
        now = self.now_ms()
        self.links.amend(known[0].token_hash, lambda link: revoked(link, now))

    def _open(self, recording_id: str) -> list[Link]:
        now = self.now_ms()
        return [link for link in self.links.of_recording(recording_id) if link.is_open(now)]


def playable(catalogue: Catalogue, choice: Choice) -> str:
    """Return the name of the playlist that plays the choice: index.m3u8, or index.mpd.

    Raises MediaNotFoundError if there is nothing of it. Several users are no mistake: each of them
    can be asked for at the address.
    """
    mpds = [
        file
        for file in catalogue.files()
        if file.kind == "mpd"
        and choice.uid in (None, file.uid)
        and choice.codec in (None, file.codec)
    ]
    tracks = catalogue.tracks
    try:
        choose_whole(tracks, choice.uid, choice.track, choice.codec)
    except MediaNotFoundError:
        if mpds and choice.track in (None, "audio_and_video"):
            return DASH
        if tracks or not any(file.kind in ("mp4", "audio") for file in catalogue.files()):
            raise
    except RequestInvalidError:
        return HLS
    return HLS


def _view(link: Link) -> LinkView:
    return LinkView(
        link_id=link.link_id,
        created_at=iso(link.created_ms),
        expires_at=iso(link.until_ms),
        uid=link.choice.uid,
        track=link.choice.track,
        codec=link.choice.codec,
        from_=_iso(link.from_ms),
        to=_iso(link.to_ms),
        views=link.views,
        first_viewed_at=_iso(link.first_viewed_ms),
        last_viewed_at=_iso(link.last_viewed_ms),
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)

"""A link: an address that plays a recording for whoever has it, until it expires or is revoked.

The address holds a token of 256 random bits. Only the token's hash is stored, so nobody who reads
the table can play anything by it.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode

import msgspec
from msgspec.structs import replace

TOKEN_BYTES = 32
MIN_LIFE_S, MAX_LIFE_S = 60, 30 * 86_400
# The row outlives the link, so that the timeline can tell who was shown what.
KEPT_S = 90 * 86_400
_VIEW_MS = 60_000  # openings within a minute are one view: a player loads a growing playlist again
MAX_SERIES = 2000  # they are kept in the row, which may have 400 KB


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which track is meant; None fits every track. `track` is its type."""

    uid: str | None = None
    track: str | None = None
    codec: str | None = None


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A link as it is stored. All times are epoch milliseconds.

    `series` are the names of slices that its playlists have named, without their times: they are
    only ever added, so the short address of a slice holds for ever (files/addresses.py). `views`
    counts openings of its playlist, at most one a minute.
    """

    link_id: str
    token_hash: str
    recording_id: str
    created_ms: int
    until_ms: int
    choice: Choice = Choice()
    from_ms: int | None = None
    to_ms: int | None = None
    revoked_ms: int | None = None
    views: int = 0
    first_viewed_ms: int | None = None
    last_viewed_ms: int | None = None
    series: tuple[str, ...] = ()
    version: int = 0

    def is_open(self, now_ms: int) -> bool:
        """Tell whether it opens anything."""
        return self.revoked_ms is None and now_ms < self.until_ms


def new_token(randomness: bytes) -> str:
    """Return the token of 32 random bytes, as it stands in an address."""
    return urlsafe_b64encode(randomness[:TOKEN_BYTES]).decode().rstrip("=")


def token_hash(token: str) -> str:
    """Return the hash by which a link is found, for any text."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def viewed(link: Link, now_ms: int, series: tuple[str, ...] = ()) -> Link:
    """Return the link after its playlist was opened, with the series that this playlist names."""
    new = tuple(each for each in series if each not in link.series)
    link = replace(link, series=(link.series + new)[:MAX_SERIES]) if new else link
    last_ms = link.last_viewed_ms
    if last_ms is not None and now_ms - last_ms < _VIEW_MS:
        return link
    return replace(
        link,
        views=link.views + 1,
        first_viewed_ms=link.first_viewed_ms or now_ms,
        last_viewed_ms=now_ms,
    )


def revoked(link: Link, now_ms: int) -> Link:
    """Return the link after it was revoked; the first time counts."""
    return link if link.revoked_ms else replace(link, revoked_ms=now_ms)

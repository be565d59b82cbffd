"""The users in the channels: by default, some users publish in every channel for ever."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .presence import Presences

CODECS = ("h264", "vp8")
"""The video codecs that users send; only the files of raw mode show them."""


@dataclass(frozen=True)
class Channel:
    """A channel as the control API set it."""

    users: tuple[str, ...]
    publishing: bool = True
    codecs: tuple[tuple[str, str], ...] = ()
    """The video codecs of users who do not send H.264, by uid."""


class Channels:
    """All channels."""

    def __init__(self, default_users: tuple[str, ...], presences: Presences) -> None:
        self._default_users = default_users
        self.presences = presences
        self._known: dict[str, Channel] = {}

    def set(self, cname: str, channel: Channel | None) -> None:
        """Put exactly these users into a channel; None restores the default users."""
        if channel is None:
            self._known.pop(cname, None)
        else:
            self._known[cname] = channel

    def reset(self) -> None:
        """Restore the default users in every channel."""
        self._known.clear()
        self.presences.reset()

    def publishers(self, cname: str, named: Iterable[str] = ()) -> list[str]:
        """Return the users who publish; also the `named` users, if the channel was not set."""
        channel = self._known.get(cname)
        if channel is None:
            others = (uid for uid in named if uid.isdigit())
            return list(dict.fromkeys((*self._default_users, *others)))
        return list(channel.users) if channel.publishing else []

    def codec(self, cname: str, uid: str) -> str:
        """Return the video codec that a user sends."""
        channel = self._known.get(cname)
        return dict(channel.codecs).get(uid, CODECS[0]) if channel else CODECS[0]

    def occupied(self, cname: str, *, live: bool) -> bool:
        """Return whether there is a user in the channel; in live mode, a user who publishes."""
        channel = self._known.get(cname)
        if channel is None:
            return bool(self._default_users)
        return bool(channel.users) and (channel.publishing or not live)

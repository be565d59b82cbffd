"""Who is in the channels: by default somebody, for ever, publishing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Channel:
    """A channel as the control API set it."""

    users: tuple[str, ...]
    publishing: bool = True


class Channels:
    """All of them."""

    def __init__(self, default_users: tuple[str, ...]) -> None:
        self._default_users = default_users
        self._known: dict[str, Channel] = {}

    def set(self, cname: str, channel: Channel | None) -> None:
        """Put these users, and no others, into a channel; None brings the default back."""
        if channel is None:
            self._known.pop(cname, None)
        else:
            self._known[cname] = channel

    def reset(self) -> None:
        """Bring the default back everywhere."""
        self._known.clear()

    def publishers(self, cname: str, named: Iterable[str] = ()) -> list[str]:
        """Return who publishes; in a channel nobody has set, also those who are named."""
        channel = self._known.get(cname)
        if channel is None:
            others = (uid for uid in named if uid.isdigit())
            return list(dict.fromkeys((*self._default_users, *others)))
        return list(channel.users) if channel.publishing else []

    def occupied(self, cname: str, *, live: bool) -> bool:
        """Return whether a recorder has company: anybody, or in live mode a broadcaster."""
        channel = self._known.get(cname)
        if channel is None:
            return bool(self._default_users)
        return bool(channel.users) and (channel.publishing or not live)

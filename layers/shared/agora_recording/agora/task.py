"""What a call to Agora is about: what acquire gave, and what start made of it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict


class Resource(Struct, frozen=True, kw_only=True):
    """What acquire gave: a resourceId, on which one uid may start one session in one channel.

    `mode` is individual, mix or web. `base_url` is the host that gave it, without a slash at the
    end: every later call goes there (Agora docs: switch domain name). None: where the client
    begins.
    """

    resource_id: str
    mode: str
    cname: str
    uid: str
    base_url: str | None = None

    def task(self, sid: str) -> Task:
        """Return the session that start made of it."""
        return Task(**asdict(self), sid=sid)


class Task(Resource, frozen=True, kw_only=True):
    """A resource that was started: one session, which Agora records and bills."""

    sid: str

"""The resource that acquire returns, and the task (one session) that start makes of it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict


class Resource(Struct, frozen=True, kw_only=True):
    """What acquire returns: a resourceId, with which one uid may start one session in one channel.

    `mode` is individual, raw, mix or web. `base_url` is the host that returned it, without a slash
    at the end: every later call goes there (Agora docs: switch domain name). None: the client's
    first host.
    """

    resource_id: str
    mode: str
    cname: str
    uid: str
    base_url: str | None = None

    def task(self, sid: str) -> Task:
        """Return the task: this resource with the sid that start returned."""
        return Task(**asdict(self), sid=sid)


class Task(Resource, frozen=True, kw_only=True):
    """A resource that was started: one session, which Agora records and bills."""

    sid: str

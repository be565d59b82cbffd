"""Since when Agora does not know a session: the same rule for queries and stops of every kind.

A 404 may mean that the session is just moving to another server. It is back within 90 s, goes on,
and is billed (Agora status codes: 404). So one 404 says nothing, and two of them say that it is
over only if it cannot have been back in between. It is taken as given that a session that is back
does not move again within 90 s.
"""

from __future__ import annotations

import msgspec

from agora_recording.clock import to_ms
from agora_recording.recording.timings import Timings


class Absence(msgspec.Struct, frozen=True):
    """The first and the latest of the 404s that followed each other (epoch ms)."""

    since_ms: int
    latest_ms: int

    def is_believed(self, timings: Timings) -> bool:
        """Tell whether they are further apart than a session can be away: it is over."""
        return self.latest_ms - self.since_ms >= to_ms(timings.failover_s)


def missed(since_ms: int | None, latest_ms: int | None, now_ms: int, timings: Timings) -> Absence:
    """Return the absence after one more 404 at `now_ms`; `since_ms` None: it is the first.

    If the one before is so long ago that the session can have been back meanwhile, and gone again,
    this is the first one of another absence.
    """
    if since_ms is None or now_ms - (latest_ms or since_ms) > to_ms(timings.failover_s):
        return Absence(now_ms, now_ms)
    return Absence(since_ms, now_ms)

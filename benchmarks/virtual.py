"""The adapters of the library in virtual time: the table, and the limiter's row.

A room runs at one instant and says how long it took (`Timeline.spend`). Where it would sleep until
its slot of the limiter comes, it is abandoned (`Suspended`) and run again at that slot: rooms are
safe to repeat at any point, so nothing of them has to be copied here.
"""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from agora_recording.agora.limiter import Limiter, first_slot
from agora_recording.errors import RateLimitedError, RecordingNotFoundError
from agora_recording.life.callbacks import CallStore
from agora_recording.life.due_index import DUE_SHARDS, DueIndex, Shard
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import Note, RecordingStore
from agora_recording.notifications.facts import SessionRow
from agora_recording.recording.due import RISKS, due
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings
from tests.world.clock import Timeline

TABLE_MS = 5  # what a read or write of the table takes


class Suspended(BaseException):
    """A room waits for its slots. No Exception: no room may take it for a failure."""

    def __init__(self, slots: list[int]) -> None:
        super().__init__(slots)
        self.slots = slots


class VirtualLimiter(Limiter):
    """The limiter, its row in memory. `granted` are the slots of the room that runs again."""

    def __init__(self, timeline: Timeline, calls_per_second: float) -> None:
        super().__init__(
            "table",
            calls_per_second=calls_per_second,
            now_ms=timeline,
            sleep=timeline.sleep,
        )
        self._next_ms: int | None = None
        self.granted: list[int] | None = None

    def take(self, slots: int = 1, *, patience_s: float = 0.25, lead_ms: int = 0) -> list[int]:
        """Return the slots granted before, else take some and suspend the room until they come."""
        if self.granted:
            granted, self.granted = self.granted, None
            return granted
        now = self._now_ms() + lead_ms
        first = first_slot(self._next_ms, now, round(patience_s * 1000))
        if first is None:
            raise RateLimitedError("All slots for calls to Agora are taken.")
        self._next_ms = first + self._gap_ms * slots
        raise Suspended([first + self._gap_ms * number for number in range(slots)])

    def pause(self) -> None:
        """Do nothing: this Agora refuses no call because of its rate."""


class VirtualStore(RecordingStore, frozen=True, kw_only=True):
    """The recordings in memory; `index` is told of every row that is written."""

    timeline: Timeline
    index: VirtualIndex
    changed: Callable[[Recording, Recording], None]

    @property
    def rows(self) -> dict[str, Recording]:
        """The recordings, by their ids."""
        return self.index.rows

    def put(self, recording: Recording) -> None:
        """Write a row, whatever was there."""
        self.rows[recording.recording_id] = recording
        self.index.put(recording)

    def get(self, recording_id: str) -> Recording:
        """Return a recording as it is now."""
        self.timeline.spend(TABLE_MS)
        try:
            return self.rows[recording_id]
        except KeyError:
            raise RecordingNotFoundError(f"There is no recording {recording_id}.") from None

    def amend(
        self,
        recording_id: str,
        change: Callable[[Recording], Recording],
        notes: Callable[[Recording, Recording], Sequence[Note]] | None = None,  # noqa: ARG002
        rows: Callable[[Recording, Recording], Sequence[Mapping[str, Any]]] | None = None,  # noqa: ARG002
    ) -> Recording:
        """Apply a pure change to the row as it is now; return the row as it is then."""
        before = self.get(recording_id)
        after = change(before)
        if after == before:
            return before
        after = replace(after, version=before.version + 1)
        self.timeline.spend(TABLE_MS)
        self.put(after)
        watched = [(row.session_end, row.started_ms, row.take_over) for row in (before, after)]
        if watched[0] != watched[1]:
            self.changed(before, after)
        return after

    def note(self, recording_id: str, *notes: Note) -> None:
        """Keep no timeline."""

    def claimants(self, cname: str, uid: str) -> list[str]:  # noqa: ARG002
        """Find nothing: no start is lost here, so there is nothing to adopt."""
        return []

    def release_claim(self, recording: Recording, uid: str) -> None:  # noqa: ARG002
        """Take the time of a write."""
        self.timeline.spend(TABLE_MS)


class VirtualCalls(CallStore, frozen=True, kw_only=True):
    """No app wants to be called."""

    def due(self, now_ms: int) -> list[tuple[str, str]]:  # noqa: ARG002
        """Find nothing."""
        return []


class VirtualSessions(SessionStore, frozen=True, kw_only=True):
    """The sessions in memory, by their sids."""

    rows: dict[str, SessionRow] = msgspec.field(default_factory=dict)

    def get(self, sid: str) -> SessionRow:
        """Return the row of a session."""
        return self.rows.get(sid, SessionRow())

    def amend(self, sid: str, change: Callable[[SessionRow], SessionRow]) -> SessionRow:
        """Apply a pure change to a session's row; return the row as it is then."""
        self.rows[sid] = row = change(self.get(sid))
        return row


class VirtualIndex(DueIndex, frozen=True, kw_only=True):
    """The index of what is due, in memory, of `rows` by their ids.

    `calm` are the ids of recordings whose notifications come in order just now. The row of such a
    one is not rewritten each minute: it cannot become due, so it is left out of the index until
    the first notification is missed.
    """

    timings: Timings
    rows: dict[str, Recording] = msgspec.field(default_factory=dict)
    calm: set[str] = msgspec.field(default_factory=set)
    entries: list[list[list[tuple[int, int, str]]]] = msgspec.field(
        default_factory=lambda: [[[] for _ in range(DUE_SHARDS)] for _ in RISKS]
    )

    def put(self, recording: Recording) -> None:
        """Put a row into the index."""
        look = due(recording, self.timings)
        if look is None:
            return
        risk, at_ms = look
        if self._cannot_be_due(risk, recording):
            return
        shard = zlib.crc32(recording.recording_id.encode()) % DUE_SHARDS
        entry = (at_ms, recording.version, recording.recording_id)
        heapq.heappush(self.entries[risk][shard], entry)

    def due(self, risk: int, shard: int, now_ms: int, limit: int) -> list[str]:
        """Return ids of rows of one risk and shard that wanted a look by now, longest due first."""
        index = self.entries[risk][shard]
        found: dict[str, tuple[int, int, str]] = {}
        while index and index[0][0] <= now_ms and len(found) < limit:
            entry = heapq.heappop(index)
            row = self.rows.get(entry[2])
            # An entry of a row that was rewritten is no longer in the index.
            if row and row.version == entry[1] and not self._cannot_be_due(risk, row):
                found[row.recording_id] = entry
        for entry in found.values():
            heapq.heappush(index, entry)
        return list(found)

    def shard(
        self,
        number: int,
        limit: int,  # noqa: ARG002
        after: tuple[int, int] | None = None,  # noqa: ARG002
    ) -> Shard:
        """Return nothing of a shard that has rows: they are read as they are asked for."""
        return Shard([], not any(risk[number] for risk in self.entries))

    def _cannot_be_due(self, risk: int, row: Recording) -> bool:
        is_at_ease = row.gone_ms is None and not row.orphans
        return risk > 1 and is_at_ease and row.recording_id in self.calm

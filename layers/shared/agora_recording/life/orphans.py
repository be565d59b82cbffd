"""Stops the sessions of a recording that were given up, and may still run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from msgspec.structs import replace

from agora_recording import clock
from agora_recording.agora.client import AgoraClient
from agora_recording.agora.reply import Reply
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.ending import after_orphan_stop
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings


class OrphanStopper(msgspec.Struct, frozen=True, kw_only=True):
    """Stops orphans. Instants in ms."""

    store: RecordingStore
    agora: AgoraClient
    timings: Timings
    now_ms: Callable[[], int] = clock.now_ms

    def stop(self, recording: Recording) -> Recording:
        """Ask Agora once to stop each session that was given up; return the row after it.

        The sweeper repeats it until Agora says that the session is over. Raises RateLimitedError.
        """
        for task in recording.orphan_tasks:
            reply = self.agora.stop(task)
            recording = self.store.amend(
                recording.recording_id,
                partial(self._stopped, sid=task.sid, reply=reply, now=self.now_ms()),
                self._notes,
            )
        return recording

    def _stopped(self, row: Recording, *, sid: str, reply: Reply, now: int) -> Recording:
        after = after_orphan_stop(row, sid, reply, now, self.timings)
        return replace(after, looked_ms=now)

    def _notes(self, before: Recording, after: Recording) -> list[Note]:
        if len(after.orphans) == len(before.orphans):
            return []
        return [Note(self.now_ms(), "orphan", "A session that was given up is over.")]

"""How far a start has come, and which uid an attempt takes."""

from __future__ import annotations

from typing import Literal

from agora_recording.errors import StopRequestedError
from agora_recording.recording.model import RANK, Recording, may_restart

Step = Literal["new attempt", "acquire", "start", "done"]


def next_step(recording: Recording) -> Step:
    """Return what a start has to do next. Raises StopRequestedError if there is nothing to start.

    An existing resourceId is used, even an old one: its start may have been sent before, and only
    Agora knows this (201/7). With a new resourceId, a session that may run would lose its own.
    """
    is_over = recording.session_end is not None and not may_restart(recording)
    if recording.stop_reason or is_over or RANK[recording.status] >= RANK["stopping"]:
        raise StopRequestedError(f"Recording {recording.recording_id} is ending: not started.")
    attempt = recording.attempt
    if attempt is None or attempt.end is not None or recording.take_over:
        return "new attempt"
    if attempt.sid:
        return "done"
    return "start" if attempt.resource_id else "acquire"


def choose_uid(recording: Recording, randomness: int, low: int, high: int) -> str:
    """Return a uid for the next attempt: the caller's for the first, else one of ours, never twice.

    Ours are in [low, high], outside the app's own uids. Every attempt has a new uid: otherwise the
    dying session could remove the new one from the channel (Agora best practices).
    """
    used = {attempt.uid for attempt in recording.attempts}
    if recording.uid and recording.uid not in used:
        return recording.uid
    size = high - low + 1
    for step in range(len(used) + 1):
        uid = str(low + (randomness + step) % size)
        if uid not in used:
            break
    return uid

"""What the sweeper does with a recording that is due: one choice for every row."""

from __future__ import annotations

from typing import Literal

from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.due import (
    deadline_ms,
    due,
    next_look,
    own_deadline_ms,
    upload_deadline_ms,
)
from agora_recording.recording.model import Recording, StopReason, wake_reason
from agora_recording.recording.timings import Timings

Look = Literal[
    "nothing",
    "stop orphan",
    "ask whose it is",
    "wake",
    "confirm",
    "repair",
    "stop",
    "renew storage token",
    "query",
    "files",
]


def choose_look(recording: Recording, now_ms: int, timings: Timings) -> Look:
    """Return what a recording needs now. Defined for every state of the row."""
    when = due(recording, timings)
    if when is None or when[1] > now_ms:
        return "nothing"
    own = next_look(recording, timings)
    if own is None or own[1] > now_ms:
        return "stop orphan" if recording.orphans else "ask whose it is"
    if recording.is_terminal:
        return "files"
    if recording.status == "uploading":
        # The last look was the one at the deadline: the execution should be over.
        looked = recording.looked_ms or 0
        return "repair" if looked >= upload_deadline_ms(recording, timings) else "files"
    if wake_reason(recording):
        return "wake" if recording.task_token else "repair"
    if recording.sid is None or recording.status == "stopping":
        return "repair"
    if now_ms >= deadline_ms(recording, timings):
        return "stop"
    renewed = recording.storage_token_ms
    if renewed and now_ms >= renewed + timings.storage_token_s * 1000:
        return "renew storage token"
    if recording.is_starting:
        # Parked without confirmation: Agora did not answer, so the execution must query again.
        return "confirm" if recording.task_token else "repair"
    return "query"


def stop_reason(recording: Recording, now_ms: int, timings: Timings) -> StopReason:
    """Return which deadline came first: the recording's own, or that of Agora's resource."""
    is_own = now_ms >= own_deadline_ms(recording, timings)
    return "MAX_DURATION" if is_own else "RESOURCE_EXPIRING"


def is_unheard(facts: SessionFacts, now_ms: int, timings: Timings) -> bool:
    """Tell whether a session that runs, as Agora says, sends no notifications.

    Either none ever came; or event 33, which comes every minute if it is subscribed to, stopped.
    """
    if facts.lastSeenMs is None:
        return True
    return facts.progress is not None and now_ms - facts.lastSeenMs >= timings.silence_s * 1000

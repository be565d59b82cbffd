"""What the sweeper does with a recording that is due: one choice for every row."""

from __future__ import annotations

from typing import Literal

from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.budget import CLOSEST, Budget
from agora_recording.recording.due import (
    deadline_ms,
    due,
    hand_over_ms,
    next_look,
    next_successor_ms,
    own_deadline_ms,
    upload_deadline_ms,
)
from agora_recording.recording.model import (
    EARLY_MS,
    Recording,
    StopReason,
    restarts_left,
    wake_reason,
)
from agora_recording.recording.timings import Timings

Look = Literal[
    "nothing",
    "begin",
    "stop orphan",
    "ask whose it is",
    "wake",
    "confirm",
    "repair",
    "stop",
    "hand over",
    "renew storage token",
    "query",
    "files",
]


def choose_look(
    recording: Recording, now_ms: int, timings: Timings, budget: Budget = CLOSEST
) -> Look:
    """Return what a recording needs now. Defined for every state of the row."""
    when = due(recording, timings)
    if when is None or when[1] + budget.wait_ms(when[0]) > now_ms:
        return "nothing"
    own = next_look(recording, timings)
    if own is None or own[1] > now_ms:
        return "stop orphan" if recording.orphans else "ask whose it is"
    if recording.is_terminal or recording.status == "scheduled":
        return "files" if recording.is_terminal else "begin"
    if recording.status == "uploading":
        # The last look was the one at the deadline: the execution should be over.
        looked = recording.looked_ms or 0
        return "repair" if looked >= upload_deadline_ms(recording, timings) else "files"
    if wake_reason(recording):
        return "wake" if recording.task_token else "repair"
    if recording.sid is None or recording.status == "stopping":
        return "repair"
    return _look_at_session(recording, now_ms, timings)


def _look_at_session(recording: Recording, now_ms: int, timings: Timings) -> Look:
    """Return what a recording needs that has a session, and no reason to end it."""
    if now_ms >= deadline_ms(recording, timings):
        return "stop"
    hand_over = hand_over_ms(recording, timings)
    if hand_over is not None and now_ms >= hand_over:
        return "hand over"
    renewed = recording.storage_token_ms
    if renewed and now_ms >= renewed + timings.storage_token_s * 1000:
        return "renew storage token"
    if recording.is_starting:
        # Parked without confirmation: Agora did not answer, so the execution must query again.
        return "confirm" if recording.task_token else "repair"
    return "query"


# How often Agora must answer 404 before a session is in doubt: one answer may come of a server that
# is just being replaced.
_LOOKS = 2


def is_doubtful(recording: Recording, now_ms: int, timings: Timings) -> bool:
    """Tell whether a successor should begin, although the session may only be moving to another
    server: Agora has answered 404 twice, some seconds apart.

    Two at a time do harm where they push to a CDN. A successor counts as a restart.
    """
    attempt = recording.attempt
    return (
        recording.take_over_on == "suspected"
        and recording.status == "recording"
        and wake_reason(recording) is None
        and attempt is not None
        and attempt.confirmed_ms is not None
        and recording.gone_ms is not None
        and recording.gone_checks >= _LOOKS
        and restarts_left(recording) > 0
        and not _pushes(recording)
        and now_ms >= next_successor_ms(recording, timings)
    )


def _pushes(recording: Recording) -> bool:
    """Tell whether a page recording pushes its picture to a CDN."""
    extension = recording.client_request.get("extensionServiceConfig") or {}
    return recording.mode == "web" and any(
        service.get("serviceName") == "rtmp_publish_service"
        for service in extension.get("extensionServices") or ()
    )


def stop_reason(recording: Recording, now_ms: int, timings: Timings) -> StopReason:
    """Return which deadline came first: the recording's own, or that of Agora's resource."""
    if recording.stop_at_ms is not None and now_ms >= recording.stop_at_ms - EARLY_MS:
        return "STOP_TIME"
    is_own = now_ms >= own_deadline_ms(recording, timings)
    return "MAX_DURATION" if is_own else "RESOURCE_EXPIRING"


def is_unheard(facts: SessionFacts, now_ms: int, timings: Timings) -> bool:
    """Tell whether a session that runs, as Agora says, sends no notifications.

    Either none ever came; or event 33, which comes every minute if it is subscribed to, stopped.
    """
    if facts.lastSeenMs is None:
        return True
    return facts.progress is not None and now_ms - facts.lastSeenMs >= timings.silence_s * 1000

"""What an answer to `query` says about a recording. Row and reply in, row out."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from agora_recording.agora.reply import Reply
from agora_recording.recording.model import (
    Recording,
    confirmed,
    end_session,
    gone_again,
    not_gone,
    seen,
    strand,
    wake_reason,
)
from agora_recording.recording.timings import Timings

# Agora callbacks: status codes of the cloud recording service.
RUNNING = frozenset({4, 5})
_ENDING = frozenset({6, 7, 8})
_ABNORMAL = 20


def observe(recording: Recording, reply: Reply, now_ms: int, timings: Timings) -> Recording:
    """Return the recording after a query of its current session was answered at `now_ms`.

    A 404 is believed only after the time of a failover (recording/absence.py). A session that
    was not seen to run within 90 s of its start counts as not started (Agora best practices). No
    answer, or an answer to try later, decides nothing: the session may still record.
    """
    handling = reply.outcome.handling
    after = recording
    if handling == "ok":
        after = replace(recording, queried_ms=now_ms, gap_seen=False)
        status = reply.answer.status
        if reply.answer.is_stranded:
            after = strand(after, after.sid)
        if status in RUNNING:
            after = seen(confirmed(after, now_ms), now_ms)
        elif status in _ENDING:
            after = end_session(after, "STOPPED" if recording.stop_reason else "EXITED", now_ms)
        elif status == _ABNORMAL:
            after = end_session(after, "EXITED_ABNORMALLY", now_ms)
        else:
            after = not_gone(after)
    elif handling == "ended":
        after = end_session(recording, "STOPPED" if recording.stop_reason else "EXITED", now_ms)
    elif handling == "confirm_gone":
        after, absence = gone_again(replace(recording, queried_ms=now_ms), now_ms, timings)
        is_confirmed = recording.attempt is not None and recording.attempt.confirmed_ms
        if is_confirmed and absence.is_believed(timings):
            after = end_session(after, "DIED", now_ms)
    return _judge_start(after, now_ms, timings) if handling in ("ok", "confirm_gone") else after


def _judge_start(recording: Recording, now_ms: int, timings: Timings) -> Recording:
    attempt = recording.attempt
    if attempt is None or attempt.started_ms is None or attempt.confirmed_ms:
        return recording
    if now_ms - attempt.started_ms < timings.confirm_verdict_s * 1000:
        return recording
    # A notification has shown that it runs; now it may be moving to another server.
    is_heard = (recording.last_seen_ms or 0) >= attempt.started_ms
    gone_ms = recording.gone_ms
    if is_heard and gone_ms and now_ms - gone_ms < timings.failover_s * 1000:
        return recording
    return end_session(recording, "NOT_CONFIRMED", now_ms)


Verdict = Literal["recording", "wait", "unanswered", "over"]


def verdict(recording: Recording, now_ms: int, timings: Timings) -> Verdict:
    """Return where the state machine goes from here.

    `unanswered`: the 90 s are over, and Agora said neither that it records nor that it does not.
    """
    if wake_reason(recording):
        return "over"
    attempt = recording.attempt
    if attempt is None or attempt.started_ms is None:
        return "wait"
    if attempt.confirmed_ms:
        return "recording"
    is_late = now_ms - attempt.started_ms >= timings.confirm_verdict_s * 1000
    return "unanswered" if is_late else "wait"

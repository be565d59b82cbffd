"""How a session ends: what the answer to a stop means, and what comes next."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import Literal, NamedTuple

import msgspec

from agora_recording import errors
from agora_recording.agora.reply import Reply
from agora_recording.recording.absence import missed
from agora_recording.recording.adopting import unaccounted
from agora_recording.recording.due import expiry_ms
from agora_recording.recording.model import (
    EMPTY_ENDS,
    RESTARTABLE,
    Recording,
    SessionEnd,
    advance,
    end_session,
    found_empty,
    gone_again,
    may_restart,
    orphan_ended,
    orphan_gone,
    strand,
)
from agora_recording.recording.timings import Timings

_BETWEEN = "The stop came while a session that was lost was being replaced."

Next = Literal["start", "stop again", "await upload", "publish"]

# What Agora's answer to a stop means for the session.
_ENDS: dict[str, SessionEnd] = {
    "ok": "STOPPED",
    "upload_pending": "STOPPED",
    "ended": "STOPPED",
    "nothing_recorded": "NOTHING_RECORDED",
    # Agora will never accept this stop: repeating it has no use, and there may be files.
    "permanent": "STOP_REFUSED",
    "acquire_again": "STOP_REFUSED",
    "slow_down": "STOP_REFUSED",
}


def end_of(reply: Reply) -> SessionEnd | None:
    """Return the session's end by the answer to a stop; None if it has not ended yet.

    A refusal with a known code comes from Agora's service, and is final. A refusal without one
    comes from its gateway, about our keys or account or pace: these can be corrected, and until
    then the session runs and is billed.
    """
    handling = reply.outcome.handling
    end = _ENDS.get(handling)
    is_unclear = handling == "slow_down" or reply.answer.code is None
    is_ours = reply.status == HTTPStatus.UNAUTHORIZED or is_unclear
    return None if end == "STOP_REFUSED" and is_ours else end


def _is_refusal(reply: Reply) -> bool:
    return _ENDS.get(reply.outcome.handling) == "STOP_REFUSED"


def after_stop(recording: Recording, reply: Reply, now_ms: int, timings: Timings) -> Recording:
    """Return the recording after Agora answered a stop.

    A 404 may mean a failover: the session then goes on and is billed. So the stop is repeated for
    90 s, the time of a failover, before the 404 is believed (Agora status codes: 404). A stop that
    the gateway refuses for an hour is given up here, and left to the sweeper.
    """
    end = end_of(reply)
    if reply.answer.is_stranded:
        recording = strand(recording, recording.sid)
    asked_ms = now_ms if recording.stop_ms is None else recording.stop_ms
    if _is_refusal(reply) and now_ms - asked_ms >= timings.refused_s * 1000:
        end = "STOP_REFUSED"
    if end == "NOTHING_RECORDED" and recording.sid:
        recording = found_empty(recording, recording.sid)
    if end:
        return end_session(recording, end, now_ms, reason=_told(end, reply))
    if reply.outcome.handling == "confirm_gone":
        gone, absence = gone_again(recording, now_ms, timings)
        if absence.is_believed(timings):
            return end_session(gone, "STOPPED" if recording.stop_reason else "DIED", now_ms)
        return gone
    return recording


def _told(end: SessionEnd, reply: Reply) -> str | None:
    if end == "NOTHING_RECORDED":
        return f"Agora says that nothing was recorded: {reply.outcome.reason}."
    return f"Agora refused the stop: {reply.outcome.reason}." if end == "STOP_REFUSED" else None


def after_orphan_stop(
    recording: Recording, sid: str, reply: Reply, now_ms: int, timings: Timings
) -> Recording:
    """Return the recording after Agora answered the stop of a session that was given up.

    After a 404, the stop is repeated for 90 s here, too; after a refusal, until Agora stops
    answering for the session (resourceExpiredHour); after any other answer that does not end it,
    without limit.
    """
    if reply.answer.is_stranded:
        recording = strand(recording, sid)
    orphan = next((each for each in recording.orphans if each.sid == sid), None)
    if orphan is None:
        return recording
    if _is_refusal(reply):
        is_expired = now_ms >= expiry_ms(recording, orphan, timings)
        return orphan_ended(recording, sid, now_ms) if is_expired else recording
    end = end_of(reply)
    if end == "NOTHING_RECORDED":
        recording = found_empty(recording, sid)
    if end:
        return orphan_ended(orphan_gone(recording, sid, None), sid, now_ms)
    if reply.outcome.handling != "confirm_gone":
        return recording
    absence = missed(orphan.gone_ms, orphan.gone_last_ms, now_ms, timings)
    recording = orphan_gone(recording, sid, absence)
    return orphan_ended(recording, sid, now_ms) if absence.is_believed(timings) else recording


def next_state(recording: Recording) -> Next:
    """Return where the state machine goes from here.

    `start` in three cases: a new session follows one that died; a successor takes over; or there is
    no reason to end the current session, since a failure of the state machine is no reason to end a
    recording.
    """
    if not recording.is_ending or may_restart(recording):
        return "start"
    if recording.session_end is None and recording.sid:
        return "stop again"
    return "await upload" if recording.sids else "publish"


def cause(recording: Recording) -> str | None:
    """Return the cause of the end in one sentence; None if none was told.

    It is what Agora told of the last session, or of why there is none; or that the app's stop came
    between two sessions.
    """
    attempt = recording.attempt
    told = None if recording.is_terminal else recording.reason
    if attempt is None:
        return told
    # An end after the stop has nothing to do with a replacement.
    was_before = (attempt.ended_ms or 0) <= (recording.stop_ms or 0)
    if recording.stop_reason and was_before and attempt.end in RESTARTABLE:
        return _BETWEEN
    return attempt.reason or told


def stopped_without_session(recording: Recording) -> str:
    """Return what to say of a stop that came while no session ran."""
    return _BETWEEN if recording.sids else "The stop came before a session had started."


def unseen_s(recording: Recording) -> float | None:
    """Return the seconds from the last sign of life until the loss was found.

    None if the session was not lost, or was never seen to record.
    """
    attempt = recording.attempt
    if attempt is None or attempt.end not in RESTARTABLE or attempt.ended_ms is None:
        return None
    if recording.last_seen_ms is None:
        return None
    return max(0, attempt.ended_ms - recording.last_seen_ms) / 1000


def went_wrong(recording: Recording) -> bool:
    """Tell whether a recording failed although there should be files.

    Nothing went wrong if it was stopped before its first attempt, or if nobody published: each
    session then ended with one of `EMPTY_ENDS`. A session that accepted our stop has recorded:
    without data, Agora answers 435 (`NOTHING_RECORDED`).
    """
    if recording.status != "failed":
        return False
    # A start that the app's stop overtook is no fault.
    ends = [each.end for each in recording.attempts if each.sid or each.end != "STOPPED"]
    ends = [end for end in ends if end]
    return any(end not in EMPTY_ENDS for end in ends) or not (ends or recording.stop_reason)


def may_have_files(recording: Recording, now_ms: int, timings: Timings) -> bool:
    """Tell whether files may still come of a recording that has none.

    Either it had a session of which Agora did not say that it recorded nothing: its upload may be
    late. Or one may run although nobody knows it, since a start was not answered.
    """
    if unaccounted(recording, now_ms, timings):
        return True
    return any(each.sid and not each.has_nothing for each in recording.attempts)


class Failure(NamedTuple):
    """The error that led the state machine here: its name, and its message."""

    name: str
    message: str = ""


def read_failure(caught: Mapping[str, str] | None) -> Failure | None:
    """Decode what a Catch has put into the state: {Error, Cause}; None if there was no error.

    Only messages of our own errors (errors.py) are passed on: they are for people, without secrets.
    """
    if not caught:
        return None
    name = caught["Error"]
    kind = getattr(errors, name, None)
    message = ""
    if isinstance(kind, type) and issubclass(kind, errors.RecordingError):
        with contextlib.suppress(ValueError, AttributeError):
            message = str(msgspec.json.decode(caught.get("Cause", "")).get("errorMessage", ""))
    return Failure(name, message or f"A function failed with {name}; its log has the details.")


def move_on(row: Recording) -> Recording:
    """Return the recording in the status that goes with its next state; never a step back."""
    if next_state(row) == "await upload":
        return advance(row, "uploading")
    if row.stop_reason:
        return advance(row, "stopping")
    return row

"""Whose session is it? What is known without asking Agora, and what Agora's answer says.

A notification names a channel and a uid, but no resourceId. Channel, uid and time fit more than one
attempt when an app always records with the same uid. So they only make a session a candidate of
each attempt that it fits. It is adopted when Agora answers a query for it with that attempt's own
resourceId, or when a start answered with its sid.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from agora_recording.agora.reply import Reply
from agora_recording.notifications.facts import SessionFacts, session_ended
from agora_recording.recording.due import expiry_ms
from agora_recording.recording.model import Attempt, Candidate, Recording
from agora_recording.recording.timings import Timings

# An attempt's begin is by our clock, a session's first event by Agora's clock.
_CLOCKS_APART_MS = 30_000
# Sessions of one channel and uid at about the same time are few; of more, refuted ones go first.
_MOST_CANDIDATES = 8

Finding = Literal["its own", "not its own", "not known yet"]


def fitting(recording: Recording, sid: str, facts: SessionFacts) -> int | None:
    """Return the number of the attempt whose session it is, or may be; None if there is none.

    The attempt has this sid already; or the answer to its start was lost: then it has a uid of the
    session (after a failover there are several) and a resourceId, but no sid, and began before the
    session, as far as Agora's clock and ours agree.
    """
    for attempt in reversed(recording.attempts):
        if attempt.sid == sid:
            return attempt.number
        if (
            _may_have_a_session(attempt)
            and attempt.uid in facts.uids
            and facts.firstSeenMs is not None
            and attempt.begun_ms <= facts.firstSeenMs + _CLOCKS_APART_MS
        ):
            return attempt.number
    return None


def nominated(recording: Recording, sid: str, facts: SessionFacts, now_ms: int) -> Recording:
    """Return the recording with a session as a candidate, if it fits and was not one before."""
    number = None if recording.deleting_ms else fitting(recording, sid, facts)
    if number is None or sid in (*recording.sids, *(each.sid for each in recording.candidates)):
        return recording
    kept = recording.candidates
    if len(kept) >= _MOST_CANDIDATES:
        spare = next((each for each in kept if each.refuted_ms), None)
        if spare is None:
            return recording  # its next notification asks again
        kept = [each for each in kept if each is not spare]
    candidate = Candidate(sid=sid, number=number, heard_ms=now_ms)
    return replace(recording, candidates=[*kept, candidate])


def finding(
    recording: Recording,
    candidate: Candidate,
    facts: SessionFacts,
    reply: Reply,
    now_ms: int,
    timings: Timings,
) -> Finding:
    """Return what the answer to a query of a candidate says, with its attempt's own resourceId.

    A refusal with a known code means that the sid is not of this resourceId (1003, 432); one
    without a code comes from the gateway, and says nothing of the session. A 404 may be a failover,
    or a session that is just starting: it is believed once `facts` say that the session is over.
    After resourceExpiredHour, Agora cannot answer any more.
    """
    handling = reply.outcome.handling
    if handling in ("ok", "ended"):
        return "its own"
    if handling in ("permanent", "acquire_again") and reply.answer.code is not None:
        return "not its own"
    if handling == "confirm_gone" and session_ended(facts):
        return "not its own"
    attempt = next((each for each in recording.attempts if each.number == candidate.number), None)
    if attempt is None or now_ms >= expiry_ms(recording, attempt, timings):
        return "not its own"
    return "not known yet"


def refuted(recording: Recording, sid: str, now_ms: int) -> Recording:
    """Return the recording after a candidate turned out to be another's session."""
    candidates = [
        replace(each, refuted_ms=now_ms) if each.sid == sid and not each.refuted_ms else each
        for each in recording.candidates
    ]
    return replace(recording, candidates=candidates)


def unaccounted(recording: Recording, now_ms: int, timings: Timings) -> Attempt | None:
    """Return an attempt whose session may run although nobody knows its sid; None if there is none.

    Its start was sent, or may have been, and Agora did not refuse it. After resourceExpiredHour
    nothing can be learnt or done about it any more.
    """
    for attempt in recording.attempts:
        if _may_have_a_session(attempt) and now_ms < expiry_ms(recording, attempt, timings):
            return attempt
    return None


def _may_have_a_session(attempt: Attempt) -> bool:
    return bool(attempt.resource_id) and not attempt.sid and not attempt.never_started

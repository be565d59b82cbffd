"""Starts a session: acquire and start as one act, safe to repeat at any point.

Each step is written to the row before it is taken: the uid before acquire, the resourceId before
start. The sid is written after start. So a repeated run knows how far the one before it came, and
every session that Agora bills has a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from agora_recording.agora.bodies import acquire_fields, start_fields
from agora_recording.agora.client import AgoraClient
from agora_recording.agora.redaction import restore
from agora_recording.agora.reply import Reply
from agora_recording.agora.storage import Storage
from agora_recording.aws.sealing import Sealer
from agora_recording.clock import now_ms
from agora_recording.errors import (
    AgoraUnavailableError,
    RateLimitedError,
    ServiceFullError,
    WriteConflictError,
)
from agora_recording.life.adoption import Adopter
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.model import (
    Attempt,
    Recording,
    SessionEnd,
    begin_attempt,
    change_attempt,
    end_session,
)
from agora_recording.recording.starting import choose_uid, next_step
from agora_recording.recording.timings import CONFIRM_WAITS_S

# Refusals that end the attempt; after the others the same attempt is tried again.
_ENDS: dict[str, SessionEnd] = {
    "new_uid": "UID_TAKEN",
    "permanent": "REFUSED",
    "token_rejected": "REFUSED",
}

# Answers to a start by which it has made no session: all refusals, but none of a resource that may
# have been started before.
_NOT_STARTED = frozenset(
    {"new_uid", "permanent", "token_rejected", "back_off", "slow_down", "back_off_long"}
)

# Agora best practices: a start that fails is repeated three times; then another uid.
_UNANSWERED_STARTS = 4
# Our own: a refusal of no known meaning may be about the rate of calls. The state machine repeats
# the start for a minute and a half before the sixth is believed.
_UNCLEAR_REFUSALS = 6


class Starter:
    """Starts recordings. Instants in ms; `randomness` returns an integer of at least 32 bits."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        adopter: Adopter,
        agora: AgoraClient,
        storage: Storage,
        sealer: Sealer,
        uids: tuple[int, int],
        randomness: Callable[[], int],
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._adopter = adopter
        self._agora = agora
        self._storage = storage
        self._sealer = sealer
        self._uids = uids
        self._randomness = randomness
        self._now_ms = now_ms

    def start(self, recording_id: str) -> dict[str, Any]:
        """Start the recording's session, or find that it runs.

        Returns {attempt, sid, maxDurationSeconds, waitSeconds, wasRunning}, for the next states.
        Raises StopRequestedError, RateLimitedError and what `agora.outcomes` names; the row then
        says how far it came.
        """
        recording = self._store.get(recording_id)
        step = next_step(recording)
        if step == "new attempt":
            recording = self._begin(recording)
            step = "acquire"
        if recording.sid:
            recording = self._adopter.answered(recording, _attempt(recording).number, recording.sid)
        else:
            # Made once: start must get exactly what acquire gets as startParameter.
            storage = self._storage.config(recording.prefix)
            slot_ms = None
            if step == "acquire":
                slot_ms, next_slot_ms = self._agora.reserve_start()
                recording = self._acquire(recording, storage, slot_ms)
                slot_ms = next_slot_ms
            recording = self._start(recording, storage, slot_ms, is_first=step == "acquire")
        attempt = _attempt(recording)
        return {
            "attempt": attempt.number,
            "sid": attempt.sid,
            "maxDurationSeconds": recording.max_duration_seconds,
            "waitSeconds": CONFIRM_WAITS_S[0],
            "wasRunning": step == "done",
        }

    def _begin(self, recording: Recording) -> Recording:
        uid = choose_uid(recording, self._randomness(), *self._uids)
        now = self._now_ms()

        def change(row: Recording) -> Recording:
            next_step(row)  # a stop may have come in between
            return begin_attempt(row, uid, now)

        return self._store.amend(
            recording.recording_id,
            change,
            lambda _, after: [
                Note(now, "attempt", f"Attempt {_attempt(after).number} begins with uid {uid}.")
            ],
        )

    def _acquire(self, recording: Recording, storage: dict[str, Any], slot_ms: int) -> Recording:
        attempt = _attempt(recording)
        request = self._client_request(recording)
        fields = acquire_fields(request, storage)
        reply = self._agora.acquire(recording.cname, attempt.uid, fields, slot_ms=slot_ms)
        resource_id = self._needed(reply.answer.resource_id, reply, recording)
        now = self._now_ms()

        def change(row: Recording) -> Recording:
            after = self._if_current(
                row, attempt, resource_id=resource_id, acquired_ms=now, base_url=reply.base_url
            )
            if self._storage.is_temporary and after != row:
                after = replace(after, storage_token_ms=now)
            return after

        return self._store.amend(
            recording.recording_id,
            change,
            lambda *_: [Note(now, "acquired", "Agora gave a resourceId.")],
        )

    def _start(
        self,
        recording: Recording,
        storage: dict[str, Any],
        slot_ms: int | None,
        *,
        is_first: bool,
    ) -> Recording:
        attempt, resource = _attempt(recording), recording.resource
        if resource is None:
            raise WriteConflictError(
                f"Another process began a new attempt of recording {recording.recording_id}."
            )
        fields = start_fields(self._client_request(recording), storage)
        # Whether all starts before were refused: then a refusal of this one leaves no session.
        is_unstarted = is_first or attempt.never_started
        if attempt.never_started:
            self._store.amend(
                recording.recording_id,
                lambda row: self._if_current(row, attempt, never_started=False),
            )
        reply = self._agora.start(resource, fields, slot_ms=slot_ms)
        sid = reply.answer.sid
        # Perhaps an earlier start, whose answer was lost, started it.
        if not sid:
            known = self._adopter.settle(recording.recording_id)
            if known.sid and _attempt(known).number == attempt.number:
                return known
        sid = self._needed(sid, reply, recording, is_first=is_first, is_unstarted=is_unstarted)
        return self._adopter.answered(recording, attempt.number, sid)

    def _client_request(self, recording: Recording) -> dict[str, Any]:
        secrets = self._sealer.unseal(recording.recording_id, recording.sealed)
        return restore(recording.client_request, secrets)

    def _needed(
        self,
        needed: str | None,
        reply: Reply,
        recording: Recording,
        *,
        is_first: bool = True,
        is_unstarted: bool = False,
    ) -> str:
        """Return the `needed` value if the reply has it; otherwise note the error, and raise it.

        `is_first`: no start was sent before for this resourceId, so no session of it can run.
        `is_unstarted`: nor can one if this start is refused, too.
        """
        error = reply.error(has_sid=bool(needed))
        if needed and error is None:
            return needed
        error = error or AgoraUnavailableError(
            f"Agora's answer to {reply.endpoint} lacks the needed value.",
            endpoint=reply.endpoint,
            status=reply.status,
        )
        number = _attempt(recording).number
        end = _ENDS.get(reply.outcome.handling)
        now = self._now_ms()

        def change(row: Recording) -> Recording:
            if _attempt(row).number != number or _attempt(row).sid:
                return row
            if is_unstarted and reply.outcome.handling in _NOT_STARTED:
                row = change_attempt(row, never_started=True)
            if end:
                return end_session(row, end, now, reason=str(error))
            if reply.endpoint == "start" and reply.outcome.handling == "retry_same":
                unanswered = _attempt(row).unanswered + 1
                row = change_attempt(row, unanswered=unanswered)
                if unanswered >= _UNANSWERED_STARTS:
                    return end_session(row, "START_FAILED", now, reason=str(error))
            if reply.outcome.handling == "slow_down":
                refusals = _attempt(row).refusals + 1
                row = change_attempt(row, refusals=refusals)
                if refusals >= _UNCLEAR_REFUSALS:
                    return end_session(row, "REFUSED", now, reason=str(error))
            if reply.outcome.handling == "acquire_again":
                if is_first:
                    return change_attempt(row, resource_id=None, acquired_ms=None)
                # A session of this resource may run: so the attempt keeps it; the next has a new
                # uid.
                return end_session(row, "START_FAILED", now, reason=str(error))
            return row

        self._store.amend(recording.recording_id, change)
        is_limited = isinstance(error, RateLimitedError | ServiceFullError)
        kind = "limited" if is_limited else "refused"
        data = {"status": reply.status, "code": reply.answer.code}
        self._store.note(recording.recording_id, Note(now, kind, str(error), data))
        raise error

    @staticmethod
    def _if_current(row: Recording, attempt: Attempt, **changes: Any) -> Recording:
        return change_attempt(row, **changes) if _attempt(row).number == attempt.number else row


def _attempt(recording: Recording) -> Attempt:
    if recording.attempt is None:
        raise AssertionError("a recording that starts has an attempt")
    return recording.attempt

"""Ends a session, and decides what comes next: a new session, or the files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from agora_recording.agora.client import AgoraClient
from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Task
from agora_recording.clock import now_ms
from agora_recording.errors import AgoraError
from agora_recording.life.adoption import Adopter
from agora_recording.life.orphans import OrphanStopper
from agora_recording.life.store import Note, RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.due import deadline_ms
from agora_recording.recording.ending import (
    Failure,
    after_orphan_stop,
    after_stop,
    move_on,
    next_state,
    stopped_without_session,
    unseen_s,
)
from agora_recording.recording.model import (
    Recording,
    SessionEnd,
    ask_to_stop,
    end_session,
    taken_over,
)
from agora_recording.recording.timings import Timings

# Failures of a start after which another one cannot do better: somebody must change the stack, the
# secret or the account. The state machine has waited for a full account (ServiceFullError) already.
_HOPELESS = frozenset({"SecretUnavailableError", "StorageRegionError", "ServiceFullError"})
_START_ENDS = frozenset({"START_FAILED", "REFUSED"})


class Stopper:
    """Stops sessions."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        adopter: Adopter,
        agora: AgoraClient,
        orphans: OrphanStopper,
        timings: Timings,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._adopter = adopter
        self._agora = agora
        self._orphans = orphans
        self._timings = timings
        self._now_ms = now_ms

    def stop(self, recording_id: str, failure: Failure | None = None) -> dict[str, Any]:
        """End the current session if it still runs; return {next, sessionEnd, unseenSeconds?}.

        `failure` is the error that led the state machine here, if there was one. Raises the errors
        of `agora.outcomes` if Agora neither stopped the session nor said that it is over.
        """
        # A start whose answer was lost may have a session, which has to be stopped.
        self._adopter.settle(recording_id)
        recording = self._store.amend(
            recording_id,
            lambda row: self._arrive(row, failure),
            lambda before, after: self._failed(before, after, failure),
        )
        if not recording.is_ending:
            return {"next": next_state(recording)}
        task = recording.task
        # A session that was given up may still run. If this stop fails, the sweeper repeats it.
        is_orphan = recording.attempt in recording.orphans
        if task and (is_orphan or recording.session_end is None):
            recording = self._ask(recording, task, is_orphan=is_orphan)
        if any(each.end == "TAKEN_OVER" for each in recording.orphans):
            recording = self._stop_predecessor(recording)
        recording = self._store.amend(recording_id, move_on, self._notes)
        unseen = unseen_s(recording)
        return {
            "next": next_state(recording),
            "sessionEnd": recording.session_end,
            **({} if unseen is None else {"unseenSeconds": unseen}),
        }

    def _stop_predecessor(self, recording: Recording) -> Recording:
        try:
            return self._orphans.stop(recording)
        except AgoraError as error:  # the sweeper repeats it
            logger.warning("predecessor not stopped", reason=str(error))
            return recording

    def _arrive(self, row: Recording, failure: Failure | None) -> Recording:
        now = self._now_ms()
        row = replace(row, task_token=None)
        if row.stop_reason is None and row.session_end is None and failure:
            is_late = now >= deadline_ms(row, self._timings)
            if is_late and (failure.name == "States.Timeout" or not row.sid):
                is_time = row.stop_at_ms is not None and now >= row.stop_at_ms
                row = ask_to_stop(row, "STOP_TIME" if is_time else "MAX_DURATION", now)
            elif not row.sid and failure.name != "RateLimitedError":
                # Waiting for a slot is not a failure of the start, which then goes on.
                end: SessionEnd = "REFUSED" if failure.name in _HOPELESS else "START_FAILED"
                row = end_session(row, end, now, reason=failure.message)
        if row.stop_reason and row.session_end is None and not row.sid:
            row = end_session(row, "STOPPED", now, reason=stopped_without_session(row))
        if row.stop_reason and row.session_end is None:
            row = taken_over(
                row
            )  # its successor has a session, which is stopped now; so is its own
        return row

    def _failed(self, before: Recording, after: Recording, failure: Failure | None) -> list[Note]:
        if failure is None or before.session_end or after.session_end not in _START_ENDS:
            return []
        return [Note(self._now_ms(), "failed", f"The start failed: {failure.message}")]

    def _ask(self, recording: Recording, task: Task, *, is_orphan: bool) -> Recording:
        reply = self._agora.stop(task)
        now = self._now_ms()
        error = reply.error()
        if error and not is_orphan:
            self._store.note(
                recording.recording_id,
                Note(now, "refused", f"stop: {error}", {"status": reply.status}),
            )
            is_over = after_stop(recording, reply, now, self._timings).session_end
            if not is_over and reply.outcome.handling != "confirm_gone":
                raise error
        after = partial(after_orphan_stop, sid=task.sid) if is_orphan else after_stop
        return self._store.amend(
            recording.recording_id,
            lambda row: after(row, reply=reply, now_ms=now, timings=self._timings),
            lambda *_: [
                Note(
                    now,
                    "stop",
                    _words(reply),
                    {"status": reply.status, "code": reply.answer.code},
                )
            ],
        )

    def _notes(self, before: Recording, after: Recording) -> list[Note]:
        if before.status == after.status:
            return []
        return [
            Note(
                self._now_ms(),
                "ended",
                f"The session is over ({after.session_end}); its files are awaited.",
            )
        ]


def _words(reply: Reply) -> str:
    more = " Files wait on Agora's backup, and come later." if reply.answer.is_stranded else ""
    return f"Agora answered the stop: {reply.outcome.handling.replace('_', ' ')}.{more}"

"""Confirming a start: query until Agora records, or until it is clear that it never will."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from agora_recording.agora import AgoraClient, Reply
from agora_recording.clock import now_ms
from agora_recording.observation import observe
from agora_recording.publication import Publisher
from agora_recording.recording import Recording
from agora_recording.store import Note, RecordingStore
from agora_recording.timings import CONFIRM_WAITS_S, Timings, nth_wait
from agora_recording.wake import wake_reason

Verdict = Literal["recording", "wait", "over"]


def verdict(recording: Recording) -> Verdict:
    """Return where the state machine goes from here. Pure."""
    if wake_reason(recording):
        return "over"
    is_confirmed = recording.attempt is not None and recording.attempt.confirmed_ms
    return "recording" if is_confirmed else "wait"


class Confirmer:
    """Confirms starts, and announces them."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        agora: AgoraClient,
        publisher: Publisher,
        timings: Timings,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._agora = agora
        self._publisher = publisher
        self._timings = timings
        self._now_ms = now_ms

    def confirm(self, recording_id: str, started: Mapping[str, Any]) -> dict[str, Any]:
        """Ask once; return `started` with a verdict, and the seconds to wait before the next time.

        Raises RateLimitedError when others need Agora more. No other answer of Agora's is an
        error here: it is looked at again, until 90 s are over.
        """
        recording = self._store.get(recording_id)
        attempt = recording.attempt
        if verdict(recording) == "wait" and attempt and attempt.sid and attempt.resource_id:
            reply = self._agora.query(
                attempt.resource_id, attempt.sid, recording.mode, base_url=attempt.base_url
            )
            recording = self._write(recording_id, attempt.sid, reply)
        found = verdict(recording)
        if found == "recording":
            is_first = not any(each.confirmed_ms for each in recording.past_attempts)
            self._publisher.announce(
                recording, "Recording Started" if is_first else "Recording Restarted"
            )
        asked = started.get("asked", 0) + 1
        return {
            **started,
            "verdict": found,
            "asked": asked,
            "waitSeconds": nth_wait(CONFIRM_WAITS_S, asked),
        }

    def _write(self, recording_id: str, sid: str, reply: Reply) -> Recording:
        now = self._now_ms()

        def notes(before: Recording, after: Recording) -> list[Note]:
            data = {"http": reply.status, "status": reply.answer.status}
            if after.session_end and not before.session_end:
                words = f"The start is given up: {after.session_end}."
            elif after.status != before.status:
                words = "Agora is recording."
            else:
                words = f"Not recording yet: {reply.outcome.reason}."
            return [Note(now, "query", words, data)]

        return self._store.amend(
            recording_id,
            lambda row: observe(row, reply, now, self._timings) if row.sid == sid else row,
            notes,
        )

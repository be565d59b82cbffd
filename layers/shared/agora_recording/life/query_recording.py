"""Confirms a start: query until Agora records, or until it is clear that it never will."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agora_recording.agora.client import AgoraClient
from agora_recording.agora.reply import Reply
from agora_recording.callbacks.message import Message, MessageType
from agora_recording.clock import now_ms
from agora_recording.errors import AgoraError
from agora_recording.life.callbacks import Teller, Told
from agora_recording.life.orphans import OrphanStopper
from agora_recording.life.publication import Publisher
from agora_recording.life.store import Note, RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.model import Recording
from agora_recording.recording.observing import observe, verdict
from agora_recording.recording.timings import CONFIRM_WAITS_S, Timings, nth_wait


class Confirmer:
    """Confirms starts, and announces them."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        agora: AgoraClient,
        publisher: Publisher,
        orphans: OrphanStopper,
        teller: Teller,
        timings: Timings,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._agora = agora
        self._publisher = publisher
        self._orphans = orphans
        self._teller = teller
        self._timings = timings
        self._now_ms = now_ms

    def confirm(self, recording_id: str, started: Mapping[str, Any]) -> dict[str, Any]:
        """Ask once; return `started` with a verdict, and the seconds to wait before the next time.

        Raises RateLimitedError when no slot is free, EventNotSentError when the session records but
        the event could not be sent. No answer of Agora's is an error here: the query is repeated
        until 90 s are over.

        Once a successor is seen to record, its predecessor is stopped.
        """
        recording = self._store.get(recording_id)
        task = recording.task
        if task and recording.is_starting and not recording.is_ending:
            recording = self._take(recording, task.sid, self._agora.query(task))
        if any(each.end == "TAKEN_OVER" for each in recording.orphans):
            try:
                recording = self._orphans.stop(recording)
            except AgoraError as error:  # the sweeper repeats it
                logger.warning("predecessor not stopped", reason=str(error))
        found = verdict(recording, self._now_ms(), self._timings)
        asked = started.get("asked", 0) + 1
        return {
            **started,
            "verdict": found,
            "asked": asked,
            "waitSeconds": nth_wait(CONFIRM_WAITS_S, asked),
        }

    def _take(self, recording: Recording, sid: str, reply: Reply) -> Recording:
        now = self._now_ms()
        after = observe(recording, reply, now, self._timings)
        if _is_confirmed(after, sid) and _is_news(after):
            # Announced before it is written: so what the row says was announced, also after a
            # crash.
            is_first = not any(each.confirmed_ms for each in after.past_attempts)
            self._publisher.announce(
                after, "Recording Started" if is_first else "Recording Restarted"
            )

        def notes(before: Recording, after: Recording) -> list[Note]:
            data = {"http": reply.status, "status": reply.answer.status}
            if after.session_end and not before.session_end:
                words = f"The start is given up: {after.session_end}."
            elif _is_confirmed(after, sid):
                words = "Agora is recording."
                if len(after.orphans) > len(before.orphans):
                    words += " It takes over from the session before, which will be stopped."
            elif after.sid != sid:
                words = "The successor is given up; the session before goes on."
            else:
                words = f"Not recording yet: {reply.outcome.reason}."
            return [Note(now, "query", words, data)]

        def told(before: Recording, after: Recording) -> list[Message]:
            if _is_confirmed(before, sid) or not _is_confirmed(after, sid) or not _is_news(after):
                return []
            number = after.attempt.number if after.attempt else 0
            is_first = not any(each.confirmed_ms for each in after.past_attempts)
            step = "started" if is_first else f"restarted-{number}"
            kind: MessageType = "recording.started" if is_first else "recording.restarted"
            return self._teller.messages(after, kind, now, step=step)

        messages = Told(told)
        changed = self._store.amend(
            recording.recording_id,
            lambda row: observe(row, reply, now, self._timings) if row.sid == sid else row,
            notes,
            messages.rows,
        )
        self._teller.ask(messages.made)
        return changed


def _is_confirmed(recording: Recording, sid: str) -> bool:
    attempt = recording.attempt
    return attempt is not None and attempt.sid == sid and attempt.confirmed_ms is not None


def _is_news(recording: Recording) -> bool:
    """Tell whether a session that records is news: not if it takes over from one that recorded."""
    return recording.attempt is not None and recording.attempt.takes_over != "HAND_OVER"

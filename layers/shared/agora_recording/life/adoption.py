"""Makes a session a recording's own: a start answered with its sid, or a query confirmed it.

Each write is harmless when repeated: the sid on the recording's row, the recording on the session's
row, what was heard of it before; the claim of the attempt goes last. Whatever comes in between, the
claim leads the next notification of the session to its recording.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from agora_recording import clock
from agora_recording.agora.client import AgoraClient
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import Note, RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.adopting import finding, refuted
from agora_recording.recording.hearing import applied
from agora_recording.recording.model import Candidate, Recording, started
from agora_recording.recording.timings import Timings


class Adopter(msgspec.Struct, frozen=True, kw_only=True):
    """Gives sessions to their recordings. Instants in ms."""

    store: RecordingStore
    sessions: SessionStore
    agora: AgoraClient
    timings: Timings
    now_ms: Callable[[], int] = clock.now_ms

    def answered(self, recording: Recording, number: int, sid: str) -> Recording:
        """Make `sid`, which Agora's start answered, the session of attempt `number`.

        It beats any sid that was adopted for the attempt before. Harmless when repeated.
        """
        note = Note(self.now_ms(), "started", "Agora started the session.", {"sid": sid})
        changed = self._take(recording, number, sid, note, is_answer=True)
        for attempt in changed.attempts:
            if attempt.sid == sid:
                # The usual end of a claim. Those of lost starts are few, and end by themselves.
                self.store.release_claim(changed, attempt.uid)
        return changed

    def settle(self, recording_id: str) -> Recording:
        """Ask about the candidates of the current attempt, if it has no sid; return the row then.

        Raises RecordingNotFoundError, and what `ask` raises.
        """
        recording = self.store.get(recording_id)
        attempt = recording.attempt
        for candidate in recording.candidates:
            is_open = attempt and candidate.number == attempt.number and not candidate.refuted_ms
            if is_open and not recording.sid:
                recording = self.ask(recording, candidate)
        return recording

    def ask(self, recording: Recording, candidate: Candidate) -> Recording:
        """Ask Agora whether a candidate is the session of its attempt; return the row after it.

        Adopted only when Agora knows the sid with the attempt's own resourceId. Raises
        RateLimitedError when no slot is free.
        """
        sid, task = candidate.sid, recording.candidate_task(candidate)
        owner = self.sessions.get(sid)
        is_others = owner.recording_id not in (None, recording.recording_id)
        if task is None or is_others or owner.deleted_ms:
            return self._refute(recording, sid, "The session is another recording's.")
        reply = self.agora.query(task)
        now = self.now_ms()
        found = finding(recording, candidate, owner.facts, reply, now, self.timings)
        if found == "its own":
            words = "Agora confirmed a session whose start's answer was lost."
            note = Note(now, "adopted", words, {"sid": sid})
            return self._take(recording, candidate.number, sid, note, is_answer=False)
        if found == "not its own":
            words = "Agora does not know the session with this recording's resourceId."
            return self._refute(recording, sid, words)
        return recording

    def _take(
        self, recording: Recording, number: int, sid: str, note: Note, *, is_answer: bool
    ) -> Recording:
        now = note.at_ms

        def notes(before: Recording, after: Recording) -> list[Note]:
            words = "This session was taken for the attempt's own, and is not: it will be stopped."
            known = {each.sid for each in before.orphans}
            strays = [each.sid for each in after.orphans if each.sid not in (*known, sid)]
            return [note, *(Note(now, "orphan", words, {"sid": each}) for each in strays)]

        # The recording first: from it, the session's owner can be found.
        self.store.amend(
            recording.recording_id,
            lambda row: started(row, sid, now, number=number, is_answer=is_answer),
            notes,
        )
        session = self.sessions.adopt(sid, recording.recording_id, recording.cname)
        # What was heard of it while it was nobody's; everything later finds its owner.
        return self.store.amend(
            recording.recording_id,
            lambda row: applied(row, sid, session.facts, now, gap=False),
        )

    def _refute(self, recording: Recording, sid: str, words: str) -> Recording:
        now = self.now_ms()
        logger.info("session refuted", recordingId=recording.recording_id, sid=sid)
        return self.store.amend(
            recording.recording_id,
            lambda row: refuted(row, sid, now),
            lambda *_: [Note(now, "refuted", words, {"sid": sid})],
        )

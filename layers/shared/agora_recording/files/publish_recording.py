"""Publishes a recording after its last session: verify, write the manifest, announce, close.

After it, an incomplete recording is looked at again as long as late files may come (Agora's backup,
postponed transcoding), and so is one that failed although a session may have recorded. When they
have come, it becomes complete, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from agora_recording.callbacks.message import Message, MessageType
from agora_recording.clock import now_ms
from agora_recording.errors import RecordingStateError
from agora_recording.files.conclusion import (
    awaits_transcoding_alone,
    final_status,
    kinds_of,
    looked_at_again,
    published,
    published_again,
)
from agora_recording.files.documents import documents
from agora_recording.files.verdict import Verdict
from agora_recording.files.verifier import Verifier
from agora_recording.life.callbacks import Teller, Told
from agora_recording.life.publication import Publisher
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.adopting import unaccounted
from agora_recording.recording.ending import went_wrong
from agora_recording.recording.model import Recording, Status
from agora_recording.recording.timings import Timings
from agora_recording.recording.view import public

_ENDS: dict[str, MessageType] = {
    "completed": "recording.completed",
    "incomplete": "recording.incomplete",
    "failed": "recording.failed",
}


class RecordingPublisher(msgspec.Struct, kw_only=True):
    """Verifies recordings that are over, writes their manifests, and announces their ends."""

    store: RecordingStore
    verifier: Verifier
    publisher: Publisher
    teller: Teller
    timings: Timings
    now_ms: Callable[[], int] = now_ms

    def publish(self, recording_id: str) -> dict[str, Any]:
        """Write the manifest, announce the end, close the row.

        Returns {status, endReason, missing, awaited, wentWrong}: `missing` is how many files are
        missing; `awaited` says whether all of these are files of postponed transcoding, which take
        days; `wentWrong` whether it failed although there should be files. May be repeated at any
        point: until the row is closed, it writes and returns the same again.
        """
        recording = self.store.get(recording_id)
        if recording.is_terminal:
            return _told(recording)
        now = self.now_ms()
        verdict = self._verdict(recording, now)

        def change(row: Recording) -> Recording:
            return published(row, verdict, self.timings, now)

        closed = change(recording)
        if verdict:
            self._write_manifest(closed, verdict)
        self.publisher.announce_end(closed)
        note = Note(now, "published", f"Published as {closed.status}: {closed.reason}")
        messages = self._told(verdict, now)
        closed = self.store.amend(recording_id, change, lambda *_: [note], messages.rows)
        self.teller.ask(messages.made)
        awaited = verdict is not None and awaits_transcoding_alone(verdict)
        return {**_told(closed), "awaited": awaited and closed.status == "incomplete"}

    def _verdict(self, recording: Recording, now: int) -> Verdict | None:
        """Return what the bucket holds; None if no session is known, and nothing is there.

        A session whose start was not answered may have recorded, and nobody has its sid yet.
        """
        if not recording.sids and unaccounted(recording, now, self.timings) is None:
            return None
        verdict = self.verifier.verify(recording)
        return verdict if recording.sids or verdict.objects else None

    # The next two methods stay separate. They differ in which recordings they accept, in what they
    # change, in whether they write and announce if nothing changed, and in when they write the
    # note: with the row, or before it, because an operator's request is noted even if the row stays
    # the same.

    def look_again(self, recording_id: str) -> Recording:
        """Verify a recording that awaits late files again; publish it anew if it is better now.

        Returns the row. Other changes are written into a new manifest, without an event; but when
        it becomes overdue, that is announced. The caller must hold the recording's `late_lease`, so
        that each is announced only once. May be repeated at any point.
        """
        recording = self.store.get(recording_id)
        if not recording.awaits_late_files:
            return recording
        verdict, now = self.verifier.verify(recording), self.now_ms()

        def change(row: Recording) -> Recording:
            return looked_at_again(row, verdict, self.timings, now)

        changed = change(recording)
        if changed == recording:
            return recording
        if changed.status != "failed":
            self._write_manifest(changed, verdict)
        if changed.status != recording.status:
            self.publisher.announce_end(changed)
        notes = [
            Note(now, "late", f"Verified again and published as {changed.status}: {changed.reason}")
        ]
        if changed.overdue_ms != recording.overdue_ms:
            self.publisher.announce(changed, "Recording Overdue")
            notes.append(Note(now, "overdue", "Files are missing for long: ask Agora for them."))
        messages = self._told(verdict, now)
        after = self.store.amend(recording_id, change, lambda *_: notes, messages.rows)
        self.teller.ask(messages.made)
        return after

    def publish_again(self, recording_id: str) -> Status:
        """Verify a recording that is over, write its manifest and announce its end again.

        For operators, after files were restored. Returns the status, which may have become better.
        Raises RecordingStateError when the recording is not over, or has no session.
        """
        recording = self.store.get(recording_id)
        if not recording.is_terminal or not recording.sids:
            raise RecordingStateError(
                f"It is {recording.status}: nothing can be published again before a recording "
                "that had a session is over."
            )
        verdict, now = self.verifier.verify(recording), self.now_ms()

        def change(row: Recording) -> Recording:
            return published_again(row, verdict, now)

        changed = change(recording)
        self._write_manifest(changed, verdict)
        self.publisher.announce_end(changed)
        words = f"Published again as {changed.status}: {final_status(verdict)[1]}"
        self.store.note(recording_id, Note(now, "late", words))
        messages = self._told(verdict, now)
        after = self.store.amend(recording_id, change, rows=messages.rows)
        self.teller.ask(messages.made)
        return after.status

    def _told(self, verdict: Verdict | None, now: int) -> Told:
        """Return what tells the app of an end, or of a better one."""
        kinds = kinds_of(verdict) if verdict else ()

        def make(before: Recording, after: Recording) -> list[Message]:
            if before.status == after.status:
                return []
            kind = _ENDS[after.status]
            return self.teller.messages(after, kind, now, step=after.status, kinds=kinds)

        return Told(make)

    def _write_manifest(self, recording: Recording, verdict: Verdict) -> None:
        for key, body in documents(verdict, public(recording)):
            self.publisher.put(key, body, "application/json")


def _told(recording: Recording) -> dict[str, Any]:
    return {
        "status": recording.status,
        "endReason": recording.end_reason,
        "missing": recording.upload.missing,
        "awaited": False,
        "wentWrong": went_wrong(recording),
    }

"""From the end of the last session to the published recording: wait, verify, announce, close.

And after it: what was published as incomplete is looked at again as long as files may come late
(Agora's backup, postponed transcoding), and becomes complete once, when they have come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from agora_recording.aws import clients
from agora_recording.clock import now_ms, to_ms
from agora_recording.errors import RecordingStateError
from agora_recording.files import manifest
from agora_recording.files.expectation import (
    awaits_transcoding_alone,
    expectation,
    final_status,
    summary,
)
from agora_recording.files.inventory import list_objects, read_object
from agora_recording.files.judge import verify
from agora_recording.files.verdict import Verdict
from agora_recording.life.publication import Publisher
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.model import Recording, Status, close, end_reason
from agora_recording.recording.timings import Timings
from agora_recording.recording.view import public

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Completion:
    """Looks at the bucket, and publishes what is there."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        sessions: SessionStore,
        bucket: str,
        timings: Timings,
        publisher: Publisher | None = None,
        s3: S3Client | None = None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._bucket = bucket
        self._timings = timings
        self._publisher = publisher
        self._s3 = s3
        self._now_ms = now_ms

    def publish(self, recording_id: str) -> dict[str, Any]:
        """Write the manifest, announce the end, close the row.

        Returns {status, endReason, missing, awaited}: how many files are missing, and whether all
        of them are what postponed transcoding makes within days.
        May be repeated at any point: until the row is closed it says and writes the same again.
        """
        assert self._publisher is not None
        recording = self._store.get(recording_id)
        if recording.is_terminal:
            return _published(recording)
        verdict = self.verify(recording) if recording.sids else None
        status: Status = "failed"
        reason = recording.reason or "No session could be started."
        if verdict:
            status, reason = final_status(verdict)
        now = self._now_ms()

        def change(row: Recording) -> Recording:
            if row.is_terminal:
                return row
            if verdict:
                manifest_key = f"{row.prefix}{manifest.FILE}"
                upload = replace(summary(row.upload, verdict), manifest=manifest_key)
                row = replace(row, upload=upload)
            last = row.attempts[-1].ended_ms if row.attempts else None
            closed = close(row, status, end_reason(row), reason, last or now)
            if status != "incomplete" or not self._timings.late_s:
                return closed
            late_until = (closed.ended_ms or now) + to_ms(self._timings.late_s)
            return replace(closed, late_until_ms=late_until, looked_ms=now)

        closed = change(recording)
        if verdict:
            self._write_manifest(closed, verdict)
        self._publisher.announce_end(closed)
        note = Note(now, "published", f"Published as {status}: {reason}")
        closed = self._store.amend(recording_id, change, lambda *_: [note])
        awaited = verdict is not None and awaits_transcoding_alone(verdict)
        return {**_published(closed), "awaited": awaited and closed.status == "incomplete"}

    def look_again(self, recording_id: str) -> Status:
        """Verify what was published as incomplete; publish it as completed when it now is.

        Returns the status. What else has changed is written into a new manifest, of which no
        event tells. One at a time, for each recording (`RecordingStore.late_lease`): the end
        shall be announced once. May be repeated at any point.
        """
        assert self._publisher is not None
        recording = self._store.get(recording_id)
        if not recording.awaits_late_files:
            return recording.status
        verdict, now = self.verify(recording), self._now_ms()
        status, reason = final_status(verdict)

        def change(row: Recording) -> Recording:
            if not row.awaits_late_files:
                return row
            changed = replace(row, upload=summary(row.upload, verdict), reason=reason)
            if status == "completed":
                return close(changed, status, "", reason, now)
            is_over = now >= (row.late_until_ms or 0)
            return replace(changed, late_until_ms=None) if is_over else changed

        changed = change(recording)
        if changed == recording:
            return recording.status
        self._write_manifest(changed, verdict)
        if changed.status == "completed":
            self._publisher.announce_end(changed)
        note = Note(now, "late", f"Looked at again, and published as {changed.status}: {reason}")
        return self._store.amend(recording_id, change, lambda *_: [note]).status

    def publish_again(self, recording_id: str) -> Status:
        """Verify a recording that is over, write its manifest and announce its end anew.

        For operators, after they or Agora have put files in order. Returns the status, which may
        have become better. Raises RecordingStateError when the recording is not over, or has no
        session.
        """
        assert self._publisher is not None
        recording = self._store.get(recording_id)
        if not recording.is_terminal or not recording.sids:
            raise RecordingStateError(
                f"It is {recording.status}: there is nothing to publish anew before a recording "
                "that had a session is over."
            )
        verdict, now = self.verify(recording), self._now_ms()
        status, reason = final_status(verdict)

        def change(row: Recording) -> Recording:
            upload = replace(summary(row.upload, verdict), manifest=f"{row.prefix}{manifest.FILE}")
            return close(replace(row, upload=upload), status, "", reason, now)

        changed = change(recording)
        self._write_manifest(changed, verdict)
        self._publisher.announce_end(changed)
        note = Note(now, "late", f"Published anew as {changed.status}: {reason}")
        self._store.note(recording_id, note)
        return self._store.amend(recording_id, change).status

    def verify(self, recording: Recording) -> Verdict:
        """Return what the bucket holds of a recording, compared with what it should hold."""
        client = self._s3 or clients.s3()
        facts = {sid: self._sessions.get(sid).facts for sid in recording.sids}
        return verify(
            list_objects(client, self._bucket, recording.prefix),
            lambda key: read_object(client, self._bucket, key),
            expectation(recording, facts, self._timings),
            self._now_ms(),
        )

    def _write_manifest(self, recording: Recording, verdict: Verdict) -> None:
        assert self._publisher is not None
        for key, body in manifest.documents(verdict, public(recording)):
            self._publisher.put(key, body, "application/json")


def _published(recording: Recording) -> dict[str, Any]:
    return {
        "status": recording.status,
        "endReason": recording.end_reason,
        "missing": recording.upload.missing,
        "awaited": False,
    }

"""From the end of the last session to the published recording: wait, verify, announce, close.

And after it: what was published as incomplete is looked at again as long as files may come late
(Agora's backup, postponed transcoding), and becomes complete once, when they have come.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec.structs import replace

from agora_recording import aws, manifest
from agora_recording.clock import now_ms
from agora_recording.errors import RecordingStateError
from agora_recording.files import list_objects, read_object
from agora_recording.publication import Publisher
from agora_recording.recording import (
    RANK,
    RESTARTABLE,
    Attempt,
    Recording,
    Status,
    Upload,
    close,
    end_reason,
    over_ms,
    public,
    upload_deadline_ms,
)
from agora_recording.session import NOTHING, SessionFacts
from agora_recording.store import Note, RecordingStore
from agora_recording.timings import Timings
from agora_recording.verification import Expectation, Session, Transcoding, Verdict, verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Uploading = Literal["uploading", "uploaded", "backuped", "unknown"]
# Event 1001 is the last word on transcoding; these say that files will not come.
_GIVEN_UP = ("final_failed", "final_partial_success")


def expectation(
    recording: Recording, facts: Mapping[str, SessionFacts], timings: Timings
) -> Expectation:
    """Return what the bucket should hold for this recording. Pure."""
    request = recording.client_request
    recorded = request.get("recordingFileConfig")
    snapshots = "snapshotConfig" in request
    started = [attempt for attempt in recording.attempts if attempt.sid]
    ended = over_ms(recording)
    late_until = recording.late_until_ms or ended + _ms(timings.late_s)
    is_over = RANK[recording.status] >= RANK["uploading"]
    no_transcoding = any(each.transcoding in _GIVEN_UP for each in facts.values())
    return Expectation(
        prefix=recording.prefix,
        mode=recording.mode,
        cname=recording.cname,
        sessions=tuple(
            Session(
                sid=attempt.sid or "",
                started_ms=attempt.started_ms,
                ended_ms=attempt.ended_ms,
                upload=_upload(attempt, facts.get(attempt.sid or "", NOTHING)),
            )
            for attempt in started
        ),
        hls=not snapshots or recorded is not None,
        mp4="mp4" in (recorded or {}).get("avFileType", ()),
        snapshots=snapshots,
        transcoding=transcoding(request),
        announced=frozenset(name for each in facts.values() for name in _announced(each)),
        gap_ms=_ms(timings.gap_s),
        quiet_ms=_ms(timings.quiet_s),
        # While it runs nothing is overdue, however long it runs.
        deadline_ms=upload_deadline_ms(recording, timings) if is_over else None,
        transcoding_deadline_ms=0 if no_transcoding else late_until,
    )


def transcoding(request: Mapping[str, Any]) -> Transcoding | None:
    """Return the format of the file that postponed work will make, None where none was asked for.

    Mixing makes MP3 where no format is named (Agora REST: transcodeOptions). Pure.
    """
    options = request.get("transcodeOptions")
    if not options:
        return None
    if options.get("transConfig", {}).get("transMode") == "postponeTranscoding":
        return "mp4"
    named: Transcoding = options.get("container", {}).get("format") or "mp3"
    return named


def _upload(attempt: Attempt, facts: SessionFacts) -> Uploading:
    if attempt.end == "NOTHING_RECORDED":
        return "uploaded"  # nothing is to come
    if facts.upload in ("uploaded", "backuped"):
        return facts.upload
    # What a session that died was last heard to do, nobody does any more.
    return (
        "uploading" if facts.upload == "uploading" and attempt.end not in RESTARTABLE else "unknown"
    )


def _announced(facts: SessionFacts) -> list[str]:
    snapshot = facts.snapshot[1] if facts.snapshot else ""
    return [name for name in (*facts.files, *facts.transcodedFiles, snapshot) if name]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def summary(upload: Upload, verdict: Verdict) -> Upload:
    """Return what the row keeps of a verdict."""
    return replace(
        upload,
        verdict=verdict.outcome,
        files=verdict.objects,
        bytes=verdict.bytes,
        duration_ms=verdict.recorded_ms,
        missing=verdict.missing_count,
    )


def awaits_transcoding_alone(verdict: Verdict) -> bool:
    """Tell whether all that is awaited is what transcoding makes, which takes days. Pure."""
    return bool(verdict.awaiting) and all(
        finding.code == "missing_transcoding" for finding in verdict.awaiting
    )


def final_status(verdict: Verdict) -> tuple[Status, str]:
    """Return the terminal status that a verdict means, and why in one sentence. Pure."""
    if verdict.outcome == "complete":
        return "completed", "Every file that the playlists name is in the bucket."
    if awaits_transcoding_alone(verdict):
        return "incomplete", "What postponed transcoding makes is still to come."
    if verdict.missing:
        first, count = verdict.missing[0], verdict.missing_count
        return "incomplete", f"{count} files are missing, the first is {first}."
    if any(each.code == "nothing_recorded" and each.level == "error" for each in verdict.findings):
        return "failed", "Nothing was recorded."
    return "incomplete", "The playlists do not say that they are complete."


class Completion:
    """Looks at the bucket, and publishes what is there."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        bucket: str,
        timings: Timings,
        publisher: Publisher | None = None,
        s3: S3Client | None = None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
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
            late_until = (closed.ended_ms or now) + _ms(self._timings.late_s)
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
        client = self._s3 or aws.s3()
        facts = {}
        for sid in recording.sids:
            row = self._store.session(sid)
            facts[sid] = msgspec.convert((row or {}).get("facts", {}), SessionFacts)
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

"""From the end of the last session to the published recording: wait, verify, announce, close."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from agora_recording import aws, manifest
from agora_recording.clock import now_ms
from agora_recording.files import list_objects, read_object
from agora_recording.publication import Publisher
from agora_recording.recording import RANK, Recording, Status, Upload, close, end_reason, public
from agora_recording.session import SessionFacts
from agora_recording.store import Note, RecordingStore
from agora_recording.timings import UPLOAD_WAITS_S, Timings, nth_wait
from agora_recording.verification import Expectation, Session, Verdict, verify

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_UPLOADS = {"uploading": "uploading", "backuped": "backuped", "uploaded": "uploaded"}


def expectation(
    recording: Recording, facts: Mapping[str, SessionFacts], timings: Timings
) -> Expectation:
    """Return what the bucket should hold for this recording. Pure."""
    request = recording.client_request
    recorded = request.get("recordingFileConfig")
    snapshots = "snapshotConfig" in request
    sessions = [
        Session(
            sid=attempt.sid,
            started_ms=attempt.started_ms,
            ended_ms=attempt.ended_ms,
            upload=_UPLOADS.get(_facts(facts, attempt.sid).upload, "unknown"),  # type: ignore[arg-type]
        )
        for attempt in recording.attempts
        if attempt.sid
    ]
    ended = max((each.ended_ms or 0 for each in sessions), default=0) or recording.created_ms
    is_over = RANK[recording.status] >= RANK["uploading"]
    return Expectation(
        prefix=recording.prefix,
        mode=recording.mode,
        cname=recording.cname,
        sessions=tuple(sessions),
        hls=not snapshots or recorded is not None,
        mp4="mp4" in (recorded or {}).get("avFileType", ()),
        snapshots=snapshots,
        announced=frozenset(name for each in facts.values() for name in each.files),
        quiet_ms=round(timings.quiet_s * 1000),
        # While it runs nothing is overdue, however long it runs.
        deadline_ms=ended + round(timings.upload_s * 1000) if is_over else None,
    )


def _facts(facts: Mapping[str, SessionFacts], sid: str) -> SessionFacts:
    return facts.get(sid, SessionFacts())


def summary(upload: Upload, verdict: Verdict) -> Upload:
    """Return what the row keeps of a verdict."""
    return replace(
        upload,
        verdict=verdict.outcome,
        files=verdict.objects,
        bytes=verdict.bytes,
        duration_ms=verdict.recorded_ms,
        missing=len(verdict.missing),
    )


def final_status(verdict: Verdict) -> tuple[Status, str]:
    """Return the terminal status that a verdict means, and why in one sentence. Pure."""
    if verdict.outcome == "complete" and verdict.objects:
        return "completed", "Every file that the playlists name is in the bucket."
    if not verdict.objects:
        return "failed", "Nothing was recorded."
    missing = verdict.missing
    if missing:
        return "incomplete", f"{len(missing)} files are missing, the first is {missing[0]}."
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

    def look(self, recording_id: str, looks: int) -> dict[str, Any]:
        """Verify once; return {verdict, waitSeconds, looks}. `looks`: how often it was before."""
        recording = self._store.get(recording_id)
        verdict = self.verify(recording)
        self._store.amend(
            recording_id, lambda row: replace(row, upload=summary(row.upload, verdict))
        )
        return {
            "verdict": verdict.outcome,
            "waitSeconds": nth_wait(UPLOAD_WAITS_S, looks),
            "looks": looks + 1,
        }

    def publish(self, recording_id: str) -> dict[str, Any]:
        """Write the manifest, announce the end, close the row; return {status, endReason, missing}.

        May be repeated at any point: it says and writes the same again.
        """
        assert self._publisher is not None
        recording = self._store.get(recording_id)
        status: Status
        if recording.sids:
            verdict = self.verify(recording)
            status, reason = final_status(verdict)
            key = f"{recording.prefix}manifest.json"
            recording = replace(
                recording, upload=replace(summary(recording.upload, verdict), manifest=key)
            )
        else:
            verdict = None
            status, reason = "failed", recording.reason or "No session could be started."
        last = recording.attempts[-1].ended_ms if recording.attempts else None
        closed = close(recording, status, end_reason(recording), reason, last or self._now_ms())
        if verdict:
            self._write_manifest(closed, verdict)
        self._publisher.announce_end(closed)
        now = self._now_ms()
        closed = self._store.amend(
            recording_id,
            lambda row: close(
                replace(row, upload=closed.upload),
                closed.status,
                closed.end_reason or "",
                reason,
                closed.ended_ms or now,
            ),
            lambda *_: [Note(now, "published", f"Published as {closed.status}: {reason}")],
        )
        return {
            "status": closed.status,
            "endReason": closed.end_reason,
            "missing": closed.upload.missing,
        }

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

"""What a verdict means for a recording: its status, why in one sentence, and its row from then on.

Each change takes the row as it is and returns the row as it shall be: a step forward or no change.
"""

from __future__ import annotations

from msgspec.structs import replace

from agora_recording.clock import to_ms
from agora_recording.files import manifest
from agora_recording.files.verdict import Verdict
from agora_recording.recording.model import Outcome, Recording, Status, Upload, close, end_reason
from agora_recording.recording.timings import Timings


def awaits_transcoding_alone(verdict: Verdict) -> bool:
    """Tell whether all that is awaited is what transcoding makes, which takes days."""
    return bool(verdict.awaiting) and all(
        finding.code == "missing_transcoding" for finding in verdict.awaiting
    )


def outcome_of(verdict: Verdict) -> Outcome:
    """Return whether the execution may go on to publish: not while files are `pending`.

    What only postponed transcoding will bring takes days: it is `incomplete` for now.
    """
    if awaits_transcoding_alone(verdict):
        return "incomplete"
    return verdict.outcome


def final_status(verdict: Verdict) -> tuple[Status, str]:
    """Return the terminal status that a verdict means, and why in one sentence."""
    if verdict.outcome == "complete":
        return "completed", "Every file that the playlists name is in the bucket."
    if awaits_transcoding_alone(verdict):
        return "incomplete", "The files of postponed transcoding are still to come."
    if verdict.missing:
        first, count = verdict.missing[0], verdict.missing_count
        return "incomplete", f"{count} files are missing, the first is {first}."
    if any(each.code == "nothing_recorded" and each.level == "error" for each in verdict.findings):
        return "failed", "Nothing was recorded."
    return "incomplete", "The playlists do not say that they are complete."


def looked_at(row: Recording, verdict: Verdict) -> Recording:
    """Return an uploading recording with what a look into the bucket has found."""
    return row if row.is_terminal else replace(row, upload=_summary(row.upload, verdict))


def published(row: Recording, verdict: Verdict | None, timings: Timings, now_ms: int) -> Recording:
    """Return the recording closed; without a verdict, since no session ever started, as failed.

    An incomplete recording is open for late files from its end on, for as long as `timings` say.
    """
    if row.is_terminal:
        return row
    status: Status = "failed"
    reason = row.reason or "No session could be started."
    if verdict:
        status, reason = final_status(verdict)
        row = replace(row, upload=_published_upload(row, verdict))
    ended_ms = row.attempts[-1].ended_ms if row.attempts else None
    closed = close(row, status, end_reason(row), reason, ended_ms or now_ms)
    if status != "incomplete" or not timings.late_s:
        return closed
    late_until_ms = (closed.ended_ms or now_ms) + to_ms(timings.late_s)
    return replace(closed, late_until_ms=late_until_ms, looked_ms=now_ms)


def looked_at_again(row: Recording, verdict: Verdict, now_ms: int) -> Recording:
    """Return an incomplete recording upgraded where its late files have come.

    Where they have not, it keeps what is there now, and awaits no more once its time is over.
    """
    if not row.awaits_late_files:
        return row
    status, reason = final_status(verdict)
    changed = replace(row, upload=_summary(row.upload, verdict), reason=reason)
    if status == "completed":
        return close(changed, status, "", reason, now_ms)
    is_over = now_ms >= (row.late_until_ms or 0)
    return replace(changed, late_until_ms=None) if is_over else changed


def published_again(row: Recording, verdict: Verdict, now_ms: int) -> Recording:
    """Return a recording that is over with its files as they are now; its status only improves."""
    status, reason = final_status(verdict)
    return close(replace(row, upload=_published_upload(row, verdict)), status, "", reason, now_ms)


def _summary(upload: Upload, verdict: Verdict) -> Upload:
    return replace(
        upload,
        verdict=verdict.outcome,
        files=verdict.objects,
        bytes=verdict.bytes,
        duration_ms=verdict.recorded_ms,
        missing=verdict.missing_count,
    )


def _published_upload(row: Recording, verdict: Verdict) -> Upload:
    return replace(_summary(row.upload, verdict), manifest=f"{row.prefix}{manifest.FILE}")

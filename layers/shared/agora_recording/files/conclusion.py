"""What a verdict means for a recording: its status, the reason in a sentence, and its new row.

Each change takes the current row and returns the new row: a step forward or no change.
"""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace

from agora_recording.clock import to_ms
from agora_recording.files import manifest
from agora_recording.files.verdict import MAX_LENGTHS, Code, Verdict
from agora_recording.recording.due import overdue_ms
from agora_recording.recording.ending import cause, may_have_files
from agora_recording.recording.model import Outcome, Recording, Status, Upload, close, end_reason
from agora_recording.recording.timings import Timings

_WITHOUT_FAULT = frozenset({"STOPPED", "EXITED", "IDLE", "NOTHING_RECORDED", "WEB_MAX_DURATION"})

# Findings that say more than that the playlists are not complete: the first that was made counts.
_REASONS: dict[Code, str] = {
    "too_large": "There is more in the bucket than can be checked.",
    "nothing_recorded": "Nothing was recorded.",
    "unknown_session": "The only files in the bucket are those of an unknown session.",
    "nothing_playable": "There is media in the bucket, but no playlist plays it.",
    "shortened_playlist": "A playlist names fewer segments than it did before.",
}


# What a consumer calls the kinds of files.
KINDS = {
    "playlist": "hls",
    "mpd": "dash",
    "mp4": "mp4",
    "audio": "audio",
    "snapshot": "snapshots",
}


def kinds_of(verdict: Verdict) -> list[str]:
    """Return which kinds of files are there: hls, dash, mp4, audio, snapshots."""
    found = {KINDS[each.kind] for each in verdict.files if each.size and each.kind in KINDS}
    if any(track.playlists for track in verdict.tracks):
        found.add("hls")
    if verdict.snapshots.count:
        found.add("snapshots")
    return sorted(found)


def awaits_transcoding_alone(verdict: Verdict) -> bool:
    """Tell whether only files of postponed transcoding, which take days, are awaited."""
    return bool(verdict.awaiting) and all(
        finding.code == "missing_transcoding" for finding in verdict.awaiting
    )


def outcome_of(verdict: Verdict) -> Outcome:
    """Return the outcome for the execution, which publishes unless it is `pending`.

    Files of postponed transcoding take days: if only these are awaited, it is `incomplete`.
    """
    if awaits_transcoding_alone(verdict):
        return "incomplete"
    return verdict.outcome


def final_status(verdict: Verdict) -> tuple[Status, str]:
    """Return the terminal status that a verdict means, and the reason in one sentence."""
    if verdict.outcome == "complete":
        return "completed", "Every file that the playlists name is in the bucket."
    if awaits_transcoding_alone(verdict):
        return "incomplete", "The files of postponed transcoding are still to come."
    if verdict.missing:
        first, count = verdict.missing[0], verdict.missing_count
        return "incomplete", f"{count} files are missing, the first is {first}."
    if not verdict.objects and any(each.code == "nothing_recorded" for each in verdict.awaiting):
        return "incomplete", "Nothing has come yet."
    errors = {each.code for each in verdict.findings if each.level == "error"}
    for code, reason in _REASONS.items():
        if code in errors:
            return "failed" if code == "nothing_recorded" else "incomplete", reason
    return "incomplete", "The playlists do not say that they are complete."


def _concluded(row: Recording, verdict: Verdict) -> tuple[Status, str]:
    """Return the terminal status and the reason: a cause that was told comes before the files.

    If every file is there after a session that ended without a fault, it is not worth a word.
    """
    status, files = final_status(verdict)
    told = cause(row)
    if told is None or (status == "completed" and row.sid and row.session_end in _WITHOUT_FAULT):
        return status, files
    return status, told if status == "failed" else f"{told} {files}"


def looked_at(row: Recording, verdict: Verdict) -> Recording:
    """Return the recording with the verdict of a look at the bucket; unchanged if it is closed."""
    if row.is_terminal:
        return row
    return replace(row, upload=_summary(row.upload, verdict), index_lengths=_lengths(row, verdict))


def published(row: Recording, verdict: Verdict | None, timings: Timings, now_ms: int) -> Recording:
    """Return the closed recording. Without a verdict, no session is known, and no file: it has
    failed.

    For `timings.late_s` after its end, an incomplete recording still awaits late files, and so does
    one that failed, if files may still come.
    """
    if row.is_terminal:
        return row
    status: Status = "failed"
    reason = cause(row) or "No session could be started."
    if verdict:
        status, reason = _concluded(row, verdict)
        upload, lengths = _published_upload(row, verdict), _lengths(row, verdict)
        row = replace(row, upload=upload, index_lengths=lengths)
    ended_ms = row.attempts[-1].ended_ms if row.attempts else None
    closed = close(row, status, end_reason(row), reason, ended_ms or now_ms)
    is_final = status == "failed" and not may_have_files(row, now_ms, timings)
    if status == "completed" or is_final or not timings.late_s:
        return closed
    late_until_ms = (closed.ended_ms or now_ms) + to_ms(timings.late_s)
    return replace(closed, late_until_ms=late_until_ms, looked_ms=now_ms)


def looked_at_again(row: Recording, verdict: Verdict, timings: Timings, now_ms: int) -> Recording:
    """Return a recording that awaits late files after another look: better if they have come.

    One that failed stays so while nothing is there. Otherwise it gets the new verdict; files that
    Agora's backup should have delivered by now are overdue (those of postponed transcoding, which
    take days, are not). After `late_until_ms` it awaits no more files.
    """
    if not row.awaits_late_files:
        return row
    is_over = now_ms >= (row.late_until_ms or 0)
    until_ms = None if is_over else row.late_until_ms
    status, reason = _concluded(row, verdict)
    if status == "failed" or (row.status == "failed" and not verdict.objects):
        return replace(row, late_until_ms=until_ms)
    upload, lengths = _published_upload(row, verdict), _lengths(row, verdict)
    changed = replace(row, upload=upload, index_lengths=lengths, reason=reason)
    changed = close(changed, status, "", reason, now_ms)
    if status == "completed":
        return changed
    is_late = row.overdue_ms is None and now_ms >= overdue_ms(row, timings)
    if is_late and not awaits_transcoding_alone(verdict):
        changed = replace(changed, overdue_ms=now_ms)
    return replace(changed, late_until_ms=until_ms)


def published_again(row: Recording, verdict: Verdict, now_ms: int) -> Recording:
    """Return an ended recording with its files as they are now; its status can only improve."""
    status, reason = _concluded(row, verdict)
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


def _lengths(row: Recording, verdict: Verdict) -> dict[str, int]:
    """Return the greatest length of each index that any look has found, of the first indexes."""
    now = verdict.lengths
    known = row.index_lengths
    keys = islice(dict.fromkeys((*known, *now)), MAX_LENGTHS)
    return {key: max(known.get(key, 0), now.get(key, 0)) for key in keys}

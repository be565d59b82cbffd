"""Which files the bucket should hold, by a recording's request and its notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agora_recording.clock import to_ms
from agora_recording.files.verdict import Expectation, Session, TranscodedFormat, Uploading
from agora_recording.notifications.facts import NOTHING, SessionFacts
from agora_recording.recording.adopting import unaccounted
from agora_recording.recording.due import over_ms, upload_deadline_ms
from agora_recording.recording.model import (
    RANK,
    RECORDED_ENDS,
    RESTARTABLE,
    Attempt,
    Recording,
)
from agora_recording.recording.timings import Timings
from agora_recording.request.rules import START_MODES

# Event 1001 is the final result of transcoding; these mean that files will not come.
_GIVEN_UP = ("final_failed", "final_partial_success")


def expectation(
    recording: Recording, facts: Mapping[str, SessionFacts], timings: Timings
) -> Expectation:
    """Return what the bucket should hold for this recording."""
    request = recording.client_request
    recorded = request.get("recordingFileConfig")
    kinds = (recorded or {}).get("avFileType") or ["hls"]
    snapshots = _is_asked(recording, "snapshotConfig")
    started = sorted(
        (attempt for attempt in recording.attempts if attempt.sid), key=lambda each: each.number
    )
    ended = over_ms(recording)
    late_until = recording.late_until_ms or ended + to_ms(timings.late_s)
    is_over = RANK[recording.status] >= RANK["uploading"]
    no_transcoding = any(each.transcoding in _GIVEN_UP for each in facts.values())
    return Expectation(
        prefix=recording.prefix,
        mode=recording.mode,
        cname=recording.cname,
        sessions=tuple(_session(attempt, facts) for attempt in started),
        hls="hls" in kinds and (not snapshots or recorded is not None),
        mp4="mp4" in kinds,
        mp3="mp3" in kinds,
        snapshots=snapshots,
        transcoding=(transcoding(request) if _is_asked(recording, "transcodeOptions") else None),
        is_unaccounted=unaccounted(recording, ended, timings) is not None,
        announced=frozenset(name for each in facts.values() for name in _announced(each)),
        lengths=recording.index_lengths,
        gap_ms=to_ms(timings.gap_s),
        quiet_ms=to_ms(timings.quiet_s),
        # While it runs, nothing is overdue.
        deadline_ms=upload_deadline_ms(recording, timings) if is_over else None,
        transcoding_deadline_ms=0 if no_transcoding else late_until,
    )


def _is_asked(recording: Recording, field: str) -> bool:
    """Tell whether a request has a field that takes effect in its mode."""
    return field in recording.client_request and recording.mode in START_MODES[field]


def transcoding(request: Mapping[str, Any]) -> TranscodedFormat | None:
    """Return the format of the file that postponed work will make; None without such work.

    Mixing makes MP3 if no format is named (Agora REST: transcodeOptions).
    """
    options = request.get("transcodeOptions")
    if not options:
        return None
    if options.get("transConfig", {}).get("transMode") == "postponeTranscoding":
        return "mp4"
    named: TranscodedFormat = options.get("container", {}).get("format") or "mp3"
    return named


def _session(attempt: Attempt, facts: Mapping[str, SessionFacts]) -> Session:
    sid = attempt.sid or ""
    told = facts.get(sid, NOTHING)
    return Session(
        sid=sid,
        started_ms=attempt.started_ms,
        ended_ms=attempt.ended_ms,
        upload=_upload(attempt, told),
        has_recorded=_has_recorded(attempt, told),
    )


def _upload(attempt: Attempt, facts: SessionFacts) -> Uploading:
    if attempt.has_nothing:
        return "uploaded"
    if facts.tokenExpiredMs is not None:
        return "unknown"  # Agora could not upload for a time: only the bucket can be believed
    if facts.upload in ("uploaded", "backuped"):
        return facts.upload
    if attempt.stranded:
        return "stranded"
    # After a session died, its last event is no longer true; one whose token ended goes on.
    is_lost = attempt.end in RESTARTABLE and attempt.end != "TOKEN_ENDED"
    has_died = is_lost or (attempt.end == "TAKEN_OVER" and attempt.gone_ms)
    return "uploading" if facts.upload == "uploading" and not has_died else "unknown"


def _announced(facts: SessionFacts) -> list[str]:
    snapshot = facts.snapshot[1] if facts.snapshot else ""
    return [name for name in (*facts.files, *facts.transcodedFiles, snapshot) if name]


def _has_recorded(attempt: Attempt, facts: SessionFacts) -> bool:
    """Tell whether there should be files of a session, as far as anybody has said.

    Agora was seen to record, or gave a sign of it, or took our stop; or the session lived as long
    as its token. One that was given up while it started may have recorded for long.
    """
    is_seen = attempt.confirmed_ms is not None or facts.lastSignMs is not None
    return is_seen or attempt.end in RECORDED_ENDS

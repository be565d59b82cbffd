"""A recording as the API shows it: no secrets, no internal fields."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from agora_recording.clock import Instant, iso
from agora_recording.recording.model import (
    Attempt,
    Mode,
    Recording,
    SessionEnd,
    Status,
    StopReason,
    Upload,
)


class AttemptView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """One session with Agora, as the API shows it."""

    number: int
    uid: str
    sid: str | None = None
    begun_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    end: SessionEnd | None = None
    reason: str | None = None  # the cause of its end that was told


class RecordingView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """A recording as the API and the events show it. No secret, no token, no clientRequest."""

    recording_id: str
    status: Status
    cname: str
    uid: str | None = None  # of the current attempt, or the caller's for the first
    mode: Mode
    sid: str | None = None
    attempts: list[AttemptView]
    created_at: Instant
    start_at: Instant | None = None  # when it is to begin, if that was asked for
    stop_at: Instant | None = None  # when it is to be stopped, if that was asked for
    started_at: Instant | None = None
    ended_at: Instant | None = None
    late_until: Instant | None = None  # until when missing files are awaited
    overdue_at: Instant | None = None  # since when they are overdue: Agora's backup ends after 72 h
    deleting_at: Instant | None = None
    stop_reason: StopReason | None = None
    end_reason: str | None = None
    reason: str | None = None
    upload: Upload
    max_duration_seconds: int
    restart_limit: int
    tags: dict[str, str]
    prefix: str


def public(recording: Recording) -> dict[str, Any]:
    """Return what the API shows of it; fields that are None are left out."""
    attempt = recording.attempt
    view = RecordingView(
        recording_id=recording.recording_id,
        status=recording.status,
        cname=recording.cname,
        uid=attempt.uid if attempt else recording.uid,
        mode=recording.mode,
        sid=recording.sid,
        attempts=[_attempt_view(each) for each in recording.attempts],
        created_at=iso(recording.created_ms),
        start_at=_iso(recording.start_at_ms),
        stop_at=_iso(recording.stop_at_ms),
        started_at=_iso(recording.started_ms),
        ended_at=_iso(recording.ended_ms),
        late_until=_iso(recording.late_until_ms),
        overdue_at=_iso(recording.overdue_ms),
        deleting_at=_iso(recording.deleting_ms),
        stop_reason=recording.stop_reason,
        end_reason=recording.end_reason,
        reason=recording.reason,
        upload=recording.upload,
        max_duration_seconds=recording.max_duration_seconds,
        restart_limit=recording.restart_limit,
        tags=recording.tags,
        prefix=recording.prefix,
    )
    return cast(dict[str, Any], msgspec.to_builtins(view))


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        uid=attempt.uid,
        sid=attempt.sid,
        begun_at=iso(attempt.begun_ms),
        started_at=_iso(attempt.started_ms),
        ended_at=_iso(attempt.ended_ms),
        end=attempt.end,
        reason=attempt.reason,
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)

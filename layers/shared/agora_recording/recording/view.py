"""A recording as the API shows it: no secrets, no internal fields."""

from __future__ import annotations

from typing import Annotated, Any, cast

import msgspec
from msgspec import Meta

from agora_recording.agora.redaction import without_secrets
from agora_recording.agora.requests import AudioUidList, Layout, VideoUidList
from agora_recording.clock import Instant, iso
from agora_recording.recording.model import (
    Attempt,
    Mode,
    Recording,
    SessionEnd,
    Status,
    StopReason,
    TakeOver,
    Upload,
)

_LISTS = (*AudioUidList.__struct_fields__, *VideoUidList.__struct_fields__)
_LAYOUT_FIELDS = Layout.__struct_fields__
_SUBSCRIPTION = (
    "Whose streams are recorded now, by Agora's lists of uids; absent if everybody's are. In the "
    "answers of the calls for one recording."
)
_LAYOUT = (
    "The layout of a mix recording as it is now, without secrets; absent if it is Agora's default. "
    "In the answers of the calls for one recording."
)


class AttemptView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """One session with Agora, as the API shows it."""

    number: int
    uid: str
    sid: str | None = None
    begun_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    takes_over: TakeOver | None = None  # why it began before the one before it was over
    token_until: Instant | None = None  # when the token ends that the stack made for it
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
    auto_record: str | None = None  # the rule that started it
    prefix: str
    subscription: Annotated[dict[str, list[str]] | None, Meta(description=_SUBSCRIPTION)] = None
    layout: Annotated[dict[str, Any] | None, Meta(description=_LAYOUT)] = None


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
        # A session whose successor failed is the current one again.
        attempts=[
            _attempt_view(each) for each in sorted(recording.attempts, key=lambda each: each.number)
        ],
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
        auto_record=recording.auto_record,
        prefix=recording.prefix,
    )
    return cast(dict[str, Any], msgspec.to_builtins(view))


def detailed(recording: Recording) -> dict[str, Any]:
    """Return what the API shows of one recording: also its present subscription and layout.

    They are as the last change left them, or as the request asked for them. Lists and events do not
    have them: a layout may be large.
    """
    shown = public(recording)
    config = recording.client_request.get("recordingConfig")
    if not isinstance(config, dict) or recording.mode == "web":
        return shown
    lists = {name: config[name] for name in _LISTS if name in config}
    if lists:
        shown["subscription"] = lists
    transcoding = config.get("transcodingConfig")
    if recording.mode == "mix" and isinstance(transcoding, dict):
        given = {name: transcoding[name] for name in _LAYOUT_FIELDS if name in transcoding}
        if layout := without_secrets(given):
            shown["layout"] = layout
    return shown


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        uid=attempt.uid,
        sid=attempt.sid,
        begun_at=iso(attempt.begun_ms),
        started_at=_iso(attempt.started_ms),
        ended_at=_iso(attempt.ended_ms),
        takes_over=attempt.takes_over,
        token_until=_iso(attempt.token_until_ms),
        end=attempt.end,
        reason=attempt.reason,
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)

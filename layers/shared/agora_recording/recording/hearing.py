"""Applies notifications: to a session's facts, and these to the recording that owns it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from agora_recording.notifications import events
from agora_recording.notifications import facts as session
from agora_recording.notifications.effects import merge
from agora_recording.notifications.facts import SessionFacts, SessionRow
from agora_recording.recording.adopting import fitting
from agora_recording.recording.model import (
    RENEW_NOW_MS,
    Recording,
    SessionEnd,
    Upload,
    cause_told,
    end_session,
    orphan_ended,
    orphan_seen,
    predecessor_ended,
    seen,
    started,
    storage_refused,
)

_further_upload = session.furthest(session.Upload)
_FILES_CAME = (
    events.Uploaded,
    events.Backuped,
    events.TranscoderCompleted,
    events.PostponeTranscodeFinalResult,
)


def merged(row: SessionRow, news: Sequence[events.Event]) -> tuple[SessionRow, bool]:
    """Return a session's row with new events merged in, and whether a gap has opened.

    The first cname and uid are kept: after a failover, events have another uid.
    """
    facts = row.facts
    for event in news:
        facts = merge(facts, event)
    changed = replace(
        row,
        cname=row.cname or next((event.cname for event in news if event.cname), None),
        uid=row.uid or next((event.uid for event in news if event.uid), None),
        facts=facts,
    )
    return changed, bool(set(_ranges(facts)) - set(_ranges(row.facts)))


def _ranges(facts: SessionFacts) -> list[tuple[str, int, int]]:
    return [(uid, *gap) for uid, missing in session.gaps(facts).items() for gap in missing]


def applied(
    recording: Recording, sid: str, facts: SessionFacts, now_ms: int, *, gap: bool
) -> Recording:
    """Return the recording with a session's facts and sid; a repetition changes nothing.

    Only for a session that is known to be the recording's.
    """
    if recording.deleting_ms:
        return recording
    number = fitting(recording, sid, facts)
    changed = recording if number is None else started(recording, sid, now_ms, number=number)
    ended = session.session_ended(facts)
    if ended:
        changed = predecessor_ended(changed, sid, _end(changed, ended), now_ms)
        changed = orphan_ended(changed, sid, now_ms)
    elif facts.lastSignMs is not None:
        changed = orphan_seen(changed, sid, min(facts.lastSignMs, now_ms))
    if sid != changed.sid:
        return changed
    if facts.lastSignMs is not None and not ended:
        changed = seen(changed, min(facts.lastSignMs, now_ms))
    if facts.progress is not None:
        changed = replace(changed, beats=True)
    # Where event 33 comes, the next minute tells more than a gap does.
    is_gap = gap and not changed.beats
    if is_gap or session.needs_query(facts, recording.queried_ms):
        changed = replace(changed, gap_seen=True)
    changed = replace(changed, upload=_upload(changed.upload, facts))
    if _needs_token(changed, facts):
        changed = replace(changed, storage_token_ms=RENEW_NOW_MS)
    told = session.cause(facts)
    if told:
        changed = cause_told(changed, sid, told)
    if session.is_storage_refused(facts):
        changed = storage_refused(changed, sid, now_ms)
        changed = orphan_ended(changed, sid, now_ms) if ended else changed
    elif ended:
        changed = end_session(changed, _end(changed, ended), now_ms)
    return changed


def _needs_token(recording: Recording, facts: SessionFacts) -> bool:
    """Tell whether Agora's credentials for the bucket expired after they were last renewed."""
    renewed_ms, expired_ms = recording.storage_token_ms, facts.tokenExpiredMs
    return renewed_ms is not None and expired_ms is not None and expired_ms >= renewed_ms


def _end(recording: Recording, ended: session.EndReason) -> SessionEnd:
    return "STOPPED" if recording.stop_reason and ended == "EXITED" else ended


def _upload(upload: Upload, facts: SessionFacts) -> Upload:
    state = _further_upload(upload.state, facts.upload)
    return replace(upload, state=state, progress=max(upload.progress, facts.progress or 0))


def is_worth_a_look(recording: Recording, news: Iterable[events.Event]) -> bool:
    """Tell whether new events report files that are awaited."""
    return (recording.status == "uploading" or recording.awaits_late_files) and any(
        isinstance(event.details, _FILES_CAME) for event in news
    )

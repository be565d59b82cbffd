"""The facts of a session, for people: how it ended, what went wrong, who was in the channel.

The timeline shows every event, but only as long as notifications are kept. This report sums them
up, and does not expire.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from agora_recording.clock import Instant, iso
from agora_recording.notifications.facts import (
    EndReason,
    SessionFacts,
    Transcoding,
    Upload,
    session_ended,
)
from agora_recording.notifications.words import (
    STORAGE_EXPIRED,
    STORAGE_EXPIRED_WORDS,
    WARNINGS,
    call_did_not_fit,
    error_words,
    module_words,
    numbered,
    recorder_left,
    service_ended,
    web_recording_stopped,
)

_ARRIVES = 0  # Agora callbacks: 43 and 44


class _View(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Base of the views: fields that are None or empty are left out of the JSON."""


class ProblemView(_View, frozen=True, kw_only=True):
    """An error or a warning of Agora's; `level` is 1 to 5, and 5 may have ended the recording."""

    kind: Literal["error", "warning"]
    text: str
    level: int | None = None
    last_at: Instant


class TrackView(_View, frozen=True, kw_only=True):
    """A participant's audio or video: whether it arrives, and since when."""

    arrives: bool
    since: Instant


class ParticipantView(_View, frozen=True, kw_only=True):
    """Somebody who was recorded; uid 0 stands for all of them, mixed."""

    uid: str
    audio: TrackView | None = None
    video: TrackView | None = None


class InterruptionView(_View, frozen=True, kw_only=True):
    """A time in which a track was not recorded."""

    track: str
    uid: str
    begun_at: Instant
    ended_at: Instant


class OutputView(_View, frozen=True, kw_only=True):
    """A CDN output: its host and a hash, never its address, which holds a key."""

    target: str
    status: str
    since: Instant


class SessionReport(_View, frozen=True, kw_only=True):
    """One session. Instants are RFC 3339 text, by Agora's clock."""

    sid: str
    recorder_uids: tuple[str, ...] = ()  # more than one after a failover
    first_heard_at: Instant | None = None
    last_heard_at: Instant | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    end: EndReason | None = None
    remarks: tuple[str, ...] = ()  # how it ended, in sentences
    upload: Upload = "none"
    transcoding: Transcoding = "none"
    problems: tuple[ProblemView, ...] = ()  # the worst first
    participants: tuple[ParticipantView, ...] = ()
    interruptions: tuple[InterruptionView, ...] = ()
    outputs: tuple[OutputView, ...] = ()


def report(sid: str, facts: SessionFacts) -> SessionReport:
    """Return the report of a session; without notifications, it has only the sid."""
    return SessionReport(
        sid=sid,
        recorder_uids=facts.uids,
        first_heard_at=_iso(facts.firstSeenMs),
        last_heard_at=_iso(facts.lastSeenMs),
        started_at=_iso(facts.startedMs),
        ended_at=_iso(facts.endedMs),
        end=session_ended(facts),
        remarks=tuple(_remarks(facts)),
        upload=facts.upload,
        transcoding=facts.transcoding,
        problems=(*_errors(facts), *_warnings(facts)),
        participants=tuple(_participants(facts)),
        interruptions=tuple(
            InterruptionView(track=track, uid=uid, begun_at=iso(begun), ended_at=iso(ended))
            for begun, ended, key in facts.interruptions
            for track, _, uid in [key.partition(":")]
        ),
        outputs=tuple(
            OutputView(target=target, status=status, since=iso(at))
            for target, (at, status) in facts.outputs.items()
        ),
    )


def _remarks(facts: SessionFacts) -> Iterator[str]:
    if facts.exitStatus is not None:
        yield service_ended(facts.exitStatus)
    if facts.leaveCode is not None:
        yield recorder_left(facts.leaveCode)
    if facts.webStop is not None:
        yield web_recording_stopped(*facts.webStop)
    if facts.serviceStatus is not None:
        yield call_did_not_fit(facts.serviceStatus[1])


def _errors(facts: SessionFacts) -> Iterator[ProblemView]:
    worst_first = sorted(facts.errors.items(), key=lambda each: each[1], reverse=True)
    for key, (level, at) in worst_first:
        yield ProblemView(kind="error", text=error_words(key), level=level or None, last_at=iso(at))


def _warnings(facts: SessionFacts) -> Iterator[ProblemView]:
    latest_first = sorted(facts.warnings.items(), key=lambda each: each[1], reverse=True)
    for key, at in latest_first:
        yield ProblemView(kind="warning", text=_warning_words(key), last_at=iso(at))


def _warning_words(key: str) -> str:
    match key.split(":", 2):
        case ["web", "reload", reason]:
            return f"The page was loaded again: {reason or 'no reason given'}."
        case _ if key == STORAGE_EXPIRED:
            return STORAGE_EXPIRED_WORDS
    module, _, code = key.partition(":")
    what = f"{numbered('Warning', code)} from {module_words(module)}"
    return f"{what}: {WARNINGS.get(key, 'not explained')}."


def _participants(facts: SessionFacts) -> Iterator[ParticipantView]:
    tracks: dict[str, dict[str, TrackView]] = {}
    for key, (at, state) in facts.streams.items():
        track, _, uid = key.partition(":")
        tracks.setdefault(uid, {})[track] = TrackView(arrives=state == _ARRIVES, since=iso(at))
    for uid in sorted(tracks, key=lambda uid: (len(uid), uid)):  # the order of numbers
        yield ParticipantView(
            uid=uid, audio=tracks[uid].get("audio"), video=tracks[uid].get("video")
        )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)

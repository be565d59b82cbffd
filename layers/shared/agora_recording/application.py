"""Applying stored notifications, behind the answer: into the session, then into its recording.

Both steps are merges that a repetition does not change, so a batch may be applied in part, again,
or in any order. What cannot be applied at all goes to the poison queue with everything needed to
apply it later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from agora_recording import aws, events, session
from agora_recording.arrival_queue import ArrivalQueue
from agora_recording.attributes import from_item
from agora_recording.clock import now_ms
from agora_recording.errors import StoreUnavailableError, WriteConflictError
from agora_recording.observability import logger
from agora_recording.recording import (
    Recording,
    SessionEnd,
    Upload,
    end_session,
    orphan_ended,
    seen,
    started,
)
from agora_recording.session import SessionFacts
from agora_recording.store import Note, RecordingStore
from agora_recording.wake import Waker

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

UPLOAD_RANK = ("none", "started", "uploading", "backuped", "uploaded")
# A channel's recordings that may own a session nobody knows: those begun last.
_CANDIDATES = 20
# Our clock wrote when the attempt began, Agora's when its session was first heard of.
_CLOCKS_APART_MS = 30_000
_FILES_CAME = (
    events.Uploaded,
    events.Backuped,
    events.TranscoderCompleted,
    events.PostponeTranscodeFinalResult,
)
_TRANSIENT = (BotoCoreError, ClientError, StoreUnavailableError, WriteConflictError)


class Stored(NamedTuple):
    """A notification from the table's stream: its place there, its row, and what it says."""

    place: str
    row: dict[str, Any]
    event: events.Event


def merged(
    row: dict[str, Any] | None, news: Sequence[events.Event]
) -> tuple[dict[str, Any], SessionFacts, bool]:
    """Return a session's row with news merged in, its facts, and whether a gap has opened. Pure."""
    row = row or {"version": 0, "facts": {}}
    before = msgspec.convert(row.get("facts", {}), SessionFacts)
    after = before
    for event in news:
        after = session.merge(after, event)
    names = {
        name: value
        for event in reversed(news)
        for name, value in (("cname", event.cname), ("uid", event.uid))
        if value
    }
    # The first cname and uid stand: after a failover the uid is another one.
    changed = {**names, **row, "facts": msgspec.to_builtins(after)}
    opened = bool(set(_ranges(after)) - set(_ranges(before)))
    return changed, after, opened


def _ranges(facts: SessionFacts) -> list[tuple[str, int, int]]:
    return [(uid, *gap) for uid, missing in session.gaps(facts).items() for gap in missing]


def owned(recording: Recording, sid: str, facts: SessionFacts) -> int | None:
    """Return the number of the attempt that an unknown session must be, if it is one's. Pure.

    Either it has this sid already, or its start was lost: it has a uid of the session's (after a
    failover there are several), got a resourceId, never learnt its sid, and began before it, as
    far as Agora's clock and ours agree.
    """
    for attempt in reversed(recording.attempts):
        if attempt.sid == sid:
            return attempt.number
        if (
            attempt.sid is None
            and attempt.uid in facts.uids
            and attempt.resource_id
            and facts.firstSeenMs is not None
            and attempt.begun_ms <= facts.firstSeenMs + _CLOCKS_APART_MS
        ):
            return attempt.number
    return None


def applied(
    recording: Recording, sid: str, facts: SessionFacts, now_ms: int, *, gap: bool
) -> Recording:
    """Return the recording with a session's facts applied, its sid learnt. Pure, and a merge."""
    number = owned(recording, sid, facts)
    changed = recording if number is None else started(recording, sid, now_ms, number=number)
    ended = session.session_ended(facts)
    if ended:
        changed = orphan_ended(changed, sid, now_ms)
    if sid != changed.sid:
        return changed
    if facts.lastSignMs is not None and not ended:
        changed = seen(changed, min(facts.lastSignMs, now_ms))
    if gap or session.needs_query(facts, recording.queried_ms):
        changed = replace(changed, gap_seen=True)
    changed = replace(changed, upload=_upload(changed.upload, facts))
    if ended:
        changed = end_session(changed, _end(changed, ended), now_ms, sid=sid)
    return changed


def _end(recording: Recording, ended: session.EndReason) -> SessionEnd:
    return "STOPPED" if recording.stop_reason and ended == "EXITED" else ended


def _upload(upload: Upload, facts: SessionFacts) -> Upload:
    state = max(upload.state, facts.upload, key=UPLOAD_RANK.index)
    return replace(upload, state=state, progress=max(upload.progress, facts.progress or 0))


def is_worth_a_look(recording: Recording, news: Iterable[events.Event]) -> bool:
    """Tell whether news say that files have come which are waited for. Pure."""
    return (recording.status == "uploading" or recording.awaits_late_files) and any(
        isinstance(event.details, _FILES_CAME) for event in news
    )


class Applier:
    """Applies batches of the table's stream."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        waker: Waker,
        arrivals: ArrivalQueue,
        poison_queue_url: str,
        sqs: SQSClient | None = None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._waker = waker
        self._arrivals = arrivals
        self._poison_queue_url = poison_queue_url
        self._sqs = sqs
        self._now_ms = now_ms

    def apply(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Apply records of a DynamoDB stream; return the sequence numbers that must come again."""
        sessions: dict[str, list[Stored]] = {}
        for record in records:
            place = record["dynamodb"]["SequenceNumber"]
            row = from_item(record["dynamodb"]["NewImage"])
            try:
                event = events.from_stored(row)
            except Exception as error:
                self._put_aside(row, error)
                continue
            if event.sid:  # the console's test events have none
                sessions.setdefault(event.sid, []).append(Stored(place, row, event))
        failed: list[str] = []
        for sid, stored in sessions.items():
            try:
                self.apply_session(sid, [each.event for each in stored])
            except _TRANSIENT as error:
                logger.warning("not applied yet", sid=sid, reason=type(error).__name__)
                failed += [each.place for each in stored]
            except Exception as error:
                logger.exception("cannot be applied", sid=sid)
                for each in stored:
                    self._put_aside(each.row, error)
        return failed

    def apply_session(self, sid: str, news: Sequence[events.Event]) -> None:
        """Apply events of one session."""
        facts, opened = SessionFacts(), False

        def change(row: dict[str, Any] | None) -> dict[str, Any]:
            nonlocal facts, opened
            changed, facts, opened = merged(row, news)
            return changed

        row = self._store.amend_session(sid, change)
        now = self._now_ms()
        recording_id = row.get("recordingId") or self._find_owner(sid, row, facts)
        if not recording_id:
            return  # a recording that is not ours, or the console's test

        def notes(before: Recording, after: Recording) -> list[Note]:
            told = []
            if sid in after.sids and sid not in before.sids:
                words = "A notification told the sid of a lost start."
                told.append(Note(now, "adopted", words, {"sid": sid}))
            if after.session_end and not before.session_end:
                words = f"Agora says that the session is over: {after.session_end}."
                told.append(Note(now, "notified", words, {"sid": sid}))
            return told

        recording = self._waker.wake(
            recording_id,
            lambda row: applied(row, sid, facts, now, gap=opened),
            notes,
        )
        if is_worth_a_look(recording, news):
            self._arrivals.ask(recording_id)

    def _find_owner(self, sid: str, row: Mapping[str, Any], facts: SessionFacts) -> str | None:
        """Find the recording whose start was answered into the void, and write that it is its."""
        cname = row.get("cname")
        if not cname:
            return None
        for recording in self._store.page(cname=cname, limit=_CANDIDATES).recordings:
            if owned(recording, sid, facts) is not None:
                recording_id = recording.recording_id
                self._store.adopt_session(sid, recording_id, cname)
                logger.info("session adopted", recordingId=recording_id, sid=sid)
                return recording_id
        return None

    def _put_aside(self, row: Mapping[str, Any], error: Exception) -> None:
        message = {"PK": row["PK"], "SK": row["SK"], "error": type(error).__name__}
        (self._sqs or aws.sqs()).send_message(
            QueueUrl=self._poison_queue_url, MessageBody=msgspec.json.encode(message).decode()
        )

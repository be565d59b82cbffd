"""Applies stored notifications, after Agora has its answer: to the session, then its recording.

Both steps are merges, and a repetition changes nothing: so a batch may be applied in part, again,
or in any order. A notification that cannot be applied goes to the poison queue, with everything
needed to apply it later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from botocore.exceptions import BotoCoreError, ClientError
from msgspec.structs import replace

from agora_recording import clock
from agora_recording.aws import clients
from agora_recording.aws.dynamodb import from_item
from agora_recording.errors import RecordingNotFoundError, StoreUnavailableError, WriteConflictError
from agora_recording.life.executions import Waker
from agora_recording.life.look_queue import ArrivalQueue
from agora_recording.life.sessions import KEPT_S, SessionStore
from agora_recording.life.store import Note, RecordingStore
from agora_recording.notifications import events
from agora_recording.notifications.facts import SessionRow
from agora_recording.observability import logger
from agora_recording.recording.adopting import nominated
from agora_recording.recording.hearing import applied, is_worth_a_look, merged
from agora_recording.recording.model import Recording

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_HEARD = "Agora tells of a session that may be this recording's; it will be asked whose it is."
_TRANSIENT = (BotoCoreError, ClientError, StoreUnavailableError, WriteConflictError)


class Stored(NamedTuple):
    """A notification from the table's stream: its sequence number there, its row, its event."""

    place: str
    row: dict[str, Any]
    event: events.Event


class Applier(msgspec.Struct, frozen=True, kw_only=True):
    """Applies batches of the table's stream. A client that is None is the process's own."""

    store: RecordingStore
    sessions: SessionStore
    waker: Waker
    arrivals: ArrivalQueue
    poison_queue_url: str
    sqs: SQSClient | None = None
    now_ms: Callable[[], int] = clock.now_ms

    def apply(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Apply records of a DynamoDB stream; return the sequence numbers to deliver again."""
        sessions: dict[str, list[Stored]] = {}
        for record in records:
            place = record["dynamodb"]["SequenceNumber"]
            row = from_item(record["dynamodb"]["NewImage"])
            try:
                event = events.from_stored(row)
            except Exception as error:
                self._put_aside(row, error)
                continue
            # The console's test events have no sid.
            if event.sid and not event.is_foreign:
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
        opened = False
        now = self.now_ms()

        def change(row: SessionRow) -> SessionRow:
            nonlocal opened
            if row.deleted_ms:
                return row
            changed, opened = merged(row, news)
            if changed.recording_id or changed.expires_at:
                return changed
            return replace(changed, expires_at=now // 1000 + KEPT_S)

        row = self.sessions.amend(sid, change)
        if row.deleted_ms:
            return  # an event of a recording that was deleted
        recording_id = row.recording_id or self._find_owner(sid, row)
        if recording_id:
            try:
                self._tell(recording_id, sid, row, news, opened=opened)
            except RecordingNotFoundError:
                logger.info("recording deleted meanwhile", recordingId=recording_id, sid=sid)

    def _tell(
        self,
        recording_id: str,
        sid: str,
        row: SessionRow,
        news: Sequence[events.Event],
        *,
        opened: bool,
    ) -> None:
        """Apply the facts of a session to the recording that owns it."""
        now = self.now_ms()

        def notes(before: Recording, after: Recording) -> list[Note]:
            told = []
            if sid in after.sids and sid not in before.sids:
                words = "A notification brought the sid of a start whose answer was lost."
                told.append(Note(now, "adopted", words, {"sid": sid}))
            if after.session_end and not before.session_end:
                words = f"Agora says that the session is over: {after.session_end}."
                told.append(Note(now, "notified", words, {"sid": sid}))
            return told

        recording = self.waker.wake(
            recording_id,
            lambda each: applied(each, sid, row.facts, now, gap=opened),
            notes,
        )
        if is_worth_a_look(recording, news):
            self.arrivals.ask(recording_id)

    def _find_owner(self, sid: str, row: SessionRow) -> str | None:
        """Return the recording that has this sid already, though the session does not know it.

        If there is none, the session becomes a candidate of every attempt that it fits, and Agora
        is asked: by the start that goes on, or by the sweeper. No recording: it is none of this
        stack's, or a test of the console.
        """
        if not row.cname:
            return None
        now = self.now_ms()
        for uid in row.facts.uids:
            for recording_id in self.store.claimants(row.cname, uid):
                try:
                    recording = self.store.amend(
                        recording_id,
                        lambda each: nominated(each, sid, row.facts, now),
                        lambda *_: [Note(now, "heard", _HEARD, {"sid": sid})],
                    )
                except RecordingNotFoundError:
                    continue
                if sid in recording.sids:
                    self.sessions.adopt(sid, recording_id, row.cname)
                    return recording_id
        return None

    def _put_aside(self, row: Mapping[str, Any], error: Exception) -> None:
        message = {"PK": row["PK"], "SK": row["SK"], "error": type(error).__name__}
        (self.sqs or clients.sqs()).send_message(
            QueueUrl=self.poison_queue_url, MessageBody=msgspec.json.encode(message).decode()
        )

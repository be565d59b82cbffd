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
from agora_recording.aws.faults import meaning
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


def _may_pass(error: Exception) -> bool:
    """Tell whether the same events may be applied when they are delivered again."""
    if isinstance(error, BotoCoreError | ClientError):
        return meaning(error) != "for good"
    return isinstance(error, StoreUnavailableError | WriteConflictError)


class Stored(NamedTuple):
    """A notification from the table's stream: its sequence number there, its row, its event."""

    place: str
    row: dict[str, Any]
    event: events.Event


def is_told(record: Mapping[str, Any]) -> bool:
    """Tell whether a record of the table's stream is a notification that was stored. Pure.

    The mapping of the stream has a filter that lets no other pass (template.yaml); who reads the
    stream itself gets every change of every row. A row that was removed has no new image.
    """
    sort: str = record["dynamodb"].get("NewImage", {}).get("SK", {}).get("S", "")
    is_new = record.get("eventName", "INSERT") == "INSERT"
    return is_new and (sort.startswith("EVT#") or sort == "NOTICE")


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
        """Apply records of a DynamoDB stream; return the sequence numbers to deliver again.

        Records of rows that are no notifications are passed over.
        """
        sessions: dict[str, list[Stored]] = {}
        for record in filter(is_told, records):
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
            failed += self._apply(sid, stored)
        return failed

    def _apply(self, sid: str, stored: Sequence[Stored]) -> list[str]:
        """Apply events of one session; return the places of those to deliver again.

        What can never be applied is put aside at once; the other events of its batch are applied.
        """
        try:
            self.apply_session(sid, [each.event for each in stored])
        except Exception as error:
            if _may_pass(error):
                logger.warning("not applied yet", sid=sid, reason=type(error).__name__)
                return [each.place for each in stored]
            if len(stored) > 1:
                return [place for each in stored for place in self._apply(sid, [each])]
            logger.exception("cannot be applied", sid=sid)
            self._put_aside(stored[0].row, error)
        return []

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

"""What an operator may do to a running stack: the verbs of `make ops`.

Every method returns plain values for JSON, and may be repeated. It follows the same rules as the
rooms: rows change by the same pure changes, and calls to Agora use the same limiter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import ClientError

from agora_recording.agora.task import Task
from agora_recording.api.get_recording_events import EventsQuery
from agora_recording.aws import clients
from agora_recording.clock import iso, now_ms
from agora_recording.errors import RecordingStateError, RoomFailedError, SecretRefusedError
from agora_recording.life.apply_notifications import is_told
from agora_recording.life.store import Note
from agora_recording.notifications import events
from agora_recording.notifications.facts import SessionRow, session_ended
from agora_recording.notifications.report import report
from agora_recording.notifications.secrets import parse_secrets
from agora_recording.recording.adopting import fitting
from agora_recording.recording.due import due
from agora_recording.recording.model import Attempt, Recording, orphan_ended
from agora_recording.recording.view import public
from agora_recording.wiring.parts import Parts
from operate.deployment import Deployment, StackSettings
from operate.teardown import Teardown

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Of recording.due.Risk, in its order.
RISK_NAMES = ("starting", "ending", "in doubt", "missed", "quiet", "late files")
_WHOLE_TIMELINE = 100_000
# Notification secrets that may be live: the webhook tries them one after the other.
MOST_SECRETS = 5
SECRET_LENGTH = (4, 256)  # Agora's have about ten
_EMPTY_PAGES = 500  # of a shard, in a row
# Seconds: longer than any function may run. A call is never repeated.
_PATIENT = Config(read_timeout=320, retries={"total_max_attempts": 1})


class Operator:
    """Acts on one stack, with the operator's own AWS credentials."""

    def __init__(self, stack: Deployment, parts: Parts[StackSettings] | None = None) -> None:
        self.stack = stack
        self.parts = parts or Parts(stack.settings)
        self._store = self.parts.store
        self._sessions = self.parts.sessions
        self._waker = self.parts.waker
        self._applier = self.parts.applier

    # --- recordings ---

    def open(self) -> list[dict[str, Any]]:
        """Return the recordings that are not over, and when the sweeper looks at each next."""
        found = self._store.get_all(self.parts.due_index.open_recordings())
        return [self._open_view(each) for each in found]

    def _open_view(self, recording: Recording) -> dict[str, Any]:
        look = due(recording, self.parts.settings.timings)
        seen = recording.last_seen_ms
        return {
            **public(recording),
            "lastSeenAt": iso(seen) if seen else None,
            "nextLookAt": iso(look[1]) if look else None,
            "risk": RISK_NAMES[look[0]] if look else None,
        }

    def show(self, recording_id: str) -> dict[str, Any]:
        """Return {recording, sessions, events}: the recording, the report of each of its sessions
        (SessionReport), and its whole timeline.
        """
        query = EventsQuery(_WHOLE_TIMELINE, None)
        told = self.parts.timeline.page(recording_id, query)
        recording = self._store.get(recording_id)
        reports = [report(sid, self._sessions.get(sid).facts) for sid in recording.sids]
        sessions = msgspec.to_builtins(reports)
        return {"recording": public(recording), "sessions": sessions, **told}

    def stop(self, recording_id: str) -> dict[str, Any]:
        """Ask a recording to stop, as its app would."""
        return public(self.parts.timekeeper.stop(recording_id))

    def resend(self, recording_id: str, *, everything: bool = False) -> dict[str, Any]:
        """Call the app again about a recording: what did not arrive, or `everything`.

        Returns {recordingId, messages}: {id, type, host, madeAt} of each of them.
        """
        self._store.get(recording_id)
        sent = self.parts.caller.resend(recording_id, everything=everything)
        messages = [
            {
                "id": each.message_id,
                "type": each.type,
                "host": urlsplit(each.url).hostname,
                "madeAt": iso(each.made_ms),
            }
            for each in sent
        ]
        return {"recordingId": recording_id, "messages": messages}

    def verify(self, recording_id: str, *, publish: bool = False) -> dict[str, Any]:
        """Compare the bucket with what it should hold; with `publish`, announce the end again.

        With `publish`, raises RecordingStateError if the recording is not over.
        """
        recording = self._store.get(recording_id)
        verdict = self.parts.verifier.verify(recording)
        found: dict[str, Any] = {
            "recordingId": recording_id,
            "status": recording.status,
            "verdict": verdict.outcome,
            "objects": verdict.objects,
            "bytes": verdict.bytes,
            "recordedSeconds": verdict.recorded_ms / 1000,
            "gaps": len(verdict.gaps),
            "missing": verdict.missing,
        }
        if publish:
            publisher = self.parts.recording_publisher
            found["status"] = publisher.publish_again(recording_id)
            found["published"] = True
        return found

    # --- sessions that no recording owns ---

    def orphans(self) -> list[dict[str, Any]]:
        """Return the sessions that notifications report and no recording owns, latest first."""
        found = [_orphan_view(sid, row) for sid, row in self._sessions.unowned()]
        return sorted(found, key=lambda each: each["lastSeenAt"] or "", reverse=True)

    def adopt(self, sid: str, recording_id: str) -> dict[str, Any]:
        """Give a session to the recording that started it, and apply its notifications.

        Raises RecordingNotFoundError; RecordingStateError when it cannot be that recording's.
        """
        recording = self._store.get(recording_id)
        row = self._session(sid)
        if row.recording_id not in (None, recording_id):
            raise RecordingStateError(f"The session belongs to recording {row.recording_id}.")
        if fitting(recording, sid, row.facts) is None:
            raise RecordingStateError(
                f"No attempt of {recording_id} can be this session: none has the uid "
                f"{' or '.join(row.facts.uids)}, began before it and has no sid."
            )
        self._sessions.adopt(sid, recording_id, recording.cname)
        told = [events.from_stored(each) for each in self._sessions.notifications(sid)]
        self._applier.apply_session(sid, told)
        return public(self._store.get(recording_id))

    def stop_orphan(
        self, sid: str, *, resource_id: str | None = None, mode: str | None = None
    ) -> dict[str, Any]:
        """Stop a session at Agora that is not the current session of an open recording.

        `resource_id` and `mode` are looked up if a recording has them. Raises RecordingStateError
        when they are needed, or when the session is a recording's own.
        """
        row = self._session(sid)
        recording, attempt = self._attempt(row.recording_id, sid)
        if recording and recording.sid == sid and not recording.is_terminal:
            raise RecordingStateError(
                f"It is the session of recording {recording.recording_id}: stop that."
            )
        resource_id = resource_id or (attempt.resource_id if attempt else None)
        mode = mode or (recording.mode if recording else None)
        if not resource_id or not mode:
            raise RecordingStateError(
                "No recording knows its resourceId: give --resource-id and --mode, as they were "
                "when it was started."
            )
        uid = attempt.uid if attempt else row.uid
        if not row.cname or not uid:
            raise RecordingStateError("No notification has named its channel and its uid.")
        task = Task(
            resource_id=resource_id,
            sid=sid,
            mode=mode,
            cname=row.cname,
            uid=uid,
            base_url=attempt.base_url if attempt else None,
        )
        reply = self.parts.agora.stop(task)
        error = reply.error()
        if recording and error is None:
            now = now_ms()
            self._store.amend(
                recording.recording_id,
                lambda each: orphan_ended(each, sid, now),
                lambda *_: [Note(now, "orphan", "An operator stopped this given-up session.")],
            )
        return {
            "sid": sid,
            "status": reply.status,
            "means": reply.outcome.handling,
            "refusal": str(error) if error else None,
        }

    def _session(self, sid: str) -> SessionRow:
        row = self._sessions.get(sid)
        if not row.version:
            raise RecordingStateError(f"No notification has reported a session {sid[:40]!r}.")
        return row

    def _attempt(
        self, recording_id: str | None, sid: str
    ) -> tuple[Recording | None, Attempt | None]:
        if recording_id is None:
            return None, None
        recording = self._store.get(recording_id)
        return recording, next((each for each in recording.attempts if each.sid == sid), None)

    # --- what could not be delivered ---

    def replay(self, *, discard: bool = False) -> list[dict[str, Any]]:
        """Process again what was put aside; with `discard`, remove what still cannot be processed.

        Returns one entry a message: {queue, what, outcome, removed}.
        """
        return [
            *self._replay("PoisonNotifications", self._apply_poison, discard),
            *self._replay("DeadLetters", self._apply_dead, discard),
        ]

    def _replay(self, queue: str, apply: Any, discard: bool) -> Iterator[dict[str, Any]]:
        url = self.stack.resources[queue]
        for message in _messages(url):
            what, outcome, is_done = apply(msgspec.json.decode(message["Body"]))
            if is_done or discard:
                clients.sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield {
                "queue": queue,
                "what": what,
                "outcome": outcome,
                "removed": is_done or discard,
            }

    def _apply_poison(self, key: Mapping[str, str]) -> tuple[str, str, bool]:
        what = f"{key['PK']} {key['SK']}"
        row = self._sessions.notification(key["PK"], key["SK"])
        if row is None:
            return what, "its row has expired", True
        try:
            event = events.from_stored(row)
            if event.sid:
                self._applier.apply_session(event.sid, [event])
        except Exception as error:  # whatever it is, the next message must have its turn
            return what, f"fails again: {type(error).__name__}: {error}", False
        return what, "applied", True

    def _apply_dead(self, letter: Any) -> tuple[str, str, bool]:
        letter = letter if isinstance(letter, dict) else {}
        batch = letter.get("DDBStreamBatchInfo")
        if "recordingId" in letter or letter.get("source") == "aws.s3":
            body = msgspec.json.encode(letter).decode()
            url = self.stack.resources["FileArrivals"]
            clients.sqs().send_message(QueueUrl=url, MessageBody=body)
            return "a file that came late", "handed over again", True
        if batch is None:
            return "a scheduled run", "given up; the schedule has run since, or will", False
        what = f"{batch['batchSize']} notifications of {batch['approximateArrivalOfFirstRecord']}"
        try:
            records, is_whole = _stream_records(batch)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("TrimmedDataAccessException", "ResourceNotFoundException"):
                raise
            return what, "older than the 24 hours that the stream keeps", False
        failed = self._applier.apply(records)
        if failed:
            return what, f"{len(failed)} fail again", False
        if not is_whole:
            return what, f"applied, {len(records)} of them; the stream does not have its end", False
        return what, f"applied, {len(records)} of them", True

    # --- the rest ---

    def rotate_secret(self, secret: str) -> dict[str, Any]:
        """Put a new notification secret before all that are live, which stay live.

        Nobody but the operator knows with which of them Agora signs: so none is lost here, however
        often it is done, and also if the same secret comes again. `forget_secrets` removes the
        others. Returns {secretId, stored, live}. Raises SecretRefusedError, and then nothing was
        stored: the secret cannot be one of Agora's, or too many are live.
        """
        check_notification_secret(secret)
        secret_id = self.stack.resources["NotificationSecret"]
        live = self._live_secrets(secret_id)
        wanted = (secret, *(each for each in live if each != secret))
        if len(wanted) > MOST_SECRETS:
            raise SecretRefusedError(
                f"{len(live)} secrets are live already, and each costs time with every "
                "notification: first remove the old ones with rotate-secret --forget. "
                "Nothing was stored."
            )
        if stored := wanted[:1] != live[:1]:
            _store_secrets(secret_id, wanted)
        return {"secretId": secret_id, "stored": stored, "live": len(wanted)}

    def forget_secrets(self, *, confirmed: bool = False) -> dict[str, Any]:
        """Keep the newest notification secret alone; the others are invalid at once, for good.

        Without `confirmed`, nothing is done, and the answer tells what would be. Returns {secretId,
        forgotten, live, done}. Raises SecretRefusedError if no secret is filled in.
        """
        secret_id = self.stack.resources["NotificationSecret"]
        newest, *others = self._live_secrets(secret_id) or [""]
        if not newest:
            raise SecretRefusedError("No secret is filled in: store one with rotate-secret.")
        if done := confirmed and bool(others):
            # The text before the last one stays valid (AWSPREVIOUS): so two are stored.
            _store_secrets(secret_id, (newest,))
            _store_secrets(secret_id, (newest,))
        live = 1 if done else 1 + len(others)
        return {"secretId": secret_id, "forgotten": len(others), "live": live, "done": done}

    @staticmethod
    def _live_secrets(secret_id: str) -> tuple[str, ...]:
        """Return what the webhook accepts, the newest first: as notifications/secrets.py reads."""
        manager = clients.secretsmanager()
        found: dict[str, None] = {}
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            try:
                answer = manager.get_secret_value(SecretId=secret_id, VersionStage=stage)
            except manager.exceptions.ResourceNotFoundException:
                continue
            found |= dict.fromkeys(parse_secrets(answer["SecretString"]))
        return tuple(found)

    def firewall(self, *, dry_run: bool = False, accept_drop: bool = False) -> dict[str, Any]:
        """Refresh Agora's addresses, or only plan it. Raises RoomFailedError."""
        return self._invoke(
            "RefreshNcsAddressesFunction", {"dryRun": dry_run, "acceptDrop": accept_drop}
        )

    def watch(self) -> dict[str, Any]:
        """Let the sweeper run once, now. Raises RoomFailedError."""
        return self._invoke("WatchRecordingsFunction", {})

    def teardown(
        self,
        *,
        wait_s: float,
        publish_now: bool = False,
        tell: Callable[[str], object] = lambda _: None,
    ) -> dict[str, Any]:
        """Stop every open recording, and wait until nothing runs; see `Teardown.run`."""
        outside = self.parts.outside
        teardown = Teardown(
            store=self._store,
            index=self.parts.due_index,
            waker=self._waker,
            publisher=self.parts.recording_publisher,
            state_machine_arn=self.stack.resources["RecordingStateMachine"],
            now_ms=outside.now_ms,
            sleep=outside.sleep,
            stepfunctions=outside.stepfunctions,
        )
        found = teardown.run(wait_s, publish_now=publish_now, tell=tell)
        return {"stack": self.stack.name, **found}

    def _invoke(self, logical_id: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        answer = boto3.client("lambda", config=_PATIENT).invoke(
            FunctionName=self.stack.resources[logical_id], Payload=msgspec.json.encode(payload)
        )
        result: dict[str, Any] = msgspec.json.decode(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RoomFailedError(f"{result.get('errorType')}: {result.get('errorMessage')}")
        return result


def check_notification_secret(secret: str) -> None:
    """Raise SecretRefusedError for text that cannot be one of Agora's notification secrets.

    It is a short word from Agora's console. The sentence never repeats the text.
    """
    wrong = None
    if not secret:
        wrong = "No secret was given: an empty line came."
    elif secret[0] in "{[\"'":
        wrong = "This looks like JSON or quoted text: give the secret alone, as the console shows."
    elif not all("!" <= each <= "~" for each in secret):
        wrong = "A secret has no spaces and no characters outside ASCII: copy it again."
    elif not SECRET_LENGTH[0] <= len(secret) <= SECRET_LENGTH[1]:
        least, most = SECRET_LENGTH
        wrong = f"A secret has {least} to {most} characters, and this has {len(secret)}."
    if wrong:
        raise SecretRefusedError(f"{wrong} Nothing was stored.")


def _store_secrets(secret_id: str, secrets: tuple[str, ...]) -> None:
    text = msgspec.json.encode({"secrets": secrets}).decode()
    clients.secretsmanager().put_secret_value(SecretId=secret_id, SecretString=text)


def _orphan_view(sid: str, row: SessionRow) -> dict[str, Any]:
    facts = row.facts
    return {
        "sid": sid,
        "cname": row.cname,
        "uid": row.uid,
        "firstSeenAt": iso(facts.firstSeenMs) if facts.firstSeenMs else None,
        "lastSeenAt": iso(facts.lastSeenMs) if facts.lastSeenMs else None,
        "ended": session_ended(facts),
    }


def _messages(url: str) -> Iterator[MessageTypeDef]:
    """Yield every message of a queue once; those not deleted come back in a minute."""
    while True:
        found = clients.sqs().receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60, WaitTimeSeconds=1
        )
        yield from found.get("Messages", ())
        if not found.get("Messages"):
            return


def _stream_records(batch: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], bool]:
    """Return the notifications of a batch, read from the table's stream again, and whether these
    are all.

    A page of a shard may be empty although records follow (DynamoDB Streams: GetRecords), so the
    shard is read until the last record of the batch, or until its end. An open shard has no end:
    after `_EMPTY_PAGES` in a row, the last record is not there.
    """
    client = boto3.client("dynamodbstreams")
    place = client.get_shard_iterator(
        StreamArn=batch["streamArn"],
        ShardId=batch["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=batch["startSequenceNumber"],
    )["ShardIterator"]
    found: list[Mapping[str, Any]] = []
    last, empty = int(batch["endSequenceNumber"]), 0
    while place and empty < _EMPTY_PAGES:
        page = client.get_records(ShardIterator=place)
        for record in page["Records"]:
            number = int(record["dynamodb"]["SequenceNumber"])
            if number <= last and is_told(record):
                found.append(record)
            if number >= last:
                return found, True
        empty = 0 if page["Records"] else empty + 1
        place = page.get("NextShardIterator", "")
    return found, False

"""Creates a recording: checks the whole request, writes the row once, starts the execution."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.agora.redaction import excess, redact
from agora_recording.aws.sealing import Sealer
from agora_recording.clock import now_ms
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.life.executions import start_execution
from agora_recording.life.row_size import refuse_too_large
from agora_recording.life.schedules import Schedules
from agora_recording.life.store import RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.ids import RANDOM_BYTES, new_recording_id
from agora_recording.recording.model import Recording
from agora_recording.request.reading import CheckedRequest, Limits, read_request

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


IDEMPOTENCY_DAYS = 7
KEY_LENGTH = 255
MAX_WAIT_S = 20  # API Gateway ends a request after 29 s
_LOOK_GAP_S = 0.5
_PREFER_WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)


def read_prefer(prefer: str | None) -> int | None:
    """Return the seconds that a Prefer header asks to wait (RFC 7240), at most 20; or None.

    A preference that cannot be read is ignored.
    """
    for preference in (prefer or "").split(","):
        match = _PREFER_WAIT.fullmatch(preference)
        if match:
            return min(int(match[1]), MAX_WAIT_S)
    return None


def fingerprint(body: Mapping[str, Any]) -> str:
    """Return a digest of a request; the order of its keys does not matter."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class Intake(msgspec.Struct, kw_only=True):
    """Takes requests: writes the row of a recording, and starts its execution."""

    store: RecordingStore
    sealer: Sealer
    state_machine_arn: str
    limits: Limits
    randomness: Callable[[int], bytes]
    stepfunctions: SFNClient | None = None
    now_ms: Callable[[], int] = now_ms

    def create_for_rule(self, body: dict[str, Any], rule: str, occasion: str) -> Recording:
        """Return the recording that a rule of auto-record asks for: one for each occasion.

        Raises as `Creator.create` does. No header can name an occasion: none has this character.
        """
        now = self.now_ms()
        request = read_request(body, self.limits, now)
        idempotency = (_digest(f"\n{rule}\n{occasion}"), rule)
        return self._write(request, idempotency, now, auto_record=rule)

    def _write(
        self,
        request: CheckedRequest,
        idempotency: tuple[str, str] | None,
        now: int,
        auto_record: str | None = None,
    ) -> Recording:
        """Write the recording of a checked request; start its execution, if it begins at once."""
        recording_id = new_recording_id(now, self.randomness(RANDOM_BYTES))
        shown, secrets = redact(request.client_request)
        broken = excess(secrets)
        if broken:
            raise RequestInvalidError([Problem("clientRequest", rule) for rule in broken])
        wanted = Recording(
            recording_id=recording_id,
            status="requested" if request.times.start_ms is None else "scheduled",
            cname=request.cname,
            uid=request.uid,
            mode=request.mode,
            client_request=shown,
            sealed=self.sealer.seal(recording_id, secrets),
            max_duration_seconds=request.max_duration_seconds,
            restart_limit=request.restart_limit,
            take_over_on=request.take_over,
            tags=request.tags,
            callback_url=request.callback_url,
            created_ms=now,
            auto_record=auto_record,
            start_at_ms=request.times.start_ms,
            stop_at_ms=request.times.stop_ms,
            key_prefix=self.limits.key_prefix,
            expires_hours=request.client_request["resourceExpiredHour"],
        )
        refuse_too_large(wanted, "clientRequest")
        expires_s = now // 1000 + IDEMPOTENCY_DAYS * 86_400
        recording = self.store.create(wanted, idempotency, expires_s)
        if not recording.is_terminal and recording.status != "scheduled":
            self._start(recording)
        return recording

    def _start(self, recording: Recording) -> None:
        try:
            start_execution(self.state_machine_arn, recording, self.stepfunctions)
        except (BotoCoreError, ClientError):
            # The recording exists: after an error, the caller would ask for it a second time.
            logger.exception("execution not started", recordingId=recording.recording_id)


class Creator(Intake, kw_only=True):
    """Creates recordings for callers, who may give them times."""

    schedules: Schedules
    sleep: Callable[[float], None] = time.sleep

    def create(
        self, body: dict[str, Any], idempotency_key: str | None
    ) -> tuple[Recording, tuple[Problem, ...]]:
        """Return the recording (new, or made before with the same key) and the warnings.

        Raises RequestInvalidError; IdempotencyConflictError. If its schedule cannot be made, or its
        execution not be started, the row stays and the sweeper starts it: no request that was
        accepted is lost.
        """
        now = self.now_ms()
        request = read_request(body, self.limits, now)
        if idempotency_key is not None and not 0 < len(idempotency_key) <= KEY_LENGTH:
            raise RequestInvalidError(
                [Problem("Idempotency-Key", f"must have 1 to {KEY_LENGTH} characters")]
            )
        idempotency = None
        if idempotency_key is not None:
            idempotency = (_digest(idempotency_key), fingerprint(body))
        # A repeated request with a key is no second recording; nor is one at another time.
        is_other = idempotency is not None or request.times.start_ms is not None
        others = () if is_other else self._others(request.cname)
        recording = self._write(request, idempotency, now)
        if not recording.is_terminal:
            self.schedules.make(recording)
        return recording, (*request.warnings, *others)

    def _others(self, cname: str) -> tuple[Problem, ...]:
        """Return a warning if the channel is being recorded already: Agora bills both."""
        try:
            other = self.store.open_in_channel(cname)
        except (BotoCoreError, ClientError):
            logger.exception("other recordings of the channel not looked for")
            return ()
        if other is None:
            return ()
        rule = f"is being recorded by {other} already, and now twice: stop one of the two"
        return (Problem("cname", f"{rule}; an Idempotency-Key makes repeated requests one"),)

    def wait(self, recording: Recording, seconds: int) -> Recording:
        """Return the recording when it records or has failed, at the latest after `seconds`.

        One that is scheduled is not waited for.
        """
        end_ms = self.now_ms() + seconds * 1000
        while recording.status in ("requested", "starting") and self.now_ms() < end_ms:
            self.sleep(_LOOK_GAP_S)
            recording = self.store.get(recording.recording_id)
        return recording

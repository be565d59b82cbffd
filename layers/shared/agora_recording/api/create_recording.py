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
from agora_recording.life.store import RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.ids import RANDOM_BYTES, new_recording_id
from agora_recording.recording.model import RANK, Recording
from agora_recording.request.reading import Limits, read_request

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


class Creator(msgspec.Struct, kw_only=True):
    """Creates recordings."""

    store: RecordingStore
    sealer: Sealer
    state_machine_arn: str
    limits: Limits
    randomness: Callable[[int], bytes]
    stepfunctions: SFNClient | None = None
    now_ms: Callable[[], int] = now_ms
    sleep: Callable[[float], None] = time.sleep

    def create(
        self, body: dict[str, Any], idempotency_key: str | None
    ) -> tuple[Recording, tuple[Problem, ...]]:
        """Return the recording (new, or made before with the same key) and the warnings.

        Raises RequestInvalidError; IdempotencyConflictError. If the execution cannot be started,
        the row stays and the sweeper starts it: no request that was accepted is lost.
        """
        request = read_request(body, self.limits)
        if idempotency_key is not None and not 0 < len(idempotency_key) <= KEY_LENGTH:
            raise RequestInvalidError(
                [Problem("Idempotency-Key", f"must have 1 to {KEY_LENGTH} characters")]
            )
        now = self.now_ms()
        recording_id = new_recording_id(now, self.randomness(RANDOM_BYTES))
        shown, secrets = redact(request.client_request)
        broken = excess(secrets)
        if broken:
            raise RequestInvalidError([Problem("clientRequest", rule) for rule in broken])
        wanted = Recording(
            recording_id=recording_id,
            status="requested",
            cname=request.cname,
            uid=request.uid,
            mode=request.mode,
            client_request=shown,
            sealed=self.sealer.seal(recording_id, secrets),
            max_duration_seconds=request.max_duration_seconds,
            restart_limit=request.restart_limit,
            tags=request.tags,
            created_ms=now,
            key_prefix=self.limits.key_prefix,
            expires_hours=request.client_request["resourceExpiredHour"],
        )
        refuse_too_large(wanted, "clientRequest")
        idempotency = None
        if idempotency_key is not None:
            key = hashlib.sha256(idempotency_key.encode()).hexdigest()
            idempotency = (key, fingerprint(body))
        expires_s = now // 1000 + IDEMPOTENCY_DAYS * 86_400
        # A repeated request with a key is no second recording.
        others = () if idempotency else self._others(request.cname)
        recording = self.store.create(wanted, idempotency, expires_s)
        if not recording.is_terminal:
            self._start(recording)
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

    def _start(self, recording: Recording) -> None:
        try:
            start_execution(self.state_machine_arn, recording, self.stepfunctions)
        except (BotoCoreError, ClientError):
            # The recording exists: after an error, the caller would ask for it a second time.
            logger.exception("execution not started", recordingId=recording.recording_id)

    def wait(self, recording: Recording, seconds: int) -> Recording:
        """Return the recording when it records or has failed, at the latest after `seconds`."""
        end_ms = self.now_ms() + seconds * 1000
        while RANK[recording.status] < RANK["recording"] and self.now_ms() < end_ms:
            self.sleep(_LOOK_GAP_S)
            recording = self.store.get(recording.recording_id)
        return recording

"""Taking a request for a recording: checked whole, written once, its execution started."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.agora.redaction import redact
from agora_recording.aws.sealing import Sealer
from agora_recording.clock import now_ms
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.life.executions import start_execution
from agora_recording.life.store import RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.ids import RANDOM_BYTES, new_recording_id
from agora_recording.recording.model import RANK, Mode, Recording
from agora_recording.request.check import check, with_defaults
from agora_recording.request.conformance import MOST_FINDINGS, child

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


IDEMPOTENCY_DAYS = 7
MAX_DURATION_S = 30 * 24 * 3600  # Agora REST: resourceExpiredHour is at most 720
MAX_RESTARTS = 20
FIELDS = frozenset(
    {"cname", "uid", "mode", "clientRequest", "maxDurationSeconds", "tags", "restartLimit"}
)
KEY_LENGTH = 255
TAGS = 20
TAG_NAME = 128
TAG_VALUE = 256
_TAG_RULE = f"must be 1 to {TAG_NAME} characters, its value text of at most {TAG_VALUE}"
_UNLESS_ANY = "unless the token was built for uid 0 (any user of the channel)"
MAX_WAIT_S = 20  # API Gateway hangs up after 29 s
_LOOK_GAP_S = 0.5
_PREFER_WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)


class Limits(NamedTuple):
    """What a stack gives to a recording whose caller says nothing, and whether it transcodes."""

    max_duration_s: int
    max_idle_time_s: int
    restart_limit: int
    transcodes: bool = False


class Request(NamedTuple):
    """A request that may be recorded as it stands."""

    cname: str
    uid: str | None
    mode: Mode
    client_request: dict[str, Any]
    max_duration_seconds: int
    restart_limit: int
    tags: dict[str, str]
    warnings: tuple[Problem, ...]


def read_request(body: Mapping[str, Any], limits: Limits) -> Request:
    """Return the request. Raises RequestInvalidError with every problem there is. Pure."""
    unknown = [name for name in body if name not in FIELDS][:MOST_FINDINGS]
    problems = [Problem(child("", name), "is not a field of this call") for name in unknown]
    mode = body.get("mode", "mix")
    uid = body.get("uid")
    client_request = body.get("clientRequest", {})
    checked = check(body.get("cname"), uid, mode, client_request)
    problems += checked.problems
    if not limits.transcodes:
        problems += _transcoding_problems(client_request)
    duration = body.get("maxDurationSeconds", limits.max_duration_s)
    problems += _whole("maxDurationSeconds", duration, 1, MAX_DURATION_S)
    restarts = body.get("restartLimit", limits.restart_limit)
    problems += _whole("restartLimit", restarts, 0, MAX_RESTARTS)
    tags = body.get("tags", {})
    problems += _tag_problems(tags)
    if problems:
        raise RequestInvalidError(problems)
    return Request(
        cname=body["cname"],
        uid=uid,
        mode=cast(Mode, mode),
        client_request=with_defaults(
            mode, client_request, max_idle_time_s=limits.max_idle_time_s, max_duration_s=duration
        ),
        max_duration_seconds=duration,
        restart_limit=restarts,
        tags=tags,
        warnings=(*checked.warnings, *_token_warnings(mode, client_request, uid, restarts)),
    )


def _transcoding_problems(client_request: object) -> list[Problem]:
    """Return why a stack whose keys cannot read does not take a request for postponed work."""
    if not isinstance(client_request, Mapping) or "transcodeOptions" not in client_request:
        return []
    rule = "needs a stack with PostponedTranscoding true: Agora reads what it uploaded for it"
    return [Problem("clientRequest.transcodeOptions", rule)]


def _token_warnings(
    mode: object, client_request: Mapping[str, Any], uid: str | None, restarts: int
) -> list[Problem]:
    """Return why a token, which is for one uid as a rule, may not let every attempt in."""
    if mode == "web" or not client_request.get("token"):  # a web page is not in the channel
        return []
    warnings = []
    if uid is None:
        rule = "is not given, and the stack chooses one: give the uid that the token is for"
        warnings.append(Problem("uid", f"{rule}, {_UNLESS_ANY}"))
    if restarts:
        rule = f"is {restarts}, and each restart takes a new uid: set it to 0"
        warnings.append(Problem("restartLimit", f"{rule}, {_UNLESS_ANY}"))
    return warnings


def _whole(name: str, value: object, low: int, high: int) -> list[Problem]:
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return []
    return [Problem(name, f"must be a whole number from {low} to {high}")]


def _tag_problems(tags: object) -> list[Problem]:
    if not isinstance(tags, dict) or len(tags) > TAGS:
        return [Problem("tags", f"must be an object with at most {TAGS} entries")]
    return [
        Problem(child("tags", name), _TAG_RULE)
        for name, value in tags.items()
        if not isinstance(value, str) or len(value) > TAG_VALUE or not 0 < len(name) <= TAG_NAME
    ]


def read_prefer(prefer: str | None) -> int | None:
    """Return the seconds that a Prefer header asks to wait (RFC 7240), at most 20; None for none.

    A preference that cannot be read is no preference.
    """
    for preference in (prefer or "").split(","):
        match = _PREFER_WAIT.fullmatch(preference)
        if match:
            return min(int(match[1]), MAX_WAIT_S)
    return None


def fingerprint(body: Mapping[str, Any]) -> str:
    """Return a digest of a request, the same for the same JSON in any order of its keys."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


class Creator:
    """Makes recordings."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        sealer: Sealer,
        state_machine_arn: str,
        limits: Limits,
        randomness: Callable[[int], bytes],
        stepfunctions: SFNClient | None = None,
        now_ms: Callable[[], int] = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._state_machine_arn = state_machine_arn
        self._limits = limits
        self._randomness = randomness
        self._stepfunctions = stepfunctions
        self._now_ms = now_ms
        self._sleep = sleep

    def create(
        self, body: Mapping[str, Any], idempotency_key: str | None
    ) -> tuple[Recording, tuple[Problem, ...]]:
        """Return the recording, new or made before with the same key, and warnings.

        Raises RequestInvalidError; IdempotencyConflictError. When the execution cannot be started
        the row stands, and the sweeper starts it: nothing that was answered is lost.
        """
        request = read_request(body, self._limits)
        if idempotency_key is not None and not 0 < len(idempotency_key) <= KEY_LENGTH:
            raise RequestInvalidError(
                [Problem("Idempotency-Key", f"must have 1 to {KEY_LENGTH} characters")]
            )
        now = self._now_ms()
        recording_id = new_recording_id(now, self._randomness(RANDOM_BYTES))
        shown, secrets = redact(request.client_request)
        wanted = Recording(
            recording_id=recording_id,
            status="requested",
            cname=request.cname,
            uid=request.uid,
            mode=request.mode,
            client_request=shown,
            sealed=self._sealer.seal(recording_id, secrets),
            max_duration_seconds=request.max_duration_seconds,
            restart_limit=request.restart_limit,
            tags=request.tags,
            created_ms=now,
            expires_hours=request.client_request["resourceExpiredHour"],
        )
        idempotency = None
        if idempotency_key is not None:
            key = hashlib.sha256(idempotency_key.encode()).hexdigest()
            idempotency = (key, fingerprint(body))
        expires_s = now // 1000 + IDEMPOTENCY_DAYS * 86_400
        recording = self._store.create(wanted, idempotency, expires_s)
        if not recording.is_terminal:
            self._start(recording)
        return recording, request.warnings

    def _start(self, recording: Recording) -> None:
        try:
            start_execution(self._state_machine_arn, recording, self._stepfunctions)
        except (BotoCoreError, ClientError):
            # The recording is made: an error now would be answered by a second request for it.
            logger.exception("execution not started", recordingId=recording.recording_id)

    def wait(self, recording: Recording, seconds: int) -> Recording:
        """Return the recording once it records, or failed to; as it is after `seconds` at last."""
        end_ms = self._now_ms() + seconds * 1000
        while RANK[recording.status] < RANK["recording"] and self._now_ms() < end_ms:
            self._sleep(_LOOK_GAP_S)
            recording = self._store.get(recording.recording_id)
        return recording

"""The vocabulary of failure. The state machine retries and catches by these very names.

Each class has one meaning; its docstring says what the raiser knows and what the caller may do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class RecordingError(Exception):
    """Base of every error this library raises on purpose."""


class SettingsError(RecordingError):
    """The room's environment lacks a variable, or holds one that cannot be read."""


class Problem(NamedTuple):
    """One thing wrong with a request: where (`clientRequest.token`), and the rule it breaks."""

    path: str
    rule: str


class RequestInvalidError(RecordingError):
    """The caller's request breaks rules; nothing was stored. Carries every problem at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.path}: {p.rule}" for p in self.problems))


class BodyTooLargeError(RecordingError):
    """The request's body has more bytes than a room takes; it was not read."""


class RecordingNotFoundError(RecordingError):
    """No recording has this id."""


class MediaNotFoundError(RecordingError):
    """The recording has no such media: nothing to play yet, or no track like that."""


class IdempotencyConflictError(RecordingError):
    """The Idempotency-Key was used before, with another request."""


class RecordingStateError(RecordingError):
    """The recording's status does not allow what was asked of it."""


class RecordingBusyError(RecordingError):
    """Not now, but in a moment: another update is not answered yet, or a restart is under way."""


class StackNotFoundError(RecordingError):
    """The operator's command found no stack of this name, or one that is not this bundle."""


class RoomFailedError(RecordingError):
    """A function that the operator invoked ended in an error; the message is the function's own."""


class WriteConflictError(RecordingError):
    """Others wrote the row faster, time after time. Safe to repeat: nothing was written."""


class StoreUnavailableError(RecordingError):
    """The table did not answer. Nothing may be acknowledged."""


# --- webhook ------------------------------------------------------------------------------------


class SignatureError(RecordingError):
    """The notification is not Agora's: no signature, or none of the live secrets made it."""


class NotificationInvalidError(RecordingError):
    """The body is authentic but is not a JSON object, or is too large to keep."""


class StaleNotificationError(SignatureError):
    """Authentic, but sent too long ago (or too far ahead) to be anything but a replay."""


class SourceNotAllowedError(SignatureError):
    """The sender's address is not on Agora's list, and the list is enforced."""


# --- Agora --------------------------------------------------------------------------------------


class AgoraError(RecordingError):
    """Base of what a call to Agora can end in, when it is not an answer to go on with.

    `endpoint`, `status` (HTTP) and `code` (Agora's) name the answer; None where there was none.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        status: int | None = None,
        code: int | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.status = status
        self.code = code
        super().__init__(message)


class AgoraUnavailableError(AgoraError):
    """No answer, or one that says "later": repeat the same call after 3, 6 and 9 seconds."""


class RateLimitedError(AgoraError):
    """Agora's 10 requests a second are used up (429, or our own limiter): back off with jitter."""


class ServiceFullError(AgoraError):
    """As many recordings run as the account may have (400/406): back off for minutes."""


class ResourceExpiredError(AgoraError):
    """The resourceId is of no use any more (433, 1001, 502): acquire again."""


class UidTakenError(AgoraError):
    """A task with this cname and uid runs already (400/53): start with another uid."""


class TokenRejectedError(AgoraError):
    """The channel's RTC token is expired or wrong (109, 110): only a new token helps."""


class SidUnknownError(AgoraError):
    """The task runs (201/7) but its sid was never seen: the webhook may still bring it."""


class TaskNotFoundError(AgoraError):
    """Agora has no such task (404, 501): over, never begun, or moving to another server (90 s)."""


class AgoraRefusedError(AgoraError):
    """Agora will never accept this call as it is: a wrong parameter, credential or account."""


# --- storage and publishing ---------------------------------------------------------------------


class StorageRegionError(RecordingError):
    """The bucket's region has no number at Agora, so Agora cannot upload into it."""


class SecretUnavailableError(RecordingError):
    """A secret is missing, or not in the form that docs/operations.md shows."""


class PlaylistTooLargeError(RecordingError):
    """The signed playlist would not fit an answer: a window of it has to be asked for."""


class AddressesRefusedError(RecordingError):
    """Agora's answer about its addresses is empty, malformed or suspicious: nothing was changed."""


class QuotaError(RecordingError):
    """A firewall has no room for all of Agora's addresses: nothing was written to it."""


class FirewallError(RecordingError):
    """A firewall could not be brought up to date. Safe to repeat at any time.

    As the end of a whole run: at least one target failed, and every other one is done.
    """


# --- the life of a recording --------------------------------------------------------------------


class StopRequestedError(RecordingError):
    """There is nothing to start any more: a stop was asked for, or the recording is past it."""


class EventNotSentError(RecordingError):
    """The event bus took the call but not the event. Safe to repeat: events have stable ids."""

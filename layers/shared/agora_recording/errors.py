"""Every error of this library. The state machine retries and catches by these names.

Each class has one meaning; its docstring says what has happened and what the caller may do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class RecordingError(Exception):
    """Base of every error this library raises on purpose."""


class SettingsError(RecordingError):
    """A variable of the room's environment is missing, or cannot be read."""


class Problem(NamedTuple):
    """One thing wrong with a request: its path (`clientRequest.token`), and the rule it breaks."""

    path: str
    rule: str


class RequestInvalidError(RecordingError):
    """The caller's request breaks rules; nothing was stored. Carries every problem at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.path}: {p.rule}" for p in self.problems))


class BodyTooLargeError(RecordingError):
    """The request's body has more bytes than are allowed; it was not read."""


class RecordingNotFoundError(RecordingError):
    """No recording has this id."""


class MediaNotFoundError(RecordingError):
    """The recording has nothing to play yet, or no track that fits the request."""


class ObjectTooLargeError(MediaNotFoundError):
    """An object has more bytes than any that belongs under its name: it was not read."""


class IdempotencyConflictError(RecordingError):
    """The Idempotency-Key was used before, with another request."""


class RecordingStateError(RecordingError):
    """The recording's status does not allow the request."""


class RecordingBusyError(RecordingError):
    """Repeat it in a moment: another update is not answered yet, or a restart is under way."""


class StackNotFoundError(RecordingError):
    """The operator's command found no stack of this name, or the stack is not this bundle's."""


class SecretRefusedError(RecordingError):
    """The operator's text cannot be the secret that it is given for; nothing was stored."""


class RoomFailedError(RecordingError):
    """A function that the operator invoked ended in an error; the message is the function's own."""


class WriteConflictError(RecordingError):
    """Other writers changed the row before every try. Safe to repeat: nothing was written."""


class WriteRefusedError(RecordingError):
    """AWS will never take this write: the item is too large, or has a value that cannot be stored.

    To repeat it makes no sense.
    """


class StoreUnavailableError(RecordingError):
    """The table or the bucket did not do the write. Nothing may be acknowledged."""


# --- webhook ------------------------------------------------------------------------------------


class SignatureError(RecordingError):
    """The notification is not Agora's: it has no signature, or no valid secret made it."""


class NotificationInvalidError(RecordingError):
    """The body is authentic but is not a JSON object, or is too large to keep."""


class StaleNotificationError(SignatureError):
    """The notification is authentic, but its time is too far from now: it may be a replay."""


class SourceNotAllowedError(SignatureError):
    """The sender's address is not on Agora's list, and the list is enforced."""


# --- Agora --------------------------------------------------------------------------------------


class AgoraError(RecordingError):
    """Base of the errors of a call to Agora.

    `endpoint`, `status` (HTTP) and `code` (Agora's) say which answer it was. `status` is None when
    there was no answer, `code` when the answer had none.
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
    """Agora did not answer, or failed for the moment: repeat the same call after some seconds."""


class RateLimitedError(AgoraError):
    """Agora's 10 requests a second are used up (429, or our own limiter): back off with jitter."""


class ServiceFullError(AgoraError):
    """The account already runs as many recordings as it may (400/406): wait for minutes."""


class ResourceExpiredError(AgoraError):
    """The resourceId cannot be used any more (433, 1001, 502): acquire again."""


class UidTakenError(AgoraError):
    """A task with this cname and uid runs already (400/53): start with another uid."""


class TokenRejectedError(AgoraError):
    """The channel's RTC token is expired or wrong (109, 110): only a new token helps."""


class SidUnknownError(AgoraError):
    """The task runs (201/7), but its sid is unknown: a notification may still bring it."""


class TaskNotFoundError(AgoraError):
    """Agora has no such task (404, 501): it is over, or moving to another server (for 90 s)."""


class AgoraRefusedError(AgoraError):
    """Agora will never accept this call as it is: a wrong parameter, credential or account."""


# --- storage and publishing ---------------------------------------------------------------------


class StorageRegionError(RecordingError):
    """The bucket's region has no number at Agora, so Agora cannot upload into it."""


class SecretUnavailableError(RecordingError):
    """A secret is missing, or not in the form that docs/operations.md shows."""


class PlaylistTooLargeError(RecordingError):
    """The signed playlist is too large for one answer: the caller must ask for a part of it."""


class AddressesRefusedError(RecordingError):
    """Agora's answer about its addresses is empty, malformed or suspicious: nothing was changed."""


class QuotaError(RecordingError):
    """A firewall has no room for all of Agora's addresses: nothing was written to it."""


class FirewallError(RecordingError):
    """A firewall could not be brought up to date. Safe to repeat at any time.

    At the end of a whole run it means: at least one target failed, and all others are done.
    """


# --- the life of a recording --------------------------------------------------------------------


class StopRequestedError(RecordingError):
    """Nothing is to be started: a stop was requested, or the recording is ending already."""


class EventNotSentError(RecordingError):
    """The event bus answered, but refused the event. Safe to repeat: events have stable ids."""

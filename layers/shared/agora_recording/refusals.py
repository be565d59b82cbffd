"""The HTTP status of each error, for the API and for the webhook, in one table.

The webhook imports this module. So it imports no Powertools, no requests and nothing else that is
slow to import.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, NamedTuple

from agora_recording import errors
from agora_recording.errors import RecordingError


class Refusal(NamedTuple):
    """The status, and the seconds after which the same call may work (0: never)."""

    status: HTTPStatus
    retry_s: int = 0


REFUSALS: dict[type[RecordingError], Refusal] = {
    errors.RequestInvalidError: Refusal(HTTPStatus.BAD_REQUEST),
    errors.PlaylistTooLargeError: Refusal(HTTPStatus.BAD_REQUEST),
    errors.BodyTooLargeError: Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    errors.RecordingNotFoundError: Refusal(HTTPStatus.NOT_FOUND),
    errors.LinkNotFoundError: Refusal(HTTPStatus.NOT_FOUND),
    errors.MediaNotFoundError: Refusal(HTTPStatus.NOT_FOUND),
    errors.RecordingStateError: Refusal(HTTPStatus.CONFLICT),
    errors.RecordingBusyError: Refusal(HTTPStatus.CONFLICT, 2),
    errors.IdempotencyConflictError: Refusal(HTTPStatus.UNPROCESSABLE_ENTITY),
    errors.AgoraRefusedError: Refusal(HTTPStatus.UNPROCESSABLE_ENTITY),
    errors.ResourceExpiredError: Refusal(HTTPStatus.UNPROCESSABLE_ENTITY),
    errors.WriteConflictError: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 1),
    errors.StoreUnavailableError: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 1),
    errors.RateLimitedError: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 2),
    errors.AgoraUnavailableError: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 3),
    # Moving to another server takes Agora up to 90 s.
    errors.TaskNotFoundError: Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 15),
    # Errors of the webhook. After each of them, Agora sends the notification again.
    errors.SignatureError: Refusal(HTTPStatus.UNAUTHORIZED),
    errors.NotificationInvalidError: Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    errors.SecretUnavailableError: Refusal(HTTPStatus.SERVICE_UNAVAILABLE),
}

# RFC 9110's titles; Python before 3.13 has older ones.
_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


def refusal(error: Exception) -> Refusal:
    """Return the row of an error's class, or of the nearest base class that has one.

    The table has a row for `error`: callers catch only `tuple(REFUSALS)`.
    """
    return next(REFUSALS[each] for each in type(error).__mro__ if each in REFUSALS)


def title(status: HTTPStatus) -> str:
    """Return the title of a status, the same in every Python version."""
    return _TITLES.get(status, status.phrase)


def problem_json(status: HTTPStatus, detail: str) -> dict[str, Any]:
    """Return a problem (RFC 9457); `detail` is the sentence for people."""
    return {
        "type": "about:blank",
        "title": title(status),
        "status": int(status),
        "detail": detail,
    }

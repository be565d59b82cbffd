"""What an answer of Agora means, and what to do about it: a table, and the function that reads it.

Agora reuses its numbers: 404 and 501 are HTTP statuses and codes, 62 means one thing to acquire and
another to the rest. So a row is found by endpoint, HTTP status and code together, and the first row
that fits decides. An answer that fits no row is judged by the class of its HTTP status. A 400
without a known code is also Agora's answer to more calls a second than a tenth of the recordings
that the account may run at once: it is not believed at once.

Sources: Agora REST (start, stop); Agora docs: response status codes, common errors, integration
best practices.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from agora_recording.errors import (
    AgoraError,
    AgoraRefusedError,
    AgoraUnavailableError,
    RateLimitedError,
    ResourceExpiredError,
    ServiceFullError,
    SidUnknownError,
    TaskNotFoundError,
    TokenRejectedError,
    UidTakenError,
)

Handling = Literal[
    "ok",  # go on with the answer
    "already_running",  # this resourceId was started before: never start it again
    "retry_same",  # repeat the same call
    "acquire_again",  # a new resourceId
    "new_uid",  # a new uid, so a new resourceId too
    "back_off",  # repeat the same call later, with jitter
    "slow_down",  # as back_off, and all calls pause: perhaps there are too many of them
    "back_off_long",  # repeat after minutes: the account runs all the recordings it may
    "confirm_gone",  # ask again for 90 s: it may be moving to another server
    "ended",  # the recording ends or has ended: look at the files
    "nothing_recorded",  # stopped, and there are no files
    "upload_pending",  # stopped, and the files are still on their way
    "token_rejected",  # only a new RTC token helps
    "permanent",  # will never work as it is
]


class Outcome(NamedTuple):
    """What to do, the reason in words, and what to do when repeating did not help."""

    handling: Handling
    reason: str
    then: Handling | None = None


class Row(NamedTuple):
    """One line of the table. A status or code of None fits any; `NO_CODE` fits its absence only.

    `says` (lower case) must be part of Agora's message; for answers that differ in nothing else.
    """

    endpoints: tuple[str, ...]
    status: int | None
    code: int | None
    handling: Handling
    reason: str
    then: Handling | None = None
    says: str = ""


NO_CODE = 0

_ALL = ("acquire", "start", "query", "update", "updateLayout", "stop", "ncsIp")
_SESSION = ("query", "update", "updateLayout", "stop")  # need a sid
_RESOURCE = ("start", *_SESSION)  # need a resourceId

TABLE: tuple[Row, ...] = (
    # The gateway in front of Agora's services: no code, only words.
    Row(_ALL, 400, NO_CODE, "permanent", "Cloud Recording is not enabled for this App ID",
        says="appid is invalid"),
    Row(_ALL, 401, NO_CODE, "permanent", "the Authorization header is missing",
        says="unauthorized"),
    Row(_ALL, 401, None, "permanent", "the REST key or secret is wrong, or not of this App ID"),
    Row(_ALL, 404, None, "permanent", "the method or the URL is wrong", says="no route matched"),
    Row(_ALL, 429, None, "back_off", "more requests a second than Agora allows"),
    # acquire
    Row(("acquire",), 400, 400, "permanent", "Cloud Recording is not enabled for this App ID"),
    Row(("acquire",), 400, 401, "permanent", "the channel name is wrong"),
    Row(("acquire",), 400, 405, "permanent", "the account is suspended or overdue"),
    Row(("acquire",), 400, 406, "back_off_long", "the account runs all the recordings it may"),
    Row(("acquire",), 500, 500, "back_off", "an error inside Agora"),
    Row(("acquire",), 500, 501, "back_off", "Agora has no server free"),
    Row(("acquire",), 500, 504, "back_off", "Agora took too long to find a server"),
    Row(("acquire",), None, 62, "retry_same", "Agora timed out, or recording is not enabled",
        then="permanent"),
    # start
    Row(("start",), None, 7, "already_running", "this resourceId was started before"),
    Row(("start",), None, 15, "retry_same", "an error inside Agora without documentation",
        then="new_uid"),
    Row(("start",), None, 53, "new_uid", "a recording with this channel and uid runs already"),
    Row(("start",), None, 62, "retry_same", "Agora timed out", then="acquire_again"),
    Row(("start",), None, 65, "retry_same", "the request was not completed", then="acquire_again"),
    Row(("start",), None, 109, "token_rejected", "the RTC token has expired"),
    Row(("start",), None, 110, "token_rejected", "the RTC token is wrong"),
    Row(("start",), None, 433, "acquire_again", "the resourceId has expired"),
    Row(("start",), None, 502, "acquire_again", "Agora could not allot a server"),
    # stop
    Row(("stop",), None, 49, "ended", "it is leaving the channel already"),
    Row(("stop",), None, 50, "upload_pending", "the upload took more than 20 s"),
    Row(("stop",), None, 435, "nothing_recorded", "nobody sent a stream"),
    Row(("stop",), 206, NO_CODE, "upload_pending", "stopped; the state of the upload is unknown"),
    # query, update, updateLayout, stop
    Row(_SESSION, None, 62, "retry_same", "Agora timed out"),
    Row(_SESSION, None, 65, "retry_same", "the request was not completed"),
    Row(_SESSION, None, 501, "ended", "the recording service is leaving"),
    # Whatever the HTTP status says.
    Row(_ALL, 400, 2, "permanent", "a parameter is wrong"),
    Row(_ALL, None, 8, "permanent", "a header, the method or the JSON is wrong"),
    Row(_RESOURCE, None, 432, "permanent", "a parameter is wrong, or not of this resourceId"),
    Row(_RESOURCE, None, 1001, "acquire_again", "the resourceId cannot be read"),
    Row(_RESOURCE, None, 1003, "permanent", "the App ID or sid is not of this resourceId"),
    Row(("acquire", "start"), None, 1013, "permanent", "the channel name is wrong"),
    Row(("updateLayout",), None, 1028, "permanent", "the layout is wrong"),
    # Code 404. Older answers have no code: this is never an error of the caller.
    Row(_SESSION, 404, None, "confirm_gone", "no such recording: over, idle too long, or moving"),
)  # fmt: skip

_MOST_WORDS = 200  # characters of Agora's own words that go into the reason


def decide(
    endpoint: str,
    status: int | None,
    code: int | None,
    message: str = "",
    *,
    has_sid: bool = False,
    has_resource_id: bool = False,
) -> Outcome:
    """Return what an answer means. Every combination has an outcome.

    `status` is None when there was no answer. `has_sid` and `has_resource_id` tell whether the body
    has the value that the call is made for (start: a sid, acquire: a resourceId).
    """
    code = NO_CODE if code in (None, 200) else code
    words = message.lower()
    for row in TABLE:
        if (
            endpoint in row.endpoints
            and row.status in (None, status)
            and row.code in (None, code)
            and row.says in words
        ):
            return Outcome(row.handling, _reason(row.reason, message), row.then)
    needed = {"acquire": has_resource_id, "start": has_sid}
    is_whole = needed.get(endpoint, code == NO_CODE or has_sid)
    return _by_class(endpoint, status, message, is_whole=is_whole)


def error_for(
    outcome: Outcome,
    endpoint: str,
    status: int | None,
    code: int | None,
    *,
    has_sid: bool = False,
) -> AgoraError | None:
    """Return the error to raise for an outcome; None if there is none.

    `has_sid` tells whether the sid of a recording that runs already is known, from the answer or
    from the row.
    """
    match outcome.handling:
        case "ok" | "nothing_recorded" | "upload_pending":
            return None
        case "ended" if endpoint in ("query", "stop"):
            return None
        case "already_running" if has_sid:
            return None
        case "back_off" if status != 429:
            kind: type[AgoraError] = AgoraUnavailableError
        case handling:
            kind = _ERRORS[handling]
    what = "no answer" if status is None else f"HTTP {status}"
    what += "" if code is None else f", code {code}"
    return kind(
        f"Agora {endpoint}: {outcome.reason} ({what}).",
        endpoint=endpoint,
        status=status,
        code=code,
    )


_ERRORS: dict[Handling, type[AgoraError]] = {
    "already_running": SidUnknownError,
    "retry_same": AgoraUnavailableError,
    "acquire_again": ResourceExpiredError,
    "new_uid": UidTakenError,
    "back_off": RateLimitedError,
    "slow_down": AgoraUnavailableError,
    "back_off_long": ServiceFullError,
    "confirm_gone": TaskNotFoundError,
    "ended": TaskNotFoundError,
    "token_rejected": TokenRejectedError,
    "permanent": AgoraRefusedError,
}


def _by_class(endpoint: str, status: int | None, message: str, *, is_whole: bool) -> Outcome:
    """Judge an answer that fits no row by the class of its HTTP status."""
    # Best practices: after three failures in a row, start again with another uid.
    then: Handling | None = "new_uid" if endpoint == "start" else None
    if status is None:
        return Outcome("retry_same", "there was no answer", then)
    if 200 <= status < 300:
        if is_whole:
            return Outcome("ok", "accepted")
        return Outcome("retry_same", _reason("the answer lacks the needed value", message), then)
    if status == 400:
        reason = "a refusal of no known meaning, perhaps of too many calls a second"
        return Outcome("slow_down", _reason(reason, message), "permanent")
    if 300 <= status < 500 and status != 408:
        return Outcome("permanent", _reason("Agora refuses the call", message))
    return Outcome("retry_same", _reason("an error inside Agora", message), then)


def _reason(reason: str, message: str) -> str:
    said = " ".join(message.split())[:_MOST_WORDS]
    return f'{reason}: Agora says "{said}"' if said else reason

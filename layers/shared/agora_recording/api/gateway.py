"""HTTP, as API Gateway hands it over: requests in, answers and problem+json (RFC 9457) out.

A room has one route or two, so there is no router: API Gateway has routed already.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from agora_recording.errors import (
    AgoraRefusedError,
    AgoraUnavailableError,
    BodyTooLargeError,
    IdempotencyConflictError,
    MediaNotFoundError,
    PlaylistTooLargeError,
    Problem,
    RateLimitedError,
    RecordingBusyError,
    RecordingError,
    RecordingNotFoundError,
    RecordingStateError,
    RequestInvalidError,
    ResourceExpiredError,
    StoreUnavailableError,
    TaskNotFoundError,
    WriteConflictError,
)
from agora_recording.observability import logger
from agora_recording.request.conformance import MOST_FINDINGS, child

Event = dict[str, Any]
Answer = dict[str, Any]

MAX_BODY_BYTES = 256 * 1024

# RFC 9110's titles; Python before 3.13 has those of the RFCs before it.
_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}


# The errors that an API call may end in: the status, and after how many seconds (0: never) the
# same call may work.
_MEANINGS: dict[type[RecordingError], tuple[HTTPStatus, int]] = {
    RequestInvalidError: (HTTPStatus.BAD_REQUEST, 0),
    PlaylistTooLargeError: (HTTPStatus.BAD_REQUEST, 0),
    BodyTooLargeError: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 0),
    RecordingNotFoundError: (HTTPStatus.NOT_FOUND, 0),
    MediaNotFoundError: (HTTPStatus.NOT_FOUND, 0),
    RecordingStateError: (HTTPStatus.CONFLICT, 0),
    RecordingBusyError: (HTTPStatus.CONFLICT, 2),
    IdempotencyConflictError: (HTTPStatus.UNPROCESSABLE_ENTITY, 0),
    AgoraRefusedError: (HTTPStatus.UNPROCESSABLE_ENTITY, 0),
    ResourceExpiredError: (HTTPStatus.UNPROCESSABLE_ENTITY, 0),
    WriteConflictError: (HTTPStatus.SERVICE_UNAVAILABLE, 1),
    StoreUnavailableError: (HTTPStatus.SERVICE_UNAVAILABLE, 1),
    RateLimitedError: (HTTPStatus.SERVICE_UNAVAILABLE, 2),
    AgoraUnavailableError: (HTTPStatus.SERVICE_UNAVAILABLE, 3),
    # Moving to another server takes Agora up to 90 s.
    TaskNotFoundError: (HTTPStatus.SERVICE_UNAVAILABLE, 15),
}


def header(event: Event, name: str) -> str | None:
    """Return a request header by its name in any case. Raises RequestInvalidError: not text."""
    headers: Mapping[str, str] = event.get("headers") or {}
    wanted = name.lower()
    found = (value for key, value in headers.items() if key.lower() == wanted)
    return _text(name, next(found, None))


def query(event: Event, *known: str) -> Callable[[str], str | None]:
    """Return what gives one of the `known` query string parameters by its name.

    Raises RequestInvalidError for every other parameter: passed over, a misspelt one would be
    answered with everything. What it returns raises the same when the value is not text.
    """
    parameters: Mapping[str, str] = event.get("queryStringParameters") or {}
    # A request may be signed in its query string, too.
    unknown = [
        name for name in parameters if name not in known and not name.lower().startswith("x-amz-")
    ]
    if unknown:
        rule = f"is not a parameter of this call, which has {', '.join(known) or 'none'}"
        raise RequestInvalidError(
            [Problem(child("", name), rule) for name in unknown[:MOST_FINDINGS]]
        )
    return lambda name: _text(name, parameters.get(name))


def path(event: Event, name: str) -> str:
    """Return one path parameter. Raises RequestInvalidError when it is not text."""
    parameters: Mapping[str, str] = event.get("pathParameters") or {}
    return _text(name, parameters.get(name)) or ""


def caller(event: Event) -> str | None:
    """Return the ARN of whoever signed the request."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    arn: str | None = identity.get("userArn")
    return arn


def _text(name: str, value: str | None) -> str | None:
    try:
        _ = value and value.encode()
    except UnicodeEncodeError as error:
        raise RequestInvalidError([Problem(name, "must be valid Unicode")]) from error
    return value


def json_body(event: Event) -> dict[str, Any]:
    """Return the request's JSON object. Raises RequestInvalidError; BodyTooLargeError."""
    text = event.get("body") or ""
    try:
        raw = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
        if len(raw) > MAX_BODY_BYTES:
            raise BodyTooLargeError(f"The body is larger than {MAX_BODY_BYTES} bytes.")
        return msgspec.json.decode(raw, type=dict[str, Any])
    except RecursionError as error:
        raise RequestInvalidError([Problem("body", "is nested too deeply")]) from error
    except ValueError as error:  # msgspec's errors are among them
        raise RequestInvalidError([Problem("body", "must be a JSON object")]) from error


def answer(
    status: int, body: Any, headers: Mapping[str, str] | None = None, kind: str = "json"
) -> Answer:
    """Return a JSON answer in the form API Gateway wants."""
    return {
        "statusCode": int(status),
        "headers": {
            "Content-Type": f"application/{kind}",
            "Cache-Control": "no-store",
            **(headers or {}),
        },
        "body": msgspec.json.encode(body).decode(),
    }


def warned(body: dict[str, Any], warnings: Sequence[Problem]) -> dict[str, Any]:
    """Return the body with what was passed on and perhaps not meant."""
    if not warnings:
        return body
    return {**body, "warnings": [{"path": each.path, "rule": each.rule} for each in warnings]}


def text(status: int, body: str, content_type: str) -> Answer:
    """Return an answer that is not JSON."""
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return {"statusCode": int(status), "headers": headers, "body": body}


def nothing() -> Answer:
    """Return the answer that it is done, and that there is nothing to show."""
    return {"statusCode": int(HTTPStatus.NO_CONTENT), "headers": {}, "body": ""}


def title(status: HTTPStatus) -> str:
    """Return what a status is called, whatever Python this is."""
    return _TITLES.get(status, status.phrase)


def problem(
    status: HTTPStatus, sentence: str, problems: tuple[Problem, ...] = (), retry_s: int = 0
) -> Answer:
    """Return problem+json: one sentence that says what to change, and every single problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title(status),
        "status": int(status),
        "detail": sentence,
    }
    if problems:
        body["problems"] = [{"path": each.path, "rule": each.rule} for each in problems]
    headers = {"Retry-After": str(retry_s)} if retry_s else None
    return answer(status, body, headers, kind="problem+json")


def door(room: Callable[..., Answer]) -> Callable[..., Answer]:
    """Turn the errors of an API room into problem+json; what is not foreseen becomes a 500."""

    @functools.wraps(room)
    def opened(event: Event, context: Any, **given: Any) -> Answer:
        try:
            return room(event, context, **given)
        except RequestInvalidError as error:
            count = len(error.problems)
            first = error.problems[0]
            sentence = f"{first.path}: {first.rule}."
            if count > 1:
                sentence = f"{count} things in the request must change; see `problems`."
            return problem(HTTPStatus.BAD_REQUEST, sentence, error.problems)
        except tuple(_MEANINGS) as error:
            kind = next(each for each in type(error).__mro__ if each in _MEANINGS)
            status, retry_s = _MEANINGS[kind]
            return problem(status, str(error), retry_s=retry_s)
        except Exception:
            logger.exception("request failed")
            request_id = getattr(context, "aws_request_id", "unknown")
            sentence = f"Something failed on our side; in the logs it is request {request_id}."
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)

    return opened

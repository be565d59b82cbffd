"""HTTP, as API Gateway hands it over: requests in, answers and problem+json (RFC 9457) out.

A room has one route or two, so there is no router: API Gateway has routed already.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from agora_recording.errors import (
    AgoraRefusedError,
    AgoraUnavailableError,
    IdempotencyConflictError,
    Problem,
    RateLimitedError,
    RecordingError,
    RecordingNotFoundError,
    RecordingStateError,
    RequestInvalidError,
    StoreUnavailableError,
    WriteConflictError,
)
from agora_recording.observability import logger

Event = dict[str, Any]
Answer = dict[str, Any]

MAX_BODY_BYTES = 256 * 1024

# The errors that an API call may end in: status, and whether the same call may work later.
_STATUS: dict[type[RecordingError], HTTPStatus] = {
    RequestInvalidError: HTTPStatus.BAD_REQUEST,
    RecordingNotFoundError: HTTPStatus.NOT_FOUND,
    RecordingStateError: HTTPStatus.CONFLICT,
    IdempotencyConflictError: HTTPStatus.UNPROCESSABLE_ENTITY,
    AgoraRefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    WriteConflictError: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    RateLimitedError: HTTPStatus.SERVICE_UNAVAILABLE,
    AgoraUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def header(event: Event, name: str) -> str | None:
    """Return a request header by its name in any case."""
    headers: Mapping[str, str] = event.get("headers") or {}
    wanted = name.lower()
    return next((value for key, value in headers.items() if key.lower() == wanted), None)


def query(event: Event, name: str) -> str | None:
    """Return one query string parameter."""
    parameters: Mapping[str, str] = event.get("queryStringParameters") or {}
    return parameters.get(name)


def path(event: Event, name: str) -> str:
    """Return one path parameter."""
    parameters: Mapping[str, str] = event.get("pathParameters") or {}
    return parameters.get(name, "")


def json_body(event: Event) -> dict[str, Any]:
    """Return the request's JSON object. Raises RequestInvalidError."""
    text = event.get("body") or ""
    try:
        raw = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode()
        if len(raw) > MAX_BODY_BYTES:
            raise RequestInvalidError([Problem("body", f"at most {MAX_BODY_BYTES} bytes")])
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError) as error:
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


def problem(
    status: HTTPStatus, sentence: str, problems: tuple[Problem, ...] = (), retry_s: int = 0
) -> Answer:
    """Return problem+json: one sentence that says what to change, and every single problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
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
        except RecordingError as error:
            status = _STATUS.get(type(error))
            if status is None:
                logger.exception("request failed")
                return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something failed on our side.")
            return problem(status, str(error), retry_s=1 if status >= 500 else 0)
        except Exception:
            logger.exception("request failed")
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something failed on our side.")

    return opened

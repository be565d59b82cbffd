"""HTTP requests and answers in API Gateway's form; errors as problem+json (RFC 9457).

There is no router: API Gateway has chosen the room, which has one route or two.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from agora_recording.errors import (
    BodyTooLargeError,
    Problem,
    RequestInvalidError,
    SecretUnavailableError,
)
from agora_recording.observability import logger
from agora_recording.refusals import REFUSALS, problem_json, refusal
from agora_recording.request.conformance import MOST_FINDINGS, child

Event = dict[str, Any]
Answer = dict[str, Any]

MAX_BODY_BYTES = 256 * 1024

# A missing secret is a mistake of the operator: the caller gets the answer of any internal error.
_TOLD = tuple(error for error in REFUSALS if error is not SecretUnavailableError)


def header(event: Event, name: str) -> str | None:
    """Return a request header; `name` in any case. Raises RequestInvalidError if it is not text."""
    headers: Mapping[str, str] = event.get("headers") or {}
    wanted = name.lower()
    found = next((value for key, value in headers.items() if key.lower() == wanted), None)
    return None if found is None else _text(name, found)


def query(event: Event, *known: str) -> dict[str, str]:
    """Return the parameters of the query string by their names.

    Raises RequestInvalidError for every parameter that is not `known`: if a misspelt one were
    ignored, the answer would contain everything. Raises it also for a value that is not text.
    """
    parameters: Mapping[str, str] = event.get("queryStringParameters") or {}
    # A request may be signed in its query string, too.
    unknown = [
        name for name in parameters if name not in known and not name.lower().startswith("x-amz-")
    ]
    if unknown:
        rule = f"is not a parameter of this call; it knows {', '.join(known) or 'none'}"
        raise RequestInvalidError(
            [Problem(child("", name), rule) for name in unknown[:MOST_FINDINGS]]
        )
    return {name: _text(name, parameters[name]) for name in known if name in parameters}


def path(event: Event, name: str) -> str:
    """Return one path parameter, "" for none. Raises RequestInvalidError when it is not text."""
    parameters: Mapping[str, str] = event.get("pathParameters") or {}
    return _text(name, parameters.get(name) or "")


def caller(event: Event) -> str | None:
    """Return the ARN of the caller who signed the request."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    arn: str | None = identity.get("userArn")
    return arn


def _text(name: str, value: str) -> str:
    try:
        value.encode()
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
    """Return a JSON answer in the form that API Gateway needs."""
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
    """Return the body with the warnings added, if there are any."""
    if not warnings:
        return body
    return {**body, "warnings": [{"path": each.path, "rule": each.rule} for each in warnings]}


def text(status: int, body: str, content_type: str) -> Answer:
    """Return an answer that is not JSON."""
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    return {"statusCode": int(status), "headers": headers, "body": body}


def accepted(event: Mapping[str, Any], usual: str, other: str) -> str:
    """Return the `other` content type if the request's Accept names it, and not the `usual` one."""
    headers = event.get("headers") or {}
    accept = next((str(headers[name]) for name in headers if name.lower() == "accept"), "")
    named = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    return other if other in named and usual not in named else usual


def nothing() -> Answer:
    """Return the answer without a body (204)."""
    return {"statusCode": int(HTTPStatus.NO_CONTENT), "headers": {}, "body": ""}


def problem(
    status: HTTPStatus, sentence: str, problems: tuple[Problem, ...] = (), retry_s: int = 0
) -> Answer:
    """Return problem+json: one sentence that says what to change, and every problem."""
    body = problem_json(status, sentence)
    if problems:
        body["problems"] = [{"path": each.path, "rule": each.rule} for each in problems]
    headers = {"Retry-After": str(retry_s)} if retry_s else None
    return answer(status, body, headers, kind="problem+json")


def door(room: Callable[..., Answer]) -> Callable[..., Answer]:
    """Turn the errors of an API room into problem+json; an unexpected error becomes a 500."""

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
        except _TOLD as error:
            status, retry_s = refusal(error)
            return problem(status, str(error), retry_s=retry_s)
        except Exception:
            logger.exception("request failed")
            request_id = getattr(context, "aws_request_id", "unknown")
            sentence = f"An internal error; the logs have it under request {request_id}."
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)

    return opened

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
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.api import malformed
from agora_recording.aws.faults import meaning
from agora_recording.errors import (
    BodyTooLargeError,
    Problem,
    RequestInvalidError,
    SecretUnavailableError,
)
from agora_recording.observability import logger
from agora_recording.refusals import REFUSALS, problem_json, refusal
from agora_recording.request.conformance import MOST_FINDINGS, TOO_DEEP, child

Event = dict[str, Any]
Answer = dict[str, Any]

MAX_BODY_BYTES = 256 * 1024

# A missing secret is a mistake of the operator: the caller gets the answer of any internal error.
_TOLD = tuple(error for error in REFUSALS if error is not SecretUnavailableError)


_AWAY = ("passing", "overtaken")
_AWAY_S = 5
_AWAY_SENTENCE = "A service of AWS does not answer at the moment; send the request again."


def _code(error: BotoCoreError | ClientError) -> str:
    """Return the code or the name of an error of AWS; its text may repeat what was sent."""
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__


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
        rule = f"is not a parameter of this call; it takes {', '.join(known) or 'none'}"
        raise RequestInvalidError(
            [Problem(child("", name), rule) for name in unknown[:MOST_FINDINGS]]
        )
    return {name: _text(name, parameters[name]) for name in known if name in parameters}


def path(event: Event, name: str) -> str:
    """Return one path parameter, "" for none. Raises RequestInvalidError when it is not text."""
    parameters: Mapping[str, str] = event.get("pathParameters") or {}
    return _text(name, parameters.get(name) or "")


def base_url(event: Event, resource: str) -> str:
    """Return where the API is for this caller: the address of the request, up to its resource.

    `resource` is the route's, such as `/recordings/{recordingId}`. Behind a domain of your own,
    API Gateway tells that domain and its base path.
    """
    about: Mapping[str, Any] = event.get("requestContext") or {}
    whole = str(about.get("path") or "")
    parts = resource.count("/")
    where = whole.rsplit("/", parts)[0] if whole.count("/") >= parts else ""
    scheme = "http" if header(event, "X-Forwarded-Proto") == "http" else "https"
    return f"{scheme}://{about.get('domainName', '')}{where}"


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
    raw = _raw_body(event)
    if len(raw) > MAX_BODY_BYTES:
        raise BodyTooLargeError(
            f"The body has {len(raw)} bytes, and at most {MAX_BODY_BYTES} are allowed."
        )
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except RecursionError as error:
        raise RequestInvalidError([Problem("body", TOO_DEEP)]) from error
    except ValueError as error:  # msgspec's errors are among them
        raise RequestInvalidError([Problem("body", malformed.rule(raw, error))]) from error


def _raw_body(event: Event) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # Half of a surrogate pair has no bytes: it becomes bytes that are refused as not UTF-8.
        return bytes(text.encode(errors="surrogatepass"))
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise RequestInvalidError([Problem("body", "is not valid Base64")]) from error


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


def moved(address: str) -> Answer:
    """Return the answer that leads to another address (302)."""
    headers = {"Location": address, "Cache-Control": "no-store"}
    return {"statusCode": int(HTTPStatus.FOUND), "headers": headers, "body": ""}


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
    """Turn the errors of an API room into problem+json.

    If AWS could not do a part of it for now, the answer is 503, and Retry-After says when to send
    it again; an unexpected error becomes a 500.
    """

    @functools.wraps(room)
    def opened(event: Event, context: Any, **given: Any) -> Answer:
        try:
            return room(event, context, **given)
        except RequestInvalidError as error:
            count = len(error.problems)
            first = error.problems[0]
            sentence = f"{first.path}: {first.rule}" + ("" if first.rule.endswith("?") else ".")
            if count > 1:
                sentence = f"{count} things in the request must change; see `problems`."
            return problem(HTTPStatus.BAD_REQUEST, sentence, error.problems)
        except _TOLD as error:
            status, retry_s = refusal(error)
            return problem(status, str(error), retry_s=retry_s)
        except Exception as error:
            if isinstance(error, BotoCoreError | ClientError) and meaning(error) in _AWAY:
                logger.warning("AWS is not available", reason=_code(error))
                return problem(HTTPStatus.SERVICE_UNAVAILABLE, _AWAY_SENTENCE, retry_s=_AWAY_S)
            logger.exception("request failed")
            request_id = getattr(context, "aws_request_id", "unknown")
            sentence = f"An internal error; the logs have it under request {request_id}."
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR, sentence)

    return opened


def shared(room: Callable[..., Answer]) -> Callable[..., Answer]:
    """Let pages of any origin read every answer of a room.

    Nothing but the address decides who may read it: browsers send no cookie and no credentials of
    AWS with such a request.
    """

    @functools.wraps(room)
    def opened(event: Event, context: Any, **given: Any) -> Answer:
        found = room(event, context, **given)
        more = {"Access-Control-Allow-Origin": "*", "Referrer-Policy": "no-referrer"}
        return {**found, "headers": {**found["headers"], **more}}

    return opened

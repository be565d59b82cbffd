"""Every call of AWS that arrives at the emulator: judged, refused like AWS would, written down.

A request that its service's model or a rule forbids is answered with an error and has no effect.
The calls of roles and users are written into the file that AWS_CALLS names, one JSON object a line:
{principal, operation, request, status, answer, violations, doubts}. `violations` are of the
request, `doubts` of the answer: there the emulator differs from AWS. What the model calls sensitive
is replaced by its length.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from ministack import app
from ministack.core import iam_actions, iam_evaluator

from local.strict import models
from local.strict.rules import Violation, violations

_TARGETS = {
    "AWSEvents": "events",
    "AWSStepFunctions": "stepfunctions",
    "AWSWAF_20190729": "wafv2",
    "AmazonSQS": "sqs",
    "DynamoDBStreams_20120810": "dynamodbstreams",
    "DynamoDB_20120810": "dynamodb",
    "Logs_20140328": "logs",
    "TrentService": "kms",
    "secretsmanager": "secretsmanager",
}
# Services without a target in the header, by the scope of the signature.
_SCOPES = {
    each: each for each in ("cloudformation", "ec2", "iam", "lambda", "s3", "scheduler", "sts")
}
# How a service names a request that breaks its model.
_CODES = {
    "ec2": "InvalidParameterValue",
    "iam": "ValidationError",
    "lambda": "InvalidParameterValueException",
    "s3": "InvalidRequest",
    "sqs": "InvalidParameterValue",
    "sts": "ValidationError",
}
Headers = Mapping[str, str]
Query = Mapping[str, Sequence[str]]
Answer = tuple[int, dict[str, str], bytes]
Go = Callable[[], Awaitable[Any]]
Meet = Callable[[str, str, str, Headers, Go], Awaitable[Any]]
"""What may happen to a call on its way: gets the caller's ARN, the operation, the request's id, its
headers, and what lets it go on; returns the answer.
"""


class Call(msgspec.Struct):
    """A request, as its service's model reads it."""

    service: str
    operation: Any  # botocore's model of it
    parameters: dict[str, Any]

    @property
    def name(self) -> str:
        """Return `dynamodb.PutItem`, say."""
        return f"{self.service}.{self.operation.name}"


async def let_it_go(_: str, __: str, ___: str, ____: Headers, go: Go) -> Any:
    """Let nothing happen to a call."""
    return await go()


def judge_calls(meet: Meet = let_it_go) -> None:
    """Refuse what AWS would refuse, and write down what roles and users do.

    What AWS would not refuse is left to `meet`.
    """
    dispatch = app._dispatch_service_request
    write = open(os.environ["AWS_CALLS"], "a", buffering=1).write  # noqa: SIM115 - for its whole life

    async def judge_and_dispatch(
        method: str, path: str, headers: Headers, body: bytes, query: Query, request_id: str
    ) -> Any:
        async def go() -> Any:
            return await dispatch(method, path, headers, body, query, request_id)

        service = service_of(headers, query)
        if service is None:
            return await go()
        principal = _principal(headers, query)
        try:
            call = Call(service, *models.read(service, method, path, headers, body, query))
        except (models.UnreadableError, ValueError) as error:
            if principal:
                write(json.dumps({"principal": principal, "unread": str(error)}) + "\n")
            return await go()
        found = broken(call)
        if found:
            answer: Any = refusal(service, found[0], request_id, headers)
        else:
            answer = await meet(principal, call.name, request_id, headers, go)
        if principal:
            write(_line(principal, call, found, answer) + "\n")
        return answer

    app._dispatch_service_request = judge_and_dispatch


def service_of(headers: Headers, query: Query) -> str | None:
    """Return the client's name of the service that a request is for; None: no service we know."""
    if target := headers.get("x-amz-target"):
        return _TARGETS.get(target.partition(".")[0])
    scope = re.search(r"Credential=([^,\s]+)", headers.get("authorization", ""))
    signed = scope[1] if scope else (query.get("X-Amz-Credential") or [""])[0]
    parts = signed.replace("%2F", "/").split("/")
    return _SCOPES.get(parts[3]) if len(parts) == 5 else None


def broken(call: Call) -> list[Violation]:
    """Return what a call breaks: of its service's model first, then of the rules."""
    code = _CODES.get(call.service, "ValidationException")
    found = [
        Violation(code, f"Value at {each}")
        for each in models.problems(call.operation.input_shape, call.parameters)
    ]
    return found or list(violations(call.name, call.parameters))


def refusal(service: str, found: Violation, request_id: str, headers: Headers) -> Answer:
    """Return the answer 400 in the service's protocol."""
    _, answered, body = iam_actions.access_denied_response(
        service, "", "", request_id, error_code=found.code, message=found.message, headers=headers
    )
    return 400, dict(answered), body


def _principal(headers: Headers, query: Query) -> str:
    """Return the ARN of the role or user that calls; empty for root and for nobody."""
    key = app.extract_access_key_id(headers, query)
    identity = iam_evaluator.resolve_caller_identity(key or "")
    arn: str = (identity or {}).get("userArn", "")
    return "" if arn.endswith(":root") else arn


def _line(principal: str, call: Call, found: list[Violation], answer: Answer) -> str:
    status, headers, body = answer[:3]
    shape, said, doubts = call.operation.output_shape, None, []
    if status < 300 and isinstance(body, bytes):
        try:
            said = models.read_answer(call.operation, status, headers, body)
            doubts = list(models.problems(shape, said))
        except Exception as error:  # whatever botocore's parsers raise
            doubts = [f"the answer cannot be read: {type(error).__name__}"]
    return json.dumps(
        {
            "principal": principal,
            "operation": call.name,
            "request": plain(call.operation.input_shape, call.parameters),
            "status": status,
            "answer": plain(shape, said),
            "violations": [each.message for each in found],
            "doubts": doubts,
        },
        default=str,
    )


def plain(shape: Any, value: Any) -> Any:
    """Return a value without what is sensitive or binary: of that, the length."""
    if shape is not None and shape.metadata.get("sensitive") and isinstance(value, str | bytes):
        return f"({len(value)})"
    if isinstance(value, bytes) or hasattr(value, "read"):
        return f"({len(value)} bytes)" if isinstance(value, bytes) else "(stream)"
    kind = shape.type_name if shape is not None else ""
    if kind == "structure" and isinstance(value, dict):
        return {name: plain(shape.members.get(name), each) for name, each in value.items()}
    if kind == "map" and isinstance(value, dict):
        return {name: plain(shape.value, each) for name, each in value.items()}
    if kind == "list" and isinstance(value, list):
        return [plain(shape.member, each) for each in value]
    return value

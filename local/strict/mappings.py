"""Event source mappings read their source with the rights of the function's role, as on AWS.

MiniStack's pollers read stream and queue past IAM. On AWS, Lambda refuses to create a mapping that
the role may not read, and stops reading when a right is taken away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime, responses
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

# What Lambda's developer guide demands of the role, by the service of the source.
NEEDED = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": (
        "dynamodb:DescribeStream",
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:ListStreams",
    ),
}
# Actions that name no single resource.
_UNSCOPED = frozenset({"dynamodb:ListStreams"})
_KEPT_S = 1.0  # for how long an answer of IAM holds
_TYPE = "AWS::Lambda::EventSourceMapping"
_logger = logging.getLogger("ministack")


def read_as_the_role() -> None:
    """Let a mapping be made and read only if the function's role may read its source."""
    _create_only_readable()
    _poll_only_readable()


def missing_right(function: str, qualifier: str | None, source: str) -> str | None:
    """Return the first action on the source that the function's role may not do, or None.

    Asks IAM in the account and region of the running request. A function that is not there, and a
    source of another service, is for others to refuse.
    """
    record, config = lambda_svc._get_func_record_for_qualifier(function, qualifier)
    service, region = (source.split(":") + [""] * 4)[2:4]
    if record is None or service not in NEEDED:
        return None
    credentials = lambda_runtime.execution_credentials(config or record["config"])
    for action in NEEDED[service]:
        resource = "*" if action in _UNSCOPED else source
        key = credentials["AWS_ACCESS_KEY_ID"]
        if iam_evaluator.enforce(key, action, service, region, resource_arn=resource):
            return action
    return None


def _create_only_readable() -> None:
    call, handlers = lambda_svc._create_esm, provisioners._RESOURCE_HANDLERS[_TYPE]
    provide = handlers["create"]

    def refusal(function: str, source: str) -> str | None:
        name, _, qualifier = function.rpartition(":function:")[2].partition(":")
        action = missing_right(name, qualifier or None, source)
        return action and f"The function execution role does not have permissions to call {action}."

    def create(data: dict[str, Any]) -> Any:
        why = refusal(data.get("FunctionName", ""), data.get("EventSourceArn", ""))
        if why:
            return responses.error_response_json("InvalidParameterValueException", why, 400)
        return call(data)

    def create_resource(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        why = refusal(properties.get("FunctionName", ""), properties.get("EventSourceArn", ""))
        if why:
            raise ValueError(f"{why} (Service: Lambda, Status Code: 400)")
        return provide(logical_id, properties, stack)

    lambda_svc._create_esm = create
    handlers["create"] = create_resource


def _poll_only_readable() -> None:
    every = lambda_svc._iter_all_esms
    answers: dict[str, tuple[float, str | None]] = {}

    def readable() -> Iterator[tuple[str, str, dict[str, Any]]]:
        for account, region, mapping in every():
            identifier = mapping["UUID"]
            asked, action = answers.get(identifier, (float("-inf"), None))
            if time.monotonic() - asked >= _KEPT_S:
                action = _missing(account, region, mapping)
                answers[identifier] = (time.monotonic(), action)
            if action:
                mapping["LastProcessingResult"] = f"PROBLEM: the role may not call {action}"
                _logger.warning("Mapping of %s not read: %s", mapping["EventSourceArn"], action)
            else:
                yield account, region, mapping

    lambda_svc._iter_all_esms = readable


def _missing(account: str, region: str, mapping: dict[str, Any]) -> str | None:
    with as_asked_in(account, region):
        return missing_right(
            mapping["FunctionName"], mapping.get("Qualifier"), mapping["EventSourceArn"]
        )


@contextmanager
def as_asked_in(account: str, region: str) -> Iterator[None]:
    """Let MiniStack answer as it answers a request of this account and region."""
    account_token = responses._request_account_id.set(account)
    region_token = responses._request_region.set(region)
    try:
        yield
    finally:
        responses._request_account_id.reset(account_token)
        responses._request_region.reset(region_token)

"""Rules of AWS that stand in its documents, not in its models. Values in, sentences out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from ministack.services._dynamodb_keywords import AWS_KEYWORDS

KIB = 1024
DELAY_MAX_S = 900  # SQS, SendMessage
EVENTS_MAX_BYTES = 256 * KIB  # EventBridge, PutEvents: all entries together
IA_MIN_DAYS = 30  # S3, lifecycle: the least age for Standard-IA and One Zone-IA
POLICY_MAX = 10_240  # IAM: characters of all inline policies of a role, without white space
ENVIRONMENT_MAX_BYTES = 4 * KIB  # Lambda: all variables of a function

# Fields of Amazon States Language that hold a number.
_NUMBERS = {
    "BackoffRate",
    "HeartbeatSeconds",
    "IntervalSeconds",
    "MaxAttempts",
    "MaxConcurrency",
    "MaxDelaySeconds",
    "Seconds",
    "TimeoutSeconds",
}
_EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
# Words of the grammar of expressions: they may stand there although they are reserved.
_GRAMMAR = {"ADD", "AND", "BETWEEN", "DELETE", "IN", "NOT", "OR", "REMOVE", "SET"}


class Violation(msgspec.Struct, frozen=True):
    """A rule that a request breaks: AWS's name of the error, and a sentence."""

    code: str
    message: str


Rule = Callable[[Mapping[str, Any]], Iterator[Violation]]


def violations(operation: str, parameters: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield what a call breaks; `operation` is `dynamodb.PutItem`, say."""
    if operation.startswith("dynamodb."):
        yield from reserved_words(parameters)
    if rule := _RULES.get(operation):
        yield from rule(parameters)


# --- DynamoDB ---


def reserved_words(parameters: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield the reserved words that expressions use as names, in single calls and transactions."""
    for part in _parts(parameters):
        for name in _EXPRESSIONS:
            for word in re.findall(r"(?<![#:\w])[A-Za-z_]\w*(?!\w*\s*\()", str(part.get(name, ""))):
                if word.upper() in AWS_KEYWORDS - _GRAMMAR:
                    yield Violation(
                        "ValidationException",
                        f"Invalid {name}: Attribute name is a reserved keyword; "
                        f"reserved keyword: {word}",
                    )


def _parts(parameters: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield parameters
    for item in parameters.get("TransactItems", ()):
        yield from (each for each in item.values() if isinstance(each, dict))


# --- SQS ---


def long_delays(parameters: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield delays of messages that are longer than SQS takes, of one message or a batch."""
    for part in (parameters, *parameters.get("Entries", ())):
        delay = part.get("DelaySeconds", 0)
        if not 0 <= delay <= DELAY_MAX_S:
            yield Violation(
                "InvalidParameterValue",
                f"Value {delay} for parameter DelaySeconds is invalid. "
                f"Reason: DelaySeconds must be >= 0 and <= {DELAY_MAX_S}.",
            )


# --- EventBridge ---


def large_events(parameters: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield if the entries together are too large, as AWS counts them."""
    total = sum(_entry_bytes(each) for each in parameters.get("Entries", ()))
    if total > EVENTS_MAX_BYTES:
        yield Violation(
            "ValidationException",
            f"Total size of the entries in the request is over the limit: {total} bytes of "
            f"{EVENTS_MAX_BYTES}.",
        )


def _entry_bytes(entry: Mapping[str, Any]) -> int:
    texts = [str(entry.get(name, "")) for name in ("Source", "DetailType", "Detail")]
    texts += [str(each) for each in entry.get("Resources", ())]
    return sum(len(each.encode()) for each in texts) + (14 if "Time" in entry else 0)


# --- Step Functions ---


def definition(text: str) -> Iterator[Violation]:
    """Yield numbers that are written as text, and states that are named but not there."""
    try:
        machine = json.loads(text)
    except ValueError:
        yield Violation("InvalidDefinition", "Invalid State Machine Definition: not JSON")
        return
    for place, name, value in _fields(machine, "", in_states=False):
        if name in _NUMBERS and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield Violation(
                "InvalidDefinition",
                f"Invalid State Machine Definition: {name} must be a number at {place}",
            )
    yield from _dangling(machine, "")


def _fields(node: Any, place: str, *, in_states: bool) -> Iterator[tuple[str, str, Any]]:
    """Yield (place, name, value) of each field of states; names of states are no fields."""
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from _fields(each, f"{place}[{index}]", in_states=False)
    elif isinstance(node, dict):
        for name, value in node.items():
            if not in_states:
                yield place or "/", name, value
            if name not in ("Parameters", "Result", "ResultSelector", "Arguments", "Output"):
                yield from _fields(value, f"{place}/{name}", in_states=name == "States")


def _dangling(machine: Any, place: str) -> Iterator[Violation]:
    states = machine.get("States", {})
    named = [(place or "/", machine.get("StartAt"))]
    for name, state in states.items():
        here = f"{place}/States/{name}"
        named += [(here, each.get("Next")) for each in (state, *state.get("Catch", ()))]
        named += [(here, each.get("Next")) for each in state.get("Choices", ())]
        named += [(here, state.get("Default"))]
        inner = [*state.get("Branches", ()), state.get("Iterator"), state.get("ItemProcessor")]
        for each in filter(None, inner):
            yield from _dangling(each, here)
    for where, target in named:
        if target is not None and target not in states:
            yield Violation(
                "InvalidDefinition",
                f"Invalid State Machine Definition: MISSING_TRANSITION_TARGET {target} at {where}",
            )


def _defined(parameters: Mapping[str, Any]) -> Iterator[Violation]:
    if "definition" in parameters:
        yield from definition(parameters["definition"])


# --- S3 ---


def lifecycle(rules: list[Mapping[str, Any]]) -> Iterator[Violation]:
    """Yield transitions to infrequent access that are too early, and expirations before them."""
    for rule in rules:
        moves = [*rule.get("Transitions", ()), *filter(None, [rule.get("Transition")])]
        expires = (rule.get("Expiration") or {}).get("Days", rule.get("ExpirationInDays"))
        for move in moves:
            days = int(move.get("Days", move.get("TransitionInDays", IA_MIN_DAYS)))
            kind = move.get("StorageClass")
            if kind in ("STANDARD_IA", "ONEZONE_IA") and days < IA_MIN_DAYS:
                yield Violation(
                    "InvalidArgument",
                    "'Days' in Transition action must be greater than or equal to "
                    f"{IA_MIN_DAYS} for storageClass '{kind}'",
                )
            if expires is not None and int(expires) <= days:
                yield Violation(
                    "InvalidArgument",
                    "'Days' in the Expiration action must be greater than 'Days' in the "
                    "Transition action",
                )


def _lifecycle(parameters: Mapping[str, Any]) -> Iterator[Violation]:
    yield from lifecycle(parameters.get("LifecycleConfiguration", {}).get("Rules", []))


# --- IAM and Lambda ---


def inline_policies(documents: list[Any]) -> Iterator[Violation]:
    """Yield if all inline policies of a role together are too long. White space is not counted."""
    size = sum(
        len(re.sub(r"\s", "", json.dumps(each, separators=(",", ":")))) for each in documents
    )
    if size > POLICY_MAX:
        yield Violation("LimitExceeded", f"Maximum policy size of {POLICY_MAX} bytes exceeded")


def environment(variables: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield if a function's variables together are too large."""
    size = len(json.dumps(dict(variables), separators=(",", ":")).encode())
    if size > ENVIRONMENT_MAX_BYTES:
        yield Violation(
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the {ENVIRONMENT_MAX_BYTES / KIB:g}KB limit.",
        )


_RULES: dict[str, Rule] = {
    "sqs.SendMessage": long_delays,
    "sqs.SendMessageBatch": long_delays,
    "events.PutEvents": large_events,
    "stepfunctions.CreateStateMachine": _defined,
    "stepfunctions.UpdateStateMachine": _defined,
    "s3.PutBucketLifecycleConfiguration": _lifecycle,
}

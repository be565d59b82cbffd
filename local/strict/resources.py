"""What CloudFormation makes is held against the same rules as what is made by a call.

MiniStack makes the resources of a stack past its own API, and knows no access key of a user. And it
listens on plain HTTP on loopback, which stands for TLS here: a bucket policy that refuses plain
HTTP must not refuse everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ministack import app
from ministack.services import iam
from ministack.services.cloudformation import provisioners

from local.strict import rules

Properties = dict[str, Any]
_HANDLERS: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS


def judge_resources() -> None:
    """Let a resource fail that AWS would refuse; know access keys; take loopback for TLS."""
    for kind, rule in _RULES.items():
        handlers = _HANDLERS[kind]
        handlers["create"] = _judged(handlers["create"], rule, place=1)
        handlers["update"] = _judged(handlers["update"], rule, place=2)
    _HANDLERS["AWS::IAM::AccessKey"] = {"create": _create_key, "delete": _delete_key}
    pin = app.pin_request_origin
    app.pin_request_origin = lambda address, _: pin(address, True)


def _judged(
    make: Callable[..., Any], rule: Callable[[Properties], Iterator[rules.Violation]], place: int
) -> Callable[..., Any]:
    def judge_and_make(*given: Any, **named: Any) -> Any:
        for found in rule(given[place]):
            raise ValueError(f"{found.message} ({found.code}, Status Code: 400)")
        return make(*given, **named)

    return judge_and_make


def _machine(properties: Properties) -> Iterator[rules.Violation]:
    return rules.definition(provisioners._sfn_definition(properties))


def _bucket(properties: Properties) -> Iterator[rules.Violation]:
    configuration = properties.get("LifecycleConfiguration") or {}
    return rules.lifecycle(configuration.get("Rules", []))


def _role(properties: Properties) -> Iterator[rules.Violation]:
    return rules.inline_policies(
        [each["PolicyDocument"] for each in properties.get("Policies", [])]
    )


def _function(properties: Properties) -> Iterator[rules.Violation]:
    return rules.environment((properties.get("Environment") or {}).get("Variables", {}))


_RULES: dict[str, Callable[[Properties], Iterator[rules.Violation]]] = {
    "AWS::StepFunctions::StateMachine": _machine,
    "AWS::S3::Bucket": _bucket,
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Function": _function,
}


def _create_key(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, str]]:
    """Make an access key of a user. Its id is its name, as on AWS."""
    user = properties["UserName"]
    before = set(iam._access_keys)
    status, _, body = iam._create_access_key({"UserName": user})
    if status != 200:
        raise ValueError(f"{logical_id} of {stack}: {body.decode()}")
    (made,) = set(iam._access_keys) - before
    return made, {"SecretAccessKey": iam._access_keys[made]["SecretAccessKey"]}


def _delete_key(physical_id: str, _: Properties) -> None:
    iam._access_keys.pop(physical_id, None)

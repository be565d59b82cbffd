"""The alarms: would somebody be told?"""

from __future__ import annotations

import json
from typing import Any

from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import Patient

_SERVICE = "cloudwatch.amazonaws.com"
_OWN_KEY = "alias/aws/sns"  # whose policy lets no service of CloudWatch use it


def topic(patient: Patient) -> str:
    """Look whether CloudWatch may publish to the topic, and whether somebody listens."""
    arn = patient.stack.parameters.get("AlarmTopicArn")
    if not arn:
        raise NotCheckedError("AlarmTopicArn is empty: alarms ring, and nobody is told.")
    client = patient.client("sns")
    try:
        found: dict[str, str] = client.get_topic_attributes(TopicArn=arn)["Attributes"]
    except client.exceptions.NotFoundException:
        raise UnhealthyError("There is no such topic.") from None
    statements = json.loads(found.get("Policy") or "{}").get("Statement", [])
    if not any(_lets_cloudwatch_publish(each) for each in _listed(statements)):
        raise UnhealthyError("The topic's policy does not let CloudWatch publish.")
    if found.get("KmsMasterKeyId", "").endswith(_OWN_KEY):
        raise UnhealthyError(
            "The topic is encrypted with SNS's own key, which CloudWatch may not use.",
            "Encrypt it with a key of yours whose policy names cloudwatch.amazonaws.com.",
        )
    if found.get("SubscriptionsConfirmed") == "0":
        raise UnhealthyError(
            "Nobody has subscribed to the topic.", "Subscribe to it, and confirm the subscription."
        )
    return "CloudWatch may publish to the topic."


def _lets_cloudwatch_publish(statement: dict[str, Any]) -> bool:
    """Tell whether a statement allows it: to the service, or to everybody in the account."""
    if statement.get("Effect") != "Allow":
        return False
    actions = {str(each).lower() for each in _listed(statement.get("Action", []))}
    if not actions & {"sns:publish", "sns:*", "*"}:
        return False
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    return _SERVICE in _listed(principal.get("Service", [])) or "*" in _listed(
        principal.get("AWS", [])
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


CHECKS = (
    Check(
        "alarm topic",
        "a topic that CloudWatch may not publish to, or that nobody hears",
        "Let cloudwatch.amazonaws.com do sns:Publish in the topic's policy.",
        topic,
    ),
)

"""The bus: does an event that is put on it reach a rule?"""

from __future__ import annotations

import contextlib
import json

from operate.doctor.check import Check, UnhealthyError
from operate.doctor.patient import PROBE, Patient

_ARRIVES_S = 30.0


def told(patient: Patient) -> str:
    """Put an event on the bus, with a rule and a queue that are removed again."""
    events, sqs, bus = (
        patient.client("events"),
        patient.client("sqs"),
        patient.stack.resources["EventBus"],
    )
    name = f"{patient.stack.name}-{PROBE}-{patient.now_ms()}"[-64:]
    source = f"agora-recording.{PROBE}"
    pattern = json.dumps({"source": [source]})
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    try:
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        rule = events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)["RuleArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            },
        }
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])

        def comes() -> bool:
            # Again each time: a new rule takes a while to begin.
            entry = {"EventBusName": bus, "Source": source, "DetailType": "Probe", "Detail": "{}"}
            events.put_events(Entries=[entry])
            return "Messages" in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)

        if not patient.until(comes, _ARRIVES_S):
            raise UnhealthyError(f"An event on the bus reached no rule within {_ARRIVES_S:g} s.")
    finally:
        with contextlib.suppress(events.exceptions.ResourceNotFoundException):
            events.remove_targets(Rule=name, EventBusName=bus, Ids=["queue"])
            events.delete_rule(Name=name, EventBusName=bus)
        sqs.delete_queue(QueueUrl=url)
    return "An event on the bus reaches a rule."


CHECKS = (
    Check(
        "bus",
        "a bus whose policy refuses events",
        "Look at the policy of the bus (output EventBusName) in the EventBridge console.",
        told,
    ),
)

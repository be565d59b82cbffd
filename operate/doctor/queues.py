"""The queues of what went wrong: they should be empty."""

from __future__ import annotations

from functools import partial

from operate.doctor.check import Check, UnhealthyError
from operate.doctor.patient import Patient


def empty(logical_id: str, patient: Patient) -> str:
    """Count the messages of a queue."""
    found = patient.client("sqs").get_queue_attributes(
        QueueUrl=patient.stack.resources[logical_id],
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    waiting = sum(int(count) for count in found.values())
    if waiting:
        raise UnhealthyError(f"{waiting} messages wait there.")
    return "Nothing waits there."


_ADVICE = 'Process them again: make ops ARGS="replay" (docs/operations.md).'
CHECKS = (
    Check(
        "dead letters",
        "batches of notifications and scheduled runs that were given up",
        _ADVICE,
        partial(empty, "DeadLetters"),
    ),
    Check(
        "poison",
        "notifications that could not be applied",
        _ADVICE,
        partial(empty, "PoisonNotifications"),
    ),
)

"""The bucket: who may read it in the clear, and whether its new files are told of."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import PROBE, Patient
from operate.doctor.probe import prefix_of, remove

_ARRIVES_S = 90.0  # EventBridge, the queue, the function and its log


def policy(patient: Patient) -> str:
    """Look whether the bucket's policy refuses plain HTTP, as the template's does."""
    if patient.stack.parameters.get("ExistingBucketName"):
        raise NotCheckedError("The bucket is yours, and so is its policy.")
    if "BucketPolicy" not in patient.stack.resources:
        raise NotCheckedError("The embedded stack has no bucket policy: it speaks plain HTTP.")
    try:
        text = patient.client("s3").get_bucket_policy(Bucket=patient.stack.bucket)["Policy"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        raise UnhealthyError("The bucket has no policy, so it answers plain HTTP.") from error
    statements = json.loads(text)["Statement"]
    if not any(_refuses_plain_http(each) for each in statements):
        raise UnhealthyError("No statement of the bucket's policy refuses plain HTTP.")
    return "The bucket refuses plain HTTP."


def _refuses_plain_http(statement: dict[str, Any]) -> bool:
    told = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return statement["Effect"] == "Deny" and str(told).lower() == "false"


def events(patient: Patient) -> str:
    """Look whether the bucket tells EventBridge, and the rule takes what it tells."""
    found = patient.client("s3").get_bucket_notification_configuration(Bucket=patient.stack.bucket)
    if "EventBridgeConfiguration" not in found:
        raise UnhealthyError("The bucket does not send its events to EventBridge.")
    rule = patient.client("events").describe_rule(Name=patient.stack.resources["FileArrivalsRule"])
    if rule["State"] != "ENABLED":
        raise UnhealthyError("The rule that takes the bucket's events is disabled.")
    return "The bucket tells EventBridge of new files, and the rule is enabled."


def arrival(patient: Patient) -> str:
    """Put a file that no recording has; its event must come to the function, whose log tells so."""
    bucket, prefix, since_ms = (
        patient.stack.bucket,
        prefix_of(patient, "arrival"),
        patient.now_ms() - 1000,
    )
    key = f"{prefix}{PROBE}_0.mp4"
    try:
        patient.client("s3").put_object(Bucket=bucket, Key=key, Body=b"probe")
        if not patient.until(lambda: _is_told(patient, since_ms), _ARRIVES_S):
            raise UnhealthyError(f"No function was told of a new file within {_ARRIVES_S:g} s.")
    finally:
        remove(patient, prefix)
    return "A function was told of a new file."


def _is_told(patient: Patient, since_ms: int) -> bool:
    """Tell whether the function has said that it knows no such recording."""
    lines = patient.logged("Unknown", since_ms)
    return any("Unknown" in (each.get("outcomes") or {}) for each in lines)


CHECKS = (
    Check(
        "bucket policy",
        "a bucket whose policy was removed",
        "Put the policy back: deploy the stack again after a change of the template, or copy "
        "BucketPolicy from template.yaml.",
        policy,
    ),
    Check(
        "bucket events",
        "a bucket that does not tell EventBridge, a disabled rule",
        "Let the bucket send its events to EventBridge (docs/deploy.md), and enable the rule.",
        events,
    ),
    Check(
        "file arrival",
        "a queue that takes no events (its policy, its key), a disabled mapping of the queue",
        "Look at the queue FileArrivals: its policy, its key's policy, and the event source "
        "mapping of record_file_arrival.",
        arrival,
        needs=("bucket events",),
    ),
)

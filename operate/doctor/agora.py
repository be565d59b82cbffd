"""Agora: do the keys and the App ID work, and is there a way out to Agora from a function?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from agora_recording.agora.storage import region_number
from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import PROBE, Patient

_UID = "4294967290"


def keys(patient: Patient) -> str:
    """Ask Agora for the addresses of its servers, from here."""
    status, _ = patient.parts.agora.ncs_ip()
    if status is None:
        raise NotCheckedError("Agora does not answer here; the check from a function goes on.")
    if status in (401, 403):
        raise UnhealthyError(f"Agora answers {status}: it does not know this key.")
    if status != 200:
        raise UnhealthyError(f"Agora answers {status} to the question for its addresses.")
    return "Agora accepts the customer ID and the customer secret."


def app_id(patient: Patient) -> str:
    """Acquire a resource, which costs nothing and is forgotten by itself."""
    reply = patient.parts.agora.acquire(
        f"{PROBE}-{patient.now_ms()}", _UID, {"scene": 0, "resourceExpiredHour": 1}
    )
    if reply.outcome.handling == "back_off_long":
        return "Agora knows the App ID; the account runs all the recordings that it may."
    if not reply.is_ok:
        raise UnhealthyError(f"Agora answers {reply.status}: {reply.outcome.reason}.")
    return "Agora gives resources to record with this App ID."


def way_out(patient: Patient) -> str:
    """Let the refresh plan, which asks Agora from a function and reads every firewall."""
    answer = patient.client("lambda").invoke(
        FunctionName=patient.stack.resources["RefreshNcsAddressesFunction"],
        Payload=msgspec.json.encode({"dryRun": True}),
    )
    result: Any = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        told: Mapping[str, Any] = result if isinstance(result, dict) else {}
        raise UnhealthyError(f"{told.get('errorType')}: {told.get('errorMessage')}")
    if result.get("failed"):
        named = "; ".join(f"{name}: {why}" for name, why in result["failed"].items())
        raise UnhealthyError(f"Not every firewall can be kept: {named}")
    refused = {name: each["refused"] for name, each in result["targets"].items() if each["refused"]}
    if refused:
        raise UnhealthyError("; ".join(f"{name}: {why}" for name, why in refused.items()))
    return (
        f"A function reaches Agora, which names {len(result['addresses'])} addresses; "
        f"{len(result['targets'])} lists and firewalls can be kept."
    )


def region(patient: Patient) -> str:
    """Look whether Agora has a number for the region, and the bucket is in it."""
    here = patient.stack.region
    number = region_number(here)
    found = patient.client("s3").get_bucket_location(Bucket=patient.stack.bucket)
    where = found.get("LocationConstraint") or "us-east-1"
    if where != here:
        raise UnhealthyError(f"The bucket is in {where}, and the stack in {here}.")
    return f"The bucket is in {here}, Agora's number {number}."


CHECKS = (
    Check(
        "agora key",
        "a customer ID or secret that Agora does not know",
        "Compare the secret with Agora's console (Developer Toolkit, RESTful API), and fill it in "
        "again (docs/deploy.md, step 2).",
        keys,
        needs=("agora secret",),
    ),
    Check(
        "app id",
        "a wrong App ID, an App ID of another account, Cloud Recording not enabled",
        "Compare the parameter AgoraAppId with the project in Agora's console, and enable Cloud "
        "Recording there; then make deploy with the right AgoraAppId.",
        app_id,
        needs=("agora key",),
    ),
    Check(
        "way out",
        "functions that cannot reach Agora (a VPC without NAT), firewalls that cannot be kept",
        "In a VPC: a NAT gateway, and groups that let out port 443 (docs/deploy.md). Otherwise: "
        "docs/firewall.md.",
        way_out,
        needs=("agora key",),
    ),
    Check(
        "region",
        "a bucket in another region, or in one that Agora does not know",
        "Give ExistingBucketName a bucket in the stack's region (docs/deploy.md).",
        region,
    ),
)

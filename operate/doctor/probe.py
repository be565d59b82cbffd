"""What checks put into the bucket, and how it is removed again."""

from __future__ import annotations

from agora_recording.recording.ids import new_recording_id
from operate.doctor.patient import Patient


def prefix_of(patient: Patient, what: str) -> str:
    """Return a prefix for one check, which no recording has: its id is of the year 1970."""
    key_prefix = patient.stack.parameters.get("KeyPrefix", "")
    return f"{key_prefix}recordings/{new_recording_id(0, f'{what:<10}'.encode())}/"


def remove(patient: Patient, prefix: str) -> None:
    """Remove every version below a prefix, with the operator's own rights."""
    s3, bucket = patient.client("s3"), patient.stack.bucket
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])

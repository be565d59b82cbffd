"""Drift: is the stack still what its template made?"""

from __future__ import annotations

from typing import Any

from operate.doctor.check import Check, NotCheckedError, UnhealthyError, few
from operate.doctor.patient import Patient

_PATIENCE_S = 300.0
_SHOWN = 5
# Their rules and addresses are written by the refresh, not by the template.
_REFRESHED = frozenset({"NotificationsSecurityGroup"})


def unchanged(patient: Patient) -> str:
    """Let CloudFormation compare every resource that it can with the template."""
    client, stack = patient.client("cloudformation"), patient.stack.name
    detection = client.detect_stack_drift(StackName=stack)["StackDriftDetectionId"]
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(client.describe_stack_drift_detection_status(StackDriftDetectionId=detection))
        return bool(found["DetectionStatus"] != "DETECTION_IN_PROGRESS")

    if not patient.until(is_over, _PATIENCE_S):
        raise NotCheckedError(f"CloudFormation still compares after {_PATIENCE_S:g} s.")
    changed = sorted(_changed(client, stack))
    if changed:
        raise UnhealthyError(f"Not as the template says: {few(changed, _SHOWN)}.")
    if found["DetectionStatus"] == "DETECTION_FAILED":
        raise NotCheckedError(str(found.get("DetectionStatusReason", "CloudFormation failed.")))
    return "Every resource that CloudFormation can compare is as the template says."


def _changed(client: Any, stack: str) -> list[str]:
    """Return each resource that differs, with the first property that does."""
    asked: dict[str, Any] = {
        "StackName": stack,
        "StackResourceDriftStatusFilters": ["MODIFIED", "DELETED"],
    }
    changed: list[str] = []
    while True:
        page = client.describe_stack_resource_drifts(**asked)
        for each in page["StackResourceDrifts"]:
            name = each["LogicalResourceId"]
            if name in _REFRESHED:
                continue
            if each["StackResourceDriftStatus"] == "DELETED":
                changed.append(f"{name} (deleted)")
            else:
                paths = [one["PropertyPath"] for one in each.get("PropertyDifferences", [])]
                changed.append(f"{name} ({paths[0]})" if paths else name)
        if not page.get("NextToken"):
            return changed
        asked["NextToken"] = page["NextToken"]


CHECKS = (
    Check(
        "drift",
        "changes by hand that no other check finds",
        "Undo the change, or write it into the template and deploy: an update may revert it, or "
        "fail.",
        unchanged,
        # A fault that one of these names is a difference, too: it is told once.
        needs=(
            "bucket policy",
            "bucket events",
            "stream mapping",
            "file arrival",
            "sweeps",
            "refreshes",
            "bus",
        ),
    ),
)

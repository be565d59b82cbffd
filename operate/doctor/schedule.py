"""The schedules: does the sweeper run each minute, and does the refresh?"""

from __future__ import annotations

from functools import partial

from operate.doctor.check import Check, UnhealthyError
from operate.doctor.patient import Patient


def enabled(logical_id: str, patient: Patient) -> str:
    """Look whether a schedule is there and enabled."""
    name = patient.stack.resources[logical_id].rpartition("/")[2].rpartition("|")[2]
    client = patient.client("scheduler")
    try:
        found = client.get_schedule(Name=name)
    except client.exceptions.ResourceNotFoundException:
        raise UnhealthyError("The schedule is gone.") from None
    if found["State"] != "ENABLED":
        raise UnhealthyError(f"The schedule is {found['State'].lower()}.")
    return f"It is enabled: {found['ScheduleExpression']}."


CHECKS = (
    Check(
        "sweeps",
        "a schedule that is disabled or gone: then nobody looks at silent recordings",
        "Enable the schedule WatchRecordingsFunctionEachMinute in the EventBridge Scheduler "
        "console.",
        partial(enabled, "WatchRecordingsFunctionEachMinute"),
    ),
    Check(
        "refreshes",
        "a schedule that is disabled or gone: then Agora's addresses grow old",
        "Enable the schedule RefreshNcsAddressesFunctionOnSchedule in the EventBridge Scheduler "
        "console.",
        partial(enabled, "RefreshNcsAddressesFunctionOnSchedule"),
    ),
)

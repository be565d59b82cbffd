"""Executions against rows: each open recording has one, and each one has a recording."""

from __future__ import annotations

from operate.doctor.check import Check, UnhealthyError, few
from operate.doctor.patient import Patient


def owned(patient: Patient) -> str:
    """Compare the executions that run with the recordings that are not over."""
    pages = patient.client("stepfunctions").get_paginator("list_executions")
    machine = patient.stack.resources["RecordingStateMachine"]
    running = {
        each["name"].partition("-")[0]
        for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
        for each in page["executions"]
    }
    rows = patient.parts.store.get_all(patient.parts.due_index.open_recordings())
    open_ids = {each.recording_id for each in rows if not each.is_terminal}
    # One may have begun or ended between the two lists: what is still so is read again.
    lost = [each for each in sorted(open_ids - running) if not _is_over(patient, each)]
    stray = [each for each in sorted(running - open_ids) if _is_over(patient, each)]
    if stray := [each for each in stray if _runs(patient, machine, each)]:
        raise UnhealthyError(f"{len(stray)} executions run without an open recording: {few(stray)}")
    if lost := [each for each in lost if not _runs(patient, machine, each)]:
        raise UnhealthyError(f"{len(lost)} open recordings have no execution: {few(lost)}")
    return f"{len(running)} executions run, one for each open recording."


def _is_over(patient: Patient, recording_id: str) -> bool:
    found = patient.parts.store.get_all([recording_id])
    return not found or found[0].is_terminal


def _runs(patient: Patient, machine: str, recording_id: str) -> bool:
    pages = patient.client("stepfunctions").get_paginator("list_executions")
    return any(
        each["name"].partition("-")[0] == recording_id
        for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
        for each in page["executions"]
    )


CHECKS = (
    Check(
        "executions",
        "executions that were stopped or started by hand",
        "An open recording without an execution gets a new one from the sweeper within minutes. "
        "Stop an execution without a recording in the Step Functions console.",
        owned,
    ),
)

"""The account: who asks, and how much of Lambda it has."""

from __future__ import annotations

from operate.doctor.check import Check, UnhealthyError
from operate.doctor.patient import Patient

_FEW = 50  # a webhook that is throttled loses notifications


def caller(patient: Patient) -> str:
    """Say who asks."""
    found = patient.client("sts").get_caller_identity()
    return f"{found['Arn']}, in {patient.stack.region}."


def concurrency(patient: Patient) -> str:
    """Look how many functions may run at the same time."""
    limits = patient.client("lambda").get_account_settings()["AccountLimit"]
    count: int = limits["ConcurrentExecutions"]
    if count < _FEW:
        raise UnhealthyError(f"The account may run {count} functions at the same time.")
    return f"The account may run {count} functions at the same time."


CHECKS = (
    Check("caller", "credentials that do not work", "Log in again.", caller),
    Check(
        "concurrency",
        "new and small accounts, whose webhook is throttled",
        "Request a higher quota: Service Quotas, Lambda, Concurrent executions.",
        concurrency,
    ),
)

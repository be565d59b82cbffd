"""The account: who asks, and how much of Lambda and API Gateway it has."""

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


def throttle(patient: Patient) -> str:
    """Look whether API Gateway lets as many calls pass in the region as the webhook may get."""
    limits = patient.client("apigateway").get_account()["throttleSettings"]
    passing, burst = float(limits["rateLimit"]), int(limits["burstLimit"])
    needed = max(
        float(patient.stack.parameters.get(name, 0))
        for name in ("NotificationRate", "RtcNotificationRate")
    )
    said = f"API Gateway lets {passing:g} calls a second pass, {burst} at once"
    if passing < needed:
        raise UnhealthyError(f"{said}; the webhook may get {needed:g}.")
    return f"{said}."


CHECKS = (
    Check("caller", "credentials that do not work", "Log in again.", caller),
    Check(
        "concurrency",
        "new and small accounts, whose webhook is throttled",
        "Request a higher quota: Service Quotas, Lambda, Concurrent executions.",
        concurrency,
    ),
    Check(
        "api throttle",
        "regions and accounts in which API Gateway lets few calls pass",
        "Request a higher quota (Service Quotas, API Gateway, Throttle rate), or lower "
        "NotificationRate and RtcNotificationRate.",
        throttle,
    ),
)

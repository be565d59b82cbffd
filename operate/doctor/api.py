"""The HTTP API: closed to who does not sign, open to who does."""

from __future__ import annotations

from operate.doctor.check import Check, NotCheckedError, UnhealthyError
from operate.doctor.patient import Patient

_REFUSED = (401, 403)


def signed(patient: Patient) -> str:
    """Call it without a signature, and with the operator's."""
    status = patient.call("GET", "/recordings?limit=1", signed=False).status
    if status not in _REFUSED:
        raise UnhealthyError(f"A request that nobody signed was answered {status}.")
    answer = patient.call("GET", "/recordings?limit=1")
    if answer.status in _REFUSED:
        raise NotCheckedError("Your rights do not allow execute-api:Invoke.")
    if answer.status != 200:
        raise UnhealthyError(f"A signed request was answered {answer.status}.")
    return "Unsigned requests are refused, signed ones are answered."


CHECKS = (
    Check(
        "api",
        "an API without IAM authorisation, or one that fails on its own side",
        "Look at ApiErrorsAlarm (docs/operations.md) and at the log of get_recordings.",
        signed,
    ),
)

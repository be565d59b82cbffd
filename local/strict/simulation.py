"""IAM's simulator takes the context of a call into account, as on AWS.

MiniStack simulates a principal's policies without the context entries, so that every statement with
a condition would be refused.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ministack.core import iam_evaluator
from ministack.services import iam

_ACTION = "SimulatePrincipalPolicy"
_context: ContextVar[dict[str, Any] | None] = ContextVar("context", default=None)


def simulate_in_context() -> None:
    """Let SimulatePrincipalPolicy judge conditions by the context entries of the request."""
    simulate = iam._IAM_HANDLERS[_ACTION]
    evaluate = iam_evaluator.evaluate

    def simulate_with_entries(parameters: Any) -> Any:
        token = _context.set(_entries(parameters))
        try:
            return simulate(parameters)
        finally:
            _context.reset(token)

    def evaluate_in_context(call: Any, policies: Any, *rest: Any, **named: Any) -> Any:
        call.service_context.update(_context.get() or {})
        return evaluate(call, policies, *rest, **named)

    iam._IAM_HANDLERS[_ACTION] = simulate_with_entries
    iam_evaluator.evaluate = evaluate_in_context


def _entries(parameters: Any) -> dict[str, Any]:
    """Return the context entries of a request (AWS's query protocol), by key in lower case."""
    found: dict[str, Any] = {}
    number = 1
    while key := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyName"):
        values: list[str] = []
        place = f"ContextEntries.member.{number}.ContextKeyValues.member"
        while value := iam._p(parameters, f"{place}.{len(values) + 1}"):
            values.append(value)
        kind = iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyType")
        found[key.lower()] = values if kind.endswith("List") else "".join(values[:1])
        number += 1
    return found

"""The fault plan: which calls and webhooks go wrong, when and how.

A rule matches calls (or `webhook`) and says what is done to them:

    {"match": {"endpoint": "start", "cname": "room", "nth": 1, "times": 3},
     "action": {"answer": {"http": 500, "code": 62}}}

The rule begins with the `nth` matching call (from 1), and applies to `times` calls: one if `nth` is
given, otherwise all. Rules are tried in order; the first that applies decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .plan import PLAN_FIELDS, Plan, PlanError

ENDPOINTS = ("acquire", "start", "query", "update", "updateLayout", "stop", "ncs", "webhook")
_CALL_ACTIONS = {"answer", "delay_s", "drop"}
_WEBHOOK_ACTIONS = {"lose", "duplicate", "delay_s"}
_MATCH = {"endpoint", "cname", "uid", "nth", "times", "event_types"}


@dataclass
class Rule:
    """One rule; how many calls it matched, and how often it was applied."""

    endpoint: str
    cname: str | None
    uid: str | None
    event_types: tuple[int, ...]
    nth: int
    times: int | None
    action: dict[str, Any]
    plan: Plan = field(default_factory=Plan)
    matched: int = 0
    applied: int = 0

    @classmethod
    def of(cls, raw: object) -> Rule:
        """Return the rule that a JSON object describes. Raises PlanError with a sentence."""
        if not isinstance(raw, Mapping):
            raise PlanError("a rule must be an object with match and action")
        match, action = raw.get("match"), raw.get("action")
        if not isinstance(match, Mapping) or not isinstance(action, Mapping):
            raise PlanError("a rule must be an object with match and action")
        if unknown := set(match) - _MATCH:
            raise PlanError(f"match: no such key: {', '.join(sorted(unknown))}")
        endpoint = match.get("endpoint")
        if endpoint not in ENDPOINTS:
            raise PlanError(f"match.endpoint: must be one of {', '.join(ENDPOINTS)}")
        nth = match.get("nth")
        plan = {name: value for name, value in action.items() if name in PLAN_FIELDS}
        known = _WEBHOOK_ACTIONS if endpoint == "webhook" else _CALL_ACTIONS
        if unknown := set(action) - known - set(plan):
            raise PlanError(f"action: no such key for {endpoint}: {', '.join(sorted(unknown))}")
        if plan and endpoint != "start":
            raise PlanError(f"action: {', '.join(sorted(plan))} belong to endpoint start")
        if action.get("drop") not in (None, "before", "after"):
            raise PlanError("action.drop: must be before or after")
        return cls(
            endpoint=endpoint,
            cname=match.get("cname"),
            uid=match.get("uid"),
            event_types=tuple(match.get("event_types") or ()),
            nth=nth or 1,
            times=match.get("times", 1 if nth else None),
            action={name: value for name, value in action.items() if name not in plan},
            plan=Plan.of(plan),
        )

    def applies(self, endpoint: str, cname: str | None, uid: str | None, event_type: int) -> bool:
        """Return whether the rule applies to this call, and count the match."""
        if (
            endpoint != self.endpoint
            or self.cname not in (None, cname)
            or self.uid not in (None, uid)
            or (self.event_types and event_type not in self.event_types)
        ):
            return False
        self.matched += 1
        if self.matched < self.nth or (self.times is not None and self.applied >= self.times):
            return False
        self.applied += 1
        return True

    def report(self) -> dict[str, Any]:
        """Return what the control API shows."""
        return {
            "endpoint": self.endpoint,
            "cname": self.cname,
            "uid": self.uid,
            "nth": self.nth,
            "times": self.times,
            "matched": self.matched,
            "applied": self.applied,
        }


class Faults:
    """All rules."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def for_call(self, endpoint: str, cname: str | None, uid: str | None) -> Rule | None:
        """Return the rule that decides about a call; count the match."""
        return next((r for r in self.rules if r.applies(endpoint, cname, uid, 0)), None)

    def for_webhook(self, cname: str, uid: str, event_type: int) -> dict[str, Any]:
        """Return what happens to a notification; count the match."""
        for rule in self.rules:
            if rule.applies("webhook", cname, uid, event_type):
                return rule.action
        return {}

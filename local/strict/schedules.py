"""Schedules of EventBridge Scheduler need the rights that AWS asks for, and come in time.

MiniStack takes every schedule for one of the default group, lets anybody give it any role, calls
its target past that role, and looks at the schedules only every ten seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, responses
from ministack.services import eventbridge, scheduler

_LOOK_S = 0.5
_PATH = "/schedules/"
_SERVICE = "scheduler.amazonaws.com"
_logger = logging.getLogger("ministack")


def follow_the_rights_of_schedules() -> None:
    """Judge a schedule by its group, its role when it is given, and its role when it calls."""
    scheduler._SCHEDULE_TICK_INTERVAL = _LOOK_S
    _name_the_group()
    _ask_who_gives_the_role()
    _call_as_the_role()


def _name_the_group() -> None:
    extract = iam_actions.extract_resource_arn

    def with_group(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        query: Mapping[str, Any],
        region: str,
        account: str,
    ) -> str:
        if service != "scheduler" or not path.startswith(_PATH):
            found: str = extract(service, method, path, headers, body, query, region, account)
            return found
        group = (query.get("groupName") or [None])[0] or _read(body).get("GroupName") or "default"
        name = f"{group}/{path.removeprefix(_PATH)}"
        return f"arn:aws:scheduler:{region}:{account}:schedule/{name}"

    iam_actions.extract_resource_arn = with_group


def _ask_who_gives_the_role() -> None:
    handle = scheduler.handle_request

    async def handle_if_allowed(
        method: str, path: str, headers: Any, body: bytes, query: Mapping[str, Any]
    ) -> Any:
        if method in ("POST", "PUT") and path.startswith(_PATH):
            role = _read(body).get("Target", {}).get("RoleArn", "")
            caller = app.extract_access_key_id(headers, query)
            if _is_refused(caller, "iam:PassRole", role, {"iam:PassedToService": _SERVICE}):
                why = f"The caller is not authorized to perform iam:PassRole on {role}"
                return responses.error_response_json("AccessDeniedException", why, 403)
        return await handle(method, path, headers, body, query)

    scheduler.handle_request = handle_if_allowed


def _call_as_the_role() -> None:
    invoke = eventbridge._invoke_target

    def invoke_if_allowed(target: dict[str, Any], event: Any, rule: Any, *more: Any) -> Any:
        if rule.get("Target") is target:  # a schedule; a rule has several
            role, arn = target.get("RoleArn", ""), target["Arn"]
            who = {"Role": role, "FunctionArn": arn, "FunctionName": "scheduler"}
            key = lambda_runtime.execution_credentials(who)["AWS_ACCESS_KEY_ID"]
            if _is_refused(key, "lambda:InvokeFunction", arn, {}):
                _logger.warning("Schedule %s may not call %s", rule["Name"], arn)
                return None
        return invoke(target, event, rule, *more)

    eventbridge._invoke_target = invoke_if_allowed


def _is_refused(key: str, action: str, resource: str, context: dict[str, Any]) -> bool:
    service, region = action.partition(":")[0], responses.get_region()
    found = iam_evaluator.enforce(
        key, action, service, region, resource_arn=resource, service_context=context
    )
    return found is not None


def _read(body: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found

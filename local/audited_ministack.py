"""MiniStack, as strict as AWS, and with what the end-to-end tests and a laptop need.

Every decision of its IAM is appended to the file that IAM_AUDIT names, one JSON object a line:
{principal, action, resource, context, allowed}. From this file the tests know what each role really
did. IAM is also told which partition keys of a table a call names (`dynamodb:LeadingKeys`).

Every request to the API is appended to the file that API_REQUESTS names: {method, path, status}.

Only a few environments of functions start at the same time, so that a burst does not start hundreds
of processes. And a task that waits for a token fails when the function that got the token fails.

What AWS enforces and MiniStack does not is in `local/strict/`. What goes wrong at AWS, where the
soak asks for it, is in `local/weather.py`.

Run as `python -m local.audited_ministack`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator, lambda_runtime, responses
from ministack.services import apigateway_v1, lambda_svc, stepfunctions

from local.layers import give_layers
from local.strict.calls import judge_calls, let_it_go
from local.strict.executions import start_once
from local.strict.mappings import read_as_the_role
from local.strict.pollers import poll_apart
from local.strict.resources import judge_resources
from local.strict.schedules import follow_the_rights_of_schedules
from local.strict.scopes import refuse_other_scopes
from local.strict.sessions import give_long_tokens
from local.strict.simulation import simulate_in_context
from local.weather import Weather

_LOOK_S = 0.01  # between two checks whether an environment has become free
_ENVIRONMENTS = 8  # of one function, at most


def main() -> None:
    """Run the emulator until SIGTERM."""
    weather = Weather.of_environment()
    if weather:
        weather.befall_tasks()
        weather.restart_streams()
        weather.kill_processes()
    audit_decisions()
    tell_requests()
    tell_leading_keys()
    tell_the_domain()
    start_in_turn()
    fail_with_the_function()
    give_layers()
    read_as_the_role()
    poll_apart()
    judge_calls(weather.meet if weather else let_it_go)
    judge_resources()
    start_once()
    give_long_tokens()
    simulate_in_context()
    refuse_other_scopes()
    follow_the_rights_of_schedules()
    sys.argv = ["ministack"]
    app.main()


def audit_decisions() -> None:
    """Write down every decision of IAM about a caller that is not root."""
    decide = iam_evaluator.enforce
    audit = open(os.environ["IAM_AUDIT"], "a", buffering=1)  # noqa: SIM115 - for its whole life

    def enforce(access_key_id: str, iam_action: str, *rest: Any, **named: Any) -> Any:
        denied = decide(access_key_id, iam_action, *rest, **named)
        account = responses.get_account_id()
        principal = iam_evaluator.resolve_principal(access_key_id or "", account)
        arn = getattr(principal, "arn", "")
        if arn and not arn.endswith(":root"):
            line = {
                "principal": arn,
                "action": iam_action,
                "resource": named.get("resource_arn", "*"),
                "context": named.get("service_context") or {},
                "allowed": denied is None,
            }
            audit.write(json.dumps(line, default=str) + "\n")
        return denied

    iam_evaluator.enforce = enforce


def tell_requests() -> None:
    """Write down every request to the API, and how it was answered; of a link, not its token."""
    handle = app._handle_execute_api_request
    write = open(os.environ["API_REQUESTS"], "a", buffering=1).write  # noqa: SIM115 - its whole life

    async def handle_and_tell(host: str, path: str, method: str, *rest: Any, **named: Any) -> Any:
        answer = await handle(host, path, method, *rest, **named)
        if answer is not None:  # it is a request to an API
            _, _, inside = app._parse_execute_api_url(host, path) or ("", "", path)
            line = {
                "method": method,
                "path": re.sub(r"^/play/[^/]+", "/play/…", inside),
                "status": answer[0],
            }
            write(json.dumps(line) + "\n")
        return answer

    app._handle_execute_api_request = handle_and_tell


def tell_leading_keys() -> None:
    """Give IAM the partitions that a read or a write of items names, as DynamoDB does."""
    describe = iam_actions.dynamodb_service_context

    def describe_with_keys(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = describe(body)
        request = json.loads(body or b"{}")
        partitions = sorted({*_partitions(request), *_queried(request)})
        return {**context, "dynamodb:LeadingKeys": partitions} if partitions else context

    iam_actions.dynamodb_service_context = describe_with_keys


def _partitions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(key := part.get("PK"), dict) and "S" in key:
            yield key["S"]
        for each in part.values():
            yield from _partitions(each)
    elif isinstance(part, list):
        for each in part:
            yield from _partitions(each)


def _queried(request: Any) -> Iterator[str]:
    """Yield the partition that a query of the table itself names."""
    if isinstance(request, dict) and "IndexName" not in request:
        named = re.match(r"PK = (:\w+)", request.get("KeyConditionExpression", ""))
        if named:
            yield request["ExpressionAttributeValues"][named[1]]["S"]


def tell_the_domain() -> None:
    """Tell functions by which address the API was called, as API Gateway does for any domain.

    Here the domain is the emulator's, and the path before the stage is like a base path mapping.
    """
    build = apigateway_v1._build_lambda_event_v1

    def build_with_domain(api_id: str, stage: str, *rest: Any, **named: Any) -> dict[str, Any]:
        event: dict[str, Any] = build(api_id, stage, *rest, **named)
        about = event["requestContext"]
        headers = {name.lower(): value for name, value in event["headers"].items()}
        about["domainName"] = headers.get("host", "")
        about["path"] = f"/_aws/execute-api/{api_id}{about['path']}"
        event["headers"]["X-Forwarded-Proto"] = "http"
        return event

    apigateway_v1._build_lambda_event_v1 = build_with_domain


def start_in_turn() -> None:
    """Let only as many environments start at the same time as there are cores, and keep few.

    On AWS, starts do not slow each other down; here, fifty starts at once would all time out. An
    invocation that waits takes an environment that becomes free, so a burst needs few of them.
    A function gets no more than _ENVIRONMENTS. One whose process has ended starts anew in its turn.
    """
    turn = threading.BoundedSemaphore(os.cpu_count() or 1)
    acquire = lambda_svc.acquire_worker

    def acquire_in_turn(
        name: str, config: dict[str, Any], code: bytes, qualifier: str = "$LATEST", **named: Any
    ) -> Any:
        key = lambda_runtime._worker_key(name, config, qualifier)

        def is_free() -> bool:
            with lambda_runtime._lock:
                return any(not each.in_use for each in lambda_runtime._workers.get(key, ()))

        def is_full() -> bool:
            with lambda_runtime._lock:
                return len(lambda_runtime._workers.get(key, ())) >= _ENVIRONMENTS

        while not is_free():
            if is_full():
                time.sleep(_LOOK_S)
            elif turn.acquire(timeout=_LOOK_S):
                try:
                    worker, reason = acquire(name, config, code, qualifier, **named)
                    if reason == "spawn":
                        # If the start fails, the invocation tries again, and reports the error.
                        with contextlib.suppress(Exception):
                            lambda_runtime.ensure_spawned(worker)
                    return worker, reason
                finally:
                    turn.release()
        worker, reason = acquire(name, config, code, qualifier, **named)
        if worker is not None and (worker._proc is None or worker._proc.poll() is not None):
            with turn, contextlib.suppress(Exception):  # as above
                lambda_runtime.ensure_spawned(worker)
        return worker, reason

    lambda_svc.acquire_worker = acquire_in_turn


def fail_with_the_function() -> None:
    """Let a task that waits for a token fail with its function's error, which MiniStack ignores.

    The function gets the token in the field `taskToken` of its event.
    """
    call = stepfunctions._call_lambda

    def call_and_tell(function: str, event: Any) -> Any:
        try:
            return call(function, event)
        except stepfunctions._ExecutionError as error:
            token = event.get("taskToken") if isinstance(event, dict) else None
            parked = stepfunctions._task_tokens.get(token) if token else None
            if parked and not parked["event"].is_set():  # otherwise it went on before the error
                parked["error"] = {"Error": error.error, "Cause": error.cause}
                parked["event"].set()
            raise

    stepfunctions._call_lambda = call_and_tell


if __name__ == "__main__":
    main()

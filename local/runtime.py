"""A runtime client for machines for which awslambdaric has no wheel (macOS).

It implements Lambda's Runtime API as far as the functions need it, and keeps the names of errors,
which the state machine needs for its retries. It differs from AWS's own client in two ways: a
function that hangs is not ended at its time-out, and the context has only the fields below.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

_BASE = "/2018-06-01/runtime"


class Context:
    """The context of an invocation, which a handler gets."""

    def __init__(self, request_id: str, arn: str, deadline_ms: int) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self._deadline_ms = deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function's time is over."""
        return max(0, self._deadline_ms - time.time_ns() // 1_000_000)


def describe(error: BaseException) -> dict[str, Any]:
    """Return an error as Lambda reports it: its message, its name and its trace."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


def load(handler: str) -> Callable[[Any, Context], Any]:
    """Return the function that `module.function` names."""
    module, _, name = handler.rpartition(".")
    found: Callable[[Any, Context], Any] = getattr(importlib.import_module(module), name)
    return found


def serve_one(api: HTTPConnection, handler: Callable[[Any, Context], Any]) -> None:
    """Wait for one invocation, run it, and report its result."""
    api.request("GET", f"{_BASE}/invocation/next")
    answer = api.getresponse()
    event = json.loads(answer.read())
    request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
    context = Context(
        request_id,
        answer.headers.get("Lambda-Runtime-Invoked-Function-Arn", ""),
        int(answer.headers.get("Lambda-Runtime-Deadline-Ms", "0")),
    )
    try:
        outcome, body = "response", json.dumps(handler(event, context))
    except Exception as error:
        traceback.print_exc()
        outcome, body = "error", json.dumps(describe(error))
    api.request("POST", f"{_BASE}/invocation/{request_id}/{outcome}", body)
    api.getresponse().read()


def main() -> None:
    """Serve invocations until the process is ended."""
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load(sys.argv[1])
    except Exception as error:
        api.request("POST", f"{_BASE}/init/error", json.dumps(describe(error)))
        api.getresponse().read()
        raise
    while True:
        serve_one(api, handler)


if __name__ == "__main__":
    main()

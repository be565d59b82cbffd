"""The custom resource: answers CloudFormation when it creates, updates or deletes the stack.

A request has the URL to which the answer is sent (CloudFormation: custom resource request and
response). The answer is always SUCCESS: the schedule repeats what failed at deploy, and an outdated
firewall has alarms. An account that Agora does not know yet must not roll a stack back, and without
an answer the stack would wait until its time-out. So the answer is sent when the work is done, or
when the room has little time left, or as soon as the work itself says that it will take longer.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from threading import Lock, Timer
from typing import Any

from agora_recording.observability import count, logger

PHYSICAL_ID = "ncs-addresses"
Tell = Callable[[str], object]
_TIMEOUT_S = 10
_LEFT_S = 20  # for the answer: its own time-out, and as much again
_WARNING_LENGTH = 1000  # CloudFormation takes 4 kB in all


class _Reply:
    """The one answer to a request, whoever gives it first."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._sent: dict[str, Any] | None = None
        self._lock = Lock()

    def give(self, warning: str) -> dict[str, Any]:
        """Send the answer, unless it has been sent; return what was sent. Raises OSError."""
        with self._lock:
            if self._sent is None:
                request = self._request
                sent = {
                    "Status": "SUCCESS",
                    "PhysicalResourceId": request.get("PhysicalResourceId", PHYSICAL_ID),
                    "StackId": request["StackId"],
                    "RequestId": request["RequestId"],
                    "LogicalResourceId": request["LogicalResourceId"],
                    "Data": {"Warning": warning[:_WARNING_LENGTH]},
                }
                _put(request["ResponseURL"], json.dumps(sent).encode())
                self._sent = sent
            return self._sent


def answer(
    request: dict[str, Any], act: Callable[[Tell], object], remaining_ms: Callable[[], int]
) -> dict[str, Any]:
    """Run `act`, then answer CloudFormation with SUCCESS, even if it failed; return the answer.

    `remaining_ms` tells how long the room may still run. With 20 s left the answer is sent, and
    `act` goes on. `act` gets a function that sends the answer at once, with a warning: for work
    that must wait. The error is in the log, in the metric `RefreshAtDeployFailed` (0 or 1), and in
    the resource's attribute `Warning`. Raises OSError when CloudFormation cannot be reached.
    """
    reply = _Reply(request)
    late = "The refresh takes long. If it does not end, the schedule repeats it."
    timer = Timer(max(0.0, remaining_ms() / 1000 - _LEFT_S), reply.give, [late])
    timer.daemon = True
    timer.start()
    warning = ""
    try:
        act(reply.give)
    except Exception as error:  # whatever it is: see the module
        logger.exception("the stack goes on, but its firewall was not refreshed")
        warning = f"{type(error).__name__}: {error}"
    finally:
        timer.cancel()
    count("RefreshAtDeployFailed", int(bool(warning)))
    return reply.give(warning)


def _put(url: str, body: bytes) -> None:
    """Send the answer. The URL is signed for an empty content type."""
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        url, data=body, method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass

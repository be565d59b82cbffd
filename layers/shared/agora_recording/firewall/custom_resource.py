"""The custom resource: answers CloudFormation when it creates, updates or deletes the stack.

A request has the URL to which the answer is sent (CloudFormation: custom resource request and
response). The answer is always SUCCESS: the schedule repeats what failed at deploy, and an outdated
firewall has alarms. An account that Agora does not know yet must not roll a stack back, and without
an answer the stack would wait for an hour.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from agora_recording.observability import count, logger

PHYSICAL_ID = "ncs-addresses"
_TIMEOUT_S = 10
_WARNING_LENGTH = 1000  # CloudFormation takes 4 kB in all


def answer(request: dict[str, Any], act: Callable[[], object]) -> dict[str, Any]:
    """Run `act`, then answer CloudFormation with SUCCESS, even if it failed; return the answer.

    The error is in the log, in the metric `RefreshAtDeployFailed` (0 or 1), and in the resource's
    attribute `Warning`. Raises OSError when CloudFormation cannot be reached.
    """
    warning = ""
    try:
        act()
    except Exception as error:  # whatever it is: see the module
        logger.exception("the stack goes on, but its firewall was not refreshed")
        warning = f"{type(error).__name__}: {error}"
    count("RefreshAtDeployFailed", int(bool(warning)))
    sent = {
        "Status": "SUCCESS",
        "PhysicalResourceId": request.get("PhysicalResourceId", PHYSICAL_ID),
        "StackId": request["StackId"],
        "RequestId": request["RequestId"],
        "LogicalResourceId": request["LogicalResourceId"],
        "Data": {"Warning": warning[:_WARNING_LENGTH]},
    }
    _put(request["ResponseURL"], json.dumps(sent).encode())
    return sent


def _put(url: str, body: bytes) -> None:
    """Send the answer. The URL is signed for an empty content type."""
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        url, data=body, method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass

"""Keep firewalls open to Agora's notification servers.

Runs by schedule, by hand (`{"dryRun": true}` plans and writes nothing; `{"acceptDrop": true}`
confirms an answer that lacks many addresses), and as a CloudFormation custom resource: when the
stack is made, when its targets change, when it is deleted. Two runs never work at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording import clock
from agora_recording.aws.lease import Lease
from agora_recording.firewall import addresses
from agora_recording.firewall.refresh import RefreshSettings, handle
from agora_recording.firewall.target import Targets
from agora_recording.observability import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(
    event: dict[str, Any],
    _context: LambdaContext,
    *,
    settings: RefreshSettings | None = None,
    get: addresses.Get | None = None,
    targets: Targets | None = None,
    lease: Lease | None = None,
    now: Callable[[], int] = clock.now_ms,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Return the plan of each target, or the answer that CloudFormation got."""
    return handle(
        event, settings=settings, get=get, targets=targets, lease=lease, now=now, sleep=sleep
    )

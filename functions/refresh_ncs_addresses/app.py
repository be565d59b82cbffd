"""Keep firewalls open to Agora's notification servers.

Runs by schedule, by hand (`{"dryRun": true}` plans and writes nothing; `{"acceptDrop": true}`
vouches for an answer that lacks much), and as a CloudFormation custom resource at each deploy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording import addresses, clock
from agora_recording.firewall_targets import Targets
from agora_recording.observability import logger, metrics
from agora_recording.refresh import RefreshSettings, handle


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(
    event: dict[str, Any],
    _context: LambdaContext,
    *,
    settings: RefreshSettings | None = None,
    get: addresses.Get | None = None,
    targets: Targets | None = None,
    now: Callable[[], int] = clock.now_ms,
) -> dict[str, Any]:
    """Return the plan of each target, or the answer that CloudFormation was given."""
    return handle(event, settings=settings, get=get, targets=targets, now=now)

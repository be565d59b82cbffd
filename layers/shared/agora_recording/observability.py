"""One logger and one metrics namespace for every room (Powertools; no tracer: it costs 40 MB)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from agora_recording import emf
from agora_recording.errors import RecordingError

# The service is the stack's name (POWERTOOLS_SERVICE_NAME), so that two stacks in one account do
# not ring each other's alarms. Dashboards and alarms in template.yaml name the namespace.
logger = Logger(utc=True)
metrics = Metrics(namespace=emf.NAMESPACE, service=emf.SERVICE)


def count(name: str, number: float = 1) -> None:
    """Add to a metric; `observed` emits it when the room is done."""
    metrics.add_metric(name, MetricUnit.Count, number)


def observed(room: Callable[..., Any]) -> Callable[..., Any]:
    """Put the recording's ids on every line that a room logs, and emit what it counts.

    An error of `errors` that leaves the room is counted under its name. If nothing was counted,
    nothing is emitted; Powertools' own decorator would log a warning each time.
    """

    @functools.wraps(room)
    def watched(event: dict[str, Any], context: Any, **given: Any) -> Any:
        if "recordingId" in event:
            # All three, each time: the logger still has those of the recording before.
            logger.append_keys(
                recordingId=event["recordingId"],
                execution=event.get("execution"),
                sid=event.get("started", {}).get("sid"),
            )
        try:
            return room(event, context, **given)
        except RecordingError as error:
            count(type(error).__name__)
            raise
        finally:
            if metrics.metric_set:
                metrics.flush_metrics()

    return watched

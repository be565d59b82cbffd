"""Metrics as a line of CloudWatch's embedded metric format, without Powertools.

For the room that answers Agora: the import of Powertools would take a quarter of its cold start.
Namespace and dimension are those of `observability`, so dashboards show both kinds alike.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

NAMESPACE = "AgoraRecording"
# As Powertools does: the stack's name.
SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "service_undefined")


def line(counts: Sequence[str], now_ms: int, shown: Mapping[str, str | int | None]) -> str:
    """Return a line that adds 1 to each metric of `counts` when it is printed.

    The fields of `shown` are added, so that the line is a log entry, too.
    """
    entry: dict[str, object] = {
        "_aws": {
            "Timestamp": now_ms,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["service"]],
                    "Metrics": [{"Name": name, "Unit": "Count"} for name in counts],
                }
            ],
        },
        "service": SERVICE,
        **dict.fromkeys(counts, 1),
        **shown,
    }
    return msgspec.json.encode(entry).decode()

"""Metrics as a line of CloudWatch's embedded metric format, without Powertools.

For the room that answers Agora: the import of Powertools alone would cost it a quarter of its
cold start. Namespace and dimension are those of `observability`, so no dashboard sees a difference.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

NAMESPACE = "AgoraRecording"
# As Powertools does: the stack's name.
SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "service_undefined")


def line(counts: Sequence[str], now_ms: int, shown: Mapping[str, str | int | None]) -> str:
    """Return the line which, printed, adds 1 to each metric of `counts`.

    `shown` makes the same line the log entry of what was counted.
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

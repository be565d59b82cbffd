"""The bus in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.world.faults import Faults, operation


class FakeBus:
    """An EventBridge client. `refuse` lets the next calls fail as the bus fails: inside a 200."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.refuse = 0
        self.events: list[tuple[str, dict[str, Any]]] = []

    @property
    def types(self) -> list[str]:
        """The detail-types sent, in order."""
        return [detail_type for detail_type, _ in self.events]

    @operation
    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Take events."""
        if self.refuse:
            self.refuse -= 1
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        for entry in Entries:
            self.events.append((entry["DetailType"], msgspec.json.decode(entry["Detail"])))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

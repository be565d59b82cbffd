"""A queue in memory."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.world.faults import Faults, operation


class FakeQueue:
    """An SQS client with one queue; `delays` are those of its messages, in seconds."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.messages: list[dict[str, Any]] = []
        self.delays: list[int] = []

    @operation
    def send_message(
        self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0, MessageGroupId: str = ""
    ) -> None:
        """Take a message, to be brought after a delay in whole seconds."""
        assert DelaySeconds in range(901)
        message = msgspec.json.decode(MessageBody)
        self.messages.append(message)
        self.delays.append(DelaySeconds)
        self.taken(message, DelaySeconds)

    def taken(self, message: dict[str, Any], delay_s: int) -> None:
        """Bring a message to its room: nothing here."""

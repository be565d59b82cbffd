"""What the contract asks of a stack by its rows alone: of a real one as of one that is lived."""

from __future__ import annotations

from typing import Any

import msgspec

from agora_recording.aws.dynamodb import Item, from_item
from agora_recording.notifications.facts import SessionRow

_SOON_MS = 30_000  # so long before its end a deletion may have passed the notifications


class Seen:
    """A stack with its `table`, whose `items` are the rows by partition and sort key."""

    table: Any

    def id_of(self, prefix: str) -> str:
        """Return the recordingId that a prefix of the bucket names."""
        return prefix.rstrip("/").rpartition("/")[2]

    def session_row(self, sid: str) -> SessionRow | None:
        """Return what the table knows of a session."""
        item = self.table.items.get((f"SESSION#{sid}", "SESSION"))
        return msgspec.convert(from_item(item), SessionRow) if item else None

    def is_deleted_session(self, partition: str) -> bool:
        """Tell whether a notification's session belongs to a recording that was deleted."""
        row = self.session_row(partition.removeprefix("SID#"))
        return row is not None and row.deleted_ms is not None

    def came_later(self, item: Item) -> bool:
        """Tell whether a notification came when its session's recording was deleted already."""
        deleted = (self.session_row(item["sid"]["S"]) or SessionRow()).deleted_ms
        return deleted is not None and int(item["receivedMs"]["N"]) >= deleted - _SOON_MS

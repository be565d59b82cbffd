"""One recording's files on their way to the bucket, or to Agora's backup."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .clock import Call
from .uploads import Queue, Storage, Upload, Uploader

Make = Callable[[], bytes]
_RETRY_BACKUP_S = 60.0


class Outbox:
    """Counts the files that were made and that arrived; keeps those that the bucket refused."""

    def __init__(
        self,
        uploader: Uploader,
        storage: Storage,
        prefix: str,
        *,
        refused: Callable[[int, str, str, Make], None],
        settled: Call,
    ) -> None:
        self.storage = storage
        """`update` replaces it, with new credentials."""
        self.prefix = prefix
        self.made = 0
        self.stored = 0
        self.withheld: list[tuple[str, Make]] = []
        """Files that are in the backup, but not in the bucket."""
        self._pending = 0
        self._refused = refused
        self._settled = settled
        self._uploader = uploader
        self._queue = Queue(uploader)

    @property
    def idle(self) -> bool:
        """Whether no upload is under way."""
        return self._pending == 0

    @property
    def progress(self) -> int:
        """The part of the files that has arrived, as event 33 counts it: from 0 to 10,000."""
        return self.stored * 10_000 // self.made if self.made else 0

    def put(self, name: str, make: Make, stored: Call | None = None) -> None:
        """Upload a file, then call `stored`; if the bucket refuses it, `refused` is called."""
        self.made += 1
        self._pending += 1

        def done(now_ms: int, reason: str | None) -> None:
            self._pending -= 1
            if reason is not None:
                self._refused(now_ms, reason, name, make)
            else:
                self.stored += 1
                if stored is not None:
                    stored(now_ms)
            self._settled(now_ms)

        expires_ms, clock = self.storage.expires_ms, self._uploader.scheduler
        if expires_ms is not None and expires_ms <= clock.moment_ms():
            clock.soon(lambda now_ms: done(now_ms, "stsExpiration has passed"))
        else:
            self._queue.put(Upload(self.storage, self.prefix + name, make, done))

    def put_late(self, name: str, make: Make) -> None:
        """Upload a file that nobody waits for."""
        self._queue.put(Upload(self.storage, self.prefix + name, make, _ignore))

    def withhold(self, name: str, make: Make) -> None:
        """Give a file to the backup, which delivers it later."""
        self.made += 1
        self.withheld.append((name, make))

    def deliver_backup(self, now_ms: int, delivered: Call | None = None) -> None:
        """Upload the files of the backup; repeat later those that the bucket still refuses.

        `delivered` is called when all of them are there.
        """
        del now_ms
        held, self.withheld = self.withheld, []
        for name, make in list(held):

            def done(
                later_ms: int, reason: str | None, again: tuple[str, Make] = (name, make)
            ) -> None:
                if reason is not None:
                    self.withheld.append(again)
                    clock = self._uploader.scheduler
                    again_ms = later_ms + clock.span_ms(_RETRY_BACKUP_S)
                    clock.at(again_ms, partial(self.deliver_backup, delivered=delivered))
                    return
                held.remove(again)
                if delivered is not None and not held and not self.withheld:
                    delivered(later_ms)

            self._queue.put(Upload(self.storage, self.prefix + name, make, done))

    def drop(self) -> None:
        """Lose the files whose upload has not begun: their server is gone."""
        self._pending -= self._queue.drop()


def _ignore(*_: Any) -> None:
    """Do nothing: neither success nor failure of this upload has a consequence."""

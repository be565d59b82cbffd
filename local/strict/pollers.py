"""Each event source mapping has pollers of its own, as on AWS.

MiniStack reads all queues and all streams in one thread, and runs the function of a stream in it.
So a stream with much to read would hold up every queue, and one stream the other.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import lambda_svc

_PAUSE_S = 0.05  # between two looks at a source that has nothing
_logger = logging.getLogger("ministack")
_Mapping = tuple[str, str, dict[str, Any]]  # account, region, and the mapping itself


def poll_apart() -> None:
    """Read the queues in one thread, which waits for no function, and each stream in its own."""
    every = lambda_svc._iter_all_esms
    mine = threading.local()

    def mappings() -> Iterator[_Mapping]:
        only = getattr(mine, "identifier", None)
        return (each for each in every() if only in (None, each[2]["UUID"]))

    def read_stream(identifier: str) -> None:
        mine.identifier = identifier
        while any(mappings()):
            _look(lambda_svc._poll_dynamodb_streams)

    def read() -> None:
        streams: dict[str, threading.Thread] = {}
        while True:
            for identifier in _streams(every()):
                if identifier not in streams or not streams[identifier].is_alive():
                    thread = threading.Thread(target=read_stream, args=(identifier,), daemon=True)
                    streams[identifier] = thread
                    thread.start()
            _look(lambda_svc._poll_sqs)

    lambda_svc._iter_all_esms = mappings
    lambda_svc._poll_loop = read


def _streams(mappings: Iterator[_Mapping]) -> list[str]:
    return [
        mapping["UUID"]
        for _, _, mapping in mappings
        if mapping.get("EventSourceArn", "").split(":")[2:3] == ["dynamodb"]
    ]


def _look(poll: Callable[[], bool]) -> None:
    """Poll once; rest if there was nothing, or if the poll failed."""
    try:
        found = poll()
    except Exception:  # a poller lives as long as the emulator, as MiniStack's own does
        _logger.exception("a poller failed")
        found = False
    if not found:
        time.sleep(_PAUSE_S)

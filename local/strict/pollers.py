"""Each event source mapping has pollers of its own, as on AWS, and a stream loses no record.

MiniStack reads all queues and all streams in one thread, and runs the function of a stream in it.
So a stream with much to read would hold up every queue, and one stream the other. And of a stream,
it takes a batch for done when the function has named records that failed
(ReportBatchItemFailures): on AWS, these come again, with all that follow.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import dynamodb, lambda_svc

_PAUSE_S = 0.05  # between two looks at a source that has nothing
_logger = logging.getLogger("ministack")
_Mapping = tuple[str, str, dict[str, Any]]  # account, region, and the mapping itself


def poll_apart() -> None:
    """Read the queues in one thread, which waits for no function, and each stream in its own."""
    every, execute = lambda_svc._iter_all_esms, lambda_svc._execute_function
    mine = threading.local()

    def mappings() -> Iterator[_Mapping]:
        only = getattr(mine, "identifier", None)
        return (each for each in every() if only in (None, each[2]["UUID"]))

    def read_stream(identifier: str) -> None:
        mine.identifier = identifier
        while any(mappings()):
            _look(lambda_svc._poll_dynamodb_streams)

    def execute_and_stay(function: Any, event: Any) -> Any:
        result = execute(function, event)
        identifier = getattr(mine, "identifier", None)
        if identifier is None or result.get("error"):
            return result
        mapping = next(each for _, _, each in mappings())
        return _from_the_first_failure(mapping, result)

    def read() -> None:
        streams: dict[str, threading.Thread] = {}
        while True:
            for identifier in _streams(every()):
                if identifier not in streams or not streams[identifier].is_alive():
                    thread = threading.Thread(target=read_stream, args=(identifier,), daemon=True)
                    streams[identifier] = thread
                    thread.start()
            _look(lambda_svc._poll_sqs)

    lambda_svc._execute_function = execute_and_stay
    lambda_svc._iter_all_esms = mappings
    lambda_svc._poll_loop = read


def _streams(mappings: Iterator[_Mapping]) -> list[str]:
    return [
        mapping["UUID"]
        for _, _, mapping in mappings
        if mapping.get("EventSourceArn", "").split(":")[2:3] == ["dynamodb"]
    ]


def table_of(mapping: dict[str, Any]) -> str:
    """Return the name of the table whose stream a mapping reads."""
    name: str = mapping["EventSourceArn"].partition(":table/")[2].partition("/")[0]
    return name


def _from_the_first_failure(mapping: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Let the stream be read again from the first record that failed; return the batch's result.

    Where a record failed, it is an error: then the reader moves on no further by itself.
    """
    body = result.get("body")
    failures = body.get("batchItemFailures") if isinstance(body, dict) else None
    if not failures or "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", ()):
        return result
    failed = {each.get("itemIdentifier") for each in failures}
    table = table_of(mapping)
    places, identifier = lambda_svc._dynamodb_stream_positions, mapping["UUID"]
    with lambda_svc._dynamodb_stream_positions_lock:
        begin = places[identifier]
        batch = dynamodb.stream_records_since(table, begin, mapping.get("BatchSize", 100))
        numbers = [each["dynamodb"]["SequenceNumber"] for each in batch]
        places[identifier] = begin + next(
            (place for place, number in enumerate(numbers) if number in failed), 0
        )
    why = {"errorType": "BatchItemFailures", "errorMessage": f"{len(failures)} records failed"}
    return {**result, "error": True, "body": why}


def _look(poll: Callable[[], bool]) -> None:
    """Poll once; rest if there was nothing, or if the poll failed."""
    try:
        found = poll()
    except Exception:  # a poller lives as long as the emulator, as MiniStack's own does
        _logger.exception("a poller failed")
        found = False
    if not found:
        time.sleep(_PAUSE_S)

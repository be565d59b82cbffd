"""A recording's row has room for its whole life, or the request is refused."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.aws.dynamodb import size_of, to_item
from agora_recording.errors import RequestInvalidError
from agora_recording.life.row_size import LARGEST_ROW, LIFE_BYTES, refuse_too_large
from agora_recording.life.store import row_of
from agora_recording.recording.model import Recording
from agora_recording.request.limits import MAX_CNAME_BYTES, MAX_RESTARTS
from tests.world.builders import HOST, TIMINGS, attempt, recording, requested


def whole_life(row: Recording) -> Recording:
    """Return a row after the longest life: every attempt, with the longest ids of Agora's."""
    begun = [
        attempt(
            number,
            resource_id="r" * 4096,
            sid="s" * 128,
            base_url=HOST * 3,
            acquired_ms=1_700_000_000_000,
            started_ms=1_700_000_000_000,
            confirmed_ms=1_700_000_000_000,
            ended_ms=1_700_000_000_000,
            gone_ms=1_700_000_000_000,
            end="EXITED_ABNORMALLY",
            unanswered=3,
            refusals=5,
        )
        for number in range(1, MAX_RESTARTS + 2)
    ]
    return replace(
        row,
        attempt=begun[-1],
        past_attempts=begun[:-1],
        task_token="t" * 2048,
        upload_token="t" * 2048,
        reason="ü" * 1000,
    )


def of_size(size: int, **fields: Any) -> Recording:
    """Return a recording that was asked for and has `size` bytes of clientRequest."""
    return requested(
        cname="c" * MAX_CNAME_BYTES, mode="web", client_request={"pad": "x" * size}, **fields
    )


def test_the_largest_request_that_is_taken_can_be_written_to_the_end_of_its_life() -> None:
    least, most = 0, LARGEST_ROW
    while most - least > 1:
        size = (least + most) // 2
        try:
            refuse_too_large(of_size(size), "clientRequest")
            least = size
        except RequestInvalidError:
            most = size
    assert least > LARGEST_ROW - LIFE_BYTES - 4096
    assert size_of(to_item(row_of(whole_life(of_size(least)), TIMINGS))) <= LARGEST_ROW


def test_what_a_life_has_added_does_not_count_again() -> None:
    row = whole_life(recording(client_request={"pad": "x" * 200_000}))
    refuse_too_large(row, "body")


def test_the_refusal_names_the_part_and_both_sizes() -> None:
    with pytest.raises(
        RequestInvalidError,
        match=r"layout: must be smaller: .* bytes, and at most 278528 are stored",
    ):
        refuse_too_large(of_size(LARGEST_ROW), "layout")


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({"a": "b"}, 2),
        ({"ä": "ö"}, 4),
        ({"a": 1234567890}, 8),
        ({"a": True, "b": None}, 2),
        ({"a": b"123"}, 4),
        ({"a": ["b", "c"]}, 8),
        ({"a": {"b": "c"}}, 7),
    ],
)
def test_a_row_is_measured_as_dynamodb_does(row: dict[str, Any], size: int) -> None:
    assert size_of(to_item(row)) == size

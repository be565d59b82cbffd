"""The loop of everybody who changes what others change too."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import pytest
from botocore.exceptions import ClientError

from agora_recording.aws.compare_and_set import Backoff, compare_and_set
from agora_recording.aws.faults import OVERTAKEN
from agora_recording.errors import StoreUnavailableError, WriteConflictError, WriteRefusedError
from tests.world.errors import error


class Number:
    """A number that others change as well: `rivals` are how often, `code` is what a loser hears."""

    def __init__(self, rivals: int = 0, code: str = "ConditionalCheckFailedException") -> None:
        self.value = 0
        self.rivals = rivals
        self.code = code
        self.writes = 0
        self.more: dict[str, Any] = {}
        self.waits: list[float] = []

    def read(self) -> int:
        return self.value

    def write(self, before: int, after: int) -> int:
        self.writes += 1
        if self.rivals:
            self.rivals -= 1
            self.value += 10
        if before != self.value:
            raise error(self.code, **self.more)
        self.value = after
        return after

    def change(self, change: Callable[[int], int], **more: Any) -> int:
        backoff = Backoff(self.waits.append, lambda count: b"\x80" + bytes(count - 1))
        more = {"tries": 3, "backoff": backoff, **more}
        return compare_and_set(self.read, change, self.write, refusal="too busy", **more)


def test_what_was_written_is_returned() -> None:
    number = Number()
    assert number.change(lambda value: value + 1) == number.value == 1


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    number = Number()
    assert number.change(lambda value: value) == 0
    assert number.writes == 0


@pytest.mark.parametrize("code", sorted(OVERTAKEN))
def test_a_change_is_made_anew_on_what_others_wrote(code: str) -> None:
    number = Number(rivals=2, code=code)
    assert number.change(lambda value: value + 1) == 21


def test_it_is_given_up_after_so_many_tries() -> None:
    number = Number(rivals=3)
    with pytest.raises(WriteConflictError, match="too busy"):
        number.change(lambda value: value + 1)
    assert number.writes == 3


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("AccessDeniedException", {}),
        ("WAFOptimisticLockException", {}),
    ],
)
def test_any_other_refusal_is_the_callers(code: str, more: dict[str, Container[str]]) -> None:
    number = Number(rivals=1, code=code)
    with pytest.raises(ClientError, match=code):
        number.change(lambda value: value + 1, **more)
    assert number.writes == 1


def test_between_two_tries_is_a_pause_that_grows_and_is_left_to_chance() -> None:
    number = Number(rivals=9)
    with pytest.raises(WriteConflictError):
        number.change(lambda value: value + 1, tries=9)
    assert number.waits == [0.0125, 0.025, 0.05, 0.1, 0.2, 0.2, 0.2, 0.2]


def reasons(*codes: str) -> dict[str, Any]:
    return {"CancellationReasons": [{"Code": each} for each in codes]}


@pytest.mark.parametrize(
    "codes", [("None", "TransactionConflict"), ("ConditionalCheckFailed", "ThrottlingError")]
)
def test_a_transaction_that_met_another_writer_is_tried_again(codes: tuple[str, ...]) -> None:
    number = Number(rivals=1, code="TransactionCanceledException")
    number.more = reasons(*codes)
    assert number.change(lambda value: value + 1) == 11


@pytest.mark.parametrize("code", ["ThrottlingException", "ProvisionedThroughputExceededException"])
def test_a_busy_table_is_tried_again_and_is_no_race_in_the_end(code: str) -> None:
    assert Number(rivals=2, code=code).change(lambda value: value + 1) == 21
    with pytest.raises(StoreUnavailableError):
        Number(rivals=3, code=code).change(lambda value: value + 1)


def test_a_transaction_that_was_throttled_is_no_race_either() -> None:
    number = Number(rivals=3, code="TransactionCanceledException")
    number.more = reasons("None", "ThrottlingError")
    with pytest.raises(StoreUnavailableError):
        number.change(lambda value: value + 1)


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("ValidationException", {}),
        ("TransactionCanceledException", reasons("None", "ValidationError")),
        ("TransactionCanceledException", reasons("TransactionConflict", "ValidationError")),
    ],
)
def test_what_aws_will_never_take_is_tried_once(code: str, more: dict[str, Any]) -> None:
    number = Number(rivals=1, code=code)
    number.more = more
    with pytest.raises(WriteRefusedError, match="will never take"):
        number.change(lambda value: value + 1)
    assert number.writes == 1

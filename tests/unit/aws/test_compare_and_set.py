"""The loop of everybody who changes what others change too."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

import pytest
from botocore.exceptions import ClientError

from agora_recording.aws.compare_and_set import OVERTAKEN, compare_and_set
from agora_recording.errors import WriteConflictError
from tests.world.errors import error


class Number:
    """A number that others change as well: `rivals` are how often, `code` is what a loser hears."""

    def __init__(self, rivals: int = 0, code: str = "ConditionalCheckFailedException") -> None:
        self.value = 0
        self.rivals = rivals
        self.code = code
        self.writes = 0

    def read(self) -> int:
        return self.value

    def write(self, before: int, after: int) -> int:
        self.writes += 1
        if self.rivals:
            self.rivals -= 1
            self.value += 10
        if before != self.value:
            raise error(self.code)
        self.value = after
        return after

    def change(self, change: Callable[[int], int], **more: Any) -> int:
        return compare_and_set(self.read, change, self.write, tries=3, refusal="too busy", **more)


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
        ("ProvisionedThroughputExceededException", {}),
        ("ConditionalCheckFailedException", {"overtaken": ("WAFOptimisticLockException",)}),
    ],
)
def test_any_other_refusal_is_the_callers(code: str, more: dict[str, Container[str]]) -> None:
    number = Number(rivals=1, code=code)
    with pytest.raises(ClientError, match=code):
        number.change(lambda value: value + 1, **more)
    assert number.writes == 1

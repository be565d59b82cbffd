"""The benchmark of a verification's memory: small cases of it, and the rooms that it speaks for."""

from __future__ import annotations

import pytest

from benchmarks import memory
from local.template import functions


def test_a_case_is_measured_in_a_process_of_its_own() -> None:
    found = memory._measured("one_line")
    assert 20 < found["mb"] < 300


def test_every_room_that_verifies_has_the_memory_that_is_measured() -> None:
    assert {functions()[f"{name}Function"]["MemorySize"] for name in memory._ROOMS} == {1024}


@pytest.mark.parametrize("name", memory.CASES)
def test_each_case_begins_with_something_to_read(name: str) -> None:
    case = memory.CASES[name]()
    first, size = next(case.files)
    assert first
    assert size >= 0
    if first.endswith(".m3u8"):
        assert next(case.read(first))

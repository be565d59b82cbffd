"""What holds of every room."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

ROOMS = sorted(each.parent.name for each in Path(__file__).parents[3].glob("functions/*/app.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_can_be_imported(room: str) -> None:
    assert callable(import_module(f"functions.{room}.app").lambda_handler)

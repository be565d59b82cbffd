"""A unit test touches nothing outside its process. What is a server, or calls one, may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A test is not wrong because the machine is busy. EXAMPLES=1000 looks longer for what breaks rules.
_EXAMPLES = int(os.environ.get("EXAMPLES", "40"))
settings.register_profile("unit", deadline=None, max_examples=_EXAMPLES)
settings.load_profile("unit")

_HERE = Path(__file__).parent
_SERVED = (
    _HERE / "simulator",
    _HERE / "operate" / "console",
    _HERE / "callbacks" / "test_post.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the network away from every test of this folder."""
    for item in items:
        if item.path.is_relative_to(_HERE) and not any(map(item.path.is_relative_to, _SERVED)):
            item.add_marker(pytest.mark.disable_socket)

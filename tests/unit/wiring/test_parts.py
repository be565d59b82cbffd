"""The one place where the library is put together: every part, once, and not before its time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts, _Part
from agora_recording.wiring.settings import TableSettings
from tests.world.settings import WorldSettings

NAMES = sorted(name for name, each in vars(Parts).items() if isinstance(each, _Part))


@pytest.mark.parametrize("name", NAMES)
def test_every_part_can_be_made_and_is_made_once(name: str) -> None:
    parts = Parts(WorldSettings())
    assert getattr(parts, name) is getattr(parts, name)
    assert getattr(parts, name) is not getattr(Parts(WorldSettings()), name)


def test_a_part_that_is_given_takes_the_place_of_the_one_that_would_be_made() -> None:
    agora: Any = object()
    parts = Parts(WorldSettings(), agora=agora)
    assert parts.agora is agora
    assert parts.updater.agora is agora


def test_all_parts_have_the_same_outside() -> None:
    table: Any = object()
    parts = Parts(WorldSettings(), Outside(dynamodb=table))
    assert parts.store.client is table


def test_a_part_whose_variables_a_room_has_not_declared_is_refused() -> None:
    parts = Parts(TableSettings(table_name="table"))
    assert parts.waker
    # mypy holds that each of these comments is needed: the types say no, too.
    with pytest.raises(AttributeError, match="no attribute 'seal_key_id'"):
        assert parts.sealer  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="no attribute 'bucket_name'"):
        assert parts.deleter  # type: ignore[arg-type]


def test_wiring_alone_imports_nothing_that_costs_time() -> None:
    program = (
        "import json, sys, agora_recording.wiring.parts; print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    heavy = {"boto3", "botocore", "requests", "aws_lambda_powertools"}
    assert heavy.isdisjoint(json.loads(done.stdout))

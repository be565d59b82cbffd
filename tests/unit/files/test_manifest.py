"""The manifest: its form is published, and every manifest has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agora_recording.files import manifest
from agora_recording.files.documents import build
from agora_recording.files.manifest import Manifest
from agora_recording.files.verdict import Cause, Code, Level, Snapshots
from agora_recording.recording.model import Outcome
from openapi.build import manifest_schema
from tests.world.verdicts import (
    PREFIX,
    RECORDING,
    START_MS,
    everything,
    finding,
    holes,
    mp4,
    playlist,
    track,
    verdict,
    written,
)

SCHEMA = Path(__file__).parents[3] / "docs" / "manifest.schema.json"


def test_what_is_written_is_read_again() -> None:
    built = build(verdict(track(playlist(3))), RECORDING)
    assert manifest.decode(manifest.encode(built), PREFIX) == built
    with pytest.raises(msgspec.DecodeError):
        manifest.decode(b'{"schemaVersion":2}', PREFIX)


def test_the_published_schema_is_that_of_the_types() -> None:
    assert manifest_schema() == SCHEMA.read_text(), "run: make openapi"


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), max_size=4),
    gaps=st.integers(0, 3),
    names=st.integers(1, 300),
    outcome=st.sampled_from(["complete", "pending", "incomplete"]),
)
def test_every_manifest_obeys_the_published_schema(
    sizes: list[int], gaps: int, names: int, outcome: str
) -> None:
    schema = json.loads(SCHEMA.read_text())
    whole = verdict(
        *(track(playlist(size), uid=str(uid), gaps=gaps) for uid, size in enumerate(sizes)),
        outcome=outcome,
        findings=[finding(names)],
        files=[mp4("a.mp4", bak=1, index=None)],
        gaps=holes(gaps),
        snapshots=Snapshots(count=1, bytes=2, first_ms=START_MS, last_ms=START_MS),
    )
    told, parts = written(whole)
    jsonschema_rs.validator_for(schema).validate(told)
    segment = {**schema, "$ref": "#/$defs/SegmentEntry"}
    for row in everything(told, parts, "segments")[:50]:
        jsonschema_rs.validator_for(segment).validate(row)


def test_the_schema_refuses_what_is_no_manifest() -> None:
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    built = json.loads(manifest.encode(build(verdict(), RECORDING)))
    assert schema.is_valid(built)
    for name in built:
        assert not schema.is_valid({key: value for key, value in built.items() if key != name})
    assert not schema.is_valid({**built, "verdict": "perhaps"})


def test_every_code_and_cause_is_explained() -> None:
    page = (SCHEMA.parent / "manifest.md").read_text()
    told = {*get_args(Code), *get_args(Cause), *get_args(Level), *get_args(Outcome)}
    assert [word for word in sorted(told) if f"`{word}`" not in page] == []


def test_the_fields_are_those_of_the_document() -> None:
    built = json.loads(manifest.encode(build(verdict(), RECORDING)))
    assert list(built) == [field.encode_name for field in msgspec.structs.fields(Manifest)]

"""A stack that hands Agora temporary credentials: limited to one prefix, renewed every hour."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import Stage, eventually

SPEED = 200  # an hour is 18 seconds; faster, a busy machine could not upload as fast as it records


@pytest.fixture(scope="module")
def careful() -> Iterator[Stage]:
    """A stack of its own: the kind of credentials is a parameter of the template."""
    with EmbeddedStack(speed=SPEED, given={"StorageCredentials": "temporary"}) as stack:
        yield Stage(stack)


def test_they_are_renewed_while_the_recording_runs_and_it_completes(careful: Stage) -> None:
    recording_id = careful.record("careful", maxDurationSeconds=2_592_000)
    careful.until(recording_id, "recording")
    began = careful.row(recording_id)["storageTokenMs"]
    eventually(lambda: careful.calls("careful", "update"), "a renewal", 60)
    renewed = careful.await_row(recording_id, lambda row: row["storageTokenMs"] > began)
    assert renewed["status"] == "recording"
    careful.stop(recording_id)
    assert careful.finish(recording_id)["status"] == "completed"


def test_no_role_was_refused_anything_for_it(careful: Stage) -> None:
    lines = careful.stack.emulator.audit.read_text().splitlines()
    assert [line for line in lines if '"allowed": false' in line] == []

"""Sessions in the table: on the fake and on moto (conftest.py)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.errors import WriteConflictError
from agora_recording.life.sessions import SessionStore
from agora_recording.notifications.facts import SessionFacts, SessionRow
from tests.world.builders import CNAME, RECORDING_ID, heard
from tests.world.table import TABLE
from tests.world.webhook import NOW_MS, SID, UID


@pytest.fixture
def sessions(client: Any) -> SessionStore:
    return SessionStore(TABLE, client)


def with_file(row: SessionRow, name: str) -> SessionRow:
    """Return the row of a session that told of one more file."""
    return replace(row, facts=SessionFacts(files=(*row.facts.files, name)))


def test_a_session_of_which_nobody_told_has_version_0(sessions: SessionStore) -> None:
    assert sessions.get(SID) == SessionRow()
    assert sessions.get(SID).version == 0


def test_a_session_is_written_and_read(sessions: SessionStore) -> None:
    written = sessions.amend(SID, lambda row: with_file(row, "a.m3u8"))
    assert written == SessionRow(facts=SessionFacts(files=("a.m3u8",)), version=1)
    assert sessions.get(SID) == written


def test_a_row_has_the_form_that_every_stack_holds(sessions: SessionStore, client: Any) -> None:
    facts = {"firstSeenMs": NOW_MS, "ends": {UID: "EXITED"}, "sequences": {UID: [3, [[0, 1]]]}}
    row = {"cname": CNAME, "uid": UID, "recordingId": RECORDING_ID, "facts": facts, "version": 7}
    key = {"PK": f"SESSION#{SID}", "SK": "SESSION"}
    client.put_item(TableName=TABLE, Item=to_item({**key, **row}))
    found = sessions.amend(SID, lambda row: replace(row, facts=replace(row.facts, progress=9)))
    assert (found.recording_id, found.cname, found.uid) == (RECORDING_ID, CNAME, UID)
    assert found.facts.sequences == {UID: (3, ((0, 1),))}
    stored = from_item(client.get_item(TableName=TABLE, Key=to_item(key))["Item"])
    assert stored == {**key, **row, "facts": {**facts, "progress": 9}, "version": 8}


def test_a_change_that_changes_nothing_writes_nothing(sessions: SessionStore) -> None:
    sessions.adopt(SID, RECORDING_ID, CNAME)
    assert sessions.amend(SID, lambda row: row).version == 1
    assert sessions.get(SID).version == 1


def test_a_session_is_adopted_once_and_for_all(sessions: SessionStore) -> None:
    sessions.amend(SID, lambda row: replace(row, cname="first"))
    sessions.adopt(SID, RECORDING_ID, CNAME)
    sessions.adopt(SID, RECORDING_ID, CNAME)
    row = sessions.get(SID)
    assert (row.recording_id, row.cname, row.version) == (RECORDING_ID, "first", 2)


def test_a_session_is_changed_on_what_another_wrote_meanwhile(sessions: SessionStore) -> None:
    rivals = ["1", "2"]

    def change(row: SessionRow) -> SessionRow:
        if rivals:
            name = rivals.pop()
            sessions.amend(SID, lambda row: with_file(row, name))
        return with_file(row, "mine")

    row = sessions.amend(SID, change)
    assert set(row.facts.files) == {"1", "2", "mine"}
    assert sessions.get(SID) == row


def test_a_change_is_given_up_when_others_are_faster_every_time(sessions: SessionStore) -> None:
    def change(row: SessionRow) -> SessionRow:
        sessions.amend(SID, lambda other: with_file(other, "theirs"))
        return with_file(row, "mine")

    with pytest.raises(WriteConflictError, match=SID):
        sessions.amend(SID, change)
    assert "mine" not in sessions.get(SID).facts.files


def test_the_notifications_of_a_session_are_read_in_order(
    sessions: SessionStore, client: Any
) -> None:
    for number in (11, 2, 1):
        item = heard(33, {"progress": number}, sequence=number)["dynamodb"]["NewImage"]
        client.put_item(TableName=TABLE, Item=item)
    sessions.adopt(SID, RECORDING_ID, CNAME)
    assert [row["sequence"] for row in sessions.notifications(SID)] == [1, 2, 11]

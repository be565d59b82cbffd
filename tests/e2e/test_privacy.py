"""Who was to be left out is left out for good: over a restart, and as an update says.

Agora writes the lists of exclusion in two spellings, and takes either.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Stage, eventually

pytestmark = pytest.mark.together

SPELLINGS = ("unsubscribe", "unSubscribe")
USERS = ("101", "102", "103")


def lists(spelling: str, uid: str) -> dict[str, dict[str, list[str]]]:
    """Return the lists that leave a user out, by medium."""
    return {kind: {f"{spelling}{kind}Uids": [uid]} for kind in ("Audio", "Video")}


def recorded(stage: Stage, recording_id: str, sid: str) -> set[str]:
    """Return the users of whom a session has slices in the bucket."""
    return {
        key.partition("__uid_s_")[2].partition("__uid_e_")[0]
        for key in stage.keys(f"recordings/{recording_id}/{sid}")
        if key.endswith(".ts")
    }


def record(stage: Stage, cname: str, mode: str, spelling: str, excluded: str) -> dict[str, Any]:
    """Record three users but for one, until the others have slices; return the row."""
    stage.control("POST", "/channel", {"cname": cname, "users": USERS})
    config: dict[str, Any] = {"streamTypes": 2, "subscribeUidGroup": 1}
    for each in lists(spelling, excluded).values():
        config |= each
    recording_id = stage.record(cname, mode=mode, clientRequest={"recordingConfig": config})
    row = stage.until(recording_id, "recording")
    until_recorded(stage, row, set(USERS) - {excluded})
    return row


def until_recorded(stage: Stage, row: dict[str, Any], users: set[str]) -> None:
    """Wait until the session has slices of all these users."""
    recording_id, sid = row["recordingId"], row["attempt"]["sid"]
    eventually(
        lambda: users <= recorded(stage, recording_id, sid),
        f"slices of {sorted(users)} of session {sid}",
    )


def restart(stage: Stage, row: dict[str, Any]) -> dict[str, Any]:
    """Let the session crash; return the row when the next one is seen to record."""
    stage.control("POST", f"/recordings/{row['attempt']['sid']}/crash", {})
    return stage.await_row(
        row["recordingId"],
        lambda row: row["attempt"]["number"] == 2 and row["attempt"].get("confirmedMs"),
    )


def users_of_everything(stage: Stage, recording_id: str) -> set[str]:
    """Stop, and return the uids of all that the manifest names."""
    stage.stop(recording_id)
    assert stage.over(recording_id)["status"] == "completed"
    manifest = stage.read_json(f"recordings/{recording_id}/manifest.json")
    return {each["uid"] for part in ("tracks", "files") for each in manifest[part]["items"]}


@pytest.mark.parametrize("mode", ["individual", "raw"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_who_was_excluded_is_not_recorded_after_a_restart(
    stage: Stage, mode: str, spelling: str
) -> None:
    first = record(stage, f"excluded {spelling} {mode}", mode, spelling, excluded="102")
    second = restart(stage, first)
    until_recorded(stage, second, {"101", "103"})
    assert users_of_everything(stage, first["recordingId"]) == {"101", "103"}
    sids = {row["attempt"]["sid"] for row in (first, second)}
    assert len(sids) == 2
    # Not one file of the excluded user, in the manifest or beside it.
    assert not [key for key in stage.keys(f"recordings/{first['recordingId']}/") if "_102_" in key]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_update_in_the_other_spelling_replaces_who_is_excluded_and_outlives_a_restart(
    stage: Stage, spelling: str
) -> None:
    other = SPELLINGS[1 - SPELLINGS.index(spelling)]
    first = record(stage, f"excluded anew {spelling}", "raw", spelling, excluded="102")
    changed = {f"{kind.lower()}UidList": each for kind, each in lists(other, "103").items()}
    answer = stage.api.call(
        "PATCH", f"/recordings/{first['recordingId']}", {"streamSubscribe": changed}
    )
    assert answer.status == 200, answer
    until_recorded(stage, first, {"102"})
    second = restart(stage, first)
    until_recorded(stage, second, {"101", "102"})
    assert users_of_everything(stage, first["recordingId"]) == set(USERS)
    sid = second["attempt"]["sid"]
    assert recorded(stage, first["recordingId"], sid) == {"101", "102"}

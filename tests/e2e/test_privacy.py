"""Who was to be left out is left out for good: over a restart, and as an update says.

Agora writes the lists of exclusion in two spellings, and takes either.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.conftest import Stage, eventually

pytestmark = pytest.mark.together

SPELLINGS = ("unsubscribe", "unSubscribe")
USERS = ("101", "102", "103")


def lists(spelling: str, uid: str) -> dict[str, dict[str, list[str]]]:
    """Return the lists that leave a user out, by medium."""
    return {kind: {f"{spelling}{kind}Uids": [uid]} for kind in ("Audio", "Video")}


def recorded(stage: Stage, recording_id: str, besides: str = "") -> set[str]:
    """Return the users of whom there are slices, `besides` those of one session."""
    return {
        key.partition("__uid_s_")[2].partition("__uid_e_")[0]
        for key in stage.keys(f"recordings/{recording_id}/")
        if key.endswith(".ts") and not (besides and f"/{besides}_" in key)
    }


def until_recorded(stage: Stage, recording_id: str, users: set[str], besides: str = "") -> None:
    """Wait until there are slices of all these users, `besides` those of one session."""
    eventually(
        lambda: users <= recorded(stage, recording_id, besides),
        f"slices of {sorted(users)}",
        seconds=120,
        tell=lambda: json.dumps(stage.row(recording_id), indent=1),
    )


def record(stage: Stage, cname: str, mode: str, spelling: str, excluded: str) -> tuple[str, str]:
    """Record three users but for one, until the others have slices; return the ids of the
    recording and of its session.
    """
    stage.control("POST", "/channel", {"cname": cname, "users": USERS})
    config: dict[str, Any] = {"streamTypes": 2, "subscribeUidGroup": 1}
    for each in lists(spelling, excluded).values():
        config |= each
    recording_id = stage.record(cname, mode=mode, clientRequest={"recordingConfig": config})
    sid = stage.until(recording_id, "recording")["attempt"]["sid"]
    until_recorded(stage, recording_id, set(USERS) - {excluded})
    return recording_id, sid


def users_of_everything(stage: Stage, recording_id: str) -> set[str]:
    """Stop, and return the uids of all that the manifest names."""
    stage.stop(recording_id)
    row = stage.over(recording_id)
    assert row["status"] == "completed", row
    manifest = stage.read_json(f"recordings/{recording_id}/manifest.json")
    return {each["uid"] for part in ("tracks", "files") for each in manifest[part]["items"]}


@pytest.mark.parametrize("mode", ["individual", "raw"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_who_was_excluded_is_not_recorded_after_a_restart(
    stage: Stage, mode: str, spelling: str
) -> None:
    cname = f"excluded {spelling} {mode}"
    recording_id, first = record(stage, cname, mode, spelling, excluded="102")
    stage.control("POST", f"/recordings/{first}/crash", {})
    until_recorded(stage, recording_id, {"101", "103"}, besides=first)
    assert users_of_everything(stage, recording_id) == {"101", "103"}
    # Not one file of the excluded user, in the manifest or beside it.
    assert not [key for key in stage.keys(f"recordings/{recording_id}/") if "_102_" in key]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_update_in_the_other_spelling_replaces_who_is_excluded_and_outlives_a_restart(
    stage: Stage, spelling: str
) -> None:
    other = SPELLINGS[1 - SPELLINGS.index(spelling)]
    recording_id, first = record(
        stage, f"excluded anew {spelling}", "raw", spelling, excluded="102"
    )
    changed = {f"{kind.lower()}UidList": each for kind, each in lists(other, "103").items()}
    answer = stage.api.call("PATCH", f"/recordings/{recording_id}", {"streamSubscribe": changed})
    assert answer.status == 200, answer
    until_recorded(stage, recording_id, {"102"})
    stage.control("POST", f"/recordings/{first}/crash", {})
    until_recorded(stage, recording_id, {"101", "102"}, besides=first)
    assert users_of_everything(stage, recording_id) == set(USERS)
    assert recorded(stage, recording_id, besides=first) == {"101", "102"}

"""Why recordings ended, as Agora told it: the sentence that is shown, and that nothing is repeated
or awaited that cannot become better.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from agora_recording.agora.client import AgoraKeys
from agora_recording.agora.storage import StorageKeys
from agora_recording.aws.secrets import SecretStore
from agora_recording.clock import from_iso
from agora_recording.errors import SecretUnavailableError, StorageRegionError
from agora_recording.recording.ending import went_wrong
from tests.world.builders import reply, requested
from tests.world.house import House, assert_sound
from tests.world.live_agora import AgoraSession
from tests.world.secrets import FakeSecretsManager

REFUSED_STORAGE = {"module": 1, "errorLevel": 4, "errorCode": 32, "stat": 0, "errorMsg": "denied"}


def published_ms(house: House) -> int:
    """Return when the recording was published."""
    (note,) = [each for each in house.notes if each["kind"] == "published"]
    return from_iso(note["at"])


# --- the bucket ----------------------------------------------------------------------------------


def refuse_storage(house: House, *, exits: bool = False, first: bool = False) -> None:
    """Let Agora find that it cannot write: it says so, and the session is gone."""

    def born(session: AgoraSession) -> None:
        if exits and first:
            house.agora.notify(session, 11, exitStatus=1)
        house.agora.notify(session, 1, **REFUSED_STORAGE)
        if exits and not first:
            house.agora.notify(session, 11, exitStatus=1)
        house.agora.end(session.sid, None)

    house.agora.files = False
    house.agora.born = born


@pytest.mark.parametrize("exits", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_wrong_keys_of_the_bucket_end_the_recording_at_once_and_are_the_reason(
    exits: bool, first: bool
) -> None:
    house = House(requested(restart_limit=3))
    refuse_storage(house, exits=exits, first=first)
    begun_ms = house.clock()
    house.begin()
    house.run()
    row = house.row
    assert (row.status, row.end_reason) == ("failed", "STORAGE_REFUSED")
    assert row.reason is not None
    assert "keys are wrong, so Agora cannot write there" in row.reason
    assert [each.end for each in row.attempts] == ["STORAGE_REFUSED"]
    assert row.attempts[0].reason == row.reason
    assert went_wrong(row)
    assert published_ms(house) - begun_ms < 60_000
    assert_sound(house)


def test_what_was_recorded_before_the_bucket_refused_is_kept_and_told() -> None:
    house = House(requested(restart_limit=3))
    house.begin()
    house.run(600)
    (session,) = house.agora.running
    house.agora.end(session.sid, 1, **REFUSED_STORAGE)
    house.run()
    row = house.row
    assert (row.status, row.end_reason) == ("completed", "STORAGE_REFUSED")
    assert row.reason is not None
    assert row.reason.startswith("Error 32 in the uploader")
    assert row.reason.endswith("Every file that the playlists name is in the bucket.")
    assert len(row.attempts) == 1
    assert_sound(house)


# --- the start -----------------------------------------------------------------------------------


class Refusal(NamedTuple):
    """An answer to acquire or start that cannot become better, and what is said of it."""

    source: str
    endpoint: str
    status: int
    body: dict[str, Any]
    said: str


REFUSALS = [
    Refusal("wrong App ID", "acquire", 400, {"message": "appid is invalid"}, "this App ID"),
    Refusal("wrong keys", "acquire", 401, {"message": "Invalid authentication"}, "REST key"),
    Refusal("overdue", "acquire", 400, {"code": 405, "reason": "no_active_status"}, "overdue"),
    Refusal("full", "acquire", 400, {"code": 406, "reason": "vendor_over_load"}, "all the record"),
    Refusal("token expired", "start", 400, {"code": 109}, "token has expired"),
    Refusal("token wrong", "start", 400, {"code": 110}, "token is wrong"),
    Refusal("a parameter", "start", 400, {"code": 2, "reason": "bad bucket"}, "bad bucket"),
]


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.source)
def test_a_start_that_cannot_become_better_ends_with_agoras_sentence(row: Refusal) -> None:
    house = House(requested(restart_limit=3))
    endpoint: Any = row.endpoint
    house.agora.answers[endpoint] = reply(endpoint, row.status, **row.body)
    house.begin()
    house.run()
    assert (house.row.status, house.row.end_reason) == ("failed", "REFUSED")
    assert house.row.reason is not None
    assert row.said in house.row.reason
    assert len(house.row.attempts) == 1
    assert_sound(house)


@pytest.mark.parametrize("row", REFUSALS, ids=lambda row: row.source)
def test_a_replacement_that_is_refused_is_told_beside_the_files(row: Refusal) -> None:
    house = House(requested(restart_limit=3))
    house.begin()
    house.run(600)
    endpoint: Any = row.endpoint
    house.agora.answers[endpoint] = reply(endpoint, row.status, **row.body)
    (session,) = house.agora.running
    house.agora.end(session.sid, 11, exitStatus=1)
    house.run()
    assert (house.row.status, house.row.end_reason) == ("completed", "REFUSED")
    assert house.row.reason is not None
    assert row.said in house.row.reason
    assert "Every file" in house.row.reason
    assert len(house.row.attempts) == 2
    assert_sound(house)


@pytest.mark.parametrize(
    "error",
    [
        SecretUnavailableError("The secret storage is not filled in."),
        StorageRegionError("Nowhere."),
    ],
)
def test_an_empty_secret_fails_the_start_at_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(requested(restart_limit=3))

    def config(*_: Any) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(house.storage, "config", config)
    begun_ms = house.clock()
    house.begin()
    house.run()
    assert (house.row.status, house.row.end_reason) == ("failed", "REFUSED")
    assert house.row.reason == str(error)
    assert len(house.row.attempts) == 1
    assert published_ms(house) - begun_ms < 5_000
    assert_sound(house)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (AgoraKeys, '{"customerId": "", "customerSecret": "s"}'),
        (AgoraKeys, '{"customerId": "i", "customerSecret": ""}'),
        (AgoraKeys, "{}"),
        (StorageKeys, '{"accessKey": "", "secretKey": ""}'),
        (StorageKeys, '{"accessKey": "a"}'),
    ],
)
def test_a_secret_with_empty_keys_is_one_that_is_not_filled_in(kind: Any, text: str) -> None:
    store = SecretStore(FakeSecretsManager(secret=text))  # type: ignore[arg-type]
    with pytest.raises(SecretUnavailableError, match="not filled in"):
        store.read("agora", kind)


# --- nothing was recorded ------------------------------------------------------------------------


@pytest.mark.parametrize("silent", [True, False], ids=["the answer alone", "an event comes first"])
def test_no_file_is_awaited_where_agora_says_that_nothing_was_recorded(silent: bool) -> None:
    house = House()
    house.agora.files = False
    house.agora.silent = silent
    house.begin()
    house.run(120)
    (session,) = house.agora.running
    house.agora.answers["stop"] = reply("stop", 206, code=435, reason="no recorded data")
    if not silent:
        house.agora.end(session.sid, 11, exitStatus=0)
    asked_ms = house.clock()
    house.stop()
    house.run()
    row = house.row
    assert (row.status, row.end_reason) == ("failed", "STOP_REQUESTED")
    assert row.reason is not None
    assert row.reason.startswith("Agora says that nothing was recorded: nobody sent a stream")
    assert row.session_end == "NOTHING_RECORDED"
    assert not went_wrong(row)
    assert published_ms(house) - asked_ms < 10_000
    assert_sound(house)


def test_no_file_is_awaited_of_a_session_that_was_given_up_and_recorded_nothing() -> None:
    house = House(requested(restart_limit=0))
    house.agora.files = False
    house.agora.silent = True
    house.agora.answers["query"] = reply("query", 200, serverResponse={"status": 2})
    house.agora.answers["stop"] = reply("stop", 206, code=435, reason="no recorded data")
    begun_ms = house.clock()
    house.begin()
    house.run()
    assert (house.row.status, house.row.end_reason) == ("failed", "NOT_CONFIRMED")
    assert house.row.attempts[0].is_empty
    assert published_ms(house) - begun_ms < 120_000
    assert_sound(house)


# --- a stop between two sessions -----------------------------------------------------------------


@pytest.mark.parametrize("files", [True, False])
def test_a_stop_that_comes_while_a_session_is_replaced_is_told_as_that(files: bool) -> None:
    house = House(requested(restart_limit=3))
    house.agora.files = files
    house.begin()
    house.run(600)
    house.agora.answers["acquire"] = reply("acquire", 500, code=501, reason="no server free")
    (session,) = house.agora.running
    house.agora.end(session.sid, 11, exitStatus=1)
    house.run(20)
    assert house.row.status == "recording"
    assert [each.sid for each in house.row.attempts] == [session.sid, None]
    house.stop()
    house.run()
    row = house.row
    assert (row.status, row.end_reason) == ("completed" if files else "failed", "STOP_REQUESTED")
    assert row.reason is not None
    assert row.reason.startswith("The stop came while a session that was lost was being replaced.")
    assert_sound(house)


def test_a_stop_before_any_session_is_told_as_that() -> None:
    house = House(requested(restart_limit=3))
    house.agora.answers["acquire"] = reply("acquire", 500, code=501, reason="no server free")
    house.begin()
    house.run(20)
    house.stop()
    house.run()
    assert (house.row.status, house.row.end_reason) == ("failed", "STOP_REQUESTED")
    assert house.row.reason == "The stop came before a session had started."
    assert not went_wrong(house.row)
    assert_sound(house)

"""Taking a request: checked whole, written once, started; and the room that answers it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.api.create_recording import (
    MAX_WAIT_S,
    fingerprint,
    read_prefer,
)
from agora_recording.errors import IdempotencyConflictError, WriteConflictError
from agora_recording.recording.ids import is_recording_id
from agora_recording.recording.model import Recording
from functions.create_recording import app
from tests.unit.api.test_gateway import anything
from tests.world.api import Context, Response, read, refusal, request
from tests.world.webhook import NOW_MS
from tests.world.world import World

TOKEN = "an-rtc-token-nobody-may-see"
BODY: dict[str, Any] = {
    "cname": "standup",
    "mode": "mix",
    "clientRequest": {"token": TOKEN, "recordingConfig": {"channelType": 1}},
    "tags": {"team": "platform"},
}


class Room(World):
    """The room that makes recordings; `on_sleep` is what happens while an answer is held."""

    def __init__(self, **variables: Any) -> None:
        super().__init__(**variables)
        self.made = 0
        self.on_sleep: Callable[[], object] = lambda: None

    def random_bytes(self, count: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(count, "big")

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.on_sleep()

    def post(self, body: Any, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = request(body, resource="/recordings", recording_id=None, headers=named)
        return read(app.lambda_handler(event, Context(), creator=self.parts.creator))

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [self.table.row(*key) for key in self.table.items if key[1] == "META"]


@pytest.fixture
def room() -> Room:
    return Room()


# --- what is taken ---


def test_a_request_is_answered_with_the_recording_and_where_it_is(room: Room) -> None:
    answer = room.post(BODY)
    recording_id = answer.body["recordingId"]
    assert answer.status == 202
    assert is_recording_id(recording_id)
    assert answer.headers["Location"] == f"/v1/recordings/{recording_id}"
    assert answer.body["status"] == "requested"
    assert answer.body["tags"] == {"team": "platform"}
    assert "Preference-Applied" not in answer.headers


def test_the_execution_that_owns_it_has_its_name(room: Room) -> None:
    recording_id = room.post(BODY).body["recordingId"]
    assert room.machine.executions == {recording_id: "RUNNING"}


def test_its_files_are_below_the_prefix_that_the_stack_has_now() -> None:
    room = Room(key_prefix="video/2026/")
    made = room.post(BODY).body
    assert made["prefix"] == f"video/2026/recordings/{made['recordingId']}/"
    assert room.rows[0]["keyPrefix"] == "video/2026/"


def test_no_secret_is_in_the_row_or_in_the_answer(room: Room) -> None:
    answer = room.post(BODY)
    assert TOKEN not in json.dumps(answer.body)
    (row,) = room.rows
    assert TOKEN not in json.dumps(row)
    unsealed = room.parts.sealer.unseal(row["recordingId"], row["sealed"])
    assert unsealed == {"/token": TOKEN}


def test_what_the_caller_leaves_out_is_the_stacks_default(room: Room) -> None:
    answer = room.post({"cname": "standup"})
    assert answer.body["mode"] == "mix"
    assert answer.body["maxDurationSeconds"] == 14_400
    assert answer.body["restartLimit"] == 3
    (row,) = room.rows
    assert row["clientRequest"]["recordingConfig"] == {"channelType": 0, "maxIdleTime": 300}


def test_what_is_doubtful_is_taken_with_a_warning(room: Room) -> None:
    body = {**BODY, "clientRequest": {"recordingConfig": {"channelType": 1, "newField": 1}}}
    answer = room.post(body)
    assert answer.status == 202
    (warning,) = answer.body["warnings"]
    assert warning["path"] == "clientRequest.recordingConfig.newField"


@pytest.mark.parametrize(
    ("changes", "warned"),
    [
        ({}, ["uid", "restartLimit"]),
        ({"uid": "7"}, ["restartLimit"]),
        ({"restartLimit": 0}, ["uid"]),
        ({"uid": "7", "restartLimit": 0}, []),
        ({"clientRequest": {"recordingConfig": {"channelType": 1}}}, []),
    ],
)
def test_a_token_that_some_attempt_cannot_use_is_warned_of(
    room: Room, changes: dict[str, Any], warned: list[str]
) -> None:
    warnings = room.post({**BODY, **changes}).body.get("warnings", [])
    assert [each["path"] for each in warnings] == warned
    for each in warnings:
        assert "unless the token was built for uid 0" in each["rule"]
        assert TOKEN not in each["rule"]


def test_a_recording_is_made_though_its_execution_could_not_be_started(room: Room) -> None:
    def fails(**_: Any) -> None:
        raise refusal()

    room.machine.start_execution = fails  # type: ignore[assignment,method-assign]
    assert room.post(BODY).status == 202
    assert room.rows[0]["dueShard"]  # the sweeper will find it


# --- what is refused ---


def test_every_problem_is_told_at_once_and_nothing_is_stored(room: Room) -> None:
    answer = room.post(
        {
            "cname": "",
            "uid": 7,
            "mode": "both",
            "clientRequest": {"storageConfig": {}},
            "maxDurationSeconds": 0,
            "restartLimit": True,
            "tags": {"": "x", "long": "x" * 257},
            "cnames": 1,
        }
    )
    assert answer.status == 400
    assert {each["path"] for each in answer.body["problems"]} == {
        "cname",
        "uid",
        "mode",
        "clientRequest.storageConfig",
        "maxDurationSeconds",
        "restartLimit",
        "tags.",
        "tags.long",
        "cnames",
    }
    assert not room.table.items
    assert not room.machine.executions


def test_unknown_fields_without_end_do_not_make_an_answer_without_end(room: Room) -> None:
    answer = room.post({f"field{number}": 1 for number in range(10_000)})
    assert answer.status == 400
    assert len(answer.body["problems"]) <= 101


@given(anything, st.booleans())
def test_no_body_breaks_the_room(body: str | None, encoded: bool) -> None:
    event = {**request(resource="/recordings"), "body": body, "isBase64Encoded": encoded}
    answer = read(app.lambda_handler(event, Context(), creator=Room().parts.creator))
    assert answer.status in (202, 400)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*BODY, "uid", "maxDurationSeconds", "x"]), JSON))
def test_no_field_of_any_type_breaks_the_room(body: dict[str, Any]) -> None:
    assert Room().post(body).status in (202, 400)


# --- once ---


def test_the_same_key_gives_the_same_recording(room: Room) -> None:
    one = room.post(BODY, Idempotency_Key="k")
    room.clock.advance(60)
    other = room.post(dict(reversed(BODY.items())), Idempotency_Key="k")
    assert other.body == one.body
    assert len(room.rows) == 1


def test_without_a_key_every_request_is_a_recording(room: Room) -> None:
    room.post(BODY)
    room.post(BODY)
    assert len(room.rows) == 2


def test_a_key_of_another_request_is_refused(room: Room) -> None:
    room.post(BODY, Idempotency_Key="k")
    answer = room.post({**BODY, "cname": "other"}, Idempotency_Key="k")
    assert answer.status == 422
    assert "use a new key" in answer.body["detail"]


def test_a_key_whose_recording_was_deleted_is_refused(room: Room) -> None:
    recording_id = room.post(BODY, Idempotency_Key="k").body["recordingId"]
    room.parts.store.delete(room.parts.store.get(recording_id))
    with pytest.raises(IdempotencyConflictError, match="was deleted"):
        room.parts.creator.create(BODY, "k")


def test_a_key_that_is_being_used_just_now_is_to_be_tried_again(room: Room) -> None:
    room.table.before_write.append(lambda: None)
    room.post(BODY, Idempotency_Key="k")
    key = next(key for key in room.table.items if key[1] == "IDEM")
    lost = room.table.items[key]
    reads = iter([None, lost])

    def read_nothing_yet(*, Key: Any, **_: Any) -> dict[str, Any]:
        item = next(reads)
        return {"Item": item} if item else {}

    room.table.get_item = read_nothing_yet  # type: ignore[method-assign]
    with pytest.raises(WriteConflictError):
        room.parts.creator.create(BODY, "k")


def test_a_key_can_be_used_again_when_it_is_forgotten(room: Room) -> None:
    room.post(BODY, Idempotency_Key="k")
    row = next(room.table.row(*key) for key in room.table.items if key[1] == "IDEM")
    assert row["expiresAt"] == NOW_MS // 1000 + 7 * 86_400
    assert row["PK"] != "IDEM#k"  # a key may be somebody's secret


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(room: Room, key: str) -> None:
    answer = room.post(BODY, Idempotency_Key=key)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == "Idempotency-Key"


@given(st.dictionaries(st.text(), JSON))
def test_a_fingerprint_does_not_depend_on_the_order_of_keys(body: dict[str, Any]) -> None:
    assert fingerprint(body) == fingerprint(dict(reversed(body.items())))


# --- waiting ---


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        (None, None),
        ("", None),
        ("respond-async", None),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=x", None),
        ("waits=5", None),
        ("wait=5", 5),
        ("wait=0", 0),
        ('Wait = "7"', 7),
        ("respond-async, wait=10; foo", 10),
        ("wait=600", MAX_WAIT_S),
    ],
)
def test_a_preference_is_read_or_passed_over(prefer: str | None, seconds: int | None) -> None:
    assert read_prefer(prefer) == seconds


@given(st.text())
def test_no_preference_is_an_error(prefer: str) -> None:
    seconds = read_prefer(prefer)
    assert seconds is None or 0 <= seconds <= MAX_WAIT_S


def change(room: Room, **changes: Any) -> None:
    (row,) = room.rows
    room.parts.store.amend(row["recordingId"], lambda one: replace(one, **changes))


@pytest.mark.parametrize("status", ["recording", "failed", "stopping", "completed"])
def test_an_answer_is_held_until_it_records_or_is_over(room: Room, status: Any) -> None:
    room.on_sleep = lambda: change(room, status=status) if room.clock() > NOW_MS + 3000 else None
    answer = room.post(BODY, Prefer="wait=20")
    assert answer.status == 202
    assert answer.body["status"] == status
    assert answer.headers["Preference-Applied"] == "wait=20"
    assert room.clock() == NOW_MS + 3500


def test_an_answer_is_not_held_for_longer_than_was_asked(room: Room) -> None:
    room.on_sleep = lambda: change(room, status="starting")
    answer = room.post(BODY, Prefer="wait=4")
    assert answer.body["status"] == "starting"
    assert room.clock() == NOW_MS + 4000


def test_what_records_already_is_not_waited_for(room: Room) -> None:
    recording = room.parts.creator.create(BODY, "k")[0]
    assert isinstance(recording, Recording)
    change(room, status="recording")
    answer = room.post(BODY, Idempotency_Key="k", Prefer="wait=20")
    assert answer.body["status"] == "recording"
    assert room.clock() == NOW_MS

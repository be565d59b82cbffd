"""The app is called: of what is durable, at least once, until it answers or days are over."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from agora_recording.callbacks.message import TRIES, Message
from agora_recording.callbacks.post import Reply
from agora_recording.errors import RequestInvalidError, SecretUnavailableError
from agora_recording.life.callbacks import row_of
from agora_recording.recording.model import Recording
from functions.send_callback import app
from tests.world.api import Context
from tests.world.builders import RECORDING_ID, recording, requested
from tests.world.faults import Faults
from tests.world.house import House, assert_sound
from tests.world.webhook import NOW_MS
from tests.world.world import World

URL = "https://app.example.com/hook"
DAY_MS = 86_400_000


def message(**changes: Any) -> Message:
    fields = {
        "recording_id": RECORDING_ID,
        "message_id": f"{RECORDING_ID}-completed",
        "type": "recording.completed",
        "url": URL,
        "body": '{"type":"recording.completed"}',
        "made_ms": NOW_MS,
        "next_ms": NOW_MS,
    }
    return Message(**{**fields, **changes})


def world_with(*messages: Message, row: Recording | None = None, **how: Any) -> World:
    """Return a world with messages that wait."""
    world = World(row or recording(callback_url=URL), **how)
    for each in messages:
        world.table.add(row_of(each))
    return world


def send(world: World, sent: Message) -> str:
    """Let the queue bring a message."""
    body = json.dumps({"recordingId": sent.recording_id, "call": sent.key})
    event = {"Records": [{"messageId": "1", "body": body}]}
    state: str = app.lambda_handler(event, Context(), caller=world.parts.caller)["state"]
    return state


def now_is(world: World, sent: Message) -> Message:
    found = world.parts.calls.get(sent.recording_id, sent.key)
    assert found
    return found


# --- a whole life -------------------------------------------------------------------------------


def test_the_app_hears_of_the_start_and_of_the_end_with_the_kinds_of_files() -> None:
    house = House(requested(callback_url=URL, max_duration_seconds=600))
    house.begin()
    house.run()
    assert_sound(house)
    assert house.app.types == ["recording.started", "recording.completed"]
    first, last = (each.told["data"] for each in house.app.calls)
    assert (first["recordingId"], first["status"]) == (RECORDING_ID, "recording")
    assert last["status"] == "completed"
    assert last["files"]["kinds"]
    assert last["files"]["missing"] == 0
    assert last["manifest"] == f"recordings/{RECORDING_ID}/manifest.json"
    ids = [each.headers["webhook-id"] for each in house.app.calls]
    assert ids == [f"{RECORDING_ID}-started", f"{RECORDING_ID}-completed"]
    assert not any("." in each for each in ids)
    assert [each["kind"] for each in house.notes].count("callback") == 2


def test_without_an_address_nothing_is_written_for_the_app() -> None:
    house = House(requested(max_duration_seconds=600))
    house.begin()
    house.run()
    assert house.app.calls == []
    assert house.table.rows(f"REC#{RECORDING_ID}", "CALL#") == []


def _operations() -> int:
    house = House(requested(callback_url=URL, max_duration_seconds=600))
    house.begin()
    house.run()
    return house.faults.count


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("at", range(1, _operations() + 1, 3))
def test_after_any_crash_the_app_hears_of_each_step(at: int, is_after: bool) -> None:
    """At least once, with the same id and the same words each time."""
    house = House(
        requested(callback_url=URL, max_duration_seconds=600), faults=Faults(at, after=is_after)
    )
    house.begin()
    house.run()
    assert_sound(house)
    told: dict[str, set[bytes]] = {}
    for each in house.app.calls:
        told.setdefault(each.headers["webhook-id"], set()).add(each.body)
    ends = [each for each in told if not each.endswith(("-started", "-1", "-2", "-3"))]
    assert f"{RECORDING_ID}-started" in told
    assert ends == [f"{RECORDING_ID}-{house.row.status}"]
    assert all(len(bodies) == 1 for bodies in told.values())


def test_nothing_is_told_before_it_is_durable() -> None:
    house = House(requested(callback_url=URL, max_duration_seconds=600))
    seen: list[tuple[str, str]] = []
    house.app.meanwhile = lambda: seen.append(
        (house.app.calls[-1].told["data"]["status"], house.row.status)
    )
    house.begin()
    house.run()
    assert seen == [("recording", "recording"), ("completed", "completed")]


def test_the_stacks_own_addresses_hear_of_every_recording() -> None:
    own = "https://ours.example.com/hook"
    house = House(requested(callback_url=URL, max_duration_seconds=600))
    house.settings = replace(house.settings, callback_endpoints=own)
    house.begin()
    house.run()
    hosts = sorted(each.place.host for each in house.app.calls)
    assert hosts == ["app.example.com"] * 2 + ["ours.example.com"] * 2


def test_a_file_that_arrives_after_the_end_is_told_with_its_kind() -> None:
    house = House(requested(callback_url=URL, max_duration_seconds=600))
    house.begin()
    house.run()
    sid = house.row.sid
    name = f"{sid}_{house.row.cname}_0.mp4"
    event = {
        "time": "2026-11-27T10:00:00Z",
        "detail": {"object": {"key": house.row.prefix + name, "size": 7, "etag": "e"}},
    }
    record = {"messageId": "1", "body": json.dumps(event)}
    assert house.parts.arrivals.take([record]).failed == []
    house.run()
    told = house.app.calls[-1].told
    assert told["type"] == "recording.file_arrived"
    assert told["data"]["files"]["kinds"] == ["mp4"]
    assert told["data"]["file"] == {
        "name": name,
        "kind": "mp4",
        "bytes": 7,
        "arrivedAt": "2026-11-27T10:00:00.000Z",
    }


# --- tries --------------------------------------------------------------------------------------


def test_an_app_that_is_down_for_a_day_hears_of_it_the_day_after() -> None:
    house = House(recording(callback_url=URL, status="completed"))
    sent = message(body="{}")
    house.table.add(row_of(sent))
    up_ms = NOW_MS + DAY_MS
    house.app.reply = lambda call: Reply(200 if call.at_ms >= up_ms else 503)
    house.queue.taken({"recordingId": RECORDING_ID, "call": sent.key}, 0)
    house.run(3 * 86_400)
    assert now_is(house, sent).state == "delivered"
    times = [(each.at_ms - NOW_MS) / 1000 for each in house.app.calls]
    gaps = [later - before for before, later in pairwise(times)]
    for gap, wait in zip(gaps, (5, 300, 1800, 7200, 18_000, 36_000, 50_400), strict=False):
        assert wait <= gap <= wait * 1.2 + 62  # the sweeper comes once a minute
    assert len({each.headers["webhook-id"] for each in house.app.calls}) == 1
    stamps = [int(each.headers["webhook-timestamp"]) for each in house.app.calls]
    assert stamps == [each.at_ms // 1000 for each in house.app.calls]
    lines = [each for each in house.notes if each["kind"] == "callback"]
    assert len(lines) == len(house.app.calls)


def test_an_app_that_never_answers_is_given_up_after_three_days() -> None:
    house = House(recording(callback_url=URL, status="completed"))
    sent = message()
    house.table.add(row_of(sent))
    house.app.reply = lambda _: Reply(None, "no answer in 15 s")
    house.queue.taken({"recordingId": RECORDING_ID, "call": sent.key}, 0)
    house.run(10 * 86_400)
    assert now_is(house, sent).state == "given_up"
    assert len(house.app.calls) == TRIES
    assert house.app.calls[-1].at_ms - NOW_MS >= 3 * DAY_MS


def test_a_message_that_the_queue_lost_is_brought_by_the_sweeper() -> None:
    house = House(recording(callback_url=URL, status="completed"))
    sent = message()
    house.table.add(row_of(sent))
    house.run(300)
    assert [each.at_ms <= NOW_MS + 180_000 for each in house.app.calls] == [True]
    assert now_is(house, sent).state == "delivered"


def test_retry_after_is_waited_for() -> None:
    world = world_with(sent := message())
    world.app.script.append(Reply(429, retry_s=3600))
    assert send(world, sent) == "waiting"
    assert now_is(world, sent).next_ms == NOW_MS + 3_600_000
    assert world.queue.messages == []  # no queue can delay so long: the sweeper brings it


def test_a_short_wait_is_the_queues() -> None:
    world = world_with(sent := message())
    world.app.script.append(Reply(500))
    assert send(world, sent) == "waiting"
    assert world.queue.delays == [5]
    assert send(world, sent) == "nothing"  # it comes too early
    assert len(world.app.calls) == 1


def test_a_message_that_comes_twice_is_sent_once() -> None:
    world = world_with(sent := message())
    world.app.meanwhile = lambda: states.append(send(world, sent))
    states: list[str] = []
    assert send(world, sent) == "delivered"
    assert [*states, send(world, sent)] == ["nothing", "nothing"]
    assert len(world.app.calls) == 1


def test_410_ends_the_calls_to_an_address() -> None:
    other = message(message_id=f"{RECORDING_ID}-failed", type="recording.failed")
    world = world_with(sent := message(), other)
    world.app.script.append(Reply(410))
    assert [send(world, sent), send(world, other)] == ["switched_off", "switched_off"]
    assert len(world.app.calls) == 1
    assert {each["data"]["state"] for each in world.notes} == {"switched_off"}


def test_resend_switches_an_address_on_and_sends_what_did_not_arrive() -> None:
    done = message(message_id=f"{RECORDING_ID}-started", type="recording.started")
    world = world_with(sent := message(), done)
    send(world, done)
    world.app.script.append(Reply(410))
    send(world, sent)
    again = world.parts.caller.resend(RECORDING_ID)
    assert [each.message_id for each in again] == [sent.message_id]
    assert send(world, sent) == "delivered"
    everything = world.parts.caller.resend(RECORDING_ID, everything=True)
    assert len(everything) == 2


def test_each_try_is_a_line_of_the_timeline_without_the_address() -> None:
    url = "https://app.example.com/hook/a-path-that-is-a-secret"
    world = world_with(sent := message(url=url))
    world.app.script.append(Reply(302))
    send(world, sent)
    (line,) = world.notes
    assert line["text"] == "recording.completed to app.example.com: answered 302 (try 1 of 10)."
    assert "a-path" not in json.dumps(line)
    assert line["data"]["status"] == 302
    shown = world.parts.timeline.store.notes(RECORDING_ID)
    assert [each["kind"] for each in shown] == ["callback"]


def test_nothing_is_told_of_a_recording_that_is_being_deleted() -> None:
    world = world_with(sent := message(), row=recording(deleting_ms=NOW_MS))
    assert send(world, sent) == "nothing"
    assert world.app.calls == []


def test_a_host_that_is_taken_off_the_list_is_not_called_any_more() -> None:
    world = world_with(sent := message(), callback_hosts="other.example.com")
    assert send(world, sent) == "switched_off"
    assert world.app.calls == []
    assert "CallbackHosts" in world.notes[0]["text"]


def test_without_a_secret_the_message_waits() -> None:
    world = world_with(sent := message())
    world.secrets.versions["callbacks"] = ["{}"]
    with pytest.raises(SecretUnavailableError):
        send(world, sent)
    assert now_is(world, sent) == sent


# --- the request --------------------------------------------------------------------------------


def test_a_recording_keeps_where_its_app_wants_to_be_called() -> None:
    world = World()
    row, _ = world.parts.creator.create({"cname": "standup", "callbackUrl": URL}, None)
    assert row.callback_url == URL


@pytest.mark.parametrize("url", ["https://evil.example.com/", "http://app.example.com/", ""])
def test_an_address_that_is_not_allowed_is_refused_with_the_request(url: str) -> None:
    world = World()
    with pytest.raises(RequestInvalidError) as caught:
        world.parts.creator.create({"cname": "standup", "callbackUrl": url}, None)
    assert [each.path for each in caught.value.problems] == ["callbackUrl"]
    assert world.table.items == {}

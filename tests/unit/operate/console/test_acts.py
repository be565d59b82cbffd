"""What the forms do: the API's own answers, and the same request as a command."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operate.console import acts
from tests.world.builders import after, recording, requested, running, stopped
from tests.world.console import RECORDING_ID, ConsoleWorld, Visitor


def test_a_form_becomes_the_request_that_an_app_would_send() -> None:
    form = {
        "mode": "raw",
        "cname": " standup ",
        "streamTypes": "2",
        "subscribeUidGroup": "1",
        "mp4": "yes",
        "maxDurationSeconds": "600",
        "tags": "team=platform\n\n room = blue ",
        "more": '{"recordingConfig": {"channelType": 1}, "region": "EU"}',
    }
    body, unread = acts.body_of(form)
    assert unread == {}
    assert body == {
        "cname": "standup",
        "mode": "raw",
        "maxDurationSeconds": 600,
        "tags": {"team": "platform", "room": "blue"},
        "clientRequest": {
            "recordingConfig": {"streamTypes": 2, "subscribeUidGroup": 1, "channelType": 1},
            "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
            "region": "EU",
        },
    }


def test_a_form_for_a_page_has_the_service_and_nothing_of_a_channel() -> None:
    form = {"mode": "web", "cname": "page", "url": "https://example.com", "streamTypes": "2"}
    body, _ = acts.body_of(form)
    (service,) = body["clientRequest"]["extensionServiceConfig"]["extensionServices"]
    assert service["serviceParam"]["url"] == "https://example.com"
    assert "recordingConfig" not in body["clientRequest"]


@pytest.mark.parametrize(
    ("form", "field", "sentence"),
    [
        ({"restartLimit": "two"}, "restartLimit", "must be a whole number"),
        ({"tags": "platform"}, "tags", "must be one a line: name=value"),
        ({"more": "[]"}, "more", "must be a JSON object"),
        ({"more": "{"}, "more", "must be a JSON object"),
        ({"cname": ""}, "cname", "must be 1 to 64 characters"),
        ({"restartLimit": "99"}, "restartLimit", "must be a whole number from 0 to 20"),
        ({"maxIdleTime": "1"}, "maxIdleTime", "must be a whole number from 5"),
        ({"more": '{"recordingConfig": {"audioProfile": 9}}'}, "more", "audioProfile"),
        ({"uid": "0"}, "uid", "must be"),
    ],
)
def test_a_problem_stands_beside_its_field(form: dict[str, str], field: str, sentence: str) -> None:
    told = acts.check(ConsoleWorld(requested()).desk(), {"mode": "mix", "cname": "room", **form})
    assert sentence in " ".join(told.problems[field])


def test_a_warning_stands_beside_its_field_too() -> None:
    form = {"mode": "mix", "cname": "room", "token": "007eJx"}
    told = acts.check(ConsoleWorld(requested()).desk(), form)
    assert told.problems == {}
    assert "is not given, and the stack chooses one" in told.warnings["uid"][0]


@given(
    st.dictionaries(
        st.sampled_from([each.name for each in acts.FIELDS]), st.text(max_size=30), max_size=8
    )
)
def test_no_form_breaks_the_check_and_the_command_holds_the_request(form: dict[str, str]) -> None:
    desk = ConsoleWorld(requested()).desk()
    told = acts.check(desk, form)
    words = shlex.split(told.curl.replace("\\\n", " "))
    sent = json.loads(words[-1])
    body, _ = acts.body_of(form)
    if "token" in body.get("clientRequest", {}):
        body["clientRequest"]["token"] = "(the token)"
    assert sent == body


def test_a_start_that_is_sent_twice_makes_one_recording() -> None:
    world = ConsoleWorld(requested(), now_ms=after(5))
    world.random_bytes = lambda count: b"\x01" * count  # type: ignore[method-assign]
    visitor = Visitor(world)
    form = {"mode": "mix", "cname": "room", "key": "console-1"}
    first, second = visitor.post("/start", form), visitor.post("/start", form)
    assert first.status == second.status == 303
    assert first.headers["location"] == second.headers["location"]
    started = visitor.get(first.headers["location"])
    assert "room" in started.text


def test_the_warnings_of_a_start_are_shown_with_the_recording() -> None:
    world = ConsoleWorld(requested(), now_ms=after(5))
    world.random_bytes = lambda count: b"\x01" * count  # type: ignore[method-assign]
    visitor = Visitor(world)
    page = visitor.post("/start", {"mode": "mix", "cname": "room", "token": "007eJx"})
    assert "the stack chooses one" in visitor.get(page.headers["location"]).text
    assert "the stack chooses one" not in visitor.get(page.headers["location"]).text


def test_a_refused_start_shows_the_form_with_what_was_typed() -> None:
    world = ConsoleWorld(requested(), now_ms=after(5))
    page = Visitor(world).post("/start", {"mode": "mix", "cname": "bad\u00e4", "restartLimit": "3"})
    assert page.status == 422
    assert "bad\u00e4" in page.text
    assert 'class="problem"' in page.text


def act(world: ConsoleWorld, name: str, **form: str) -> str:
    """Do an act; return what the page says."""
    page = Visitor(world).post(f"/recordings/{RECORDING_ID}/acts/{name}", form)
    assert page.status == 200, page.text
    return page.text


def over(**changes: Any) -> ConsoleWorld:
    """Return a world whose recording is over."""
    attempt = running(end="STOPPED", ended_ms=after(60))
    row = recording(status="completed", ended_ms=after(60), attempt=attempt, **changes)
    return ConsoleWorld(row, now_ms=after(700))


def test_stop_asks_the_api() -> None:
    world = ConsoleWorld(recording(), now_ms=after(60))
    assert "asked to stop" in act(world, "stop")
    assert world.row.stop_reason == "STOP_REQUESTED"
    assert world.called == [("POST", f"/recordings/{RECORDING_ID}/stop", None)]


def test_a_layout_goes_to_agora_and_a_problem_comes_back() -> None:
    world = ConsoleWorld(recording(), now_ms=after(60), script=[stopped()])
    said = act(world, "layout", mixedVideoLayout="1", backgroundColor="red")
    assert "backgroundColor" in said
    assert "refusal" in said
    assert "must be a JSON object" in act(world, "layout", more="[1]")


def test_verify_tells_what_the_bucket_holds() -> None:
    said = act(over(), "verify")
    assert "Its files are" in said


def test_what_runs_is_not_published_again() -> None:
    world = ConsoleWorld(recording(), now_ms=after(60))
    said = act(world, "publish")
    assert "refusal" in said
    assert world.bus.events == []


def test_delete_goes_on_until_all_is_gone() -> None:
    world = over()
    assert "It is deleted" in act(world, "delete")
    assert Visitor(world).get(f"/recordings/{RECORDING_ID}").status == 404


def test_what_runs_cannot_be_deleted() -> None:
    world = ConsoleWorld(recording(), now_ms=after(60))
    said = act(world, "delete")
    assert "refusal" in said
    assert world.row.status == "recording"


def test_an_act_that_does_not_exist_says_so() -> None:
    page = Visitor(over()).post(f"/recordings/{RECORDING_ID}/acts/format")
    assert page.status == 404

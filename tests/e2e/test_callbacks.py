"""The app is called, over sockets: signed, tried again, ended by 410, and never led inside."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from standardwebhooks import Webhook

from tests.e2e.conftest import Stage, eventually

STEPS = ("recording.started", "recording.completed")
DAY_S = 24  # where an hour is a second


class App:
    """A server where the app may be called. Paths have their answers, one after the other, and
    then a mood; `calls` are what came.
    """

    def __init__(self, stage: Stage) -> None:
        self.origin: str = stage.facts["callback_origin"]
        secrets = stage.stack.client("secretsmanager")
        secret_id = stage.facts["resources"]["CallbackSecret"]
        text = secrets.get_secret_value(SecretId=secret_id)["SecretString"]
        self.receiver = Webhook(json.loads(text)["current"])
        self.answers: dict[str, list[tuple[int, dict[str, str]]]] = {}
        self.moods: dict[str, Callable[[], int]] = {}
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        app = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                app.calls.append((self.path, headers, app.receiver.verify(body, headers)))
                waiting = app.answers.get(self.path)
                mood = app.moods.get(self.path, lambda: 204)
                status, more = waiting.pop(0) if waiting else (mood(), {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        place = urlsplit(self.origin)
        self.server = ThreadingHTTPServer((place.hostname or "", place.port or 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def told(self, path: str) -> list[str]:
        """Return the types of the messages that came to a path, in order."""
        return [message["type"] for at, _, message in list(self.calls) if at == path]


@pytest.fixture(scope="module")
def app(stage: Stage) -> Iterator[App]:
    """The app as a server, for the stories of this file."""
    app = App(stage)
    yield app
    app.server.shutdown()
    app.server.server_close()
    app.thread.join(10)


def tries(stage: Stage, recording_id: str) -> list[dict[str, Any]]:
    """Return the lines of the timeline about calls to the app."""
    return [each for each in stage.notes(recording_id) if each["kind"] == "callback"]


def has_two_tries(stage: Stage, recording_id: str) -> bool:
    """Tell whether both messages of a recording were tried."""
    return len(tries(stage, recording_id)) >= 2


def test_the_app_hears_of_a_recording_and_knows_who_calls(stage: Stage, app: App) -> None:
    # The first call fails and comes again; a redirect is a failure, too, and is not followed.
    inside = {"location": "http://169.254.169.254/latest/meta-data"}
    app.answers["/good"] = [(503, {}), (302, inside)]
    files = {"recordingFileConfig": {"avFileType": ["hls", "mp4"]}}
    recording_id = stage.record("called", callbackUrl=f"{app.origin}/good", clientRequest=files)
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    row = stage.over(recording_id)
    assert row["status"] == "completed"
    eventually(
        lambda: {*STEPS, "recording.file_arrived"} <= set(app.told("/good")),
        "every message",
        40,
        lambda: json.dumps(tries(stage, recording_id), default=str, indent=1),
    )
    last = next(m for _, _, m in app.calls if m["type"] == "recording.completed")
    assert last["data"]["recordingId"] == recording_id
    assert last["data"]["files"]["kinds"] == ["hls", "mp4"]
    arrived = next(m for _, _, m in app.calls if m["type"] == "recording.file_arrived")
    assert arrived["data"]["files"]["kinds"] == [arrived["data"]["file"]["kind"]]
    eventually(lambda: "answered 302" in str(tries(stage, recording_id)), "the redirect's line")
    eventually(
        lambda: sum("answered 204" in each["text"] for each in tries(stage, recording_id)) >= 3,
        "that all arrived",
        40,
    )


@pytest.fixture
def _an_hour_is_a_second(stage: Stage) -> Iterator[None]:
    """Let the waits between tries pass 3,600 times faster."""
    functions, name = stage.stack.client("lambda"), stage.facts["resources"]["SendCallbackFunction"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    for speed in ("3600", variables["SPEED"]):
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**variables, "SPEED": speed}}
        )
        functions.get_waiter("function_updated_v2").wait(FunctionName=name)
        if speed == "3600":
            yield


@pytest.mark.usefixtures("_an_hour_is_a_second")
def test_an_app_that_is_down_for_a_day_hears_of_it_the_day_after(stage: Stage, app: App) -> None:
    came: list[float] = []

    def down_for_a_day() -> int:
        came.append(time.monotonic())
        return 503 if came[-1] - came[0] < DAY_S else 204

    app.moods["/down"] = down_for_a_day
    recording_id = stage.record("down", callbackUrl=f"{app.origin}/down")
    stage.until(recording_id, "recording")
    stage.stop(recording_id)
    stage.over(recording_id)

    def delivered() -> list[dict[str, Any]]:
        return [each for each in tries(stage, recording_id) if "204" in each["text"]]

    eventually(
        lambda: len(delivered()) == 2,
        "both messages, the day after",
        3 * DAY_S,
        lambda: json.dumps(tries(stage, recording_id), default=str, indent=1),
    )
    numbers = [each["data"]["try"] for each in delivered()]
    assert min(numbers) >= 5  # at 0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h
    assert len(tries(stage, recording_id)) == sum(numbers) == len(app.told("/down"))
    ids = {headers["webhook-id"] for path, headers, _ in app.calls if path == "/down"}
    assert ids == {f"{recording_id}-started", f"{recording_id}-completed"}


def test_410_ends_the_calls_until_they_are_sent_again_and_an_address_inside_is_never_called(
    stage: Stage, app: App, tmp_path: Path
) -> None:
    app.answers["/gone"] = [(410, {})]
    gone = stage.record("gone", callbackUrl=f"{app.origin}/gone")
    inside = stage.record("inside", callbackUrl="https://localhost/hook")
    for each in (gone, inside):
        stage.until(each, "recording")
        stage.stop(each)
    for each in (gone, inside):
        stage.over(each)
        eventually(partial(has_two_tries, stage, each), "two lines")
    assert len(app.told("/gone")) == 1
    facts = tmp_path / "stack.json"
    facts.write_text(json.dumps(stage.facts))
    command = [sys.executable, "-m", "operate", "--local", "--facts", str(facts), "resend", gone]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    eventually(lambda: len(app.told("/gone")) == 3, "both messages, sent again")
    assert all("not public" in each["text"] for each in tries(stage, inside))


def test_a_host_that_the_stack_does_not_allow_is_refused(stage: Stage) -> None:
    body = {"cname": "refused", "callbackUrl": "https://evil.example.com/hook"}
    answer = stage.api.call("POST", "/recordings", body)
    assert answer.status == 400
    assert "CallbackHosts" in answer.body["detail"]

"""The control API, the command line, and its page in docs."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from local.agora import AgoraSimulator
from local.agora.faults import ENDPOINTS
from local.agora.plan import PLAN_FIELDS

COMMANDS = ("kill", "failover", "idle", "crash", "deliver")
DOCUMENT = Path(__file__).parents[3] / "docs" / "simulator.md"


def test_the_clock_holds_advances_and_runs_on(make_agora: Any) -> None:
    agora = make_agora(hold=False, speed=10)
    held = agora.control("POST", "clock", {"hold": True})
    same = agora.control("GET", "clock")
    moved = agora.control("POST", "clock", {"advance_s": 30})
    free = agora.control("POST", "clock", {"hold": False})

    assert held["held"] is True
    assert same["now_ms"] == held["now_ms"]
    assert moved["now_ms"] == held["now_ms"] + 3000
    assert free["held"] is False
    assert free["now_ms"] - moved["now_ms"] < 500


def test_a_running_clock_can_be_advanced_too(make_agora: Any, bucket: Any) -> None:
    agora = make_agora(hold=False)
    agora.record()
    agora.advance(20)

    assert len(bucket.names(".ts")) == 1


def test_reset_forgets_everything(agora: Any, receiver: Any) -> None:
    agora.record()
    agora.faults({"match": {"endpoint": "acquire"}, "action": {"answer": {"http": 500}}})
    agora.control("POST", "ncs", {"hosts": ["198.51.100.1"]})
    agora.advance(2)
    agora.control("POST", "reset")
    heard = len(receiver.received)
    agora.advance(60)

    assert agora.control("GET", "recordings")["recordings"] == []
    assert agora.control("GET", "webhooks")["webhooks"] == []
    assert agora.control("GET", "faults")["rules"] == []
    assert len(receiver.received) == heard
    assert agora.acquire().status == 200


def test_rules_can_be_added_to_the_plan_without_disturbing_it(agora: Any) -> None:
    answer = {"answer": {"http": 500, "code": 500}}
    agora.faults({"match": {"endpoint": "acquire", "times": 2}, "action": answer})
    agora.acquire()
    added = {"match": {"endpoint": "query"}, "action": answer}
    agora.control("POST", "faults", {"add": [added]})

    rules = agora.control("GET", "faults")["rules"]
    assert [(rule["endpoint"], rule["applied"]) for rule in rules] == [("acquire", 1), ("query", 0)]


def test_addresses_can_be_changed(agora: Any) -> None:
    agora.control("POST", "ncs", {"hosts": ["198.51.100.1"]})
    hosts = agora.http("GET", "/v2/ncs/ip").body["data"]["service"]["hosts"]

    assert hosts == [{"primaryIP": "198.51.100.1"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nowhere", None, 404),
        ("POST", "recordings/nobody/kill", {}, 400),
        ("POST", "faults", {"rules": 3}, 400),
        ("POST", "webhooks", {"colour": "red"}, 400),
        ("POST", "channel", {}, 400),
        ("POST", "clock", b"{", 400),
    ],
)
def test_a_wrong_control_call_says_what_is_wrong(
    agora: Any, method: str, path: str, body: Any, status: int
) -> None:
    answer = agora.http(method, f"/_control/{path}", body)

    assert answer.status == status
    assert answer.body["error"]


def test_no_thread_is_left_behind(bucket: Any) -> None:
    before = set(threading.enumerate())
    with AgoraSimulator(s3_endpoint_url=bucket.url) as simulator:
        assert simulator.url.startswith("http://127.0.0.1:")

    assert set(threading.enumerate()) <= before


def test_fifty_starts_at_the_same_instant_all_run(make_agora: Any) -> None:
    agora = make_agora(hold=False)
    statuses: list[int] = []

    def start(n: int) -> None:
        statuses.append(agora.record(cname=f"room{n}").query().status)

    threads = [threading.Thread(target=start, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 50


# --- the command line ---------------------------------------------------------------------------


def _run(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local.agora", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=DOCUMENT.parents[1],
    )


def test_alone_it_says_where_it_is_and_ends_on_sigterm() -> None:
    with _run("--port", "0") as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["agora_url"]
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert code == 0


def test_a_taken_port_is_one_clear_sentence(agora: Any) -> None:
    port = agora.simulator.url.rsplit(":", 1)[1]
    with _run("--port", port) as process:
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}" in errors


# --- the page in docs ---------------------------------------------------------------------------


def _examples() -> Iterator[list[str]]:
    """Yield the words of each curl command on the page."""
    for block in re.findall(r"```bash\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        words = shlex.split(block, comments=True)
        starts = [place for place, word in enumerate(words) if word == "curl"]
        for start, end in pairwise([*starts, len(words)]):
            yield words[start + 1 : end]


def test_every_example_of_the_page_works(agora: Any) -> None:
    task = agora.record()
    agora.advance(20)
    examples = list(_examples())
    assert len(examples) > 30
    for words in examples:
        data = words[words.index("-d") + 1] if "-d" in words else None
        url = next(word for word in words if word.startswith("$AGORA"))
        method = "POST" if data is not None else "GET"
        if "-X" in words:
            method = words[words.index("-X") + 1]
        path = url.removeprefix("$AGORA").replace("$SID", task.sid)
        answer = agora.http(method, path, data.encode() if data is not None else None)
        assert answer.status == 200, (words, answer)


def test_the_page_names_every_action_route_and_endpoint(agora: Any) -> None:
    text = DOCUMENT.read_text()
    routes = {name for _, name in agora.simulator.control._routes}

    missing = [
        name
        for name in (*PLAN_FIELDS, *routes, *ENDPOINTS, *COMMANDS)
        if f"`{name}`" not in text and f"/{name}" not in text
    ]
    assert missing == []

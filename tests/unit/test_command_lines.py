"""Whatever is typed on a command line, a person reads a sentence, and never a traceback."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import local.__main__ as embedded
import local.agora.__main__ as simulator
from agora_recording.clock import iso
from agora_recording.errors import SecretRefusedError
from local import demo
from local.agora.options import Options, mistyped
from operate import commands, deployment
from tests.unit.operate.test_commands import STACK, Desk
from tests.world.builders import RECORDING_ID
from tests.world.webhook import NOW_MS, SID

pytestmark = pytest.mark.slow


Run = Callable[..., tuple[int, str, str]]


def _run(main: Callable[[Any], int], argv: list[str], typed: str = "") -> tuple[int, str, str]:
    """Run a command line as a process would: its exit code, what it printed, and its errors."""
    out, err, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.StringIO(typed)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(argv)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdin = before
    return code, out.getvalue(), err.getvalue()


# --- the operator's ---


def _refuse(*_: Any, **__: Any) -> Any:
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "Invoke")


@pytest.fixture
def operate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Run]:
    desk = Desk(monkeypatch)
    desk.clients |= {"lambda": SimpleNamespace(invoke=_refuse)}
    desk.operator.stack = STACK._replace(
        resources={**STACK.resources, "RefreshNcsAddressesFunction": "refresh"}
    )
    monkeypatch.setattr(commands, "Operator", lambda _: desk.operator)
    monkeypatch.setattr(deployment, "find", lambda _: STACK)
    nothing = {"findings": [], "green": 0, "red": 0, "skipped": 0}
    monkeypatch.setattr(commands, "_examine", lambda *_: nothing)
    monkeypatch.setattr(commands, "_serve", lambda *_: {})
    for each in ("teardown", "orphans"):  # what they do is tested elsewhere
        monkeypatch.setattr(desk.operator, each, _refuse)
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    yield lambda *argv, typed="": _run(commands.main, list(argv), typed)
    os.environ.clear()
    os.environ.update(before)


VERBS = [
    *("list", "show", "stop", "verify", "replay", "orphans", "adopt", "stop-orphan", "watch"),
    *("rotate-secret", "firewall", "doctor", "teardown", "console"),
]
FLAGS = [
    *("--stack", "--local", "--region", "--profile", "--facts", "--json", "--publish", "--discard"),
    *("--resource-id", "--mode", "--forget", "--yes", "--dry-run", "--accept-drop", "--record"),
    *("--page", "--channel", "--wait", "--now", "--port", "--no-browser"),
]
WORDS = st.one_of(
    st.sampled_from([RECORDING_ID, SID, "", "0", "-1", "nan", "inf", "1e999", "x", "é", "\udcff"]),
    st.text(max_size=12),
)
ANYTHING = st.lists(st.one_of(st.sampled_from(FLAGS), WORDS), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(ANYTHING, st.sampled_from(VERBS), ANYTHING, st.text(max_size=20))
def test_no_command_of_an_operator_ends_in_a_traceback(
    operate: Run, before: list[str], verb: str, after: list[str], typed: str
) -> None:
    code, out, err = operate(*before, verb, *after, typed=typed)
    assert code in (0, 1, 2)
    assert "Traceback" not in out + err
    assert code != 2 or "error: " in err
    assert code == 0 or err.strip() or out.strip()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("doctor", "--record", "0"), "'0' is not a number of 1 to 3600 seconds"),
        (("doctor", "--record", "long"), "'long' is not a number of 1 to 3600 seconds"),
        (("doctor", "--page", "agora.io"), "must be the URL of a page, such as https://"),
        (("doctor", "--channel", "a/b"), "must be 1 to 64 characters"),
        (("console", "--port", "65536"), "must be a port: a whole number up to 65535"),
        (("teardown", "--wait", "-1"), "'-1' is not a number of 0 to 1440 minutes"),
        (("--region", "Frankfurt", "list"), "must be the name of a region, such as eu-central-1"),
        (("--stack", "", "list"), "must be the name of a stack: letters, digits and -"),
        (("show", ""), "must be 1 to 2048 characters of ASCII without spaces"),
    ],
)
def test_an_argument_that_cannot_be_meant_is_refused_with_what_can(
    operate: Run, argv: tuple[str, ...], words: str
) -> None:
    code, _, err = operate(*argv)
    assert code == 2
    assert words in " ".join(err.split())


def test_local_without_a_running_stack_says_how_to_start_one(operate: Run, tmp_path: Path) -> None:
    code, out, err = operate("--local", "list")
    assert (code, out) == (1, "")
    assert err == (
        "There is no local/stack.json: start the embedded stack with `make up`, and leave it "
        "running.\n"
    )
    (tmp_path / "facts").write_text("[]")
    code, _, err = operate("--local", "--facts", "facts", "list")
    assert err == "facts does not describe an embedded stack: give what `make up` wrote.\n"


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "No."}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            EndpointConnectionError(endpoint_url="http://127.0.0.1:4566"),
            'Could not connect to the endpoint URL: "http://127.0.0.1:4566". Does `make up` still '
            "run?",
        ),
        (NoRegionError(), "No region is set: give --region, or set AWS_REGION."),
        (
            NoCredentialsError(),
            "No AWS credentials were found: log in, or name a profile with --profile.",
        ),
        (
            ProfileNotFound(profile="video"),
            "The config profile (video) could not be found: `aws configure list-profiles` lists "
            "those that exist.",
        ),
        (refused("ExpiredToken"), "Your AWS credentials have expired: log in again."),
        (
            refused("InvalidClientTokenId"),
            "AWS does not know your access key: log in again, or name a profile (--profile).",
        ),
        (
            refused("AccessDenied"),
            "An error occurred (AccessDenied) when calling the DescribeStacks operation: No.",
        ),
        (EOFError(), "The input ended too early."),
        (SecretRefusedError("Not this."), "Not this."),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_in_a_sentence(
    operate: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, said: str
) -> None:
    def fail(_: str) -> Any:
        raise error

    facts = {"aws_endpoint_url": "http://127.0.0.1:1", "region": "us-east-1"}
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    (tmp_path / "facts").write_text(json.dumps({**facts, "aws_credentials": keys}))
    monkeypatch.setattr(deployment, "find", fail)
    assert operate("--local", "--facts", "facts", "list") == (1, "", f"{said}\n")


def test_an_account_that_cannot_be_reached_asks_for_the_network_and_the_region(
    operate: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> Any:
        raise EndpointConnectionError(endpoint_url="https://cloudformation.example")

    monkeypatch.setattr(deployment, "find", fail)
    _, _, err = operate("list")
    assert err == (
        'Could not connect to the endpoint URL: "https://cloudformation.example". '
        "Is there a network, and is the region right (--region)?\n"
    )


def test_an_empty_secret_is_refused_and_the_live_one_stays(operate: Run) -> None:
    code, out, err = operate("rotate-secret", typed="\n")
    assert (code, out) == (1, "")
    assert err == "No secret was given: an empty line came. Nothing was stored.\n"


def test_a_look_that_is_overdue_is_now_and_no_age_is_negative() -> None:
    later, sooner = iso(NOW_MS + 34_000), iso(NOW_MS - 34_000)
    told = [
        commands._next_look({"nextLookAt": at, "risk": "silent"}, NOW_MS) for at in (later, sooner)
    ]
    assert told == ["in 34 s (silent)", "now (silent)"]
    assert commands._next_look({"nextLookAt": None, "risk": None}, NOW_MS) == "none is due"
    assert commands._ago(later, NOW_MS) == "0 s"


# --- the embedded stack's ---

STARTED: list[dict[str, Any]] = []


class NeverStarts:
    """Stands for what a command starts: only how it was asked for counts."""

    def __init__(self, *given: Any, **more: Any) -> None:
        STARTED.append({"given": given, **more})
        raise OSError(98, "Address already in use")


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(simulator, "AgoraSimulator", NeverStarts)
    monkeypatch.setattr(embedded, "EmbeddedStack", NeverStarts)
    monkeypatch.setattr(demo, "EmbeddedStack", NeverStarts)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    mains = {"local": embedded.main, "agora": simulator.main}
    return lambda which, *argv: _run(mains[which], list(argv))


NAMES = [
    *("--host", "--port", "--speed", "--app-id", "--customer-id", "--webhook-url", "--qps"),
    *("--s3-endpoint-url", "--pcw", "--seed", "--set", "--log-file", "--agora-url", "--mode"),
    *("--console-port", "--app-certificate"),
]
SETTINGS = st.sampled_from(
    ["users=5", "users=[1]", "qps", "qps=", "qps=true", "no=1", "webhook_loss=2", "speed=NaN"]
)
VALUES = st.one_of(SETTINGS, st.sampled_from(["0", "-1", "nan", "inf", "1e999", ""]), st.text())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    st.sampled_from([("local", "up"), ("local", "demo"), ("agora",)]),
    st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=3),
)
def test_no_command_that_starts_something_ends_in_a_traceback(
    start: Run, which: tuple[str, ...], options: list[tuple[str, str]]
) -> None:
    code, out, err = start(*which, *(part for option in options for part in option))
    assert code in (1, 2)
    assert "Traceback" not in out + err
    assert ("error: " in err) if code == 2 else err.strip()


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("local up --speed 0", "'0' is not a speed: give a number above 0, at most 10,000"),
        ("local up --speed nan", "'nan' is not a speed"),
        ("local demo --speed -3", "'-3' is not a speed"),
        ("local demo --mode web", "invalid choice: 'web'"),
        ("local up --port 70000", "'70000' is not a port: give a whole number up to 65535"),
        ("local up --agora-url agora", "'agora' is not a URL: give one such as http://"),
        ("agora --speed fast", "'fast' is not a speed"),
        ("agora --webhook-url http://", "'http://' is not a URL"),
        ("agora --qps -1", "'-1' is not a whole number of 0 or more"),
        ("agora --set qps=many", "--set: 'many' is not JSON; text needs double quotes"),
        ("agora --set qps=true", "--set: qps must be a whole number"),
        ("agora --set webhook_loss=2", "--set: webhook_loss must be a number from 0 to 1"),
        ('agora --set users="7"', "--set: users must be an array, each text"),
        ("agora --set nothing=1", "--set: nothing is no option; docs/simulator.md lists them"),
        ("agora --set app_id=1", "--set: app_id must be text or null"),
        ("agora --set expired_task=[400]", "must be an array of a whole number, a whole number"),
        ("agora --set exclusion_spelling=1", 'must be one of "both", "unsubscribe"'),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_before_anything_starts(
    start: Run, argv: str, words: str
) -> None:
    STARTED.clear()
    code, _, err = start(*argv.split())
    assert code == 2
    assert words in re.sub(r"\s+", " ", err)
    assert STARTED == []


def test_what_was_asked_for_is_what_is_started(start: Run) -> None:
    STARTED.clear()
    assert start("local", "up", "--speed", "20", "--agora-url", "http://localhost:1/")[0] == 1
    assert start("agora", "--speed", "0.5", "--set", 'users=["7"]', "--set", "pcw_web=3")[0] == 1
    up, alone = STARTED
    assert (up["speed"], up["agora_url"]) == (20, "http://localhost:1")
    (options,) = alone["given"]
    assert (options.speed, options.users, options.pcw_web) == (0.5, ("7",), 3)


def test_every_default_of_the_simulator_fits_its_own_rule() -> None:
    assert [name for name, value in vars(Options()).items() if mistyped(name, value)] == []

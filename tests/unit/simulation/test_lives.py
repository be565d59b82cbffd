"""Random lives keep every promise; the same seed is the same life; what fails becomes short."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from agora_recording.auto_record import watch_channels
from agora_recording.callbacks.address import Place
from agora_recording.life import watch_recordings
from agora_recording.life.publication import Publisher
from simulation import __main__ as command
from simulation.contract import (
    AT_EVERY_STEP,
    AT_THE_END,
    IN_TIME,
    WHEN_A_ROW_IS_WRITTEN,
    WHEN_A_VIEWER_IS_ANSWERED,
    WHEN_THE_APP_IS_CALLED,
)
from simulation.lessons import RULE
from simulation.living import live
from simulation.luck import Luck
from simulation.receiver import URL, Call
from simulation.shrink import fewest, promise, shrunk
from simulation.stack import Stack
from simulation.story import Act, Story, random_story
from simulation.tally import Tally, family
from simulation.viewers import View
from simulation.weather import WRITES
from tests.world.threads import OneThread

STORIES = range(1, 81)
_EACH = 10


# The quick tests live the first of them.
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[pytest.mark.slow] if first > _EACH else [])
        for first in STORIES[::_EACH]
    ],
)
def test_whatever_goes_wrong_every_promise_holds(first: int) -> None:
    tally = Tally()
    for seed in range(first, first + _EACH):
        tally.add(live(random_story(seed)))
    assert not tally.broken, command.summary(tally, first)
    assert tally.lives > _EACH
    assert tally.faults.total() > 0


def test_a_life_in_which_nothing_goes_wrong_has_no_fault_in_it() -> None:
    calm = Story(seed=1, acts=(Act(0, "create", 1, 900), Act(60, "stop", 1)))
    life = live(calm)
    assert life.broken is None
    assert not life.faults
    assert life.steps > 50


def test_a_viewer_watches_while_the_link_is_open_and_not_a_minute_after_it_was_revoked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack = Stack(
        Story(
            seed=1,
            acts=(
                Act(0, "create", 1, 900),
                Act(5, "link", 1),
                Act(60, "stop", 1),
                Act(400, "watch", 1),
                Act(500, "revoke", 1),
                Act(560, "watch", 1),
            ),
        )
    )
    views: list[View] = []
    monkeypatch.setattr(stack.contract, "viewed", views.append)
    stack.live()
    opened = [(view.status, view.name.rpartition(".")[2]) for view in views]
    assert opened == [(200, "m3u8"), (302, "ts"), (302, "ts"), (404, "m3u8"), (404, "m3u8")]
    assert stack.viewers.views == 3


@pytest.mark.parametrize(
    ("status", "after_s", "promise"),
    [(302, 3600, "a_link_that_is_over_opens_nothing"), (404, -60, "a_link_that_is_open_plays")],
)
def test_a_viewer_who_is_answered_wrongly_breaks_a_promise(
    status: int, after_s: int, promise: str
) -> None:
    acts = (Act(0, "create", 1, 900), Act(60, "stop", 1), Act(400, "link", 1, 600))
    stack = Stack(Story(seed=1, acts=acts))
    stack.live()
    (link,) = stack.people.links[1]
    at_ms = link.until_ms + after_s * 1000
    stack.contract.viewed(View(link, "a.ts", at_ms, at_ms, status))
    assert [each.partition(":")[0] for each in stack.contract.broken] == [promise]


def test_who_comes_into_a_channel_is_recorded_until_the_last_one_has_left() -> None:
    stack = Stack(
        Story(
            seed=1,
            acts=(
                Act(0, "join", 11, 7),
                Act(50, "join", 11, 8),
                Act(600, "part", 11, 7),
                Act(900, "part", 11, 8),
            ),
        )
    )
    with (
        patch.object(watch_recordings, "ThreadPoolExecutor", OneThread),
        patch.object(watch_channels, "ThreadPoolExecutor", OneThread),
    ):
        stack.live()
    (row,) = stack.contract.rows.values()
    assert (row.cname, row.auto_record, row.status) == ("lesson-11", RULE, "completed")
    assert row.stop_reason == "CHANNEL_EMPTY"
    (visit,) = stack.lessons.visits["lesson-11"]
    assert visit.heard_ms is not None
    assert visit.heard_ms - visit.began_ms < 5000


def test_the_app_is_called_of_the_start_and_of_the_end() -> None:
    acts = (Act(0, "create", 1, 900, url=URL), Act(60, "stop", 1))
    stack = Stack(Story(seed=1, acts=acts))
    with patch.object(watch_recordings, "ThreadPoolExecutor", OneThread):
        stack.live()
    (recording_id,) = stack.contract.rows
    assert stack.receiver.taken == {f"{recording_id}-started", f"{recording_id}-completed"}


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"headers": {"webhook-signature": "v1,no"}}, "every_call_is_signed"),
        ({"headers": {"webhook-timestamp": "1"}}, "every_call_is_signed"),
        ({"place": Place("elsewhere.example.net", 443, "/")}, "a_call_goes_only_where_it_may"),
        ({"status": "completed"}, "a_call_tells_what_is_written"),
    ],
)
def test_a_call_that_should_not_be_breaks_a_promise(changes: Any, promise: str) -> None:
    acts = (Act(0, "create", 1, 900, url=URL), Act(60, "stop", 1))
    stack = Stack(Story(seed=1, acts=acts))
    calls: list[Call] = []
    with (
        patch.object(watch_recordings, "ThreadPoolExecutor", OneThread),
        patch.object(stack.contract, "called", calls.append),
    ):
        stack.live()
    first, *_ = calls
    (row,) = stack.contract.rows.values()
    if "status" in changes:
        stack.contract.rows[row.recording_id] = replace(row, status="recording")
        first = calls[-1]
    else:
        headers = {**first.headers, **changes.get("headers", {})}
        first = first._replace(**{**changes, "headers": headers})
    stack.contract.called(first)
    assert promise in [each.partition(":")[0] for each in stack.contract.broken]


def test_the_same_seed_is_the_same_life_to_the_byte() -> None:
    """In another process, whose sets and dicts have another order."""
    there = "\n".join(
        [
            "from simulation.living import live",
            "from simulation.story import random_story",
            "print(live(random_story(14)).trace)",
        ]
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", there],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[-1]
        for seed in ("1", "2")
    ]
    assert told == [live(random_story(14)).trace] * 2


def test_chance_is_the_same_on_every_version_of_python() -> None:
    """What a seed tells, and what happens at a place: neither follows from Python's own order."""
    told = hashlib.sha256(random_story(4711).told().encode()).hexdigest()[:16]
    luck = Luck(4711, 0.1)
    found = [luck.fault(f"start r1 #{number}, 3 put_item", WRITES) for number in range(40)]
    happened = [kind for kind in found if kind]
    assert told == "09e11f8ee9712e0e"
    assert happened == ["answer lost", "killed after", "answer lost", "throttled", "failed"]
    assert luck.number("a place", 1, 1000) == 327


def test_a_story_that_is_told_again_by_its_faults_is_the_same() -> None:
    life = live(random_story(2))
    assert life.faults
    again = live(life.story._replace(faults=life.faults))
    assert again.trace == life.trace


def test_what_breaks_a_promise_shrinks_to_a_story_that_can_be_pasted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No end is announced, so that every life breaks it; one act is enough for that."""
    monkeypatch.setattr(Publisher, "announce_end", lambda *_: None)
    broken = live(random_story(2))
    assert len(broken.story.acts) > 2
    assert broken.faults
    found = shrunk(broken)
    assert promise(found) == promise(broken) == "the_end_is_announced_before_it_is_written"
    assert [act.deed for act in found.story.acts] == ["create"]
    assert not found.story.faults
    names: dict[str, Any] = {"Story": Story, "Act": Act}
    pasted = eval(found.story.told(), names)
    assert live(pasted).broken == found.broken


def test_of_many_things_those_are_left_that_are_needed() -> None:
    asked = 0

    def is_enough(kept: list[int]) -> bool:
        nonlocal asked
        asked += 1
        return {3, 17} <= set(kept)

    assert fewest(range(40), is_enough, lambda: 100 - asked) == [3, 17]


def test_the_contract_says_each_promise_in_words() -> None:
    promises = (
        *AT_EVERY_STEP,
        *WHEN_A_ROW_IS_WRITTEN,
        *WHEN_A_VIEWER_IS_ANSWERED,
        *WHEN_THE_APP_IS_CALLED,
        *IN_TIME,
        *AT_THE_END,
    )
    assert len(promises) == len({each.__name__ for each in promises})
    assert all((each.__doc__ or "").rstrip().endswith(".") for each in promises)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("start r1 #1, 3 put_item", "call to AWS"),
        ("start r1 #1, 3 Agora/start", "call to Agora"),
        ("sweep #2, 1 index", "index"),
        ("event r1.1 42 0", "notification"),
        ("message 4", "message"),
        ("batch 9", "stream"),
        ("session r1.1", "session"),
        ("park 1", "Step Functions"),
        ("call the app #1, 4 app", "call to the app"),
        ("sweep channels #1, 4 Agora/channel", "call to Agora"),
        ("event lesson-11 103 2", "notification"),
    ],
)
def test_a_fault_is_counted_by_what_it_befell(place: str, told: str) -> None:
    assert family(place) == told


def test_the_command_says_how_many_lives_there_were(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--tell", "3"]) == 0
    assert "Every promise held." in capsys.readouterr().out

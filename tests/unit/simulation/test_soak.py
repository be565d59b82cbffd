"""The soak's people, troubles and report: without a stack."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from local.agora.faults import Rule
from local.agora.options import Options
from local.agora.world import World
from local.api import Api, Response
from simulation.soak import people as module
from simulation.soak.people import People
from simulation.soak.report import Soaked
from simulation.soak.troubles import Troubles


def ends(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


# --- people ---------------------------------------------------------------------------------------


EXPIRES = "2026-11-28T12:00:00.000Z"


class Door:
    """An API that fails every second call, and gives each key one recording."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str]]] = []
        self.ids: dict[str, str] = {}
        self.fails = itertools.cycle((True, False))

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        """Answer a call."""
        self.calls.append((method, path, headers or {}))
        if next(self.fails):
            return Response(503, {}, None)
        if path == "/recordings":
            key = (headers or {})["Idempotency-Key"]
            made = self.ids.setdefault(key, f"id-{len(self.ids)}")
            return Response(202, {}, {"recordingId": made})
        if path.endswith("/links"):
            url = "http://host/play/token/index.m3u8"
            return Response(201, {}, {"linkId": "link", "url": url, "expiresAt": EXPIRES})
        if path.endswith("/stop"):
            return Response(202, {}, {"status": "stopping"})
        return Response(204 if method == "DELETE" else 200, {}, {"status": "recording"})


class Everything:
    """A watcher that lets everything be deleted."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    def may_delete(self, recording_id: str) -> bool:
        """Let it be."""
        return True

    def deleted(self, recording_id: str) -> None:
        """Keep it."""
        self.gone.append(recording_id)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let people live quickly."""
    monkeypatch.setattr(module, "_AGAIN_S", (0.0, 0.001))
    monkeypatch.setattr(module, "_LIVES_S", (0.0, 0.01))
    monkeypatch.setattr(module, "_PAUSES_S", (0.0, 0.001))
    monkeypatch.setattr(module, "_PATIENCE_S", 0.01)
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    monkeypatch.setattr(module, "_DELETED", 1.0)


def test_a_call_that_fails_is_repeated_with_the_same_key_until_it_is_answered(quick: None) -> None:
    door, watcher = Door(), Everything()
    people = People(cast(Api, door), 1, 2)
    people.begin(watcher)
    ends(lambda: len(people.stopped) > 20 and len(watcher.gone) > 10)
    people.end()
    ends(people.are_done)
    assert people.failures == []
    assert people.contradictions == []
    asked = [headers["Idempotency-Key"] for _, path, headers in door.calls if path == "/recordings"]
    assert len(asked) > len(set(asked))
    assert len(set(asked)) == len(people.accepted) == len(set(people.accepted.values()))
    assert set(watcher.gone) <= {people.accepted[number] for number in people.stopped}
    assert people.calls[503] > 20


def test_what_was_not_stopped_yet_can_be_stopped_at_the_end(quick: None) -> None:
    people = People(cast(Api, Door()), 1, 3)
    people.begin(Everything())
    ends(lambda: len(people.accepted) > 30)
    people.end()
    ends(people.are_done)
    people.stop_every_recording()
    assert set(people.accepted) == people.stopped


def test_one_key_with_two_recordings_is_a_contradiction(quick: None) -> None:
    door = Door()
    door.ids = cast(Any, Renaming())
    people = People(cast(Api, door), 1, 1)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(module, "_LOST", 0.5)
    people.begin(Everything())
    ends(lambda: bool(people.contradictions))
    people.end()
    ends(people.are_done)
    monkey.undo()
    assert "one key made two recordings" in people.contradictions[0]


class Renaming(dict[str, str]):
    """Gives a key another recording each time."""

    numbers = itertools.count()

    def setdefault(self, key: str, default: str = "") -> str:
        """Return a new one."""
        return f"id-{next(self.numbers)}"


def test_a_status_that_goes_back_is_a_contradiction(quick: None) -> None:
    statuses = itertools.chain(["recording", "starting"], itertools.repeat("starting"))

    class Backwards(Door):
        def call(self, *given: Any, **more: Any) -> Response:
            answer = super().call(*given, **more)
            is_row = answer.status == 200 and given[0] == "GET"
            return Response(200, {}, {"status": next(statuses)}) if is_row else answer

    people = People(cast(Api, Backwards()), 1, 1)
    number = 1
    people.accepted[number] = "id"
    for _ in range(2):
        people._look(cast(Any, Sure()), number)
    assert people.contradictions == ["r1 was recording, and then starting"]


class Sure:
    """A chance by which nothing is lost, and everything is quick."""

    def random(self) -> float:
        """Return a high number."""
        return 0.99

    def uniform(self, low: float, high: float) -> float:
        """Return no time."""
        return 0.0


# --- troubles -------------------------------------------------------------------------------------


@pytest.fixture
def agora() -> World:
    return World(Options())


def test_each_kind_of_trouble_is_one_that_the_simulator_can_do(agora: World) -> None:
    troubles = Troubles(agora, 1)
    kinds = set()
    for _ in range(600):
        kind, match, action = troubles._fault()
        kinds.add(kind)
        Rule.of({"match": {**match, "times": 1}, "action": action})
    assert len(kinds) == 3 + 7 + 8


def test_what_was_applied_is_counted_and_taken_back_at_the_end(agora: World) -> None:
    troubles = Troubles(agora, 1, every_s=0.001)
    troubles.begin()
    rules = agora.faults.rules
    ends(lambda: len(troubles.counts) > 0 or apply_all(agora) > 20)
    troubles.end()
    assert rules == []
    assert 0 < troubles.counts.total() <= 200
    before = troubles.counts.copy()
    assert apply_all(agora) == 0
    assert troubles.counts == before


def apply_all(agora: World) -> int:
    """Let one call of each kind come; return how many met a fault."""
    with agora.lock:
        faults = agora.faults
        met = [faults.for_call(each, "room", "7") for each in ("acquire", "start", "query", "stop")]
        told = [faults.for_webhook("room", "7", event) for event in (11, 30, 33)]
    return sum(each is not None for each in met) + sum(bool(each) for each in told)


# --- the report -----------------------------------------------------------------------------------


def test_the_report_has_eighty_columns_and_every_figure() -> None:
    soaked = Soaked(600, 10, 4711, recordings=12_345)
    soaked.api = Counter({202: 10, 503: 2, 0: 1, 404: 3})
    soaked.faults = Counter({"call to AWS: throttled": 1200, "process: killed at work": 40})
    lines = soaked.told().splitlines()
    assert all(len(line) <= 80 for line in lines)
    text = soaked.told()
    for figure in ("12,345", "16, 3", "1,200", "1,240"):
        assert figure in text

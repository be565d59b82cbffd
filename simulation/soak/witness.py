"""Holds the real stack to the contract of `simulation.contract`, while it soaks and at the end.

The witness looks in an order in which nothing can be taken for broken that was only read late: who
runs, then what was written, then who still runs. What it adds to the contract are promises that
only the real stack can break.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple, cast

from agora_recording.aws.dynamodb import from_item
from agora_recording.recording.model import TERMINAL, Recording, from_row
from local.stack import EmbeddedStack
from local.tail import Tail
from simulation import contract
from simulation.contract import Broken
from simulation.people import TOKEN
from simulation.soak.sight import Sight
from tests.world.pulse import Pulse

_QUEUE_S = 15  # how long an event may need from the bus through the queue
_SETTLED_MS = 3000  # so long after a row has ended, its files may be deleted
_WAIT_S = 1.0  # between two looks
_RECORDING_CALLS = frozenset({"acquire", "start", "query", "update", "updateLayout", "stop"})
WHILE_IT_RUNS = (
    contract.every_session_that_agora_bills_has_a_row,
    contract.one_session_a_recording,
)
WHEN_A_ROW_IS_WRITTEN = tuple(
    each
    for each in contract.WHEN_A_ROW_IS_WRITTEN
    if each is not contract.the_end_is_announced_before_it_is_written
)
AT_THE_END = (
    *contract.IN_TIME,
    contract.every_end_is_told_with_one_id,
    contract.failed_means_that_there_is_nothing,
    contract.every_accepted_event_counts_once,
    contract.deleted_means_that_nothing_is_left,
    contract.what_the_api_promised_is_true,
)


class Breach(NamedTuple):
    """A promise that does not hold, and what is wrong."""

    promise: str
    sentence: str


class BrokenPromiseError(AssertionError):
    """A promise does not hold; `breaches` says which, and how."""

    def __init__(self, breaches: list[Breach]) -> None:
        super().__init__("; ".join(f"{each.promise}: {each.sentence}" for each in breaches))
        self.breaches = breaches


class Witness:
    """Sees, and holds the promises. `sight` is what is seen; `looks` how often it has looked;
    `at_once` how many sessions run, `writes` how many rows were written.
    """

    def __init__(self, stack: EmbeddedStack, people: Any, pulse: Pulse) -> None:
        assert stack.agora is not None
        self.sight = Sight(stack, people)
        self.looks = 0
        self.writes = 0
        self.at_once = self.most_at_once = 0
        self._stack = stack
        self._agora = stack.agora
        self._pulse = pulse
        self._audit = Tail(stack.emulator.audit)
        self._breaches: list[Breach] = []
        self._ends: list[tuple[float, Recording, Recording]] = []  # to be announced, and since when
        self._over_ms: dict[str, float] = {}  # when it was seen that a recording is over
        self._known: dict[str, Recording] = {}  # every row, as it was last
        self._judged = 0.0  # the arrival of the last call whose second was judged
        self._secrets = _secrets(stack)
        self._lock = threading.Lock()

    # --- while it soaks ---

    def look(self) -> None:
        """Look once, and hold what must hold at any time. Raises BrokenPromiseError."""
        sight = self.sight
        with self._lock:
            sight.agora.look()
            self.at_once = len(sight.agora.running)
            self.most_at_once = max(self.most_at_once, self.at_once)
            for keys, item in sight.writes.since():
                self._written(keys["PK"]["S"], keys["SK"]["S"], item)
            sight.bus.look()
            for promise in WHILE_IT_RUNS:
                self._hold(promise, promise(cast(Any, sight)))
            sight.agora.look()
            self._hold(
                contract.what_is_over_is_over, contract.what_is_over_is_over(cast(Any, sight))
            )
            self._hold(contract.the_end_is_announced_before_it_is_written, self._unannounced())
            self._hold(contract.agora_is_not_called_too_often, self._too_often())
            self._hold(contract.a_room_does_what_its_role_allows, self._refused())
            self.looks += 1
        self._judge()

    def wait(self, seconds: float, is_over: Callable[[], bool] = lambda: False) -> bool:
        """Go on looking for so long, or until it is over; return whether it is."""
        until = time.monotonic() + seconds
        while True:
            self.look()
            if is_over():
                return True
            if time.monotonic() > until:
                return False
            time.sleep(_WAIT_S)

    def may_delete(self, recording_id: str) -> bool:
        """Tell whether a recording's files were seen, and nobody needs them any more."""
        at_ms = self._over_ms.get(recording_id)
        row = self.sight.rows.get(recording_id)
        is_over = at_ms is not None and time.time() * 1000 - at_ms > _SETTLED_MS
        return is_over and row is not None and not row.orphans and not row.awaits_late_files

    def deleted(self, recording_id: str) -> None:
        """Keep that the API called a recording deleted."""
        with self._lock:
            self.sight.deleted[recording_id] = self._known[recording_id].sids
            self.sight.deleted_at[recording_id] = round(time.time() * 1000)

    def is_calm(self) -> bool:
        """Tell whether everything is over."""
        sight = self.sight
        is_open = any(row.status not in TERMINAL or row.orphans for row in sight.rows.values())
        if is_open or any(True for _ in contract.nothing_runs_at_agora(cast(Any, sight))):
            return False
        for row in sight.rows.values():
            if row.status == "failed":
                sight.bucket.look(row.prefix)
        if any(True for _ in contract.failed_means_that_there_is_nothing(cast(Any, sight))):
            return False  # its files have come late: they are looked at soon
        sight.machine.look()
        if sight.machine.open:
            return False
        sight.table.look()  # the stream may still have to be read
        return not any(True for _ in contract.every_accepted_event_counts_once(cast(Any, sight)))

    def _written(self, partition: str, sort: str, item: dict[str, Any] | None) -> None:
        self.writes += 1
        sight = self.sight
        if item is not None:
            self._shows(f"the row {partition} / {sort}", repr(item))
        if sort != "META" or not partition.startswith("REC#"):
            return
        if item is None:
            sight.rows.pop(partition.removeprefix("REC#"), None)
            return
        after = from_row(from_item(item))
        before = sight.rows.get(after.recording_id)
        if before and after.status in TERMINAL and before.status != after.status:
            keys = sight.bucket.look(after.prefix)
            self._hold(
                a_playlist_names_what_is_there, a_playlist_names_what_is_there(sight, after, keys)
            )
        sight.rows[after.recording_id] = self._known[after.recording_id] = after
        sight.ever[after.recording_id] = after.tags["n"]
        if after.status in TERMINAL:
            self._over_ms.setdefault(after.recording_id, time.time() * 1000)
        if before:
            for promise in WHEN_A_ROW_IS_WRITTEN:
                self._hold(promise, promise(cast(Any, sight), before, after))
            if after.status in TERMINAL and after.status != before.status:
                self._ends.append((time.monotonic(), before, after))

    def _unannounced(self) -> Broken:
        """Yield the ends whose event did not come in time."""
        promise = contract.the_end_is_announced_before_it_is_written
        left = []
        for since, before, after in self._ends:
            broken = list(promise(cast(Any, self.sight), before, after))
            if broken and time.monotonic() - since < _QUEUE_S:
                left.append((since, before, after))
                continue
            yield from (f"{after.recording_id}: {each}" for each in broken)
        self._ends = left

    def _too_often(self) -> Broken:
        """Yield the seconds with more calls than Agora takes; a clock that stood still counts."""
        calls = self._calls()
        begin = next((n for n, at in enumerate(calls) if at > self._judged - 1), len(calls))
        most = contract.MOST_CALLS_A_SECOND
        for first, later in zip(calls[begin:], calls[begin + most :], strict=False):
            apart = later - first
            if apart < 1 and apart + self._pulse.stood_still(first, later) < 1:
                yield f"{most + 1} calls came within {apart:.3f} s, the last at {later}"
        if calls:
            self._judged = calls[-1]

    @property
    def most_calls_a_second(self) -> int:
        """How many calls came to Agora in its fullest second."""
        calls = self._calls()
        most = until = 0
        for number, at in enumerate(calls):
            while at - calls[until] >= 1:
                until += 1
            most = max(most, number - until + 1)
        return most

    def _calls(self) -> list[float]:
        """Return when calls about recordings came to Agora (epoch seconds), in order."""
        calls = list(self._agora.gateway.calls)
        return sorted(call.at for call in calls if call.endpoint in _RECORDING_CALLS)

    def _refused(self) -> Broken:
        """Yield what a role did without a right to it."""
        for line in self._audit.lines():
            if not line["allowed"] and ":assumed-role/" in line["principal"]:
                role = line["principal"].split("/")[1]
                yield f"{role} has no right to {line['action']} on {line['resource']}"

    # --- at the end ---

    def look_at_everything(self) -> None:
        """Hold what must hold when all is over, and always. Raises BrokenPromiseError."""
        sight = self.sight
        self.look()
        sight.table.look()
        sight.bucket.look_at_versions()
        sight.machine.look()
        sight.accepted = set(sight.agora.accepted())
        for promise in AT_THE_END:
            self._hold(promise, promise(cast(Any, sight)))
        for place, text in self._places():
            self._shows(place, text)
        self._judge()

    def _places(self) -> Iterator[tuple[str, str]]:
        """Yield what was written where everybody may read it."""
        pages = self._stack.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self._stack.facts["resources"]["LogGroup"]):
            yield "the log", "\n".join(event["message"] for event in page["events"])
        for history in self.sight.machine.histories():
            yield "a history", history
        for key in self.sight.bucket.look("recordings/"):
            if key.endswith(".json"):
                yield key, self.sight.bucket.read(key)
        for kind, detail in self.sight.bus.events:
            yield f"an event {kind}", json.dumps(detail)

    def _shows(self, place: str, text: str) -> None:
        for name, secret in self._secrets.items():
            if secret in text:
                self._breaches.append(Breach("no_secret_anywhere", f"{name} stands in {place}"))

    def _hold(self, promise: Callable[..., Broken], broken: Broken) -> None:
        self._breaches += [Breach(promise.__name__, each) for each in islice(broken, 20)]

    def _judge(self) -> None:
        if self._breaches:
            raise BrokenPromiseError(self._breaches)


def a_playlist_names_what_is_there(sight: Sight, row: Recording, keys: list[str]) -> Broken:
    """When a row says completed, every file that a playlist of its sessions names is there.

    Of a session whose start was not answered, nobody may know the sid yet: it is not the row's.
    """
    for key in keys if row.status == "completed" else ():
        if not key.endswith(".m3u8") or not any(sid in key for sid in row.sids):
            continue
        folder = key.rpartition("/")[0]
        for line in sight.bucket.read(key).splitlines():
            if line and not line.startswith("#") and f"{folder}/{line}" not in sight.bucket.objects:
                yield f"{key} names {line}, which is not there"


def _secrets(stack: EmbeddedStack) -> dict[str, str]:
    manager = stack.client("secretsmanager")
    held = manager.get_secret_value(SecretId=stack.facts["resources"]["StorageSecret"])
    return {
        "Agora's customer secret": stack.facts["agora_credentials"]["customer_secret"],
        "the notification secret": stack.facts["notification_secret"],
        "the uploader's secret key": json.loads(held["SecretString"])["secretKey"],
        "a channel's token": TOKEN,
    }

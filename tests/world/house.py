"""A house in which whole recordings live, in virtual time: the shipped rooms and the shipped state
machine, on the fakes, beside an Agora that keeps sessions.

`House.run` lets time pass until nothing is left to happen. A `Crash` inside a room is what Lambda
reports as a lost environment; inside the stream's room or the sweeper it is a lost invocation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any, cast

import msgspec

from agora_recording.aws.dynamodb import from_item
from agora_recording.clock import from_iso
from agora_recording.files.record_file_arrival import Arrival
from agora_recording.life.executions import start_execution
from agora_recording.life.look_queue import Between
from agora_recording.life.watch_recordings import Swept
from agora_recording.recording.ending import read_failure
from agora_recording.recording.model import RANK, TERMINAL, Recording, from_row
from local.template import template
from tests.world.agora import ScriptedAgora
from tests.world.builders import MACHINE, RECORDING_ID, requested
from tests.world.errors import error
from tests.world.expressions import Item
from tests.world.faults import Crash, Faults
from tests.world.live_agora import LiveAgora
from tests.world.machine import Machine
from tests.world.queue import FakeQueue
from tests.world.step_functions import Answer, Failed, StepFunctions
from tests.world.world import World

MINUTE_MS = 60_000  # from one sweep to the next
# How long a message that failed is hidden before it comes again.
HIDDEN_S = template()["Resources"]["FileArrivals"]["Properties"]["VisibilityTimeout"]
# A project whose tokens Agora checks.
APP_ID, CERTIFICATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
EVENTS_OF_A_LIFE = 30_000  # more than these, and it goes on for ever


class RoomError(Exception):
    """A room failed with an error of this name."""


class Queue(FakeQueue):
    """The queues, which bring each message to its room."""

    def __init__(self, house: House) -> None:
        super().__init__(house.faults)
        self.house = house

    def taken(self, message: dict[str, Any], delay_s: int) -> None:
        """Bring a wish to look after its delay and the batching window; one to sweep or to call."""
        if "call" in message:
            wish = partial(self.house.call_app, message["recordingId"], message["call"])
            self.house.later(delay_s, wish)
        elif "recordingId" in message:
            self.house.later(delay_s + 1, partial(self.house.arrive, message["recordingId"]))
        elif "shards" in message:
            between = msgspec.convert(message, Between)
            self.house.later(delay_s, partial(self.house.sweep, between))


class Rooms(World):
    """The rooms of the state machine around one table, and an Agora that lives."""

    agora: LiveAgora
    machine: StepFunctions
    no_sweeps_until_ms = 0
    _swept_ms = 0
    _sweep_ms: int | None = None  # when the sweeper comes next
    _sweep_event = 0

    @cached_property
    def rooms(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Each room by the name of its function."""
        return {
            "StartRecordingFunction": self._start,
            "QueryRecordingFunction": self._query,
            "StopRecordingFunction": self._stop,
            "AwaitUploadFunction": self._await_upload,
            "PublishRecordingFunction": self._publish,
        }

    def _start(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.parts.starter.start(event["recordingId"])

    def _query(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.parts.confirmer.confirm(event["recordingId"], event["started"])

    def _stop(self, event: dict[str, Any]) -> dict[str, Any]:
        failure = read_failure(event.get("failure"))
        return self.parts.stopper.stop(event["recordingId"], failure)

    def _await_upload(self, event: dict[str, Any]) -> dict[str, Any]:
        return {"outcome": self.parts.uploads.park(event["recordingId"], event["taskToken"])}

    def _publish(self, event: dict[str, Any]) -> dict[str, Any]:
        return self.parts.recording_publisher.publish(event["recordingId"])

    def names(self, resource_id: str, uid: str) -> bool:
        """Tell whether a row names what Agora is about to bill."""
        rows = [from_item(item) for (_, sort), item in self.table.items.items() if sort == "META"]
        known = [
            each for row in rows for each in (*row.get("pastAttempts", ()), row.get("attempt", {}))
        ]
        return (resource_id, uid) in [(each.get("resourceId"), each.get("uid")) for each in known]

    def must_name(self, resource_id: str, uid: str) -> None:
        """Fail unless a row names what Agora is about to bill."""
        assert self.names(resource_id, uid)

    def apply(self, records: list[dict[str, Any]]) -> None:
        """Bring records of the table's stream."""
        raise NotImplementedError

    # --- the sweeper ---

    def scheduled_sweep(self) -> None:
        """Sweep, as the schedule of each minute asks for."""
        raise NotImplementedError

    @property
    def due_ms(self) -> int | None:
        """When the sweeper has to look next."""
        keys = (item.get("dueKey") for item in self.table.items.values())
        return min((from_iso(key["S"][2:]) for key in keys if key), default=None)

    def _await_sweep(self) -> None:
        """See that the sweeper comes at the next full minute at which something is due."""
        due_ms = self.due_ms
        if due_ms is None:
            return
        from_ms = max(due_ms, self.clock(), self._swept_ms + 1, self.no_sweeps_until_ms)
        at_ms = -(-from_ms // MINUTE_MS) * MINUTE_MS
        if self._sweep_ms is None or at_ms < self._sweep_ms:
            if self._sweep_ms is not None:
                self.clock.cancel(self._sweep_event)
            self._sweep_ms = at_ms
            self._sweep_event = self.clock.at(at_ms, self._come_to_sweep)

    def _come_to_sweep(self) -> None:
        """Sweep, unless what was due is not any more, or the sweeper is held."""
        self._sweep_ms = None
        due_ms, now = self.due_ms, self.clock()
        if due_ms is not None and due_ms <= now and now >= self.no_sweeps_until_ms:
            self._swept_ms = now
            self.scheduled_sweep()
        self._await_sweep()


class House(Rooms):
    """All rooms around one table, and the time that passes in them.

    Agora is a world of its own, or a script.
    """

    def __init__(
        self,
        row: Recording | None = None,
        *,
        faults: Faults | None = None,
        agora: ScriptedAgora | None = None,
        **variables: Any,
    ) -> None:
        super().__init__(faults=faults, **variables)
        self.table.watch = self._written
        self.queue = Queue(self)
        self.machine = StepFunctions(
            Machine.shipped(), self.clock, self._invoke, self._park, faults=self.faults
        )
        self.agora = cast(LiveAgora, agora) if agora else LiveAgora(self)
        self.statuses: list[str] = []
        self.crashes = 0
        self.crash_name = "Lambda.Unknown"  # what Step Functions calls a crash
        self.cannot_park = False
        self.sids_at_close: list[str] = []
        self.add(row or requested())

    # --- what a test looks at ---

    @property
    def ends(self) -> list[str]:
        """The ids of the events that announced an end."""
        over = ("Recording Completed", "Recording Incomplete", "Recording Failed")
        return [detail["id"] for kind, detail in self.bus.events if kind in over]

    def _written(self, item: Item) -> None:
        if item["SK"]["S"].startswith("CALL#"):
            self._await_sweep()
        if item["SK"]["S"] == "META":
            self._await_sweep()
            status = item["status"]["S"]
            if item["recordingId"]["S"] != RECORDING_ID:
                return
            if not self.statuses or status != self.statuses[-1]:
                assert not self.statuses or RANK[status] > RANK[self.statuses[-1]], (  # type: ignore[index]
                    f"{self.statuses[-1]} went back to {status}"
                )
                self.statuses.append(status)
                if status in TERMINAL:
                    row = from_row(from_item(item))
                    self.sids_at_close = row.sids

    # --- what happens ---

    def begin(self, row: Recording | None = None) -> None:
        """Start the execution of a recording, as the API does."""
        client: Any = self.machine
        self.background(start_execution, MACHINE, row or self.row, client)

    def process(self, room: Callable[..., Any], *arguments: Any) -> Any:
        """Run something of ours as a process of its own. Raises RoomError."""
        self.faults.begin()
        try:
            return room(*arguments)
        except Crash:
            self.crashes += 1
            raise RoomError(self.crash_name) from None
        except Exception as failure:
            raise RoomError(type(failure).__name__) from failure

    def background(self, room: Callable[..., Any], *arguments: Any) -> Any:
        """Run a process that nobody waits for; return None where it crashed."""
        try:
            return self.process(room, *arguments)
        except RoomError as failure:
            if failure.__cause__:
                raise
            return None

    def stop(self, recording_id: str = RECORDING_ID) -> None:
        """Ask to stop, once: an app that gets no answer does not ask again here."""
        self.background(self.parts.waker.stop, recording_id, self.clock())

    def delete(self, recording_id: str = RECORDING_ID) -> bool:
        """Ask to delete, once; return whether all of it is gone."""
        try:
            deletion = self.process(self.parts.deleter.delete, recording_id, lambda: 29_000)
        except RoomError as failure:
            return str(failure) == "RecordingNotFoundError"
        return bool(deletion.is_done)

    def apply(self, records: list[dict[str, Any]]) -> None:
        """Bring a batch of the stream; what fails comes again."""
        failed = self.background(self.parts.applier.apply, records)
        if failed is None:
            again = records
        else:
            again = [each for each in records if each["dynamodb"]["SequenceNumber"] in failed]
        if again:
            self.later(2, partial(self.apply, again))

    def arrive(self, recording_id: str) -> None:
        """Bring a wish to look; what fails comes again when its message is visible again."""
        done = self.background(self.parts.arrivals.act, recording_id, [Arrival(recording_id)])
        if done is None:
            self.later(HIDDEN_S, partial(self.arrive, recording_id))

    def call_app(self, recording_id: str, key: str) -> None:
        """Bring a wish to call the app; what fails comes again when its message is visible."""
        if self.background(self.parts.caller.send, recording_id, key) is None:
            self.later(HIDDEN_S, partial(self.call_app, recording_id, key))

    def sweep(self, *between: Between) -> Counter[str]:
        """Sweep once."""
        if not between:
            self._swept_ms = self.clock()
        swept: Swept | None = self.background(
            partial(self.parts.sweeper.sweep, seconds=50, between=between)
        )
        looks = swept.looks if swept else Counter()
        assert not looks["failed"], "a look raised"
        return looks

    def scheduled_sweep(self) -> None:
        """Sweep at a full minute."""
        self.sweep()

    # --- Step Functions ---

    def _invoke(self, function: str, event: Any, answer: Answer) -> None:
        """Run a room for the state machine; it takes no time."""
        try:
            result = self.process(self.rooms[function], event)
        except RoomError as failure:
            result = Failed(str(failure), _cause(failure))
        answer(result)

    def _park(self, **request: Any) -> None:
        """Write as Step Functions does: this is no operation of a process that can crash."""
        if self.cannot_park:
            raise error("ThrottlingException")
        self.table.change(**request)

    # --- time ---

    def run(self, seconds: float = 6 * 24 * 3600) -> None:
        """Let time pass until nothing is left to happen, or so many seconds went by."""
        self.clock.run(self.clock() + round(seconds * 1000), EVENTS_OF_A_LIFE)


def _cause(failure: RoomError) -> str:
    """Return what Step Functions tells of an error of Lambda besides its name."""
    words = str(failure.__cause__ or "")
    return msgspec.json.encode({"errorType": str(failure), "errorMessage": words}).decode()


def certify(house: House) -> None:
    """Make it a project with an App Certificate; its App ID must be `APP_ID`."""
    keys = {"customerId": "id", "customerSecret": "hush", "appCertificate": CERTIFICATE}
    house.secrets.versions["agora"] = [msgspec.json.encode(keys).decode()]
    house.agora.certificate = CERTIFICATE


def assert_sound(house: House) -> None:
    """What holds at the end of every life, whatever crashed in it."""
    row = house.row
    assert row.status in TERMINAL, row
    assert house.ends, "nobody was told of the end"
    assert len(set(house.ends)) == len(set(house.statuses) & set(TERMINAL)), house.ends
    assert not row.orphans
    assert house.due_ms is None
    assert not house.machine.open
    assert not house.machine.tokens

"""The sweeper: looks at every open recording in time, within Agora's requests a second.

Each row says when it must be looked at next (recording/due.py). A sweep takes the due rows in order
of risk: recordings that should have started, that should have ended, that are silent, that were not
seen for long. A row that it does not reach is still due in the next sweep: overload only makes the
intervals longer.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from agora_recording.agora.client import AgoraClient
from agora_recording.agora.storage import Storage
from agora_recording.agora.task import Task
from agora_recording.aws import clients
from agora_recording.aws.lease import UPDATE_LEASE_S, Lease
from agora_recording.clock import now_ms, to_ms
from agora_recording.errors import AgoraError, RateLimitedError
from agora_recording.life.adoption import Adopter
from agora_recording.life.callbacks import CallQueue, CallStore
from agora_recording.life.due_index import DUE_SHARDS, DueIndex, Scheduled, Shard, shard_of
from agora_recording.life.executions import Waker, execution_arn, start_execution
from agora_recording.life.look_queue import ArrivalQueue, Between, SweepQueue
from agora_recording.life.orphans import OrphanStopper
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import Note, RecordingStore
from agora_recording.life.timekeeper import Timekeeper
from agora_recording.observability import logger
from agora_recording.recording.budget import (
    CLOSEST,
    QUIET,
    Budget,
    Fleet,
    budget,
    sweeps_between,
)
from agora_recording.recording.due import LATE, RISKS, next_look
from agora_recording.recording.looking import (
    Look,
    choose_look,
    is_doubtful,
    is_unheard,
    stop_reason,
)
from agora_recording.recording.model import (
    Recording,
    ask_to_stop,
    ask_to_take_over,
    wake_reason,
)
from agora_recording.recording.observing import RUNNING, observe
from agora_recording.recording.timings import Timings

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_WORKERS = 4
_BATCH = 50
_AGAIN_S = 5  # after which a sweep in between is asked for again that met another sweep
_PAGE = 200  # rows of a shard that are read at once; 40 of them cost half a unit


def _due(shard: Shard, now_ms: int, budget: Budget) -> list[Scheduled]:
    return [each for each in shard.rows if each.at_ms + budget.wait_ms(each.risk) <= now_ms]


class Swept(NamedTuple):
    """How often each look was made; how many recordings are not over; how many recordings run, as
    Agora says, without notifications.
    """

    looks: Counter[str]
    open: int
    unheard: int
    missed: int  # notifications in a row after which a session was doubted


class Sweeper:
    """Sweeps. `first_shard` varies, so that a sweep without enough time omits other shards."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        sessions: SessionStore,
        adopter: Adopter,
        index: DueIndex,
        agora: AgoraClient,
        waker: Waker,
        orphans: OrphanStopper,
        timekeeper: Timekeeper,
        storage: Storage,
        lease: Lease,
        arrivals: ArrivalQueue,
        again: SweepQueue,
        calls_per_second: float,
        calls: CallStore,
        call_queue: CallQueue,
        timings: Timings,
        state_machine_arn: str,
        concurrent_tasks: float,
        stepfunctions: SFNClient | None = None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._adopter = adopter
        self._index = index
        self._agora = agora
        self._waker = waker
        self._orphans = orphans
        self._timekeeper = timekeeper
        self._storage = storage
        self._lease = lease
        self._timings = timings
        self._state_machine_arn = state_machine_arn
        self._arrivals = arrivals
        self._again = again
        self._calls_per_second = calls_per_second
        self._fleet = Fleet()
        self._budget = CLOSEST
        self._soon: dict[str, int] = {}  # when (ms) a recording is due that was found in doubt
        self._calls = calls
        self._call_queue = call_queue
        self._stepfunctions = stepfunctions
        self._now_ms = now_ms
        self._concurrent_tasks = concurrent_tasks
        self.unheard: set[str] = set()

    def sweep(
        self, *, seconds: float, first_shard: int = 0, between: Sequence[Between] = ()
    ) -> Swept:
        """Look at what is due, for at most `seconds`; return what was done.

        Nothing is looked at while another sweeper holds the lease. If nothing is due, as nearly
        always in a small fleet, the lease is not taken, which saves two writes. Further sweeps are
        asked for, before the next minute, when rows will be due. `between` is what the sweep of the
        minute asked for: such a sweep reads only those shards, and asks only for what it found in
        doubt.
        """
        self.forget()
        if not between:
            # Before all else: a message must not wait for a fleet that is looked at.
            for recording_id, key in self._calls.due(self._now_ms()):
                self._call_queue.ask(recording_id, key)
        looks: Counter[str] = Counter()
        numbers = sorted({each for one in between for each in one.shards}) or range(DUE_SHARDS)
        with ThreadPoolExecutor(_WORKERS) as workers:
            read = partial(self._index.shard, limit=_PAGE)
            shards = dict(zip(numbers, workers.map(read, numbers), strict=True))
            self.measure(between[-1].fleet if between else self._count(shards, workers))
            if self._is_any_due(shards):
                looks = self._look_at(self.batches(shards, first_shard), seconds, workers)
        asked = self.next_sweeps({} if between else shards)
        if between and looks["lease held"]:
            # What it should have looked at is not forgotten: the other sweep may end soon.
            asked[_AGAIN_S] = Between(list(numbers), self._fleet)
        self._again.ask(asked)
        return Swept(looks, self._fleet.open, len(self.unheard), self._budget.missed)

    def forget(self) -> None:
        """Begin anew: nothing was found yet."""
        self.unheard.clear()
        self._soon.clear()

    def measure(self, fleet: Fleet) -> None:
        """Set how closely the fleet is watched from now on."""
        self._fleet = fleet
        self._budget = budget(fleet, self._calls_per_second, self._timings)

    @property
    def _has_room(self) -> bool:
        """Whether the account may run a successor beside its predecessor."""
        return self._fleet.open < self._concurrent_tasks

    def next_sweeps(self, shards: Mapping[int, Shard]) -> dict[int, Between]:
        """Return the sweeps before the next minute, by the seconds until then.

        Of a shard that is too long to be read at once, rows may be due at any time: it is read
        every few seconds, which costs nothing beside so large a fleet.
        """
        now = self._now_ms()
        step_ms = to_ms(self._timings.often_s)
        steps = range(now + step_ms, now + to_ms(self._timings.beat_s), step_ms)
        due: list[tuple[int, int]] = []
        soon = [(at_ms, shard_of(each)) for each, at_ms in self._soon.items()]
        for number, shard in shards.items():
            due += (
                (each.at_ms + self._budget.wait_ms(each.risk), number)
                for each in shard.rows
                if each.risk != LATE
            )
            if not shard.is_whole:
                soon += ((at_ms, number) for at_ms in steps)
        asked = sweeps_between(due, soon, now, self._timings)
        return {after_s: Between(numbers, self._fleet) for after_s, numbers in asked.items()}

    def _is_any_due(self, shards: Mapping[int, Shard]) -> bool:
        now = self._now_ms()
        return any(not each.is_whole or _due(each, now, self._budget) for each in shards.values())

    def _count(self, shards: Mapping[int, Shard], workers: ThreadPoolExecutor) -> Fleet:
        count_open = sum(workers.map(self._count_open, shards, shards.values()))
        return Fleet(count_open, sum(workers.map(self._count_quiet, shards, shards.values())))

    def _count_quiet(self, number: int, shard: Shard) -> int:
        if shard.is_whole:
            return sum(each.risk == QUIET for each in shard.rows)
        return self._index.count(QUIET, number)

    def _count_open(self, number: int, shard: Shard) -> int:
        if shard.is_whole:
            return sum(each.risk != LATE for each in shard.rows)
        return self._index.count_open(number)

    def _look_at(
        self, batches: Iterable[list[str]], seconds: float, workers: ThreadPoolExecutor
    ) -> Counter[str]:
        if self._lease.take(seconds + 10) is None:
            return Counter({"lease held": 1})
        end_ms = self._now_ms() + round(seconds * 1000)
        done: Counter[str] = Counter()

        def look_in_time(recording_id: str) -> str:
            is_late = self._now_ms() >= end_ms or not self._lease.is_ours
            return "out of time" if is_late else self.try_look(recording_id)

        try:
            for batch in batches:
                done.update(workers.map(look_in_time, batch))
                if done["out of time"]:
                    break
        finally:
            self._lease.release()
        return done

    def batches(self, shards: Mapping[int, Shard], first_shard: int) -> Iterator[list[str]]:
        """Yield ids of what is due now, in order of risk.

        A shard that fits into a page was read before; rows of a larger shard are read when needed.
        What was not found is due again some seconds later: in a long sweep, it comes between.
        """
        numbers = sorted(shards, key=lambda number: (number - first_shard) % DUE_SHARDS)
        for risk in RISKS:
            for number in numbers:
                for batch in self._of_shard(risk, number, shards[number]):
                    yield batch
                    if again := self._due_again():
                        yield again

    def _of_shard(self, risk: int, number: int, shard: Shard) -> Iterator[list[str]]:
        now_ms = self._now_ms()
        if not shard.is_whole:
            yield from self._read(risk, number, now_ms - self._budget.wait_ms(risk))
            return
        rows = _due(shard, now_ms, self._budget)
        found = [each.recording_id for each in rows if each.risk == risk]
        yield from (found[at : at + _BATCH] for at in range(0, len(found), _BATCH))

    def _due_again(self) -> list[str]:
        """Return what this sweep found in doubt and must look at again by now; forget it."""
        now = self._now_ms()
        found = [each for each, at_ms in self._soon.items() if at_ms <= now]
        for each in found:
            del self._soon[each]
        return found

    def _read(self, risk: int, shard: int, now_ms: int) -> Iterator[list[str]]:
        served: set[str] = set()
        while True:
            found = self._index.due(risk, shard, now_ms, _BATCH)
            # A row whose look failed is still due: do not take it twice in one sweep.
            fresh = [each for each in found if each not in served]
            if not fresh:
                return
            served.update(fresh)
            yield fresh
            if len(found) < _BATCH:
                return

    def try_look(self, recording_id: str) -> str:
        """Look at one recording; return what was done, or why nothing was. Raises nothing."""
        try:
            try:
                return self.look(recording_id)
            except RateLimitedError:
                self._looked(recording_id)
                return "no slot"
            except AgoraError as error:
                self._looked(recording_id)
                logger.warning("look failed", recordingId=recording_id, reason=str(error))
                return "agora failed"
        except Exception:  # one recording must not keep the others from being looked at
            logger.exception("look failed", recordingId=recording_id)
            return "failed"

    def look(self, recording_id: str) -> Look:
        """Do what one recording needs now; return which look it was."""
        recording = self._store.get(recording_id)
        look = choose_look(recording, self._now_ms(), self._timings, self._budget)
        task = recording.task
        match look:
            case "begin":
                self._timekeeper.begin(recording_id)
            case "wake":
                if not self._waker.send(recording):
                    self._repair(recording)
            case "confirm":
                self._confirm(recording)
            case "repair":
                self._repair(recording)
            case "stop":
                self._stop(recording)
            case "renew storage token" if task:
                self._renew(recording, task)
            case "hand over":
                self._hand_over(recording)
            case "query" if task:
                self._query(recording, task)
            case "files":
                # Another room lists the bucket: it has the time and the memory for it.
                self._arrivals.ask(recording_id)
                self._looked(recording_id)
        if look != "nothing":
            # After every look: neither the look nor the orphans may wait for ever.
            self._orphans.stop(self._ask_whose(recording))
        return look

    def _confirm(self, recording: Recording) -> None:
        # Woken without a reason to end, the execution goes to the start, which finds the session.
        if self._waker.succeed(recording.task_token or "", {"reason": "CONFIRM"}):
            self._looked(recording.recording_id)
        else:
            self._repair(recording)

    def _ask_whose(self, recording: Recording) -> Recording:
        """Ask Agora whose the sessions are that may be the recording's; return the row after it."""
        questions = recording.open_questions
        for candidate in questions:
            recording = self._adopter.ask(recording, candidate)
        if questions:
            self._looked(recording.recording_id)
        return recording

    def _query(self, recording: Recording, task: Task) -> None:
        reply = self._agora.query(task)
        now = self._now_ms()
        if reply.is_ok and reply.answer.status in RUNNING:
            facts = self._sessions.get(task.sid).facts
            if is_unheard(facts, now, self._timings):
                self.unheard.add(recording.recording_id)

        def change(row: Recording) -> Recording:
            if row.sid != task.sid:
                return row
            after = replace(observe(row, reply, now, self._timings), looked_ms=now)
            if self._has_room and is_doubtful(after, now, self._timings):
                after = ask_to_take_over(after, "SUSPECTED")
            return after

        def notes(before: Recording, after: Recording) -> list[Note]:
            words = f"Query: {reply.outcome.handling.replace('_', ' ')}."
            if after.session_end and not before.session_end:
                words += f" The session is over: {after.session_end}."
            if after.take_over and not before.take_over:
                words += " It may be dead: a successor begins."
            data = {"http": reply.status, "status": reply.answer.status}
            return [Note(now, "query", words, data)]

        after = self._waker.wake(recording.recording_id, change, notes)
        look = next_look(after, self._timings)
        if look and reply.outcome.handling == "confirm_gone" and not wake_reason(after):
            self._soon[recording.recording_id] = look[1]

    def _hand_over(self, recording: Recording) -> None:
        now = self._now_ms()
        words = "The session's token will end: a successor begins."
        self._waker.wake(
            recording.recording_id,
            lambda row: replace(ask_to_take_over(row, "HAND_OVER"), looked_ms=now),
            lambda *_: [Note(now, "hand over", words)],
        )

    def _stop(self, recording: Recording) -> None:
        now = self._now_ms()
        reason = stop_reason(recording, now, self._timings)
        self._waker.wake(
            recording.recording_id,
            lambda row: ask_to_stop(row, reason, now),
            lambda *_: [Note(now, "deadline", f"A deadline is over: {reason}.")],
        )

    def _renew(self, recording: Recording, task: Task) -> None:
        lease = self._store.update_lease(recording.recording_id, self._now_ms)
        if lease.take(UPDATE_LEASE_S) is None:
            # An app's update is not answered yet, and Agora allows one at a time: try again soon.
            self._looked(recording.recording_id)
            return
        try:
            storage = self._storage.config(recording.prefix)
            reply = self._agora.update(task, {"storageConfig": storage})
        finally:
            lease.release()
        error = reply.error()
        if error:
            raise error
        now = self._now_ms()
        self._store.amend(
            recording.recording_id,
            lambda row: replace(row, storage_token_ms=now),
            lambda *_: [Note(now, "storage", "The uploader's credentials were renewed.")],
        )

    def _repair(self, recording: Recording) -> None:
        """Make sure that an open row has an execution; if it was lost, start the next one.

        One that still awaits files after the deadline waits for the last look at them, which may
        have been lost: it is asked for again.
        """
        client = self._stepfunctions or clients.stepfunctions()
        status = None
        with contextlib.suppress(client.exceptions.ExecutionDoesNotExist):
            arn = execution_arn(self._state_machine_arn, recording)
            status = client.describe_execution(executionArn=arn)["status"]
        if status == "RUNNING":
            if recording.status == "uploading":
                self._arrivals.ask(recording.recording_id)
            self._looked(recording.recording_id)
            return
        generation = recording.execution + 1 if status else recording.execution
        now = self._now_ms()

        def change(row: Recording) -> Recording:
            # Not if another sweep was faster: its execution may have parked already.
            seen = (recording.execution, recording.task_token)
            if (row.execution, row.task_token) != seen:
                return row
            return replace(
                row, execution=generation, looked_ms=now, task_token=None, upload_token=None
            )

        changed = self._store.amend(
            recording.recording_id,
            change,
            lambda *_: [
                Note(now, "repair", f"Its execution was gone ({status}): a new one was started.")
            ],
        )
        start_execution(
            self._state_machine_arn, changed, self._stepfunctions, generation=generation
        )

    def _looked(self, recording_id: str) -> None:
        now = self._now_ms()
        self._store.amend(recording_id, lambda row: replace(row, looked_ms=now))

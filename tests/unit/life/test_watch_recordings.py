"""The sweeper: what each recording needs, in the order of risk, within Agora's pace."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given as holding
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.aws.lease import Lease
from agora_recording.clock import to_ms
from agora_recording.errors import RateLimitedError
from agora_recording.life import watch_recordings
from agora_recording.life.due_index import DUE_SHARDS, shard_of
from agora_recording.life.executions import execution_arn
from agora_recording.life.look_queue import Between, asked
from agora_recording.life.store import RecordingStore
from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.budget import (
    MISSED,
    QUIET,
    Budget,
    Fleet,
    budget,
    sweeps_between,
)
from agora_recording.recording.due import due
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.looking import Look, choose_look, is_unheard, stop_reason
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings
from tests.world.builders import (
    MACHINE,
    RECORDING_ID,
    RESOURCE_ID,
    TIMINGS,
    acquired,
    after,
    ended,
    gone,
    recording,
    recordings,
    reply,
    requested,
    running,
    silence,
    starting,
    state,
    stopped,
    uploading,
)
from tests.world.errors import error
from tests.world.faults import Crash, Faults
from tests.world.table import TABLE
from tests.world.threads import OneThread
from tests.world.webhook import NOW_MS, SID
from tests.world.world import World

OTHER_SID = "1" * 32
LATE = after(100_000)
ORPHANED = ended("NOT_CONFIRMED", attempt=running(end="NOT_CONFIRMED"))
OVERDUE = after(600 + TIMINGS.upload_s)
ALL = [Between(list(range(DUE_SHARDS)), Fleet(1, 0))]
LONG: dict[str, Any] = {"max_duration_seconds": 1_000_000, "expires_hours": 720}


def restarting(**changes: Any) -> Recording:
    """Return a recording whose second session was not yet seen to record."""
    past = running(1, sid=OTHER_SID, end="DIED", ended_ms=after(5))
    return recording(past_attempts=[past], attempt=acquired(2, sid=SID), **changes)


def overdue(**changes: Any) -> Recording:
    """Return a recording whose files were looked at for the last time."""
    return uploading(**{"looked_ms": OVERDUE, **changes})


class Room(World):
    """The sweeper, beside some recordings and a script."""

    def __init__(
        self,
        *rows: Recording,
        script: tuple[Any, ...] = (),
        seconds: float = 400,
        faults: Faults | None = None,
        temporary: bool = False,
    ) -> None:
        credentials = "temporary" if temporary else "keys"
        super().__init__(
            *rows,
            script=script,
            now_ms=after(seconds),
            faults=faults,
            storage_credentials=credentials,
        )
        for row in rows:
            self.machine.executions[row.recording_id] = "RUNNING"

    def look(self) -> Look:
        return self.parts.sweeper.look(RECORDING_ID)

    def sweep(self, seconds: float = 50) -> Counter[str]:
        return self.parts.sweeper.sweep(seconds=seconds).looks

    @property
    def fence(self) -> int:
        """How often the lease was ever taken."""
        row = self.table.items.get(("SWEEPER", "LEASE"))
        return int(row["fence"]["N"]) if row else 0


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "threads" not in request.fixturenames:
        monkeypatch.setattr(watch_recordings, "ThreadPoolExecutor", OneThread)


@pytest.fixture
def threads() -> Iterator[None]:
    """Let the sweeper have its threads."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


# --- what a recording needs ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (requested(), "repair"),
        (requested(status="starting", attempt=acquired()), "repair"),
        (starting(**LONG), "repair"),
        (starting(**LONG, task_token="token"), "confirm"),
        (restarting(**LONG, task_token="token"), "confirm"),
        (restarting(**LONG), "repair"),
        (starting(task_token="token"), "stop"),
        (restarting(task_token="token"), "stop"),
        (starting(**LONG, task_token="token", storage_token_ms=after(2)), "renew storage token"),
        (starting(task_token="token", stop_reason="STOP_REQUESTED"), "wake"),
        (recording(**LONG), "query"),
        (recording(**LONG, gone_ms=after(9), gone_checks=1), "query"),
        (recording(), "stop"),
        (recording(task_token="token", stop_reason="STOP_REQUESTED"), "wake"),
        (recording(stop_reason="STOP_REQUESTED"), "repair"),
        (ended("DIED", task_token="token"), "wake"),
        (ended("DIED"), "repair"),
        (recording(status="stopping", stop_reason="STOP_REQUESTED"), "repair"),
        (uploading(), "files"),
        (overdue(), "repair"),
        (recording(**LONG, storage_token_ms=after(2)), "renew storage token"),
        (replace(ORPHANED, status="failed"), "stop orphan"),
        (uploading(status="completed"), "nothing"),
    ],
)
def test_each_recording_gets_what_it_needs(row: Recording, expected: Look) -> None:
    assert choose_look(row, LATE, TIMINGS) == expected


def test_nobody_is_looked_at_before_the_time() -> None:
    look = due(recording(), TIMINGS)
    assert look
    assert choose_look(recording(), look[1] - 1, TIMINGS) == "nothing"
    assert choose_look(recording(), look[1], TIMINGS) == "query"


@holding(recordings(), st.integers(NOW_MS, after(200_000)))
def test_there_is_a_look_for_every_row(row: Recording, now_ms: int) -> None:
    look = choose_look(row, now_ms, TIMINGS)
    assert look in get_args(Look)
    when = due(row, TIMINGS)
    assert (look == "nothing") == (when is None or when[1] > now_ms)
    if look == "wake":
        assert row.task_token
    if look == "stop orphan":
        assert row.orphans


def test_the_deadline_that_came_first_is_the_reason() -> None:
    assert stop_reason(recording(max_duration_seconds=60), after(67), TIMINGS) == "MAX_DURATION"
    assert stop_reason(recording(), after(67), TIMINGS) == "RESOURCE_EXPIRING"
    fast = Timings().at_speed(10)
    assert stop_reason(recording(max_duration_seconds=60), after(13), fast) == "MAX_DURATION"


def test_notifications_are_missed_where_none_came_or_none_come_any_more() -> None:
    def unheard(**facts: Any) -> bool:
        return is_unheard(SessionFacts(**facts), after(1000), TIMINGS)

    assert unheard()
    assert unheard(lastSeenMs=after(800), progress=9)
    assert not unheard(lastSeenMs=after(801), progress=9)
    # Event 33 is not subscribed to: silence is no news.
    assert not unheard(lastSeenMs=after(9))


def test_an_execution_is_named_after_its_recording_and_generation() -> None:
    arn = "arn:aws:states:us-east-1:123456789012:execution:recording"
    assert execution_arn(MACHINE, recording()) == f"{arn}:{RECORDING_ID}"
    assert execution_arn(MACHINE, recording(execution=2)) == f"{arn}:{RECORDING_ID}-2"


# --- as closely as the free calls allow ----------------------------------------------------------


@pytest.mark.parametrize(
    ("count_open", "calls_per_second", "missed"),
    [(0, 5, 1), (50, 5, 1), (1_600, 7, 1), (1_700, 7, 2), (30_000, 7, 2), (100_000, 7, 3)],
)
def test_doubt_comes_after_as_many_missed_notifications_as_the_calls_allow(
    count_open: int, calls_per_second: float, missed: int
) -> None:
    found = budget(Fleet(count_open, 0), calls_per_second, TIMINGS)
    assert found.missed == missed
    assert found.wait_ms(MISSED) == (missed - 1) * 60_000
    assert found.wait_ms(QUIET) == 0
    assert [found.wait_ms(risk) for risk in (0, 1, 2, 5)] == [0] * 4


@holding(st.integers(0, 200_000), st.integers(0, 200_000), st.floats(0.1, 10))
def test_looks_at_quiet_sessions_never_want_more_than_their_share(
    count_open: int, quiet: int, calls_per_second: float
) -> None:
    found = budget(Fleet(max(count_open, quiet), quiet), calls_per_second, TIMINGS)
    each_s = TIMINGS.ask_s + found.quiet_ms / 1000
    is_longest = found.quiet_ms == TIMINGS.wait_s * 1000
    assert is_longest or quiet / each_s <= 0.25 * calls_per_second + 0.01
    half = Fleet(max(count_open, quiet) // 2, quiet // 2)
    closer = budget(half, calls_per_second, TIMINGS)
    assert closer.missed <= found.missed
    assert closer.quiet_ms <= found.quiet_ms


def test_a_look_waits_for_free_calls() -> None:
    row = recording(beats=True, **LONG)
    look = due(row, TIMINGS)
    assert look
    busy = Budget(missed_ms=60_000)
    assert choose_look(row, look[1], TIMINGS, busy) == "nothing"
    assert choose_look(row, look[1] + 60_000, TIMINGS, busy) == "query"


@pytest.mark.parametrize("page", [1, 200])
def test_a_sweep_of_a_large_fleet_leaves_what_missed_one_notification(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_recordings, "_PAGE", page)
    monkeypatch.setattr(watch_recordings, "budget", lambda *_: Budget(missed=2, missed_ms=60_000))
    once = _many(9, recording(beats=True, last_seen_ms=after(320), **LONG))
    twice = _many(5, recording(beats=True, last_seen_ms=after(260), **LONG), first=9)
    room = Room(*once, *twice, script=(state(5),) * 5)
    assert room.sweep() == {"query": 5}


def test_the_fleet_is_measured_whatever_the_fill_of_its_shards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def noted(*measured: Any) -> Budget:
        seen.append(measured[:2])
        return Budget()

    monkeypatch.setattr(watch_recordings, "budget", noted)
    rows = [*_many(20, recording(beats=True, **LONG)), *_many(7, recording(**LONG), first=20)]
    for page in (1, 200):
        monkeypatch.setattr(watch_recordings, "_PAGE", page)
        Room(*rows, seconds=8).sweep()
    assert seen == [(Fleet(27, 7), 5)] * 2


def test_sweeps_before_the_next_minute_are_asked_for_when_rows_will_be_due() -> None:
    heard = [recording(beats=True, last_seen_ms=after(400 - each), **LONG) for each in (20, 31, 59)]
    room = Room(*(_many(1, row, first=n)[0] for n, row in enumerate(heard)))
    room.sweep()
    # They will be due in 52, 41 and 13 s: the first waits for the sweep of the next minute, and no
    # sweep comes sooner than after 15 s.
    assert room.queue.delays == [15, 41]
    shards = [shard_of(_many(1, heard[n], first=n)[0].recording_id) for n in (2, 1)]
    assert [message["shards"] for message in room.queue.messages] == [[each] for each in shards]
    assert [message["fleet"] for message in room.queue.messages] == [{"open": 3, "quiet": 0}] * 2


def test_rows_that_will_be_due_at_nearly_the_same_time_share_a_sweep() -> None:
    due_s = (1, 14, 15, 16, 31, 33, 50)
    asked = sweeps_between([(NOW_MS + each * 1000, each) for each in due_s], (), NOW_MS, TIMINGS)
    assert asked == {15: [1, 14, 15], 30: [16], 45: [31, 33]}


def test_a_sweep_in_between_reads_only_the_shards_that_it_was_asked_for() -> None:
    rows = _many(40, recording())
    room = Room(*rows, script=(state(5),) * 40)
    between = [Between([2], Fleet(70, 3)), Between([5, 2], Fleet(70, 3))]
    swept = room.parts.sweeper.sweep(seconds=50, between=between)
    asked = sum(shard_of(each.recording_id) in (2, 5) for each in rows)
    assert 0 < asked < 40
    assert (swept.looks, swept.open) == ({"query": asked}, 70)
    assert room.queue.messages == []


def test_in_a_long_sweep_a_404_is_asked_again_between_two_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_recordings, "_BATCH", 1)
    rows = _many(3, recording(**LONG))
    room = Room(*rows, script=(gone("query"), state(5), gone("query"), state(5)))
    sweeper = room.parts.sweeper
    order: list[str] = []
    shards = {number: room.parts.due_index.shard(number, 200) for number in range(DUE_SHARDS)}
    for batch in sweeper.batches(shards, 0):
        order += batch
        assert sweeper.look(batch[0]) == "query"
        room.clock.advance(3)
    assert order[2] == order[0]
    assert (len(order), len(set(order))) == (4, 3)


def test_an_event_of_the_queue_says_which_sweeps_are_asked_for() -> None:
    assert asked({"source": "aws.scheduler"}) == []
    sweep = Between([1, 7], Fleet(3, 1))
    body = '{"shards":[1,7],"fleet":{"open":3,"quiet":1}}'
    assert asked({"Records": [{"body": body}]}) == [sweep]


def test_a_sweep_in_between_asks_only_for_what_it_found_in_doubt() -> None:
    heard = recording(beats=True, last_seen_ms=after(360), **LONG)
    silent = recording(beats=True, last_seen_ms=after(300), **LONG)
    room = Room(*_many(1, heard), *_many(1, silent, first=1), script=(gone("query"),))
    assert room.parts.sweeper.sweep(seconds=50, between=ALL).looks == {"query": 1}
    assert room.queue.delays == [5]


def test_nothing_is_asked_for_where_nothing_is_open() -> None:
    room = Room(uploading(status="completed"))
    room.sweep()
    assert room.queue.messages == []


# --- query ---------------------------------------------------------------------------------------


def test_a_silent_recording_is_asked_and_found_alive() -> None:
    room = Room(recording(), script=(state(5),))
    assert room.look() == "query"
    ((_, call),) = room.agora.calls
    assert (call["resource_id"], call["sid"]) == (RESOURCE_ID, SID)
    assert (room.row.last_seen_ms, room.row.looked_ms) == (after(400), after(400))
    assert due(room.row, TIMINGS) == (4, after(400 + TIMINGS.ask_s))
    assert room.parts.sweeper.unheard == {RECORDING_ID}


def test_a_silent_death_is_doubted_at_the_second_look() -> None:
    room = Room(recording(task_token="token"), script=(gone("query"),) * 2)
    room.machine.tokens = {"token"}
    assert room.sweep() == {"query": 1}
    assert room.queue.delays == [5], "the second look comes seconds later, not in a minute"
    room.clock.advance(5)
    assert room.sweep() == {"query": 1}
    assert room.machine.sent == [("token", {"reason": "SUSPECTED"})]
    assert room.row.session_end is None


def test_a_session_that_is_found_again_at_the_second_look_is_left_alone() -> None:
    room = Room(recording(task_token="token"), script=(gone("query"), state(5)))
    room.sweep()
    room.clock.advance(5)
    assert room.sweep() == {"query": 1}
    assert (room.row.take_over, room.row.gone_ms) == (None, None)


def test_the_end_of_a_token_begins_a_successor_in_time() -> None:
    held = running(token_until_ms=after(86_400))
    row = recording(
        task_token="token",
        attempt=held,
        max_duration_seconds=100_000,
        beats=True,
        last_seen_ms=after(85_190),
    )
    early = Room(row, seconds=85_199)
    assert early.look() == "nothing"
    room = Room(row, seconds=85_200)
    room.machine.tokens = {"token"}
    assert room.look() == "hand over"
    assert room.machine.sent == [("token", {"reason": "HAND_OVER"})]
    assert room.agora.calls == []


def test_a_silent_death_is_confirmed_and_wakes_the_execution() -> None:
    row = recording(task_token="token", take_over_on="confirmed")
    room = Room(row, script=(gone("query"),) * 9)
    room.machine.tokens = {"token"}
    seconds = []
    while not room.machine.sent:
        when = due(room.row, TIMINGS)
        assert when
        room.clock.now_ms = max(room.clock(), when[1])
        seconds.append((room.clock() - after(400)) // 1000)
        room.look()
    assert seconds == [0, 5, 15, 30, 60, 90]
    assert room.machine.sent == [("token", {"reason": "DIED"})]


def test_a_query_without_an_answer_is_repeated_soon() -> None:
    room = Room(recording(), script=(silence("query"),))
    room.look()
    assert room.row.session_end is None
    assert due(room.row, TIMINGS) == (4, after(430))


@pytest.mark.parametrize("row", [starting(task_token="token"), restarting(task_token="token")])
def test_a_parked_execution_whose_session_was_never_confirmed_asks_again(row: Recording) -> None:
    room = Room(row, seconds=130)
    room.machine.tokens = {"token"}
    assert room.look() == "confirm"
    assert room.machine.sent == [("token", {"reason": "CONFIRM"})]
    assert room.agora.calls == []
    assert room.look() == "nothing", "not before two minutes more"


def test_an_unconfirmed_recording_whose_execution_is_gone_gets_the_next_one() -> None:
    room = Room(starting(task_token="token"), seconds=130)
    room.machine.executions[RECORDING_ID] = "ABORTED"
    assert room.look() == "confirm"
    assert room.machine.executions[f"{RECORDING_ID}-1"] == "RUNNING"


def test_a_stop_that_nobody_takes_is_looked_after_in_half_a_minute() -> None:
    row = recording(task_token="token", stop_reason="STOP_REQUESTED", stop_ms=after(600))
    room = Room(row, seconds=629)
    assert room.look() == "nothing"
    room.clock.advance(1)
    room.machine.executions[RECORDING_ID] = "ABORTED"
    assert room.look() == "wake"
    assert room.machine.executions[f"{RECORDING_ID}-1"] == "RUNNING"


def test_an_answer_about_an_earlier_session_changes_nothing() -> None:
    def restarted() -> Any:
        room.add(replace(recording(), attempt=running(2, sid=OTHER_SID)))
        return state(20)

    room = Room(recording(), script=(restarted,))
    room.look()
    assert (room.row.sid, room.row.session_end) == (OTHER_SID, None)


def test_a_restart_that_takes_long_is_seen_to_have_its_execution() -> None:
    past = running(1, end="DIED", ended_ms=after(9))
    room = Room(recording(past_attempts=[past], attempt=acquired(2)), seconds=602)
    assert room.look() == "repair"
    assert room.agora.calls == []
    assert room.row.looked_ms == after(602)


# --- wake, stop, renew ---------------------------------------------------------------------------


def test_a_wake_up_that_a_crash_has_swallowed_is_sent() -> None:
    room = Room(recording(task_token="token", stop_reason="STOP_REQUESTED"))
    room.machine.tokens = {"token"}
    assert room.look() == "wake"
    assert room.machine.sent == [("token", {"reason": "STOP_REQUESTED"})]


def test_a_token_that_is_no_good_may_mean_that_the_execution_is_gone() -> None:
    room = Room(recording(task_token="token", stop_reason="STOP_REQUESTED"))
    room.machine.executions[RECORDING_ID] = "ABORTED"
    assert room.look() == "wake"
    assert room.machine.executions[f"{RECORDING_ID}-1"] == "RUNNING"
    assert (room.row.execution, room.row.task_token) == (1, None)


def test_a_recording_is_stopped_at_its_deadline() -> None:
    room = Room(recording(task_token="token", max_duration_seconds=60))
    room.machine.tokens = {"token"}
    assert room.look() == "stop"
    assert (room.row.stop_reason, room.row.stop_ms) == ("MAX_DURATION", after(400))
    assert room.machine.sent == [("token", {"reason": "MAX_DURATION"})]
    assert room.kinds == ["deadline"]


def test_the_uploaders_credentials_are_renewed() -> None:
    row = recording(storage_token_ms=after(2), last_seen_ms=after(3700))
    room = Room(row, script=(reply("update"),), seconds=3700, temporary=True)
    assert room.look() == "renew storage token"
    ((_, call),) = room.agora.calls
    assert call["body"]["clientRequest"]["storageConfig"]["number"] == 1
    assert room.row.storage_token_ms == after(3700)
    assert room.kinds == ["storage"]


def test_credentials_that_agora_did_not_take_are_renewed_soon() -> None:
    row = recording(storage_token_ms=after(2), last_seen_ms=after(3700))
    room = Room(row, script=(reply("update", 500),), seconds=3700, temporary=True)
    assert room.parts.sweeper.try_look(RECORDING_ID) == "agora failed"
    assert room.row.storage_token_ms == after(2)


def test_credentials_wait_for_the_apps_update_to_be_answered() -> None:
    row = recording(storage_token_ms=after(2), last_seen_ms=after(3700))
    room = Room(row, seconds=3700, temporary=True)
    room.parts.store.update_lease(RECORDING_ID, room.clock).take(60)
    room.look()
    assert room.agora.calls == []
    assert room.row.looked_ms == after(3700)


# --- repair --------------------------------------------------------------------------------------


def test_an_execution_that_lives_is_left_alone() -> None:
    room = Room(overdue(), seconds=4000)
    assert room.look() == "repair"
    assert list(room.machine.executions) == [RECORDING_ID]
    assert room.row.looked_ms == after(4000)


def test_the_last_look_at_files_is_asked_for_again_while_its_execution_waits() -> None:
    room = Room(overdue(), seconds=4000)
    room.look()
    assert room.queue.messages == [{"recordingId": RECORDING_ID}]
    room = Room(requested(), seconds=700)
    room.look()
    assert room.queue.messages == [], "it has no files yet"


def test_an_execution_that_was_never_started_is_started() -> None:
    room = Room(requested(), seconds=700)
    del room.machine.executions[RECORDING_ID]
    assert room.look() == "repair"
    assert room.machine.executions == {RECORDING_ID: "RUNNING"}
    assert room.kinds == ["repair"]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"])
def test_an_execution_that_is_gone_is_replaced_by_its_next_generation(status: str) -> None:
    room = Room(overdue(execution=3, task_token="token"), seconds=4000)
    room.machine.executions[f"{RECORDING_ID}-3"] = status
    room.look()
    assert room.machine.executions[f"{RECORDING_ID}-4"] == "RUNNING"
    assert (room.row.execution, room.row.task_token) == (4, None)


def test_a_repair_that_crashed_before_the_start_is_repeated() -> None:
    room = Room(overdue(execution=1), seconds=4000)
    room.machine.executions[RECORDING_ID] = "FAILED"
    room.look()
    assert room.machine.executions[f"{RECORDING_ID}-1"] == "RUNNING"


def test_a_repair_that_comes_too_late_does_not_take_the_new_executions_token() -> None:
    room = Room(overdue(), seconds=4000)
    room.machine.executions[RECORDING_ID] = "FAILED"
    parked = overdue(version=2, execution=1, task_token="of the new one")
    room.table.before_write.append(lambda: room.add(parked))
    room.machine.executions[f"{RECORDING_ID}-1"] = "RUNNING"
    room.look()
    assert room.row == parked
    assert f"{RECORDING_ID}-2" not in room.machine.executions


# --- orphans -------------------------------------------------------------------------------------


def test_a_session_given_up_is_stopped() -> None:
    room = Room(replace(ORPHANED, status="failed"), script=(stopped(),))
    assert room.look() == "stop orphan"
    ((_, call),) = room.agora.calls
    assert (call["resource_id"], call["sid"]) == (RESOURCE_ID, SID)
    assert room.row.orphans == []
    assert room.kinds == ["orphan"]
    assert due(room.row, TIMINGS) is None


def test_the_stop_of_a_session_given_up_is_repeated_until_it_is_believed() -> None:
    answers = (silence("stop"), reply("stop", 500), *[gone("stop")] * 4)
    room = Room(replace(ORPHANED, status="failed"), script=answers)
    for _ in answers:
        assert room.row.orphans
        assert room.look() == "stop orphan"
        look = due(room.row, TIMINGS)
        room.clock.now_ms = look[1] if look else 0
    assert room.row.orphans == []


def test_a_session_given_up_that_comes_back_from_a_failover_is_stopped_and_was_not_gone() -> None:
    room = Room(replace(ORPHANED, status="failed"), script=(gone("stop"), stopped()))
    for _ in range(2):
        assert room.look() == "stop orphan"
        room.clock.now_ms += to_ms(TIMINGS.failover_s / 3)
    assert room.row.orphans == []
    assert [each.gone_ms for each in room.row.attempts] == [None]


def test_a_session_given_up_does_not_keep_the_recording_from_being_looked_at() -> None:
    orphan = running(1, sid=OTHER_SID, end="NOT_CONFIRMED")
    row = recording(past_attempts=[orphan], attempt=running(2))
    room = Room(row, script=(state(5), silence("stop")))
    assert room.look() == "query"
    assert [call["sid"] for _, call in room.agora.calls] == [SID, OTHER_SID]
    assert room.row.last_seen_ms == after(400)
    assert room.row.orphans


# --- a whole sweep -------------------------------------------------------------------------------


def _many(count: int, row: Recording, first: int = 0) -> list[Recording]:
    return [
        replace(row, recording_id=new_recording_id(NOW_MS, (first + n).to_bytes(10, "big")))
        for n in range(count)
    ]


def test_a_sweep_looks_at_all_that_is_due_and_at_nothing_else() -> None:
    silent = _many(5, recording())
    heard = _many(3, recording(last_seen_ms=after(390)), first=5)
    room = Room(*silent, *heard, script=(state(5),) * 5)
    assert room.parts.sweeper.sweep(seconds=50) == ({"query": 5}, 8, 5, 1)
    assert room.parts.sweeper.sweep(seconds=50) == ({}, 8, 0, 1)


def test_the_lease_is_taken_only_where_something_is_due() -> None:
    room = Room(recording(last_seen_ms=after(390)), script=(state(5),))
    assert room.sweep() == {}
    assert room.fence == 0
    room.clock.advance(300)
    assert room.sweep() == {"query": 1}
    assert room.fence == 1


@pytest.mark.parametrize("page", [1, 2, 3, 200])
def test_shards_of_any_fill_are_swept_alike(page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_recordings, "_PAGE", page)
    late = uploading(status="incomplete", ended_ms=after(0), late_until_ms=LATE)
    rows = [
        *_many(20, recording()),
        *_many(20, recording(last_seen_ms=after(390)), first=20),
        *_many(20, recording(**LONG, gone_ms=after(9), gone_checks=1), first=40),
        *_many(20, late, first=60),
    ]
    room = Room(*rows, script=(state(5),) * 40)
    looks, count_open, *_ = room.parts.sweeper.sweep(seconds=50)
    assert looks == {"query": 40, "files": 20}
    assert count_open == 60


@pytest.mark.parametrize("page", [1, 200])
def test_a_sweep_goes_by_risk(page: int) -> None:
    rows = [
        *_many(2, recording(**LONG)),
        *_many(2, recording(**LONG, gone_ms=after(9), gone_checks=1), first=2),
        *_many(2, recording(stop_reason="STOP_REQUESTED", stop_ms=after(60)), first=4),
        *_many(2, requested(), first=6),
    ]
    room = Room(*rows, script=(state(5),) * 4, seconds=5000)
    shards = {number: room.parts.due_index.shard(number, page) for number in range(DUE_SHARDS)}
    order = [each for batch in room.parts.sweeper.batches(shards, 0) for each in batch]
    number = {row.recording_id: place // 2 for place, row in enumerate(rows)}
    assert [number[each] for each in order] == [3, 3, 2, 2, 1, 1, 0, 0]


@pytest.mark.parametrize("first", [0, 3, 7])
def test_every_shard_is_swept_wherever_it_begins(first: int) -> None:
    rows = _many(40, recording())
    room = Room(*rows, script=(state(5),) * 40)
    assert room.parts.sweeper.sweep(seconds=50, first_shard=first).looks == {"query": 40}


def test_a_row_that_cannot_be_moved_on_does_not_hold_up_a_sweep() -> None:
    room = Room(recording(**LONG, gone_ms=after(9), gone_checks=1), script=(silence("query"),))
    assert room.sweep() == {"query": 1}
    assert due(room.row, TIMINGS) == (2, after(7 + 5))


def test_without_slots_the_rest_is_left_for_the_next_sweep() -> None:
    rows = _many(3, recording(beats=True))
    script = (state(5), RateLimitedError("booked"), RateLimitedError("booked"))
    room = Room(*rows, script=script)
    assert room.sweep() == {"query": 1, "no slot": 2}
    room.clock.advance(60)
    room.agora.then(state(5), state(5))
    assert room.sweep() == {"query": 2}


def test_one_that_fails_does_not_keep_the_others_from_being_looked_at() -> None:
    def broken() -> Any:
        raise error("InternalServerError")

    room = Room(*_many(3, recording()), script=(state(5), broken, state(5)))
    assert room.sweep() == {"query": 2, "failed": 1}


def test_one_that_cannot_even_be_noted_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise error("ThrottlingException")

    room = Room(*_many(2, recording()), script=(RateLimitedError("booked"),) * 2)
    monkeypatch.setattr(RecordingStore, "amend", refuse)
    assert room.sweep() == {"failed": 2}


def test_a_sweep_ends_in_time() -> None:
    def slow() -> Any:
        room.clock.advance(20)
        return state(5)

    rows = _many(20, recording())
    room = Room(*rows, script=(slow,) * 20)
    done = room.sweep(seconds=50)
    assert done == {"query": 3, "out of time": done["out of time"]}
    room.agora.answers.clear()
    room.agora.then(*[state(5)] * 20)
    room.sweep()
    assert all(row.last_seen_ms != after(7) for row in map(_read(room), rows))


def _read(room: Room) -> Any:
    return lambda row: room.parts.store.get(row.recording_id)


def test_a_sweep_gives_way_to_another() -> None:
    room = Room(recording())
    client: Any = room.table
    other = Lease(TABLE, client, room.clock)
    assert other.take(60)
    assert room.sweep() == {"lease held": 1}
    assert room.agora.calls == []
    other.release()
    room.agora.then(state(5))
    assert room.sweep() == {"query": 1}


def test_a_sweep_whose_lease_has_run_out_stops() -> None:
    def frozen() -> Any:
        room.clock.advance(70)
        return state(5)

    room = Room(*_many(20, recording()), script=(frozen,) * 20)
    done = room.sweep(seconds=50)
    assert done == {"query": 1, "out of time": done["out of time"]}


def test_the_lease_is_given_back_after_a_sweep() -> None:
    room = Room(recording(), script=(state(5),))
    room.sweep()
    client: Any = room.table
    assert Lease(TABLE, client, room.clock).take(60) == 2


def test_the_shipped_threads_look_at_everything_too(threads: None) -> None:
    room = Room(*_many(30, recording()), script=(state(5),) * 30)
    assert room.sweep() == {"query": 30}


def test_a_crash_in_the_middle_of_a_sweep_loses_nothing() -> None:
    rows = [
        *_many(2, recording()),
        *_many(1, recording(task_token="token", max_duration_seconds=60), first=2),
        *_many(1, ended("DIED", task_token="other"), first=3),
        *_many(1, requested(), first=4),
    ]

    def life(faults: Faults) -> Room:
        room = Room(*rows, script=(state(5),) * 99, seconds=950, faults=faults)
        room.machine.tokens = {"token", "other"}
        del room.machine.executions[rows[4].recording_id]
        for _ in range(8):
            faults.begin()
            with suppress(Crash):
                room.sweep()
            room.clock.advance(60)
        faults.begin()
        return room

    whole = life(Faults())
    assert whole.machine.tokens == set()
    for number in range(1, whole.faults.count + 1):
        room = life(Faults(number, after=True))
        assert room.machine.tokens == set(), f"after operation {number}"
        assert rows[4].recording_id in room.machine.executions
        healthy = [room.parts.store.get(each.recording_id) for each in rows[:2]]
        assert all(row.last_seen_ms and row.last_seen_ms > after(900) for row in healthy)
        assert room.parts.store.get(rows[2].recording_id).stop_reason == "MAX_DURATION"

"""Begins scheduled recordings when their time has come, stops them, and cancels them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from agora_recording.clock import now_ms
from agora_recording.errors import RecordingNotFoundError
from agora_recording.life.executions import Waker, start_execution
from agora_recording.life.schedules import Act
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.model import EARLY_MS, Recording, ask_to_stop, begin

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

Followed = Literal["begun", "stopped", "nothing"]


class Timekeeper(msgspec.Struct, kw_only=True):
    """Follows schedules. The row decides, so everything here may be done twice, early or late."""

    store: RecordingStore
    waker: Waker
    state_machine_arn: str
    stepfunctions: SFNClient | None = None
    now_ms: Callable[[], int] = now_ms

    def follow(self, recording_id: str, act: Act) -> Followed:
        """Do what a schedule asks for, if the row still wants it; return what was done."""
        try:
            row = self.store.get(recording_id)
        except RecordingNotFoundError:
            return "nothing"  # it was deleted
        if act == "start":
            after = self.begin(recording_id)
            return "begun" if after.status != row.status else "nothing"
        now = self.now_ms()
        if not _must_stop(row, now):
            return "nothing"
        self.waker.wake(
            recording_id,
            lambda row: ask_to_stop(row, "STOP_TIME", now) if _must_stop(row, now) else row,
            lambda *_: [Note(now, "deadline", "Its stop time has come.")],
        )
        return "stopped"

    def begin(self, recording_id: str) -> Recording:
        """Start the execution of a recording whose start time has come; return the row.

        Also where a run before this one was lost between the row and the execution.
        """
        now = self.now_ms()
        row = self.store.amend(
            recording_id,
            lambda row: begin(row, now),
            lambda *_: [Note(now, "begun", "Its start time has come.")],
        )
        self._execute(row)
        return row

    def stop(self, recording_id: str) -> Recording:
        """Ask a recording to stop, for its caller; one that has not begun is cancelled.

        Raises RecordingNotFoundError. What is cancelled gets an execution, which ends it as it ends
        every recording without a session.
        """
        row = self.waker.stop(recording_id, self.now_ms())
        self._execute(row)
        return row

    def _execute(self, row: Recording) -> None:
        if row.status == "requested" and row.start_at_ms is not None and row.attempt is None:
            start_execution(
                self.state_machine_arn, row, self.stepfunctions, generation=row.execution
            )


def _must_stop(row: Recording, now_ms: int) -> bool:
    is_time = row.stop_at_ms is not None and now_ms >= row.stop_at_ms - EARLY_MS
    # What has not begun ends when it begins.
    return is_time and row.stop_reason is None and row.status != "scheduled"

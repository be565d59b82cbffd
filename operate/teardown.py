"""Before a stack is deleted: stops what is open, and waits until nothing runs.

CloudFormation deletes a state machine only when its last execution has ended, and an execution
waits for up to 30 days while its recording runs. A recording that is not stopped also goes on at
Agora, and is billed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from botocore.exceptions import ClientError

from agora_recording.aws import clients
from agora_recording.errors import RecordingNotFoundError
from agora_recording.life.executions import Waker
from agora_recording.life.store import RecordingStore
from agora_recording.recording.model import RANK, Recording

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

POLL_S = 5
# What Step Functions may say to a stop of an execution that is over.
_OVER = frozenset({"ExecutionDoesNotExist", "ValidationException"})


class Index(Protocol):
    """What `due_index.DueIndex` does."""

    def open_recordings(self) -> list[str]:
        """Return the id of every recording that is not over."""


class Publisher(Protocol):
    """What `publish_recording.RecordingPublisher` does."""

    def publish(self, recording_id: str) -> dict[str, Any]:
        """Write the manifest, announce the end, close the row."""


class Teardown(msgspec.Struct, frozen=True, kw_only=True):
    """Brings a stack to where it may be deleted. `now_ms` returns epoch ms, `sleep` takes seconds.

    `stepfunctions` None is the process's own client.
    """

    store: RecordingStore
    index: Index
    waker: Waker
    publisher: Publisher
    state_machine_arn: str
    now_ms: Callable[[], int]
    sleep: Callable[[float], None]
    stepfunctions: SFNClient | None = None

    def run(
        self, wait_s: float, *, publish_now: bool, tell: Callable[[str], object]
    ) -> dict[str, Any]:
        """Stop every open recording, and wait for at most `wait_s` until nothing runs.

        With `publish_now`, a recording whose session is over is published with the files that are
        there, and its execution is ended: nobody waits for the rest. May be repeated. `tell` gets a
        sentence whenever the numbers change.

        Returns {stopped, ended, open, refusal}: the recordings that were asked to stop, those that
        were published now, those that are still open ({recordingId, status, sid}), and why the
        stack may not be deleted yet; None if it may.
        """
        stopped: list[str] = []
        ended: list[str] = []
        until_ms, said, pause_s = self.now_ms() + round(wait_s * 1000), "", 0
        while True:
            for row in self._open():
                if row.stop_reason is None and RANK[row.status] < RANK["uploading"]:
                    self.waker.stop(row.recording_id, self.now_ms())
                    stopped.append(row.recording_id)
                elif publish_now and row.status == "uploading":
                    self.publisher.publish(row.recording_id)
                    ended.append(row.recording_id)
            running = self._executions()
            if publish_now:
                running = [each for each in running if not self._end(each)]
            rows = self._open()
            words = (
                f"{_many(len(rows), 'recording')} open, {_many(len(running), 'execution')} running."
            )
            if words != said:
                tell(words)
                said = words
            if (not rows and not running) or self.now_ms() >= until_ms:
                break
            pause_s = min(POLL_S, pause_s + 1)
            self.sleep(pause_s)
        return {
            "stopped": stopped,
            "ended": ended,
            "open": [
                {"recordingId": row.recording_id, "status": row.status, "sid": row.sid}
                for row in rows
            ],
            "refusal": _refusal(rows, running),
        }

    def _open(self) -> list[Recording]:
        return [
            row for row in self.store.get_all(self.index.open_recordings()) if not row.is_terminal
        ]

    def _executions(self) -> list[dict[str, Any]]:
        """Return the executions that have not ended."""
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self.state_machine_arn, statusFilter="RUNNING"
        )
        return [{**each} for page in pages for each in page["executions"]]

    def _end(self, execution: dict[str, Any]) -> bool:
        """End an execution if its recording is over, or is gone; tell whether it was."""
        recording_id = execution["name"].partition("-")[0]
        with contextlib.suppress(RecordingNotFoundError):
            if not self.store.get(recording_id).is_terminal:
                return False
        try:
            self._client.stop_execution(
                executionArn=execution["executionArn"], cause="The stack is about to be deleted."
            )
        except ClientError as error:
            # It ended by itself after it was listed.
            if error.response["Error"]["Code"] not in _OVER:
                raise
        return True

    @property
    def _client(self) -> SFNClient:
        return self.stepfunctions or clients.stepfunctions()


def _refusal(rows: list[Recording], running: list[dict[str, Any]]) -> str | None:
    """Return why the stack may not be deleted, and what to do; None if it may."""
    if rows:
        waits = all(row.status == "uploading" for row in rows)
        what = (
            "Their files are awaited: run teardown again, or with --now if nobody needs the rest."
            if waits
            else "They are about to stop: run teardown again. `show` has what happens to each."
        )
        return f"{_many(len(rows), 'recording')} open. {what}"
    if running:
        return (
            f"{_many(len(running), 'execution')} running, although no recording is open: run "
            "teardown again, or with --now to end what does not end by itself."
        )
    return None


def _many(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number} {noun}s are"

"""Executions: how they are named, started and woken, so that no wake-up is lost.

The protocol of waking: "Await end" stores its task token only if no reason to wake is on the row; a
waker first writes its reason, then sends the token that the row holds, if any. Both write to the
same row, each on a condition: so the later one sees the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from agora_recording.aws import clients
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import Recording, ask_to_stop, wake_reason

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Waker(msgspec.Struct, frozen=True):
    """Writes reasons and sends tokens; `client` None is the process's own."""

    store: RecordingStore
    client: SFNClient | None = None

    def wake(
        self,
        recording_id: str,
        change: Callable[[Recording], Recording],
        notes: Callable[[Recording, Recording], Sequence[Note]] | None = None,
    ) -> Recording:
        """Apply a change to the row, then wake its execution if the row has a reason to.

        Harmless when repeated, and when the execution is awake already.
        """
        recording = self.store.amend(recording_id, change, notes)
        self.send(recording)
        return recording

    def stop(self, recording_id: str, now_ms: int) -> Recording:
        """Ask a recording to stop, for its caller. Raises RecordingNotFoundError."""
        check_recording_id(recording_id)
        return self.wake(
            recording_id,
            lambda row: ask_to_stop(row, "STOP_REQUESTED", now_ms),
            lambda *_: [Note(now_ms, "stop asked", "The app asked to stop.")],
        )

    def send(self, recording: Recording) -> bool:
        """Send the row's token, if it has one and a reason. Return whether it was accepted."""
        reason = wake_reason(recording)
        if reason is None or recording.task_token is None:
            return False
        return self.succeed(recording.task_token, {"reason": reason})

    def succeed(self, task_token: str, output: dict[str, str]) -> bool:
        """Let the task that waits for a token go on. Return whether the token was accepted."""
        client = self.client or clients.stepfunctions()
        try:
            client.send_task_success(
                taskToken=task_token, output=msgspec.json.encode(output).decode()
            )
        except (
            client.exceptions.TaskTimedOut,
            client.exceptions.TaskDoesNotExist,
            client.exceptions.InvalidToken,
        ):
            # Woken before, timed out, or the execution is gone: the sweeper repairs the last case.
            return False
        return True


def start_execution(
    state_machine_arn: str,
    recording: Recording,
    client: SFNClient | None = None,
    *,
    generation: int = 0,
) -> bool:
    """Start the execution that owns a recording; return whether it is new.

    A repetition is harmless: the name is the same. A repair after an execution was lost takes the
    next `generation`.
    """
    client = client or clients.stepfunctions()
    name = execution_name(recording.recording_id, generation)
    try:
        client.start_execution(
            stateMachineArn=state_machine_arn,
            name=name,
            input=msgspec.json.encode(
                {"recordingId": recording.recording_id, "execution": name}
            ).decode(),
        )
    except client.exceptions.ExecutionAlreadyExists:
        return False
    return True


def execution_name(recording_id: str, generation: int) -> str:
    """Return the name of a recording's execution: its id, and from the second on its number.

    The names of closed executions are not free for 90 days.
    """
    return f"{recording_id}-{generation}" if generation else recording_id


def execution_arn(state_machine_arn: str, recording: Recording) -> str:
    """Return the ARN of the execution that owns a recording."""
    name = execution_name(recording.recording_id, recording.execution)
    return state_machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"

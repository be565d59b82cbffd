"""Waking the execution that is parked on a recording, without ever losing the call.

The protocol: "Await end" stores its task token only if no reason to wake is on the row; a waker
first writes its reason, then sends whatever token the row holds. Both writes are conditional on
the same row, so whichever comes first is seen by the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from agora_recording import aws
from agora_recording.recording import Recording, ask_to_stop
from agora_recording.recording_id import check_recording_id
from agora_recording.store import Note, RecordingStore

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class Waker:
    """Writes reasons and sends tokens."""

    def __init__(self, store: RecordingStore, client: SFNClient | None = None) -> None:
        self._store = store
        self._client = client

    def wake(
        self,
        recording_id: str,
        change: Callable[[Recording], Recording],
        notes: Callable[[Recording, Recording], Sequence[Note]] | None = None,
    ) -> Recording:
        """Apply a change to the row, then wake its execution if the row has a reason to.

        Harmless when repeated, and when the execution is awake already.
        """
        recording = self._store.amend(recording_id, change, notes)
        self.send(recording)
        return recording

    def stop(self, recording_id: str, now_ms: int) -> Recording:
        """Wish a recording to stop, for its caller. Raises RecordingNotFoundError."""
        check_recording_id(recording_id)
        return self.wake(
            recording_id,
            lambda row: ask_to_stop(row, "STOP_REQUESTED", now_ms),
            lambda *_: [Note(now_ms, "stop asked", "The app asked to stop.")],
        )

    def send(self, recording: Recording) -> bool:
        """Send the row's token, if it has one and a reason. Return whether a token was taken."""
        reason = wake_reason(recording)
        if reason is None or recording.task_token is None:
            return False
        return self.succeed(recording.task_token, {"reason": reason})

    def succeed(self, task_token: str, output: dict[str, str]) -> bool:
        """Let the task go on that is parked on a token. Return whether the token was taken."""
        client = self._client or aws.stepfunctions()
        try:
            client.send_task_success(
                taskToken=task_token, output=msgspec.json.encode(output).decode()
            )
        except (
            client.exceptions.TaskTimedOut,
            client.exceptions.TaskDoesNotExist,
            client.exceptions.InvalidToken,
        ):
            # Woken before, timed out, or the execution is gone: the sweeper looks after the last.
            return False
        return True


def wake_reason(recording: Recording) -> str | None:
    """Return why a parked execution should go on, None if it should not."""
    return recording.stop_reason or recording.session_end

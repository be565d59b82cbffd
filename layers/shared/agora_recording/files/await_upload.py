"""Waits for the files of a recording whose last session is over.

Meanwhile the execution is parked on a task token. The protocol: this room stores the token, then
looks at the bucket; the room that is told of a file (by S3, Agora or a timer) looks at the bucket,
then reads the token. So if both run at the same time, at least one of them sees both the files and
the token, and sends it.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from agora_recording.files.conclusion import looked_at, outcome_of
from agora_recording.files.verifier import Verifier
from agora_recording.life.executions import Waker
from agora_recording.life.look_queue import ArrivalQueue
from agora_recording.life.store import RecordingStore
from agora_recording.recording.model import Outcome, Recording
from agora_recording.recording.timings import Timings


class UploadWatcher(msgspec.Struct, kw_only=True):
    """Parks executions until their files are there, and lets them go on."""

    store: RecordingStore
    verifier: Verifier
    waker: Waker
    arrivals: ArrivalQueue
    timings: Timings

    def park(self, recording_id: str, task_token: str) -> Outcome:
        """Store the token of "Await upload" and look; if files are still to come, ask for more
        looks.

        These are the looks of the first minute. After it, S3, Agora's notifications and the sweeper
        ask for looks, the last one at the deadline, when nothing is pending any more.
        """
        self.store.amend(recording_id, lambda row: _parked(row, task_token))
        outcome = self._look(recording_id)[1]
        if outcome == "pending":
            self.arrivals.ask(recording_id, *self.timings.upload_looks_s)
        else:
            self.waker.succeed(task_token, {"verdict": outcome})
        return outcome

    def look(self, recording_id: str) -> Outcome:
        """Look at the bucket, and let the execution go on when nothing is pending any more."""
        row, outcome = self._look(recording_id)
        if outcome != "pending" and row.upload_token:
            self.waker.succeed(row.upload_token, {"verdict": outcome})
        return outcome

    def _look(self, recording_id: str) -> tuple[Recording, Outcome]:
        verdict = self.verifier.verify(self.store.get(recording_id))
        # Read the row again, even if nothing is to be written: the token may have come meanwhile.
        row = self.store.amend(recording_id, lambda row: looked_at(row, verdict))
        return row, outcome_of(verdict)


def _parked(row: Recording, task_token: str) -> Recording:
    return row if row.is_terminal else replace(row, upload_token=task_token)

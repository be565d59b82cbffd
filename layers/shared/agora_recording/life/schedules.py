"""One-time schedules of EventBridge Scheduler, which begin and stop recordings at their times.

A schedule only calls the room `follow_schedule`; the row decides. So a schedule that comes twice,
too early or for a recording that was cancelled does nothing, and the sweeper does the work of one
that is lost. AWS deletes each schedule after its call. All are in a group of the stack's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.aws import clients
from agora_recording.clock import iso
from agora_recording.observability import logger
from agora_recording.recording.model import Recording

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

Act = Literal["start", "stop"]
# How often and how long AWS repeats a call that was not taken; then the sweeper has done it.
_REPEAT = {"MaximumRetryAttempts": 5, "MaximumEventAgeInSeconds": 300}


class Schedules(msgspec.Struct, frozen=True, kw_only=True):
    """Makes and changes schedules; `client` None is the process's own.

    `target_arn` is the function that they call, `role_arn` the role that may call it.
    """

    group: str
    target_arn: str
    role_arn: str
    client: EventBridgeSchedulerClient | None = None

    @property
    def _scheduler(self) -> EventBridgeSchedulerClient:
        return self.client or clients.scheduler()

    def make(self, recording: Recording) -> None:
        """Make the schedules of a new recording. Raises nothing: the sweeper replaces them.

        One that is there already stays as it is: the request was repeated.
        """
        for schedule in self._wanted(recording):
            try:
                self._create(schedule)
            except (BotoCoreError, ClientError):
                _missed(recording)

    def change(self, recording: Recording) -> None:
        """Make the schedules agree with the row. Raises nothing: the sweeper replaces them."""
        client = self._scheduler
        for schedule in self._wanted(recording):
            try:
                try:
                    client.update_schedule(**schedule)
                except client.exceptions.ResourceNotFoundException:
                    self._create(schedule)
            except (BotoCoreError, ClientError):
                _missed(recording)

    def _create(self, schedule: Any) -> None:
        client = self._scheduler
        try:
            client.create_schedule(**schedule)
        except client.exceptions.ConflictException:
            return

    def _wanted(self, recording: Recording) -> Iterator[Any]:
        if recording.status == "scheduled" and recording.start_at_ms is not None:
            yield self._schedule(recording, "start", recording.start_at_ms)
        if recording.stop_at_ms is not None:
            yield self._schedule(recording, "stop", recording.stop_at_ms)

    def _schedule(self, recording: Recording, act: Act, at_ms: int) -> dict[str, Any]:
        whole = iso(-(-at_ms // 1000) * 1000)[:19]  # a schedule knows no part of a second
        event = {"recordingId": recording.recording_id, "act": act}
        return {
            "Name": f"{recording.recording_id}-{act}",
            "GroupName": self.group,
            "ScheduleExpression": f"at({whole})",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "Target": {
                "Arn": self.target_arn,
                "RoleArn": self.role_arn,
                "Input": msgspec.json.encode(event).decode(),
                "RetryPolicy": _REPEAT,
            },
        }


def _missed(recording: Recording) -> None:
    # The recording has its times: after an error, the caller would ask for it a second time.
    logger.exception("schedule not made", recordingId=recording.recording_id)

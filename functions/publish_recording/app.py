"""State "Publish recording": write the manifest, send the event, close the row."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from agora_recording.files.publish_recording import RecordingPublisher
from agora_recording.observability import count, logger, metrics, observed
from agora_recording.recording.timings import Timings
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class PublishSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    bucket_name: str
    bus_name: str
    calls_queue_url: str
    callback_endpoints: str
    late_days: float

    @property
    def timings(self) -> Timings:
        """The thresholds at this speed, with the deployed wait for late files."""
        return replace(super().timings, late_s=self.late_days * 86_400 / self.speed)


@cache
def _publisher() -> RecordingPublisher:
    return Parts(PublishSettings.from_env()).recording_publisher


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, publisher: RecordingPublisher | None = None
) -> dict[str, Any]:
    """Return {status, endReason, missing, awaited, wentWrong} of the published recording."""
    closed = (publisher or _publisher()).publish(event["recordingId"])
    # RecordingCompleted, RecordingIncomplete or RecordingFailed, and each again by its reason. A
    # recording that waits only for transcoding counts as incomplete when it is given up
    # (record_file_arrival).
    count("RecordingAwaited" if closed["awaited"] else f"Recording{closed['status'].capitalize()}")
    if closed["wentWrong"]:
        count("RecordingFailedByFault")
    count("FilesMissing", closed["missing"])
    metrics.add_dimensions(service=metrics.service, endReason=closed["endReason"])
    logger.info("recording published", status=closed["status"], endReason=closed["endReason"])
    return closed

"""Publishes: the manifest and the event files in the bucket, and events on the bus.

Everything here may happen twice, with the same content: each event has a stable id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from agora_recording.aws import clients
from agora_recording.errors import EventNotSentError
from agora_recording.recording.model import Recording
from agora_recording.recording.view import public

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client

SOURCE = "agora.recording"
DetailType = Literal[
    "Recording Started",
    "Recording Restarted",
    "Recording Completed",
    "Recording Incomplete",
    "Recording Failed",
    "Recording Overdue",
]
_OF_STATUS: dict[str, DetailType] = {
    "completed": "Recording Completed",
    "incomplete": "Recording Incomplete",
    "failed": "Recording Failed",
}


def detail(recording: Recording, detail_type: DetailType, bucket: str) -> dict[str, Any]:
    """Return an event's detail: the recording as the API shows it, its place, a stable id."""
    number = recording.attempt.number if recording.attempt else 0
    step = f"restarted-{number}" if detail_type == "Recording Restarted" else detail_type.split()[1]
    return {
        "id": f"{recording.recording_id}-{step.lower()}",
        "recording": public(recording),
        "bucket": bucket,
        "prefix": recording.prefix,
        **({"manifest": recording.upload.manifest} if recording.upload.manifest else {}),
    }


def file_name(detail_type: DetailType) -> str | None:
    """Return the name of this event's file in the bucket; None if it has no file."""
    match detail_type:
        case "Recording Started":
            return "events/recording-started.json"
        case "Recording Restarted" | "Recording Overdue":
            return None
        case "Recording Failed":
            return "events/recording-failed.json"
        case _:
            return "events/recording-ended.json"


class Publisher(msgspec.Struct, kw_only=True):
    """Writes event files and sends events."""

    bucket: str
    bus_name: str
    s3: S3Client | None = None
    events: EventBridgeClient | None = None

    def announce(self, recording: Recording, detail_type: DetailType) -> None:
        """Write the event's file, then send the event. Raises EventNotSentError."""
        body = detail(recording, detail_type, self.bucket)
        name = file_name(detail_type)
        if name:
            event = {"detailType": detail_type, "source": SOURCE, "detail": body}
            self.put(recording.prefix + name, msgspec.json.encode(event), "application/json")
        answer = (self.events or clients.events()).put_events(
            Entries=[
                {
                    "EventBusName": self.bus_name,
                    "Source": SOURCE,
                    "DetailType": detail_type,
                    "Detail": msgspec.json.encode(body).decode(),
                    "Resources": [],
                }
            ]
        )
        if answer["FailedEntryCount"]:
            raise EventNotSentError(f"The bus refused {body['id']}: {answer['Entries']}")

    def announce_end(self, recording: Recording) -> None:
        """Announce the terminal status of a recording."""
        self.announce(recording, _OF_STATUS[recording.status])

    def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write one object of ours under a recording's prefix."""
        (self.s3 or clients.s3()).put_object(
            Bucket=self.bucket, Key=key, Body=body, ContentType=content_type
        )

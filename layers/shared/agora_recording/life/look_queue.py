"""What is asked for in advance: looks at files, and sweeps before the next minute.

The queue of record_file_arrival: S3 sends arrived files, rooms send requests to look. The queue of
watch_recordings: the sweeper asks itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from agora_recording.aws import clients
from agora_recording.recording.budget import Fleet

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class ArrivalQueue(msgspec.Struct, frozen=True):
    """Asks for looks at the files of a recording (files/record_file_arrival.py does them).

    `client` None is the process's own.
    """

    url: str
    client: SQSClient | None = None

    def ask(self, recording_id: str, *after_s: float) -> None:
        """Ask for a look at once, or for one after each of some delays (seconds, 900 at most)."""
        client = self.client or clients.sqs()
        body = msgspec.json.encode({"recordingId": recording_id}).decode()
        for delay_s in after_s or (0,):
            client.send_message(QueueUrl=self.url, MessageBody=body, DelaySeconds=round(delay_s))


class Between(msgspec.Struct, frozen=True):
    """A sweep before that of the next minute: the shards to read, and the fleet as it was counted.

    So it need not count again, nor read where nothing will be due.
    """

    shards: list[int]
    fleet: Fleet


class SweepQueue(msgspec.Struct, frozen=True):
    """Asks for sweeps before that of the next minute. `client` None is the process's own.

    A function that stayed awake for the minute would cost fifty times as much as the messages.
    """

    url: str
    client: SQSClient | None = None

    def ask(self, sweeps: Mapping[int, Between]) -> None:
        """Ask for sweeps, each after a delay (seconds, 900 at most)."""
        for delay_s, sweep in sweeps.items():
            (self.client or clients.sqs()).send_message(
                QueueUrl=self.url,
                MessageBody=msgspec.json.encode(sweep).decode(),
                DelaySeconds=delay_s,
            )


def asked(event: Mapping[str, Any]) -> list[Between]:
    """Return the sweeps that an event of the queue asks for; none if it is the schedule's."""
    return [
        msgspec.json.decode(record["body"], type=Between) for record in event.get("Records", ())
    ]

"""What is asked for in advance: looks at files, and sweeps before the next minute.

The queue of record_file_arrival: S3 sends arrived files, rooms send requests to look. The queue of
watch_recordings: the sweeper asks itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agora_recording.aws import clients

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


class SweepQueue(msgspec.Struct, frozen=True):
    """Asks for sweeps before that of the next minute. `client` None is the process's own.

    A function that stayed awake for the minute would cost fifty times as much as the messages.
    """

    url: str
    client: SQSClient | None = None

    def ask(self, *after_s: int) -> None:
        """Ask for a sweep after each of some delays (seconds, 900 at most)."""
        for delay_s in after_s:
            (self.client or clients.sqs()).send_message(
                QueueUrl=self.url, MessageBody="{}", DelaySeconds=delay_s
            )

"""The queue of record_file_arrival: S3 sends arrived files, rooms send requests to look."""

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

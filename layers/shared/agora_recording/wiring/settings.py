"""The variables that several rooms share."""

from __future__ import annotations

from typing import Literal

from agora_recording.recording.timings import Timings
from agora_recording.settings import Settings


class TableSettings(Settings, frozen=True, kw_only=True):
    """The settings of every room that uses the table."""

    table_name: str
    speed: float = 1

    @property
    def timings(self) -> Timings:
        """The thresholds at this speed."""
        return Timings().at_speed(self.speed)


class RequestSettings(TableSettings, frozen=True, kw_only=True):
    """The further settings of a room that takes requests to record."""

    seal_key_id: str
    max_duration_s: int
    max_idle_time_s: int
    restart_limit: int
    postponed_transcoding: bool
    key_prefix: str = ""
    callback_hosts: str
    callback_loopback: str = ""  # only the embedded run has it
    aws_region: str  # AWS's own variable


class UploadSettings(TableSettings, frozen=True, kw_only=True):
    """The further settings of a room that looks for awaited files."""

    bucket_name: str
    arrivals_queue_url: str


class AgoraSettings(TableSettings, frozen=True, kw_only=True):
    """The further settings of a room that calls Agora."""

    agora_app_id: str
    agora_secret_id: str
    agora_base_url: str
    agora_concurrent_tasks: float = 50
    agora_calls_per_second: float = 7
    aws_region: str


class StorageSettings(AgoraSettings, frozen=True, kw_only=True):
    """The further settings of a room that gives storage credentials to Agora."""

    bucket_name: str
    storage_secret_id: str
    storage_credentials: Literal["keys", "temporary"] = "keys"
    storage_sse: str = ""
    storage_tag: str = ""
    storage_kms_key_arn: str = ""
    partition: str = "aws"

"""The variables of all rooms together: a world has one set of parts."""

from __future__ import annotations

from agora_recording.recording.timings import Timings
from agora_recording.wiring.settings import StorageSettings
from tests.world.bucket import BUCKET
from tests.world.builders import HOST, MACHINE, TIMINGS
from tests.world.table import TABLE


class WorldSettings(StorageSettings, frozen=True, kw_only=True):
    """What any room reads from its environment; `thresholds` are the timings themselves."""

    table_name: str = TABLE
    thresholds: Timings = TIMINGS
    agora_app_id: str = "app"
    agora_secret_id: str = "agora"
    agora_base_url: str = HOST
    aws_region: str = "us-east-1"
    bucket_name: str = BUCKET
    storage_secret_id: str = "storage"
    seal_key_id: str = "key"
    token_s: float = 86_400
    bus_name: str = "bus"
    arrivals_queue_url: str = "arrivals"
    sweeps_queue_url: str = "sweeps"
    poison_queue_url: str = "poison"
    state_machine_arn: str = MACHINE
    uid_from: int = 4_200_000_000
    uid_to: int = 4_294_967_295
    max_duration_s: int = 14_400
    max_idle_time_s: int = 300
    restart_limit: int = 3
    postponed_transcoding: bool = False
    key_prefix: str = ""
    calls_queue_url: str = "calls"
    callback_secret_id: str = "callbacks"
    callback_hosts: str = "app.example.com"
    callback_endpoints: str = ""
    callback_loopback: str = ""
    schedule_group: str = "schedules"
    schedule_target_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:follow"
    schedule_role_arn: str = "arn:aws:iam::123456789012:role/schedules"
    address_seconds: int = 300
    stack_name: str = "stack"
    security_group_ids: str = ""
    security_group_tag: str = ""
    security_group_quota: int = 60
    prefix_list_id: str = ""
    waf_ip_set_v4: str = ""
    waf_ip_set_v6: str = ""
    grace_hours: float = 48
    allow_documentation_addresses: bool = False

    @property
    def timings(self) -> Timings:
        """The thresholds of this world."""
        return self.thresholds

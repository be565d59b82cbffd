"""Which settings each part reads. Only for the type checker; nothing imports it at run time.

mypy refuses a room that takes a part and does not declare the variables of that part.
"""

from __future__ import annotations

from typing import Literal, Protocol

from agora_recording.recording.timings import Timings


class Table(Protocol):
    """The table, and the thresholds by which its rows are due."""

    @property
    def table_name(self) -> str: ...
    @property
    def timings(self) -> Timings: ...


class Bucket(Protocol):
    """The bucket."""

    @property
    def bucket_name(self) -> str: ...


class ArrivalQueue(Protocol):
    """The queue of arrived files."""

    @property
    def arrivals_queue_url(self) -> str: ...


class StateMachine(Protocol):
    """The state machine."""

    @property
    def state_machine_arn(self) -> str: ...


class SealKey(Protocol):
    """The key that seals an app's secrets."""

    @property
    def seal_key_id(self) -> str: ...


class Agora(Table, Protocol):
    """Agora's API, and the limiter's row."""

    @property
    def agora_app_id(self) -> str: ...
    @property
    def agora_secret_id(self) -> str: ...
    @property
    def agora_base_url(self) -> str: ...
    @property
    def agora_concurrent_tasks(self) -> float: ...
    @property
    def agora_calls_per_second(self) -> float: ...
    @property
    def aws_region(self) -> str: ...


class Mint(Agora, Protocol):
    """The project of the tokens that are made, and how long these are valid."""

    @property
    def token_s(self) -> float: ...
    @property
    def speed(self) -> float: ...


class Storage(Bucket, Protocol):
    """What Agora is told of the bucket, and the secret with its keys."""

    @property
    def aws_region(self) -> str: ...
    @property
    def storage_secret_id(self) -> str: ...
    @property
    def storage_credentials(self) -> Literal["keys", "temporary"]: ...
    @property
    def storage_sse(self) -> str: ...
    @property
    def storage_tag(self) -> str: ...
    @property
    def partition(self) -> str: ...
    @property
    def storage_kms_key_arn(self) -> str: ...


class Bus(Bucket, Protocol):
    """The bus, and the bucket with the event files."""

    @property
    def bus_name(self) -> str: ...


class Verifier(Table, Bucket, Protocol):
    """What the bucket holds, against what the table tells."""


class Player(Verifier, Protocol):
    """What a link plays, and how long the address of a file is valid."""

    @property
    def address_seconds(self) -> int: ...


class CallQueue(Protocol):
    """The queue of messages to the app."""

    @property
    def calls_queue_url(self) -> str: ...


class Teller(CallQueue, Bucket, Protocol):
    """The stack's own addresses; separated by commas."""

    @property
    def callback_endpoints(self) -> str: ...


class Hosts(Protocol):
    """The names that apps' addresses may have, separated by commas; and the embedded run's own."""

    @property
    def callback_hosts(self) -> str: ...
    @property
    def callback_loopback(self) -> str: ...


class Caller(Table, CallQueue, Hosts, Protocol):
    """What calls are signed with, and where they may go."""

    @property
    def speed(self) -> float: ...
    @property
    def callback_secret_id(self) -> str: ...
    @property
    def callback_endpoints(self) -> str: ...


class RecordingPublisher(Table, Bus, Teller, Protocol):
    """Manifest, event and row."""


class Starter(Mint, Storage, SealKey, Protocol):
    """A start."""

    @property
    def uid_from(self) -> int: ...
    @property
    def uid_to(self) -> int: ...


class Confirmer(Agora, Bus, Teller, Protocol):
    """The confirmation of a start."""


class Sweeper(Agora, Storage, ArrivalQueue, CallQueue, StateMachine, Protocol):
    """Every kind of look."""

    @property
    def sweeps_queue_url(self) -> str: ...


class Applier(Table, ArrivalQueue, Protocol):
    """Stored notifications, and the queue for those that cannot be applied."""

    @property
    def poison_queue_url(self) -> str: ...


class Uploads(Table, Bucket, ArrivalQueue, Protocol):
    """The wait for files."""


class Arrivals(Uploads, Bus, Teller, Protocol):
    """Files that arrive, in time or late."""


class Requests(Table, SealKey, Hosts, Protocol):
    """What a request to record is checked against, and where it is kept."""

    @property
    def max_duration_s(self) -> int: ...
    @property
    def max_idle_time_s(self) -> int: ...
    @property
    def restart_limit(self) -> int: ...
    @property
    def postponed_transcoding(self) -> bool: ...
    @property
    def key_prefix(self) -> str: ...
    @property
    def aws_region(self) -> str: ...


class Intake(Requests, StateMachine, Protocol):
    """A request to record, and the execution of it."""


class Schedules(Protocol):
    """The group of one-time schedules, what they call, and the role that may call it."""

    @property
    def schedule_group(self) -> str: ...
    @property
    def schedule_target_arn(self) -> str: ...
    @property
    def schedule_role_arn(self) -> str: ...


class Timekeeper(Table, StateMachine, Protocol):
    """Rows and executions of scheduled recordings."""


class Creator(Intake, Schedules, Protocol):
    """A request to record, with its times."""


class Updater(Agora, SealKey, Schedules, Protocol):
    """A change while it records."""


class Refresher(Agora, Protocol):
    """The firewalls, and how cautious to be; an empty text leaves a target out."""

    @property
    def speed(self) -> float: ...
    @property
    def stack_name(self) -> str: ...
    @property
    def security_group_ids(self) -> str: ...
    @property
    def security_group_tag(self) -> str: ...
    @property
    def security_group_quota(self) -> int: ...
    @property
    def prefix_list_id(self) -> str: ...
    @property
    def waf_ip_set_v4(self) -> str: ...
    @property
    def waf_ip_set_v6(self) -> str: ...
    @property
    def grace_hours(self) -> float: ...
    @property
    def allow_documentation_addresses(self) -> bool: ...


class Channels(Intake, Protocol):
    """Channels that record themselves, and the uids of recorders."""

    @property
    def uid_from(self) -> int: ...
    @property
    def uid_to(self) -> int: ...


class ChannelSweeper(Agora, Channels, Protocol):
    """Looks at channels, and the channel query."""

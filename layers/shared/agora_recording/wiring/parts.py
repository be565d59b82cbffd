"""The parts of the rooms, and how each is made from settings and from what is outside."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec.structs import replace

from agora_recording.wiring.outside import Outside

if TYPE_CHECKING:
    from agora_recording.agora.client import AgoraClient
    from agora_recording.agora.limiter import Limiter
    from agora_recording.agora.mint import Mint
    from agora_recording.agora.storage import Storage
    from agora_recording.api.create_recording import Creator, Intake
    from agora_recording.api.delete_recording import Deleter
    from agora_recording.api.get_recording_events import Timeline
    from agora_recording.api.get_recordings import Lister
    from agora_recording.api.links import Links
    from agora_recording.api.media import Media
    from agora_recording.api.play import Player
    from agora_recording.api.update_recording import LayoutUpdater, Updater
    from agora_recording.auto_record.apply_channel_events import ChannelApplier
    from agora_recording.auto_record.beginning import Beginner
    from agora_recording.auto_record.channel_store import ChannelStore
    from agora_recording.auto_record.rule_store import RuleStore
    from agora_recording.auto_record.rules import Checker
    from agora_recording.auto_record.watch_channels import ChannelSweeper
    from agora_recording.aws.compare_and_set import Backoff
    from agora_recording.aws.lease import Lease
    from agora_recording.aws.sealing import Sealer
    from agora_recording.aws.secrets import SecretStore
    from agora_recording.files.await_upload import UploadWatcher
    from agora_recording.files.publish_recording import RecordingPublisher
    from agora_recording.files.record_file_arrival import Arrivals
    from agora_recording.files.verifier import Verifier
    from agora_recording.firewall.refresh import Refresher
    from agora_recording.firewall.target import Target, Targets
    from agora_recording.life.adoption import Adopter
    from agora_recording.life.apply_notifications import Applier
    from agora_recording.life.callbacks import CallQueue, CallStore, Teller
    from agora_recording.life.due_index import DueIndex
    from agora_recording.life.executions import Waker
    from agora_recording.life.links import LinkStore
    from agora_recording.life.look_queue import ArrivalQueue, SweepQueue
    from agora_recording.life.orphans import OrphanStopper
    from agora_recording.life.publication import Publisher
    from agora_recording.life.query_recording import Confirmer
    from agora_recording.life.schedules import Schedules
    from agora_recording.life.send_callback import Caller
    from agora_recording.life.sessions import SessionStore
    from agora_recording.life.start_recording import Starter
    from agora_recording.life.stop_recording import Stopper
    from agora_recording.life.store import RecordingStore
    from agora_recording.life.timekeeper import Timekeeper
    from agora_recording.life.watch_recordings import Sweeper
    from agora_recording.request.reading import Limits
    from agora_recording.wiring import needs

S_co = TypeVar("S_co", covariant=True)
P = TypeVar("P")
T = TypeVar("T")


class _Part(Generic[P, T]):
    """A part: made on first use, then kept. The type of its `self` says which settings it reads."""

    def __init__(self, make: Callable[[P], T]) -> None:
        self._make = make

    def __get__(self, parts: P, owner: object) -> T:
        made = self._make(parts)
        vars(parts)[self._make.__name__] = made  # found there before this descriptor from now on
        return made


class Parts(Generic[S_co]):
    """Everything that rooms are made of, made on first use.

    `settings` are the variables of one room. `given` are parts, by name, that are used instead of
    being made: tests and benchmarks replace parts this way.
    """

    def __init__(self, settings: S_co, outside: Outside | None = None, **given: Any) -> None:
        self.settings = settings
        self.outside = outside or Outside()
        vars(self).update(given)

    def _random(self) -> int:
        return int.from_bytes(self.outside.random_bytes(8), "little")

    # --- the table ---

    @_Part
    def store(self: Parts[needs.Table]) -> RecordingStore:
        """Reads and changes recordings."""
        from agora_recording.life.store import RecordingStore

        settings = self.settings
        return RecordingStore(
            settings.table_name,
            self.outside.dynamodb,
            timings=settings.timings,
            backoff=self.backoff,
        )

    @_Part
    def sessions(self: Parts[needs.Table]) -> SessionStore:
        """Reads and changes sessions: what Agora's notifications told, and whose they are."""
        from agora_recording.life.sessions import SessionStore

        return SessionStore(self.settings.table_name, self.outside.dynamodb, self.backoff)

    @_Part
    def backoff(self: Parts[needs.Table]) -> Backoff:
        """The pause of a writer to whom another writer came first."""
        from agora_recording.aws.compare_and_set import Backoff

        return Backoff(self.outside.sleep, self.outside.random_bytes)

    @_Part
    def link_store(self: Parts[needs.Table]) -> LinkStore:
        """Reads and changes links."""
        from agora_recording.life.links import LinkStore

        return LinkStore(self.settings.table_name, self.outside.dynamodb, self.backoff)

    @_Part
    def due_index(self: Parts[needs.Table]) -> DueIndex:
        """Finds recordings by their next look."""
        from agora_recording.life.due_index import DueIndex

        return DueIndex(self.settings.table_name, self.outside.dynamodb)

    @_Part
    def sweep_lease(self: Parts[needs.Table]) -> Lease:
        """The lease of whoever sweeps."""
        from agora_recording.aws.lease import Lease

        return Lease(self.settings.table_name, self.outside.dynamodb, self.outside.now_ms)

    # --- Agora ---

    @_Part
    def secrets(self: Parts[object]) -> SecretStore:
        """Reads secrets, and keeps them for a while."""
        from agora_recording.aws.secrets import SecretStore

        return SecretStore(self.outside.secretsmanager, self.outside.monotonic)

    @_Part
    def calls_per_second(self: Parts[needs.Agora]) -> float:
        """How many calls a second are sent to Agora at most."""
        from agora_recording.agora.limiter import pace

        return pace(self.settings.agora_concurrent_tasks, self.settings.agora_calls_per_second)

    @_Part
    def limiter(self: Parts[needs.Agora]) -> Limiter:
        """Paces all calls to Agora."""
        from agora_recording.agora.limiter import Limiter

        return Limiter(
            self.settings.table_name,
            calls_per_second=self.calls_per_second,
            client=self.outside.dynamodb,
            now_ms=self.outside.now_ms,
            sleep=self.outside.sleep,
        )

    @_Part
    def agora(self: Parts[needs.Agora]) -> AgoraClient:
        """Calls Agora, paced by the limiter."""
        # requests costs 20 ms, and most rooms never call Agora.
        import requests

        from agora_recording.agora.client import AgoraClient

        settings = self.settings
        return AgoraClient(
            app_id=settings.agora_app_id,
            secret_id=settings.agora_secret_id,
            base_url=settings.agora_base_url,
            aws_region=settings.aws_region,
            limiter=self.limiter,
            secrets=self.secrets,
            session=self.outside.http or requests.Session(),
            sleep=self.outside.sleep,
        )

    @_Part
    def mint(self: Parts[needs.Mint]) -> Mint:
        """Makes RTC tokens, if the project has an App Certificate."""
        from agora_recording.agora.mint import Mint

        settings = self.settings
        return Mint(
            app_id=settings.agora_app_id,
            secret_id=settings.agora_secret_id,
            valid_s=settings.token_s / settings.speed,
            secrets=self.secrets,
            randomness=self._random,
        )

    @_Part
    def storage(self: Parts[needs.Storage]) -> Storage:
        """Makes storageConfigs, which tell Agora where to upload to."""
        from agora_recording.agora.storage import Storage

        settings = self.settings
        return Storage(
            bucket=settings.bucket_name,
            aws_region=settings.aws_region,
            secret_id=settings.storage_secret_id,
            credentials=settings.storage_credentials,
            partition=settings.partition,
            kms_key_arn=settings.storage_kms_key_arn,
            sse=settings.storage_sse,
            tag=settings.storage_tag,
            secrets=self.secrets,
        )

    @_Part
    def sealer(self: Parts[needs.SealKey]) -> Sealer:
        """Seals and unseals an app's secrets."""
        from agora_recording.aws.sealing import Sealer

        return Sealer(self.settings.seal_key_id, self.outside.kms)

    # --- the life of a recording ---

    @_Part
    def waker(self: Parts[needs.Table]) -> Waker:
        """Wakes executions."""
        from agora_recording.life.executions import Waker

        return Waker(self.store, self.outside.stepfunctions)

    @_Part
    def schedules(self: Parts[needs.Schedules]) -> Schedules:
        """Makes one-time schedules."""
        from agora_recording.life.schedules import Schedules

        settings = self.settings
        return Schedules(
            group=settings.schedule_group,
            target_arn=settings.schedule_target_arn,
            role_arn=settings.schedule_role_arn,
            client=self.outside.scheduler,
        )

    @_Part
    def timekeeper(self: Parts[needs.Timekeeper]) -> Timekeeper:
        """Begins, stops and cancels scheduled recordings."""
        from agora_recording.life.timekeeper import Timekeeper

        return Timekeeper(
            store=self.store,
            waker=self.waker,
            state_machine_arn=self.settings.state_machine_arn,
            stepfunctions=self.outside.stepfunctions,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def arrival_queue(self: Parts[needs.ArrivalQueue]) -> ArrivalQueue:
        """Asks for looks at files."""
        from agora_recording.life.look_queue import ArrivalQueue

        return ArrivalQueue(self.settings.arrivals_queue_url, self.outside.sqs)

    @_Part
    def sweep_queue(self: Parts[needs.Sweeper]) -> SweepQueue:
        """Asks for sweeps before that of the next minute."""
        from agora_recording.life.look_queue import SweepQueue

        return SweepQueue(self.settings.sweeps_queue_url, self.outside.sqs)

    @_Part
    def publisher(self: Parts[needs.Bus]) -> Publisher:
        """Writes event files and sends events."""
        from agora_recording.life.publication import Publisher

        return Publisher(
            bucket=self.settings.bucket_name,
            bus_name=self.settings.bus_name,
            s3=self.outside.s3,
            events=self.outside.events,
        )

    @_Part
    def adopter(self: Parts[needs.Agora]) -> Adopter:
        """Gives sessions to the recordings that started them."""
        from agora_recording.life.adoption import Adopter

        return Adopter(
            store=self.store,
            sessions=self.sessions,
            agora=self.agora,
            timings=self.settings.timings,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def orphan_stopper(self: Parts[needs.Agora]) -> OrphanStopper:
        """Stops sessions that were given up."""
        from agora_recording.life.orphans import OrphanStopper

        return OrphanStopper(
            store=self.store,
            agora=self.agora,
            timings=self.settings.timings,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def starter(self: Parts[needs.Starter]) -> Starter:
        """Starts sessions."""
        from agora_recording.life.start_recording import Starter

        return Starter(
            store=self.store,
            adopter=self.adopter,
            agora=self.agora,
            mint=self.mint,
            storage=self.storage,
            sealer=self.sealer,
            uids=(self.settings.uid_from, self.settings.uid_to),
            randomness=self._random,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def confirmer(self: Parts[needs.Confirmer]) -> Confirmer:
        """Confirms starts, and announces them."""
        from agora_recording.life.query_recording import Confirmer

        return Confirmer(
            store=self.store,
            agora=self.agora,
            publisher=self.publisher,
            orphans=self.orphan_stopper,
            teller=self.teller,
            timings=self.settings.timings,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def stopper(self: Parts[needs.Agora]) -> Stopper:
        """Stops sessions."""
        from agora_recording.life.stop_recording import Stopper

        return Stopper(
            store=self.store,
            adopter=self.adopter,
            agora=self.agora,
            orphans=self.orphan_stopper,
            timings=self.settings.timings,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def sweeper(self: Parts[needs.Sweeper]) -> Sweeper:
        """Looks after every recording that is not over."""
        from agora_recording.life.watch_recordings import Sweeper

        return Sweeper(
            store=self.store,
            sessions=self.sessions,
            adopter=self.adopter,
            index=self.due_index,
            agora=self.agora,
            waker=self.waker,
            orphans=self.orphan_stopper,
            timekeeper=self.timekeeper,
            storage=self.storage,
            lease=self.sweep_lease,
            arrivals=self.arrival_queue,
            again=self.sweep_queue,
            calls_per_second=self.calls_per_second,
            calls=self.calls,
            call_queue=self.call_queue,
            timings=self.settings.timings,
            state_machine_arn=self.settings.state_machine_arn,
            concurrent_tasks=self.settings.agora_concurrent_tasks,
            stepfunctions=self.outside.stepfunctions,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def applier(self: Parts[needs.Applier]) -> Applier:
        """Applies stored notifications."""
        from agora_recording.life.apply_notifications import Applier

        return Applier(
            store=self.store,
            sessions=self.sessions,
            waker=self.waker,
            arrivals=self.arrival_queue,
            poison_queue_url=self.settings.poison_queue_url,
            sqs=self.outside.sqs,
            now_ms=self.outside.now_ms,
        )

    # --- calls to the app ---

    @_Part
    def calls(self: Parts[needs.Table]) -> CallStore:
        """Reads and changes messages to the app."""
        from agora_recording.life.callbacks import CallStore

        return CallStore(self.settings.table_name, self.outside.dynamodb, self.backoff)

    @_Part
    def call_queue(self: Parts[needs.CallQueue]) -> CallQueue:
        """Asks for tries of messages."""
        from agora_recording.life.callbacks import CallQueue

        return CallQueue(self.settings.calls_queue_url, self.outside.sqs)

    @_Part
    def teller(self: Parts[needs.Teller]) -> Teller:
        """Makes messages to the app."""
        from agora_recording.life.callbacks import Teller

        settings = self.settings
        return Teller(
            endpoints=_listed(settings.callback_endpoints),
            bucket=settings.bucket_name,
            queue=self.call_queue,
        )

    @_Part
    def caller(self: Parts[needs.Caller]) -> Caller:
        """Sends messages to the app."""
        from agora_recording.callbacks.post import Poster
        from agora_recording.life.send_callback import Caller

        settings, outside = self.settings, self.outside
        return Caller(
            store=self.calls,
            queue=self.call_queue,
            secrets=self.secrets,
            secret_id=settings.callback_secret_id,
            poster=outside.poster or Poster(),
            hosts=_hosts(settings.callback_hosts),
            endpoints=_listed(settings.callback_endpoints),
            randomness=lambda: int.from_bytes(outside.random_bytes(4), "little") / 2**32,
            local_origin=settings.callback_loopback,
            speed=settings.speed,
            now_ms=outside.now_ms,
        )

    # --- files ---

    @_Part
    def verifier(self: Parts[needs.Verifier]) -> Verifier:
        """Compares the bucket with what it should hold."""
        from agora_recording.files.verifier import Verifier

        return Verifier(
            sessions=self.sessions,
            bucket=self.settings.bucket_name,
            timings=self.settings.timings,
            s3=self.outside.s3,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def recording_publisher(self: Parts[needs.RecordingPublisher]) -> RecordingPublisher:
        """Publishes recordings that are over."""
        from agora_recording.files.publish_recording import RecordingPublisher

        return RecordingPublisher(
            store=self.store,
            verifier=self.verifier,
            publisher=self.publisher,
            teller=self.teller,
            timings=self.settings.timings,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def uploads(self: Parts[needs.Uploads]) -> UploadWatcher:
        """Parks executions until their files are there."""
        from agora_recording.files.await_upload import UploadWatcher

        return UploadWatcher(
            store=self.store,
            verifier=self.verifier,
            waker=self.waker,
            arrivals=self.arrival_queue,
            timings=self.settings.timings,
        )

    @_Part
    def arrivals(self: Parts[needs.Arrivals]) -> Arrivals:
        """Handles files that arrive, in time or late."""
        from agora_recording.files.record_file_arrival import Arrivals

        return Arrivals(
            store=self.store,
            uploads=self.uploads,
            publisher=self.recording_publisher,
            teller=self.teller,
            timings=self.settings.timings,
            now_ms=self.outside.now_ms,
        )

    # --- the API ---

    @_Part
    def limits(self: Parts[needs.Requests]) -> Limits:
        """The stack's defaults for recordings, and what it allows."""
        from agora_recording.request.reading import Limits

        settings = self.settings
        return Limits(
            settings.max_duration_s,
            settings.max_idle_time_s,
            settings.restart_limit,
            settings.postponed_transcoding,
            settings.aws_region,
            settings.key_prefix,
            _hosts(settings.callback_hosts),
            settings.callback_loopback,
        )

    @_Part
    def intake(self: Parts[needs.Intake]) -> Intake:
        """Makes recordings that begin at once."""
        from agora_recording.api.create_recording import Intake

        return Intake(
            store=self.store,
            sealer=self.sealer,
            state_machine_arn=self.settings.state_machine_arn,
            limits=self.limits,
            randomness=self.outside.random_bytes,
            stepfunctions=self.outside.stepfunctions,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def creator(self: Parts[needs.Creator]) -> Creator:
        """Makes recordings."""
        from agora_recording.api.create_recording import Creator

        return Creator(
            store=self.store,
            sealer=self.sealer,
            schedules=self.schedules,
            state_machine_arn=self.settings.state_machine_arn,
            limits=self.limits,
            randomness=self.outside.random_bytes,
            stepfunctions=self.outside.stepfunctions,
            now_ms=self.outside.now_ms,
            sleep=self.outside.sleep,
        )

    @_Part
    def lister(self: Parts[needs.Table]) -> Lister:
        """Lists recordings."""
        from agora_recording.api.get_recordings import Lister

        return Lister(self.store)

    @_Part
    def updater(self: Parts[needs.Updater]) -> Updater:
        """Changes recordings while they run."""
        from agora_recording.api.update_recording import Updater

        return Updater(
            store=self.store,
            agora=self.agora,
            sealer=self.sealer,
            schedules=self.schedules,
            now_ms=self.outside.now_ms,
            sleep=self.outside.sleep,
        )

    @_Part
    def layout_updater(self: Parts[needs.Agora]) -> LayoutUpdater:
        """Changes layouts; it needs no sealer."""
        from agora_recording.api.update_recording import LayoutUpdater

        return LayoutUpdater(
            store=self.store,
            agora=self.agora,
            now_ms=self.outside.now_ms,
            sleep=self.outside.sleep,
        )

    @_Part
    def deleter(self: Parts[needs.Verifier]) -> Deleter:
        """Deletes recordings."""
        from agora_recording.api.delete_recording import Deleter

        return Deleter(
            store=self.store,
            sessions=self.sessions,
            bucket=self.settings.bucket_name,
            timings=self.settings.timings,
            s3=self.outside.s3,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def media(self: Parts[needs.Verifier]) -> Media:
        """Finds the files of recordings, and signs addresses for them."""
        from agora_recording.api.media import Media
        from agora_recording.aws import clients

        return Media(
            store=self.store,
            verifier=self.verifier,
            bucket=self.settings.bucket_name,
            s3=self.outside.s3,
            keys=self.outside.keys or clients.keys,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def timeline(self: Parts[needs.Table]) -> Timeline:
        """Shows the timelines of recordings."""
        from agora_recording.api.get_recording_events import Timeline

        return Timeline(self.store, self.sessions, self.link_store)

    @_Part
    def links(self: Parts[needs.Verifier]) -> Links:
        """Makes, lists and revokes links."""
        from agora_recording.api.links import Links

        return Links(
            media=self.media,
            links=self.link_store,
            randomness=self.outside.random_bytes,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def player(self: Parts[needs.Player]) -> Player:
        """Plays recordings by their links."""
        from agora_recording.api.play import Player

        return Player(
            media=self.media,
            links=self.link_store,
            address_s=self.settings.address_seconds,
            now_ms=self.outside.now_ms,
        )

    # --- auto-record ---

    @_Part
    def rule_store(self: Parts[needs.Table]) -> RuleStore:
        """Reads and writes rules."""
        from agora_recording.auto_record.rule_store import RuleStore

        return RuleStore(self.settings.table_name, self.outside.dynamodb)

    @_Part
    def rules(self: Parts[needs.Requests]) -> Checker:
        """Checks and stores rules."""
        from agora_recording.auto_record.rules import Checker

        return Checker(
            store=self.rule_store,
            sealer=self.sealer,
            limits=self.limits,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def channels(self: Parts[needs.Table]) -> ChannelStore:
        """Reads and changes channels."""
        from agora_recording.auto_record.channel_store import ChannelStore

        settings = self.settings
        return ChannelStore(
            settings.table_name,
            self.outside.dynamodb,
            timings=settings.timings,
            backoff=self.backoff,
        )

    @_Part
    def beginner(self: Parts[needs.Intake]) -> Beginner:
        """Begins the recordings of channels."""
        from agora_recording.auto_record.beginning import Beginner

        return Beginner(
            channels=self.channels,
            intake=self.intake,
            sealer=self.sealer,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def channel_applier(self: Parts[needs.Channels]) -> ChannelApplier:
        """Applies stored channel events."""
        from agora_recording.auto_record.apply_channel_events import ChannelApplier

        return ChannelApplier(
            channels=self.channels,
            rules=self.rule_store,
            beginner=self.beginner,
            uid_from=self.settings.uid_from,
            uid_to=self.settings.uid_to,
            now_ms=self.outside.now_ms,
        )

    @_Part
    def channel_agora(self: Parts[needs.Agora]) -> AgoraClient:
        """Asks Agora who is in a channel, within the limit of channel queries."""
        from agora_recording.agora.limiter import (
            CHANNEL_QUERIES,
            CHANNEL_QUERIES_PER_SECOND,
            Limiter,
        )

        limiter = Limiter(
            self.settings.table_name,
            calls_per_second=CHANNEL_QUERIES_PER_SECOND,
            row=CHANNEL_QUERIES,
            client=self.outside.dynamodb,
            now_ms=self.outside.now_ms,
            sleep=self.outside.sleep,
        )
        return replace(self.agora, limiter=limiter)

    @_Part
    def channel_sweeper(self: Parts[needs.ChannelSweeper]) -> ChannelSweeper:
        """Looks after the channels that record themselves."""
        from agora_recording.auto_record.watch_channels import ChannelSweeper

        return ChannelSweeper(
            channels=self.channels,
            rules=self.rule_store,
            recordings=self.store,
            beginner=self.beginner,
            waker=self.waker,
            agora=self.channel_agora,
            timings=self.settings.timings,
            uid_from=self.settings.uid_from,
            uid_to=self.settings.uid_to,
            now_ms=self.outside.now_ms,
        )

    # --- the firewall ---

    @_Part
    def refresher(self: Parts[needs.Refresher]) -> Refresher:
        """Keeps firewalls open to Agora's notification servers."""
        from urllib.parse import urlsplit

        from agora_recording.aws.lease import Lease
        from agora_recording.firewall.addresses import endpoints
        from agora_recording.firewall.plan import Policy
        from agora_recording.firewall.refresh import LEASE, Refresher

        settings, outside = self.settings, self.outside

        def ask(url: str) -> tuple[int | None, bytes]:
            """Ask Agora at the URL's host, paced like every other call; see AgoraClient.ncs_ip."""
            where = urlsplit(url)
            there = replace(self.agora, base_url=f"{where.scheme}://{where.netloc}")
            return there.ncs_ip(where.path)

        return Refresher(
            get=ask,
            urls=endpoints(settings.agora_base_url),
            allow_documentation=settings.allow_documentation_addresses,
            find_targets=partial(_firewalls, settings, outside),
            lease=Lease(settings.table_name, outside.dynamodb, outside.now_ms, LEASE),
            policy=Policy(grace_s=settings.grace_hours * 3600 / settings.speed),
            now=outside.now_ms,
            sleep=outside.sleep,
        )


def _listed(text: str) -> tuple[str, ...]:
    """Return the values of a list that is separated by commas."""
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _hosts(text: str) -> frozenset[str]:
    return frozenset(each.lower() for each in _listed(text))


def _firewalls(settings: needs.Refresher, outside: Outside) -> Targets:
    """Find the targets that the settings name, each source by itself."""
    from agora_recording.firewall.allow_list import ALLOW_LIST, AllowListTarget
    from agora_recording.firewall.prefix_list import PrefixListTarget
    from agora_recording.firewall.security_group import (
        SecurityGroupTarget,
        discover_security_groups,
    )
    from agora_recording.firewall.target import TargetMemories, Targets
    from agora_recording.firewall.waf import WafIpSetTarget

    table, stack, ec2 = settings.table_name, settings.stack_name, outside.ec2

    def groups(ids: Iterable[str]) -> list[Target]:
        quota = settings.security_group_quota
        return [SecurityGroupTarget(group_id, stack, quota, ec2) for group_id in ids]

    def ip_set(reference: str) -> list[Target]:
        return [WafIpSetTarget(reference, outside.wafv2)]

    sources: dict[str, Callable[[], Iterable[Target]]] = {
        ALLOW_LIST: lambda: [AllowListTarget(table, outside.dynamodb)]
    }
    if ids := [name.strip() for name in settings.security_group_ids.split(",") if name.strip()]:
        sources["security groups"] = lambda: groups(ids)
    if tag := settings.security_group_tag:
        sources[tag] = lambda: groups(discover_security_groups(tag, ec2))
    if list_id := settings.prefix_list_id:
        sources[list_id] = lambda: [PrefixListTarget(list_id, stack, ec2, outside.sleep)]
    for reference in filter(None, (settings.waf_ip_set_v4, settings.waf_ip_set_v6)):
        sources[reference] = partial(ip_set, reference)
    return Targets.find(sources, TargetMemories(table, outside.dynamodb))

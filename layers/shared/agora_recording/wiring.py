"""Makes the parts of a room (adapters and services) from its settings."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

from agora_recording.agora.limiter import Limiter
from agora_recording.life.due_index import DueIndex
from agora_recording.life.store import RecordingStore
from agora_recording.recording.timings import Timings
from agora_recording.settings import Settings

if TYPE_CHECKING:
    from agora_recording.agora.client import AgoraClient
    from agora_recording.agora.storage import Storage
    from agora_recording.files.await_upload import UploadWatcher
    from agora_recording.files.verifier import Verifier
    from agora_recording.life.sessions import SessionStore


class TableSettings(Settings, frozen=True, kw_only=True):
    """The settings of every room that uses the table."""

    table_name: str
    speed: float = 1

    @property
    def timings(self) -> Timings:
        """The thresholds at this speed."""
        return Timings().at_speed(self.speed)

    def store(self) -> RecordingStore:
        """Return the table's recordings."""
        return RecordingStore(self.table_name, self.timings)

    def sessions(self) -> SessionStore:
        """Return the table's sessions."""
        # Imported here: most rooms have nothing to do with sessions.
        from agora_recording.life.sessions import SessionStore  # noqa: PLC0415

        return SessionStore(self.table_name)

    def due_index(self) -> DueIndex:
        """Return the table's index of what wants a look."""
        return DueIndex(self.table_name)


class UploadSettings(TableSettings, frozen=True, kw_only=True):
    """The further settings of a room that looks for awaited files."""

    bucket_name: str
    arrivals_queue_url: str

    def uploads(self, verifier: Verifier) -> UploadWatcher:
        """Return the watcher that parks executions until their files are there."""
        # Imported here: most rooms never look into the bucket.
        from agora_recording.files.await_upload import UploadWatcher  # noqa: PLC0415
        from agora_recording.life.executions import Waker  # noqa: PLC0415
        from agora_recording.life.look_queue import ArrivalQueue  # noqa: PLC0415

        store = self.store()
        return UploadWatcher(
            store=store,
            verifier=verifier,
            waker=Waker(store),
            arrivals=ArrivalQueue(self.arrivals_queue_url),
            timings=self.timings,
        )


class AgoraSettings(TableSettings, frozen=True, kw_only=True):
    """The further settings of a room that calls Agora."""

    agora_app_id: str
    agora_secret_id: str
    agora_base_url: str
    agora_calls_per_second: float = 7
    aws_region: str

    def agora(self) -> AgoraClient:
        """Return Agora's client, paced by the limiter's row."""
        return _agora(self)


class StorageSettings(AgoraSettings, frozen=True, kw_only=True):
    """The further settings of a room that gives storage credentials to Agora."""

    bucket_name: str
    storage_secret_id: str
    storage_credentials: Literal["keys", "temporary"] = "keys"
    storage_sse: str = ""
    storage_tag: str = ""
    partition: str = "aws"

    def storage(self) -> Storage:
        """Return the object that makes storageConfigs."""
        from agora_recording.agora.storage import Storage  # noqa: PLC0415 - not for rooms without it

        return Storage(
            bucket=self.bucket_name,
            aws_region=self.aws_region,
            secret_id=self.storage_secret_id,
            credentials=self.storage_credentials,
            partition=self.partition,
            sse=self.storage_sse,
            tag=self.storage_tag,
        )


@cache
def _agora(settings: AgoraSettings) -> AgoraClient:
    # Imported here: requests costs 20 ms, and most rooms never call Agora.
    from agora_recording.agora.client import AgoraClient  # noqa: PLC0415

    return AgoraClient(
        app_id=settings.agora_app_id,
        secret_id=settings.agora_secret_id,
        base_url=settings.agora_base_url,
        aws_region=settings.aws_region,
        limiter=Limiter(settings.table_name, calls_per_second=settings.agora_calls_per_second),
    )

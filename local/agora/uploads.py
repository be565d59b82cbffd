"""Uploading: real objects into a real bucket, with the credentials that `start` carried."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from .clock import Scheduler

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

S3_REGIONS = {
    0: "us-east-1",
    1: "us-east-2",
    2: "us-west-1",
    3: "us-west-2",
    4: "eu-west-1",
    5: "eu-west-2",
    6: "eu-west-3",
    7: "eu-central-1",
    8: "ap-southeast-1",
    9: "ap-southeast-2",
    10: "ap-northeast-1",
    11: "ap-northeast-2",
    12: "sa-east-1",
    13: "ca-central-1",
    14: "ap-south-1",
    15: "cn-north-1",
    16: "cn-northwest-1",
    17: "us-gov-west-1",
    18: "af-south-1",
    19: "ap-east-1",
    20: "ap-northeast-3",
    21: "eu-north-1",
    22: "me-south-1",
    23: "us-gov-east-1",
    24: "ap-southeast-3",
    25: "eu-south-1",
    28: "il-central-1",
}
"""`storageConfig.region` of Amazon S3. Source: Agora third-party storage regions, old and new."""


class UploadError(Exception):
    """The bucket did not take a file."""


@dataclass(frozen=True)
class Storage:
    """A recording's storageConfig, as far as uploading needs it."""

    region: str
    bucket: str
    access_key: str
    secret_key: str
    token: str | None
    expires_ms: int | None
    endpoint_url: str | None
    extra: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, config: dict[str, Any], endpoint_url: str | None) -> Storage:
        """Return the storage of a validated storageConfig, reached at `endpoint_url` if given."""
        params = config.get("extensionParams") or {}
        extra: list[tuple[str, str]] = []
        if sse := params.get("sse"):
            extra.append(("ServerSideEncryption", "aws:kms" if sse == "kms" else "AES256"))
        if tag := params.get("tag"):
            extra.append(("Tagging", tag if "=" in tag else f"{tag}="))
        endpoint = params.get("endpoint")
        if endpoint and "://" not in endpoint:
            endpoint = f"https://{endpoint}"
        return cls(
            region=S3_REGIONS.get(config["region"], "us-east-1"),
            bucket=config["bucket"],
            access_key=config["accessKey"],
            secret_key=config["secretKey"],
            token=config.get("stsToken") or None,
            expires_ms=config["stsExpiration"] * 1000 if config.get("stsExpiration") else None,
            endpoint_url=endpoint_url or endpoint,
            extra=tuple(extra),
        )

    def put(self, key: str, data: bytes) -> None:
        """Write one object. Raises UploadError, whatever the cause."""
        try:
            client = _client(
                self.region, self.endpoint_url, self.access_key, self.secret_key, self.token
            )
            client.put_object(Bucket=self.bucket, Key=key, Body=data, **dict(self.extra))  # type: ignore[arg-type]
        except Exception as error:  # botocore's errors share no base with urllib3's
            raise UploadError(f"{type(error).__name__}: {error}") from error


_making = threading.Lock()


@cache
def _session() -> Any:
    import boto3  # noqa: PLC0415  slow to import: only the first upload waits for it

    return boto3.session.Session()


def warm_up() -> None:
    """Import boto3 and read its service model, so that the first upload does not wait for them."""
    _client("us-east-1", "http://127.0.0.1:9", "warm", "up", None)


def _client(
    region: str, endpoint_url: str | None, access_key: str, secret_key: str, token: str | None
) -> S3Client:
    with _making:  # sessions are not thread-safe, clients are
        return _kept_client(region, endpoint_url, access_key, secret_key, token)


@lru_cache(64)
def _kept_client(
    region: str, endpoint_url: str | None, access_key: str, secret_key: str, token: str | None
) -> S3Client:
    from botocore.config import Config  # noqa: PLC0415

    client: S3Client = _session().client(
        "s3",
        region_name=region,
        endpoint_url=endpoint_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=token,
        config=Config(
            connect_timeout=2,
            read_timeout=10,
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path"} if endpoint_url else {},
            request_checksum_calculation="when_required",
        ),
    )
    return client


@dataclass
class Upload:
    """One file to write: made when its turn comes; `done` gets the result."""

    storage: Storage
    key: str
    make: Callable[[], bytes]
    done: Callable[[int, str | None], None]
    """Called on the scheduler's thread with the instant and, when it failed, the reason."""


class Queue:
    """One recording's files, in order: a playlist never overtakes its slices."""

    def __init__(self, uploader: Uploader) -> None:
        self._uploader = uploader
        self._waiting: deque[Upload] = deque()
        self._running = False

    def put(self, upload: Upload) -> None:
        """Add a file. Call with the simulator's lock held."""
        self._waiting.append(upload)
        self._uploader.pending += 1
        if not self._running:
            self._running = True
            self._uploader.submit(self._next)

    def drop(self) -> int:
        """Forget the files whose upload has not begun (their server is gone); return how many."""
        dropped = len(self._waiting)
        self._uploader.pending -= dropped
        self._waiting.clear()
        return dropped

    def _next(self) -> None:
        with self._uploader.lock:
            if not self._waiting:
                self._running = False
                return
            upload = self._waiting.popleft()
        reason = None
        try:
            upload.storage.put(upload.key, upload.make())
        except UploadError as error:
            reason = str(error)
        except Exception as error:  # a bug in one upload must not stop the queue
            self._uploader.scheduler.failures.append(error)
            reason = str(error)
        with self._uploader.lock:
            self._uploader.pending -= 1
            self._uploader.scheduler.soon(lambda now_ms: upload.done(now_ms, reason))
            self._uploader.submit(self._next)


class Uploader:
    """The threads that upload, for all recordings."""

    def __init__(self, scheduler: Scheduler, lock: threading.RLock) -> None:
        self.scheduler = scheduler
        self.lock = lock
        self.pending = 0
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="agora-upload")
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether files wait or are under way."""
        return self.pending > 0

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` on one of the threads, unless the simulator is ending."""
        if not self._closed:
            self._pool.submit(job)

    def warm_up(self) -> None:
        """Load what the first upload needs, in the background."""
        self.submit(warm_up)

    def close(self) -> None:
        """Wait for the uploads under way, drop the others."""
        with self.lock:
            self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

"""The files of a recording, to play or to download.

For a published recording they are read from its manifest; otherwise the bucket is verified now.
Both give the same documents, so the code after them does not distinguish the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from agora_recording.api.paging import read_number
from agora_recording.aws import clients
from agora_recording.aws.signing import MAX_EXPIRES_S, Keys, Sign, bucket_url, signer
from agora_recording.clock import now_ms
from agora_recording.errors import MediaNotFoundError, RecordingStateError
from agora_recording.files import manifest
from agora_recording.files.allowance import MAX_DOCUMENT_BYTES
from agora_recording.files.bucket import read_object, read_pieces
from agora_recording.files.catalogue import Catalogue
from agora_recording.files.documents import documents
from agora_recording.files.verifier import Verifier
from agora_recording.life.store import RecordingStore
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import Recording
from agora_recording.recording.view import public

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

DEFAULT_EXPIRES_S = 900


def read_expires_s(parameters: Mapping[str, str]) -> int:
    """Return the seconds for which the addresses are valid. Raises RequestInvalidError."""
    return read_number("expires", parameters, DEFAULT_EXPIRES_S, 1, MAX_EXPIRES_S)


class Media(msgspec.Struct, kw_only=True):
    """Finds the files of a recording, and signs addresses for them."""

    store: RecordingStore
    verifier: Verifier
    bucket: str
    s3: S3Client | None = None
    keys: Callable[[], Keys] = clients.keys
    now_ms: Callable[[], int] = now_ms

    @property
    def client(self) -> S3Client:
        """The bucket's client."""
        return self.s3 or clients.s3()

    def recording(self, recording_id: str) -> Recording:
        """Return the row. Raises RecordingNotFoundError; RecordingStateError: being deleted."""
        check_recording_id(recording_id)
        recording = self.store.get(recording_id)
        if recording.deleting_ms:
            raise RecordingStateError("This recording is being deleted.")
        return recording

    def published(self, recording: Recording) -> Catalogue | None:
        """Return the files as the manifest lists them; None if there is none to believe.

        It may be deleted already, when its retention is over, or be somebody else's.
        """
        if recording.upload.manifest:
            with suppress(MediaNotFoundError, msgspec.DecodeError):
                written = manifest.decode(self.read(recording.upload.manifest), recording.prefix)
                return Catalogue(written, self.read, is_published=True)
        return None

    def catalogue(self, recording: Recording) -> Catalogue:
        """Return the published files, or those that are in the bucket now."""
        if published := self.published(recording):
            return published
        verdict = self.verifier.verify(recording)
        built = dict(documents(verdict, public(recording)))
        written = manifest.decode(built[recording.prefix + manifest.FILE], recording.prefix)
        return Catalogue(written, built.__getitem__, is_published=False)

    def read(self, key: str) -> bytes:
        """Return a manifest, or a part of one. Raises MediaNotFoundError."""
        client = self.client
        try:
            return read_object(client, self.bucket, key, MAX_DOCUMENT_BYTES)
        except client.exceptions.NoSuchKey:
            raise _gone(key) from None

    def pieces(self, recording: Recording, key: str) -> Iterator[bytes]:
        """Yield an index of the recording in pieces. Raises MediaNotFoundError."""
        client = self.client
        check_key(recording, key)
        try:
            yield from read_pieces(client, self.bucket, key)
        except client.exceptions.NoSuchKey:
            raise _gone(key) from None

    def signer(self, recording: Recording, expires_s: int) -> Sign:
        """Return a function that signs addresses, which expire after `expires_s` seconds.

        That function raises MediaNotFoundError for a key that is not under the recording's prefix,
        wherever that key came from.
        """
        meta = self.client.meta
        where = bucket_url(meta.endpoint_url, self.bucket)
        sign = signer(where, meta.region_name, self.keys(), self.now_ms(), expires_s)

        def sign_own(key: str, content_type: str, save_as: str = "") -> str:
            check_key(recording, key)
            return sign(key, content_type, save_as)

        return sign_own


def check_key(recording: Recording, key: str) -> None:
    """Raise MediaNotFoundError unless a key is under the recording's prefix.

    Clients shorten `..` in an address: so a key with such a part counts as one outside.
    """
    inside = key.startswith(recording.prefix) and not {".", ".."}.intersection(key.split("/"))
    if not inside:
        raise MediaNotFoundError(f"{key} does not belong to recording {recording.recording_id}.")


def _gone(key: str) -> MediaNotFoundError:
    return MediaNotFoundError(f"{key} is not in the bucket any more.")

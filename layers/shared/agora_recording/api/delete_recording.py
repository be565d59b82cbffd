"""Deletes an ended recording: every version of its files, then its other rows, its row last.

The row says that the deletion has begun. So a repeated request continues where the one before it
ran out of time, and no file is left without the recording's row. A look at late files that was
under way then is waited for, and none begins later; notes are written only together with the row.
So nothing of the recording is written once it is gone. Four things stay: the Idempotency-Key that
made it (a hash, for a week); of each session, that it was deleted (its sid, for 30 days); the
execution's history in Step Functions; and unfinished uploads (the bucket's lifecycle ends them).
What Agora sends only afterwards is stored, and expires, as every notification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from agora_recording.aws import clients
from agora_recording.clock import iso, now_ms
from agora_recording.errors import (
    RecordingNotFoundError,
    RecordingStateError,
    StoreUnavailableError,
)
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore
from agora_recording.recording.adopting import unaccounted
from agora_recording.recording.due import expiry_ms
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_RESERVE_MS = 5000  # for one more step and the answer
_TRIES = 8


class Deletion(NamedTuple):
    """The state of a deletion: the row as it was, and whether everything is gone."""

    recording: Recording
    is_done: bool


def may_be_deleted(recording: Recording, now_ms: int, timings: Timings) -> None:
    """Raise RecordingStateError if a session may still write files of the recording.

    That is its current session, an earlier session that was given up and not stopped yet, or one of
    which nobody knows whether it was started.
    """
    if not recording.is_terminal:
        raise RecordingStateError(
            "Only a recording that has ended can be deleted; the status of this one is "
            f"{recording.status}. Stop it first."
        )
    if recording.orphans:
        raise RecordingStateError(
            "An earlier session of this recording is still being stopped; try again later."
        )
    attempt = unaccounted(recording, now_ms, timings)
    if attempt:
        raise RecordingStateError(
            f"Agora has not said whether it started attempt {attempt.number}, so a session of this "
            "recording may still run. Try again after "
            f"{iso(expiry_ms(recording, attempt, timings))}, when it can run no longer; it may be "
            "sooner, if Agora reports the session and it is stopped."
        )


class Deleter(msgspec.Struct, kw_only=True):
    """Deletes recordings."""

    store: RecordingStore
    sessions: SessionStore
    bucket: str
    timings: Timings
    s3: S3Client | None = None
    now_ms: Callable[[], int] = now_ms

    def delete(self, recording_id: str, remaining_ms: Callable[[], int]) -> Deletion:
        """Delete a recording, or as much of it as the room's `remaining_ms` allow.

        Nothing yet while late files are looked at. Raises RecordingNotFoundError, also when it is
        gone already; RecordingStateError; StoreUnavailableError when S3 kept an object.
        """
        check_recording_id(recording_id)
        now = self.now_ms()

        def begin(row: Recording) -> Recording:
            may_be_deleted(row, now, self.timings)
            return row if row.deleting_ms else replace(row, deleting_ms=now)

        recording = self.store.amend(recording_id, begin)
        # Whoever takes this lease from now on finds that the recording is being deleted.
        if self.store.late_lease(recording_id, self.now_ms).is_taken():
            return Deletion(recording, False)
        for step in self._steps(recording):
            if remaining_ms() < _RESERVE_MS:
                return Deletion(recording, False)
            step()
        return Deletion(recording, True)

    def _steps(self, recording: Recording) -> Iterator[Callable[[], object]]:
        """Yield the steps, each a second or two at most; the last one deletes the row."""
        for batch in self._versions(recording.prefix):
            yield partial(self._delete_objects, batch)
        for sid in recording.sids:
            yield partial(self.sessions.bury, sid, self.now_ms())
        for keys in self.store.rows_of(recording):
            yield partial(self.store.delete_rows, keys)
        # Once more: late files may have come meanwhile.
        for batch in self._versions(recording.prefix):
            yield partial(self._delete_objects, batch)
        yield partial(self._delete_last, recording.recording_id)

    def _delete_last(self, recording_id: str) -> None:
        """Delete the row, after all notes that were written with it."""
        for _ in range(_TRIES):
            try:
                recording = self.store.get(recording_id)
            except RecordingNotFoundError:
                return  # another request was faster
            for keys in self.store.timeline_of(recording):
                self.store.delete_rows(keys)
            if self.store.delete(recording):
                return
        raise StoreUnavailableError("The recording is still written to; send the request again.")

    def _versions(self, prefix: str) -> Iterator[list[ObjectIdentifierTypeDef]]:
        """Yield every version and delete marker under a prefix, up to 1000 at once."""
        client = self.s3 or clients.s3()
        pages = client.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=prefix
        )
        for page in pages:
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            if found:
                yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]

    def _delete_objects(self, batch: list[ObjectIdentifierTypeDef]) -> None:
        client = self.s3 or clients.s3()
        answer = client.delete_objects(Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True})
        errors = answer.get("Errors", [])
        if errors:
            raise StoreUnavailableError(
                f"{len(errors)} files could not be deleted, the first with "
                f"{errors[0].get('Code')}; send the request again."
            )

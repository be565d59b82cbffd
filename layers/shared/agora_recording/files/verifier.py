"""Verifies a recording: compares the bucket, as it is now, with what it should hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from agora_recording.aws import clients
from agora_recording.clock import now_ms
from agora_recording.files.bucket import list_objects, read_pieces
from agora_recording.files.expectation import expectation
from agora_recording.files.judge import verify
from agora_recording.files.verdict import Verdict
from agora_recording.life.sessions import SessionStore
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Verifier(msgspec.Struct, kw_only=True):
    """Lists the bucket, reads the final indexes, and changes nothing."""

    sessions: SessionStore
    bucket: str
    timings: Timings
    s3: S3Client | None = None
    now_ms: Callable[[], int] = now_ms

    def verify(self, recording: Recording) -> Verdict:
        """Return what the bucket holds of a recording, compared with what it should hold.

        It costs a listing of the prefix, a read of each final index and of each session's row.
        Errors of S3 and of the table are passed on.
        """
        client = self.s3 or clients.s3()
        facts = {sid: self.sessions.get(sid).facts for sid in recording.sids}
        return verify(
            list_objects(client, self.bucket, recording.prefix),
            lambda key: read_pieces(client, self.bucket, key),
            expectation(recording, facts, self.timings),
            self.now_ms(),
        )

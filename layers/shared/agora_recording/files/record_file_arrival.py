"""Handles files that arrive in the bucket: awaited files, late files, signs of life.

S3 tells EventBridge of each new object. A rule selects those that may matter, by the ends of their
names (template.yaml), and a queue collects them. The same queue gets all other requests to look:
from "Await upload" itself, from notifications that report uploads, and from the sweeper. There are
too many slices for a message each, and any message may be lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from agora_recording.callbacks.message import digest
from agora_recording.clock import from_iso, iso, now_ms
from agora_recording.errors import RecordingBusyError, RecordingNotFoundError
from agora_recording.files import manifest, names
from agora_recording.files.await_upload import UploadWatcher
from agora_recording.files.conclusion import KINDS
from agora_recording.files.publish_recording import RecordingPublisher
from agora_recording.life.callbacks import Teller, row_of
from agora_recording.life.store import Note, RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.ids import is_recording_id
from agora_recording.recording.model import RANK, Recording, seen
from agora_recording.recording.timings import Timings

_WORDS = {"mp4": "An MP4 file", "audio": "An audio file", "playlist": "A playlist"}
LEASE_S = 120  # as long as the room may run: its holder is alive, or the lease has expired


class _Object(msgspec.Struct):
    key: str
    size: int = 0
    etag: str = ""


class _Detail(msgspec.Struct):
    object: _Object


class _Message(msgspec.Struct, rename="camel"):
    recording_id: str = ""
    detail: _Detail | None = None
    time: str = ""


class Arrival(NamedTuple):
    """A file of a recording and when it came (epoch ms); without a `name`, a request to look.

    `key_prefix` is what its key has before `recordings/`.
    """

    recording_id: str
    name: str = ""
    at_ms: int = 0
    size: int = 0  # bytes
    etag: str = ""
    key_prefix: str = ""


def read(body: str) -> Arrival | None:
    """Decode a message: an S3 event "Object Created", or a request to look again.

    None for any other message, and for the files that this bundle writes itself.
    """
    try:
        message = msgspec.json.decode(body, type=_Message)
        if message.detail is None:
            arrival = Arrival(message.recording_id)
        else:
            # EventBridge does not escape keys, unlike S3's own notifications.
            file = message.detail.object
            *before, top, recording_id, name = file.key.split("/")
            if top != "recordings" or name in ("", manifest.FILE):
                return None
            at_ms = from_iso(message.time)
            arrival = Arrival(
                recording_id,
                name,
                at_ms,
                file.size,
                file.etag,
                key_prefix="".join(f"{each}/" for each in before),
            )
    except (msgspec.DecodeError, ValueError):
        return None
    return arrival if is_recording_id(arrival.recording_id) else None


def sign_of_life(recording: Recording, arrivals: Iterable[Arrival], timings: Timings) -> int | None:
    """Return when the current session last wrote its playlist; None if it is no new sign. Pure.

    It is none while the last sign is recent (each would cost a write), nor while a 404 is being
    confirmed: the uploader may live longer than its recorder, so a query decides.
    """
    if recording.status != "recording" or recording.gone_ms or recording.session_end:
        return None
    latest = max(
        (each.at_ms for each in arrivals if _is_playlist_of(each.name, recording)), default=0
    )
    age_ms = latest - (recording.last_seen_ms or 0)
    return latest if age_ms > timings.silence_s * 1000 / 2 else None


def _is_playlist_of(name: str, recording: Recording) -> bool:
    parsed = names.parse(name, recording.cname, recording.sids)
    return parsed is not None and parsed.kind == "playlist" and parsed.sid == recording.sid


def note_of(recording: Recording, arrival: Arrival) -> Note | None:
    """Return the line that an arrival adds to the timeline. Pure.

    None while it is recording, when playlists are written again every 15 s; for files that are not
    Agora's; and while it is being deleted.
    """
    if RANK[recording.status] < RANK["uploading"] or recording.deleting_ms or not arrival.name:
        return None
    parsed = names.parse(arrival.name, recording.cname, recording.sids)
    if parsed is None or parsed.sid not in recording.sids:
        return None
    words = f"{_WORDS.get(parsed.kind, 'A file')} arrived in the bucket: {arrival.name}."
    data = {"name": arrival.name, "size": arrival.size, "etag": arrival.etag}
    return Note(arrival.at_ms, "file", words, data)


class Taken(NamedTuple):
    """Ids of the messages that must be delivered again, and the counted results of the others."""

    failed: list[str]
    done: Counter[str]


class Arrivals(msgspec.Struct, kw_only=True):
    """Handles the messages of the queue."""

    store: RecordingStore
    uploads: UploadWatcher
    publisher: RecordingPublisher
    teller: Teller
    timings: Timings
    now_ms: Callable[[], int] = now_ms

    def take(self, records: Sequence[Mapping[str, Any]]) -> Taken:
        """Act on records of an SQS batch. Raises nothing.

        Each recording is looked at once, even if several of its files are in the batch.
        """
        batch: dict[str, list[tuple[str, Arrival]]] = {}
        for record in records:
            arrival = read(record["body"])
            if arrival:
                told = batch.setdefault(arrival.recording_id, [])
                told.append((record["messageId"], arrival))
        taken = Taken([], Counter())
        for recording_id, told in batch.items():
            try:
                taken.done[self.act(recording_id, [each for _, each in told])] += 1
            except Exception as error:  # one recording must not keep the others waiting
                logger.exception(
                    "arrival not acted on", recordingId=recording_id, reason=type(error).__name__
                )
                taken.failed.extend(message_id for message_id, _ in told)
        return taken

    def act(self, recording_id: str, arrivals: Sequence[Arrival]) -> str:
        """Handle the arrivals of one recording; return in one word what was done.

        Raises RecordingBusyError while another run looks at it.
        """
        try:
            recording = self.store.get(recording_id)
        except RecordingNotFoundError:
            return "Unknown"  # deleted, or never ours
        # A copy elsewhere in the bucket is not the recording's.
        arrivals = [
            each for each in arrivals if not each.name or each.key_prefix == recording.key_prefix
        ]
        if not arrivals:
            return "Ignored"
        for arrival in arrivals:
            if note := note_of(recording, arrival):
                self._note(recording, arrival, note)
        if recording.status == "uploading":
            return f"Verdict{self.uploads.look(recording_id).capitalize()}"
        if recording.awaits_late_files:
            return self._look_again(recording)
        at_ms = sign_of_life(recording, arrivals, self.timings)
        if at_ms is None:
            return "Ignored"
        self.store.amend(
            recording_id,
            lambda row: seen(row, at_ms) if sign_of_life(row, arrivals, self.timings) else row,
        )
        return "SignOfLife"

    def _note(self, recording: Recording, arrival: Arrival, note: Note) -> None:
        """Note a file that arrived, and tell the app of it."""
        parsed = names.parse(arrival.name, recording.cname, recording.sids)
        kind = KINDS.get(parsed.kind if parsed else "", "other")
        messages = self.teller.messages(
            recording,
            "recording.file_arrived",
            self.now_ms(),
            step=f"file-{digest(arrival.name + arrival.etag)}",
            kinds=[kind],
            file={
                "name": arrival.name,
                "kind": kind,
                "bytes": arrival.size,
                "arrivedAt": iso(arrival.at_ms),
            },
        )
        rows = [row_of(each) for each in messages]
        if self.store.note_file(recording.recording_id, arrival.name, note, rows):
            self.teller.ask(messages)

    def _look_again(self, recording: Recording) -> str:
        recording_id = recording.recording_id
        lease = self.store.late_lease(recording_id, self.now_ms)
        if lease.take(LEASE_S) is None:
            raise RecordingBusyError(f"Another run is looking at recording {recording_id}.")
        try:
            after = self.publisher.look_again(recording_id)
        finally:
            lease.release()
        if after.status == "completed":
            return "Completed"
        if after.overdue_ms and not recording.overdue_ms:
            return "Overdue"
        if after.status == "failed":
            return "StillFailed"
        return "GivenUp" if self.now_ms() >= (recording.late_until_ms or 0) else "StillIncomplete"

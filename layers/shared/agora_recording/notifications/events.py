"""Agora's events, each decoded into the fields that its document names ("Agora callbacks").

One class an event: its `event_type`, its `msg_name`, and its fields, which are read by their types.
Decoding never fails: a field that is missing or makes no sense is None, an undocumented event type
is an UnknownEvent with its details. Names of fields are Agora's; their case never matters, because
sources spell some differently (`UtcMs`/`utcMs`, `fileName`/`filename`). Everything that may be
secret is removed from free text and addresses: a CDN address holds the stream key, and a page's
address may hold secrets in its query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec

from agora_recording import foreign
from agora_recording.hiding import address_name, public, without_addresses, without_secrets
from agora_recording.notifications.envelope import Notification, from_row, shown_by

_LONGEST_TEXT = 1024  # characters
_LONGEST_KEY = 1024  # bytes: no object of S3 has a longer one

Instant = Annotated[int, "epoch milliseconds"]
"""An instant in epoch milliseconds, whatever unit was sent."""

Words = Annotated[str, "for people"]
"""Free text of Agora's, which may repeat anything."""

Track = Literal["audio", "video"]


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a list."""

    fileName: str
    trackType: str | None = None
    uid: str | None = None
    mixedAllUser: bool | None = None
    isPlayable: bool | None = None
    sliceStartTime: Instant | None = None


# --- reading ------------------------------------------------------------------------------------


class Fields(foreign.Fields):
    """The fields of an event's details: texts without secrets, and lists of files."""

    __slots__ = ()

    def text(self, name: str) -> str | None:
        """Return text of at most 1,024 characters, with each address cut after its host."""
        text = super().text(name)
        return without_addresses(text)[:_LONGEST_TEXT] if text else None

    def words(self, name: str) -> str | None:
        """Return words for people: as `text`, and without what looks like a secret."""
        text = super().text(name)
        return without_secrets(text)[:_LONGEST_TEXT] if text else None

    def objects(self, name: str) -> list[Self]:
        """Return the objects of a list."""
        return [type(self)(each) for each in self.items(name) if isinstance(each, dict)]

    def files(self, name: str) -> tuple[File, ...]:
        """Return the files of a list of files or names, or of one name: Agora sends all three."""
        return tuple(file for each in self.items(name) if (file := _file(each)))


def _file(entry: object) -> File | None:
    fields = Fields(entry if isinstance(entry, dict) else {"fileName": entry})
    name = fields.value("fileName")
    if not isinstance(name, str) or not 0 < len(name.encode()) <= _LONGEST_KEY:
        return None
    return File(
        fileName=without_addresses(name),
        trackType=fields.text("trackType"),
        uid=fields.text("uid"),
        mixedAllUser=fields.truth("mixedAllUser"),
        isPlayable=fields.truth("isPlayable"),
        sliceStartTime=fields.instant_ms("sliceStartTime"),
    )


_READERS: dict[Any, Callable[[Fields, str], Any]] = {
    int | None: Fields.whole,
    Instant | None: Fields.instant_ms,
    bool | None: Fields.truth,
    str | None: Fields.text,
    Words | None: Fields.words,
    tuple[File, ...]: Fields.files,
}


@cache
def _readers(kind: type[Details]) -> tuple[tuple[str, Any], ...]:
    """Return the reader of each field; None for a field that its own class reads."""
    return tuple((each.name, _READERS.get(each.type)) for each in msgspec.structs.fields(kind))


# --- the events ---------------------------------------------------------------------------------


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the events' details.

    `event_type` is Agora's eventType, `msg_name` its msgName; None in a class that is not an event
    itself.
    """

    event_type: ClassVar[int | None] = None
    msg_name: ClassVar[str | None] = None

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return the decoded details of an event of this class."""
        return cls._read(fields)

    @classmethod
    def _read(cls, fields: Fields, **known: Any) -> Self:
        told = {name: read(fields, name) for name, read in _readers(cls) if name not in known}
        return cls(**known, **told)


class CloudRecordingError(Details, frozen=True, kw_only=True):
    """An error. Level 5 is fatal and may have ended the recording: query."""

    event_type, msg_name = 1, "cloud_recording_error"

    module: int | None = None
    errorLevel: int | None = None
    errorCode: int | None = None
    stat: int | None = None
    errorMsg: Words | None = None


class CloudRecordingWarning(Details, frozen=True, kw_only=True):
    """A warning of the recorder (module 0) or the uploader (1)."""

    event_type, msg_name = 2, "cloud_recording_warning"

    module: int | None = None
    warnCode: int | None = None


class CloudRecordingStatusUpdate(Details, frozen=True, kw_only=True):
    """A call did not fit the service's status, which the event gives (0-8, 20).

    `recordingMode` is decoded but not used: its two sources contradict each other.
    """

    event_type, msg_name = 3, "cloud_recording_status_update"

    status: int | None = None
    recordingMode: int | None = None
    fileList: tuple[File, ...] = ()


class CloudRecordingFileInfos(Details, frozen=True, kw_only=True):
    """The first M3U8 is made and uploaded."""

    event_type, msg_name = 4, "cloud_recording_file_infos"

    fileList: tuple[File, ...] = ()


class SessionExit(Details, frozen=True, kw_only=True):
    """The service is over; exitStatus 0 normal, 1 abnormal."""

    event_type, msg_name = 11, "session_exit"

    exitStatus: int | None = None


class SessionFailover(Details, frozen=True, kw_only=True):
    """Another server goes on, within 90 s, under a new uid."""

    event_type, msg_name = 12, "session_failover"

    newUid: str | None = None


class HighAvailabilityRegistered(Details, frozen=True, kw_only=True):
    """Failover is ready. Named only by "Agora best practices"; no fields are published.

    Its `msg_name` is ours.
    """

    event_type, msg_name = 13, "high_availability_registered"


class UploaderStarted(Details, frozen=True, kw_only=True):
    """The uploader started; status 0 is good."""

    event_type, msg_name = 30, "uploader_started"

    status: int | None = None


class Uploaded(Details, frozen=True, kw_only=True):
    """Every file is in the bucket; status 0 is good. No list in web mode."""

    event_type, msg_name = 31, "uploaded"

    status: int | None = None
    fileList: tuple[File, ...] = ()


class Backuped(Details, frozen=True, kw_only=True):
    """Every file is uploaded, at least one of them to Agora's backup."""

    event_type, msg_name = 32, "backuped"

    status: int | None = None
    fileList: tuple[File, ...] = ()


class UploadingProgress(Details, frozen=True, kw_only=True):
    """Uploaded files divided by recorded files, times 10,000; every minute."""

    event_type, msg_name = 33, "uploading_progress"

    progress: int | None = None


class StorageTokenExpired(Details, frozen=True, kw_only=True):
    """The temporary credentials of the storage have expired: nothing is uploaded with them.

    Seen in logs of 2025 and later; not in the documents. Its `msg_name` is ours.
    """

    event_type, msg_name = 34, "storage_token_expired"


class RecorderStarted(Details, frozen=True, kw_only=True):
    """The recorder started; status 0 is good."""

    event_type, msg_name = 40, "recorder_started"

    status: int | None = None


class RecorderLeave(Details, frozen=True, kw_only=True):
    """The recorder left the channel; leaveCode is a bit mask, 0 a failed initialisation."""

    event_type, msg_name = 41, "recorder_leave"

    leaveCode: int | None = None


class RecorderSliceStart(Details, frozen=True, kw_only=True):
    """Slices start at startUtcMs; after an interruption, the ones before ended earlier."""

    event_type, msg_name = 42, "recorder_slice_start"

    startUtcMs: Instant | None = None
    discontinueUtcMs: Instant | None = None
    mixedAllUser: bool | None = None
    streamUid: str | None = None
    trackType: str | None = None


class RecorderStreamStateChanged(Details, frozen=True, kw_only=True):
    """Base of the two events about streams: state 0 the stream is received, 1 it is not."""

    track: Track
    streamUid: str | None = None
    state: int | None = None
    UtcMs: Instant | None = None


class RecorderAudioStreamStateChanged(RecorderStreamStateChanged, frozen=True, kw_only=True):
    """An audio stream begins or ends; `track` is audio."""

    event_type, msg_name = 43, "recorder_audio_stream_state_changed"

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return the state of an audio stream."""
        return cls._read(fields, track="audio")


class RecorderVideoStreamStateChanged(RecorderStreamStateChanged, frozen=True, kw_only=True):
    """A video stream begins or ends; `track` is video."""

    event_type, msg_name = 44, "recorder_video_stream_state_changed"

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return the state of a video stream."""
        return cls._read(fields, track="video")


class RecorderSnapshotFile(Details, frozen=True, kw_only=True):
    """A screenshot is in the bucket; fileName begins with its prefix."""

    event_type, msg_name = 45, "recorder_snapshot_file"

    fileName: str | None = None


class VodStarted(Details, frozen=True, kw_only=True):
    """The uploader for ApsaraVideo has its credential."""

    event_type, msg_name = 60, "vod_started"

    videoId: str | None = None

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return the video that the credential is for."""
        return cls._read(fields, videoId=fields.fields("aliVodInfo").text("videoId"))


class VodTriggered(Details, frozen=True, kw_only=True):
    """Every file is at ApsaraVideo."""

    event_type, msg_name = 61, "vod_triggered"


class WebRecorderStarted(Details, frozen=True, kw_only=True):
    """Web page recording started; `pageLoadSuccessTime` only if `readyTimeout` was requested."""

    event_type, msg_name = 70, "web_recorder_started"

    recorderStartTime: Instant | None = None
    pageLoadSuccessTime: Instant | None = None


class WebRecorderStopped(Details, frozen=True, kw_only=True):
    """Web page recording stopped; code 0: by the user; 1-6: for the reason in `message`."""

    event_type, msg_name = 71, "web_recorder_stopped"

    code: int | None = None
    message: Words | None = None
    details: Words | None = None
    fileList: tuple[File, ...] = ()


class WebRecorderCapabilityLimit(Details, frozen=True, kw_only=True):
    """The page uses a feature that cannot be recorded; the recording stops at once."""

    event_type, msg_name = 72, "web_recorder_capability_limit"

    limitType: Words | None = None


class WebRecorderReload(Details, frozen=True, kw_only=True):
    """The page was loaded again."""

    event_type, msg_name = 73, "web_recorder_reload"

    reason: Words | None = None


class TranscoderStarted(Details, frozen=True, kw_only=True):
    """Transcoding started."""

    event_type, msg_name = 80, "transcoder_started"


class Transcoded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What transcoding made for one uid."""

    uid: str | None = None
    result: str | None = None
    fileList: tuple[File, ...] = ()


class TranscoderCompleted(Details, frozen=True, kw_only=True):
    """all_success, partial_success or fail, and the MP4 of each uid."""

    event_type, msg_name = 81, "transcoder_completed"

    result: str | None = None
    uids: tuple[Transcoded, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what was made; the document can be read as a flat object, too."""
        made = [(each, each.text("result")) for each in fields.objects("uids")]
        if not made and fields.files("fileList"):
            made = [(fields, None)]
        uids = (
            Transcoded(uid=each.text("uid"), result=result, fileList=each.files("fileList"))
            for each, result in made
        )
        return cls._read(fields, uids=tuple(uids))


class DownloadFailed(Details, frozen=True, kw_only=True):
    """Recorded files could not be read back for transcoding."""

    event_type, msg_name = 90, "download_failed"

    vendor: int | None = None
    region: int | None = None
    bucket: str | None = None
    fileNames: tuple[str, ...] = ()

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return what could not be read: the names come in one text, with semicolons."""
        names = fields.value("fileName")
        parts = names.split(";") if isinstance(names, str) else []
        return cls._read(fields, fileNames=tuple(part.strip() for part in parts if part.strip()))


class RtmpPublishStatus(Details, frozen=True, kw_only=True):
    """A CDN output is connecting, publishing, onhold or disconnected.

    `target` is the host and eight digits of the address's SHA-256: this distinguishes two outputs,
    and shows nothing of the stream key.
    """

    event_type, msg_name = 100, "rtmp_publish_status"

    target: str | None = None
    status: Words | None = None

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Return an output's status: declared a number, documented as words."""
        url = fields.value("rtmpUrl")
        target = address_name(url) if isinstance(url, str) and url else None
        return cls._read(fields, target=target)


class PostponeTranscodeFinalResult(Details, frozen=True, kw_only=True):
    """total_success, partial_success or failed: the final result of postponed transcoding."""

    event_type, msg_name = 1001, "postpone_transcode_final_result"

    result: str | None = None
    fileList: tuple[File, ...] = ()


class UnknownEvent(Details, frozen=True, kw_only=True):
    """Any other event type, or none; `fields` are the details without what may be secret."""

    msgName: str | None = None
    fields: dict[str, Any] = {}

    @classmethod
    def of(cls, details: dict[str, Any]) -> Self:
        """Return undocumented details, without what may be secret."""
        return cls(msgName=Fields(details).words("msgName"), fields=public(details, shown_by))


def _kinds(base: type[Details]) -> Iterator[tuple[int, type[Details]]]:
    for kind in base.__subclasses__():
        if kind.event_type is not None:
            yield kind.event_type, kind
        yield from _kinds(kind)


KINDS: dict[int | None, type[Details]] = dict(_kinds(Details))
"""Every event of Cloud Recording that has a known meaning, by its eventType."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One decoded notification.

    `is_foreign`: it is about another product of Agora's, so it says nothing about a recording.
    `at_ms` is when it happened by Agora's clock, but never later than we received it: if Agora's
    clock is fast, no event may lie in the future.
    """

    at_ms: int
    received_ms: int
    event_type: int | None
    sid: str | None
    uid: str | None
    cname: str | None
    sequence: int | None
    details: Details
    is_foreign: bool = False


def decode(notification: Notification, received_ms: int) -> Event:
    """Return the event of a notification; never fails.

    The product decides first: the same eventType means something else in another product.
    """
    n = notification
    kind = None if n.is_foreign else KINDS.get(n.eventType)
    happened_ms = n.eventMs or n.notifyMs or received_ms
    return Event(
        at_ms=min(happened_ms, received_ms),
        received_ms=received_ms,
        event_type=n.eventType,
        sid=n.sid,
        uid=n.uid,
        cname=n.cname,
        sequence=n.sequence,
        details=kind.read(Fields(n.details)) if kind else UnknownEvent.of(n.details),
        is_foreign=n.is_foreign,
    )


def from_stored(row: Mapping[str, Any]) -> Event:
    """Return the event of a stored row's plain values (the table's, or its stream's)."""
    return decode(*from_row(row))

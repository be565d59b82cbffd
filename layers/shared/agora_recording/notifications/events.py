"""Agora's events, each decoded into what its own document says of it ("Agora callbacks").

Decoding is total: a field that is missing or makes no sense is None, an event type that nobody
documented is an UnknownEvent with its details. Names of fields are Agora's; where sources spell
one differently (`UtcMs`/`utcMs`, `fileName`/`filename`) both are read, since the case of a name
never matters here. Free text and addresses lose everything that may be secret as they are read: a
CDN address holds the stream key, a page's address its query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from agora_recording.notifications.envelope import Notification, from_row

_URL = re.compile(
    r"([a-z][a-z0-9+.-]{0,20})://(?:[^\s/?#@]*@)?([^\s/?#\"'<>]+)[^\s\"'<>]*", re.IGNORECASE
)
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_SECONDS_END = 100_000_000_000  # below it an instant is in seconds, above in milliseconds
_LONGEST_TEXT = 1024
_DEEPEST = 8


class File(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of a list; `sliceStartTime` in epoch milliseconds, whatever unit was sent."""

    fileName: str
    trackType: str | None = None
    uid: str | None = None
    mixedAllUser: bool | None = None
    isPlayable: bool | None = None
    sliceStartTime: int | None = None


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of what the events carry."""


class CloudRecordingError(Details, frozen=True, kw_only=True):
    """1: an error. Level 5 is fatal and may have ended the recording: query."""

    module: int | None = None
    errorLevel: int | None = None
    errorCode: int | None = None
    stat: int | None = None
    errorMsg: str | None = None


class CloudRecordingWarning(Details, frozen=True, kw_only=True):
    """2: a warning of the recorder (module 0) or the uploader (1)."""

    module: int | None = None
    warnCode: int | None = None


class CloudRecordingStatusUpdate(Details, frozen=True, kw_only=True):
    """3: a call did not fit the service's status, which is told (0-8, 20).

    `recordingMode` is decoded and used for nothing: its two sources contradict each other.
    """

    status: int | None = None
    recordingMode: int | None = None
    fileList: tuple[File, ...] = ()


class CloudRecordingFileInfos(Details, frozen=True, kw_only=True):
    """4: the first M3U8 is made and uploaded."""

    fileList: tuple[File, ...] = ()


class SessionExit(Details, frozen=True, kw_only=True):
    """11: the service is over; exitStatus 0 normal, 1 abnormal."""

    exitStatus: int | None = None


class SessionFailover(Details, frozen=True, kw_only=True):
    """12: another server goes on, within 90 s, under a new uid."""

    newUid: str | None = None


class HighAvailabilityRegistered(Details, frozen=True, kw_only=True):
    """13: failover is armed. Named only by "Agora best practices"; no fields are published."""


class UploaderStarted(Details, frozen=True, kw_only=True):
    """30: the uploader started; status 0 is good."""

    status: int | None = None


class Uploaded(Details, frozen=True, kw_only=True):
    """31: every file is in the bucket; status 0 is good. No list in web mode."""

    status: int | None = None
    fileList: tuple[File, ...] = ()


class Backuped(Details, frozen=True, kw_only=True):
    """32: every file is uploaded, at least one of them to Agora's backup."""

    status: int | None = None
    fileList: tuple[File, ...] = ()


class UploadingProgress(Details, frozen=True, kw_only=True):
    """33: files uploaded / files recorded, of 10,000; each minute."""

    progress: int | None = None


class RecorderStarted(Details, frozen=True, kw_only=True):
    """40: the recorder started; status 0 is good."""

    status: int | None = None


class RecorderLeave(Details, frozen=True, kw_only=True):
    """41: the recorder left the channel; leaveCode is a bit mask, 0 a failed initialisation."""

    leaveCode: int | None = None


class RecorderSliceStart(Details, frozen=True, kw_only=True):
    """42: slices start at startUtcMs; after an interruption, the ones before ended earlier."""

    startUtcMs: int | None = None
    discontinueUtcMs: int | None = None
    mixedAllUser: bool | None = None
    streamUid: str | None = None
    trackType: str | None = None


class RecorderStreamStateChanged(Details, frozen=True, kw_only=True):
    """43 audio, 44 video: state 0 the stream is received, 1 it is not."""

    track: str
    streamUid: str | None = None
    state: int | None = None
    UtcMs: int | None = None


class RecorderSnapshotFile(Details, frozen=True, kw_only=True):
    """45: a screenshot is in the bucket; fileName begins with its prefix."""

    fileName: str | None = None


class VodStarted(Details, frozen=True, kw_only=True):
    """60: the uploader for ApsaraVideo has its credential."""

    videoId: str | None = None


class VodTriggered(Details, frozen=True, kw_only=True):
    """61: every file is at ApsaraVideo."""


class WebRecorderStarted(Details, frozen=True, kw_only=True):
    """70: web page recording started."""

    recorderStartTime: int | None = None


class WebRecorderStopped(Details, frozen=True, kw_only=True):
    """71: web page recording stopped; code 0 by the user, 1-6 for the reason in message."""

    code: int | None = None
    message: str | None = None
    details: str | None = None
    fileList: tuple[File, ...] = ()


class WebRecorderCapabilityLimit(Details, frozen=True, kw_only=True):
    """72: the page uses what cannot be recorded; the recording stops at once."""

    limitType: str | None = None


class WebRecorderReload(Details, frozen=True, kw_only=True):
    """73: the page was loaded anew."""

    reason: str | None = None


class TranscoderStarted(Details, frozen=True, kw_only=True):
    """80: transcoding started."""


class Transcoded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What transcoding made for one uid."""

    uid: str | None = None
    result: str | None = None
    fileList: tuple[File, ...] = ()


class TranscoderCompleted(Details, frozen=True, kw_only=True):
    """81: all_success, partial_success or fail, and the MP4 of each uid."""

    result: str | None = None
    uids: tuple[Transcoded, ...] = ()


class DownloadFailed(Details, frozen=True, kw_only=True):
    """90: recorded files could not be read back for transcoding."""

    vendor: int | None = None
    region: int | None = None
    bucket: str | None = None
    fileNames: tuple[str, ...] = ()


class RtmpPublishStatus(Details, frozen=True, kw_only=True):
    """100: a CDN output is connecting, publishing, onhold or disconnected.

    `target` is the host and eight digits of the address's SHA-256: enough to tell two outputs
    apart, nothing of the stream key.
    """

    target: str | None = None
    status: str | None = None


class PostponeTranscodeFinalResult(Details, frozen=True, kw_only=True):
    """1001: total_success, partial_success or failed: the last word on postponed transcoding."""

    result: str | None = None
    fileList: tuple[File, ...] = ()


class UnknownEvent(Details, frozen=True, kw_only=True):
    """Any other event type, or none; `fields` are the details without what may be secret."""

    msgName: str | None = None
    fields: dict[str, Any] = {}


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One notification, understood.

    `at_ms` is when it happened by Agora's clock, but never after we received it: a clock that
    runs ahead must not make a recording look alive tomorrow.
    """

    at_ms: int
    received_ms: int
    event_type: int | None
    sid: str | None
    uid: str | None
    cname: str | None
    sequence: int | None
    details: Details


def decode(notification: Notification, received_ms: int) -> Event:
    """Return the event of a notification; never fails."""
    n = notification
    happened_ms = n.eventMs or n.notifyMs or received_ms
    return Event(
        at_ms=min(happened_ms, received_ms),
        received_ms=received_ms,
        event_type=n.eventType,
        sid=n.sid,
        uid=n.uid,
        cname=n.cname,
        sequence=n.sequence,
        details=_DETAILS.get(n.eventType, _unknown)(_Fields(n.details)),
    )


def from_stored(row: Mapping[str, Any]) -> Event:
    """Return the event of a stored row's plain values (the table's, or its stream's)."""
    return decode(*from_row(row))


# --- reading ------------------------------------------------------------------------------------


class _Fields:
    """A JSON object read without regard to the case of its names; wrong types are None."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.given = fields
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __call__(self, name: str) -> Any:
        return self._fields.get(name.lower())

    def number(self, name: str) -> int | None:
        value = self(name)
        if isinstance(value, str):
            value = int(value) if _INTEGER.fullmatch(value) else None
        elif isinstance(value, float):
            value = int(value) if value.is_integer() else None
        is_number = type(value) is int and abs(value) < 2**63  # a bool is none
        return value if is_number else None

    def instant(self, name: str) -> int | None:
        value = self.number(name)
        if value is None or value <= 0:
            return None
        ms = value * 1000 if value < _SECONDS_END else value
        return ms if ms < 253_402_300_800_000 else None  # the year 10000

    def flag(self, name: str) -> bool | None:
        value = self(name)
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.lower())
        return value if isinstance(value, bool) else None

    def text(self, name: str) -> str | None:
        value = self(name)
        if type(value) is int:
            value = str(value)
        return _public_text(value) if isinstance(value, str) and value else None

    def object(self, name: str) -> _Fields:
        value = self(name)
        return _Fields(value if isinstance(value, dict) else {})

    def objects(self, name: str) -> list[_Fields]:
        value = self(name)
        entries = value if isinstance(value, list) else []
        return [_Fields(each) for each in entries if isinstance(each, dict)]

    def files(self, name: str = "fileList") -> tuple[File, ...]:
        """Read a list of files, of names, or one name: Agora sends each of them."""
        value = self(name)
        entries = value if isinstance(value, list) else [value]
        return tuple(file for each in entries if (file := _file(each)))


def _file(entry: object) -> File | None:
    fields = _Fields(entry if isinstance(entry, dict) else {"fileName": entry})
    name = fields("fileName")
    if not isinstance(name, str) or not name:
        return None
    return File(
        fileName=name[:_LONGEST_TEXT],
        trackType=fields.text("trackType"),
        uid=fields.text("uid"),
        mixedAllUser=fields.flag("mixedAllUser"),
        isPlayable=fields.flag("isPlayable"),
        sliceStartTime=fields.instant("sliceStartTime"),
    )


def _public_text(text: str) -> str:
    """Return the text with each address cut after its host, and no longer than a log likes."""
    return _URL.sub(r"\1://\2/…", text[: 4 * _LONGEST_TEXT])[:_LONGEST_TEXT]


def _public(value: object, depth: int = 0) -> Any:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, str):
        return _public_text(value)
    if isinstance(value, dict):
        return {_public_text(name): _public(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_public(each, depth + 1) for each in value]
    return value


def rtmp_target(url: str) -> str:
    """Return the name that stands for a CDN address wherever people or logs can see it."""
    host = _URL.match(url)
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return f"{host[2] if host else 'unknown'}#{digest}"


def _unknown(fields: _Fields) -> Details:
    return UnknownEvent(msgName=fields.text("msgName"), fields=_public(fields.given))


def _stream_state(track: str) -> Callable[[_Fields], Details]:
    return lambda f: RecorderStreamStateChanged(
        track=track,
        streamUid=f.text("streamUid"),
        state=f.number("state"),
        UtcMs=f.instant("UtcMs"),
    )


def _transcoder_completed(f: _Fields) -> Details:
    uids = tuple(
        Transcoded(uid=each.text("uid"), result=each.text("result"), fileList=each.files())
        for each in f.objects("uids")
    )
    if not uids and f.files():  # the document can be read as a flat object, too
        uids = (Transcoded(uid=f.text("uid"), fileList=f.files()),)
    return TranscoderCompleted(result=f.text("result"), uids=uids)


def _download_failed(f: _Fields) -> Details:
    names = f("fileName")
    parts = names.split(";") if isinstance(names, str) else []
    return DownloadFailed(
        vendor=f.number("vendor"),
        region=f.number("region"),
        bucket=f.text("bucket"),
        fileNames=tuple(part.strip() for part in parts if part.strip()),
    )


def _rtmp_publish_status(f: _Fields) -> Details:
    url = f("rtmpUrl")
    return RtmpPublishStatus(
        target=rtmp_target(url) if isinstance(url, str) and url else None,
        status=f.text("status"),  # declared a number, documented as words
    )


_DETAILS: dict[int | None, Callable[[_Fields], Details]] = {
    1: lambda f: CloudRecordingError(
        module=f.number("module"),
        errorLevel=f.number("errorLevel"),
        errorCode=f.number("errorCode"),
        stat=f.number("stat"),
        errorMsg=f.text("errorMsg"),
    ),
    2: lambda f: CloudRecordingWarning(module=f.number("module"), warnCode=f.number("warnCode")),
    3: lambda f: CloudRecordingStatusUpdate(
        status=f.number("status"), recordingMode=f.number("recordingMode"), fileList=f.files()
    ),
    4: lambda f: CloudRecordingFileInfos(fileList=f.files()),
    11: lambda f: SessionExit(exitStatus=f.number("exitStatus")),
    12: lambda f: SessionFailover(newUid=f.text("newUid")),
    13: lambda _: HighAvailabilityRegistered(),
    30: lambda f: UploaderStarted(status=f.number("status")),
    31: lambda f: Uploaded(status=f.number("status"), fileList=f.files()),
    32: lambda f: Backuped(status=f.number("status"), fileList=f.files()),
    33: lambda f: UploadingProgress(progress=f.number("progress")),
    40: lambda f: RecorderStarted(status=f.number("status")),
    41: lambda f: RecorderLeave(leaveCode=f.number("leaveCode")),
    42: lambda f: RecorderSliceStart(
        startUtcMs=f.instant("startUtcMs"),
        discontinueUtcMs=f.instant("discontinueUtcMs"),
        mixedAllUser=f.flag("mixedAllUser"),
        streamUid=f.text("streamUid"),
        trackType=f.text("trackType"),
    ),
    43: _stream_state("audio"),
    44: _stream_state("video"),
    45: lambda f: RecorderSnapshotFile(fileName=f.text("fileName")),
    60: lambda f: VodStarted(videoId=f.object("aliVodInfo").text("videoId")),
    61: lambda _: VodTriggered(),
    70: lambda f: WebRecorderStarted(recorderStartTime=f.instant("recorderStartTime")),
    71: lambda f: WebRecorderStopped(
        code=f.number("code"),
        message=f.text("message"),
        details=f.text("details"),
        fileList=f.files(),
    ),
    72: lambda f: WebRecorderCapabilityLimit(limitType=f.text("limitType")),
    73: lambda f: WebRecorderReload(reason=f.text("reason")),
    80: lambda _: TranscoderStarted(),
    81: _transcoder_completed,
    90: _download_failed,
    100: _rtmp_publish_status,
    1001: lambda f: PostponeTranscodeFinalResult(result=f.text("result"), fileList=f.files()),
}

NAMES: dict[int | None, str] = {
    1: "cloud_recording_error",
    2: "cloud_recording_warning",
    3: "cloud_recording_status_update",
    4: "cloud_recording_file_infos",
    11: "session_exit",
    12: "session_failover",
    13: "high_availability_registered",  # ours: the document gives it no msgName
    30: "uploader_started",
    31: "uploaded",
    32: "backuped",
    33: "uploading_progress",
    40: "recorder_started",
    41: "recorder_leave",
    42: "recorder_slice_start",
    43: "recorder_audio_stream_state_changed",
    44: "recorder_video_stream_state_changed",
    45: "recorder_snapshot_file",
    60: "vod_started",
    61: "vod_triggered",
    70: "web_recorder_started",
    71: "web_recorder_stopped",
    72: "web_recorder_capability_limit",
    73: "web_recorder_reload",
    80: "transcoder_started",
    81: "transcoder_completed",
    90: "download_failed",
    100: "rtmp_publish_status",
    1001: "postpone_transcode_final_result",
}
"""Every event type of the documents, by its msgName."""

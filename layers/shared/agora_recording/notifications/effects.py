"""What each event of Agora's adds to the facts of its session (docs/agora-events.md)."""

from __future__ import annotations

from typing import Any, get_args

from agora_recording.notifications import events as e
from agora_recording.notifications.facts import SessionFacts, Transcoding, heard, joined
from agora_recording.notifications.words import (
    FATAL,
    STORAGE_EXPIRED,
    clipped,
    key,
    problem_key,
)

_LEAVE_NO_USERS = 4
_ENDING_STATUSES = frozenset({6, 7, 8, 20})
_RESULTS = frozenset(get_args(Transcoding)) - {"none"}


def merge(facts: SessionFacts, event: e.Event) -> SessionFacts:
    """Return the facts with one more event; the same event again changes nothing."""
    return joined(facts, _told(event))


def is_sign_of_life(event: e.Event) -> bool:
    """Return whether the event shows that its session was recording when it happened.

    Ends, uploads after the end, transcoding and failovers do not, nor does an unknown event, nor
    an expired storage token: the uploader may live longer than its recorder.
    """
    match event.details:
        case e.CloudRecordingError(errorLevel=level):
            return level is None or level < FATAL
        case e.CloudRecordingStatusUpdate(status=status):
            return status not in _ENDING_STATUSES
        case e.RecorderStarted(status=status):
            return not status
        case (
            e.CloudRecordingWarning()
            | e.CloudRecordingFileInfos()
            | e.HighAvailabilityRegistered()
            | e.UploadingProgress()
            | e.RecorderSliceStart()
            | e.RecorderStreamStateChanged()
            | e.RecorderSnapshotFile()
            | e.WebRecorderStarted()
            | e.WebRecorderReload()
            | e.RtmpPublishStatus()
        ):
            return True
    return False


def _told(event: e.Event) -> dict[str, Any]:
    """Return what one event says, by the names of the facts."""
    told: dict[str, Any] = {"firstSeenMs": event.at_ms, "lastSeenMs": event.at_ms}
    if is_sign_of_life(event):
        told["lastSignMs"] = event.at_ms
    if event.uid is not None:
        told["uids"] = (event.uid,)
        if event.sequence is not None:
            told["sequences"] = {event.uid: heard(event.sequence)}
    return {**told, **_details_told(event)}


def _details_told(event: e.Event) -> dict[str, Any]:  # noqa: PLR0911, PLR0912  one case an event
    at = event.at_ms
    match event.details:
        case e.CloudRecordingError(module=module, errorLevel=level, errorCode=code):
            doubt = {"doubtMs": at} if level and level >= FATAL else {}
            return {"errors": {problem_key(module, code): (level or 0, at)}, **doubt}
        case e.CloudRecordingWarning(module=module, warnCode=code):
            return {"warnings": {problem_key(module, code): at}}
        case e.CloudRecordingStatusUpdate(status=status, fileList=files):
            told = {} if status is None else {"serviceStatus": (at, status)}
            doubt = {"doubtMs": at} if status in _ENDING_STATUSES else {}
            return {**told, **doubt, "files": _names(files)}
        case e.CloudRecordingFileInfos(fileList=files):
            return {"files": _names(files)}
        case e.SessionExit(exitStatus=status):
            reason = "EXITED_ABNORMALLY" if status else "EXITED"
            return {"exitStatus": status, **_end(reason, event)}
        case e.SessionFailover(newUid=uid):
            behind = (event.uid,) if uid and event.uid and event.uid != uid else ()
            return {"newUids": (clipped(uid or "unknown"),), "leftUids": behind, "doubtMs": at}
        case e.UploaderStarted(status=status):
            return {"upload": "started", **_abnormal(event, status)}
        case e.Uploaded(status=status, fileList=files):
            state = "uploading" if status else "uploaded"
            return {"upload": state, "files": _names(files), **_abnormal(event, status)}
        case e.Backuped(status=status, fileList=files):
            state = "uploading" if status else "backuped"
            return {"upload": state, "files": _names(files), **_abnormal(event, status)}
        case e.UploadingProgress(progress=progress):
            return {"upload": "uploading", "progress": progress}
        case e.StorageTokenExpired():
            return {"warnings": {STORAGE_EXPIRED: at}, "tokenExpiredMs": at}
        case e.RecorderStarted(status=status):
            return _abnormal(event, status) if status else {"startedMs": at}
        case e.RecorderLeave(leaveCode=code):
            bits = None if code is None or code < 0 else code
            is_idle = bits is not None and bits & _LEAVE_NO_USERS
            return {"leaveCode": bits, **(_end("IDLE", event) if is_idle else {"doubtMs": at})}
        case e.RecorderSliceStart(startUtcMs=start, discontinueUtcMs=broken) as slice_start:
            started = {"startedMs": start or at}
            if start is None or broken is None or broken >= start:
                return started
            track = key(slice_start.trackType, slice_start.streamUid)
            return {**started, "interruptions": ((broken, start, track),)}
        case e.RecorderStreamStateChanged(track=track, streamUid=uid, state=state, UtcMs=utc_ms):
            return {} if state is None else {"streams": {key(track, uid): (utc_ms or at, state)}}
        case e.RecorderSnapshotFile(fileName=name):
            return {"snapshot": (at, name or "")}
        case e.WebRecorderStarted(recorderStartTime=started):
            return {"startedMs": started or at}
        case e.WebRecorderStopped(code=code, message=message, fileList=files):
            stop = (code or 0, clipped(message or ""))
            reason = {0: "STOPPED", 1: "WEB_MAX_DURATION"}.get(code or 0, "WEB_FAILED")
            return {"webStop": stop, "files": _names(files), **_end(reason, event)}
        case e.WebRecorderCapabilityLimit(limitType=limit):
            error = key("web", "capability_limit", limit)
            return {"errors": {error: (FATAL, at)}, **_end("WEB_FAILED", event)}
        case e.WebRecorderReload(reason=reason):
            return {"warnings": {key("web", "reload", reason): at}}
        case e.TranscoderStarted():
            return {"transcoding": "started"}
        case e.TranscoderCompleted(result=result, uids=uids):
            made = tuple(name for each in uids for name in _names(each.fileList))
            return {"transcoding": _transcoding(result), "transcodedFiles": made}
        case e.PostponeTranscodeFinalResult(result=result, fileList=files):
            return {
                "transcoding": _transcoding(f"final_{result}"),
                "transcodedFiles": _names(files),
            }
        case e.DownloadFailed():
            return {"errors": {"transcoder:download_failed": (0, at)}}
        case e.RtmpPublishStatus(target=target, status=status):
            return {"outputs": {key(target): (at, clipped(status or ""))}}
    return {}


def _names(files: tuple[e.File, ...]) -> tuple[str, ...]:
    return tuple(file.fileName for file in files)


def _end(reason: str, event: e.Event) -> dict[str, Any]:
    at = event.at_ms
    return {"ends": {event.uid or "": reason}, "endedMs": at, "doubtMs": at}


def _abnormal(event: e.Event, status: int | None) -> dict[str, Any]:
    """Status 0 is good; any other is kept with the errors, without a level."""
    if not status:
        return {}
    return {"errors": {key("status", event.event_type, status): (0, event.at_ms)}}


def _transcoding(result: str | None) -> str | None:
    # An undocumented result still shows that transcoding began.
    return result if result in _RESULTS else "started"

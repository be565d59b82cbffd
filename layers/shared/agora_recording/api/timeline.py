"""The timeline of a recording: Agora's events and our own decisions, in words and in data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

import msgspec

from agora_recording.clock import from_iso, iso
from agora_recording.notifications import events as e
from agora_recording.notifications.words import (
    ERRORS,
    STORAGE_EXPIRED_WORDS,
    WARNINGS,
    call_did_not_fit,
    module_words,
    numbered,
    problem_key,
    recorder_left,
    service_ended,
    web_recording_stopped,
)


class Entry(TypedDict):
    """One entry: its time, its source, its kind, the text and the data."""

    at: str
    source: Literal["agora", "stack"]
    kind: str
    text: str
    data: Mapping[str, Any]


def timeline(events: Iterable[e.Event], notes: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return all entries in order of event time; a missing notification has an entry, too.

    `notes` are the rows of our own log: {at, kind, text, data}.
    """
    events = list(events)
    placed = [(event.at_ms, 0, event.sequence or 0, entry(event)) for event in events]
    placed += [(from_iso(note["at"]), 0, 0, of_note(note)) for note in notes]
    placed += _gaps(events)
    return [each for *_, each in sorted(placed, key=lambda place: place[:3])]


def entry(event: e.Event) -> Entry:
    """Return the line of one event."""
    details = event.details
    kind = details.msgName if isinstance(details, e.UnknownEvent) else details.msg_name
    told = {
        "eventType": event.event_type,
        "sid": event.sid,
        "uid": event.uid,
        "sequence": event.sequence,
    }
    return Entry(
        at=iso(event.at_ms),
        source="agora",
        kind=kind or "unknown",
        text=_words(event),
        data={
            **{name: value for name, value in told.items() if value is not None},
            "details": msgspec.to_builtins(details),
        },
    )


def of_note(note: Mapping[str, Any]) -> Entry:
    """Return the line of one note of our own."""
    return Entry(
        at=note["at"],
        source="stack",
        kind=note["kind"],
        text=note["text"],
        data=note.get("data") or {},
    )


def _gaps(events: Iterable[e.Event]) -> list[tuple[int, int, int, Entry]]:
    """Return the entries of missing notifications, each placed after the event before it."""
    heard: dict[str, dict[int, int]] = {}
    for event in events:
        if event.uid is not None and event.sequence is not None:
            heard.setdefault(event.uid, {})[event.sequence] = event.at_ms
    lines = []
    for uid, at_by_number in heard.items():
        expected, at_ms = 0, None
        for number in sorted(at_by_number):
            if number > expected:
                # A gap before the first event is placed right before it.
                place_ms, rank = (at_by_number[number], -1) if at_ms is None else (at_ms, 1)
                lines.append((place_ms, rank, expected, _gap(place_ms, uid, expected, number - 1)))
            expected, at_ms = number + 1, at_by_number[number]
    return lines


def _gap(at_ms: int, uid: str, first: int, last: int) -> Entry:
    count = last - first + 1
    what = f"notification {first}" if count == 1 else f"notifications {first} to {last}"
    return Entry(
        at=iso(at_ms),
        source="stack",
        kind="gap",
        text=f"{what.capitalize()} of uid {uid} did not arrive.",
        data={"uid": uid, "first": first, "last": last},
    )


# --- in words -----------------------------------------------------------------------------------

_NOT_TOLD = "not told"
_RESULTS = {
    "all_success": "every file",
    "total_success": "every file",
    "partial_success": "some of the files",
    "fail": "none of the files",
    "failed": "none of the files",
}


def _words(event: e.Event) -> str:  # noqa: PLR0911, PLR0912  one case an event
    match event.details:
        case e.CloudRecordingError(module=module, errorLevel=level, errorCode=code, errorMsg=text):
            meaning = ERRORS.get(problem_key(module, code)) or text or "not explained"
            what = f"{numbered('Error', code)} in {module_words(module)}"
            return f"{what}{f', level {level} of 5' if level is not None else ''}: {meaning}."
        case e.CloudRecordingWarning(module=module, warnCode=code):
            meaning = WARNINGS.get(problem_key(module, code), "not explained")
            return f"{numbered('Warning', code)} from {module_words(module)}: {meaning}."
        case e.CloudRecordingStatusUpdate(status=status):
            return call_did_not_fit(status)
        case e.CloudRecordingFileInfos(fileList=files):
            return f"The first playlist is in the bucket: {_listed(_names(files))}."
        case e.SessionExit(exitStatus=status):
            return service_ended(status)
        case e.SessionFailover(newUid=uid):
            who = "another uid" if uid is None else f"uid {uid}"
            return f"Failover: another server of Agora's goes on as {who}."
        case e.HighAvailabilityRegistered():
            return "Failover is ready: another server can take over."
        case e.UploaderStarted(status=status):
            return f"The uploader started{_unless_good(status)}."
        case e.Uploaded(status=status, fileList=files):
            return f"Every file is in the bucket{_unless_good(status)}{_after_colon(files)}."
        case e.Backuped(status=status, fileList=files):
            return (
                "Every file is uploaded, at least one to Agora's backup, which delivers it later"
                f"{_unless_good(status)}{_after_colon(files)}."
            )
        case e.UploadingProgress(progress=progress):
            return f"{(progress or 0) / 100:g} % of the files recorded so far are uploaded."
        case e.StorageTokenExpired():
            return STORAGE_EXPIRED_WORDS
        case e.RecorderStarted(status=status):
            return f"The recorder started{_unless_good(status)}."
        case e.RecorderLeave(leaveCode=code):
            return recorder_left(code)
        case e.RecorderSliceStart(startUtcMs=start, discontinueUtcMs=broken):
            if start and broken and broken < start:
                return f"Nothing was recorded from {iso(broken)} to {iso(start)}."
            return f"Slices begin{f' at {iso(start)}' if start else ''}."
        case e.RecorderStreamStateChanged(track=track, streamUid=uid, state=state):
            user = "somebody" if uid is None else f"uid {uid}"
            whose = f"The mixed {track}" if uid == "0" else f"The {track} of {user}"
            return f"{whose} {'stopped arriving' if state else 'arrives'}."
        case e.RecorderSnapshotFile(fileName=name):
            return f"A screenshot is in the bucket: {name or _NOT_TOLD}."
        case e.VodStarted(videoId=video):
            return f"The uploader for ApsaraVideo started, video {video or _NOT_TOLD}."
        case e.VodTriggered():
            return "Every file is at ApsaraVideo."
        case e.WebRecorderStarted(pageLoadSuccessTime=loaded):
            return f"Web page recording started{f'; loaded at {iso(loaded)}' if loaded else ''}."
        case e.WebRecorderStopped(code=code, message=message, details=details):
            return web_recording_stopped(code, message, details)
        case e.WebRecorderCapabilityLimit(limitType=limit):
            needed = limit or "something"
            return f"The page needs {needed}, which cannot be recorded; the recording stops."
        case e.WebRecorderReload(reason=reason):
            return f"The page was loaded again: {reason or _NOT_TOLD}."
        case e.TranscoderStarted():
            return "Transcoding started."
        case e.TranscoderCompleted(result=result, uids=uids):
            files = tuple(file for each in uids for file in each.fileList)
            return f"Transcoding made {_result(result)}{_after_colon(files)}."
        case e.DownloadFailed(fileNames=names):
            return f"Agora could not read the files that it should transcode: {_listed(names)}."
        case e.RtmpPublishStatus(target=target, status=status):
            which = f"CDN output {target}" if target else "A CDN output"
            return f"{which} is {status or 'in a state that was not told'}."
        case e.PostponeTranscodeFinalResult(result=result, fileList=files):
            return f"Postponed transcoding ended with {_result(result)}{_after_colon(files)}."
    kind = numbered("type", event.event_type)
    return f"Agora sent an event that its documents do not describe ({kind})."


def _unless_good(status: int | None) -> str:
    return f", with abnormal status {status}" if status else ""


def _names(files: tuple[e.File, ...]) -> tuple[str, ...]:
    return tuple(file.fileName for file in files)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more if names else "no name given"


def _after_colon(files: tuple[e.File, ...]) -> str:
    return f": {_listed(_names(files))}" if files else ""


def _result(result: str | None) -> str:
    unknown = f"result {result}" if result else "a result that was not told"
    return _RESULTS.get(result or "", unknown)

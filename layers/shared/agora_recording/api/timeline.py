"""The timeline of a recording: Agora's events and our own decisions, in words and in data."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, TypedDict

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


class Placed(NamedTuple):
    """An entry with its place: in the timeline, and in the stream that it comes from.

    Without an entry it only says that its stream has nothing earlier: so a stream is not read
    before its time. `at_ms`, `rank` and `number` are its place in the timeline; `told` is what a
    cursor keeps when the entry was the last one of its stream on a page.
    """

    at_ms: int
    rank: int
    number: int
    entry: Entry | None = None
    stream: str = ""
    told: str = ""


def timeline(streams: Iterable[Iterable[Placed]]) -> Iterator[Placed]:
    """Yield the entries of all streams in order of time; read no further than is asked for."""
    found = heapq.merge(*streams, key=lambda placed: placed[:3])
    return (placed for placed in found if placed.entry)


_WHOLE = 1_000_000_000  # behind every event type


def place_in(told: str) -> tuple[int, int]:
    """Return (sequence, event type) of the last entry that a page told of a uid's events.

    Raises ValueError for what `of_uid` did not write.
    """
    number, _, event_type = told.partition(":")
    return int(number), int(event_type)


def in_order(event: e.Event) -> tuple[int, int]:
    """Return the place of an event among those of its uid: its sequence and type."""
    return event.sequence or 0, event.event_type or 0


def of_uid(
    stream: str, events: Iterable[e.Event], told: str = "", told_ms: int = 0
) -> Iterator[Placed]:
    """Yield the entries of one uid's events; a missing notification has an entry, too.

    `events` are in order of their sequence and type. That is the order in which they happened: an
    event whose time is before that of an earlier number stands behind it. `told` is the last one
    that was told before, `told_ms` its page's place in the timeline: what follows is not before it.
    """
    last = place_in(told) if told else None
    expected = last[0] + 1 if last else 0
    place_ms, before_ms = told_ms, None
    for event in events:
        here = number, event_type = in_order(event)
        if last and here <= last:
            before_ms = event.at_ms
            continue
        if number > expected:
            # A gap stands right after the event before it; the first one right before the first.
            at_ms = event.at_ms if before_ms is None else before_ms
            rank = -1 if before_ms is None else 1
            place_ms = max(place_ms, at_ms)
            line = _gap(at_ms, event.uid or "", expected, number - 1)
            yield Placed(place_ms, rank, expected, line, stream, f"{number - 1}:{_WHOLE}")
        place_ms = max(place_ms, event.at_ms)
        yield Placed(place_ms, 0, number, entry(event), stream, f"{number}:{event_type}")
        expected, before_ms = max(expected, number + 1), event.at_ms


def of_notes(
    stream: str, notes: Iterable[Mapping[str, Any]], told: str = "", *, key: Callable[[Any], str]
) -> Iterator[Placed]:
    """Yield the entries of notes of our own ({at, kind, text, data}), which are in order of `key`.

    `told` is the key of the last one that was told before.
    """
    for note in notes:
        if key(note) > told:
            yield Placed(from_iso(note["at"]), 0, 0, of_note(note), stream, key(note))


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

"""What the events of one session (one sid) say together: a merge that arrival cannot disturb.

`SessionFacts` is a join-semilattice: `join` is associative, commutative and idempotent, so any
order and any repetition of the same events gives the same facts, and more events never take
anything back. Each field has one rule of joining (`_RULES`): least, greatest, union, bits, rank, or
latest by time. Every collection is bounded by a rule that looks at its content alone, never at
the order of arrival, so the bounds keep the laws. docs/agora-events.md tells what each event does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args

import msgspec

from agora_recording.notifications import events as e

Upload = Literal["none", "started", "uploading", "backuped", "uploaded"]
Vod = Literal["none", "started", "triggered"]
# Postponed transcoding is tried for days: a better result replaces a worse one, and the final
# word (1001) replaces every earlier one (81).
Transcoding = Literal[
    "none",
    "started",
    "fail",
    "partial_success",
    "all_success",
    "final_failed",
    "final_partial_success",
    "final_total_success",
]
# Why a session ended, in the words of `recording.SessionEnd`; the later explains more.
EndReason = Literal[
    "EXITED", "STOPPED", "EXITED_ABNORMALLY", "IDLE", "WEB_MAX_DURATION", "WEB_FAILED"
]

_WINDOW = 256  # sequence numbers of a uid that are remembered: some four hours
_MOST_UIDS = 8  # a session survives three failovers, the fourth ends it
_MOST_PROBLEMS = 20
_MOST_FILES = 100
_MOST_STREAMS = 34  # 17 recorded users, audio and video
_LONGEST_KEY = 100
_RESULTS = frozenset(get_args(Transcoding)) - {"none"}

_LEAVE_NO_USERS = 4
_FATAL = 5
_MODULES: dict[int | None, str] = {0: "recorder", 1: "uploader", 2: "service", 6: "web"}
_ENDING_STATUSES = frozenset({6, 7, 8, 20})

Heard = tuple[int, tuple[tuple[int, int], ...]]
"""(highest sequence, ranges missing below it), first and last number of a range included."""


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything known of a session. Instants are epoch milliseconds by Agora's clock.

    Plain JSON by `msgspec.to_builtins`, under 1 KB for a mix recording of any length.
    """

    firstSeenMs: int | None = None
    lastSeenMs: int | None = None
    lastSignMs: int | None = None  # the last sign that the recording was running
    doubtMs: int | None = None  # when something last happened that only a query explains
    uids: tuple[str, ...] = ()
    sequences: dict[str, Heard] = {}  # by uid
    startedMs: int | None = None
    firstFile: tuple[int, str] | None = None  # (when, name)
    highAvailability: bool = False
    newUids: tuple[str, ...] = ()
    leftUids: tuple[str, ...] = ()  # of recorders that a failover left behind
    endedMs: int | None = None
    ends: dict[str, EndReason] = {}  # by the uid that said so; "" where none is named
    exitStatus: int | None = None
    leaveCode: int | None = None  # every bit of every 41; 0: only failed initialisations
    webStop: tuple[int, str] | None = None  # (code, message)
    serviceStatus: tuple[int, int] | None = None  # (when, status), from 3
    errors: dict[str, tuple[int, int]] = {}  # "module:code" -> (highest level, when last so)
    warnings: dict[str, int] = {}  # "module:code" -> when last
    upload: Upload = "none"
    progress: int | None = None  # of 10,000
    files: tuple[str, ...] = ()  # announced names; the first of the alphabet when there are more
    moreFiles: bool = False
    streams: dict[str, tuple[int, int]] = {}  # "track:uid" -> (when, state)
    interruptions: tuple[tuple[int, int, str], ...] = ()  # (from, to, "track:uid"), the latest
    snapshot: tuple[int, str] | None = None  # (when, name), the last
    transcoding: Transcoding = "none"
    transcodedFiles: tuple[str, ...] = ()
    downloadFailures: tuple[str, ...] = ()
    outputs: dict[str, tuple[int, str]] = {}  # CDN target -> (when, status)
    vod: Vod = "none"
    videoIds: tuple[str, ...] = ()


NOTHING = SessionFacts()


def merge(facts: SessionFacts, event: e.Event) -> SessionFacts:
    """Return the facts with one more event; the same event again changes nothing."""
    return join(facts, _facts_of(event))


def join(a: SessionFacts, b: SessionFacts) -> SessionFacts:
    """Return what both know: the least facts that hold everything in `a` and in `b`."""
    joined: dict[str, Any] = {
        name: rule(getattr(a, name), getattr(b, name)) for name, rule in _RULES.items()
    }
    joined["moreFiles"] = (
        a.moreFiles or b.moreFiles or len({*a.files, *b.files}) > len(joined["files"])
    )
    return SessionFacts(**joined)


# --- what the supervisor asks -------------------------------------------------------------------


def session_ended(facts: SessionFacts) -> EndReason | None:
    """Return why the session is over, None while nothing says so.

    Never goes back to None, but for one case: after a failover (12) the recorder that was left
    behind may find its own channel empty and leave. Its end is not the session's, nor is a fatal
    error (1), nor a recorder that left for another reason than an empty channel (41): a failover
    may follow. All of them ask for a query (`needs_query`).
    """
    said = [reason for uid, reason in facts.ends.items() if _is_live(facts, uid)]
    return max(said, key=get_args(EndReason).index, default=None)


def _is_live(facts: SessionFacts, uid: str) -> bool:
    """Tell whether a uid is of the recorder that goes on (Agora best practices: after a failover,
    notifications of another uid than the start's belong to the session that moved).
    """
    if not uid or not facts.newUids or "unknown" in facts.newUids:
        return uid not in facts.leftUids
    return uid in facts.newUids and uid not in facts.leftUids


def needs_query(facts: SessionFacts, queried_ms: int | None) -> bool:
    """Return whether something happened after the last answered query that calls for another."""
    return (
        session_ended(facts) is None
        and facts.doubtMs is not None
        and (queried_ms is None or facts.doubtMs > queried_ms)
    )


def gaps(facts: SessionFacts) -> dict[str, tuple[tuple[int, int], ...]]:
    """Return by uid the ranges of sequence numbers that never came, of the last 256.

    A gap may close: disorder opens gaps for seconds. Numbers start at 0.
    """
    return {uid: missing for uid, (_, missing) in facts.sequences.items() if missing}


def is_sign_of_life(event: e.Event) -> bool:
    """Return whether the event shows that its session was recording when it happened.

    Ends, uploads after the end, transcoding and failovers do not, nor does an event that nobody
    knows.
    """
    match event.details:
        case e.CloudRecordingError(errorLevel=level):
            return level is None or level < _FATAL
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


# --- one event as facts -------------------------------------------------------------------------


def _facts_of(event: e.Event) -> SessionFacts:
    known: dict[str, Any] = {"firstSeenMs": event.at_ms, "lastSeenMs": event.at_ms}
    if is_sign_of_life(event):
        known["lastSignMs"] = event.at_ms
    if event.uid is not None:
        known["uids"] = (event.uid,)
        if event.sequence is not None:
            known["sequences"] = {event.uid: _heard(event.sequence)}
    return SessionFacts(**known, **_effect(event))


def _effect(event: e.Event) -> dict[str, Any]:  # noqa: PLR0911, PLR0912  one case an event
    at = event.at_ms
    match event.details:
        case e.CloudRecordingError(module=module, errorLevel=level, errorCode=code):
            error = {"errors": {_key(_MODULES.get(module, module), code): (level or 0, at)}}
            return {**error, "doubtMs": at} if level and level >= _FATAL else error
        case e.CloudRecordingWarning(module=module, warnCode=code):
            return {"warnings": {_key(_MODULES.get(module, module), code): at}}
        case e.CloudRecordingStatusUpdate(status=status, fileList=files):
            told = {} if status is None else {"serviceStatus": (at, status)}
            doubt = {"doubtMs": at} if status in _ENDING_STATUSES else {}
            return {**told, **doubt, "files": _names(files)}
        case e.CloudRecordingFileInfos(fileList=files):
            names = _names(files)
            return {"files": names, "firstFile": (at, min(names, default=""))}
        case e.SessionExit(exitStatus=status):
            reason = "EXITED_ABNORMALLY" if status else "EXITED"
            return {"exitStatus": status, **_end(reason, event)}
        case e.SessionFailover(newUid=uid):
            behind = (event.uid,) if uid and event.uid and event.uid != uid else ()
            return {"newUids": (uid or "unknown",), "leftUids": behind, "doubtMs": at}
        case e.HighAvailabilityRegistered():
            return {"highAvailability": True}
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
        case e.RecorderStarted(status=status):
            return _abnormal(event, status) if status else {"startedMs": at}
        case e.RecorderLeave(leaveCode=code):
            left = {"leaveCode": code if code is None or code >= 0 else None}
            is_idle = code is not None and code & _LEAVE_NO_USERS
            return {**left, **(_end("IDLE", event) if is_idle else {"doubtMs": at})}
        case e.RecorderSliceStart(startUtcMs=start, discontinueUtcMs=broken) as slice_start:
            started = {"startedMs": start or at}
            if start is None or broken is None or broken >= start:
                return started
            track = _key(slice_start.trackType, slice_start.streamUid)
            return {**started, "interruptions": ((broken, start, track),)}
        case e.RecorderStreamStateChanged(track=track, streamUid=uid, state=state, UtcMs=utc_ms):
            return {} if state is None else {"streams": {_key(track, uid): (utc_ms or at, state)}}
        case e.RecorderSnapshotFile(fileName=name):
            return {"snapshot": (at, name or "")}
        case e.VodStarted(videoId=video):
            return {"vod": "started", "videoIds": (video,) if video else ()}
        case e.VodTriggered():
            return {"vod": "triggered"}
        case e.WebRecorderStarted(recorderStartTime=started):
            return {"startedMs": started or at}
        case e.WebRecorderStopped(code=code, message=message, fileList=files):
            stop = (code or 0, (message or "")[:_LONGEST_KEY])
            reason = {0: "STOPPED", 1: "WEB_MAX_DURATION"}.get(code or 0, "WEB_FAILED")
            return {"webStop": stop, "files": _names(files), **_end(reason, event)}
        case e.WebRecorderCapabilityLimit(limitType=limit):
            key = _key("web", "capability_limit", limit)
            return {"errors": {key: (_FATAL, at)}, **_end("WEB_FAILED", event)}
        case e.WebRecorderReload(reason=reason):
            return {"warnings": {_key("web", "reload", reason): at}}
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
        case e.DownloadFailed(fileNames=names):
            return {"downloadFailures": names}
        case e.RtmpPublishStatus(target=target, status=status):
            return {"outputs": {_key(target): (at, (status or "")[:_LONGEST_KEY])}}
    return {}


def _key(*parts: object) -> str:
    return ":".join("" if part is None else str(part) for part in parts)[:_LONGEST_KEY]


def _names(files: tuple[e.File, ...]) -> tuple[str, ...]:
    return tuple(file.fileName for file in files)


def _end(reason: str, event: e.Event) -> dict[str, Any]:
    at = event.at_ms
    return {"ends": {event.uid or "": reason}, "endedMs": at, "doubtMs": at}


def _abnormal(event: e.Event, status: int | None) -> dict[str, Any]:
    """Status 0 is good; any other is remembered beside the errors, without a level."""
    if not status:
        return {}
    return {"errors": {_key("status", event.event_type, status): (0, event.at_ms)}}


def _transcoding(result: str | None) -> str | None:
    # A result nobody documented still shows that transcoding began.
    return result if result in _RESULTS else "started"


# --- the rules ----------------------------------------------------------------------------------

T = TypeVar("T")
V = TypeVar("V")


def _least(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else min(a, b)


def _greatest(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else max(a, b)


def _bits(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a | b


def _rank(kind: Any) -> Callable[[T, T], T]:
    order = (None, *get_args(kind))
    return lambda a, b: max(a, b, key=order.index)


def _first(most: int) -> Callable[[tuple[T, ...], tuple[T, ...]], tuple[T, ...]]:
    return lambda a, b: a if a == b else tuple(sorted({*a, *b})[:most])  # type: ignore[type-var]


def _last(most: int) -> Callable[[tuple[T, ...], tuple[T, ...]], tuple[T, ...]]:
    return lambda a, b: tuple(sorted({*a, *b})[-most:])  # type: ignore[type-var]


def _by_key(rule: Callable[[Any, Any], Any], most: int) -> Callable[[Any, Any], dict[str, Any]]:
    return lambda a, b: {key: rule(a.get(key), b.get(key)) for key in sorted({*a, *b})[:most]}


def _latest(most: int) -> Callable[[dict[str, V], dict[str, V]], dict[str, V]]:
    """By key the greatest value; of the keys, those with the greatest values.

    A value is compared as a whole (when first, then what): a key once left out had a smaller
    value than all that stayed, and these only grow.
    """

    def rule(a: dict[str, V], b: dict[str, V]) -> dict[str, V]:
        both = {key: _greatest(a.get(key), b.get(key)) for key in {*a, *b}}
        kept = sorted(both, key=lambda key: (both[key], key))[-most:]
        return {key: both[key] for key in sorted(kept)}

    return rule


def _sequences(a: Mapping[str, Heard], b: Mapping[str, Heard]) -> dict[str, Heard]:
    both = {**a, **b, **{uid: _hear(a[uid], b[uid]) for uid in a.keys() & b.keys()}}
    return {uid: both[uid] for uid in sorted(both)[:_MOST_UIDS]}


def _heard(sequence: int) -> Heard:
    lowest = max(0, sequence - _WINDOW + 1)
    return sequence, ((lowest, sequence - 1),) if lowest < sequence else ()


def _hear(a: Heard, b: Heard) -> Heard:
    """What neither heard, of the window that ends with the highest number either heard."""
    highest = max(a[0], b[0])
    lowest = max(0, highest - _WINDOW + 1)
    missing = sorted(_missing(a, lowest, highest) & _missing(b, lowest, highest))
    ranges: list[tuple[int, int]] = []
    for number in missing:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return highest, tuple(ranges)


def _missing(heard: Heard, lowest: int, highest: int) -> set[int]:
    last, ranges = heard
    unheard = set(range(max(last + 1, lowest), highest + 1))
    return unheard.union(*(range(max(first, lowest), end + 1) for first, end in ranges))


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    "firstSeenMs": _least,
    "lastSeenMs": _greatest,
    "lastSignMs": _greatest,
    "doubtMs": _greatest,
    "uids": _first(_MOST_UIDS),
    "sequences": _sequences,
    "startedMs": _least,
    "firstFile": _least,
    "highAvailability": _greatest,
    "newUids": _first(_MOST_UIDS),
    "leftUids": _first(_MOST_UIDS),
    "endedMs": _least,
    "ends": _by_key(_rank(EndReason), _MOST_UIDS),
    "exitStatus": _greatest,
    "leaveCode": _bits,
    "webStop": _greatest,
    "serviceStatus": _greatest,
    "errors": _latest(_MOST_PROBLEMS),
    "warnings": _latest(_MOST_PROBLEMS),
    "upload": _rank(Upload),
    "progress": _greatest,
    "files": _first(_MOST_FILES),
    "streams": _latest(_MOST_STREAMS),
    "interruptions": _last(_MOST_PROBLEMS),
    "snapshot": _greatest,
    "transcoding": _rank(Transcoding),
    "transcodedFiles": _first(_MOST_FILES),
    "downloadFailures": _first(_MOST_PROBLEMS),
    "outputs": _latest(_MOST_PROBLEMS),
    "vod": _rank(Vod),
    "videoIds": _first(_MOST_PROBLEMS),
}

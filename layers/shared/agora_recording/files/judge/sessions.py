"""Each session as a whole: whether it left files, and whether all of them have come."""

from __future__ import annotations

from agora_recording.files.judge.case import Case, SessionCase
from agora_recording.files.verdict import Level
from agora_recording.request.rules import BY_USER


def judge_sessions(case: Case) -> None:
    """Judge each session, then all of them together; note sids that are not the recording's.

    It must run last: a session is confirmed only if nothing else was found to be wrong with it.
    """
    for session in case.sessions.values():
        _judge_session(case, session)
    may_be_its_own = case.expectation.is_unaccounted and not case.overdue
    strangers: Level = "awaited" if may_be_its_own else "note"
    if all(session.silent and session.settled for session in case.sessions.values()):
        given_up = case.overdue or bool(case.sessions)
        level: Level = "error" if given_up else "awaited"
        if case.inventory.strange_media:  # something was recorded, and nobody knows by whom
            strangers = level
        else:
            case.findings.add("nothing_recorded", level, "")
    for sid, count in sorted(case.inventory.strangers.items()):
        case.findings.add("unknown_session", strangers, sid, detail=f"{count} files")
    if case.inventory.end is not None:
        detail = "there are more files than can be checked; this is the last that was"
        case.findings.add("too_large", "error", "", [case.inventory.end], detail)


def _judge_session(case: Case, session: SessionCase) -> None:
    sid, wanted, silent = session.expected.sid, case.expectation, session.silent
    has_index_or_slice = session.slices or session.indexes or session.mpds
    if silent and not session.settled:
        case.problem("nothing_recorded", session, sid)
    elif silent and any(not other.silent for other in case.sessions.values()):
        case.findings.add("nothing_recorded", "note", sid)
    elif wanted.hls and not (silent or has_index_or_slice or wanted.transcoding):
        case.problem("no_playlist", session, sid)
    elif wanted.hls and wanted.snapshots and not (silent or session.snapshots):
        case.findings.add("no_snapshots", "note", sid)
    if not (silent or session.troubled or _plays(case, session)):
        case.problem("nothing_playable", session, sid)
    if not session.troubled and not _is_confirmed(case, session):
        case.findings.add("upload_unconfirmed", "awaited", sid)


def _plays(case: Case, session: SessionCase) -> bool:
    """Tell whether a session left something to play, or to look at if that was all it should."""
    inventory, wanted, sid = case.inventory, case.expectation, session.expected.sid
    if session.plays or session.files or (session.snapshots and not wanted.hls):
        return True
    return bool(session.slices) and any(
        file.kind == "mpd" and file.size and file.sid == sid for file in inventory.files
    )


def _is_confirmed(case: Case, session: SessionCase) -> bool:
    """Tell whether a session without problems is complete.

    If it can have only one index, the closed index proves it. If a further index or MP4 may come,
    it is complete when Agora reports the end of the upload, or when no file has come for
    `quiet_ms`; unless Agora said that files are stranded, which may come hours later. What went to
    Agora's backup is complete when an event has named a file of it, or also after `quiet_ms`.
    """
    wanted, expected = case.expectation, session.expected
    if session.settled or (session.quiet and expected.upload != "stranded"):
        return True
    if expected.upload == "backuped":
        return any(expected.sid in name for name in wanted.announced)
    one_index = wanted.mode not in BY_USER and wanted.hls and not wanted.mp4
    return one_index and expected.ended_ms is not None

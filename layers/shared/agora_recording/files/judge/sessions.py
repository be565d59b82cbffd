"""Each session as a whole: whether it left files, and whether all of them have come."""

from __future__ import annotations

from agora_recording.files.judge.case import Case, SessionCase
from agora_recording.request.rules import BY_USER


def judge_sessions(case: Case) -> None:
    """Judge each session, then all of them together; note sids that are not the recording's.

    It must run last: a session is confirmed only if nothing else was found to be wrong with it.
    """
    for session in case.sessions.values():
        _judge_session(case, session)
    if all(session.silent and session.settled for session in case.sessions.values()):
        given_up = case.overdue or bool(case.sessions)
        case.findings.add("nothing_recorded", "error" if given_up else "awaited", "")
    for sid, count in sorted(case.inventory.strangers.items()):
        case.findings.add("unknown_session", "note", sid, detail=f"{count} files")


def _judge_session(case: Case, session: SessionCase) -> None:
    sid, wanted, silent = session.expected.sid, case.expectation, session.silent
    has_index_or_slice = session.slices or session.indexes
    if silent and not session.settled:
        case.problem("nothing_recorded", session, sid)
    elif silent and any(not other.silent for other in case.sessions.values()):
        case.findings.add("nothing_recorded", "note", sid)
    elif wanted.hls and not (silent or has_index_or_slice or wanted.transcoding):
        case.problem("no_playlist", session, sid)
    elif wanted.hls and wanted.snapshots and not (silent or session.snapshots):
        case.findings.add("no_snapshots", "note", sid)
    if not session.troubled and not _is_confirmed(case, session):
        case.findings.add("upload_unconfirmed", "awaited", sid)


def _is_confirmed(case: Case, session: SessionCase) -> bool:
    """Tell whether a session without problems is complete.

    If it can have only one index, the closed index proves it. If a further index or MP4 may come,
    it is complete when Agora reports the end of the upload, or when no file has come for
    `quiet_ms`; unless Agora said that files are stranded, which may come hours later.
    """
    wanted, expected = case.expectation, session.expected
    if session.settled or (session.quiet and expected.upload != "stranded"):
        return True
    if expected.upload == "backuped":
        return any(expected.sid in name for name in wanted.announced)
    one_index = wanted.mode not in BY_USER and wanted.hls and not wanted.mp4
    return one_index and expected.ended_ms is not None

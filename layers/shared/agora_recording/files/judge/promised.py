"""Promised files: MP4s, MP3s, files of transcoding, and files that notifications announced."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from agora_recording.files.inventory import Stream
from agora_recording.files.judge.case import MAX_NAMES, Case, SessionCase, recorder_of
from agora_recording.files.names import hint, parse
from agora_recording.files.verdict import Level, PlaylistFile, TranscodedFormat

_Parts = dict[tuple[str, str], set[int]]  # by uid and codec: the numbers that are there


def judge_promised(case: Case, finals: Sequence[tuple[Stream, PlaylistFile]]) -> set[str]:
    """Judge MP4s and transcoded files if they were requested; return the MP4s that are absent.

    A session without media has nothing to make them from; nor has one of VP8 and VP9 alone, which
    MP4 does not hold. MP3s are all that there is of their session: only a number can be missing.
    """
    absent_mp4s: set[str] = set()
    transcoding = case.expectation.transcoding
    for session in case.sessions.values():
        if case.expectation.mp4 and session.slices:
            absent_mp4s |= _judge_mp4s(case, session)
        if case.expectation.mp3:
            _judge_mp3s(case, session)
        if transcoding and not session.silent:
            _judge_transcoding(case, session.expected.sid, transcoding, finals)
    return absent_mp4s


def _judge_mp4s(case: Case, session: SessionCase) -> set[str]:
    """Note MP4s that are absent; return their names.

    The last recorder must have made an MP4, and no number may be missing for any user. A lost
    recorder may lose the media of its MP4: its slices are not lost.
    """
    sid, absent = session.expected.sid, set[str]()
    parts: dict[int, _Parts] = {recorder: {} for recorder in session.recorders}
    for file in case.inventory.files:
        if file.kind == "mp4" and file.sid == sid:
            by_uid = parts.setdefault(recorder_of(file.bak), {})
            by_uid.setdefault((file.uid, file.codec or ""), set()).add(file.index or 0)
    for recorder, by_uid in sorted(parts.items()):
        stem = _stem(case, sid, recorder)
        if not by_uid and recorder < max(session.recorders):
            case.findings.add("missing_mp4", "note", sid, [f"{stem}_0.mp4"], detail="failover")
            continue
        for owner, have in sorted(by_uid.items()) or [(("0", ""), set[int]())]:
            names = _absent(stem, owner, have, "mp4")
            if names:
                case.missing_mp4s("missing_mp4", session, sid, names)
                absent.update(names)
    return absent


def _judge_mp3s(case: Case, session: SessionCase) -> None:
    """Note MP3s whose numbers are missing; names with a time have none."""
    sid, parts = session.expected.sid, dict[tuple[int, str, str], set[int]]()
    for file in case.inventory.files:
        if file.sid == sid and file.name.endswith(".mp3") and file.index is not None:
            owner = (recorder_of(file.bak), file.uid, file.codec or "")
            parts.setdefault(owner, set()).add(file.index)
    for (recorder, uid, codec), have in sorted(parts.items()):
        names = _absent(_stem(case, sid, recorder), (uid, codec), have, "mp3")
        if names:
            case.problem("missing_file", session, sid, names)


def _absent(stem: str, owner: tuple[str, str], have: set[int], ending: str) -> list[str]:
    """Return the names whose numbers are missing between 0 and the highest number."""
    uid, codec = owner
    head = stem if uid == "0" else f"{stem}__uid_s_{uid}__uid_e"
    tail = f"_{codec}.{ending}" if codec else f".{ending}"
    numbers = range(min(max(have, default=0) + 1, len(have) + MAX_NAMES))
    return [f"{head}_{number}{tail}" for number in numbers if number not in have]


def _judge_transcoding(
    case: Case, sid: str, kind: TranscodedFormat, finals: Sequence[tuple[Stream, PlaylistFile]]
) -> None:
    """Check for one MP4 a uid, or one audio file for all; they come a day or more later."""
    stem = _stem(case, sid, -1)
    made = {
        file.uid
        for file in case.inventory.files
        if file.sid == sid and file.size and file.name.endswith(f".{kind}")
    }
    if kind == "mp4":
        played = (stream.parsed for stream, final in finals if final.duration_ms)
        uids = {parsed.uid for parsed in played if parsed.sid == sid and parsed.uid}
        absent = [f"{stem}__uid_s_{uid}__uid_e_0.mp4" for uid in sorted(uids - made)]
    else:
        absent = [] if made else [f"{stem}_0.{kind}"]
    if absent:
        deadline_ms = case.expectation.transcoding_deadline_ms
        is_overdue = case.overdue if deadline_ms is None else case.now_ms >= deadline_ms
        level: Level = "error" if is_overdue else "awaited"
        case.findings.add("missing_transcoding", level, sid, absent)


def judge_announced(case: Case, absent_mp4s: AbstractSet[str]) -> None:
    """Check that announced files are there; of an index, any version.

    `absent_mp4s` have been reported, and are not reported again.
    """
    inventory = case.inventory
    for name in sorted(inventory.unseen):
        parsed = parse(name, case.expectation.cname, inventory.sids) or hint(name, inventory.sids)
        session = case.sessions.get(parsed.sid) if parsed is not None else None
        if parsed is None or session is None:
            continue
        stream = inventory.streams.get(
            (parsed.sid, parsed.bak, parsed.uid, parsed.track or parsed.codec)
        )
        if parsed.kind == "mp4":
            if name not in absent_mp4s:
                case.missing_mp4s("missing_file", session, parsed.sid, [name])
        elif parsed.kind != "playlist" or stream is None or not stream.indexes:
            case.problem("missing_file", session, parsed.sid, [name])


def _stem(case: Case, sid: str, recorder: int) -> str:
    parsed = (stream.parsed for stream in case.inventory.streams.values())
    cname = next((each.cname for each in parsed if each.sid == sid), case.expectation.cname)
    return f"{'' if recorder < 0 else f'bak{recorder}_'}{sid}_{cname}"

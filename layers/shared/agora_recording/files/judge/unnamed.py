"""Files that no index names: slices beside the indexes, foreign files, and files of 0 bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from agora_recording.files.inventory import Series, Stream
from agora_recording.files.judge.case import Case
from agora_recording.files.names import start_ms


def judge_unnamed_slices(case: Case, named: AbstractSet[str], idle: Mapping[Stream, str]) -> None:
    """Note slices that no final index names: a problem only if their stream has no index, or an
    index that names nothing (`idle`, with its name).
    """
    inventory = case.inventory
    unnamed: dict[Series, list[str]] = defaultdict(list)
    for name in sorted(inventory.stored.keys() - named):
        series = inventory.series_of(name)
        if series is None or start_ms(name) is None:  # 17 digits that are not a time
            case.findings.add("foreign_file", "note", "", [name])
        else:
            unnamed[series].append(name)
    for name in sorted(inventory.loose):
        case.findings.add("foreign_file", "note", "", [name])
    mpds = {(file.sid, file.bak, file.uid) for file in inventory.files if file.kind == "mpd"}
    for series, names in unnamed.items():
        parsed, where = series.parsed, names[0][: names[0].rfind(".") - 18]
        if series.stream in idle and len(names) == series.count:
            session, detail = case.sessions[parsed.sid], "it names no slice"
            case.problem("nothing_playable", session, idle[series.stream], names, detail)
        elif series.stream.indexes or len(names) < series.count:
            case.findings.add("orphan_segment", "note", where, names)
        elif (parsed.sid, parsed.bak, parsed.uid or "0") in mpds:
            case.findings.add("unread_mpd", "note", where, names)
        else:
            case.problem("no_playlist", case.sessions[parsed.sid], where, names)


def judge_empty_files(case: Case) -> None:
    """Note each MP4, audio file, MPD and snapshot of 0 bytes as a problem of its session."""
    empty = [(file.name, file.sid) for file in case.inventory.files if not file.size]
    for series in case.inventory.series.values():
        empty += [(name, series.parsed.sid) for name in series.empty]
    for name, sid in sorted(empty):
        case.problem("empty_file", case.sessions[sid], sid, [name])

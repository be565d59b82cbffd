"""Files that no index names: slices beside the indexes, foreign files, and files of 0 bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from agora_recording.files.inventory import MediaFile, Series, Stream
from agora_recording.files.judge.case import MAX_NAMES, Case
from agora_recording.files.names import start_ms, stem_of, with_number


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
        parsed, where = series.parsed, stem_of(names[0])
        if series.stream in idle and len(names) == series.count:
            session, detail = case.sessions[parsed.sid], "it names no slice"
            case.problem("nothing_playable", session, idle[series.stream], names, detail)
        elif series.stream.indexes or len(names) < series.count:
            case.findings.add("orphan_segment", "note", where, names)
        elif (parsed.sid, parsed.bak, parsed.uid or "0") in mpds:
            case.findings.add("unread_mpd", "note", where, names)
        else:
            case.problem("no_playlist", case.sessions[parsed.sid], where, names)


def judge_dash_slices(case: Case) -> None:
    """Judge the slices that raw mode numbers (VP8, VP9): a number that is missing is lost media.

    The MPD is listed, but not read: a slice that is missing at the end is not noticed here.
    """
    files = case.inventory.files
    mpds = {(file.sid, file.bak, file.uid, file.codec) for file in files if file.kind == "mpd"}
    streams: dict[str, dict[int, MediaFile]] = defaultdict(dict)
    for file in files:
        if file.kind == "dash_segment" and file.index is not None:
            streams[stem_of(file.name)][file.index] = file
    for where, slices in sorted(streams.items()):
        first = min(slices)
        sample = slices[first]
        session = case.sessions[sample.sid]
        if (sample.sid, sample.bak, sample.uid, sample.codec) in mpds:
            names = [each.name for _, each in sorted(slices.items())]
            case.findings.add("unread_mpd", "note", where, names)
        else:
            case.problem("no_playlist", session, where, [sample.name])
        numbers = range(first, min(max(slices), first + len(slices) + MAX_NAMES))
        absent = [with_number(sample.name, number) for number in numbers if number not in slices]
        if absent:
            case.problem("missing_segment", session, where, absent)


def judge_empty_files(case: Case) -> None:
    """Note each MP4, audio file, MPD, DASH slice and snapshot of 0 bytes as a problem."""
    empty = [(file.name, file.sid) for file in case.inventory.files if not file.size]
    for series in case.inventory.series.values():
        empty += [(name, series.parsed.sid) for name in series.empty]
    for name, sid in sorted(empty):
        case.problem("empty_file", case.sessions[sid], sid, [name])

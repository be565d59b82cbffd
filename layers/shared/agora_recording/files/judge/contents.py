"""What a recording consists of: its tracks with their gaps, and its snapshots."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from agora_recording.files.gaps import Run, runs_of, union
from agora_recording.files.inventory import Inventory, Stream
from agora_recording.files.judge.case import Case
from agora_recording.files.names import start_ms
from agora_recording.files.verdict import PlaylistFile, Snapshots, Track, TrackType

_TYPES: dict[str, TrackType] = {"audio": "audio", "video": "video", "av": "audio_and_video"}


def tracks_of(
    case: Case, finals: Sequence[tuple[Stream, PlaylistFile]]
) -> tuple[list[Track], list[Run]]:
    """Return the tracks by uid, type and codec, and the runs of media of all of them."""
    joined: dict[tuple[str, str, str], list[PlaylistFile]] = defaultdict(list)
    for stream, final in finals:
        parsed = stream.parsed
        joined[parsed.uid or "0", parsed.track or "", parsed.codec or ""].append(final)
    gap_ms = case.expectation.gap_ms
    tracks, runs = [], []
    for uid, track, codec in sorted(joined, key=lambda key: (len(key[0]), key)):
        # Stable: sessions and recorders come in order.
        playlists = sorted(joined[uid, track, codec], key=lambda final: _start_ms(case, final))
        own_runs = [run for playlist in playlists for run in runs_of(playlist, gap_ms)]
        gaps, _ = union(own_runs, gap_ms)
        kind = _type_of(track, playlists)
        tracks.append(
            Track(uid=uid, type=kind, codec=codec or None, playlists=playlists, gaps=gaps)
        )
        runs += own_runs
    return tracks, runs


def _start_ms(case: Case, final: PlaylistFile) -> int:
    if final.start_ms is not None:
        return final.start_ms
    return case.sessions[final.sid].expected.started_ms or 0


def _type_of(track: str, playlists: Sequence[PlaylistFile]) -> TrackType:
    """Return the track type by the file name; if that has none, by the index's track events."""
    if not track:
        media = frozenset[str]().union(*(playlist.media for playlist in playlists))
        track = "audio" if media == {"AUDIO"} else "video" if media == {"VIDEO"} else "av"
    return _TYPES[track]


def snapshots_of(inventory: Inventory) -> Snapshots:
    """Return the snapshots of all sessions, summed up."""
    total = Snapshots()
    for series in inventory.series.values():
        if series.parsed.kind == "snapshot":
            total.count += series.count
            total.bytes += series.bytes
            times = [start_ms(series.first), start_ms(series.last), total.first_ms, total.last_ms]
            known = [ms for ms in times if ms is not None]
            total.first_ms = min(known, default=None)
            total.last_ms = max(known, default=None)
    return total

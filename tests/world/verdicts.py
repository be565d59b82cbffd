"""Verdicts on recordings that never were, and their documents as a consumer reads them."""

from __future__ import annotations

import json
from typing import Any

from agora_recording.files.documents import documents
from agora_recording.files.inventory import MediaFile
from agora_recording.files.verdict import (
    Finding,
    Gap,
    PlaylistFile,
    SegmentFile,
    Snapshots,
    Track,
    Verdict,
)

PREFIX = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
SID = "0123456789abcdef0123456789abcdef"
START_MS = 1_769_860_800_000
RECORDING = {"recordingId": PREFIX[11:-1], "cname": "standup", "mode": "mix", "tags": {"b": 1}}


def playlist(slices: int, name: str = "", **changes: Any) -> PlaylistFile:
    stem = name or f"{SID}_standup"
    segments = [
        SegmentFile(
            f"{stem}_{number:017}.ts", 1000, f"{number:032x}", 15_000, START_MS + 15_000 * number
        )
        for number in range(slices)
    ]
    return PlaylistFile(
        **{
            "name": f"{stem}.m3u8",
            "sid": SID,
            "bak": None,
            "size": 500,
            "etag": "e" * 32,
            "closed": True,
            "media": frozenset(),
            "segments": segments,
            "bytes": 1000 * slices,
            "duration_ms": 15_000 * slices,
            "start_ms": START_MS if slices else None,
            "end_ms": START_MS + 15_000 * slices if slices else None,
            **changes,
        }
    )


def track(*playlists: PlaylistFile, uid: str = "0", gaps: int = 0) -> Track:
    return Track(uid=uid, type="audio_and_video", playlists=list(playlists), gaps=holes(gaps))


def holes(number: int) -> list[Gap]:
    return [Gap(START_MS + 10 * n, START_MS + 10 * n + 5, "interruption") for n in range(number)]


def mp4(name: str, **changes: Any) -> MediaFile:
    fields = {"kind": "mp4", "sid": SID, "bak": None, "uid": "0", "index": 0, "size": 9}
    return MediaFile(**{"name": name, "etag": "f" * 32, **fields, **changes})


def verdict(*tracks: Track, **changes: Any) -> Verdict:
    return Verdict(
        **{
            "outcome": "complete",
            "findings": [],
            "tracks": list(tracks),
            "files": [],
            "snapshots": Snapshots(),
            "gaps": [],
            "recorded_ms": 45_000,
            "started_ms": START_MS,
            "ended_ms": START_MS + 45_000,
            "objects": 4,
            "bytes": 3500,
            "prefix": PREFIX,
            "verified_ms": START_MS + 60_000,
            **changes,
        }
    )


def finding(names: int, name: str = "x.ts") -> Finding:
    return Finding("missing_segment", "error", "where", names, (name,) * min(names, 100), "")


def written(of: Verdict) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the manifest and its parts."""
    found = {key: json.loads(body) for key, body in documents(of, RECORDING)}
    return found.pop(PREFIX + "manifest.json"), found


def everything(told: dict[str, Any], parts: dict[str, list[Any]], name: str) -> list[Any]:
    """Return a list of the manifest, gathered as docs/manifest.md says."""
    listed = told[name]
    if "items" in listed:
        return list(listed["items"])
    return [item for part in listed["parts"] for item in parts[part["key"]]]

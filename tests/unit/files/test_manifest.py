"""The manifest: what it tells, and that it stays small."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agora_recording.files import manifest
from agora_recording.files.inventory import MediaFile
from agora_recording.files.manifest import Manifest
from agora_recording.files.verdict import (
    Cause,
    Code,
    Finding,
    Gap,
    Level,
    PlaylistFile,
    SegmentFile,
    Snapshots,
    Track,
    Verdict,
)
from agora_recording.recording.model import Outcome

PREFIX = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
SID = "0123456789abcdef0123456789abcdef"
START_MS = 1_769_860_800_000
SCHEMA = Path(__file__).parents[3] / "docs" / "manifest.schema.json"
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


def written(of: Verdict) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The manifest and its parts, as a consumer reads them."""
    documents = {key: json.loads(body) for key, body in manifest.documents(of, RECORDING)}
    return documents.pop(PREFIX + "manifest.json"), documents


def everything(told: dict[str, Any], parts: dict[str, list[Any]], name: str) -> list[Any]:
    """A list of the manifest, gathered as docs/manifest.md says."""
    listed = told[name]
    if "items" in listed:
        return list(listed["items"])
    return [item for part in listed["parts"] for item in parts[part["key"]]]


def test_a_small_recording_is_told_in_one_document() -> None:
    told, parts = written(verdict(track(playlist(3)), files=[mp4(f"{SID}_standup_0.mp4")]))
    assert parts == {}
    assert told["schemaVersion"] == 1
    assert told["generatedAt"] == "2026-01-31T12:01:00.000Z"
    assert told["recording"] == RECORDING
    assert told["verdict"] == "complete"
    assert told["totals"] == {
        "objects": 4,
        "bytes": 3500,
        "durationMs": 45_000,
        "startedAt": "2026-01-31T12:00:00.000Z",
        "endedAt": "2026-01-31T12:00:45.000Z",
    }
    assert told["segments"]["items"][1] == {
        "name": f"{SID}_standup_{1:017}.ts",
        "bytes": 1000,
        "etag": f"{1:032x}",
        "durationMs": 15_000,
        "startedAt": "2026-01-31T12:00:15.000Z",
    }
    assert told["files"]["items"] == [
        {
            "key": f"{PREFIX}{SID}_standup_0.mp4",
            "kind": "mp4",
            "sid": SID,
            "uid": "0",
            "bytes": 9,
            "etag": "f" * 32,
            "index": 0,
        }
    ]


def test_a_track_tells_its_playlists_and_its_sums() -> None:
    base, bak = playlist(2, closed=False), playlist(1, f"bak0_{SID}_standup", bak=0)
    told, _ = written(verdict(track(base, bak, uid="7", gaps=1)))
    (told_track,) = told["tracks"]["items"]
    first, second = told_track.pop("playlists")
    assert told_track == {
        "uid": "7",
        "trackType": "audio_and_video",
        "firstSegment": 0,
        "segmentCount": 3,
        "bytes": 3000,
        "durationMs": 45_000,
        "startedAt": "2026-01-31T12:00:00.000Z",
        "endedAt": "2026-01-31T12:00:30.000Z",
        "gaps": {
            "count": 1,
            "durationMs": 5,
            "items": [
                {
                    "startedAt": "2026-01-31T12:00:00.000Z",
                    "endedAt": "2026-01-31T12:00:00.005Z",
                    "cause": "interruption",
                }
            ],
        },
    }
    assert "bak" not in first
    assert not first["closed"]
    assert (second["key"], second["bak"], second["segmentCount"]) == (
        f"{PREFIX}bak0_{SID}_standup.m3u8",
        0,
        1,
    )


def test_a_lost_slice_is_marked_in_its_place() -> None:
    lost = playlist(2)
    lost.segments[1] = SegmentFile("gone.ts", 0, "", 15_000, None, "missing")
    told, _ = written(verdict(track(lost)))
    assert told["segments"]["items"][1] == {
        "name": "gone.ts",
        "bytes": 0,
        "etag": "",
        "durationMs": 15_000,
        "state": "missing",
    }


def test_a_hundred_thousand_slices_are_told_by_reference() -> None:
    whole = verdict(track(playlist(60_000), uid="1"), track(playlist(40_000), uid="2"))
    told, parts = written(whole)
    assert "items" not in told["segments"]
    assert told["segments"]["count"] == 100_000
    assert len(parts) == 50
    assert told["segments"]["parts"][0] == {
        "key": f"{PREFIX}manifest/segments-00001.json",
        "count": 2000,
    }
    assert [len(parts[part["key"]]) for part in told["segments"]["parts"]] == [2000] * 50
    second = told["tracks"]["items"][1]
    assert (second["firstSegment"], second["segmentCount"]) == (60_000, 40_000)
    rows = everything(told, parts, "segments")
    assert rows[60_000]["name"] == rows[0]["name"]


def test_a_part_that_is_not_full_tells_its_count() -> None:
    told, parts = written(verdict(track(playlist(4001))))
    assert [part["count"] for part in told["segments"]["parts"]] == [2000, 2000, 1]
    assert len(everything(told, parts, "segments")) == 4001


def test_the_manifest_is_written_after_its_parts() -> None:
    keys = [key for key, _ in manifest.documents(verdict(track(playlist(4001))), RECORDING)]
    assert keys[-1] == PREFIX + "manifest.json"
    assert len(keys) == 4


def test_the_same_verdict_gives_the_same_bytes() -> None:
    whole = verdict(track(playlist(900)), findings=[finding(3)])
    turned = dict(reversed(RECORDING.items()))
    first = list(manifest.documents(whole, RECORDING))
    assert list(manifest.documents(whole, turned)) == first


def test_what_is_written_is_read_again() -> None:
    built = manifest.build(verdict(track(playlist(3))), RECORDING)
    assert manifest.decode(manifest.encode(built)) == built
    with pytest.raises(msgspec.DecodeError):
        manifest.decode(b'{"schemaVersion":2}')


def finding(names: int, name: str = "x.ts") -> Finding:
    return Finding("missing_segment", "error", "where", names, (name,) * min(names, 100), "")


def huge(name: str) -> Verdict:
    """Everything at once, at the edge of what verification lets through."""
    numbers = count()
    streams = [
        track(*(playlist(20, f"{name}{next(numbers)}") for _ in range(8)), uid=str(uid), gaps=50)
        for uid in range(300)
    ]
    return verdict(
        *streams,
        findings=[finding(100, name * 2) for _ in range(1000)],
        files=[mp4(f"{name}_{index}.mp4", index=index) for index in range(3000)],
        gaps=holes(2000),
        snapshots=Snapshots(count=10**6, bytes=10**12, first_ms=0, last_ms=START_MS),
    )


@pytest.mark.parametrize("name", ["short", "w" * 900, '"' * 500, "\U0001f600" * 230])
def test_the_manifest_stays_small_whatever_is_recorded(name: str) -> None:
    whole = huge(name)
    built = manifest.build(whole, RECORDING)
    assert len(manifest.encode(built)) < 180_000
    assert built.findings.items
    assert built.findings.count == 1000


def test_no_part_is_larger_than_what_a_function_may_answer() -> None:
    sizes = [len(body) for _, body in manifest.parts(huge("w" * 900))]
    assert max(sizes) < 6_000_000


@pytest.mark.parametrize("ms", [-1, 10**15, 10**20])
def test_an_instant_beyond_all_years_is_left_out(ms: int) -> None:
    odd = playlist(1, start_ms=ms, end_ms=ms)
    odd.segments[0].start_ms = ms
    told, _ = written(verdict(track(odd), started_ms=ms, gaps=[Gap(ms, ms + 1, "missing")]))
    assert "startedAt" not in told["totals"]
    assert "startedAt" not in told["segments"]["items"][0]
    assert told["gaps"] == {"count": 1, "durationMs": 1, "items": []}


# --- the schema ---------------------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_types() -> None:
    published = json.loads(SCHEMA.read_text())
    assert published == json.loads(json.dumps(manifest.schema())), (
        "write it anew: python -c 'import json; from agora_recording import manifest;"
        " print(json.dumps(manifest.schema(), indent=2))' > docs/manifest.schema.json"
    )


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400), max_size=4),
    gaps=st.integers(0, 3),
    names=st.integers(1, 300),
    outcome=st.sampled_from(["complete", "pending", "incomplete"]),
)
def test_every_manifest_obeys_the_published_schema(
    sizes: list[int], gaps: int, names: int, outcome: str
) -> None:
    schema = json.loads(SCHEMA.read_text())
    whole = verdict(
        *(track(playlist(size), uid=str(uid), gaps=gaps) for uid, size in enumerate(sizes)),
        outcome=outcome,
        findings=[finding(names)],
        files=[mp4("a.mp4", bak=1, index=None)],
        gaps=holes(gaps),
        snapshots=Snapshots(count=1, bytes=2, first_ms=START_MS, last_ms=START_MS),
    )
    told, parts = written(whole)
    jsonschema_rs.validator_for(schema).validate(told)
    segment = {**schema, "$ref": "#/$defs/SegmentEntry"}
    for row in everything(told, parts, "segments")[:50]:
        jsonschema_rs.validator_for(segment).validate(row)


def test_the_schema_refuses_what_is_no_manifest() -> None:
    schema = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    built = json.loads(manifest.encode(manifest.build(verdict(), RECORDING)))
    assert schema.is_valid(built)
    for name in built:
        assert not schema.is_valid({key: value for key, value in built.items() if key != name})
    assert not schema.is_valid({**built, "verdict": "perhaps"})


def test_every_code_and_cause_is_explained() -> None:
    page = (SCHEMA.parent / "manifest.md").read_text()
    told = {*get_args(Code), *get_args(Cause), *get_args(Level), *get_args(Outcome)}
    assert [word for word in sorted(told) if f"`{word}`" not in page] == []


def test_the_fields_are_those_of_the_document() -> None:
    built = json.loads(manifest.encode(manifest.build(verdict(), RECORDING)))
    assert list(built) == [field.encode_name for field in msgspec.structs.fields(Manifest)]

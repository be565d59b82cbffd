"""The documents of a verdict: what the manifest tells, and that it stays small."""

from __future__ import annotations

from itertools import count

import pytest

from agora_recording.files import documents
from agora_recording.files.manifest import encode
from agora_recording.files.verdict import Gap, SegmentFile, Snapshots, Verdict
from tests.world.verdicts import (
    PREFIX,
    RECORDING,
    SID,
    START_MS,
    everything,
    finding,
    holes,
    mp4,
    playlist,
    track,
    verdict,
    written,
)


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
    keys = [key for key, _ in documents.documents(verdict(track(playlist(4001))), RECORDING)]
    assert keys[-1] == PREFIX + "manifest.json"
    assert len(keys) == 4


def test_the_same_verdict_gives_the_same_bytes() -> None:
    whole = verdict(track(playlist(900)), findings=[finding(3)])
    turned = dict(reversed(RECORDING.items()))
    first = list(documents.documents(whole, RECORDING))
    assert list(documents.documents(whole, turned)) == first


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
    built = documents.build(whole, RECORDING)
    assert len(encode(built)) < 180_000
    assert built.findings.items
    assert built.findings.count == 1000


def test_no_part_is_larger_than_what_a_function_may_answer() -> None:
    sizes = [len(body) for _, body in documents.parts(huge("w" * 900))]
    assert max(sizes) < 6_000_000


@pytest.mark.parametrize("ms", [-1, 10**15, 10**20])
def test_an_instant_beyond_all_years_is_left_out(ms: int) -> None:
    odd = playlist(1, start_ms=ms, end_ms=ms)
    odd.segments[0].start_ms = ms
    told, _ = written(verdict(track(odd), started_ms=ms, gaps=[Gap(ms, ms + 1, "missing")]))
    assert "startedAt" not in told["totals"]
    assert "startedAt" not in told["segments"]["items"][0]
    assert told["gaps"] == {"count": 1, "durationMs": 1, "items": []}

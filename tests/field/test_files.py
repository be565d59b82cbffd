"""What Agora leaves in a bucket beyond its documents, one row each: the verdict, and why."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from agora_recording.files.conclusion import final_status
from agora_recording.files.inventory import S3Object
from agora_recording.files.judge import verify
from agora_recording.files.verdict import Expectation, Session, Verdict

PREFIX = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
SID = "0123456789abcdef0123456789abcdef"
NOW_MS = 1_769_864_400_000
USER = f"{SID}_room__uid_s_7__uid_e"


def index(*names: str, end: str = "#EXT-X-ENDLIST\n") -> str:
    return "#EXTM3U\n" + "".join(f"#EXTINF:15\n{name}\n" for name in names) + end


def stream(stem: str, *tails: str) -> dict[str, str]:
    """Return an index and the slices that it names."""
    names = [f"{stem}_{tail}" for tail in tails]
    return {f"{stem}.m3u8": index(*names)} | dict.fromkeys(names, "media")


def master(*names: str) -> str:
    return "#EXTM3U\n" + "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{name}\n" for name in names)


UTC = ("20260131120000000.ts", "20260131120015000.ts")
EPOCH = ("1769860800000.ts", "1769860815000.ts")
SOUND = stream(f"{USER}_audio", *UTC)
PICTURE = stream(f"{USER}_video", *UTC)
BOTH = {f"{USER}_av.m3u8": master(f"{USER}_audio.m3u8", f"{USER}_video.m3u8")}
MIX = stream(f"{SID}_room", *UTC)


class Row(NamedTuple):
    """The files, where it was seen, the status that is right, and what was expected of them."""

    source: str
    files: dict[str, str]
    status: str
    expected: Mapping[str, Any] = MappingProxyType({})


ROWS = [
    Row("web, English pages: 17 digits", stream(f"{SID}_a-b", *UTC), "completed", {"cname": "a_b"}),
    Row(
        "web, Chinese pages: 13 digits", stream(f"{SID}_a-b", *EPOCH), "completed", {"mode": "web"}
    ),
    Row(
        "Chinese table: - in every mode",
        stream(f"{SID}_a--b", *UTC),
        "completed",
        {"cname": "a+.b"},
    ),
    Row(
        "API page: MP4s of 2 h",
        MIX | {f"{SID}_room_{n}.mp4": "x" for n in range(3)},
        "completed",
        {"mp4": True},
    ),
    Row(
        "a number of them is not there",
        MIX | {f"{SID}_room_{n}.mp4": "x" for n in (0, 2)},
        "incomplete",
        {"mp4": True},
    ),
    Row("a user who sent no video", SOUND | BOTH, "completed", {"mode": "individual"}),
    Row("a user who sent no sound", PICTURE | BOTH, "completed", {"mode": "individual"}),
    Row(
        "a user's video was announced",
        SOUND | BOTH,
        "incomplete",
        {"mode": "individual", "announced": frozenset({f"{USER}_video.m3u8"})},
    ),
    Row(
        "a user's video has lost its index",
        SOUND | BOTH | {f"{USER}_video_{UTC[0]}": "media"},
        "incomplete",
        {"mode": "individual"},
    ),
    Row("a user who sent nothing", BOTH, "failed", {"mode": "individual"}),
    Row(
        "a slice of 13 digits is lost",
        {
            name: text
            for name, text in stream(f"{SID}_room", *EPOCH).items()
            if EPOCH[1] not in name
        },
        "incomplete",
        {"mode": "web"},
    ),
    Row("13 digits without an index", {f"{SID}_room_{EPOCH[0]}": "media"}, "incomplete"),
    Row("a form that nobody has seen yet", stream(f"v3.{SID}", "h266-1.ts"), "completed"),
    Row(
        "the same, and its index is cut",
        {f"v3.{SID}.m3u8": "#EXTM3U\n#EXTINF:1", f"v3.{SID}_1.ts": "media"},
        "incomplete",
    ),
]


def verdict(files: dict[str, str], **expected: Any) -> Verdict:
    objects = [
        S3Object(PREFIX + name, len(text), "etag", 1) for name, text in sorted(files.items())
    ]
    session = Session(sid=SID, upload="uploaded")
    defaults = {"prefix": PREFIX, "mode": "mix", "cname": "room", "sessions": (session,)}
    return verify(
        objects,
        lambda key: [files[key.removeprefix(PREFIX)].encode()],
        Expectation(**defaults | expected),
        NOW_MS,
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.source)
def test_files_as_the_field_saw_them_have_their_verdict(row: Row) -> None:
    found = verdict(row.files, **row.expected)
    assert final_status(found)[0] == row.status, found.findings


@pytest.mark.parametrize("tails", [UTC, EPOCH], ids=["17 digits", "13 digits"])
def test_both_times_of_slices_are_read(tails: tuple[str, str]) -> None:
    found = verdict(stream(f"{SID}_room", *tails), mode="web")
    assert (found.started_ms, found.ended_ms) == (1_769_860_800_000, 1_769_860_830_000)
    assert found.gaps == []

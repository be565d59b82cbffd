"""Layouts of a bucket, generated, and the verdict on each."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agora_recording.files.allowance import Allowance
from agora_recording.files.conclusion import final_status
from agora_recording.files.inventory import S3Object
from agora_recording.files.judge import verify
from agora_recording.files.verdict import Expectation, Finding, Session, Verdict, length_key

PREFIX = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
SID = "0123456789abcdef0123456789abcdef"
SID2 = "11111111111111111111111111111111"
STRANGE = "fedcba9876543210fedcba9876543210"
CNAME = "stand_up"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
NOW_MS = START_MS + 3_600_000
MINUTE = 60_000


@dataclass
class Bucket:
    """What lies under the prefix: contents of indexes, sizes of everything else."""

    cname: str = CNAME
    content: dict[str, bytes] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def put(self, name: str, content: bytes | int = 1000) -> str:
        if isinstance(content, bytes):
            self.content[name] = content
            self.sizes[name] = len(content)
        else:
            self.sizes[name] = content
        return name

    def delete(self, name: str) -> None:
        del self.sizes[name]

    def stem(
        self,
        sid: str = SID,
        uid: int | None = None,
        track: str = "video",
        bak: int | None = None,
    ) -> str:
        stream = "" if uid is None else f"__uid_s_{uid}__uid_e_{track}"
        return f"{'' if bak is None else f'bak{bak}_'}{sid}_{self.cname}{stream}"

    def slices(
        self,
        stem: str,
        count: int = 3,
        *,
        at_s: float = 0,
        step_s: float = 15,
        tail: str = "",
        ext: str = "ts",
        size: int = 1000,
    ) -> list[str]:
        times = [START + timedelta(seconds=at_s + step_s * n) for n in range(count)]
        ending = f"{tail}.{ext}"
        return [self.put(f"{stem}_{time:%Y%m%d%H%M%S%f}"[:-3] + ending, size) for time in times]

    def index(
        self,
        stem: str,
        names: list[str],
        *,
        closed: bool = True,
        suffix: str = "",
        tags: str = "",
        padding: int = 0,
    ) -> str:
        entries = "".join(f"#EXTINF:15.000000\n{name}\n" for name in names)
        end = "#EXT-X-ENDLIST\n" if closed else ""
        text = f"#EXTM3U\n{'# ' * padding}\n{tags}{entries}{end}"
        return self.put(f"{stem}{suffix}.m3u8", text.encode())

    def stream(self, count: int = 3, *, closed: bool = True, at_s: float = 0, **of: Any) -> str:
        """A whole stream: slices, and the index that names them."""
        stem = self.stem(**of)
        return self.index(stem, self.slices(stem, count, at_s=at_s), closed=closed)

    def objects(self) -> list[S3Object]:
        return [
            S3Object(PREFIX + name, size, f"etag{number}", START_MS)
            for number, (name, size) in enumerate(sorted(self.sizes.items()))
        ]

    def read(self, key: str) -> list[bytes]:
        self.reads.append(key)
        return [self.content[key.removeprefix(PREFIX)]]

    def verdict(self, **changes: Any) -> Verdict:
        return verify(self.objects(), self.read, expectation(cname=self.cname, **changes), NOW_MS)


def session(sid: str = SID, **changes: Any) -> Session:
    return Session(**{"sid": sid, "started_ms": START_MS, "upload": "uploaded", **changes})


def expectation(**changes: Any) -> Expectation:
    return Expectation(**{"prefix": PREFIX, "mode": "mix", "sessions": (session(),), **changes})


def gist(verdict: Verdict) -> set[tuple[str, str, int]]:
    return {(finding.code, finding.level, finding.count) for finding in verdict.findings}


# --- the table ----------------------------------------------------------------------------------

Layout = Callable[[Bucket], None]
Row = tuple[Layout, dict[str, Any], str, set[tuple[str, str, int]]]
TABLE: dict[str, Row] = {}

COMPLETE: set[tuple[str, str, int]] = set()


def row(
    name: str, outcome: str, findings: set[tuple[str, str, int]] = COMPLETE, **expected: Any
) -> Callable[[Layout], Layout]:
    def keep(layout: Layout) -> Layout:
        TABLE[name] = (layout, expected, outcome, findings)
        return layout

    return keep


TWO = (session(), session(SID2))
RUNNING = (session(upload="unknown"),)
JUST_ENDED = (session(upload="unknown", ended_ms=NOW_MS - 1000),)
LONG_ENDED = (session(upload="unknown", ended_ms=NOW_MS - 10 * MINUTE),)
RECORDED: Any = {"upload": "unknown", "ended_ms": NOW_MS - 10 * MINUTE, "has_recorded": True}
UPLOADED = (session(ended_ms=NOW_MS - 10 * MINUTE),)
JUST_UPLOADED = (session(ended_ms=NOW_MS - 1000),)
UPLOADING = (session(upload="uploading", ended_ms=NOW_MS - 1000),)
BACKUPED = (session(upload="backuped", ended_ms=NOW_MS - 20 * MINUTE),)
JUST_BACKUPED = (session(upload="backuped", ended_ms=NOW_MS - 1000),)


@row("mix", "complete")
@row("mix, the webhook lost", "complete", sessions=JUST_ENDED)
@row("mix, part of it went to Agora's backup, all is there", "complete", sessions=BACKUPED)
@row(
    "mix, not known to have ended",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    sessions=RUNNING,
)
@row("mix, no sid was ever learnt", "pending", {("upload_unconfirmed", "awaited", 1)}, sessions=())
@row("mix, no sid was ever learnt, overdue", "complete", sessions=(), deadline_ms=NOW_MS)
def mix(bucket: Bucket) -> None:
    bucket.stream()
    bucket.put("manifest.json")
    bucket.put("events/recording-started.json")
    bucket.put("manifest/segments-00001.json")
    bucket.put("", 0)


@row("mix with MP4", "complete", mp4=True)
@row(
    "mix with MP4, 31 not heard, just ended",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    mp4=True,
    sessions=JUST_ENDED,
)
@row("mix with MP4, 31 not heard, long ended", "complete", mp4=True, sessions=LONG_ENDED)
def mix_with_mp4(bucket: Bucket) -> None:
    mix(bucket)
    bucket.put(f"{SID}_{CNAME}_0.mp4")
    bucket.put(f"{SID}_{CNAME}_1.mp4")


@row("MP4 late", "pending", {("missing_mp4", "awaited", 1)}, mp4=True, sessions=UPLOADING)
@row("MP4 never came", "incomplete", {("missing_mp4", "error", 1)}, mp4=True, sessions=UPLOADED)
@row(
    "MP4 never came, though it was announced",
    "incomplete",
    {("missing_mp4", "error", 1)},
    mp4=True,
    announced=frozenset({f"{SID}_{CNAME}_0.mp4"}),
)
@row(
    "MP4 in the making, everything else uploaded",
    "pending",
    {("missing_mp4", "awaited", 1)},
    mp4=True,
    sessions=JUST_UPLOADED,
)
@row(
    "MP4 in the making, overdue",
    "incomplete",
    {("missing_mp4", "error", 1)},
    mp4=True,
    sessions=JUST_UPLOADED,
    deadline_ms=NOW_MS,
)
@row(
    "MP4 late, in Agora's backup",
    "pending",
    {("missing_mp4", "awaited", 1)},
    mp4=True,
    sessions=BACKUPED,
)
@row(
    "MP4 overdue",
    "incomplete",
    {("missing_mp4", "error", 1)},
    mp4=True,
    sessions=BACKUPED,
    deadline_ms=NOW_MS,
)
def mp4_late(bucket: Bucket) -> None:
    mix(bucket)


@row("a hole in the MP4s", "incomplete", {("missing_mp4", "error", 1)}, mp4=True)
def mp4_hole(bucket: Bucket) -> None:
    mix_with_mp4(bucket)
    bucket.put(f"{SID}_{CNAME}_3.mp4")


@row("an empty MP4", "incomplete", {("empty_file", "error", 1)}, mp4=True)
def mp4_empty(bucket: Bucket) -> None:
    mix(bucket)
    bucket.put(f"{SID}_{CNAME}_0.mp4", 0)


@row(
    "an announced MP4 is not there",
    "incomplete",
    {("missing_file", "error", 1)},
    mp4=True,
    announced=frozenset({f"some/folder/{SID}_{CNAME}_2.mp4"}),
)
@row(
    "an announced MP4 is still to come",
    "pending",
    {("missing_file", "awaited", 1)},
    mp4=True,
    sessions=JUST_UPLOADED,
    announced=frozenset({f"{SID}_{CNAME}_2.mp4"}),
)
@row(
    "all announced files are there",
    "complete",
    mp4=True,
    announced=frozenset({f"{SID}_{CNAME}_1.mp4", f"{SID}_{CNAME}.m3u8"}),
)
@row(
    "what is announced is nonsense",
    "complete",
    mp4=True,
    announced=frozenset({"xxx.mp4", "", f"{STRANGE}_{CNAME}.m3u8"}),
)
def mp4_announced(bucket: Bucket) -> None:
    mix_with_mp4(bucket)


@row("individual", "complete", mode="individual")
@row(
    "individual, 31 not heard, just ended",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    mode="individual",
    sessions=JUST_ENDED,
)
@row(
    "individual, in backup, the list is complete",
    "complete",
    mode="individual",
    sessions=BACKUPED,
    announced=frozenset({f"{SID}_{CNAME}__uid_s_7__uid_e_audio.m3u8"}),
)
@row(
    "individual, in backup just now, the list is complete",
    "complete",
    mode="individual",
    sessions=JUST_BACKUPED,
    announced=frozenset({f"{SID}_{CNAME}__uid_s_7__uid_e_audio.m3u8"}),
)
@row(
    "individual, in backup just now, only another session's list is known",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    mode="individual",
    sessions=JUST_BACKUPED,
    announced=frozenset({f"{STRANGE}_{CNAME}.m3u8"}),
)
@row(
    "individual, in backup, a track is still to come",
    "pending",
    {("missing_file", "awaited", 1)},
    mode="individual",
    sessions=BACKUPED,
    announced=frozenset({f"{SID}_{CNAME}__uid_s_9__uid_e_audio.m3u8"}),
)
def individual(bucket: Bucket) -> None:
    for uid in (7, 123):
        for track in ("audio", "video"):
            bucket.stream(uid=uid, track=track)


@row("individual, standard: the merged index names slices of both", "complete", mode="individual")
def individual_merged(bucket: Bucket) -> None:
    audio, video = bucket.stem(uid=7, track="audio"), bucket.stem(uid=7, track="video")
    heard, seen = bucket.slices(audio), bucket.slices(video)
    bucket.index(audio, heard)
    bucket.index(video, seen)
    bucket.index(bucket.stem(uid=7, track="av"), sorted(heard + seen))


@row("individual, standard: the merged index names the other two", "complete", mode="individual")
def individual_master(bucket: Bucket) -> None:
    individual(bucket)
    bucket.put(
        bucket.stem(uid=7, track="av") + ".m3u8",
        f"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="{bucket.stem(uid=7, track="audio")}.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"
{bucket.stem(uid=7)}.m3u8
""".encode(),
    )


@row(
    "individual, standard: one that the merged index names is lost, but not its slices",
    "incomplete",
    {("missing_file", "error", 1), ("no_playlist", "error", 3)},
    mode="individual",
)
def individual_master_child_lost(bucket: Bucket) -> None:
    individual_master(bucket)
    bucket.delete(bucket.stem(uid=7) + ".m3u8")


@row(
    "individual, standard: one that the merged index names was never made",
    "complete",
    {("missing_file", "note", 1)},
    mode="individual",
)
@row(
    "individual, standard: one that the merged index names was announced, and is not there",
    "incomplete",
    {("missing_file", "error", 1)},
    mode="individual",
    announced=frozenset({f"{SID}_{CNAME}__uid_s_7__uid_e_video.m3u8"}),
)
@row(
    "individual, standard: one that the merged index names is still to come",
    "pending",
    {("missing_file", "awaited", 1)},
    mode="individual",
    sessions=UPLOADING,
    announced=frozenset({f"a/folder/{SID}_{CNAME}__uid_s_7__uid_e_video.m3u8"}),
)
@row(
    "individual, standard: nobody knows yet whether a user sent video",
    "pending",
    {("missing_file", "note", 1), ("upload_unconfirmed", "awaited", 1)},
    mode="individual",
    sessions=UPLOADING,
)
def individual_master_child_never_made(bucket: Bucket) -> None:
    individual_master(bucket)
    bucket.delete(bucket.stem(uid=7) + ".m3u8")
    for name in [name for name in bucket.sizes if name.startswith(bucket.stem(uid=7) + "_")]:
        bucket.delete(name)


MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{}\n"


@row(
    "a master that names itself, and nothing else is there",
    "incomplete",
    {("malformed_playlist", "error", 1), ("nothing_recorded", "error", 1)},
)
def master_of_itself(bucket: Bucket) -> None:
    name = f"{bucket.stem()}.m3u8"
    bucket.put(name, MASTER.format(name).encode())


@row(
    "a master that names itself, in place of the index",
    "incomplete",
    {("malformed_playlist", "error", 1), ("orphan_segment", "note", 3)},
)
def master_over_the_index(bucket: Bucket) -> None:
    bucket.stream()
    master_of_itself(bucket)


@row(
    "two masters that name each other",
    "incomplete",
    {("nothing_playable", "error", 1), ("orphan_segment", "note", 3)},
    mode="individual",
)
def masters_in_a_circle(bucket: Bucket) -> None:
    bucket.slices(bucket.stem(uid=7))
    names = [f"{bucket.stem(uid=7, track=track)}.m3u8" for track in ("video", "av")]
    for name, other in (names, names[::-1]):
        bucket.put(name, MASTER.format(other).encode())


@row(
    "index overwritten by an empty one",
    "incomplete",
    {("empty_playlist", "note", 1), ("nothing_playable", "error", 3)},
)
@row(
    "index overwritten by an empty one, before the end of the upload",
    "pending",
    {("empty_playlist", "note", 1), ("nothing_playable", "awaited", 3)},
    sessions=UPLOADING,
)
def index_overwritten(bucket: Bucket) -> None:
    bucket.stream()
    bucket.index(bucket.stem(), [])


@row(
    "one track's index overwritten by an empty one",
    "incomplete",
    {("empty_playlist", "note", 1), ("nothing_playable", "error", 3)},
    mode="individual",
)
def index_of_one_track_overwritten(bucket: Bucket) -> None:
    individual(bucket)
    bucket.index(bucket.stem(uid=7), [])


@row(
    "index overwritten by an empty one, but the MP4 is there",
    "incomplete",
    {("empty_playlist", "note", 1), ("nothing_playable", "error", 3)},
    mp4=True,
)
def index_overwritten_beside_mp4(bucket: Bucket) -> None:
    index_overwritten(bucket)
    bucket.put(f"{SID}_{CNAME}_0.mp4")


@row("slices without any duration", "incomplete", {("nothing_playable", "error", 1)})
def no_duration_at_all(bucket: Bucket) -> None:
    name = bucket.stream()
    bucket.put(name, bucket.content[name].replace(b"15.000000", b"0"))


@row(
    "an index that names nothing, and snapshots, which are no substitute",
    "incomplete",
    {("empty_playlist", "note", 1), ("nothing_playable", "error", 1)},
    mode="individual",
    snapshots=True,
)
def snapshots_alone(bucket: Bucket) -> None:
    bucket.stream(0, uid=9)
    snapshots(bucket)


@row(
    "an index shorter than it was",
    "incomplete",
    {("shortened_playlist", "error", 1), ("orphan_segment", "note", 1)},
    lengths={length_key(f"{SID}_{CNAME}.m3u8"): 4},
)
@row(
    "an index shorter than a copy of it was",
    "incomplete",
    {("shortened_playlist", "error", 1), ("orphan_segment", "note", 1)},
    lengths={length_key(f"{SID}_{CNAME}_22194679897_3.m3u8"): 4},
)
@row(
    "an index longer than it was",
    "complete",
    {("orphan_segment", "note", 1)},
    lengths={length_key(f"{SID}_{CNAME}.m3u8"): 3},
)
def shortened(bucket: Bucket) -> None:
    names = bucket.slices(bucket.stem(), 4)
    bucket.index(bucket.stem(), names[:3])


@row("an initialization section that is not there", "incomplete", {("missing_file", "error", 1)})
def no_map(bucket: Bucket) -> None:
    tag = '#EXT-X-MAP:URI="init.mp4"\n'
    bucket.index(bucket.stem(), bucket.slices(bucket.stem()), tags=tag)


@row("an initialization section", "complete")
def with_map(bucket: Bucket) -> None:
    no_map(bucket)
    bucket.put("init.mp4")


@row("web: names with 13 digits", "complete", mode="web")
def web_13_digits(bucket: Bucket) -> None:
    times = range(START_MS, START_MS + 45_000, 15_000)
    bucket.index(bucket.stem(), [bucket.put(f"{bucket.stem()}_{at}.ts") for at in times])


@row("names of a form that nobody has documented", "complete", {("foreign_file", "note", 1)})
def new_form(bucket: Bucket) -> None:
    names = [bucket.put(f"slice-{number}-of-{SID}.ts") for number in range(3)]
    bucket.index(f"{SID}!new", names)


@row(
    "not even a sid in the names", "complete", {("foreign_file", "note", 1)}, sessions=(session(),)
)
def no_sid(bucket: Bucket) -> None:
    bucket.index("index", [bucket.put(f"{number}.ts") for number in range(3)])


@row("an index without a sid beside Agora's", "complete", {("foreign_file", "note", 1)})
def copied_index(bucket: Bucket) -> None:
    bucket.stream()
    bucket.index("my-own", ["gone.ts"])


@row(
    "media of unknown names, and no index",
    "incomplete",
    {("foreign_file", "note", 2), ("no_playlist", "error", 1)},
)
@row(
    "media of unknown names, and no index yet",
    "pending",
    {("foreign_file", "note", 2), ("no_playlist", "awaited", 1)},
    sessions=UPLOADING,
)
def media_alone(bucket: Bucket) -> None:
    bucket.put("1.ts")
    bucket.put("2.ts")


@row("an MP4 of an unknown name", "complete", {("foreign_file", "note", 1)})
def mp4_of_unknown_name(bucket: Bucket) -> None:
    mix(bucket)
    bucket.put(f"{SID}-composed.mp4")


@row(
    "nothing but media of a session that nobody knows",
    "incomplete",
    {("unknown_session", "error", 1)},
)
def strange_media(bucket: Bucket) -> None:
    bucket.stream(sid=STRANGE)


@row(
    "slices of another session, named by the recording's index",
    "complete",
    {("unknown_session", "note", 1)},
)
def slices_of_another_sid(bucket: Bucket) -> None:
    bucket.index(bucket.stem(), bucket.slices(bucket.stem(sid=STRANGE)))


@row("individual with MP4", "complete", mode="individual", mp4=True)
def individual_mp4(bucket: Bucket) -> None:
    individual(bucket)
    for number, uid in enumerate((7, 123)):
        for part in range(number + 1):
            bucket.put(f"{SID}_{CNAME}__uid_s_{uid}__uid_e_{part}.mp4")


@row(
    "individual, a hole in the MP4s of one user",
    "incomplete",
    {("missing_mp4", "error", 1)},
    mode="individual",
    mp4=True,
)
def individual_mp4_hole(bucket: Bucket) -> None:
    individual_mp4(bucket)
    bucket.delete(f"{SID}_{CNAME}__uid_s_123__uid_e_0.mp4")


@row(
    "individual, VP8: WebM slices and an MPD",
    "complete",
    {("unread_mpd", "note", 3)},
    mode="individual",
)
def individual_vp8(bucket: Bucket) -> None:
    video = bucket.stem(uid=7, track="video")
    bucket.index(video, bucket.slices(video, ext="webm"))
    bucket.slices(bucket.stem(uid=7, track="audio"), ext="webm")
    bucket.put(bucket.stem(uid=7, track="av") + ".mpd")


def vp8(bucket: Bucket, stem: str) -> None:
    """Everybody's WebM slices, and the MPD that plays them."""
    bucket.slices(stem, ext="webm")
    bucket.put(f"{stem}.mpd")


@row("mix, VP8: an MPD plays its WebM slices", "complete", {("unread_mpd", "note", 3)})
def mix_vp8(bucket: Bucket) -> None:
    vp8(bucket, bucket.stem())


@row(
    "an MPD plays no other session's slices",
    "incomplete",
    {("nothing_playable", "error", 1), ("orphan_segment", "note", 3), ("unread_mpd", "note", 3)},
    mode="individual",
    sessions=TWO,
)
def mpd_of_another_session(bucket: Bucket) -> None:
    masters_in_a_circle(bucket)
    vp8(bucket, bucket.stem(SID2))


def raw_stem(bucket: Bucket, uid: int, sid: str = SID) -> str:
    return f"{bucket.stem(sid)}__uid_s_{uid}__uid_e"


def raw_stream(bucket: Bucket, uid: int, *, codec: str = "h264", **more: Any) -> list[str]:
    """A user's slices and their index, as raw mode names them."""
    stem = raw_stem(bucket, uid, more.pop("sid", SID))
    slices = bucket.slices(stem, tail=f"_{codec}", **more)
    return [bucket.index(f"{stem}_{codec}", slices), *slices]


RAW: dict[str, Any] = {"mode": "raw"}
STRANDED = (session(upload="stranded", ended_ms=NOW_MS - 20 * MINUTE),)


@row("raw", "complete", **RAW)
@row(
    "raw, 31 not heard, just ended",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    **RAW,
    sessions=JUST_ENDED,
)
@row(
    "raw, stranded, nothing is known to be missing",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    **RAW,
    sessions=STRANDED,
)
@row(
    "raw, stranded, nothing is known to be missing at the deadline",
    "complete",
    **RAW,
    sessions=STRANDED,
    deadline_ms=NOW_MS,
)
@row("mix, stranded, all that its index names is there", "complete", sessions=STRANDED)
@row(
    "raw, an announced index is not there",
    "incomplete",
    {("missing_file", "error", 1)},
    **RAW,
    announced=frozenset({f"{SID}_{CNAME}__uid_s_9__uid_e_h264.m3u8"}),
)
def raw(bucket: Bucket) -> None:
    raw_stream(bucket, 7)
    raw_stream(bucket, 123)


@row(
    "raw, a slice is stranded",
    "pending",
    {("missing_segment", "awaited", 1)},
    **RAW,
    sessions=STRANDED,
)
@row(
    "raw, a slice was stranded and never came",
    "incomplete",
    {("missing_segment", "error", 1)},
    **RAW,
    sessions=STRANDED,
    deadline_ms=NOW_MS,
)
@row("raw, a slice is lost", "incomplete", {("missing_segment", "error", 1)}, **RAW)
def raw_lost(bucket: Bucket) -> None:
    bucket.delete(raw_stream(bucket, 7)[2])


@row("raw, MP4", "complete", **RAW, mp4=True)
def raw_mp4(bucket: Bucket) -> None:
    raw(bucket)
    for uid in (7, 123):
        bucket.put(f"{raw_stem(bucket, uid)}_0_h264.mp4")


@row(
    "raw, an MP4 is missing in the series",
    "incomplete",
    {("missing_mp4", "error", 1)},
    **RAW,
    mp4=True,
)
def raw_mp4_hole(bucket: Bucket) -> None:
    raw_mp4(bucket)
    bucket.put(f"{raw_stem(bucket, 7)}_2_h264.mp4")


@row("raw, MP3", "complete", **RAW, hls=False, mp3=True)
@row(
    "raw, MP3 still to come",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    **RAW,
    hls=False,
    mp3=True,
    sessions=JUST_ENDED,
)
def raw_mp3(bucket: Bucket) -> None:
    bucket.put(f"{raw_stem(bucket, 7)}_0.mp3")
    bucket.put(f"{raw_stem(bucket, 8)}_0_aac.mp3")
    bucket.put(f"{raw_stem(bucket, 9)}_20260131120001204.mp3")


@row(
    "raw, an MP3 is missing in the series",
    "incomplete",
    {("missing_file", "error", 1)},
    **RAW,
    hls=False,
    mp3=True,
)
def raw_mp3_hole(bucket: Bucket) -> None:
    raw_mp3(bucket)
    bucket.put(f"{raw_stem(bucket, 8)}_2_aac.mp3")


@row(
    "raw, no MP3 came", "incomplete", {("nothing_recorded", "error", 1)}, **RAW, hls=False, mp3=True
)
def raw_mp3_none(bucket: Bucket) -> None:
    del bucket


@row("raw, VP8", "complete", {("unread_mpd", "note", 3)}, **RAW)
@row(
    "raw, VP8 and MP4, which does not hold it",
    "complete",
    {("unread_mpd", "note", 3)},
    **RAW,
    mp4=True,
)
def raw_vp8(bucket: Bucket) -> None:
    stem = raw_stem(bucket, 7)
    bucket.put(f"{stem}_vp8.mpd")
    for stream in (0, 1):
        for number in range(3):
            bucket.put(f"{stem}_{stream}_{number}_vp8.webm")


@row(
    "raw, VP8, a number is missing",
    "incomplete",
    {("missing_segment", "error", 1), ("unread_mpd", "note", 3), ("unread_mpd", "note", 2)},
    **RAW,
)
def raw_vp8_hole(bucket: Bucket) -> None:
    raw_vp8(bucket)
    bucket.delete(f"{raw_stem(bucket, 7)}_1_1_vp8.webm")


@row(
    "raw, VP8, nobody knows of slices before the first",
    "complete",
    {("unread_mpd", "note", 2)},
    **RAW,
)
def raw_vp8_late(bucket: Bucket) -> None:
    stem = raw_stem(bucket, 7)
    bucket.put(f"{stem}_vp8.mpd")
    for number in (7, 8):
        bucket.put(f"{stem}_0_{number}_vp8.webm")


@row(
    "raw, VP8, all numbers are missing between the first and the last",
    "incomplete",
    {("missing_segment", "error", 100), ("unread_mpd", "note", 2)},
    **RAW,
)
def raw_vp8_between(bucket: Bucket) -> None:
    stem = raw_stem(bucket, 7)
    bucket.put(f"{stem}_vp8.mpd")
    for number in (0, 101):
        bucket.put(f"{stem}_0_{number}_vp8.webm")


@row(
    "raw, VP8, a slice is empty",
    "incomplete",
    {("empty_file", "error", 1), ("unread_mpd", "note", 3)},
    **RAW,
)
def raw_vp8_empty(bucket: Bucket) -> None:
    raw_vp8(bucket)
    bucket.put(f"{raw_stem(bucket, 7)}_1_1_vp8.webm", 0)


@row("raw, VP8, its MPD is missing", "incomplete", {("no_playlist", "error", 1)}, **RAW)
def raw_vp8_without_mpd(bucket: Bucket) -> None:
    raw_vp8(bucket)
    bucket.delete(f"{raw_stem(bucket, 7)}_vp8.mpd")


@row("raw, snapshots", "complete", **RAW, hls=False, snapshots=True)
def raw_snapshots(bucket: Bucket) -> None:
    bucket.slices(raw_stem(bucket, 7), ext="jpg")


@row("web, special characters replaced", "complete", mode="web", mp4=True)
@row("web, its stop has no file list", "complete", mode="web", announced=frozenset())
def web(bucket: Bucket) -> None:
    bucket.cname = "my_page.one"
    stem = f"{SID}_my-page-one"
    bucket.index(stem, bucket.slices(stem))
    bucket.put(f"{stem}_0.mp4")


@row("snapshots only", "complete", mode="individual", hls=False, snapshots=True)
@row(
    "snapshots only, just ended",
    "pending",
    {("upload_unconfirmed", "awaited", 1)},
    mode="individual",
    hls=False,
    snapshots=True,
    sessions=JUST_ENDED,
)
@row(
    "snapshots, but the recording is lost",
    "incomplete",
    {("no_playlist", "error", 1)},
    mode="individual",
    snapshots=True,
)
def snapshots(bucket: Bucket) -> None:
    bucket.slices(bucket.stem(uid=9), ext="jpg", step_s=5)


@row(
    "an empty snapshot",
    "incomplete",
    {("empty_file", "error", 1)},
    mode="individual",
    hls=False,
    snapshots=True,
)
def snapshot_empty(bucket: Bucket) -> None:
    snapshots(bucket)
    bucket.slices(bucket.stem(uid=9), 1, ext="jpg", at_s=600, size=0)


@row("recording and snapshots", "complete", mode="individual", snapshots=True)
def recording_and_snapshots(bucket: Bucket) -> None:
    individual(bucket)
    snapshots(bucket)


@row(
    "recording without the promised snapshots",
    "complete",
    {("no_snapshots", "note", 1)},
    mode="individual",
    snapshots=True,
)
def recording_without_snapshots(bucket: Bucket) -> None:
    individual(bucket)


@row("failover", "complete", {("unclosed_playlist", "note", 1)})
@row(
    "failover, the webhook lost",
    "complete",
    {("unclosed_playlist", "note", 1)},
    sessions=JUST_ENDED,
)
@row(
    "failover, the MP4s missing",
    "incomplete",
    {
        ("unclosed_playlist", "note", 1),
        ("missing_mp4", "note", 1),
        ("missing_mp4", "error", 1),
    },
    mp4=True,
)
def failover(bucket: Bucket) -> None:
    bucket.stream(closed=False)
    bucket.stream(bak=0, at_s=120)


@row(
    "failover with the MP4 of the recorder that went on",
    "complete",
    {("unclosed_playlist", "note", 1), ("missing_mp4", "note", 1)},
    mp4=True,
)
def failover_mp4(bucket: Bucket) -> None:
    failover(bucket)
    bucket.put(f"bak0_{SID}_{CNAME}_0.mp4")


@row(
    "three failovers, two users", "complete", {("unclosed_playlist", "note", 1)}, mode="individual"
)
def failovers(bucket: Bucket) -> None:
    for bak, closed in ((None, False), (0, False), (1, False), (2, True)):
        for uid in (7, 8):
            bucket.stream(bak=bak, uid=uid, closed=closed, at_s=120 * ((bak or 0) + 1))


@row("failover under way", "pending", {("unclosed_playlist", "awaited", 1)}, sessions=RUNNING)
@row(
    "the recorder died and nobody followed",
    "incomplete",
    {("unclosed_playlist", "error", 1)},
    sessions=LONG_ENDED,
)
@row("uploaded, but never closed", "incomplete", {("unclosed_playlist", "error", 1)})
def unclosed(bucket: Bucket) -> None:
    bucket.stream(closed=False)


@row("re-upload: the highest copy is the larger", "complete")
def reupload_larger(bucket: Bucket) -> None:
    stem = bucket.stem()
    names = bucket.slices(stem, 4)
    bucket.index(stem, names[:1], closed=False)
    bucket.index(stem, [*names, "gone.ts"], suffix="_22194679897_9", padding=0)
    bucket.index(stem, names, suffix="_22194679897_10", padding=200)
    bucket.delete(f"{stem}_22194679897_9.m3u8")
    bucket.index(stem, ["gone.ts"], suffix="_22194679897_2", padding=900)


@row("re-upload: the plain index is the larger", "complete")
def reupload_smaller(bucket: Bucket) -> None:
    stem = bucket.stem()
    names = bucket.slices(stem, 4)
    bucket.index(stem, names)
    bucket.index(stem, names[:2], closed=False, suffix="_22194679897_0")


@row("re-upload: there is no plain index", "complete", announced=frozenset({f"{SID}_{CNAME}.m3u8"}))
def reupload_alone(bucket: Bucket) -> None:
    stem = bucket.stem()
    bucket.index(stem, bucket.slices(stem), suffix="_22194679897_0")


@row("two sids", "complete", sessions=TWO)
def two_sids(bucket: Bucket) -> None:
    bucket.stream()
    bucket.stream(sid=SID2, at_s=300)


@row(
    "two sids, the first was lost",
    "complete",
    {("unclosed_playlist", "note", 1)},
    sessions=(*LONG_ENDED, session(SID2)),
)
@row(
    "two sids, the first may still upload",
    "pending",
    {("unclosed_playlist", "awaited", 1)},
    sessions=(*UPLOADING, session(SID2)),
)
def two_sids_one_lost(bucket: Bucket) -> None:
    bucket.stream(closed=False)
    bucket.stream(sid=SID2, at_s=300)


@row(
    "two sids, the first recorded nothing",
    "complete",
    {("nothing_recorded", "note", 1)},
    sessions=(session(SID2), session()),
)
@row(
    "two sids, the first's files are awaited",
    "pending",
    {("nothing_recorded", "awaited", 1)},
    sessions=(session(SID2, upload="unknown"), session()),
)
@row(
    "two sids, the first took the stop and left nothing yet, all quiet",
    "pending",
    {("nothing_recorded", "awaited", 1)},
    sessions=(session(SID2, **RECORDED), session()),
)
@row(
    "two sids, the first took the stop and left nothing, overdue",
    "complete",
    {("nothing_recorded", "note", 1)},
    sessions=(session(SID2, **RECORDED), session()),
    deadline_ms=NOW_MS,
)
def two_sids_one_silent(bucket: Bucket) -> None:
    bucket.stream()


@row("a session that is not the recording's", "complete", {("unknown_session", "note", 1)})
@row(
    "a session that may be the recording's",
    "pending",
    {("unknown_session", "awaited", 1)},
    is_unaccounted=True,
)
@row(
    "a session that nobody told of until the deadline",
    "complete",
    {("unknown_session", "note", 1)},
    is_unaccounted=True,
    deadline_ms=NOW_MS,
)
def strange_session(bucket: Bucket) -> None:
    bucket.stream()
    bucket.stream(sid=STRANGE)


@row("missing segment", "incomplete", {("missing_segment", "error", 1)})
@row(
    "missing segment, in Agora's backup",
    "pending",
    {("missing_segment", "awaited", 1)},
    sessions=BACKUPED,
)
@row(
    "missing segment, overdue",
    "incomplete",
    {("missing_segment", "error", 1)},
    sessions=BACKUPED,
    deadline_ms=NOW_MS,
)
@row(
    "missing segment, all quiet",
    "incomplete",
    {("missing_segment", "error", 1)},
    sessions=LONG_ENDED,
)
@row(
    "missing segment, just ended",
    "pending",
    {("missing_segment", "awaited", 1)},
    sessions=JUST_ENDED,
)
def missing_segment(bucket: Bucket) -> None:
    bucket.stream()
    bucket.delete(f"{SID}_{CNAME}_20260131120015000.ts")


@row(
    "all segments missing",
    "incomplete",
    {("missing_segment", "error", 3), ("nothing_recorded", "error", 1)},
)
def all_missing(bucket: Bucket) -> None:
    bucket.stream()
    for name in [name for name in bucket.sizes if name.endswith(".ts")]:
        bucket.delete(name)


@row(
    "missing segment after failover",
    "incomplete",
    {("missing_segment", "error", 1), ("unclosed_playlist", "note", 1)},
)
def missing_in_bak(bucket: Bucket) -> None:
    failover(bucket)
    bucket.delete(f"bak0_{SID}_{CNAME}_20260131120200000.ts")


@row("empty segment", "incomplete", {("empty_segment", "error", 1)})
def empty_segment(bucket: Bucket) -> None:
    bucket.stream()
    bucket.put(f"{SID}_{CNAME}_20260131120015000.ts", 0)


@row(
    "truncated playlist",
    "incomplete",
    {("truncated_playlist", "error", 1), ("orphan_segment", "note", 1)},
)
@row(
    "truncated playlist, still uploading",
    "pending",
    {("truncated_playlist", "awaited", 1), ("orphan_segment", "note", 1)},
    sessions=UPLOADING,
)
def truncated(bucket: Bucket) -> None:
    name = bucket.stream()
    bucket.put(name, bucket.content[name][:-25])


@row(
    "malformed playlist",
    "incomplete",
    {("malformed_playlist", "error", 1), ("orphan_segment", "note", 3)},
)
def malformed(bucket: Bucket) -> None:
    name = bucket.stream()
    bucket.put(name, b"\x00\xff not a playlist\n" * 3)


@row(
    "empty playlist object",
    "incomplete",
    {("malformed_playlist", "error", 1), ("orphan_segment", "note", 3)},
)
def playlist_of_no_bytes(bucket: Bucket) -> None:
    name = bucket.stream()
    bucket.put(name, b"")


@row("a track that never had media", "complete", {("empty_playlist", "note", 1)}, mode="individual")
def empty_playlist(bucket: Bucket) -> None:
    bucket.stream(uid=7)
    bucket.stream(0, uid=8)


@row("no playlist at all", "incomplete", {("no_playlist", "error", 3)})
@row("no playlist yet", "pending", {("no_playlist", "awaited", 3)}, sessions=UPLOADING)
def no_playlist(bucket: Bucket) -> None:
    bucket.slices(bucket.stem())


@row("orphan segments", "complete", {("orphan_segment", "note", 2)})
def orphans(bucket: Bucket) -> None:
    bucket.stream()
    bucket.slices(bucket.stem(), 2, at_s=900)


@row(
    "slices without an index of their own, some in the merged one",
    "complete",
    {("orphan_segment", "note", 2)},
    mode="individual",
)
def merged_index_only(bucket: Bucket) -> None:
    names = bucket.slices(bucket.stem(uid=7, track="audio"))
    bucket.index(bucket.stem(uid=7, track="av"), names[:1])


@row(
    "a foreign file shaped like a snapshot",
    "complete",
    {("foreign_file", "note", 1)},
    mode="individual",
    hls=False,
    snapshots=True,
)
def foreign_snapshot(bucket: Bucket) -> None:
    snapshots(bucket)
    bucket.put(f"{bucket.stem(uid=9)}_thumbnail-of-user.jpg")


@row("foreign files", "complete", {("foreign_file", "note", 3)})
def foreign(bucket: Bucket) -> None:
    bucket.stream()
    bucket.put("notes.txt")
    bucket.put(f"nested/{SID}_{CNAME}.m3u8")
    bucket.put(f"{SID}_{CNAME}_20261399999999999.ts")


@row("nothing recorded", "incomplete", {("nothing_recorded", "error", 1)})
@row("nothing recorded, two sids", "incomplete", {("nothing_recorded", "error", 1)}, sessions=TWO)
@row("nothing recorded yet", "pending", {("nothing_recorded", "awaited", 1)}, sessions=RUNNING)
@row(
    "nothing recorded, all quiet",
    "incomplete",
    {("nothing_recorded", "error", 1)},
    sessions=LONG_ENDED,
)
@row("no session, nothing there", "pending", {("nothing_recorded", "awaited", 1)}, sessions=())
@row(
    "no session, nothing there, overdue",
    "incomplete",
    {("nothing_recorded", "error", 1)},
    sessions=(),
    deadline_ms=NOW_MS,
)
def nothing(bucket: Bucket) -> None:
    bucket.put("events/recording-started.json")


@row(
    "postponed transcoding not done",
    "pending",
    {("missing_transcoding", "awaited", 2)},
    mode="individual",
    transcoding="mp4",
)
@row(
    "postponed transcoding overdue",
    "incomplete",
    {("missing_transcoding", "error", 2)},
    mode="individual",
    transcoding="mp4",
    deadline_ms=NOW_MS,
)
@row(
    "postponed mixing not done",
    "pending",
    {("missing_transcoding", "awaited", 1)},
    mode="individual",
    transcoding="m4a",
)
def transcoding_late(bucket: Bucket) -> None:
    individual(bucket)


@row(
    "postponed transcoding, one of two done",
    "pending",
    {("missing_transcoding", "awaited", 1)},
    mode="individual",
    transcoding="mp4",
)
def transcoding_half(bucket: Bucket) -> None:
    individual(bucket)
    bucket.put(f"{SID}_{CNAME}__uid_s_7__uid_e_av.mp4")


@row(
    "postponed transcoding outlasts the uploads",
    "pending",
    {("missing_transcoding", "awaited", 2)},
    mode="individual",
    transcoding="mp4",
    deadline_ms=NOW_MS,
    transcoding_deadline_ms=NOW_MS + 1,
)
@row(
    "postponed transcoding has failed",
    "incomplete",
    {("missing_transcoding", "error", 2)},
    mode="individual",
    transcoding="mp4",
    transcoding_deadline_ms=0,
)
@row(
    "postponed transcoding not done, the slices may not be there either",
    "pending",
    {("missing_transcoding", "awaited", 2), ("upload_unconfirmed", "awaited", 1)},
    mode="individual",
    transcoding="mp4",
    sessions=JUST_ENDED,
)
def transcoding_awaited(bucket: Bucket) -> None:
    individual(bucket)


@row("postponed transcoding done", "complete", mode="individual", transcoding="mp4")
def transcoding_done(bucket: Bucket) -> None:
    transcoding_half(bucket)
    bucket.put(f"{SID}_{CNAME}__uid_s_123__uid_e_av_0.mp4")


@row("postponed mixing done", "complete", mode="individual", transcoding="mp3")
def mixing_done(bucket: Bucket) -> None:
    individual(bucket)
    bucket.put(f"{SID}_{CNAME}_0.mp3")


@row("postponed mixing done, its slices not kept", "complete", mode="individual", transcoding="aac")
def mixing_only(bucket: Bucket) -> None:
    bucket.put(f"{SID}_{CNAME}_0.aac")


@pytest.mark.parametrize("name", TABLE)
def test_a_layout_gets_its_verdict(name: str) -> None:
    layout, changes, outcome, findings = TABLE[name]
    bucket = Bucket()
    layout(bucket)
    verdict = bucket.verdict(**changes)
    assert (verdict.outcome, gist(verdict)) == (outcome, findings)


# --- what a verdict tells -----------------------------------------------------------------------


def _found(name: str) -> list[Finding]:
    """Return the findings of a layout of the table."""
    layout, changes, _, _ = TABLE[name]
    bucket = Bucket()
    layout(bucket)
    return bucket.verdict(**changes).findings


def test_missing_names_are_told_with_the_index_that_names_them() -> None:
    bucket = Bucket()
    index = bucket.stream()
    gone = f"{SID}_{CNAME}_20260131120015000.ts"
    bucket.delete(gone)
    verdict = bucket.verdict()
    assert verdict.missing == [gone]
    assert [finding.where for finding in verdict.findings] == [index]
    assert not verdict.awaiting


@pytest.mark.parametrize(
    ("layout", "code"),
    [
        ("recording without the promised snapshots", "no_snapshots"),
        ("mix, not known to have ended", "upload_unconfirmed"),
        ("two masters that name each other", "nothing_playable"),
        ("snapshots, but the recording is lost", "no_playlist"),
        ("MP4 never came", "missing_mp4"),
        ("an empty MP4", "empty_file"),
    ],
)
def test_what_is_found_of_a_whole_session_is_told_with_its_sid(layout: str, code: str) -> None:
    assert {each.where for each in _found(layout) if each.code == code} == {SID}


STEM = f"{SID}_{CNAME}"
RAW_STEM = f"{STEM}__uid_s_7__uid_e"
FIRST = f"{STEM}_20260131120000000"


@pytest.mark.parametrize(
    ("layout", "code", "where", "name"),
    [
        ("orphan segments", "orphan_segment", STEM, f"{STEM}_20260131121500000.ts"),
        ("no playlist at all", "no_playlist", STEM, f"{FIRST}.ts"),
        ("mix, VP8: an MPD plays its WebM slices", "unread_mpd", STEM, f"{FIRST}.webm"),
        (
            "index overwritten by an empty one",
            "nothing_playable",
            f"{STEM}.m3u8",
            f"{FIRST}.ts",
        ),
        (
            "raw, VP8, a number is missing",
            "missing_segment",
            f"{RAW_STEM}_1",
            f"{RAW_STEM}_1_1_vp8.webm",
        ),
        (
            "raw, VP8, its MPD is missing",
            "no_playlist",
            f"{RAW_STEM}_0",
            f"{RAW_STEM}_0_0_vp8.webm",
        ),
        ("an empty MP4", "empty_file", SID, f"{STEM}_0.mp4"),
        ("foreign files", "foreign_file", "", "notes.txt"),
        ("an MP4 of an unknown name", "foreign_file", "", f"{SID}-composed.mp4"),
    ],
)
def test_what_is_found_of_files_is_told_with_their_series_and_their_names(
    layout: str, code: str, where: str, name: str
) -> None:
    found = [each for each in _found(layout) if (each.code, each.where) == (code, where)]
    assert [name in each.names for each in found] == [True]


@pytest.mark.parametrize(
    ("layout", "code", "word"),
    [
        ("missing segment", "missing_segment", ""),
        ("empty segment", "empty_segment", ""),
        ("truncated playlist", "truncated_playlist", "line 7"),
        ("malformed playlist", "malformed_playlist", "line 1"),
        ("a master that names itself, and nothing else is there", "malformed_playlist", "itself"),
        ("a track that never had media", "empty_playlist", ""),
        ("an index shorter than it was", "shortened_playlist", "4"),
        ("slices without any duration", "nothing_playable", "duration"),
        ("an initialization section that is not there", "missing_file", ""),
        ("uploaded, but never closed", "unclosed_playlist", ""),
        ("failover", "unclosed_playlist", "failover"),
        ("two sids, the first was lost", "unclosed_playlist", "restart"),
        (
            "individual, standard: one that the merged index names was never made",
            "missing_file",
            "never made",
        ),
    ],
)
def test_what_is_found_of_an_index_is_told_with_its_name_and_why(
    layout: str, code: str, word: str
) -> None:
    (found,) = [each for each in _found(layout) if each.code == code]
    assert found.where.startswith(STEM)
    assert found.where.endswith(".m3u8")
    assert word in found.detail
    assert bool(word) == bool(found.detail)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("missing segment", f"{STEM}_20260131120015000.ts"),
        ("empty segment", f"{STEM}_20260131120015000.ts"),
        ("an initialization section that is not there", "init.mp4"),
        (
            "individual, standard: one that the merged index names is lost, but not its slices",
            f"{STEM}__uid_s_7__uid_e_video.m3u8",
        ),
        (
            "individual, standard: one that the merged index names was never made",
            f"{STEM}__uid_s_7__uid_e_video.m3u8",
        ),
    ],
)
def test_what_an_index_lacks_is_told_by_name(layout: str, name: str) -> None:
    found = [each for each in _found(layout) if each.where.endswith(".m3u8")]
    assert [each.names for each in found] == [(name,)]


def test_what_is_empty_counts_as_missing_and_what_was_never_made_does_not() -> None:
    bucket = Bucket()
    empty_segment(bucket)
    assert bucket.verdict().missing == [f"{STEM}_20260131120015000.ts"]
    bucket = Bucket()
    individual_master_child_never_made(bucket)
    assert bucket.verdict(mode="individual").missing == []


def test_why_the_slices_of_an_index_that_names_none_do_not_play_is_told() -> None:
    (found,) = [
        each
        for each in _found("index overwritten by an empty one")
        if each.code == "nothing_playable"
    ]
    assert found.detail


def test_a_missing_segment_stays_in_its_track_and_is_marked() -> None:
    bucket = Bucket()
    missing_segment(bucket)
    (playlist,) = bucket.verdict().tracks[0].playlists
    assert [segment.state for segment in playlist.segments] == [None, "missing", None]
    assert (playlist.bytes, playlist.duration_ms) == (2000, 30_000)


def test_a_track_joins_recorders_and_sessions_in_order_of_time() -> None:
    bucket = Bucket()
    bucket.stream(closed=False, at_s=100)
    bucket.stream(bak=0, at_s=200)
    bucket.stream(sid=SID2, at_s=0)
    (track,) = bucket.verdict(sessions=TWO).tracks
    assert [(one.sid, one.bak) for one in track.playlists] == [(SID2, None), (SID, None), (SID, 0)]


def test_tracks_are_told_by_uid_and_type() -> None:
    bucket = Bucket()
    individual(bucket)
    bucket.stream(uid=7, track="av")
    tracks = bucket.verdict(mode="individual").tracks
    assert [(track.uid, track.type) for track in tracks] == [
        ("7", "audio"),
        ("7", "audio_and_video"),
        ("7", "video"),
        ("123", "audio"),
        ("123", "video"),
    ]


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ("#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO,TIME=1\n", "audio"),
        ("#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME=1\n", "video"),
        ("", "audio_and_video"),
    ],
)
def test_the_events_in_the_index_tell_the_type_of_everybodys_track(tags: str, kind: str) -> None:
    bucket = Bucket()
    bucket.index(bucket.stem(), bucket.slices(bucket.stem()), tags=tags)
    (track,) = bucket.verdict().tracks
    assert (track.uid, track.type) == ("0", kind)


def times(verdict: Verdict) -> list[tuple[int, int, str]]:
    return [
        ((gap.from_ms - START_MS) // 1000, (gap.to_ms - START_MS) // 1000, gap.cause)
        for gap in verdict.gaps
    ]


def test_gaps_are_told_with_their_times_and_causes() -> None:
    bucket = Bucket()
    stem = bucket.stem()
    names = bucket.slices(stem, 8)
    late = bucket.slices(stem, 2, at_s=200)
    bucket.index(stem, names + late, closed=False)
    bucket.delete(names[2])
    bucket.stream(bak=0, at_s=300)
    bucket.stream(sid=SID2, at_s=600)
    verdict = bucket.verdict(sessions=TWO)
    assert times(verdict) == [
        (30, 45, "missing"),
        (120, 200, "interruption"),
        (230, 300, "failover"),
        (345, 600, "restart"),
    ]
    assert verdict.tracks[0].gaps == verdict.gaps
    assert verdict.recorded_ms == (7 + 2 + 3 + 3) * 15_000
    assert (verdict.started_ms, verdict.ended_ms) == (START_MS, START_MS + 645_000)


def test_recorders_that_overlap_leave_no_gap() -> None:
    bucket = Bucket()
    bucket.stream(10, closed=False)
    bucket.stream(1, bak=0, at_s=20)
    bucket.stream(1, bak=1, at_s=150)
    verdict = bucket.verdict()
    assert (verdict.gaps, verdict.tracks[0].gaps) == ([], [])
    assert verdict.recorded_ms == 165_000


def test_a_recorder_that_fills_the_hole_of_another_leaves_no_gap() -> None:
    bucket = Bucket()
    stem = bucket.stem()
    bucket.index(stem, bucket.slices(stem, 2) + bucket.slices(stem, 2, at_s=90), closed=False)
    bucket.stream(4, bak=0, at_s=30)
    assert bucket.verdict().tracks[0].gaps == []


def test_a_master_playlist_is_listed_as_a_file_and_is_no_track() -> None:
    bucket = Bucket()
    individual_master(bucket)
    verdict = bucket.verdict(mode="individual")
    assert [(one.kind, one.uid) for one in verdict.files] == [("master_playlist", "7")]
    assert {(track.uid, track.type) for track in verdict.tracks} == {
        (uid, kind) for uid in ("7", "123") for kind in ("audio", "video")
    }


def test_snapshots_are_summed_up() -> None:
    bucket = Bucket()
    snapshots(bucket)
    bucket.slices(bucket.stem(uid=10), 1, ext="jpg", at_s=-60)
    found = bucket.verdict(mode="individual", hls=False, snapshots=True).snapshots
    assert (found.count, found.bytes) == (4, 4000)
    assert (found.first_ms, found.last_ms) == (START_MS - MINUTE, START_MS + 10_000)


def test_the_totals_count_agoras_files_alone() -> None:
    bucket = Bucket()
    mix_with_mp4(bucket)
    bucket.stream(sid=STRANGE)
    bucket.put("notes.txt")
    verdict = bucket.verdict(mp4=True)
    index = len(bucket.content[f"{SID}_{CNAME}.m3u8"])
    assert (verdict.objects, verdict.bytes) == (6, 5000 + index)
    assert [file.index for file in verdict.files] == [0, 1]


def test_jitter_below_the_threshold_is_no_gap() -> None:
    bucket = Bucket()
    stem = bucket.stem()
    bucket.index(stem, bucket.slices(stem, 5, step_s=15.9))
    assert bucket.verdict().gaps == []
    assert len(bucket.verdict(gap_ms=800).gaps) == 4


def test_the_recording_has_a_gap_only_where_no_track_has_media() -> None:
    bucket = Bucket()
    bucket.stream(uid=7, at_s=0)
    bucket.stream(uid=8, at_s=30)
    bucket.stream(uid=9, at_s=100)
    verdict = bucket.verdict(mode="individual")
    assert times(verdict) == [(75, 100, "interruption")]
    assert verdict.recorded_ms == 120_000


def test_only_the_final_indexes_are_read() -> None:
    bucket = Bucket()
    reupload_larger(bucket)
    verdict = bucket.verdict()
    assert bucket.reads == [f"{PREFIX}{SID}_{CNAME}_22194679897_10.m3u8"]
    assert len(verdict.tracks[0].playlists[0].segments) == 4


def test_an_index_that_changed_since_the_listing_is_awaited() -> None:
    bucket = Bucket()
    name = bucket.stream()
    objects = bucket.objects()
    bucket.index(bucket.stem(), [*bucket.slices(bucket.stem(), 4)])
    assert bucket.content[name]
    verdict = verify(objects, bucket.read, expectation(cname=CNAME), NOW_MS)
    assert verdict.outcome == "pending"
    assert "changed_playlist" in {finding.code for finding in verdict.findings}
    overdue = expectation(cname=CNAME, deadline_ms=NOW_MS)
    assert verify(objects, bucket.read, overdue, NOW_MS).outcome == "incomplete"


def test_what_reading_raises_is_passed_on() -> None:
    bucket = Bucket()
    name = bucket.stream()
    del bucket.content[name]
    with pytest.raises(KeyError):
        bucket.verdict()


def test_silence_counts_from_the_newest_file() -> None:
    bucket = Bucket()
    bucket.stream(closed=False)
    expected = expectation(cname=CNAME, sessions=LONG_ENDED)
    fresh = [one._replace(last_modified_ms=NOW_MS - MINUTE) for one in bucket.objects()]
    assert verify(bucket.objects(), bucket.read, expected, NOW_MS).outcome == "incomplete"
    assert verify(fresh, bucket.read, expected, NOW_MS).outcome == "pending"
    assert verify(fresh, bucket.read, expected, NOW_MS + 4 * MINUTE).outcome == "incomplete"


@pytest.mark.parametrize("spell", ["https://host/a/{}?X-Amz-Signature=1", "folder/{}", "{}"])
def test_a_slice_is_found_by_any_form_of_its_uri(spell: str) -> None:
    bucket = Bucket(cname="a b")
    stem = bucket.stem()
    names = bucket.slices(stem)
    bucket.index(stem, [spell.format(name.replace(" ", "%20")) for name in names])
    assert bucket.verdict().outcome == "complete"


def test_nothing_in_a_listing_makes_a_finding_grow_without_bound() -> None:
    bucket = Bucket()
    stem = bucket.stem()
    bucket.index(stem, [f"gone_{number}.ts" for number in range(5000)])
    for uid in range(1500):
        bucket.index(bucket.stem(uid=uid), ["gone.ts"])
    bucket.slices(stem, 1)
    bucket.put(f"{SID}_{CNAME}_999999999.mp4")
    verdict = bucket.verdict(mp4=True)
    assert len(verdict.findings) <= 1010
    assert max(len(finding.names) for finding in verdict.findings) == 100
    missing = sum(one.count for one in verdict.findings if one.code == "missing_segment")
    assert missing == 6500
    assert verdict.missing_count == 6500 + 101  # and the search for MP4s ended early


def test_an_index_too_large_to_be_one_is_not_read() -> None:
    bucket = Bucket()
    bucket.put(f"{bucket.stem()}.m3u8", 10**9)
    verdict = bucket.verdict()
    assert gist(verdict) == {("too_large", "error", 1), ("nothing_recorded", "error", 1)}
    assert bucket.reads == []


def test_more_files_than_the_allowance_are_a_finding_and_none_of_them_counts_as_missing() -> None:
    bucket = Bucket()
    bucket.stream(200)
    allowance = Allowance(listing=20_000)
    verdict = verify(bucket.objects(), bucket.read, expectation(cname=CNAME), NOW_MS, allowance)
    assert (verdict.outcome, gist(verdict)) == ("incomplete", {("too_large", "error", 1)})
    (found,) = verdict.findings
    last = bucket.objects()[verdict.objects - 1].key.removeprefix(PREFIX)
    assert (found.where, found.names) == ("", (last,))
    assert found.detail
    assert 1 < verdict.objects < 100
    assert verdict.recorded_ms == 200 * 15_000
    assert final_status(verdict)[0] == "incomplete"


def test_a_file_that_is_missing_among_those_read_is_told_even_if_there_are_too_many() -> None:
    bucket = Bucket()
    bucket.stream(200)
    bucket.delete(f"{SID}_{CNAME}_20260131120015000.ts")
    allowance = Allowance(listing=20_000)
    verdict = verify(bucket.objects(), bucket.read, expectation(cname=CNAME), NOW_MS, allowance)
    assert gist(verdict) == {("too_large", "error", 1), ("missing_segment", "error", 1)}


@pytest.mark.parametrize("limit", [{"indexes": 1000}, {"lines": 10}])
def test_an_index_beyond_the_allowance_is_a_finding_and_so_are_those_after_it(
    limit: dict[str, int],
) -> None:
    bucket, allowance = Bucket(), Allowance(**limit)  # it is used up
    first, second = bucket.stream(2000, uid=7), bucket.stream(2000, uid=8)
    expected = expectation(cname=CNAME, mode="individual")
    verdict = verify(bucket.objects(), bucket.read, expected, NOW_MS, allowance)
    found = {each.where: each.detail for each in verdict.findings if each.code == "too_large"}
    assert verdict.outcome == "incomplete"
    assert found.keys() == {first, second}
    assert found[first].startswith("read up to byte ")
    assert found[second].startswith("not read: ")
    assert bucket.reads == [PREFIX + first]


def test_an_index_beyond_the_allowance_is_not_one_that_became_shorter() -> None:
    bucket = Bucket()
    name = bucket.stream(2000)
    expected = expectation(cname=CNAME, lengths={length_key(name): 2000})
    verdict = verify(bucket.objects(), bucket.read, expected, NOW_MS, Allowance(lines=10))
    codes = {each.code for each in verdict.findings if each.level == "error"}
    assert codes == {"too_large"}


def test_the_lengths_of_indexes_are_told_for_the_next_verdict() -> None:
    bucket = Bucket()
    individual(bucket)
    lengths = bucket.verdict(mode="individual").lengths
    assert sorted(lengths.values()) == [3] * 4
    assert bucket.verdict(mode="individual", lengths=lengths).outcome == "complete"
    assert all(len(key) == 12 for key in lengths)


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [
                b"#EXTM3U",
                b"#EXTINF:15",
                b"#EXTINF:x",
                b"",
                b"\xff",
                b"#EXT-X-ENDLIST",
                b"a_99991231235959999.ts",
                b"a_00010101000000000.ts",
                b"#EXT-X-AGORA-TRACK-EVENT:TIME=9999999999999",
                b"b.ts",
            ]
        )
    ).map(b"\n".join)
)
def test_no_content_of_an_index_breaks_the_verdict(content: bytes) -> None:
    bucket = Bucket()
    bucket.stream()
    bucket.put(f"{bucket.stem()}.m3u8", content)
    assert bucket.verdict().outcome in ("complete", "incomplete")
    assert bucket.verdict(sessions=RUNNING).outcome in ("complete", "pending")


# --- names are a hint, never a condition ---------------------------------------------------------

STEMS = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/#"), min_size=1)
ENDINGS = st.sampled_from(["ts", "webm", "mp4", "m4s", "aac", "mp3", "TS"])
FORMS = st.one_of(
    STEMS,
    STEMS.map(lambda stem: f"{SID}{stem}"),
    STEMS.map(lambda stem: f"{stem}_{SID}_{CNAME}"),
    st.from_regex(
        r"[0-9a-f]{32}_stand_up(__uid_s_7__uid_e)?_[0-9]{10,17}(_h26[45])?", fullmatch=True
    ),
)
MEDIA = st.builds("{}.{}".format, FORMS, ENDINGS)


@settings(deadline=None)
@given(st.lists(MEDIA, min_size=1, max_size=5, unique=True), st.booleans(), STEMS)
def test_what_an_index_names_is_present_whatever_the_names_look_like(
    slices: list[str], is_known: bool, stem: str
) -> None:
    bucket = Bucket()
    index = bucket.stem() if is_known else f"{SID}{stem}"
    bucket.index(index, [bucket.put(name) for name in slices])
    verdict = bucket.verdict()
    assert final_status(verdict)[0] == "completed", verdict.findings
    assert verdict.recorded_ms > 0
    gone = bucket.sizes.keys() & set(slices)
    bucket.delete(max(gone))
    status, reason = final_status(bucket.verdict())
    assert status == "incomplete"
    assert reason == f"1 files are missing, the first is {max(gone)}."


@settings(deadline=None)
@given(st.lists(MEDIA, min_size=1, max_size=5, unique=True), STEMS, st.sampled_from([b"", b"\xff"]))
def test_a_form_that_nobody_has_documented_never_makes_a_recording_failed(
    media: list[str], stem: str, content: bytes
) -> None:
    bucket = Bucket()
    for name in media:
        bucket.put(name)
    assert final_status(bucket.verdict())[0] in ("incomplete", "completed")
    bucket.put(f"{stem}.m3u8", content)
    assert final_status(bucket.verdict())[0] == "incomplete"
    assert final_status(bucket.verdict(sessions=TWO))[0] == "incomplete"


def test_an_index_and_its_copies_of_agoras_backup_have_one_length() -> None:
    first = length_key(f"{SID}_{CNAME}.m3u8")
    assert length_key(f"{SID}_{CNAME}_22194679897_3.m3u8") == first
    assert length_key(f"{SID}_{CNAME}2.m3u8") != first


def test_names_that_tell_no_time_leave_the_duration() -> None:
    bucket = Bucket()
    no_sid(bucket)
    verdict = bucket.verdict()
    assert (verdict.recorded_ms, verdict.started_ms, verdict.gaps) == (45_000, None, [])


def test_13_digits_are_the_time_of_a_slice() -> None:
    bucket = Bucket()
    web_13_digits(bucket)
    verdict = bucket.verdict(mode="web")
    assert (verdict.started_ms, verdict.recorded_ms) == (START_MS, 45_000)
    assert verdict.objects == 4


# --- against a reference model ------------------------------------------------------------------


@dataclass
class Plan:
    """One stream as it was meant, and what became of each of its slices."""

    sid: str
    bak: int | None
    uid: int | None
    fates: list[str]
    closed: bool
    index: bool
    copies: int

    def key(self) -> tuple[str, int | None, int | None]:
        return (self.sid, self.bak, self.uid)


PLANS = st.lists(
    st.builds(
        Plan,
        sid=st.sampled_from([SID, SID2]),
        bak=st.sampled_from([None, None, 0, 1]),
        uid=st.sampled_from([None, 7, 8]),
        fates=st.lists(
            st.sampled_from(["kept", "kept", "kept", "lost", "empty", "orphan"]), max_size=6
        ),
        closed=st.sampled_from([True, True, False]),
        index=st.sampled_from([True, True, True, False]),
        copies=st.integers(0, 2),
    ),
    max_size=6,
    unique_by=Plan.key,
)
UPLOADS = st.sampled_from(["uploaded", "uploading"])


def unplayable(plan: Plan) -> int:
    """How many slices have an index that is whole and names none."""
    is_idle = plan.index and plan.closed and set(plan.fates) <= {"orphan"}
    return len(plan.fates) if is_idle else 0


def reference(plans: list[Plan], settled: dict[str, bool]) -> tuple[str, dict[str, int]]:
    """The verdict, told from the plans alone: nothing is listed, named or parsed."""
    wrong: dict[str, int] = {}
    awaited = False
    media = dict.fromkeys(settled, 0)
    plays, troubled = dict.fromkeys(settled, False), dict.fromkeys(settled, False)
    for plan in plans:
        lies = sum(fate != "lost" for fate in plan.fates)
        media[plan.sid] += lies
        in_index = [fate for fate in plan.fates if fate != "orphan"] if plan.index else []
        faults = {
            "missing_segment": in_index.count("lost"),
            "empty_segment": in_index.count("empty"),
            "no_playlist": 0 if plan.index else lies,
            "nothing_playable": unplayable(plan),
        }
        followed = any(
            other.sid == plan.sid
            and (-1 if other.bak is None else other.bak) > (-1 if plan.bak is None else plan.bak)
            and (other.index or any(fate != "lost" for fate in other.fates))
            for other in plans
        )
        later = plan.sid == SID and any(
            fate != "lost" for other in plans if other.sid == SID2 for fate in other.fates
        )
        if plan.index and not plan.closed and not followed and not (later and settled[SID]):
            faults["unclosed_playlist"] = 1
        for code, count in faults.items():
            if count and settled[plan.sid]:
                wrong[code] = wrong.get(code, 0) + count
            awaited |= bool(count) and not settled[plan.sid]
        plays[plan.sid] |= "kept" in in_index
        troubled[plan.sid] |= any(faults.values())
    awaited |= not all(settled.values())
    for sid, is_settled in settled.items():
        if media[sid] and is_settled and not (plays[sid] or troubled[sid]):
            wrong["nothing_playable"] = wrong.get("nothing_playable", 0) + 1
    if not awaited and not any(media.values()):
        wrong["nothing_recorded"] = 1
    return "pending" if awaited else "incomplete" if wrong else "complete", wrong


@settings(max_examples=150, deadline=None)
@given(plans=PLANS, uploads=st.tuples(UPLOADS, UPLOADS), seed=st.integers(0, 99))
def test_any_layout_gets_the_verdict_of_a_simple_model(
    plans: list[Plan], uploads: tuple[str, str], seed: int
) -> None:
    bucket = Bucket()
    for plan in plans:
        stem = bucket.stem(sid=plan.sid, uid=plan.uid, bak=plan.bak)
        names = bucket.slices(stem, len(plan.fates), at_s=seed)
        for name, fate in zip(names, plan.fates, strict=True):
            if fate == "lost":
                bucket.delete(name)
            elif fate == "empty":
                bucket.put(name, 0)
        listed = [n for n, fate in zip(names, plan.fates, strict=True) if fate != "orphan"]
        if plan.index:
            bucket.index(stem, listed, closed=plan.closed, padding=500)
            for number in range(plan.copies):
                bucket.index(stem, ["old.ts"], suffix=f"_12345678_{number}")
    sessions = (session(upload=uploads[0]), session(SID2, upload=uploads[1]))
    objects = bucket.objects()
    random.Random(seed).shuffle(objects)
    expected = expectation(mode="individual", cname=CNAME, sessions=sessions)
    verdict = verify(objects, bucket.read, expected, NOW_MS)

    settled = {one.sid: one.upload == "uploaded" for one in sessions}
    outcome, wrong = reference(plans, settled)
    found: dict[str, int] = {}
    for finding in verdict.findings:
        if finding.level == "error":
            found[finding.code] = found.get(finding.code, 0) + finding.count
    assert (verdict.outcome, found) == (outcome, wrong)
    orphans = sum(
        plan.fates.count("orphan") for plan in plans if plan.index and not unplayable(plan)
    )
    assert sum(one.count for one in verdict.findings if one.code == "orphan_segment") == orphans
    assert verify(bucket.objects(), bucket.read, expected, NOW_MS) == verdict


def test_the_order_of_the_listing_makes_no_difference() -> None:
    bucket = Bucket()
    individual(bucket)
    snapshot_empty(bucket)
    foreign(bucket)
    bucket.stream(sid=STRANGE)
    for number in (0, 1, 5):
        bucket.put(f"{SID}_{CNAME}_{number}.mp4", 0)
    expected = expectation(mode="individual", cname=CNAME, mp4=True)
    verdict = verify(bucket.objects(), bucket.read, expected, NOW_MS)
    for seed in range(5):
        objects = bucket.objects()
        random.Random(seed).shuffle(objects)
        assert verify(objects, bucket.read, expected, NOW_MS) == verdict

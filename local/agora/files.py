"""The names and playlists that Agora writes.

Sources: Agora "Manage recorded files" (names, tags), "Online playback" (the other form of TIME),
best practices and status codes (the `bak<n>_` prefix), re-upload (`_<tick>_<index>`), the migration
from individual to raw (names with a codec, DASH).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

from .media import HEIGHT, WIDTH, Counters

BY_USER = ("individual", "raw")
"""The modes in which each user has files of their own."""
DASH = ("vp8", "vp9")
"""The codecs that HLS cannot carry."""


def utc17(ms: int) -> str:
    """Return an instant as yyyyMMddHHmmssSSS in UTC."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%Y%m%d%H%M%S}{ms % 1000:03d}"


@dataclass
class Slice:
    """One media file: its start, its end, and whether there is a gap before it."""

    start_ms: int
    end_ms: int
    name: str
    media_ms: int
    """Where its timestamps start: media time has no gaps."""
    after_gap: bool = False
    sound: str | None = None
    """The name of the file with its sound, where that is apart (DASH)."""

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.end_ms - self.start_ms) / 1000

    @property
    def media_end_ms(self) -> int:
        """Where the next slice's timestamps start."""
        return self.media_ms + self.end_ms - self.start_ms


@dataclass
class Track:
    """The content of one playlist: all users together, or the audio or video of one user."""

    uid: str
    kind: str
    """`audio`, `video` or `audio_and_video`."""
    stem: str
    """File name of its playlist, without the ending."""
    slices: list[Slice] = field(default_factory=list)
    user: str = ""
    codec: str = ""
    """Raw mode: what the names of the user's files begin with, and what they end with."""
    in_ms: bool = False
    """Whether names of slices have milliseconds of the epoch instead of 17 digits of UTC."""
    open_since_ms: int | None = None
    counters: Counters = field(default_factory=Counters)
    named: bool = False
    """Whether its playlist is in the bucket."""

    @property
    def playlist(self) -> str:
        """The playlist's file name."""
        return self.stem + (".mpd" if self.is_dash else ".m3u8")

    @property
    def is_dash(self) -> bool:
        """Whether its files are WebM, with an MPD."""
        return self.codec in DASH

    @property
    def first_ms(self) -> int:
        """When its first slice began."""
        return self.slices[0].start_ms if self.slices else (self.open_since_ms or 0)

    @property
    def media_ms(self) -> int:
        """How many milliseconds have been recorded."""
        return self.slices[-1].media_end_ms if self.slices else 0

    @property
    def video(self) -> bool:
        """Whether it has video."""
        return self.kind != "audio"

    @property
    def audio(self) -> bool:
        """Whether it has audio."""
        return self.kind != "video"

    def cut(self, now_ms: int) -> Slice | None:
        """Close and return the slice that is being recorded; None if there is none, or no media."""
        start, self.open_since_ms = self.open_since_ms, None
        if start is None or now_ms <= start:
            return None
        last = self.slices[-1] if self.slices else None
        name, sound = self._names(start)
        piece = Slice(
            start,
            now_ms,
            name,
            media_ms=self.media_ms,
            after_gap=last is not None and last.end_ms != start,
            sound=sound,
        )
        self.slices.append(piece)
        return piece

    def _names(self, start_ms: int) -> tuple[str, str | None]:
        """Return the names of the next slice and, if that is apart, of its sound."""
        if not self.codec:
            return f"{self.stem}_{start_ms if self.in_ms else utc17(start_ms)}.ts", None
        if not self.is_dash:
            return f"{self.user}{utc17(start_ms)}_{self.codec}.ts", None
        both = self.kind == "audio_and_video"
        names = [f"{self.user}{n}_{len(self.slices)}_{self.codec}.webm" for n in range(1 + both)]
        return names[0], names[1] if both else None


@dataclass(frozen=True)
class Names:
    """The grammar of one session's file names."""

    sid: str
    cname: str
    mode: str
    backup: int | None = None
    """The n of `bak<n>_`: 0 after the first failover; None before it."""
    dashes: bool = False
    """Whether special characters of the cname become `-` in every mode."""
    slices_in_ms: bool = False
    """Whether slices have 13 digits of milliseconds in their names."""

    @property
    def stem(self) -> str:
        """What every name of this session starts with."""
        replaces = self.dashes or self.mode == "web"
        cname = re.sub(r"[^A-Za-z0-9_-]", "-", self.cname) if replaces else self.cname
        prefix = "" if self.backup is None else f"bak{self.backup}_"
        return f"{prefix}{self.sid}_{cname}"

    @property
    def per_user(self) -> bool:
        """Whether every user has files of their own."""
        return self.mode in BY_USER

    def track(self, uid: str, kind: str, codec: str) -> Track:
        """Return a new track; `codec` is in the names of raw mode only."""
        if self.mode == "raw":
            user = self.user(uid)
            return Track(uid, kind, user + codec, user=user, codec=codec)
        stem = self.medium(uid, kind) if self.per_user else self.stem
        return Track(uid, kind, stem, in_ms=self.slices_in_ms)

    def medium(self, uid: str, kind: str) -> str:
        """Return the stem of a user's track in individual mode."""
        return f"{self.user(uid)}{'av' if kind == 'audio_and_video' else kind}"

    def user(self, uid: str) -> str:
        """Return what the names of one user's files start with."""
        return f"{self.stem}__uid_s_{uid}__uid_e_"

    def screenshot(self, uid: str, now_ms: int) -> str:
        """Return the name of a screenshot."""
        kind = "" if self.mode == "raw" else "video_"
        return f"{self.user(uid)}{kind}{utc17(now_ms)}.jpg"


@dataclass
class Session:
    """The part of a recording that one server makes: its uid, its names, its tracks."""

    uid: str
    names: Names
    tracks: dict[tuple[str, str], Track] = field(default_factory=dict)

    def track(self, uid: str, kind: str, codec: str) -> Track:
        """Return this track; the first call makes it."""
        key = (uid, kind)
        if key not in self.tracks:
            self.tracks[key] = self.names.track(uid, kind, codec)
        return self.tracks[key]

    def of_user(self, uid: str) -> Track | None:
        """Return the first track of a user."""
        return next((track for track in self.tracks.values() if track.uid == uid), None)


@dataclass(frozen=True)
class PlaylistStyle:
    """Variants of playlists: what the request chooses, and what the documents leave open."""

    comma: bool = False
    """Whether EXTINF has its comma (`correctEXTINF` in `recordingConfig.privateParams`)."""
    time_in_ms: bool = False


def playlist(
    track: Track, style: PlaylistStyle, *, ended: bool, slices: Iterable[Slice] | None = None
) -> bytes:
    """Return the playlist of a track, unfinished or finished: M3U8, or MPD where it is DASH."""
    pieces = list(track.slices if slices is None else slices)
    if track.is_dash:
        return _mpd(track, pieces, ended=ended)
    longest = max((piece.seconds for piece in pieces), default=0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-ALLOW-CACHE:YES",
        f"#EXT-X-TARGETDURATION:{int(longest) + 1}",
    ]
    for number, piece in enumerate(pieces):
        if piece.after_gap:
            lines.append("#EXT-X-DISCONTINUITY")
        if number == 0 or piece.after_gap:
            lines += _events(track, piece.start_ms, style)
        lines.append(f"#EXTINF:{piece.seconds:.6f}{',' if style.comma else ''}")
        lines.append(piece.name)
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return ("\n".join(lines) + "\n").encode()


def _events(track: Track, start_ms: int, style: PlaylistStyle) -> list[str]:
    time = str(start_ms) if style.time_in_ms else utc17(start_ms)
    lines = []
    if track.audio:
        lines.append(f"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=AUDIO,TIME={time}")
    if track.video:
        lines.append(f"#EXT-X-AGORA-TRACK-EVENT:EVENT=START,TRACK_TYPE=VIDEO,TIME={time}")
        lines.append(f"#EXT-X-AGORA-ROTATE:WIDTH={WIDTH},HEIGHT={HEIGHT},ROTATE=0,TIME={time}")
    return lines


def _mpd(track: Track, pieces: list[Slice], *, ended: bool) -> bytes:
    seconds = sum(piece.seconds for piece in pieces)
    length = f' mediaPresentationDuration="PT{seconds:.3f}S"' if ended else ""
    state = "static" if ended else "dynamic"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"'
        ' profiles="urn:mpeg:dash:profile:isoff-live:2011"'
        f' type="{state}"{length} minBufferTime="PT2S">',
        '  <Period start="PT0S">',
    ]
    main = [piece.name for piece in pieces]
    if track.video:
        shape = f' width="{WIDTH}" height="{HEIGHT}"'
        lines += _adaptation(0, "video", track.codec, shape, main, pieces)
    if track.audio:
        sound = [piece.sound or piece.name for piece in pieces]
        lines += _adaptation(int(track.video), "audio", "opus", "", sound, pieces)
    return "\n".join([*lines, "  </Period>", "</MPD>", ""]).encode()


def _adaptation(
    stream: int, kind: str, codec: str, shape: str, names: list[str], pieces: list[Slice]
) -> list[str]:
    return [
        f'    <AdaptationSet contentType="{kind}" mimeType="{kind}/webm" codecs="{codec}">',
        f'      <Representation id="{stream}" bandwidth="20000"{shape}>',
        '        <SegmentList timescale="1000"><SegmentTimeline>',
        *(
            f'          <S t="{piece.media_ms}" d="{piece.end_ms - piece.start_ms}"/>'
            for piece in pieces
        ),
        "        </SegmentTimeline>",
        *(f"        <SegmentURL media={quoteattr(name)}/>" for name in names),
        "        </SegmentList>",
        "      </Representation>",
        "    </AdaptationSet>",
    ]


def merged_playlist(audio: str, video: str) -> bytes:
    """Return the index that standard mode adds for a user: it names the user's two indexes."""
    return (
        "#EXTM3U\n"
        "#EXT-X-VERSION:3\n"
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,'
        f'URI="{audio}"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=100000,AUDIO="audio"\n'
        f"{video}\n"
    ).encode()

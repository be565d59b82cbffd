"""Playlists that a browser can play from a private bucket.

Agora's index names its slices without an address, so a signed index alone opens none of them. Here
each name becomes a signed address, and what hls.js and Safari need is corrected: the comma of
EXTINF, VERSION, a TARGETDURATION that no slice exceeds, ENDLIST, and DISCONTINUITY wherever the
time stamps of one recorder end and those of another begin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator

from agora_recording.errors import PlaylistTooLargeError
from agora_recording.files import playlists
from agora_recording.files.allowance import Allowance
from agora_recording.files.overlap import seam
from agora_recording.files.playlists import Playlist, Segment

# A Lambda function may answer with 6 MB, envelope and JSON escapes included.
MAX_BYTES = 5_000_000

_CONTENT_TYPES = {
    "m3u8": "application/x-mpegURL",
    "mpd": "application/dash+xml",
    "ts": "video/MP2T",
    "webm": "video/webm",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "jpg": "image/jpeg",
    "json": "application/json",
}

_STANDING = ("#EXT-X-MAP", "#EXT-X-KEY")
_ADDRESS = re.compile(r'URI=("[^"]*"|[^",]*)')

_VERSION = "#EXT-X-VERSION:"
_TARGET = "#EXT-X-TARGETDURATION:"
_SEQUENCE = "#EXT-X-MEDIA-SEQUENCE:"


def content_type(name: str) -> str:
    """Return the type to serve a file with: S3 does not know it (Agora: online play)."""
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def join(texts: Iterable[bytes | str | Iterable[bytes]]) -> str:
    """Return a playlist that plays the given ones in turn, with the plain names of the slices.

    For the playlists of one track (base, `bak<n>_`, further sids), in order of time. What two of
    them hold is played once. It has an ENDLIST if the last of them has one. Raises
    PlaylistTooLargeError.
    """
    allowance = Allowance()
    lists = [_parse(text, allowance) for text in texts]
    segments: list[Segment] = []
    for each in lists:
        kept, first = seam(segments, each.segments)
        del segments[kept:]
        more = each.segments[first:]
        if segments and more:
            more[0].discontinuity = True
        segments += more
    header = [tag for each in lists for tag in each.header]
    return "".join(_lines(header, segments, closed=bool(lists) and lists[-1].closed))


def _parse(text: bytes | str | Iterable[bytes], allowance: Allowance) -> Playlist:
    parsed = playlists.parse(text, allowance)
    if parsed.too_large:
        raise PlaylistTooLargeError("The track has more slices than one playlist can be made of.")
    return parsed


def signed_playlist(
    text: bytes | str,
    sign: Callable[[str], str],
    base: str,
    *,
    missing: Container[str] = (),
    from_ms: int | None = None,
    to_ms: int | None = None,
    growing: bool = False,
    max_bytes: int = MAX_BYTES,
) -> str:
    """Return the playlist with each slice's name replaced by `sign(base + name)`.

    Only names directly under `base` (the recording's prefix) are signed, whatever the text has;
    addresses in tags (keys, initialization sections), too. Slices among `missing`, and those
    without a readable duration, are left out. Unknown tags are kept, unless they hold an address
    that is not signed. `from_ms` and `to_ms` (epoch ms) choose the slices that overlap this window.
    ENDLIST is added, since players wait for more without it, unless the playlist is `growing`.

    Raises PlaylistTooLargeError if the text exceeds `max_bytes`: with 500 bytes for an address,
    that is about 9,000 slices or 38 hours (15 s each). Callers ask for windows of a longer
    recording.
    """
    whole = _parse(text, Allowance())
    kept: list[Segment] = []
    skipped = 0
    lost = False
    standing: dict[str, str] = {}  # tags that hold for every slice after them, of slices left out
    for segment in whole.segments:
        name = playlists.file_name(segment.uri)
        is_out = not _overlaps(segment, from_ms, to_ms)
        if is_out or not segment.duration_ms or name in missing or not _is_name(name):
            standing |= {_kind(tag): tag for tag in segment.tags if _kind(tag) in _STANDING}
            skipped += is_out and not kept
            lost |= not is_out
        else:
            segment.uri = base + name
            own = {_kind(tag) for tag in segment.tags}
            before = [tag for kind, tag in standing.items() if kind not in own]
            segment.tags = (*before, *segment.tags)
            standing.clear()
            segment.discontinuity |= lost
            lost = False
            kept.append(segment)

    def sign_tag(tag: str) -> str:
        return _signed_tag(tag, sign, base)

    written: list[str] = []
    size = 0
    closed = whole.closed or not growing
    for line in _lines(
        whole.header, kept, closed=closed, skipped=skipped, sign=sign, sign_tag=sign_tag
    ):
        size += len(line.encode())
        if size > max_bytes:
            raise PlaylistTooLargeError(
                f"The playlist would exceed {max_bytes} bytes: ask for a window of it."
            )
        written.append(line)
    return "".join(written)


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..")


def _kind(tag: str) -> str:
    return tag.partition(":")[0]


def _signed_tag(tag: str, sign: Callable[[str], str], base: str) -> str:
    """Return a tag whose addresses are signed ones under `base`, and no others; "" without it.

    RFC 8216 quotes every address; players also take one without quotes.
    """
    found = [playlists.file_name(uri.strip('"')) for uri in _ADDRESS.findall(tag)]
    if not all(map(_is_name, found)) or "//" in _ADDRESS.sub("", tag):
        return ""
    names = iter(found)
    return _ADDRESS.sub(lambda _: f'URI="{sign(base + next(names))}"', tag)


def _overlaps(segment: Segment, from_ms: int | None, to_ms: int | None) -> bool:
    """Tell whether a slice is in the window; a slice without a known start is in every window."""
    start_ms = segment.start_ms
    if start_ms is None:
        return True
    if to_ms is not None and start_ms >= to_ms:
        return False
    return from_ms is None or start_ms + segment.duration_ms > from_ms


def _lines(
    header: list[str],
    segments: list[Segment],
    *,
    closed: bool,
    skipped: int = 0,
    sign: Callable[[str], str] = str,
    sign_tag: Callable[[str], str] = str,
) -> Iterator[str]:
    """Yield a playlist that players accept, slice by slice. `skipped`: slices left out before."""
    yield "#EXTM3U\n"
    yield f"{_VERSION}{max([3, *_values(header, _VERSION)])}\n"  # 3 allows fractions in EXTINF
    longest_s = max((-(-segment.duration_ms // 1000) for segment in segments), default=1)
    yield f"{_TARGET}{max([1, longest_s, *_values(header, _TARGET)])}\n"
    yield f"{_SEQUENCE}{sum(_values(header, _SEQUENCE)[:1]) + skipped}\n"
    for tag in dict.fromkeys(header):
        if not tag.startswith((_VERSION, _TARGET, _SEQUENCE)):
            yield from (f"{each}\n" for each in (sign_tag(tag),) if each)
    for segment in segments:
        tags = "".join(f"{tag}\n" for tag in map(sign_tag, segment.tags) if tag)
        discontinuity = "#EXT-X-DISCONTINUITY\n" if segment.discontinuity else ""
        duration = f"#EXTINF:{segment.duration_ms / 1000:.3f},\n"
        yield f"{discontinuity}{tags}{duration}{sign(segment.uri)}\n"
    if closed:
        yield "#EXT-X-ENDLIST\n"


def _values(header: list[str], tag: str) -> list[int]:
    """Return the numbers that the header's tags of this kind hold."""
    texts = (line[len(tag) :].strip() for line in header if line.startswith(tag))
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10]

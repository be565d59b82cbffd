"""Playlists that a browser can play from a private bucket.

Agora's index names its slices without an address, so a signed index alone opens none of them. Here
each name becomes a signed address, and what hls.js and Safari need is corrected: the comma of
EXTINF, VERSION, a TARGETDURATION that no slice exceeds, ENDLIST, and DISCONTINUITY wherever the
time stamps of one recorder end and those of another begin.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

from agora_recording.errors import PlaylistTooLargeError
from agora_recording.files import playlists
from agora_recording.files.playlists import Segment

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

_VERSION = "#EXT-X-VERSION:"
_TARGET = "#EXT-X-TARGETDURATION:"
_SEQUENCE = "#EXT-X-MEDIA-SEQUENCE:"


def content_type(name: str) -> str:
    """Return the type to serve a file with: S3 does not know it (Agora: online play)."""
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def join(texts: Iterable[bytes | str]) -> str:
    """Return a playlist that plays the given ones in turn, with the plain names of the slices.

    For the playlists of one track (base, `bak<n>_`, further sids), in order of time. It has an
    ENDLIST if the last of them has one.
    """
    lists = [playlists.parse(text) for text in texts]
    segments: list[Segment] = []
    for each in lists:
        if segments and each.segments:
            each.segments[0].discontinuity = True
        segments += each.segments
    header = [tag for each in lists for tag in each.header]
    return "".join(_lines(header, segments, closed=bool(lists) and lists[-1].closed))


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

    Only names directly under `base` (the recording's prefix) are signed, whatever the text has.
    Slices among `missing`, and those without a readable duration, are left out. Unknown tags are
    kept. `from_ms` and `to_ms` (epoch ms) choose the slices that overlap this window. ENDLIST is
    added, since players wait for more without it, unless the playlist is `growing`.

    Raises PlaylistTooLargeError if the text exceeds `max_bytes`: with 500 bytes for an address,
    that is about 9,000 slices or 38 hours (15 s each). Callers ask for windows of a longer
    recording.
    """
    whole = playlists.parse(text)
    kept: list[Segment] = []
    skipped = 0
    lost = False
    for segment in whole.segments:
        name = playlists.file_name(segment.uri)
        if not _overlaps(segment, from_ms, to_ms):
            skipped += not kept
        elif not segment.duration_ms or name in missing or name in ("", ".", ".."):
            lost = True
        else:
            segment.uri = base + name
            segment.discontinuity |= lost
            lost = False
            kept.append(segment)
    written: list[str] = []
    size = 0
    closed = whole.closed or not growing
    for line in _lines(whole.header, kept, closed=closed, skipped=skipped, sign=sign):
        size += len(line.encode())
        if size > max_bytes:
            raise PlaylistTooLargeError(
                f"The playlist would exceed {max_bytes} bytes: ask for a window of it."
            )
        written.append(line)
    return "".join(written)


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
) -> Iterator[str]:
    """Yield a playlist that players accept, slice by slice. `skipped`: slices left out before."""
    yield "#EXTM3U\n"
    yield f"{_VERSION}{max([3, *_values(header, _VERSION)])}\n"  # 3 allows fractions in EXTINF
    longest_s = max((-(-segment.duration_ms // 1000) for segment in segments), default=1)
    yield f"{_TARGET}{max([1, longest_s, *_values(header, _TARGET)])}\n"
    yield f"{_SEQUENCE}{sum(_values(header, _SEQUENCE)[:1]) + skipped}\n"
    for tag in dict.fromkeys(header):
        if not tag.startswith((_VERSION, _TARGET, _SEQUENCE)):
            yield f"{tag}\n"
    for segment in segments:
        tags = "".join(f"{tag}\n" for tag in segment.tags)
        discontinuity = "#EXT-X-DISCONTINUITY\n" if segment.discontinuity else ""
        duration = f"#EXTINF:{segment.duration_ms / 1000:.3f},\n"
        yield f"{discontinuity}{tags}{duration}{sign(segment.uri)}\n"
    if closed:
        yield "#EXT-X-ENDLIST\n"


def _values(header: list[str], tag: str) -> list[int]:
    """Return the numbers that the header's tags of this kind hold."""
    texts = (line[len(tag) :].strip() for line in header if line.startswith(tag))
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10]

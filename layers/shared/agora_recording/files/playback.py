"""Playlists that a browser can play from a private bucket.

Agora's index names its slices without an address, so a signed index alone opens none of them. Here
each name becomes an address, and what hls.js and Safari need is corrected: the comma of EXTINF,
VERSION, a TARGETDURATION that no slice exceeds, ENDLIST, and DISCONTINUITY wherever the time stamps
of one recorder end and those of another begin. Each slice has its date and time, so players keep
their clock over such a seam, and can play several users in step (RFC 8216, 4.3.2.6).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable, Iterator, Sequence

from agora_recording.clock import iso
from agora_recording.errors import PlaylistTooLargeError
from agora_recording.files import playlists
from agora_recording.files.allowance import Allowance
from agora_recording.files.playlists import Playlist, Segment

# A Lambda function may answer with 6 MB (6,291,556 bytes), envelope included. The playlist is a
# JSON string in it: each newline and each quote counts twice.
MAX_BYTES = 6_000_000
# A playlist with more slices than these tells the date and time of some of them only.
MANY_SLICES = 12_000
_CLOCK_EVERY = 100  # of these, beside the first after each seam
_GAP_MS = 1000  # between two slices that follow each other: names and durations differ by less

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
_CLOCK = "#EXT-X-PROGRAM-DATE-TIME:"
_LAST_MS = 253_402_300_799_999  # the last instant that RFC 3339 can write


def content_type(name: str) -> str:
    """Return the type to serve a file with: S3 does not know it (Agora: online play)."""
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def join(texts: Iterable[bytes | str | Iterable[bytes]], *, growing: bool = False) -> Playlist:
    """Return one playlist of the given ones, with the plain names of the slices.

    For the playlists of one track (base, `bak<n>_`, further sids), in order of time. It is closed
    if the last of them is. What two recorders recorded at the same time is played once, from the
    later one: a slice is left out if a later playlist covers its middle. While the track is
    `growing`, the last playlist covers all that comes. Raises PlaylistTooLargeError.
    """
    allowance = Allowance()
    lists = [_parse(text, allowance) for text in texts]
    segments: list[Segment] = []
    for piece in _in_turn([each.segments for each in lists], growing=growing):
        if segments:
            piece[0].discontinuity = True
        segments += piece
    return Playlist(
        header=[tag for each in lists for tag in each.header],
        segments=segments,
        closed=bool(lists) and lists[-1].closed,
        media=frozenset().union(*(each.media for each in lists)),
        defects=[],
    )


def _in_turn(lists: Sequence[list[Segment]], *, growing: bool) -> list[list[Segment]]:
    """Return pieces of the lists in order of time, without what a later list covers."""
    covers: list[list[tuple[int, int]]] = []  # of each list, (from, to) of its runs
    for number, segments in enumerate(lists):
        runs = _runs(segments)
        if growing and runs and number == len(lists) - 1:
            runs[-1] = (runs[-1][0], _FAR_MS)
        covers.append(runs)
    pieces: list[tuple[int, int, list[Segment]]] = []
    for number, segments in enumerate(lists):
        later = _union(run for runs in covers[number + 1 :] for run in runs)
        if not later:
            if segments:
                pieces.append((_start_ms(segments), number, segments))
            continue
        firsts = [run[0] for run in later]
        piece: list[Segment] = []
        for segment in segments:
            if _is_covered(segment, later, firsts):
                if piece:
                    pieces.append((_start_ms(piece), number, piece))
                piece = []
            else:
                piece.append(segment)
        if piece:
            pieces.append((_start_ms(piece), number, piece))
    # Without a known start, a piece keeps its place behind the one before it.
    placed: list[tuple[int, int, list[Segment]]] = []
    for start_ms, number, piece in pieces:
        before = placed[-1][0] if placed else 0
        placed.append((before if start_ms < 0 else start_ms, number, piece))
    return [piece for *_, piece in sorted(placed, key=lambda each: each[:2])]


_FAR_MS = 2**62


def _start_ms(segments: Sequence[Segment]) -> int:
    """Return the first known start, -1 if there is none."""
    return next((each.start_ms for each in segments if each.start_ms is not None), -1)


def _runs(segments: Iterable[Segment]) -> list[tuple[int, int]]:
    """Return (from, to) of each run of slices without a gap, in epoch ms."""
    runs: list[tuple[int, int]] = []
    for segment in segments:
        if segment.start_ms is None or not segment.duration_ms:
            continue
        end_ms = segment.start_ms + segment.duration_ms
        if runs and runs[-1][0] <= segment.start_ms <= runs[-1][1] + _GAP_MS:
            runs[-1] = (runs[-1][0], max(runs[-1][1], end_ms))
        else:
            runs.append((segment.start_ms, end_ms))
    return runs


def _union(runs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same times as runs that do not overlap, in order."""
    found: list[tuple[int, int]] = []
    for from_ms, to_ms in sorted(runs):
        if found and from_ms <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], to_ms))
        else:
            found.append((from_ms, to_ms))
    return found


def _is_covered(segment: Segment, runs: Sequence[tuple[int, int]], firsts: Sequence[int]) -> bool:
    """Tell whether the middle of a slice is in one of the runs, which begin at `firsts`."""
    if segment.start_ms is None:
        return False
    middle_ms = segment.start_ms + segment.duration_ms // 2
    at = bisect_right(firsts, middle_ms)
    return at > 0 and runs[at - 1][1] > middle_ms


def _parse(text: bytes | str | Iterable[bytes], allowance: Allowance) -> Playlist:
    parsed = playlists.parse(text, allowance)
    if parsed.too_large:
        raise PlaylistTooLargeError("The track has more slices than one playlist can be made of.")
    return parsed


def signed_playlist(
    text: bytes | str | Playlist,
    sign: Callable[[str], str],
    base: str,
    *,
    missing: Container[str] = (),
    from_ms: int | None = None,
    to_ms: int | None = None,
    growing: bool = False,
    max_bytes: int = MAX_BYTES,
) -> str:
    """Return the playlist with each slice's name replaced by the address `sign(base + name)`.

    Only names directly under `base` (the recording's prefix) are signed, whatever the text has;
    addresses in tags (keys, initialization sections), too. Slices among `missing`, and those
    without a readable duration, are left out. Unknown tags are kept, unless they hold an address
    that is not signed. `from_ms` and `to_ms` (epoch ms) choose the slices that overlap this window.
    ENDLIST is added, since players wait for more without it, unless the playlist is `growing`.
    A `Playlist` is used up: its slices become those of the result.

    Raises PlaylistTooLargeError, which names a window that fits, if the text takes more than
    `max_bytes` in an answer. With the address of a role at AWS (up to 2 KB), that is some 12 hours.
    """
    whole = text if isinstance(text, Playlist) else _parse(text, Allowance())
    kept, skipped = _chosen(whole, base, missing, from_ms, to_ms)

    def sign_tag(tag: str) -> str:
        return _signed_tag(tag, sign, base)

    written: list[str] = []
    size = 0
    closed = whole.closed or not growing
    for line in _lines(
        whole.header, kept, closed=closed, skipped=skipped, sign=sign, sign_tag=sign_tag
    ):
        size += answer_bytes(line)
        if size > max_bytes:
            raise PlaylistTooLargeError(_advice(kept, len(written), max_bytes))
        written.append(line)
    return "".join(written)


def answer_bytes(text: str) -> int:
    """Return how many bytes a text takes in a function's answer, which is JSON."""
    escaped = text.count("\n") + text.count('"') + text.count("\\")
    return (len(text) if text.isascii() else len(text.encode())) + escaped


def _advice(kept: Sequence[Segment], lines: int, max_bytes: int) -> str:
    """Return the sentence for a playlist of which so many lines fit: it names a window that does.

    The window is two thirds of what fitted: another begins with other slices.
    """
    fits = kept[: max(1, lines * 2 // 3)]
    starts = [each.start_ms for each in fits if each.start_ms is not None]
    window = ""
    if len(starts) > 1:
        window = f", such as from={iso(starts[0])}&to={iso(starts[-1])}"
    return (
        f"The playlist would exceed {max_bytes} bytes: ask for a window of it{window}; or make a "
        "link, whose playlist has short addresses."
    )


def _chosen(
    whole: Playlist,
    base: str,
    missing: Container[str],
    from_ms: int | None,
    to_ms: int | None,
) -> tuple[list[Segment], int]:
    """Return the slices that are played, with `base` before their names, and how many are before.

    Tags that hold for every slice after them are kept, even if their own slice is left out.
    """
    kept: list[Segment] = []
    skipped = 0
    lost = False
    standing: dict[str, str] = {}
    for segment in whole.segments:
        name = playlists.file_name(segment.uri)
        is_out = not _overlaps(segment, from_ms, to_ms)
        if is_out or not segment.duration_ms or name in missing or not _is_name(name):
            standing |= {_kind(tag): tag for tag in segment.tags if _kind(tag) in _STANDING}
            skipped += is_out and not kept
            lost |= not is_out
        else:
            segment.uri = base + name
            if standing:
                own = {_kind(tag) for tag in segment.tags}
                before = [tag for kind, tag in standing.items() if kind not in own]
                segment.tags = (*before, *segment.tags)
                standing.clear()
            segment.discontinuity |= lost
            lost = False
            kept.append(segment)
    return kept, skipped


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
    every = 1 if len(segments) <= MANY_SLICES else _CLOCK_EVERY
    for number, segment in enumerate(segments):
        tags = "".join(f"{tag}\n" for tag in map(sign_tag, segment.tags) if tag)
        discontinuity = "#EXT-X-DISCONTINUITY\n" if segment.discontinuity else ""
        clock = ""
        is_told = segment.discontinuity or not number % every
        if is_told and segment.start_ms is not None and _CLOCK not in tags:
            clock = f"{_CLOCK}{_instant(segment.start_ms)}\n"
        duration = f"#EXTINF:{segment.duration_ms / 1000:.3f},\n"
        yield f"{discontinuity}{tags}{clock}{duration}{sign(segment.uri)}\n"
    if closed:
        yield "#EXT-X-ENDLIST\n"


def _instant(ms: int) -> str:
    return iso(min(max(ms, 0), _LAST_MS))


def master(pictures: str, sound: str, bits_per_second: int) -> str:
    """Return a master playlist that plays a user's two playlists, at these addresses, together.

    (RFC 8216, 4.3.4.) `bits_per_second` is what both need.
    """
    return (
        "#EXTM3U\n"
        f"{_VERSION}4\n"
        '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,'
        f'URI="{sound}"\n'
        f'#EXT-X-STREAM-INF:BANDWIDTH={max(1, bits_per_second)},AUDIO="sound"\n'
        f"{pictures}\n"
    )


def _values(header: list[str], tag: str) -> list[int]:
    """Return the numbers that the header's tags of this kind hold."""
    texts = (line[len(tag) :].strip() for line in header if line.startswith(tag))
    return [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10]

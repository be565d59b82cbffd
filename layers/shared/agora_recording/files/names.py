"""The grammar of the names that Agora gives its files (Agora: manage recorded files).

    [bak<n>_]<sid>_<cname>[__uid_s_<uid>__uid_e[_<audio|video|av>]]<tail>

    tail   _<utc17>.ts .webm .jpg       a slice, a snapshot: yyyyMMddHHmmssSSS, UTC, of its start
           _<ms13>.ts .webm .jpg        the same in epoch milliseconds (web mode, Chinese pages)
           [_<tick>_<index>].m3u8 .mpd  an index; the suffix marks a copy from Agora's backup
           [_<index>].mp4 .mp3 .m4a .aac

An MP4 of individual mode has no track, since it joins both: `…__uid_s_<uid>__uid_e_<index>.mp4`.
`bak<n>_` marks the files of a recorder that replaced a lost recorder; n counts from 0.

Raw mode writes the codec where individual mode writes the track (Agora: migration from individual
to raw): `[bak<n>_]<sid>_<cname>__uid_s_<uid>__uid_e<tail>`.

    tail   _<utc17>_<codec>.ts          a slice with sound and picture
           _<stream>_<n>_<codec>.webm   a slice of one DASH stream (VP8, VP9)
           _<utc17>.jpg                 a snapshot
           _<codec>.m3u8 .mpd           an index; also with [_<tick>_<index>]
           _<index>_<codec>.mp4         also .mp3, whose names are not documented: _<index>.mp3,
                                        _<index>_<codec>.mp3 and _<utc17>.mp3 are known here

A name adds what it can to what the bucket and the indexes say: `hint` reads a name of a form that
nobody has documented as far as it goes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, cast

import msgspec

Kind = Literal["playlist", "mpd", "segment", "dash_segment", "mp4", "audio", "snapshot"]
Media = Literal["audio", "video", "av"]

_KINDS: dict[str, Kind] = {
    "m3u8": "playlist",
    "mpd": "mpd",
    "ts": "segment",
    "webm": "segment",
    "mp4": "mp4",
    "mp3": "audio",
    "m4a": "audio",
    "aac": "audio",
    "jpg": "snapshot",
}

_JOINED = r"(?=_[0-9]{1,9}\.(?:mp4|mp3|m4a|aac)\Z)"
_OWNER = (
    r"(?:__uid_s_(?P<uid>[0-9]{1,20})__uid_e"
    rf"(?:_(?P<track>audio|video|av)|{_JOINED}))?"
)
_UTC = r"_(?P<utc>[0-9]{17}|[0-9]{13})\.(?P<slice>ts|webm|jpg)"
_INDEX = r"\.(?P<list>m3u8|mpd)"
_FILE = r"(?:_(?P<part>[0-9]{1,9}))?\.(?P<file>mp4|mp3|m4a|aac)"

# After a known cname any number is a tick; after an unknown one, only a number of 8 to 16 digits.
_TAIL = re.compile(
    rf"{_OWNER}(?:{_UTC}|(?:_(?P<tick>[0-9]{{1,20}})_(?P<version>[0-9]{{1,9}}))?{_INDEX}|{_FILE})"
)
_LOOSE = re.compile(
    rf"(?P<cname>.+?){_OWNER}"
    rf"(?:{_UTC}|(?:_(?P<tick>[0-9]{{8,16}})_(?P<version>[0-9]{{1,3}}))?{_INDEX}|{_FILE})"
)
_CODEC = r"h264|h265|hevc|av1|vp8|vp9|aac|opus"
_RAW = (
    r"__uid_s_(?P<uid>[0-9]{1,20})__uid_e(?:"
    rf"(?:_(?P<stream>[0-9]{{1,3}})_(?P<number>[0-9]{{1,9}}))?_(?P<codec>{_CODEC})"
    rf"(?:_(?P<tick>[0-9]{{1,20}})_(?P<version>[0-9]{{1,9}}))?\.(?P<coded>m3u8|mpd|webm)"
    rf"|_(?P<utc>[0-9]{{17}}|[0-9]{{13}})(?:_(?P<slice_codec>{_CODEC}))?"
    r"\.(?P<timed>ts|webm|jpg|mp3)"
    rf"|_(?P<part>[0-9]{{1,9}})(?:_(?P<file_codec>{_CODEC}))?\.(?P<file>mp4|mp3|m4a|aac))"
)
_RAW_TAIL, _RAW_LOOSE = re.compile(_RAW), re.compile(rf"(?P<cname>.+?){_RAW}")
_TIME = re.compile(r"_([0-9]{17}|[0-9]{13})(?=(?:_[0-9a-z]{1,8})?\.[0-9a-z]{1,8}\Z)")
_NUMBER = re.compile(r"__uid_e_[0-9]{1,3}_([0-9]{1,9})(?=_vp[89]\.webm\Z)")
_ENDINGS = _KINDS | {"m4s": "segment"}
_SID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_OWNED = re.compile(r"__uid_s_([0-9]{1,20})__uid_e")
_BAK = re.compile(r"bak([0-9]{1,9})_")


class FileName(msgspec.Struct, frozen=True, gc=False):
    """The parts of a name. `cname` is spelled as in the name: web mode writes `-` for `_`, too.

    `index` is the part number of an MP4 or audio file, or the version of an index that came from
    Agora's backup (then `tick` is there too), or the number of a DASH slice. `start_ms` is the
    instant of slices and snapshots; a DASH slice has none. `codec` is in the names of raw mode.
    """

    kind: Kind
    sid: str
    cname: str
    bak: int | None = None
    uid: str | None = None
    track: Media | None = None
    start_ms: int | None = None
    tick: int | None = None
    index: int | None = None
    codec: str | None = None


def parse(name: str, cname: str | None = None, sids: Collection[str] = ()) -> FileName | None:
    """Return the parts of `name` (a basename), or None if it is not a name of Agora's.

    A cname may hold `_` and digits. So a known cname is tried first, as it is and with `-` for any
    character that web mode replaces; otherwise the shortest cname that fits is taken. A sid is in
    `sids`, or 32 hexadecimal digits.
    """
    bak, rest = None, name
    if name.startswith("bak"):
        number, _, behind = name[3:].partition("_")
        if number.isascii() and number.isdigit() and len(number) < 10:
            bak, rest = int(number), behind
    sid, _, rest = rest.partition("_")
    if sid not in sids and (len(sid) != 32 or sid.strip("0123456789abcdef")):
        return None
    match, spelled = None, ""
    if cname:
        spelled = cname if rest.startswith(cname) else _web_spelling(cname, rest)
        if spelled:
            match = _TAIL.fullmatch(rest, len(spelled))
            if match is None and (raw := _RAW_TAIL.fullmatch(rest, len(spelled))):
                return _raw(raw, sid, spelled, bak)
    if match is None:
        if raw := _RAW_LOOSE.fullmatch(rest):
            return _raw(raw, sid, raw["cname"], bak)
        match = _LOOSE.fullmatch(rest)
        if match is None:
            return None
        spelled = match["cname"]
    start_ms = None
    if match["utc"]:
        start_ms = time_ms(match["utc"])
        if start_ms is None:
            return None
    ending: str = match["slice"] or match["list"] or match["file"]
    index = match["version"] or match["part"]
    return FileName(
        kind=_KINDS[ending],
        sid=sid,
        cname=spelled,
        bak=bak,
        uid=match["uid"],
        track=cast("Media | None", match["track"]),
        start_ms=start_ms,
        tick=int(match["tick"]) if match["tick"] else None,
        index=int(index) if index else None,
    )


def hint(name: str, sids: Collection[str] = ()) -> FileName | None:
    """Return what a basename of no known form tells: kind, sid, perhaps bak and uid.

    The kind follows from the ending; the sid is one of `sids` that the name holds, or "" if it
    holds none of them. None for a name in a folder, and for a file that is no medium or index.
    """
    kind = _ENDINGS.get(name.rpartition(".")[2].lower())
    if kind is None or "/" in name:
        return None
    owner = _OWNED.search(name)
    bak = _BAK.match(name)
    return FileName(
        kind=kind,
        sid=sid_in(name, sids),
        cname="",
        bak=int(bak[1]) if bak else None,
        uid=owner[1] if owner else None,
        start_ms=start_ms(name),
    )


def sid_in(name: str, sids: Collection[str] = ()) -> str:
    """Return the sid that a name holds, one of `sids` if they are known; "" if it holds none."""
    found = [sid for sid in sids if sid in name] if sids else _SID.findall(name)
    return found[0] if found else ""


def _raw(match: re.Match[str], sid: str, cname: str, bak: int | None) -> FileName | None:
    """Return the parts of a name of raw mode; None if its time is no instant."""
    ending: str = match["coded"] or match["timed"] or match["file"]
    # Only a slice is numbered by stream, and only an index may be a copy from the backup.
    if (ending == "webm") != bool(match["number"]) and match["coded"]:
        return None
    if match["tick"] and ending == "webm":
        return None
    at_ms = time_ms(match["utc"]) if match["utc"] else None
    if match["utc"] and at_ms is None:
        return None
    index = match["number"] or match["version"] or match["part"]
    return FileName(
        kind="dash_segment" if match["number"] else _KINDS[ending],
        sid=sid,
        cname=cname,
        bak=bak,
        uid=match["uid"],
        start_ms=at_ms,
        tick=int(match["tick"]) if match["tick"] else None,
        index=int(index) if index else None,
        codec=match["codec"] or match["slice_codec"] or match["file_codec"],
    )


def time_ms(text: str) -> int | None:
    """Return the epoch milliseconds of one of Agora's times: 17 digits of UTC, or 13 of epoch ms.

    None if it is neither.
    """
    if len(text) == 13 and text.isascii() and text.isdigit():
        return int(text)
    return utc17_ms(text)


def utc17_ms(text: str) -> int | None:
    """Return the epoch milliseconds of a `yyyyMMddHHmmssSSS`, or None if it is not an instant."""
    if len(text) != 17 or not (text.isascii() and text.isdigit()):
        return None
    hour_ms = _hour_ms(text[:10])
    minute = int(text[10:12])
    second_ms = int(text[12:])
    if hour_ms is None or minute > 59 or second_ms > 59_999:
        return None
    return hour_ms + minute * 60_000 + second_ms


def utc17(ms: int) -> str:
    """Return an instant in 17 digits, as Agora writes it. Raises ValueError if they cannot."""
    seconds, rest = divmod(ms, 1000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}{rest:03}"
    except (OverflowError, OSError) as error:
        raise ValueError(f"{ms} is no instant") from error


def start_ms(name: str) -> int | None:
    """Return the instant in a slice's or snapshot's name (cheaper than `parse`), else None."""
    dot = name.rfind(".")
    if dot >= 18 and name[dot - 18] == "_":
        found = utc17_ms(name[dot - 17 : dot])
        if found is not None:
            return found
    match = _TIME.search(name)
    return time_ms(match[1]) if match and match.start() else None


def series_of(name: str) -> str | None:
    """Return the name without its time, which a series of slices has in common.

    None if it has no time. Names that end in 17 digits are `name[: dot - 17] + name[dot:]`.
    """
    match = _TIME.search(name)
    return name[: match.start() + 1] + name[match.end() :] if match else None


def around_time(name: str) -> tuple[str, str, str] | None:
    """Return what stands before the time of a slice, the time (17 or 13 digits), what follows.

    None if it has no time that is an instant.
    """
    match = _TIME.search(name)
    if match is None or time_ms(match[1]) is None:
        return None
    return name[: match.start(1)], match[1], name[match.end() :]


def stem_of(name: str) -> str:
    """Return what stands before the time of a slice, or before the number of a DASH slice."""
    match = _TIME.search(name) or _NUMBER.search(name)
    return name[: match.start(1) - 1] if match else name


def with_number(name: str, number: int) -> str:
    """Return the name of the DASH slice with another number."""
    match = _NUMBER.search(name)
    return f"{name[: match.start(1)]}{number}{name[match.end() :]}" if match else name


@lru_cache(maxsize=1024)  # slices of one hour share this: the rest is two small ints
def _hour_ms(text: str) -> int | None:
    try:
        hour = datetime(int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[8:]), tzinfo=UTC)
    except ValueError:
        return None
    return int(hour.timestamp()) * 1000


def _web_spelling(cname: str, rest: str) -> str:
    match = _web_pattern(cname).match(rest)
    return match[0] if match else ""


@lru_cache(maxsize=64)
def _web_pattern(cname: str) -> re.Pattern[str]:
    return re.compile(
        "".join(c if c.isascii() and c.isalnum() else f"[{re.escape(c)}-]" for c in cname)
    )

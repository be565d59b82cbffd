"""The grammar of the names that Agora gives its files (Agora: manage recorded files).

    [bak<n>_]<sid>_<cname>[__uid_s_<uid>__uid_e[_<audio|video|av>]]<tail>

    tail   _<utc17>.ts .webm .jpg       a slice, a snapshot: yyyyMMddHHmmssSSS, UTC, of its start
           [_<tick>_<index>].m3u8 .mpd  an index; the suffix marks a copy from Agora's backup
           [_<index>].mp4 .mp3 .m4a .aac

An MP4 of individual mode has no track, since it joins both: `…__uid_s_<uid>__uid_e_<index>.mp4`.
`bak<n>_` marks the files of a recorder that replaced a lost recorder; n counts from 0.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, cast

import msgspec

Kind = Literal["playlist", "mpd", "segment", "mp4", "audio", "snapshot"]
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
_UTC = r"_(?P<utc>[0-9]{17})\.(?P<slice>ts|webm|jpg)"
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


class FileName(msgspec.Struct, frozen=True, gc=False):
    """The parts of a name. `cname` is spelled as in the name: web mode writes `-` for `_`, too.

    `index` is the part number of an MP4 or audio file, or the version of an index that came from
    Agora's backup (then `tick` is there too). `start_ms` is the instant of slices and snapshots.
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
    if match is None:
        match = _LOOSE.fullmatch(rest)
        if match is None:
            return None
        spelled = match["cname"]
    start_ms = None
    if match["utc"]:
        start_ms = utc17_ms(match["utc"])
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


def start_ms(name: str) -> int | None:
    """Return the instant in a slice's or snapshot's name (cheaper than `parse`), else None."""
    dot = name.rfind(".")
    if dot < 18 or name[dot - 18] != "_":
        return None
    return utc17_ms(name[dot - 17 : dot])


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

"""Which files of its recording a link opens, and what a person would call them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from agora_recording.clock import iso
from agora_recording.files import addresses, names
from agora_recording.files.names import FileName
from agora_recording.recording.link import Choice, Link

_PLAYED = ("segment", "dash_segment", "mp4", "audio")
_WHOLE = ("mp4", "audio")
_TYPES = {"audio": "audio", "video": "video", "av": "audio_and_video"}
_LONGEST_SLICE_MS = 60_000
_AWKWARD = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|;%]')  # in the name of a file, or in a header


def opened(link: Link, address: str, cname: str, sids: Collection[str]) -> str | None:
    """Return the name of the file that an address of a link means; None if it may not open it.

    `cname` and `sids` are those of the link's recording. A short address is one of the link's own
    playlists. Any other name must show that it belongs to what the link is for.
    """
    if addresses.is_short(address):
        name = addresses.expand(address, link.series)
        return name if name and _in_window(link, names.start_ms(name)) else None
    if "/" in address or address in ("", ".", "..") or not address.isprintable():
        return None
    parsed = names.parse(address, cname, sids)
    if parsed is None:
        return address if _is_unknown_form(link, address, sids) else None
    if parsed.kind not in _PLAYED or (sids and parsed.sid not in sids):
        return None
    return address if _fits(link, parsed) else None


def admits_user(link: Link, uid: str, codec: str | None) -> bool:
    """Tell whether a link opens all that a user sent in a codec, at any time."""
    choice = link.choice
    return (
        choice.uid in (None, uid)
        and choice.codec in (None, codec)
        and choice.track in (None, "audio_and_video")
        and link.from_ms is None
        and link.to_ms is None
    )


def _fits(link: Link, parsed: FileName) -> bool:
    """Tell whether a name shows that its file is of the track and in the window of the link."""
    choice = link.choice
    kind = "audio" if parsed.kind == "audio" else "audio_and_video"
    track = _TYPES[parsed.track] if parsed.track else kind
    return (
        choice.uid in (None, parsed.uid or "0")
        and choice.track in (None, track)
        and choice.codec in (None, parsed.codec)
        and _in_window(link, parsed.start_ms)
    )


def _in_window(link: Link, start_ms: int | None) -> bool:
    """Tell whether a slice may overlap the window. One without a time is in no window."""
    if link.from_ms is None and link.to_ms is None:
        return True
    if start_ms is None or (link.to_ms is not None and start_ms >= link.to_ms):
        return False
    return link.from_ms is None or start_ms + _LONGEST_SLICE_MS > link.from_ms


def _is_unknown_form(link: Link, name: str, sids: Collection[str]) -> bool:
    """Tell whether a name is that of a slice or medium of unknown form, and the link opens all."""
    told = names.hint(name, sids)
    is_all = link.choice == Choice() and _in_window(link, None)
    return is_all and told is not None and told.kind in _PLAYED and "%" not in name


# --- a file, for people -------------------------------------------------------------------------


def download_name(name: str, cname: str, sids: Sequence[str], started_ms: int | None) -> str | None:
    """Return the name under which a person wants to keep an MP4 or audio file; else None.

    `daily-standup 2026-11-20 08.00.mp4`: the channel, the start of the recording (UTC), a user's
    uid, and the number of a part that is not the first.
    """
    parsed = names.parse(name, cname, sids) or names.hint(name, sids)
    if parsed is None or parsed.kind not in _WHOLE:
        return None
    words = [_AWKWARD.sub("-", cname)[:80]]
    if started_ms is not None:
        words.append(iso(started_ms)[:16].replace("T", " ").replace(":", "."))
    if parsed.uid not in (None, "0"):
        words.append(f"user {parsed.uid}")
    if parsed.bak is not None:
        words.append(f"server {parsed.bak + 2}")
    if len(sids) > 1 and parsed.sid in sids and sids.index(parsed.sid):
        words.append(f"session {sids.index(parsed.sid) + 1}")
    if parsed.index:
        words.append(f"part {parsed.index + 1}")
    return f"{' '.join(words)}.{name.rpartition('.')[2].lower()}"

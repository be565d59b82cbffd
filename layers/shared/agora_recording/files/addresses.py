"""The short addresses of slices in a link's playlist: `<series>.<time>.ts`.

A playlist of 30 days names 172,800 slices, and an answer holds 6 MB: 34 bytes for each. So the part
of their names that they have in common, a series, is kept with the link, and the address has its
number and the slice's time: 14 characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from urllib.parse import quote

from agora_recording.files import names

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHORT = re.compile(r"([0-9]{1,4})\.([0-9a-z]{1,10})\.[0-9a-z]{1,8}", re.ASCII)
# Between the parts of a series: no name of an index has it, since it ends a line.
_BREAK = "\n"


def series_in(uris: Iterable[str]) -> tuple[str, ...]:
    """Return the series of these names of slices, each once, in their order."""
    found: dict[str, None] = {}
    known = None
    for uri in uris:
        # Nearly all slices are of the series of the one before.
        if known and uri.startswith(known[0]) and uri.endswith(known[1]):
            middle = uri[len(known[0]) : len(uri) - len(known[1])]
            if len(middle) == known[2] and middle.isdigit():
                continue
        parts = names.around_time(uri)
        if parts:
            known = (parts[0], parts[2], len(parts[1]))
            found[_series(*parts)] = None
    return tuple(found)


def _series(before: str, time: str, after: str) -> str:
    return _BREAK.join((before, str(len(time)), after))


def shortener(series: Sequence[str]) -> Callable[[str], str]:
    """Return a function that gives a slice's short address; its name, if its series is unknown."""
    numbers: Mapping[str, int] = {each: number for number, each in enumerate(series)}

    def shorten(name: str) -> str:
        parts = names.around_time(name)
        number = numbers.get(_series(*parts)) if parts else None
        at_ms = names.time_ms(parts[1]) if parts else None
        if number is None or at_ms is None:
            return quote(name)
        return f"{number}.{_base36(at_ms)}.{name.rpartition('.')[2]}"

    return shorten


def is_short(address: str) -> bool:
    """Tell whether an address has the form of a short one, whatever it means."""
    return _SHORT.fullmatch(address) is not None


def expand(address: str, series: Sequence[str]) -> str | None:
    """Return the name that a short address means; None if it is none of this link's.

    Only names of a series that the link's playlists have named come out of it.
    """
    match = _SHORT.fullmatch(address)
    if match is None or int(match[1]) >= len(series):
        return None
    before, length, after = series[int(match[1])].split(_BREAK)
    at_ms = int(match[2], 36)
    try:
        time = names.utc17(at_ms) if length == "17" else f"{at_ms:013}"
    except ValueError:
        return None
    name = f"{before}{time}{after}"
    return name if len(time) == int(length) and name.endswith(address.rpartition(".")[2]) else None


def _base36(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = _DIGITS[rest] + text
    return text or "0"

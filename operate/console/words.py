"""Instants, durations and sizes in words."""

from __future__ import annotations

from agora_recording.clock import from_iso, iso

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"))


def lasting(ms: float) -> str:
    """Return a duration (ms) in its two greatest units: `2 h 5 min`, `850 ms`."""
    rest = round(abs(ms))
    if rest < 1000:
        return f"{rest} ms"
    for at, (size, unit) in enumerate(_UNITS):
        if rest >= size:
            count, rest = divmod(rest, size)
            if at + 1 < len(_UNITS) and rest >= _UNITS[at + 1][0]:
                smaller, name = _UNITS[at + 1]
                return f"{count} {unit} {rest // smaller} {name}"
            break
    return f"{count} {unit}"


def ago(instant: str | None, now_ms: int) -> str:
    """Return how long ago an instant (RFC 3339) is; in the future: `in …`."""
    if not instant:
        return "never"
    past = now_ms - from_iso(instant)
    return lasting(past) if past >= 0 else f"in {lasting(past)}"


def size(count: int) -> str:
    """Return a number of bytes, in the unit that suits it."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def clock_of(ms: int) -> str:
    """Return an instant (epoch ms) as a date and a time of UTC, to the second."""
    return iso(ms)[:19].replace("T", " ")


def moment(instant: str | None) -> str:
    """Return an instant (RFC 3339) as a date and a time of UTC, to the second; "-" for none."""
    return instant[:19].replace("T", " ") if instant else "-"

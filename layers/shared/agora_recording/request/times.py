"""The times of a request: when a recording is to begin, and when it is to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType

from agora_recording.clock import from_iso, iso, to_ms
from agora_recording.errors import Problem
from agora_recording.request.limits import MAX_AHEAD_DAYS, MAX_DURATION_S

_EXAMPLE = "2026-12-24T18:00:00Z"
Time = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?(?:[Zz]|[+-]\d{2}:\d{2})$",
        extra={
            "rule": f"must be a date and time with its time zone, such as {_EXAMPLE} or "
            "2026-12-24T19:00:00+01:00",
            "example": f'"{_EXAMPLE}"',
        },
        extra_json_schema={"format": "date-time"},
    ),
]
_START = (
    f"When it is to begin, at most {MAX_AHEAD_DAYS} days ahead; without it, at once. Until then "
    "its status is `scheduled`, and `stop` cancels it."
)
_STOP = "When it is to be stopped; it may end before."
StartAt = Annotated[Time, Meta(description=_START)]
StopAt = Annotated[Time, Meta(description=_STOP)]


class TimeChanges(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What a caller may change of a recording's times."""

    start_at: StartAt | UnsetType = UNSET
    stop_at: StopAt | UnsetType = UNSET


TIME_FIELDS = tuple(TimeChanges.__struct_encode_fields__)


class Times(NamedTuple):
    """Epoch milliseconds; None where there is none."""

    start_ms: int | None = None
    stop_ms: int | None = None


def read_times(body: Mapping[str, Any], problems: list[Problem]) -> Times:
    """Return the times of a body whose types were checked; note those that no calendar has."""
    found = {}
    for name in TIME_FIELDS:
        try:
            found[name] = from_iso(body[name].upper()) if name in body else None
        except (ValueError, OverflowError):
            problems.append(Problem(name, "must be a date and time that exist"))
    return Times(found.get("startAt"), found.get("stopAt"))


def time_problems(times: Times, now_ms: int, *, begun_ms: int | None = None) -> list[Problem]:
    """Return what is wrong with the times of a recording, as they would be.

    `begun_ms` is from when on it runs, if it does already; then its start time is past.
    """
    problems = []
    start_ms, stop_ms = times
    if begun_ms is None and start_ms is not None:
        if start_ms <= now_ms:
            rule = f"must be in the future, and it is {iso(now_ms)} now"
            problems.append(Problem("startAt", f"{rule}; leave it out to begin at once"))
        elif start_ms > now_ms + to_ms(MAX_AHEAD_DAYS * 86_400):
            rule = f"must be at most {MAX_AHEAD_DAYS} days ahead"
            problems.append(Problem("startAt", f"{rule}; ask again when the time is nearer"))
    begins_ms = begun_ms if begun_ms is not None else max(start_ms or 0, now_ms)
    if stop_ms is not None and not problems:
        if stop_ms <= max(begins_ms, now_ms):
            rule = f"must be in the future, and it is {iso(now_ms)} now"
            if begins_ms > now_ms:
                rule = "must be later than startAt"
            problems.append(Problem("stopAt", rule))
        elif stop_ms > begins_ms + to_ms(MAX_DURATION_S):
            rule = f"must be at most {MAX_DURATION_S} seconds after the recording begins"
            problems.append(Problem("stopAt", f"{rule}: Agora records no longer at a stretch"))
    return problems

"""A channel that records itself: who is there, its recording, and what has to be done next.

Everything here is pure: it takes the old row and returns the new one.

An *occupancy* begins when somebody is in a channel that had nobody, and ends when nobody is there
any more. Each has one recording for its rule at most: also if that recording ends early, the
occupancy gets no second one. The exception is a recording that ended because nobody seemed to be
there: whoever joins after that begins a new occupancy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

import msgspec
from msgspec.structs import replace

from agora_recording.auto_record.presence import (
    MARGIN_MS,
    ChannelEvent,
    Presence,
    merged,
    tidied,
)
from agora_recording.auto_record.rule import Rule
from agora_recording.clock import to_ms
from agora_recording.recording.model import RANK, Recording
from agora_recording.recording.timings import Timings, shortened_ms

FORGOTTEN_S = 2 * 86_400
"""After so many seconds without an event, a channel without a recording is forgotten."""

Ending = Literal["empty", "other"]


class Occupancy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A time in which somebody is in the channel, and its recording. Instants in ms."""

    rule: str
    began_ms: int  # also its name: no other occupancy of the channel has the same
    stop_when_empty_s: int | None = None  # of the rule, when it began
    started_id: str | None = None  # the recordingId, once it is known
    empty_ms: int | None = None  # since when nobody is there
    ended_ms: int | None = None  # since when the recording is over
    ending: Ending | None = None  # whether it ended because nobody was there

    @property
    def holds_a_place(self) -> bool:
        """Tell whether it counts among the recordings of its rule that run at once."""
        return self.ended_ms is None


class Channel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The row of a channel. Instants are epoch milliseconds."""

    cname: str
    presence: Presence = Presence()
    occupancy: Occupancy | None = None
    waits: bool = False  # somebody is there, and the rule has no place for a recording
    heard_ms: int = 0  # the last event that told something
    looked_ms: int = 0  # the last look that was made without being told
    version: int = 0  # 0: there is no row yet


def heard(
    channel: Channel, events: Iterable[ChannelEvent], now_ms: int, *, wanted: bool
) -> Channel:
    """Return the channel after events, in any order; the same value if they tell nothing new.

    `wanted`: a rule records it. Then a recording is waited for until its occupancy begins.
    """
    presence = channel.presence
    for event in events:
        presence = merged(presence, event, now_ms)
    if presence == channel.presence:
        return channel
    after = replace(channel, presence=tidied(presence, now_ms), heard_ms=now_ms)
    return waiting(settled(after, now_ms), wanted=wanted)


def waiting(channel: Channel, *, wanted: bool) -> Channel:
    """Return the channel as one that waits for a recording, or does not."""
    waits = wanted and channel.occupancy is None and channel.presence.is_occupied
    return replace(channel, waits=waits)


def settled(channel: Channel, now_ms: int) -> Channel:
    """Return the channel with its occupancy as it follows from who is there."""
    presence, occupancy = channel.presence, channel.occupancy
    if occupancy is None:
        return channel
    if occupancy.ended_ms is None:
        empty_ms = None if presence.is_occupied else occupancy.empty_ms or now_ms
        return replace(channel, occupancy=replace(occupancy, empty_ms=empty_ms))
    if _is_new(presence, occupancy):
        return replace(channel, occupancy=None)
    return channel


def _is_new(presence: Presence, occupancy: Occupancy) -> bool:
    """Tell whether an occupancy whose recording is over is over, too."""
    ended_ms = occupancy.ended_ms or 0
    has_joined = any(
        each.here and each.at_ms > ended_ms - MARGIN_MS for each in presence.users.values()
    )
    if occupancy.ending == "empty" and has_joined:
        return True
    # If somebody was the first one to come, nobody was there before.
    was_empty = not presence.is_occupied or presence.made_ms > ended_ms + MARGIN_MS
    return was_empty and not presence.in_doubt


def begun(channel: Channel, rule: Rule, now_ms: int) -> Channel:
    """Return the channel with a new occupancy, if it has none and somebody is there."""
    if channel.occupancy or not channel.presence.is_occupied:
        return channel
    occupancy = Occupancy(
        rule=rule.name, began_ms=now_ms, stop_when_empty_s=rule.stop_when_empty_seconds
    )
    return replace(channel, occupancy=occupancy, waits=False)


def recorded(channel: Channel, began_ms: int, recording_id: str) -> Channel:
    """Return the channel with the recording of an occupancy; unchanged if that is over."""
    occupancy = channel.occupancy
    if occupancy is None or occupancy.began_ms != began_ms or occupancy.started_id:
        return channel
    return replace(channel, occupancy=replace(occupancy, started_id=recording_id))


def is_half_begun(channel: Channel) -> bool:
    """Tell whether an occupancy has its place, but no recording that is known."""
    occupancy = channel.occupancy
    return occupancy is not None and occupancy.holds_a_place and occupancy.started_id is None


def over(channel: Channel, began_ms: int, ending: Ending, ended_ms: int, now_ms: int) -> Channel:
    """Return the channel after the recording of an occupancy is over.

    Where somebody still seems to be there, Agora is asked: the event of leaving may be lost.
    """
    occupancy = channel.occupancy
    if occupancy is None or occupancy.began_ms != began_ms or occupancy.ended_ms is not None:
        return channel
    presence = channel.presence
    if presence.is_occupied:
        presence = replace(presence, unsure=True)
    ended = replace(occupancy, ended_ms=ended_ms, ending=ending, empty_ms=None)
    return settled(replace(channel, presence=presence, occupancy=ended), now_ms)


def ending_of(recording: Recording) -> tuple[Ending, int] | None:
    """Return how a recording ended and when (ms); None while it goes on."""
    if RANK[recording.status] < RANK["stopping"] and not recording.stop_reason:
        return None
    attempt = recording.attempt
    ended_ms = recording.stop_ms or (attempt.ended_ms if attempt else None) or recording.ended_ms
    is_empty = recording.stop_reason == "CHANNEL_EMPTY" or (
        recording.stop_reason is None and attempt is not None and attempt.end == "IDLE"
    )
    return ("empty" if is_empty else "other"), ended_ms or recording.created_ms


def must_ask(channel: Channel, now_ms: int, timings: Timings) -> bool:
    """Tell whether Agora has to be asked now who is in the channel.

    That is so while what was told does not fit together, some seconds after the last event, because
    what is missing may just be late; before a recording is stopped because nobody seems to be
    there; and while its recording is over, but not all users seem to have left.
    """
    presence, occupancy = channel.presence, channel.occupancy
    if presence.in_doubt:
        return now_ms >= _ask_ms(channel, timings)
    if occupancy is None:
        return False
    if occupancy.ended_ms is not None:
        return now_ms >= _ask_again_ms(channel, timings)
    left_ms = _left_ms(occupancy, timings)
    return left_ms is not None and presence.asked_ms < left_ms <= now_ms


def must_stop(channel: Channel, now_ms: int, timings: Timings) -> bool:
    """Tell whether the recording has to stop: nobody is there, and Agora says so."""
    occupancy = channel.occupancy
    if occupancy is None or occupancy.started_id is None or channel.presence.is_occupied:
        return False
    left_ms = _left_ms(occupancy, timings)
    if left_ms is None or channel.presence.in_doubt:
        return False
    return left_ms <= min(now_ms, channel.presence.asked_ms)


def _left_ms(occupancy: Occupancy, timings: Timings) -> int | None:
    """Return when the grace of an empty channel is over; None where there is no such instant."""
    if occupancy.ended_ms or occupancy.empty_ms is None or occupancy.stop_when_empty_s is None:
        return None
    return occupancy.empty_ms + shortened_ms(occupancy.stop_when_empty_s, timings)


def _ask_ms(channel: Channel, timings: Timings) -> int:
    last_ms = max(channel.presence.asked_ms, channel.looked_ms)
    return max(channel.heard_ms + to_ms(timings.doubt_s), last_ms + to_ms(timings.ask_gap_s))


def _ask_again_ms(channel: Channel, timings: Timings) -> int:
    last_ms = max(channel.presence.asked_ms, channel.looked_ms)
    return last_ms + to_ms(timings.presence_s)


def due_ms(channel: Channel, timings: Timings) -> int | None:
    """Return when the channel has to be looked at without being told (ms); None for never."""
    presence, occupancy = channel.presence, channel.occupancy
    looks = []
    if presence.in_doubt:
        looks.append(_ask_ms(channel, timings))
    if occupancy is None:
        if channel.waits:
            looks.append(channel.looked_ms + to_ms(timings.place_s))
    elif occupancy.ended_ms is not None:
        looks.append(_ask_again_ms(channel, timings))
    else:
        since = max(occupancy.began_ms, channel.looked_ms)
        wait_s = timings.occupied_s if occupancy.started_id else timings.place_s
        looks.append(since + to_ms(wait_s))
        left_ms = _left_ms(occupancy, timings)
        if left_ms is not None:
            # A look that could not ask or stop is repeated, but not at once.
            looks.append(max(left_ms, since + to_ms(timings.ask_gap_s)))
    return min(looks, default=None)


def expires_s(channel: Channel) -> int | None:
    """Return when the table may forget the channel (epoch s); None while it has a recording."""
    if channel.occupancy and channel.occupancy.holds_a_place:
        return None
    return max(channel.heard_ms, channel.presence.asked_ms) // 1000 + FORGOTTEN_S


def to_row(channel: Channel) -> dict[str, Any]:
    """Return the plain values of the row, without keys."""
    return cast(dict[str, Any], msgspec.to_builtins(channel))


def from_row(values: dict[str, Any]) -> Channel:
    """Return the channel that a row holds; attributes of the store's own are ignored."""
    return msgspec.convert(values, Channel, strict=False)

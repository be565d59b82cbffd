"""Every wait and threshold of the supervision, in one place.

All are in seconds. The embedded run divides them by its speed; on AWS the speed is 1. Waits of the
state machine are in whole seconds; the emulator divides them.
"""

from __future__ import annotations

import msgspec


class Timings(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds in seconds, with their source."""

    # Agora best practices: 4 or 5 within 90 s of the start, or it counts as not started.
    confirm_verdict_s: float = 90
    # Agora status codes FAQ: a failover is over within 90 s; until then a 404 may be one.
    failover_s: float = 90
    # Agora callbacks (33): once a minute while it records.
    beat_s: float = 60
    # Our own: so long after the last one, an event 33 is missed. The rest of 12 s is for its way.
    miss_s: float = 72
    # Our own: how often a session without event 33 is asked, at most.
    ask_s: float = 30
    # Our own: how much longer than at best a look may wait for free calls.
    wait_s: float = 600
    # Our own: how far apart the sweeps are that are asked for within a minute.
    between_s: float = 15
    # The same, where more rows are open than are read at once.
    often_s: float = 5
    # Agora best practices: look about every two minutes.
    monitor_s: float = 120
    # Event 33 comes each minute: three missed in a row is silence.
    silence_s: float = 200
    # Agora best practices: 5, 10, 15 s between the queries that confirm a 404.
    gone_gaps_s: tuple[float, ...] = (5, 10, 15, 30)
    # Our own: how long a row may stay in a state that the execution should have left.
    stuck_start_s: float = 600
    stuck_stop_s: float = 300
    # Our own: how long the execution repeats a stop that the gateway refuses; then the sweeper
    # does.
    refused_s: float = 3600
    # Our own: the least and the greatest time between two stops of a session that was given up.
    orphan_gaps_s: tuple[float, float] = (120, 3600)
    # Our own: how long after a start time a schedule that was lost is repaired.
    schedule_s: float = 10
    # Our own: how long an execution that was woken may take until the row shows it.
    woken_s: float = 30
    # Our own: an app must be told within seconds that every file is there, even without
    # notifications.
    upload_looks_s: tuple[float, ...] = (2, 5, 10, 20, 40, 70)
    # Our own: the least and the greatest time between two looks after those.
    upload_gaps_s: tuple[float, float] = (60, 300)
    # Our own: S3 must show everything within this time of the end, or the verdict is incomplete.
    upload_s: float = 1800
    # Agora docs: if a file is not there five minutes after the end, ask the support.
    quiet_s: float = 300
    # Our own: names count wall-clock time, EXTINF media time; they differ by less than this.
    gap_s: float = 1
    # Our own (parameter LateDays): how long after its end an incomplete recording may become
    # complete. Postponed transcoding takes 24 hours, at times more than 48 (Agora callbacks: 1001).
    late_s: float = 345_600
    # Agora's backup keeps files for 72 hours at most: a person must hear of it well before.
    overdue_s: float = 172_800
    # Our own: the least and the greatest time between two looks for late files.
    late_gaps_s: tuple[float, float] = (60, 21_600)
    # Our own: a successor begins so long before the token ends, or a quarter of its time.
    hand_over_s: float = 1200
    # Our own: the least time from a successor that failed to the next one.
    next_successor_s: float = 300
    # Agora best practices: a new storage token every 60 minutes.
    storage_token_s: float = 3600
    # Our own: stop this long before Agora stops answering for the resource.
    expiry_margin_s: float = 600
    # Our own: how long what is missing of a channel's events may just be late; the least time
    # between two questions who is in a channel.
    doubt_s: float = 10
    ask_gap_s: float = 30
    # Our own: how often Agora is asked while users seem to stay after the end of their recording.
    presence_s: float = 600
    # Our own: how often a channel's recording is looked at, and one that waits for its recording.
    occupied_s: float = 120
    place_s: float = 60

    def at_speed(self, speed: float) -> Timings:
        """Return the same thresholds, `speed` times shorter."""
        if speed == 1:
            return self
        scaled: dict[str, object] = {}
        for name, value in msgspec.structs.asdict(self).items():
            scaled[name] = (
                tuple(each / speed for each in value) if isinstance(value, tuple) else value / speed
            )
        return Timings(**scaled)  # type: ignore[arg-type]


def shortened_ms(seconds: float, timings: Timings) -> int:
    """Return a caller's own duration in ms: the embedded run shortens it, too."""
    speed = Timings().confirm_verdict_s / timings.confirm_verdict_s
    return round(seconds * 1000 / speed)


# Waits of the state machine, in whole seconds, by the number of waits before.
CONFIRM_WAITS_S = (5, 5, 10, 10, 15, 20, 30)


def nth_wait(waits: tuple[int, ...], number: int) -> int:
    """Return the `number`-th wait (from 0), in seconds; the last one repeats."""
    return waits[min(number, len(waits) - 1)]

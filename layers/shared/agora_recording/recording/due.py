"""When a recording must be looked at next, and with which risk.

The order of risks: not started, stopping, in doubt, a notification missed, never heard; and last,
recordings that are over and lack only files that may come late. Looks at those that are missed or
never heard wait for free calls (recording/budget.py); what is here is when they may begin.
"""

from __future__ import annotations

from typing import Literal, get_args

from agora_recording.clock import to_ms
from agora_recording.recording.budget import MISSED, QUIET
from agora_recording.recording.model import Attempt, Recording, wake_reason
from agora_recording.recording.timings import Timings, shortened_ms

# --- supervision: when to look at it next -------------------------------------------------------

# In the order of risk: see the module's docstring.
Risk = Literal[0, 1, 2, 3, 4, 5]
RISKS: tuple[Risk, ...] = get_args(Risk)
_DOUBT: Risk = 2
LATE: Risk = 5


def due(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return (risk, epoch milliseconds) of the next look; None if no look is needed any more.

    If there is too little time, rows with a lower number come first.
    """
    looks = [
        look
        for look in (
            next_look(recording, timings),
            _orphan_look(recording, timings),
            _candidate_look(recording, timings),
        )
        if look
    ]
    first = min(looks, key=lambda look: look[1], default=None)
    if first and len(looks) > 1 and first[0] in (MISSED, QUIET):
        return _DOUBT, first[1]  # what else it needs does not wait for free calls
    return first


def _orphan_look(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return when to stop the sessions that were given up."""
    if not recording.orphans:
        return None
    at_ms, looked = recording.created_ms, recording.looked_ms
    if looked and any(each.gone_ms or each.gone_last_ms for each in recording.orphans):
        at_ms = looked + _absent_ms(timings)
    elif looked:
        # It still runs, or the stop is refused: repeat the stop at growing intervals.
        at_ms = _later(over_ms(recording), looked, timings.orphan_gaps_s)
    return 1, at_ms


def _candidate_look(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return when to ask whose a session is: at once, then at growing intervals.

    While a start goes on, it asks itself.
    """
    looked = recording.looked_ms or 0
    looks = [
        each.heard_ms
        if looked < each.heard_ms
        else _later(each.heard_ms, looked, timings.orphan_gaps_s)
        for each in recording.open_questions
    ]
    return (1, min(looks)) if looks else None


def next_look(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return `due` without regard to sessions that were given up, or may be its own."""
    if recording.is_terminal:
        return _late_look(recording, timings)
    looked = recording.looked_ms or 0
    attempt = recording.attempt
    if recording.status == "scheduled":
        # A little late: usually its schedule was there before.
        return 0, max(recording.wanted_ms + to_ms(timings.schedule_s), looked + 1)
    if recording.status == "uploading":
        return 1, _upload_look(recording, timings)
    if recording.status == "stopping" or wake_reason(recording):
        ended = attempt.ended_ms if attempt else None
        since = max(recording.stop_ms or 0, ended or 0) or recording.wanted_ms
        # While the token is on the row, the execution has not gone on.
        wait_s = timings.woken_s if recording.task_token else timings.stuck_stop_s
        return 1, max(since, looked) + to_ms(wait_s)
    if recording.is_starting:
        return 0, _starting_look(recording, timings)
    if recording.gone_ms:
        gap = timings.gone_gaps_s[min(recording.gone_checks, len(timings.gone_gaps_s)) - 1]
        return 2, (recording.queried_ms or recording.gone_ms) + to_ms(gap)
    answered = max(recording.last_seen_ms or 0, recording.queried_ms or 0)
    risk: Risk
    if recording.gap_seen:
        risk, look = _DOUBT, answered + to_ms(timings.monitor_s)
    elif recording.beats:
        risk, look = MISSED, answered + to_ms(timings.miss_s)
    else:
        # The first event 33 comes a minute after the start.
        begun = attempt.started_ms or attempt.begun_ms if attempt else recording.created_ms
        risk, look = QUIET, max(answered + to_ms(timings.ask_s), begun + to_ms(timings.miss_s))
    if looked > answered:
        # The last look found no slot or no answer: try again soon, but not at once.
        look = max(look, looked + to_ms(timings.gone_gaps_s[-1]))
    must = _must_look(recording, timings)
    if must < look + to_ms(timings.wait_s):
        risk = _DOUBT  # it must not wait longer than that
    return risk, min(look, must)


def _starting_look(recording: Recording, timings: Timings) -> int:
    attempt, looked = recording.attempt, recording.looked_ms or 0
    if attempt is None:
        # Its execution may never have been started.
        return max(recording.wanted_ms, looked) + to_ms(timings.monitor_s)
    if attempt.sid is None:
        return max(attempt.begun_ms, looked) + to_ms(timings.stuck_start_s)
    # Agora did not say whether it records: its execution is parked, and must query again.
    if recording.gone_ms:
        look = max(recording.queried_ms or recording.gone_ms, looked) + _absent_ms(timings)
    else:
        gaps_s = (timings.monitor_s, timings.stuck_start_s)
        look = _later(attempt.begun_ms, looked, gaps_s)
    return min(look, _must_look(recording, timings))


def _absent_ms(timings: Timings) -> int:
    """Return how soon to ask again for a session that Agora does not know, in ms.

    Often enough to meet it between two failovers, and for its 404s to count together
    (recording/absence.py).
    """
    return to_ms(timings.failover_s / 3)


def _must_look(recording: Recording, timings: Timings) -> int:
    """Return when a session must be looked at in any case: to stop it, to renew its keys, or to
    begin its successor.
    """
    look = deadline_ms(recording, timings)
    hand_over = hand_over_ms(recording, timings)
    if hand_over is not None:
        look = min(look, hand_over)
    if recording.storage_token_ms:
        look = min(look, recording.storage_token_ms + to_ms(timings.storage_token_s))
    return look


def hand_over_ms(recording: Recording, timings: Timings) -> int | None:
    """Return when a successor must take over because the session's token ends; None if never.

    A token of less than 80 minutes is handed over in its last quarter. After a successor that
    failed, the next one has to wait.
    """
    attempt = recording.attempt
    if attempt is None or attempt.token_until_ms is None or not attempt.confirmed_ms:
        return None
    if deadline_ms(recording, timings) <= attempt.token_until_ms:
        return None
    valid_ms = attempt.token_until_ms - (attempt.acquired_ms or attempt.begun_ms)
    lead_ms = min(to_ms(timings.hand_over_s), valid_ms // 4)
    return max(attempt.token_until_ms - lead_ms, next_successor_ms(recording, timings))


def next_successor_ms(recording: Recording, timings: Timings) -> int:
    """Return from when on another successor of the current session may begin."""
    number = recording.attempt.number if recording.attempt else None
    tried = [
        each.ended_ms or each.begun_ms
        for each in recording.past_attempts
        if each.succeeds == number
    ]
    return max(tried) + to_ms(timings.next_successor_s) if tried else 0


def over_ms(recording: Recording) -> int:
    """Return when the recording's last session ended, as far as that is known."""
    ends = [each.ended_ms or each.begun_ms for each in recording.attempts if each.sid]
    return recording.ended_ms or max(recording.stop_ms or 0, *ends, 0) or recording.created_ms


def upload_deadline_ms(recording: Recording, timings: Timings) -> int:
    """Return until when files are awaited before the recording is published without them."""
    return over_ms(recording) + to_ms(timings.upload_s)


def _upload_look(recording: Recording, timings: Timings) -> int:
    """Return when to look at the bucket, at last at the deadline; then at the execution."""
    deadline = upload_deadline_ms(recording, timings)
    looked = recording.looked_ms or 0
    if looked >= deadline:
        return looked + to_ms(timings.stuck_stop_s)
    return min(_later(over_ms(recording), looked, timings.upload_gaps_s), deadline)


def _later(since: int, looked: int, gaps_s: tuple[float, float]) -> int:
    """Return when to look again: after a quarter of the time since `since`, within `gaps_s`."""
    least, greatest = gaps_s
    last = max(since, looked)
    return last + min(max((last - since) // 4, to_ms(least)), to_ms(greatest))


def _late_look(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return when to look again for late files; the last time at `late_until_ms`.

    The intervals grow from look to look; one look comes when it is time to tell somebody.
    """
    until, looked = recording.late_until_ms, recording.looked_ms or 0
    if not recording.awaits_late_files or until is None or looked >= until:
        return None
    look = min(_later(over_ms(recording), looked, timings.late_gaps_s), until)
    overdue = overdue_ms(recording, timings)
    return LATE, look if looked >= overdue else min(look, overdue)


def overdue_ms(recording: Recording, timings: Timings) -> int:
    """Return from when on an incomplete recording needs a person: Agora's backup ends soon.

    It is never after the last look.
    """
    overdue = over_ms(recording) + to_ms(timings.overdue_s)
    return min(overdue, recording.late_until_ms or overdue)


def deadline_ms(recording: Recording, timings: Timings) -> int:
    """Return when the recording must be stopped: its own limit, or Agora's, whichever is first."""
    own = own_deadline_ms(recording, timings)
    if recording.attempt is None or recording.attempt.started_ms is None:
        return own
    return min(
        own, expiry_ms(recording, recording.attempt, timings) - to_ms(timings.expiry_margin_s)
    )


def own_deadline_ms(recording: Recording, timings: Timings) -> int:
    """Return when the recording must stop by its request: its stop time, or maximum duration."""
    begun = recording.started_ms or recording.wanted_ms
    longest = begun + shortened_ms(recording.max_duration_seconds, timings)
    return min(longest, recording.stop_at_ms or longest)


def expiry_ms(recording: Recording, attempt: Attempt, timings: Timings) -> int:
    """Return when Agora stops answering for a session: it cannot be stopped after that."""
    begun = attempt.started_ms or attempt.begun_ms
    return begun + shortened_ms(recording.expires_hours * 3600, timings)

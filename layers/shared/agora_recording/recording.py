"""A recording: its row, and the only ways in which it may change.

Every function here is pure: it takes the row as it was and returns the row as it shall be. Facts
arrive late, twice and in any order, so each change is a step forward or no change at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast, get_args

import msgspec
from msgspec.structs import replace

from agora_recording.clock import Instant, iso
from agora_recording.timings import Timings

Mode = Literal["individual", "mix", "web"]
Status = Literal[
    "requested",
    "starting",
    "recording",
    "stopping",
    "uploading",
    "completed",
    "incomplete",
    "failed",
]
RANK: dict[Status, int] = {
    "requested": 0,
    "starting": 1,
    "recording": 2,
    "stopping": 3,
    "uploading": 4,
    "failed": 5,
    "incomplete": 6,
    "completed": 7,
}
TERMINAL: frozenset[Status] = frozenset({"completed", "incomplete", "failed"})

# Why a recording is asked to end. Set once, never taken back.
StopReason = Literal["STOP_REQUESTED", "MAX_DURATION", "RESOURCE_EXPIRING"]

# Why one session (one sid) is over.
SessionEnd = Literal[
    "STOPPED",  # our stop was accepted
    "EXITED",  # Agora says that it exited normally
    "IDLE",  # nobody was in the channel for maxIdleTime
    "NOTHING_RECORDED",  # stop answered 435
    "WEB_MAX_DURATION",  # web page recording reached maxRecordingHour
    "WEB_FAILED",  # web page recording gave up (71 with another code, 72)
    "EXITED_ABNORMALLY",  # exitStatus 1, or status 20
    "NOT_CONFIRMED",  # never reached status 4 or 5 within 90 s
    "DIED",  # 404 for longer than a failover takes
    "START_FAILED",  # Agora would not start it, for now
    "UID_TAKEN",  # another task had this uid
    "STOP_REFUSED",  # Agora would not take our stop
    "REFUSED",  # Agora will never start it: a wrong parameter, credential or account
]
# The ends after which the recording should go on with a new session, if restarts are left.
RESTARTABLE: frozenset[SessionEnd] = frozenset(
    {"EXITED_ABNORMALLY", "NOT_CONFIRMED", "DIED", "START_FAILED", "UID_TAKEN"}
)
# The ends that are our own verdict: the session may run all the same, and must then be stopped.
GIVEN_UP: frozenset[SessionEnd] = frozenset(
    {"NOT_CONFIRMED", "START_FAILED", "UID_TAKEN", "STOP_REFUSED"}
)


class Attempt(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """One session with Agora: a uid, a resourceId, and a sid once it started. Instants in ms."""

    number: int
    uid: str
    begun_ms: int
    resource_id: str | None = None
    acquired_ms: int | None = None
    sid: str | None = None
    started_ms: int | None = None
    confirmed_ms: int | None = None
    ended_ms: int | None = None
    end: SessionEnd | None = None
    gone_ms: int | None = None  # given up: since when its stop is answered by 404
    unanswered: int = 0  # starts of it that Agora did not answer
    base_url: str | None = None


class Upload(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """What is known of the files: Agora's word (`state`) and S3's (the rest, from the verdict)."""

    state: Literal["none", "started", "uploading", "backuped", "uploaded"] = "none"
    progress: int = 0  # of 10,000 (Agora callbacks: 33)
    verdict: Literal["complete", "pending", "incomplete"] | None = None
    files: int = 0
    bytes: int = 0
    duration_ms: int = 0
    missing: int = 0
    manifest: str | None = None  # key in the bucket


class Recording(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """The row `REC#<recordingId>`/`META`. Instants are epoch milliseconds."""

    recording_id: str
    status: Status
    cname: str
    mode: Mode
    client_request: dict[str, Any]  # without its secrets
    sealed: list[str] = []
    uid: str | None = None  # the caller's wish for the first attempt
    max_duration_seconds: int
    restart_limit: int
    tags: dict[str, str] = {}
    created_ms: int
    started_ms: int | None = None
    ended_ms: int | None = None
    end_reason: str | None = None
    reason: str | None = None  # the end reason in one sentence, for people
    attempt: Attempt | None = None
    past_attempts: list[Attempt] = []
    stop_reason: StopReason | None = None
    stop_ms: int | None = None
    session_end: SessionEnd | None = None  # of the current attempt; wakes the execution
    task_token: str | None = None  # of "Await end"
    upload_token: str | None = None  # of "Await upload"
    last_seen_ms: int | None = None  # the last sign of life
    queried_ms: int | None = None  # the last query that was answered
    gone_ms: int | None = None  # since when Agora answers 404
    gone_checks: int = 0
    gap_seen: bool = False  # a notification is missing: look sooner
    upload: Upload = Upload()
    late_until_ms: int | None = None  # incomplete: until when the missing files are awaited
    expires_hours: int = 72  # Agora's resourceExpiredHour
    storage_token_ms: int | None = None  # when the uploader's temporary credentials were renewed
    looked_ms: int | None = None  # the sweeper's last look that changed nothing else
    execution: int = 0  # generation of the execution that owns it
    deleting_ms: int | None = None  # since when its files and rows are being deleted
    version: int = 1

    @property
    def is_terminal(self) -> bool:
        """Tell whether nothing will change any more (but for a late upgrade)."""
        return self.status in TERMINAL

    @property
    def is_starting(self) -> bool:
        """Tell whether its current session, first or later, was not yet seen to record."""
        if self.status == "recording":
            return self.attempt is not None and not self.attempt.confirmed_ms
        return self.status in ("requested", "starting")

    @property
    def sid(self) -> str | None:
        """The sid of the current session, if it has one."""
        return self.attempt.sid if self.attempt else None

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, oldest first."""
        return [*self.past_attempts, *([self.attempt] if self.attempt else [])]

    @property
    def sids(self) -> list[str]:
        """The sid of every session that started, oldest first."""
        return [attempt.sid for attempt in self.attempts if attempt.sid]

    @property
    def orphans(self) -> list[Attempt]:
        """Attempts that were given up, or whose recording was, and whose session may still run."""
        return [each for each in self.attempts if each.sid and each.end and each.ended_ms is None]

    @property
    def awaits_late_files(self) -> bool:
        """Tell whether it was published as incomplete, and files that come may yet complete it."""
        return (
            self.status == "incomplete"
            and self.late_until_ms is not None
            and self.deleting_ms is None
        )

    @property
    def prefix(self) -> str:
        """Where its files lie in the bucket; ends in a slash."""
        return f"recordings/{self.recording_id}/"


def advance(recording: Recording, status: Status) -> Recording:
    """Return the recording in `status`, or unchanged where that would be a step back."""
    if RANK[status] <= RANK[recording.status]:
        return recording
    return replace(recording, status=status)


def begin_attempt(recording: Recording, uid: str, now_ms: int) -> Recording:
    """Return the recording with a new attempt, its predecessor put away, and what ended it."""
    past = recording.attempts
    number = past[-1].number + 1 if past else 1
    changed = replace(
        recording,
        attempt=Attempt(number=number, uid=uid, begun_ms=now_ms),
        past_attempts=past,
        session_end=None,
        reason=None,  # why the one before failed
        gone_ms=None,
        gone_checks=0,
        last_seen_ms=None,
    )
    return advance(changed, "starting")


def change_attempt(recording: Recording, **changes: Any) -> Recording:
    """Return the recording with fields of its current attempt changed."""
    assert recording.attempt is not None
    return replace(recording, attempt=replace(recording.attempt, **changes))


def started(recording: Recording, sid: str, now_ms: int, *, number: int) -> Recording:
    """Return the recording with the sid of attempt `number`; unchanged if it is known already.

    Works for an attempt that has an end, too: its answer was lost, it was given up, and now it
    turns out to run. It is then an orphan, until it is stopped.
    """
    return _change_attempts(
        recording,
        lambda each: each.number == number and not each.sid,
        sid=sid,
        started_ms=now_ms,
        ended_ms=None,
    )


def orphan_ended(recording: Recording, sid: str, now_ms: int) -> Recording:
    """Return the recording with a session that was given up known to be over."""
    return _change_orphan(recording, sid, ended_ms=now_ms)


def orphan_gone(recording: Recording, sid: str, now_ms: int) -> Recording:
    """Return the recording with a session that was given up answered by 404 since now."""
    return _change_orphan(recording, sid, gone_ms=now_ms)


def _change_orphan(recording: Recording, sid: str, **changes: Any) -> Recording:
    orphans = recording.orphans
    return _change_attempts(recording, lambda each: each.sid == sid and each in orphans, **changes)


def _change_attempts(
    recording: Recording, which: Callable[[Attempt], bool], **changes: Any
) -> Recording:
    attempts = [replace(each, **changes) if which(each) else each for each in recording.attempts]
    if attempts == recording.attempts:
        return recording
    return replace(recording, attempt=attempts[-1], past_attempts=attempts[:-1])


def confirmed(recording: Recording, now_ms: int) -> Recording:
    """Return the recording as one that Agora is seen to record (status 4 or 5)."""
    if recording.attempt is None or recording.attempt.confirmed_ms:
        return recording
    changed = replace(
        change_attempt(recording, confirmed_ms=now_ms),
        started_ms=recording.started_ms or now_ms,
        last_seen_ms=max(now_ms, recording.last_seen_ms or 0),
        queried_ms=now_ms,
    )
    return advance(changed, "recording")


def seen(recording: Recording, at_ms: int) -> Recording:
    """Return the recording with a sign of life at `at_ms`; an older sign changes nothing.

    One from before the first 404 says nothing about it, however late it comes.
    """
    changed = replace(recording, last_seen_ms=max(at_ms, recording.last_seen_ms or 0))
    if recording.gone_ms and at_ms >= recording.gone_ms:
        changed = replace(changed, gone_ms=None, gone_checks=0)
    return changed


def ask_to_stop(recording: Recording, reason: StopReason, now_ms: int) -> Recording:
    """Return the recording with the wish to stop; the first wish stands, unless it is too late."""
    if recording.stop_reason or RANK[recording.status] >= RANK["uploading"]:
        return recording
    return replace(recording, stop_reason=reason, stop_ms=now_ms)


def end_session(
    recording: Recording, end: SessionEnd, now_ms: int, *, sid: str | None = None
) -> Recording:
    """Return the recording with its current session over; the first end stands.

    With `sid`, only that session: news of an earlier session changes nothing. A session that is
    given up has no `ended_ms` until it is known to be over.
    """
    attempt = recording.attempt
    if recording.session_end or recording.is_terminal:
        return recording
    if sid is not None and sid != recording.sid:
        return recording
    if attempt is not None:
        may_run = attempt.sid and end in GIVEN_UP
        recording = change_attempt(recording, ended_ms=None if may_run else now_ms, end=end)
    return replace(recording, session_end=end)


def may_restart(recording: Recording) -> bool:
    """Tell whether a new session shall go on where the current one ended."""
    return (
        recording.attempt is not None  # else not even a uid could be chosen
        and recording.stop_reason is None
        and recording.session_end in RESTARTABLE
        and len(recording.attempts) <= recording.restart_limit
    )


def close(
    recording: Recording, status: Status, end_reason: str, reason: str, now_ms: int
) -> Recording:
    """Return the recording in its terminal status. Only `incomplete` may later be upgraded."""
    if RANK[status] <= RANK[recording.status]:
        return recording
    return replace(
        recording,
        status=status,
        end_reason=recording.end_reason or end_reason,
        reason=reason,
        ended_ms=recording.ended_ms or now_ms,
        task_token=None,
        upload_token=None,
        late_until_ms=None,
    )


def end_reason(recording: Recording) -> str:
    """Return why it ended: the wish to stop if there was one, else what its last session said."""
    return recording.stop_reason or recording.session_end or "UNKNOWN"


# --- supervision: when to look at it next -------------------------------------------------------

# The order of risk (design: unstarted, stopping, silent, long unseen); last what is over, and only
# lacks files that may come late.
Risk = Literal[0, 1, 2, 3, 4]
RISKS: tuple[Risk, ...] = get_args(Risk)
LATE: Risk = 4


def due(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return (risk, epoch milliseconds) of the next look, None for one that is over.

    The lower the risk's number, the sooner it is served when there is more to do than time.
    """
    own = next_look(recording, timings)
    if not recording.orphans:
        return own
    at_ms, looked = recording.created_ms, recording.looked_ms
    if looked and any(each.gone_ms for each in recording.orphans):
        at_ms = looked + _ms(timings.monitor_s)
    elif looked:
        # It is still there, or the stop is refused: less and less often, for as long as it takes.
        at_ms = _later(over_ms(recording), looked, timings.orphan_gaps_s)
    return own if own and own[1] <= at_ms else (1, at_ms)


def next_look(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return `due` as it would be without sessions that were given up."""
    if recording.is_terminal:
        return _late_look(recording, timings)
    looked = recording.looked_ms or 0
    attempt = recording.attempt
    if recording.status == "uploading":
        return 1, _upload_look(recording, timings)
    if recording.status == "stopping" or recording.stop_reason or recording.session_end:
        ended = attempt.ended_ms if attempt else None
        since = max(recording.stop_ms or 0, ended or 0) or recording.created_ms
        # A token that is still there is one that nobody has taken.
        wait_s = timings.woken_s if recording.task_token else timings.stuck_stop_s
        return 1, max(since, looked) + _ms(wait_s)
    if recording.is_starting:
        return 0, _starting_look(recording, timings)
    if recording.gone_ms:
        gap = timings.gone_gaps_s[min(recording.gone_checks, len(timings.gone_gaps_s)) - 1]
        return 2, (recording.queried_ms or recording.gone_ms) + _ms(gap)
    answered = max(recording.last_seen_ms or 0, recording.queried_ms or 0)
    look = answered + _ms(timings.monitor_s if recording.gap_seen else timings.silence_s)
    if looked > answered:
        # The last look found no slot or no answer: soon again, but not at once.
        look = max(look, looked + _ms(timings.gone_gaps_s[-1]))
    return (2 if recording.gap_seen else 3), min(look, _must_look(recording, timings))


def _starting_look(recording: Recording, timings: Timings) -> int:
    attempt, looked = recording.attempt, recording.looked_ms or 0
    if attempt is None:
        # Its execution may never have been started.
        return max(recording.created_ms, looked) + _ms(timings.monitor_s)
    if attempt.sid is None:
        return max(attempt.begun_ms, looked) + _ms(timings.stuck_start_s)
    # Agora did not answer whether it records: its execution is parked, and is to ask again.
    gaps_s = (timings.monitor_s, timings.stuck_start_s)
    return min(_later(attempt.begun_ms, looked, gaps_s), _must_look(recording, timings))


def _must_look(recording: Recording, timings: Timings) -> int:
    """Return when a session needs a look however well it is: to be stopped, or for new keys."""
    look = deadline_ms(recording, timings)
    if recording.storage_token_ms:
        look = min(look, recording.storage_token_ms + _ms(timings.storage_token_s))
    return look


def over_ms(recording: Recording) -> int:
    """Return when the recording's last session ended, as far as that is known."""
    ends = [each.ended_ms or each.begun_ms for each in recording.attempts if each.sid]
    return recording.ended_ms or max(recording.stop_ms or 0, *ends, 0) or recording.created_ms


def upload_deadline_ms(recording: Recording, timings: Timings) -> int:
    """Return until when files are awaited before the recording is published without them."""
    return over_ms(recording) + _ms(timings.upload_s)


def _upload_look(recording: Recording, timings: Timings) -> int:
    """Return when to look at the bucket, the last time at the deadline; then: is it stuck?"""
    deadline = upload_deadline_ms(recording, timings)
    looked = recording.looked_ms or 0
    if looked >= deadline:
        return looked + _ms(timings.stuck_stop_s)
    return min(_later(over_ms(recording), looked, timings.upload_gaps_s), deadline)


def _later(since: int, looked: int, gaps_s: tuple[float, float]) -> int:
    """Return when to look again: after a quarter as long again as it has been going on."""
    least, greatest = gaps_s
    last = max(since, looked)
    return last + min(max((last - since) // 4, _ms(least)), _ms(greatest))


def _late_look(recording: Recording, timings: Timings) -> tuple[Risk, int] | None:
    """Return when to look again for what an incomplete recording lacks; the last time at the end.

    Soon at first, seldom in the end.
    """
    until, looked = recording.late_until_ms, recording.looked_ms or 0
    if not recording.awaits_late_files or until is None or looked >= until:
        return None
    return LATE, min(_later(over_ms(recording), looked, timings.late_gaps_s), until)


def deadline_ms(recording: Recording, timings: Timings) -> int:
    """Return when the recording must be stopped: its own limit, or Agora's, whichever is first."""
    own = own_deadline_ms(recording, timings)
    if recording.attempt is None or recording.attempt.started_ms is None:
        return own
    return min(own, expiry_ms(recording, recording.attempt, timings) - _ms(timings.expiry_margin_s))


def own_deadline_ms(recording: Recording, timings: Timings) -> int:
    """Return when the recording has lasted as long as it may."""
    begun = recording.started_ms or recording.created_ms
    return begun + _shortened_ms(recording.max_duration_seconds, timings)


def expiry_ms(recording: Recording, attempt: Attempt, timings: Timings) -> int:
    """Return when Agora stops answering for a session: nobody can stop it any more."""
    begun = attempt.started_ms or attempt.begun_ms
    return begun + _shortened_ms(recording.expires_hours * 3600, timings)


def _shortened_ms(seconds: float, timings: Timings) -> int:
    """Return a recording's own duration in ms: the embedded run shortens those as well."""
    speed = 90 / timings.confirm_verdict_s
    return round(seconds * 1000 / speed)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


# --- views --------------------------------------------------------------------------------------


def to_row(recording: Recording) -> dict[str, Any]:
    """Return the plain values of the row, without keys."""
    return cast(dict[str, Any], msgspec.to_builtins(recording))


def from_row(values: dict[str, Any]) -> Recording:
    """Return the recording that a row holds; attributes of the store's own are ignored."""
    return msgspec.convert(values, Recording, strict=False)


class AttemptView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """One session with Agora, as the API shows it."""

    number: int
    uid: str
    sid: str | None = None
    begun_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    end: SessionEnd | None = None


class RecordingView(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """A recording as the API and the events show it. No secret, no token, no clientRequest."""

    recording_id: str
    status: Status
    cname: str
    uid: str | None = None  # of the current attempt, or the wish for the first
    mode: Mode
    sid: str | None = None
    attempts: list[AttemptView]
    created_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    late_until: Instant | None = None  # until when what is missing is awaited
    deleting_at: Instant | None = None
    stop_reason: StopReason | None = None
    end_reason: str | None = None
    reason: str | None = None
    upload: Upload
    max_duration_seconds: int
    restart_limit: int
    tags: dict[str, str]
    prefix: str


def public(recording: Recording) -> dict[str, Any]:
    """Return what the API shows of it; what is None is left out."""
    attempt = recording.attempt
    view = RecordingView(
        recording_id=recording.recording_id,
        status=recording.status,
        cname=recording.cname,
        uid=attempt.uid if attempt else recording.uid,
        mode=recording.mode,
        sid=recording.sid,
        attempts=[_attempt_view(each) for each in recording.attempts],
        created_at=iso(recording.created_ms),
        started_at=_iso(recording.started_ms),
        ended_at=_iso(recording.ended_ms),
        late_until=_iso(recording.late_until_ms),
        deleting_at=_iso(recording.deleting_ms),
        stop_reason=recording.stop_reason,
        end_reason=recording.end_reason,
        reason=recording.reason,
        upload=recording.upload,
        max_duration_seconds=recording.max_duration_seconds,
        restart_limit=recording.restart_limit,
        tags=recording.tags,
        prefix=recording.prefix,
    )
    return cast(dict[str, Any], msgspec.to_builtins(view))


def _attempt_view(attempt: Attempt) -> AttemptView:
    return AttemptView(
        number=attempt.number,
        uid=attempt.uid,
        sid=attempt.sid,
        begun_at=iso(attempt.begun_ms),
        started_at=_iso(attempt.started_ms),
        ended_at=_iso(attempt.ended_ms),
        end=attempt.end,
    )


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)

"""A recording: its row, and the only ways in which it may change.

Every function here is pure: it takes the old row and returns the new row. Facts arrive late, twice
and in any order, so each change is a step forward or no change at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import msgspec
from msgspec.structs import replace

from agora_recording.agora.task import Resource, Task
from agora_recording.recording.absence import Absence, missed
from agora_recording.recording.timings import Timings

Mode = Literal["individual", "mix", "raw", "web"]
# Of the files, compared with what should be there; pending: something may still come.
Outcome = Literal["complete", "pending", "incomplete"]
Status = Literal[
    "scheduled",
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
    "scheduled": 0,
    "requested": 1,
    "starting": 2,
    "recording": 3,
    "stopping": 4,
    "uploading": 5,
    "failed": 6,
    "incomplete": 7,
    "completed": 8,
}
TERMINAL: frozenset[Status] = frozenset({"completed", "incomplete", "failed"})

# Why a recording is asked to end. Set once, never taken back.
StopReason = Literal[
    "STOP_REQUESTED",
    "STOP_TIME",
    "MAX_DURATION",
    "RESOURCE_EXPIRING",
    "CHANNEL_EMPTY",
]

# Why a successor begins while its predecessor may still run.
TakeOver = Literal[
    "HAND_OVER",  # the predecessor's token will end
    "SUSPECTED",  # Agora does not find the predecessor: it is dead, or moves to another server
]
# When a successor begins: in doubt already, or only when the predecessor is known to be over.
TakeOverOn = Literal["suspected", "confirmed"]

# How much too early a schedule may come, by the clock of the function that it calls.
EARLY_MS = 2000

# Why one session (one sid) is over.
SessionEnd = Literal[
    "STOPPED",  # our stop was accepted
    "EXITED",  # Agora says that it exited normally
    "IDLE",  # nobody was in the channel for maxIdleTime
    "NOTHING_RECORDED",  # stop answered 435
    "WEB_MAX_DURATION",  # web page recording reached maxRecordingHour
    "WEB_FAILED",  # web page recording gave up (71 with another code, 72)
    "TAKEN_OVER",  # a successor records in its place
    "TOKEN_ENDED",  # it left the channel because its token had ended
    "EXITED_ABNORMALLY",  # exitStatus 1, or status 20
    "NOT_CONFIRMED",  # never reached status 4 or 5 within 90 s
    "DIED",  # 404 for longer than a failover takes
    "START_FAILED",  # Agora did not start it, for now
    "UID_TAKEN",  # another task had this uid
    "STOP_REFUSED",  # Agora refused our stop
    "REFUSED",  # it can never start: a wrong parameter, credential, secret or account
    "STORAGE_REFUSED",  # Agora says that it cannot write into the bucket
]
# The ends after which the recording should go on with a new session, if restarts are left.
RESTARTABLE: frozenset[SessionEnd] = frozenset(
    {
        "TOKEN_ENDED",
        "EXITED_ABNORMALLY",
        "NOT_CONFIRMED",
        "DIED",
        "START_FAILED",
        "UID_TAKEN",
    }
)
# The ends after which there need not be files: Agora says that nobody published, or ended an empty
# session by itself.
EMPTY_ENDS: frozenset[SessionEnd] = frozenset({"NOTHING_RECORDED", "IDLE", "EXITED"})
# The ends after which there should be files: Agora took our stop, and answers 435 where it recorded
# nothing; or the session went on until its token ended.
RECORDED_ENDS: frozenset[SessionEnd] = frozenset({"STOPPED", "TOKEN_ENDED"})
# The ends that are our own verdict: the session may still run, and must then be stopped.
GIVEN_UP: frozenset[SessionEnd] = frozenset(
    {
        "TAKEN_OVER",
        "NOT_CONFIRMED",
        "START_FAILED",
        "UID_TAKEN",
        "STOP_REFUSED",
        "STORAGE_REFUSED",
    }
)


# Of an attempt or a recording: Agora knows the session, as far as is known.
_NOT_GONE: dict[str, Any] = {"gone_ms": None, "gone_last_ms": None}

# A renewal so long ago that the next one is due.
RENEW_NOW_MS = 1


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
    reason: str | None = None  # the cause of its end that was told, in one sentence
    is_empty: bool = False  # Agora says that it recorded nothing
    # Given up, or in doubt: the first and the latest of Agora's 404s (recording/absence.py).
    gone_ms: int | None = None
    gone_last_ms: int | None = None
    unanswered: int = 0  # starts of it that Agora did not answer
    refusals: int = 0  # answers to it that refuse, and say nothing known
    never_started: bool = False  # Agora refused every start of it: it has no session
    stranded: bool = False  # Agora said that files wait on its backup, and come later
    base_url: str | None = None
    takes_over: TakeOver | None = None  # why it began before its predecessor was over
    succeeds: int | None = None  # the number of that predecessor
    token_until_ms: int | None = None  # when the RTC token that was made for it ends

    @property
    def has_nothing(self) -> bool:
        """Tell whether Agora said that no file will come: it recorded nothing, or cannot write."""
        return self.is_empty or self.end in ("NOTHING_RECORDED", "STORAGE_REFUSED")


class Candidate(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """A session that may be an attempt's, by channel, uid and time. Agora has to confirm it.

    Once refuted it is kept: its later notifications must not raise the question again.
    """

    sid: str
    number: int  # of the attempt
    heard_ms: int
    refuted_ms: int | None = None


class Upload(msgspec.Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """What is known of the files: by Agora (`state`; `progress` of 10,000) and by S3 (the rest)."""

    # stranded: files wait on Agora's backup, and come later; neither an end nor a failure
    state: Literal["none", "started", "uploading", "stranded", "backuped", "uploaded"] = "none"
    progress: int = 0  # of 10,000 (Agora callbacks: 33)
    verdict: Outcome | None = None
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
    uid: str | None = None  # the caller's uid for the first attempt
    max_duration_seconds: int
    restart_limit: int
    tags: dict[str, str] = {}
    callback_url: str | None = None  # where its app wants to be called
    created_ms: int
    start_at_ms: int | None = None  # when it is to begin; None: at once
    stop_at_ms: int | None = None  # when it is to be stopped, at the latest
    started_ms: int | None = None
    ended_ms: int | None = None
    end_reason: str | None = None
    reason: str | None = None  # the end reason in one sentence, for people
    attempt: Attempt | None = None
    past_attempts: list[Attempt] = []
    candidates: list[Candidate] = []  # see recording/adopting.py
    stop_reason: StopReason | None = None
    stop_ms: int | None = None
    session_end: SessionEnd | None = None  # of the current attempt; wakes the execution
    take_over: TakeOver | None = None  # a successor is to begin; wakes the execution
    take_over_on: TakeOverOn = "suspected"
    task_token: str | None = None  # of "Await end"
    upload_token: str | None = None  # of "Await upload"
    index_lengths: dict[str, int] = {}  # slices of each index, at most, in any look at the bucket
    last_seen_ms: int | None = None  # the last sign of life
    queried_ms: int | None = None  # the last query that was answered
    gone_ms: int | None = None  # since when Agora answers 404
    gone_last_ms: int | None = None  # the latest of these answers
    gone_checks: int = 0  # how many they are
    gap_seen: bool = False  # a notification is missing: look sooner
    beats: bool = False  # event 33 comes from the current session
    upload: Upload = Upload()
    late_until_ms: int | None = None  # incomplete, failed: until when late files are awaited
    overdue_ms: int | None = None  # since when somebody was told that they have not come
    expires_hours: int = 72  # Agora's resourceExpiredHour
    storage_token_ms: int | None = None  # when the uploader's temporary credentials were renewed
    looked_ms: int | None = None  # the sweeper's last look that changed nothing else
    execution: int = 0  # generation of the execution that owns it
    auto_record: str | None = None  # the rule that started it
    key_prefix: str = ""  # what its keys begin with, before recordings/ (parameter KeyPrefix)
    deleting_ms: int | None = None  # since when its files and rows are being deleted
    version: int = 1

    @property
    def is_terminal(self) -> bool:
        """Tell whether the recording is over; its status can only become better."""
        return self.status in TERMINAL

    @property
    def is_starting(self) -> bool:
        """Tell whether its current session, first or later, has not been seen to record yet."""
        if self.status == "recording":
            return self.attempt is not None and not self.attempt.confirmed_ms
        return self.status in ("requested", "starting")

    @property
    def wanted_ms(self) -> int:
        """From when on it should run: its start time, or when it was asked for."""
        return max(self.created_ms, self.start_at_ms or 0)

    @property
    def sid(self) -> str | None:
        """The sid of the current session, if it has one."""
        return self.attempt.sid if self.attempt else None

    @property
    def resource(self) -> Resource | None:
        """What acquire gave the current attempt, None before it did."""
        return self._resource(self.attempt)

    @property
    def task(self) -> Task | None:
        """The current session as Agora knows it, None before it has a sid."""
        return self._task(self.attempt)

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt, oldest first."""
        return [*self.past_attempts, *([self.attempt] if self.attempt else [])]

    @property
    def sids(self) -> list[str]:
        """The sid of every session that started, oldest first."""
        return [attempt.sid for attempt in self.attempts if attempt.sid]

    @property
    def predecessor(self) -> Attempt | None:
        """The attempt that goes on if the current one, its successor, does not come to record.

        It runs, or has an end of its own. None once the successor was seen to record.
        """
        current = self.attempt
        if current is None or current.succeeds is None or current.confirmed_ms:
            return None
        found = [
            each
            for each in self.past_attempts
            if each.number == current.succeeds and each.sid and each.end != "TAKEN_OVER"
        ]
        return found[-1] if found else None

    @property
    def is_ending(self) -> bool:
        """Tell whether there is a reason to end its session, or its session has ended."""
        return self.stop_reason is not None or self.session_end is not None

    @property
    def orphans(self) -> list[Attempt]:
        """Attempts with an end, whose session is not known to be over: it may still run."""
        return [each for each in self.attempts if each.sid and each.end and each.ended_ms is None]

    @property
    def orphan_tasks(self) -> list[Task]:
        """The sessions of `orphans`, as Agora knows them."""
        return [task for each in self.orphans if (task := self._task(each))]

    @property
    def open_questions(self) -> list[Candidate]:
        """Candidates that Agora must still be asked about, and that no start asks about."""
        asked = {each.number for each in self.attempts if each.end or self.is_terminal}
        return [each for each in self.candidates if not each.refuted_ms and each.number in asked]

    def candidate_task(self, candidate: Candidate) -> Task | None:
        """Return a candidate as Agora would know it, with its attempt's own resourceId."""
        for attempt in self.attempts:
            resource = self._resource(attempt)
            if attempt.number == candidate.number and resource:
                return resource.task(candidate.sid)
        return None

    def _resource(self, attempt: Attempt | None) -> Resource | None:
        if attempt is None or attempt.resource_id is None:
            return None
        return Resource(
            resource_id=attempt.resource_id,
            mode=self.mode,
            cname=self.cname,
            uid=attempt.uid,
            base_url=attempt.base_url,
        )

    def _task(self, attempt: Attempt | None) -> Task | None:
        # Only a start gives a sid, and a start needs a resourceId: where one is, the other is too.
        resource = self._resource(attempt)
        return resource.task(attempt.sid) if resource and attempt and attempt.sid else None

    @property
    def awaits_late_files(self) -> bool:
        """Tell whether it was published without all of its files, and late ones may still come."""
        return (
            self.status in ("incomplete", "failed")
            and self.late_until_ms is not None
            and self.deleting_ms is None
        )

    @property
    def prefix(self) -> str:
        """The prefix of its files in the bucket; ends in a slash."""
        return f"{self.key_prefix}recordings/{self.recording_id}/"


def advance(recording: Recording, status: Status) -> Recording:
    """Return the recording in `status`, or unchanged where that would be a step back."""
    if RANK[status] <= RANK[recording.status]:
        return recording
    return replace(recording, status=status)


def begin(recording: Recording, now_ms: int) -> Recording:
    """Return the recording as requested once its start time has come; unchanged before, and after.

    If everything was late, and its stop time is over too, it begins with a reason to stop.
    """
    if recording.status != "scheduled" or now_ms < recording.wanted_ms - EARLY_MS:
        return recording
    if recording.stop_at_ms is not None and now_ms >= recording.stop_at_ms:
        return ask_to_stop(recording, "STOP_TIME", now_ms)
    return advance(recording, "requested")


def begin_attempt(recording: Recording, uid: str, now_ms: int) -> Recording:
    """Return the recording with a new attempt; the one before is a past one.

    That one has its end; or it goes on until the new one, its successor, is seen to record.
    """
    past = recording.attempts
    new = Attempt(
        number=max((each.number for each in past), default=0) + 1, uid=uid, begun_ms=now_ms
    )
    before = recording.attempt
    if recording.session_end == "TOKEN_ENDED":
        new = replace(new, takes_over="HAND_OVER")
    elif recording.take_over and before and not recording.is_ending:
        new = replace(new, takes_over=recording.take_over, succeeds=before.number)
        absent = {"gone_ms": recording.gone_ms, "gone_last_ms": recording.gone_last_ms}
        past = [*recording.past_attempts, replace(before, **absent)]
    changed = replace(
        recording,
        attempt=new,
        past_attempts=past,
        session_end=None,
        take_over=None,
        reason=None,  # why the one before failed
        gone_checks=0,
        last_seen_ms=None,
        beats=False,
        **_NOT_GONE,
    )
    return advance(changed, "starting")


def change_attempt(recording: Recording, **changes: Any) -> Recording:
    """Return the recording with fields of its current attempt changed; unchanged without one."""
    if recording.attempt is None:
        return recording
    return replace(recording, attempt=replace(recording.attempt, **changes))


def started(
    recording: Recording, sid: str, now_ms: int, *, number: int, is_answer: bool = False
) -> Recording:
    """Return the recording with a session of attempt `number`; unchanged if it is known already.

    Works also for an attempt that was given up because its start's answer was lost, but that runs:
    it is then an orphan, until it is stopped. `is_answer`: the sid is what Agora's own start
    answered, and replaces any other. Where an attempt turns out to have two sessions, the one that
    is not its own becomes an orphan, too: a past attempt of the same number.
    """
    found = next((each for each in recording.attempts if each.number == number), None)
    if found is None or sid in recording.sids:
        return recording
    questions = [each for each in recording.candidates if each.number != number]
    own = replace(found, sid=sid, started_ms=now_ms, ended_ms=None)
    if found.sid is None:
        changed = _change_attempts(
            recording, lambda each: each.number == number, **_session_of(own)
        )
        return replace(changed, candidates=questions)
    new = replace(own, confirmed_ms=None, **_NOT_GONE)
    stray = found if is_answer else new
    stray = replace(stray, end=stray.end or "START_FAILED", ended_ms=None, **_NOT_GONE)
    if is_answer:
        recording = _change_attempts(recording, lambda each: each is found, **_session_of(new))
    past = recording.past_attempts
    at = next((at for at, each in enumerate(past) if each.number == number), len(past))
    return replace(recording, past_attempts=[*past[:at], stray, *past[at:]], candidates=questions)


def _session_of(attempt: Attempt) -> dict[str, Any]:
    names = ("sid", "started_ms", "confirmed_ms", "ended_ms", "gone_ms", "gone_last_ms")
    return {name: getattr(attempt, name) for name in names}


def strand(recording: Recording, sid: str | None) -> Recording:
    """Return the recording after Agora said that files of this session are stranded."""
    if sid is None or sid not in recording.sids:
        return recording
    changed = _change_attempts(recording, lambda each: each.sid == sid, stranded=True)
    if sid != recording.sid or recording.upload.state in ("backuped", "uploaded"):
        return changed
    return replace(changed, upload=replace(changed.upload, state="stranded"))


def not_gone(recording: Recording) -> Recording:
    """Return the recording after a sign that its current session is there."""
    return replace(recording, gone_checks=0, **_NOT_GONE)


def gone_again(recording: Recording, now_ms: int, timings: Timings) -> tuple[Recording, Absence]:
    """Return the recording after one more 404 for its current session, and how long it is gone."""
    absence = missed(recording.gone_ms, recording.gone_last_ms, now_ms, timings)
    is_first = absence.since_ms == now_ms
    gone = replace(
        recording,
        gone_ms=absence.since_ms,
        gone_last_ms=absence.latest_ms,
        gone_checks=1 if is_first else recording.gone_checks + 1,
    )
    return gone, absence


def orphan_ended(recording: Recording, sid: str, now_ms: int) -> Recording:
    """Return the recording after a session that was given up is known to be over."""
    return _change_orphan(recording, sid, ended_ms=now_ms)


def orphan_gone(recording: Recording, sid: str, absence: Absence | None) -> Recording:
    """Return the recording after a 404 for a session that was given up.

    None: it has answered, and was moving to another server before.
    """
    if absence is None:
        return _change_orphan(recording, sid, **_NOT_GONE)
    return _change_orphan(recording, sid, gone_ms=absence.since_ms, gone_last_ms=absence.latest_ms)


def orphan_seen(recording: Recording, sid: str, at_ms: int) -> Recording:
    """Return the recording after a sign of life of a session that was given up.

    If it was gone before, it was moving to another server: the next 404 counts as the first.
    """
    return _change_attempts(
        recording,
        lambda each: (
            each.sid == sid
            and each in recording.orphans
            and each.gone_ms is not None
            and each.gone_ms < at_ms
        ),
        gone_ms=None,
    )


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
    recording = taken_over(recording)
    changed = replace(
        change_attempt(recording, confirmed_ms=now_ms),
        started_ms=recording.started_ms or now_ms,
        last_seen_ms=max(now_ms, recording.last_seen_ms or 0),
        queried_ms=now_ms,
    )
    return advance(changed, "recording")


def ask_to_take_over(recording: Recording, reason: TakeOver) -> Recording:
    """Return the recording with a reason to begin a successor; unchanged if it does not record."""
    attempt = recording.attempt
    is_recording = recording.status == "recording" and attempt and attempt.confirmed_ms
    if not is_recording or recording.is_ending or recording.take_over:
        return recording
    return replace(recording, take_over=reason)


def taken_over(recording: Recording) -> Recording:
    """Return the recording with the predecessor given up: its session is to be stopped."""
    given_up = recording.predecessor
    if given_up is None or given_up.end:
        return recording
    # Of the doubt, nothing is kept: when the stop of it is answered by 404, that is judged anew.
    return _change_attempts(
        recording, lambda each: each is given_up, end="TAKEN_OVER", ended_ms=None, **_NOT_GONE
    )


def predecessor_ended(recording: Recording, sid: str, end: SessionEnd, now_ms: int) -> Recording:
    """Return the recording after the predecessor's session ended while its successor starts.

    This ends nothing, as long as the successor may come to record.
    """
    before = recording.predecessor
    if before is None or before.sid != sid or before.end:
        return recording
    end = _by_token(before, end, now_ms)
    return _change_attempts(recording, lambda each: each is before, end=end, ended_ms=now_ms)


def _by_token(attempt: Attempt, end: SessionEnd, now_ms: int) -> SessionEnd:
    """Return what ended a session: when its token ends, Agora says no more than that it exited."""
    until_ms = attempt.token_until_ms
    is_exit = end in ("EXITED", "EXITED_ABNORMALLY")
    return "TOKEN_ENDED" if is_exit and until_ms and now_ms >= until_ms else end


def seen(recording: Recording, at_ms: int) -> Recording:
    """Return the recording with a sign of life at `at_ms`; an older sign changes nothing.

    A sign from before the first 404 says nothing about it, even if it arrives later.
    """
    changed = replace(recording, last_seen_ms=max(at_ms, recording.last_seen_ms or 0))
    if recording.gone_ms and at_ms >= recording.gone_ms:
        changed = not_gone(changed)
        if changed.take_over == "SUSPECTED":
            changed = replace(changed, take_over=None)
    return changed


def ask_to_stop(recording: Recording, reason: StopReason, now_ms: int) -> Recording:
    """Return the recording with a reason to stop; the first reason is kept. Not when it is over."""
    if recording.stop_reason or RANK[recording.status] >= RANK["uploading"]:
        return recording
    # Before its start time it has no execution yet: it gets one, which only ends it.
    begun = advance(recording, "requested")
    return replace(begun, stop_reason=reason, stop_ms=now_ms, take_over=None)


def end_session(
    recording: Recording,
    end: SessionEnd,
    now_ms: int,
    *,
    sid: str | None = None,
    reason: str | None = None,
) -> Recording:
    """Return the recording with its current session over; the first end is kept.

    `reason` is the cause, if one was told. With `sid`, only that session: an event of an earlier
    session changes nothing. A session that is given up has no `ended_ms` until it is known to be
    over. After the end of a successor that was not seen to record, its predecessor is the current
    session again.
    """
    attempt = recording.attempt
    if recording.session_end or recording.is_terminal:
        return recording
    if sid is not None and sid != recording.sid:
        return recording
    if attempt is not None:
        if not recording.stop_reason:
            end = _by_token(attempt, end, now_ms)
        may_run = attempt.sid and end in GIVEN_UP
        reason = reason or attempt.reason
        recording = change_attempt(
            recording, ended_ms=None if may_run else now_ms, end=end, reason=reason
        )
    return _fall_back(replace(recording, session_end=end, reason=reason, take_over=None))


def _fall_back(recording: Recording) -> Recording:
    """Return the recording with its predecessor as the current session, if there is one.

    What was known of it may be old: so it is looked at soon.
    """
    before = recording.predecessor
    if before is None:
        return recording
    past = [each for each in recording.attempts if each is not before]
    return replace(
        recording,
        attempt=replace(before, **_NOT_GONE),
        past_attempts=past,
        session_end=before.end,
        reason=before.reason if before.end else None,
        gone_ms=None if before.end else before.gone_ms,
        gone_last_ms=None if before.end else before.gone_last_ms,
        gone_checks=1 if before.gone_ms and not before.end else 0,
        last_seen_ms=None,
        queried_ms=None,
        # Meanwhile only the successor got new credentials for the bucket, if they are temporary.
        storage_token_ms=RENEW_NOW_MS if recording.storage_token_ms else None,
    )


def cause_told(recording: Recording, sid: str, reason: str) -> Recording:
    """Return the recording with the cause that Agora told for a session's end, early or late."""
    if recording.is_terminal:
        return recording
    changed = _change_attempts(recording, lambda each: each.sid == sid, reason=reason)
    is_over = changed.session_end is not None and changed.sid == sid
    return replace(changed, reason=reason) if is_over else changed


def storage_refused(recording: Recording, sid: str, now_ms: int) -> Recording:
    """Return the recording after Agora said that it cannot write a session's files.

    No new session would do better: so it replaces an end after which one would follow.
    """
    if recording.session_end in RESTARTABLE and recording.sid == sid and not recording.is_terminal:
        changed = change_attempt(recording, end="STORAGE_REFUSED")
        return replace(changed, session_end="STORAGE_REFUSED")
    return end_session(recording, "STORAGE_REFUSED", now_ms, sid=sid)


def found_empty(recording: Recording, sid: str) -> Recording:
    """Return the recording after Agora said that a session recorded nothing.

    This explains more than an end without a fault, which a notification may have brought before.
    """
    if recording.is_terminal:
        return recording
    changed = _change_attempts(recording, lambda each: each.sid == sid, is_empty=True)
    if changed.sid == sid and changed.session_end in ("STOPPED", "EXITED", "IDLE"):
        changed = replace(
            change_attempt(changed, end="NOTHING_RECORDED"), session_end="NOTHING_RECORDED"
        )
    return changed


def may_restart(recording: Recording) -> bool:
    """Tell whether a new session must follow the current one."""
    return (
        recording.attempt is not None  # otherwise no attempt could be made
        and recording.stop_reason is None
        and recording.session_end in RESTARTABLE
        and (recording.session_end == "TOKEN_ENDED" or restarts_left(recording) > 0)
    )


def restarts_left(recording: Recording) -> int:
    """Return how many attempts may still begin; those that follow a token's end do not count."""
    counted = [each for each in recording.attempts if each.takes_over != "HAND_OVER"]
    return recording.restart_limit + 1 - len(counted)


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
    """Return why it ended: the reason to stop if there is one, else its last session's end."""
    return recording.stop_reason or recording.session_end or "UNKNOWN"


# --- views --------------------------------------------------------------------------------------


def to_row(recording: Recording) -> dict[str, Any]:
    """Return the plain values of the row, without keys."""
    return cast(dict[str, Any], msgspec.to_builtins(recording))


def from_row(values: dict[str, Any]) -> Recording:
    """Return the recording that a row holds; attributes of the store's own are ignored."""
    return msgspec.convert(values, Recording, strict=False)


def wake_reason(recording: Recording) -> str | None:
    """Return why a parked execution should go on, None if it should not."""
    return recording.stop_reason or recording.session_end or recording.take_over

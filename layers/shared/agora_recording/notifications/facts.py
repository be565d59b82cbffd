"""The facts that the events of one session (one sid) give together, merged in any order.

`SessionFacts` is a join-semilattice: joining is associative, commutative and idempotent, so any
order and any repetition of the same events gives the same facts, and more events never take
anything back. Each field is declared with its rule of joining beside it. Every collection is
bounded by a rule that looks at its content alone, never at the order of arrival, so the bounds keep
the laws. What each event adds is in `effects`, and described in docs/agora-events.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

import msgspec
from msgspec.structs import replace

from agora_recording.notifications.words import (
    FATAL,
    STORAGE_REFUSED,
    error_words,
    web_recording_stopped,
)

# No event says `stranded`, only an answer does: it has its place among the others here.
Upload = Literal["none", "started", "uploading", "stranded", "backuped", "uploaded"]
# Postponed transcoding is tried for days: a better result replaces a worse one, and the final
# result (1001) replaces every earlier result (81).
Transcoding = Literal[
    "none",
    "started",
    "fail",
    "partial_success",
    "all_success",
    "final_failed",
    "final_partial_success",
    "final_total_success",
]
# Why a session ended, named as in `recording.model.SessionEnd`; a later name explains more.
EndReason = Literal[
    "EXITED", "STOPPED", "EXITED_ABNORMALLY", "IDLE", "WEB_MAX_DURATION", "WEB_FAILED"
]

_WINDOW = 256  # sequence numbers of a uid that are remembered: some four hours
_MOST_UIDS = 8  # a session survives three failovers, the fourth ends it
_MOST_PROBLEMS = 20
_MOST_FILES = 100
_MOST_STREAMS = 34  # 17 recorded users, audio and video

Heard = tuple[int, tuple[tuple[int, int], ...]]
"""(highest sequence, missing ranges below it); a range includes its first and last number."""


# --- the rules of joining -----------------------------------------------------------------------

T = TypeVar("T")
V = TypeVar("V")
Rule = Callable[[Any, Any], Any]


def least(a: Any, b: Any) -> Any:
    """Keep the smaller value; None is no value."""
    return b if a is None else a if b is None else min(a, b)


def greatest(a: Any, b: Any) -> Any:
    """Keep the greater value; None is no value."""
    return b if a is None else a if b is None else max(a, b)


def every_bit(a: int | None, b: int | None) -> int | None:
    """Keep every bit that was ever set; None is no value."""
    return b if a is None else a if b is None else a | b


def furthest(kind: Any) -> Rule:
    """Keep the value that stands later in a Literal; None comes before all of them."""
    rank = {value: number for number, value in enumerate((None, *get_args(kind)))}
    return lambda a, b: max(a, b, key=rank.__getitem__)


def first(most: int) -> Rule:
    """Keep every value, sorted; of more than `most`, the first."""
    return lambda a, b: a if a == b else tuple(sorted({*a, *b})[:most])


def last(most: int) -> Rule:
    """Keep every value, sorted; of more than `most`, the last."""
    return lambda a, b: tuple(sorted({*a, *b})[-most:])


def by_key(rule: Rule, most: int) -> Rule:
    """Join the values of each key by a rule; of more than `most` keys, keep the first."""
    return lambda a, b: {key: rule(a.get(key), b.get(key)) for key in sorted({*a, *b})[:most]}


def latest(most: int) -> Rule:
    """Keep the greatest value of each key; of more than `most` keys, those with the greatest.

    Values are compared as a whole: a key that was left out had a smaller value than all that
    stayed, and these only grow.
    """

    def rule(a: dict[str, V], b: dict[str, V]) -> dict[str, V]:
        both = {key: greatest(a.get(key), b.get(key)) for key in {*a, *b}}
        kept = sorted(both, key=lambda key: (both[key], key))[-most:]
        return {key: both[key] for key in sorted(kept)}

    return rule


def heard_by_uid(a: Mapping[str, Heard], b: Mapping[str, Heard]) -> dict[str, Heard]:
    """Keep for each uid the ranges of the last numbers that neither side has received."""
    both = {**a, **b, **{uid: _hear(a[uid], b[uid]) for uid in a.keys() & b.keys()}}
    return {uid: both[uid] for uid in sorted(both)[:_MOST_UIDS]}


def heard(sequence: int) -> Heard:
    """Return the Heard after one number alone: all numbers before it are missing."""
    lowest = max(0, sequence - _WINDOW + 1)
    return sequence, ((lowest, sequence - 1),) if lowest < sequence else ()


def _hear(a: Heard, b: Heard) -> Heard:
    """Return what neither has received, in the window that ends with the highest number."""
    highest = max(a[0], b[0])
    lowest = max(0, highest - _WINDOW + 1)
    missing = sorted(_missing(a, lowest, highest) & _missing(b, lowest, highest))
    ranges: list[tuple[int, int]] = []
    for number in missing:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return highest, tuple(ranges)


def _missing(heard: Heard, lowest: int, highest: int) -> set[int]:
    top, ranges = heard
    unheard = set(range(max(top + 1, lowest), highest + 1))
    return unheard.union(*(range(max(start, lowest), end + 1) for start, end in ranges))


# --- the facts ----------------------------------------------------------------------------------


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything known of a session. Instants are epoch milliseconds by Agora's clock.

    Plain JSON by `msgspec.to_builtins`, under 1 KB for a mix recording of any length.
    """

    firstSeenMs: Annotated[int | None, least] = None
    lastSeenMs: Annotated[int | None, greatest] = None
    # The last sign that the recording was running.
    lastSignMs: Annotated[int | None, greatest] = None
    # The time of the last event that calls for a query.
    doubtMs: Annotated[int | None, greatest] = None
    uids: Annotated[tuple[str, ...], first(_MOST_UIDS)] = ()
    sequences: Annotated[dict[str, Heard], heard_by_uid] = {}  # by uid
    startedMs: Annotated[int | None, least] = None
    newUids: Annotated[tuple[str, ...], first(_MOST_UIDS)] = ()
    # The uids of recorders that a failover replaced.
    leftUids: Annotated[tuple[str, ...], first(_MOST_UIDS)] = ()
    endedMs: Annotated[int | None, least] = None
    # By the uid of the event; "" if it has none.
    ends: Annotated[dict[str, EndReason], by_key(furthest(EndReason), _MOST_UIDS)] = {}
    exitStatus: Annotated[int | None, greatest] = None
    # Every bit of every event 41; 0: only failed initialisations.
    leaveCode: Annotated[int | None, every_bit] = None
    webStop: Annotated[tuple[int, str] | None, greatest] = None  # (code, message)
    serviceStatus: Annotated[tuple[int, int] | None, greatest] = None  # (when, status), from 3
    # "module:code" -> (highest level, its latest time)
    errors: Annotated[dict[str, tuple[int, int]], latest(_MOST_PROBLEMS)] = {}
    warnings: Annotated[dict[str, int], latest(_MOST_PROBLEMS)] = {}  # "module:code" -> when last
    upload: Annotated[Upload, furthest(Upload)] = "none"
    progress: Annotated[int | None, greatest] = None  # of 10,000
    # The storage's temporary credentials were expired: what Agora says of the upload is in doubt.
    tokenExpiredMs: Annotated[int | None, greatest] = None
    # Announced names; the first of the alphabet when there are more.
    files: Annotated[tuple[str, ...], first(_MOST_FILES)] = ()
    # "track:uid" -> (when, state): 0 it arrives, 1 it does not.
    streams: Annotated[dict[str, tuple[int, int]], latest(_MOST_STREAMS)] = {}
    # (from, to, "track:uid")
    interruptions: Annotated[tuple[tuple[int, int, str], ...], last(_MOST_PROBLEMS)] = ()
    snapshot: Annotated[tuple[int, str] | None, greatest] = None  # (when, name)
    transcoding: Annotated[Transcoding, furthest(Transcoding)] = "none"
    transcodedFiles: Annotated[tuple[str, ...], first(_MOST_FILES)] = ()
    # CDN target -> (when, status)
    outputs: Annotated[dict[str, tuple[int, str]], latest(_MOST_PROBLEMS)] = {}


NOTHING = SessionFacts()


@cache
def rules() -> dict[str, Rule]:
    """Return the rule of each field, as it is declared."""
    hints = get_type_hints(SessionFacts, include_extras=True)
    return {name: get_args(hint)[1] for name, hint in hints.items()}


def joined(facts: SessionFacts, told: Mapping[str, Any]) -> SessionFacts:
    """Return the facts joined with new values, by the names of their fields.

    The same values again change nothing.
    """
    rule = rules()
    return replace(
        facts, **{name: rule[name](getattr(facts, name), value) for name, value in told.items()}
    )


class SessionRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The row `SESSION#<sid>`/`SESSION`: the facts of a session, and the recording that owns it.

    `version` 0: the session has no row yet. A row that no recording owns ends by itself at
    `expires_at` (epoch seconds); so does that of a session whose recording was deleted
    (`deleted_ms`), which only says that its events are nobody's any more.
    """

    recording_id: str | None = None
    cname: str | None = None
    uid: str | None = None  # of its start; after a failover there are more (`facts.uids`)
    facts: SessionFacts = NOTHING
    deleted_ms: int | None = None
    expires_at: int | None = None
    version: int = 0


# --- what the supervisor asks -------------------------------------------------------------------


def session_ended(facts: SessionFacts) -> EndReason | None:
    """Return why the session is over; None while no event says so.

    It never goes back to None, except in one case: after a failover (12), the recorder that was
    left behind may find its own channel empty and leave. Its end is not the end of the session. A
    fatal error (1) is not an end either, nor is a recorder that left for another reason than an
    empty channel (41): a failover may follow. All of them call for a query (`needs_query`).
    """
    said = [reason for uid, reason in facts.ends.items() if _is_live(facts, uid)]
    return max(said, key=get_args(EndReason).index, default=None)


def _is_live(facts: SessionFacts, uid: str) -> bool:
    """Tell whether a uid belongs to the recorder that continues (Agora best practices: after a
    failover, notifications of another uid than the start's belong to the session that moved).
    """
    if not uid or not facts.newUids or "unknown" in facts.newUids:
        return uid not in facts.leftUids
    return uid in facts.newUids and uid not in facts.leftUids


def is_storage_refused(facts: SessionFacts) -> bool:
    """Tell whether Agora says that the settings of the bucket are wrong: it cannot write there."""
    return STORAGE_REFUSED in facts.errors


def cause(facts: SessionFacts) -> str | None:
    """Return what Agora told of the cause of a session's end, in one sentence; None if nothing.

    Errors below the fatal level end no session, except that of the bucket's settings.
    """
    if is_storage_refused(facts):
        return error_words(STORAGE_REFUSED)
    if facts.webStop is not None and session_ended(facts) == "WEB_FAILED":
        return web_recording_stopped(*facts.webStop)
    fatal = {key: each for key, each in facts.errors.items() if each[0] >= FATAL}
    return error_words(max(fatal, key=lambda key: (fatal[key], key))) if fatal else None


def needs_query(facts: SessionFacts, queried_ms: int | None) -> bool:
    """Return whether something happened after the last answered query that calls for another."""
    return (
        session_ended(facts) is None
        and facts.doubtMs is not None
        and (queried_ms is None or facts.doubtMs > queried_ms)
    )


def gaps(facts: SessionFacts) -> dict[str, tuple[tuple[int, int], ...]]:
    """Return by uid the ranges of sequence numbers that did not arrive, of the last 256.

    A gap may close again: notifications may arrive in another order. Numbers start at 0.
    """
    return {uid: missing for uid, (_, missing) in facts.sequences.items() if missing}

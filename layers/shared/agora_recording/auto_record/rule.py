"""A rule by which channels record themselves: its type, and which channels it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from agora_recording.agora.requests import NAME_CHARACTERS, ClientRequest
from agora_recording.request.limits import MAX_DURATION_S, MAX_RESTARTS, MAX_TAGS
from agora_recording.request.recording import CallbackUrl, TagName, TagValue

MAX_AT_ONCE = 1000
DEFAULT_AT_ONCE = 10
MAX_EMPTY_S = 86_400
MAX_RULES = 100  # of a stack: every batch of events reads them

_CHARACTER = r"[A-Za-z0-9_\-]"
RuleName = Annotated[
    str,
    Meta(
        pattern=f"^{_CHARACTER}{{1,64}}$",
        description="The rule's name.",
        extra={
            "rule": "must be 1 to 64 characters, each a letter (a to z, A to Z), a digit, - or _",
            "character": _CHARACTER,
        },
    ),
]
ChannelMode = Literal["mix", "raw", "individual"]
_EMPTY = (
    "It is stopped this many seconds after the last user has left. Without it, Agora ends it after "
    "`maxIdleTime`."
)


class RuleRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which channels record themselves, and how. Of rules that fit, the first by name counts."""

    channel_pattern: Annotated[
        str,
        Meta(
            pattern=f"^[{NAME_CHARACTERS}*]{{1,64}}$",
            description="The channels: `*` stands for any characters, also for none.",
            extra={
                "rule": "must be 1 to 64 characters, each * or one that a channel's name may have",
                "character": f"[{NAME_CHARACTERS}*]",
            },
        ),
    ]
    enabled: Annotated[bool, Meta(description="Whether it starts recordings.")] = True
    mode: Annotated[
        ChannelMode,
        Meta(
            description="As of a recording; there is no page to record in a channel.",
            extra={"rule": "must be one of mix, raw, individual"},
        ),
    ] = "mix"
    client_request: ClientRequest | UnsetType = UNSET
    max_duration_seconds: (
        Annotated[
            int,
            Meta(ge=1, le=MAX_DURATION_S, description="As of a recording; or the stack's default."),
        ]
        | UnsetType
    ) = UNSET
    restart_limit: (
        Annotated[
            int,
            Meta(ge=0, le=MAX_RESTARTS, description="As of a recording; or the stack's default."),
        ]
        | UnsetType
    ) = UNSET
    tags: (
        Annotated[
            dict[TagName, TagValue], Meta(max_length=MAX_TAGS, description="Of each recording.")
        ]
        | UnsetType
    ) = UNSET
    callback_url: CallbackUrl | UnsetType = UNSET
    stop_when_empty_seconds: (
        Annotated[int, Meta(ge=0, le=MAX_EMPTY_S, description=_EMPTY)] | UnsetType
    ) = UNSET
    max_at_once: Annotated[
        int,
        Meta(
            ge=1,
            le=MAX_AT_ONCE,
            description="How many of its recordings run at the same time, at most; others wait.",
        ),
    ] = DEFAULT_AT_ONCE


class Rule(Struct, kw_only=True, frozen=True, omit_defaults=True, rename="camel"):
    """The row of a rule. `request` is a request to record without its cname and its secrets."""

    name: str
    channel_pattern: str
    enabled: bool = True
    request: dict[str, Any]
    sealed: list[str] = []
    stop_when_empty_seconds: int | None = None
    max_at_once: int = DEFAULT_AT_ONCE
    changed_ms: int


def fits(pattern: str, cname: str) -> bool:
    """Tell whether a channel's name fits a pattern, whose `*` stands for any characters.

    Every other character stands for itself: `?` and brackets may be in the name of a channel.
    """
    first, *middle = pattern.split("*")
    if not middle:
        return cname == pattern
    last = middle.pop()
    end = len(cname) - len(last)
    if not cname.startswith(first) or not cname.endswith(last) or end < len(first):
        return False
    at = len(first)
    for part in middle:
        found = cname.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def first_fit(rules: Sequence[Rule], cname: str) -> Rule | None:
    """Return the rule that records a channel: of those that are on and fit, the first by name."""
    fitting = [each for each in rules if each.enabled and fits(each.channel_pattern, cname)]
    return min(fitting, key=lambda each: each.name, default=None)


def example_of(pattern: object) -> str:
    """Return the name of a channel that fits a pattern."""
    shortest = pattern.replace("*", "") if isinstance(pattern, str) else ""
    return shortest or "x"


def to_row(rule: Rule) -> dict[str, Any]:
    """Return the plain values of a rule's row, without keys."""
    values: dict[str, Any] = msgspec.to_builtins(rule)
    return values


def from_row(values: dict[str, Any]) -> Rule:
    """Return the rule that a row holds."""
    return msgspec.convert(values, Rule, strict=False)

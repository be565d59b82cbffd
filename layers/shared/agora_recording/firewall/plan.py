"""Decides which addresses a firewall should add, keep and remove. Pure.

Addresses are CIDR blocks in canonical form. Agora changes its servers without announcing an
overlap, so an address that it no longer names stays for a grace period. A loss that is too large
for an ordinary change has no effect until the answers of a whole grace period confirm it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agora_recording.clock import iso
from agora_recording.errors import QuotaError

IPV4, IPV6 = 4, 6


class Policy(NamedTuple):
    """How cautious to be: `grace_s` seconds of grace; `max_drop`, the share that may vanish at
    once.

    A list of `small` addresses or fewer is exempt: there, any change looks like a large loss.
    """

    grace_s: float = 48 * 3600
    max_drop: float = 0.5
    small: int = 2


class State(NamedTuple):
    """What a target lets in now.

    `present`: every address that any rule lets in. `marked`: those with this stack's mark; None if
    the target has no marks, so that the table has to remember. `capacity`: places by IP version; a
    version that is missing cannot be held. `reserved`: places used by other rules than those of
    `present`.
    """

    present: frozenset[str]
    marked: frozenset[str] | None
    capacity: Mapping[int, int]
    reserved: Mapping[int, int] = {}


class Memory(NamedTuple):
    """What the table remembers of a target; instants in epoch ms.

    `withdrawn`: for each address that is still let in, since when Agora has not named it.
    `doubted_since_ms`: since when Agora's answers have lacked too many addresses to be accepted.
    """

    owned: frozenset[str] = frozenset()
    withdrawn: Mapping[str, int] = {}
    last_answer: frozenset[str] = frozenset()
    last_accepted_ms: int | None = None
    doubted_since_ms: int | None = None


class Plan(NamedTuple):
    """What to do, in this order: remove `evict` (only to make room), add `add`, remove `remove`.

    `keep` stays as it is and includes `withdrawn` (address → since when). `refused` says why
    nothing was withdrawn. `memory` is what to remember once the plan is carried out.
    """

    evict: frozenset[str]
    add: frozenset[str]
    keep: frozenset[str]
    remove: frozenset[str]
    withdrawn: Mapping[str, int]
    refused: str | None
    memory: Memory

    def to_event(self) -> dict[str, Any]:
        """Return the plan as JSON for people: sorted, instants as text."""
        return {
            "evict": sorted(self.evict),
            "add": sorted(self.add),
            "keep": sorted(self.keep),
            "remove": sorted(self.remove),
            "withdrawn": {cidr: iso(since) for cidr, since in sorted(self.withdrawn.items())},
            "refused": self.refused,
        }


def mark(stack_name: str) -> str:
    """Return the description of this stack's rules; it must be equal, a prefix is not enough."""
    return f"agora-ncs {stack_name}"


def version(cidr: str) -> int:
    """Return 4 or 6."""
    return IPV6 if ":" in cidr else IPV4


def make_plan(
    state: State,
    memory: Memory,
    wanted: Iterable[str],
    *,
    now_ms: int,
    policy: Policy = Policy(),  # noqa: B008  (an immutable value)
    accept_drop: bool = False,
) -> Plan:
    """Return the plan that turns `state` into `wanted` and the addresses still in their grace.

    An address that another rule lets in is neither added nor removed. If there is too little room,
    the addresses withdrawn longest ago are removed first. `accept_drop`: an operator confirms the
    answer, whatever it lacks. Raises QuotaError, before anything is written, if there still is too
    little room.
    """
    named = frozenset(wanted)
    held = frozenset(cidr for cidr in named if version(cidr) in state.capacity)
    owned = _owned(state, memory)
    refused, doubted_since_ms = None, None
    if not accept_drop:
        refused, doubted_since_ms = _doubt(held, owned, memory, now_ms, policy)

    idle = owned - named
    withdrawn = {cidr: since for cidr, since in memory.withdrawn.items() if cidr in idle}
    if not refused:
        withdrawn = dict.fromkeys(idle, now_ms) | withdrawn
    add = held - state.present
    evict = _evict(state, add, withdrawn)
    due = {
        cidr for cidr, since in withdrawn.items() if now_ms - since >= round(policy.grace_s * 1000)
    }
    remove = frozenset() if refused else frozenset(due - evict)
    keep = owned - evict - remove
    withdrawn = {cidr: since for cidr, since in withdrawn.items() if cidr in keep}
    return Plan(
        evict=evict,
        add=add,
        keep=keep,
        remove=remove,
        withdrawn=withdrawn,
        refused=refused,
        memory=Memory(
            owned=keep | add,
            withdrawn=withdrawn,
            last_answer=memory.last_answer if refused else held,
            last_accepted_ms=memory.last_accepted_ms if refused else now_ms,
            doubted_since_ms=doubted_since_ms,
        ),
    )


def farewell(state: State, memory: Memory) -> Plan:
    """Return the plan that removes every rule of the stack, and clears its memory."""
    owned, none = _owned(state, memory), frozenset[str]()
    return Plan(none, none, none, owned, {}, None, Memory())


def _owned(state: State, memory: Memory) -> frozenset[str]:
    return (memory.owned if state.marked is None else state.marked) & state.present


def _doubt(
    held: frozenset[str], owned: frozenset[str], memory: Memory, now_ms: int, policy: Policy
) -> tuple[str | None, int | None]:
    """Return why nothing may be withdrawn on this answer, and since when this has been so."""
    if not held:
        # A target is never emptied: no notification would pass any more.
        return ("The answer names no address this target can hold" if owned else None), None
    before = memory.last_answer
    missing = len(before - held)
    if len(before) <= policy.small or missing <= policy.max_drop * len(before):
        return None, None
    since = now_ms if memory.doubted_since_ms is None else memory.doubted_since_ms
    if now_ms - since >= round(policy.grace_s * 1000):
        return None, None
    return f"The answer lacks {missing} of the {len(before)} addresses named before", since


def _evict(state: State, add: frozenset[str], withdrawn: Mapping[str, int]) -> frozenset[str]:
    """Return the withdrawn addresses that must be removed first so that `add` fits."""
    chosen: set[str] = set()
    for family, capacity in state.capacity.items():
        coming = sum(version(cidr) == family for cidr in add)
        reserved = state.reserved.get(family, 0)
        used = reserved + sum(version(cidr) == family for cidr in state.present)
        short = used + coming - capacity
        if not coming or short <= 0:
            continue
        oldest = sorted(
            (cidr for cidr in withdrawn if version(cidr) == family),
            key=lambda cidr: (withdrawn[cidr], cidr),
        )
        if len(oldest) < short:
            raise QuotaError(
                f"IPv{family}: {coming} new addresses do not fit: {used} of {capacity} places are "
                f"used and {len(oldest)} of them could be freed"
            )
        chosen.update(oldest[:short])
    return frozenset(chosen)

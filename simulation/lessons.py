"""Channels that a rule records: who is there, and what Agora tells of it."""

from __future__ import annotations

import json
import math
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from simulation.story import Act
from tests.world import channels, webhook

if TYPE_CHECKING:
    from simulation.stack import Stack

RULE = "lessons"
PLACES = 10  # of the rule, when the story begins
_STOP_WHEN_EMPTY_S = 60
SECRET = "the-secret-of-the-channel-events"
IDLE_S = 300  # then Agora ends a session by itself
_MADE, _GONE, _JOINED, _LEFT = 101, 102, 103, 104
_RESENDS = 3
_AGAIN_S = 2


def rule_of(places: int) -> dict[str, Any]:
    """Return what the API is told of the rule; without a place, it is off."""
    return {
        "channelPattern": "lesson-*",
        "stopWhenEmptySeconds": _STOP_WHEN_EMPTY_S,
        "enabled": places > 0,
        "maxAtOnce": places or PLACES,
    }


class Visit(NamedTuple):
    """A time in which somebody was in a channel: when it began and ended, and was told of (ms).

    `heard_ms` is when the first notification of somebody's coming was taken, None if none was.
    """

    cname: str
    began_ms: int
    ended_ms: int | None = None
    heard_ms: int | None = None


class Change(NamedTuple):
    """A change of the rule: how many channels it lets record at once, when it was asked for, and
    when it was answered (ms). 0: none, or there is no rule.
    """

    places: int
    asked_ms: int
    answered_ms: float = math.inf


class Lessons:
    """The channels' truth: users by channel, and the times in which somebody was there; and what
    the rule was.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.users: dict[str, list[int]] = {}
        self.visits: dict[str, list[Visit]] = {}
        self._asked: dict[Act, int] = {}
        self._sequences: Counter[tuple[str, int]] = Counter()
        self._sent = 0
        begun_ms = stack.clock.now_ms
        self.changes = [Change(PLACES, begun_ms, begun_ms)]

    @property
    def are_there(self) -> bool:
        """Whether anybody ever came."""
        return bool(self.visits)

    def join(self, cname: str, uid: int) -> None:
        """Let a user come."""
        there = self.users.setdefault(cname, [])
        if uid in there:
            return
        there.append(uid)
        if len(there) == 1:
            visit = Visit(cname, self._stack.clock.now_ms)
            self.visits.setdefault(cname, []).append(visit)
            self._tell(_MADE, cname, None)
        self._tell(_JOINED, cname, uid)

    def part(self, cname: str, uid: int) -> None:
        """Let a user leave; Agora ends a session in which nobody is for minutes."""
        there = self.users.get(cname, [])
        if uid not in there:
            return
        there.remove(uid)
        self._tell(_LEFT, cname, uid)
        if not there:
            self._tell(_GONE, cname, None)
            now = self._stack.clock.now_ms
            self.visits[cname][-1] = self.visits[cname][-1]._replace(ended_ms=now)
            self._stack.later(IDLE_S, self.idle, cname)

    def change(self, act: Act, places: int) -> None:
        """Note that a change of the rule was asked for; a repetition is no other change."""
        if act not in self._asked:
            self._asked[act] = len(self.changes)
            self.changes.append(Change(places, self._stack.clock.now_ms))

    def changed(self, act: Act) -> None:
        """Note that it was answered."""
        number = self._asked[act]
        now = self._stack.clock.now_ms
        self.changes[number] = self.changes[number]._replace(answered_ms=now)

    def places(self, from_ms: float, to_ms: float) -> list[int]:
        """Return how many channels the rule let record at once, in the course of that time.

        While several changes are asked for, each of them may be the last one.
        """
        return [
            each.places
            for each in self.changes
            if each.asked_ms <= to_ms and self._over_ms(each) >= from_ms
        ]

    def _over_ms(self, change: Change) -> float:
        """Return from when on a change is surely no more what the rule is."""
        later = [each for each in self.changes if each.asked_ms > change.answered_ms]
        return min((each.answered_ms for each in later), default=math.inf)

    def answer(self, cname: str) -> bytes:
        """Tell who is there, as Agora's channel query does."""
        users = self.users.get(cname, [])
        data = {"channel_exist": bool(users), "mode": 1, "users": users}
        return json.dumps({"success": True, "data": data}).encode()

    def idle(self, cname: str) -> None:
        """Let Agora end the sessions in a channel in which nobody was for a while."""
        visits = self.visits.get(cname)
        if not visits or (left_ms := visits[-1].ended_ms) is None:
            return
        if self._stack.clock.now_ms - left_ms >= IDLE_S * 1000:
            self._stack.agora.leave(cname)
        if any(session.cname == cname for session in self._stack.agora.running):
            self._stack.later(IDLE_S, self.idle, cname)

    def _tell(self, event: int, cname: str, uid: int | None) -> None:
        """Send an event of the channel; perhaps it is lost, comes twice, or late."""
        stack = self._stack
        self._sent += 1
        seq = None
        if uid is not None:
            self._sequences[cname, uid] += 1
            seq = self._sequences[cname, uid]
        at_s = (stack.clock.now_ms - webhook.NOW_MS) / 1000
        notice = f"{cname}:{self._sent}"
        raw = channels.body(event, uid, seq=seq, cname=cname, at_s=at_s, notice=notice)
        number = len(self.visits[cname]) - 1
        taken = partial(self._taken, cname, number) if event == _JOINED else None
        place = f"event {cname} {event} {self._sent}"
        for after_ms in stack.agora.ways(place):
            stack.later(after_ms / 1000, self._send, cname, raw, taken, _RESENDS)

    def _send(self, cname: str, raw: bytes, taken: Any, left: int) -> None:
        """Send a notification to the webhook, and again where it is not taken."""
        stack = self._stack
        sent = json.dumps({**json.loads(raw), "notifyMs": stack.clock.now_ms}).encode()

        def answered(is_taken: bool) -> None:
            if is_taken and taken:
                taken()
            elif not is_taken and left:
                stack.later(_AGAIN_S, self._send, cname, raw, taken, left - 1)

        stack.receive(cname, sent, answered, secret=SECRET)

    def _taken(self, cname: str, number: int) -> None:
        visit = self.visits[cname][number]
        if visit.heard_ms is None:
            now = self._stack.clock.now_ms
            self.visits[cname][number] = visit._replace(heard_ms=now)

"""Channels that a rule records: who is there, and what Agora tells of it."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.world import channels, webhook

if TYPE_CHECKING:
    from simulation.stack import Stack

RULE = "lessons"
STOP_WHEN_EMPTY_S = 60
SECRET = "the-secret-of-the-channel-events"
IDLE_S = 300  # then Agora ends a session by itself
_MADE, _GONE, _JOINED, _LEFT = 101, 102, 103, 104
_RESENDS = 3
_AGAIN_S = 2


class Visit(NamedTuple):
    """A time in which somebody was in a channel: when it began and ended, and was told of (ms).

    `heard_ms` is when the first notification of somebody's coming was taken, None if none was.
    """

    cname: str
    began_ms: int
    ended_ms: int | None = None
    heard_ms: int | None = None


class Lessons:
    """The channels' truth: users by channel, and the times in which somebody was there."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.users: dict[str, list[int]] = {}
        self.visits: dict[str, list[Visit]] = {}
        self._sequences: Counter[tuple[str, int]] = Counter()
        self._sent = 0

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

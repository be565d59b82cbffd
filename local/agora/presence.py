"""Who is in a channel: channel events when somebody comes or goes, and the channel query's answer.

Sources: Agora channel event types; channel management REST, query user list. The users who are in
every channel by default never came, so no event tells of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from .clock import Scheduler
from .webhooks import Notifier

MADE, GONE = 101, 102
HOST = (103, 104)
AUDIENCE = (105, 106)
CALLER = (107, 108)
"""Events of who comes and goes: in a live channel (two roles), in a call."""

LINUX, CLOUD_RECORDING = 6, 10
ANDROID = 1
LEFT = 1
MOST_AUDIENCE = 10_000


@dataclass(frozen=True)
class Member:
    """Somebody who is in a channel: which events tell of it, and since when."""

    events: tuple[int, int]
    since_ms: int
    is_recorder: bool = False


class Presences:
    """All channels in which somebody came by the control API, or a recorder did."""

    def __init__(self, scheduler: Scheduler, notifier: Notifier) -> None:
        self._scheduler = scheduler
        self._notifier = notifier
        self._members: dict[str, dict[str, Member]] = {}
        self._seq = 0

    def reset(self) -> None:
        """Forget everybody; nobody is told."""
        self._members.clear()

    def set(
        self, cname: str, users: Collection[str], audience: Collection[str], call: bool
    ) -> None:
        """Let exactly these users (and the recorders) be there; events tell the difference."""
        wanted = dict.fromkeys(users, CALLER if call else HOST) | dict.fromkeys(audience, AUDIENCE)
        now = self._scheduler.now_ms()
        for uid, member in list(self._members.get(cname, {}).items()):
            if uid not in wanted and not member.is_recorder:
                self._leave(cname, uid)
        for uid, events in wanted.items():
            if uid not in self._members.get(cname, {}):
                self._join(cname, uid, Member(events, now))

    def recorder_came(self, cname: str, uid: str) -> None:
        """Let a recorder come in: to Agora, it is a user like others."""
        if uid not in self._members.get(cname, {}):
            self._join(cname, uid, Member(HOST, self._scheduler.now_ms(), is_recorder=True))

    def recorder_left(self, cname: str, uid: str) -> None:
        """Let a recorder go, if it is there."""
        if uid in self._members.get(cname, {}):
            self._leave(cname, uid)

    def answer(self, cname: str) -> dict[str, Any]:
        """Return what the channel query answers."""
        members = self._members.get(cname)
        if not members:
            return {"success": True, "data": {"channel_exist": False}}
        named = {
            events: [_number(uid) for uid, each in members.items() if each.events == events]
            for events in (HOST, AUDIENCE, CALLER)
        }
        if named[CALLER]:
            everybody = [*named[CALLER], *named[HOST]]
            data = {"mode": 1, "users": everybody, "total": len(everybody)}
        else:
            data = {
                "mode": 2,
                "broadcasters": named[HOST],
                "audience": named[AUDIENCE][:MOST_AUDIENCE],
                "audience_total": len(named[AUDIENCE]),
            }
        return {"success": True, "data": {"channel_exist": True, **data}}

    def _join(self, cname: str, uid: str, member: Member) -> None:
        members = self._members.setdefault(cname, {})
        if not members:
            self._tell(cname, MADE)
        members[uid] = member
        self._tell(cname, member.events[0], **self._about(uid, member))

    def _leave(self, cname: str, uid: str) -> None:
        member = self._members[cname].pop(uid)
        lasted_s = (self._scheduler.now_ms() - member.since_ms) // 1000
        about = self._about(uid, member)
        self._tell(cname, member.events[1], **about, reason=LEFT, duration=lasted_s)
        if not self._members[cname]:
            del self._members[cname]
            self._tell(cname, GONE, lastUid=_number(uid))

    def _about(self, uid: str, member: Member) -> dict[str, Any]:
        self._seq = max(self._seq + 1, self._scheduler.now_ms())  # it only grows
        about: dict[str, Any] = {"uid": _number(uid), "clientSeq": self._seq, "account": ""}
        if member.is_recorder:
            return {**about, "platform": LINUX, "clientType": CLOUD_RECORDING}
        return {**about, "platform": ANDROID}

    def _tell(self, cname: str, event_type: int, **about: Any) -> None:
        now = self._scheduler.now_ms()
        payload = {"channelName": cname, "ts": now // 1000, **about}
        self._notifier.notify(event_type, payload, now)


def _number(uid: str) -> int | str:
    return int(uid) if uid.isdigit() else uid

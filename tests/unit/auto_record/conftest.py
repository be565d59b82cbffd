"""A stack with rules, and a script of who comes and goes."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from agora_recording.auto_record.channel import Channel
from agora_recording.notifications.envelope import item, read
from agora_recording.observability import metrics
from tests.world.channels import CNAME, body
from tests.world.world import World


class Asked:
    """Agora's channel query, which tells the truth; `broken` answers with an error."""

    def __init__(self) -> None:
        self.users: dict[str, list[int]] = {}
        self.calls: list[str] = []
        self.broken = False

    def channel_users(self, cname: str) -> tuple[int | None, bytes]:
        """Tell who is there."""
        self.calls.append(cname)
        users = self.users.get(cname, [])
        data: dict[str, Any] = {"channel_exist": bool(users), "mode": 1, "users": users}
        return (500 if self.broken else 200), json.dumps({"data": data}).encode()


class School(World):
    """The rooms of auto-record around one table."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.asked = Asked()
        self.parts.channel_agora = self.asked  # type: ignore[assignment]
        self._made = itertools.count(1)
        self._places = itertools.count(1)

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that no call before had."""
        return next(self._made).to_bytes(count, "big")

    def rule(self, name: str = "lessons", **fields: Any) -> None:
        """Let a rule be there."""
        wanted = {"channelPattern": "lesson-*", "stopWhenEmptySeconds": 60, **fields}
        self.parts.rules.put(name, wanted)

    def hear(self, *bodies: bytes) -> list[str]:
        """Bring a batch of the stream; return what is to be delivered again."""
        return self.parts.channel_applier.apply([self.record(each) for each in bodies])

    def record(self, raw: bytes) -> dict[str, Any]:
        """Return a record of the stream."""
        image = item(read(raw), raw, self.clock(), None)
        place = str(next(self._places))
        return {"dynamodb": {"SequenceNumber": place, "NewImage": image}}

    def come(self, *uids: int, cname: str = CNAME, seq: int = 1) -> None:
        """Let users join, now, and be told of."""
        self.asked.users[cname] = [*self.asked.users.get(cname, ()), *uids]
        self.hear(*(self._event(103, uid, cname, seq) for uid in uids))

    def go(self, *uids: int, cname: str = CNAME, seq: int = 2, told: bool = True) -> None:
        """Let users leave, now."""
        self.asked.users[cname] = [u for u in self.asked.users.get(cname, ()) if u not in uids]
        if told:
            self.hear(*(self._event(104, uid, cname, seq) for uid in uids))

    def _event(self, kind: int, uid: int, cname: str, seq: int) -> bytes:
        at_s = (self.clock() - World().clock()) / 1000
        return body(kind, uid, seq=seq, cname=cname, at_s=at_s)

    def pass_time(self, minutes: int) -> Counter[str]:
        """Sweep at each full minute that passes; return what was done."""
        done: Counter[str] = Counter()
        for _ in range(minutes):
            self.clock.sleep(60)
            done += self.parts.channel_sweeper.sweep(seconds=50)
        return done

    def channel(self, cname: str = CNAME) -> Channel:
        """Return a channel's row."""
        return self.parts.channels.get(cname)

    def recordings(self, cname: str | None = None) -> Sequence[Any]:
        """Return the recordings that were made, newest first."""
        return self.parts.store.page(limit=1000, cname=cname).recordings

    def live(self, rule: str = "lessons") -> int:
        """Return how many places of a rule are taken, as its row counts them."""
        return int(self.table.row(f"LIVE#{rule}", "LIVE")["live"])


@pytest.fixture(autouse=True)
def _uncounted() -> Iterator[None]:
    """Leave nothing counted for the rooms of other tests."""
    yield
    metrics.clear_metrics()


@pytest.fixture
def school() -> School:
    """A school with one rule, for its lessons."""
    made = School()
    made.rule()
    return made

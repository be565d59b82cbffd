"""What goes wrong at Agora, and on the way from there: through the simulator's own fault rules."""

from __future__ import annotations

import threading
from collections import Counter
from random import Random
from typing import Any

from local.agora.faults import Rule
from local.agora.world import World

_MOST_RULES = 200  # then those that were applied are counted, and forgotten

Action = dict[str, Any]
_ANYWHERE = ("acquire", "start", "query", "stop", "update")
_DOWN: Action = {"answer": {"http": 503, "body": {"message": "Service Unavailable"}}}
_CALLS: dict[str, Action] = {
    "not done, no answer": {"drop": "before"},
    "answer lost": {"drop": "after"},
    "error 500": {"answer": {"http": 500, "reason": "Internal Error"}},
    "error 503": _DOWN,
    "too many requests": {"answer": {"http": 429, "reason": "Too Many Requests"}},
    "busy 65": {"answer": {"http": 400, "code": 65, "reason": "busy"}},
    "slow": {"delay_s": 15},
}


class Troubles:
    """Plans a fault every now and then, each for the next call, session or notification.

    Durations of what goes wrong are in Agora's own seconds, `every_s` in those of this machine.
    """

    def __init__(self, world: World, seed: int, every_s: float = 0.35) -> None:
        self._world = world
        self._chance = Random(f"{seed} Agora")
        self._every_s = every_s
        self._planned: list[tuple[str, Rule]] = []
        self._counts: Counter[str] = Counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._plan, daemon=True)

    def begin(self) -> None:
        """Let things go wrong from now on."""
        self._thread.start()

    def end(self) -> None:
        """Let nothing more go wrong; what was planned for a session's life stays."""
        self._ended.set()
        self._thread.join()
        self._forget()

    @property
    def counts(self) -> Counter[str]:
        """How often each kind has happened."""
        applied = Counter(dict.fromkeys(self._counts, 0))
        for kind, rule in self._planned:
            applied[kind] += rule.applied
        return +(self._counts + applied)

    def _plan(self) -> None:
        while not self._ended.wait(self._chance.uniform(0, 2 * self._every_s)):
            if len(self._planned) >= _MOST_RULES:
                self._forget()
            kind, match, action = self._fault()
            rule = Rule.of({"match": {**match, "times": 1}, "action": action})
            with self._world.lock:
                self._world.faults.rules.append(rule)
            self._planned.append((kind, rule))

    def _forget(self) -> None:
        """Take every rule back."""
        with self._world.lock:
            for kind, rule in self._planned:
                self._counts[kind] += rule.applied
            self._planned.clear()
            self._world.faults.rules.clear()

    def _fault(self) -> tuple[str, dict[str, Any], Action]:
        """Return a fault: its kind, what it befalls, and what is done."""
        chance = self._chance
        at = chance.random()
        if at < 0.45:
            return self._of_a_notification(chance)
        if at < 0.75:
            kind = chance.choice(sorted(_CALLS))
            endpoint = chance.choice(_ANYWHERE)
            return f"call to Agora: {kind}", {"endpoint": endpoint}, _CALLS[kind]
        return self._of_a_session(chance)

    @staticmethod
    def _of_a_notification(chance: Random) -> tuple[str, dict[str, Any], Action]:
        kinds: dict[str, Action] = {
            "lost": {"lose": True},
            "twice": {"duplicate": 1},
            "late": {"delay_s": chance.uniform(5, 300)},
        }
        kind = chance.choice(sorted(kinds))
        match: dict[str, Any] = {"endpoint": "webhook"}
        if chance.random() < 0.5:  # most are 33, and the others say more
            match["event_types"] = [chance.choice((11, 12, 30, 31, 32, 40, 41, 42))]
        return f"notification: {kind}", match, kinds[kind]

    @staticmethod
    def _of_a_session(chance: Random) -> tuple[str, dict[str, Any], Action]:
        after_s = chance.uniform(5, 700)
        fates: dict[str, Action] = {
            "dies in silence": {"kill": {"after_s": after_s}},
            "dies and says so": {"abnormal_exit": {"after_s": after_s}},
            "moves to another server": {
                "failover": [{"after_s": after_s, "window_s": chance.uniform(5, 60)}]
            },
            "does not come to record": {"never_ready": {"status": 2}},
            "its answer has no sid": {"sid_lost": True},
            "its upload takes minutes": {"upload_delay_s": chance.uniform(60, 600)},
            "files go to the backup": {"backup": {"after_s": chance.uniform(30, 600)}},
            "files are stranded": {"stranded": {"after_s": chance.uniform(30, 600)}},
        }
        kind = chance.choice(sorted(fates))
        return f"session: {kind}", {"endpoint": "start"}, fates[kind]

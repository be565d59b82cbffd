"""The app's server, which the stack calls: it is down, slow or says something else at times."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from agora_recording.callbacks.address import Place
from agora_recording.callbacks.post import TIME_OUT_S, Poster, Reply
from simulation.luck import Kinds

if TYPE_CHECKING:
    from simulation.stack import Stack

HOST = "app.example.com"
URL = f"https://{HOST}/hook"
ELSEWHERE = "https://elsewhere.example.net/hook"  # a host that no stack of the stories allows
ANSWERS: Kinds = (
    ("cannot be reached", 6),
    ("no answer, taken", 5),
    ("too slow", 4),
    ("error 500", 6),
    ("busy, Retry-After", 4),
    ("redirect", 3),
    ("gone", 1),
    ("killed before", 3),
    ("killed after", 5),
)
_LIKELIER = 3
_ONE_WAY_MS = (10, 300)
_RETRY_S = 600


class Call(NamedTuple):
    """A call that came to a server: when (ms), from a process that began then, where to, what."""

    at_ms: int
    begun_ms: int
    place: Place
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        """What it says of a recording."""
        found: dict[str, Any] = json.loads(self.body)["data"]
        return found


class Receiver(Poster):
    """What stands at the other end of each call.

    `taken` are the ids of the messages that were answered with 2xx, or would have been; `bodies`
    what each id said; `has_gone` tells that it answered 410 once: it does not forget that.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self._stack = stack
        self.calls = 0
        self.taken: set[str] = set()
        self.bodies: dict[str, bytes] = {}
        self.has_gone = False

    def post(self, place: Place, headers: Mapping[str, str], body: bytes) -> Reply:
        """Take a call, or not."""
        stack, processes = self._stack, self._stack.processes
        process = processes.current
        assert process is not None, "only a room calls the app"
        where, kind = stack.weather.befall(process, "app", ANSWERS, _LIKELIER)
        self.calls += 1
        if kind == "killed before":
            process.die()
        processes.pause(stack.luck.number(where, *_ONE_WAY_MS))
        if kind == "cannot be reached":
            return Reply(None, "the connection failed")
        call = Call(stack.clock.now_ms, process.begun_ms, place, headers, body)
        stack.contract.called(call)
        if self.has_gone or kind == "gone":
            self.has_gone = True
            return Reply(410)
        if kind == "too slow":
            processes.pause(round(TIME_OUT_S * 1000))
            return Reply(None, "no answer in time")
        refused = {
            "error 500": Reply(500),
            "busy, Retry-After": Reply(503, retry_s=_RETRY_S),
            "redirect": Reply(301),
        }
        if kind in refused:
            return refused[kind]
        self.taken.add(call.id)
        if kind == "killed after":
            process.die()
        if kind == "no answer, taken":
            return Reply(None, "the connection failed")
        return Reply(204)

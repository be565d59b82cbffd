"""The app as one that is called: it answers by script, and keeps what it was told."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from agora_recording.callbacks.address import Place
from agora_recording.callbacks.post import Poster, Reply

CALLBACK_SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Call(NamedTuple):
    """One call: when it came (ms), where to, its headers and its body."""

    at_ms: int
    place: Place
    headers: Mapping[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What the body says."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class FakePoster(Poster):
    """Answers calls: with `script` in turn, and then with `reply`. `meanwhile` is done first."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._present_ms = now_ms
        self.script: deque[Reply] = deque()
        self.reply: Callable[[Call], Reply] = lambda _: Reply(200)
        self.meanwhile: Callable[[], object] = lambda: None
        self.calls: list[Call] = []

    def post(self, place: Place, headers: Mapping[str, str], body: bytes) -> Reply:
        """Take a call."""
        call = Call(self._present_ms(), place, headers, body)
        self.calls.append(call)
        self.meanwhile()
        return self.script.popleft() if self.script else self.reply(call)

    @property
    def types(self) -> list[str]:
        """The types of the messages, in the order of the calls."""
        return [each.told["type"] for each in self.calls]

"""The wire to Agora: calls as HTTP, which take their time and some of which fail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
import requests

from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Resource, Task
from simulation.luck import Kinds

if TYPE_CHECKING:
    from simulation.processes import Process
    from simulation.stack import Stack

WIRE: Kinds = (
    ("unreachable", 4),
    ("not done, no answer", 4),
    ("answer lost", 6),
    ("too many requests", 3),
    ("error 500", 3),
    ("error 503 in HTML", 2),
    ("busy 65", 2),
    ("done, empty answer", 3),
    ("killed before", 2),
    ("killed after", 4),
)
# A server that is just being replaced: once it answers 404, although the session runs.
OF_SESSION: Kinds = (*WIRE, ("moving", 10))
OF_CHANNELS: Kinds = (
    ("no answer", 4),
    ("error 500", 4),
    ("too many requests", 3),
    ("killed after", 3),
)
_LIKELIER = 1.5
_ONE_WAY_MS = (5, 120)
_MOVE_MS = 300_000
_CONNECT_MS, _READ_MS = 3000, 8000


class Wire:
    """What the client uses in place of a `requests.Session`.

    `arrivals` are the instants (ms) at which a call came to Agora; `sent` counts the calls that
    left a room, also those that came nowhere.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.arrivals: list[int] = []
        self.sent = 0

    def request(self, _: str, url: str, *, json: Any, **__: Any) -> SimpleNamespace:
        """Send a call; return the answer, or raise as `requests` does."""
        stack, processes = self._stack, self._stack.processes
        process = processes.current
        assert process is not None, "only rooms call Agora"
        if "/channel/user/" in url:
            return self._channel_users(process, url)
        endpoint = url.rsplit("/", 1)[-1]
        kinds = OF_SESSION if "/sid/" in url and self._may_move(url) else WIRE
        place, kind = stack.weather.befall(process, f"Agora/{endpoint}", kinds, _LIKELIER)
        self.sent += 1
        stack.contract.look()
        if kind == "unreachable":
            processes.pause(_CONNECT_MS)
            raise requests.ConnectionError
        if kind == "killed before":
            process.die()
        processes.pause(stack.luck.number(place, *_ONE_WAY_MS))
        self.arrivals.append(stack.clock.now_ms)
        if kind == "not done, no answer":
            processes.pause(_READ_MS)
            raise requests.ReadTimeout
        refused = {
            "too many requests": (429, b'{"message": "API rate limit exceeded"}'),
            "error 500": (500, b'{"code": 500, "reason": "internal error"}'),
            "error 503 in HTML": (503, b"<html>Service Unavailable</html>"),
            "moving": (404, b'{"code": 404, "reason": "failed to find worker"}'),
            "busy 65": (200, b'{"code": 65, "reason": "busy"}'),
        }.get(kind)
        if kind == "moving":
            stack.agora.moved_ms[_sid(url)] = stack.clock.now_ms
        if refused and not (kind == "busy 65" and endpoint == "acquire"):
            processes.pause(stack.luck.number(f"{place} back", *_ONE_WAY_MS))
            return SimpleNamespace(status_code=refused[0], content=refused[1])
        reply = self._done(endpoint, url, json)
        if kind == "killed after":
            process.die()
        if kind == "answer lost":
            processes.pause(_READ_MS)
            raise requests.ReadTimeout
        processes.pause(stack.luck.number(f"{place} back", *_ONE_WAY_MS))
        if kind == "done, empty answer" and reply.is_ok:
            return SimpleNamespace(status_code=200, content=b"")
        return SimpleNamespace(status_code=reply.status, content=_body(reply))

    def _channel_users(self, process: Process, url: str) -> SimpleNamespace:
        """Answer who is in a channel: these calls have a limit of their own."""
        stack, processes = self._stack, self._stack.processes
        place, kind = stack.weather.befall(process, "Agora/channel", OF_CHANNELS, _LIKELIER)
        processes.pause(stack.luck.number(place, *_ONE_WAY_MS))
        answer = stack.lessons.answer(unquote(url.rpartition("/")[2]))
        if kind == "killed after":
            process.die()
        if kind == "no answer":
            processes.pause(_READ_MS)
            raise requests.ReadTimeout
        processes.pause(stack.luck.number(f"{place} back", *_ONE_WAY_MS))
        if kind == "error 500":
            return SimpleNamespace(status_code=500, content=b'{"success": false}')
        if kind == "too many requests":
            return SimpleNamespace(status_code=429, content=b"")
        return SimpleNamespace(status_code=200, content=answer)

    def _may_move(self, url: str) -> bool:
        """Tell whether a session may answer 404 just now: not twice within the time of a move."""
        moved_ms = self._stack.agora.moved_ms.get(_sid(url), 0)
        return self._stack.clock.now_ms - moved_ms >= _MOVE_MS

    def _done(self, endpoint: str, url: str, body: Any) -> Reply:
        """Let Agora do what a call asks for."""
        agora = self._stack.agora
        parts = url.split("/cloud_recording/")[1].split("/")
        if endpoint == "acquire":
            return agora.acquire(body["cname"], body["uid"], body["clientRequest"])
        names = dict(zip(parts[::2], parts[1::2], strict=False))
        about = agora.known(names["resourceid"])
        resource = Resource(
            resource_id=names["resourceid"], mode=names["mode"], cname=about[0], uid=about[1]
        )
        if endpoint == "start":
            return agora.start(resource, body["clientRequest"])
        task: Task = resource.task(names["sid"])
        if endpoint == "query":
            return agora.query(task)
        if endpoint == "stop":
            return agora.stop(task)
        return agora.update(task, body["clientRequest"])


def _sid(url: str) -> str:
    """Return the session that a call of it names."""
    return url.split("/sid/")[1].partition("/")[0]


def _body(reply: Reply) -> bytes:
    """Return an answer's body."""
    answer = reply.answer
    known = {
        "resourceId": answer.resource_id,
        "sid": answer.sid,
        "code": answer.code,
        "reason": answer.reason or None,
    }
    body: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    if answer.status is not None:
        body["serverResponse"] = {"status": answer.status}
    return msgspec.json.encode(body)

"""An Agora that answers by script."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from agora_recording.agora.bodies import STOP_FIELDS, body
from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Resource, Task
from agora_recording.errors import AgoraError


class OffScript(BaseException):
    """An endpoint was asked for that the script does not foresee; no room may take it for an
    answer. `expected` is the one it does, if any.
    """

    def __init__(self, endpoint: str, expected: str | None = None) -> None:
        self.endpoint = endpoint
        super().__init__(f"asked for {endpoint}, the script has {expected or 'nothing more'}")


Answer = Reply | AgoraError | Callable[[], Reply]


class ScriptedAgora:
    """An AgoraClient that answers what the script says next, and keeps what it was asked.

    An answer is a reply, an error to raise (the limiter's), or a function: something that happens
    meanwhile.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.reserved = 0

    @property
    def endpoints(self) -> list[str]:
        """What was called, in order."""
        return [endpoint for endpoint, _ in self.calls]

    def then(self, *answers: Answer) -> None:
        """Add to the script."""
        self.answers.extend(answers)

    def reserve_start(self) -> list[int]:
        """Give two slots, unless the script says that there are none."""
        if self.answers and isinstance(self.answers[0], AgoraError):
            raise self.answers.popleft()  # type: ignore[misc]
        self.reserved += 1
        return [1, 2]

    def acquire(self, cname: str, uid: str, fields: Mapping[str, Any], **more: Any) -> Reply:
        """Answer an acquire."""
        return self._next("acquire", body=body(cname, uid, fields), **more)

    def start(self, resource: Resource, fields: Mapping[str, Any], **more: Any) -> Reply:
        """Answer a start."""
        return self._asked("start", resource, fields, **more)

    def query(self, task: Task) -> Reply:
        """Answer a query."""
        return self._asked("query", task)

    def update(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Answer an update."""
        return self._asked("update", task, fields)

    def update_layout(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Answer a new layout."""
        return self._asked("updateLayout", task, fields)

    def stop(self, task: Task) -> Reply:
        """Answer a stop."""
        return self._asked("stop", task, STOP_FIELDS)

    def _asked(
        self,
        endpoint: str,
        about: Resource | Task,
        fields: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Reply:
        sent = {} if fields is None else {"body": body(about.cname, about.uid, fields)}
        return self._next(endpoint, **structs.asdict(about), **sent, **more)

    def _next(self, endpoint: str, **call: Any) -> Reply:
        self.calls.append((endpoint, call))
        if not self.answers:
            raise OffScript(endpoint)
        answer = self.answers.popleft()
        if isinstance(answer, AgoraError):
            raise answer
        reply = answer() if callable(answer) else answer
        if reply.endpoint != endpoint:
            raise OffScript(endpoint, reply.endpoint)
        return reply

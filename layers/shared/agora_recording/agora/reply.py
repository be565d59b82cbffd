"""The result of a call to Agora: the answer, and its meaning."""

from __future__ import annotations

from typing import Literal, NamedTuple

from agora_recording.agora.outcomes import Outcome, error_for
from agora_recording.agora.responses import Answer
from agora_recording.errors import AgoraError

Endpoint = Literal["acquire", "start", "query", "update", "updateLayout", "stop", "ncsIp"]


class Reply(NamedTuple):
    """The result of a call. `status` (HTTP) is None when there was no answer."""

    endpoint: Endpoint
    status: int | None
    answer: Answer
    outcome: Outcome
    base_url: str

    @property
    def is_ok(self) -> bool:
        """Tell whether Agora did what was asked."""
        return self.outcome.handling == "ok"

    def error(self, *, has_sid: bool = False) -> AgoraError | None:
        """Return the error that this reply means; None if it is no error.

        `has_sid`: the session's sid is known, from the reply or from elsewhere.
        """
        has_sid = has_sid or bool(self.answer.sid)
        code = self.answer.code
        return error_for(self.outcome, self.endpoint, self.status, code, has_sid=has_sid)

"""The receiver in the document works as it stands there."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest

from agora_recording.callbacks.signing import headers, key_of
from local.template import ROOT

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"type": "recording.completed", "data": {"recordingId": "01J"}}'


@pytest.fixture(scope="module")
def app() -> Any:
    text = (ROOT / "docs" / "callbacks.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code.replace("whsec_…", f"whsec_{SECRET}"), names)
    return names["app"]


def call(app: Any, sent: Mapping[str, str]) -> int:
    """Post the body to an app, as a server would; return the status that it answers."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/hook",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    answers: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(answer: dict[str, Any]) -> None:
        answers.append(answer)

    # Nothing in it waits, so no event loop is needed.
    with contextlib.suppress(StopIteration):
        app(scope, receive, send).send(None)
    status: int = answers[0]["status"]
    return status


def test_what_the_stack_signs_is_taken(app: Any, capsys: pytest.CaptureFixture[str]) -> None:
    sent = headers("01J-completed", int(time.time()), BODY, [key_of(SECRET)])
    assert call(app, sent) == 204
    assert capsys.readouterr().out == "recording.completed 01J\n"


def test_what_somebody_else_signs_is_refused(app: Any) -> None:
    sent = headers("01J-completed", int(time.time()), BODY, [b"x" * 32])
    assert call(app, sent) == 401

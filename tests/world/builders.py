"""Rows, replies and stream records for the tests of a recording's life."""

from __future__ import annotations

import json
from random import Random
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.agora.outcomes import decide
from agora_recording.agora.reply import Endpoint, Reply
from agora_recording.agora.responses import decode
from agora_recording.notifications import envelope
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import (
    TERMINAL,
    Attempt,
    Mode,
    Recording,
    SessionEnd,
    Status,
    StopReason,
    Upload,
)
from agora_recording.recording.timings import Timings
from tests.world import webhook
from tests.world.webhook import NOW_MS, SID, UID

TIMINGS = Timings()
RECORDING_ID = new_recording_id(NOW_MS, bytes(10))
RESOURCE_ID = "resource-1"
CNAME = "consultation-7"
HOST = "https://api.agora.io"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:recording"


def after(seconds: float) -> int:
    """Return the instant so long after a recording was asked for, in ms."""
    return NOW_MS + round(seconds * 1000)


# --- rows ---------------------------------------------------------------------------------------


def requested(**changes: Any) -> Recording:
    """Return a recording that was asked for, and no more."""
    fields: dict[str, Any] = {
        "recording_id": RECORDING_ID,
        "status": "requested",
        "cname": CNAME,
        "mode": "mix",
        "client_request": {"recordingConfig": {"channelType": 1}},
        "max_duration_seconds": 14_400,
        "restart_limit": 2,
        "created_ms": NOW_MS,
    }
    return Recording(**{**fields, **changes})


def attempt(number: int = 1, **changes: Any) -> Attempt:
    """Return an attempt that has a uid and nothing else."""
    return Attempt(**{"number": number, "uid": UID, "begun_ms": after(1), **changes})


def acquired(number: int = 1, **changes: Any) -> Attempt:
    """Return an attempt that has a resourceId."""
    fields = {"resource_id": RESOURCE_ID, "acquired_ms": after(1), "base_url": HOST}
    return attempt(number, **{**fields, **changes})


def running(number: int = 1, **changes: Any) -> Attempt:
    """Return an attempt that Agora was seen to record."""
    fields = {"sid": SID, "started_ms": after(2), "confirmed_ms": after(7)}
    return acquired(number, **{**fields, **changes})


def starting(**changes: Any) -> Recording:
    """Return a recording whose session has started, and was not seen to record yet."""
    begun = acquired(sid=SID, started_ms=after(2))
    return requested(**{"status": "starting", "attempt": begun, **changes})


def recording(**changes: Any) -> Recording:
    """Return a recording that Agora was seen to record."""
    fields: dict[str, Any] = {
        "status": "recording",
        "attempt": running(),
        "started_ms": after(7),
        "last_seen_ms": after(7),
        "queried_ms": after(7),
    }
    return requested(**{**fields, **changes})


def ended(end: SessionEnd = "EXITED", **changes: Any) -> Recording:
    """Return a recording whose session is over."""
    fields: dict[str, Any] = {
        "attempt": running(ended_ms=after(600), end=end),
        "session_end": end,
    }
    return recording(**{**fields, **changes})


def uploading(**changes: Any) -> Recording:
    """Return a recording whose files are awaited."""
    return ended("STOPPED", **{"status": "uploading", "stop_reason": "STOP_REQUESTED", **changes})


# --- Agora's answers ----------------------------------------------------------------------------


def reply(endpoint: Endpoint, status: int | None = 200, **body: Any) -> Reply:
    """Return what the client makes of an answer; `status` None is no answer."""
    raw = b"" if status is None else json.dumps(body).encode()
    answer = decode(raw)
    outcome = decide(
        endpoint,
        status,
        answer.code,
        answer.reason,
        has_sid=bool(answer.sid),
        has_resource_id=bool(answer.resource_id),
    )
    return Reply(endpoint, status, answer, outcome, HOST)


def silence(endpoint: Endpoint) -> Reply:
    """Return what comes of a call that nobody answers."""
    return reply(endpoint, None)


def gone(endpoint: Endpoint) -> Reply:
    """Return Agora's 404."""
    return reply(endpoint, 404, code=404, reason="failed to find worker")


def given(resource_id: str = RESOURCE_ID) -> Reply:
    """Return acquire's answer."""
    return reply("acquire", resourceId=resource_id)


def begun(sid: str = SID) -> Reply:
    """Return start's answer."""
    return reply("start", resourceId=RESOURCE_ID, sid=sid)


def state(status: int) -> Reply:
    """Return query's answer with a status of the service."""
    return reply("query", resourceId=RESOURCE_ID, sid=SID, serverResponse={"status": status})


def stopped(**body: Any) -> Reply:
    """Return stop's answer."""
    return reply("stop", **{"resourceId": RESOURCE_ID, "sid": SID, "serverResponse": {}, **body})


# --- notifications ------------------------------------------------------------------------------


def record(raw: bytes, place: str = "1", *, received_ms: int = NOW_MS) -> dict[str, Any]:
    """Return a record of the table's stream: a notification that was stored."""
    row = envelope.item(envelope.read(raw), raw, received_ms, None)
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": place, "NewImage": row},
    }


def heard(
    event_type: int,
    details: dict[str, Any] | None = None,
    *,
    place: str = "1",
    at_ms: int = NOW_MS,
    **more: Any,
) -> dict[str, Any]:
    """Return the stream's record of one event."""
    raw = webhook.body(event_type, details, sent_ms=at_ms, **more)
    return record(raw, place, received_ms=at_ms + 100)


# --- arbitrary rows, for rules that hold for all of them ----------------------------------------


def _some_attempt(random: Random, number: int) -> Attempt:
    def instant() -> int | None:
        return random.choice([None, after(random.randrange(10_000))])

    return Attempt(
        number=number,
        uid=random.choice([UID, "1", "2"]),
        begun_ms=after(random.randrange(10_000)),
        resource_id=random.choice([None, RESOURCE_ID]),
        acquired_ms=instant(),
        sid=random.choice([None, SID, "1" * 32]),
        started_ms=instant(),
        confirmed_ms=instant(),
        ended_ms=instant(),
        end=random.choice([None, *get_args(SessionEnd)]),
        gone_ms=instant(),
    )


def _some_recording(seed: int) -> Recording:
    random = Random(seed)

    def instant() -> int | None:
        return random.choice([None, after(random.randrange(10_000))])

    status: Status = random.choice(get_args(Status))
    attempts = [_some_attempt(random, number + 1) for number in range(random.randrange(4))]
    return Recording(
        recording_id=RECORDING_ID,
        status=status,
        cname=CNAME,
        mode=random.choice(get_args(Mode)),
        client_request={},
        max_duration_seconds=random.randint(1, 100_000),
        restart_limit=random.randrange(5),
        created_ms=NOW_MS,
        started_ms=instant(),
        ended_ms=instant(),
        end_reason="EXITED" if status in TERMINAL else None,
        attempt=attempts[-1] if attempts else None,
        past_attempts=attempts[:-1],
        stop_reason=random.choice([None, *get_args(StopReason)]),
        stop_ms=instant(),
        session_end=random.choice([None, *get_args(SessionEnd)]),
        task_token=random.choice([None, "token"]),
        last_seen_ms=instant(),
        queried_ms=instant(),
        gone_ms=instant(),
        gone_checks=random.randrange(10),
        gap_seen=random.choice([True, False]),
        upload=Upload(state=random.choice(["none", "uploading", "uploaded"])),
        storage_token_ms=instant(),
        looked_ms=instant(),
        late_until_ms=instant(),
        execution=random.randrange(4),
        version=random.randrange(1, 10),
    )


def recordings() -> st.SearchStrategy[Recording]:
    """Rows of any shape, also of shapes that no life leads to."""
    return st.builds(_some_recording, st.integers(0, 2**64))


def plain(row: Recording, *but: str) -> dict[str, Any]:
    """Return a row's values, but for some that two equal histories may differ in."""
    values: dict[str, Any] = msgspec.to_builtins(replace(row, version=0))
    return {name: value for name, value in values.items() if name not in but}

"""Rows, replies and stream records for the tests of a recording's life."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording import notifications
from agora_recording.agora import Endpoint, Reply
from agora_recording.agora_responses import decode
from agora_recording.outcomes import decide
from agora_recording.recording import (
    TERMINAL,
    Attempt,
    Mode,
    Recording,
    SessionEnd,
    Status,
    StopReason,
    Upload,
)
from agora_recording.recording_id import new_recording_id
from agora_recording.timings import Timings
from tests.unit import webhook
from tests.unit.webhook import NOW_MS, SID, UID

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
    answer = decode(endpoint, raw)
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
    row = notifications.item(notifications.read(raw), raw, received_ms, None)
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

_INSTANTS = st.one_of(st.none(), st.integers(NOW_MS, after(10_000)))
_STATUSES: tuple[Status, ...] = get_args(Status)


def attempts(number: int = 1) -> st.SearchStrategy[Attempt]:
    """Attempts of any shape."""
    return st.builds(
        Attempt,
        number=st.just(number),
        uid=st.sampled_from([UID, "1", "2"]),
        begun_ms=st.integers(NOW_MS, after(10_000)),
        resource_id=st.sampled_from([None, RESOURCE_ID]),
        acquired_ms=_INSTANTS,
        sid=st.sampled_from([None, SID, "1" * 32]),
        started_ms=_INSTANTS,
        confirmed_ms=_INSTANTS,
        ended_ms=_INSTANTS,
        end=st.sampled_from([None, *get_args(SessionEnd)]),
        gone_ms=_INSTANTS,
    )


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Rows of any shape, also of shapes that no life leads to."""
    past = [draw(attempts(number)) for number in range(1, draw(st.integers(0, 2)) + 1)]
    current = draw(st.one_of(st.none(), attempts(len(past) + 1)))
    status = draw(st.sampled_from(_STATUSES))
    return Recording(
        recording_id=RECORDING_ID,
        status=status,
        cname=CNAME,
        mode=draw(st.sampled_from(get_args(Mode))),
        client_request={},
        max_duration_seconds=draw(st.integers(1, 100_000)),
        restart_limit=draw(st.integers(0, 4)),
        created_ms=NOW_MS,
        started_ms=draw(_INSTANTS),
        ended_ms=draw(_INSTANTS),
        end_reason="EXITED" if status in TERMINAL else None,
        attempt=current,
        past_attempts=past if current else [],
        stop_reason=draw(st.sampled_from([None, *get_args(StopReason)])),
        stop_ms=draw(_INSTANTS),
        session_end=draw(st.sampled_from([None, *get_args(SessionEnd)])),
        task_token=draw(st.sampled_from([None, "token"])),
        last_seen_ms=draw(_INSTANTS),
        queried_ms=draw(_INSTANTS),
        gone_ms=draw(_INSTANTS),
        gone_checks=draw(st.integers(0, 9)),
        gap_seen=draw(st.booleans()),
        upload=Upload(state=draw(st.sampled_from(["none", "uploading", "uploaded"]))),
        storage_token_ms=draw(_INSTANTS),
        looked_ms=draw(_INSTANTS),
        execution=draw(st.integers(0, 3)),
        version=draw(st.integers(1, 9)),
    )


def plain(row: Recording, *but: str) -> dict[str, Any]:
    """Return a row's values, but for some that two equal histories may differ in."""
    values: dict[str, Any] = msgspec.to_builtins(replace(row, version=0))
    return {name: value for name, value in values.items() if name not in but}

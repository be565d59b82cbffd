"""Channel events as Agora sends them, and channels whose truth is known."""

from __future__ import annotations

import json
from typing import Any

from agora_recording.auto_record.presence import ChannelEvent, Told
from tests.world import webhook
from tests.world.webhook import NOW_MS

CNAME = "lesson-7"


def told(
    told: Told, uid: str | None = "7", seq: int | None = 1, at_s: float = 0, cname: str = CNAME
) -> ChannelEvent:
    """Return a channel event, so many seconds after NOW_MS."""
    return ChannelEvent(cname=cname, told=told, uid=uid, seq=seq, at_ms=NOW_MS + round(at_s * 1000))


def body(
    event_type: int = 103,
    uid: int | None = 7,
    *,
    seq: int | None = 1,
    cname: str = CNAME,
    at_s: float = 0,
    notice: str = "",
    **payload: Any,
) -> bytes:
    """Return the body of a channel event's notification."""
    at_ms = NOW_MS + round(at_s * 1000)
    about = {"channelName": cname, "ts": at_ms // 1000, "platform": 1, **payload}
    about |= {} if uid is None else {"uid": uid}
    about |= {} if seq is None else {"clientSeq": seq}
    return json.dumps(
        {
            "noticeId": notice or f"{cname}:{event_type}:{uid}:{seq}",
            "productId": 1,
            "eventType": event_type,
            "notifyMs": at_ms + 80,
            "payload": about,
        }
    ).encode()


def request(raw: bytes, secret: str) -> dict[str, Any]:
    """Return the event that API Gateway makes of a channel event's request."""
    return {**webhook.request(raw, secret), "path": "/rtc-notifications"}

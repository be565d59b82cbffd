"""What the tests of the webhook send: Agora's requests, and the examples of its documents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from agora_recording.notifications import events
from agora_recording.notifications.envelope import read
from agora_recording.notifications.events import Event

SECRET = "4b5c-a-secret-of-the-console"
NOW_MS = 1_700_000_000_000
SID = "0123456789abcdef0123456789abcdef"
UID = "527841"


def body(
    event_type: int = 33,
    details: dict[str, Any] | None = None,
    *,
    sequence: int = 0,
    sid: str = SID,
    uid: str = UID,
    cname: str = "consultation-7",
    sent_ms: int = NOW_MS,
    **envelope: Any,
) -> bytes:
    """Return a notification's body; `envelope` replaces or adds fields at its top."""
    document = {
        "noticeId": f"{sid}-{uid}-{event_type}-{sequence}",
        "productId": 3,
        "eventType": event_type,
        "notifyMs": sent_ms + 80,
        "payload": {
            "cname": cname,
            "uid": uid,
            "sid": sid,
            "sequence": sequence,
            "sendts": sent_ms,
            "serviceType": 0,
            "details": {} if details is None else details,
        },
        **envelope,
    }
    return json.dumps(document).encode()


def signature(raw: bytes, secret: str = SECRET, digest: str = "sha256") -> str:
    """Return the hex HMAC that Agora would send."""
    return hmac.new(secret.encode(), raw, getattr(hashlib, digest)).hexdigest()


def request(
    raw: bytes,
    secret: str = SECRET,
    *,
    encoded: bool = False,
    signatures: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return the event API Gateway makes of a request, signed as V2 or as `signatures` say."""
    signed = signatures or {"Agora-Signature-V2": signature(raw, secret)}
    return {
        "headers": {"Content-Type": "application/json", **signed},
        "requestContext": {"identity": {"sourceIp": "203.0.113.10"}},
        "body": base64.b64encode(raw).decode() if encoded else raw.decode(),
        "isBase64Encoded": encoded,
    }


def event(
    event_type: int = 33,
    details: dict[str, Any] | None = None,
    *,
    sequence: int = 0,
    uid: str = UID,
    at_ms: int = NOW_MS,
) -> Event:
    """Return one decoded event, received a moment after it happened."""
    raw = body(event_type, details, sequence=sequence, uid=uid, sent_ms=at_ms)
    return events.decode(read(raw), at_ms + 100)


_INDIVIDUAL = {
    "fileName": "xxx.m3u8",
    "trackType": "audio",
    "uid": "57297",
    "mixedAllUser": False,
    "isPlayable": True,
    "sliceStartTime": 1619172871089,
}
_MIX = {
    "fileName": "xxx.mp4",
    "trackType": "audio_and_video",
    "uid": "0",
    "mixedAllUser": True,
    "isPlayable": True,
    "sliceStartTime": 1619172632080,
}

DOCUMENTED: dict[int, list[dict[str, Any]]] = {
    1: [
        {
            "msgName": "cloud_recording_error",
            "module": 1,
            "errorLevel": 4,
            "errorCode": 47,
            "stat": 1,
            "errorMsg": "upload failed",
        }
    ],
    2: [{"msgName": "cloud_recording_warning", "module": 1, "warnCode": 31}],
    3: [
        {
            "msgName": "cloud_recording_status_update",
            "status": 5,
            "recordingMode": 1,
            "fileList": "xxx.m3u8",
        }
    ],
    4: [{"msgName": "cloud_recording_file_infos", "fileList": "xxx.m3u8"}],
    11: [{"msgName": "session_exit", "exitStatus": 0}],
    12: [{"msgName": "session_failover", "newUid": 3718283}],
    13: [{}],
    30: [{"msgName": "uploader_started", "status": 0}],
    31: [
        {"msgName": "uploaded", "fileList": [_INDIVIDUAL, _INDIVIDUAL], "status": 0},
        {"msgName": "uploaded", "fileList": [_MIX], "status": 0},
        {"msgName": "uploaded", "status": 0},
    ],
    32: [
        {"msgName": "backuped", "fileList": [_INDIVIDUAL, _INDIVIDUAL], "status": 0},
        {"msgName": "backuped", "fileList": [_MIX], "status": 0},
        {"msgName": "backuped", "status": 0},
    ],
    33: [{"msgName": "uploading_progress", "progress": 9876}],
    34: [{"msgName": "storage_token_expired"}],  # its examples are not published
    40: [{"msgName": "recorder_started", "status": 0}],
    41: [{"msgName": "recorder_leave", "leaveCode": 24}],
    42: [
        {
            "msgName": "recorder_slice_start",
            "startUtcMs": 1619172871089,
            "discontinueUtcMs": 1619172871089,
            "mixedAllUser": True,
            "streamUid": "0",
            "trackType": "audio_and_video",
        }
    ],
    43: [
        {
            "msgName": "recorder_audio_stream_state_changed",
            "streamUid": "57297",
            "state": 0,
            "UtcMs": 1619172871089,
        }
    ],
    44: [
        {
            "msgName": "recorder_video_stream_state_changed",
            "streamUid": "57297",
            "state": 1,
            "utcMs": 1619172871089,
        }
    ],
    45: [{"msgName": "recorder_snapshot_file", "fileName": "directory1/xxx.jpg"}],
    60: [{"msgName": "vod_started", "aliVodInfo": {"videoId": "93ab850b4f6f44eab54b6e91d24d81d4"}}],
    61: [{"msgName": "vod_triggered"}],
    70: [{"msgName": "web_recorder_started", "recorderStartTime": 1627613641393}],
    71: [
        {
            "msgName": "web_recorder_stopped",
            "code": 1,
            "message": "max_recording_hour",
            "details": "max recording hour is 4",
            "fileList": [
                {"filename": "test_p1627613634_www.m3u8", "sliceStartTime": 1627613641393},
                {"filename": "test_p1627613634_www_0.mp4", "sliceStartTime": 1627613641393},
            ],
        }
    ],
    72: [{"msgName": "web_recorder_capability_limit", "limitType": "WebGL"}],
    73: [{"msgName": "web_recorder_reload", "reason": "audio_silence"}],
    80: [{"msgName": "transcoder_started"}],
    81: [
        {
            "msgName": "transcoder_completed",
            "result": "partial_success",
            "uids": [
                {"uid": "57297", "result": "success", "fileList": [{"fileName": "xxx.mp4"}]},
                {"uid": "10230", "result": "fail"},
            ],
        },
        {
            "msgName": "transcoder_completed",
            "result": "all_success",
            "uid": "57297",
            "fileList": [{"fileName": "xxx.mp4"}],
        },
    ],
    90: [
        {
            "msgName": "download_failed",
            "vendor": 1,
            "region": 0,
            "bucket": "recordings",
            "fileName": "xxx.m3u8;xxx_1.ts;xxx_2.ts",
        }
    ],
    100: [
        {
            "msgName": "rtmp_publish_status",
            "rtmpUrl": "rtmp://live.example.com/app/a-stream-key",
            "status": "publishing",
        }
    ],
    1001: [
        {
            "msgName": "postpone_transcode_final_result",
            "result": "total_success",
            "fileList": [{"fileName": "xxx.mp4"}],
        }
    ],
}
"""Details of every event type, as the documents print or describe them."""

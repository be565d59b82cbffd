"""The events that a recording sends, with Agora's numbers. Source: Agora callbacks."""

from __future__ import annotations

from typing import Any

from .webhooks import Notifier

# payload.serviceType: which service sends the event.
SERVICE, RECORDER, UPLOADER, WEB_PAGE, DOWNLOADER = 0, 1, 2, 6, 8

EVENTS: dict[int, tuple[int, str | None]] = {
    1: (SERVICE, "cloud_recording_error"),
    2: (SERVICE, "cloud_recording_warning"),
    3: (SERVICE, "cloud_recording_status_update"),
    4: (SERVICE, "cloud_recording_file_infos"),
    11: (SERVICE, "session_exit"),
    12: (SERVICE, "session_failover"),
    13: (SERVICE, None),  # named by the best practices; its form is not published
    30: (UPLOADER, "uploader_started"),
    31: (UPLOADER, "uploaded"),
    32: (UPLOADER, "backuped"),
    33: (UPLOADER, "uploading_progress"),
    34: (UPLOADER, None),  # seen in logs only
    40: (RECORDER, "recorder_started"),
    41: (RECORDER, "recorder_leave"),
    42: (RECORDER, "recorder_slice_start"),
    43: (RECORDER, "recorder_audio_stream_state_changed"),
    44: (RECORDER, "recorder_video_stream_state_changed"),
    45: (RECORDER, "recorder_snapshot_file"),
    70: (WEB_PAGE, "web_recorder_started"),
    71: (WEB_PAGE, "web_recorder_stopped"),
    72: (WEB_PAGE, "web_recorder_capability_limit"),
    73: (WEB_PAGE, "web_recorder_reload"),
    80: (SERVICE, "transcoder_started"),  # 80 and 81 are in the document's text, not in its table
    81: (SERVICE, "transcoder_completed"),
    90: (DOWNLOADER, "download_failed"),
    100: (WEB_PAGE, "rtmp_publish_status"),
    1001: (SERVICE, "postpone_transcode_final_result"),
}

# Modules of events 1 and 2, and codes of the uploader's.
UPLOADER_MODULE, SERVICE_MODULE = 1, 2
STORAGE_MISCONFIGURED, START_TIMEOUT = 32, 52
UPLOADED_AGAIN, UPLOADED_TO_BACKUP = 31, 32
FATAL = 5


class Events:
    """Sends the events of one recording: numbers them and passes them to the notifier."""

    def __init__(
        self, notifier: Notifier, *, sid: str, cname: str, uid: str, scene: str = "rtc_record"
    ) -> None:
        self.uid = uid
        """Changes with a failover."""
        self.silent = False
        self.sequence = 0
        self._notifier = notifier
        self._sid = sid
        self._cname = cname
        self._scene = scene
        self._last_ms = 0

    def say(self, event_type: int, now_ms: int, **details: Any) -> None:
        """Send an event of `now_ms`. Events of one instant are sent a millisecond apart."""
        if self.silent:
            return
        service_type, name = EVENTS[event_type]
        payload = {
            "cname": self._cname,
            "uid": self.uid,
            "sid": self._sid,
            "sequence": self.sequence,
            "sendts": now_ms,
            "serviceType": service_type,
            "serviceScene": self._scene,
            "details": {"msgName": name, **details} if name else details,
        }
        self.sequence += 1
        self._last_ms = max(now_ms, self._last_ms + 1)
        self._notifier.notify(event_type, payload, self._last_ms)

    def warn(self, now_ms: int, code: int) -> None:
        """Send a warning of the uploader."""
        self.say(2, now_ms, module=UPLOADER_MODULE, warnCode=code)

    def fail(self, now_ms: int, *, module: int, level: int, code: int, text: str) -> None:
        """Send an error."""
        self.say(
            1,
            now_ms,
            module=module,
            errorLevel=level,
            errorCode=code,
            stat=1,
            errorMsg=text[:200],
        )

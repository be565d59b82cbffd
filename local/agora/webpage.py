"""The web page recorder: pausing, its time limit, the CDN it pushes to, the faults of pages.

Sources: Agora REST (extensionServiceConfig, update), Agora callbacks (70 to 73, 100).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .clock import Call
from .events import Events
from .plan import Plan
from .rules import CDN_PUBLISHER, WEB_RECORDER

# Event 71's codes.
STOPPED, TIME_IS_UP, CAPABILITY_LIMIT = 0, 1, 2
_MESSAGES = {
    STOPPED: "ok",
    TIME_IS_UP: "max_recording_hour",
    CAPABILITY_LIMIT: "capability_limit",
    3: "start_engine_failed",
    4: "page_load_timeout",
    5: "access_url_failed",
    6: "recorder_error",
}


class WebPage:
    """What is special to a web recording: its page, its pause, its CDN outputs."""

    def __init__(
        self,
        config: dict[str, Any],
        plan: Plan,
        events: Events,
        *,
        later: Callable[[int, float, Call], None],
        leave: Callable[[int, int, str], None],
    ) -> None:
        params = {one["serviceName"]: one["serviceParam"] for one in config["extensionServices"]}
        self._param: dict[str, Any] = params[WEB_RECORDER]
        self._outputs = [one["rtmpUrl"] for one in params.get(CDN_PUBLISHER, {}).get("outputs", ())]
        self._plan = plan
        self._events = events
        self._later = later
        self._leave = leave
        self._ready = False
        self.onhold = bool(self._param.get("onhold"))
        self.cdn: dict[str, str] = {}
        """CDN address → status."""

    @property
    def mp4_part_s(self) -> float:
        """How long an MP4 file may be."""
        return float(self._param.get("maxVideoDuration") or 120) * 60

    def begin(self, now_ms: int) -> None:
        """Start the time limit and the faults of the plan."""
        hours = self._param["maxRecordingHour"]
        too_long = f"max recording hour is {hours}"
        self._later(now_ms, hours * 3600, lambda t: self._leave(t, TIME_IS_UP, too_long))
        if stop := self._plan.web_stop:
            scripted = lambda t: self._leave(t, stop.code, "scripted stop")  # noqa: E731
            self._later(now_ms, stop.after_s, scripted)
        if reload := self._plan.web_reload:
            announce = partial(self._events.say, 73, reason=reload.reason)
            self._later(now_ms, reload.after_s, announce)
        if limit := self._plan.web_limit:
            exceed = partial(self._exceed, limit_type=limit.limit_type)
            self._later(now_ms, limit.after_s, exceed)
        if cdn := self._plan.cdn_status:
            change = partial(self._set_all, status=cdn.status)
            self._later(now_ms, cdn.after_s, change)

    def ready(self, now_ms: int) -> None:
        """Report that the page is open, and begin to push."""
        self._ready = True
        loaded = {"pageLoadSuccessTime": now_ms} if self._param.get("readyTimeout") else {}
        self._events.say(70, now_ms, recorderStartTime=now_ms, **loaded)
        self._push_to(now_ms, self._outputs)

    def stopped(self, now_ms: int, code: int, details: str, files: list[dict[str, Any]]) -> None:
        """Report that the page is closed."""
        message = _MESSAGES.get(code, "recorder_error")
        self._events.say(71, now_ms, code=code, message=message, details=details, fileList=files)

    def update(self, client_request: dict[str, Any], now_ms: int) -> None:
        """Apply `webRecordingConfig` and `rtmpPublishConfig`."""
        web, cdn = (
            client_request.get("webRecordingConfig") or {},
            client_request.get("rtmpPublishConfig"),
        )
        if "onhold" in web:
            self.onhold = web["onhold"]
            for url, status in self.cdn.items():
                if status in ("publishing", "onhold"):
                    self._set(now_ms, url, self._flowing)
        if cdn:
            self._outputs = [one["rtmpUrl"] for one in cdn.get("outputs") or ()]
            if self._ready:
                self._push_to(now_ms, self._outputs)

    @property
    def _flowing(self) -> str:
        return "onhold" if self.onhold else "publishing"

    def _push_to(self, now_ms: int, urls: list[str]) -> None:
        new = [url for url in urls if url not in self.cdn]
        self.cdn = {url: self.cdn.get(url, "") for url in urls}
        for url in new:
            self._set(now_ms, url, "connecting")
            self._later(now_ms, 1, partial(self._connected, url=url))

    def _connected(self, now_ms: int, url: str) -> None:
        if self.cdn.get(url) == "connecting":
            self._set(now_ms, url, self._flowing)

    def _set_all(self, now_ms: int, status: str) -> None:
        for url in self.cdn:
            self._set(now_ms, url, status)

    def _set(self, now_ms: int, url: str, status: str) -> None:
        if self.cdn[url] != status:
            self.cdn[url] = status
            self._events.say(100, now_ms, rtmpUrl=url, status=status)

    def _exceed(self, now_ms: int, limit_type: str) -> None:
        self._events.say(72, now_ms, limitType=limit_type)
        self._leave(now_ms, CAPABILITY_LIMIT, f"the page uses {limit_type}")

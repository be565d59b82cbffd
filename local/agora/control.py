"""The control API, under /_control: script faults, move the clock, see what happened.

Documented with examples in docs/simulator.md. Anyone who can reach the port may use it.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from .calls import ApiCall
from .channels import CODECS, Channel
from .faults import Rule
from .plan import Failover, PlanError
from .recordings import NO_USERS, TIMER, Recording
from .world import Answer, World


class ControlError(ValueError):
    """The control call is not understood; the message says what to change."""


class Control:
    """Answers the control API."""

    def __init__(self, world: World, calls: deque[ApiCall]) -> None:
        self.world = world
        self.calls = calls
        self._routes: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", "health"): lambda _: {"ok": True, "speed": world.options.speed},
            ("GET", "calls"): lambda _: {"calls": [vars(call) for call in calls]},
            ("GET", "clock"): lambda _: self._clock(),
            ("POST", "clock"): self._set_clock,
            ("GET", "faults"): lambda _: {"rules": [r.report() for r in world.faults.rules]},
            ("POST", "faults"): self._set_faults,
            ("DELETE", "faults"): lambda _: self._set_faults([]),
            ("GET", "recordings"): lambda _: {"recordings": self._recordings()},
            ("GET", "webhooks"): lambda _: self._webhooks(),
            ("POST", "webhooks"): self._set_receiver,
            ("POST", "channel"): self._set_channel,
            ("POST", "ncs"): self._set_hosts,
            ("POST", "reset"): lambda _: self._reset(),
        }

    def answer(self, method: str, path: str, headers: dict[str, str], raw: bytes) -> Answer:
        """Return (status, body) of a control call."""
        del headers
        parts = path.removeprefix("/_control/").strip("/").split("/")
        try:
            body = json.loads(raw) if raw.strip() else {}
            if len(parts) == 1 and (route := self._routes.get((method, parts[0]))):
                return 200, route(body)
            if len(parts) == 3 and method == "POST" and parts[0] == "recordings":
                return 200, self._command(parts[1], parts[2], body)
        except (ControlError, PlanError, ValueError, TypeError, KeyError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}
        return 404, {"error": f"no control route {method} {path}"}

    # --- clock ----------------------------------------------------------------------------------

    def _clock(self) -> dict[str, Any]:
        scheduler = self.world.scheduler
        return {"now_ms": scheduler.now_ms(), "held": scheduler.held, "speed": scheduler.speed}

    def _set_clock(self, body: dict[str, Any]) -> dict[str, Any]:
        if "hold" in body:
            (self.world.scheduler.hold if body["hold"] else self.world.scheduler.release)()
        settled = True
        if "advance_s" in body:
            settled = self.world.scheduler.advance(float(body["advance_s"]))
        return {**self._clock(), "settled": settled}

    # --- faults ---------------------------------------------------------------------------------

    def _set_faults(self, body: Any) -> dict[str, Any]:
        added = isinstance(body, dict) and "add" in body
        raw = body.get("add" if added else "rules") if isinstance(body, dict) else body
        if not isinstance(raw, list):
            raise ControlError("send a list of rules, or {add: [...]}")
        made = [Rule.of(one) for one in raw]
        with self.world.lock:
            if not added:
                self.world.faults.rules.clear()
            self.world.faults.rules += made
        return {"rules": [rule.report() for rule in made]}

    # --- recordings -----------------------------------------------------------------------------

    def _recordings(self) -> list[dict[str, Any]]:
        with self.world.lock:
            return [_summary(recording) for recording in self.world.recordings]

    def _command(self, sid: str, command: str, body: dict[str, Any]) -> dict[str, Any]:
        with self.world.lock:
            recording = self.world.recording(sid)
            if recording is None:
                raise ControlError(f"no recording has the sid {sid}")
            now_ms = self.world.scheduler.now_ms()
            if command == "kill":
                recording.kill(now_ms)
            elif command == "failover":
                recording.fail_over(now_ms, how=Failover(**body))
            elif command == "idle":
                recording.leave(now_ms, NO_USERS | TIMER)
            elif command == "crash":
                recording.crash(now_ms)
            elif command == "deliver":
                recording.deliver(now_ms)
            else:
                raise ControlError("commands are kill, failover, idle, crash and deliver")
            return _summary(recording)

    # --- webhooks, channels, addresses ----------------------------------------------------------

    def _webhooks(self) -> dict[str, Any]:
        with self.world.lock:
            return {"webhooks": [notice.report() for notice in self.world.notifier.sent]}

    def _set_receiver(self, body: dict[str, Any]) -> dict[str, Any]:
        receiver = self.world.notifier.receiver
        if unknown := set(body) - set(vars(receiver)):
            raise ControlError(f"no such setting: {', '.join(sorted(unknown))}")
        with self.world.lock:
            for name, value in body.items():
                setattr(receiver, name, value)
        return {name: value for name, value in vars(receiver).items() if name != "secret"}

    def _set_channel(self, body: dict[str, Any]) -> dict[str, Any]:
        users = body.get("users")
        channel = None
        if users is not None:
            codecs = {str(uid): codec for uid, codec in (body.get("codecs") or {}).items()}
            if unknown := set(codecs.values()) - set(CODECS):
                raise ControlError(f"no such codec: {', '.join(map(str, unknown))}")
            channel = Channel(
                tuple(str(uid) for uid in users),
                bool(body.get("publishing", True)),
                tuple(codecs.items()),
            )
        with self.world.lock:
            self.world.channels.set(body["cname"], channel)
            self.world.look_at_channel(body["cname"])
        return {"cname": body["cname"], "users": users}

    def _set_hosts(self, body: dict[str, Any]) -> dict[str, Any]:
        self.world.ncs_hosts = list(body["hosts"])
        return {"hosts": self.world.ncs_hosts}

    def _reset(self) -> dict[str, Any]:
        with self.world.lock:
            self.world.reset()
            self.calls.clear()
        return {"ok": True}


def _summary(recording: Recording) -> dict[str, Any]:
    return {
        "sid": recording.sid,
        "cname": recording.cname,
        "uid": recording.uid,
        "currentUid": recording.session.uid,
        "mode": recording.mode,
        "phase": recording.phase,
        "live": recording.live,
        "status": recording.status,
        "startedMs": recording.started_ms,
        "endedMs": recording.ended_ms,
        "failovers": recording.failovers,
        "uploadingStatus": recording.uploading_status,
        "prefix": recording.prefix,
        "slices": sum(len(track.slices) for track in recording.tracks),
    }

"""Agora's side of the API: resources, tasks, and what each call does to them.

Every method is called with the simulator's lock held and returns (HTTP status, body), or raises
RefusalError. Sources: Agora REST, Agora status codes, common errors, best practices.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from local.agora import answers, rules, tokens
from local.agora.channels import Channels
from local.agora.clock import Scheduler
from local.agora.faults import Faults
from local.agora.options import Options
from local.agora.plan import Plan
from local.agora.recordings import CLIENT_LEFT, TIMER, Phase, Recording, Stage
from local.agora.rules import Acquisition, Identity, RefusalError
from local.agora.uploads import Uploader
from local.agora.webhooks import Notification, Notifier

Answer = tuple[int, dict[str, Any]]


@dataclass
class Resource:
    """What `acquire` gave: valid for one start, within five minutes."""

    resource_id: str
    app_id: str
    asked: Acquisition
    acquired_ms: int
    recording: Recording | None = None


@dataclass(frozen=True)
class Target:
    """What the path of a call names."""

    app_id: str
    resource_id: str
    mode: str
    sid: str


class World:
    """Everything that Agora knows."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.lock = threading.RLock()
        self.scheduler = Scheduler(options.speed, self.lock)
        self.notifier = Notifier(options, self.scheduler)
        self.uploader = Uploader(self.scheduler, self.lock)
        self.channels = Channels(options.users)
        self.faults = Faults()
        self.ncs_hosts = list(options.ncs_hosts)
        self._resources: dict[str, Resource] = {}
        self._recordings: dict[str, Recording] = {}
        self._stage = Stage(options, self.scheduler, self.notifier, self.uploader, self.channels)
        self.scheduler.busy = lambda: self.uploader.busy or self.notifier.busy
        self.notifier.fault = self._fault_of

    def start(self) -> None:
        """Start the clock."""
        self.scheduler.start()
        self.uploader.warm_up()

    def stop(self) -> None:
        """Stop the clock; finish what is under way, begin nothing new."""
        self.scheduler.stop()
        self.uploader.close()
        self.notifier.close()

    def reset(self) -> None:
        """Forget every task, fault and webhook; the receiver and the clock stay."""
        for recording in self._recordings.values():
            recording.kill(self.scheduler.now_ms())
        self.scheduler.forget()
        self._resources.clear()
        self._recordings.clear()
        self.faults.rules.clear()
        self.channels.reset()
        self.notifier.reset(self.options)
        self.ncs_hosts = list(self.options.ncs_hosts)

    @property
    def recordings(self) -> Iterator[Recording]:
        """Yield every task there was, oldest first."""
        yield from self._recordings.values()

    def recording(self, sid: str) -> Recording | None:
        """Return the task with this sid."""
        return self._recordings.get(sid)

    def look_at_channel(self, cname: str) -> None:
        """Let the recordings of a channel follow its present users."""
        for recording in self._recordings.values():
            if recording.cname == cname and recording.live:
                recording.look_at_channel(self.scheduler.now_ms())

    def _fault_of(self, notice: Notification) -> dict[str, Any]:
        payload = notice.payload
        return self.faults.for_webhook(payload["cname"], payload["uid"], notice.event_type)

    # --- the calls ------------------------------------------------------------------------------

    def acquire(self, app_id: str, body: dict[str, Any]) -> Answer:
        """Give a resourceId."""
        asked = rules.acquire(body)
        if self._full(web=asked.scene == 1):
            raise RefusalError(400, 406, "vendor_over_load")
        resource = Resource(
            # As long as Agora's own, and as opaque.
            resource_id=secrets.token_urlsafe(160),
            app_id=app_id,
            asked=asked,
            acquired_ms=self.scheduler.now_ms(),
        )
        self._resources[resource.resource_id] = resource
        who = {"cname": asked.who.cname, "uid": asked.who.uid}
        return 200, {**who, "resourceId": resource.resource_id}

    def start_recording(
        self, app_id: str, resource_id: str, mode: str, body: dict[str, Any], plan: Plan
    ) -> Answer:
        """Start a task; the plan and the clock decide what happens to it."""
        now_ms = self.scheduler.now_ms()
        resource = self._resource(app_id, resource_id)
        who = self._identity(resource, body)
        if resource.recording is not None:
            resource.recording.object_to(now_ms)
            return self._already_started(resource.recording)
        age_ms = now_ms - resource.acquired_ms
        if age_ms > self.scheduler.span_ms(self.options.resource_id_valid_s):
            raise RefusalError(400, 433, "resourceId expired")
        if any(
            task.live and (task.app_id, task.cname, task.uid) == (app_id, who.cname, who.uid)
            for task in self._recordings.values()
        ):
            raise RefusalError(400, 53, "task conflict")
        client_request = rules.start(
            mode, body.get("clientRequest"), resource.asked, self.options, now_ms
        )
        token = self._token(app_id, mode, who, client_request)
        if self._full(web=mode == "web"):
            raise RefusalError(500, 502, "Failed to allocate worker")
        recording = Recording(
            self._stage,
            app_id=app_id,
            resource_id=resource_id,
            cname=who.cname,
            uid=who.uid,
            mode=mode,
            scene=resource.asked.scene,
            client_request=client_request,
            plan=plan,
            now_ms=now_ms,
        )
        resource.recording = recording
        self._recordings[recording.sid] = recording
        recording.begin(now_ms)
        if token:
            recording.throw_out_at(token.until_ms)
        answer = answers.identity(recording)
        if plan.sid_lost:
            del answer["sid"]
        return 200, answer

    def query(self, target: Target) -> Answer:
        """Return the state of a task."""
        recording = self._task(target)
        if recording.phase is Phase.LEAVING:
            recording.asked_while_stopping = True
        return 200, answers.query(recording)

    def update(self, target: Target, body: dict[str, Any]) -> Answer:
        """Change subscriptions, pause, CDN addresses or storage credentials."""
        recording = self._task(target, body)
        now_ms = self.scheduler.now_ms()
        client_request = rules.update(target.mode, body.get("clientRequest"), self.options, now_ms)
        recording.update(client_request, now_ms)
        return 200, answers.identity(recording)

    def update_layout(self, target: Target, body: dict[str, Any]) -> Answer:
        """Change the layout; fields that are not given return to their default."""
        recording = self._task(target, body)
        recording.layout = rules.update_layout(target.mode, body.get("clientRequest"))
        return 200, answers.identity(recording)

    def stop_recording(
        self, target: Target, body: dict[str, Any]
    ) -> Answer | tuple[Recording, threading.Event]:
        """Stop a task. Returns the answer, or (recording, event): wait, then call `stop_answer`."""
        recording = self._task(target, body)
        at_once = rules.stop(body.get("clientRequest"))
        if recording.phase is Phase.LEAVING:
            raise RefusalError(400, 49, "invalid operation")
        recording.asked_while_stopping = False
        waiter = None if at_once else recording.waiter(self.options.sync_stop_s)
        recording.leave(self.scheduler.now_ms(), CLIENT_LEFT | TIMER)
        if not recording.recorded:
            return 206, self._nothing_recorded(recording)
        if waiter is None:
            return 200, answers.stop_accepted(recording)
        return recording, waiter

    def stop_answer(self, recording: Recording) -> Answer:
        """Return the answer to a synchronous stop whose wait is over."""
        if recording.uploading_status == "unknown":
            http, code = self.options.sync_stop_timeout
            reason = "a timeout occurs in uploading the recorded files"
            return http, {"code": code, "reason": reason, **answers.stop_accepted(recording)}
        if recording.asked_while_stopping:
            return 206, answers.stop_accepted(recording)
        return 200, answers.stop(recording)

    # --- what the calls share -------------------------------------------------------------------

    def _token(
        self, app_id: str, mode: str, who: Identity, client_request: dict[str, Any]
    ) -> tokens.Token | None:
        """Return the token of a recorder that needs one. Raises RefusalError: 109, 110."""
        certificate = self.options.app_certificate
        if certificate is None or mode == "web":
            return None
        return tokens.check(
            client_request.get("token"),
            app_id=app_id,
            certificate=certificate,
            channel=who.cname,
            uid=who.uid,
            now_ms=self.scheduler.now_ms(),
        )

    def _full(self, *, web: bool) -> bool:
        most = self.options.pcw_web if web else self.options.pcw
        busy = sum(task.live and (task.mode == "web") == web for task in self._recordings.values())
        return busy >= most

    def _resource(self, app_id: str, resource_id: str) -> Resource:
        resource = self._resources.get(resource_id)
        if resource is None:
            raise RefusalError(400, 1001, "failed to decode the resourceId")
        if resource.app_id != app_id:
            raise RefusalError(400, 1003, "the App ID does not match the resourceId")
        return resource

    def _identity(self, resource: Resource, body: dict[str, Any]) -> rules.Identity:
        who = rules.identity(body, scene=resource.asked.scene)
        if who != resource.asked.who:
            raise RefusalError(400, 432, "cname or uid does not match the resourceId")
        return who

    def _task(self, target: Target, body: dict[str, Any] | None = None) -> Recording:
        resource = self._resource(target.app_id, target.resource_id)
        if body is not None:
            self._identity(resource, body)
        recording = resource.recording
        if recording is None:
            raise _not_found()
        if recording.sid != target.sid:
            raise RefusalError(400, 1003, "the sid does not match the resourceId")
        if recording.mode != target.mode:
            raise RefusalError(400, 2, f"mode: the task's mode is {recording.mode}")
        if recording.phase in (Phase.ENDED, Phase.SWITCHING):
            raise _not_found()
        age_ms = self.scheduler.now_ms() - recording.started_ms
        if age_ms > self.scheduler.span_ms(resource.asked.expires_after_hours * 3600):
            http, code = self.options.expired_task
            raise RefusalError(http, code, "resourceExpiredHour has passed")
        return recording

    def _already_started(self, recording: Recording) -> Answer:
        body = {"code": 7, "reason": "already started", "resourceId": recording.resource_id}
        if self.options.already_started_has_sid:
            body["sid"] = recording.sid
        return 201, body

    def _nothing_recorded(self, recording: Recording) -> dict[str, Any]:
        identity = answers.identity(recording)
        return {"code": 435, "reason": "no recorded data", **identity, "serverResponse": {}}


def _not_found() -> RefusalError:
    return RefusalError(404, 404, "failed to find worker")

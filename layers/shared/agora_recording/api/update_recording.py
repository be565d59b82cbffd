"""Changes a recording: subscriptions, layout, the pause of a page, CDN outputs; and its times.

Agora must have answered one change before it gets the next, so the changes of one recording take a
lease, one after the other. An accepted change is also kept in the row's clientRequest: a session
that is started again begins with the latest settings, not with the first ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from agora_recording.agora.client import AgoraClient
from agora_recording.agora.redaction import excess, redact, restore, without_secrets
from agora_recording.agora.reply import Reply
from agora_recording.agora.requests import Layout, UpdateFields
from agora_recording.agora.task import Task
from agora_recording.aws.lease import UPDATE_LEASE_S
from agora_recording.aws.sealing import Sealer
from agora_recording.clock import now_ms
from agora_recording.errors import (
    Problem,
    RecordingBusyError,
    RecordingStateError,
    RequestInvalidError,
)
from agora_recording.life.row_size import refuse_too_large
from agora_recording.life.schedules import Schedules
from agora_recording.life.store import Note, RecordingStore
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import RANK, Recording, seen
from agora_recording.request.changes import rewrap, unwrap
from agora_recording.request.check import check_layout, check_times, check_update
from agora_recording.request.conformance import Checked, present
from agora_recording.request.rules import items, list_names, members
from agora_recording.request.times import (
    TIME_FIELDS,
    TimeChanges,
    Times,
    read_times,
    time_problems,
)

Endpoint = Literal["update", "updateLayout"]

_TURN_S = 5  # how long a change waits for the one before it
_TURN_GAP_S = 0.25
_AGAIN_S = 3  # Agora docs: common errors, 65
_NOT_KEPT = Problem(
    "body",
    "has an address with a query, or another secret: Agora gets it, but it is not kept; a session "
    "that is started again gets the address without its query",
)
_FIELDS = frozenset(UpdateFields.__struct_fields__ + Layout.__struct_fields__)


# --- what holds from now on ---------------------------------------------------------------------


def with_update(client_request: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the clientRequest with which a new session begins after an update. Pure."""
    request = dict(client_request)
    subscribe = members(changes.get("streamSubscribe"))
    if subscribe:
        request["recordingConfig"] = _subscribed(members(request.get("recordingConfig")), subscribe)
    services = items(members(request.get("extensionServiceConfig")).get("extensionServices"))
    hold = members(changes.get("webRecordingConfig"))
    if "onhold" in hold:
        services = [_with_param(each, "onhold", hold["onhold"]) for each in services]
    outputs = members(changes.get("rtmpPublishConfig")).get("outputs")
    if outputs is not None:
        services = _published(services, [each for each in outputs if "rtmpUrl" in each])
    if services:
        extension = members(request.get("extensionServiceConfig"))
        request["extensionServiceConfig"] = {**extension, "extensionServices": services}
    return request


def with_layout(client_request: Mapping[str, Any], layout: Mapping[str, Any]) -> dict[str, Any]:
    """Return the clientRequest with a new layout: fields that it leaves out are reset. Pure."""
    config = members(client_request.get("recordingConfig"))
    size = {
        name: value
        for name, value in members(config.get("transcodingConfig")).items()
        if name not in Layout.__struct_fields__
    }
    # The row must hold no secret, even in an undocumented field of a layout.
    transcoding = {**size, **without_secrets(layout)}
    return {**client_request, "recordingConfig": {**config, "transcodingConfig": transcoding}}


def _subscribed(config: Mapping[str, Any], subscribe: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the lists of each medium that the update names; keep the other's lists."""
    changed = dict(config)
    for kind in ("Audio", "Video"):
        lists = subscribe.get(f"{kind.lower()}UidList")
        if lists is not None:
            # All of them: a list that is left over would contradict the new one.
            for name in list_names(kind):
                changed.pop(name, None)
                if name in lists:
                    changed[name] = lists[name]
    return changed


_RECORDER, _PUBLISHER = "web_recorder_service", "rtmp_publish_service"


def _with_param(service: Mapping[str, Any], name: str, value: object) -> dict[str, Any]:
    if service.get("serviceName") != _RECORDER:
        return dict(service)
    return {**service, "serviceParam": {**members(service.get("serviceParam")), name: value}}


def _published(services: list[Any], outputs: list[Any]) -> list[Any]:
    others = [each for each in services if each.get("serviceName") != _PUBLISHER]
    publisher = next((each for each in services if each not in others), {"serviceName": _PUBLISHER})
    return [*others, {**publisher, "serviceParam": {"outputs": outputs}}] if outputs else others


def with_times(recording: Recording, changes: Times, now_ms: int) -> Recording:
    """Return the recording with other times; those that are None stay. Pure.

    Raises RecordingStateError when it is too late for the change, RequestInvalidError for times
    that cannot be.
    """
    is_scheduled = recording.status == "scheduled"
    if changes.start_ms is not None and not is_scheduled:
        raise RecordingStateError(
            "The start time can be changed only while the status is scheduled; the status of this "
            f"recording is {recording.status}."
        )
    if recording.stop_reason or RANK[recording.status] >= RANK["stopping"]:
        raise RecordingStateError("This recording is being stopped; it cannot be changed any more.")
    times = Times(
        recording.start_at_ms if changes.start_ms is None else changes.start_ms,
        recording.stop_at_ms if changes.stop_ms is None else changes.stop_ms,
    )
    begun_ms = recording.started_ms or recording.wanted_ms
    problems = time_problems(times, now_ms, begun_ms=None if is_scheduled else begun_ms)
    start_ms = (times.start_ms or begun_ms) if is_scheduled else begun_ms
    longest_ms = start_ms + recording.max_duration_seconds * 1000
    if not problems and changes.stop_ms is not None and changes.stop_ms > longest_ms:
        rule = f"must be at most maxDurationSeconds ({recording.max_duration_seconds}) after it"
        problems = [Problem("stopAt", f"{rule} begins; a longer one needs a request of its own")]
    if problems:
        raise RequestInvalidError(problems)
    return replace(recording, start_at_ms=times.start_ms, stop_at_ms=times.stop_ms)


def running(recording: Recording) -> Task:
    """Return the session that a change can reach. Pure.

    Raises RecordingStateError if there is none, RecordingBusyError while the next one starts.
    """
    if recording.status != "recording":
        raise RecordingStateError(
            "A recording can be changed only while its status is recording; the status of this one "
            f"is {recording.status}."
        )
    if recording.stop_reason:
        raise RecordingStateError("This recording is being stopped; it cannot be changed any more.")
    task = recording.task
    if task is None or recording.session_end:
        raise RecordingBusyError("This recording is being restarted; try again in a moment.")
    return task


def words(endpoint: Endpoint, body: Mapping[str, Any]) -> str:
    """Return what was changed, for the timeline: never a value, since it may be a secret."""
    if endpoint == "updateLayout":
        return "The app changed the layout."
    hold = members(body.get("webRecordingConfig")).get("onhold")
    outputs = members(body.get("rtmpPublishConfig")).get("outputs")
    told = []
    if "streamSubscribe" in body:
        told.append("changed the subscriptions")
    if hold is not None:
        told.append("paused the recording" if hold else "resumed the recording")
    if outputs is not None:
        told.append(f"set {len(outputs)} CDN output{'' if len(outputs) == 1 else 's'}")
    return f"The app {' and '.join(told) or 'sent an update that changes nothing'}."


# --- the act ------------------------------------------------------------------------------------


class _Kept(NamedTuple):
    """What the row holds after a change: the clientRequest, its sealed secrets, and warnings."""

    request: dict[str, Any]
    sealed: list[str]
    warnings: tuple[Problem, ...] = ()


class _Changer(msgspec.Struct, kw_only=True):
    """Changes recordings: what updates and layouts have in common."""

    store: RecordingStore
    agora: AgoraClient
    now_ms: Callable[[], int] = now_ms
    sleep: Callable[[float], None] = time.sleep

    def _change(
        self,
        recording_id: str,
        endpoint: Endpoint,
        body: Mapping[str, Any],
        check: Callable[[object, object], Checked],
        keep: Callable[[Recording, Mapping[str, Any]], _Kept],
    ) -> tuple[Recording, tuple[Problem, ...]]:
        """Check a change, tell Agora of it, and write what holds then; `keep` computes that.

        What the row has no room for is refused before Agora is told.
        """
        check_recording_id(recording_id)
        recording = self.store.get(recording_id)
        given = unwrap(body)
        body = present(given.fields, UpdateFields if endpoint == "update" else Layout)
        checked = rewrap(check(recording.mode, body), given, recording.cname)
        if checked.problems:
            raise RequestInvalidError(checked.problems)
        running(recording)  # fail early, before the lease is taken
        with self._turn(recording_id):
            recording = self.store.get(recording_id)
            task = running(recording)
            kept = keep(recording, body)
            changed = replace(recording, client_request=kept.request, sealed=kept.sealed)
            refuse_too_large(changed, "body")
            self._tell(recording, task, endpoint, body)
            now = self.now_ms()
            fields = [name for name in body if name in _FIELDS]
            after = self.store.amend(
                recording_id,
                lambda row: seen(
                    replace(row, client_request=kept.request, sealed=kept.sealed), now
                ),
                lambda *_: [Note(now, endpoint, words(endpoint, body), {"fields": fields})],
            )
        if after.sid != task.sid:
            raise RecordingBusyError(
                "This recording was restarted in the meantime; send the request again."
            )
        return after, (*checked.warnings, *kept.warnings)

    @contextmanager
    def _turn(self, recording_id: str) -> Iterator[None]:
        lease = self.store.update_lease(recording_id, self.now_ms)
        end_ms = self.now_ms() + _TURN_S * 1000
        while lease.take(UPDATE_LEASE_S) is None:
            if self.now_ms() >= end_ms:
                raise RecordingBusyError(
                    "Another update of this recording is not answered yet; try again in a moment."
                )
            self.sleep(_TURN_GAP_S)
        try:
            yield
        finally:
            lease.release()

    def _tell(
        self, recording: Recording, task: Task, endpoint: Endpoint, body: Mapping[str, Any]
    ) -> None:
        """Send the change; return when Agora has accepted. An error of Agora is retried once."""
        reply = self._call(task, endpoint, body)
        if reply.outcome.handling in ("retry_same", "slow_down") and reply.status is not None:
            self.sleep(_AGAIN_S)
            reply = self._call(task, endpoint, body)
        error = reply.error()
        if error is None:
            return
        now, handling = self.now_ms(), reply.outcome.handling
        if handling == "confirm_gone":
            # It is moving to another server, or over: the sweeper must query it soon.
            self.store.amend(recording.recording_id, lambda row: replace(row, gap_seen=True))
        # Agora's own words stay out of the timeline: they may repeat an address.
        data = {"endpoint": endpoint, "status": reply.status, "code": reply.answer.code}
        text = f"Agora did not accept a change: {handling.replace('_', ' ')}."
        self.store.note(recording.recording_id, Note(now, "refused", text, data))
        if handling == "ended":
            raise RecordingStateError("This recording is ending; it cannot be changed any more.")
        raise error

    def _call(self, task: Task, endpoint: Endpoint, body: Mapping[str, Any]) -> Reply:
        is_layout = endpoint == "updateLayout"
        return (self.agora.update_layout if is_layout else self.agora.update)(task, body)


class Updater(_Changer, kw_only=True):
    """Changes subscriptions, the pause of a page, CDN outputs, whose addresses it seals; times."""

    sealer: Sealer
    schedules: Schedules

    def update(
        self, recording_id: str, body: Mapping[str, Any]
    ) -> tuple[Recording, tuple[Problem, ...]]:
        """Update subscriptions, pause or CDN outputs, or the times; return recording and warnings.

        Raises RecordingNotFoundError; RequestInvalidError; RecordingStateError; RecordingBusyError;
        RateLimitedError and what `agora.outcomes` names. A repetition does no harm.
        """
        if any(name in body for name in TIME_FIELDS):
            return self._reschedule(recording_id, body), ()
        return self._change(recording_id, "update", body, check_update, self._kept)

    def _reschedule(self, recording_id: str, body: Mapping[str, Any]) -> Recording:
        """Change the times; first in the row, which decides, then in the schedules."""
        check_recording_id(recording_id)
        problems = list(check_times(body).problems)
        changes = Times() if problems else read_times(present(body, TimeChanges), problems)
        if problems:
            raise RequestInvalidError(problems)
        now = self.now_ms()
        words = "The app changed the times."
        after = self.store.amend(
            recording_id,
            lambda row: with_times(row, changes, now),
            lambda *_: [Note(now, "times", words, {"fields": [*body]})],
        )
        self.schedules.change(after)
        return after

    def _kept(self, recording: Recording, body: Mapping[str, Any]) -> _Kept:
        request, sealed = recording.client_request, recording.sealed
        if "rtmpPublishConfig" not in body:
            return _Kept(with_update(request, body), sealed)
        # Its addresses hold stream keys.
        secrets = self.sealer.unseal(recording.recording_id, sealed)
        shown, secrets = redact(with_update(restore(request, secrets), body))
        broken = excess(secrets)
        if broken:
            raise RequestInvalidError([Problem("rtmpPublishConfig", rule) for rule in broken])
        return _Kept(shown, self.sealer.seal(recording.recording_id, secrets))


class LayoutUpdater(_Changer, kw_only=True):
    """Changes layouts. It cannot seal: of what may be secret in a layout, the row keeps nothing."""

    def lay_out(
        self, recording_id: str, body: Mapping[str, Any]
    ) -> tuple[Recording, tuple[Problem, ...]]:
        """Replace the layout of a mix recording; otherwise as `Updater.update`."""
        return self._change(recording_id, "updateLayout", body, check_layout, self._kept)

    def _kept(self, recording: Recording, body: Mapping[str, Any]) -> _Kept:
        request = with_layout(recording.client_request, body)
        is_whole = without_secrets(body) == body
        return _Kept(request, recording.sealed, () if is_whole else (_NOT_KEPT,))

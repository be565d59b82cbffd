"""One recording's life at Agora: joining, slicing, leaving, dying.

Every method is called with the simulator's lock held, and gets the instant at which it happens.
Sources: Agora callbacks (which event when), Agora REST (statuses), best practices (failover).
"""

from __future__ import annotations

import json
import random
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from local.agora import events, media, products, webm
from local.agora.channels import Channels
from local.agora.clock import Call, Scheduler
from local.agora.events import Events
from local.agora.files import (
    BY_USER,
    Names,
    PlaylistStyle,
    Session,
    Slice,
    Track,
    merged_playlist,
    playlist,
)
from local.agora.options import Options
from local.agora.outbox import Make, Outbox
from local.agora.plan import Backup, Failover, Plan
from local.agora.products import Product
from local.agora.subscription import Stream, Subscription
from local.agora.uploads import Storage, Uploader
from local.agora.webhooks import Notifier
from local.agora.webpage import WebPage

# Seconds between the answer to `start` and each step of starting; Agora documents none of them.
STARTING_S, UPLOADER_READY_S, READY_S, REGISTERED_S = 0.4, 0.8, 1.2, 2.0

# Why a recorder left, as bits of event 41's leaveCode. The timer bit is to be ignored.
SIGNALLED, NO_USERS, TIMER, CLIENT_LEFT = 2, 4, 8, 16

MOST_FAILOVERS = 3


class Phase(StrEnum):
    """The phase of a task, as the API shows it."""

    RUNNING = "running"
    SWITCHING = "switching"
    """Moving to another server: 404, although the recording goes on."""
    LEAVING = "leaving"
    ENDED = "ended"


@dataclass
class Stage:
    """What all recordings share."""

    options: Options
    scheduler: Scheduler
    notifier: Notifier
    uploader: Uploader
    channels: Channels


class Recording:
    """A task, from the answer to `start` on."""

    def __init__(
        self,
        stage: Stage,
        *,
        app_id: str,
        resource_id: str,
        cname: str,
        uid: str,
        mode: str,
        scene: int,
        client_request: dict[str, Any],
        plan: Plan,
        now_ms: int,
    ) -> None:
        self.app_id = app_id
        self.resource_id = resource_id
        self.sid = secrets.token_hex(16)
        self.cname = cname
        self.uid = uid
        self.mode = mode
        self.started_ms = now_ms
        self.ended_ms: int | None = None
        self.status = 1
        self.phase = Phase.RUNNING
        self.uploading_status = "unknown"
        self.asked_while_stopping = False
        """Whether a query came between a synchronous stop and its answer."""
        self.screenshots = 0
        self.layout: dict[str, Any] = {}
        self.failovers = 0
        self._options = stage.options
        self.sessions = [Session(uid, self._names())]
        self.products: list[Product] = []

        self._stage = stage
        self._scheduler = stage.scheduler
        self._scene = scene
        self._client_request = client_request
        self._plan = plan
        self._config: dict[str, Any] = client_request.get("recordingConfig") or {}
        self._subscription = Subscription(self._config, stage.options.exclusion_spelling)
        self._events = Events(
            stage.notifier, sid=self.sid, cname=cname, uid=uid, scene=self._service_scene
        )
        storage = client_request["storageConfig"]
        self._outbox = Outbox(
            stage.uploader,
            Storage.of(storage, stage.options.s3_endpoint_url),
            "".join(f"{part}/" for part in storage.get("fileNamePrefix") or ()),
            refused=self._file_refused,
            settled=self._finish_if_all_is_there,
        )
        self.web = None
        if mode == "web":
            self.web = WebPage(
                client_request["extensionServiceConfig"],
                plan,
                self._events,
                later=self._while_running,
                leave=lambda t, code, why: self.leave(t, CLIENT_LEFT, code, why),
            )
        self._server = object()
        """Stands for the server at work: timers of an earlier server do nothing."""
        self._joined = False
        self._progress = 0
        self._idle_since_ms: int | None = None
        self._streams: set[Stream] = set()
        self._last_files_out = False
        self._waiters: list[threading.Event] = []
        self._to_come: list[Call] = []

    # --- what others ask ------------------------------------------------------------------------

    @property
    def live(self) -> bool:
        """Whether Agora still works on (and bills) it."""
        return self.phase is not Phase.ENDED

    @property
    def session(self) -> Session:
        """Return the part of the server that is at work."""
        return self.sessions[-1]

    @property
    def tracks(self) -> Iterator[Track]:
        """Yield every track of every server that has slices."""
        for session in self.sessions:
            yield from (track for track in session.tracks.values() if track.slices)

    @property
    def recorded(self) -> bool:
        """Whether anything was recorded."""
        return self.screenshots > 0 or any(True for _ in self.tracks)

    @property
    def prefix(self) -> str:
        """Return the prefix of every file's key in the bucket."""
        return self._outbox.prefix

    @property
    def makes_mp4(self) -> bool:
        """Whether `avFileType` asks for MP4 files."""
        return "mp4" in self._file_types

    @property
    def is_known_to_strand(self) -> bool:
        """Whether the plan lets files strand, and an asynchronous stop say so."""
        return self._plan.stranded is not None and self._plan.stranded.told

    @property
    def _file_types(self) -> list[str]:
        return (self._client_request.get("recordingFileConfig") or {}).get("avFileType") or ["hls"]

    @property
    def _makes_hls(self) -> bool:
        return "hls" in self._file_types

    @property
    def _service_scene(self) -> str:
        """Return what its events call the kind of recording."""
        if self.mode == "raw":
            return "rtsc/raw-recording"
        if self.mode == "web":
            return "web_record"
        return "rtc_snapshot" if self.screenshots_only else "rtc_record"

    @property
    def takes_screenshots(self) -> bool:
        """Whether there is a snapshotConfig."""
        return self._client_request.get("snapshotConfig") is not None

    @property
    def screenshots_only(self) -> bool:
        """Whether nothing but screenshots is made."""
        return self.takes_screenshots and self._client_request.get("recordingFileConfig") is None

    def waiter(self, seconds: float) -> threading.Event:
        """Return an event that is set when the recording has finished, or after `seconds`."""
        alarm = self._scheduler.alarm(seconds)
        self._waiters.append(alarm)
        return alarm

    def _names(self, backup: int | None = None) -> Names:
        return Names(
            self.sid,
            self.cname,
            self.mode,
            backup=backup,
            dashes=self._options.dashes_in_every_mode,
            slices_in_ms=self.mode == "web" and self._options.web_slices_in_ms,
        )

    # --- starting -------------------------------------------------------------------------------

    def begin(self, now_ms: int) -> None:
        """Plan everything that follows an accepted `start`."""
        plan = self._plan
        self._later(now_ms, STARTING_S, self._starting)
        self._later(now_ms, UPLOADER_READY_S, self._uploader_ready)
        self._later(now_ms, READY_S, self._ready)
        if plan.kill:
            self._some_day(now_ms, plan.kill.after_s, self.kill)
        if plan.abnormal_exit:
            self._some_day(now_ms, plan.abnormal_exit.after_s, self.crash)
        for failover in plan.failover:
            self._some_day(now_ms, failover.after_s, partial(self.fail_over, how=failover))
        if error := plan.error:
            about = {"module": error.module, "level": error.level, "code": error.code}
            say = partial(self._events.fail, text="scripted error", **about)
            self._while_running(now_ms, error.after_s, say)
        if expired := plan.token_expired:
            self._while_running(now_ms, expired.after_s, partial(self._events.say, 34))
        if self.web:
            self.web.begin(now_ms)

    def _starting(self, now_ms: int) -> None:
        del now_ms
        self._reach(2)

    def _reach(self, status: int) -> bool:
        """Go on to a status of starting; return False if the plan keeps it in an earlier one."""
        stuck = self._plan.never_ready
        if stuck and status > stuck.status:
            return False
        self.status = max(self.status, status)
        return True

    def _uploader_ready(self, now_ms: int) -> None:
        if self._reach(3):
            self._events.say(30, now_ms, status=0)

    def _ready(self, now_ms: int) -> None:
        if not self._reach(4):
            return
        if self.web:
            self.web.ready(now_ms)
        else:
            self._events.say(40, now_ms, status=0)
        if self._options.event_13:
            self._later(now_ms, REGISTERED_S, partial(self._events.say, 13))
        self._later(now_ms, self._options.progress_s, self._report_progress)
        self._joined = True
        self.look_at_channel(now_ms)
        if self.takes_screenshots:
            interval_s = self._client_request["snapshotConfig"].get("captureInterval") or 10
            self._later(now_ms, interval_s, partial(self._take_screenshots, interval_s=interval_s))

    def _report_progress(self, now_ms: int) -> None:
        self._say_progress(now_ms)
        self._later(now_ms, self._options.progress_s, self._report_progress)

    def _say_progress(self, now_ms: int) -> None:
        self._progress = max(self._progress, self._outbox.progress)
        self._events.say(33, now_ms, progress=self._progress)

    # --- who is heard ---------------------------------------------------------------------------

    def look_at_channel(self, now_ms: int) -> None:
        """Open and close tracks for the users who publish and are subscribed to now."""
        if not self._joined or self.phase is not Phase.RUNNING:
            return
        before, self._streams = self._streams, self._audible()
        self._say_streams(before, self._streams, now_ms)
        wanted = self._wanted_tracks()
        for key, track in self.session.tracks.items():
            if track.open_since_ms is not None and key not in wanted:
                self._close_slice(track, now_ms)
        for key in wanted:
            self._open_track(*key, now_ms)
        self._watch_idleness(now_ms)

    def _audible(self) -> set[Stream]:
        if self.web or self._plan.nobody_published:
            return set()
        publishers = self._stage.channels.publishers(self.cname, self._subscription.named)
        return self._subscription.streams(publishers)

    def _wanted_tracks(self) -> list[tuple[str, str]]:
        """Return (uid, kind) of the tracks that today's streams make."""
        if self.screenshots_only:
            return []
        if self.web:
            return [] if self.web.onhold else [("0", "audio_and_video")]
        if self.mode == "individual":
            return sorted(self._streams)
        if self.mode == "raw":
            return [(uid, self._kind_of(uid)) for uid in sorted({uid for uid, _ in self._streams})]
        return [("0", self._subscription.kind)] if self._streams else []

    def _kind_of(self, uid: str) -> str:
        """Return the kind of a user's track in raw mode: it keeps the one it began with."""
        if track := self.session.of_user(uid):
            return track.kind
        kinds = [kind for each, kind in self._streams if each == uid]
        return kinds[0] if len(kinds) == 1 else "audio_and_video"

    def _say_streams(self, before: set[Stream], after: set[Stream], now_ms: int) -> None:
        for uid, kind in sorted(before ^ after):
            self._events.say(
                43 if kind == "audio" else 44,
                now_ms,
                streamUid=uid,
                state=0 if (uid, kind) in after else 1,
                utcMs=now_ms,  # as in real notifications; the document writes UtcMs
            )

    def _watch_idleness(self, now_ms: int) -> None:
        live_channel = self._config.get("channelType") == 1
        if self.web or self._stage.channels.occupied(self.cname, live=live_channel):
            self._idle_since_ms = None
        elif self._idle_since_ms is None:
            self._idle_since_ms = now_ms
            patience_s = self._config.get("maxIdleTime") or 30
            self._later(now_ms, patience_s, partial(self._exit_if_idle, since_ms=now_ms))

    def _exit_if_idle(self, now_ms: int, since_ms: int) -> None:
        if self._idle_since_ms == since_ms:
            self.leave(now_ms, NO_USERS | TIMER)

    # --- slices ---------------------------------------------------------------------------------

    def _open_track(self, uid: str, kind: str, now_ms: int) -> None:
        codec = self._stage.channels.codec(self.cname, uid)
        track = self.session.track(uid, kind, codec)
        if track.open_since_ms is not None:
            return
        self._open_slice(track, now_ms)
        if not self.web:
            self._events.say(
                42,
                now_ms,
                startUtcMs=now_ms,
                discontinueUtcMs=track.slices[-1].end_ms if track.slices else now_ms,
                mixedAllUser=self.mode == "mix",
                streamUid=uid,
                trackType=kind,
            )

    def _open_slice(self, track: Track, now_ms: int) -> None:
        track.open_since_ms = now_ms
        full = partial(self._slice_full, track=track, since_ms=now_ms)
        self._later(now_ms, self._options.slice_s, full)

    def _slice_full(self, now_ms: int, track: Track, since_ms: int) -> None:
        if track.open_since_ms == since_ms:
            self._close_slice(track, now_ms)
            self._open_slice(track, now_ms)

    def _close_slice(self, track: Track, now_ms: int) -> None:
        if (piece := track.cut(now_ms)) is not None:
            self._upload_slice(track, piece)
            self._upload_playlist(track)

    def _upload_slice(self, track: Track, piece: Slice) -> None:
        if not self._makes_hls:
            return
        number = len(track.slices) - 1
        backup = self._backup
        for name, make in _slice_files(track, piece):
            if backup and backup.first <= number < backup.first + backup.slices:
                self._outbox.withhold(name, make)
            else:
                self._outbox.put(name, make, self._first_file_stored)

    @property
    def _backup(self) -> Backup | None:
        return self._plan.backup or self._plan.stranded

    def _first_file_stored(self, now_ms: int) -> None:
        del now_ms
        if self.status == 4:
            self.status = 5

    def _upload_playlist(self, track: Track, *, ended: bool = False) -> None:
        if not self._makes_hls or (ended and self._plan.reupload):
            return  # the bucket keeps the earlier one; the complete one comes from the backup
        text = playlist(track, self._style, ended=ended)
        stored = partial(self._playlist_stored, track=track)
        self._outbox.put(track.playlist, partial(bytes, text), stored)

    @property
    def _style(self) -> PlaylistStyle:
        try:
            private = json.loads(self._config.get("privateParams") or "{}")
        except ValueError:
            private = None
        return PlaylistStyle(
            comma=isinstance(private, dict) and private.get("correctEXTINF") is True,
            time_in_ms=self._options.tag_time_in_ms,
        )

    def _playlist_stored(self, now_ms: int, track: Track) -> None:
        if track.named:
            return
        track.named = True
        for _ in range(self._options.event_4_times):
            self._events.say(4, now_ms, fileList=self.listed(track.playlist))
        if self.mode == "individual" and self._config.get("streamMode") == "standard":
            self._upload_merged(track.uid)

    def _upload_merged(self, uid: str) -> None:
        """Write the index that joins a user's audio and video, once both have an index."""
        session = self.session
        audio, video = (session.tracks.get((uid, kind)) for kind in ("audio", "video"))
        both = [each for each in (audio, video) if each is not None and each.named]
        if len(both) == 2 or (both and self._options.merged_without_media):
            names = (session.names.medium(uid, kind) + ".m3u8" for kind in ("audio", "video"))
            name = session.names.medium(uid, "audio_and_video") + ".m3u8"
            self._outbox.put(name, partial(bytes, merged_playlist(*names)))

    def _take_screenshots(self, now_ms: int, interval_s: float) -> None:
        for uid, kind in sorted(self._streams):
            if kind == "video":
                name = self.session.names.screenshot(uid, now_ms)
                self.screenshots += 1
                self._outbox.put(name, media.jpeg, partial(self._screenshot_stored, name=name))
        self._later(now_ms, interval_s, partial(self._take_screenshots, interval_s=interval_s))

    def _screenshot_stored(self, now_ms: int, name: str) -> None:
        self._first_file_stored(now_ms)
        self._events.say(45, now_ms, fileName=self.prefix + name)

    def _file_refused(self, now_ms: int, reason: str, name: str, make: Make) -> None:
        """Give up when the very first file is refused; later ones go to the backup."""
        if not self.live:
            return
        if self._outbox.stored or self.phase is not Phase.RUNNING:
            self._events.warn(now_ms, events.UPLOADED_AGAIN)
            self._outbox.withhold(name, make)
            self._events.warn(now_ms, events.UPLOADED_TO_BACKUP)
            return
        self._events.fail(
            now_ms,
            module=events.UPLOADER_MODULE,
            level=events.FATAL,
            code=events.STORAGE_MISCONFIGURED,
            text=f"storage: {reason}",
        )
        self._events.say(11, now_ms, exitStatus=1)
        self._end(now_ms, status=20)

    # --- leaving --------------------------------------------------------------------------------

    def leave(self, now_ms: int, leave_code: int, web_code: int = 0, why: str = "") -> None:
        """Leave the channel, upload the remaining files, report the end."""
        if self.phase is not Phase.RUNNING:
            return
        self.phase = Phase.LEAVING
        self.status = 6
        self._server = object()
        loose = [
            (track, piece)
            for track in self.session.tracks.values()
            if (piece := track.cut(now_ms)) is not None
        ]
        part_s = self.web.mp4_part_s if self.web else self._options.mp4_part_s
        longest_ms = self._scheduler.span_ms(part_s)
        if self.makes_mp4:
            self.products = products.mp4_files(self.sessions, longest_ms)
        elif "mp3" in self._file_types:
            self.products = products.mp3_files(self.sessions, longest_ms, self._options.mp3_names)
        if self.web:
            self.web.stopped(now_ms, web_code, why or "the user stopped", self.web_files())
        elif self._joined:
            self._events.say(41, now_ms, leaveCode=leave_code)
        rest = partial(self._upload_rest, loose=loose)
        self._later(now_ms, self._plan.upload_delay_s, rest)

    def _upload_rest(self, now_ms: int, loose: list[tuple[Track, Slice]]) -> None:
        if self._backup and not self._outbox.withheld and loose:
            track, piece = loose.pop()
            for name, make in _slice_files(track, piece):
                self._outbox.withhold(name, make)
        for track, piece in loose:
            self._upload_slice(track, piece)
        for track in self.session.tracks.values():
            if track.slices:
                self._upload_playlist(track, ended=True)
        if self._plan.mp4_delay_s is None:
            for product in self.products:
                self._outbox.put(product.name, product.make)
        self._last_files_out = True
        self._finish_if_all_is_there(now_ms)

    def _finish_if_all_is_there(self, now_ms: int) -> None:
        if self._last_files_out and self._outbox.idle and self.phase is Phase.LEAVING:
            self._last_files_out = False
            self._finish(now_ms)

    def _finish(self, now_ms: int) -> None:
        """Report that all is uploaded: 11 before 31, 43 and 44 last, as in real sessions."""
        backup = bool(self._outbox.withheld or self._plan.reupload)
        is_stranded = self._plan.stranded is not None and bool(self._outbox.withheld)
        self.uploading_status = "stranded" if is_stranded else "backuped" if backup else "uploaded"
        if self.recorded:
            self._say_progress(now_ms)
            if self._backup:
                self._events.warn(now_ms, events.UPLOADED_TO_BACKUP)
        self._events.say(11, now_ms, exitStatus=0)
        if self.recorded and not is_stranded:
            self._say_uploaded(now_ms, 32 if backup else 31)
        self._say_streams(self._streams, set(), now_ms)
        self._streams = set()
        if linger_s := self._options.exit_linger_s:
            self.status = 8
            self._some_day(now_ms, linger_s, partial(self._end, status=8))
        else:
            self._end(now_ms, status=8)
        self._wake_waiters()
        self._come_late(now_ms)

    def _say_uploaded(self, now_ms: int, event_type: int) -> None:
        listless = self.web or self.screenshots_only
        files = {} if listless else {"fileList": self.files()}
        self._events.say(event_type, now_ms, status=0, **files)

    def _stranded_delivered(self, now_ms: int) -> None:
        self.uploading_status = "uploaded"
        if self._plan.stranded and self._plan.stranded.told_later:
            self._say_uploaded(now_ms, 31)

    def _end(self, now_ms: int, *, status: int) -> None:
        self.phase = Phase.ENDED
        self.status = status
        self.ended_ms = now_ms
        self._server = object()
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            waiter.set()
        self._waiters.clear()

    # --- what comes late ------------------------------------------------------------------------

    def _come_late(self, now_ms: int) -> None:
        plan = self._plan
        if self._outbox.withheld:
            after_s = self._backup.after_s if self._backup else 60.0
            delivered = self._stranded_delivered if plan.stranded else None
            deliver = partial(self._outbox.deliver_backup, delivered=delivered)
            self._come_later(now_ms, after_s, deliver)
        if plan.reupload:
            for index in range(plan.reupload.times):
                delay_s = plan.reupload.after_s * (index + 1)
                last = index == plan.reupload.times - 1
                self._come_later(now_ms, delay_s, partial(self._reupload, index=index, last=last))
        if plan.mp4_delay_s is not None:
            self._come_later(now_ms, plan.mp4_delay_s, self._upload_mp4_late)
        if self._scene == 2 and self.recorded:
            delay_s = self._options.transcoding_delay_s
            if plan.transcoding.delay_s is not None:
                delay_s = plan.transcoding.delay_s
            self._come_later(now_ms, delay_s, self._transcode)

    def _come_later(self, now_ms: int, seconds: float, call: Call) -> None:
        self._to_come.append(call)
        self._some_day(now_ms, seconds, partial(self._come, call=call))

    def _come(self, now_ms: int, call: Call) -> None:
        if call in self._to_come:
            self._to_come.remove(call)
            call(now_ms)

    def deliver(self, now_ms: int) -> None:
        """Deliver everything that was planned for later."""
        for call in list(self._to_come):
            self._come(now_ms, call)

    def _reupload(self, now_ms: int, index: int, last: bool) -> None:
        tick = now_ms // 10
        for product in products.reuploaded_playlists(
            self.tracks, self._style, tick=tick, index=index, last=last
        ):
            self._outbox.put_late(product.name, product.make)

    def _upload_mp4_late(self, now_ms: int) -> None:
        del now_ms
        for product in self.products:
            self._outbox.put_late(product.name, product.make)

    def _transcode(self, now_ms: int) -> None:
        """Make the files of postponed transcoding or mixing, and report them."""
        result = self._plan.transcoding.result
        self._events.say(80, now_ms)
        if result == "download_failed":
            storage = self._client_request["storageConfig"]
            where = {key: storage[key] for key in ("vendor", "region", "bucket")}
            names = ";".join(track.playlist for track in self.tracks)
            self._events.say(90, now_ms, fileName=names, **where)
            result = "failed"
        wanted = products.postponed_files(self.sessions, self._client_request["transcodeOptions"])
        made = {"failed": [], "partial_success": wanted[:-1]}.get(result, wanted)
        for product in made:
            self._outbox.put_late(product.name, product.make)
        self._some_day(now_ms, 1, partial(self._say_made, result=result, wanted=wanted, made=made))

    def _say_made(
        self, now_ms: int, result: str, wanted: list[Product], made: list[Product]
    ) -> None:
        self._events.say(
            81,
            now_ms,
            result={"total_success": "all_success", "failed": "fail"}.get(result, result),
            uids=[
                {
                    "uid": product.uid,
                    "result": "success" if product in made else "fail",
                    "fileList": self._named([product] if product in made else []),
                }
                for product in wanted
            ],
        )
        self._events.say(1001, now_ms, result=result, fileList=self._named(made))

    def _named(self, files: list[Product]) -> list[dict[str, str]]:
        return [{"fileName": self.listed(file.name)} for file in files]

    # --- update ---------------------------------------------------------------------------------

    def update(self, client_request: dict[str, Any], now_ms: int) -> None:
        """Apply a validated clientRequest of `update`."""
        if config := client_request.get("storageConfig"):
            self._outbox.storage = Storage.of(config, self._options.s3_endpoint_url)
        if lists := client_request.get("streamSubscribe"):
            self._subscription.update(lists)
        if self.web:
            self.web.update(client_request, now_ms)
        self.look_at_channel(now_ms)

    def object_to(self, now_ms: int) -> None:
        """Report that a call did not fit the state of the service (event 3)."""
        first = next(self.tracks, None)
        self._events.say(
            3,
            now_ms,
            status=self.status,
            recordingMode=0 if self.mode in BY_USER else 1,
            fileList=self.listed(first.playlist) if first else "",
        )

    # --- dying ----------------------------------------------------------------------------------

    def kill(self, now_ms: int) -> None:
        """Die silently."""
        if self.live:
            self._events.silent = True
            self._outbox.drop()
            self._end(now_ms, status=20)

    def crash(self, now_ms: int) -> None:
        """End abnormally: an error, exitStatus 1, status 20 for a while, then 404."""
        if not self.live:
            return
        self.phase = Phase.LEAVING
        self.status = 20
        self._server = object()
        self._outbox.drop()
        self._events.fail(
            now_ms,
            module=events.SERVICE_MODULE,
            level=events.FATAL,
            code=events.START_TIMEOUT,
            text="scripted abnormal exit",
        )
        self._events.say(41, now_ms, leaveCode=SIGNALLED)
        self._events.say(11, now_ms, exitStatus=1)
        self._wake_waiters()
        self._some_day(now_ms, self._options.abnormal_linger_s, partial(self._end, status=20))

    def throw_out_at(self, at_ms: int) -> None:
        """Leave the channel when the token ends; a running recorder takes no other one."""
        self._scheduler.at(at_ms, partial(self.leave, leave_code=SIGNALLED))

    def fail_over(self, now_ms: int, how: Failover) -> None:
        """Lose the server and the files that it had not uploaded; another takes over later."""
        if self.phase is not Phase.RUNNING:
            return
        self.phase = Phase.SWITCHING
        self._server = object()
        self._outbox.drop()
        self._idle_since_ms = None
        for track in self.session.tracks.values():
            track.open_since_ms = None
        new_uid = how.new_uid or random.SystemRandom().randrange(1, 2**32)
        self._some_day(now_ms, how.window_s, partial(self._take_over, new_uid=new_uid))

    def _take_over(self, now_ms: int, new_uid: int) -> None:
        if self.phase is not Phase.SWITCHING:
            return
        if self.failovers == MOST_FAILOVERS:
            self._events.say(11, now_ms, exitStatus=1)
            self._end(now_ms, status=20)
            return
        self._events.say(12, now_ms, newUid=new_uid)
        self._events.uid = str(new_uid)
        if self._options.failover_restarts_sequence:
            self._events.sequence = 0
        names = self._names(self.failovers)
        self.sessions.append(Session(str(new_uid), names))
        self.failovers += 1
        self.phase = Phase.RUNNING
        self.status = 3
        self._streams = set()
        self._joined = False
        self._uploader_ready(now_ms)
        self._ready(now_ms)

    # --- lists of files -------------------------------------------------------------------------

    def listed(self, name: str) -> str:
        """Return a file's name as lists of files contain it."""
        return self.prefix + name if self._options.file_list_prefix else name

    def files(self) -> list[dict[str, Any]]:
        """Return what `fileList` holds when it is an array."""
        listed: list[dict[str, Any]] = []
        for track in self.tracks:
            listed += [
                self._entry(each.name, track, each.start_ms)
                for each in self.products
                if each.track is track
            ]
            if self._makes_hls:
                listed.append(self._entry(track.playlist, track, track.first_ms))
        return listed

    def web_files(self) -> list[dict[str, Any]]:
        """Return the shorter entries of web page recording, which are written `filename`."""
        return [
            {"filename": entry["fileName"], "sliceStartTime": entry["sliceStartTime"]}
            for entry in self.files()
        ]

    def _entry(self, name: str, track: Track, start_ms: int) -> dict[str, Any]:
        in_seconds = self._options.slice_time_in_seconds
        return {
            "fileName": self.listed(name),
            "trackType": track.kind,
            "uid": track.uid,
            "mixedAllUser": self.mode not in BY_USER,
            "isPlayable": True,
            "sliceStartTime": start_ms // 1000 if in_seconds else start_ms,
        }

    # --- timers ---------------------------------------------------------------------------------

    def _later(self, now_ms: int, seconds: float, call: Call) -> None:
        """Make `call` after `seconds`, if the server that is at work now still is."""
        server = self._server

        def still(later_ms: int) -> None:
            if self._server is server:
                call(later_ms)

        self._some_day(now_ms, seconds, still)

    def _while_running(self, now_ms: int, seconds: float, call: Call) -> None:
        """Make `call` after `seconds`, if a server is at work then."""

        def still(later_ms: int) -> None:
            if self.phase is Phase.RUNNING:
                call(later_ms)

        self._some_day(now_ms, seconds, still)

    def _some_day(self, now_ms: int, seconds: float, call: Call) -> None:
        self._scheduler.at(now_ms + self._scheduler.span_ms(seconds), call)


def _slice_files(track: Track, piece: Slice) -> Iterator[tuple[str, Make]]:
    """Yield the name and the maker of each file of a slice: with DASH, its sound is apart."""
    if not track.is_dash:
        yield piece.name, _slice_maker(track, piece)
        return
    times = (piece.media_ms, piece.media_end_ms)
    yield piece.name, partial(webm.segment, *times, video=track.video)
    if piece.sound:
        yield piece.sound, partial(webm.segment, *times, video=False)


def _slice_maker(track: Track, piece: Slice) -> Make:
    return partial(
        media.ts_slice,
        piece.media_ms,
        piece.media_end_ms,
        video=track.video,
        audio=track.audio,
        counters=track.counters,
    )

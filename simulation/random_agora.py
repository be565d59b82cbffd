"""An Agora whose sessions have fates: they die, move, stay silent, and their files come late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Resource, Task
from local.agora.files import utc17
from simulation.lessons import IDLE_S
from simulation.luck import Kinds
from tests.world import webhook
from tests.world.builders import reply
from tests.world.live_agora import AgoraSession, LiveAgora

if TYPE_CHECKING:
    from simulation.stack import Stack

FATES: Kinds = (
    ("dies in silence", 4),
    ("dies and says so", 3),
    ("moves to another server", 5),
    ("nothing of it is heard", 3),
    ("records only after two minutes", 1),
    ("its upload takes minutes", 4),
    ("a file comes after hours", 2),
    ("leaves no files", 1),
)
NEWS: Kinds = (("lost", 5), ("twice", 4), ("late", 4), ("days late", 1))

_SLICE_MS = 15_000
_MOST_SLICES = 6
_HEARTBEAT_S = 60
_EMPTY_MS = 2000  # a session that was stopped sooner has recorded nothing
RESENDS = 3  # how often Agora sends a notification again that was not taken
FAILOVER_S = (10, 85)
_STAYS_S = 91  # between two moves, at least: no 404 says for which of them it is


class RandomAgora(LiveAgora):
    """Agora with fates. `promised` are the keys of all files of a session, by its sid.

    `mute` are sids of which no notification comes, `slow` those that do not record yet.
    """

    house: Stack

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.promised: dict[str, list[str]] = {}
        self.mute: set[str] = set()
        self.slow: set[str] = set()
        self.voices: dict[str, str] = {}  # sid -> the uid by which it speaks
        self.labels: dict[str, str] = {}  # sid -> "r1.2"
        self.counts: Counter[str] = Counter()  # of the sessions of each recording
        self.fates: dict[str, str] = {}
        self.settings: dict[str, list[Mapping[str, Any]]] = {}  # sid -> accepted updates
        self.heard: set[str] = set()  # sids of which a notification named the uid of the start
        self.moved_ms: dict[str, int] = {}  # sid -> when it was away the last time
        self.skew_ms = 0
        self.born = self._begin

    def known(self, resource_id: str) -> tuple[str, str]:
        """Return the channel and the uid of a resource."""
        return self.resources[resource_id]

    def label(self, session: AgoraSession) -> str:
        """Return how the story calls a session: "r1.2"."""
        found = self.labels.get(session.sid)
        if found is None:
            recording = self.house.label_of(session.prefix)
            self.counts[recording] += 1
            found = self.labels[session.sid] = f"{recording}.{self.counts[recording]}"
        return found

    # --- a session ---

    def _begin(self, session: AgoraSession) -> None:
        stack, label = self.house, self.label(session)
        stack.contract.look()
        self.voices[session.sid] = session.uid
        place = f"session {label}"
        fate = stack.luck.fault(place, FATES, likelier=6)
        self.fates[session.sid] = fate or ""
        after_s = stack.luck.number(f"{place} when", 5, 400)
        match fate:
            case "dies in silence":
                stack.later(after_s, self.end, session.sid, None)
            case "dies and says so":
                stack.later(after_s, partial(self.end, session.sid, 11, exitStatus=1))
            case "moves to another server":
                stack.later(after_s, self._move, session)
            case "nothing of it is heard":
                self.mute.add(session.sid)
            case "records only after two minutes":
                self.slow.add(session.sid)
                stack.later(120, self.slow.discard, session.sid)
        stack.later(_HEARTBEAT_S, self._beat, session)
        if session.cname in stack.lessons.visits:
            stack.later(IDLE_S, stack.lessons.idle, session.cname)

    def _move(self, session: AgoraSession, left: int = 2) -> None:
        here_s = (self.house.clock.now_ms - self.moved_ms.get(session.sid, 0)) / 1000
        if here_s < _STAYS_S:
            self.house.later(_STAYS_S - here_s, self._move, session, left)
        elif session.ended_ms is None:
            self.hidden.add(session.sid)
            place = f"{self.label(session)} away {left}"
            away_s = self.house.luck.number(place, *FAILOVER_S)
            self.house.later(away_s, self._come_back, session)
            if left:  # it survives three moves
                again_s = away_s + self.house.luck.number(f"{place} again", 90, 300)
                self.house.later(again_s, self._move, session, left - 1)

    def _come_back(self, session: AgoraSession) -> None:
        self.hidden.discard(session.sid)
        self.moved_ms[session.sid] = self.house.clock.now_ms
        if session.ended_ms is None:
            new = int(self.voices[session.sid]) + 1
            self.notify(session, 12, newUid=new)
            self.voices[session.sid] = f"{new}"
            session.events = 0  # each uid counts its own

    def _beat(self, session: AgoraSession) -> None:
        if session.ended_ms is None and session.sid not in self.hidden:
            self.notify(session, 33, progress=9000)
        if session.ended_ms is None:
            self.house.later(_HEARTBEAT_S, self._beat, session)

    def leave(self, cname: str) -> None:
        """Let everybody leave a channel: its sessions end by themselves."""
        for session in self.running:
            if session.cname == cname and session.sid not in self.hidden:
                self.notify(session, 41, leaveCode=4)
                self.end(session.sid, 11, exitStatus=0)

    def end(self, sid: str, event: int | None = 11, **details: Any) -> None:
        """Let a session end; its files come, each in its time."""
        session = self.sessions[sid]
        if session.ended_ms is not None:
            return
        session.ended_ms = self.house.clock.now_ms
        self.house.contract.look()
        self.hidden.discard(sid)
        if event:
            self.notify(session, event, **details)
        names = self._names(session)
        self.promised[sid] = [] if self.fates[sid] == "leaves no files" else names
        if not self.promised[sid]:
            return
        place = f"files {self.labels[sid]}"
        slow = self.fates[sid] == "its upload takes minutes"
        last_s = 0.0
        for number, name in enumerate(names):
            after_s = self.house.luck.number(f"{place} {number}", 0, 1500 if slow else 20)
            if self.fates[sid] == "a file comes after hours" and number == 0:
                after_s = self.house.luck.number(f"{place} late", 3600, 60 * 3600)
            last_s = max(last_s, after_s)
            self.house.later(after_s, self._put, name, self._body(name, names))
        if last_s < 3600 and event is not None:
            self.house.later(last_s, partial(self.notify, session, 31, status=0))

    def _put(self, key: str, body: bytes) -> None:
        self.house.bucket.add(key, body)
        self.house.arrived(key, len(body))

    def _names(self, session: AgoraSession) -> list[str]:
        """Return the keys of a session's files, its playlist last."""
        assert session.ended_ms is not None
        length = session.ended_ms - session.started_ms
        if length < _EMPTY_MS:
            return []
        stem = f"{session.prefix}{session.sid}_{session.cname}"
        tail = ""
        mode = self.house.mode_of(session.prefix)
        if mode == "individual":
            stem += "__uid_s_77__uid_e_av"
        elif mode == "raw":
            stem += "__uid_s_77__uid_e"
            tail = "_h264"
        step = max(_SLICE_MS, length // _MOST_SLICES)
        starts = range(session.started_ms, session.ended_ms, step)
        slices = [f"{stem}_{start if mode == 'web' else utc17(start)}{tail}.ts" for start in starts]
        return [*slices, f"{stem}{tail}.m3u8"]

    def _body(self, key: str, keys: list[str]) -> bytes:
        if not key.endswith(".m3u8"):
            return b"media"
        step = 15.0
        lines = ["#EXTM3U"]
        for each in keys[:-1]:
            lines += [f"#EXTINF:{step}", each.rpartition("/")[2]]
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode()

    # --- notifications ---

    def notify(self, session: AgoraSession, event: int, **details: Any) -> None:
        """Send a notification; perhaps it is lost, comes twice, or late."""
        number = session.events
        session.events += 1
        if session.sid in self.mute:
            return
        stack = self.house
        uid = self.voices.get(session.sid, session.uid)
        place = f"event {self.label(session)} {uid} {number}"
        send = partial(
            self._send,
            session,
            event,
            details,
            number=number,
            uid=uid,
            sent_ms=stack.clock.now_ms + self.skew_ms,
            left=RESENDS,
        )
        for after_ms in self.ways(place):
            stack.later(after_ms / 1000, send)

    def ways(self, place: str) -> list[int]:
        """Return after how many ms a notification comes: once, twice, late, or never."""
        luck = self.house.luck
        kind = luck.fault(place, NEWS, likelier=2)
        if kind == "lost":
            return []
        after_ms = luck.number(place, 50, 900)
        if kind == "late":
            after_ms = luck.number(place, 5_000, 900_000)
        elif kind == "days late":
            after_ms = luck.number(place, 3_600_000, 3 * 86_400_000)
        return [after_ms, after_ms + 300] if kind == "twice" else [after_ms]

    def _send(
        self,
        session: AgoraSession,
        event: int,
        details: Mapping[str, Any],
        *,
        number: int,
        uid: str,
        sent_ms: int,
        left: int,
    ) -> None:
        """Send a notification to the webhook, and again where it is not taken."""
        stack = self.house
        raw = webhook.body(
            event,
            dict(details),
            sequence=number,
            sid=session.sid,
            uid=uid,
            cname=session.cname,
            sent_ms=sent_ms,
            notifyMs=stack.clock.now_ms + self.skew_ms,
        )

        def answered(is_taken: bool) -> None:
            if is_taken:
                if uid == session.uid:
                    self.heard.add(session.sid)
            elif left:
                again = partial(
                    self._send,
                    session,
                    event,
                    details,
                    number=number,
                    uid=uid,
                    sent_ms=sent_ms,
                    left=left - 1,
                )
                stack.later(2, again)

        stack.receive(self.label(session), raw, answered)

    # --- further calls ---

    def start(self, resource: Resource, fields: Mapping[str, Any], **more: Any) -> Reply:
        """Start a session in the folder that the storageConfig names part by part."""
        storage = fields["storageConfig"]
        prefix = "".join(f"{each}/" for each in storage["fileNamePrefix"])
        whole = {**fields, "storageConfig": {**storage, "fileNamePrefix": [prefix]}}
        # A page is recorded without a token: its recorder does not join the channel.
        kept = self.certificate
        self.certificate = None if resource.mode == "web" else kept
        try:
            return super().start(resource, whole, **more)
        finally:
            self.certificate = kept

    def query(self, task: Task) -> Reply:
        """Tell whether a session runs, or is still being started."""
        found = super().query(task)
        if found.is_ok and task.sid in self.slow:
            return reply("query", sid=task.sid, serverResponse={"status": 2})
        return found

    def stop(self, task: Task) -> Reply:
        """Stop a session; one that was too short has recorded nothing."""
        session = self.sessions.get(task.sid)
        is_empty = (
            session is not None
            and session.ended_ms is None
            and self.house.clock.now_ms - session.started_ms < _EMPTY_MS
        )
        found = super().stop(task)
        if is_empty and found.is_ok:
            return reply("stop", 435, code=435, reason="no recorded data")
        return found

    def update(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Change a session."""
        if refusal := self._refusal("update", task):
            return refusal
        self.settings.setdefault(task.sid, []).append(fields)
        return reply("update", sid=task.sid, serverResponse={})

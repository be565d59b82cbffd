"""An Agora that lives: it keeps sessions, and sends their files and their notifications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from agora_recording.agora.reply import Endpoint, Reply
from agora_recording.agora.task import Resource, Task
from local.agora.rules import RefusalError
from local.agora.tokens import check
from tests.world.builders import heard, reply
from tests.world.faults import operation

if TYPE_CHECKING:
    from tests.world.house import Rooms


@dataclass
class AgoraSession:
    """One task at Agora: what it would bill from `started_ms` to `ended_ms`."""

    sid: str
    resource_id: str
    cname: str
    uid: str
    prefix: str
    started_ms: int
    ended_ms: int | None = None
    events: int = 0


class LiveAgora:
    """An AgoraClient that is Agora: resources, sessions, their files and their notifications.

    `lose` counts down starts whose answer never arrives, `refused_successors` attempts that are
    refused while the one before them may go on; `silent` is an Agora whose notifications
    are all lost; `hidden` are sids that answer 404 although they run (a failover). `born` is told
    of each session that starts, `asked` of the sid of each query before it is answered. `upload_s`
    is how long files take after the end of a session, `late_s` how long notifications do.
    `mismatch` is answered to a sid with another's resourceId.
    """

    def __init__(self, house: Rooms) -> None:
        self.house = house
        self.faults = house.faults
        self.resources: dict[str, tuple[str, str]] = {}  # resourceId -> (cname, uid)
        self.sessions: dict[str, AgoraSession] = {}
        self.lose = 0
        self.refused_successors = 0
        self.silent = False
        self.hidden: set[str] = set()
        self.answers: dict[str, Reply] = {}  # by endpoint: what is answered instead, always
        self.once: dict[str, list[Reply]] = {}  # by endpoint: what is answered first, in turn
        self.files = True  # whether a session leaves files
        self.upload_s = 0.0
        self.late_s = 1.0
        self.certificate: str | None = None  # the project's: then tokens are checked, and end
        self.mismatch = (404, 404)  # status and code
        self.born: Callable[[AgoraSession], None] = lambda _: None
        self.asked: Callable[[str], None] = lambda _: None
        self.excluded: list[list[str]] = []  # what each acquire was to keep away from
        self.calls: Counter[str] = Counter()

    @property
    def running(self) -> list[AgoraSession]:
        """The sessions that are billed just now."""
        return [each for each in self.sessions.values() if each.ended_ms is None]

    @property
    def unrecorded_s(self) -> float:
        """The longest time between two sessions in which none ran."""
        sessions = sorted(self.sessions.values(), key=lambda each: each.started_ms)
        covered_ms, longest = sessions[0].started_ms, 0
        for each in sessions:
            longest = max(longest, each.started_ms - covered_ms)
            covered_ms = max(covered_ms, each.ended_ms or self.house.clock())
        return longest / 1000

    @property
    def doubled_s(self) -> float:
        """The time in which more than one session ran, each counted."""
        now_ms = self.house.clock()
        spans = [(each.started_ms, each.ended_ms or now_ms) for each in self.sessions.values()]
        ran_ms = sum(to_ms - from_ms for from_ms, to_ms in spans)
        covered_ms = until_ms = 0
        for from_ms, to_ms in sorted(spans):
            covered_ms += max(0, to_ms - max(from_ms, until_ms))
            until_ms = max(until_ms, to_ms)
        return (ran_ms - covered_ms) / 1000

    def end(self, sid: str, event: int | None = 11, **details: Any) -> None:
        """Let a session end by itself; its files are there, and it says so with an event."""
        session = self.sessions[sid]
        if session.ended_ms is None:
            session.ended_ms = self.house.clock()
            if event:
                self.notify(session, event, **details)
            if self.files and self.upload_s:
                self.house.later(self.upload_s, partial(self._upload, session, tell=True))
            elif self.files:
                self._upload(session)

    def notify(self, session: AgoraSession, event: int, **details: Any) -> None:
        """Send a notification: a moment later it is in the table's stream."""
        session.events += 1
        if self.silent:
            return
        at_ms = self.house.clock()
        record = heard(
            event,
            details,
            place=f"{session.sid}-{session.events}",
            at_ms=at_ms,
            sequence=session.events,
            sid=session.sid,
            uid=session.uid,
        )
        self.house.later(self.late_s, partial(self.house.apply, [record]))

    def _upload(self, session: AgoraSession, *, tell: bool = False) -> None:
        stem = f"{session.prefix}{session.sid}_{session.cname}"
        name = f"{stem}_20231114221320000.ts"
        self.house.bucket.add(name, b"media")
        lines = ("#EXTM3U", "#EXTINF:15.0,", name.rpartition("/")[2], "#EXT-X-ENDLIST", "")
        self.house.bucket.add(f"{stem}.m3u8", "\n".join(lines).encode())
        if tell:
            self.notify(session, 31, status=0)

    # --- the client ---

    def reserve_start(self) -> list[int]:
        """Give slots."""
        return [0, 0]

    @operation
    def acquire(self, cname: str, uid: str, fields: Mapping[str, Any], **_: Any) -> Reply:
        """Give a resourceId."""
        self.calls["acquire"] += 1
        if answer := self._scripted("acquire"):
            return answer
        if self.refused_successors and self.house.row.predecessor:
            self.refused_successors -= 1
            return reply("acquire", 400, code=2)
        self.excluded.append(list(fields.get("excludeResourceIds", ())))
        resource_id = f"resource-{len(self.resources) + 1}"
        self.resources[resource_id] = cname, uid
        return reply("acquire", resourceId=resource_id)

    @operation
    def start(self, resource: Resource, fields: Mapping[str, Any], **_: Any) -> Reply:
        """Start a session, unless the resource or the uid has one."""
        self.calls["start"] += 1
        if answer := self._scripted("start"):
            return answer
        resource_id = resource.resource_id
        cname, uid = self.resources[resource_id]
        assert (cname, uid) == (resource.cname, resource.uid)
        # The rule of the whole bundle: what will be billed is written down before.
        self.house.must_name(resource_id, uid)
        if any(each.resource_id == resource_id for each in self.sessions.values()):
            return reply("start", 201, code=7, reason="already running")
        if any((each.cname, each.uid) == (cname, uid) for each in self.running):
            return reply("start", 400, code=53, reason="the uid is taken")
        until_ms = None
        if self.certificate:
            try:
                until_ms = check(
                    fields.get("token"),
                    app_id=self.house.settings.agora_app_id,
                    certificate=self.certificate,
                    channel=cname,
                    uid=uid,
                    now_ms=self.house.clock(),
                ).until_ms
            except RefusalError as refusal:
                return reply("start", refusal.http, code=refusal.code, reason=refusal.reason)
        sid = f"{len(self.sessions) + 1:032x}"
        (prefix,) = fields["storageConfig"]["fileNamePrefix"]
        session = AgoraSession(sid, resource_id, cname, uid, prefix, self.house.clock())
        self.sessions[sid] = session
        if until_ms:
            self.house.clock.at(until_ms, partial(self.end, sid, 11, exitStatus=0))
        self.notify(session, 40, status=0)
        self.born(session)
        if self.lose:
            self.lose -= 1
            return reply("start", None)
        return reply("start", resourceId=resource_id, sid=sid)

    @operation
    def query(self, task: Task) -> Reply:
        """Tell whether a session runs."""
        self.calls["query"] += 1
        self.asked(task.sid)
        if answer := self._scripted("query"):
            return answer
        if refusal := self._refusal("query", task):
            return refusal
        return reply("query", sid=task.sid, serverResponse={"status": 5})

    @operation
    def stop(self, task: Task) -> Reply:
        """Stop a session."""
        self.calls["stop"] += 1
        if answer := self._scripted("stop"):
            return answer
        if refusal := self._refusal("stop", task):
            return refusal
        self.end(task.sid, 11, exitStatus=0)
        return reply("stop", sid=task.sid, serverResponse={})

    def _scripted(self, endpoint: str) -> Reply | None:
        first = self.once.get(endpoint)
        return first.pop(0) if first else self.answers.get(endpoint)

    def _refusal(self, endpoint: Endpoint, task: Task) -> Reply | None:
        session = self.sessions.get(task.sid)
        if session and session.resource_id != task.resource_id:
            status, code = self.mismatch
            return reply(endpoint, status, code=code, reason="not of this resource")
        if session is None or session.ended_ms is not None or task.sid in self.hidden:
            return reply(endpoint, 404, code=404, reason="failed to find worker")
        return None

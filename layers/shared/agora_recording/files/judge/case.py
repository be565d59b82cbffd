"""The case of a recording: the listed files of each session, counted, and the findings so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from agora_recording.files.inventory import Inventory
from agora_recording.files.verdict import Code, Expectation, Finding, Level, Session

MAX_NAMES = 100  # of one finding
_MAX_FINDINGS = 1000
_MAX_NAMES_OF_ALL = 10_000


class Findings:
    """Findings by kind and place: their number and their names are limited."""

    def __init__(self) -> None:
        self._names: dict[tuple[Code, Level, str], list[str]] = {}
        self._counts: Counter[tuple[Code, Level, str]] = Counter()
        self._details: dict[tuple[Code, Level, str], str] = {}
        self._room = _MAX_NAMES_OF_ALL

    def add(
        self,
        code: Code,
        level: Level,
        where: str,
        names: Sequence[str] = (),
        detail: str = "",
        count: int = 0,
    ) -> None:
        """Count the names, or `count` if these are only the first; without both it counts as one.

        At least one name of each finding is kept.
        """
        key = (code, level, where)
        if key not in self._names and len(self._names) >= _MAX_FINDINGS:
            key, detail = (code, level, ""), ""
        kept = self._names.setdefault(key, [])
        room = min(MAX_NAMES - len(kept), max(self._room, 1 - len(kept)))
        more = names[: max(room, 0)]
        kept += more
        self._room -= len(more)
        self._counts[key] += count or len(names) or 1
        self._details.setdefault(key, detail)

    def listed(self) -> list[Finding]:
        """Return the findings: errors first, then what is awaited, then the notes."""
        order = {"error": 0, "awaited": 1, "note": 2}
        found = [
            Finding(*key, self._counts[key], tuple(names), self._details[key])
            for key, names in self._names.items()
        ]
        return sorted(found, key=lambda finding: order[finding.level])


class SessionCase(msgspec.Struct, eq=False):
    """One session: what the listing holds of it, and its state.

    `rank` counts the sessions in order of time. `settled`: no more files are expected; `quiet`: it
    is over, and no file has come for `quiet_ms`; `troubled`: it has a problem. `recorders` are
    those that wrote slices or indexes, as `recorder_of` numbers them. `formed` counts the indexes
    whose names tell the session. `named` counts the files that
    its indexes name and that are there, `unformed` media whose names have no known form. `plays`:
    an index with a duration names slices that are there.
    """

    expected: Session
    rank: int
    settled: bool = False
    quiet: bool = False
    troubled: bool = False
    recorders: set[int] = set()
    indexes: int = 0
    formed: int = 0
    slices: int = 0
    snapshots: int = 0
    files: int = 0
    mpds: int = 0
    named: int = 0
    unformed: int = 0
    plays: bool = False

    @property
    def silent(self) -> bool:
        """Tell whether it left no media. Known when the indexes were read."""
        return not (self.slices or self.snapshots or self.files or self.named or self.unformed)


class Case(msgspec.Struct, kw_only=True, eq=False):
    """A recording that is judged. `overdue`: the deadline of its files is over."""

    inventory: Inventory
    expectation: Expectation
    now_ms: int
    overdue: bool
    sessions: dict[str, SessionCase]  # by sid, in order of time
    findings: Findings

    def problem(
        self,
        code: Code,
        session: SessionCase,
        where: str,
        names: Sequence[str] = (),
        detail: str = "",
        count: int = 0,
    ) -> None:
        """Note a problem: an error once the session is settled, `awaited` before."""
        session.troubled = True
        level: Level = "error" if session.settled else "awaited"
        self.findings.add(code, level, where, names, detail, count)

    def missing_mp4s(
        self, code: Code, session: SessionCase, where: str, names: Sequence[str]
    ) -> None:
        """Note MP4s that are not there: Agora may still be making them."""
        is_late = self.overdue or session.quiet or session.expected.ended_ms is None
        session.troubled = True
        level: Level = "error" if session.settled and is_late else "awaited"
        self.findings.add(code, level, where, names)


def open_case(inventory: Inventory, expectation: Expectation, now_ms: int) -> Case:
    """Return the case of a recording: the files of its sessions are counted, nothing is judged."""
    deadline_ms = expectation.deadline_ms
    expected = expectation.sessions or [Session(sid=sid) for sid in sorted(inventory.arrived_ms)]
    case = Case(
        inventory=inventory,
        expectation=expectation,
        now_ms=now_ms,
        overdue=deadline_ms is not None and now_ms >= deadline_ms,
        sessions={session.sid: SessionCase(session, rank) for rank, session in enumerate(expected)},
        findings=Findings(),
    )
    for stream in inventory.streams.values():
        session = case.sessions[stream.parsed.sid]
        session.indexes += len(stream.indexes)
        session.formed += 0 if stream.is_guess else len(stream.indexes)
        session.recorders.add(recorder_of(stream.parsed.bak))
    for series in inventory.series.values():
        session = case.sessions[series.parsed.sid]
        if series.parsed.kind == "snapshot":
            session.snapshots += series.count
        else:
            session.slices += series.count
    for file in inventory.files:
        if file.kind == "mpd":
            case.sessions[file.sid].mpds += 1
        elif file.size:
            case.sessions[file.sid].files += 1
    for sid, count in inventory.unformed.items():
        case.sessions[sid].unformed = count
    for session in case.sessions.values():
        _settle(case, session)
    return case


def recorder_of(bak: int | None) -> int:
    """Return the number of the recorder that wrote a file: -1 for the first, then each `bak`."""
    return -1 if bak is None else bak


def _settle(case: Case, session: SessionCase) -> None:
    ended_ms, upload = session.expected.ended_ms, session.expected.upload
    if ended_ms is not None:
        since_ms = max(ended_ms, case.inventory.arrived_ms.get(session.expected.sid, 0))
        session.quiet = case.now_ms - since_ms >= case.expectation.quiet_ms
    # Where the first file of a session is still to come, silence does not tell that none will.
    is_begun = not (session.expected.has_recorded and session.silent)
    has_ceased = upload == "unknown" and session.quiet and is_begun
    session.settled = case.overdue or upload == "uploaded" or has_ceased

"""Whether a recording is complete, judged by what lies in S3 and by nothing else.

Every slice that a final index names must be there, with more than 0 bytes; every MP4 that was
promised too. A webhook's file list can add a demand, never grant completeness (it is absent in
snapshot and web mode, and at times empty: Agora best practices).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote

from agora_recording.files import names as file_names
from agora_recording.files import playlists
from agora_recording.files.gaps import Run, runs_of, union
from agora_recording.files.inventory import Index, Inventory, MediaFile, S3Object, Series, Stream
from agora_recording.files.playlists import Playlist
from agora_recording.files.verdict import (
    Code,
    Expectation,
    Finding,
    Level,
    PlaylistFile,
    SegmentFile,
    Session,
    Snapshots,
    State,
    Track,
    TrackType,
    TranscodedFormat,
    Verdict,
)
from agora_recording.recording.model import Outcome

_TYPES: dict[str, TrackType] = {"audio": "audio", "video": "video", "av": "audio_and_video"}

_MAX_FINDINGS = 1000
_MAX_NAMES = 100  # of one finding
_MAX_PLAYLIST_BYTES = 64 * 1024 * 1024


def verify(
    objects: Iterable[S3Object],
    read: Callable[[str], bytes],
    expectation: Expectation,
    now_ms: int,
) -> Verdict:
    """Return the verdict on everything under the prefix.

    `objects` is gone through once; `read` is called with the key of each final index, one after
    the other, and what it raises is passed on. The listing decides what exists: an index that
    was written anew since is awaited.
    """
    inventory = Inventory(
        prefix=expectation.prefix,
        cname=expectation.cname,
        sids=[session.sid for session in expectation.sessions],
        announced=expectation.announced,
    )
    inventory.fill(objects)
    return _Judge(inventory, expectation, now_ms).verdict(read)


def final_index(indexes: Sequence[Index]) -> Index:
    """Return the index to believe of those of one stream (Agora: manage recorded files).

    That is the larger of the plain one and the highest of those that came from Agora's backup.
    """
    plain = [index for index in indexes if index.like.index is None]
    copies = [index for index in indexes if index.like.index is not None]
    newest = sorted(copies, key=lambda copy: (copy.like.index or 0, copy.like.tick or 0))[-1:]
    return max(plain + newest, key=lambda index: index.size)


class _Findings:
    """Findings by kind and place: their number and their names are bounded."""

    def __init__(self) -> None:
        self._names: dict[tuple[Code, Level, str], list[str]] = {}
        self._counts: Counter[tuple[Code, Level, str]] = Counter()
        self._details: dict[tuple[Code, Level, str], str] = {}

    def add(
        self, code: Code, level: Level, where: str, names: Sequence[str] = (), detail: str = ""
    ) -> None:
        """Count the names; a finding without any counts as one."""
        key = (code, level, where)
        if key not in self._names and len(self._names) >= _MAX_FINDINGS:
            key, detail = (code, level, ""), ""
        kept = self._names.setdefault(key, [])
        kept += names[: _MAX_NAMES - len(kept)]
        self._counts[key] += len(names) or 1
        self._details.setdefault(key, detail)

    def listed(self) -> list[Finding]:
        """Return them: what is wrong first, then what is awaited, then the notes."""
        order = {"error": 0, "awaited": 1, "note": 2}
        found = [
            Finding(*key, self._counts[key], tuple(names), self._details[key])
            for key, names in self._names.items()
        ]
        return sorted(found, key=lambda finding: order[finding.level])


class _Case:
    """One session: what the listing holds of it, and how it stands."""

    def __init__(self, session: Session, rank: int) -> None:
        self.session = session
        self.rank = rank
        self.settled = self.quiet = False
        self.troubled = False  # something of it is wrong or awaited
        self.recorders: set[int] = set()  # that wrote slices or indexes: -1, then each bak
        self.indexes = self.slices = self.snapshots = self.files = 0

    @property
    def silent(self) -> bool:
        """Whether it left no media."""
        return not (self.slices or self.snapshots or self.files)


class _Judge:
    """Goes through an inventory once, and notes what is wrong with it."""

    def __init__(self, inventory: Inventory, expectation: Expectation, now_ms: int) -> None:
        self.inventory = inventory
        self.expectation = expectation
        self.now_ms = now_ms
        deadline_ms, later_ms = expectation.deadline_ms, expectation.transcoding_deadline_ms
        self.overdue = deadline_ms is not None and now_ms >= deadline_ms
        self.transcoding_overdue = self.overdue if later_ms is None else now_ms >= later_ms
        self.findings = _Findings()
        self.named: set[str] = set()  # by any final index
        self.absent_mp4s: set[str] = set()
        self.finals: list[tuple[Stream, PlaylistFile]] = []
        self.masters: list[MediaFile] = []
        sessions = expectation.sessions or [
            Session(sid=sid) for sid in sorted(inventory.arrived_ms)
        ]
        self.cases = {one.sid: _Case(one, rank) for rank, one in enumerate(sessions)}
        self._open_cases()

    def verdict(self, read: Callable[[str], bytes]) -> Verdict:
        for stream in sorted(self.inventory.streams.values(), key=self._order):
            if stream.indexes:
                self._follow(stream, final_index(stream.indexes), read)
        self._check_orphans()
        self._check_files()
        self._check_announced()
        for case in self.cases.values():
            self._check_session(case)
        self._check_silence()
        tracks, runs = self._tracks()
        gaps, recorded_ms = union(runs, self.expectation.gap_ms)
        findings = self.findings.listed()
        return Verdict(
            outcome=_outcome(findings),
            findings=findings,
            tracks=tracks,
            files=sorted(self.inventory.files + self.masters, key=lambda file: file.name),
            snapshots=self._snapshots(),
            gaps=gaps,
            recorded_ms=recorded_ms,
            started_ms=min((run.start_ms for run in runs), default=None),
            ended_ms=max((run.end_ms for run in runs), default=None),
            objects=self.inventory.objects,
            bytes=self.inventory.bytes,
            prefix=self.inventory.prefix,
            verified_ms=self.now_ms,
        )

    # --- sessions -------------------------------------------------------------------------------

    def _open_cases(self) -> None:
        for stream in self.inventory.streams.values():
            case = self.cases[stream.like.sid]
            case.indexes += len(stream.indexes)
            case.recorders.add(_number(stream.like.bak))
        for one in self.inventory.series.values():
            case = self.cases[one.like.sid]
            if one.like.kind == "snapshot":
                case.snapshots += one.count
            else:
                case.slices += one.count
        for file in self.inventory.files:
            if file.size and file.kind != "mpd":
                self.cases[file.sid].files += 1
        for sid, case in self.cases.items():
            ended_ms, upload = case.session.ended_ms, case.session.upload
            if ended_ms is not None:
                since_ms = max(ended_ms, self.inventory.arrived_ms.get(sid, 0))
                case.quiet = self.now_ms - since_ms >= self.expectation.quiet_ms
            case.settled = (
                self.overdue or upload == "uploaded" or (upload == "unknown" and case.quiet)
            )

    def _is_confirmed(self, case: _Case) -> bool:
        """Whether a session with nothing wrong is all there.

        A single index that is closed proves it. Where a further index or MP4 may be on its way,
        it takes Agora's word that the upload is over, or silence.
        """
        wanted = self.expectation
        if case.settled or case.quiet:
            return True
        if case.session.upload == "backuped":
            return any(case.session.sid in name for name in wanted.announced)
        one_index = wanted.mode != "individual" and wanted.hls and not wanted.mp4
        return one_index and case.session.ended_ms is not None

    def _problem(
        self, code: Code, case: _Case, where: str, names: Sequence[str] = (), detail: str = ""
    ) -> None:
        """Note what is an error once nothing more is to come of the session, and awaited before."""
        case.troubled = True
        self.findings.add(code, "error" if case.settled else "awaited", where, names, detail)

    def _miss_mp4(self, code: Code, case: _Case, where: str, names: Sequence[str]) -> None:
        """Note MP4s that are not there: they may still be in the making."""
        is_late = self.overdue or case.quiet or case.session.ended_ms is None
        case.troubled = True
        level: Level = "error" if case.settled and is_late else "awaited"
        self.findings.add(code, level, where, names)

    def _check_session(self, case: _Case) -> None:
        sid, wanted = case.session.sid, self.expectation
        if case.silent and not case.settled:
            self._problem("nothing_recorded", case, sid)
        elif case.silent and any(not other.silent for other in self.cases.values()):
            self.findings.add("nothing_recorded", "note", sid)
        elif wanted.hls and not (case.silent or case.slices or case.indexes or wanted.transcoding):
            self._problem("no_playlist", case, sid)
        elif wanted.hls and wanted.snapshots and not (case.silent or case.snapshots):
            self.findings.add("no_snapshots", "note", sid)
        if not case.troubled and not self._is_confirmed(case):
            self.findings.add("upload_unconfirmed", "awaited", sid)

    def _check_silence(self) -> None:
        if all(case.silent and case.settled for case in self.cases.values()):
            given_up = self.overdue or bool(self.cases)
            self.findings.add("nothing_recorded", "error" if given_up else "awaited", "")
        for sid, count in sorted(self.inventory.strangers.items()):
            self.findings.add("unknown_session", "note", sid, detail=f"{count} files")

    # --- indexes and slices ---------------------------------------------------------------------

    def _order(self, stream: Stream) -> tuple[int, int, str, str]:
        like = stream.like
        return (
            self.cases[like.sid].rank,
            _number(like.bak),
            like.uid or "",
            like.track or "",
        )

    def _follow(self, stream: Stream, index: Index, read: Callable[[str], bytes]) -> None:
        case = self.cases[stream.like.sid]
        if index.size > _MAX_PLAYLIST_BYTES:
            self._problem("malformed_playlist", case, index.name, detail="larger than 64 MiB")
            return
        data = read(self.inventory.prefix + index.name)
        if len(data) != index.size:
            case.troubled = True
            level: Level = "note" if self.overdue else "awaited"
            self.findings.add("changed_playlist", level, index.name)
        playlist = playlists.parse(data)
        self._check_form(case, index, playlist)
        if playlist.variants:
            self._check_variants(case, index, playlist)
        if playlist.segments or not playlist.variants:
            self.finals.append((stream, self._stored(case, index, playlist)))

    def _check_form(self, case: _Case, index: Index, playlist: Playlist) -> None:
        codes = {defect.code for defect in playlist.defects}
        detail = ", ".join(
            f"{defect.code}: {defect.count}, from line {defect.line}" for defect in playlist.defects
        )
        if codes - {"cut", "bad_agora_tag"}:
            self._problem("malformed_playlist", case, index.name, detail=detail)
        elif "cut" in codes:
            self._problem("truncated_playlist", case, index.name, detail=detail)
        elif playlist.variants:
            pass  # a list of lists never says that it ends
        elif not playlist.closed:
            self._check_unclosed(case, index)
        elif not playlist.segments:
            self.findings.add("empty_playlist", "note", index.name)
        if codes == {"bad_agora_tag"}:
            self.findings.add("malformed_playlist", "note", index.name, detail=detail)

    def _check_variants(self, case: _Case, index: Index, playlist: Playlist) -> None:
        """The indexes that a master playlist names must be there; they are judged themselves."""
        there = {one.name for stream in self.inventory.streams.values() for one in stream.indexes}
        names = {playlists.file_name(uri) for uri in playlist.variants}
        absent = sorted(name for name in names if not {name, unquote(name)} & there)
        if absent:
            self._problem("missing_file", case, index.name, absent)
        self.masters.append(
            MediaFile(
                name=index.name,
                kind="master_playlist",
                sid=index.like.sid,
                bak=index.like.bak,
                uid=index.like.uid or "0",
                index=None,
                size=index.size,
                etag=index.etag,
            )
        )

    def _check_unclosed(self, case: _Case, index: Index) -> None:
        """A lost recorder never closes its index: its successor's media is what follows."""
        if _number(index.like.bak) < max(case.recorders):
            self.findings.add("unclosed_playlist", "note", index.name, detail="failover")
        elif case.settled and any(
            other.rank > case.rank and not other.silent
            for other in self.cases.values()
            if self.expectation.sessions
        ):
            self.findings.add("unclosed_playlist", "note", index.name, detail="restart")
        else:
            self._problem("unclosed_playlist", case, index.name)

    def _stored(self, case: _Case, index: Index, playlist: Playlist) -> PlaylistFile:
        stored, named = self.inventory.stored, self.named
        final = PlaylistFile(
            name=index.name,
            sid=index.like.sid,
            bak=index.like.bak,
            size=index.size,
            etag=index.etag,
            closed=playlist.closed,
            media=playlist.media,
            segments=[],
        )
        lost: dict[State, list[str]] = {"missing": [], "empty": []}
        for segment in playlist.segments:
            name, start_ms = segment.uri, segment.start_ms
            found = stored.get(name)
            if found is None:
                name, found = self._find(name)
            named.add(name)
            state: State | None = None
            if not found[0]:
                state = "empty" if name in stored else "missing"
                lost[state].append(name)
            else:
                final.bytes += found[0]
                final.duration_ms += segment.duration_ms
                if start_ms is not None:
                    if final.start_ms is None:
                        final.start_ms = start_ms
                    final.end_ms = start_ms + segment.duration_ms
            final.segments.append(
                SegmentFile(name, found[0], found[1], segment.duration_ms, start_ms, state)
            )
        if lost["missing"]:
            self._problem("missing_segment", case, index.name, lost["missing"])
        if lost["empty"]:
            self._problem("empty_segment", case, index.name, lost["empty"])
        return final

    def _find(self, uri: str) -> tuple[str, tuple[int, str]]:
        """Return the file that a URI means which is not simply its name."""
        name = playlists.file_name(uri)
        for spelling in (name, unquote(name)):
            if spelling in self.inventory.stored:
                return spelling, self.inventory.stored[spelling]
        return name, (0, "")

    def _check_orphans(self) -> None:
        orphans: dict[Series, list[str]] = defaultdict(list)
        for name in sorted(self.inventory.stored.keys() - self.named):
            one = self.inventory.series_of(name)
            if one is None or file_names.start_ms(name) is None:  # 17 digits that are no time
                self.findings.add("foreign_file", "note", "", [name])
            else:
                orphans[one].append(name)
        mpds = {
            (file.sid, file.bak, file.uid) for file in self.inventory.files if file.kind == "mpd"
        }
        for one, names in orphans.items():
            like, where = one.like, names[0][: names[0].rfind(".") - 18]
            if one.stream.indexes or len(names) < one.count:
                self.findings.add("orphan_segment", "note", where, names)
            elif (like.sid, like.bak, like.uid or "0") in mpds:
                self.findings.add("unread_mpd", "note", where, names)
            else:
                self._problem("no_playlist", self.cases[like.sid], where, names)

    # --- other files ----------------------------------------------------------------------------

    def _check_files(self) -> None:
        empty = [(file.name, file.sid) for file in self.inventory.files if not file.size]
        for one in self.inventory.series.values():
            empty += [(name, one.like.sid) for name in one.empty]
        for name, sid in sorted(empty):
            self._problem("empty_file", self.cases[sid], sid, [name])
        for sid, case in self.cases.items():
            if self.expectation.mp4 and case.slices:
                self._check_mp4s(sid, case)
            if self.expectation.transcoding and not case.silent:
                self._check_transcoding(sid, self.expectation.transcoding)

    def _check_mp4s(self, sid: str, case: _Case) -> None:
        """At least one of the last recorder's, and no hole in the numbers of any recorder's user.

        What a lost recorder had gathered for its MP4 may be lost with it: the slices are not.
        """
        parts: dict[int, dict[str, set[int]]] = {one: {} for one in case.recorders}
        for file in self.inventory.files:
            if file.kind == "mp4" and file.sid == sid:
                by_uid = parts.setdefault(_number(file.bak), {})
                by_uid.setdefault(file.uid, set()).add(file.index or 0)
        for recorder, by_uid in sorted(parts.items()):
            stem = self._stem(sid, recorder)
            if not by_uid and recorder < max(case.recorders):
                names = [f"{stem}_0.mp4"]
                self.findings.add("missing_mp4", "note", sid, names, detail="failover")
                continue
            for uid, have in sorted(by_uid.items()) or [("0", set[int]())]:
                owner = "" if uid == "0" else f"__uid_s_{uid}__uid_e"
                numbers = range(min(max(have, default=0) + 1, len(have) + _MAX_NAMES))
                names = [f"{stem}{owner}_{number}.mp4" for number in numbers if number not in have]
                if names:
                    self._miss_mp4("missing_mp4", case, sid, names)
                    self.absent_mp4s.update(names)

    def _check_transcoding(self, sid: str, kind: TranscodedFormat) -> None:
        """One MP4 a uid, or one audio file for all. It comes a day or more after everything."""
        stem = self._stem(sid, -1)
        made = {
            file.uid
            for file in self.inventory.files
            if file.sid == sid and file.size and file.name.endswith(f".{kind}")
        }
        if kind == "mp4":
            played = (stream.like for stream, final in self.finals if final.duration_ms)
            uids = {like.uid for like in played if like.sid == sid and like.uid}
            absent = [f"{stem}__uid_s_{uid}__uid_e_0.mp4" for uid in sorted(uids - made)]
        else:
            absent = [] if made else [f"{stem}_0.{kind}"]
        if absent:
            level: Level = "error" if self.transcoding_overdue else "awaited"
            self.findings.add("missing_transcoding", level, sid, absent)

    def _check_announced(self) -> None:
        """An announced file must be there; an index, in any of its versions."""
        for name in sorted(self.inventory.unseen):
            like = file_names.parse(name, self.expectation.cname, self.inventory.sids)
            case = self.cases.get(like.sid) if like is not None else None
            if like is None or case is None:
                continue
            stream = self.inventory.streams.get((like.sid, like.bak, like.uid, like.track))
            if like.kind == "mp4":
                if name not in self.absent_mp4s:
                    self._miss_mp4("missing_file", case, like.sid, [name])
            elif like.kind != "playlist" or stream is None or not stream.indexes:
                self._problem("missing_file", case, like.sid, [name])

    def _snapshots(self) -> Snapshots:
        total = Snapshots()
        for one in self.inventory.series.values():
            if one.like.kind == "snapshot":
                total.count += one.count
                total.bytes += one.bytes
                times = [file_names.start_ms(one.first), file_names.start_ms(one.last)]
                known = [ms for ms in (*times, total.first_ms, total.last_ms) if ms is not None]
                total.first_ms = min(known, default=None)
                total.last_ms = max(known, default=None)
        return total

    def _stem(self, sid: str, recorder: int) -> str:
        likes = (stream.like for stream in self.inventory.streams.values())
        cname = next((like.cname for like in likes if like.sid == sid), self.expectation.cname)
        return f"{'' if recorder < 0 else f'bak{recorder}_'}{sid}_{cname}"

    # --- tracks ---------------------------------------------------------------------------------

    def _tracks(self) -> tuple[list[Track], list[Run]]:
        joined: dict[tuple[str, str], list[PlaylistFile]] = defaultdict(list)
        for stream, final in self.finals:
            joined[stream.like.uid or "0", stream.like.track or ""].append(final)
        tracks, runs = [], []
        for uid, track in sorted(joined, key=lambda key: (len(key[0]), key)):
            finals = self._in_time(joined[uid, track])
            own_runs = [run for final in finals for run in runs_of(final, self.expectation.gap_ms)]
            gaps, _ = union(own_runs, self.expectation.gap_ms)
            kind = _track_type(track, finals)
            tracks.append(Track(uid=uid, type=kind, playlists=finals, gaps=gaps))
            runs += own_runs
        return tracks, runs

    def _in_time(self, finals: list[PlaylistFile]) -> list[PlaylistFile]:
        def start_ms(final: PlaylistFile) -> int:
            if final.start_ms is not None:
                return final.start_ms
            return self.cases[final.sid].session.started_ms or 0

        return sorted(finals, key=start_ms)  # stable: sessions and recorders come in order


def _track_type(track: str, finals: list[PlaylistFile]) -> TrackType:
    """Where the name does not tell the type, the index's track events may."""
    if not track:
        media = frozenset[str]().union(*(final.media for final in finals))
        track = "audio" if media == {"AUDIO"} else "video" if media == {"VIDEO"} else "av"
    return _TYPES[track]


def _outcome(findings: list[Finding]) -> Outcome:
    levels = {finding.level for finding in findings}
    if "awaited" in levels:
        return "pending"
    return "incomplete" if "error" in levels else "complete"


def _number(bak: int | None) -> int:
    return -1 if bak is None else bak

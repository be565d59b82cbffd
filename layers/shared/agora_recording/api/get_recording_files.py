"""The files of a recording, for whoever wants to play or to download them.

What is published is read from its manifest; what still goes on is verified on the spot. Both give
the same documents, so that nothing behind them knows the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import msgspec
from msgspec import Meta

from agora_recording.api.paging import page, read_cursor, read_number, write_cursor
from agora_recording.aws import clients
from agora_recording.aws.signing import MAX_EXPIRES_S, Keys, bucket_url, signer
from agora_recording.clock import Instant, from_iso, iso, now_ms
from agora_recording.errors import (
    MediaNotFoundError,
    Problem,
    RecordingStateError,
    RequestInvalidError,
)
from agora_recording.files import manifest, names, playback
from agora_recording.files.catalogue import Catalogue, choose_track
from agora_recording.files.inventory import read_object
from agora_recording.files.manifest import FindingList, GapList, SnapshotSummary, Totals, TrackEntry
from agora_recording.files.publish_recording import Completion
from agora_recording.files.verdict import Outcome, State, TrackType
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore
from agora_recording.recording.ids import check_recording_id
from agora_recording.recording.model import Recording, Status, Upload
from agora_recording.recording.timings import Timings
from agora_recording.recording.view import public

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
DEFAULT_EXPIRES_S = 900
TRACK_TYPES = ("audio", "video", "audio_and_video")
_TRACKS = 100  # that one answer describes
_SNAPSHOT_LISTINGS = 10  # pages of a listing that one answer may cost
_KEY = r"^recordings/[0-9A-Z]{26}/[^\x00-\x1f\x7f]*$"

Sign = Callable[[str, str], str]


# --- what the API shows -------------------------------------------------------------------------


class _View(msgspec.Struct, omit_defaults=True, rename="camel"):
    pass


class FileView(_View, kw_only=True):
    """One file. `url` opens it until `urlsExpireAt`; a file that is missing or empty has none."""

    key: str
    kind: Literal["playlist", "segment", "mp4", "audio", "mpd", "master_playlist", "snapshot"]
    bytes: int
    etag: str
    content_type: str
    sid: str | None = None
    uid: str | None = None
    track_type: TrackType | None = None
    segment_count: int | None = None
    duration_ms: int | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    state: State | None = None
    url: str | None = None


class TrackView(_View, kw_only=True):
    """One stream over all failovers and restarts; uid "0" holds everybody's media."""

    uid: str
    track_type: TrackType
    segment_count: int
    bytes: int
    duration_ms: int
    started_at: Instant | None = None
    ended_at: Instant | None = None
    gaps: GapList


class TrackViews(_View, kw_only=True):
    """`items` holds the first of `count` tracks."""

    count: int
    items: list[TrackView]


class FilesView(_View, kw_only=True):
    """A recording's files: what is known of all of them, and a page of them one by one.

    `source` tells whether it is the published manifest or a look into the bucket just now. The
    addresses end at `urlsExpireAt`, or with the credentials of the function that signed them.
    """

    recording_id: str
    status: Status
    source: Literal["manifest", "bucket"]
    verdict: Outcome
    generated_at: Instant
    urls_expire_at: Instant
    manifest_url: str | None = None
    upload: Upload
    totals: Totals
    gaps: GapList
    findings: FindingList
    snapshots: SnapshotSummary
    tracks: TrackViews
    files: list[FileView]
    cursor: str | None = None


# --- what is asked for --------------------------------------------------------------------------


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Where the next page begins: file number `number` of the manifest written at `at`, or after
    a key, among the media or among the snapshots."""

    at: str | None = None
    number: Annotated[int, Meta(ge=0)] = 0
    after: Annotated[str, Meta(pattern=_KEY, max_length=1024)] | None = None
    snapshots: bool = False


class FilesWish(NamedTuple):
    """A page of files."""

    limit: int
    expires_s: int
    cursor: Cursor


class PlaylistWish(NamedTuple):
    """A track, and the window of time (epoch ms) to play of it."""

    uid: str | None
    track_type: str | None
    from_ms: int | None
    to_ms: int | None
    expires_s: int


def read_files_wish(query: Callable[[str], str | None]) -> FilesWish:
    """Return the query string's meaning; `query` gives one parameter of it.

    Raises RequestInvalidError.
    """
    cursor = query("cursor")
    return FilesWish(
        limit=read_number("limit", query("limit"), DEFAULT_LIMIT, 1, MAX_LIMIT),
        expires_s=_expires_s(query),
        cursor=read_cursor(cursor, Cursor) if cursor is not None else Cursor(),
    )


def read_playlist_wish(query: Callable[[str], str | None]) -> PlaylistWish:
    """Return the query string's meaning; `query` gives one parameter of it.

    Raises RequestInvalidError.
    """
    track_type = query("track")
    if track_type is not None and track_type not in TRACK_TYPES:
        raise RequestInvalidError([Problem("track", f"must be one of {', '.join(TRACK_TYPES)}")])
    from_ms, to_ms = _instant("from", query("from")), _instant("to", query("to"))
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise RequestInvalidError([Problem("to", "must be later than from")])
    return PlaylistWish(query("uid"), track_type, from_ms, to_ms, _expires_s(query))


def _expires_s(query: Callable[[str], str | None]) -> int:
    return read_number("expires", query("expires"), DEFAULT_EXPIRES_S, 1, MAX_EXPIRES_S)


def _instant(name: str, text: str | None) -> int | None:
    try:
        return None if text is None else from_iso(text)
    except ValueError:
        rule = "must be an instant such as 2026-01-31T12:00:00Z"
        raise RequestInvalidError([Problem(name, rule)]) from None


# --- files one by one ---------------------------------------------------------------------------


def views(catalogue: Catalogue, first: int = 0) -> Iterator[FileView]:
    """Yield playlists, then other files, then segments, from number `first` on; without `url`."""
    heads = [
        *(
            FileView(
                key=playlist.key,
                kind="playlist",
                bytes=playlist.bytes,
                etag=playlist.etag,
                content_type=playback.content_type(playlist.key),
                sid=playlist.sid,
                uid=track.uid,
                track_type=track.track_type,
                segment_count=playlist.segment_count,
                duration_ms=playlist.duration_ms,
                started_at=playlist.started_at,
                ended_at=playlist.ended_at,
            )
            for track in catalogue.tracks
            for playlist in track.playlists
        ),
        *(
            FileView(
                key=file.key,
                kind=file.kind,
                bytes=file.bytes,
                etag=file.etag,
                content_type=playback.content_type(file.key),
                sid=file.sid,
                uid=file.uid,
            )
            for file in catalogue.files()
        ),
    ]
    yield from heads[first:]
    number = max(0, first - len(heads))
    for at, segment in enumerate(catalogue.segments(number), number):
        track = catalogue.track_of(at)
        yield FileView(
            key=catalogue.manifest.prefix + segment.name,
            kind="segment",
            bytes=segment.bytes,
            etag=segment.etag,
            content_type=playback.content_type(segment.name),
            uid=track.uid,
            track_type=track.track_type,
            duration_ms=segment.duration_ms,
            started_at=segment.started_at,
            state=segment.state,
        )


def media_page(
    catalogue: Catalogue, sign: Sign, where: Cursor, limit: int
) -> tuple[list[FileView], Cursor | None]:
    """Return a page of all but the snapshots, signed, and where the next one begins.

    Raises RequestInvalidError when the cursor counts in a manifest that was replaced since.
    """
    about = catalogue.manifest
    if where.at not in (None, about.generated_at):
        rule = "is of an earlier manifest, which has been replaced: begin anew without it"
        raise RequestInvalidError([Problem("cursor", rule)])
    ended = Cursor(snapshots=True) if about.snapshots.count else None
    if catalogue.is_published and where.after is None:
        found = page((_signed(sign, each) for each in views(catalogue, where.number)), limit)
        number = where.number + len(found)
        playlists = sum(len(track.playlists) for track in catalogue.tracks)
        is_last = number >= playlists + about.files.count + about.segments.count
        return found, ended if is_last else Cursor(at=about.generated_at, number=number)
    # While it goes on, numbers shift with every new file of another track: keys do not.
    rest = [each for each in views(catalogue) if each.key > (where.after or "")]
    rest.sort(key=lambda view: view.key)
    found = page((_signed(sign, each) for each in rest), limit)
    return found, ended if len(found) == len(rest) else Cursor(after=found[-1].key)


def _signed(sign: Sign, view: FileView) -> FileView:
    if view.state is None:
        view.url = sign(view.key, view.content_type)
    return view


class Media:
    """Shows files, and makes playlists."""

    def __init__(
        self,
        *,
        store: RecordingStore,
        sessions: SessionStore,
        bucket: str,
        timings: Timings,
        s3: S3Client | None = None,
        keys: Callable[[], Keys] = clients.keys,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._s3 = s3
        self._keys = keys
        self._now_ms = now_ms
        self._completion = Completion(
            store=store, sessions=sessions, bucket=bucket, timings=timings, s3=s3, now_ms=now_ms
        )

    @property
    def _client(self) -> S3Client:
        return self._s3 or clients.s3()

    def files(self, recording_id: str, wish: FilesWish) -> dict[str, Any]:
        """Return a FilesView. Raises RecordingNotFoundError; RequestInvalidError (the cursor)."""
        recording = self._recording(recording_id)
        catalogue = self._catalogue(recording)
        sign = self._signer(wish.expires_s)
        where, found = wish.cursor, list[FileView]()
        following: Cursor | None = where
        if not where.snapshots:
            found, following = media_page(catalogue, sign, where, wish.limit)
        if following and following.snapshots and not found:
            found, following = self._snapshot_page(recording, sign, following.after, wish.limit)
        about = catalogue.manifest
        view = FilesView(
            recording_id=recording.recording_id,
            status=recording.status,
            source="manifest" if catalogue.is_published else "bucket",
            verdict=about.verdict,
            generated_at=about.generated_at,
            urls_expire_at=iso(self._now_ms() + wish.expires_s * 1000),
            manifest_url=sign(about.prefix + manifest.FILE, "application/json")
            if catalogue.is_published
            else None,
            upload=recording.upload,
            totals=about.totals,
            gaps=about.gaps,
            findings=about.findings,
            snapshots=about.snapshots,
            tracks=TrackViews(
                count=len(catalogue.tracks),
                items=[_track_view(each) for each in catalogue.tracks[:_TRACKS]],
            ),
            files=found,
            cursor=write_cursor(following) if following else None,
        )
        return cast(dict[str, Any], msgspec.to_builtins(view))

    def playlist(self, recording_id: str, wish: PlaylistWish) -> str:
        """Return an HLS playlist whose segments are signed addresses.

        Raises RecordingNotFoundError; MediaNotFoundError; RequestInvalidError (which track);
        PlaylistTooLargeError.
        """
        recording = self._recording(recording_id)
        catalogue = self._catalogue(recording)
        track = choose_track(catalogue.tracks, wish.uid, wish.track_type)
        sign = self._signer(wish.expires_s)
        return playback.signed_playlist(
            playback.join(self._read(each.key) for each in track.playlists),
            lambda key: sign(key, playback.content_type(key)),
            recording.prefix,
            missing=catalogue.unplayable(track),
            from_ms=wish.from_ms,
            to_ms=wish.to_ms,
            growing=not recording.is_terminal,
        )

    def _recording(self, recording_id: str) -> Recording:
        check_recording_id(recording_id)
        recording = self._store.get(recording_id)
        if recording.deleting_ms:
            raise RecordingStateError("This recording is being deleted.")
        return recording

    def _catalogue(self, recording: Recording) -> Catalogue:
        if recording.upload.manifest:
            # Not there any more where its time of retention is over.
            with suppress(MediaNotFoundError):
                written = manifest.decode(self._read(recording.upload.manifest))
                return Catalogue(written, self._read, is_published=True)
        verdict = self._completion.verify(recording)
        documents = dict(manifest.documents(verdict, public(recording)))
        written = manifest.decode(documents[recording.prefix + manifest.FILE])
        return Catalogue(written, documents.__getitem__, is_published=False)

    def _read(self, key: str) -> bytes:
        client = self._client
        try:
            return read_object(client, self._bucket, key)
        except client.exceptions.NoSuchKey:
            raise MediaNotFoundError(f"{key} is not in the bucket any more.") from None

    def _signer(self, expires_s: int) -> Sign:
        meta = self._client.meta
        where = bucket_url(meta.endpoint_url, self._bucket)
        return signer(where, meta.region_name, self._keys(), self._now_ms(), expires_s)

    def _snapshot_page(
        self, recording: Recording, sign: Sign, after: str | None, limit: int
    ) -> tuple[list[FileView], Cursor | None]:
        """Return snapshots by key: they are in no playlist, so the listing alone has them."""
        found: list[FileView] = []
        at = after or recording.prefix
        for _ in range(_SNAPSHOT_LISTINGS):
            answer = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=recording.prefix, StartAfter=at
            )
            for item in answer.get("Contents", ()):
                at = item["Key"]
                view = _snapshot_view(recording, at, item["Size"], item["ETag"].strip('"'))
                if view:
                    found.append(_signed(sign, view))
                if len(found) == limit:
                    return found, Cursor(snapshots=True, after=at)
            if not answer["IsTruncated"]:
                return found, None
        return found, Cursor(snapshots=True, after=at)


def _track_view(track: TrackEntry) -> TrackView:
    return TrackView(
        uid=track.uid,
        track_type=track.track_type,
        segment_count=track.segment_count,
        bytes=track.bytes,
        duration_ms=track.duration_ms,
        started_at=track.started_at,
        ended_at=track.ended_at,
        gaps=track.gaps,
    )


def _snapshot_view(recording: Recording, key: str, size: int, etag: str) -> FileView | None:
    name = key.removeprefix(recording.prefix)
    like = names.parse(name, recording.cname, recording.sids)
    if like is None or like.kind != "snapshot":
        return None
    return FileView(
        key=key,
        kind="snapshot",
        bytes=size,
        etag=etag,
        content_type=playback.content_type(name),
        sid=like.sid,
        uid=like.uid,
        started_at=None if like.start_ms is None else iso(like.start_ms),
        state="empty" if size == 0 else None,
    )

"""The files of a recording, a page at a time, with addresses to download them from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Meta

from agora_recording.api.media import Media, read_expires_s
from agora_recording.api.paging import page, read_cursor, read_number, write_cursor
from agora_recording.aws.signing import Sign
from agora_recording.clock import Instant, iso
from agora_recording.errors import Problem, RequestInvalidError
from agora_recording.files import manifest, names, playback
from agora_recording.files.capability import download_name
from agora_recording.files.catalogue import Catalogue, choose_whole
from agora_recording.files.manifest import FindingList, GapList, SnapshotSummary, Totals, TrackEntry
from agora_recording.files.verdict import State, TrackType
from agora_recording.recording.model import Outcome, Recording, Status, Upload

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
_TRACKS = 100  # that one answer describes
_SNAPSHOT_LISTINGS = 10  # pages of a listing that one answer may cost
_KEY = r"^([0-9A-Za-z]+/)*recordings/[0-9A-Z]{26}/[^\x00-\x1f\x7f]*$"


# --- what the API shows -------------------------------------------------------------------------


class _View(msgspec.Struct, omit_defaults=True, rename="camel"):
    pass


class FileView(_View, kw_only=True):
    """One file. `url` opens it until `urlsExpireAt`; a file that is missing or empty has none."""

    key: str
    kind: Literal[
        "playlist",
        "segment",
        "mp4",
        "audio",
        "mpd",
        "dash_segment",
        "master_playlist",
        "snapshot",
    ]
    bytes: int
    etag: str
    content_type: str
    sid: str | None = None
    uid: str | None = None
    track_type: TrackType | None = None
    codec: str | None = None
    segment_count: int | None = None
    duration_ms: int | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    state: State | None = None
    url: str | None = None


class TrackView(_View, kw_only=True):
    """One stream over all failovers and restarts; uid "0" holds everybody's media.

    `track` is its type in the word of the queries and of links; `trackType` says the same.
    `playlist` plays it for a caller of this API: an address below the stage's. `play` plays it by a
    link: what stands in the link's address after the token.
    """

    uid: str
    track_type: TrackType
    segment_count: int
    bytes: int
    duration_ms: int
    started_at: Instant | None = None
    ended_at: Instant | None = None
    gaps: GapList
    track: TrackType
    playlist: str
    play: str
    codec: str | None = None


class TrackViews(_View, kw_only=True):
    """`items` holds the first of `count` tracks.

    `wholes` says what plays by a link (what stands in its address after the token): everybody's
    media, or all of one user: sound and picture together; an MPD where there is no playlist.
    """

    count: int
    items: list[TrackView]
    wholes: list[str]


class FilesView(_View, kw_only=True):
    """A recording's files: facts about all of them, and a page of single files.

    `source` tells whether they come from the published manifest or from the bucket now. The
    addresses expire at `urlsExpireAt`, or with the credentials of the function that signed them.
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


class FilesQuery(NamedTuple):
    """The page of files that is asked for."""

    limit: int
    expires_s: int
    cursor: Cursor


def read_files_query(parameters: Mapping[str, str]) -> FilesQuery:
    """Decode the parameters of the query string. Raises RequestInvalidError."""
    return FilesQuery(
        limit=read_number("limit", parameters, DEFAULT_LIMIT, 1, MAX_LIMIT),
        expires_s=read_expires_s(parameters),
        cursor=read_cursor(parameters, Cursor) or Cursor(),
    )


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
                codec=track.codec,
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
                codec=file.codec,
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
            codec=track.codec,
            duration_ms=segment.duration_ms,
            started_at=segment.started_at,
            state=segment.state,
        )


def media_page(
    catalogue: Catalogue, sign: Sign, where: Cursor, limit: int
) -> tuple[list[FileView], Cursor | None]:
    """Return a page of signed files without the snapshots, and where the next page begins.

    Raises RequestInvalidError if the cursor belongs to a manifest that was replaced since.
    """
    about = catalogue.manifest
    if where.at not in (None, about.generated_at):
        rule = "belongs to an earlier manifest, which was replaced: begin again without it"
        raise RequestInvalidError([Problem("cursor", rule)])
    ended = Cursor(snapshots=True) if about.snapshots.count else None
    if catalogue.is_published and where.after is None:
        found = page((_signed(sign, each) for each in views(catalogue, where.number)), limit)
        number = where.number + len(found)
        playlists = sum(len(track.playlists) for track in catalogue.tracks)
        is_last = number >= playlists + about.files.count + about.segments.count
        return found, ended if is_last else Cursor(at=about.generated_at, number=number)
    # Before it is published, new files of other tracks shift the numbers, but not the keys.
    rest = [each for each in views(catalogue) if each.key > (where.after or "")]
    rest.sort(key=lambda view: view.key)
    found = page((_signed(sign, each) for each in rest), limit)
    return found, ended if len(found) == len(rest) else Cursor(after=found[-1].key)


def _signed(sign: Sign, view: FileView) -> FileView:
    if view.state is None:
        view.url = sign(view.key, view.content_type)
    return view


# --- a page -------------------------------------------------------------------------------------


def list_files(media: Media, recording_id: str, query: FilesQuery) -> dict[str, Any]:
    """Return a FilesView.

    Raises RecordingNotFoundError; RecordingStateError; RequestInvalidError (the cursor).
    """
    recording = media.recording(recording_id)
    catalogue = media.catalogue(recording)
    sign = named(media.signer(recording, query.expires_s), recording)
    where, found = query.cursor, list[FileView]()
    following: Cursor | None = where
    if not where.snapshots:
        found, following = media_page(catalogue, sign, where, query.limit)
    if following and following.snapshots and not found:
        found, following = snapshot_page(media, recording, sign, following.after, query.limit)
    about = catalogue.manifest
    view = FilesView(
        recording_id=recording.recording_id,
        status=recording.status,
        source="manifest" if catalogue.is_published else "bucket",
        verdict=about.verdict,
        generated_at=about.generated_at,
        urls_expire_at=iso(media.now_ms() + query.expires_s * 1000),
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
            items=[
                _track_view(recording.recording_id, each) for each in catalogue.tracks[:_TRACKS]
            ],
            wholes=wholes(catalogue),
        ),
        files=found,
        cursor=write_cursor(following) if following else None,
    )
    return cast(dict[str, Any], msgspec.to_builtins(view))


def named(sign: Sign, recording: Recording) -> Sign:
    """Return `sign`, which gives MP4 and audio files the name under which people save them."""
    started_ms = recording.started_ms

    def sign_named(key: str, content_type: str, save_as: str = "") -> str:
        name = key.removeprefix(recording.prefix)
        found = download_name(name, recording.cname, recording.sids, started_ms)
        return sign(key, content_type, save_as or found or "")

    return sign_named


def snapshot_page(
    media: Media, recording: Recording, sign: Sign, after: str | None, limit: int
) -> tuple[list[FileView], Cursor | None]:
    """Return snapshots by key: no playlist names them, so the bucket is listed."""
    found: list[FileView] = []
    at = after or recording.prefix
    for _ in range(_SNAPSHOT_LISTINGS):
        answer = media.client.list_objects_v2(
            Bucket=media.bucket, Prefix=recording.prefix, StartAfter=at
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


def wholes(catalogue: Catalogue) -> list[str]:
    """Return what plays all that a user sent, for the first users; "0" is everybody."""
    found: list[str] = []
    users = dict.fromkeys((each.uid, each.codec) for each in catalogue.tracks)
    for uid, codec in islice(users, _TRACKS):
        with suppress(RequestInvalidError):  # tracks that only their types tell apart
            choose_whole(catalogue.tracks, uid, None, codec)
            about = {} if len(users) == 1 else {"uid": uid, "codec": codec}
            found.append(_query("index.m3u8", about))
    mpds = [file for file in catalogue.files() if file.kind == "mpd"]
    found += [quote(file.key.rpartition("/")[2]) for file in mpds[:_TRACKS]]
    return found


def _query(name: str, values: Mapping[str, str | None]) -> str:
    text = urlencode({key: value for key, value in values.items() if value})
    return f"{name}?{text}" if text else name


def _track_view(recording_id: str, track: TrackEntry) -> TrackView:
    about = {"uid": track.uid, "track": track.track_type, "codec": track.codec}
    return TrackView(
        track=track.track_type,
        playlist=_query(f"/recordings/{recording_id}/playlist", about),
        play=_query("index.m3u8", about),
        uid=track.uid,
        track_type=track.track_type,
        codec=track.codec,
        segment_count=track.segment_count,
        bytes=track.bytes,
        duration_ms=track.duration_ms,
        started_at=track.started_at,
        ended_at=track.ended_at,
        gaps=track.gaps,
    )


def _snapshot_view(recording: Recording, key: str, size: int, etag: str) -> FileView | None:
    name = key.removeprefix(recording.prefix)
    parsed = names.parse(name, recording.cname, recording.sids)
    if parsed is None or parsed.kind != "snapshot":
        return None
    return FileView(
        key=key,
        kind="snapshot",
        bytes=size,
        etag=etag,
        content_type=playback.content_type(name),
        sid=parsed.sid,
        uid=parsed.uid,
        started_at=None if parsed.start_ms is None else iso(parsed.start_ms),
        state="empty" if size == 0 else None,
    )

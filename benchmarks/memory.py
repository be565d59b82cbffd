"""The most memory that a verification takes, whatever lies in the bucket.

Whoever may write under a recording's prefix decides what an index says and how many files there
are. Each case is the worst of its kind, in a fresh process that imports boto3 and does what the
rooms do with a verdict: documents of it, and a page of the API. The value is the greatest resident
memory of any, as a share of what the rooms have.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from agora_recording.api.get_recording_files import Cursor, media_page
from agora_recording.errors import PlaylistTooLargeError
from agora_recording.files import manifest, playback
from agora_recording.files.allowance import MAX_INDEX_BYTES
from agora_recording.files.catalogue import Catalogue
from agora_recording.files.documents import documents
from agora_recording.files.inventory import S3Object
from agora_recording.files.judge import verify
from agora_recording.files.verdict import Expectation, Session
from local.template import functions

_SID = "0123456789abcdef0123456789abcdef"
_STEM = f"{_SID}_standup"
_PREFIX = "recordings/01JABCDEFGHJKMNPQRSTVWXYZ0/"
_MS = 1_767_225_600_000
_ROOMS = ("AwaitUpload", "PublishRecording", "RecordFileArrival", "GetRecordingFiles")
_PIECE = 256 * 1024
_MANY = 3_000_000  # files, of which only the first are read


class Case(NamedTuple):
    """What lies in the bucket: names and sizes, and what each index says, in pieces."""

    files: Iterator[tuple[str, int]]
    read: Callable[[str], Iterator[bytes]]


def run() -> dict[str, dict[str, Any]]:
    """Return the greatest share of the rooms' memory, and the MiB and CPU seconds of each case."""
    room_mb = min(functions()[f"{name}Function"]["MemorySize"] for name in _ROOMS)
    found = {name: _measured(name) for name in CASES}
    worst = max(found, key=lambda name: found[name]["mb"])
    return {
        "verify_worst_memory": {
            "value": found[worst]["mb"] / room_mb,
            "unit": "of the room's memory",
            "n": len(found),
            "worst": worst,
            "room_mb": room_mb,
            "cases": found,
        }
    }


def _measured(name: str) -> dict[str, float]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, __file__, name]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def _measure(name: str) -> dict[str, float]:
    boto3.client("s3", region_name="us-east-1")
    case = CASES[name]()
    expectation = Expectation(
        prefix=_PREFIX,
        mode="individual",
        cname="standup",
        sessions=(Session(sid=_SID, upload="uploaded"),),
        deadline_ms=_MS,
    )
    listing = (
        S3Object(_PREFIX + key, size, f"{number:032x}", _MS + number)
        for number, (key, size) in enumerate(case.files)
    )
    verdict = verify(listing, case.read, expectation, _MS)
    if verdict.outcome != "incomplete":
        raise RuntimeError(f"{name}: {verdict.outcome}")
    built = dict(documents(verdict, {}))
    del verdict
    written = manifest.decode(built[_PREFIX + manifest.FILE], _PREFIX)
    catalogue = Catalogue(written, built.__getitem__, is_published=False)
    media_page(catalogue, _unsigned, Cursor(), 100)
    del built, written, catalogue
    _play(CASES[name]())
    return {"mb": round(peak_mb(), 1), "cpu_s": round(time.process_time(), 1)}


def peak_mb() -> float:
    """Return this process's greatest resident memory in MiB.

    Linux's ru_maxrss counts what the parent held when it started this process; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _unsigned(key: str, content_type: str, save_as: str = "") -> str:
    return f"{key} {content_type} {save_as}"


def _play(case: Case) -> None:
    """Play the first index, as the room of the playlist does."""
    indexes = (name for name, _ in islice(case.files, 4) if name.endswith(".m3u8"))
    with suppress(PlaylistTooLargeError):
        text = playback.join(case.read(_PREFIX + name) for name in islice(indexes, 1))
        playback.signed_playlist(text, lambda key: f"https://host/{key}?{'x' * 500}", _PREFIX)


# --- what may lie in a bucket -------------------------------------------------------------------


def _filled(lines: Iterator[bytes], size: int = MAX_INDEX_BYTES) -> Iterator[bytes]:
    """Yield an index in pieces, until it has almost `size` bytes."""
    rest = size - _PIECE
    while rest > 0:
        piece = bytearray()
        while len(piece) < _PIECE:
            line = next(lines, None)
            if line is None:
                yield bytes(piece)
                return
            piece += line
        rest -= len(piece)
        yield bytes(piece)


def _one_index(lines: Callable[[], Iterator[bytes]]) -> Callable[[], Case]:
    """Return a case of three slices and one index that says what `lines` yield."""

    def case() -> Case:
        files = [(f"{_STEM}.m3u8", MAX_INDEX_BYTES)]
        files += [(_slice(number), 1000) for number in range(3)]
        return Case(iter(files), lambda _: _filled(chain([b"#EXTM3U\n"], lines())))

    return case


def _slice(number: int, uid: int | None = None) -> str:
    """Return the name of a slice, a minute after the one before: so all have gaps between them."""
    days, minute = divmod(number, 1440)
    month, day = divmod(days, 28)
    year, month = divmod(month, 12)
    at = f"{2026 + year}{month + 1:02}{day + 1:02}{minute // 60:02}{minute % 60:02}00000"
    owner = "" if uid is None else f"__uid_s_{uid}__uid_e_av"
    return f"{_STEM}{owner}_{at}.ts"


def _entries(names: Iterator[str]) -> Iterator[bytes]:
    return (f"#EXTINF:15\n{name}\n".encode() for name in names)


def _all_there() -> Case:
    """All slices are there, with a gap before each: nothing is wrong but their number."""
    names = (_slice(number) for number in range(_MANY))
    files = chain([(f"{_STEM}.m3u8", MAX_INDEX_BYTES)], ((name, 1000) for name in names))
    entries = _entries(_slice(number) for number in range(_MANY))
    return Case(files, lambda _: _filled(chain([b"#EXTM3U\n"], entries)))


def _many_indexes() -> Case:
    """Thousands of users, each with an index of names that are not there."""
    files = ((f"{_STEM}__uid_s_{uid}__uid_e_av.m3u8", 2**20) for uid in range(20_000))

    def read(key: str) -> Iterator[bytes]:
        return _filled(_entries(f"{key[-40:]}{n}{'x' * 900}.ts" for n in range(1000)), 2**20)

    return Case(files, read)


def _many_users() -> Case:
    """Each slice is the first of its series."""
    return Case(((_slice(uid, uid), 1000) for uid in range(_MANY)), lambda _: iter(()))


def _wide_names() -> Case:
    """Files that are not Agora's: one wide character makes all of a name take four bytes."""
    names = (f"{number:07}\U0001f600{'x' * 950}" for number in range(_MANY))
    return Case(((name, 1) for name in names), lambda _: iter(()))


def _empty_snapshots() -> Case:
    names = (_slice(number).replace(".ts", ".jpg") for number in range(_MANY))
    return Case(((name, 0) for name in names), lambda _: iter(()))


def _files_of_unknown_forms() -> Case:
    names = (f"{_SID}-{number}.m3u8" for number in range(_MANY))
    return Case(((name, 10) for name in names), lambda _: iter((b"#EXTM3U\n\n",)))


CASES: dict[str, Callable[[], Case]] = {
    "all_there": _all_there,
    "shortest_entries": _one_index(lambda: repeat(b"#EXTINF:1\na\n")),
    "names_absent": _one_index(lambda: _entries(f"{number:07}.ts" for number in range(_MANY))),
    "wide_names_absent": _one_index(
        lambda: _entries(f"{number:07}\U0001f600{'x' * 1000}.ts" for number in range(_MANY))
    ),
    "longest_that_plays": _one_index(lambda: repeat(b"#EXTINF:1\na\n", 420_000)),
    "tags": _one_index(lambda: repeat(b"#\n")),
    "tags_with_kinds": _one_index(
        lambda: (f"#EXT-X-AGORA-TRACK-EVENT:TRACK_TYPE={n}\n".encode() for n in range(_MANY))
    ),
    "tags_with_addresses": _one_index(
        lambda: (f'#EXT-X-MAP:URI="{number}"\n'.encode() for number in range(_MANY))
    ),
    "indexes_named": _one_index(
        lambda: (f"#EXT-X-STREAM-INF:\n{number}\n".encode() for number in range(_MANY))
    ),
    "blank_lines": _one_index(lambda: repeat(b"\n")),
    "one_line": _one_index(lambda: repeat(b"x" * 5000)),
    "not_text": _one_index(lambda: repeat(b"\xff\x00\n")),
    "many_indexes": _many_indexes,
    "many_users": _many_users,
    "wide_names": _wide_names,
    "empty_snapshots": _empty_snapshots,
    "files_of_unknown_forms": _files_of_unknown_forms,
}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1]) if len(sys.argv) > 1 else run(), indent=2))

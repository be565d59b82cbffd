"""What each event adds to the facts of its session, and the document that tells it to people."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agora_recording.hiding import address_name
from agora_recording.notifications import events as e
from agora_recording.notifications import facts as session
from agora_recording.notifications.effects import is_sign_of_life, merge
from agora_recording.notifications.events import Event
from agora_recording.notifications.facts import NOTHING, SessionFacts
from agora_recording.notifications.words import STORAGE_EXPIRED
from tests.world.webhook import DOCUMENTED, NOW_MS, UID, event

DOCUMENT = Path(__file__).parents[3] / "docs" / "agora-events.md"


def facts(*told: Event) -> SessionFacts:
    return reduce(merge, told, NOTHING)


def over(reason: str) -> dict[str, Any]:
    """Return what an end says: who told of it, when, and that a query may be needed."""
    return {"ends": {UID: reason}, "endedMs": NOW_MS, "doubtMs": NOW_MS}


def test_the_document_describes_every_event_and_its_signs_of_life() -> None:
    rows = [line.split("|") for line in DOCUMENT.read_text().splitlines()]
    described = {int(row[1]): row for row in rows if len(row) == 6 and row[1].strip().isdigit()}
    assert set(described) == set(e.KINDS)
    for kind, row in described.items():
        assert str(e.KINDS[kind].msg_name) in row[2] or kind in (13, 34)
        assert is_sign_of_life(event(kind, DOCUMENTED[kind][0])) == ("life" in row[4])


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        (
            1,
            {"module": 1, "errorCode": 47, "errorLevel": 3},
            {"errors": {"uploader:47": (3, NOW_MS)}},
        ),
        (1, {"module": 9, "errorCode": 8}, {"errors": {"9:8": (0, NOW_MS)}}),
        (
            1,
            {"module": 0, "errorCode": 1, "errorLevel": 5},
            {"errors": {"recorder:1": (5, NOW_MS)}, "doubtMs": NOW_MS},
        ),
        (2, {"module": 1, "warnCode": 31}, {"warnings": {"uploader:31": NOW_MS}}),
        (3, {"status": 5, "fileList": "a"}, {"serviceStatus": (NOW_MS, 5), "files": ("a",)}),
        (3, {"status": 20}, {"serviceStatus": (NOW_MS, 20), "doubtMs": NOW_MS}),
        (4, {"fileList": "a.m3u8"}, {"files": ("a.m3u8",)}),
        (
            11,
            {"exitStatus": 0},
            {"exitStatus": 0, **over("EXITED")},
        ),
        (
            11,
            {"exitStatus": 1},
            {"exitStatus": 1, **over("EXITED_ABNORMALLY")},
        ),
        (12, {"newUid": 99}, {"newUids": ("99",), "leftUids": (UID,), "doubtMs": NOW_MS}),
        (12, {"newUid": int(UID)}, {"newUids": (UID,), "doubtMs": NOW_MS}),
        (12, {}, {"newUids": ("unknown",), "doubtMs": NOW_MS}),
        (3, {}, {}),
        (13, {}, {}),
        (30, {"status": 0}, {"upload": "started"}),
        (30, {"status": 7}, {"upload": "started", "errors": {"status:30:7": (0, NOW_MS)}}),
        (31, {"status": 0, "fileList": ["b", "a"]}, {"upload": "uploaded", "files": ("a", "b")}),
        (31, {"status": 1}, {"upload": "uploading", "errors": {"status:31:1": (0, NOW_MS)}}),
        (32, {"status": 0}, {"upload": "backuped"}),
        (32, {"status": 3}, {"upload": "uploading", "errors": {"status:32:3": (0, NOW_MS)}}),
        (34, {}, {"warnings": {STORAGE_EXPIRED: NOW_MS}, "tokenExpiredMs": NOW_MS}),
        (33, {"progress": 5_000}, {"upload": "uploading", "progress": 5_000}),
        (40, {"status": 0}, {"startedMs": NOW_MS}),
        (40, {"status": 2}, {"errors": {"status:40:2": (0, NOW_MS)}}),
        (41, {"leaveCode": 24}, {"leaveCode": 24, "doubtMs": NOW_MS}),
        (41, {"leaveCode": 6}, {"leaveCode": 6, **over("IDLE")}),
        (41, {"leaveCode": 0}, {"leaveCode": 0, "doubtMs": NOW_MS}),
        (41, {"leaveCode": -1}, {"doubtMs": NOW_MS}),
        (41, {}, {"doubtMs": NOW_MS}),
        (42, {"startUtcMs": NOW_MS - 5}, {"startedMs": NOW_MS - 5}),
        (
            42,
            {"startUtcMs": NOW_MS - 5, "discontinueUtcMs": NOW_MS - 5},
            {"startedMs": NOW_MS - 5},
        ),
        (
            42,
            {
                "startUtcMs": NOW_MS - 5,
                "discontinueUtcMs": NOW_MS - 9,
                "streamUid": "7",
                "trackType": "audio",
            },
            {
                "startedMs": NOW_MS - 5,
                "interruptions": ((NOW_MS - 9, NOW_MS - 5, "audio:7"),),
            },
        ),
        (
            43,
            {"streamUid": "7", "state": 1, "UtcMs": NOW_MS},
            {"streams": {"audio:7": (NOW_MS, 1)}},
        ),
        (44, {"streamUid": "7", "state": 0}, {"streams": {"video:7": (NOW_MS, 0)}}),
        (44, {"streamUid": "7"}, {}),
        (45, {"fileName": "a.jpg"}, {"snapshot": (NOW_MS, "a.jpg")}),
        (45, {}, {"snapshot": (NOW_MS, "")}),
        (71, {}, {"webStop": (0, ""), **over("STOPPED")}),
        (60, {"aliVodInfo": {"videoId": "v"}}, {}),
        (61, {}, {}),
        (70, {"recorderStartTime": NOW_MS - 1}, {"startedMs": NOW_MS - 1}),
        (
            71,
            {"code": 0, "message": "ok"},
            {"webStop": (0, "ok"), **over("STOPPED")},
        ),
        (
            71,
            {"code": 1, "message": "max_recording_hour", "fileList": ["a"]},
            {
                "webStop": (1, "max_recording_hour"),
                **over("WEB_MAX_DURATION"),
                "files": ("a",),
            },
        ),
        (
            71,
            {"code": 6, "message": "recorder_error"},
            {
                "webStop": (6, "recorder_error"),
                **over("WEB_FAILED"),
            },
        ),
        (
            72,
            {"limitType": "WebGL"},
            {
                "errors": {"web:capability_limit:WebGL": (5, NOW_MS)},
                **over("WEB_FAILED"),
            },
        ),
        (73, {"reason": "audio_silence"}, {"warnings": {"web:reload:audio_silence": NOW_MS}}),
        (80, {}, {"transcoding": "started"}),
        (
            81,
            {"result": "all_success", "uids": [{"fileList": ["a.mp4"]}]},
            {"transcoding": "all_success", "transcodedFiles": ("a.mp4",)},
        ),
        (81, {"result": "who knows"}, {"transcoding": "started"}),
        (90, {"fileName": "b.ts;a.ts"}, {"errors": {"transcoder:download_failed": (0, NOW_MS)}}),
        (
            1001,
            {"result": "failed", "fileList": ["a.mp4"]},
            {"transcoding": "final_failed", "transcodedFiles": ("a.mp4",)},
        ),
        (4711, {"anything": 1}, {}),
    ],
)
def test_each_event_has_its_effect(
    kind: int, details: dict[str, Any], expected: dict[str, Any]
) -> None:
    told = msgspec.structs.asdict(facts(event(kind, details)))
    plain = msgspec.structs.asdict(facts(event(4711)))
    changed = {name: value for name, value in told.items() if value != plain[name]}
    changed.pop("lastSignMs", None)
    assert changed == expected


def test_who_told_something_and_in_which_place_is_remembered() -> None:
    told = event(33, {}, sequence=4)
    assert facts(told).lastSignMs == NOW_MS
    assert facts(told).uids == (UID,)
    assert facts(told).sequences == {UID: session.heard(4)}
    nobody = facts(msgspec.structs.replace(told, uid=None))
    assert (nobody.uids, nobody.sequences) == ((), {})
    nowhere = facts(msgspec.structs.replace(told, sequence=None))
    assert (nowhere.uids, nowhere.sequences) == ((UID,), {})


def test_a_cdn_output_is_known_by_its_host_and_a_hash() -> None:
    told = facts(
        event(100, {"rtmpUrl": "rtmp://host/key", "status": "connecting"}),
        event(100, {"rtmpUrl": "rtmp://host/key", "status": "publishing"}, at_ms=NOW_MS + 1),
    )
    assert told.outputs == {address_name("rtmp://host/key"): (NOW_MS + 1, "publishing")}


def test_a_cdn_output_without_a_status_has_an_empty_one() -> None:
    told = facts(event(100, {"rtmpUrl": "rtmp://host/key"}))
    assert told.outputs == {address_name("rtmp://host/key"): (NOW_MS, "")}


def test_seen_spans_the_first_and_the_last_event() -> None:
    told = facts(event(4711, at_ms=NOW_MS + 9), event(4711, at_ms=NOW_MS))
    assert (told.firstSeenMs, told.lastSeenMs, told.lastSignMs) == (NOW_MS, NOW_MS + 9, None)


def test_an_error_keeps_its_highest_level_and_when_that_was_last_seen() -> None:
    told = facts(
        *(
            event(1, {"module": 0, "errorCode": 1, "errorLevel": level}, at_ms=NOW_MS + later)
            for later, level in enumerate([3, 4, 4, 2])
        )
    )
    assert told.errors == {"recorder:1": (4, NOW_MS + 2)}


def test_the_latest_stream_state_wins_and_a_tie_means_silence() -> None:
    told = facts(
        event(43, {"streamUid": "7", "state": 1, "utcMs": NOW_MS}),
        event(43, {"streamUid": "7", "state": 0, "UtcMs": NOW_MS}),
        event(43, {"streamUid": "8", "state": 0, "UtcMs": NOW_MS}),
        event(43, {"streamUid": "8", "state": 1, "UtcMs": NOW_MS - 1}),
    )
    assert told.streams == {"audio:7": (NOW_MS, 1), "audio:8": (NOW_MS, 0)}


def test_leave_codes_are_collected_bit_by_bit() -> None:
    told = facts(*(event(41, {"leaveCode": code}) for code in (2, 8, 0)))
    assert told.leaveCode == 10


def test_the_end_that_explains_most_stays_with_the_earliest_time() -> None:
    told = facts(
        event(11, {"exitStatus": 0}, at_ms=NOW_MS + 2),
        event(41, {"leaveCode": 4}, at_ms=NOW_MS + 1),
    )
    assert (session.session_ended(told), told.endedMs) == ("IDLE", NOW_MS + 1)


def test_the_upload_never_goes_back() -> None:
    told = facts(event(31), event(33, {"progress": 10_000}), event(33, {"progress": 9}), event(30))
    assert (told.upload, told.progress) == ("uploaded", 10_000)


def test_the_final_word_on_transcoding_outranks_every_earlier_one() -> None:
    told = facts(event(1001, {"result": "failed"}), event(81, {"result": "all_success"}))
    assert told.transcoding == "final_failed"


@pytest.mark.parametrize(
    ("kind", "details"),
    [(1, {"errorLevel": 5}), (3, {"status": 7}), (40, {"status": 1}), (12, {}), (4711, {})],
)
def test_what_may_come_after_the_end_is_no_sign_of_life(kind: int, details: dict[str, Any]) -> None:
    assert not is_sign_of_life(event(kind, details))

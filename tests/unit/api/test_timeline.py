"""The story of a recording, as people read it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agora_recording.api import timeline
from agora_recording.api.timeline import in_order
from agora_recording.clock import iso
from agora_recording.notifications import events as e
from agora_recording.notifications.effects import merge
from agora_recording.notifications.facts import NOTHING
from agora_recording.notifications.report import report
from tests.world.webhook import DOCUMENTED, NOW_MS, SID, event

NOTE = {
    "at": iso(NOW_MS + 5),
    "kind": "stop_requested",
    "text": "Stop was asked.",
    "data": {"a": 1},
}


def told(*events: e.Event, notes: tuple[dict[str, Any], ...] = ()) -> list[tuple[str, str]]:
    recorders = [
        timeline.of_uid(uid, sorted((each for each in events if each.uid == uid), key=in_order))
        for uid in sorted({each.uid or "" for each in events})
    ]
    ours = timeline.of_notes("notes", notes, key=lambda note: str(note["at"]))
    entries = [each.entry for each in timeline.timeline([*recorders, ours]) if each.entry]
    return [(each["kind"], each["text"]) for each in entries]


def test_an_event_becomes_a_line() -> None:
    assert timeline.entry(event(41, {"leaveCode": 4}, sequence=7)) == {
        "at": iso(NOW_MS),
        "source": "agora",
        "kind": "recorder_leave",
        "text": "The recorder left the channel: nobody was in the channel.",
        "data": {
            "eventType": 41,
            "sid": SID,
            "uid": "527841",
            "sequence": 7,
            "details": {"leaveCode": 4},
        },
    }


def test_a_note_of_our_own_becomes_a_line() -> None:
    assert timeline.of_note({**NOTE, "PK": "REC#1", "SK": "LOG#1"}) == {**NOTE, "source": "stack"}


def test_everything_stands_in_the_order_it_happened() -> None:
    lines = told(
        event(31, sequence=2, at_ms=NOW_MS + 9),
        event(11, sequence=1, at_ms=NOW_MS + 9),
        event(40, sequence=0, at_ms=NOW_MS),
        notes=(NOTE,),
    )
    kinds = [kind for kind, _ in lines]
    assert kinds == ["recorder_started", "stop_requested", "session_exit", "uploaded"]


def test_what_never_arrived_is_marked_where_it_lacks() -> None:
    lines = told(
        event(33, {"progress": 1}, sequence=1, at_ms=NOW_MS),
        event(33, {"progress": 2}, sequence=2, at_ms=NOW_MS + 1),
        event(11, {}, sequence=6, at_ms=NOW_MS + 2),
    )
    assert lines == [
        ("gap", "Notification 0 of uid 527841 did not arrive."),
        ("uploading_progress", "0.01 % of the files recorded so far are uploaded."),
        ("uploading_progress", "0.02 % of the files recorded so far are uploaded."),
        ("gap", "Notifications 3 to 5 of uid 527841 did not arrive."),
        ("session_exit", "Agora's service ended normally."),
    ]


def test_each_uid_has_its_own_gaps() -> None:
    first = event(33, sequence=0, uid="1")
    second = event(33, sequence=1, uid="2", at_ms=NOW_MS + 1)
    assert [kind for kind, _ in told(first, second)] == [
        "uploading_progress",
        "gap",
        "uploading_progress",
    ]


@pytest.mark.parametrize(
    ("kind", "details", "text"),
    [
        (
            1,
            {"module": 1, "errorCode": 47, "errorLevel": 4},
            "Error 47 in the uploader, level 4 of 5: a file could not be uploaded.",
        ),
        (
            1,
            {"module": 5, "errorCode": 3, "errorLevel": 2, "errorMsg": "odd"},
            "Error 3 in module 5, level 2 of 5: odd.",
        ),
        (2, {"module": 0, "warnCode": 9}, "Warning 9 from the recorder: not explained."),
        (
            2,
            {"module": 1, "warnCode": 32},
            "Warning 32 from the uploader: a slice is uploaded to Agora's backup instead.",
        ),
        (3, {"status": 5}, "A call did not fit the state of the service: recording."),
        (3, {"status": 11}, "A call did not fit the state of the service: status 11."),
        (4, {"fileList": "a.m3u8"}, "The first playlist is in the bucket: a.m3u8."),
        (11, {"exitStatus": 1}, "Agora's service ended abnormally."),
        (12, {"newUid": 7}, "Failover: another server of Agora's goes on as uid 7."),
        (13, {}, "Failover is ready: another server can take over."),
        (30, {"status": 0}, "The uploader started."),
        (
            31,
            {"fileList": ["a", "b", "c", "d", "e"]},
            "Every file is in the bucket: a, b, c and 2 more.",
        ),
        (
            32,
            {"status": 4},
            "Every file is uploaded, at least one to Agora's backup, which delivers it later, "
            "with abnormal status 4.",
        ),
        (33, {"progress": 9876}, "98.76 % of the files recorded so far are uploaded."),
        (40, {"status": 3}, "The recorder started, with abnormal status 3."),
        (
            41,
            {"leaveCode": 22},
            "The recorder left the channel: its process was told to end and "
            "nobody was in the channel "
            "and it was told to leave.",
        ),
        (41, {"leaveCode": 8}, "The recorder left the channel: leave code 8."),
        (41, {"leaveCode": 0}, "The recorder left the channel: it could not be initialised."),
        (41, {}, "The recorder left the channel: no reason given."),
        (
            42,
            {"startUtcMs": NOW_MS, "discontinueUtcMs": NOW_MS},
            "Slices begin at 2023-11-14T22:13:20.000Z.",
        ),
        (
            42,
            {"startUtcMs": NOW_MS, "discontinueUtcMs": NOW_MS - 1000},
            "Nothing was recorded from 2023-11-14T22:13:19.000Z to 2023-11-14T22:13:20.000Z.",
        ),
        (42, {}, "Slices begin."),
        (43, {"streamUid": "0", "state": 0}, "The mixed audio arrives."),
        (44, {"streamUid": "7", "state": 1}, "The video of uid 7 stopped arriving."),
        (45, {"fileName": "p/a.jpg"}, "A screenshot is in the bucket: p/a.jpg."),
        (60, {"aliVodInfo": {"videoId": "v"}}, "The uploader for ApsaraVideo started, video v."),
        (61, {}, "Every file is at ApsaraVideo."),
        (70, {}, "Web page recording started."),
        (
            71,
            {"code": 1, "message": "max_recording_hour", "details": "limit is 4"},
            "Web page recording stopped, code 1: max_recording_hour: limit is 4.",
        ),
        (
            72,
            {"limitType": "WebGL"},
            "The page needs WebGL, which cannot be recorded; the recording stops.",
        ),
        (73, {"reason": "audio_silence"}, "The page was loaded again: audio_silence."),
        (80, {}, "Transcoding started."),
        (81, {"result": "partial_success"}, "Transcoding made some of the files."),
        (81, {"result": "new"}, "Transcoding made result new."),
        (
            90,
            {"fileName": "a.ts;b.ts"},
            "Agora could not read the files that it should transcode: a.ts, b.ts.",
        ),
        (1001, {"result": "failed"}, "Postponed transcoding ended with none of the files."),
        (4711, {}, "Agora sent an event that its documents do not describe (type 4711)."),
    ],
)
def test_each_event_is_told_in_words(kind: int, details: dict[str, Any], text: str) -> None:
    assert timeline.entry(event(kind, details))["text"] == text


def test_a_cdn_output_is_told_without_its_key() -> None:
    line = timeline.entry(event(100, DOCUMENTED[100][0]))
    assert line["text"] == "CDN output live.example.com#265544a8 is publishing."
    assert "a-stream-key" not in json.dumps(line)


def test_an_unknown_event_goes_by_its_own_name() -> None:
    assert timeline.entry(event(4711, {"msgName": "new_thing"}))["kind"] == "new_thing"
    assert timeline.entry(event(4711))["kind"] == "unknown"


@pytest.mark.parametrize("kind", [*e.KINDS, 4711, None])
def test_what_an_event_leaves_out_is_not_told_as_none(kind: int | None) -> None:
    told = event(kind, {})  # type: ignore[arg-type]
    assert "None" not in timeline.entry(told)["text"]
    shown = report(SID, merge(NOTHING, told))
    assert not [text for text in shown.remarks if "None" in text]
    assert not [each.text for each in shown.problems if "None" in each.text]


def test_every_line_is_plain_json() -> None:
    events = [event(kind, each) for kind, many in DOCUMENTED.items() for each in many]
    lines = [timeline.of_note(NOTE), *map(timeline.entry, events)]
    assert json.loads(json.dumps(lines)) == json.loads(msgspec.json.encode(lines))
    assert all(line["text"].endswith(".") and "None" not in line["text"] for line in lines)

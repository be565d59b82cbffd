"""What people are told of a session."""

from __future__ import annotations

from functools import reduce
from typing import Any

import msgspec
import pytest

from agora_recording.clock import iso
from agora_recording.hiding import address_name
from agora_recording.notifications.effects import merge
from agora_recording.notifications.events import Event
from agora_recording.notifications.facts import NOTHING, SessionFacts
from agora_recording.notifications.report import SessionReport, report
from tests.world.webhook import DOCUMENTED, NOW_MS, SID, UID, event

# What decides, and is no news to people: the recording says it, or the timeline.
_FOR_DECISIONS = {
    "lastSignMs",
    "doubtMs",
    "sequences",
    "newUids",
    "leftUids",
    "progress",
    "files",
    "snapshot",
    "transcodedFiles",
    "tokenExpiredMs",
}


def told(*events: Event) -> SessionReport:
    return report(SID, reduce(merge, events, NOTHING))


def plain(*events: Event) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(told(*events)))
    return found


def test_of_a_session_that_nobody_told_of_the_sid_is_all() -> None:
    assert msgspec.to_builtins(report(SID, NOTHING)) == {"sid": SID}


def test_every_fact_decides_something_or_is_told() -> None:
    """A fact that neither a decision nor a person reads is not worth its place in the row."""
    # Without a failover, after which an end is not the session's.
    events = [event(kind, each) for kind, many in DOCUMENTED.items() if kind != 12 for each in many]
    broken = {"startUtcMs": NOW_MS, "discontinueUtcMs": NOW_MS - 9, "streamUid": "7"}
    everything = reduce(merge, [*events, event(42, broken)], NOTHING)
    for name in set(SessionFacts.__struct_fields__) - _FOR_DECISIONS:
        nothing = getattr(NOTHING, name)
        assert getattr(everything, name) != nothing, name
        without = msgspec.structs.replace(everything, **{name: nothing})
        assert report(SID, everything) != report(SID, without), name


def test_a_good_session_in_short() -> None:
    found = plain(
        event(40, at_ms=NOW_MS, sequence=0),
        event(43, {"streamUid": "101", "state": 0, "UtcMs": NOW_MS + 5}),
        event(44, {"streamUid": "101", "state": 1, "UtcMs": NOW_MS + 7}),
        event(43, {"streamUid": "0", "state": 0, "UtcMs": NOW_MS + 6}),
        event(41, {"leaveCode": 16}, at_ms=NOW_MS + 8),
        event(11, {"exitStatus": 0}, at_ms=NOW_MS + 9),
        event(31, at_ms=NOW_MS + 10),
    )
    assert found == {
        "sid": SID,
        "recorderUids": [UID],
        "firstHeardAt": iso(NOW_MS),
        "lastHeardAt": iso(NOW_MS + 10),
        "startedAt": iso(NOW_MS),
        "endedAt": iso(NOW_MS + 9),
        "end": "EXITED",
        "remarks": [
            "Agora's service ended normally.",
            "The recorder left the channel: it was told to leave.",
        ],
        "upload": "uploaded",
        "participants": [
            {"uid": "0", "audio": {"arrives": True, "since": iso(NOW_MS + 6)}},
            {
                "uid": "101",
                "audio": {"arrives": True, "since": iso(NOW_MS + 5)},
                "video": {"arrives": False, "since": iso(NOW_MS + 7)},
            },
        ],
    }


@pytest.mark.parametrize(
    ("kind", "details", "remark"),
    [
        (11, {"exitStatus": 1}, "Agora's service ended abnormally."),
        (41, {"leaveCode": 0}, "The recorder left the channel: it could not be initialised."),
        (41, {"leaveCode": 6}, "its process was told to end and nobody was in the channel."),
        (71, {"code": 6, "message": "recorder_error"}, "stopped, code 6: recorder_error."),
        (71, {"code": 0}, "Web page recording stopped, code 0: no reason given."),
        (3, {"status": 20}, "A call did not fit the state of the service: exited abnormally."),
        (3, {"status": 99}, "status 99."),
    ],
)
def test_how_it_ended_is_told_in_sentences(kind: int, details: dict[str, Any], remark: str) -> None:
    (found,) = told(event(kind, details)).remarks
    assert found.endswith(remark)


@pytest.mark.parametrize(
    ("kind", "details", "level", "text"),
    [
        (
            1,
            {"module": 1, "errorCode": 47, "errorLevel": 3},
            3,
            "Error 47 in the uploader: a file could not be uploaded.",
        ),
        (1, {"module": 9, "errorCode": 8}, None, "Error 8 in module 9: not explained."),
        (1, {"errorCode": 8}, None, "Error 8 in module unknown: not explained."),
        (2, {"module": 1, "warnCode": 31}, None, "a slice is uploaded to the bucket once more."),
        (30, {"status": 7}, None, "The uploader started with abnormal status 7."),
        (31, {"status": 7}, None, "The upload ended with abnormal status 7."),
        (32, {"status": 7}, None, "The upload to Agora's backup ended with abnormal status 7."),
        (40, {"status": 2}, None, "The recorder started with abnormal status 2."),
        (72, {"limitType": "a:b"}, 5, "The page uses a feature that cannot be recorded (a:b)."),
        (73, {"reason": "audio_silence"}, None, "The page was loaded again: audio_silence."),
        (90, {"fileName": "a.ts"}, None, "Agora could not read the files to transcode."),
    ],
)
def test_every_problem_is_told_in_words(
    kind: int, details: dict[str, Any], level: int | None, text: str
) -> None:
    (problem,) = told(event(kind, details)).problems
    assert problem.text.endswith(text)
    assert problem.kind == ("warning" if kind in (2, 73) else "error")
    assert (problem.level, problem.last_at) == (level, iso(NOW_MS))


def test_the_worst_problem_is_told_first_and_warnings_last() -> None:
    found = told(
        event(2, {"module": 0, "warnCode": 1}, at_ms=NOW_MS + 9),
        event(1, {"module": 0, "errorCode": 2, "errorLevel": 2}, at_ms=NOW_MS + 5),
        event(1, {"module": 0, "errorCode": 5, "errorLevel": 5}),
        event(1, {"module": 0, "errorCode": 3, "errorLevel": 2}),
    )
    assert [each.text.split(" in ")[0].split(" from ")[0] for each in found.problems] == [
        "Error 5",
        "Error 2",
        "Error 3",
        "Warning 1",
    ]


def test_who_was_in_the_channel_is_told_in_the_order_of_uids() -> None:
    found = told(*(event(44, {"streamUid": uid, "state": 0}) for uid in ("101", "20", "3")))
    assert [each.uid for each in found.participants] == ["3", "20", "101"]


def test_when_nothing_was_recorded_is_told() -> None:
    details = {"startUtcMs": NOW_MS, "discontinueUtcMs": NOW_MS - 60_000}
    found = told(event(42, {**details, "streamUid": "7", "trackType": "audio"}))
    (gap,) = found.interruptions
    assert (gap.track, gap.uid) == ("audio", "7")
    assert (gap.begun_at, gap.ended_at) == (iso(NOW_MS - 60_000), iso(NOW_MS))


def test_a_cdn_output_is_told_by_its_latest_status() -> None:
    url = {"rtmpUrl": "rtmp://live.example.com/app/a-stream-key"}
    found = told(
        event(100, {**url, "status": "connecting"}),
        event(100, {**url, "status": "publishing"}, at_ms=NOW_MS + 1),
    )
    (output,) = found.outputs
    assert (output.target, output.status) == (address_name(url["rtmpUrl"]), "publishing")
    assert output.since == iso(NOW_MS + 1)
    assert "a-stream-key" not in str(found)

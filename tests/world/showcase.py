"""Recordings worth looking at, for the console's tests and the pictures of its page.

One runs; the session of one died and was replaced, and its files are incomplete; one failed. And a
fleet.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agora_recording.aws.dynamodb import from_item
from agora_recording.clock import iso
from agora_recording.life.store import Note
from agora_recording.notifications import envelope, events
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import Attempt, Recording, Upload
from local.agora.media import Counters, ts_slice
from tests.world import webhook
from tests.world.builders import RESOURCE_ID, after
from tests.world.console import ConsoleWorld
from tests.world.webhook import NOW_MS

FIRST_SID, SECOND_SID = "a1" * 16, "b2" * 16
SLICE_MS = 2000
CNAME = "consultation-7"
LOST = 7  # the slice of the second session that is not in the bucket
RESTARTED = new_recording_id(NOW_MS, bytes(10))
LIVE = new_recording_id(NOW_MS + 1, b"live-live-")
FAILED = new_recording_id(NOW_MS + 2, b"failed-one")


def world(fleet: int = 12) -> ConsoleWorld:
    """Return the world with all of them, and a fleet of so many that run."""
    made = ConsoleWorld(now_ms=after(400))
    for number in range(fleet):
        made.add(_of_a_fleet(number))
    made.add(_live())
    made.add(_failed())
    restarted(made)
    made.clients |= {"cloudwatch": _Alarms(), "sqs": _Queues()}
    return made


class _Alarms:
    """CloudWatch, in which one alarm rings."""

    def describe_alarms(self, *, AlarmNames: list[str], **_: Any) -> dict[str, Any]:
        at = datetime.fromtimestamp(after(100) / 1000, UTC)
        return {
            "MetricAlarms": [
                {
                    "AlarmName": name,
                    "StateValue": "ALARM" if "Failed" in name else "OK",
                    "StateReason": "Threshold Crossed: 1 datapoint was 1.0.",
                    "StateUpdatedTimestamp": at,
                    "AlarmDescription": "A recording ended without a file."
                    if "Failed" in name
                    else "The calls to Agora have been at their limit.",
                }
                for name in AlarmNames
            ],
            "CompositeAlarms": [],
        }


class _Queues:
    """SQS: something was put aside."""

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:
        waiting = "2" if QueueUrl == "dead" else "0"
        return {"Attributes": {"ApproximateNumberOfMessages": waiting}}


def restarted(made: ConsoleWorld) -> None:
    """Add the recording whose first session died after a minute, and whose files have a hole."""
    first = Attempt(
        number=1,
        uid="4200000001",
        begun_ms=after(1),
        resource_id=RESOURCE_ID,
        acquired_ms=after(1.2),
        sid=FIRST_SID,
        started_ms=after(2),
        confirmed_ms=after(7),
        gone_ms=after(72),
        ended_ms=after(80),
        end="DIED",
        reason="Agora answered 404 for 90 s.",
    )
    second = Attempt(
        number=2,
        uid="4200000002",
        begun_ms=after(81),
        resource_id=RESOURCE_ID,
        acquired_ms=after(81.2),
        sid=SECOND_SID,
        started_ms=after(82),
        confirmed_ms=after(88),
        ended_ms=after(160),
        end="STOPPED",
    )
    row = Recording(
        recording_id=RESTARTED,
        status="incomplete",
        cname=CNAME,
        mode="mix",
        client_request={"recordingConfig": {"channelType": 1}},
        max_duration_seconds=14_400,
        restart_limit=3,
        tags={"team": "platform", "room": "blue"},
        created_ms=NOW_MS,
        started_ms=after(7),
        ended_ms=after(190),
        end_reason="STOPPED",
        reason="One file that a playlist names is not in the bucket.",
        attempt=second,
        past_attempts=[first],
        stop_reason="STOP_REQUESTED",
        stop_ms=after(150),
        last_seen_ms=after(160),
        upload=Upload(state="uploaded", verdict="incomplete", files=66, bytes=2_400_000, missing=1),
        late_until_ms=after(345_600),
    )
    made.add(row)
    for at_s, kind, text in (
        (1, "attempt", "Attempt 1 begins with uid 4200000001."),
        (1.2, "acquired", "Agora reserved a resource."),
        (2, "started", "Agora started the session."),
        (7, "query", "Agora is recording."),
        (72, "query", "Agora does not know the session at the moment (404)."),
        (77, "query", "Agora does not know the session at the moment (404)."),
        (80, "ended", "The session died: Agora answered 404 for 90 s."),
        (81, "attempt", "Attempt 2 begins with uid 4200000002."),
        (82, "started", "Agora started the session."),
        (88, "query", "Agora is recording."),
        (150, "stop asked", "The app asked to stop."),
        (151, "stop", "Agora answered the stop: ok."),
        (190, "published", "One file that a playlist names is not in the bucket."),
    ):
        made.parts.store.note(RESTARTED, Note(after(at_s), kind, text))
    _people(made)
    _session_files(made, row, FIRST_SID, 8, 32)
    _session_files(made, row, SECOND_SID, 89, 30, lost=LOST)


def _people(made: ConsoleWorld) -> None:
    """Let users come and go, and tell it as Agora does."""
    sequence = {FIRST_SID: 0, SECOND_SID: 0}
    for sid, at_s, event, details in (
        (FIRST_SID, 2.5, 40, {"msgName": "recorder_started", "status": 0}),
        (FIRST_SID, 8, 44, _stream("101", 0)),
        (FIRST_SID, 8.2, 43, _stream("101", 0)),
        (FIRST_SID, 20, 43, _stream("102", 0)),
        (FIRST_SID, 41, 43, _stream("101", 1)),
        (FIRST_SID, 55, 43, _stream("101", 0)),
        (FIRST_SID, 71, 12, {"msgName": "session_failover", "newUid": 77}),
        (SECOND_SID, 82.5, 40, {"msgName": "recorder_started", "status": 0}),
        (SECOND_SID, 89, 43, _stream("102", 0)),
        (SECOND_SID, 95, 44, _stream("102", 0)),
        (SECOND_SID, 130, 2, {"msgName": "cloud_recording_warning", "module": 0, "warnCode": 31}),
        (SECOND_SID, 148, 43, _stream("102", 1)),
        (SECOND_SID, 153, 41, {"msgName": "recorder_leave", "leaveCode": 2}),
        (SECOND_SID, 158, 31, {"msgName": "uploaded", "status": 0, "fileList": []}),
    ):
        hear(made, sid, event, at_s, details, sequence[sid])
        sequence[sid] += 1
    for sid in sequence:
        sessions = made.parts.sessions
        sessions.adopt(sid, RESTARTED, CNAME)
        told = [events.from_stored(row) for row in sessions.notifications(sid)]
        made.parts.applier.apply_session(sid, told)


def _stream(uid: str, state: int) -> dict[str, Any]:
    return {"streamUid": uid, "state": state}


def hear(
    made: ConsoleWorld,
    sid: str,
    event: int,
    at_s: float,
    details: dict[str, Any],
    sequence: int,
    uid: str = webhook.UID,
) -> None:
    """Let a notification be stored."""
    at_ms = after(at_s)
    raw = webhook.body(event, details, sid=sid, uid=uid, sequence=sequence, sent_ms=at_ms)
    item = envelope.item(envelope.read(raw), raw, at_ms + 300, None)
    made.table.add(from_item(item))


def _session_files(
    made: ConsoleWorld, row: Recording, sid: str, from_s: float, slices: int, lost: int = -1
) -> None:
    """Let the files of a session be there: a playlist, and its slices but for a lost one."""
    lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:0"]
    counters = Counters()
    for number in range(slices):
        at_ms = after(from_s) + number * SLICE_MS
        digits = "".join(each for each in iso(at_ms) if each.isdigit())
        name = f"{sid}_{row.cname}_{digits}.ts"
        lines += [f"#EXTINF:{SLICE_MS / 1000:.3f},", name]
        body = ts_slice(number * SLICE_MS, (number + 1) * SLICE_MS, counters=counters)
        if number != lost:
            made.bucket.add(row.prefix + name, body)
    lines.append("#EXT-X-ENDLIST")
    made.bucket.add(f"{row.prefix}{sid}_{row.cname}.m3u8", "\n".join(lines).encode())


def _live() -> Recording:
    """Return a recording that runs, in doubt for half a minute."""
    attempt = Attempt(
        number=1,
        uid="4200000009",
        begun_ms=after(2),
        resource_id=RESOURCE_ID,
        acquired_ms=after(2),
        sid="c3" * 16,
        started_ms=after(3),
        confirmed_ms=after(9),
    )
    return Recording(
        recording_id=LIVE,
        status="recording",
        cname="board-meeting",
        mode="raw",
        client_request={},
        max_duration_seconds=14_400,
        restart_limit=3,
        tags={"team": "finance"},
        created_ms=NOW_MS + 1,
        started_ms=after(9),
        attempt=attempt,
        last_seen_ms=after(250),
        queried_ms=after(365),
        gone_ms=after(365),
        gone_checks=2,
    )


def _failed() -> Recording:
    return Recording(
        recording_id=FAILED,
        status="failed",
        cname="interview-3",
        mode="mix",
        client_request={},
        max_duration_seconds=14_400,
        restart_limit=0,
        created_ms=NOW_MS + 2,
        ended_ms=after(30),
        end_reason="REFUSED",
        reason="Agora refused the start: the token is for another channel.",
    )


def _of_a_fleet(number: int) -> Recording:
    at = NOW_MS - 60_000 * (number + 1)
    seen = after(400 - (number * 37) % 230)
    attempt = Attempt(
        number=1 + number % 3 // 2,
        uid=str(4_200_001_000 + number),
        begun_ms=at + 1000,
        resource_id=RESOURCE_ID,
        acquired_ms=at + 1000,
        sid=f"{number:032x}",
        started_ms=at + 2000,
        confirmed_ms=at + 7000,
    )
    return Recording(
        recording_id=new_recording_id(at, number.to_bytes(10, "big")),
        status="recording",
        cname=f"classroom-{number + 1}",
        mode=("mix", "raw", "web")[number % 3],
        client_request={},
        max_duration_seconds=14_400,
        restart_limit=3,
        tags={"school": ("north", "south")[number % 2]},
        created_ms=at,
        started_ms=at + 7000,
        attempt=attempt,
        last_seen_ms=seen,
        queried_ms=at + 7000,
    )

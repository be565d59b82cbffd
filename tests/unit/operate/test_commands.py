"""The operator's commands, on fakes; tests/e2e/test_operator.py runs them on the embedded stack."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from agora_recording.aws import clients
from agora_recording.aws.dynamodb import from_item
from agora_recording.clock import iso
from agora_recording.errors import (
    RecordingStateError,
    RoomFailedError,
    SecretRefusedError,
    StackNotFoundError,
)
from agora_recording.life import apply_notifications
from agora_recording.notifications.secrets import NotificationSecrets
from agora_recording.recording.due import RISKS
from agora_recording.wiring.parts import Parts
from local.template import ROOT
from operate import commands, deployment, operations
from operate.deployment import Deployment
from operate.operations import RISK_NAMES, Operator
from tests.world.builders import (
    MACHINE,
    RECORDING_ID,
    RESOURCE_ID,
    acquired,
    after,
    heard,
    recording,
    requested,
    running,
    stopped,
)
from tests.world.secrets import FakeSecretsManager
from tests.world.webhook import NOW_MS, SID, UID
from tests.world.world import World

STACK = Deployment(
    name="stack",
    region="us-east-1",
    resources={
        "Table": "recordings",
        "Bucket": "films",
        "EventBus": "bus",
        "AgoraSecret": "agora",
        "NotificationSecret": "notifications",
        "PoisonNotifications": "poison",
        "Calls": "calls",
        "CallbackSecret": "callbacks",
        "DeadLetters": "dead",
        "FileArrivals": "arrivals",
        "RecordingStateMachine": MACHINE,
        "WatchRecordingsFunction": "watch",
    },
    parameters={
        "Speed": "1",
        "AgoraAppId": "app",
        "AgoraBaseUrl": "https://api.agora.io",
        "AgoraConcurrentTasks": "80",
        "AgoraCallsPerSecond": "7",
    },
)


class FakeQueues:
    """An SQS client: messages by queue; what was received is away until `tick`."""

    def __init__(self) -> None:
        self.bodies: dict[str, dict[str, str]] = {"poison": {}, "dead": {}, "arrivals": {}}
        self._away: set[str] = set()

    def put(self, queue: str, body: object) -> None:
        self.bodies[queue][f"receipt-{len(self.bodies[queue])}"] = json.dumps(body)

    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        self.put(QueueUrl, json.loads(MessageBody))

    def receive_message(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:
        found = [
            {"ReceiptHandle": handle, "Body": body}
            for handle, body in self.bodies[QueueUrl].items()
            if handle + QueueUrl not in self._away
        ]
        self._away.update(each["ReceiptHandle"] + QueueUrl for each in found)
        return {"Messages": found} if found else {}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        del self.bodies[QueueUrl][ReceiptHandle]


class Desk(World):
    """An operator, and what it acts upon."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(now_ms=after(700))
        self.secrets = FakeSecretsManager(notifications='{"secrets": []}')
        self.queue = self.queues = FakeQueues()
        self.clients: dict[str, Any] = {}
        monkeypatch.setattr(clients, "sqs", lambda: self.queues)
        monkeypatch.setattr(clients, "secretsmanager", lambda: self.secrets)
        monkeypatch.setattr(boto3, "client", lambda name, **_: self.clients[name])
        parts = Parts(STACK.settings, self.outside, agora=self.agora)
        self.operator = Operator(STACK, parts)

    def hear(self, record: dict[str, Any]) -> dict[str, str]:
        """Store a notification; return its key."""
        row = from_item(record["dynamodb"]["NewImage"])
        self.table.add(row)
        return {"PK": row["PK"], "SK": row["SK"], "error": "KeyError"}

    def session(self, uid: str = UID, **more: Any) -> None:
        """Let a session be known by what it told."""
        row = {"PK": f"SESSION#{SID}", "SK": "SESSION", "cname": "consultation-7", "uid": uid}
        facts = {"firstSeenMs": after(3), "lastSeenMs": after(9), "uids": [uid]}
        self.table.add({**row, "version": 1, "facts": facts, **more})

    @property
    def meta(self) -> dict[str, Any]:
        """The recording's row."""
        return self.table.row(f"REC#{RECORDING_ID}", "META")

    def outcomes(self, *, discard: bool = False) -> list[tuple[str, bool]]:
        found = self.operator.replay(discard=discard)
        return [(each["outcome"].partition(":")[0], each["removed"]) for each in found]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


# --- replay -------------------------------------------------------------------------------------


def test_a_notification_put_aside_is_applied_and_removed(world: Desk) -> None:
    world.add(recording())
    world.session(recordingId=RECORDING_ID)
    key = world.hear(heard(11, {"exitStatus": 0}, at_ms=after(60)))
    world.queues.put("poison", key)
    assert world.outcomes() == [("applied", True)]
    assert world.meta["sessionEnd"] == "EXITED"
    assert world.queues.bodies["poison"] == {}


def test_what_fails_again_stays_until_it_is_discarded(
    world: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(apply_notifications.Applier, "apply_session", fail)
    world.queues.put("poison", world.hear(heard(11)))
    assert world.outcomes() == [("fails again", False)]
    world.queues._away.clear()
    assert world.outcomes(discard=True) == [("fails again", True)]
    assert world.queues.bodies["poison"] == {}


def test_a_notification_that_has_expired_is_no_longer_asked_for(world: Desk) -> None:
    world.queues.put("poison", {"PK": "SID#1", "SK": "EVT#1", "error": "KeyError"})
    assert world.outcomes() == [("its row has expired", True)]


SAMPLES = ROOT / "tests" / "unit" / "functions" / "samples"
BATCH = json.loads((SAMPLES / "lambda-stream-given-up.json").read_text())
INVOCATION = json.loads((SAMPLES / "lambda-invocation-given-up.json").read_text())
SCHEDULED = json.loads((SAMPLES / "scheduler-default-event.json").read_text())


class FakeStream:
    """A table's stream of one shard, which is open: its last page is followed by empty ones.

    `empty` pages come before every record.
    """

    def __init__(self, *records: dict[str, Any], empty: int = 0) -> None:
        self.pages = deque[list[Any]]([])
        for record in records:
            self.pages += [*([[]] * empty), [record]]
        self.reads = 0

    def get_shard_iterator(self, **request: Any) -> dict[str, str]:
        assert (request["ShardId"], request["SequenceNumber"]) == ("shard", "5")
        return {"ShardIterator": "iterator"}

    def get_records(self, *, ShardIterator: str) -> dict[str, Any]:
        self.reads += 1
        records = self.pages.popleft() if self.pages else []
        return {"Records": records, "NextShardIterator": ShardIterator}


def streamed(record: dict[str, Any], place: str) -> dict[str, Any]:
    """Return a record as the stream itself gives it: with its keys."""
    image = record["dynamodb"]["NewImage"]
    keys = {"PK": image["PK"], "SK": image["SK"]}
    return {
        "eventName": "INSERT",
        "dynamodb": {"SequenceNumber": place, "Keys": keys, "NewImage": image},
    }


@pytest.mark.parametrize("empty", [0, 3])
def test_a_batch_that_was_given_up_is_read_from_the_stream_again(world: Desk, empty: int) -> None:
    """A page may be empty although records follow."""
    world.add(recording())
    world.session(recordingId=RECORDING_ID)
    other = {"PK": {"S": f"REC#{RECORDING_ID}"}, "SK": {"S": "META"}}
    ours = {"SequenceNumber": "6", "Keys": other, "NewImage": other}
    world.clients["dynamodbstreams"] = FakeStream(
        streamed(heard(31, {"status": 0}, at_ms=after(60)), "5"),
        {"eventName": "MODIFY", "dynamodb": ours},
        streamed(heard(11, {"exitStatus": 0}, at_ms=after(61)), "7"),  # the next batch's
        empty=empty,
    )
    world.queues.put("dead", BATCH)
    assert world.outcomes() == [("applied, 1 of them", True)]
    assert world.meta["upload"]["state"] == "uploaded"
    assert "sessionEnd" not in world.meta


def test_a_batch_whose_end_is_not_in_the_stream_is_not_looked_for_for_ever(world: Desk) -> None:
    stream = world.clients["dynamodbstreams"] = FakeStream()
    world.queues.put("dead", BATCH)
    assert world.outcomes() == [("applied, 0 of them; the stream does not have its end", False)]
    assert stream.reads == operations._EMPTY_PAGES


def test_a_batch_older_than_the_stream_stays_until_it_is_discarded(world: Desk) -> None:
    def trimmed(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "TrimmedDataAccessException"}}, "GetShardIterator")

    world.clients["dynamodbstreams"] = SimpleNamespace(get_shard_iterator=trimmed)
    world.queues.put("dead", BATCH)
    told = "older than the 24 hours that the stream keeps"
    assert world.outcomes() == [(told, False)]
    world.queues._away.clear()
    assert world.outcomes(discard=True) == [(told, True)]


@pytest.mark.parametrize("letter", [{"source": "aws.s3"}, {"recordingId": RECORDING_ID}])
def test_a_late_file_that_was_given_up_is_handed_over_again(
    world: Desk, letter: dict[str, str]
) -> None:
    world.queues.put("dead", letter)
    assert world.outcomes() == [("handed over again", True)]
    assert [json.loads(each) for each in world.queues.bodies["arrivals"].values()] == [letter]


@pytest.mark.parametrize("letter", [{}, {"scheduled": True}, SCHEDULED, INVOCATION])
def test_a_scheduled_run_that_was_given_up_is_shown(world: Desk, letter: dict[str, Any]) -> None:
    world.queues.put("dead", letter)
    assert world.outcomes() == [("given up; the schedule has run since, or will", False)]


# --- sessions that no recording owns ------------------------------------------------------------


def test_a_session_is_adopted_by_the_recording_whose_start_was_lost(world: Desk) -> None:
    world.add(requested(status="starting", attempt=acquired()))
    world.session()
    world.hear(heard(40, {"status": 0}, at_ms=after(3)))
    assert world.operator.adopt(SID, RECORDING_ID)["sid"] == SID
    assert world.table.row(f"SESSION#{SID}", "SESSION")["recordingId"] == RECORDING_ID


@pytest.mark.parametrize(
    ("session", "attempt", "refusal"),
    [
        ({"recordingId": "another"}, acquired(), "belongs to recording another"),
        ({"uid": "1"}, acquired(), "none has the uid 1"),
        ({}, acquired(begun_ms=after(60)), "none has the uid"),
    ],
)
def test_a_session_of_others_is_not_adopted(
    world: Desk, session: dict[str, Any], attempt: Any, refusal: str
) -> None:
    world.add(requested(status="starting", attempt=attempt))
    world.session(**session)
    with pytest.raises(RecordingStateError, match=refusal):
        world.operator.adopt(SID, RECORDING_ID)
    assert "sid" not in world.meta["attempt"]


def test_a_session_that_nobody_has_heard_of_is_not_adopted(world: Desk) -> None:
    world.add(requested(status="starting", attempt=acquired()))
    with pytest.raises(RecordingStateError, match="No notification"):
        world.operator.adopt(SID, RECORDING_ID)


def test_an_orphan_is_stopped_with_the_resource_its_recording_knows(world: Desk) -> None:
    given_up = running(end="NOT_CONFIRMED", ended_ms=None)
    world.add(recording(past_attempts=[given_up], attempt=running(2, sid="2" * 32)))
    world.session(recordingId=RECORDING_ID)
    world.agora.then(stopped())
    found = world.operator.stop_orphan(SID)
    assert (found["means"], found["refusal"]) == ("ok", None)
    ((_, call),) = world.agora.calls
    assert call["resource_id"] == RESOURCE_ID
    assert "endedMs" in world.meta["pastAttempts"][0]


def test_an_orphan_of_nobody_needs_its_resource(world: Desk) -> None:
    world.session()
    with pytest.raises(RecordingStateError, match="resourceId"):
        world.operator.stop_orphan(SID)
    world.agora.then(stopped())
    assert world.operator.stop_orphan(SID, resource_id="r", mode="mix")["status"] == 200


def test_the_session_of_an_open_recording_is_no_orphan(world: Desk) -> None:
    world.add(recording())
    world.session(recordingId=RECORDING_ID)
    with pytest.raises(RecordingStateError, match="stop that"):
        world.operator.stop_orphan(SID)
    assert world.agora.calls == []


def test_every_risk_has_a_name() -> None:
    assert len(RISK_NAMES) == len(RISKS)


# --- show ---------------------------------------------------------------------------------------


def test_a_recording_is_shown_with_what_agora_told_of_each_session(world: Desk) -> None:
    world.add(recording(past_attempts=[running(sid="2" * 32, end="DIED")], attempt=running(2)))
    world.session(recordingId=RECORDING_ID)
    unheard, heard_of = world.operator.show(RECORDING_ID)["sessions"]
    assert unheard == {"sid": "2" * 32}
    assert (heard_of["sid"], heard_of["firstHeardAt"]) == (SID, iso(after(3)))


# --- the rest -----------------------------------------------------------------------------------


def live(world: Desk) -> tuple[str, ...]:
    """What the webhook accepts, as it reads it itself."""
    secrets = NotificationSecrets("notifications", client=cast(Any, world.secrets))
    secrets._ask(0)
    return secrets._secrets


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (['{"secrets": []}'], ["fresh"]),
        ([""], ["fresh"]),
        (["bare"], ["fresh", "bare"]),
        (['{"secrets": ["current", "older"]}'], ["fresh", "current", "older"]),
        (['{"secrets": ["oldest"]}', "current"], ["fresh", "current", "oldest"]),
        (["current", '{"secrets": ["older", "fresh"]}'], ["fresh", "older", "current"]),
    ],
)
def test_a_new_secret_comes_first_and_none_that_was_live_is_lost(
    world: Desk, before: list[str], after: list[str]
) -> None:
    world.secrets.versions["notifications"] = before
    told = world.operator.rotate_secret("fresh")
    assert live(world) == tuple(after)
    assert told == {"secretId": "notifications", "stored": True, "live": len(after)}


def test_the_secret_that_agora_signs_with_outlives_any_number_of_rotations(world: Desk) -> None:
    world.secrets.versions["notifications"] = ["signs"]
    for number in range(operations.MOST_SECRETS - 1):
        world.operator.rotate_secret(f"new-{number}")
        assert "signs" in live(world)
    before = list(world.secrets.versions["notifications"])
    with pytest.raises(SecretRefusedError, match="5 secrets are live already"):
        world.operator.rotate_secret("one-more")
    assert world.secrets.versions["notifications"] == before


def test_a_secret_that_is_the_newest_already_is_not_stored_again(world: Desk) -> None:
    before = '{"secrets": ["newest", "older"]}'
    world.secrets.versions["notifications"] = [before]
    told = world.operator.rotate_secret("newest")
    assert told == {"secretId": "notifications", "stored": False, "live": 2}
    assert world.secrets.versions["notifications"] == [before]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "No secret was given"),
        ("abc", "4 to 256 characters, and this has 3"),
        ("x" * 257, "4 to 256 characters, and this has 257"),
        ("two words", "no spaces"),
        ("sécrète", "outside ASCII"),
        ("tab\tbed", "no spaces"),
        ('{"secrets": ["abcdef"]}', "looks like JSON"),
        ('"abcdef"', "looks like JSON or quoted text"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_and_nothing_is_stored(
    world: Desk, text: str, words: str
) -> None:
    world.secrets.versions["notifications"] = ["signs"]
    with pytest.raises(SecretRefusedError, match=words) as refused:
        world.operator.rotate_secret(text)
    assert str(refused.value).endswith("Nothing was stored.")
    assert not text or text not in str(refused.value)
    assert world.secrets.versions["notifications"] == ["signs"]


def test_older_secrets_are_removed_only_when_that_is_confirmed(world: Desk) -> None:
    before = ["leaked", '{"secrets": ["newest", "older"]}']
    world.secrets.versions["notifications"] = list(before)
    told = world.operator.forget_secrets()
    assert told == {"secretId": "notifications", "forgotten": 2, "live": 3, "done": False}
    assert world.secrets.versions["notifications"] == before
    told = world.operator.forget_secrets(confirmed=True)
    assert told == {"secretId": "notifications", "forgotten": 2, "live": 1, "done": True}
    assert live(world) == ("newest",)
    versions = list(world.secrets.versions["notifications"])
    assert world.operator.forget_secrets(confirmed=True)["forgotten"] == 0
    assert world.secrets.versions["notifications"] == versions


def test_there_must_be_a_secret_before_others_are_forgotten(world: Desk) -> None:
    with pytest.raises(SecretRefusedError, match="No secret is filled in"):
        world.operator.forget_secrets(confirmed=True)


def test_a_recording_that_is_not_over_is_not_published(world: Desk) -> None:
    world.add(recording())
    with pytest.raises(RecordingStateError, match="recording: nothing can be published again"):
        world.operator.verify(RECORDING_ID, publish=True)


def test_a_recording_that_was_put_in_order_is_published_as_completed(world: Desk) -> None:
    attempt = running(ended_ms=after(600), end="STOPPED")
    row = recording(
        status="incomplete", attempt=attempt, session_end="STOPPED", ended_ms=after(600)
    )
    world.add(row)
    bucket = world.bucket
    playlist = "#EXTM3U\n#EXTINF:15.0,\n{0}\n#EXT-X-ENDLIST\n"
    slice_name = f"{SID}_{row.cname}_20231114221320000.ts"
    bucket.add(row.prefix + slice_name, b"media")
    bucket.add(f"{row.prefix}{SID}_{row.cname}.m3u8", playlist.format(slice_name).encode())
    found = world.operator.verify(RECORDING_ID, publish=True)
    assert (found["status"], found["published"]) == ("completed", True)
    assert world.meta["status"] == "completed"
    assert world.bus.types == ["Recording Completed"]
    assert bucket.json(f"{row.prefix}manifest.json")["verdict"] == "complete"


def test_an_error_of_an_invoked_room_is_the_operators_error(world: Desk) -> None:
    error = json.dumps({"errorType": "FirewallError", "errorMessage": "1 of 2 targets"}).encode()
    answer = {"FunctionError": "Unhandled", "Payload": SimpleNamespace(read=lambda: error)}
    world.clients["lambda"] = SimpleNamespace(invoke=lambda **_: answer)
    with pytest.raises(RoomFailedError, match="1 of 2 targets"):
        world.operator.watch()


def test_commands_go_to_the_region_and_the_profile_of_the_deploy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.setenv(name, "before")
    seen: dict[str, str] = {}

    def find(_: str) -> Deployment:
        seen.update(os.environ)
        raise StackNotFoundError("There is none.")

    monkeypatch.setattr(deployment, "find", find)
    assert commands.main(["--region", "eu-west-3", "--profile", "video", "list"]) == 1
    assert [seen[name] for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE")] == [
        "eu-west-3",
        "eu-west-3",
        "video",
    ]


def test_the_bucket_of_a_stack_may_be_one_that_it_was_given() -> None:
    assert STACK.bucket == "films"
    given = STACK._replace(parameters={**STACK.parameters, "ExistingBucketName": "theirs"})
    assert given.settings.bucket_name == given.bucket == "theirs"


# --- finding the stack --------------------------------------------------------------------------


def cloudformation(stacks: Callable[[], list[Any]], *resources: str) -> Any:
    """Return a client that knows some stacks, with some resources."""
    found = [{"LogicalResourceId": name, "PhysicalResourceId": name} for name in resources]
    pages = SimpleNamespace(paginate=lambda **_: [{"StackResourceSummaries": found}])
    return SimpleNamespace(
        meta=SimpleNamespace(region_name="eu-west-1"),
        describe_stacks=lambda **_: {"Stacks": stacks()},
        get_paginator=lambda _: pages,
    )


def test_a_stack_that_is_not_there_is_named() -> None:
    def missing() -> list[Any]:
        raise ClientError({"Error": {"Code": "ValidationError"}}, "DescribeStacks")

    with pytest.raises(StackNotFoundError, match="no stack mine in eu-west-1"):
        deployment.find("mine", cloudformation(missing))


def test_a_stack_of_something_else_is_refused() -> None:
    with pytest.raises(StackNotFoundError, match="not an Agora recording stack"):
        deployment.find("shop", cloudformation(lambda: [{}], "Table", "Bucket"))


def test_a_stack_is_found_with_its_resources_and_parameters() -> None:
    stack = {"Parameters": [{"ParameterKey": "Speed", "ParameterValue": "1"}]}
    found = deployment.find("mine", cloudformation(lambda: [stack], "RecordingStateMachine"))
    assert found.parameters == {"Speed": "1"}
    assert found.resources == {"RecordingStateMachine": "RecordingStateMachine"}
    assert found.region == "eu-west-1"


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command on an operator that returns, or raises, what the test says."""

    def run(result: Any, *argv: str) -> tuple[int, str, str]:
        def act(*_: Any, **__: Any) -> Any:
            if isinstance(result, Exception):
                raise result
            return result

        acts = ("open", "show", "stop", "verify", "stop_orphan", "firewall", "watch")
        operator = SimpleNamespace(**dict.fromkeys(acts, act))
        monkeypatch.setattr(commands, "Operator", lambda _: operator)
        monkeypatch.setattr(deployment, "find", lambda _: STACK)
        code = commands.main(argv)
        out, err = capsys.readouterr()
        return code, out, err

    return run


VERDICT = {
    "recordingId": RECORDING_ID,
    "status": "incomplete",
    "verdict": "incomplete",
    "objects": 1,
    "bytes": 9,
    "recordedSeconds": 15.0,
    "gaps": 0,
    "missing": ["lost.ts"],
}


def test_a_bad_verdict_is_told_and_ends_with_1(run: Any) -> None:
    code, out, _ = run(VERDICT, "verify", RECORDING_ID)
    assert code == 1
    assert "lost.ts" in out
    assert run({**VERDICT, "verdict": "complete"}, "verify", RECORDING_ID)[0] == 0


def test_an_error_is_one_sentence_and_ends_with_1(run: Any) -> None:
    code, out, err = run(RecordingStateError("Stop it first."), "stop", RECORDING_ID)
    assert (code, out, err) == (1, "", "Stop it first.\n")


def test_json_is_the_plain_result(run: Any) -> None:
    code, out, _ = run({"query": 3}, "--json", "watch")
    assert code == 0
    assert json.loads(out) == {"query": 3}


SESSION = {
    "sid": SID,
    "recorderUids": ["1", "99"],
    "firstHeardAt": "A",
    "lastHeardAt": "B",
    "startedAt": "C",
    "endedAt": "D",
    "end": "IDLE",
    "remarks": ["The recorder left the channel: nobody was there."],
    "upload": "uploaded",
    "transcoding": "partial_success",
    "problems": [
        {"kind": "error", "level": 3, "lastAt": "E", "text": "Error 47 in the uploader."},
        {"kind": "warning", "lastAt": "F", "text": "Warning 31 from the uploader."},
    ],
    "participants": [
        {"uid": "0", "audio": {"arrives": True, "since": "G"}},
        {"uid": "7", "video": {"arrives": False, "since": "H"}},
    ],
    "interruptions": [{"track": "audio", "uid": "7", "begunAt": "I", "endedAt": "J"}],
    "outputs": [{"target": "live#1", "status": "publishing", "since": "K"}],
}


def shown(run: Any, *sessions: dict[str, Any]) -> list[str]:
    """Return what is printed of sessions: the part between the attempts and the timeline."""
    found = {"recording": {"attempts": []}, "sessions": sessions, "events": []}
    lines: list[str] = run(found, "show", RECORDING_ID)[1].splitlines()
    assert lines[-2:] == ["", "Nothing has happened yet."]
    return [re.sub("  +", "  ", line) for line in lines[1:-2]]


def test_a_session_is_shown_in_words_and_tables(run: Any) -> None:
    assert shown(run, SESSION) == [
        f"session  {SID}",
        "recorder  uid 1, uid 99",
        "heard  A to B",
        "recorded  C to D",
        "end  IDLE",
        "  The recorder left the channel: nobody was there.",
        "upload  uploaded",
        "transcoding  partial success",
        "interruption  I to J: audio of uid 7",
        "output  live#1: publishing since K",
        "",
        "WHO  AUDIO  VIDEO",
        "all, mixed  arrives since G  -",
        "uid 7  -  stopped since H",
        "",
        "LAST AT  KIND  LEVEL  WHAT",
        "E  error  3  Error 47 in the uploader.",
        "F  warning  -  Warning 31 from the uploader.",
    ]


def test_a_session_that_goes_on_and_one_that_nobody_told_of_are_short(run: Any) -> None:
    going_on = {"sid": SID, "firstHeardAt": "A", "lastHeardAt": "B", "startedAt": "C"}
    assert shown(run, going_on, {"sid": "2"}) == [
        f"session  {SID}",
        "recorder  -",
        "heard  A to B",
        "recorded  C to now",
        "end  -",
        "",
        "session  2",
        "heard  nothing yet",
    ]


def test_an_empty_list_says_so(run: Any) -> None:
    assert run([], "list")[1] == "No recording is open.\n"


def test_ages_are_told_in_the_unit_that_says_most() -> None:
    told = [commands._ago(when, NOW_MS) for when in _instants(5, 150, 7300, 200_000)]
    assert told == ["5 s", "2 min", "2 h", "2 d"]
    assert commands._ago(None, NOW_MS) == "-"


def _instants(*ages_s: int) -> list[str]:
    return [iso(NOW_MS - age * 1000) for age in ages_s]


def test_a_secret_comes_by_the_standard_input_never_by_an_argument(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n  a-new-secret\n\n"))
    assert commands._read_secret() == "a-new-secret"
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert commands._read_secret() == ""
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    with pytest.raises(SecretRefusedError, match="2 lines came"):
        commands._read_secret()
    with pytest.raises(SystemExit):
        commands.main(["rotate-secret", "a-new-secret"])

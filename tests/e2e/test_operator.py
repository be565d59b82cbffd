"""Every operator's command on the embedded stack, and docs/operations.md shows what it printed.

`WRITE_DOCS=1 pytest tests/e2e/test_operator.py` puts the real output into the document.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local.api import send
from local.template import ROOT
from operate import commands as command
from tests.e2e.conftest import Stage, eventually
from tests.e2e.test_one_recording import notification

DOCUMENT = ROOT / "docs" / "operations.md"
NEW_SECRET = "the-secret-after-this-one"


class Ran(NamedTuple):
    """A command as it was typed, what it printed, and its exit code."""

    typed: str
    out: str
    err: str
    code: int


class Desk:
    """Where the operator sits; remembers every command for the document."""

    def __init__(self, stage: Stage, facts: Path) -> None:
        self.stage = stage
        self._facts = facts
        self.shown: dict[str, Ran] = {}

    def run(self, *words: str, given: str | None = None, show: str | None = None) -> Ran:
        """Run a command; `show` is the name of its place in the document."""
        argv = [sys.executable, "-m", "operate", "--local", "--facts", str(self._facts)]
        # Nothing but where programs are: the command finds the rest by itself.
        environment = {"PATH": os.environ["PATH"]}
        done = subprocess.run(
            [*argv, *words],
            env=environment,
            input=given or "",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        typed = f'make ops ARGS="{" ".join(("--local", *words))}"'
        ran = Ran(typed, done.stdout, done.stderr, done.returncode)
        if show:
            self.shown[show] = ran
        return ran

    def json(self, *words: str) -> Any:
        """Return what a command prints as JSON."""
        return json.loads(self.run("--json", *words).out)


@pytest.fixture(scope="module")
def desk(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    facts = tmp_path_factory.mktemp("operator") / "stack.json"
    facts.write_text(json.dumps(stage.facts))
    return Desk(stage, facts)


@pytest.fixture(scope="module")
def finished(desk: Desk) -> dict[str, Any]:
    """A recording that an operator saw running, and stopped."""
    stage = desk.stage
    recording_id = stage.record("daily-standup", tags={"team": "platform"})
    stage.until(recording_id, "recording")
    eventually(
        lambda: [key for key in stage.keys(f"recordings/{recording_id}/") if key.endswith(".ts")],
        "slices in the bucket",
    )
    listed = desk.run("list", show="list")
    assert re.search(rf"^{recording_id}  recording  daily-standup", listed.out, re.MULTILINE)
    assert desk.run("stop", recording_id, show="stop").code == 0
    return stage.finish(recording_id)


def test_a_recording_is_listed_stopped_and_no_longer_listed(
    desk: Desk, finished: dict[str, Any]
) -> None:
    assert finished["endReason"] == "STOP_REQUESTED"
    assert finished["recordingId"] not in [each["recordingId"] for each in desk.json("list")]


def test_a_recording_is_shown_with_what_agora_told_and_what_was_decided(
    desk: Desk, finished: dict[str, Any]
) -> None:
    shown = desk.run("show", finished["recordingId"], show="show")
    for words in ("Attempt 1 begins", "session_exit", "Published as completed"):
        assert words in shown.out
    (session,) = desk.json("show", finished["recordingId"])["sessions"]
    assert session["sid"] == finished["attempt"]["sid"]
    assert session["end"] == "EXITED"
    assert {each["uid"] for each in session["participants"]} == {"101", "102"}


def test_a_recording_is_verified_and_published_anew(desk: Desk, finished: dict[str, Any]) -> None:
    recording_id, stage = finished["recordingId"], desk.stage
    assert desk.run("verify", recording_id, show="verify").code == 0
    lost = next(key for key in stage.keys(f"recordings/{recording_id}/") if key.endswith(".ts"))
    body = stage.s3.get_object(Bucket=stage.bucket, Key=lost)["Body"].read()
    stage.s3.delete_object(Bucket=stage.bucket, Key=lost)
    found = desk.run("verify", recording_id, show="verify-lost")
    assert found.code == 1
    assert lost.rpartition("/")[2] in found.out
    stage.s3.put_object(Bucket=stage.bucket, Key=lost, Body=body)
    stage.s3.delete_object(Bucket=stage.bucket, Key=f"recordings/{recording_id}/manifest.json")
    assert desk.run("verify", recording_id, "--publish", show="verify-publish").code == 0
    assert stage.read_json(f"recordings/{recording_id}/manifest.json")["verdict"] == "complete"


def test_a_recording_whose_app_is_not_called_has_nothing_to_send_again(
    desk: Desk, finished: dict[str, Any]
) -> None:
    ran = desk.run("resend", finished["recordingId"], show="resend")
    assert (ran.code, ran.out) == (0, "No message waits, or was given up.\n")


def test_a_recording_that_does_not_exist_is_one_sentence(desk: Desk) -> None:
    ran = desk.run("show", "01ARZ3NDEKTSV4RRFFQ69G5FAV")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "There is no recording 01ARZ3NDEKTSV4RRFFQ69G5FAV.\n"


def test_a_session_started_past_the_bundle_is_found_and_stopped(desk: Desk) -> None:
    resource_id, sid = _start_past_the_bundle(desk.stage)
    eventually(lambda: desk.stage.rows(f"SESSION#{sid}", "SESSION"), "the session is heard of")
    assert sid in desk.run("orphans", show="orphans").out
    assert desk.run("stop-orphan", sid, show="stop-orphan-unknown").code == 1
    known = ("--resource-id", resource_id, "--mode", "mix")
    assert desk.run("stop-orphan", sid, *known, show="stop-orphan").code == 0
    eventually(
        lambda: "endedMs" in desk.stage.rows(f"SESSION#{sid}", "SESSION")[0]["facts"],
        "the session's end",
    )


def _start_past_the_bundle(stage: Stage) -> tuple[str, str]:
    """Start a session at Agora as somebody else would; return (resourceId, sid)."""
    keys = stage.facts["agora_credentials"]
    base = f"{stage.facts['agora_url']}/v1/apps/{keys['app_id']}/cloud_recording"
    session = {"cname": "started-elsewhere", "uid": "527841"}
    resource_id = _ask(stage, f"{base}/acquire", {**session, "clientRequest": {}})["resourceId"]
    theirs = stage.facts["aws_credentials"]
    storage = {
        "vendor": 1,
        "region": 0,
        "bucket": stage.bucket,
        "accessKey": theirs["access_key_id"],
        "secretKey": theirs["secret_access_key"],
        "fileNamePrefix": ["elsewhere"],
    }
    request = {"recordingConfig": {"maxIdleTime": 3600}, "storageConfig": storage}
    url = f"{base}/resourceid/{resource_id}/mode/mix/start"
    return resource_id, _ask(stage, url, {**session, "clientRequest": request})["sid"]


def _ask(stage: Stage, url: str, body: dict[str, Any]) -> dict[str, Any]:
    from base64 import b64encode

    keys = stage.facts["agora_credentials"]
    pair = f"{keys['customer_id']}:{keys['customer_secret']}".encode()
    headers = {
        "Authorization": f"Basic {b64encode(pair).decode()}",
        "Content-Type": "application/json",
    }
    answer = send("POST", url, json.dumps(body).encode(), headers)
    assert answer.status in (200, 201), answer
    found: dict[str, Any] = answer.body
    return found


def test_a_session_is_given_back_to_its_recording(desk: Desk, finished: dict[str, Any]) -> None:
    sid, stage = finished["attempt"]["sid"], desk.stage
    stage.dynamodb.update_item(
        TableName=stage.table,
        Key={"PK": {"S": f"SESSION#{sid}"}, "SK": {"S": "SESSION"}},
        UpdateExpression="REMOVE recordingId",
    )
    assert desk.run("adopt", sid, finished["recordingId"], show="adopt").code == 0
    assert sid not in [each["sid"] for each in desk.json("orphans")]
    other = stage.record("not-its-recording")
    refused = desk.run("adopt", sid, other)
    assert refused.code == 1
    assert finished["recordingId"] in refused.err
    stage.stop(other)


def test_what_cannot_be_applied_is_put_aside(stage: Stage) -> None:
    row = {"PK": {"S": "SID#unreadable"}, "SK": {"S": "EVT#40#0#1"}, "body": {"S": "not JSON"}}
    stage.dynamodb.put_item(TableName=stage.table, Item=row)
    sqs, queue = stage.stack.client("sqs"), stage.facts["resources"]["PoisonNotifications"]

    def told() -> Any:
        return sqs.receive_message(QueueUrl=queue).get("Messages")

    (message,) = eventually(told, "the notification in the queue")
    body = json.loads(message["Body"])
    assert (body["PK"], body["SK"]) == ("SID#unreadable", "EVT#40#0#1")
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_what_was_put_aside_and_given_up_is_applied_again(desk: Desk) -> None:
    stage = desk.stage
    sid = "0" * 30 + "a1"
    assert stage.notify(notification(sid, 1)).status == 200
    row = eventually(lambda: stage.rows(f"SID#{sid}", "EVT#"), "the notification")[0]
    sqs, queues = stage.stack.client("sqs"), stage.facts["resources"]
    poison = {"PK": row["PK"], "SK": row["SK"], "error": "KeyError"}
    for queue, body in (
        ("PoisonNotifications", poison),
        ("DeadLetters", _batch(stage)),
        ("DeadLetters", {}),
    ):
        sqs.send_message(QueueUrl=queues[queue], MessageBody=json.dumps(body))
    replayed = desk.run("replay", show="replay")
    outcomes = [re.split(r"  +", line)[2:] for line in replayed.out.splitlines()[1:]]
    assert [removed for *_, removed in outcomes] == ["yes", "yes", "no"], replayed.out
    assert outcomes[0][0] == "applied"
    assert outcomes[1][0].startswith("applied, ")
    # What nobody can apply comes back in a minute, and is dropped on request alone.
    for queue in ("PoisonNotifications", "DeadLetters"):
        sqs.purge_queue(QueueUrl=queues[queue])
    sqs.send_message(QueueUrl=queues["DeadLetters"], MessageBody="{}")
    assert desk.run("replay", "--discard", show="replay-discard").out.rstrip().endswith("yes")
    assert desk.run("replay").out == "Nothing was put aside.\n"


def _batch(stage: Stage) -> dict[str, Any]:
    """Return what Lambda writes of a batch of the table's stream that it gave up."""
    streams = stage.stack.client("dynamodbstreams")
    arn = streams.list_streams(TableName=stage.table)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    place = streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    records = streams.get_records(ShardIterator=place)["Records"]
    numbers = [each["dynamodb"]["SequenceNumber"] for each in records[:20]]
    return {
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "approximateArrivalOfFirstRecord": "2026-01-31T12:00:00Z",
            "batchSize": len(numbers),
            "streamArn": arn,
        }
    }


def test_the_firewall_is_planned_then_refreshed(desk: Desk) -> None:
    assert "nothing was written" in desk.run("firewall", "--dry-run", show="firewall-dry-run").out
    assert "Carried out" in desk.run("firewall", show="firewall").out
    again = desk.run("firewall", "--dry-run").out
    assert " add " not in again


def test_the_sweeper_runs_when_told(desk: Desk) -> None:
    ran = desk.run("watch", show="watch")
    assert ran.code == 0
    assert ran.out


def test_a_new_notification_secret_is_live_beside_the_present_one(desk: Desk) -> None:
    stage = desk.stage
    ran = desk.run("rotate-secret", given=f"{NEW_SECRET}\n", show="rotate-secret")
    assert ran.code == 0
    assert NEW_SECRET not in ran.out
    present = stage.facts["notification_secret"]
    try:
        for number, secret in enumerate((NEW_SECRET, present)):
            stage.facts["notification_secret"] = secret
            body = notification("0" * 30 + "b1", number)
            eventually(lambda: stage.notify(body).status == 200, "both are live", 15)  # noqa: B023
    finally:
        stage.facts["notification_secret"] = present


# --- the end ------------------------------------------------------------------------------------


def test_a_stack_is_made_ready_to_be_deleted(desk: Desk) -> None:
    recording_id = desk.stage.record("last-call")
    ran = desk.run("teardown", "--now", "--wait", "1")
    assert ran.code == 0, ran
    assert f"{recording_id} is asked to stop." in ran.out
    assert desk.run("list").out == "No recording is open.\n"
    running = desk.stage.stack.client("stepfunctions").list_executions(
        stateMachineArn=desk.stage.facts["resources"]["RecordingStateMachine"],
        statusFilter="RUNNING",
    )
    assert running["executions"] == []
    assert desk.run("teardown", "--now", show="teardown").code == 0


# --- the document -------------------------------------------------------------------------------

PLACE = re.compile(r"<!-- output: ([a-z-]+) -->\n```\n(.*?)```\n", re.DOTALL)


def normalised(text: str) -> str:
    """Return a text without what differs from run to run: ids, instants, numbers, widths."""
    text = re.sub(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "RECORDING", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "SID", text)
    text = re.sub(r"sg-[0-9a-f]+", "GROUP", text)
    text = re.sub(r"--resource-id \S+", "--resource-id R", text)
    return re.sub(r"[ \d]+", " ", text)


@pytest.fixture(scope="module", autouse=True)
def _document(desk: Desk) -> Iterator[None]:
    """After all commands have run: put their output into the document, if that is asked for."""
    yield
    if "WRITE_DOCS" in os.environ:
        text = DOCUMENT.read_text()
        DOCUMENT.write_text(PLACE.sub(lambda place: _shown(place[1], desk.shown[place[1]]), text))


def _shown(name: str, ran: Ran) -> str:
    text = ran.out + ran.err
    typed = re.sub(r"(--resource-id \S{12})\S+", r"\1…", ran.typed)
    return f"<!-- output: {name} -->\n```\n$ {typed}\n{text}```\n"


@pytest.mark.skipif("WRITE_DOCS" in os.environ, reason="the document is being written")
def test_the_document_shows_every_command_as_it_really_is(desk: Desk) -> None:
    places = dict(PLACE.findall(DOCUMENT.read_text()))
    assert places.keys() == desk.shown.keys()
    for name, ran in desk.shown.items():
        # The command and what it says first; the rest is as long as the recording was.
        # What is due to the sweeper depends on the stories before.
        count = 1 if name == "watch" else 2
        lines = _shown(name, ran).splitlines()[2 : 2 + count]
        assert normalised("\n".join(lines)) == normalised(
            "\n".join(places[name].splitlines()[:count])
        ), name


@pytest.mark.skipif("WRITE_DOCS" in os.environ, reason="the document is being written")
def test_no_verb_is_left_out_of_the_document() -> None:
    usage = command._parser().format_help()
    verbs = set(re.findall(r"^    ([a-z-]+)(?: |$)", usage, re.MULTILINE))
    typed = set(re.findall(r'^\$ make ops ARGS="--local ([a-z-]+)', DOCUMENT.read_text(), re.M))
    assert len(verbs) >= 15
    assert verbs == typed

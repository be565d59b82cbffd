"""What comes late still counts, each end is told once, and a consumer needs one suffix."""

from __future__ import annotations

import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from agora_recording.recording.timings import Timings
from local.demo import history
from local.package import CODE_BUCKET, bootstrap, build_layer, zip_function
from tests.e2e.conftest import Stage, eventually, hold_the_sweeper

together = pytest.mark.together

DOCUMENT = (Path(__file__).parents[2] / "docs" / "files.md").read_text()
MP4 = {"recordingFileConfig": {"avFileType": ["hls", "mp4"]}}
POSTPONED = {
    "recordingConfig": {"subscribeUidGroup": 0},
    "appsCollection": {"combinationPolicy": "postpone_transcoding"},
    "transcodeOptions": {"transConfig": {"transMode": "postponeTranscoding"}},
}
NEVER_S = 1_000_000  # until the story says so
PATIENCE_S = 120  # for the test alone: a machine may be busy


class Listener:
    """A queue behind a rule on the stack's bus that picks one channel."""

    def __init__(self, stage: Stage, cname: str) -> None:
        self._sqs = stage.stack.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"listener-{cname}")["QueueUrl"]
        self._told: list[str] = []
        events = stage.stack.client("events")
        of_bus = {"EventBusName": stage.facts["resources"]["EventBus"]}
        pattern = {"source": ["agora.recording"], "detail": {"recording": {"cname": [cname]}}}
        events.put_rule(Name=cname, EventPattern=json.dumps(pattern), **of_bus)
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        target = {"Id": "queue", "Arn": answer["Attributes"]["QueueArn"]}
        events.put_targets(Rule=cname, Targets=[target], **of_bus)

    def told(self, recording_id: str) -> list[str]:
        """Return the ids of all events so far, without the recording's own."""
        self._told += [each["detail"]["id"] for each in receive(self._sqs, self._url)]
        return [each.removeprefix(f"{recording_id}-") for each in self._told]


def receive(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Take what a queue has just now, at most ten messages."""
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for each in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return [json.loads(each["Body"]) for each in messages]


def film(stage: Stage, cname: str, **more: Any) -> str:
    """Record some slices, and stop; return the recording's id."""
    recording_id = stage.record(cname, **more)
    stage.until(recording_id, "recording")
    prefix = f"recordings/{recording_id}/"
    eventually(
        lambda: sum(key.endswith(".ts") for key in stage.keys(prefix)) >= 3, "slices in the bucket"
    )
    assert stage.stop(recording_id).status == 202
    return recording_id


def told_until_completed(stage: Stage, listener: Listener, recording_id: str) -> list[str]:
    """Wait until the recording is announced as completed; return all that was announced."""
    eventually(
        lambda: "completed" in listener.told(recording_id),
        "the event",
        PATIENCE_S,
        lambda: json.dumps([stage.row(recording_id), stage.notes(recording_id)], indent=1),
    )
    stage.until(recording_id, "completed")
    return listener.told(recording_id)


def deliver_late(stage: Stage, listener: Listener, recording_id: str) -> None:
    """Let the late files come once it is incomplete; then it is completed, each told once."""
    row = stage.until(recording_id, "incomplete", seconds=PATIENCE_S)
    stage.control("POST", f"/recordings/{row['attempt']['sid']}/deliver", {})
    told = told_until_completed(stage, listener, recording_id)
    assert told == ["started", "incomplete", "completed"]
    prefix = f"recordings/{recording_id}/"
    ended = stage.read_json(f"{prefix}events/recording-ended.json")
    assert ended["detailType"] == "Recording Completed"
    manifest = stage.read_json(f"{prefix}manifest.json")
    assert manifest["verdict"] == "complete"
    assert manifest["recording"]["status"] == "completed"
    kinds = [note["kind"] for note in stage.notes(recording_id)]
    assert kinds[-2:] == ["published", "late"]


@together
def test_the_arrival_of_the_last_file_lets_the_waiting_execution_go_on(stage: Stage) -> None:
    listener = Listener(stage, "mp4-in-time")
    stage.fault({"endpoint": "start", "cname": "mp4-in-time"}, {"mp4_delay_s": NEVER_S})
    recording_id = film(stage, "mp4-in-time", clientRequest=MP4)
    eventually(lambda: "uploadToken" in stage.row(recording_id), "the execution is parked")
    # Neither the looks that were asked for in advance shall help, nor the sweeper: S3 alone.
    ended_ms = stage.row(recording_id)["attempt"]["endedMs"]
    looked_ms = ended_ms + 1000 * (max(Timings().upload_looks_s) / stage.facts["speed"] + 2)
    eventually(lambda: time.time() * 1000 > looked_ms, "the looks of the first minute are over")
    until_ms = hold_the_sweeper(stage, seconds=8)
    assert stage.row(recording_id)["status"] == "uploading"
    sid = stage.row(recording_id)["attempt"]["sid"]
    stage.control("POST", f"/recordings/{sid}/deliver", {})
    assert told_until_completed(stage, listener, recording_id) == ["started", "completed"]
    assert time.time() * 1000 < until_ms
    states = [
        event["stateEnteredEventDetails"]["name"]
        for event in history(stage.stack, recording_id)
        if "stateEnteredEventDetails" in event
    ]
    assert states.count("Await upload") == 1
    told = stage.api.call("GET", f"/recordings/{recording_id}/events?limit=1000").body["events"]
    assert [each["text"].split()[1] for each in told if each["kind"] == "file"] == ["MP4"]


@together
def test_an_mp4_that_comes_late_turns_incomplete_into_completed(stage: Stage) -> None:
    listener = Listener(stage, "mp4-late")
    stage.fault({"endpoint": "start", "cname": "mp4-late"}, {"mp4_delay_s": NEVER_S})
    deliver_late(stage, listener, film(stage, "mp4-late", clientRequest=MP4))


@together
def test_a_backup_upload_that_finishes_late_turns_incomplete_into_completed(stage: Stage) -> None:
    listener = Listener(stage, "in-backup")
    backup = {"backup": {"first": 1, "slices": 1, "after_s": NEVER_S}}
    stage.fault({"endpoint": "start", "cname": "in-backup"}, backup)
    # Nobody says that a slice is in the backup: it is only missing.
    unheard = {"endpoint": "webhook", "cname": "in-backup", "event_types": [32, 33]}
    stage.fault(unheard, {"lose": True})
    deliver_late(stage, listener, film(stage, "in-backup"))


@together
def test_postponed_transcoding_is_announced_when_it_is_done(stage: Stage) -> None:
    listener = Listener(stage, "transcoded")
    stage.fault({"endpoint": "start", "cname": "transcoded"}, {"transcoding": {"delay_s": NEVER_S}})
    recording_id = film(stage, "transcoded", mode="individual", clientRequest=POSTPONED)
    stage.until(recording_id, "incomplete", seconds=PATIENCE_S)
    shown = stage.api.call("GET", f"/recordings/{recording_id}").body
    assert shown["reason"] == "The files of postponed transcoding are still to come."
    assert shown["lateUntil"] > shown["endedAt"]
    deliver_late(stage, listener, recording_id)


@together
def test_the_consumer_of_the_documents_hears_of_what_is_complete(stage: Stage) -> None:
    queue_url = deploy_consumer(stage)
    recording_id = film(stage, "consumed", clientRequest=MP4)
    sqs, found = stage.stack.client("sqs"), list[dict[str, Any]]()

    def ready() -> dict[str, Any] | None:
        found.extend(receive(sqs, queue_url))
        return next((each for each in found if each["recordingId"] == recording_id), None)

    message = eventually(ready, "the message", PATIENCE_S)
    assert message["cname"] == "consumed"
    assert message["seconds"] > 0
    (mp4,) = message["mp4s"]
    assert mp4 in stage.keys(f"recordings/{recording_id}/")


def deploy_consumer(stage: Stage) -> str:
    """Deploy the example of docs/files.md as a stack of its own; return its queue's address."""
    (template_text,) = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    key = "queue_recording.zip"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(code)
        stage.s3.put_object(
            Bucket=CODE_BUCKET, Key=key, Body=zip_function(Path(folder), bootstrap(build_layer()))
        )
    template = yaml_parse(template_text)
    function = template["Resources"]["QueueRecordingFunction"]["Properties"]
    function["CodeUri"] = {"Bucket": CODE_BUCKET, "Key": key}
    function["Runtime"] = "provided.al2023"  # as local/package.py runs every function
    variables = function["Environment"]["Variables"]
    variables["AWS_ENDPOINT_URL"] = stage.facts["aws_endpoint_url"]
    variables["AWS_S3_ADDRESSING_STYLE"] = "path"
    cloudformation = stage.stack.client("cloudformation")
    cloudformation.create_stack(
        StackName="consumer",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "RecordingsBucket", "ParameterValue": stage.bucket}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def deployed() -> Any:
        stack = cloudformation.describe_stacks(StackName="consumer")["Stacks"][0]
        assert "ROLLBACK" not in stack["StackStatus"], stack
        return stack if stack["StackStatus"] == "CREATE_COMPLETE" else None

    url: str = eventually(deployed, "the consumer's stack")["Outputs"][0]["OutputValue"]
    return url

"""The witness of the soak sees each promise that is broken: on a real table, bucket and bus."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from msgspec.structs import replace

from agora_recording.aws.dynamodb import to_attribute
from agora_recording.recording.model import Attempt, Recording, Upload, to_row
from local.agora import AgoraSimulator
from local.emulator import Emulator
from local.stack import EmbeddedStack
from simulation.soak.witness import BrokenPromiseError, Witness
from tests.e2e.conftest import eventually
from tests.emulator.conftest import Client, client_of
from tests.emulator.test_mappings import TRUST
from tests.emulator.test_schedules import keys_of
from tests.world.builders import recording, requested, running
from tests.world.pulse import Pulse

UID = "527841"
TOKEN_OF_STORAGE = "a-secret-key-of-the-bucket"


class Scene:
    """What a witness looks at: an emulator with the resources of a stack, and a simulator."""

    def __init__(self, emulator: Emulator, agora: AgoraSimulator) -> None:
        self.emulator, self.agora = emulator, agora
        self.client: Client = client_of(emulator)
        self.facts: dict[str, Any] = {
            "agora_credentials": {"customer_secret": agora.options.customer_secret},
            "notification_secret": agora.options.notification_secret,
            "resources": self._resources(),
        }

    def _resources(self) -> dict[str, str]:
        client = self.client
        keys = [("PK", "HASH"), ("SK", "RANGE")]
        client("dynamodb").create_table(
            TableName="recordings",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name, _ in keys
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        client("events").create_event_bus(Name="ends")
        client("s3").create_bucket(Bucket="files")
        client("logs").create_log_group(logGroupName="rooms")
        role = client("iam").create_role(RoleName="machine", AssumeRolePolicyDocument=TRUST)
        machine = client("stepfunctions").create_state_machine(
            name="recording",
            roleArn=role["Role"]["Arn"],
            definition=json.dumps({"StartAt": "It", "States": {"It": {"Type": "Succeed"}}}),
        )
        held = client("secretsmanager").create_secret(
            Name="storage", SecretString=json.dumps({"secretKey": TOKEN_OF_STORAGE})
        )
        return {
            "Table": "recordings",
            "EventBus": "ends",
            "Bucket": "files",
            "LogGroup": "rooms",
            "RecordingStateMachine": machine["stateMachineArn"],
            "StorageSecret": held["ARN"],
        }

    def write(self, row: Recording) -> None:
        """Write a recording's row."""
        key = {"PK": f"REC#{row.recording_id}", "SK": "META"}
        item = {name: to_attribute(each) for name, each in {**key, **to_row(row)}.items()}
        self.client("dynamodb").put_item(TableName="recordings", Item=item)

    def announce(self, row: Recording, kind: str) -> None:
        """Send the event of a recording's end."""
        told = {"recordingId": row.recording_id, "status": row.status}
        detail = {"id": f"{row.recording_id}-{row.status}", "recording": told}
        entry = {"Source": "agora.recording", "DetailType": kind, "EventBusName": "ends"}
        self.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])

    def file(self, row: Recording, name: str, body: str = "-") -> None:
        """Put a file of a recording."""
        self.client("s3").put_object(Bucket="files", Key=row.prefix + name, Body=body.encode())

    def complete(self, row: Recording) -> None:
        """Publish a recording as completed."""
        done = replace(
            row, status="completed", upload=Upload(manifest=f"{row.prefix}manifest.json")
        )
        self.file(row, "manifest.json", "{}")
        self.announce(done, "Recording Completed")
        self.write(done)

    def start(self, row: Recording) -> Attempt:
        """Start a session at Agora for a recording; return its attempt."""
        options = self.agora.options
        customer = f"{options.customer_id}:{options.customer_secret}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(customer).decode()}
        base = f"{self.agora.url}/v1/apps/{options.app_id}/cloud_recording"
        who = {"cname": row.cname, "uid": UID}
        asked = requests.post(
            f"{base}/acquire", json={**who, "clientRequest": {}}, headers=headers, timeout=10
        )
        resource = asked.json()["resourceId"]
        storage = {
            "vendor": 1,
            "region": 0,
            "bucket": "files",
            "accessKey": "test",
            "secretKey": "test",
            "fileNamePrefix": ["recordings", row.recording_id],
        }
        answer = requests.post(
            f"{base}/resourceid/{resource}/mode/mix/start",
            json={**who, "clientRequest": {"storageConfig": storage}},
            headers=headers,
            timeout=10,
        )
        return running(resource_id=resource, uid=UID, sid=answer.json()["sid"])


@pytest.fixture(scope="module")
def scene(emulator: Emulator) -> Iterator[Scene]:
    with AgoraSimulator(speed=1, qps=0, s3_endpoint_url=emulator.url) as agora:
        yield Scene(emulator, agora)


@pytest.fixture
def witness(scene: Scene) -> Iterator[Witness]:
    scene.agora.world.reset()
    scene.agora.gateway.calls.clear()
    people = SimpleNamespace(accepted={}, stopped=set(), was_over={}, links={}, subscribed={})
    people.contradictions = []
    with Pulse() as pulse:
        watcher = Witness(cast(EmbeddedStack, scene), people, pulse)
        for _ in watcher.sight.writes.since():  # what earlier tests wrote
            pass
        yield watcher


_numbers = iter(range(10, 99))


def of_a_name(row: Recording) -> Recording:
    """Return a recording with an id and a name of its own."""
    number = next(_numbers)
    return replace(row, recording_id=f"01HF7YAT00{number:016}", tags={"n": f"r{number}"})


def breach(look: Any) -> tuple[str, str]:
    """Return the promise that a look finds broken, and the sentence."""
    with pytest.raises(BrokenPromiseError) as caught:
        look()
    return caught.value.breaches[0]


def test_where_every_promise_holds_nothing_is_said(scene: Scene, witness: Witness) -> None:
    row = of_a_name(requested())
    scene.write(row)
    row = replace(row, status="recording", attempt=scene.start(row))
    scene.write(row)
    witness.look()
    assert witness.most_at_once == 1
    assert list(witness.sight.rows.values()) == [row]


def test_more_than_one_answer_of_the_stream_can_hold(scene: Scene, witness: Witness) -> None:
    row = of_a_name(requested())
    scene.write(row)
    for number in range(40):
        long = {"PK": {"S": f"LOG#{number}"}, "SK": {"S": "-"}, "text": {"S": "x" * 100_000}}
        scene.client("dynamodb").put_item(TableName="recordings", Item=long)
    scene.write(replace(row, status="recording", attempt=scene.start(row)))
    witness.look()
    assert witness.writes == 42


def test_a_status_that_goes_back(scene: Scene, witness: Witness) -> None:
    row = of_a_name(recording())
    scene.write(row)
    scene.write(replace(row, status="starting"))
    assert breach(witness.look)[0] == "a_status_only_goes_forward"


def test_a_session_that_no_row_names(scene: Scene, witness: Witness) -> None:
    row = of_a_name(requested())
    scene.write(row)
    attempt = scene.start(row)
    promise, sentence = breach(witness.look)
    assert promise == "every_session_that_agora_bills_has_a_row"
    assert attempt.sid is not None
    assert attempt.sid in sentence


def test_a_second_session_that_the_row_does_not_want_to_end(scene: Scene, witness: Witness) -> None:
    row = of_a_name(recording())
    first = scene.start(row)
    row = replace(row, cname="another")
    second = replace(scene.start(row), number=2)
    scene.write(replace(row, attempt=second, past_attempts=[first]))
    assert breach(witness.look)[0] == "one_session_a_recording"


def test_a_session_that_runs_although_its_row_calls_it_over(scene: Scene, witness: Witness) -> None:
    row = of_a_name(recording())
    ended = replace(scene.start(row), ended_ms=1, end="EXITED")
    scene.write(replace(row, attempt=ended, session_end="EXITED"))
    assert breach(witness.look)[0] == "what_is_over_is_over"


def test_a_slice_that_a_playlist_names_and_that_is_not_there(
    scene: Scene, witness: Witness
) -> None:
    row = of_a_name(recording())
    scene.write(row)
    scene.file(row, f"{row.sid}_a.m3u8", "#EXTM3U\n#EXTINF:15.0,\na_1.ts\n#EXT-X-ENDLIST\n")
    scene.complete(row)
    promise, sentence = breach(witness.look)
    assert promise == "a_playlist_names_what_is_there"
    assert "a_1.ts" in sentence


def test_a_playlist_of_a_session_that_nobody_knows_yet_promises_nothing(
    scene: Scene, witness: Witness
) -> None:
    row = of_a_name(recording())
    scene.write(row)
    scene.file(row, "another_a.m3u8", "#EXTM3U\n#EXTINF:15.0,\na_1.ts\n#EXT-X-ENDLIST\n")
    scene.complete(row)
    witness.look()


def test_a_slice_that_agora_promised_and_that_is_not_there(scene: Scene, witness: Witness) -> None:
    row = of_a_name(recording())
    attempt = scene.start(row)
    row = replace(row, attempt=attempt)
    scene.write(row)
    task = scene.agora.world.recording(str(attempt.sid))
    assert task is not None
    eventually(lambda: task.status >= 4, "the recorder in the channel")
    with scene.agora.world.lock:
        task.leave(scene.agora.world.scheduler.now_ms(), 16)
    eventually(lambda: not task.live, "its end")
    keys = [
        each
        for each in scene.client("s3").list_objects_v2(Bucket="files", Prefix=row.prefix)[
            "Contents"
        ]
        if each["Key"].endswith((".ts", ".m3u8"))
    ]
    assert len(keys) == 2
    for each in keys:
        scene.client("s3").delete_object(Bucket="files", Key=each["Key"])
    scene.complete(row)
    promise, sentence = breach(witness.look)
    assert promise == "completed_means_that_all_is_there"
    assert "without 2 files" in sentence


def test_a_recording_that_failed_and_has_a_slice(scene: Scene, witness: Witness) -> None:
    row = of_a_name(recording(attempt=None, status="failed"))
    scene.write(row)
    scene.announce(row, "Recording Failed")
    witness.look()
    assert witness.is_calm()
    scene.file(row, "a_1.ts")
    assert not witness.is_calm()
    promise, sentence = breach(witness.look_at_everything)
    assert promise == "failed_means_that_there_is_nothing"
    assert "a_1.ts" in sentence


def test_an_end_that_is_not_announced(
    scene: Scene, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulation.soak.witness._QUEUE_S", 0)
    row = of_a_name(recording(attempt=None))
    scene.write(row)
    scene.write(replace(row, status="failed"))
    promise, sentence = breach(witness.look)
    assert promise == "the_end_is_announced_before_it_is_written"
    assert row.recording_id in sentence


def test_a_role_that_does_what_it_has_no_right_to(scene: Scene, witness: Witness) -> None:
    witness.look()
    keys = keys_of(scene.client, "without-rights")
    with pytest.raises(Exception, match="AccessDenied"):
        scene.client("sqs", **keys).create_queue(QueueName="forbidden")
    assert breach(witness.look)[0] == "a_room_does_what_its_role_allows"


def test_a_secret_in_a_row(scene: Scene, witness: Witness) -> None:
    scene.write(of_a_name(requested(cname=TOKEN_OF_STORAGE)))
    promise, sentence = breach(witness.look)
    assert promise == "no_secret_anywhere"
    assert TOKEN_OF_STORAGE not in sentence


def test_more_than_ten_calls_within_a_second(scene: Scene, witness: Witness) -> None:
    base = f"/v1/apps/{scene.agora.options.app_id}/cloud_recording/acquire"
    threads = [
        threading.Thread(target=scene.agora.gateway.answer, args=("POST", base, {}, b""))
        for _ in range(11)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breach(witness.look)[0] == "agora_is_not_called_too_often"
    assert witness.most_calls_a_second == 11


def test_what_is_left_of_a_deleted_recording(scene: Scene, witness: Witness) -> None:
    row = of_a_name(recording(attempt=None, status="failed"))
    scene.write(row)
    scene.announce(row, "Recording Failed")
    witness.look()
    scene.client("dynamodb").put_item(
        TableName="recordings",
        Item={"PK": {"S": f"REC#{row.recording_id}"}, "SK": {"S": "LOG#1"}},
    )
    witness.deleted(row.recording_id)
    with pytest.raises(BrokenPromiseError) as caught:
        witness.look_at_everything()
    assert ("deleted_means_that_nothing_is_left") in {
        each.promise for each in caught.value.breaches
    }

"""Each kind of bad weather does what it says; where nobody asks for it, there is none."""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from local.emulator import Emulator, free_port
from local.strict.mappings import NEEDED
from local.weather import Forecast
from tests.e2e.conftest import eventually
from tests.emulator.conftest import Client, client_of
from tests.emulator.test_mappings import TRUST, Reader
from tests.emulator.test_schedules import keys_of

OFTEN = 1.0
RIGHTS = (
    ("dynamodb:*", "*"),
    ("events:*", "*"),
    ("kms:*", "*"),
    ("s3:*", "*"),
    ("secretsmanager:*", "*"),
    ("sqs:*", "*"),
    ("states:*", "*"),
)


class Sky:
    """An emulator that can have bad weather; a role that calls it, and the root caller."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.root = client_of(emulator)
        self.keys = keys_of(self.root, "caller", *RIGHTS)
        self.root("dynamodb").create_table(
            TableName="rows",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.root("s3").create_bucket(Bucket="files")

    def role(self, service: str, tries: int = 1) -> Any:
        """Return a client with the keys of the role."""
        return self.root(service, tries=tries, **self.keys)

    def bring(self, **forecast: Any) -> None:
        """Make a weather."""
        Forecast(**forecast).write(self.emulator.forecast)

    def clear(self) -> None:
        """Let the weather be fine."""
        self.emulator.forecast.unlink(missing_ok=True)

    def faults(self, kind: str) -> list[dict[str, Any]]:
        """Return what happened of a kind."""
        lines = self.emulator.faults.read_text().splitlines()
        return [each for line in lines if (each := json.loads(line))["kind"] == kind]

    def rows(self) -> list[str]:
        """Return the keys of the rows that are there."""
        items = self.root("dynamodb").scan(TableName="rows")["Items"]
        return [each["PK"]["S"] for each in items]


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sky]:
    folder: Path = tmp_path_factory.mktemp("weather")
    with Emulator(folder, port=free_port(), speed=1, has_weather=True) as running:
        yield Sky(running)


@pytest.fixture
def sky(stormy: Sky) -> Iterator[Sky]:
    stormy.clear()
    yield stormy
    stormy.clear()


def put(client: Any, key: str) -> None:
    client.put_item(TableName="rows", Item={"PK": {"S": key}})


def failure(call: Any) -> tuple[str, int]:
    """Return code and status of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_in_fine_weather_every_call_goes_through(sky: Sky) -> None:
    for number in range(20):
        put(sky.role("dynamodb"), f"fine-{number}")
    assert {f"fine-{number}" for number in range(20)} <= set(sky.rows())


def test_an_emulator_that_was_asked_for_none_has_no_weather(
    client: Client, emulator: Emulator
) -> None:
    Forecast(throttled=OFTEN, kill_every_s=0.1).write(emulator.forecast)
    keys = keys_of(client, "of-a-quiet-emulator", ("sqs:*", "*"))
    for number in range(20):
        client("sqs", **keys).create_queue(QueueName=f"quiet-{number}")
    assert not emulator.faults.exists()
    emulator.forecast.unlink()


def test_a_throttled_call_is_refused_in_the_words_of_its_service_and_has_no_effect(
    sky: Sky,
) -> None:
    sky.bring(throttled=OFTEN)
    put_throttled = lambda: put(sky.role("dynamodb"), "throttled")  # noqa: E731
    assert failure(put_throttled) == ("ProvisionedThroughputExceededException", 400)
    s3 = sky.role("s3")
    put_file = lambda: s3.put_object(Bucket="files", Key="throttled", Body=b"")  # noqa: E731
    assert failure(put_file) == ("SlowDown", 503)
    for service, call in {
        "stepfunctions": lambda client: client.list_state_machines(),
        "kms": lambda client: client.list_keys(),
        "secretsmanager": lambda client: client.list_secrets(),
    }.items():
        assert failure(lambda call=call, of=service: call(sky.role(of))) == (
            "ThrottlingException",
            400,
        )
    assert "throttled" not in sky.rows()
    assert "Contents" not in sky.root("s3").list_objects_v2(Bucket="files", Prefix="throttled")


def test_a_failed_call_is_an_error_of_the_server_and_has_no_effect(sky: Sky) -> None:
    sky.bring(failed=OFTEN)
    assert failure(lambda: put(sky.role("dynamodb"), "failed")) == ("InternalServerError", 500)
    assert failure(lambda: sky.role("s3").list_buckets()) == ("InternalError", 500)
    assert failure(lambda: sky.role("sqs").list_queues()) == ("InternalError", 500)
    assert "failed" not in sky.rows()


def test_of_a_lost_answer_the_effect_is_there_and_the_connection_ends(sky: Sky) -> None:
    sky.bring(answer_lost=OFTEN)
    with pytest.raises(ConnectionClosedError):
        put(sky.role("dynamodb"), "lost")
    with pytest.raises(ConnectionClosedError):
        sky.role("s3").put_object(Bucket="files", Key="lost", Body=b"kept")
    assert "lost" in sky.rows()
    kept = sky.root("s3").get_object(Bucket="files", Key="lost")["Body"].read()
    assert kept == b"kept"


def test_no_answer_of_a_call_that_only_reads_is_lost(sky: Sky) -> None:
    sky.bring(answer_lost=OFTEN)
    assert "Item" not in sky.role("dynamodb").get_item(TableName="rows", Key={"PK": {"S": "-"}})


def test_a_slow_call_is_late_and_goes_through(sky: Sky) -> None:
    sky.bring(slow=OFTEN, slow_s=(0.4, 0.5))
    began = time.monotonic()
    put(sky.role("dynamodb"), "slow")
    assert time.monotonic() - began >= 0.4
    assert "slow" in sky.rows()


def test_a_fault_of_one_try_is_repaired_by_the_next_one_and_a_fault_of_every_try_is_not(
    sky: Sky,
) -> None:
    sky.bring(failed=OFTEN, every_try=0)
    put(sky.role("dynamodb", tries=2), "second try")
    assert "second try" in sky.rows()
    sky.bring(failed=OFTEN, every_try=1)
    with pytest.raises(ClientError):
        put(sky.role("dynamodb", tries=3), "no try")
    assert "no try" not in sky.rows()


def test_who_has_no_role_has_no_weather(sky: Sky) -> None:
    sky.bring(throttled=OFTEN, answer_lost=OFTEN)
    put(sky.root("dynamodb"), "of root")
    assert "of root" in sky.rows()


def test_the_same_seed_brings_the_same_weather() -> None:
    def fates(seed: int) -> list[tuple[str, bool, float]]:
        forecast = Forecast(seed=seed, throttled=0.1, failed=0.1, answer_lost=0.1, slow=0.1)
        return [forecast.fate(f"a role dynamodb.PutItem {n}", is_read=False) for n in range(500)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)
    kinds = [kind for kind, _, _ in fates(1)]
    for kind in ("throttled", "failed", "answer lost", "slow"):
        assert 20 <= kinds.count(kind) <= 90
    assert 180 <= kinds.count("") <= 420


def test_what_happened_is_written_down_with_its_kind_its_caller_and_its_operation(
    sky: Sky,
) -> None:
    sky.bring(throttled=OFTEN)
    with contextlib.suppress(ClientError, BotoCoreError):
        put(sky.role("dynamodb"), "written down")
    last = sky.faults("throttled")[-1]
    assert (last["who"], last["what"]) == ("caller", "dynamodb.PutItem")
    assert abs(last["at"] - time.time()) < 60


# --- tasks of the state machine -------------------------------------------------------------------


def machine(sky: Sky, name: str, does: str) -> str:
    """Make a machine of one task that calls a function, without retries; return its ARN."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", f"def handler(event, context):\n    {does}\n")
    role = sky.root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]
    function = sky.root("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role["Arn"],
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
    )["FunctionArn"]
    task = {"Type": "Task", "Resource": function, "End": True}
    made: str = sky.root("stepfunctions").create_state_machine(
        name=name,
        roleArn=role["Arn"],
        definition=json.dumps({"StartAt": "It", "States": {"It": task}}),
    )["stateMachineArn"]
    return made


@pytest.mark.parametrize(
    ("kind", "error", "is_done"),
    [
        ("throttled", "Lambda.TooManyRequestsException", False),
        ("failed", "Lambda.ServiceException", False),
        ("answer_lost", "Lambda.SdkClientException", True),
    ],
)
def test_a_task_fails_as_step_functions_names_it(
    sky: Sky, tmp_path: Path, kind: str, error: str, is_done: bool
) -> None:
    trace = tmp_path / "trace"
    arn = machine(sky, f"task-{kind}", f"open({str(trace)!r}, 'w').close()")
    sky.bring(**{kind: OFTEN})
    steps = sky.root("stepfunctions")
    execution = steps.start_execution(stateMachineArn=arn)["executionArn"]

    def ended() -> Any:
        found = steps.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    found = eventually(ended, "the end of the execution")
    assert (found["status"], found["error"]) == ("FAILED", error)
    assert trace.exists() is is_done


# --- processes ------------------------------------------------------------------------------------


def test_a_process_at_work_is_killed_and_the_function_works_again_afterwards(
    sky: Sky, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    does = (
        f"import os, time; open({str(pid)!r}, 'a').write(f'{{os.getpid()}} '); "
        "time.sleep(event['seconds']); return 'done'"
    )
    machine(sky, "killed", does)

    def invoke(seconds: float) -> Any:
        payload = json.dumps({"seconds": seconds})
        answer = sky.root("lambda").invoke(FunctionName="killed", Payload=payload)
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    assert invoke(0) == (None, "done")
    sky.bring(kill_every_s=0.5)
    error, _ = invoke(60)
    sky.clear()
    assert error == "Unhandled"
    assert sky.faults("killed at work")[-1]["who"] == "killed"
    assert invoke(0) == (None, "done")
    first, *_, last = pid.read_text().split()
    assert first != last
    with pytest.raises(ProcessLookupError):
        os.kill(int(first), 0)


# --- streams --------------------------------------------------------------------------------------


def test_a_stream_that_is_restarted_brings_records_again(sky: Sky, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    does = "; ".join(
        [
            "keys = [each['dynamodb']['Keys']['PK']['S'] for each in event['Records']]",
            f"print(*keys, file=open({str(trace)!r}, 'a'))",
        ]
    )
    reader = Reader(sky.root, "restarted", does)
    reader.allow("dynamodb", *NEEDED["dynamodb"])
    for key in "123":
        sky.root("dynamodb").put_item(TableName=reader.name, Item={"PK": {"S": key}})
    reader.map("dynamodb")
    eventually(lambda: trace.exists() and "3" in trace.read_text(), "the first time")
    sky.bring(restart_every_s=0.2, most_again=2)
    eventually(lambda: trace.read_text().count("3") > 3, "the third time again")
    sky.clear()
    assert trace.read_text().count("1") == 1
    told = sky.faults("stream restarted")
    assert told[-1]["who"] == "restarted"
    assert told[-1]["what"] in ("1 records again", "2 records again")

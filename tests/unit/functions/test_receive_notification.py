"""The room that answers Agora: what it says, what it keeps, what it never shows."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Metrics
from botocore.exceptions import ClientError, ConnectTimeoutError
from moto import mock_aws

from agora_recording import emf, errors
from agora_recording import settings as environment
from agora_recording.aws import dynamodb
from agora_recording.notifications import secrets as notification_secrets
from agora_recording.notifications.intake import LAST_CALL_MS, IntakeSettings, take
from agora_recording.notifications.secrets import NotificationSecrets
from agora_recording.notifications.store import CLIENT_CONFIG, NotificationStore
from agora_recording.observability import metrics
from functions.receive_notification import app
from local.template import template
from tests.world import channels
from tests.world.api import Context
from tests.world.patience import longest_s
from tests.world.webhook import NOW_MS, SECRET, SID, body, request, signature

LONGEST_CALL_S = 5
STREAM_KEY = "a-stream-key-nobody-may-see"


class FakeTable:
    """DynamoDB as far as this room knows it: rows by key, conditional puts, faults on demand."""

    def __init__(self, cidrs: list[str] | None = None) -> None:
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.cidrs = cidrs
        self.reads = 0
        self.fault: Callable[[], str] = str  # "", "before" or "after" the effect

    def put_item(self, *, Item: Mapping[str, Any], **request: Any) -> None:
        assert request == {
            "TableName": "table",
            "ConditionExpression": "attribute_not_exists(PK)",
        }
        fault = self.fault()
        if fault == "before":
            raise ConnectTimeoutError(endpoint_url="https://dynamodb")
        row = dynamodb.from_item(Item)
        key = (row["PK"], row["SK"])
        if key in self.rows:
            raise _error("ConditionalCheckFailedException")
        self.rows[key] = row
        if fault == "after":
            raise _error("InternalServerError")

    def get_item(self, *, Key: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        assert dynamodb.from_item(Key) == {"PK": "FIREWALL", "SK": "allow-list"}
        self.reads += 1
        if self.fault():
            raise _error("InternalServerError")
        return {} if self.cidrs is None else {"Item": dynamodb.to_item({"cidrs": self.cidrs})}

    @property
    def bodies(self) -> list[str]:
        return sorted(row["body"] for row in self.rows.values())


class FakeSecrets:
    """Secrets Manager with one secret: storing a new version makes the old one AWSPREVIOUS."""

    def __init__(self, *texts: str) -> None:
        self.versions = list(texts)
        self.is_away = False
        self.calls = 0

    def get_secret_value(self, *, SecretId: str, VersionStage: str) -> dict[str, str]:
        assert SecretId == "secret"
        self.calls += 1
        if self.is_away:
            raise _error("ThrottlingException")
        place = {"AWSCURRENT": 1, "AWSPREVIOUS": 2}[VersionStage]
        if place > len(self.versions):
            raise _error("ResourceNotFoundException")
        return {"SecretString": self.versions[-place]}


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": STREAM_KEY}}, "Operation")


@dataclasses.dataclass
class Room:
    """The handler with its world."""

    table: FakeTable
    manager: FakeSecrets
    store: NotificationStore
    secrets: NotificationSecrets
    now_ms: int = NOW_MS
    passes_ms: int = 0  # with each look at the clock

    def now(self) -> int:
        self.now_ms += self.passes_ms
        return self.now_ms

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        return app.lambda_handler(event, Context(), self.store, self.secrets, self.now)

    def status(self, event: dict[str, Any]) -> int:
        status: int = self(event)["statusCode"]
        return status


def open_room(manager: FakeSecrets | None = None, table: FakeTable | None = None) -> Room:
    table, manager = table or FakeTable(), manager or FakeSecrets(SECRET)
    return Room(
        table,
        manager,
        NotificationStore("table", table),  # type: ignore[arg-type]
        NotificationSecrets("secret", manager),  # type: ignore[arg-type]
    )


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setenv("TABLE_NAME", "table")
    monkeypatch.setenv("NOTIFICATION_SECRET_ID", "secret")
    environment._read_once.cache_clear()
    yield open_room()
    environment._read_once.cache_clear()


# --- answers ---


def test_an_authentic_notification_is_stored_and_answered(room: Room) -> None:
    raw = body(41, {"leaveCode": 4})
    assert room(request(raw)) == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"stored":true}',
        "isBase64Encoded": False,
    }
    assert room.table.bodies == [raw.decode()]


def test_the_same_notification_twice_is_stored_once(room: Room) -> None:
    raw = body()
    room(request(raw))
    answer = room(request(raw, encoded=True))
    assert (answer["statusCode"], answer["body"]) == (200, '{"stored":false}')
    assert len(room.table.rows) == 1


def test_a_resend_with_a_new_notify_ms_is_stored_once(room: Room) -> None:
    for resent_ms in (0, 2_000, 9_000):
        assert room.status(request(body(notifyMs=NOW_MS + resent_ms))) == 200
    assert len(room.table.rows) == 1


def test_a_forged_signature_is_refused_and_nothing_stored(room: Room) -> None:
    answer = room(request(body(), "not the secret"))
    assert (answer["statusCode"], answer["headers"]) == (
        401,
        {"content-type": "application/problem+json"},
    )
    assert json.loads(answer["body"]) == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "no live secret made this signature",
    }
    assert not room.table.rows


def test_a_v1_signature_is_accepted(room: Room) -> None:
    raw = body()
    v1 = {"agora-signature": signature(raw, digest="sha1")}
    assert room.status(request(raw, signatures=v1)) == 200


def test_a_replay_is_refused(room: Room) -> None:
    replay = request(body())
    room.now_ms += 301_000
    assert room.status(replay) == 401
    assert not room.table.rows


def test_a_body_above_the_limit_is_refused(room: Room) -> None:
    assert room.status(request(body(details={"a": "x" * 70_000}))) == 413


def test_a_load_balancer_with_several_header_values_is_answered_in_kind(room: Room) -> None:
    raw = body()
    event = {
        "requestContext": {"elb": {"targetGroupArn": "arn"}},
        "multiValueHeaders": {"agora-signature-v2": [signature(raw)]},
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
    }
    assert room(event) == {
        "statusCode": 200,
        "multiValueHeaders": {"content-type": ["application/json"]},
        "body": '{"stored":true}',
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    "raw",
    [
        b'{"eventType":33,"productId":3,"noticeId":"n","payload":{"cname":"test"}}',
        b'{"productId":1,"eventType":101,"noticeId":"n","payload":{"channelName":"test_webhook"}}',
        b'{"notificationId":"n","eventType":30,"eventMs":1,"payload":{"sequence":"3"}}',
        body(sid="f" * 32),
        body(4711, {"msgName": "new_thing"}),
        b"{}",
        b"[]",
        b"Ok",
        b"",
    ],
    ids=[
        "console test",
        "console test of RTC",
        "before 1.3",
        "unknown sid",
        "unknown event type",
        "no fields",
        "no object",
        "no JSON",
        "empty",
    ],
)
def test_whatever_is_authentic_is_kept(room: Room, raw: bytes) -> None:
    assert room(request(raw))["body"] == '{"stored":true}'
    assert room(request(raw))["body"] == '{"stored":false}'
    assert room.table.bodies == [raw.decode()]


def test_an_authentic_body_that_is_no_text_is_kept(room: Room) -> None:
    event = request(b"\xff\x00", encoded=True)
    assert room.status(event) == 200
    assert [row["body"] for row in room.table.rows.values()] == [b"\xff\x00"]


@pytest.mark.parametrize("fault", ["before", "after"])
def test_nothing_is_acknowledged_while_the_table_is_away(room: Room, fault: str) -> None:
    room.table.fault = lambda: fault
    answer = room(request(body()))
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"])["detail"] == "Nothing was stored. Send it again."
    room.table.fault = str
    assert room.status(request(body())) == 200
    assert len(room.table.rows) == 1


def test_the_item_fits_a_real_table_and_its_condition_holds_there() -> None:
    raw = body()
    with mock_aws():
        client = boto3.client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        keys = ["PK", "SK"]
        client.create_table(
            TableName="table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
        )
        store = NotificationStore("table", client)
        secrets = NotificationSecrets("secret", FakeSecrets(SECRET))  # type: ignore[arg-type]
        receipts = [take(request(raw), NOW_MS, IntakeSettings(), store, secrets) for _ in range(2)]
        assert [receipt.is_new for receipt in receipts] == [True, False]
        assert store.lists("203.0.113.10", NOW_MS) is None
        key = {"PK": {"S": f"SID#{SID}"}, "SK": {"S": "EVT#33#527841#0000000000"}}
        row = dynamodb.from_item(client.get_item(TableName="table", Key=key)["Item"])
        assert row["expiresAt"] == NOW_MS // 1000 + 30 * 86_400


def test_notifications_can_be_kept_for_good() -> None:
    room = open_room()
    settings = IntakeSettings(notification_ttl_days=0)
    take(request(body()), NOW_MS, settings, room.store, room.secrets)
    assert all("expiresAt" not in row for row in room.table.rows.values())


# --- the source ---


def check(room: Room, how: str, now_ms: int = NOW_MS, sequence: int = 0) -> tuple[str, ...]:
    settings = IntakeSettings(source_check=how)  # type: ignore[arg-type]
    event = request(body(sequence=sequence, sent_ms=now_ms))
    return take(event, now_ms, settings, room.store, room.secrets).counts


def test_the_source_is_not_looked_at_when_the_check_is_off() -> None:
    room = open_room(table=FakeTable([]))
    assert check(room, "off") == ("NotificationStored",)
    assert room.table.reads == 0


def test_a_listed_source_passes_when_the_list_is_enforced() -> None:
    assert check(open_room(table=FakeTable(["203.0.113.0/24"])), "enforce") == (
        "NotificationStored",
    )


def test_an_unlisted_source_is_refused_when_the_list_is_enforced() -> None:
    room = open_room(table=FakeTable(["198.51.100.1/32"]))
    with pytest.raises(errors.SourceNotAllowedError):
        check(room, "enforce")
    assert not room.table.rows


def test_an_unlisted_source_is_only_counted_when_the_list_is_logged() -> None:
    room = open_room(table=FakeTable(["198.51.100.1/32"]))
    assert check(room, "log") == ("SourceUnlisted", "NotificationStored")


@pytest.mark.parametrize("cidrs", [None, []])
def test_without_a_list_the_signature_stands_alone(cidrs: list[str] | None) -> None:
    room = open_room(table=FakeTable(cidrs))
    assert check(room, "enforce") == ("SourceListMissing", "NotificationStored")


def test_the_list_is_read_once_a_minute() -> None:
    room = open_room(table=FakeTable(["203.0.113.0/24"]))
    for second in (0, 59, 60, 61):
        check(room, "enforce", NOW_MS + second * 1000, sequence=second)
    assert room.table.reads == 2


def test_nothing_is_decided_while_the_list_cannot_be_read() -> None:
    room = open_room()
    room.table.fault = lambda: "before"
    with pytest.raises(errors.StoreUnavailableError):
        check(room, "enforce")


# --- secrets ---


@pytest.mark.parametrize(
    "text", [SECRET, f"{SECRET}\n", json.dumps({"secrets": ["other", SECRET]})]
)
def test_a_secret_may_be_bare_or_listed(room: Room, text: str) -> None:
    room = open_room(FakeSecrets(text))
    assert room.status(request(body())) == 200


@pytest.mark.parametrize("text", ["", "{}", '{"secrets": []}', '{"secrets": [""]}', "{broken"])
def test_without_a_usable_secret_agora_is_told_to_come_again(room: Room, text: str) -> None:
    room = open_room(FakeSecrets(text))
    assert room.status(request(body(), text)) == 503
    room.manager.versions.append(SECRET)
    assert room.status(request(body())) == 200


def test_a_broken_previous_version_does_no_harm(room: Room) -> None:
    room = open_room(FakeSecrets("{}", SECRET))
    assert room.status(request(body())) == 200


def test_secrets_are_read_once_in_five_minutes(room: Room) -> None:
    for sequence, later_s in enumerate([0, 1, 299, 300, 301]):
        room.now_ms = NOW_MS + later_s * 1000
        assert room.status(request(body(sequence=sequence, sent_ms=room.now_ms))) == 200
    assert room.manager.calls == 4  # twice the two versions


def test_forgeries_make_it_ask_at_most_once_in_ten_seconds(room: Room) -> None:
    for second in range(30):
        room.now_ms = NOW_MS + second * 1000
        assert room.status(request(body(), "forged")) == 401
    assert room.manager.calls == 2 * 3


def test_known_secrets_serve_while_secrets_manager_is_away(room: Room) -> None:
    room(request(body()))
    room.manager.is_away = True
    room.now_ms += 300_000
    assert room.status(request(body(sequence=1, sent_ms=room.now_ms))) == 200


def test_a_signature_that_cannot_be_judged_is_not_refused_for_good(room: Room) -> None:
    room(request(body()))
    room.manager.is_away = True
    room.now_ms += 60_000
    assert room.status(request(body(sent_ms=room.now_ms), "perhaps the new one")) == 503


def test_a_rotation_under_load_refuses_no_authentic_notification(room: Room) -> None:
    """The new secret is stored at second 20; Agora signs with it from second 30 on."""
    chance = random.Random(4)
    refused, forged = 0, 0
    for number in range(3_000):
        room.now_ms = NOW_MS + number * 20
        second = number / 50
        if number == 1_000:
            room.manager.versions.append(json.dumps({"secrets": ["the new secret"]}))
        secret = SECRET if second < 30 + chance.random() * 5 else "the new secret"
        raw = body(sequence=number, sent_ms=room.now_ms)
        refused += room.status(request(raw, secret)) != 200
        if chance.random() < 0.1:
            forged += room.status(request(body(sequence=-1), "forged")) != 401
    assert (refused, forged) == (0, 0)
    assert len(room.table.rows) == 3_000


def test_a_rotation_without_a_pause_loses_nothing_that_is_sent_again(room: Room) -> None:
    room(request(body(sequence=0)))
    room(request(body(sequence=0), "forged"))
    room.manager.versions.append("the new secret")
    assert room.status(request(body(sequence=1), "the new secret")) == 401  # asked just before
    room.now_ms += 10_000
    assert room.status(request(body(sequence=1), "the new secret")) == 200


# --- load ---


def _load(chance: random.Random) -> tuple[list[tuple[bytes, bool]], int]:
    """20,000 requests for 200 recordings: 10 % forged, 20 % duplicates, in random order."""
    distinct = [
        body(chance.choice([33, 43, 44, 2]), sequence=number // 200, sid=f"{number % 200:032x}")
        for number in range(14_000)
    ]
    requests = [(raw, True) for raw in distinct + chance.choices(distinct, k=4_000)]
    requests += [(body(11, sequence=900 + number), False) for number in range(2_000)]
    chance.shuffle(requests)
    return requests, len(distinct)


@pytest.mark.slow
def test_a_load_is_stored_exactly_once_and_nothing_forged(room: Room) -> None:
    requests, distinct = _load(random.Random(1))
    answers = [room.status(request(raw, SECRET if ok else "forged")) for raw, ok in requests]
    assert answers == [200 if ok else 401 for _, ok in requests]
    assert room.table.bodies == sorted({raw.decode() for raw, ok in requests if ok})
    assert len(room.table.rows) == distinct


def test_what_was_acknowledged_is_there_though_the_table_failed_mid_load(room: Room) -> None:
    chance = random.Random(2)
    pending = [body(sequence=number) for number in range(2_000)]
    expected = sorted(raw.decode() for raw in pending)
    room.table.fault = lambda: chance.choice(["", "", "before", "after"])
    acknowledged: set[str] = set()
    for _ in range(4):  # the first try and Agora's three
        failed = []
        for raw in pending:
            if room.status(request(raw)) == 200:
                acknowledged.add(raw.decode())
            else:
                failed.append(raw)
        assert acknowledged <= set(room.table.bodies)
        pending = failed
    room.table.fault = str
    assert all(room.status(request(raw)) == 200 for raw in pending)
    assert room.table.bodies == expected


# --- what is shown ---


def test_no_body_signature_or_secret_is_ever_logged(
    room: Room, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    details = {"rtmpUrl": f"rtmp://live.example.com/app/{STREAM_KEY}", "status": "publishing"}
    raw = body(100, details)
    unreadable = STREAM_KEY.encode()
    for event in [
        request(raw),
        request(raw),
        request(raw, "forged"),
        request(raw, signatures={"agora-signature": "00"}),
        request(unreadable),
        request(body(details={"key": STREAM_KEY * 5_000})),
        request(body(100, details, sent_ms=1)),
    ]:
        room(event)
    room.table.fault = lambda: "after"
    room(request(body(100, details, sequence=1)))
    room.manager.is_away = True
    room.now_ms += 20_000
    room(request(raw, "forged"))
    shown = "".join(capsys.readouterr()) + caplog.text
    assert shown.count("\n") == 9
    for hidden in (
        STREAM_KEY,
        SECRET,
        "forged",
        "consultation-7",
        signature(raw),
        signature(raw, "forged"),
        signature(unreadable),
    ):
        assert hidden not in shown


def test_each_outcome_is_one_metric_line(room: Room, capsys: pytest.CaptureFixture[str]) -> None:
    room(request(body()))
    room(request(body()))
    room(request(b"Ok"))
    room(request(body(), "forged"))
    room.now_ms += 400_000
    room(request(body()))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    counted = [
        [metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
        for line in lines
    ]
    assert counted == [
        ["NotificationStored"],
        ["NotificationDuplicate"],
        ["NotificationUnreadable", "NotificationStored"],
        ["SignatureRefused"],
        ["NotificationStale"],
    ]
    assert all(
        line[name] == 1 for line, names in zip(lines, counted, strict=True) for name in names
    )
    assert lines[0].keys() == {"_aws", "service", "NotificationStored"}
    assert lines[1]["sid"] == SID
    assert lines[3]["sourceIp"] == "203.0.113.10"


def test_the_line_counts_as_powertools_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(emf, "SERVICE", "stack")
    powertools = Metrics(namespace=metrics.namespace, service="stack")
    for name in ("A", "B"):
        powertools.add_metric(name, unit="Count", value=1)
    powertools.flush_metrics()
    theirs = json.loads(capsys.readouterr().out)
    ours = json.loads(emf.line(("A", "B"), NOW_MS, {"level": "INFO"}))
    assert ours == {
        **theirs,
        "_aws": {**theirs["_aws"], "Timestamp": NOW_MS},
        "A": 1,
        "B": 1,
        "level": "INFO",
    }


# --- AWS does not answer ---


class Silent:
    """A server that takes connections and says nothing."""

    def __enter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._socket.close()


@pytest.mark.usefixtures("socket_enabled")
def test_a_secret_store_that_hangs_is_answered_with_503_and_counted(
    room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with Silent() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", url)
        notification_secrets._secretsmanager.cache_clear()
        room.secrets = NotificationSecrets("secret")
        began = time.monotonic()
        assert room.status(request(body(41, {"leaveCode": 4}))) == 503
        took_s = time.monotonic() - began
    notification_secrets._secretsmanager.cache_clear()
    assert took_s < LONGEST_CALL_S
    assert room.table.rows == {}
    told = json.loads(capsys.readouterr().out)
    assert told["NotificationSecretUnavailable"] == told["NotificationNotStored"] == 1


def test_where_slow_calls_leave_no_time_the_room_answers_instead_of_being_killed(
    room: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    room.passes_ms = LAST_CALL_MS // 2
    assert room.status(request(body(41, {"leaveCode": 4}))) == 200
    room.passes_ms = LAST_CALL_MS // 2 + 1
    assert room.status(request(body(41, {"leaveCode": 5}, sequence=8))) == 503
    assert len(room.table.rows) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["NotificationStoreUnavailable"] == told["NotificationNotStored"] == 1


def test_the_last_call_ends_before_the_room_does() -> None:
    timeout_s = template()["Resources"]["ReceiveNotificationFunction"]["Properties"]["Timeout"]
    assert longest_s(CLIENT_CONFIG) == LONGEST_CALL_S
    assert 2 * longest_s(notification_secrets.CLIENT_CONFIG) <= LONGEST_CALL_S
    assert timeout_s > LAST_CALL_MS / 1000 + LONGEST_CALL_S


def test_each_route_has_the_secret_of_its_product(
    monkeypatch: pytest.MonkeyPatch, room: Room
) -> None:
    monkeypatch.setenv("RTC_NOTIFICATION_SECRET_ID", "rtc")
    environment._read_once.cache_clear()
    known = {
        "secret": NotificationSecrets("secret", FakeSecrets(SECRET)),  # type: ignore[arg-type]
        "rtc": NotificationSecrets("secret", FakeSecrets("of-channels")),  # type: ignore[arg-type]
    }
    monkeypatch.setattr(app, "_secrets", known.__getitem__)

    def status(event: dict[str, Any]) -> int:
        answer = app.lambda_handler(event, Context(), room.store, now=room.now)
        found: int = answer["statusCode"]
        return found

    raw = channels.body()
    assert status(channels.request(raw, "of-channels")) == 200
    assert status(channels.request(raw, SECRET)) == 401
    assert status({**channels.request(raw, "of-channels"), "path": "/notifications"}) == 401
    (item,) = room.table.rows.values()
    assert (item["SK"], item["productId"]) == ("RTC", 1)

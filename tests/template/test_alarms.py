"""Every alarm, rung by what it is for: a room runs into the condition, and its metrics breach.

The rooms are the shipped ones on fakes. What they print is read as CloudWatch reads it (embedded
metric format), and held against the alarm as template.yaml defines it.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from agora_recording import emf, errors
from agora_recording.callbacks.post import Reply
from agora_recording.errors import (
    AgoraUnavailableError,
    RateLimitedError,
    SecretUnavailableError,
    SignatureError,
)
from agora_recording.firewall import target
from agora_recording.firewall.plan import Policy
from agora_recording.firewall.refresh import Refresher
from agora_recording.life.callbacks import row_of as row_of_message
from agora_recording.life.store import row_of
from agora_recording.observability import metrics
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import TERMINAL, Outcome
from agora_recording.wiring.parts import Parts
from functions.apply_channel_events import app as apply_channel_events
from functions.apply_notifications import app as apply_notifications
from functions.get_recordings import app as get_recordings
from functions.publish_recording import app as publish_recording
from functions.receive_notification import app as receive_notification
from functions.record_file_arrival import app as record_file_arrival
from functions.refresh_ncs_addresses import app as refresh_ncs_addresses
from functions.send_callback import app as send_callback
from functions.start_recording import app as start_recording
from functions.stop_recording import app as stop_recording
from functions.watch_recordings import app as watch_recordings
from local.template import ROOT, functions, template
from tests.unit.auto_record.conftest import School
from tests.world import webhook
from tests.world.api import Context
from tests.world.builders import (
    RECORDING_ID,
    TIMINGS,
    after,
    attempt,
    ended,
    heard,
    recording,
    reply,
    requested,
    running,
    uploading,
)
from tests.world.channels import body as channel_event
from tests.world.house import House
from tests.world.webhook import NOW_MS
from tests.world.world import World

STACK = "stack"
KINDS = ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm")
ALARMS: dict[str, dict[str, Any]] = {
    name: each["Properties"]
    for name, each in template()["Resources"].items()
    if each["Type"] in KINDS
}
# The parts of composite alarms: they have a state, and tell nobody.
PARTS: dict[str, list[str]] = {
    name: re.findall(r'ALARM\("\$\{(\w+)\}"\)', each["AlarmRule"]["Fn::Sub"])
    for name, each in ALARMS.items()
    if "AlarmRule" in each
}
TELLING = set(ALARMS) - {part for parts in PARTS.values() for part in parts}
CONTEXT: Any = Context()
MINUTE, HOUR = 60, 3600

Metric = tuple[str, str, frozenset[tuple[str, str]]]
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "SampleCount": len,
}


class CloudWatch:
    """Metrics from what is printed, and the state of alarms. Seconds since the test began."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._points: dict[Metric, list[tuple[float, float]]] = defaultdict(list)

    def read(self, at_s: float) -> None:
        """Take what was printed since the last time as metrics of `at_s`."""
        for line in self._capsys.readouterr().out.splitlines():
            entry = json.loads(line)
            for directive in entry.get("_aws", {}).get("CloudWatchMetrics", ()):
                for names in directive["Dimensions"]:
                    dimensions = {name: entry[name] for name in names}
                    for metric in directive["Metrics"]:
                        values = entry[metric["Name"]]
                        for value in values if isinstance(values, list) else [values]:
                            self.put(
                                directive["Namespace"], metric["Name"], dimensions, at_s, value
                            )

    def put(
        self, namespace: str, name: str, dimensions: Mapping[str, str], at_s: float, value: float
    ) -> None:
        """Take one value; AWS's own metrics come this way."""
        self._points[namespace, name, frozenset(dimensions.items())].append((at_s, value))

    def values(self, name: str, **dimensions: str) -> list[float]:
        """Return the values of a metric of ours."""
        key = ("AgoraRecording", name, frozenset({"service": STACK, **dimensions}.items()))
        return [value for _, value in self._points[key]]

    def rings(self, name: str, at_s: float) -> bool:
        """Tell whether an alarm is in ALARM at an instant that ends one of its periods."""
        if parts := PARTS.get(name):
            assert ALARMS[name]["AlarmRule"]["Fn::Sub"].count(" AND ") == len(parts) - 1
            return all(self.rings(part, at_s) for part in parts)
        alarm = ALARMS[name]
        period, count = _period(alarm), alarm["EvaluationPeriods"]
        assert at_s % period == 0
        ends = [at_s - period * number for number in range(count)]
        if alarm["TreatMissingData"] == "ignore":  # the state stays until there is data again
            every = [at_s - period * number for number in range(int(at_s // period))]
            ends = [end for end in every if self._value(alarm, end) is not None][:count]
            if len(ends) < count:
                return False
        breaches = 0
        for end in ends:
            value = self._value(alarm, end)
            if value is None:
                breaches += alarm["TreatMissingData"] == "breaching"
            else:
                breaches += _COMPARE[alarm["ComparisonOperator"]](value, _threshold(alarm))
        return bool(breaches >= alarm.get("DatapointsToAlarm", count))

    def _value(self, alarm: dict[str, Any], end: float) -> float | None:
        """Return what an alarm looks at, of the period that ends then; None without data."""
        if "Metrics" not in alarm:
            return self._statistic(alarm, alarm["Statistic"], end - alarm["Period"], end)
        (result,) = [each for each in alarm["Metrics"] if each.get("ReturnData", True)]
        values = {
            each["Id"]: self._statistic(stat["Metric"], stat["Stat"], end - stat["Period"], end)
            for each in alarm["Metrics"]
            if (stat := each.get("MetricStat"))
        }
        terms = re.findall(r"([+-]?) ?FILL\((\w+), 0\)", result["Expression"])
        assert (
            " ".join(f"{sign} FILL({name}, 0)".strip() for sign, name in terms)
            == (result["Expression"])
        )
        if not any(values[name] for _, name in terms):
            return None
        return sum((values[name] or 0) * (-1 if sign == "-" else 1) for sign, name in terms)

    def _statistic(
        self, metric: dict[str, Any], statistic: str, begin: float, end: float
    ) -> float | None:
        points = self._points[metric["Namespace"], metric["MetricName"], _dimensions(metric)]
        values = [value for at, value in points if begin <= at < end]
        return _STATISTICS[statistic](values) if values else None


def _threshold(alarm: dict[str, Any]) -> float:
    """Return an alarm's threshold: a number, or the default of its parameter."""
    found = alarm["Threshold"]
    if isinstance(found, dict):
        found = template()["Parameters"][found["Ref"]]["Default"]
    return float(found)


def _period(alarm: dict[str, Any]) -> int:
    periods = [each["MetricStat"]["Period"] for each in _stats(alarm)] or [alarm["Period"]]
    assert len(set(periods)) == 1
    found: int = periods[0]
    return found


def _stats(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in alarm.get("Metrics", ()) if "MetricStat" in each]


def _dimensions(metric: dict[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset((each["Name"], _text(each["Value"])) for each in metric["Dimensions"])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    ((intrinsic, argument),) = value.items()
    if intrinsic == "Ref":
        return STACK if argument == "AWS::StackName" else str(argument)
    return argument if isinstance(argument, str) else ".".join(argument)


@pytest.fixture
def cloudwatch(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CloudWatch:
    monkeypatch.setattr(emf, "SERVICE", STACK)
    monkeypatch.setattr(metrics.provider, "service", STACK)
    metrics.clear_metrics()
    return CloudWatch(capsys)


RUNG: set[str] = set()
Test = Callable[..., None]


def rings(alarm: str) -> Callable[[Test], Test]:
    """Note that a test rings an alarm."""
    RUNG.add(alarm)
    return lambda test: test


def event(**more: Any) -> dict[str, Any]:
    """Return what the state machine gives a room."""
    return {"recordingId": RECORDING_ID, "execution": RECORDING_ID, **more}


def sweep(house: House, cloudwatch: CloudWatch, at_s: float) -> None:
    """Let the sweeper's room run once."""
    watch_recordings.lambda_handler({}, CONTEXT, sweeper=house.parts.sweeper)
    cloudwatch.read(at_s)


# --- recordings ---------------------------------------------------------------------------------


@rings("FailedRecordingsAlarm")
def test_a_recording_that_agora_refuses_rings(cloudwatch: CloudWatch) -> None:
    house = House(
        requested(status="starting", attempt=attempt(end="REFUSED"), session_end="REFUSED")
    )
    publish_recording.lambda_handler(event(), CONTEXT, publisher=house.parts.recording_publisher)
    cloudwatch.read(0)
    assert cloudwatch.rings("FailedRecordingsAlarm", 300)
    assert cloudwatch.values("RecordingFailed", endReason="REFUSED") == [1]


def test_a_recording_whose_files_are_gone_rings_although_it_was_stopped(
    cloudwatch: CloudWatch,
) -> None:
    house = House()
    house.agora.files = False  # Agora accepts the stop, so it has recorded something
    house.begin()
    house.run(60)
    house.stop()
    _publish_what_is_there(house, cloudwatch)
    assert cloudwatch.rings("FailedRecordingsAlarm", 300)


def test_a_recording_that_was_stopped_before_it_began_rings_nothing(cloudwatch: CloudWatch) -> None:
    house = House()
    house.stop()
    _publish_what_is_there(house, cloudwatch)
    assert not cloudwatch.rings("FailedRecordingsAlarm", 300)


@pytest.mark.parametrize("is_stopped", [True, False])
def test_an_empty_room_rings_nothing(cloudwatch: CloudWatch, is_stopped: bool) -> None:
    house = House()
    house.agora.files = False
    house.begin()
    house.run(60)
    (session,) = house.agora.running
    if is_stopped:
        house.agora.answers["stop"] = reply("stop", 206, code=435)
        house.stop()
    else:
        house.agora.end(session.sid, 41, leaveCode=4)
    _publish_what_is_there(house, cloudwatch)
    assert not cloudwatch.rings("FailedRecordingsAlarm", 300)


def _publish_what_is_there(house: House, cloudwatch: CloudWatch) -> None:
    """Let the room publish a recording that nothing is left to happen to."""
    publish = house.rooms["PublishRecordingFunction"]

    def counted(event: dict[str, Any]) -> dict[str, Any]:
        publisher: Any = SimpleNamespace(publish=lambda _: publish(event))
        told: dict[str, Any] = publish_recording.lambda_handler(event, CONTEXT, publisher=publisher)
        return told

    house.rooms["PublishRecordingFunction"] = counted
    if RECORDING_ID not in house.machine.executions:
        house.begin()
    house.run(2 * HOUR)
    cloudwatch.read(0)
    assert house.row.status == "failed"
    assert cloudwatch.values("RecordingFailed") == [1]


@rings("IncompleteRecordingsAlarm")
def test_a_recording_with_a_hole_rings(cloudwatch: CloudWatch) -> None:
    row = uploading()
    house = House(row)
    playlist = "#EXTM3U\n#EXTINF:15.0,\nlost_20231114221320000.ts\n#EXT-X-ENDLIST\n"
    house.bucket.add(f"{row.prefix}{row.sid}_{row.cname}.m3u8", playlist.encode())
    house.clock.advance(86_400)
    publish_recording.lambda_handler(event(), CONTEXT, publisher=house.parts.recording_publisher)
    cloudwatch.read(0)
    assert cloudwatch.rings("IncompleteRecordingsAlarm", 300)
    assert cloudwatch.values("FilesMissing") == [1]


def test_what_transcoding_will_make_rings_only_when_it_is_given_up(cloudwatch: CloudWatch) -> None:
    closed = {"status": "incomplete", "endReason": "STOP_REQUESTED", "missing": 1}
    told = {**closed, "awaited": True, "wentWrong": False}
    publisher: Any = SimpleNamespace(publish=lambda _: told)
    publish_recording.lambda_handler(event(), CONTEXT, publisher=publisher)
    cloudwatch.read(0)
    assert not cloudwatch.rings("IncompleteRecordingsAlarm", 300)
    arrivals: Any = SimpleNamespace(take=lambda _: ([], Counter(GivenUp=1)))
    record_file_arrival.lambda_handler({"Records": []}, CONTEXT, arrivals=arrivals)
    cloudwatch.read(300)
    assert cloudwatch.rings("IncompleteRecordingsAlarm", 600)


@rings("OverdueRecordingsAlarm")
def test_files_that_are_missing_for_two_days_ring_once(cloudwatch: CloudWatch) -> None:
    row = uploading()
    house = House(row)
    playlist = "#EXTM3U\n#EXTINF:15.0,\nlost_20231114221320000.ts\n#EXT-X-ENDLIST\n"
    house.bucket.add(f"{row.prefix}{row.sid}_{row.cname}.m3u8", playlist.encode())
    house.clock.advance(3600)
    house.parts.recording_publisher.publish(RECORDING_ID)
    wish = {"messageId": "1", "body": json.dumps({"recordingId": RECORDING_ID})}
    for hour in (24, 47, 48, 49, 71):
        house.clock.now_ms = after(600 + hour * 3600)
        record_file_arrival.lambda_handler(
            {"Records": [wish]}, CONTEXT, arrivals=house.parts.arrivals
        )
        cloudwatch.read(hour * 3600)
    rung = [hour for hour in (24, 47, 48, 49, 71) if _rings_in(cloudwatch, hour)]
    assert rung == [48]


def _rings_in(cloudwatch: CloudWatch, hour: int) -> bool:
    return cloudwatch.rings("OverdueRecordingsAlarm", hour * 3600 + 300)


@rings("StuckRecordingsAlarm")
def test_a_recording_without_an_execution_rings(cloudwatch: CloudWatch) -> None:
    """Its execution is started again and again is lost."""
    house = House(requested(status="starting", attempt=attempt()))
    for minute in range(25):
        sweep(house, cloudwatch, minute * MINUTE)
        for name in house.machine.executions:
            house.machine.kill(name)
        house.clock.advance(MINUTE)
    assert any(cloudwatch.rings("StuckRecordingsAlarm", at) for at in range(300, 1501, 300))


def test_one_repair_that_helps_does_not_ring(cloudwatch: CloudWatch) -> None:
    house = House(requested(status="starting", attempt=attempt()))
    house.clock.advance(TIMINGS.stuck_start_s + 1)
    sweep(house, cloudwatch, 0)
    assert cloudwatch.values("RecordingsStuck") == [1]
    assert not cloudwatch.rings("StuckRecordingsAlarm", 300)


@rings("SlowDetectionAlarm")
@pytest.mark.parametrize(("unseen_s", "expected"), [(280, False), (900, True)])
def test_a_loss_found_late_rings(cloudwatch: CloudWatch, unseen_s: float, expected: bool) -> None:
    lost = running(end="DIED", ended_ms=after(7 + unseen_s))
    house = House(ended("DIED", attempt=lost))
    stop_recording.lambda_handler(event(), CONTEXT, stopper=house.parts.stopper)
    cloudwatch.read(0)
    assert cloudwatch.values("DetectionSeconds") == [unseen_s]
    assert cloudwatch.values("SessionLost") == [1]
    assert cloudwatch.rings("SlowDetectionAlarm", 300) is expected


def test_a_session_that_was_stopped_is_not_counted_as_lost(cloudwatch: CloudWatch) -> None:
    house = House(ended("STOPPED", stop_reason="STOP_REQUESTED"))
    stop_recording.lambda_handler(event(), CONTEXT, stopper=house.parts.stopper)
    cloudwatch.read(0)
    assert cloudwatch.values("SessionLost") == []


# --- notifications ------------------------------------------------------------------------------


@rings("UnheardRecordingsAlarm")
@pytest.mark.parametrize("silent", [True, False])
def test_a_recording_that_no_notification_tells_of_rings(
    cloudwatch: CloudWatch, silent: bool
) -> None:
    house = House()
    house.agora.silent = silent
    house.begin()
    house.run(30)
    assert house.row.status == "recording"
    for minute in range(15):
        if not minute % 3:  # as with event 33 not subscribed to: rarely anything
            (session,) = house.agora.running
            house.agora.notify(session, 43, state=0)
        house.run(MINUTE - 1)
        sweep(house, cloudwatch, minute * MINUTE)
    assert cloudwatch.rings("UnheardRecordingsAlarm", 900) is silent


@rings("RefusedSignaturesAlarm")
def test_forged_notifications_ring(cloudwatch: CloudWatch) -> None:
    _receive(SignatureError("no live secret made the signature"), times=5)
    cloudwatch.read(0)
    assert cloudwatch.rings("RefusedSignaturesAlarm", 300)
    assert not cloudwatch.rings("UnstoredNotificationsAlarm", 300)


@rings("UnstoredNotificationsAlarm")
def test_a_notification_secret_that_was_never_filled_in_rings(cloudwatch: CloudWatch) -> None:
    _receive(SecretUnavailableError("the secret is empty"))
    cloudwatch.read(0)
    assert cloudwatch.rings("UnstoredNotificationsAlarm", 300)


@rings("RefusedAutoRecordsAlarm")
def test_a_rule_whose_request_is_refused_rings(cloudwatch: CloudWatch) -> None:
    school = School()
    school.rule()
    rule = school.parts.rule_store.get("lessons")
    wrong = replace(rule, request={"clientRequest": {"recordingConfig": {"channelType": 9}}})
    school.parts.rule_store.put(wrong)
    records = [school.record(channel_event())]
    with_metrics = apply_channel_events.lambda_handler
    with_metrics({"Records": records}, CONTEXT, applier=school.parts.channel_applier)
    cloudwatch.read(0)
    assert cloudwatch.rings("RefusedAutoRecordsAlarm", 300)


@rings("UndeliveredCallbacksAlarm")
def test_an_app_that_is_gone_rings(cloudwatch: CloudWatch) -> None:
    world = World(recording(callback_url="https://app.example.com/hook"))
    (message,) = world.parts.teller.messages(
        world.parts.store.get(RECORDING_ID), "recording.started", NOW_MS, step="started"
    )
    world.table.add(row_of_message(message))
    world.app.script.append(Reply(410))
    body = json.dumps({"recordingId": RECORDING_ID, "call": message.key})
    told = send_callback.lambda_handler(
        {"Records": [{"body": body}]}, CONTEXT, caller=world.parts.caller
    )
    assert told == {"state": "switched_off"}
    cloudwatch.read(0)
    assert cloudwatch.rings("UndeliveredCallbacksAlarm", 300)


def _receive(error: Exception, times: int = 1) -> None:
    """Let notifications come to a room whose secrets answer with an error."""

    def verify(*_: Any, **__: Any) -> None:
        raise error

    environment = {"TABLE_NAME": "table", "NOTIFICATION_SECRET_ID": "secret"}
    secrets: Any = SimpleNamespace(verify=verify)
    store: Any = SimpleNamespace()
    with pytest.MonkeyPatch.context() as patch:
        settings = receive_notification.ReceiveSettings.from_env(environment)
        patch.setattr(receive_notification.ReceiveSettings, "from_env", lambda: settings)
        for _ in range(times):
            receive_notification.lambda_handler(
                webhook.request(webhook.body()), CONTEXT, store, secrets, lambda: NOW_MS
            )


@rings("PoisonNotificationsAlarm")
def test_a_notification_that_cannot_be_applied_rings(cloudwatch: CloudWatch) -> None:
    house = House()
    broken = heard(31)
    del broken["dynamodb"]["NewImage"]["body"]
    apply_notifications.lambda_handler({"Records": [broken]}, CONTEXT, applier=house.parts.applier)
    variables = functions()["ApplyNotificationsFunction"]["Environment"]["Variables"]
    assert variables["POISON_QUEUE_URL"] == {"Ref": "PoisonNotifications"}
    _measure_queue(cloudwatch, "PoisonNotifications", len(house.queue.messages))
    assert cloudwatch.rings("PoisonNotificationsAlarm", 300)


@rings("DeadLettersAlarm")
def test_a_batch_that_fails_until_it_is_given_up_rings(cloudwatch: CloudWatch) -> None:
    house = House()

    def away(*_: Any) -> None:
        raise errors.StoreUnavailableError("the table does not answer")

    sessions = SimpleNamespace(amend=away)
    applier = Parts(house.settings, house.outside, sessions=sessions).applier
    answer = apply_notifications.lambda_handler({"Records": [heard(31)]}, CONTEXT, applier=applier)
    assert answer["batchItemFailures"]
    stored = template()["Resources"]["ApplyNotificationsFunctionStored"]["Properties"]
    given_up = stored["DestinationConfig"]["OnFailure"]["Destination"]
    assert given_up == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    _measure_queue(cloudwatch, "DeadLetters", 1)
    assert cloudwatch.rings("DeadLettersAlarm", 300)


@rings("ThrottledNotificationsAlarm")
@pytest.mark.parametrize("path", ["/notifications", "/rtc-notifications"])
@pytest.mark.parametrize(("answered", "expected"), [(90, True), (995, False), (None, True)])
def test_requests_that_the_webhook_refuses_ring(
    cloudwatch: CloudWatch, path: str, answered: int | None, expected: bool
) -> None:
    """1,000 requests arrive; so many reach the function (None: it never ran)."""
    route = {"Resource": path, "Method": "POST"}
    api = {"ApiName": STACK, "Stage": "v1", **route}
    cloudwatch.put("AWS/ApiGateway", "Count", api, 0, 1000)
    if answered is not None:
        room = {"FunctionName": "ReceiveNotificationFunction"}
        cloudwatch.put("AWS/Lambda", "Invocations", room, 0, answered)
    assert cloudwatch.rings("ThrottledNotificationsAlarm", 300) is expected


def test_the_route_that_the_alarm_looks_at_has_numbers_of_its_own() -> None:
    rooms = functions()["ReceiveNotificationFunction"]["Events"].values()
    settings = template()["Resources"]["Api"]["Properties"]["MethodSettings"]
    routes = [each for each in settings if each.get("MetricsEnabled")]
    named = {(each["ResourcePath"].replace("~1", ""), each["HttpMethod"]) for each in routes}
    assert named == {(room["Properties"]["Path"], room["Properties"]["Method"]) for room in rooms}
    (alarm,) = [ALARMS["ThrottledNotificationsAlarm"]["Metrics"]]
    looked_at = {
        dimension["Value"]
        for each in alarm
        if each["Id"] in ("arrived", "told")
        for dimension in each["MetricStat"]["Metric"]["Dimensions"]
        if dimension["Name"] == "Resource"
    }
    assert looked_at == {path for path, _ in named}


@rings("LateNotificationsAlarm")
def test_a_stream_that_is_applied_late_rings(cloudwatch: CloudWatch) -> None:
    room = {"FunctionName": "ApplyNotificationsFunction"}
    for minute in range(20):
        cloudwatch.put("AWS/Lambda", "IteratorAge", room, minute * MINUTE, 10_000 * minute)
    assert not cloudwatch.rings("LateNotificationsAlarm", 10 * MINUTE)
    assert cloudwatch.rings("LateNotificationsAlarm", 15 * MINUTE)


@rings("WaitingFilesAlarm")
def test_files_that_nobody_looks_for_ring(cloudwatch: CloudWatch) -> None:
    dimensions = {"QueueName": "FileArrivals.QueueName"}
    for minute in range(30):
        cloudwatch.put(
            "AWS/SQS", "ApproximateAgeOfOldestMessage", dimensions, minute * MINUTE, minute * MINUTE
        )
    assert not cloudwatch.rings("WaitingFilesAlarm", 10 * MINUTE)
    assert cloudwatch.rings("WaitingFilesAlarm", 30 * MINUTE)


def _measure_queue(cloudwatch: CloudWatch, name: str, depth: int) -> None:
    """Do what SQS does each minute."""
    assert depth
    dimensions = {"QueueName": f"{name}.QueueName"}
    cloudwatch.put("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, 0, depth)


# --- supervision --------------------------------------------------------------------------------


@rings("SaturatedLimiterAlarm")
def test_a_limiter_without_free_slots_rings(cloudwatch: CloudWatch) -> None:
    house = House(recording())
    for number in range(19):
        other = new_recording_id(NOW_MS, bytes([1 + number] * 10))
        house.table.add(row_of(recording(recording_id=other), TIMINGS))

    def query(*_: Any, **__: Any) -> None:
        raise RateLimitedError("All slots for calls to Agora are taken for 3.0 s.")

    house.agora.query = query  # type: ignore[method-assign,assignment]
    house.clock.advance(HOUR)
    for minute in range(15):
        sweep(house, cloudwatch, minute * MINUTE)
        house.clock.advance(MINUTE)
    assert cloudwatch.rings("SaturatedLimiterAlarm", 900)


def test_an_error_that_leaves_a_room_is_counted_under_its_name(cloudwatch: CloudWatch) -> None:
    def start(_: str) -> None:
        raise AgoraUnavailableError("no answer", endpoint="acquire")

    starter: Any = SimpleNamespace(start=start)
    with pytest.raises(AgoraUnavailableError):
        start_recording.lambda_handler(event(), CONTEXT, starter=starter)
    cloudwatch.read(0)
    assert cloudwatch.values("AgoraUnavailableError") == [1]


@rings("MissedSweepsAlarm")
def test_a_sweeper_that_does_not_run_rings(cloudwatch: CloudWatch) -> None:
    house = House()
    for minute in range(20):
        sweep(house, cloudwatch, minute * MINUTE)
        house.clock.advance(MINUTE)
    assert not cloudwatch.rings("MissedSweepsAlarm", 20 * MINUTE)
    assert cloudwatch.rings("MissedSweepsAlarm", 30 * MINUTE)


def test_a_new_stack_does_not_ring_before_the_first_sweep(cloudwatch: CloudWatch) -> None:
    house = House()
    assert cloudwatch.rings("NoRecentSweep", 10 * MINUTE)
    assert not cloudwatch.rings("MissedSweepsAlarm", 10 * MINUTE)
    sweep(house, cloudwatch, 10 * MINUTE)
    assert not cloudwatch.rings("MissedSweepsAlarm", 15 * MINUTE)
    for minute in (25, 600):  # and it goes on ringing
        assert cloudwatch.rings("MissedSweepsAlarm", minute * MINUTE)


@rings("FailedExecutionsAlarm")
def test_an_execution_that_cannot_publish_rings(cloudwatch: CloudWatch) -> None:
    house = House(requested(restart_limit=0))
    house.bus.refuse = 1000
    house.begin()
    house.run(HOUR)
    house.stop()
    house.run(2 * HOUR)
    assert house.machine.executions[RECORDING_ID] == "FAILED"
    machine = {"StateMachineArn": "RecordingStateMachine"}
    cloudwatch.put("AWS/States", "ExecutionsFailed", machine, 0, 1)
    assert cloudwatch.rings("FailedExecutionsAlarm", 300)


@rings("ApiErrorsAlarm")
def test_an_api_that_fails_on_its_own_side_rings(cloudwatch: CloudWatch) -> None:
    def get(_: str) -> None:
        raise RuntimeError("a bug")

    lister: Any = SimpleNamespace(get=get)
    request = {"pathParameters": {"recordingId": RECORDING_ID}}
    api = {"ApiName": STACK, "Stage": "v1"}
    for second in range(5):
        answer = get_recordings.lambda_handler(request, CONTEXT, lister=lister)
        assert answer["statusCode"] == 500
        cloudwatch.put("AWS/ApiGateway", "5XXError", api, second, 1)
    assert template()["Resources"]["Api"]["Properties"]["StageName"] == "v1"
    assert cloudwatch.rings("ApiErrorsAlarm", 300)


# --- the firewall -------------------------------------------------------------------------------


class Firewall:
    """The room that refreshes, with an Agora that answers or does not, and one target."""

    def __init__(self, cloudwatch: CloudWatch) -> None:
        self._cloudwatch = cloudwatch
        self._since_ms: int | None = None

    def refresh(self, hour: int, *, answers: bool) -> None:
        now_ms = NOW_MS + hour * HOUR * 1000
        hosts = {"data": {"service": {"hosts": [{"primaryIP": "8.8.8.8"}]}}}
        answer = (200, json.dumps(hosts).encode()) if answers else (503, b"")

        def carry_out(*_: Any, **__: Any) -> target.Outcome:
            self._since_ms = now_ms
            return target.Outcome({}, {})

        targets: Any = SimpleNamespace(carry_out=carry_out, fresh_since_ms=lambda: self._since_ms)
        lease: Any = SimpleNamespace(take=lambda _: 1, release=lambda: None)
        refresher = Refresher(
            get=lambda _: answer,
            find_targets=lambda: targets,
            lease=lease,
            policy=Policy(),
            now=lambda: now_ms,
        )
        try:
            refresh_ncs_addresses.lambda_handler({}, CONTEXT, refresher=refresher)
        except AgoraUnavailableError:
            assert not answers
        self._cloudwatch.read(hour * HOUR)


@rings("StaleAddressesAlarm")
def test_a_day_of_failed_refreshes_rings(cloudwatch: CloudWatch) -> None:
    firewall = Firewall(cloudwatch)
    firewall.refresh(0, answers=True)
    for hour in (6, 12, 18, 24):
        assert not cloudwatch.rings("StaleAddressesAlarm", hour * HOUR)
        firewall.refresh(hour, answers=False)
    assert cloudwatch.rings("StaleAddressesAlarm", 25 * HOUR)
    firewall.refresh(30, answers=True)
    assert not cloudwatch.rings("StaleAddressesAlarm", 31 * HOUR)


def test_a_day_without_any_refresh_rings(cloudwatch: CloudWatch) -> None:
    assert cloudwatch.rings("StaleAddressesAlarm", 24 * HOUR)


# --- all of them --------------------------------------------------------------------------------


def test_a_healthy_recording_rings_nothing(cloudwatch: CloudWatch) -> None:
    Firewall(cloudwatch).refresh(0, answers=True)
    house = House()
    house.begin()
    house.run(30)
    for minute in range(20):
        for session in house.agora.running:
            house.agora.notify(session, 33, progress=1000)
        house.run(MINUTE - 1)
        sweep(house, cloudwatch, minute * MINUTE)
    house.stop()
    house.run()
    publish_recording.lambda_handler(event(), CONTEXT, publisher=house.parts.recording_publisher)
    cloudwatch.read(19 * MINUTE)
    assert cloudwatch.values("RecordingCompleted", endReason="STOP_REQUESTED") == [1]
    ringing = [
        name
        for name, alarm in ALARMS.items()
        if name in TELLING
        and cloudwatch.rings(name, 24 * HOUR if alarm.get("Period") == HOUR else 20 * MINUTE)
    ]
    assert ringing == []


def test_every_alarm_is_rung_by_a_test() -> None:
    assert TELLING == RUNG


def test_every_alarm_has_its_entry_in_the_runbook() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    entries = set(re.findall(r"^#+ (\w+Alarm)$", text, re.MULTILINE))
    assert entries == TELLING


def test_every_alarm_tells_the_topic_that_it_rings_and_that_it_is_over() -> None:
    told = {"Fn::If": ["TellSomebody", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
    for name, alarm in ALARMS.items():
        tells = told if name in TELLING else None
        assert alarm.get("AlarmActions") == tells, name
        assert alarm.get("OKActions") == tells, name
        assert alarm["AlarmDescription"], name


# --- the dashboard ------------------------------------------------------------------------------

DASHBOARD: str = template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS: list[dict[str, Any]] = json.loads(DASHBOARD)["widgets"]


def test_the_dashboard_is_short_and_no_widget_covers_another() -> None:
    assert len(DASHBOARD.splitlines()) <= 80
    cells = [
        (x, y)
        for each in WIDGETS
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_the_dashboard_shows_every_alarm() -> None:
    assert set(re.findall(r"\$\{(\w+Alarm)\.Arn\}", DASHBOARD)) == TELLING


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_the_dashboard_shows_every_functions_errors_and_throttles(metric: str) -> None:
    (widget,) = [each for each in WIDGETS if metric in str(each["properties"].get("metrics"))]
    lines = widget["properties"]["metrics"]
    assert lines[0][:3] == ["AWS/Lambda", metric, "FunctionName"]
    assert {line[-1] for line in lines} == {f"${{{name}}}" for name in functions()}


def test_the_dashboard_shows_how_old_is_what_waits() -> None:
    queues = {
        name for name, each in template()["Resources"].items() if each["Type"] == "AWS::SQS::Queue"
    }
    (widget,) = [each for each in WIDGETS if "IteratorAge" in str(each)]
    named = str(widget["properties"]["metrics"])
    assert set(re.findall(r"\$\{(\w+)\.QueueName\}", named)) == queues


def test_alarms_and_dashboard_name_only_metrics_that_are_emitted() -> None:
    code = "".join(
        path.read_text()
        for folder in ("functions", "layers/shared/agora_recording")
        for path in (ROOT / folder).rglob("*.py")
    )
    emitted = set(re.findall(r'"([A-Z][A-Za-z]+)"', code)) | set(vars(errors))
    emitted |= {f"Recording{each.capitalize()}" for each in TERMINAL}
    emitted |= {f"Verdict{each.capitalize()}" for each in get_args(Outcome)}
    looked_at = [each for each in ALARMS.values() if "MetricName" in each]
    named = {each["MetricName"] for each in looked_at if each["Namespace"] == emf.NAMESPACE}
    named |= {line[1] for each in WIDGETS for line in _lines(each) if line[0] == emf.NAMESPACE}
    assert len(named) > 20
    assert named <= emitted, named - emitted


def _lines(widget: dict[str, Any]) -> list[list[str]]:
    """Return the metrics of a widget, its dots filled in from the line before."""
    filled: list[list[str]] = []
    for line in widget["properties"].get("metrics", ()):
        if isinstance(line[0], str) and line[0] != "...":
            before = filled[-1] if filled else []
            filled.append([before[at] if each == "." else each for at, each in enumerate(line)])
    return filled

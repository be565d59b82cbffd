"""A deployed stack in memory as `doctor` examines it: healthy, until a test plants something."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from agora_recording.agora.outcomes import decide
from agora_recording.agora.reply import Reply
from agora_recording.agora.responses import Answer as AgoraAnswer
from agora_recording.aws.signing import Keys
from agora_recording.errors import SignatureError
from agora_recording.notifications import envelope
from agora_recording.notifications.secrets import parse_secrets
from agora_recording.wiring.parts import Parts
from operate.deployment import Deployment
from operate.doctor import checks
from operate.doctor.check import Check, Finding, examine
from operate.doctor.patient import Answer, Doors, Patient
from tests.world.builders import MACHINE
from tests.world.clock import Timeline
from tests.world.errors import NoSuchKey, ResourceNotFoundException, error
from tests.world.secrets import FakeSecretsManager
from tests.world.webhook import NOW_MS
from tests.world.world import World

USER, BUCKET = "stack-StorageUser", "films"
TOPIC = "arn:aws:sns:us-east-1:123456789012:alarms"
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": TOPIC,
}
REFUSE_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
STACK = Deployment(
    name="stack",
    region="us-east-1",
    resources={
        "Table": "recordings",
        "Bucket": BUCKET,
        "BucketPolicy": BUCKET,
        "EventBus": "bus",
        "AgoraSecret": "agora",
        "NotificationSecret": "notifications",
        "RtcNotificationSecret": "rtc",
        "StorageSecret": "storage",
        "StorageUser": USER,
        "LogGroup": "logs",
        "PoisonNotifications": "poison",
        "Calls": "calls",
        "CallbackSecret": "callbacks",
        "DeadLetters": "dead",
        "FileArrivals": "arrivals",
        "FileArrivalsRule": "rule",
        "RecordingStateMachine": MACHINE,
        "RefreshNcsAddressesFunction": "refresh",
        "ApplyNotificationsFunctionStored": "uuid-of-the-mapping",
        "WatchRecordingsFunctionEachMinute": "each-minute",
        "RefreshNcsAddressesFunctionOnSchedule": "on-schedule",
        "WatchRecordingsFunctionRole": "watch-role",
    },
    parameters={
        "NotificationRate": "100",
        "Speed": "1",
        "AgoraAppId": "app",
        "AgoraBaseUrl": "https://api.agora.io",
        "AgoraConcurrentTasks": "50",
        "AgoraCallsPerSecond": "7",
        "AlarmTopicArn": TOPIC,
    },
    outputs={"ApiUrl": "https://api/v1", "NotificationsUrl": "https://api/v1/notifications"},
)


def _answers(value: Any) -> Callable[..., Any]:
    return lambda **_: value


def _pages(pages: Callable[..., list[Any]]) -> Any:
    return lambda _: SimpleNamespace(paginate=pages)


class Clinic(World):
    """Everything that the checks meet; the attributes are what a test may spoil."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Timeline(NOW_MS)
        self.stack = STACK
        self.secrets: Any = _Secrets(
            agora='{"customerId": "id", "customerSecret": "hush"}',
            notifications='{"secrets": ["hush"]}',
            rtc="what the deploy made: hush",
            storage=json.dumps({"accessKey": f"AKIA-{USER}", "secretKey": "hush"}),
        )
        self.secrets.put_secret_value(SecretId="rtc", SecretString='{"secrets": ["hush"]}')
        self.agora_knows = ("id", "hush")
        self.agora_app = "app"
        self.bucket_policy: list[Any] | None = [REFUSE_HTTP]
        self.eventbridge: dict[str, Any] = {"EventBridgeConfiguration": {}}
        self.mapping = "Enabled"
        self.schedules = {"each-minute": "ENABLED", "on-schedule": "ENABLED"}
        self.topic: dict[str, str] = {"Policy": json.dumps({"Statement": [STATEMENT]})}
        self.waiting = {"dead": 0, "poison": 0}
        self.log: list[str] = ['{"outcomes":{"Unknown":1}}']
        self.concurrent = 1000
        self.throttle = 10_000.0
        self.drifted: list[dict[str, Any]] = []
        self.running: list[str] = []
        self.simulated = "allowed"
        self.plan: dict[str, Any] = {"addresses": ["8.8.8.8"], "targets": {}, "failed": {}}
        self.uploads: list[str] = []  # keys of objects that are there now
        self.open_to_all = False  # the API
        self.may_read = False  # the uploader
        self.delivers = True  # the bus
        self.statuses = ["completed"]  # of a recording, one after the other
        self.file_status = 200
        self.asked: list[str] = []  # of the recording: what changes something
        self.requests: list[dict[str, Any]] = []
        self.denied: set[str] = set()  # services that the operator has no rights to

    # --- what a test asks ---

    def examine(self, *more: Check) -> dict[str, Finding]:
        """Return the finding of every check."""
        return {each.name: each for each in examine((*checks.ALL, *more), self.patient())}

    def patient(self) -> Patient:
        """Return what the checks are given."""
        return Patient(
            self.stack,
            Doors("https://api/v1", "https://api/v1/notifications", lambda: Keys("AKID", "secret")),
            Parts(self.stack.settings, self.outside, agora=self),
            client=self._client,
            send=self._send,
            now_ms=self.clock,
            sleep=self.sleep,
            monotonic=lambda: self.clock() / 1000,
        )

    # --- Agora ---

    def ncs_ip(self) -> tuple[int | None, bytes]:
        """Answer the question for addresses."""
        found = json.loads(self.secrets.get_secret_value(SecretId="agora")["SecretString"])
        is_known = (found["customerId"], found["customerSecret"]) == self.agora_knows
        return (200, b"{}") if is_known else (401, b"")

    def acquire(self, cname: str, uid: str, fields: Mapping[str, Any]) -> Reply:
        """Answer an acquire."""
        assert fields["resourceExpiredHour"] == 1
        status = 200 if self.stack.parameters["AgoraAppId"] == self.agora_app else 401
        answer = AgoraAnswer(resource_id="r") if status == 200 else AgoraAnswer()
        outcome = decide("acquire", status, None, "", has_resource_id=status == 200)
        return Reply("acquire", status, answer, outcome, "https://api.agora.io")

    # --- the doors ---

    def _send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        if url.endswith("/notifications"):
            return Answer(self._take(body or b"", headers), {}, b"{}")
        if url == "https://file":
            return Answer(self.file_status, {}, b"media")
        if "/recordings/R" in url or method == "POST":
            return self._recording(method, url.removeprefix("https://api/v1/recordings"), body)
        is_signed = "Authorization" in headers
        return Answer(200 if is_signed or self.open_to_all else 403, {}, b'{"recordings": []}')

    def _recording(self, method: str, path: str, body: bytes | None) -> Answer:
        """Answer a call about the one recording; each look sees its next status."""
        if method != "GET":
            self.asked.append(f"{method} {path.removeprefix('/R').strip('/')}".strip())
            if not path:
                self.requests.append(json.loads(body or b""))
            return Answer(202, {}, b'{"recordingId": "R"}')
        if path.startswith("/R/files"):
            return Answer(200, {}, b'{"files": [{"url": "https://file", "bytes": 5}]}')
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return Answer(200, {}, json.dumps({"status": status}).encode())

    def _take(self, raw: bytes, headers: Mapping[str, str]) -> int:
        lower = {name.lower(): value for name, value in headers.items()}
        text = self.secrets.get_secret_value(SecretId="notifications")["SecretString"]
        try:
            envelope.verify(raw, lower, parse_secrets(text), allow_v1=True)
        except SignatureError:
            return 401
        note = envelope.read(raw)
        partition, sort = envelope.key(note, raw)
        self.table.add({"PK": partition, "SK": sort})
        if self.mapping == "Enabled":
            session = partition.replace("SID#", "SESSION#")
            self.table.add({"PK": session, "SK": "SESSION", "version": 1})
        return 200

    # --- AWS ---

    def _client(self, service: str, **more: Any) -> Any:
        if service in self.denied:
            return _Denied()
        keys = more.get("aws_access_key_id", "")
        if service == "dynamodb":
            return self.table
        if service == "secretsmanager":
            return self.secrets
        return getattr(self, f"_{service}")(keys)

    def _sts(self, keys: str) -> Any:
        who = keys.partition("-")[2] or "operator"
        arn = f"arn:aws:iam::123456789012:user/{who}"
        return SimpleNamespace(get_caller_identity=_answers({"Arn": arn}))

    def _s3(self, keys: str) -> Any:
        if keys:
            return _UploadersS3(self)
        return SimpleNamespace(
            exceptions=SimpleNamespace(NoSuchKey=NoSuchKey),
            get_bucket_location=_answers({"LocationConstraint": None}),
            get_bucket_policy=self._get_policy,
            get_bucket_notification_configuration=lambda **_: self.eventbridge,
            put_object=lambda *, Key, **_: self.uploads.append(Key),
            get_paginator=_pages(self._versions),
            delete_object=lambda *, Key, **_: self.uploads.remove(Key),
        )

    def _get_policy(self, **_: Any) -> Any:
        if self.bucket_policy is None:
            raise error("NoSuchBucketPolicy")
        return {"Policy": json.dumps({"Statement": self.bucket_policy})}

    def _versions(self, *, Prefix: str, **_: Any) -> list[Any]:
        found = [key for key in self.uploads if key.startswith(Prefix)]
        return [{"Versions": [{"Key": key, "VersionId": "1"} for key in found]}]

    def _lambda(self, _: str) -> Any:
        payload = json.dumps(self.plan).encode()
        failed = {"FunctionError": "Unhandled"} if "errorType" in self.plan else {}
        return SimpleNamespace(
            get_account_settings=_answers(
                {"AccountLimit": {"ConcurrentExecutions": self.concurrent}}
            ),
            get_event_source_mapping=_answers({"State": self.mapping}),
            invoke=lambda **_: {"Payload": BytesIO(payload), **failed},
        )

    def _apigateway(self, _: str) -> Any:
        limits = {"rateLimit": self.throttle, "burstLimit": 5000}
        return SimpleNamespace(get_account=_answers({"throttleSettings": limits}))

    def _cloudformation(self, _: str) -> Any:
        statuses = iter(["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"])
        return SimpleNamespace(
            detect_stack_drift=_answers({"StackDriftDetectionId": "1"}),
            describe_stack_drift_detection_status=lambda **_: {"DetectionStatus": next(statuses)},
            describe_stack_resource_drifts=self._drifts,
        )

    def _drifts(self, *, NextToken: str = "0", **_: Any) -> dict[str, Any]:
        """Tell one a page."""
        number = int(NextToken)
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.drifted) else {}
        return {"StackResourceDrifts": self.drifted[number : number + 1], **more}

    def _logs(self, _: str) -> Any:
        def pages(*, filterPattern: str, **_: Any) -> list[Any]:
            wanted = filterPattern.strip('"')
            return [{"events": [{"message": each} for each in self.log if wanted in each]}]

        return SimpleNamespace(get_paginator=_pages(pages))

    def _events(self, _: str) -> Any:
        return SimpleNamespace(
            exceptions=SimpleNamespace(ResourceNotFoundException=ResourceNotFoundException),
            describe_rule=_answers({"State": "ENABLED"}),
            put_rule=_answers({"RuleArn": "arn:rule"}),
            put_targets=_answers({}),
            put_events=_answers({}),
            remove_targets=_answers({}),
            delete_rule=_answers({}),
        )

    def _sqs(self, _: str) -> Any:
        def attributes(*, QueueUrl: str, **_: Any) -> Any:
            count = str(self.waiting.get(QueueUrl, 0))
            if QueueUrl in self.waiting:
                return {"Attributes": {"ApproximateNumberOfMessages": count}}
            return {"Attributes": {"QueueArn": "arn:queue"}}

        return SimpleNamespace(
            create_queue=_answers({"QueueUrl": "probe"}),
            get_queue_attributes=attributes,
            set_queue_attributes=_answers({}),
            receive_message=lambda **_: {"Messages": [{}]} if self.delivers else {},
            delete_queue=_answers({}),
        )

    def _scheduler(self, _: str) -> Any:
        def schedule(*, Name: str) -> Any:
            if Name not in self.schedules:
                raise error(ResourceNotFoundException)
            return {"State": self.schedules[Name], "ScheduleExpression": "rate(1 minute)"}

        return SimpleNamespace(
            exceptions=SimpleNamespace(ResourceNotFoundException=ResourceNotFoundException),
            get_schedule=schedule,
        )

    def _sns(self, _: str) -> Any:
        return SimpleNamespace(
            exceptions=SimpleNamespace(NotFoundException=ResourceNotFoundException),
            get_topic_attributes=_answers({"Attributes": self.topic}),
        )

    def _stepfunctions(self, _: str) -> Any:
        found = [{"executions": [{"name": name} for name in self.running]}]
        return SimpleNamespace(get_paginator=_pages(lambda **_: found))

    def _iam(self, _: str) -> Any:
        statement = {
            "Effect": "Allow",
            "Action": "dynamodb:UpdateItem",
            "Resource": "arn:aws:dynamodb:us-east-1:1:table/recordings",
            "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["REC#*"]}},
        }

        def simulated(*, ActionNames: list[str], ContextEntries: list[Any], **_: Any) -> list[Any]:
            assert ContextEntries[0]["ContextKeyValues"] == ["REC#x"]
            decision = {"EvalActionName": ActionNames[0], "EvalDecision": self.simulated}
            return [{"EvaluationResults": [decision]}]

        return SimpleNamespace(
            get_role=_answers({"Role": {"Arn": "arn:role"}}),
            list_role_policies=_answers({"PolicyNames": ["may"]}),
            get_role_policy=_answers({"PolicyDocument": {"Statement": [statement]}}),
            get_paginator=_pages(simulated),
        )


class _Secrets(FakeSecretsManager):
    """Secrets that also tell when they were changed: long ago."""

    def describe_secret(self, *, SecretId: str) -> dict[str, Any]:
        """Describe a secret."""
        assert SecretId in self.versions
        return {"LastChangedDate": datetime.fromtimestamp(0, UTC)}


class _Denied:
    """A client of an operator who may do nothing."""

    exceptions = SimpleNamespace(
        NotFoundException=ResourceNotFoundException,
        ResourceNotFoundException=ResourceNotFoundException,
    )

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator":
            return lambda _: SimpleNamespace(paginate=self._deny)
        return self._deny

    def _deny(self, **_: Any) -> Any:
        raise error("AccessDenied")


class _UploadersS3:
    """S3 with the uploader's keys: only writing, and nothing that the stack writes."""

    def __init__(self, clinic: Clinic) -> None:
        self._clinic = clinic

    def put_object(self, *, Key: str, **_: Any) -> None:
        """Write an object."""
        if "/manifest" in Key or "/events/" in Key:
            raise error("AccessDenied")
        self._clinic.uploads.append(Key)

    def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        """Begin an upload in parts."""
        return {"UploadId": "1"}

    def upload_part(self, **_: Any) -> None:
        """Write a part."""

    def abort_multipart_upload(self, **_: Any) -> None:
        """Give the parts up."""

    def list_objects_v2(self, **_: Any) -> None:
        """List objects."""
        raise error("AccessDenied")

    def get_object(self, **_: Any) -> None:
        """Read an object."""
        raise error("NoSuchKey" if self._clinic.may_read else "AccessDenied")

"""The embedded stack: emulator, simulator and the deployed template, started and ended together.

with EmbeddedStack(speed=20) as stack:
    stack.facts["api_url"]
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.agora import AgoraSimulator, Options
from local.api import send
from local.emulator import HOST, REGION, ROOT, Emulator, EmulatorError, free_port
from local.package import CODE_BUCKET, localise
from local.template import ROOT as REPOSITORY
from local.template import parameters

STACK_NAME = "agora-recording"
FACTS = REPOSITORY / "local" / "stack.json"
APP_ID = "5e1f0c0de0123456789abcdef0123456"
DEPLOY_S = 60


class EmbeddedStack:
    """Starts everything on entry, and leaves no process behind on exit.

    `agora_url` is another Agora, which is used instead of the simulator. `options` are passed to
    the simulator and `given` to the template's parameters; `prepare` makes in the empty account
    what the stack is given, and returns more parameters. `facts` is what local/stack.json holds.
    `has_weather`: its AWS can have bad weather (`local.weather`).
    """

    SWEEPERS: tuple[str, ...] = ("WatchRecordingsFunction", "WatchChannelsFunction")  # each minute

    def __init__(
        self,
        *,
        speed: float = 1,
        port: int = 0,
        agora_url: str | None = None,
        options: dict[str, Any] | None = None,
        given: dict[str, Any] | None = None,
        prepare: Callable[[EmbeddedStack], dict[str, Any]] | None = None,
        facts_file: Path | None = None,
        has_weather: bool = False,
    ) -> None:
        self.speed = speed
        self.facts: dict[str, Any] = {}
        self.dropped: list[str] = []
        self.agora: AgoraSimulator | None = None
        self._port = port or free_port()
        self._agora_url = agora_url
        self._options = options or {}
        self._given = given or {}
        self._prepare = prepare
        self._facts_file = facts_file
        self._has_weather = has_weather
        self._exit = ExitStack()
        self._customer = ("local-customer", secrets.token_hex(16))
        self._rtc_secret = secrets.token_urlsafe(16)
        self._notification_secret = secrets.token_urlsafe(16)
        # Where an app on this machine may be called: nothing listens there yet.
        self._callback_origin = f"http://{HOST}:{free_port()}"
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            folder = Path(tempfile.mkdtemp(prefix="agora-recording-"))
            starting.callback(shutil.rmtree, folder, ignore_errors=True)
            self.emulator = starting.enter_context(
                Emulator(folder, port=self._port, speed=self.speed, has_weather=self._has_weather)
            )
            if self._prepare:
                self._given = {**self._given, **self._prepare(self)}
            agora_url = self._agora_url or self._start_agora(starting)
            self._deploy(agora_url)
            self._fill_secrets()
            self.facts = self._describe(agora_url)
            if self._facts_file:
                self._facts_file.write_text(json.dumps(self.facts, indent=2) + "\n")
                starting.callback(self._facts_file.unlink, missing_ok=True)
            if self.agora:
                hook = json.dumps({"url": self.facts["notifications_url"]}).encode()
                send("POST", f"{agora_url}/_control/webhooks", hook, {})
                hook = json.dumps({"url": self.facts["rtc_notifications_url"]}).encode()
                send("POST", f"{agora_url}/_control/rtc-webhooks", hook, {})
            driver = threading.Thread(target=self._drive_schedules, daemon=True)
            driver.start()
            starting.callback(driver.join, 10)
            starting.callback(self._ended.set)
            self._exit = starting.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit.close()

    def client(self, service: str, **more: Any) -> Any:
        """Return a boto3 client of the emulator, with every right."""
        make: Any = boto3.client  # its overloads accept only a literal name
        return make(
            service,
            endpoint_url=self.emulator.url,
            region_name=REGION,
            aws_access_key_id=ROOT[0],
            aws_secret_access_key=ROOT[1],
            config=Config(
                retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **more
            ),
        )

    def invoke(self, logical_id: str, payload: Any = None) -> Any:
        """Invoke a function by its logical id; return its result."""
        answer = self.client("lambda", read_timeout=120).invoke(
            FunctionName=self.facts["resources"][logical_id],
            Payload=json.dumps(payload or {}).encode(),
        )
        return json.loads(answer["Payload"].read() or b"null")

    def _start_agora(self, starting: ExitStack) -> str:
        options = Options(
            app_id=APP_ID,
            customer_id=self._customer[0],
            customer_secret=self._customer[1],
            notification_secret=self._notification_secret,
            rtc_secret=self._rtc_secret,
            s3_endpoint_url=self.emulator.url,
            speed=self.speed,
            **self._options,
        )
        self.agora = starting.enter_context(AgoraSimulator(options))
        return self.agora.url

    def _deploy(self, agora_url: str) -> None:
        self.client("s3").create_bucket(Bucket=CODE_BUCKET)
        self._make(
            {
                "AgoraAppId": APP_ID,
                "AgoraBaseUrl": agora_url,
                "Speed": f"{self.speed:g}",
                "SecurityGroupId": self._make_security_group(),
                "AllowDocumentationAddresses": "true",  # the simulator has such addresses
                # The second leads to this machine, and is refused for it.
                "CallbackHosts": "app.example.com,localhost",
                # Allow it, except in the combination that the template refuses.
                "PostponedTranscoding": str(
                    self._given.get("StorageCredentials") != "temporary"
                ).lower(),
                **self._given,
            }
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a function needs here, and not on AWS."""
        return {
            "AWS_ENDPOINT_URL": self.emulator.url,
            # Bucket names are not host names here.
            "AWS_S3_ADDRESSING_STYLE": "path",
            "AWS_REGION": REGION,
            # No parameter: on AWS, no deploy can allow such an address.
            "CALLBACK_LOOPBACK": self._callback_origin,
        }

    def _make(self, given: dict[str, Any]) -> None:
        """Make the stack, with `given` for its parameters. Raises EmulatorError."""
        values = parameters(given)
        template, zips, self.dropped = localise(values, self.environment)
        s3, cloudformation = self.client("s3"), self.client("cloudformation")
        for key, content in zips.items():
            s3.put_object(Bucket=CODE_BUCKET, Key=key, Body=content)
        s3.put_object(Bucket=CODE_BUCKET, Key="template.json", Body=json.dumps(template))
        try:
            cloudformation.create_stack(
                StackName=STACK_NAME,
                TemplateURL=f"{self.emulator.url}/{CODE_BUCKET}/template.json",
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value}
                    for name, value in values.items()
                ],
                Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            )
        except ClientError as error:
            raise EmulatorError(f"The template was refused: {error}") from error
        self._await_deploy(cloudformation)

    def _make_security_group(self) -> str:
        """Make a security group as a load balancer has it, for the address refresh to fill."""
        ec2 = self.client("ec2")
        answer = ec2.create_security_group(
            GroupName="webhook-receiver", Description="Where Agora notifies a load balancer"
        )
        group_id: str = answer["GroupId"]
        return group_id

    def _await_deploy(self, cloudformation: Any) -> None:
        end = time.monotonic() + DEPLOY_S
        status = ""
        while time.monotonic() < end:
            status = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0][
                "StackStatus"
            ]
            if status == "CREATE_COMPLETE":
                return
            if not status.endswith("_IN_PROGRESS") or "ROLLBACK" in status:
                break
            time.sleep(0.05)
        events = cloudformation.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
        why = next(
            (
                f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '?')}"
                for each in reversed(events)
                if each["ResourceStatus"].endswith("FAILED")
            ),
            status,
        )
        raise EmulatorError(f"The deploy failed: {why}")

    def _resources(self) -> dict[str, str]:
        pages = self.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in pages["StackResources"]
        }

    def _fill_secrets(self) -> None:
        """Do what an operator does after the first deploy."""
        found = self._resources()
        values: dict[str, dict[str, Any]] = {
            "AgoraSecret": {
                "customerId": self._customer[0],
                "customerSecret": self._customer[1],
                "appCertificate": self._options.get("app_certificate", ""),
            },
            "NotificationSecret": {"secrets": [self._notification_secret]},
            "RtcNotificationSecret": {"secrets": [self._rtc_secret]},
            # The emulator leaves ExcludePunctuation out, so what it made is no base64.
            "CallbackSecret": {"current": secrets.token_hex(22), "previous": ""},
        }
        manager = self.client("secretsmanager")
        for name, value in values.items():
            manager.put_secret_value(SecretId=found[name], SecretString=json.dumps(value))

    def _describe(self, agora_url: str) -> dict[str, Any]:
        found = self._resources()
        api_id = next(value for name, value in found.items() if name == "Api")
        iam = self.client("iam")
        iam.create_user(UserName="app")
        iam.put_user_policy(
            UserName="app",
            PolicyName="call-the-api",
            PolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": {
                        "Effect": "Allow",
                        "Action": "execute-api:Invoke",
                        "Resource": f"arn:aws:execute-api:{REGION}:*:{api_id}/*",
                    },
                }
            ),
        )
        key = iam.create_access_key(UserName="app")["AccessKey"]
        api_url = f"{self.emulator.url}/_aws/execute-api/{api_id}/v1"
        return {
            "api_url": api_url,
            "notifications_url": f"{api_url}/notifications",
            "rtc_notifications_url": f"{api_url}/rtc-notifications",
            "callback_origin": self._callback_origin,
            "agora_url": agora_url,
            "aws_endpoint_url": self.emulator.url,
            "region": REGION,
            "api_credentials": {
                "access_key_id": key["AccessKeyId"],
                "secret_access_key": key["SecretAccessKey"],
            },
            "aws_credentials": {"access_key_id": ROOT[0], "secret_access_key": ROOT[1]},
            "agora_credentials": {
                "app_id": APP_ID,
                "customer_id": self._customer[0],
                "customer_secret": self._customer[1],
            },
            "notification_secret": self._notification_secret,
            "rtc_notification_secret": self._rtc_secret,
            "speed": self.speed,
            "resources": {**self._of_the_company(), **found},
        }

    def _of_the_company(self) -> dict[str, str]:
        """Return what the stack was given instead of making it, by the name of what it makes."""
        names = {"Bucket": "ExistingBucketName", "StorageSecret": "StorageSecretArn"}
        return {name: self._given[by] for name, by in names.items() if by in self._given}

    def _drive_schedules(self) -> None:
        """Run the sweeper as often as the speed needs: a schedule of AWS runs once a minute at
        most.
        """
        while not self._ended.wait(max(60 / self.speed, 0.5)):
            for sweeper in self.SWEEPERS:
                with suppress(Exception):  # the emulator may be ending; the next sweep tries again
                    self.invoke(sweeper)


__all__ = ["FACTS", "HOST", "EmbeddedStack", "EmulatorError"]

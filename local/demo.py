"""One complete recording on the embedded stack, shown step by step."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local.agora.interrupt import Interrupt
from local.api import Api, send
from local.console import console_of
from local.news import EVENTS, STEPS
from local.screen import Screen
from local.stack import EmbeddedStack

SPEED = 20
RECORD_S = 6  # of real time: two minutes of Agora's
PATIENCE_S = 60
TERMINAL = ("completed", "incomplete", "failed")

SLICES = ("ts", "webm", "aac")
# What somebody may want to do next, each as a line to paste.
NEXT = (
    ("See it", 'make demo ARGS="--stay"'),
    ("Another mode", 'make demo ARGS="--mode raw"'),
    ("Try it by hand", "make up    # then README.md, Try it by hand"),
    ("Watch it", 'make ops ARGS="--local list"    # while make up runs'),
    ("From your app", "make clients    # Python and TypeScript, generated"),
    ("On AWS", 'make deploy ARGS="--parameter-overrides AgoraAppId=…"'),
)


# The modes that can be shown, and the files that are asked for.
FILES = {"mix": ["hls", "mp4"], "raw": ["hls", "mp4"], "individual": ["hls"]}


def run(screen: Screen, speed: float = SPEED, mode: str = "mix", *, stays: bool = False) -> int:
    """Return 0 if the recording ended `completed`, with its manifest in S3.

    If it `stays`, the console shows the recording until Ctrl-C.
    """
    screen.head("Agora Recording on AWS: one recording, end to end")
    screen.line(f"Time runs {speed:g} times faster. AWS and Agora are emulated on this machine.\n")
    screen.live("starting the emulator of AWS and the simulator of Agora")
    with EmbeddedStack(speed=speed) as stack:
        screen.step("stack deployed", "template.yaml")
        story = _Story(screen, stack, mode)
        failed = story.tell()
        if stays:
            _stay(screen, stack, story.recording_id)
        else:
            screen.head("What next")
            for what, command in NEXT:
                screen.line(f"  {what:<19}{command}")
        return failed


def _stay(screen: Screen, stack: EmbeddedStack, recording_id: str) -> None:
    """Serve the console, say where the recording is in it, and wait for Ctrl-C."""
    with console_of(stack.facts) as console:
        where = console.door.url_of(f"recordings/{recording_id}")
        screen.line(f"\nSee it in the console: {where}")
        screen.line("Ctrl-C ends it.")
        Interrupt().wait()


class _Story:
    def __init__(self, screen: Screen, stack: EmbeddedStack, mode: str) -> None:
        self.screen = screen
        self.mode = mode
        self.stack = stack
        self.api = Api(stack.facts)
        self.table = stack.facts["resources"]["Table"]
        self.dynamodb = stack.client("dynamodb")
        self._told: set[str] = set()
        self.recording_id = ""

    def tell(self) -> int:
        self.screen.head("What happens")
        self.screen.line("webhook N is Agora's notification of type N (docs/agora-events.md).")
        recording = self._ask()
        recording_id = self.recording_id = recording["recordingId"]
        recording = self._follow(recording_id, until=("recording", *TERMINAL))
        if recording["status"] == "recording":
            end = time.monotonic() + RECORD_S
            while time.monotonic() < end:
                self.screen.live("recording")
                self._tell_news(recording_id, recording.get("sid"))
                time.sleep(0.1)
            self.api.call("POST", f"/recordings/{recording_id}/stop")
            recording = self._follow(recording_id, until=TERMINAL)
        colour = "green" if recording["status"] == "completed" else "red"
        self.screen.step(
            f"the recording is {recording['status']}", recording.get("reason", ""), colour
        )
        self._show_files(recording)
        self._show_recording(recording)
        self._show_costs(recording_id)
        return 0 if recording["status"] == "completed" and self._has_manifest(recording) else 1

    def _ask(self) -> dict[str, Any]:
        request = {
            "cname": "daily-standup",
            "mode": self.mode,
            "clientRequest": {
                "recordingConfig": {"channelType": 1, "streamTypes": 2, **self._group()},
                "recordingFileConfig": {"avFileType": FILES[self.mode]},
            },
            "tags": {"team": "platform"},
        }
        answer = self.api.call("POST", "/recordings", request, {"Idempotency-Key": "demo-1"})
        self.screen.step("request accepted", f"{answer.status} {answer.body['recordingId']}")
        body: dict[str, Any] = answer.body
        return body

    def _group(self) -> dict[str, int]:
        """Return how many users are recorded, where each has files of their own."""
        return {} if self.mode == "mix" else {"subscribeUidGroup": 1}

    def _follow(self, recording_id: str, until: tuple[str, ...]) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_S
        while True:
            # Read from the table, not through the API: watching must not count as an invocation.
            row = self.dynamodb.get_item(
                TableName=self.table,
                Key={"PK": {"S": f"REC#{recording_id}"}, "SK": {"S": "META"}},
                ConsistentRead=True,
            )["Item"]
            status, attempt = row["status"]["S"], row.get("attempt", {"M": {}})["M"]
            self._tell_news(recording_id, attempt.get("sid", {}).get("S"))
            if status in until or time.monotonic() > end:
                recording: dict[str, Any] = self.api.call("GET", f"/recordings/{recording_id}").body
                return recording
            self.screen.live(status)
            time.sleep(0.1)

    def _tell_news(self, recording_id: str, sid: str | None) -> None:
        """Show the entries of the timeline and the notifications that are new."""
        news = [
            (row["at"]["S"], row["SK"]["S"], STEPS.get(row["kind"]["S"]), row["text"]["S"], "green")
            for row in self._rows(f"REC#{recording_id}", "LOG#")
        ]
        for row in self._rows(f"SID#{sid}", "EVT#") if sid else ():
            number = int(row["eventType"]["N"])
            at = datetime.fromtimestamp(int(row["receivedMs"]["N"]) / 1000, UTC).isoformat()
            news.append((at, row["SK"]["S"], f"webhook {number}", EVENTS.get(number, ""), "blue"))
        for _, key, step, words, colour in sorted(news):
            if key not in self._told:
                self._told.add(key)
                self.screen.step(step or "noted", words, colour)

    def _rows(self, partition: str, prefix: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.dynamodb.query(
            TableName=self.table,
            KeyConditionExpression="PK = :pk AND begins_with(SK, :sk)",
            ExpressionAttributeValues={":pk": {"S": partition}, ":sk": {"S": prefix}},
            ConsistentRead=True,
        )["Items"]
        return rows

    def _show_files(self, recording: dict[str, Any]) -> None:
        self.screen.head("Files in S3")
        s3, bucket = self.stack.client("s3"), self.stack.facts["resources"]["Bucket"]
        durations = self._durations(s3, bucket, recording)
        listing = s3.list_objects_v2(Bucket=bucket, Prefix=recording["prefix"])
        files = [
            (each["Key"].removeprefix(recording["prefix"]), each["Size"])
            for each in listing.get("Contents", [])
        ]
        for line in file_lines(files, durations):
            self.screen.line(line)

    @staticmethod
    def _durations(s3: Any, bucket: str, recording: dict[str, Any]) -> dict[str, int]:
        key = recording.get("upload", {}).get("manifest")
        if not key:
            return {}
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        return durations_of(manifest)

    def _has_manifest(self, recording: dict[str, Any]) -> bool:
        s3, bucket = self.stack.client("s3"), self.stack.facts["resources"]["Bucket"]
        prefix = recording["prefix"] + "manifest.json"
        return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("KeyCount"))

    def _show_recording(self, recording: dict[str, Any]) -> None:
        self.screen.head("The recording, as the API shows it")
        self.screen.line(json.dumps(recording, indent=2))

    def _show_costs(self, recording_id: str) -> None:
        self.screen.head("What it took")
        agora = send("GET", f"{self.stack.facts['agora_url']}/_control/calls", None, {}).body[
            "calls"
        ]
        calls = Counter(each["endpoint"] for each in agora)
        by_name = ", ".join(f"{name} {count}" for name, count in calls.items())
        self.screen.line(f"  {sum(calls.values()):>4} Agora calls        ({by_name})")
        self.screen.line(f"  {invocations(self.stack):>4} Lambda invocations")
        events = history(self.stack, recording_id)
        transitions = sum(each["type"].endswith("StateEntered") for each in events)
        self.screen.line(f"  {transitions:>4} state transitions")


def durations_of(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return the milliseconds of each file of a manifest that has media, by its name.

    An MP4 holds what the playlists of its session and its user hold.
    """
    found = {each["name"]: each["durationMs"] for each in manifest["segments"]["items"]}
    films: Counter[tuple[str, str]] = Counter()
    for track in manifest["tracks"]["items"]:
        for playlist in track["playlists"]:
            found[_name(playlist)] = playlist["durationMs"]
            films[playlist["sid"], track["uid"]] += playlist["durationMs"]
    for each in manifest["files"]["items"]:
        if each["kind"] == "mp4":
            found[_name(each)] = films[each["sid"], each["uid"]]
    return found


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["key"].rpartition("/")[2])


def file_lines(files: Sequence[tuple[str, int]], durations: Mapping[str, int]) -> Iterator[str]:
    """Yield a line for each file (name, bytes), and one line for all slices of one kind."""
    folded: dict[str, list[tuple[str, int]]] = {}
    for name, size in files:
        kind = name.rpartition(".")[2]
        if kind in SLICES:
            folded.setdefault(kind, []).append((name, size))
            continue
        yield _file_line(name, size, durations.get(name))
    for kind, slices in folded.items():
        length = sum(durations.get(name, 0) for name, _ in slices)
        count = f"{len(slices)} slice{'' if len(slices) == 1 else 's'} (*.{kind})"
        yield _file_line(count, sum(size for _, size in slices), length)


def _file_line(name: str, size: int, duration_ms: int | None) -> str:
    shown = f"{duration_ms / 1000:7.2f} s" if duration_ms is not None else " " * 9
    return f"  {size:>9,} B  {shown}  {name}"


def invocations(stack: EmbeddedStack) -> int:
    """Return how many Lambda invocations there were: the number of reports in the log."""
    logs = stack.client("logs")
    group = stack.facts["resources"]["LogGroup"]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, filterPattern='"REPORT RequestId"'
    )
    return sum(len(page["events"]) for page in pages)


def history(stack: EmbeddedStack, recording_id: str) -> list[dict[str, Any]]:
    """Return the events of the execution that owns a recording."""
    machine = stack.facts["resources"]["RecordingStateMachine"]
    arn = machine.replace(":stateMachine:", ":execution:") + f":{recording_id}"
    pages = stack.client("stepfunctions").get_paginator("get_execution_history")
    return [event for page in pages.paginate(executionArn=arn) for event in page["events"]]

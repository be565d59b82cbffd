"""docs/limits.md: what it says of defaults and bounds is what ships."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from agora_recording.agora import client
from agora_recording.agora.limiter import gap_ms, pace
from agora_recording.api import (
    create_recording,
    gateway,
    get_recording_events,
    get_recording_files,
    get_recordings,
    paging,
)
from agora_recording.notifications import envelope
from agora_recording.recording.model import TERMINAL, Outcome
from agora_recording.recording.timings import Timings
from agora_recording.request import conformance, limits
from functions.receive_notification import app as receive_notification
from local.template import ROOT, functions, parameters, template

LIMITS = (ROOT / "docs" / "limits.md").read_text()
DEFAULTS = {name: int(value) for name, value in parameters({}).items() if value.isdigit()}
RESOURCES = template()["Resources"]
CALLS, TASKS = DEFAULTS["AgoraCallsPerSecond"], DEFAULTS["AgoraConcurrentTasks"]
PACE = pace(TASKS, CALLS)
SILENCE_S = int(Timings().silence_s)
MISS_S = Timings().miss_s
KB = 1024
TIMES = "\N{MULTIPLICATION SIGN}"


def kinds(name: str) -> list[dict[str, object]]:
    """Return the properties of every resource of a type."""
    return [each["Properties"] for each in RESOURCES.values() if each["Type"] == name]


STAGE = RESOURCES["Api"]["Properties"]["MethodSettings"][0]
RATE, BURST = STAGE["ThrottlingRateLimit"], STAGE["ThrottlingBurstLimit"]
STREAM = RESOURCES["ApplyNotificationsFunctionStored"]["Properties"]
RESERVED = sum(
    each["ReservedConcurrentExecutions"]["Fn::If"][1]
    for each in functions().values()
    if "ReservedConcurrentExecutions" in each
)
QUEUES = [each for each in kinds("AWS::SQS::Queue") if "VisibilityTimeout" not in each]


@pytest.mark.parametrize(
    "phrase",
    [
        # Agora's
        f"so {PACE:g} with Agora's usual {TASKS}",
        f"{PACE / 2:g} starts a second (acquire and start); or {PACE:g} {TIMES} {SILENCE_S} = "
        f"{PACE * SILENCE_S:,.0f} recordings",
        f"{CALLS} are used at most (`AgoraCallsPerSecond`), {gap_ms(CALLS)} ms apart, "
        f"if the account may run {CALLS * 10} recordings or more",
        f"{CALLS / 2:g} starts a second (acquire and start) at best",
        f"{CALLS} {TIMES} {SILENCE_S} = {CALLS * SILENCE_S:,} recordings",
        f"queue for up to {client.LONG_PATIENCE_S:g} s",
        f"{CALLS * 3600 // 4:,} recordings of one hour at a time",
        f"{DEFAULTS['DefaultMaxIdleTimeSeconds']} s here by default",
        f"stopped {Timings().expiry_margin_s / 60:g} minutes before",
        # AWS's
        f"throttle is {RATE:,}/s, burst {BURST:,}",
        f"`NotificationRate` {DEFAULTS['NotificationRate']}/s, "
        f"`NotificationBurst` {DEFAULTS['NotificationBurst']} | "
        f"{DEFAULTS['NotificationRate'] * 60:,} recordings with event 33",
        f"stream: `StreamParallelism` {DEFAULTS['StreamParallelism']} batches of a shard",
        f"{RESERVED} are reserved with `ReserveConcurrency`",
        f"limiter: two a call at most, {2 * CALLS}/s",
        f"`clientRequest` has {conformance.MOST_BYTES // KB} KB at most",
        f"a notification is at most {envelope.MAX_BODY_BYTES // KB} KB",
        f"{STREAM['MaximumRetryAttempts']} tries a batch",
        f"{QUEUES[0]['MessageRetentionPeriod'] // 86_400} days in both queues",  # type: ignore[operator]
        f"{len(kinds('AWS::CloudWatch::Alarm'))} alarms, "
        f"{len(kinds('AWS::CloudWatch::Dashboard'))} dashboard",
        # the bundle's own
        f"{DEFAULTS['SecurityGroupQuota']} rules a security group (`SecurityGroupQuota`)",
        f"request body | {gateway.MAX_BODY_BYTES // KB} KB, above it 413",
        f"notification body | {envelope.MAX_BODY_BYTES // KB} KB, above it 413",
        f"1 s to {limits.MAX_DURATION_S // 86_400} days, "
        f"{DEFAULTS['DefaultMaxDurationSeconds'] / 3600:g} hours by default",
        f"0 to {limits.MAX_RESTARTS}, {DEFAULTS['DefaultRestartLimit']} by default",
        f"confirmed within | {Timings().confirm_verdict_s:g} s",
        f"silence before a query | {MISS_S:g} s where calls are free, "
        f"{MISS_S + 2 * Timings().beat_s:g} s where they are not",
        f"every {Timings().ask_s:g} s where calls are free",
        f"about {MISS_S + Timings().failover_s:g} s after the last sign of life",
        f"an upload is awaited | {Timings().upload_s / 60:g} minutes",
        f"{get_recordings.MAX_LIMIT} recordings a page, {paging.MAX_BYTES // 1_000_000} MB;",
        f"files, events | {get_recording_files.MAX_LIMIT:,} a page, "
        f"{paging.MAX_BYTES // 1_000_000} MB",
        f"1 to {create_recording.KEY_LENGTH} characters, "
        f"remembered {create_recording.IDEMPOTENCY_DAYS} days",
    ],
)
def test_a_number_of_the_limits_is_the_one_that_ships(phrase: str) -> None:
    assert phrase in LIMITS


def test_files_and_events_have_pages_of_one_length() -> None:
    assert get_recording_files.MAX_LIMIT == get_recording_events.MAX_LIMIT


def test_both_queues_of_what_went_wrong_keep_it_as_long() -> None:
    assert len({str(each["MessageRetentionPeriod"]) for each in QUEUES}) == 1


def metrics() -> set[str]:
    """Return every metric that the code emits, but those that are named after an error."""
    folders = ("functions", "layers/shared/agora_recording")
    texts = [path.read_text() for each in folders for path in (ROOT / each).rglob("*.py")]
    found = set(re.findall(r'(?:count|add_metric)\(\s*"([A-Z]\w+)"', "".join(texts)))
    hot_path = "".join(text for text in texts if "emf.line" in text or "class Receipt" in text)
    found |= set(re.findall(r'"((?:Notification|Source)[A-Z]\w+)"', hot_path))
    found |= set(receive_notification._METRICS.values())
    found |= {f"Recording{each.capitalize()}" for each in TERMINAL} | {"RecordingAwaited"}
    return found | {f"Verdict{each.capitalize()}" for each in get_args(Outcome)}


def test_every_metric_is_counted_and_has_its_line_in_a_document() -> None:
    assert f"{len(metrics())} custom metrics and one for each kind of error" in LIMITS
    docs = "".join((ROOT / "docs" / name).read_text() for name in ("operations.md", "firewall.md"))
    tables = "".join(re.findall(r"^\|.*$", docs, re.MULTILINE))
    told = set(re.findall(r"`([A-Z]\w+)`", tables))
    assert metrics() <= told, metrics() - told

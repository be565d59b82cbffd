"""Bad weather at the emulator, for the soak: calls of AWS go wrong, processes die, streams restart.

Without the variable AWS_WEATHER nothing of this is in the emulator. With it, the variable names a
file with one `Forecast` as JSON; whoever writes the file anew changes the weather. While there is
no file, nothing goes wrong. Everything that goes wrong is appended to the file that AWS_FAULTS
names, one JSON object a line: {at, kind, who, what}; `at` in epoch seconds.

Faults befall the calls of the functions' roles and the tasks of the state machine, and no others:
who deploys, Agora's uploads and those who look on are left alone. What happens to the n-th call of
an operation by a role follows from the seed alone. A fault is of one try, or of every try: AWS's
clients repeat a call three times, so only the latter is an error that the function sees.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Self

import msgspec
from ministack.core import lambda_runtime, responses
from ministack.services import dynamodb, lambda_svc, stepfunctions

from local.strict.calls import Answer, Go, Headers, refusal
from local.strict.mappings import as_asked_in
from local.strict.pollers import table_of
from local.strict.rules import Violation

_REMEMBERED = 10_000  # calls whose fate is kept for their next try
_LOOK_S = 0.1  # between two looks whether somebody is to be killed
_READS = ("Get", "List", "Describe", "Query", "Scan", "BatchGet", "Head", "Receive", "Filter")
# How each service says that it has too much to do, and that it has failed: code and HTTP status.
_THROTTLED = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "ec2": ("RequestLimitExceeded", 503),
    "lambda": ("TooManyRequestsException", 429),
    "s3": ("SlowDown", 503),
    "scheduler": ("ThrottlingException", 429),
    "sqs": ("RequestThrottled", 400),
}
_FAILED = {
    "dynamodb": ("InternalServerError", 500),
    "events": ("InternalException", 500),
    "kms": ("KMSInternalException", 500),
    "lambda": ("ServiceException", 500),
    "scheduler": ("InternalServerException", 500),
    "secretsmanager": ("InternalServiceError", 500),
}
# The same, as the state machine's retries name it.
_TASKS = {
    "Lambda": {
        "throttled": "Lambda.TooManyRequestsException",
        "failed": "Lambda.ServiceException",
        "answer lost": "Lambda.SdkClientException",
    },
    "DynamoDb": {
        "throttled": "DynamoDb.ThrottlingException",
        "failed": "DynamoDb.InternalServerErrorException",
        "answer lost": "DynamoDb.SdkClientException",
    },
}


class Forecast(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What goes wrong: how often, of all calls, in [0, 1]; and every how many seconds, 0 is never.

    `every_try` is the part of the faults that befall every try of a call. A delay takes `slow_s`.
    """

    seed: int = 0
    throttled: float = 0.0
    failed: float = 0.0
    answer_lost: float = 0.0
    slow: float = 0.0
    every_try: float = 0.3
    slow_s: tuple[float, float] = (0.1, 3.0)
    kill_every_s: float = 0.0
    restart_every_s: float = 0.0
    most_again: int = 100  # records of a stream that come again after a restart

    def write(self, path: Path) -> None:
        """Make it the weather; whoever reads sees the old one or the new one."""
        draft = path.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(self))
        draft.rename(path)

    def fate(self, place: str, *, is_read: bool) -> tuple[str, bool, float]:
        """Return what happens at a place: the kind or "", whether in every try, the delay (s)."""
        chance = Random(f"{self.seed} {place}")
        at = chance.random()
        is_lasting = chance.random() < self.every_try
        slow_s = chance.uniform(*self.slow_s)
        kinds = {
            "throttled": self.throttled,
            "failed": self.failed,
            "answer lost": 0.0 if is_read else self.answer_lost,
            "slow": self.slow,
        }
        for kind, rate in kinds.items():
            if at < rate:
                return kind, is_lasting, slow_s
            at -= rate
        return "", False, 0.0


class Weather:
    """Reads the forecast, decides what happens, and writes down what happened."""

    def __init__(self, forecast: Path, faults: Path) -> None:
        self._path = forecast
        self._faults = faults.open("a", buffering=1)
        self._read_ns = 0
        self._forecast = Forecast()
        self._counts: Counter[str] = Counter()
        self._lasting: OrderedDict[str, str] = OrderedDict()  # by AWS's id of a call
        self._due: dict[str, float] = {}  # when the next kill and each stream's restart are due
        self._lock = threading.Lock()

    @classmethod
    def of_environment(cls) -> Self | None:
        """Return the weather that the environment asks for; None where it asks for none."""
        path = os.environ.get("AWS_WEATHER")
        return cls(Path(path), Path(os.environ["AWS_FAULTS"])) if path else None

    @property
    def forecast(self) -> Forecast:
        """Return what the file says now."""
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return Forecast()
        if changed_ns != self._read_ns:
            self._forecast = msgspec.json.decode(self._path.read_bytes(), type=Forecast)
            self._read_ns = changed_ns
        return self._forecast

    # --- calls of the functions ---

    async def meet(
        self, principal: str, operation: str, request_id: str, headers: Headers, go: Go
    ) -> Any:
        """Let a call go, or let something happen to it; return its answer.

        `operation` is `dynamodb.PutItem`, say. A call that has no role's principal just goes.
        """
        if ":assumed-role/" not in principal:
            return await go()
        role = principal.split("/")[1]
        kind, slow_s = self._fate(role, operation, headers.get("amz-sdk-invocation-id", ""))
        if not kind:
            return await go()
        self.tell(kind, role, operation)
        if kind == "slow":
            await asyncio.sleep(slow_s)
            return await go()
        service = operation.partition(".")[0]
        if kind == "answer lost":
            await go()
            return cut_off()
        found = _THROTTLED if kind == "throttled" else _FAILED
        code, status = found.get(service, ("ThrottlingException", 400))
        if kind == "failed" and service not in found:
            code, status = "InternalError", 500
        said = refusal(service, Violation(code, f"The weather: {kind}"), request_id, headers)
        return (status, *said[1:])

    def _fate(self, role: str, operation: str, call: str) -> tuple[str, float]:
        """Return what happens to a try of a call, and its delay (s)."""
        forecast = self.forecast
        with self._lock:
            if call in self._lasting:  # a further try
                return self._lasting[call], 0.0
            place = f"{role} {operation}"
            self._counts[place] += 1
            is_read = operation.partition(".")[2].startswith(_READS)
            kind, is_lasting, slow_s = forecast.fate(
                f"{place} {self._counts[place]}", is_read=is_read
            )
            if call:  # its further tries have the same fate, or none
                self._lasting[call] = kind if is_lasting and kind != "slow" else ""
                if len(self._lasting) > _REMEMBERED:
                    self._lasting.popitem(last=False)
        return kind, slow_s

    # --- tasks of the state machine ---

    def befall_tasks(self) -> None:
        """Let something happen between the state machine and what its tasks call."""
        call, integrate = stepfunctions._call_lambda, stepfunctions._invoke_aws_sdk_integration

        def call_in_weather(function: str, event: Any) -> Any:
            name = lambda_svc._get_func_record_for_ref(function)[2]
            return self._task("Lambda", name, lambda: call(function, event))

        def integrate_in_weather(resource: str, parameters: Any) -> Any:
            if "aws-sdk:dynamodb:" not in resource:
                return integrate(resource, parameters)
            return self._task("DynamoDb", "updateItem", lambda: integrate(resource, parameters))

        stepfunctions._call_lambda = call_in_weather
        stepfunctions._invoke_aws_sdk_integration = integrate_in_weather

    def _task(self, service: str, what: str, go: Callable[[], Any]) -> Any:
        kind, slow_s = self._fate("the state machine", f"{service}.{what}", "")
        if not kind:
            return go()
        self.tell(kind, "the state machine", f"{service}.{what}")
        if kind == "slow":
            time.sleep(slow_s)
            return go()
        if kind == "answer lost":
            go()
        raise stepfunctions._ExecutionError(_TASKS[service][kind], "the weather")

    # --- processes ---

    def kill_processes(self) -> None:
        """Kill a process of a function now and then, from a thread of its own."""
        threading.Thread(target=self._kill, name="weather", daemon=True).start()

    def _kill(self) -> None:
        number = 0
        while True:
            time.sleep(_LOOK_S)
            forecast = self.forecast
            if self._is_due("kill", forecast.kill_every_s):
                number += 1
                self._kill_one(Random(f"{forecast.seed} kill {number}"))

    def _kill_one(self, chance: Random) -> None:
        """Kill a process as the kernel does when memory is short: one that works, if any does.

        Not one that starts: on a busy machine, none would ever get beyond it.
        """
        with lambda_runtime._lock:
            alive = [
                (worker.in_use, worker.func_name, process)
                for workers in lambda_runtime._workers.values()
                for worker in workers
                if (process := worker._proc) is not None
                and process.poll() is None
                and _has_started(worker)
            ]
        at_work = [each for each in alive if each[0]]
        for is_at_work, name, process in (chance.choice(at_work or alive),) if alive else ():
            process.kill()
            self.tell("killed at work" if is_at_work else "killed while idle", name, "process")

    # --- streams ---

    def restart_streams(self) -> None:
        """Let the reader of a stream begin again now and then, at records that it has read."""
        poll = lambda_svc._poll_dynamodb_streams

        def poll_in_weather() -> Any:
            forecast = self.forecast
            for account, region, mapping in lambda_svc._iter_all_esms():
                identifier = mapping["UUID"]
                if self._is_due(identifier, forecast.restart_every_s):
                    self._restart(account, region, mapping, forecast)
            return poll()

        lambda_svc._poll_dynamodb_streams = poll_in_weather

    def _restart(
        self, account: str, region: str, mapping: dict[str, Any], forecast: Forecast
    ) -> None:
        table, identifier = table_of(mapping), mapping["UUID"]
        self._counts[identifier] += 1
        place = f"{forecast.seed} {table} {self._counts[identifier]}"
        again = Random(place).randint(1, forecast.most_again)
        with as_asked_in(account, region):
            horizon = dynamodb.stream_start_position(table)
            places = lambda_svc._dynamodb_stream_positions
            with lambda_svc._dynamodb_stream_positions_lock:
                at = places.get(identifier)
                if at is None or at <= horizon:
                    return
                places[identifier] = max(horizon, at - again)
        name = mapping["FunctionArn"].rpartition(":")[2]
        self.tell("stream restarted", name, f"{min(again, at - horizon)} records again")

    # --- both ---

    def _is_due(self, what: str, every_s: float) -> bool:
        """Tell whether something that happens every so often is due; then the next is planned."""
        now = time.monotonic()
        due = self._due.get(what)
        if not every_s:
            self._due.pop(what, None)
            return False
        if due is None or now >= due:
            self._due[what] = now + every_s
        return due is not None and now >= due

    def tell(self, kind: str, who: str, what: str) -> None:
        """Write down what happened."""
        line = {"at": time.time(), "kind": kind, "who": who, "what": what}
        self._faults.write(json.dumps(line) + "\n")


def _has_started(worker: Any) -> bool:
    """Tell whether an environment takes invocations; one of a managed runtime does at once."""
    started = getattr(worker, "_init_settled", None)
    return started is None or started.is_set()


def cut_off() -> Answer:
    """Return an answer that ends before its length: the connection is closed, and nobody knows."""

    async def end(send: Any, receive: Any) -> None:
        """Send nothing: the server closes what is not finished."""

    return 200, {"Content-Length": "1"}, responses.StreamingResponse(end)

"""AWS and Agora in memory: a table, a bucket, a bus, a queue, and replies to a script.

Every operation on them is counted, and `Faults` can end the process before or after any of them.
The table's keys and indexes are those of template.yaml; tests/unit/life/test_store.py holds its
behaviour against moto's.
"""
# ruff: noqa: N818 - the names of the errors are AWS's

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, wraps
from io import BytesIO
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import msgspec
from botocore.exceptions import ClientError
from msgspec import structs

from agora_recording.agora.bodies import STOP_FIELDS, body
from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Resource, Task
from agora_recording.aws.dynamodb import from_item, to_item
from agora_recording.errors import AgoraError
from agora_recording.life.due_index import DueIndex
from agora_recording.life.sessions import SessionStore
from agora_recording.life.store import RecordingStore, row_of
from agora_recording.recording.model import Recording
from agora_recording.recording.timings import Timings
from tests.template.machine import template

F = TypeVar("F", bound=Callable[..., Any])
Item = dict[str, Any]
TABLE = "recordings"
BUCKET = "films"


class Clock:
    """The present, which only moves when it is told to."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, seconds: float) -> int:
        """Let time pass; return the new present."""
        self.now_ms += round(seconds * 1000)
        return self.now_ms


# --- crashes ------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process is gone. No Exception: nothing inside it can notice."""


class Faults:
    """Counts operations, and kills the process before or after the one called `at` (from 1).

    `names` are the operations in order; `firsts` the numbers of those that a process began with.
    """

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.at = at
        self.after = after
        self.count = 0
        self.dead = False
        self.names: list[str] = []
        self.firsts: list[int] = [1]

    def begin(self) -> None:
        """Begin a new process."""
        self.dead = False
        self.firsts.append(self.count + 1)

    def check(self) -> None:
        """Let a dead process do nothing more."""
        if self.dead:
            raise Crash

    def kill(self) -> None:
        """End the process."""
        self.dead = True
        raise Crash


def operation(method: F) -> F:
    """Make a method of a fake one of the operations that `self.faults` counts."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        faults: Faults = self.faults
        faults.check()
        faults.count += 1
        number = faults.count
        faults.names.append(method.__name__)
        if number == faults.at and not faults.after:
            faults.kill()
        result = method(self, *args, **kwargs)
        if number == faults.at:
            faults.kill()
        return result

    return cast(F, run)


def reading(method: F) -> F:
    """Make a method one that a dead process cannot call either; it is not counted."""

    @wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.faults.check()
        return method(self, *args, **kwargs)

    return cast(F, run)


class OneThread:
    """A ThreadPoolExecutor without threads: operations come in one order, each time the same."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> OneThread:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, function: Callable[..., Any], *values: Iterable[Any]) -> list[Any]:
        """Return the results of a function, in order."""
        return list(map(function, *values))


# --- errors of AWS ------------------------------------------------------------------------------


class ConditionalCheckFailedException(ClientError):
    """A condition did not hold."""


class TransactionCanceledException(ClientError):
    """A condition of a transaction did not hold."""


class TransactionConflictException(ClientError):
    """Another transaction holds the item."""


class ExecutionAlreadyExists(ClientError):
    """The name was used for another execution."""


class ExecutionDoesNotExist(ClientError):
    """No execution has this ARN."""


class TaskTimedOut(ClientError):
    """The token's task is closed."""


class TaskDoesNotExist(ClientError):
    """The token belongs to no task."""


class InvalidToken(ClientError):
    """The token is none."""


def error(kind: type[ClientError] | str, **more: Any) -> ClientError:
    """Return an error as botocore would raise it."""
    code = kind if isinstance(kind, str) else kind.__name__
    response: Any = {"Error": {"Code": code, "Message": code}, **more}
    return (ClientError if isinstance(kind, str) else kind)(response, "Operation")


# --- DynamoDB's expressions ---------------------------------------------------------------------

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),]|[:#]?\w+)")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
Condition = Callable[[Item, Mapping[str, str], Item], bool]


class _Parser:
    """Recursive descent over the conditions that the bundle uses: AND, OR, BETWEEN, functions."""

    def __init__(self, text: str) -> None:
        self.tokens: deque[str] = deque(_TOKEN.findall(text))

    def take(self, expected: str | None = None) -> str:
        token = self.tokens.popleft()
        assert expected in (None, token), f"{expected} expected, not {token}"
        return token

    def accept(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.popleft()
            return True
        return False

    def whole(self) -> Condition:
        condition = self.any_of()
        assert not self.tokens, f"not understood: {' '.join(self.tokens)}"
        return condition

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.accept("OR"):
            parts.append(self.all_of())
        return lambda *world: any(part(*world) for part in parts)

    def all_of(self) -> Condition:
        parts = [self.one()]
        while self.accept("AND"):
            parts.append(self.one())
        return lambda *world: all(part(*world) for part in parts)

    def one(self) -> Condition:
        if self.accept("("):
            inner = self.any_of()
            self.take(")")
            return inner
        word = self.take()
        if self.accept("("):
            return self.function(word)
        if self.accept("BETWEEN"):
            low = self.take()
            self.take("AND")
            high = self.take()
            first, second = self.compare(word, ">=", low), self.compare(word, "<=", high)
            return lambda *world: first(*world) and second(*world)
        return self.compare(word, self.take(), self.take())

    def function(self, name: str) -> Condition:
        path = self.take()
        if name == "begins_with":
            self.take(",")
            prefix = self.take()
            self.take(")")
            return lambda *world: str(_value(path, world)).startswith(_value(prefix, world))
        self.take(")")
        wanted = {"attribute_exists": True, "attribute_not_exists": False}[name]
        return lambda *world: (_value(path, world) is not None) is wanted

    @staticmethod
    def compare(left: str, sign: str, right: str) -> Condition:
        holds = _COMPARE[sign]

        def condition(*world: Any) -> bool:
            a, b = _value(left, world), _value(right, world)
            return type(a) is type(b) and holds(a, b)

        return condition


def _value(word: str, world: Sequence[Any]) -> Any:
    """Return what a word of an expression stands for: text, a number, or None for nothing."""
    item, names, values = world
    attribute: Item | None = values[word] if word[0] == ":" else item.get(names.get(word, word))
    if attribute is None:
        return None
    ((kind, value),) = attribute.items()
    return float(value) if kind == "N" else value


@cache
def condition_of(expression: str) -> Condition:
    """Return an expression as a function of (item, names, values)."""
    return _Parser(expression).whole()


def _updated(item: Item, expression: str, values: Item) -> Item:
    """Return the attributes that `SET a = b + :c, … ADD d :e` gives."""
    changed: Item = {}
    sections = re.split(r"\b(SET|ADD)\b", expression)[1:]
    for section, text in zip(sections[::2], sections[1::2], strict=True):
        for clause in text.split(","):
            if section == "SET":
                name, _, source = (part.strip() for part in clause.partition("="))
                terms = [part.strip() for part in source.split("+")]
            else:
                name, amount = clause.split()
                terms = [name, amount] if name in item else [amount]
            found = [values[each] if each.startswith(":") else item[each] for each in terms]
            if len(found) == 1:
                changed[name] = found[0]
            else:
                changed[name] = {"N": str(sum(int(each["N"]) for each in found))}
    return changed


# --- DynamoDB -----------------------------------------------------------------------------------


@cache
def table_properties() -> dict[str, Any]:
    """Return the table as template.yaml declares it."""
    properties: dict[str, Any] = template()["Resources"]["Table"]["Properties"]
    return properties


def _keys(schema: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(each["AttributeName"] for each in schema)


class FakeTable:
    """A DynamoDB client with one table. `watch` is told of every item that is put."""

    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=ConditionalCheckFailedException,
        TransactionCanceledException=TransactionCanceledException,
        TransactionConflictException=TransactionConflictException,
    )

    def __init__(
        self, faults: Faults | None = None, watch: Callable[[Item], None] = lambda _: None
    ) -> None:
        self.faults = faults or Faults()
        self.watch = watch
        self.items: dict[tuple[str, str], Item] = {}
        self.before_write: deque[Callable[[], None]] = deque()
        self._found: dict[str, list[Item]] = {}  # the rows of each index, until one changes
        properties = table_properties()
        self._primary = _keys(properties["KeySchema"])
        self._indexes = {
            each["IndexName"]: (_keys(each["KeySchema"]), each["Projection"])
            for each in properties["GlobalSecondaryIndexes"]
        }

    # --- for the tests ---

    def add(self, values: Mapping[str, Any]) -> None:
        """Let a row of plain values be there."""
        self._store(to_item(values))

    def row(self, partition: str, sort: str) -> dict[str, Any]:
        """Return the plain values of a row."""
        return from_item(self.items[partition, sort])

    def rows(self, partition: str, prefix: str = "") -> list[dict[str, Any]]:
        """Return the plain values of a partition, in order."""
        return [
            from_item(self.items[key])
            for key in sorted(self.items)
            if key[0] == partition and key[1].startswith(prefix)
        ]

    # --- the client ---

    @reading
    def get_item(self, *, TableName: str, Key: Item, **_: Any) -> dict[str, Any]:
        """Read a row."""
        item = self.items.get(self._key(Key))
        return {} if item is None else {"Item": item}

    @reading
    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """Read rows; those that are not there are not in the answer."""
        ((name, wanted),) = RequestItems.items()
        found = [self.items[key] for key in map(self._key, wanted["Keys"]) if key in self.items]
        return {"Responses": {name: found}, "UnprocessedKeys": {}}

    @operation
    def put_item(self, *, TableName: str, Item: Item, **condition: Any) -> None:
        """Write a row."""
        self._race()
        self._check(Item, condition)
        self._store(Item)

    @operation
    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ReturnValues: str = "NONE",
        ReturnValuesOnConditionCheckFailure: str = "NONE",
        **condition: Any,
    ) -> dict[str, Any]:
        """Change a row in place."""
        self._race()
        old = self.items.get(self._key(Key), {})
        self._check(Key, condition, tell=ReturnValuesOnConditionCheckFailure == "ALL_OLD")
        values = condition.get("ExpressionAttributeValues", {})
        changed = _updated(old, UpdateExpression, values)
        self._store({**Key, **old, **changed})
        return {"Attributes": changed} if ReturnValues == "UPDATED_NEW" else {}

    @operation
    def transact_write_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> None:
        """Write rows together, or none of them."""
        self._race()
        puts = [each["Put"] for each in TransactItems]
        assert len({self._key(put["Item"]) for put in puts}) == len(puts), "one row twice"
        reasons = []
        for put in puts:
            try:
                self._check(put["Item"], put)
                reasons.append({"Code": "None"})
            except ConditionalCheckFailedException:
                reasons.append({"Code": "ConditionalCheckFailed"})
        if any(each["Code"] != "None" for each in reasons):
            raise error(TransactionCanceledException, CancellationReasons=reasons)
        for put in puts:
            self._store(put["Item"])

    @reading
    def query(
        self,
        *,
        TableName: str,
        KeyConditionExpression: str,
        ExpressionAttributeValues: Item,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        IndexName: str | None = None,
        FilterExpression: str | None = None,
        ScanIndexForward: bool = True,
        ExclusiveStartKey: Item | None = None,
        Limit: int | None = None,
        ConsistentRead: bool = False,
        Select: str = "",
        ProjectionExpression: str = "",
    ) -> dict[str, Any]:
        """Read the rows of a partition in the order of its sort key, of the table or an index."""
        keys, projection = self._indexes[IndexName] if IndexName else (self._primary, None)
        wanted = condition_of(KeyConditionExpression)
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues
        order = (*keys[1:], *self._primary)
        found = sorted(
            (item for item in self._members(IndexName, keys) if wanted(item, names, values)),
            key=lambda item: [item[name]["S"] for name in order],
            reverse=not ScanIndexForward,
        )
        if ExclusiveStartKey:
            edge = [ExclusiveStartKey[name]["S"] for name in order]
            found = [
                item
                for item in found
                if (place := [item[name]["S"] for name in order]) != edge
                and (place > edge) is ScanIndexForward
            ]
        cut = found[: Limit or len(found)]
        kept = cut
        if FilterExpression:
            wanted = condition_of(FilterExpression)
            kept = [item for item in cut if wanted(item, names, values)]
        answer: dict[str, Any] = {"Items": kept, "Count": len(kept)}
        if Select == "COUNT":
            del answer["Items"]
        elif ProjectionExpression:
            shown = set(ProjectionExpression.split(", "))
            answer["Items"] = [{name: item[name] for name in shown} for item in kept]
        elif projection:
            shown = {*keys, *self._primary, *projection.get("NonKeyAttributes", ())}
            answer["Items"] = [
                {name: value for name, value in item.items() if name in shown} for item in kept
            ]
        if len(cut) < len(found):
            answer["LastEvaluatedKey"] = {name: cut[-1][name] for name in {*keys, *self._primary}}
        return answer

    def get_paginator(self, name: str) -> Any:
        """Return something whose `paginate` yields one page after the other."""
        assert name == "query"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, **request: Any) -> Iterator[dict[str, Any]]:
        while True:
            page = self.query(**request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    # --- inside ---

    def _members(self, index: str | None, keys: tuple[str, ...]) -> Iterable[Item]:
        """Return the rows that have the keys of an index."""
        if index is None:
            return self.items.values()
        if index not in self._found:
            self._found[index] = [
                item for item in self.items.values() if all(name in item for name in keys)
            ]
        return self._found[index]

    def _key(self, item: Item) -> tuple[str, str]:
        partition, sort = self._primary
        return item[partition]["S"], item[sort]["S"]

    def _race(self) -> None:
        """Let somebody else write first, where a test has asked for it."""
        if self.before_write:
            self.before_write.popleft()()

    def _check(self, item: Item, request: Mapping[str, Any], *, tell: bool = False) -> None:
        expression = request.get("ConditionExpression")
        old = self.items.get(self._key(item))
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        if expression and not condition_of(expression)(old or {}, names, values):
            more = {"Item": old} if tell and old else {}
            raise error(ConditionalCheckFailedException, **more)

    def _store(self, item: Item) -> None:
        self._found.clear()
        self.items[self._key(item)] = item
        self.watch(item)


# --- the other services -------------------------------------------------------------------------


class FakeBucket:
    """An S3 client with one bucket."""

    def __init__(self, clock: Clock, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.clock = clock
        self.objects: dict[str, tuple[bytes, int]] = {}

    def add(self, key: str, body: bytes) -> None:
        """Let an object appear (Agora's, not ours)."""
        self.objects[key] = (body, self.clock())

    def json(self, key: str) -> Any:
        """Return an object's content."""
        return msgspec.json.decode(self.objects[key][0])

    @operation
    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        """Write an object."""
        assert Bucket == BUCKET
        self.add(Key, Body)

    @reading
    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        """Read an object."""
        return {"Body": BytesIO(self.objects[Key][0])}

    def get_paginator(self, name: str) -> Any:
        """Return something whose `paginate` yields the listing."""
        assert name == "list_objects_v2"
        return SimpleNamespace(paginate=self._pages)

    @reading
    def _pages(self, *, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        contents = [
            {
                "Key": key,
                "Size": len(body),
                "ETag": f'"{hash(body):x}"',
                "LastModified": datetime.fromtimestamp(at_ms / 1000, UTC),
            }
            for key, (body, at_ms) in sorted(self.objects.items())
            if key.startswith(Prefix)
        ]
        return [{"Contents": contents}] if contents else [{}]


class FakeBus:
    """An EventBridge client. `refuse` lets the next calls fail as the bus fails: inside a 200."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.refuse = 0
        self.events: list[tuple[str, dict[str, Any]]] = []

    @property
    def types(self) -> list[str]:
        """The detail-types sent, in order."""
        return [detail_type for detail_type, _ in self.events]

    @operation
    def put_events(self, *, Entries: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Take events."""
        if self.refuse:
            self.refuse -= 1
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
        for entry in Entries:
            self.events.append((entry["DetailType"], msgspec.json.decode(entry["Detail"])))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


class FakeQueue:
    """An SQS client with one queue."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.messages: list[dict[str, Any]] = []

    @operation
    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        """Take a message, to be brought after a delay in whole seconds."""
        assert DelaySeconds in range(901)
        message = msgspec.json.decode(MessageBody)
        self.messages.append(message)
        self.taken(message, DelaySeconds)

    def taken(self, message: dict[str, Any], delay_s: int) -> None:
        """Bring a message to its room: nothing here."""


class FakeStepFunctions:
    """A Step Functions client that keeps executions and tokens; life.Machine runs them."""

    exceptions = SimpleNamespace(
        ExecutionAlreadyExists=ExecutionAlreadyExists,
        ExecutionDoesNotExist=ExecutionDoesNotExist,
        TaskTimedOut=TaskTimedOut,
        TaskDoesNotExist=TaskDoesNotExist,
        InvalidToken=InvalidToken,
    )

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.executions: dict[str, str] = {}  # name -> status
        self.tokens: set[str] = set()  # of parked tasks
        self.sent: list[tuple[str, Any]] = []

    @operation
    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:
        """Start an execution; the same again is the same while it runs (AWS: StartExecution)."""
        if self.executions.get(name, "RUNNING") != "RUNNING":
            raise error(ExecutionAlreadyExists)
        if name not in self.executions:
            self.executions[name] = "RUNNING"
            self.begin(name, msgspec.json.decode(input))
        return {"executionArn": f"{stateMachineArn}:{name}"}

    def begin(self, name: str, given: dict[str, Any]) -> None:
        """Begin to run an execution: nothing here."""

    @reading
    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        """Tell an execution's status."""
        name = executionArn.rsplit(":", 1)[-1]
        if name not in self.executions:
            raise error(ExecutionDoesNotExist)
        return {"status": self.executions[name]}

    @operation
    def send_task_success(self, *, taskToken: str, output: str) -> None:
        """Let a parked task go on. A token is good once."""
        if taskToken not in self.tokens:
            raise error(TaskTimedOut)
        self.tokens.remove(taskToken)
        self.sent.append((taskToken, msgspec.json.decode(output)))
        self.woken(taskToken, msgspec.json.decode(output))

    def woken(self, token: str, output: Any) -> None:
        """Go on with a parked task: nothing here."""


class FakeStorage:
    """What makes storageConfigs; the number tells one from the next."""

    def __init__(self, *, is_temporary: bool = False) -> None:
        self.is_temporary = is_temporary
        self.made = 0

    def config(self, prefix: str) -> dict[str, Any]:
        """Return a storageConfig."""
        self.made += 1
        return {"vendor": 1, "bucket": BUCKET, "fileNamePrefix": [prefix], "number": self.made}


class OffScript(BaseException):
    """An endpoint was asked for that the script does not foresee; no room may take it for an
    answer. `expected` is the one it does, if any.
    """

    def __init__(self, endpoint: str, expected: str | None = None) -> None:
        self.endpoint = endpoint
        super().__init__(f"asked for {endpoint}, the script has {expected or 'nothing more'}")


Answer = Reply | AgoraError | Callable[[], Reply]


class ScriptedAgora:
    """An AgoraClient that answers what the script says next, and keeps what it was asked.

    An answer is a reply, an error to raise (the limiter's), or a function: something that happens
    meanwhile.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.reserved = 0

    @property
    def endpoints(self) -> list[str]:
        """What was called, in order."""
        return [endpoint for endpoint, _ in self.calls]

    def then(self, *answers: Answer) -> None:
        """Add to the script."""
        self.answers.extend(answers)

    def reserve_start(self) -> list[int]:
        """Give two slots, unless the script says that there are none."""
        if self.answers and isinstance(self.answers[0], AgoraError):
            raise self.answers.popleft()  # type: ignore[misc]
        self.reserved += 1
        return [1, 2]

    def acquire(self, cname: str, uid: str, fields: Mapping[str, Any], **more: Any) -> Reply:
        """Answer an acquire."""
        return self._next("acquire", body=body(cname, uid, fields), **more)

    def start(self, resource: Resource, fields: Mapping[str, Any], **more: Any) -> Reply:
        """Answer a start."""
        return self._asked("start", resource, fields, **more)

    def query(self, task: Task) -> Reply:
        """Answer a query."""
        return self._asked("query", task)

    def update(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Answer an update."""
        return self._asked("update", task, fields)

    def update_layout(self, task: Task, fields: Mapping[str, Any]) -> Reply:
        """Answer a new layout."""
        return self._asked("updateLayout", task, fields)

    def stop(self, task: Task) -> Reply:
        """Answer a stop."""
        return self._asked("stop", task, STOP_FIELDS)

    def _asked(
        self,
        endpoint: str,
        about: Resource | Task,
        fields: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Reply:
        sent = {} if fields is None else {"body": body(about.cname, about.uid, fields)}
        return self._next(endpoint, **structs.asdict(about), **sent, **more)

    def _next(self, endpoint: str, **call: Any) -> Reply:
        self.calls.append((endpoint, call))
        if not self.answers:
            raise OffScript(endpoint)
        answer = self.answers.popleft()
        if isinstance(answer, AgoraError):
            raise answer
        reply = answer() if callable(answer) else answer
        if reply.endpoint != endpoint:
            raise OffScript(endpoint, reply.endpoint)
        return reply


class Shelf:
    """A table with recordings in it, and what reads and writes it."""

    def __init__(self, *rows: Recording, faults: Faults | None = None) -> None:
        self.table = FakeTable(faults)
        client: Any = self.table
        self.store = RecordingStore(TABLE, Timings(), client)
        self.sessions = SessionStore(TABLE, client)
        self.index = DueIndex(TABLE, client)
        for row in rows:
            self.put(row)

    def put(self, row: Recording) -> None:
        """Let a recording be there."""
        self.table.add(row_of(row, Timings()))

    def row(self, recording_id: str) -> Recording:
        """Return a recording as it is."""
        return self.store.get(recording_id)

    def kinds(self, recording_id: str) -> list[str]:
        """Return the kinds of a recording's notes, sorted."""
        notes = self.table.rows(f"REC#{recording_id}", "LOG#")
        return sorted(note["kind"] for note in notes)

"""The table in memory.

Its keys and indexes are those of template.yaml; tests/unit/life/test_store.py holds its behaviour
against moto's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

from agora_recording.aws.dynamodb import from_item, to_item
from local.template import template
from tests.world.errors import (
    ConditionalCheckFailedException,
    TransactionCanceledException,
    TransactionConflictException,
    error,
)
from tests.world.expressions import Item, condition_of, updated
from tests.world.faults import Faults, operation, reading

TABLE = "recordings"


@cache
def table_properties() -> dict[str, Any]:
    """Return the table as template.yaml declares it."""
    properties: dict[str, Any] = template()["Resources"]["Table"]["Properties"]
    return properties


def _keys(schema: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(each["AttributeName"] for each in schema)


class FakeTable:
    """A DynamoDB client with one table. `watch` is told of every item that is put.

    Of the next `busy` batches to delete, one row each stays undone.
    """

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
        self.busy = 0
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
    def update_item(self, **request: Any) -> dict[str, Any]:
        """Change a row in place."""
        return self.change(**request)

    def change(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ReturnValues: str = "NONE",
        ReturnValuesOnConditionCheckFailure: str = "NONE",
        **condition: Any,
    ) -> dict[str, Any]:
        """Change a row in place, for a process that is not ours: no crash of ours meets it."""
        self._race()
        old = self.items.get(self._key(Key), {})
        self._check(Key, condition, tell=ReturnValuesOnConditionCheckFailure == "ALL_OLD")
        values = condition.get("ExpressionAttributeValues", {})
        changed = updated(old, UpdateExpression, values)
        self._store({**Key, **old, **changed})
        return {"Attributes": changed} if ReturnValues == "UPDATED_NEW" else {}

    @operation
    def transact_write_items(self, *, TransactItems: Sequence[Mapping[str, Any]]) -> None:
        """Write rows together, or none of them."""
        self._race()
        writes = [next(iter(each.items())) for each in TransactItems]
        keys = [self._key(each["Item" if kind == "Put" else "Key"]) for kind, each in writes]
        assert len(set(keys)) == len(keys), "one row twice"
        reasons = []
        for kind, each in writes:
            assert kind in ("Put", "ConditionCheck")
            try:
                self._check(each["Item" if kind == "Put" else "Key"], each)
                reasons.append({"Code": "None"})
            except ConditionalCheckFailedException:
                reasons.append({"Code": "ConditionalCheckFailed"})
        if any(each["Code"] != "None" for each in reasons):
            raise error(TransactionCanceledException, CancellationReasons=reasons)
        for kind, each in writes:
            if kind == "Put":
                self._store(each["Item"])

    @operation
    def delete_item(self, *, TableName: str, Key: Item, **condition: Any) -> None:
        """Delete a row, if it is there and as it should be."""
        self._race()
        self._check(Key, condition)
        self._remove(Key)

    @operation
    def batch_write_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """Delete up to 25 rows; tell which are to be sent again."""
        ((name, requests),) = RequestItems.items()
        assert 0 < len(requests) <= 25
        undone = requests[-1:] if self.busy else []
        self.busy = max(0, self.busy - 1)
        for each in requests[: len(requests) - len(undone)]:
            self._remove(each["DeleteRequest"]["Key"])
        return {"UnprocessedItems": {name: undone} if undone else {}}

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
            shown = ProjectionExpression.split(", ")
            answer["Items"] = [{name: item[name] for name in shown} for item in kept]
        elif projection:
            shown = [*keys, *self._primary, *projection.get("NonKeyAttributes", ())]
            answer["Items"] = [
                {name: value for name, value in item.items() if name in shown} for item in kept
            ]
        if len(cut) < len(found):
            answer["LastEvaluatedKey"] = {name: cut[-1][name] for name in (*keys, *self._primary)}
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

    def _remove(self, key: Item) -> None:
        self._found.clear()
        self.items.pop(self._key(key), None)

    def _store(self, item: Item) -> None:
        self._found.clear()
        self.items[self._key(item)] = item
        self.watch(item)
